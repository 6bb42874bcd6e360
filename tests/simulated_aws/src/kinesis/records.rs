//! Records: how they are put, and how they are read.

use super::stream::{Load, Record, Shard, Stream, WRITTEN_BYTES, hash, read_sequence};
use super::{in_range, invalid, shard_missing, told_keys};
use crate::wire::{Call, Refusal, Reply};
use crate::{ACCOUNT, Account};
use aws_smithy_types::base64;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Fact: PutRecords takes 500 records.
const MOST_RECORDS: usize = 500;
/// Fact: PutRecords takes 10 MiB, keys included.
const MOST_BYTES: usize = 10 * 1024 * 1024;
/// Fact: a record has at most 1 MiB, its key included.
const LARGEST: usize = 1024 * 1024;
/// Fact: GetRecords gives at most 10,000 records, and at most 10 MiB.
const MOST_READ: usize = 10_000;
const MOST_READ_BYTES: usize = 10 * 1024 * 1024;
/// Fact: an iterator lives five minutes.
const ITERATOR_MILLISECONDS: i64 = 300_000;

/// One record that is to be put.
struct Entry {
    key: String,
    hash: u128,
    data: Bytes,
}

/// Fact: a record with an explicit hash key goes where that says, whatever its partition key.
fn entry(value: &Value, most: usize) -> Result<Entry, Refusal> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let key = text("PartitionKey").unwrap_or_default().to_owned();
    if key.is_empty() || key.chars().count() > 256 {
        return Err(validation("partitionKey", "Member must have length between 1 and 256"));
    }
    let data = base64::decode(text("Data").unwrap_or_default())
        .map_err(|_| Refusal::new(400, "SerializationException", "The data is no base64"))?;
    if data.len() + key.len() > most {
        return Err(validation("data", "Member must have length less than or equal to 1048576"));
    }
    let hash = match text("ExplicitHashKey") {
        Some(explicit) => {
            explicit.parse().map_err(|_| invalid(format!("Invalid ExplicitHashKey. {explicit}")))?
        }
        None => hash(&key),
    };
    Ok(Entry { key, hash, data: data.into() })
}

fn validation(member: &str, rule: &str) -> Refusal {
    let message =
        format!("1 validation error detected: Value at '{member}' failed to satisfy constraint: {rule}");
    Refusal::new(400, "ValidationException", message)
}

/// Fact: what exceeds a shard's limits is refused per record, inside a 200 that counts what was refused.
pub(super) fn put_records(account: &mut Account, call: &Call, name: &str) -> Reply {
    let body: Value = serde_json::from_slice(&call.content).unwrap_or_default();
    let records = body.get("Records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if records.is_empty() || records.len() > MOST_RECORDS {
        return Err(validation("records", "Member must have length between 1 and 500"));
    }
    let most = account.script.largest_record.unwrap_or(LARGEST);
    let entries = records.iter().map(|record| entry(record, most)).collect::<Result<Vec<_>, _>>()?;
    if entries.iter().map(|entry| entry.data.len() + entry.key.len()).sum::<usize>() > MOST_BYTES {
        return Err(invalid("Records size exceeds 10 MB limit"));
    }
    let (mut told, mut failed) = (Vec::with_capacity(entries.len()), 0);
    let (all, mut throttled, mut taken_bytes) = (entries.len(), 0, 0);
    for entry in entries {
        let size = entry.data.len();
        let refused = if account.script.record_failures > 0 {
            account.script.record_failures -= 1;
            Some(json!({"ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure."}))
        } else {
            match put(account, name, entry) {
                Ok((shard, sequence)) => {
                    taken_bytes += size;
                    told.push(json!({"SequenceNumber": sequence, "ShardId": shard}));
                    None
                }
                Err(refusal) => {
                    throttled += 1;
                    Some(json!({"ErrorCode": refusal.code, "ErrorMessage": refusal.message}))
                }
            }
        };
        failed += usize::from(refused.is_some());
        told.extend(refused);
    }
    let taken = all - failed;
    for (metric, value) in [
        ("PutRecords.TotalRecords", all),
        ("PutRecords.SuccessfulRecords", taken),
        ("PutRecords.ThrottledRecords", throttled),
    ] {
        account.count("AWS/Kinesis", metric, name, value as f64);
    }
    after_put(account, name, taken, taken_bytes, throttled);
    Ok(json!({"FailedRecordCount": failed, "Records": told}).to_string())
}

pub(super) fn put_record(account: &mut Account, call: &Call, name: &str) -> Reply {
    let body = call.parameters.iter().map(|(key, value)| (key.clone(), Value::from(value.clone())));
    let entry = entry(&Value::Object(body.collect()), account.script.largest_record.unwrap_or(LARGEST))?;
    let size = entry.data.len();
    let put = put(account, name, entry);
    after_put(
        account,
        name,
        usize::from(put.is_ok()),
        if put.is_ok() { size } else { 0 },
        usize::from(put.is_err()),
    );
    let (shard, sequence) = put?;
    Ok(json!({"SequenceNumber": sequence, "ShardId": shard}).to_string())
}

