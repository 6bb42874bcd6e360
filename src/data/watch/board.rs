//! All that is known of a pipeline at a moment: what each source told last, when, and what follows from it. Pure.

use super::figure::{Leg, Reading, Unit, Value};
use super::metric::{Metric, Minutes, PERIOD};
use super::source::{Landing, News, Observation, ProcessorState, Row, Source, StreamState, Trouble};
use crate::data::logs::LogEntry;
use crate::stack::cost;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// So many rows, lines and failures are kept.
const KEPT: usize = 500;
/// So many landings are kept: as many as land in a few minutes where each record is an object.
const LANDINGS_KEPT: usize = 20_000;
/// Rates of what lands are those of so many bursts: a buffer of Firehose's lands at once, after a minute by default.
const BURSTS: i64 = 5;
/// The shortest and the longest time that such a rate is about, in seconds.
const WINDOW: std::ops::RangeInclusive<i64> = 60..=300;
/// A metric of which nothing was told for longer than that isn't late, which is one to two minutes: there was nothing.
const SILENCE: i64 = 300;

/// What is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The environment's name.
    pub env: String,
    /// The region.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The stack's state.
    pub status: String,
    /// How often the bucket and the logs are looked at, in seconds: looking has its price.
    pub every: u64,
}

/// How a source is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// When it last told something.
    pub told: Option<Timestamp>,
    /// Why it told nothing at the last look, and when that was.
    pub trouble: Option<(Timestamp, Trouble)>,
    /// When the next look is due.
    pub next: Timestamp,
}

/// Something that went wrong, as far as it is known from the data or from a log.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// A record that is no row, and why.
    Record(Row),
    /// What a log says.
    Logged(Box<LogEntry>),
}

impl Failure {
    /// When.
    pub fn time(&self) -> Timestamp {
        match self {
            Failure::Record(row) => row.time,
            Failure::Logged(entry) => entry.time,
        }
    }
}

/// The last of many, each with a number that counts up.
#[derive(Debug, Clone, PartialEq)]
pub struct Last<T> {
    kept: VecDeque<(u64, T)>,
    count: u64,
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Last { kept: VecDeque::new(), count: 0 }
    }
}

impl<T> Last<T> {
    /// Puts it in where it belongs by this time, which for most is the end.
    fn insert(&mut self, item: T, time: impl Fn(&T) -> Timestamp) {
        let at = time(&item);
        let place = self.kept.iter().rposition(|(_, other)| time(other) <= at).map_or(0, |place| place + 1);
        self.count += 1;
        self.kept.insert(place, (self.count, item));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// Those that are kept, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.kept.iter().map(|(_, item)| item)
    }

    /// Those that came after the one of this number.
    pub fn since(&self, number: u64) -> impl Iterator<Item = &T> {
        self.kept.iter().filter(move |(it, _)| *it > number).map(|(_, item)| item)
    }

    /// How many there were so far.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// What an hour costs at the rates of this moment, by list prices of us-east-1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HourlyCost {
    /// The stream, whether anything flows or not; `null` where its size isn't known.
    pub stream: Option<f64>,
    /// What flows, as far as its rates are known; `null` where none is.
    pub traffic: Option<f64>,
    /// Watching itself.
    pub watching: f64,
    /// All of it that is known.
    pub total: f64,
}

/// All that is known.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// What is watched.
    pub subject: Subject,
    /// Each source that was looked at.
    pub sources: BTreeMap<Source, Health>,
    /// The newest rows.
    pub rows: Last<Row>,
    /// The last lines of both logs.
    pub lines: Last<LogEntry>,
    /// What went wrong.
    pub failures: Last<Failure>,
    /// What was done on the way here that is worth knowing: credentials were renewed.
    pub note: Option<(Timestamp, String)>,
    /// How many objects with rows landed of which no row or only the last ones were read.
    pub not_fully_read: u64,
    minutes: Minutes,
    stream: Option<StreamState>,
    delivery: Option<String>,
    processor: Option<ProcessorState>,
    landings: VecDeque<Landing>,
}

impl Board {
    /// Of something that nothing is known of yet.
    pub fn new(subject: Subject) -> Self {
        Board { subject, ..Board::default() }
    }

