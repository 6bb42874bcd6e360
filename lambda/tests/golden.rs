//! Cases written by hand from the specification, at a fixed time.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    record: String,
    row: Option<String>,
    failed: Option<String>,
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_727_948_720)
}

fn read(file: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", file].iter().collect();
    fs::read_to_string(path).unwrap()
}

fn check(file: &str) {
    let cases: Vec<Case> = serde_json::from_str(&read(file)).unwrap();
    for case in cases {
        let result = processor::transform_record(case.record.as_bytes(), now());
        let (row, failed) = match result {
            Ok(row) => (Some(String::from_utf8(row).unwrap()), None),
            Err(reason) => (None, Some(reason.to_string())),
        };
        assert_eq!((row, failed), (case.row, case.failed), "{file}: {}", case.case);
    }
}

#[test]
fn fields_are_renamed_moved_added_and_kept() {
    check("objects.json");
}

#[test]
fn price_is_a_float_as_python_makes_it_or_null() {
    check("price.json");
}

#[test]
fn quantity_and_id_are_integers_as_python_makes_them_or_null() {
    check("integers.json");
}

#[test]
fn what_is_not_a_json_object_fails_with_its_reason() {
    check("failures.json");
}

#[test]
fn bytes_that_are_not_utf8_fail() {
    let result = processor::transform_record(b"{\"a\": \"\xff\"}", now());
    assert_eq!(result, Err(processor::Reason::NotUtf8));
}

#[test]
fn a_bad_record_fails_alone_and_gets_its_data_back() {
    let answer = processor::transform(read("event.json").as_bytes(), now()).unwrap();
    // The expected answer has a line for each record, to be readable.
    let expected = read("answer.json").trim_end().replace(",\n", ",");
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
}

#[test]
fn an_event_without_records_gets_an_answer_without_records() {
    let answer = processor::transform(br#"{"records": []}"#, now()).unwrap();
    assert_eq!(answer, br#"{"records":[]}"#);
}

#[test]
fn any_depth_of_nesting_is_copied() {
    let depth = 100_000;
    let nested = "[".repeat(depth) + &"]".repeat(depth);
    let record = format!(r#"{{"a":{nested}}}"#);
    let row = processor::transform_record(record.as_bytes(), now()).unwrap();
    let expected = format!(r#"{{"a": {nested}, "tradeTime": "2024-10-03 09:45:20"}}"#);
    assert!(row == expected.as_bytes());
}

#[test]
fn a_record_with_very_many_keys_takes_no_quadratic_time() {
    let fields: Vec<_> = (0..200_000).map(|index| format!("\"{index}\":0")).collect();
    let record = format!("{{{}}}", fields.join(","));
    let row = processor::transform_record(record.as_bytes(), now()).unwrap();
    assert_eq!(row.iter().filter(|&&byte| byte == b',').count(), fields.len());
}
