//! What a stream holds: its shards, and the records in them.

use super::STREAM;
use super::consumers::Consumer;
use crate::Account;
use bytes::Bytes;
use md5::{Digest, Md5};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// Fact: a shard takes 1 MiB of records a second, their keys included.
pub(crate) const WRITTEN_BYTES: f64 = 1024.0 * 1024.0;
/// Fact: a shard gives 2 MiB a second to all of GetRecords.
pub(crate) const READ_BYTES: f64 = 2.0 * 1024.0 * 1024.0;
/// Fact: a shard takes five GetRecords a second, from all who read it.
pub(crate) const READS: usize = 5;

/// A stream's data.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    /// When the stream was made whose data this is.
    pub made: Instant,
    /// Open ones and closed ones, in the order in which they were made.
    pub shards: Vec<Shard>,
    /// The number of the next record.
    pub next: u64,
    /// Whether its shards are being changed.
    pub updating: bool,
    pub consumers: Vec<Consumer>,
    /// By consumer and shard: when the subscription was made, and its number.
    pub subscriptions: BTreeMap<(String, usize), (Instant, u64)>,
}

/// A part of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Shard {
    pub number: usize,
    /// The shard that it came from, and the other one where two were merged.
    pub parents: Vec<usize>,
    /// The first and the last hash key.
    pub keys: (u128, u128),
    /// The numbers at which it was opened and closed.
    pub first: u64,
    pub last: Option<u64>,
    pub opened: Instant,
    pub closed: Option<Instant>,
    pub records: VecDeque<Record>,
    /// Records and bytes that were written and still count.
    pub written: (Load, Load),
    /// Bytes that were read and still count, whether the last read was more than a second's worth, and when it was
    /// read.
    pub read: Load,
    pub large: bool,
    pub reads: VecDeque<Instant>,
}

/// A record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub number: u64,
    pub key: String,
    pub data: Bytes,
    pub at: Instant,
}

/// What was used of a limit that fills up again by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    used: f64,
    at: Instant,
}

impl Load {
    pub fn none(at: Instant) -> Self {
        Load { used: 0.0, at }
    }

    /// What still counts.
    pub fn left(&mut self, now: Instant, a_second: f64) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.used, self.at) = ((self.used - passed * a_second).max(0.0), now.max(self.at));
        self.used
    }

    pub fn add(&mut self, more: f64) {
        self.used += more;
    }
}

impl Shard {
    pub fn new(number: usize, keys: (u128, u128), parents: Vec<usize>, first: u64, now: Instant) -> Self {
        Shard {
            number,
            parents,
            keys,
            first,
            last: None,
            opened: now,
            closed: None,
            records: VecDeque::new(),
            written: (Load::none(now), Load::none(now)),
            read: Load::none(now),
            large: false,
            reads: VecDeque::new(),
        }
    }

    pub fn id(&self) -> String {
        id(self.number)
    }

    pub fn sequence(&self, number: u64) -> String {
        sequence(self.number, number)
    }

    /// The place of the first record from this number on.
    pub fn place(&self, number: u64) -> usize {
        self.records.partition_point(|record| record.number < number)
    }

    /// Notes a read, where the shard takes one more.
    pub fn takes_read(&mut self, now: Instant) -> bool {
        while self
            .reads
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) >= Duration::from_secs(1))
        {
            self.reads.pop_front();
        }
        let used = self.read.left(now, READ_BYTES);
        // Fact: after a GetRecords that gave 10 MB, those of the next five seconds are refused.
        let full = used > READ_BYTES || self.large && used > 0.0;
        if self.reads.len() >= READS || full {
            return false;
        }
        self.reads.push_back(now);
        true
    }

    pub fn was_read(&mut self, bytes: usize) {
        self.read.add(bytes as f64);
        self.large = bytes as f64 > READ_BYTES;
    }
}

pub(crate) fn id(number: usize) -> String {
    format!("shardId-{number:012}")
}

/// Fact: a sequence number has 56 digits, grows within a shard, and tells of which shard it is.
pub(crate) fn sequence(shard: usize, number: u64) -> String {
    format!("496{number:047}{shard:06}")
}

/// The shard and the number of a sequence number.
pub(crate) fn read_sequence(text: &str) -> Option<(usize, u64)> {
    let rest = text.strip_prefix("496").filter(|rest| rest.len() == 53)?;
    Some((rest[47..].parse().ok()?, rest[..47].parse().ok()?))
}

/// Fact: the MD5 of a partition key, as a number, says which shard takes the record.
pub(crate) fn hash(key: &str) -> u128 {
    let digest: [u8; 16] = Md5::digest(key.as_bytes()).into();
    u128::from_be_bytes(digest)
}

