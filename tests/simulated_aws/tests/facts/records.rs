//! Kinesis: how records are put and read.

use crate::bench::{Bench, refusal, wait};
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};
use std::time::Duration;

pub const STREAM: &str = "trades";

/// An account with a stream of so many shards.
pub fn with_stream(shards: usize) -> Bench {
    let bench = Bench::new();
    let mut account = bench.account();
    account.make("AWS::Kinesis::Stream", STREAM);
    let key = ("AWS::Kinesis::Stream".to_owned(), STREAM.to_owned());
    account.things.get_mut(&key).unwrap().facts.insert("Shards", shards.to_string());
    drop(account);
    bench
}

fn entry(key: &str, data: &[u8]) -> PutRecordsRequestEntry {
    PutRecordsRequestEntry::builder().partition_key(key).data(Blob::new(data)).build().unwrap()
}

/// Puts so many records with this key, the numbers from `first` on as their data.
pub async fn put(bench: &Bench, key: &str, first: usize, records: usize) -> PutRecordsOutput {
    let records = (first..first + records).map(|number| entry(key, number.to_string().as_bytes()));
    let request = bench.kinesis.put_records().stream_name(STREAM).set_records(Some(records.collect()));
    request.send().await.unwrap()
}

pub async fn iterator(bench: &Bench, shard: &str, from: ShardIteratorType) -> String {
    let request = bench.kinesis.get_shard_iterator().stream_name(STREAM).shard_id(shard);
    request.shard_iterator_type(from).send().await.unwrap().shard_iterator.unwrap()
}

pub async fn get(bench: &Bench, iterator: &str) -> GetRecordsOutput {
    bench.kinesis.get_records().shard_iterator(iterator).send().await.unwrap()
}

pub fn numbers(answer: &GetRecordsOutput) -> Vec<usize> {
    let text = |data: &Blob| String::from_utf8(data.as_ref().to_vec()).unwrap().parse().unwrap();
    answer.records().iter().map(|record| text(record.data())).collect()
}

pub const FIRST: &str = "shardId-000000000000";
pub const SECOND: &str = "shardId-000000000001";

