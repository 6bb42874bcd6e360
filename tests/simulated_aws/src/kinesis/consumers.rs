//! Consumers with enhanced fan-out: how they are registered, and what is pushed to them.

use super::records::{Read, children, start, told};
use super::{in_range, in_use, shard_missing};
use crate::Account;
use crate::streaming::{Event, Next, Source};
use crate::wire::{Call, Refusal, Reply};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Fact: a stream has at most 20 consumers.
const MOST: usize = 20;
/// How long one is CREATING or DELETING.
const TAKES: Duration = Duration::from_secs(8);
/// Fact: a subscription lasts five minutes.
const LASTS: Duration = Duration::from_secs(300);
/// Fact: within five seconds, a second subscription of a consumer to a shard is refused.
const APART: Duration = Duration::from_secs(5);
/// How often something is pushed.
const EVERY: Duration = Duration::from_millis(500);
/// How long a subscription is silent at most. Unconfirmed.
const SILENT: Duration = Duration::from_secs(5);
/// Fact: a consumer is given at most 2 MiB a second of a shard.
const PUSHED: usize = 1024 * 1024;

/// A registered consumer.
#[derive(Debug, Clone)]
pub(crate) struct Consumer {
    name: String,
    arn: String,
    made: Instant,
    gone: Option<Instant>,
}

impl Consumer {
    /// In whatever state.
    pub fn is_there(&self, now: Instant) -> bool {
        self.gone.is_none_or(|gone| gone > now)
    }

    fn state(&self, now: Instant) -> &'static str {
        match self {
            _ if self.gone.is_some() => "DELETING",
            _ if now < self.made + TAKES => "CREATING",
            _ => "ACTIVE",
        }
    }
}

/// The stream's name in the ARN of a stream or of one of its consumers.
pub(super) fn stream_in(arn: &str) -> &str {
    arn.split(":stream/").nth(1).unwrap_or_default().split('/').next().unwrap_or_default()
}

/// Fact: a consumer is CREATING, then ACTIVE, then DELETING for a while.
pub(super) fn serve(account: &mut Account, call: &Call, name: &str) -> Reply {
    let (now, clock) = (account.clock.now(), account.clock);
    let arn = account.arn("kinesis", &format!("stream/{name}"));
    let Some(stream) = account.stream_data(name) else { return Err(super::missing(name)) };
    let consumers = &mut stream.consumers;
    consumers.retain(|consumer| consumer.is_there(now));
    let described = |consumer: &Consumer| {
        json!({
            "ConsumerName": consumer.name, "ConsumerARN": consumer.arn, "ConsumerStatus": consumer.state(now),
            "ConsumerCreationTimestamp": clock.seconds(consumer.made),
        })
    };
    if call.operation == "ListStreamConsumers" {
        let first: usize = call.get("NextToken").parse().unwrap_or_default();
        let most = in_range(call, "MaxResults", 100)?;
        let page: Vec<Value> = consumers.iter().skip(first).take(most).map(described).collect();
        let mut told = json!({"Consumers": page});
        if first + most < consumers.len() {
            told["NextToken"] = json!((first + most).to_string());
        }
        return Ok(told.to_string());
    }
    let wanted = (call.get("ConsumerName"), call.get("ConsumerARN"));
    let place = consumers.iter().position(|it| it.name == wanted.0 || it.arn == wanted.1);
    if call.operation == "RegisterStreamConsumer" {
        let consumer = wanted.0;
        if place.is_some() {
            let message = format!("Consumer {consumer} under stream {name} already exists.");
            return Err(Refusal::new(400, "ResourceInUseException", message));
        }
        if consumers.len() >= MOST {
            let message = format!("Consumer count for stream {name} would exceed the limit of {MOST}.");
            return Err(Refusal::new(400, "LimitExceededException", message));
        }
        let second = clock.milliseconds(now) / 1_000;
        let arn = format!("{arn}/consumer/{consumer}:{second}");
        consumers.push(Consumer { name: consumer.to_owned(), arn, made: now, gone: None });
        return Ok(json!({"Consumer": consumers.last().map(described)}).to_string());
    }
    let missing = || {
        let it = if wanted.1.is_empty() { wanted.0 } else { wanted.1 };
        Refusal::new(400, "ResourceNotFoundException", format!("Consumer {it}, Stream {name} not found."))
    };
    let consumer = &mut consumers[place.ok_or_else(missing)?];
    if call.operation == "DeregisterStreamConsumer" {
        consumer.gone = consumer.gone.or(Some(now + TAKES));
        return Ok(String::new());
    }
    let mut told = described(consumer);
    told["StreamARN"] = json!(arn);
    Ok(json!({"ConsumerDescription": told}).to_string())
}

