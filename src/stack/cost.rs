//! What a pipeline costs a month, by list price: what it costs while nothing flows, and an example of what it
//! costs while something does.
//!
//! Prices are those of us-east-1; other regions differ, by up to a third or so.
//! Sources: <https://aws.amazon.com/kinesis/data-streams/pricing/>, <https://aws.amazon.com/firehose/pricing/>,
//! <https://aws.amazon.com/lambda/pricing/>, <https://aws.amazon.com/s3/pricing/>, looked up in November 2026.

use super::plan::{Action, Change};
use crate::template::Shape;
use serde::{Deserialize, Serialize};

/// Hours of a month, as AWS' own calculator counts them.
const HOURS: f64 = 730.0;
/// A provisioned shard, an hour.
const SHARD_HOUR: f64 = 0.015;
/// Records kept for more than a day and at most a week: a shard, an hour.
const EXTENDED_RETENTION_HOUR: f64 = 0.020;
/// A million puts of at most 25 KB.
const PUTS: f64 = 0.014;
/// A GB through Firehose, each record rounded up to 5 KB.
const FIREHOSE_GB: f64 = 0.029;
const FIREHOSE_RECORD: f64 = 5_120.0;
/// A million calls of the processor, and its time: 256 MB for some 10 ms a call.
const CALLS: f64 = 0.20;
const CALL_SECONDS: f64 = 0.010 * 0.25 * GB_SECOND;
/// A thousand objects written.
const OBJECTS: f64 = 0.005;
/// An on-demand stream, an hour, and a GB put into it.
pub const ON_DEMAND_HOUR: f64 = 0.04;
const ON_DEMAND_GB: f64 = 0.08;
/// A second of a call with a GB of memory.
const GB_SECOND: f64 = 0.000_016_666_7;
const GB_SECOND_ARM: f64 = 0.000_013_333_4;
/// A thousand lists of objects.
pub const LISTS: f64 = 0.005;
/// A thousand metrics asked for.
pub const METRICS: f64 = 0.01;
/// A GB kept for a month, in a bucket as well as in a stream for longer than a week.
const STORED_GB: f64 = 0.023;
/// A row, in bytes.
const ROW: f64 = 118.0;
/// What the amounts don't say.
const NOTE: &str = "about, by list prices of us-east-1 (other regions differ), for 730 hours of shards; the example \
    of traffic is 1 record a second of 93 bytes, which Firehose bills as 5 KB";

/// What a plan makes of the monthly bill. Amounts are about right, and for what is there without any traffic.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cost {
    /// Before the change: 0 for a creation, `null` where it isn't known.
    pub monthly_before: Option<f64>,
    /// After it.
    pub monthly_after: Option<f64>,
    /// How much more; negative: less.
    pub difference: Option<f64>,
    /// What comes on top with one record a second of 93 bytes.
    pub monthly_example: Option<f64>,
    /// What a GB costs a month that the stream keeps for longer than a week, where it keeps any.
    pub stored_gb_month: Option<f64>,
    /// `USD`.
    pub currency: String,
    /// What the amounts don't say.
    pub note: String,
}

impl Cost {
    /// The cost of a pipeline of this shape, and of the one that these changes start from.
    pub fn new(shape: &Shape, is_new: bool, changes: &[Change]) -> Self {
        let after = fixed(shape.shards, shape.stream_retention_hours);
        let before = if is_new {
            Some(0.0)
        } else {
            before(shape, changes).map(|(shards, hours)| fixed(shards, hours))
        };
        Cost {
            monthly_before: before.map(cents),
            monthly_after: Some(cents(after)),
            difference: before.map(|before| cents(after - before)),
            monthly_example: Some(cents(example(shape))),
            stored_gb_month: (shape.stream_retention_hours > 168).then_some(STORED_GB),
            currency: "USD".to_owned(),
            note: NOTE.to_owned(),
        }
    }
}

