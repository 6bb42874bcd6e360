//! `cargo bench -p kinesis-stack-processor`: the processor beside the same transform in Python and beside the limit,
//! all in one run, as one table.
//!
//! Two events of 4.5 MB: e1 without `kinesisRecordMetadata`, e2 with it. What is compared is measured in turns, so that
//! a busy machine slows all of it, and the best run of each is shown: whatever else runs only adds. The limit is what no
//! transform can do without: read the whole event (a copy of it), copy each `recordId`, decode each record, encode each
//! row.

mod event;
mod start;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64_simd::STANDARD;
use processor::{ANSWER_LIMIT, Answerer};

const ROUNDS: usize = 7;
const RUST_RUNS: usize = 20;
const PYTHON_RUNS: &str = "3";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_727_948_720)
}

/// Seconds of each run.
fn timed(mut run: impl FnMut()) -> Vec<f64> {
    let once = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..RUST_RUNS).map(once).collect()
}

fn python_seconds(event: &Path) -> Vec<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/reference.py");
    let output = Command::new("python3").arg(script).arg("--bench").arg(event).arg(PYTHON_RUNS).output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| line.parse().unwrap()).collect()
}

fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What the limit needs of an event: each record's id and data, and how long its row is.
struct Pieces<'a> {
    ids: Vec<(&'a [u8], &'a [u8], usize)>,
}

impl<'a> Pieces<'a> {
    fn of(event: &'a [u8], answer: &[u8]) -> Self {
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(answer).unwrap();
        let between = |text: &'a str, before: &str| {
            let start = text.find(before).unwrap() + before.len();
            &text.as_bytes()[start..start + text[start..].find('"').unwrap()]
        };
        let records = text(event).split(r#"{"recordId""#).skip(1);
        let rows = answer["records"].as_array().unwrap();
        let ids = records.zip(rows).map(|(record, row)| {
            let row = STANDARD.decode_to_vec(row["data"].as_str().unwrap()).unwrap().len();
            (between(record, r#": ""#), between(record, r#""data": ""#), row)
        });
        Pieces { ids: ids.collect() }
    }

    fn copy(&self, event: &[u8], whole: &mut Vec<u8>, data: &mut Vec<u8>, row: &[u8], body: &mut Vec<u8>) {
        whole.clear();
        whole.extend_from_slice(event);
        black_box(&whole);
        body.clear();
        for (id, base64, length) in &self.ids {
            body.extend_from_slice(id);
            data.clear();
            STANDARD.decode_append(base64, data).unwrap();
            STANDARD.encode_append(&row[..*length], body);
        }
    }
}

fn compare(name: &str, (event, records): &(Vec<u8>, usize)) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    fs::write(&file, event).unwrap();
    // As the function does it: what is allocated is kept for the next event.
    let mut answerer = Answerer::default();
    let answer = answerer.answer(event, ANSWER_LIMIT, processor::transform_at(now())).unwrap();
    assert_eq!((answer.records, answer.rows()), (*records, *records), "every record becomes a row");
    let body = answer.body().to_vec();
    let pieces = Pieces::of(event, &body);
    let (mut whole, mut data, row, mut copy) = (Vec::new(), Vec::new(), vec![b'x'; 1000], Vec::new());

    let (mut rust, mut python, mut limit) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        python.extend(python_seconds(&file));
        rust.extend(timed(|| {
            let answer = answerer.answer(black_box(event), ANSWER_LIMIT, processor::transform_at(now()));
            assert!(answer.is_ok());
        }));
        limit.extend(timed(|| pieces.copy(event, &mut whole, &mut data, &row, black_box(&mut copy))));
    }
    let (rust, python, limit) = (best(&rust), best(&python), best(&limit));
    println!("\n{name}: {} bytes, {records} records", event.len());
    println!("{:<28}{:>10}{:>14}{:>16}", "", "ms", "M records/s", "times Python");
    for (what, seconds) in [("Python", python), ("this processor", rust), ("copy and base64 only", limit)] {
        println!(
            "{what:<28}{:>10.2}{:>14.2}{:>16.1}",
            seconds * 1000.0,
            *records as f64 / seconds / 1e6,
            python / seconds
        );
    }
    println!("{:<28}{:>10.1}", "times the limit", rust / limit);
}

fn main() {
    let events = [("e1", event::make(false)), ("e2", event::make(true))];
    // `cargo test --benches` only asks whether the bench runs.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    for (name, event) in &events {
        compare(name, event);
    }
    start::compare();
}