fn after_put(account: &mut Account, name: &str, taken: usize, bytes: usize, throttled: usize) {
    if taken > 0 {
        account.count("AWS/Kinesis", "IncomingRecords", name, taken as f64);
        account.count("AWS/Kinesis", "IncomingBytes", name, bytes as f64);
        account.records_came(name);
    }
    account.count("AWS/Kinesis", "WriteProvisionedThroughputExceeded", name, throttled as f64);
}

/// Fact: a shard takes 1,000 records and 1 MiB a second.
fn put(account: &mut Account, name: &str, entry: Entry) -> Result<(String, String), Refusal> {
    let (now, most) = (account.clock.now(), account.script.shard_records_per_second);
    let Some(stream) = account.stream_data(name) else { return Err(super::missing(name)) };
    let number = stream.next;
    let Some(shard) = stream.taking(entry.hash) else {
        return Err(invalid(format!("Invalid ExplicitHashKey. {}", entry.hash)));
    };
    let size = (entry.data.len() + entry.key.len()) as f64;
    let (records, bytes) = &mut shard.written;
    // A hair more, since seconds are counted in fractions.
    let is_full = |load: &mut Load, more: f64, most: f64| load.left(now, most) + more > most + 0.001;
    if is_full(records, 1.0, most) || is_full(bytes, size, WRITTEN_BYTES) {
        return Err(exceeded(shard, name));
    }
    records.add(1.0);
    bytes.add(size);
    shard.records.push_back(Record { number, key: entry.key, data: entry.data, at: now });
    let told = (shard.id(), shard.sequence(number));
    stream.next += 1;
    Ok(told)
}

fn exceeded(shard: &Shard, name: &str) -> Refusal {
    let message = format!("Rate exceeded for shard {} in stream {name} under account {ACCOUNT}.", shard.id());
    Refusal::new(400, "ProvisionedThroughputExceededException", message)
}

/// Where a reading begins: the number of the first record that it gives.
///
/// Fact: an iterator begins at the oldest record, after the newest, at or after a sequence number of the shard, or at
/// the first record that arrived at a time or later, which mustn't lie ahead.
pub(super) fn start(
    account: &mut Account,
    name: &str,
    shard_id: &str,
    (kind, sequence, time): (&str, &str, &str),
) -> Result<u64, Refusal> {
    let clock = account.clock;
    let now = clock.milliseconds(clock.now());
    let Some(stream) = account.stream_data(name) else { return Err(super::missing(name)) };
    let next = stream.next;
    let shard = stream.shard(shard_id).ok_or_else(|| shard_missing(name, shard_id))?;
    match kind {
        "TRIM_HORIZON" => Ok(shard.first),
        "LATEST" => Ok(next),
        "AT_TIMESTAMP" => {
            let seconds: f64 =
                time.parse().map_err(|_| invalid("A timestamp is needed with AT_TIMESTAMP."))?;
            let from = (seconds * 1000.0).round() as i64;
            if from > now {
                let rule =
                    "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis.";
                return Err(invalid(format!(
                    "{rule} timestampInMillis: {from}, currentTimestampInMillis: {now}"
                )));
            }
            let place = shard.records.partition_point(|record| clock.milliseconds(record.at) < from);
            Ok(shard.records.get(place).map_or(next, |record| record.number))
        }
        "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER" => {
            let (of, number) = read_sequence(sequence).ok_or_else(|| foreign(sequence, name, shard))?;
            if of != shard.number {
                let it = format!(
                    "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a shard with {}",
                    super::stream::id(of),
                    shard.id()
                );
                return Err(invalid(it));
            }
            if number < shard.first || number >= shard.last.map_or(next, |last| last + 1) {
                return Err(foreign(sequence, name, shard));
            }
            Ok(number + u64::from(kind == "AFTER_SEQUENCE_NUMBER"))
        }
        _ => Err(validation("shardIteratorType", "Member must satisfy enum value set")),
    }
}

fn foreign(sequence: &str, name: &str, shard: &Shard) -> Refusal {
    invalid(format!(
        "StartingSequenceNumber {sequence} used in GetShardIterator on shard {} in stream {name} under account \
         {ACCOUNT} is invalid because it did not come from this stream.",
        shard.id()
    ))
}

pub(super) fn get_shard_iterator(account: &mut Account, call: &Call, name: &str) -> Reply {
    let from = (call.get("ShardIteratorType"), call.get("StartingSequenceNumber"), call.get("Timestamp"));
    let number = start(account, name, call.get("ShardId"), from)?;
    let shard =
        account.stream_data(name).and_then(|stream| stream.shard(call.get("ShardId")).map(|it| it.number));
    Ok(json!({"ShardIterator": iterator(account, name, shard.unwrap_or_default(), number)}).to_string())
}

/// An iterator is opaque.
fn iterator(account: &Account, name: &str, shard: usize, number: u64) -> String {
    let now = account.clock.milliseconds(account.clock.now());
    base64::encode(format!("{name}|{shard}|{number}|{now}"))
}

