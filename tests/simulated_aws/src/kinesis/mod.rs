//! Kinesis: streams with their states and shards, records, consumers, and the account's limits.

mod consumers;
mod records;
mod shards;
mod stream;

use crate::account::unknown;
use crate::streaming::Source;
use crate::things::Thing;
use crate::wire::{Call, Refusal, Reply};
use crate::{ACCOUNT, Account};
pub(crate) use consumers::Subscription;
pub(crate) use records::Read;
use serde_json::{Value, json};
pub use shards::Reshard;
pub(crate) use stream::{Shard, Stream};

pub(crate) const STREAM: &str = "AWS::Kinesis::Stream";

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    let named = |name: &str| call.given(name);
    let name = named("StreamName").or_else(|| {
        let arn = named("StreamARN").or(named("ConsumerARN"));
        arn.map(consumers::stream_in)
    });
    let name = name.unwrap_or_default().to_owned();
    let name = name.as_str();
    match call.operation.as_str() {
        "DescribeLimits" => return Ok(limits(account)),
        "GetRecords" => return records::get_records(account, call),
        "ListShards" if call.given("NextToken").is_some() => return shards::list(account, call, name),
        "DescribeStreamSummary"
        | "DescribeStream"
        | "DeleteStream"
        | "ListTagsForStream"
        | "PutRecord"
        | "PutRecords"
        | "ListShards"
        | "GetShardIterator"
        | "SplitShard"
        | "MergeShards"
        | "UpdateShardCount"
        | "RegisterStreamConsumer"
        | "DescribeStreamConsumer"
        | "DeregisterStreamConsumer"
        | "ListStreamConsumers" => {}
        _ => return Err(unknown(call)),
    }
    let Some(thing) = account.thing(STREAM, name).cloned() else { return Err(missing(name)) };
    match call.operation.as_str() {
        "DeleteStream" => return delete(account, call, name, &thing),
        "ListTagsForStream" => {
            return Ok(json!({"Tags": thing.told_tags(), "HasMoreTags": false}).to_string());
        }
        "DescribeStreamSummary" => return Ok(summary(account, name, &thing)),
        "DescribeStream" => return described(account, call, name),
        _ => {}
    }
    // Fact: a stream that is CREATING has no data yet; one that is UPDATING or DELETING goes on.
    if thing.status(account.clock.now()) == "CREATING" {
        return Err(missing(name));
    }
    match call.operation.as_str() {
        "PutRecords" => records::put_records(account, call, name),
        "PutRecord" => records::put_record(account, call, name),
        "ListShards" => shards::list(account, call, name),
        "GetShardIterator" => records::get_shard_iterator(account, call, name),
        "SplitShard" | "MergeShards" | "UpdateShardCount" => shards::reshard(account, call, name),
        _ => consumers::serve(account, call, name),
    }
}

/// Answers SubscribeToShard.
pub(crate) fn subscribe(account: &mut Account, call: &Call) -> Result<Source, Refusal> {
    consumers::subscribe(account, call)
}

fn missing(name: &str) -> Refusal {
    let message = format!("Stream {name} under account {ACCOUNT} not found.");
    Refusal::new(400, "ResourceNotFoundException", message)
}

fn shard_missing(name: &str, shard: &str) -> Refusal {
    let message = format!("Could not find shard {shard} in stream {name} under account {ACCOUNT}.");
    Refusal::new(400, "ResourceNotFoundException", message)
}

fn in_use(name: &str, state: &str) -> Refusal {
    let message = format!("Stream {name} under account {ACCOUNT} not ACTIVE, instead in state {state}");
    Refusal::new(400, "ResourceInUseException", message)
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "InvalidArgumentException", message)
}

/// A number from 1 to the most; the most where none is given.
fn in_range(call: &Call, name: &str, most: usize) -> Result<usize, Refusal> {
    let Some(given) = call.given(name) else { return Ok(most) };
    given.parse().ok().filter(|value| (1..=most).contains(value)).ok_or_else(|| {
        let rule = format!("Member must have value between 1 and {most}");
        let message =
            format!("1 validation error detected: Value '{given}' at '{name}' failed to satisfy: {rule}");
        Refusal::new(400, "ValidationException", message)
    })
}

fn told_keys(shard: &Shard) -> Value {
    json!({"StartingHashKey": shard.keys.0.to_string(), "EndingHashKey": shard.keys.1.to_string()})
}

impl Account {
    /// `CREATING`, `ACTIVE`, `UPDATING` or `DELETING`.
    pub(crate) fn stream_state(&self, name: &str) -> &'static str {
        let Some(thing) = self.thing(STREAM, name) else { return "DELETING" };
        let updating = self.streams.get(name).is_some_and(|it| it.updating && it.made == thing.made);
        match thing.status(self.present()) {
            "ACTIVE" if updating => "UPDATING",
            state => state,
        }
    }
}

fn summary(account: &Account, name: &str, thing: &Thing) -> String {
    let consumers = account.streams.get(name).map_or(0, |stream| stream.consumers.len());
    let summary = json!({
        "StreamName": name, "StreamARN": account.arn("kinesis", &format!("stream/{name}")),
        "StreamStatus": account.stream_state(name), "RetentionPeriodHours": retention(thing),
        "StreamCreationTimestamp": account.clock.seconds(thing.made),
        "EnhancedMonitoring": [], "OpenShardCount": shards(thing), "ConsumerCount": consumers,
    });
    json!({"StreamDescriptionSummary": summary}).to_string()
}

/// Fact: DescribeStream tells shards as ListShards does, in pages.
fn described(account: &mut Account, call: &Call, name: &str) -> Reply {
    let after = call.get("ExclusiveStartShardId").to_owned();
    let most = in_range(call, "Limit", 10_000)?.min(100);
    let (state, arn) = (account.stream_state(name), account.arn("kinesis", &format!("stream/{name}")));
    let Some(thing) = account.thing(STREAM, name).cloned() else { return Err(missing(name)) };
    let made = account.clock.seconds(thing.made);
    let Some(stream) = account.stream_data(name) else { return Err(missing(name)) };
    let all: Vec<&Shard> = stream.shards.iter().filter(|shard| shard.id() > after).collect();
    let told: Vec<Value> = match state {
        "CREATING" => Vec::new(),
        _ => all.iter().take(most).map(|shard| shards::described(shard)).collect(),
    };
    let description = json!({
        "StreamName": name, "StreamARN": arn, "StreamStatus": state, "RetentionPeriodHours": retention(&thing),
        "StreamCreationTimestamp": made, "EnhancedMonitoring": [], "HasMoreShards": all.len() > most, "Shards": told,
    });
    Ok(json!({"StreamDescription": description}).to_string())
}

fn shards(thing: &Thing) -> usize {
    thing.facts.get("Shards").and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// In hours.
fn retention(thing: &Thing) -> u64 {
    thing.facts.get("Retention").and_then(|hours| hours.parse().ok()).unwrap_or(24)
}

/// Fact: a stream can be deleted only while it is ACTIVE, and with consumers only where EnforceConsumerDeletion is
/// set; it is DELETING for a while.
fn delete(account: &mut Account, call: &Call, name: &str, thing: &Thing) -> Reply {
    let (now, state) = (account.clock.now(), account.stream_state(name));
    let registered = account.stream_data(name).is_some_and(|stream| stream.has_consumers(now));
    if state != "ACTIVE" {
        return Err(in_use(name, state));
    }
    if (thing.facts.contains_key("Consumers") || registered) && !call.is("EnforceConsumerDeletion") {
        let message = format!("Stream {name} under account {ACCOUNT} has registered consumers");
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
