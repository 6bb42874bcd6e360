//! The envelope: any JSON that Firehose may send is read as a general JSON parser reads it, whatever stands in the
//! records. `FUZZ_CASES=1000000 cargo test --release -p kinesis-stack-processor --test envelope` runs it for longer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64_simd::STANDARD;
use processor::{ANSWER_LIMIT, Answerer, EventError, transform_record, transform_within};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

mod generate;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_727_948_720)
}

fn config() -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(128);
    ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() }
}

/// What the answer has to be, by a general parser and the transform of one record alone: the slow way, and no other
/// than the fast one.
fn by_serde(event: &[u8]) -> Result<Vec<Value>, &'static str> {
    let event: Value = serde_json::from_slice(event).map_err(|_| "no JSON")?;
    let records = event.get("records").and_then(Value::as_array).ok_or("no event")?;
    let answer = |record: &Value| {
        let id = record.as_object().ok_or("no event")?.get("recordId").ok_or("no id")?;
        let id = id.as_str().ok_or("no id")?;
        let data = record.get("data").and_then(Value::as_str);
        let row = data
            .and_then(|data| STANDARD.decode_to_vec(data).ok())
            .and_then(|data| transform_record(&data, now()).ok());
        Ok(match (row, data) {
            (Some(row), _) => json!({"recordId": id, "result": "Ok", "data": STANDARD.encode_to_string(row)}),
            (None, Some(data)) => json!({"recordId": id, "result": "ProcessingFailed", "data": data}),
            (None, None) => json!({"recordId": id, "result": "ProcessingFailed"}),
        })
    };
    records.iter().map(answer).collect()
}

fn ours(event: &[u8]) -> Result<Vec<Value>, EventError> {
    let answer = transform_within(event, now(), ANSWER_LIMIT)?;
    let value: Value = serde_json::from_slice(answer.body()).expect("the answer is JSON");
    Ok(value["records"].as_array().expect("with a list of records").clone())
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", " ", "\n", "\t\r\n  "])
}

/// A string as some JSON writer spells it.
fn spelled(text: String) -> impl Strategy<Value = String> {
    any::<u64>().prop_map(move |mut mixed| {
        let mut spelled = String::from("\"");
        for c in text.chars() {
            mixed = mixed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match c {
                '"' | '\\' => spelled.extend(['\\', c]),
                '/' if mixed >> 62 == 0 => spelled.push_str("\\/"),
                c if c < ' ' || mixed >> 59 == 0 => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        spelled.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => spelled.push(c),
            }
        }
        spelled + "\""
    })
}