    /// Takes what a source told, or didn't.
    pub fn take(&mut self, observation: Observation) {
        let Observation { source, at, again, news } = observation;
        let next = at + again;
        let told = self.sources.get(&source).and_then(|health| health.told);
        let (told, trouble) = match &news {
            Ok(_) => (Some(at), None),
            Err(trouble) => (told, Some((at, trouble.clone()))),
        };
        self.sources.insert(source, Health { told, trouble, next });
        match news {
            Ok(News::Metrics(minutes)) => self.minutes = minutes,
            Ok(News::Stream(state)) => self.stream = Some(state),
            Ok(News::Delivery(state)) => self.delivery = Some(state),
            Ok(News::Processor(state)) => self.processor = Some(state),
            Ok(News::Landed(objects)) => {
                self.not_fully_read += objects.iter().filter(|it| it.rows.is_none()).count() as u64;
                self.landings.extend(objects);
                let spare = self.landings.len().saturating_sub(LANDINGS_KEPT);
                self.landings.drain(..spare);
            }
            Ok(News::Rows(rows)) => rows.into_iter().for_each(|row| self.rows.insert(row, |row| row.time)),
            Ok(News::Errors(rows)) => {
                rows.into_iter().for_each(|row| self.fail(Failure::Record(row)));
            }
            Ok(News::Lines(lines)) => {
                for line in lines {
                    if line.error {
                        self.fail(Failure::Logged(Box::new(line.clone())));
                    }
                    self.lines.insert(line, |line| line.time);
                }
            }
            Err(_) => {}
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failures.insert(failure, Failure::time);
    }

    /// Whether every source was looked at.
    pub fn is_complete(&self) -> bool {
        Source::ALL.iter().all(|source| self.sources.contains_key(source))
    }

    /// The sources that told nothing at the last look, and why.
    pub fn troubles(&self) -> impl Iterator<Item = (Source, Timestamp, &Trouble)> {
        Source::ALL.iter().filter_map(|source| {
            let health = self.sources.get(source)?;
            let (at, trouble) = health.trouble.as_ref()?;
            // An emulator that has no metrics is no trouble: the legs say so.
            let none_here =
                *source == Source::Metrics && *trouble == Trouble::Unreadable && health.told.is_none();
            (!none_here).then_some((*source, *at, trouble))
        })
    }

    /// The four legs of the pipeline, from left to right.
    pub fn legs(&self, now: Timestamp) -> [Leg; 4] {
        let metric = |metric| self.metric(metric);
        let rate = |name, label, unit, of| Reading { name, label, unit, value: metric(of).per_second() };
        let amount = |name, label, unit, of| Reading { name, label, unit, value: metric(of) };
        // What must not happen: any of it is worth a look.
        let bad = |name, label, of| {
            let value = metric(of);
            Reading { name, label, unit: Unit::BadPerMinute, value }
        };
        let stream = vec![
            rate("records_per_second", "records", Unit::PerSecond, Metric::Put),
            rate("bytes_per_second", "bytes", Unit::BytesPerSecond, Metric::PutBytes),
            amount("iterator_age_ms", "read lag", Unit::Milliseconds, Metric::ReadLag),
            bad("refused_per_minute", "refused", Metric::Refused),
        ];
        let delivery = vec![
            rate("records_per_second", "records", Unit::PerSecond, Metric::Read),
            rate("bytes_per_second", "bytes", Unit::BytesPerSecond, Metric::ReadBytes),
            amount("behind_ms", "behind", Unit::Milliseconds, Metric::Behind),
            bad("throttled_per_minute", "throttled", Metric::ThrottledReads),
        ];
        let processor = vec![
            rate("records_per_second", "records", Unit::PerSecond, Metric::Transformed),
            amount("calls_per_minute", "calls", Unit::PerMinute, Metric::Calls),
            amount("call_ms", "took", Unit::Milliseconds, Metric::CallTime),
            bad("errors_per_minute", "errors", Metric::CallErrors),
            bad("throttled_per_minute", "throttled", Metric::CallThrottles),
        ];
        let landed = self.landed(now);
        let either = |metric: Value, data: Value| if metric.is_known() { metric } else { data };
        let bucket = vec![
            Reading {
                name: "records_per_second",
                label: "rows",
                unit: Unit::PerSecond,
                value: either(metric(Metric::Delivered).per_second(), landed.rows),
            },
            Reading {
                name: "bytes_per_second",
                label: "bytes",
                unit: Unit::BytesPerSecond,
                value: either(metric(Metric::DeliveredBytes).per_second(), landed.bytes),
            },
            amount("freshness_seconds", "freshness", Unit::Seconds, Metric::Freshness),
            Reading {
                name: "objects_per_minute",
                label: "objects",
                unit: Unit::PerMinute,
                value: landed.objects,
            },
            Reading { name: "newest_object", label: "newest", unit: Unit::Moment, value: landed.newest },
        ];
        let shards = self.stream.as_ref().map(|state| match (state.on_demand, state.shards) {
            _ if state.status != "ACTIVE" => state.status.clone(),
            (true, _) => "on demand".to_owned(),
            (false, 1) => "1 shard".to_owned(),
            (false, shards) => format!("{shards} shards"),
        });
        let works =
            |status: &Option<String>| status.as_deref().is_none_or(|it| matches!(it, "ACTIVE" | "Active"));
        let processor_state = self.processor.as_ref().map(|state| state.status.clone());
        let stream_status = self.stream.as_ref().map(|state| state.status.clone());
        [
            Leg { name: "stream", works: works(&stream_status), state: shards, readings: stream },
            Leg {
                name: "delivery",
                works: works(&self.delivery),
                state: self.delivery.clone(),
                readings: delivery,
            },
            Leg {
                name: "processor",
                works: works(&processor_state),
                state: processor_state,
                readings: processor,
            },
            Leg { name: "bucket", works: true, state: None, readings: bucket },
        ]
    }

    /// What a metric says of the last minute that it tells anything of.
    fn metric(&self, metric: Metric) -> Value {
        let Some(health) = self.sources.get(&Source::Metrics) else { return Value::NotYet };
        let Some(told) = health.told else { return Value::Untold(Source::Metrics) };
        if self.minutes.values().all(BTreeMap::is_empty) {
            return Value::Nowhere;
        }
        let Some((minute, value)) = self.minutes.get(&metric).and_then(BTreeMap::last_key_value) else {
            return Value::Silent { since: None };
        };
        let at = *minute + SignedDuration::from_secs(PERIOD);
        // As of the last time that CloudWatch told anything: what it didn't tell since isn't known to be nothing.
        match told.duration_since(at).as_secs() > SILENCE {
            true => Value::Silent { since: Some(at) },
            false => Value::Known { value: *value, at, source: Source::Metrics, about: false },
        }
    }

    /// The last minutes of a metric that counts, a second, the oldest first; `None` for a minute of which nothing is told.
    pub fn history(&self, metric: Metric, minutes: usize, now: Timestamp) -> Vec<Option<f64>> {
        let Some(told) = self.minutes.get(&metric) else { return vec![None; minutes] };
        let this = now.as_second().div_euclid(PERIOD);
        let at = |ago: usize| {
            let minute = this - i64::try_from(ago).unwrap_or_default();
            told.get(&Timestamp::from_second(minute * PERIOD).ok()?).map(|value| value / PERIOD as f64)
        };
        (1..=minutes).rev().map(at).collect()
    }

    /// How many seconds the bucket's own rates are about: a few bursts, and no more than there was anything.
    pub fn window(&self, now: Timestamp) -> i64 {
        let told = self.sources.get(&Source::Objects).and_then(|health| health.told);
        let until = told.unwrap_or(now).min(now);
        let age = |at: Timestamp| until.duration_since(at).as_secs();
        let (shortest, longest) = WINDOW.into_inner();
        let mut ages: Vec<i64> =
            self.landings.iter().map(|it| age(it.at)).filter(|age| *age < longest).collect();
        ages.sort_unstable();
        let Some(first) = ages.last() else { return longest };
        let between = ages.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(PERIOD);
        // The first burst was gathered before it landed, for as long as the others.
        let is_young = self.landings.iter().all(|it| age(it.at) < longest);
        let most = if is_young { first + between } else { longest };
        (BURSTS * between).max(shortest).min(most).clamp(1, longest)
    }

    fn landed(&self, now: Timestamp) -> Landed {
        let Some(told) = self.sources.get(&Source::Objects).map(|health| health.told) else {
            return Landed::of(Value::NotYet);
        };
        let Some(at) = told else { return Landed::of(Value::Untold(Source::Objects)) };
        let newest = self.landings.iter().map(|landing| landing.at).max();
        let Some(newest) = newest else { return Landed::of(Value::Silent { since: None }) };
        let window = self.window(now);
        let from = at.min(now) - SignedDuration::from_secs(window);
        let window = window as f64;
        let recent: Vec<&Landing> = self.landings.iter().filter(|it| it.at > from).collect();
        let bytes: u64 = recent.iter().map(|it| it.bytes).sum();
        let (rows, about) = rows_in(&recent);
        let known = |value: f64, about| Value::Known { value, at, source: Source::Objects, about };
        Landed {
            bytes: known(bytes as f64 / window, false),
            rows: rows.map_or(Value::Untold(Source::Rows), |rows| known(rows / window, about)),
            objects: known(recent.len() as f64 * 60.0 / window, false),
            newest: Value::Known { value: 0.0, at: newest, source: Source::Objects, about: false },
        }
    }

    /// What an hour costs at the rates of this moment.
    pub fn cost(&self, now: Timestamp) -> HourlyCost {
        let [stream, delivery, processor, bucket] = self.legs(now);
        let stream_cost = self.stream.as_ref().map(|state| match state.on_demand {
            true => cost::ON_DEMAND_HOUR,
            false => cost::hourly(state.shards, state.retention_hours),
        });
        let put = stream.value("records_per_second").or_else(|| delivery.value("records_per_second"));
        let put = put.or_else(|| bucket.value("records_per_second"));
        let put_bytes = stream.value("bytes_per_second").or_else(|| bucket.value("bytes_per_second"));
        let calls = processor.value("calls_per_minute").map(|calls| calls / 60.0);
        let objects = bucket.value("objects_per_minute").map(|objects| objects / 60.0);
        let known = [put, calls, objects].iter().any(Option::is_some);
        let traffic = cost::traffic(&cost::Flow {
            records: put.unwrap_or_default(),
            bytes: put_bytes.unwrap_or_default(),
            on_demand: self.stream.as_ref().is_some_and(|state| state.on_demand),
            calls: calls.unwrap_or_default(),
            call_seconds: processor.value("call_ms").unwrap_or_default() / 1_000.0,
            memory: self.processor.as_ref().map_or(256.0, |state| f64::from(state.memory)),
            arm: self.processor.as_ref().is_some_and(|state| state.arm),
            objects: objects.unwrap_or_default(),
        });
        let watching = super::price_an_hour(self.subject.every);
        let traffic = known.then_some(traffic);
        let total = stream_cost.unwrap_or_default() + traffic.unwrap_or_default() + watching;
        HourlyCost { stream: stream_cost, traffic, watching, total }
    }
}

/// What landed, a second or a minute.
struct Landed {
    rows: Value,
    bytes: Value,
    objects: Value,
    newest: Value,
}

impl Landed {
    fn of(value: Value) -> Self {
        Landed { rows: value.clone(), bytes: value.clone(), objects: value.clone(), newest: value }
    }
}

/// How many rows are in these objects, and whether that is about right only: of those that weren't read to the end, as
/// many as their bytes make likely.
fn rows_in(landings: &[&Landing]) -> (Option<f64>, bool) {
    let counted: Vec<(u64, u64)> =
        landings.iter().filter_map(|it| it.rows.map(|rows| (rows, it.bytes))).collect();
    let rows: u64 = counted.iter().map(|(rows, _)| rows).sum();
    let bytes: u64 = counted.iter().map(|(_, bytes)| bytes).sum();
    let rest: u64 = landings.iter().filter(|it| it.rows.is_none()).map(|it| it.bytes).sum();
    match (rest, bytes) {
        (0, _) => (Some(rows as f64), false),
        (_, 0) => (None, false),
        _ => (Some(rows as f64 * (1.0 + rest as f64 / bytes as f64)), true),
    }
}
