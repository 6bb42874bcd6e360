//! Everything in an account that isn't a bucket or a stack: streams, delivery streams, functions, roles, log groups.

use crate::cloudformation::{Resource, Stack, Template};
use crate::s3::Bucket;
use crate::{ACCOUNT, Account};
use serde_yaml::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A thing, by whose type and name it is found.
#[derive(Debug, Clone)]
pub struct Thing {
    /// When it was made.
    pub made: Instant,
    /// Until then it is being made: CREATING, Pending.
    pub ready: Instant,
    /// Whether it is being deleted: DELETING.
    pub dying: bool,
    /// When it vanishes by itself.
    pub gone: Option<Instant>,
    /// What is told of it: `CodeSha256`, `Architecture`, `LogGroup`.
    pub facts: BTreeMap<&'static str, String>,
    /// Until when a function's update takes, and why it fails, where it does.
    pub update: Option<(Instant, Option<String>)>,
}

/// What comes by itself.
#[derive(Debug, Clone)]
pub(crate) enum Coming {
    /// A function writes a log line, and Lambda makes the group for it.
    LogLine(String),
    /// Somebody else does something.
    Somebody(crate::weather::Act),
}

impl Thing {
    /// Ready, and there to stay.
    pub fn new(now: Instant) -> Self {
        Thing { made: now, ready: now, dying: false, gone: None, facts: BTreeMap::new(), update: None }
    }

    /// `CREATING`, `ACTIVE` or `DELETING`, as streams call it.
    pub fn status(&self, now: Instant) -> &'static str {
        match self {
            _ if self.dying => "DELETING",
            _ if self.ready > now => "CREATING",
            _ => "ACTIVE",
        }
    }
}

impl Account {
    /// Whether there is one, in whatever state.
    pub fn exists(&self, kind: &str, name: &str) -> bool {
        match kind {
            "AWS::S3::Bucket" => self.buckets.contains_key(name),
            _ => self.thing(kind, name).is_some(),
        }
    }

    /// Makes one outside CloudFormation, ready at once.
    pub fn make(&mut self, kind: &str, name: &str) {
        let now = self.clock.now();
        self.make_from(kind, name, now, now);
    }

    /// Lets one vanish by itself.
    pub fn vanishes(&mut self, kind: &str, name: &str, at: Instant) {
        match self.things.get_mut(&(kind.to_owned(), name.to_owned())) {
            Some(thing) => (thing.dying, thing.gone) = (true, Some(at)),
            None => self.unmake(kind, name),
        }
    }

    /// Deletes one outside CloudFormation.
    pub fn unmake(&mut self, kind: &str, name: &str) {
        if kind == "AWS::S3::Bucket" {
            if self.buckets.remove(name).is_some() {
                let lag = Duration::from_secs_f64(self.script.bucket_name_seconds);
                self.freed.insert(name.to_owned(), self.clock.now() + lag);
            }
        } else {
            self.things.remove(&(kind.to_owned(), name.to_owned()));
        }
    }

    /// One that isn't a bucket.
    pub fn thing(&self, kind: &str, name: &str) -> Option<&Thing> {
        self.things.get(&(kind.to_owned(), name.to_owned()))
    }

    /// Log streams and bucket policies live and die with what they are in: they are not kept by themselves.
    pub(crate) fn keeps(&self, kind: &str) -> bool {
        !["AWS::Logs::LogStream", "AWS::S3::BucketPolicy"].contains(&kind)
    }

    pub(crate) fn make_from(&mut self, kind: &str, name: &str, made: Instant, ready: Instant) {
        if kind == "AWS::S3::Bucket" {
            self.buckets.insert(name.to_owned(), Bucket::of(ACCOUNT));
        } else if self.keeps(kind) {
            let thing = Thing { made, ready, ..Thing::new(made) };
            self.things.insert((kind.to_owned(), name.to_owned()), thing);
        }
    }

    /// It is on its way out.
    pub(crate) fn dies(&mut self, kind: &str, name: &str) {
        if let Some(thing) = self.things.get_mut(&(kind.to_owned(), name.to_owned())) {
            thing.dying = true;
        }
    }

    /// Fact: a deleted bucket's name stays taken for a while.
    pub(crate) fn is_freed(&self, bucket: &str, now: Instant) -> bool {
        self.freed.get(bucket).is_some_and(|until| *until > now)
    }

