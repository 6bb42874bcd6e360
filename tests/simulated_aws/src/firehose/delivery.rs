//! What a delivery stream does once a second: read, have transformed, write.

use super::DELIVERY;
use super::batch::{Batch, Came};
use super::settings::Settings;
use crate::kinesis::Read;
use crate::things::Coming;
use crate::{ACCOUNT, Account};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::time::Duration;
use tokio::time::Instant;

/// Fact: a delivery stream reads each shard once a second.
const EVERY: Duration = Duration::from_secs(1);
/// How long a write that failed waits. Unconfirmed.
const AGAIN: Duration = Duration::from_secs(20);
/// How much waits here before nothing more is read.
const WAITING: usize = 256 * 1024 * 1024;

/// What a delivery stream has read and not delivered.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// When the delivery stream was made whose work this is.
    made: Instant,
    /// Whether it is to work again in a second.
    pub working: bool,
    /// By shard: the number of the next record.
    next: BTreeMap<usize, u64>,
    /// What waits for a batch.
    pub(super) came: VecDeque<Came>,
    /// What waits for its transform.
    pub(super) batches: VecDeque<Batch>,
    pub(super) rows: Buffer,
    pub(super) failed: Buffer,
    pub(super) rng: Rng,
}

/// What waits for an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    records: usize,
    since: Option<Instant>,
    /// When the oldest record arrived in the stream.
    oldest: Option<Instant>,
    /// When a write that failed is tried again.
    again: Option<Instant>,
}

impl Buffer {
    pub fn add(&mut self, bytes: &[u8], arrived: Instant, now: Instant) {
        self.bytes.extend_from_slice(bytes);
        self.records += 1;
        self.since = self.since.or(Some(now));
        self.oldest = Some(self.oldest.map_or(arrived, |oldest| oldest.min(arrived)));
    }
}

impl Delivery {
    fn new(made: Instant, seed: u64) -> Self {
        Delivery {
            made,
            working: false,
            next: BTreeMap::new(),
            came: VecDeque::new(),
            batches: VecDeque::new(),
            rows: Buffer::default(),
            failed: Buffer::default(),
            rng: Rng::with_seed(seed),
        }
    }

    fn waiting(&self) -> usize {
        let came = self.came.iter().chain(self.batches.iter().flat_map(|batch| &batch.records));
        came.map(|it| it.data.len()).sum::<usize>() + self.rows.bytes.len() + self.failed.bytes.len()
    }

    /// When the oldest of what waits arrived in the stream.
    fn oldest(&self) -> Option<Instant> {
        let batches = self.batches.front().and_then(|batch| batch.records.first());
        let waits = batches.or(self.came.front()).map(|record| record.arrived);
        waits.into_iter().chain(self.rows.oldest).chain(self.failed.oldest).min()
    }

    fn is_idle(&self) -> bool {
        self.came.is_empty() && self.batches.is_empty() && self.rows.records + self.failed.records == 0
    }
}

/// A delivery stream at work.
pub(super) struct Work {
    pub name: String,
    pub settings: Settings,
    pub version: String,
    pub now: Instant,
    /// Whether it ends, so that nothing waits any longer.
    pub last: bool,
}

impl Account {
    /// Records came into a stream: who delivers them goes to work.
    pub(crate) fn records_came(&mut self, stream: &str) {
        let (now, arn) = (self.present(), self.arn("kinesis", &format!("stream/{stream}")));
        let readers = self.things.iter().filter(|((kind, _), thing)| {
            kind == DELIVERY && thing.facts.get("Source").is_some_and(|source| *source == arn)
        });
        let readers: Vec<_> = readers.map(|((_, name), it)| (name.clone(), it.made, it.ready)).collect();
        for (name, made, ready) in readers.into_iter().filter(|(_, _, ready)| *ready <= now) {
            let seed =
                name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
            let delivery = self.deliveries.entry(name.clone()).or_insert_with(|| Delivery::new(made, seed));
            if delivery.made != made {
                *delivery = Delivery::new(made, seed);
            }
            if !std::mem::replace(&mut delivery.working, true) {
                let seconds = now.saturating_duration_since(ready).as_secs() + 1;
                self.coming.push((
                    ready + EVERY * u32::try_from(seconds).unwrap_or(u32::MAX),
                    Coming::Delivers(name, made),
                ));
            }
        }
    }

