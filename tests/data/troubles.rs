//! A stream that answers nothing, or nothing good: both sides say so, and neither ends as if all were well.

use crate::bench::Bench;
use crate::consume::{consumers, options, run, stream_of, with_shards};
use crate::produce::{send, trades};
use kinesis_stack::data::{ConsumeOptions, ProduceOptions, lost_by_a_stop, produce};
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::{Event, Produced};
use simulated_aws::{Fault, Refusal, Spell, Trouble, When};
use std::time::Duration;
use tokio::time::{Instant, sleep};

fn spell(operation: &str, when: When, trouble: Trouble) -> Spell {
    Spell { operation: operation.to_owned(), when, trouble }
}

fn within(seconds: u64) -> ConsumeOptions {
    ConsumeOptions { duration: Some(Duration::from_secs(seconds)), ..options("trim-horizon", None) }
}

fn with_consumer(seconds: u64) -> ConsumeOptions {
    ConsumeOptions { fan_out: true, ..within(seconds) }
}

/// What reads were told to fail, and for how long by then.
fn failing(bench: &Bench) -> Vec<(String, f64)> {
    let told = bench.events().into_iter().filter_map(|event| match event {
        Event::ReadsFailing { reason, seconds, .. } => Some((reason, seconds)),
        _ => None,
    });
    told.collect()
}

