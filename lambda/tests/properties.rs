//! Promises that hold for every event.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64_simd::STANDARD;
use processor::{ANSWER_LIMIT, EventError, transform_record, transform_within};
use proptest::{collection::vec, prelude::*};
use serde::{Deserialize, de::IgnoredAny};

mod generate;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_727_948_720)
}

#[derive(Debug, Deserialize)]
struct Answer {
    records: Vec<Answered>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answered {
    record_id: String,
    result: String,
    data: Option<String>,
}

/// A record of an event: its id, and `data` if there is any.
type Sent = (String, Option<String>);

fn sent() -> impl Strategy<Value = Sent> {
    let data = prop_oneof![
        6 => generate::record().prop_map(|text| Some(STANDARD.encode_to_string(text))),
        1 => vec(any::<u8>(), 0..20).prop_map(|bytes| Some(STANDARD.encode_to_string(bytes))),
        1 => any::<String>().prop_map(Some),
        1 => Just(None),
    ];
    (prop_oneof!["[0-9]{1,60}", any::<String>()], data)
}

fn event(records: &[Sent]) -> Vec<u8> {
    let records: Vec<_> =
        records.iter().map(|(id, data)| serde_json::json!({"recordId": id, "data": data})).collect();
    serde_json::to_vec(&serde_json::json!({ "records": records })).unwrap()
}

/// What the answer must be, one record at a time.
fn expected((id, data): &Sent) -> Answered {
    let row = data
        .as_deref()
        .and_then(|data| STANDARD.decode_to_vec(data).ok())
        .and_then(|bytes| transform_record(&bytes, now()).ok());
    Answered {
        record_id: id.clone(),
        result: if row.is_some() { "Ok" } else { "ProcessingFailed" }.to_owned(),
        data: row.map(|row| STANDARD.encode_to_string(row)).or(data.clone()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_row_is_one_line_of_json(text in generate::record()) {
        if let Ok(row) = transform_record(text.as_bytes(), now()) {
            prop_assert!(!row.contains(&b'\n') && !row.contains(&b'\r'));
            prop_assert!(serde_json::from_slice::<IgnoredAny>(&row).is_ok());
            prop_assert_eq!(row.last(), Some(&b'}'));
        }
    }

    #[test]
    fn exactly_json_objects_become_rows(text in generate::record()) {
        let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        let is_object = is_json && text.trim_start().starts_with('{');
        prop_assert_eq!(transform_record(text.as_bytes(), now()).is_ok(), is_object);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = transform_record(&bytes, now());
        let _ = transform_within(&bytes, now(), ANSWER_LIMIT);
    }

    #[test]
    fn every_record_is_answered_once_in_order_as_if_it_were_alone(records in vec(sent(), 0..12)) {
        let answer = transform_within(&event(&records), now(), ANSWER_LIMIT).unwrap();
        let answered: Answer = serde_json::from_slice(answer.body()).unwrap();
        let expected: Vec<_> = records.iter().map(expected).collect();
        let failed = expected.iter().filter(|record| record.result != "Ok").count();
        prop_assert_eq!(answered.records, expected);
        prop_assert_eq!((answer.records, answer.failed()), (records.len(), failed));
    }

    #[test]
    fn no_answer_exceeds_its_limit_and_no_record_is_lost(
        records in vec(sent(), 0..12),
        limit in 0_usize..3000,
    ) {
        let smallest = serde_json::to_vec(&serde_json::json!({
            "records": records
                .iter()
                .map(|(id, _)| serde_json::json!({"recordId": id, "result": "ProcessingFailed"}))
                .collect::<Vec<_>>(),
        })).unwrap().len();
        let answer = match transform_within(&event(&records), now(), limit) {
            Ok(answer) => answer,
            Err(error) => {
                prop_assert_eq!(error, EventError::TooManyRecords { count: records.len() });
                // One byte is reserved for a comma before the first record.
                prop_assert!(smallest + 1 > limit);
                return Ok(());
            }
        };
        prop_assert!(answer.body().len() <= limit);
        let answered: Answer = serde_json::from_slice(answer.body()).unwrap();
        prop_assert_eq!(answered.records.len(), records.len());
        let mut short = 0;
        for (record, sent) in answered.records.iter().zip(&records) {
            let expected = expected(sent);
            if *record != expected {
                prop_assert_eq!(&record.record_id, &expected.record_id);
                prop_assert_eq!(&record.result, "ProcessingFailed");
                prop_assert_eq!(&record.data, &None);
                short += 1;
            }
        }
        // A record is cut short only if there is no room: none is, given the room.
        let whole = transform_within(&event(&records), now(), ANSWER_LIMIT).unwrap().body().len();
        prop_assert!(short == 0 || whole > limit - records.len());
    }
}

#[test]
fn a_batch_that_outgrows_the_limit_of_lambda_stays_below_it() {
    // Each row is longer than its record, and the request is as large as Lambda allows.
    let records: Vec<_> = (0..40_000)
        .map(|id| {
            (
                id.to_string(),
                Some(STANDARD.encode_to_string(format!("{{\"id\":{id},\"a\":\"{}\"}}", "x".repeat(60)))),
            )
        })
        .collect();
    let request = event(&records);
    assert!(request.len() < 6 * 1024 * 1024, "{}", request.len());

    let answer = transform_within(&request, now(), ANSWER_LIMIT).unwrap();
    assert!(answer.body().len() <= ANSWER_LIMIT);
    assert!(answer.body().len() > ANSWER_LIMIT - 200);
    let answered: Answer = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(answered.records.len(), records.len());
    let ok = answered.records.iter().filter(|record| record.result == "Ok").count();
    assert_eq!(ok + answer.failed(), records.len());
    assert!(ok > records.len() / 2, "{ok}");
}
