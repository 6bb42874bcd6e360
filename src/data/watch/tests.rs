//! What a board makes of what its sources tell.

use super::testing::*;
use super::*;
use jiff::SignedDuration;
use serde_json::json;

fn value(board: &Board, leg: usize, name: &str) -> Value {
    let legs = board.legs(now());
    legs[leg].readings.iter().find(|reading| reading.name == name).unwrap().value.clone()
}

#[test]
fn a_minutes_sum_is_told_as_a_rate_with_the_end_of_that_minute() {
    let board = board();
    let Value::Known { value: rate, at, source, about } = value(&board, 0, "records_per_second") else {
        panic!("{:?}", board.legs(now()))
    };
    assert_eq!((rate, source, about), (50.0, Source::Metrics, false));
    // The minute that ended at 09:29, of which CloudWatch tells now.
    assert_eq!(at, ago(102));
    let [stream, _, processor, _] = board.legs(now());
    assert_eq!(stream.value("bytes_per_second"), Some(4_650.0));
    assert_eq!(processor.value("calls_per_minute"), Some(2.0));
    assert_eq!(stream.told(), Some(ago(102)));
}

#[test]
fn what_nobody_told_is_said_to_be_so_and_why() {
    let mut board = Board::new(subject());
    assert_eq!(value(&board, 0, "records_per_second"), Value::NotYet);
    assert_eq!(value(&board, 3, "bytes_per_second"), Value::NotYet);
    board.take(observed(Source::Metrics, 1, Err(Trouble::Denied("cloudwatch:GetMetricData"))));
    assert_eq!(value(&board, 0, "records_per_second"), Value::Untold(Source::Metrics));
    board.take(observed(Source::Metrics, 1, Ok(News::Metrics(Minutes::new()))));
    assert_eq!(value(&board, 0, "records_per_second"), Value::Nowhere);
    let mut minutes = Minutes::new();
    steady(&mut minutes, Metric::Put, 60.0);
    board.take(observed(Source::Metrics, 1, Ok(News::Metrics(minutes))));
    assert_eq!(value(&board, 0, "refused_per_minute"), Value::Silent { since: None });
    let mut later = Minutes::new();
    steady(&mut later, Metric::Put, 60.0);
    let at = now() + SignedDuration::from_secs(300);
    let observation = Observation { at, ..observed(Source::Metrics, 0, Ok(News::Metrics(later))) };
    board.take(observation);
    let [stream, ..] = board.legs(at);
    assert_eq!(
        stream.readings[0].value,
        Value::Silent { since: Some(ago(102)) },
        "an old rate is no rate of now"
    );
    let mut board = super::testing::board();
    board.take(observed(Source::Metrics, -600, Err(Trouble::Throttled)));
    assert!(value(&board, 0, "records_per_second").is_known(), "what wasn't told isn't nothing");
}

#[test]
fn a_source_that_fails_keeps_what_it_told_and_stops_no_other() {
    let mut board = board();
    let denied = Trouble::Denied("s3:ListBucket");
    board.take(observed(Source::Objects, 0, Err(denied.clone())));
    board.take(observed(Source::Metrics, 0, Err(Trouble::Throttled)));
    let troubles: Vec<_> = board.troubles().collect();
    assert_eq!(troubles, [(Source::Metrics, now(), &Trouble::Throttled), (Source::Objects, now(), &denied)]);
    assert_eq!(board.sources[&Source::Metrics].told, Some(ago(32)));
    assert!(value(&board, 0, "records_per_second").is_known());
    board.take(observed(Source::Objects, 0, Ok(News::Landed(Vec::new()))));
    assert_eq!(board.troubles().count(), 1, "trouble that is over is forgotten");
}