/// The stream, the shard, the number and the moment of an iterator.
fn read_iterator(text: &str) -> Option<(String, usize, u64, i64)> {
    let text = String::from_utf8(base64::decode(text).ok()?).ok()?;
    let mut parts = text.split('|');
    let name = parts.next()?.to_owned();
    Some((name, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub(super) fn get_records(account: &mut Account, call: &Call) -> Reply {
    let (now, clock) = (account.clock.now(), account.clock);
    let (name, place, from, made) =
        read_iterator(call.get("ShardIterator")).ok_or_else(|| invalid("Invalid ShardIterator."))?;
    let age = clock.milliseconds(now) - made;
    if age > ITERATOR_MILLISECONDS {
        let message = format!(
            "Iterator expired. The iterator was created {age} milliseconds ago, which is more than the tolerated \
             delay of {ITERATOR_MILLISECONDS} milliseconds."
        );
        return Err(Refusal::new(400, "ExpiredIteratorException", message));
    }
    let limit = in_range(call, "Limit", MOST_READ)?;
    let Some(stream) = account.stream_data(&name) else { return Err(super::missing(&name)) };
    let next = stream.next;
    let Some(shard) = stream.shards.get_mut(place) else { return Err(invalid("Invalid ShardIterator.")) };
    if !shard.takes_read(now) {
        let refusal = exceeded(shard, &name);
        account.count("AWS/Kinesis", "ReadProvisionedThroughputExceeded", &name, 1.0);
        return Err(refusal);
    }
    let read = Read::of(shard, from, limit, MOST_READ_BYTES, next);
    shard.was_read(read.bytes);
    let behind = read.behind(shard, now);
    let mut told = json!({
        "Records": read.records.iter().map(|record| told(clock, shard, record)).collect::<Vec<_>>(),
        "MillisBehindLatest": behind,
    });
    let (records, bytes) = (read.records.len(), read.bytes);
    // Fact: at the end of a closed shard there is no next iterator, and its children are told.
    match read.ended {
        true => told["ChildShards"] = children(stream, place),
        false => told["NextShardIterator"] = json!(iterator(account, &name, place, read.next)),
    }
    account.count_read(&name, records as f64, bytes as f64, behind as f64);
    Ok(told.to_string())
}

impl Account {
    /// Counts a GetRecords, whoever made it.
    pub(crate) fn count_read(&mut self, name: &str, records: f64, bytes: f64, behind: f64) {
        self.count("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", name, behind);
        self.count("AWS/Kinesis", "GetRecords.Records", name, records);
        self.count("AWS/Kinesis", "GetRecords.Bytes", name, bytes);
    }
}

/// What a reading gives.
pub(crate) struct Read {
    pub records: Vec<Record>,
    pub bytes: usize,
    /// Where the next one begins.
    pub next: u64,
    /// Whether nothing can follow.
    pub ended: bool,
}

impl Read {
    /// At most so many records and bytes from a number on. `tip`: the number of the stream's next record.
    pub fn of(shard: &Shard, from: u64, most: usize, most_bytes: usize, tip: u64) -> Self {
        let (first, mut bytes) = (shard.place(from), 0);
        let rest = shard.records.range(first..);
        let fits = |record: &&Record| {
            bytes += record.data.len() + record.key.len();
            bytes <= most_bytes
        };
        let records: Vec<Record> = rest.take(most).take_while(fits).cloned().collect();
        let is_all = first + records.len() == shard.records.len();
        let next = match records.last() {
            Some(last) if !is_all => last.number + 1,
            None if !is_all => from,
            // What is put from now on has the tip's number, or more.
            _ => tip.max(from),
        };
        let bytes = records.iter().map(|record| record.data.len() + record.key.len()).sum();
        Read { records, bytes, next, ended: is_all && shard.closed.is_some() }
    }

    /// Fact: how far behind a reading is: the milliseconds since what it hasn't given yet arrived, 0 at the tip.
    pub fn behind(&self, shard: &Shard, now: Instant) -> u64 {
        let unread = shard.records.get(shard.place(self.next));
        let since = unread.map(|record| now.saturating_duration_since(record.at));
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A record as readers see it.
pub(super) fn told(clock: crate::Clock, shard: &Shard, record: &Record) -> Value {
    json!({
        "SequenceNumber": shard.sequence(record.number),
        "ApproximateArrivalTimestamp": clock.milliseconds(record.at) as f64 / 1000.0,
        "Data": base64::encode(&record.data),
        "PartitionKey": record.key,
    })
}

/// The children of a shard, as its readers are told of them.
pub(super) fn children(stream: &Stream, shard: usize) -> Value {
    let children = stream.children(shard).map(|child| {
        let parents: Vec<String> = child.parents.iter().map(|parent| super::stream::id(*parent)).collect();
        json!({"ShardId": child.id(), "ParentShards": parents, "HashKeyRange": told_keys(child)})
    });
    children.collect()
}
