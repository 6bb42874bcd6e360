//! Kinesis: whether a stream is there, in which state, its deletion, and the account's limits.

use crate::Account;
use crate::account::unknown;
use crate::things::Thing;
use crate::wire::{Call, Refusal, Reply};
use serde_json::json;

pub(crate) const STREAM: &str = "AWS::Kinesis::Stream";

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "DescribeLimits" => return Ok(limits(account)),
        "DescribeStreamSummary" | "DeleteStream" | "ListTagsForStream" => {}
        _ => return Err(unknown(call)),
    }
    let name = call.given("StreamName").or(call.get("StreamARN").rsplit('/').next()).unwrap_or_default();
    let Some(thing) = account.thing(STREAM, name).cloned() else {
        let message = format!("Stream {name} under account {} not found.", crate::ACCOUNT);
        return Err(Refusal::new(400, "ResourceNotFoundException", message));
    };
    match call.operation.as_str() {
        "DeleteStream" => delete(account, call, name, &thing),
        "ListTagsForStream" => Ok(json!({"Tags": thing.told_tags(), "HasMoreTags": false}).to_string()),
        _ => Ok(summary(account, name, &thing)),
    }
}

fn summary(account: &Account, name: &str, thing: &Thing) -> String {
    let now = account.clock.now();
    let summary = json!({
        "StreamName": name, "StreamARN": account.arn("kinesis", &format!("stream/{name}")),
        "StreamStatus": thing.status(now), "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": account.clock.seconds(thing.made),
        "EnhancedMonitoring": [], "OpenShardCount": shards(thing),
    });
    json!({"StreamDescriptionSummary": summary}).to_string()
}

fn shards(thing: &Thing) -> usize {
    thing.facts.get("Shards").and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// Fact: a stream can be deleted only while it is ACTIVE, and with consumers only where EnforceConsumerDeletion is
/// set; it is DELETING for a while.
fn delete(account: &mut Account, call: &Call, name: &str, thing: &Thing) -> Reply {
    let (account_id, state) = (crate::ACCOUNT, thing.status(account.clock.now()));
    let refused = if state != "ACTIVE" {
        Some(format!("Stream {name} under account {account_id} not ACTIVE, instead in state {state}"))
    } else if thing.facts.contains_key("Consumers") && !call.is("EnforceConsumerDeletion") {
        Some(format!("Stream {name} under account {account_id} has registered consumers"))
    } else {
        None
    };
    if let Some(message) = refused {
        return Err(Refusal::new(400, "ResourceInUseException", message));
    }
    account.remove(STREAM, name);
    Ok(String::new())
}

impl Account {
    /// Shards of all streams, as the account's limit counts them.
    pub(crate) fn open_shards(&self) -> usize {
        self.things.iter().filter(|((kind, _), _)| kind == STREAM).map(|(_, thing)| shards(thing)).sum()
    }

    /// Why a stream of so many shards can't be made, where it can't.
    ///
    /// Fact: an account has so many shards, and at most 5 of its streams are CREATING.
    pub(crate) fn no_room_for_stream(&self, more: usize) -> Option<String> {
        let now = self.present();
        let creating =
            |(key, thing): &(&(String, String), &Thing)| key.0 == STREAM && thing.status(now) == "CREATING";
        let (open, limit) = (self.open_shards(), self.script.shard_limit);
        if open + more > limit {
            return Some(crate::reasons::no_shards(limit, open, more));
        }
        let creating = self.things.iter().filter(creating).count();
        (creating >= self.script.streams_creating).then(crate::reasons::too_many_streams_creating)
    }
}

/// Fact: DescribeLimits tells the shards of all streams and how many there can be.
fn limits(account: &Account) -> String {
    json!({
        "ShardLimit": account.script.shard_limit, "OpenShardCount": account.open_shards(),
        "OnDemandStreamCount": 0, "OnDemandStreamCountLimit": 50,
    })
    .to_string()
}