/// What is pushed to a consumer.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    stream: String,
    consumer: String,
    shard: usize,
    /// By which a later one is told from it.
    number: u64,
    next: u64,
    until: Instant,
    told: Option<Instant>,
    begun: bool,
}

/// Begins a subscription.
pub(super) fn subscribe(account: &mut Account, call: &Call) -> Result<Source, Refusal> {
    let (now, arn, shard_id) = (account.clock.now(), call.get("ConsumerARN"), call.get("ShardId"));
    let name = stream_in(arn).to_owned();
    let from = |part: &str| call.get(&format!("StartingPosition.{part}"));
    let next = start(account, &name, shard_id, (from("Type"), from("SequenceNumber"), from("Timestamp")))?;
    let number = account.number();
    let Some(stream) = account.stream_data(&name) else { return Err(super::missing(&name)) };
    let consumer = stream.consumers.iter().find(|it| it.arn == arn && it.is_there(now));
    let consumer = consumer.ok_or_else(|| {
        Refusal::new(400, "ResourceNotFoundException", format!("Consumer {arn}, Stream {name} not found."))
    })?;
    // Fact: only an ACTIVE consumer can subscribe.
    if consumer.state(now) != "ACTIVE" {
        return Err(in_use(arn, consumer.state(now)));
    }
    let shard = stream.shard(shard_id).ok_or_else(|| shard_missing(&name, shard_id))?.number;
    let key = (arn.to_owned(), shard);
    if stream.subscriptions.get(&key).is_some_and(|(at, _)| now < *at + APART) {
        let message =
            format!("Another active subscription exists for this consumer: {arn} and shard: {shard_id}");
        return Err(Refusal::new(400, "ResourceInUseException", message));
    }
    // A later one takes the place of an earlier one.
    stream.subscriptions.insert(key, (now, number));
    Ok(Source::Shard(Subscription {
        consumer: arn.to_owned(),
        stream: name,
        shard,
        number,
        next,
        until: now + LASTS,
        told: None,
        begun: false,
    }))
}

impl Subscription {
    /// What is pushed next.
    ///
    /// Fact: a subscription tells records as they come, where it could go on, and how far behind it is; at the end of a
    /// closed shard the children, and nothing more; after five minutes it ends.
    pub(crate) fn next(&mut self, account: &mut Account) -> Next {
        let (now, clock) = (account.clock.now(), account.clock);
        let Some(stream) = account.stream_data(&self.stream) else { return Next::End(Vec::new()) };
        let key = (self.consumer.clone(), self.shard);
        let is_current = stream.subscriptions.get(&key).is_some_and(|(_, number)| *number == self.number);
        let registered = stream.consumers.iter().any(|it| it.arn == self.consumer && it.gone.is_none());
        if !is_current || !registered || now >= self.until {
            return Next::End(Vec::new());
        }
        let mut events = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            events.push(Event::new("initial-response", &json!({})));
        }
        let (tip, shard) = (stream.next, &stream.shards[self.shard]);
        let read = Read::of(shard, self.next, 10_000, PUSHED, tip);
        let is_due = self.told.is_none_or(|told| now >= told + SILENT);
        if read.records.is_empty() && !read.ended && !is_due {
            return Next::Events(events, EVERY);
        }
        (self.next, self.told) = (read.next, Some(now));
        let records: Vec<Value> = read.records.iter().map(|record| told(clock, shard, record)).collect();
        let mut event = json!({"Records": records, "MillisBehindLatest": read.behind(shard, now)});
        match read.ended {
            true => event["ChildShards"] = children(stream, self.shard),
            // What a subscription after it goes on with.
            false => {
                let last = read.next.saturating_sub(1).max(shard.first);
                event["ContinuationSequenceNumber"] = json!(shard.sequence(last));
            }
        }
        events.push(Event::new("SubscribeToShardEvent", &event));
        if read.ended { Next::End(events) } else { Next::Events(events, EVERY) }
    }
}
