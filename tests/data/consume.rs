//! The consumer at work on a stream whose shards come and go, and whose reads fail.

use crate::bench::{Bench, STACK};
use crate::produce::{send, trades};
use kinesis_stack::data::{ConsumeOptions, Consumption, From, ProduceOptions, Show, consume};
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::Event;
use kinesis_stack::stack::inspect;
use serde_json::Value;
use simulated_aws::{Fault, Refusal, Reshard, Spell, Trouble, When};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub async fn stream_of(bench: &Bench) -> String {
    inspect::output(&inspect::require(&bench.context).await.unwrap(), "StreamName").unwrap()
}

pub fn options(from: &str, records: Option<u64>) -> ConsumeOptions {
    let from = From::parse(from).unwrap();
    ConsumeOptions { from, records, duration: None, show: Show::Json, fan_out: false }
}

pub async fn run(bench: &Bench, options: &ConsumeOptions) -> (Result<Consumption, Error>, Vec<Value>) {
    let (stream, mut out) = (stream_of(bench).await, Vec::new());
    let outcome = consume(&bench.context, &stream, options, &mut out).await;
    let lines = String::from_utf8(out).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (outcome.map_err(|error| Error::of(&error)), records)
}

/// So many records, in the order in which they came.
pub async fn read(bench: &Bench, from: &str, records: u64) -> Vec<Value> {
    let (outcome, lines) = run(bench, &options(from, Some(records))).await;
    assert_eq!(outcome.unwrap().consumed.records, records);
    lines
}

/// Whatever is there.
pub async fn everything(bench: &Bench) -> Vec<Value> {
    let wanted = ConsumeOptions { duration: Some(Duration::from_secs(60)), ..options("trim-horizon", None) };
    let (outcome, lines) = run(bench, &wanted).await;
    outcome.unwrap();
    lines
}

