use super::*;
use crate::data::testing::Recorder;
use crate::data::testing::kinesis::{ACCEPT, Answer, FakeStream};
use std::collections::BTreeSet;
use std::future::pending;
use tokio::time::sleep;

const RECORDS: ProduceOptions = ProduceOptions {
    source: Source::Trades { seed: 7, key: TradeField::TickerSymbol },
    records: Some(1_000),
    rate: None,
    shape: Load::Steady,
    duration: None,
    ordered: false,
};

async fn run(stream: &FakeStream, options: ProduceOptions) -> Result<Produced> {
    produce(&stream.client, "trades", options, &Recorder::default(), pending()).await
}

#[tokio::test(start_paused = true)]
async fn a_call_carries_at_most_five_hundred_records_and_all_arrive() {
    let stream = FakeStream::new(|_| ACCEPT);
    let produced = run(&stream, ProduceOptions { records: Some(10_001), ..RECORDS }).await.unwrap();
    assert_eq!((produced.sent, produced.resent, produced.lost), (10_001, 0, 0));
    assert!(stream.calls(|call| call.ids.len()).iter().all(|count| *count <= 500));
    assert_eq!(stream.accepted(), (1..=10_001).collect::<Vec<_>>());
    assert_eq!(stream.calls(|call| call.body["StreamName"].clone())[0], "trades");
}

