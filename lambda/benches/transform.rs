//! `cargo bench`: the transform, from bytes to bytes, beside the Python reference.
//!
//! Two events of 4.5 MB: e1 without `kinesisRecordMetadata`, e2 with it. After criterion's
//! figures a line like `e1: 27.3x the Python reference` follows for each, median
//! against median, taken alternately so that a busy machine slows both.

use std::{
    fmt::Write as _,
    fs,
    hint::black_box,
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use criterion::{BenchmarkId, Criterion, Throughput};

const EVENT_BYTES: usize = 4_500_000;
const SYMBOLS: [(&str, f64); 5] =
    [("AAPL", 119.72), ("BRK.A", 223_999.88), ("RDS.A", 66.72), ("T", 34.64), ("GOOG", 527.83)];

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_727_948_720)
}

/// Trades that are the same in every run: no random numbers, only a mixed counter.
fn trade(id: usize) -> String {
    let mixed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let (symbol, mean) = SYMBOLS[mixed % SYMBOLS.len()];
    let kind = if mixed % 10 < 4 { "SELL" } else { "BUY" };
    let price = (mean * (0.8 + (mixed % 4001) as f64 / 10_000.0) * 100.0).round() / 100.0;
    let quantity = mixed % 10_000 + 1;
    format!(
        r#"{{"tickerSymbol": "{symbol}", "tradeType": "{kind}", "price": {price:?}, "quantity": {quantity}, "id": {id}}}"#
    )
}

/// The event and the number of its records.
fn event(with_metadata: bool) -> (Vec<u8>, usize) {
    let mut event = String::from(
        r#"{"invocationId": "7aadc5cf-37dd-41e3-b554-18037ca12014", "deliveryStreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/KDS-S3-StockStream", "region": "us-east-1", "records": ["#,
    );
    let mut records = 0;
    while event.len() < EVENT_BYTES {
        if records > 0 {
            event.push_str(", ");
        }
        records += 1;
        let data = base64_simd::STANDARD.encode_to_string(trade(records));
        write!(
            event,
            r#"{{"recordId": "4954698668313554428650745793632162567570019247115678{records:08}", "approximateArrivalTimestamp": 1727948700123, "data": "{data}""#
        )
        .unwrap();
        if with_metadata {
            write!(
                event,
                r#", "kinesisRecordMetadata": {{"sequenceNumber": "4954698668313554428650745793632162567570019247115678{records:08}", "subsequenceNumber": 0, "partitionKey": "RDS.A", "shardId": "shardId-000000000000", "approximateArrivalTimestamp": 1727948700123}}"#
            )
            .unwrap();
        }
        event.push('}');
    }
    event.push_str("]}");
    (event.into_bytes(), records)
}

fn measure(criterion: &mut Criterion, name: &str, event: &[u8], records: usize) {
    let mut group = criterion.benchmark_group("transform");
    group.sample_size(30);
    for (unit, throughput) in
        [("bytes", Throughput::Bytes(event.len() as u64)), ("records", Throughput::Elements(records as u64))]
    {
        group.throughput(throughput);
        group.bench_with_input(BenchmarkId::new(name, unit), event, |bencher, event| {
            bencher.iter(|| processor::transform(black_box(event), now()).unwrap());
        });
    }
    group.finish();
}

fn rust_seconds(event: &[u8]) -> Vec<f64> {
    let run = |_| {
        let start = Instant::now();
        black_box(processor::transform(black_box(event), now()).unwrap());
        start.elapsed().as_secs_f64()
    };
    (0..30).map(run).collect()
}

fn python_seconds(event: &Path) -> Vec<f64> {
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/reference.py"))
        .arg("--bench")
        .arg(event)
        .arg("3")
        .output()
        .expect("python3 runs");
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| line.parse().unwrap()).collect()
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn compare(name: &str, event: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    fs::write(&file, event).unwrap();
    let (mut rust, mut python) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        rust.extend(rust_seconds(event));
        python.extend(python_seconds(&file));
    }
    println!("{name}: {:.1}x the Python reference", median(python) / median(rust));
}

fn main() {
    let events = [("e1", event(false)), ("e2", event(true))];
    let mut criterion = Criterion::default().configure_from_args();
    for (name, (event, records)) in &events {
        measure(&mut criterion, name, event, *records);
    }
    criterion.final_summary();
    // `cargo test --benches` only asks whether the bench runs.
    if !std::env::args().any(|argument| argument == "--test") {
        for (name, (event, records)) in &events {
            println!("{name}: {} bytes, {records} records", event.len());
            compare(name, event);
        }
    }
}
