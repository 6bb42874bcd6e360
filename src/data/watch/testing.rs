//! Boards for tests, on a clock that stands still.

use super::*;
use crate::data::logs::{self, LogEntry, Raw};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What time it is.
pub(crate) fn now() -> Timestamp {
    "2026-11-26T09:30:42Z".parse().unwrap()
}

/// So many seconds before.
pub(crate) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(crate) fn subject() -> Subject {
    Subject {
        env: "dev".to_owned(),
        region: "us-east-1".to_owned(),
        stack: "kinesis-stack-dev".to_owned(),
        status: "UPDATE_COMPLETE".to_owned(),
        every: 5,
    }
}

pub(crate) fn observed(source: Source, seconds: i64, news: Result<News, Trouble>) -> Observation {
    Observation { source, at: ago(seconds), again: Duration::from_secs(5), news }
}

/// A metric with one value in each of the last minutes of which something is told by now.
pub(crate) fn steady(minutes: &mut Minutes, metric: Metric, value: f64) {
    let last = ago(42 + 2 * PERIOD);
    let told = (0..30).map(|minute| (last - SignedDuration::from_secs(minute * PERIOD), value));
    minutes.insert(metric, told.collect());
}

pub(crate) fn metrics() -> Minutes {
    let mut minutes = Minutes::new();
    for (metric, value) in [
        (Metric::Put, 3_000.0),
        (Metric::PutBytes, 279_000.0),
        (Metric::Refused, 0.0),
        (Metric::ReadLag, 120.0),
        (Metric::Read, 3_000.0),
        (Metric::ReadBytes, 279_000.0),
        (Metric::Behind, 400.0),
        (Metric::ThrottledReads, 0.0),
        (Metric::Transformed, 2_994.0),
        (Metric::Calls, 2.0),
        (Metric::CallTime, 11.6),
        (Metric::CallErrors, 0.0),
        (Metric::CallThrottles, 0.0),
        (Metric::Delivered, 2_994.0),
        (Metric::DeliveredBytes, 353_000.0),
        (Metric::Freshness, 61.0),
    ] {
        steady(&mut minutes, metric, value);
    }
    for (minute, value) in [(3, 1_800.0), (4, 600.0), (5, 6_000.0), (9, 0.0)] {
        let at = ago(42 + 2 * PERIOD) - SignedDuration::from_secs(minute * PERIOD);
        minutes.get_mut(&Metric::Put).unwrap().insert(at, value);
    }
    minutes
}

pub(crate) fn rows(count: u64) -> Vec<Row> {
    let stocks = ["AAPL", "RDS.A", "BRK.A", "T"];
    let row = |id: u64| {
        let (kind, stock) = (if id.is_multiple_of(3) { "SELL" } else { "BUY" }, stocks[id as usize % 4]);
        let price = 60.0 + id as f64 * 1.25;
        let text = format!(
            r#"{{"tradeType": "{kind}", "price": {price}, "quantity": {}, "id": {id}, "stockId": "{stock}", "tradeTime": "2026-11-26 09:30:1{}"}}"#,
            id * 37,
            id % 10
        );
        Row { time: ago(12), text }
    };
    (1..=count).map(row).collect()
}

/// A line of the processor's log.
pub(crate) fn logged(seconds: i64, message: &str) -> LogEntry {
    logged_by(logs::Source::Processor, seconds, message)
}

fn logged_by(source: logs::Source, seconds: i64, message: &str) -> LogEntry {
    LogEntry::of(Raw {
        source,
        group: "group".to_owned(),
        stream: "stream".to_owned(),
        id: None,
        time: ago(seconds).as_millisecond(),
        message: message.to_owned(),
    })
}

/// A pipeline in which all is well, but for a few records.
pub(crate) fn board() -> Board {
    let mut board = Board::new(subject());
    let landing = |seconds: i64, rows| Landing {
        key: format!("rows/2026/11/26/09/kinesis-stack-dev-1-{seconds}"),
        at: ago(seconds),
        bytes: 118 * 2_994,
        rows,
    };
    let landed = [Some(2_994), None, Some(2_994), Some(2_994), Some(2_994)];
    let landings =
        landed.into_iter().enumerate().map(|(at, rows)| landing(252 - 60 * at as i64, rows)).collect();
    let batch = |seconds, failed: u64| {
        let ok = 1_500 - failed;
        let text = format!(
            r#"{{"level":"INFO","message":"batch transformed","records":1500,"ok":{ok},"failed":{failed},"milliseconds":1.2}}"#
        );
        logged(seconds, &text)
    };
    let stream =
        StreamState { status: "ACTIVE".to_owned(), shards: 1, retention_hours: 24, on_demand: false };
    let processor = ProcessorState { status: "Active".to_owned(), memory: 256, arm: false };
    let errors = vec![Row {
        time: ago(72),
        text: "Lambda.ProcessingFailedStatus: ProcessingFailed status set for record".to_owned(),
    }];
    let report = "REPORT RequestId: 8f5\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 256 MB\tMax Memory Used: 25 MB\t\n";
    let processor_lines =
        vec![batch(75, 0), batch(74, 6), logged(74, report), batch(14, 0), logged(14, report)];
    let denied =
        r#"{"deliveryStreamARN":"arn","message":"Access was denied.","errorCode":"S3.AccessDenied"}"#;
    let delivery_lines = vec![logged_by(logs::Source::Delivery, 30, denied)];
    for observation in [
        observed(Source::Metrics, 32, Ok(News::Metrics(metrics()))),
        observed(Source::Stream, 20, Ok(News::Stream(stream))),
        observed(Source::Delivery, 20, Ok(News::Delivery("ACTIVE".to_owned()))),
        observed(Source::Processor, 20, Ok(News::Processor(processor))),
        observed(Source::Objects, 3, Ok(News::Landed(landings))),
        observed(Source::Rows, 3, Ok(News::Rows(rows(40)))),
        observed(Source::Errors, 17, Ok(News::Errors(errors))),
        observed(Source::ProcessorLog, 2, Ok(News::Lines(processor_lines))),
        observed(Source::DeliveryLog, 2, Ok(News::Lines(delivery_lines))),
    ] {
        board.take(observation);
    }
    board
}