/// The ids of these records, sorted.
pub fn ids(records: &[Value]) -> Vec<u64> {
    let mut ids: Vec<u64> = records.iter().map(|record| record["data"]["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    ids
}

fn all(count: u64) -> Vec<u64> {
    (1..=count).collect()
}

pub async fn with_shards(shards: u32) -> Bench {
    let mut bench = Bench::new();
    bench.shape.shards = shards;
    bench.up().await.unwrap();
    bench.forget();
    bench
}

fn expired() -> Refusal {
    Refusal::new(400, "ExpiredIteratorException", "Iterator expired.")
}

fn throttled() -> Refusal {
    let message = "Rate exceeded for shard shardId-000000000000 in stream trades";
    Refusal::new(400, "ProvisionedThroughputExceededException", message)
}

/// Sends trades for six minutes while the shards are split, merged, doubled and halved.
async fn send_while_shards_change(bench: &Bench, rate: f64) -> u64 {
    let stream = stream_of(bench).await;
    let options = ProduceOptions {
        records: None,
        rate: Some(rate),
        duration: Some(Duration::from_secs(360)),
        ..trades(0)
    };
    let change = async {
        for what in [Reshard::Split(0), Reshard::Scale(4), Reshard::Scale(2), Reshard::Scale(1)] {
            sleep(Duration::from_secs(60)).await;
            bench.account().somebody_reshards(&stream, what);
        }
    };
    tokio::join!(send(bench, options), change).0.sent
}

#[tokio::test(start_paused = true)]
async fn while_shards_are_split_and_merged_no_record_is_missed_and_none_told_twice() {
    let bench = with_shards(2).await;
    let wanted = options("trim-horizon", Some(360 * 20));
    let (sent, (outcome, records)) =
        tokio::join!(send_while_shards_change(&bench, 20.0), run(&bench, &wanted));
    assert_eq!(outcome.unwrap().consumed.records, sent);
    assert_eq!(ids(&records), all(sent));
    let ended = bench.events().into_iter().filter(|event| matches!(event, Event::ShardEnded { .. })).count();
    assert!(ended >= 5, "{ended} shards ended");
    // The order within a key holds across shards.
    let mut last = std::collections::BTreeMap::new();
    for record in &records {
        let id = record["data"]["id"].as_u64();
        assert!(last.insert(record["partitionKey"].to_string(), id) < Some(id));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_resharded_before_is_read_from_the_oldest_shard_to_the_newest() {
    let bench = with_shards(2).await;
    let sent = send_while_shards_change(&bench, 5.0).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(ids(&read(&bench, "trim-horizon", sent).await), all(sent));
}

#[tokio::test(start_paused = true)]
async fn iterators_that_expire_are_renewed_where_they_were() {
    let bench = with_shards(2).await;
    bench.account().faults.push(Fault { operation: "GetRecords", when: When::Times(9), refusal: expired() });
    let wanted = options("latest", Some(300));
    let later = async {
        sleep(Duration::from_secs(5)).await;
        bench.account().faults.push(Fault {
            operation: "GetRecords",
            when: When::Times(3),
            refusal: expired(),
        });
        send(&bench, ProduceOptions { rate: Some(20.0), ..trades(300) }).await
    };
    let (_, (outcome, records)) = tokio::join!(later, run(&bench, &wanted));
    outcome.unwrap();
    assert_eq!(ids(&records), all(300));
    assert!(bench.calls("GetShardIterator").len() >= 2 + 12);
}

#[tokio::test(start_paused = true)]
async fn throttled_broken_and_cut_reads_are_made_again_and_lose_nothing() {
    let bench = with_shards(2).await;
    send(&bench, trades(1_000)).await;
    bench.account().faults.push(Fault {
        operation: "GetRecords",
        when: When::Times(30),
        refusal: throttled(),
    });
    for trouble in [Trouble::Broken, Trouble::ResetBefore, Trouble::ResetAfter, Trouble::Cut, Trouble::Slow] {
        for operation in ["ListShards", "GetShardIterator", "GetRecords"] {
            let operation = operation.to_owned();
            bench.account().spells.push(Spell { operation, when: When::Times(2), trouble });
        }
    }
    assert_eq!(ids(&read(&bench, "trim-horizon", 1_000).await), all(1_000));
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_gives_nothing_but_errors_for_five_minutes_ends_it() {
    let bench = with_shards(1).await;
    bench.account().faults.push(Fault { operation: "GetRecords", when: When::Always, refusal: throttled() });
    let start = Instant::now();
    let error = run(&bench, &options("latest", None)).await.0.unwrap_err();
    assert_eq!(error.kind, Kind::TimedOut);
    assert_eq!(error.message, "shard shardId-000000000000 gave no answer for 5 minutes");
    assert!(error.cause.unwrap().contains("Rate exceeded"));
    assert!((300.0..420.0).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn latest_is_what_comes_from_now_on_and_an_idle_shard_is_read_once_a_second() {
    let bench = with_shards(2).await;
    send(&bench, trades(100)).await;
    let wanted = ConsumeOptions { duration: Some(Duration::from_secs(60)), ..options("latest", None) };
    let (outcome, records) = run(&bench, &wanted).await;
    assert_eq!((outcome.unwrap().consumed.records, records.len()), (0, 0));
    let reads = bench.calls("GetRecords").len();
    assert!((100..=122).contains(&reads), "{reads} reads of two shards in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_time_is_where_every_shard_begins() {
    let bench = with_shards(4).await;
    send(&bench, trades(400)).await;
    sleep(Duration::from_secs(600)).await;
    let now = bench.context.clock.now();
    let second = ProduceOptions { rate: Some(100.0), ..trades(400) };
    send(&bench, second).await;
    for from in [now.to_string(), "5m".to_owned()] {
        assert_eq!(ids(&read(&bench, &from, 400).await), all(400), "{from}");
    }
    let long_ago = read(&bench, "1h", 800).await;
    assert_eq!(long_ago.len(), 800);
}

#[tokio::test(start_paused = true)]
async fn a_sequence_number_is_where_its_shard_begins_and_the_others_begin_at_its_time() {
    let bench = with_shards(4).await;
    send(&bench, ProduceOptions { rate: Some(50.0), ..trades(1_000) }).await;
    let before = read(&bench, "trim-horizon", 1_000).await;
    let first = before.iter().find(|record| record["data"]["id"] == 600).unwrap();
    let (number, shard, time) = (first["sequenceNumber"].as_str().unwrap(), &first["shard"], &first["time"]);
    let expected: BTreeSet<u64> = before
        .iter()
        .filter(|it| match &it["shard"] == shard {
            true => it["sequenceNumber"].as_str() >= Some(number),
            false => it["time"].as_str() >= time.as_str(),
        })
        .map(|it| it["data"]["id"].as_u64().unwrap())
        .collect();
    let read = read(&bench, number, expected.len() as u64).await;
    assert_eq!(ids(&read), expected.into_iter().collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_sequence_number_that_no_shard_has_is_bad_input() {
    let bench = with_shards(2).await;
    let error = run(&bench, &options("49590338271490256608559692538361571095921", None)).await.0.unwrap_err();
    assert_eq!(error.kind, Kind::BadInput);
    assert!(error.message.contains("has this sequence number"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_it_with_what_was_read() {
    let bench = with_shards(1).await;
    let later = async {
        send(&bench, trades(10)).await;
        sleep(Duration::from_secs(10)).await;
        bench.signal.send(Kind::Interrupted);
    };
    let wanted = options("trim-horizon", None);
    let ((), (outcome, records)) = tokio::join!(later, run(&bench, &wanted));
    assert_eq!((outcome.unwrap().consumed.records, records.len()), (10, 10));
}

/// The consumers that are registered and not on their way out.
pub async fn consumers(bench: &Bench) -> Vec<String> {
    let kinesis = &bench.context.clients.kinesis;
    let about = kinesis.describe_stream_summary().stream_name(stream_of(bench).await).send().await.unwrap();
    let arn = about.stream_description_summary.unwrap().stream_arn;
    let list = kinesis.list_stream_consumers().stream_arn(arn).send().await.unwrap();
    let there = list.consumers().iter().filter(|it| it.consumer_status().as_str() != "DELETING");
    there.map(|it| it.consumer_name().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_consumer_of_its_own_misses_nothing_over_renewals_and_resharding_and_is_removed() {
    let bench = with_shards(2).await;
    let wanted = ConsumeOptions { fan_out: true, ..options("trim-horizon", Some(360 * 10)) };
    let (sent, (outcome, records)) =
        tokio::join!(send_while_shards_change(&bench, 10.0), run(&bench, &wanted));
    assert_eq!(outcome.unwrap().consumed.records, sent);
    assert_eq!(ids(&records), all(sent));
    assert!(bench.calls("GetRecords").is_empty(), "it reads nothing by the shards' common throughput");
    assert_eq!(consumers(&bench).await, [""; 0]);
    let told = bench.events();
    assert!(told.iter().any(|event| matches!(event, Event::ConsumerReady { .. })));
    assert!(told.iter().any(|event| matches!(event, Event::ConsumerRemoved { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_renewed_after_its_five_minutes_from_latest_too() {
    let bench = with_shards(1).await;
    let wanted = ConsumeOptions { fan_out: true, ..options("latest", Some(700)) };
    let later = async {
        sleep(Duration::from_secs(60)).await;
        send(&bench, ProduceOptions { rate: Some(1.0), ..trades(700) }).await
    };
    let (_, (outcome, records)) = tokio::join!(later, run(&bench, &wanted));
    outcome.unwrap();
    assert_eq!(ids(&records), all(700));
    assert!(bench.calls("SubscribeToShard").len() >= 3);
}

/// Takes so many bytes, and then no more.
struct Closed(usize);

impl Write for Closed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn its_consumer_is_removed_on_every_way_out() {
    // A reader that went away.
    let bench = with_shards(1).await;
    send(&bench, trades(100)).await;
    let (stream, wanted) =
        (stream_of(&bench).await, ConsumeOptions { fan_out: true, ..options("trim-horizon", None) });
    let error = consume(&bench.context, &stream, &wanted, &mut Closed(2_000)).await.unwrap_err();
    assert!(error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe));
    assert_eq!(consumers(&bench).await, [""; 0], "a reader that went away");

    // A stream that may not be subscribed to.
    let refusal = Refusal::denied("arn:aws:iam::123456789012:user/ada", "kinesis:SubscribeToShard", "*");
    bench.account().faults.push(Fault { operation: "SubscribeToShard", when: When::Times(1), refusal });
    assert_eq!(run(&bench, &wanted).await.0.unwrap_err().kind, Kind::Credentials);
    assert_eq!(consumers(&bench).await, [""; 0], "a permission that is missing");

    // A signal, while the consumer is being made and while it reads.
    for seconds in [2, 60] {
        let bench = bench.again();
        // A run of its own gives its consumer a name of its own.
        fastrand::seed(seconds);
        let stop = async {
            sleep(Duration::from_secs(seconds)).await;
            bench.signal.send(Kind::Interrupted);
        };
        let ((), (outcome, _)) = tokio::join!(stop, run(&bench, &wanted));
        outcome.unwrap();
        assert_eq!(consumers(&bench).await, [""; 0], "a signal after {seconds} seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_could_not_be_removed_is_named_and_the_next_run_names_it_too() {
    let bench = with_shards(1).await;
    let refusal =
        Refusal::denied("arn:aws:iam::123456789012:user/ada", "kinesis:DeregisterStreamConsumer", "*");
    let fault = Fault { operation: "DeregisterStreamConsumer", when: When::Always, refusal };
    bench.account().faults.push(fault);
    let wanted =
        ConsumeOptions { fan_out: true, duration: Some(Duration::from_secs(30)), ..options("latest", None) };
    let error = run(&bench, &wanted).await.0.unwrap_err();
    assert_eq!(error.kind, Kind::Leftovers);
    assert!(error.message.starts_with("the consumer kinesis-stack-consume-"), "{}", error.message);
    assert!(error.remedies[0].contains("aws kinesis deregister-stream-consumer --region us-east-1"));
    let left = consumers(&bench).await;
    assert_eq!(left.len(), 1);
    bench.account().faults.clear();
    bench.forget();
    run(&bench, &wanted).await.0.unwrap();
    let named = bench.events().into_iter().find_map(|event| match event {
        Event::ConsumerLeft { name, .. } => Some(name),
        _ => None,
    });
    assert_eq!(named.as_ref(), left.first());
    // It stands in nobody's way.
    bench.answer(Some(true));
    bench.down().await.unwrap();
    assert!(bench.status().is_none_or(|status| status == "DELETE_COMPLETE"), "{STACK} is there");
}

#[tokio::test(start_paused = true)]
async fn statistics_are_those_of_all_trades_that_were_sent() {
    let bench = with_shards(4).await;
    send(&bench, trades(2_000)).await;
    let wanted = ConsumeOptions { show: Show::Count, ..options("trim-horizon", Some(2_000)) };
    let (outcome, lines) = run(&bench, &wanted).await;
    let told = outcome.unwrap().statistics;
    assert!(lines.is_empty());
    let sent: Vec<_> = kinesis_stack::data::Trades::new(7).take(2_000).collect();
    let bought = sent.iter().filter(|trade| trade.trade_type == kinesis_stack::data::TradeType::Buy);
    assert_eq!((told.trades, told.others), (2_000, 0));
    assert_eq!(told.buys.trades, bought.clone().count() as u64);
    assert_eq!(told.buys.quantity, bought.map(|trade| f64::from(trade.quantity)).sum::<f64>());
}