    /// A delivery stream does its work of a second.
    pub(crate) fn delivers(&mut self, name: &str, made: Instant, at: Instant) {
        let Some(unread) = self.works(name, Some(made), at, false) else { return };
        let Some(delivery) = self.deliveries.get_mut(name) else { return };
        delivery.working = unread || !delivery.is_idle();
        if delivery.working {
            self.coming.push((at + EVERY, Coming::Delivers(name.to_owned(), made)));
        }
    }

    /// What a dying delivery stream has read, it delivers before it is gone.
    ///
    /// Fact: while it is DELETING it may still accept and deliver.
    pub(crate) fn delivers_the_rest(&mut self, name: &str, at: Instant) {
        self.works(name, None, at, true);
        self.deliveries.remove(name);
    }

    /// Whether something is left to be read. Nothing, where there is no such delivery stream or no work.
    fn works(&mut self, name: &str, made: Option<Instant>, now: Instant, last: bool) -> Option<bool> {
        let thing = self.thing(DELIVERY, name)?;
        if made.is_some_and(|made| made != thing.made) {
            return None;
        }
        let (ready, made) = (thing.ready, thing.made);
        let fact = |name: &str| thing.facts.get(name).map(String::as_str).unwrap_or_default();
        let destination: Value = serde_json::from_str(fact("Destination")).unwrap_or_default();
        let source = fact("Source").rsplit('/').next().unwrap_or_default().to_owned();
        let version = super::version(thing);
        let work = Work { name: name.to_owned(), settings: Settings::of(&destination), version, now, last };
        let mut delivery = self.deliveries.remove(name).filter(|delivery| delivery.made == made)?;
        let unread = self.read_source(&work, &mut delivery, &source, ready);
        self.transform(&work, &mut delivery);
        self.write(&work, &mut delivery, false);
        self.write(&work, &mut delivery, true);
        // Fact: how fresh a delivery is, is told of what waits, too.
        if let Some(oldest) = delivery.oldest() {
            let age = now.saturating_duration_since(oldest).as_secs_f64();
            self.count("AWS/Firehose", "DeliveryToS3.DataFreshness", name, age);
        }
        self.deliveries.insert(name.to_owned(), delivery);
        Some(unread)
    }

    /// Whether something is left.
    ///
    /// Fact: what was put before DeliveryStartTimestamp is never delivered. Its reads count among the five of a shard.
    fn read_source(&mut self, work: &Work, delivery: &mut Delivery, source: &str, start: Instant) -> bool {
        let may = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream", "kms:Decrypt"];
        let allowed = may.iter().all(|action| !self.script.delivery_denied.contains(*action));
        let reads = allowed && !self.script.delivery_never_reads && delivery.waiting() < WAITING;
        let (mut unread, mut counted, mut given) = (false, Vec::new(), Vec::new());
        let Some(stream) = self.stream_data(source) else { return false };
        let tip = stream.next;
        for shard in &mut stream.shards {
            let from = *delivery.next.entry(shard.number).or_insert_with(|| {
                let place = shard.records.partition_point(|record| record.at < start);
                shard.records.get(place).map_or(tip, |record| record.number)
            });
            if shard.place(from) == shard.records.len() {
                continue;
            }
            unread = true;
            if !reads {
                continue;
            }
            if !shard.takes_read(work.now) {
                counted.push(("ThrottledGetRecords", 1.0));
                continue;
            }
            let read = Read::of(shard, from, 10_000, 10 * 1024 * 1024, tip);
            shard.was_read(read.bytes);
            let (records, bytes) = (read.records.len() as f64, read.bytes as f64);
            let behind = read.behind(shard, work.now) as f64;
            counted.push(("DataReadFromKinesisStream.Records", records));
            counted.push(("DataReadFromKinesisStream.Bytes", bytes));
            counted.push(("KinesisMillisBehindLatest", behind));
            given.push((records, bytes, behind));
            delivery.next.insert(shard.number, read.next);
            let id = shard.id();
            delivery.came.extend(read.records.into_iter().map(|record| Came {
                id: format!("{}000000", shard.sequence(record.number)),
                sequence: shard.sequence(record.number),
                shard: id.clone(),
                key: record.key,
                data: record.data,
                arrived: record.at,
                read: work.now,
            }));
        }
        for (metric, value) in counted {
            self.count("AWS/Firehose", metric, &work.name, value);
        }
        for (records, bytes, behind) in given {
            self.count_read(source, records, bytes, behind);
        }
        unread
    }

