//! Each line of `golden/records.jsonl` becomes what the same line of `golden/expected.jsonl` says: a row, `dropped`, or
//! `failed: ` and why.

use std::time::{Duration, UNIX_EPOCH};

use processor::transform::transform;

const RECORDS: &str = include_str!("golden/records.jsonl");
const EXPECTED: &str = include_str!("golden/expected.jsonl");

#[test]
fn each_record_becomes_what_is_expected() {
    let now = UNIX_EPOCH + Duration::from_secs(1_727_948_720);
    let became = RECORDS.lines().map(|record| match transform(record.as_bytes(), now) {
        Ok(Some(row)) => String::from_utf8(row).expect("a row is text"),
        Ok(None) => "dropped".to_owned(),
        Err(reason) => format!("failed: {reason}"),
    });
    let became: Vec<String> = became.collect();
    let expected: Vec<&str> = EXPECTED.lines().collect();
    assert_eq!(became, expected);
}