#[tokio::test(start_paused = true)]
async fn put_records_takes_500_records_and_10_mebibytes_and_a_record_one_mebibyte() {
    let bench = with_stream(1);
    let request = bench.kinesis.put_records().stream_name(STREAM);
    let many = (0..501).map(|_| entry("a", b"1")).collect();
    assert_eq!(refusal(request.clone().set_records(Some(many)).send().await).0, "ValidationException");
    let large = vec![entry("a", &vec![b'.'; 1024 * 1024])];
    assert_eq!(refusal(request.clone().set_records(Some(large)).send().await).0, "ValidationException");
    let heavy = (0..11).map(|_| entry("a", &vec![b'.'; 1000 * 1024])).collect();
    assert_eq!(refusal(request.clone().set_records(Some(heavy)).send().await).0, "InvalidArgumentException");
    // The key counts too.
    let fits = vec![entry("a", &vec![b'.'; 1024 * 1024 - 1])];
    assert_eq!(request.set_records(Some(fits)).send().await.unwrap().failed_record_count(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn what_exceeds_a_shards_limits_is_refused_per_record_inside_a_200() {
    let bench = with_stream(1);
    assert_eq!(put(&bench, "a", 0, 500).await.failed_record_count(), Some(0));
    assert!(put(&bench, "a", 500, 500).await.failed_record_count() < Some(1));
    let refused = put(&bench, "a", 1_000, 500).await;
    assert_eq!(refused.failed_record_count(), Some(420), "40 ms a call bring 40 records each back");
    let last = &refused.records()[499];
    assert_eq!(last.error_code(), Some("ProvisionedThroughputExceededException"));
    assert_eq!(
        last.error_message(),
        Some("Rate exceeded for shard shardId-000000000000 in stream trades under account 123456789012.")
    );
    assert!(last.sequence_number().is_none() && refused.records()[0].sequence_number().is_some());
    let one = bench.kinesis.put_record().stream_name(STREAM).partition_key("a").data(Blob::new(*b"1"));
    wait(1).await;
    assert!(one.clone().send().await.is_ok());
    bench.account().script.shard_records_per_second = 0.0;
    assert_eq!(refusal(one.send().await).0, "ProvisionedThroughputExceededException");
}

#[tokio::test(start_paused = true)]
async fn a_shard_takes_a_mebibyte_a_second() {
    let bench = with_stream(1);
    let half = || entry("a", &[b'.'; 600 * 1024]);
    let request = bench.kinesis.put_records().stream_name(STREAM).records(half()).records(half());
    assert_eq!(request.send().await.unwrap().failed_record_count(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn some_records_fail_inside_a_200() {
    let bench = with_stream(1);
    bench.account().script.record_failures = 2;
    let answer = put(&bench, "a", 0, 5).await;
    assert_eq!(answer.failed_record_count(), Some(2));
    assert_eq!(answer.records()[1].error_code(), Some("InternalFailure"));
    let from = iterator(&bench, FIRST, ShardIteratorType::TrimHorizon).await;
    assert_eq!(numbers(&get(&bench, &from).await), [2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn the_md5_of_the_partition_key_chooses_the_shard_unless_a_hash_key_is_given() {
    let bench = with_stream(2);
    // The MD5 of `a` begins with 0c, that of `b` with 92.
    let shard = |answer: &PutRecordsOutput| answer.records()[0].shard_id().unwrap().to_owned();
    assert_eq!(shard(&put(&bench, "a", 0, 1).await), FIRST);
    assert_eq!(shard(&put(&bench, "b", 0, 1).await), SECOND);
    let explicit = PutRecordsRequestEntry::builder().partition_key("a").data(Blob::new(*b"1"));
    let explicit = explicit.explicit_hash_key(u128::MAX.to_string());
    let request =
        bench.kinesis.put_records().stream_arn("arn:aws:kinesis:us-east-1:123456789012:stream/trades");
    let answer = request.records(explicit.build().unwrap()).send().await.unwrap();
    assert_eq!(shard(&answer), SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_iterator_begins_at_the_horizon_the_tip_a_sequence_number_or_a_time() {
    let bench = with_stream(2);
    let first = put(&bench, "a", 0, 3).await;
    wait(10).await;
    let between = 1_790_000_000.0 + bench.account().age().as_secs_f64();
    wait(10).await;
    put(&bench, "a", 3, 2).await;
    let of = |kind| {
        bench.kinesis.get_shard_iterator().stream_name(STREAM).shard_id(FIRST).shard_iterator_type(kind)
    };
    let second = first.records()[1].sequence_number().unwrap();
    assert_eq!(second.len(), 56);
    for (request, expected) in [
        (of(ShardIteratorType::TrimHorizon), vec![0, 1, 2, 3, 4]),
        (of(ShardIteratorType::Latest), vec![]),
        (of(ShardIteratorType::AtSequenceNumber).starting_sequence_number(second), vec![1, 2, 3, 4]),
        (of(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(second), vec![2, 3, 4]),
        (of(ShardIteratorType::AtTimestamp).timestamp(DateTime::from_secs_f64(between)), vec![3, 4]),
        (of(ShardIteratorType::AtTimestamp).timestamp(DateTime::from_secs(1)), vec![0, 1, 2, 3, 4]),
    ] {
        let from = request.send().await.unwrap().shard_iterator.unwrap();
        assert_eq!(numbers(&get(&bench, &from).await), expected);
        wait(1).await;
    }
    let latest = iterator(&bench, FIRST, ShardIteratorType::Latest).await;
    put(&bench, "a", 5, 1).await;
    assert_eq!(numbers(&get(&bench, &latest).await), [5]);
    // Another shard's number, one that is none, and a time that lies ahead.
    let at = of(ShardIteratorType::AtSequenceNumber);
    let elsewhere = at.clone().shard_id(SECOND).starting_sequence_number(second).send().await;
    assert!(refusal(elsewhere).1.contains("It encodes shardId-000000000000"));
    let (code, message) = refusal(at.starting_sequence_number("123").send().await);
    assert_eq!(code, "InvalidArgumentException");
    assert!(message.contains("did not come from this stream"), "{message}");
    let ahead = of(ShardIteratorType::AtTimestamp).timestamp(DateTime::from_secs(2_000_000_000));
    assert_eq!(refusal(ahead.send().await).0, "InvalidArgumentException");
    let missing = of(ShardIteratorType::Latest).shard_id("shardId-000000000007");
    assert_eq!(refusal(missing.send().await).0, "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn get_records_gives_at_most_the_limit_and_says_how_far_behind_it_is() {
    let bench = with_stream(1);
    put(&bench, "a", 0, 5).await;
    let from = iterator(&bench, FIRST, ShardIteratorType::TrimHorizon).await;
    wait(20).await;
    let page = bench.kinesis.get_records().shard_iterator(from).limit(2).send().await.unwrap();
    assert_eq!(numbers(&page), [0, 1]);
    assert!(page.millis_behind_latest().unwrap() >= 20_000);
    assert_eq!(page.records()[0].partition_key(), Some("a"));
    assert!(page.records()[0].approximate_arrival_timestamp().unwrap().secs() >= 1_790_000_000);
    let rest = get(&bench, page.next_shard_iterator().unwrap()).await;
    assert_eq!((numbers(&rest), rest.millis_behind_latest()), (vec![2, 3, 4], Some(0)));
    assert!(numbers(&get(&bench, rest.next_shard_iterator().unwrap()).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shard_takes_five_reads_a_second_and_gives_two_mebibytes() {
    let bench = with_stream(1);
    let from = iterator(&bench, FIRST, ShardIteratorType::TrimHorizon).await;
    let read = bench.kinesis.get_records().shard_iterator(&from);
    for _ in 0..5 {
        read.clone().send().await.unwrap();
    }
    assert_eq!(refusal(read.clone().send().await).0, "ProvisionedThroughputExceededException");
    wait(1).await;
    // Fact: after 10 MB the reads of the next five seconds are refused.
    for _ in 0..12 {
        let large = vec![b'.'; 1000 * 1024];
        let put = bench.kinesis.put_record().stream_name(STREAM).partition_key("a").data(Blob::new(large));
        put.send().await.unwrap();
        wait(1).await;
    }
    assert_eq!(read.clone().send().await.unwrap().records().len(), 10);
    wait(4).await;
    assert_eq!(refusal(read.clone().send().await).0, "ProvisionedThroughputExceededException");
    wait(1).await;
    read.send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn iterators_live_five_minutes() {
    let bench = with_stream(1);
    let from = iterator(&bench, FIRST, ShardIteratorType::TrimHorizon).await;
    wait(299).await;
    let read = bench.kinesis.get_records().shard_iterator(&from);
    read.clone().send().await.unwrap();
    wait(2).await;
    assert_eq!(refusal(read.send().await).0, "ExpiredIteratorException");
}

#[tokio::test(start_paused = true)]
async fn records_are_kept_as_long_as_the_retention_says() {
    let bench = with_stream(1);
    put(&bench, "a", 0, 1).await;
    tokio::time::sleep(Duration::from_secs(23 * 3_600)).await;
    put(&bench, "a", 1, 1).await;
    let from = iterator(&bench, FIRST, ShardIteratorType::TrimHorizon).await;
    assert_eq!(numbers(&get(&bench, &from).await), [0, 1]);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    let from = iterator(&bench, FIRST, ShardIteratorType::TrimHorizon).await;
    assert_eq!(numbers(&get(&bench, &from).await), [1]);
}