#[tokio::test(start_paused = true)]
async fn refused_records_alone_are_sent_again() {
    let stream =
        FakeStream::new(
            |call| if call == 0 { Answer::Refuse(|place| matches!(place, 1 | 3)) } else { ACCEPT },
        );
    let produced = run(&stream, ProduceOptions { records: Some(5), ..RECORDS }).await.unwrap();
    assert_eq!(stream.calls(|call| call.ids.clone()), [vec![1, 2, 3, 4, 5], vec![2, 4]]);
    assert_eq!((produced.sent, produced.resent, produced.lost), (5, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn every_record_arrives_exactly_once_when_a_third_is_refused() {
    let stream = FakeStream::new(|_| Answer::Refuse(|place| place % 3 == 0));
    let stubborn = run(&stream, ProduceOptions { records: Some(6_000), ..RECORDS });
    // The first record of every call is refused, so one is never accepted.
    let error = Error::of(&stubborn.await.unwrap_err());
    assert_eq!(error.kind, Kind::Failed);

    let stream = FakeStream::new(|call| {
        if call % 2 == 0 {
            Answer::Refuse(|place| place % 3 == 0)
        } else {
            Answer::Refuse(|place| place % 3 == 1)
        }
    });
    let produced = run(&stream, ProduceOptions { records: Some(6_000), ..RECORDS }).await.unwrap();
    let mut accepted = stream.accepted();
    accepted.sort_unstable();
    assert_eq!(accepted, (1..=6_000).collect::<Vec<_>>());
    assert_eq!((produced.sent, produced.lost), (6_000, 0));
    assert_eq!(produced.resent as usize, stream.calls(|call| call.ids.len()).iter().sum::<usize>() - 6_000);
}

#[tokio::test(start_paused = true)]
async fn throttles_faults_and_resets_lose_nothing() {
    let stream = FakeStream::new(|call| match call {
        0..=7 => Answer::Error(400, "ProvisionedThroughputExceededException"),
        8..=15 => Answer::Error(500, "InternalFailureException"),
        16..=25 => Answer::Reset,
        _ => ACCEPT,
    });
    let produced = run(&stream, RECORDS).await.unwrap();
    assert_eq!((produced.sent, produced.lost), (1_000, 0));
    let mut accepted = stream.accepted();
    accepted.sort_unstable();
    assert_eq!(accepted, (1..=1_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_means_twice_rather_than_never() {
    let stream = FakeStream::new(|call| if call == 0 { Answer::TakeAndReset } else { ACCEPT });
    let produced = run(&stream, RECORDS).await.unwrap();
    assert_eq!((produced.sent, produced.lost), (1_000, 0));
    let accepted = stream.accepted();
    assert_eq!(accepted.len(), 1_500);
    assert_eq!(accepted.into_iter().collect::<BTreeSet<_>>().len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn five_minutes_without_any_success_end_it_with_the_counts() {
    let start = Instant::now();
    let stream = FakeStream::new(|call| if call == 0 { ACCEPT } else { Answer::Refuse(|_| true) });
    let reporter = Recorder::default();
    let options = ProduceOptions { records: Some(2_000), ..RECORDS };
    let error = produce(&stream.client, "trades", options, &reporter, pending()).await.unwrap_err();
    let error = Error::of(&error);
    assert_eq!(error.kind, Kind::Failed);
    // Two calls were under way by then; the rest was never made.
    assert_eq!(error.message, "gave up on 1000 of 1500 records: stream trades accepted none for 5 minutes");
    assert!(error.cause.unwrap().starts_with("ProvisionedThroughputExceededException: Rate exceeded"));
    assert!((300.0..320.0).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
    let Some((_, Event::Producing(last))) = reporter.events().pop() else { panic!("nothing told") };
    assert_eq!((last.sent, last.lost), (500, 1_000));
    let gaps: Vec<Duration> = stream.calls(|call| call.at).windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap <= Duration::from_millis(5_100)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_there_ends_it_at_once() {
    let start = Instant::now();
    let stream = FakeStream::new(|_| Answer::Error(400, "ResourceNotFoundException"));
    let error = run(&stream, RECORDS).await.unwrap_err();
    assert!(format!("{error:#}").contains("put records into stream trades"), "{error:#}");
    assert_eq!(stream.calls(|_| ()).len(), 1);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_ends_with_everything_in_flight_accounted_for() {
    let start = Instant::now();
    let stream =
        FakeStream::new(|call| if call % 2 == 0 { Answer::Refuse(|place| place % 3 == 1) } else { ACCEPT });
    let endless = ProduceOptions { records: None, ..RECORDS };
    let stop = sleep(Duration::from_secs(3));
    let produced = produce(&stream.client, "trades", endless, &Recorder::default(), stop).await.unwrap();
    let accepted = stream.accepted();
    assert_eq!((produced.sent, produced.lost), (accepted.len() as u64, 0));
    let distinct: BTreeSet<u64> = accepted.into_iter().collect();
    assert_eq!(distinct.last(), Some(&produced.sent), "ids without a gap");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlives_ctrl_c_is_not_waited_for_and_counts_as_lost() {
    let start = Instant::now();
    let stream =
        FakeStream::new(|call| if call == 2 { Answer::Slow(Duration::from_secs(50)) } else { ACCEPT });
    let paced = ProduceOptions { records: None, rate: Some(1.0), ..RECORDS };
    let stop = sleep(Duration::from_millis(4_500));
    let produced = produce(&stream.client, "trades", paced, &Recorder::default(), stop).await.unwrap();
    assert_eq!((produced.sent, produced.lost), (4, 1));
    assert!(
        (start.elapsed() - Duration::from_millis(11_500)) < Duration::from_millis(10),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn rate_one_sends_one_record_a_second() {
    let start = Instant::now();
    let stream = FakeStream::new(|_| Answer::Slow(Duration::from_millis(300)));
    run(&stream, ProduceOptions { records: Some(100), rate: Some(1.0), ..RECORDS }).await.unwrap();
    for (second, (at, ids)) in stream.calls(|call| (call.at, call.ids.clone())).into_iter().enumerate() {
        let late = (at - start) - Duration::from_secs(second as u64);
        assert!(ids.len() == 1 && late < Duration::from_millis(5), "{second}: {ids:?} {late:?} late");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_for_a_duration_sends_exactly_their_product() {
    let stream = FakeStream::new(|_| ACCEPT);
    let options = ProduceOptions {
        records: None,
        rate: Some(250.0),
        duration: Some(Duration::from_secs(8)),
        ..RECORDS
    };
    let produced = run(&stream, options).await.unwrap();
    assert_eq!((produced.sent, stream.accepted().len()), (2_000, 2_000));
    assert!((7.9..8.2).contains(&produced.seconds), "{}", produced.seconds);
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_at_most_four_times_a_second_and_ends_with_the_sum() {
    let stream = FakeStream::new(|_| Answer::Slow(Duration::from_millis(200)));
    let reporter = Recorder::default();
    let options = ProduceOptions { records: None, duration: Some(Duration::from_secs(5)), ..RECORDS };
    let produced = produce(&stream.client, "trades", options, &reporter, pending()).await.unwrap();
    let events = reporter.events();
    assert!((15..=22).contains(&events.len()), "{} events", events.len());
    assert_eq!(events.last().unwrap().1, Event::Producing(produced.clone()));
    assert_eq!(produced.sent as usize, stream.accepted().len());
}

#[tokio::test(start_paused = true)]
async fn a_saturated_stream_is_not_flooded() {
    let stream = FakeStream::new(|_| Answer::Slow(Duration::from_secs(4)));
    run(&stream, ProduceOptions { records: Some(3_000), ..RECORDS }).await.unwrap();
    let times = stream.calls(|call| call.at);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(4)), "{times:?}");
}