/// Shards and retention before these changes, where they say so. What they don't name stays as it is.
fn before(shape: &Shape, changes: &[Change]) -> Option<(u32, u32)> {
    let Some(stream) = changes.iter().find(|change| change.resource_type == "AWS::Kinesis::Stream") else {
        return Some((shape.shards, shape.stream_retention_hours));
    };
    let value = |name: &str, after: u32| match stream.properties.iter().find(|it| it.name == name) {
        Some(property) => property.before.as_deref()?.parse().ok(),
        // Of a stream that is added nobody says what was there.
        None if matches!(stream.action, Action::Add | Action::Import) => None,
        None => Some(after),
    };
    Some((value("ShardCount", shape.shards)?, value("RetentionPeriodHours", shape.stream_retention_hours)?))
}

/// What a stream costs a month that nothing is put into. Nothing else of the pipeline costs anything then.
pub fn fixed(shards: u32, retention_hours: u32) -> f64 {
    HOURS * hourly(shards, retention_hours)
}

/// The same for an hour.
pub fn hourly(shards: u32, retention_hours: u32) -> f64 {
    let hour = if retention_hours > 24 { SHARD_HOUR + EXTENDED_RETENTION_HOUR } else { SHARD_HOUR };
    f64::from(shards) * hour
}

/// What flows through a pipeline in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Flow {
    /// Records.
    pub records: f64,
    /// Their bytes.
    pub bytes: f64,
    /// Whether the stream takes them on demand.
    pub on_demand: bool,
    /// Calls of the processor.
    pub calls: f64,
    /// How long one takes, in seconds.
    pub call_seconds: f64,
    /// The memory that it has, in MB.
    pub memory: f64,
    /// Whether it runs on arm64.
    pub arm: bool,
    /// Objects written.
    pub objects: f64,
}

/// What an hour of that costs, but for what it costs to keep it.
pub fn traffic(flow: &Flow) -> f64 {
    const PUT: f64 = 25.0 * 1024.0;
    let gigabyte = 1024_f64.powi(3);
    let mean = if flow.records > 0.0 { flow.bytes / flow.records } else { 0.0 };
    // Each record is rounded up by itself; the mean is what is known of them.
    let rounded_up = |size: f64| (mean / size).ceil().max(1.0) * flow.records;
    let puts = match flow.on_demand {
        true => flow.bytes.max(flow.records * 1024.0) / gigabyte * ON_DEMAND_GB,
        false => rounded_up(PUT) / 1e6 * PUTS,
    };
    let delivery = rounded_up(FIREHOSE_RECORD) * FIREHOSE_RECORD / gigabyte * FIREHOSE_GB;
    let second = if flow.arm { GB_SECOND_ARM } else { GB_SECOND };
    let calls = flow.calls * (CALLS / 1e6 + flow.call_seconds * flow.memory / 1024.0 * second);
    3_600.0 * (puts + delivery + calls + flow.objects / 1e3 * OBJECTS)
}

/// The same for a day.
pub fn daily(shards: u32, retention_hours: u32) -> f64 {
    cents(fixed(shards, retention_hours) / HOURS * 24.0)
}

/// What that comes to in so many seconds.
pub fn so_far(daily: f64, seconds: f64) -> f64 {
    cents(daily / 86_400.0 * seconds.max(0.0))
}

/// What one record a second of 93 bytes costs a month on top of that.
fn example(shape: &Shape) -> f64 {
    let seconds = HOURS * 3_600.0;
    // An object each time the buffer is written; without a buffer each record is one.
    let objects = seconds / f64::from(shape.buffer_seconds.max(1));
    let calls = seconds / f64::from(shape.buffer_seconds.clamp(1, 60));
    let gigabyte = 1024_f64.powi(3);
    seconds / 1e6 * PUTS
        + seconds * FIREHOSE_RECORD / gigabyte * FIREHOSE_GB
        + calls * (CALLS / 1e6 + CALL_SECONDS)
        + objects / 1e3 * OBJECTS
        + seconds * ROW / gigabyte * STORED_GB
}

fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::plan::{PropertyChange, testing};
    use crate::template::tests::shape;

    fn stream(action: Action, properties: &[(&str, Option<&str>, &str)]) -> Vec<Change> {
        let property = |(name, before, after): &(&str, Option<&str>, &str)| PropertyChange {
            before: before.map(str::to_owned),
            ..testing::property(name, "", after)
        };
        let properties = properties.iter().map(property).collect();
        vec![Change { properties, ..testing::change(action, "Stream", "AWS::Kinesis::Stream") }]
    }

    #[test]
    fn a_shard_costs_what_the_list_says_and_longer_retention_more() {
        assert_eq!(cents(fixed(1, 24)), 10.95);
        assert_eq!(cents(fixed(2, 24)), 21.9);
        assert_eq!(cents(fixed(1, 48)), 25.55);
        assert_eq!(fixed(1, 168), fixed(1, 8_760), "beyond a week it is the stored data that costs");
    }

    #[test]
    fn a_day_of_a_shard_costs_24_hours_of_it() {
        assert_eq!([daily(1, 24), daily(2, 48)], [0.36, 1.68]);
        assert_eq!([so_far(0.36, 86_400.0), so_far(0.36, 7.0 * 86_400.0)], [0.36, 2.52]);
        assert_eq!(so_far(0.36, -1.0), 0.0);
    }

    #[test]
    fn what_flows_costs_by_the_hour_what_the_example_says_by_the_month() {
        let flow = Flow {
            records: 1.0,
            bytes: 93.0,
            calls: 1.0 / 60.0,
            call_seconds: 0.010,
            memory: 256.0,
            objects: 1.0 / 60.0,
            ..Flow::default()
        };
        let stored = HOURS * 3_600.0 * ROW / 1024_f64.powi(3) * STORED_GB;
        let month = traffic(&flow) * HOURS + stored;
        assert!((month - example(&shape())).abs() < 0.01, "{month}");
        assert_eq!(traffic(&Flow::default()), 0.0);
        let large = Flow { bytes: 5_121.0, ..flow };
        assert!(traffic(&large) > 1.5 * traffic(&flow), "Firehose rounds up to 5 KB");
        assert!(traffic(&Flow { on_demand: true, ..flow }) > traffic(&flow));
    }

    #[test]
    fn a_creation_costs_all_of_it_more() {
        let cost = Cost::new(&shape(), true, &[]);
        assert_eq!(
            (cost.monthly_before, cost.monthly_after, cost.difference),
            (Some(0.0), Some(10.95), Some(10.95))
        );
    }

    #[test]
    fn an_update_starts_from_what_the_change_set_says_was_there() {
        let two = Shape { shards: 2, ..shape() };
        let cost = |changes: &[Change]| Cost::new(&two, false, changes).difference;
        assert_eq!(cost(&[]), Some(0.0));
        assert_eq!(cost(&stream(Action::Modify, &[("ShardCount", Some("1"), "2")])), Some(10.95));
        assert_eq!(cost(&stream(Action::Modify, &[("RetentionPeriodHours", Some("48"), "24")])), Some(-29.2));
        assert_eq!(cost(&stream(Action::Modify, &[("ShardCount", None, "2")])), None);
        assert_eq!(cost(&stream(Action::Replace, &[("Name", Some("a"), "b")])), Some(0.0));
        assert_eq!(cost(&stream(Action::Add, &[])), None);
    }

    #[test]
    fn a_trade_a_second_costs_more_in_firehose_than_anything_else_unless_each_is_an_object() {
        let cost = |seconds| example(&Shape { buffer_seconds: seconds, ..shape() });
        assert!((0.5..0.8).contains(&cost(60)), "{}", cost(60));
        assert!(cost(0) > 10.0, "{}", cost(0));
    }

    #[test]
    fn what_lies_longer_than_a_week_is_said_to_cost_by_the_gigabyte() {
        let month = Shape { stream_retention_hours: 720, ..shape() };
        assert_eq!(Cost::new(&month, true, &[]).stored_gb_month, Some(0.023));
        assert_eq!(Cost::new(&shape(), true, &[]).stored_gb_month, None);
    }
}
