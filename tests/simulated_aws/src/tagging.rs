//! The Resource Groups Tagging API: what bears which tags.

use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply};
use crate::{ACCOUNT, Account, arn};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Fact: 100 resources a page at most, 50 where nothing is said.
const MOST: usize = 100;
const USUAL: usize = 50;

/// Something that was deleted and is still told of.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    until: Instant,
    tagged: Tagged,
}

/// A thing with its tags.
#[derive(Debug, Clone)]
struct Tagged {
    arn: String,
    tags: BTreeMap<String, String>,
}

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "GetResources" => get_resources(account, call),
        _ => Err(unknown(call)),
    }
}

impl Account {
    /// Fact: what was deleted is still told of for a while.
    pub(crate) fn was_tagged(&mut self, kind: &str, name: &str, tags: BTreeMap<String, String>) {
        if tags.is_empty() || self.script.tagging_lag_seconds <= 0.0 || !self.is_told(kind) {
            return;
        }
        let until = self.present() + Duration::from_secs_f64(self.script.tagging_lag_seconds);
        let tagged = Tagged { arn: self.tagged_arn(kind, name), tags };
        self.remembered.push(Remembered { until, tagged });
    }

    /// Fact: whether roles are told is unconfirmed.
    fn is_told(&self, kind: &str) -> bool {
        kind != "AWS::IAM::Role" || self.script.tagging_tells_roles
    }

    /// As the API tells it: a log group without the `:*`, a stack by its whole id.
    fn tagged_arn(&self, kind: &str, name: &str) -> String {
        match kind {
            "AWS::CloudFormation::Stack" => name.to_owned(),
            _ => arn::of(&self.region, kind, name).trim_end_matches(":*").to_owned(),
        }
    }
}

fn get_resources(account: &mut Account, call: &Call) -> Reply {
    let now = account.clock.now();
    account.remembered.retain(|remembered| remembered.until > now);
    let size = match call.given("ResourcesPerPage").map(str::parse) {
        None => USUAL,
        Some(Ok(size @ 1..=MOST)) => size,
        Some(_) => {
            return Err(invalid("ResourcesPerPage must be from 1 to 100"));
        }
    };
    let wanted = call.list("ResourceTypeFilters");
    if wanted.iter().any(|kind| kind.starts_with("AWS::")) {
        return Err(invalid("The resource type filters must be of the form service[:resourceType]"));
    }
    let filters = filters(call);
    let fits = |tagged: &Tagged| {
        filters.iter().all(|(key, values)| {
            tagged.tags.get(key).is_some_and(|value| values.is_empty() || values.contains(value))
        }) && (wanted.is_empty() || wanted.iter().any(|kind| is_of(&tagged.arn, kind)))
    };
    let mut found: BTreeMap<String, Tagged> = BTreeMap::new();
    for tagged in all(account).into_iter().filter(|tagged| !tagged.tags.is_empty() && fits(tagged)) {
        found.insert(tagged.arn.clone(), tagged);
    }
    // A page goes on behind the last ARN of the one before: what comes and goes meanwhile moves nothing.
    let after = call.get("PaginationToken");
    let mut page: Vec<&Tagged> = found.values().filter(|it| it.arn.as_str() > after).take(size + 1).collect();
    let more = page.len() > size;
    page.truncate(size);
    let next = page.last().filter(|_| more).map(|it| it.arn.as_str()).unwrap_or_default();
    let tags = |it: &Tagged| -> Vec<_> {
        it.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
    };
    let list: Vec<_> = page.iter().map(|it| json!({"ResourceARN": it.arn, "Tags": tags(it)})).collect();
    Ok(json!({"ResourceTagMappingList": list, "PaginationToken": next}).to_string())
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(400, "InvalidParameterException", message)
}

/// Keys and the values that each may have. Any, where there are none.
fn filters(call: &Call) -> Vec<(String, Vec<String>)> {
    let keys = (1..).map_while(|n| {
        let key = call.parameters.get(&format!("TagFilters.member.{n}.Key"))?;
        Some((key.clone(), call.list(&format!("TagFilters.member.{n}.Values"))))
    });
    keys.collect()
}

/// Fact: one region, and of S3's buckets those that are in it.
fn all(account: &Account) -> Vec<Tagged> {
    let tagged = |kind: &str, name: &str, tags: &BTreeMap<String, String>| Tagged {
        arn: account.tagged_arn(kind, name),
        tags: tags.clone(),
    };
    let things = account.things.iter().filter(|((kind, _), _)| account.is_told(kind));
    let things = things.map(|((kind, name), thing)| tagged(kind, name, &thing.tags));
    let buckets = account.buckets.iter().filter(|(_, bucket)| bucket.owner == ACCOUNT);
    let buckets = buckets.map(|(name, bucket)| tagged("AWS::S3::Bucket", name, &bucket.tags));
    let stacks = account.stacks.iter().filter(|stack| !stack.is_gone());
    let stacks = stacks.map(|stack| tagged("AWS::CloudFormation::Stack", &stack.id, &stack.deployed.tags));
    let remembered = account.remembered.iter().map(|it| it.tagged.clone());
    // What is there again is told as it is, not as it was.
    remembered.chain(things).chain(buckets).chain(stacks).collect()
}

/// Whether an ARN is of a service, or of a service's type: `firehose`, `firehose:deliverystream`.
fn is_of(arn: &str, wanted: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let (Some(service), Some(resource)) = (parts.get(2), parts.get(5)) else { return false };
    match wanted.split_once(':') {
        None => *service == wanted,
        Some(("s3", "bucket")) => *service == "s3",
        Some((of, kind)) => {
            *service == of && resource.split(['/', ':']).next() == Some(kind) && *service != "s3"
        }
    }
}