#[test]
fn without_metrics_the_bucket_tells_its_own_rates_and_says_what_is_about_right_only() {
    let mut board = board();
    board.take(observed(Source::Metrics, 0, Ok(News::Metrics(Minutes::new()))));
    let Value::Known { value: rows, source, about, .. } = value(&board, 3, "records_per_second") else {
        panic!("not known")
    };
    // Four of the five objects were read to their ends.
    assert_eq!((rows.round(), source, about), (50.0, Source::Objects, true));
    let Value::Known { value: bytes, about, .. } = value(&board, 3, "bytes_per_second") else {
        panic!("not known")
    };
    assert_eq!((bytes, about), (118.0 * 2_994.0 * 5.0 / 300.0, false));
    let Value::Known { at, .. } = value(&board, 3, "newest_object") else { panic!("not known") };
    assert_eq!(at, ago(12));
}

#[test]
fn the_buckets_own_rates_are_those_of_a_young_producer_too_and_end_soon_after_it() {
    // Since `began` seconds ago, until `ended`, an object of ten rows each second.
    let rate = |began: i64, ended: i64| {
        let mut board = Board::new(subject());
        let landing = |seconds| Landing {
            key: format!("rows/{seconds}"),
            at: ago(seconds),
            bytes: 1_000,
            rows: Some(10),
        };
        let landed = (ended..began).rev().map(landing).collect();
        board.take(observed(Source::Objects, 0, Ok(News::Landed(landed))));
        (board.legs(now())[3].value("records_per_second").unwrap(), board.window(now()))
    };
    assert_eq!(rate(20, 0), (10.0, 20));
    assert_eq!(rate(600, 0), (10.0, 60));
    assert_eq!(rate(600, 30), (5.0, 60));
    assert_eq!(rate(600, 120), (0.0, 60));
    // One burst a minute: its last minutes tell more than its last one.
    assert_eq!(board().window(now()), 300);
}

#[test]
fn failures_of_the_error_prefix_and_of_both_logs_stand_in_the_order_of_time() {
    let board = board();
    let is_record: Vec<bool> = board.failures.iter().map(|it| matches!(it, Failure::Record(_))).collect();
    assert_eq!(is_record, [false, true, false]);
    let times: Vec<_> = board.lines.iter().map(|line| line.time).collect();
    assert!(times.is_sorted() && times.len() == 6);
}

#[test]
fn only_the_last_of_many_are_kept_and_each_is_told_once() {
    let mut board = board();
    let mut seen = Snapshots::default();
    let first = snapshot(&board, now(), &mut seen);
    assert_eq!(first["rows"].as_array().unwrap().len(), 40);
    assert_eq!(first["rows"][39]["row"]["id"], 40);
    board.take(observed(Source::Rows, 0, Ok(News::Rows(rows(600)))));
    assert_eq!(board.rows.iter().count(), 500);
    let second = snapshot(&board, now(), &mut seen);
    assert_eq!(second["rows"].as_array().unwrap().len(), 500);
    assert_eq!(second["lines"], json!([]));
    assert_eq!(snapshot(&board, now(), &mut seen)["rows"], json!([]));
}

#[test]
fn an_hour_costs_the_shard_what_flows_and_the_looking() {
    let cost = board().cost(now());
    assert_eq!(cost.stream, Some(0.015));
    // 50 records a second, each billed by Firehose as 5 KB.
    let traffic = cost.traffic.unwrap();
    assert!((0.02..0.04).contains(&traffic), "{traffic}");
    assert!((cost.total - 0.015 - traffic - cost.watching).abs() < 1e-9);
    assert!(cost.watching < 0.015, "{}", cost.watching);
    let nothing = Board::new(subject()).cost(now());
    assert_eq!((nothing.stream, nothing.traffic), (None, None));
}

#[test]
fn a_snapshot_is_one_object_with_the_age_of_each_figure() {
    let mut board = board();
    board.take(observed(Source::DeliveryLog, 0, Err(Trouble::Denied("logs:FilterLogEvents"))));
    let mut told = snapshot(&board, now(), &mut Snapshots::default());
    told["rows"].as_array_mut().unwrap().truncate(2);
    insta::assert_snapshot!("snapshot", serde_json::to_string_pretty(&told).unwrap());
}