    /// Writes an object where it is time.
    ///
    /// Fact: an object is written when it is as large or as old as the buffering hints say; where it can't be written,
    /// it waits and is tried again.
    fn write(&mut self, work: &Work, delivery: &mut Delivery, failed: bool) {
        let Work { name, settings, version, now, last } = work;
        let buffer = if failed { &mut delivery.failed } else { &mut delivery.rows };
        let (Some(since), Some(oldest)) = (buffer.since, buffer.oldest) else { return };
        let is_full = buffer.bytes.len() >= settings.size || *now >= since + settings.interval;
        if !last && (!is_full || buffer.again.is_some_and(|again| *now < again)) {
            return;
        }
        let clock = self.clock;
        let is_ours = self.buckets.get(&settings.bucket).map(|bucket| bucket.owner == ACCOUNT);
        let denied = |action: &str| self.script.delivery_denied.contains(action);
        let refused = match is_ours {
            None => Some(("S3.NoSuchBucket", NO_BUCKET)),
            Some(false) => Some(("S3.AccessDenied", NO_ACCESS)),
            Some(true) if denied("s3:PutObject") => Some(("S3.AccessDenied", NO_ACCESS)),
            Some(true) if denied("kms:GenerateDataKey") => Some(("S3.KMS.AccessDenied", NO_KEY)),
            Some(true) => None,
        };
        if let Some((code, message)) = refused {
            delivery_again(buffer, *now);
            self.count("AWS/Firehose", "DeliveryToS3.Success", name, 0.0);
            return self.log_trouble(work, code, message, None);
        }
        let buffer = std::mem::take(if failed { &mut delivery.failed } else { &mut delivery.rows });
        let time = jiff::Timestamp::from_millisecond(clock.milliseconds(oldest)).unwrap_or_default();
        let rng = &mut delivery.rng;
        let prefix = match failed {
            true => super::keys::error_prefix(&settings.error_prefix, time, rng),
            false => super::keys::prefix(&settings.prefix, time, rng),
        };
        let key = prefix + &super::keys::name(name, version, time, settings.gzip, rng);
        let written = buffer.bytes.len();
        let content = if settings.gzip { gzip(&buffer.bytes) } else { buffer.bytes };
        self.put(&settings.bucket, &key, crate::Version::of(content));
        if !failed {
            let fresh = now.saturating_duration_since(oldest).as_secs_f64();
            for (metric, value) in [
                ("DeliveryToS3.Success", 1.0),
                ("DeliveryToS3.Records", buffer.records as f64),
                ("DeliveryToS3.Bytes", written as f64),
                ("DeliveryToS3.DataFreshness", fresh),
            ] {
                self.count("AWS/Firehose", metric, name, value);
            }
        }
    }

    /// Writes what went wrong into the delivery stream's log.
    ///
    /// Fact: logging makes nothing: log group and log stream have to be there.
    pub(super) fn log_trouble(&mut self, work: &Work, code: &str, message: &str, processor: Option<&str>) {
        let Some((group, stream)) = &work.settings.log else { return };
        let held = self.log_groups.get(group).is_some_and(|group| group.streams.contains_key(stream));
        if !held || self.script.delivery_denied.contains("logs:PutLogEvents") {
            return;
        }
        let version: u64 = work.version.parse().unwrap_or(1);
        let mut line = json!({
            "deliveryStreamARN": self.arn("firehose", &format!("deliverystream/{}", work.name)),
            "destination": format!("arn:aws:s3:::{}", work.settings.bucket),
            "deliveryStreamVersionId": version, "message": message, "errorCode": code,
        });
        if let Some(arn) = processor {
            line["processor"] = json!(arn);
        }
        self.log(group, stream, &line.to_string());
    }
}

fn delivery_again(buffer: &mut Buffer, now: Instant) {
    buffer.again = Some(now + AGAIN);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into memory doesn't fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

const NO_BUCKET: &str =
    "The specified bucket does not exist. Create the bucket or use a different bucket that does exist.";
const NO_ACCESS: &str = "Access was denied. Ensure that the trust policy for the provided IAM role allows Firehose to \
                         assume the role, and the access policy allows access to the S3 bucket.";
const NO_KEY: &str = "Access was denied. Ensure that the access policy of the provided IAM role allows the use of the \
                      AWS KMS key.";