    /// Fact: right after a role was made, what needs it can't be made, in one of four ways.
    pub(crate) fn too_early(&mut self, template: &Template, logical_id: &str, at: Instant) -> Option<String> {
        let lag = Duration::from_secs_f64(self.script.iam_lag_seconds);
        if lag.is_zero() || self.script.iam_races == 0 {
            return None;
        }
        let resources = template.resources();
        let kind = resources.iter().find(|it| it.logical_id == logical_id)?.kind.clone();
        let needed = template.dependencies(logical_id);
        let role = resources.into_iter().find(|it| {
            let made = self.thing(&it.kind, &it.physical_id).map(|role| role.ready);
            it.kind == "AWS::IAM::Role"
                && needed.contains(&it.logical_id)
                && made.is_some_and(|made| at < made + lag)
        })?;
        let name = role.physical_id;
        let reason = match (kind.as_str(), self.rng.u8(..3)) {
            ("AWS::Lambda::Function", _) => crate::reasons::role_not_assumable_by_lambda(),
            ("AWS::KinesisFirehose::DeliveryStream", 0) => {
                crate::reasons::role_not_assumable_by_firehose(&name)
            }
            ("AWS::KinesisFirehose::DeliveryStream", 1) => crate::reasons::role_without_permission(&name),
            ("AWS::KinesisFirehose::DeliveryStream", _) => crate::reasons::invalid_security_token(),
            _ => return None,
        };
        self.script.iam_races -= 1;
        Some(reason)
    }

    /// Gives a resource what its template says.
    pub(crate) fn configure(&mut self, stack: &Stack, resource: &Resource) {
        let template = Template::new(&stack.deployed, &self.region);
        let properties = template.properties(&resource.logical_id);
        let mut tags = stack.deployed.tags.clone();
        for tag in properties.get("Tags").and_then(Value::as_sequence).into_iter().flatten() {
            let part = |name| tag.get(name).map(|value| template.plain(value)).unwrap_or_default();
            tags.insert(part("Key"), part("Value"));
        }
        if let Some(bucket) = self.buckets.get_mut(&resource.physical_id)
            && resource.kind == "AWS::S3::Bucket"
        {
            bucket.tags = tags;
            for (key, value) in
                [("stack-name", &stack.name), ("stack-id", &stack.id), ("logical-id", &resource.logical_id)]
            {
                bucket.tags.insert(format!("aws:cloudformation:{key}"), value.clone());
            }
            return;
        }
        let code = template.code(&resource.logical_id);
        let key = (resource.kind.clone(), resource.physical_id.clone());
        let Some(thing) = self.things.get_mut(&key) else { return };
        if let Some((_, key)) = code {
            thing.facts.insert("CodeSha256", crate::lambda::sha256_of_key(&key));
            thing.update = None;
            let architecture =
                properties.get("Architectures").and_then(|list| list.get(0)).map(|it| template.plain(it));
            thing.facts.insert("Architecture", architecture.unwrap_or_else(|| "x86_64".to_owned()));
            let group = properties.get("LoggingConfig").and_then(|config| config.get("LogGroup"));
            let group = group
                .map_or_else(|| format!("/aws/lambda/{}", resource.physical_id), |it| template.plain(it));
            thing.facts.insert("LogGroup", group);
        }
    }

    /// What a resource does on its way out.
    pub(crate) fn leaves(&mut self, template: &Template, resource: &Resource, at: Instant) {
        match resource.kind.as_str() {
            // Fact: a dying delivery stream may still deliver.
            "AWS::KinesisFirehose::DeliveryStream" if self.script.flushes > 0 => {
                self.script.flushes -= 1;
                let needed = template.dependencies(&resource.logical_id);
                let buckets = template.resources().into_iter();
                let mut buckets =
                    buckets.filter(|it| it.kind == "AWS::S3::Bucket" && needed.contains(&it.logical_id));
                if let Some(bucket) = buckets.next() {
                    self.put_row(&bucket.physical_id, "flushed");
                }
            }
            // Fact: a function that logs after its group was deleted makes it again, but only the group named
            // for it: one that LoggingConfig names elsewhere it may not create.
            "AWS::Lambda::Function" if self.script.late_logs => {
                let usual = format!("/aws/lambda/{}", resource.physical_id);
                let group =
                    self.thing(&resource.kind, &resource.physical_id).and_then(|it| it.facts.get("LogGroup"));
                // One whose making didn't come to its end never ran.
                if group.is_some_and(|group| *group == usual) {
                    let at = at + Duration::from_secs(20).mul_f64(self.script.pace);
                    self.coming.push((at, Coming::LogLine(usual)));
                }
            }
            _ => {}
        }
    }

    /// A row comes just before a bucket is deleted, where the script says so.
    pub(crate) fn arrive(&mut self, bucket: &str) {
        if self.script.arrivals > 0 && self.buckets.contains_key(bucket) {
            self.script.arrivals -= 1;
            self.put_row(bucket, "late");
        }
    }

    pub(crate) fn put_row(&mut self, bucket: &str, why: &str) {
        let number = self.number();
        self.put(bucket, &format!("rows/{why}-{number}"), crate::s3::Version::default());
    }
}
