//! Everything in an account that isn't a bucket or a stack: streams, delivery streams, functions, roles, log groups.

use crate::cloudformation::{Resource, Stack, Template, takes_tags};
use crate::s3::Bucket;
use crate::{ACCOUNT, Account};
use serde_yaml::{Mapping, Value};
use std::collections::{BTreeMap, BTreeSet};
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
    /// What is told of it, and what it needs to know on its way out: `CodeSha256`, `Architecture`, `LogGroup`,
    /// `Role`, `Bucket`, `Shards`, `Retention`, `Consumers`, `Source`, `SourceRole`, `Destination`, `Version`, `Memory`,
    /// `Timeout`, `Concurrency`.
    pub facts: BTreeMap<&'static str, String>,
    /// By key.
    pub tags: BTreeMap<String, String>,
    /// A role's inline policies: the document as JSON, by name.
    pub policies: BTreeMap<String, String>,
    /// The ARNs of a role's managed policies.
    pub attached: BTreeSet<String>,
    /// Until when a function's update takes, and why it fails, where it does.
    pub update: Option<(Instant, Option<String>)>,
}

/// What comes by itself.
#[derive(Debug, Clone)]
pub(crate) enum Coming {
    /// A function writes a log line, and Lambda makes the group for it.
    LogLine(String),
    /// What was asked to go is gone: its type, its name, and when it was made.
    End(String, String, Instant),
    /// A stream's shards change: its name, when it was made, and how.
    Reshards(String, Instant, crate::kinesis::Reshard),
    /// A delivery stream works: its name, and when it was made.
    Delivers(String, Instant),
    /// Somebody else does something.
    Somebody(crate::weather::Act),
    /// Somebody else does this very thing.
    Deed(crate::others::Deed),
}

impl Thing {
    /// Ready, and there to stay.
    pub fn new(now: Instant) -> Self {
        Thing {
            made: now,
            ready: now,
            dying: false,
            gone: None,
            facts: BTreeMap::new(),
            tags: BTreeMap::new(),
            policies: BTreeMap::new(),
            attached: BTreeSet::new(),
            update: None,
        }
    }