fn other() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
        any::<String>().prop_flat_map(spelled),
        select(vec!["true", "false", "null", "{}", "[]"]).prop_map(String::from),
        Just(r#"{"sequenceNumber": "4954", "subsequenceNumber": 0, "partitionKey": "T", "shardId": "s-0", "approximateArrivalTimestamp": 1727948700123}"#.to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(" ,"))),
            vec(("[a-z\"]{0,4}".prop_flat_map(spelled), inner), 0..3).prop_map(|entries| {
                let entries: Vec<_> =
                    entries.into_iter().map(|(key, value)| format!("{key} : {value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

/// `kinesisRecordMetadata`, mostly as Firehose writes it: some of its members, in any order, even twice.
fn metadata() -> impl Strategy<Value = String> {
    let name = select(vec![
        r#""sequenceNumber""#,
        r#""subsequenceNumber""#,
        r#""partitionKey""#,
        r#""shardId""#,
        r#""approximateArrivalTimestamp""#,
    ]);
    let value = prop_oneof![
        8 => "[0-9]{1,20}",
        8 => "\"[0-9A-Za-z é.-]{0,60}\"",
        1 => other(),
    ];
    let gap = || prop_oneof![4 => Just(""), 4 => Just(" "), 1 => space()];
    let members = vec(
        (name, gap(), value, gap())
            .prop_map(|(name, after, value, end)| format!("{name}:{after}{value}{end}")),
        0..6,
    );
    (gap(), members, gap()).prop_map(|(before, members, between)| {
        format!("{{{before}{}}}", members.join(&format!(",{between}")))
    })
}

fn member(name: &'static str, value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (spelled(name.to_owned()), space(), space(), value)
        .prop_map(|(name, before, after, value)| format!("{name}{before}:{after}{value}"))
}

fn data() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => generate::record().prop_map(|text| STANDARD.encode_to_string(text)).prop_flat_map(spelled),
        1 => vec(any::<u8>(), 0..40).prop_map(|bytes| STANDARD.encode_to_string(bytes)).prop_flat_map(spelled),
        1 => any::<String>().prop_flat_map(spelled),
        1 => other(),
    ]
}

fn record() -> impl Strategy<Value = String> {
    let members = vec(
        prop_oneof![
            6 => member("data", data()),
            2 => member("approximateArrivalTimestamp", other()),
            1 => member("kinesisRecordMetadata", other()),
            2 => member("kinesisRecordMetadata", metadata()),
            1 => member("recordIds", other()),
            1 => member("", other()),
            1 => member("recordId", "[a-z]{0,3}".prop_flat_map(spelled)),
        ],
        0..5,
    );
    let id = prop_oneof![
        8 => "[0-9]{0,60}".prop_flat_map(spelled),
        2 => any::<String>().prop_flat_map(spelled),
    ];
    let record = (member("recordId", id), members, any::<prop::sample::Index>(), space(), space());
    prop_oneof![
        19 => record.prop_map(|(id, mut members, at, before, after)| {
            let place = at.index(members.len() + 1);
            members.insert(place, id);
            format!("{{{before}{}{after}}}", members.join(&format!("{after},{before}")))
        }),
        1 => other(),
    ]
}

fn event() -> impl Strategy<Value = String> {
    let records = || {
        (vec(record(), 0..6), space()).prop_map(|(records, space)| format!("[{space}{}]", records.join(",")))
    };
    let members = vec(
        prop_oneof![
            4 => member("invocationId", other()),
            2 => member("record", other()),
        ],
        0..3,
    );
    (member("records", records()), members, any::<prop::sample::Index>(), space(), space()).prop_map(
        |(records, mut members, at, before, after)| {
            let place = at.index(members.len() + 1);
            members.insert(place, records);
            format!("{before}{{{}{after}}}{after}", members.join(&format!("{before},{after}")))
        },
    )
}

fn agree(event: &[u8]) -> Result<(), TestCaseError> {
    match (ours(event), by_serde(event)) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
        (Err(_), Err(_)) => {}
        (ours, theirs) => prop_assert!(false, "ours {:?}, serde {:?}", ours, theirs),
    }
    Ok(())
}

/// Half of a surrogate pair and a number beyond all range are JSON by its grammar, and what
/// `what_no_string_or_number_can_hold_is_copied_and_skipped_as_it_came` is about: the general parser, which has to make
/// a value of them, refuses them.
fn holds_what_no_value_can(event: &[u8]) -> bool {
    let is_of_values = |error: String| error.contains("hex escape") || error.contains("number out of range");
    serde_json::from_slice::<Value>(event).is_err_and(|error| is_of_values(error.to_string()))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_json_is_read_as_a_general_parser_reads_it(event in event()) {
        agree(event.as_bytes())?;
    }

    #[test]
    fn one_wrong_byte_is_seen_where_a_general_parser_sees_it(
        event in event(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), select(b"\"\\{}[],: 0\n".to_vec())],
        replace in any::<bool>(),
    ) {
        let mut event = event.into_bytes();
        let at = at.index(event.len());
        if replace {
            event[at] = byte;
        } else {
            event.insert(at, byte);
        }
        prop_assume!(!holds_what_no_value_can(&event), "no value can hold it");
        agree(&event)?;
    }

    #[test]
    fn an_event_that_is_cut_short_is_refused(event in event(), at in any::<prop::sample::Index>()) {
        let event = event.trim_end().as_bytes();
        prop_assert!(ours(&event[..at.index(event.len())]).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = ours(&bytes);
    }

    #[test]
    fn answers_one_after_the_other_are_those_of_each_alone(events in vec(event(), 1..5), limit in 0..2000_usize) {
        let mut answerer = Answerer::default();
        for event in &events {
            let alone = transform_within(event.as_bytes(), now(), limit).map(|answer| answer.body().to_vec());
            let next = answerer.answer(event.as_bytes(), limit, processor::transform_at(now()));
            prop_assert_eq!(next.map(|answer| answer.body().to_vec()), alone.clone());
            prop_assert!(alone.is_err() || alone.is_ok_and(|body| body.len() <= limit));
        }
    }
}

#[test]
fn what_no_string_or_number_can_hold_is_copied_and_skipped_as_it_came() {
    let half = r#"{"records": [{"recordId": "a\ud83d", "data": "YQ==", "kinesisRecordMetadata": {"partitionKey": "\udd09"}}]}"#;
    let far = r#"{"records": [{"recordId": "b", "data": "YQ==", "kinesisRecordMetadata": {"approximateArrivalTimestamp": 1E999}}]}"#;
    for (event, id) in [(half, r#""recordId":"a\ud83d""#), (far, r#""recordId":"b""#)] {
        assert!(holds_what_no_value_can(event.as_bytes()));
        let answer = transform_within(event.as_bytes(), now(), ANSWER_LIMIT).unwrap();
        let answer = String::from_utf8_lossy(answer.body());
        assert!(answer.contains(id), "{answer}");
    }
}

#[test]
fn of_two_lists_of_records_none_is_guessed() {
    let event = br#"{"records": [], "r\u0065cords": []}"#;
    assert_eq!(ours(event).unwrap_err(), EventError::NotAnEvent { line: 1, column: 32 });
}

#[test]
fn a_transform_that_panics_fails_that_record_alone() {
    let event = br#"{"records": [{"recordId": "a", "data": "YQ=="}, {"recordId": "b", "data": "Yg=="}]}"#;
    let mut answerer = Answerer::default();
    answerer.lists = true;
    let answer = answerer
        .answer(event, ANSWER_LIMIT, |record, row| {
            row.extend_from_slice(record);
            assert_ne!(record, b"a", "a bug");
            Ok(processor::Becomes::Row)
        })
        .unwrap();
    assert_eq!((answer.rows(), answer.failed()), (1, 1));
    assert_eq!(answer.listed, [("a".to_owned(), processor::firehose::Reason::Panicked)]);
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body["records"][1], json!({"recordId": "b", "result": "Ok", "data": "Yg=="}));
}
