//! The producer at work on a stream whose shards take no more than they do on AWS.

use crate::bench::Bench;
use crate::consume::{everything, ids, read, stream_of};
use kinesis_stack::cli::Load;
use kinesis_stack::data::{Lines, ProduceOptions, Source, TradeField, produce};
use kinesis_stack::event::Produced;
use simulated_aws::{Fault, Refusal, Spell, Trouble, When};
use std::collections::BTreeMap;
use std::io::Write as _;

pub fn trades(records: u64) -> ProduceOptions {
    ProduceOptions {
        source: Source::Trades { seed: 7, key: TradeField::TickerSymbol },
        records: Some(records),
        rate: None,
        shape: Load::Steady,
        duration: None,
        ordered: false,
    }
}

pub async fn send(bench: &Bench, options: ProduceOptions) -> Produced {
    let stream = stream_of(bench).await;
    let reporter = bench.context.reporter.clone();
    let stop = std::future::pending();
    produce(&bench.context.clients.kinesis, &stream, options, reporter.as_ref(), stop).await.unwrap()
}

async fn with_shards(shards: u32) -> Bench {
    let mut bench = Bench::new();
    bench.shape.shards = shards;
    bench.up().await.unwrap();
    bench.forget();
    bench
}

#[tokio::test(start_paused = true)]
async fn four_shards_are_used_to_a_tenth_of_their_limit_and_every_record_is_there_once() {
    let bench = with_shards(4).await;
    // By their ids they are spread over all shards. (Lines come from a thread, for which a paused clock doesn't wait.)
    let source = Source::Trades { seed: 7, key: TradeField::Id };
    let produced = send(&bench, ProduceOptions { source, ..trades(40_000) }).await;
    assert_eq!((produced.sent, produced.lost), (40_000, 0));
    assert!(produced.resent > 0, "the limit was never met");
    // A shard takes 1,000 a second, and a second's worth at once.
    let fastest = (40_000.0 - 4_000.0) / 4_000.0;
    assert!(produced.seconds <= fastest / 0.9, "{} instead of {fastest} seconds", produced.seconds);
    // Most of it in the first second, before the limit is known.
    assert!(produced.resent < 9_000, "{} were refused", produced.resent);
    assert_eq!(ids(&read(&bench, "trim-horizon", 40_000).await), (1..=40_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_doubled_by_refusals_throttles_broken_answers_and_resets_before_it_acted() {
    let bench = with_shards(2).await;
    bench.account().script.record_failures = 700;
    for (trouble, times) in [(Trouble::Throttled, 10), (Trouble::Broken, 10), (Trouble::ResetBefore, 10)] {
        let operation = "PutRecords".to_owned();
        bench.account().spells.push(Spell { operation, when: When::Times(times), trouble });
    }
    let produced = send(&bench, trades(5_000)).await;
    assert_eq!((produced.sent, produced.lost), (5_000, 0));
    assert!(produced.resent >= 700);
    assert_eq!(ids(&read(&bench, "trim-horizon", 5_000).await), (1..=5_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_means_twice_rather_than_never() {
    let bench = with_shards(1).await;
    for trouble in [Trouble::ResetAfter, Trouble::Cut] {
        let operation = "PutRecords".to_owned();
        bench.account().spells.push(Spell { operation, when: When::Times(1), trouble });
    }
    let produced = send(&bench, trades(600)).await;
    assert_eq!((produced.sent, produced.lost), (600, 0));
    let mut there = ids(&everything(&bench).await);
    assert!(there.len() >= 1_100, "{} are there", there.len());
    there.dedup();
    assert_eq!(there, (1..=600).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn in_order_no_later_record_of_a_key_comes_before_an_earlier_one_whatever_is_refused() {
    let bench = with_shards(2).await;
    bench.account().script.record_failures = 300;
    for (trouble, times) in [(Trouble::Throttled, 3), (Trouble::ResetBefore, 3)] {
        let operation = "PutRecords".to_owned();
        bench.account().spells.push(Spell { operation, when: When::Times(times), trouble });
    }
    let produced = send(&bench, ProduceOptions { ordered: true, ..trades(2_000) }).await;
    assert_eq!((produced.sent, produced.lost), (2_000, 0));
    let records = read(&bench, "trim-horizon", 2_000).await;
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for record in &records {
        let (key, id) = (record["partitionKey"].as_str().unwrap(), record["data"]["id"].as_u64().unwrap());
        let before = last.insert(key.to_owned(), id);
        assert!(before < Some(id), "{key}: {id} came after {before:?}");
    }
    assert_eq!(ids(&records), (1..=2_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn lines_of_ones_own_go_by_the_key_that_was_named_and_arrive_as_they_are() {
    let bench = with_shards(4).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    (1..=500).for_each(|id| writeln!(file, "{{\"id\":{id},\"user\":\"u{}\"}}", id % 7).unwrap());
    let lines = Lines::open(file.path().to_str().unwrap(), Some("user")).unwrap();
    let options = ProduceOptions { source: Source::Lines(lines), records: None, ..trades(0) };
    assert_eq!(send(&bench, options).await.sent, 500);
    let records = read(&bench, "trim-horizon", 500).await;
    assert!(records.iter().all(|record| record["partitionKey"] == record["data"]["user"]));
    assert_eq!(ids(&records), (1..=500).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_may_not_be_written_to_ends_it_at_once() {
    let bench = with_shards(1).await;
    let refusal = Refusal::denied("arn:aws:iam::123456789012:user/ada", "kinesis:PutRecords", "*");
    bench.account().faults.push(Fault { operation: "PutRecords", when: When::Always, refusal });
    let (stream, reporter) = (stream_of(&bench).await, bench.context.reporter.clone());
    let (kinesis, stop) = (&bench.context.clients.kinesis, std::future::pending());
    let error = produce(kinesis, &stream, trades(10), reporter.as_ref(), stop).await.unwrap_err();
    let error = kinesis_stack::error::Error::of(&error);
    assert_eq!(error.kind, kinesis_stack::error::Kind::Credentials);
    assert_eq!(bench.calls("PutRecords").len(), 1);
}