    /// Its tags, as streams and delivery streams tell them.
    pub(crate) fn told_tags(&self) -> Vec<serde_json::Value> {
        let tags = self.tags.iter();
        tags.map(|(key, value)| serde_json::json!({"Key": key, "Value": value})).collect()
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

    /// One that isn't a bucket.
    pub fn thing(&self, kind: &str, name: &str) -> Option<&Thing> {
        self.things.get(&(kind.to_owned(), name.to_owned()))
    }

    /// Log streams, bucket policies and a function's permissions live and die with what they are in: they are not kept by themselves.
    pub(crate) fn keeps(&self, kind: &str) -> bool {
        !["AWS::Logs::LogStream", "AWS::S3::BucketPolicy", "AWS::Lambda::Permission"].contains(&kind)
    }

    pub(crate) fn make_from(&mut self, kind: &str, name: &str, made: Instant, ready: Instant) {
        if kind == "AWS::S3::Bucket" {
            self.buckets.insert(name.to_owned(), Bucket::of(ACCOUNT));
        } else if self.keeps(kind) {
            let thing = Thing { made, ready, ..Thing::new(made) };
            self.things.insert((kind.to_owned(), name.to_owned()), thing);
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

    /// Gives a resource what its template says, as soon as there is one. A bucket gets its tags only afterwards.
    pub(crate) fn begins(&mut self, stack: &Stack, resource: &Resource) {
        let template = Template::new(&stack.deployed, &self.region);
        let properties = template.properties(&resource.logical_id);
        let tags = tags(stack, resource, &template, &properties);
        let role = template.role(&resource.logical_id);
        let bucket = template.needed(&resource.logical_id, "AWS::S3::Bucket");
        let key = (resource.kind.clone(), resource.physical_id.clone());
        let Some(thing) = self.things.get_mut(&key) else { return };
        thing.tags = tags;
        thing.facts.extend(role.map(|role| ("Role", role)));
        thing.facts.extend(bucket.map(|bucket| ("Bucket", bucket)));
        if let Some(shards) = properties.get("ShardCount") {
            thing.facts.insert("Shards", template.plain(shards));
        }
        if let Some(hours) = properties.get("RetentionPeriodHours") {
            thing.facts.insert("Retention", template.plain(hours));
        }
        if resource.kind == crate::firehose::DELIVERY {
            let part = |section: &str, name: &str| {
                properties.get(section).and_then(|it| it.get(name)).map(|it| template.plain(it))
            };
            let source = part("KinesisStreamSourceConfiguration", "KinesisStreamARN");
            thing.facts.extend(source.map(|source| ("Source", source)));
            let role = part("KinesisStreamSourceConfiguration", "RoleARN");
            thing.facts.extend(role.map(|role| ("SourceRole", role)));
            let destination = properties.get("ExtendedS3DestinationConfiguration");
            let destination = destination.and_then(|it| serde_json::to_string(it).ok()).unwrap_or_default();
            let before = thing.facts.insert("Destination", destination.clone());
            if before.is_some_and(|before| before != destination) {
                let version: u64 = thing.facts.get("Version").and_then(|it| it.parse().ok()).unwrap_or(1);
                thing.facts.insert("Version", (version + 1).to_string());
            }
        }
        if resource.kind == "AWS::Lambda::Function" {
            for (fact, name) in [
                ("Memory", "MemorySize"),
                ("Timeout", "Timeout"),
                ("Concurrency", "ReservedConcurrentExecutions"),
            ] {
                thing.facts.remove(fact);
                thing.facts.extend(properties.get(name).map(|value| (fact, template.plain(value))));
            }
        }
        if resource.kind == "AWS::IAM::Role" {
            let policies = properties.get("Policies").and_then(Value::as_sequence).into_iter().flatten();
            let document = |policy: &Value| serde_json::to_string(policy.get("PolicyDocument")?).ok();
            thing.policies = policies
                .filter_map(|policy| {
                    let name = policy.get("PolicyName").map(|name| template.plain(name));
                    Some((name?, document(policy)?))
                })
                .collect();
            let attached = properties.get("ManagedPolicyArns").and_then(Value::as_sequence);
            thing.attached = attached.into_iter().flatten().map(|arn| template.plain(arn)).collect();
        }
    }

    /// Gives a resource what its template says.
    pub(crate) fn configure(&mut self, stack: &Stack, resource: &Resource) {
        self.begins(stack, resource);
        let template = Template::new(&stack.deployed, &self.region);
        let properties = template.properties(&resource.logical_id);
        if let Some(bucket) = self.buckets.get_mut(&resource.physical_id)
            && resource.kind == "AWS::S3::Bucket"
        {
            bucket.tags = tags(stack, resource, &template, &properties);
            return;
        }
        if resource.kind == "AWS::Logs::LogStream" {
            let group = properties.get("LogGroupName").map(|group| template.plain(group)).unwrap_or_default();
            self.make_log_stream(&group, &resource.physical_id, self.present());
        }
        let code = template.code(&resource.logical_id);
        let key = (resource.kind.clone(), resource.physical_id.clone());
        let Some(thing) = self.things.get_mut(&key) else { return };
        if let Some((_, key)) = code {
            // Fact: an update that doesn't change the code leaves the function with whatever it runs.
            if thing.facts.insert("CodeInStack", key.clone()).as_ref() != Some(&key) {
                thing.facts.insert("CodeSha256", crate::lambda::sha256_of_key(&key));
                thing.update = None;
            }
            let architecture =
                properties.get("Architectures").and_then(|list| list.get(0)).map(|it| template.plain(it));
            thing.facts.insert("Architecture", architecture.unwrap_or_else(|| "x86_64".to_owned()));
            let group = properties.get("LoggingConfig").and_then(|config| config.get("LogGroup"));
            let group = group
                .map_or_else(|| format!("/aws/lambda/{}", resource.physical_id), |it| template.plain(it));
            thing.facts.insert("LogGroup", group);
        }
    }

    /// A row comes just before a bucket is deleted, where the script says so. No delivery stream writes to artifacts.
    pub(crate) fn arrive(&mut self, bucket: &str) {
        let takes_rows = !bucket.starts_with("kinesis-stack-artifacts-");
        if self.script.arrivals > 0 && takes_rows && self.buckets.contains_key(bucket) {
            self.script.arrivals -= 1;
            self.put_row(bucket, "late");
        }
    }

    pub(crate) fn put_row(&mut self, bucket: &str, why: &str) {
        let number = self.number();
        self.put(bucket, &format!("rows/{why}-{number}"), crate::s3::Version::default());
    }
}

/// The tags that a resource bears.
///
/// Fact: stack tags are passed on to resources; CloudFormation's own are not put on delivery streams, roles and
/// streams.
fn tags(
    stack: &Stack,
    resource: &Resource,
    template: &Template,
    properties: &Mapping,
) -> BTreeMap<String, String> {
    if !takes_tags(&resource.kind) {
        return BTreeMap::new();
    }
    let mut tags = stack.deployed.tags.clone();
    for tag in properties.get("Tags").and_then(Value::as_sequence).into_iter().flatten() {
        let part = |name| tag.get(name).map(|value| template.plain(value)).unwrap_or_default();
        tags.insert(part("Key"), part("Value"));
    }
    if ["AWS::S3::Bucket", "AWS::Lambda::Function", "AWS::Logs::LogGroup"].contains(&resource.kind.as_str()) {
        for (key, value) in
            [("stack-name", &stack.name), ("stack-id", &stack.id), ("logical-id", &resource.logical_id)]
        {
            tags.insert(format!("aws:cloudformation:{key}"), value.clone());
        }
    }
    tags
}
