//! The whole way on the simulated account, whose delivery stream calls the real transform.

use crate::bench::Bench;
use crate::results::{query, shown};
use kinesis_stack::cli::Format;
use kinesis_stack::data::{self, Trades, View};
use serde_json::Value;
use simulated_aws::Processor;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

/// An environment that transforms as the real one does, and whose delivery stream reads.
pub async fn deployed() -> Bench {
    let bench = Bench::deployed().await;
    bench.account().script.processor =
        Some(Processor::new(|event| processor::transform(event, now()).map_err(|error| error.to_string())));
    sleep(Duration::from_secs(600)).await;
    bench
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

/// Sends these trades of seed 7.
pub async fn send(bench: &Bench, which: Range<usize>) {
    let trades = Trades::new(7).skip(which.start).take(which.len());
    let records: Vec<Vec<u8>> = trades.map(|trade| serde_json::to_vec(&trade).unwrap()).collect();
    send_raw(bench, &records).await;
}

async fn send_raw(bench: &Bench, records: &[Vec<u8>]) {
    use aws_sdk_kinesis::primitives::Blob;
    use aws_sdk_kinesis::types::PutRecordsRequestEntry;
    for batch in records.chunks(500) {
        let mut left: Vec<&Vec<u8>> = batch.iter().collect();
        while !left.is_empty() {
            let entry = |data: &&Vec<u8>| {
                let key = format!("{:x}", md5_of(data));
                PutRecordsRequestEntry::builder()
                    .data(Blob::new(data.as_slice()))
                    .partition_key(key)
                    .build()
                    .unwrap()
            };
            let entries = left.iter().map(entry).collect();
            let call = bench.context.clients.kinesis.put_records().stream_name("kinesis-stack-dev");
            let answer = call.set_records(Some(entries)).send().await.unwrap();
            let refused = answer.records().iter().map(|it| it.error_code().is_some());
            left =
                left.into_iter().zip(refused).filter(|(_, refused)| *refused).map(|(data, _)| data).collect();
            sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Something that spreads records over shards.
fn md5_of(data: &[u8]) -> u64 {
    data.iter().fold(14_695_981_039_346_656_037, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211)
    })
}

/// What the transform makes of these trades, by id.
fn expected(count: usize) -> BTreeMap<u64, String> {
    Trades::new(7)
        .take(count)
        .map(|trade| {
            let row = processor::transform_record(&serde_json::to_vec(&trade).unwrap(), now()).unwrap();
            let row = String::from_utf8(row.to_vec()).unwrap();
            (serde_json::from_str::<Value>(&row).unwrap()["id"].as_u64().unwrap(), row)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn of_100_000_trades_each_is_the_row_that_the_transform_makes_and_100_bad_ones_are_accounted_for() {
    const COUNT: usize = 100_000;
    let bench = deployed().await;
    let bad: Vec<Vec<u8>> = (0..100).map(|place| format!("bad record {place} {{").into_bytes()).collect();
    send(&bench, 0..COUNT / 2).await;
    send_raw(&bench, &bad).await;
    send(&bench, COUNT / 2..COUNT).await;

    let (rows, errors) = (query("rows/"), query("errors/"));
    let patience = Duration::from_secs(3_600);
    let wait = |wanted| Some((wanted, patience));
    let (s3, reporter) = (&bench.context.clients.s3, bench.context.reporter.as_ref());
    data::wait_for_rows(s3, &errors, 100, patience, reporter).await.unwrap();
    let mut out = Vec::new();
    let view = View { sum: true, ..View::all(Format::Jsonl) };
    let never = std::future::pending();
    let summary =
        data::show(&bench.context, &rows, &view, wait(COUNT as u64), false, &mut out, never).await.unwrap();
    assert_eq!((summary.rows, summary.not_rows, summary.broken), (COUNT as u64, 0, 0));
    let found: Vec<String> = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(found.len(), COUNT, "none twice");
    let expected = expected(COUNT);
    let by_id: BTreeMap<u64, String> = found
        .into_iter()
        .map(|row| (serde_json::from_str::<Value>(&row).unwrap()["id"].as_u64().unwrap(), row))
        .collect();
    assert!(by_id == expected, "each row is byte for byte the transform's own answer");
    let ids = summary.sums.iter().find(|sum| sum.column == "id").unwrap();
    assert_eq!((ids.count, ids.sum, ids.least, ids.most), (100_000, 5_000_050_000.0, 1.0, 100_000.0));

    let failures = View { failures: true, ..View::all(Format::Jsonl) };
    let (text, summary) = shown(&bench, &errors, &failures, false, 3_600).await;
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let data: BTreeSet<Vec<u8>> =
        told.iter().map(|it| it["data"].as_str().unwrap().as_bytes().to_vec()).collect();
    assert_eq!((told.len(), data), (100, bad.into_iter().collect()));
    assert_eq!(summary.unwrap().codes["Lambda.ProcessingFailedStatus"], 100);
    assert!(told.iter().all(|it| it["why"].as_str().unwrap().starts_with("The record is not JSON")));
}