/// The first hash key of each of so many even parts.
fn even(parts: usize) -> Vec<u128> {
    let width = u128::MAX / parts as u128;
    (0..parts as u128).map(|part| if part == 0 { 0 } else { part * width + 1 }).collect()
}

impl Stream {
    pub fn new(made: Instant, shards: usize) -> Self {
        let mut stream = Stream {
            made,
            shards: Vec::new(),
            next: 1,
            updating: false,
            consumers: Vec::new(),
            subscriptions: BTreeMap::new(),
        };
        let starts = even(shards.max(1));
        for (place, start) in starts.iter().enumerate() {
            let end = starts.get(place + 1).map_or(u128::MAX, |next| next - 1);
            stream.open((*start, end), Vec::new(), made);
        }
        stream
    }

    fn open(&mut self, keys: (u128, u128), parents: Vec<usize>, now: Instant) -> usize {
        let number = self.shards.len();
        let first = self.number();
        self.shards.push(Shard::new(number, keys, parents, first, now));
        number
    }

    fn close(&mut self, shard: usize, now: Instant) {
        let last = self.number();
        let shard = &mut self.shards[shard];
        (shard.last, shard.closed) = (Some(last), Some(now));
    }

    /// A number that no other record, opening or closing has.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Those that take records.
    pub fn opened(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().filter(|shard| shard.closed.is_none())
    }

    pub fn shard(&self, id: &str) -> Option<&Shard> {
        let number: usize = id.strip_prefix("shardId-")?.parse().ok()?;
        self.shards.get(number)
    }

    /// The shard that takes this hash key.
    pub fn taking(&mut self, key: u128) -> Option<&mut Shard> {
        let takes =
            |shard: &&mut Shard| shard.closed.is_none() && (shard.keys.0..=shard.keys.1).contains(&key);
        self.shards.iter_mut().find(takes)
    }

    /// The shards that came from this one.
    pub fn children(&self, shard: usize) -> impl Iterator<Item = &Shard> {
        self.shards.iter().filter(move |child| child.parents.contains(&shard))
    }

    /// Splits an open shard before a hash key of its own.
    pub fn split(&mut self, shard: usize, at: u128, now: Instant) {
        let keys = self.shards[shard].keys;
        self.close(shard, now);
        self.open((keys.0, at - 1), vec![shard], now);
        self.open((at, keys.1), vec![shard], now);
    }

    /// Merges two open shards that lie side by side.
    pub fn merge(&mut self, shard: usize, adjacent: usize, now: Instant) {
        let (one, other) = (self.shards[shard].keys, self.shards[adjacent].keys);
        self.close(shard, now);
        self.close(adjacent, now);
        self.open((one.0.min(other.0), one.1.max(other.1)), vec![shard, adjacent], now);
    }

    /// Splits and merges until there are so many shards of the same width.
    pub fn scale(&mut self, shards: usize, now: Instant) {
        let wanted = even(shards.max(1));
        for start in &wanted {
            let split =
                self.opened().find(|it| it.keys.0 < *start && *start <= it.keys.1).map(|it| it.number);
            if let Some(shard) = split {
                self.split(shard, *start, now);
            }
        }
        loop {
            let too_many = self.opened().find(|it| !wanted.contains(&it.keys.0));
            let Some((shard, start)) = too_many.map(|it| (it.number, it.keys.0)) else { break };
            let Some(before) = self.opened().find(|it| it.keys.1 == start - 1).map(|it| it.number) else {
                break;
            };
            self.merge(before, shard, now);
        }
    }

    pub fn has_consumers(&self, now: Instant) -> bool {
        self.consumers.iter().any(|consumer| consumer.is_there(now))
    }

    /// Lets go of what is older than the retention. Fact: a closed shard is told until its records are that old.
    pub fn trim(&mut self, now: Instant, retention: Duration) {
        for shard in &mut self.shards {
            let is_old = |at: Instant| now.saturating_duration_since(at) > retention;
            while shard.records.front().is_some_and(|record| is_old(record.at)) {
                shard.records.pop_front();
            }
        }
    }
}

impl Account {
    /// The data of a stream that is there.
    pub(crate) fn stream_data(&mut self, name: &str) -> Option<&mut Stream> {
        let now = self.present();
        let thing = self.thing(STREAM, name)?;
        let (made, shards, retention) = (thing.made, super::shards(thing), super::retention(thing));
        let stream = self.streams.entry(name.to_owned()).or_insert_with(|| Stream::new(made, shards));
        if stream.made != made {
            *stream = Stream::new(made, shards);
        }
        // A stack may have changed how many there are.
        if !stream.updating && stream.opened().count() != shards {
            stream.scale(shards, now);
        }
        stream.trim(now, Duration::from_secs(retention * 3_600));
        Some(stream)
    }
}