/// How far behind the last sum says it is.
fn behind(bench: &Bench) -> Option<u64> {
    let last = bench.events().into_iter().rev().find_map(|event| match event {
        Event::Consuming(consumed) => Some(consumed.behind_milliseconds),
        _ => None,
    });
    last.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_shard_whose_every_read_fails_is_told_once_and_ends_as_an_error() {
    for (operation, what) in [("GetRecords", "shard shardId-000000000000"), ("ListShards", "stream ")] {
        let bench = with_shards(1).await;
        bench.account().spells.push(spell(operation, When::Always, Trouble::Broken));
        let start = Instant::now();
        let error = run(&bench, &within(8)).await.0.unwrap_err();
        assert!((8.0..8.1).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
        assert_eq!(error.kind, Kind::Failed);
        assert!(error.message.starts_with(&format!("no read of {what}")), "{}", error.message);
        assert!(error.cause.unwrap().starts_with("InternalFailure"));
        assert!(error.remedies[0].contains("--from"));
        let told = failing(&bench);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].0.starts_with("InternalFailure") && (3.0..3.5).contains(&told[0].1), "{told:?}");
    }
    // However short it was.
    let bench = with_shards(2).await;
    bench.account().spells.push(spell("GetRecords", When::Always, Trouble::ResetBefore));
    let error = run(&bench, &within(1)).await.0.unwrap_err();
    assert!(error.message.contains(" and 1 more has worked"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn reads_that_stop_half_way_are_no_success_and_what_was_read_is_kept() {
    for (trouble, seconds) in [(Trouble::ResetBefore, 12), (Trouble::Slow, 28)] {
        let bench = with_shards(1).await;
        send(&bench, trades(10)).await;
        let stop = async {
            sleep(Duration::from_secs(3)).await;
            bench.account().spells.push(spell("GetRecords", When::Always, trouble));
        };
        let wanted = within(seconds);
        let ((), (outcome, records)) = tokio::join!(stop, run(&bench, &wanted));
        let error = outcome.unwrap_err();
        assert!(error.message.ends_with("; 10 records had been read"), "{}", error.message);
        assert_eq!(records.len(), 10);
        assert_eq!(behind(&bench), None, "up to date before the reads stopped");
        assert_eq!(failing(&bench).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn reads_that_work_again_are_told_and_end_well() {
    let bench = with_shards(1).await;
    send(&bench, trades(10)).await;
    let age = bench.account().age();
    let when = When::Between(age + Duration::from_secs(3), age + Duration::from_secs(12));
    bench.account().spells.push(spell("GetRecords", when, Trouble::Broken));
    let (outcome, records) = run(&bench, &within(40)).await;
    assert_eq!((outcome.unwrap().consumed.behind_milliseconds, records.len()), (Some(0), 10));
    assert_eq!(failing(&bench).len(), 1);
    assert!(bench.events().iter().any(|event| matches!(event, Event::ReadsWork { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_was_throttled_at_the_very_end_is_no_failure() {
    let bench = with_shards(1).await;
    let age = bench.account().age();
    let when = When::Between(age + Duration::from_secs(9), age + Duration::from_secs(20));
    bench.account().spells.push(spell("GetRecords", when, Trouble::Throttled));
    assert_eq!(run(&bench, &within(10)).await.0.unwrap().consumed.behind_milliseconds, None);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_whose_registration_lost_its_answer_is_used_and_removed() {
    let bench = with_shards(1).await;
    send(&bench, trades(10)).await;
    bench.account().spells.push(spell("RegisterStreamConsumer", When::Times(1), Trouble::ResetAfter));
    let (outcome, records) = run(&bench, &with_consumer(30)).await;
    outcome.unwrap();
    assert_eq!((bench.calls("RegisterStreamConsumer").len(), records.len()), (2, 10));
    assert_eq!(consumers(&bench).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_may_have_been_registered_is_removed_or_named() {
    // No answer ever came.
    let bench = with_shards(1).await;
    bench.account().spells.push(spell("RegisterStreamConsumer", When::Always, Trouble::ResetAfter));
    let error = run(&bench, &with_consumer(30)).await.0.unwrap_err();
    assert!(error.message.starts_with("cannot register a consumer"), "{}", error.message);
    assert_eq!(consumers(&bench).await, [""; 0]);

    // Nor may it be removed.
    let bench = with_shards(1).await;
    bench.account().spells.push(spell("RegisterStreamConsumer", When::Always, Trouble::ResetAfter));
    bench.account().spells.push(spell("DeregisterStreamConsumer", When::Always, Trouble::Denied));
    let error = run(&bench, &with_consumer(30)).await.0.unwrap_err();
    let left = consumers(&bench).await;
    let named = error.remedies.iter().any(|it| {
        it.contains("deregister-stream-consumer") && it.contains(&format!("--consumer-name {}", left[0]))
    });
    assert!(named, "{:?}", error.remedies);

    // Nothing is removed that never was.
    let bench = with_shards(1).await;
    bench.account().spells.push(spell("RegisterStreamConsumer", When::Always, Trouble::Denied));
    assert_eq!(run(&bench, &with_consumer(30)).await.0.unwrap_err().kind, Kind::Credentials);
    assert_eq!(bench.calls("DeregisterStreamConsumer").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_signal_is_heard_while_a_consumer_is_being_registered() {
    let bench = with_shards(1).await;
    bench.account().spells.push(spell("RegisterStreamConsumer", When::Always, Trouble::ResetAfter));
    let stop = async {
        sleep(Duration::from_secs(2)).await;
        bench.signal.send(Kind::Interrupted);
    };
    let start = Instant::now();
    let wanted = with_consumer(60);
    let ((), (outcome, _)) = tokio::join!(stop, run(&bench, &wanted));
    outcome.unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(consumers(&bench).await, [""; 0]);
}

/// Sends until it ends, or for so long.
async fn send_for(bench: &Bench, seconds: u64) -> Result<Produced, Error> {
    let (stream, reporter) = (stream_of(bench).await, bench.context.reporter.clone());
    let options = ProduceOptions { records: None, rate: Some(10.0), ..trades(0) };
    let stop = sleep(Duration::from_secs(seconds));
    let produced = produce(&bench.context.clients.kinesis, &stream, options, reporter.as_ref(), stop).await;
    produced.map_err(|error| Error::of(&error))
}

fn refuse(bench: &Bench, refusal: Refusal) {
    let mut account = bench.account();
    account.faults.clear();
    account.faults.push(Fault { operation: "PutRecords", when: When::Always, refusal });
}

/// Why records were told to be refused.
fn refused(bench: &Bench) -> Vec<String> {
    let told = bench.events().into_iter().filter_map(|event| match event {
        Event::RecordsRefused { reason, .. } => Some(reason),
        _ => None,
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn why_records_are_refused_is_told_once_and_again_where_the_reason_changes() {
    let bench = with_shards(1).await;
    refuse(&bench, Refusal::broken("kinesis"));
    let later = async {
        sleep(Duration::from_secs(60)).await;
        refuse(&bench, Refusal::new(200, "", "<html>Log in</html>"));
    };
    let (produced, ()) = tokio::join!(send_for(&bench, 120), later);
    let told = refused(&bench);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("InternalFailure"), "{told:?}");
    assert_eq!(told[1], "what answered (HTTP 200) doesn't speak like AWS");
    // Told to stop, with all of it refused.
    let produced = produced.unwrap();
    assert!(produced.sent == 0 && produced.lost > 0, "{produced:?}");
    let error = lost_by_a_stop(&produced, Kind::Terminated).unwrap();
    assert_eq!(error.kind, Kind::Terminated);
    assert_eq!(error.message, format!("interrupted: 0 records had been sent, {} lost", produced.lost));
    assert_eq!(lost_by_a_stop(&Produced { lost: 0, ..produced }, Kind::Terminated), None);
}

#[tokio::test(start_paused = true)]
async fn what_a_hiccup_refuses_is_not_told() {
    let bench = with_shards(1).await;
    bench.account().spells.push(spell("PutRecords", When::Times(2), Trouble::Broken));
    assert_eq!(send_for(&bench, 20).await.unwrap().lost, 0);
    assert_eq!(refused(&bench), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_never_gets_through_ends_it_at_once_and_is_named() {
    for (status, body) in [(403, "<html>blocked</html>"), (413, ""), (302, "")] {
        let bench = with_shards(1).await;
        refuse(&bench, Refusal::new(status, "", body));
        let error = send_for(&bench, 60).await.unwrap_err();
        assert_eq!(error.kind, Kind::Failed);
        assert_eq!(error.cause, Some(format!("what answered (HTTP {status}) doesn't speak like AWS")));
        assert!(error.remedies[0].contains("proxy"), "{:?}", error.remedies);
        assert_eq!(bench.calls("PutRecords").len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_it_half_way_tells_the_sum_and_what_to_do() {
    let gone = Refusal::new(400, "ResourceNotFoundException", "Stream trades not found.");
    let key = Refusal::new(400, "KMSAccessDeniedException", "The ciphertext refers to a key that …");
    for (refusal, remedy) in [(gone, "`status`"), (key, "policy")] {
        let bench = with_shards(1).await;
        let later = async {
            sleep(Duration::from_millis(4_220)).await;
            refuse(&bench, refusal);
        };
        let (outcome, ()) = tokio::join!(send_for(&bench, 60), later);
        let error = outcome.unwrap_err();
        assert!(error.message.contains("; 4"), "{}", error.message);
        assert!(error.message.ends_with(" records had been sent, 1 lost"), "{}", error.message);
        assert!(error.remedies.iter().any(|it| it.contains(remedy)), "{:?}", error.remedies);
    }
}
