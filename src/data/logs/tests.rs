use super::*;
use crate::data::testing::Recorder;
use crate::data::testing::logs::{FakeLogs, Instead, live};
use crate::error::Kind;
use tokio::time::sleep;

const PROCESSOR: &str = "/kinesis-stack/dev/processor";
const DELIVERY: &str = "/kinesis-stack/dev/delivery";
/// Some time in 2026, in milliseconds.
const NOW: i64 = 1_795_608_331_000;

fn groups() -> Vec<LogGroup> {
    let group = |source, name: &str| LogGroup {
        source,
        name: name.to_owned(),
        arn: format!("arn:aws:logs:eu-west-1:123456789012:log-group:{name}"),
    };
    vec![group(Source::Processor, PROCESSOR), group(Source::Delivery, DELIVERY)]
}

fn wish() -> LogsWish {
    LogsWish {
        since: Timestamp::from_millisecond(NOW - 600_000).unwrap(),
        follows: false,
        live_tail: false,
        grep: None,
        errors: false,
        together: false,
    }
}

struct Found {
    messages: Vec<String>,
    events: Vec<Event>,
    ended: Result<u64>,
}

/// Reads, and stops after so many seconds, while `meanwhile` happens.
async fn found(logs: &FakeLogs, wish: &LogsWish, seconds: u64, meanwhile: impl Future<Output = ()>) -> Found {
    let (reporter, groups, mut messages) = (Recorder::default(), groups(), Vec::new());
    let mut each = |entry: &LogEntry| {
        messages.push(entry.message.clone());
        Ok(())
    };
    let stop = sleep(Duration::from_secs(seconds));
    let (ended, ()) = tokio::join!(read(&logs.client, &groups, wish, &reporter, &mut each, stop), meanwhile);
    Found { messages, ended, events: reporter.events().into_iter().map(|(_, event)| event).collect() }
}

async fn all(logs: &FakeLogs, wish: &LogsWish) -> Found {
    found(logs, wish, 3_600, async {}).await
}

fn plain(page: usize) -> FakeLogs {
    FakeLogs::new(page, true, |_, _| None)
}

#[tokio::test(start_paused = true)]
async fn both_logs_are_one_in_the_order_of_time_across_pages_and_streams() {
    let logs = FakeLogs::new(7, true, |operation, before| {
        (operation == "FilterLogEvents" && before == 1).then_some(Instead::Nothing)
    });
    for place in 0..100 {
        let group = if place % 3 == 0 { DELIVERY } else { PROCESSOR };
        logs.put(group, &format!("stream {}", place % 4), NOW + place, &place.to_string());
    }
    logs.put(PROCESSOR, "old", NOW - 600_001, "too old");
    let found = all(&logs, &wish()).await;
    assert_eq!(found.ended.unwrap(), 100);
    assert_eq!(found.messages, (0..100).map(|place| place.to_string()).collect::<Vec<_>>());
    let calls = logs.calls();
    assert!(calls.windows(2).all(|pair| pair[1].1 - pair[0].1 >= BETWEEN), "never more than four a second");
}

const BETWEEN: Duration = Duration::from_millis(250);

#[tokio::test(start_paused = true)]
async fn a_service_that_gives_full_pages_without_a_token_is_asked_for_the_rest() {
    let logs = FakeLogs::new(10_000, false, |_, _| None);
    let count = 20_500;
    {
        // Seven lines of each millisecond, some of them the same.
        for place in 0..count {
            let message = if place % 7 < 2 { "same".to_owned() } else { place.to_string() };
            logs.put_later(PROCESSOR, "s", NOW + place / 7, &message);
        }
        logs.sort();
    }
    logs.put(DELIVERY, "s", NOW, "one");
    let found = all(&logs, &wish()).await;
    assert_eq!(found.ended.unwrap(), count as u64 + 1);
    let same = found.messages.iter().filter(|message| *message == "same").count();
    assert_eq!(same, (0..count).filter(|place| place % 7 < 2).count());
}

#[tokio::test(start_paused = true)]
async fn a_log_group_that_is_not_there_is_told_once_and_no_error() {
    let logs = plain(10);
    logs.put(PROCESSOR, "s", NOW, "one");
    let looked = all(&logs, &wish()).await;
    assert_eq!(looked.messages, ["one"]);
    let told: Vec<&Event> =
        looked.events.iter().filter(|it| matches!(it, Event::LogGroupMissing { .. })).collect();
    assert_eq!(told, [&Event::LogGroupMissing { group: DELIVERY.to_owned() }]);

    let logs = plain(10);
    let followed = LogsWish { follows: true, ..wish() };
    let found = found(&logs, &followed, 60, async {
        sleep(Duration::from_secs(30)).await;
        logs.put(DELIVERY, "s", NOW + 30_000, "at last");
    });
    let found = found.await;
    assert_eq!(found.messages, ["at last"]);
    assert_eq!(found.events.iter().filter(|it| matches!(it, Event::LogGroupMissing { .. })).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_ends_it_and_what_passes_does_not_end_following() {
    let denied = FakeLogs::new(10, true, |_, _| Some(Instead::Refuse("AccessDeniedException")));
    let followed = LogsWish { follows: true, ..wish() };
    assert_eq!(Error::of(&all(&denied, &followed).await.ended.unwrap_err()).kind, Kind::Credentials);

    let throttled =
        FakeLogs::new(10, true, |_, before| (before < 12).then_some(Instead::Refuse("ThrottlingException")));
    throttled.put(PROCESSOR, "s", NOW, "one");
    throttled.put(DELIVERY, "s", NOW, "two");
    let found = found(&throttled, &followed, 120, async {}).await;
    assert_eq!((found.ended.unwrap(), found.messages.len()), (2, 2));
    assert!(found.events.iter().any(|it| matches!(it, Event::PollFailed { .. })));
    let once = FakeLogs::new(10, true, |_, _| Some(Instead::Refuse("ThrottlingException")));
    assert!(all(&once, &wish()).await.ended.is_err(), "who looks but once is told");
}

#[tokio::test(start_paused = true)]
async fn following_shows_late_events_and_none_twice() {
    let logs = plain(5);
    logs.put(PROCESSOR, "a", NOW, "0");
    let followed = LogsWish { follows: true, ..wish() };
    let found = found(&logs, &followed, 900, async {
        for place in 1..200_i64 {
            sleep(Duration::from_secs(3)).await;
            let time = NOW + place * 3_000;
            // Every fifth is a minute late, and some are the same as others of that moment.
            let late = if place % 5 == 0 { 60_000 } else { 0 };
            logs.put(if place % 2 == 0 { PROCESSOR } else { DELIVERY }, "a", time - late, &place.to_string());
            if place % 10 == 0 {
                logs.put(PROCESSOR, "a", time - late, &place.to_string());
            }
        }
    });
    let found = found.await;
    let mut shown: Vec<i64> = found.messages.iter().map(|message| message.parse().unwrap()).collect();
    shown.sort_unstable();
    let mut expected: Vec<i64> = (0..200).chain((1..200).filter(|place| place % 10 == 0)).collect();
    expected.sort_unstable();
    assert_eq!(shown, expected);
    let looks = logs.calls().len();
    assert!(looks < 900 * 4, "{looks} calls in 15 minutes");
}

#[tokio::test(start_paused = true)]
async fn live_tail_and_looks_together_show_each_event_once_and_without_it_it_is_polled() {
    let logs = FakeLogs::new(10, true, |operation, before| {
        let told = vec![
            live(PROCESSOR, "a", NOW + 1, "by both"),
            live(DELIVERY, "b", NOW + 2, "by live tail first"),
        ];
        match (operation, before) {
            ("StartLiveTail", 0) => Some(Instead::Tail(told)),
            ("StartLiveTail", _) => Some(Instead::Refuse("AccessDeniedException")),
            _ => None,
        }
    });
    logs.put(PROCESSOR, "a", NOW, "before");
    logs.put(PROCESSOR, "a", NOW + 1, "by both");
    logs.put(DELIVERY, "b", NOW, "too");
    let followed = LogsWish { follows: true, live_tail: true, ..wish() };
    let found = found(&logs, &followed, 120, async {
        sleep(Duration::from_secs(20)).await;
        logs.put(DELIVERY, "b", NOW + 2, "by live tail first");
        logs.put(DELIVERY, "b", NOW + 3, "by a look alone");
    });
    let found = found.await;
    assert_eq!(found.messages, ["before", "too", "by both", "by live tail first", "by a look alone"]);
    let told: Vec<&Event> =
        found.events.iter().filter(|it| matches!(it, Event::LogsFollowed { .. })).collect();
    let [Event::LogsFollowed { live_tail: true, .. }, Event::LogsFollowed { live_tail: false, because }] =
        told[..]
    else {
        panic!("{told:?}")
    };
    assert!(because.as_ref().unwrap().contains("AccessDenied"), "{because:?}");
}

#[tokio::test(start_paused = true)]
async fn live_tail_that_ends_at_once_again_and_again_is_given_up() {
    let logs =
        FakeLogs::new(10, true, |operation, _| (operation == "StartLiveTail").then(|| Instead::Tail(vec![])));
    logs.put(PROCESSOR, "a", NOW, "one");
    let followed = LogsWish { follows: true, live_tail: true, ..wish() };
    let found = found(&logs, &followed, 600, async {}).await;
    assert_eq!(found.messages, ["one"]);
    assert_eq!(logs.calls().iter().filter(|(operation, _)| operation == "StartLiveTail").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_asked_for_is_shown() {
    let logs = plain(10);
    for (place, message) in [
        r#"{"level":"INFO","message":"batch transformed","records":2,"ok":2,"failed":0}"#,
        r#"{"level":"WARN","message":"records answered ProcessingFailed","reason":"not JSON"}"#,
        r#"{"level":"INFO","message":"batch transformed","records":2,"ok":1,"failed":1}"#,
        "REPORT RequestId: 1\tDuration: 1.00 ms\t",
    ]
    .iter()
    .enumerate()
    {
        logs.put(PROCESSOR, "a", NOW + place as i64, message);
    }
    logs.put(
        DELIVERY,
        "b",
        NOW + 9,
        r#"{"deliveryStreamARN":"d","errorCode":"S3.AccessDenied","message":"m"}"#,
    );
    let errors = all(&logs, &LogsWish { errors: true, ..wish() }).await;
    assert_eq!(errors.messages.len(), 3, "{:?}", errors.messages);
    let grep = all(&logs, &LogsWish { grep: Some("Failed".to_owned()), ..wish() }).await;
    assert_eq!(grep.messages.len(), 1, "part of a word is enough: {:?}", grep.messages);
    let both = all(&logs, &LogsWish { grep: Some("batch".to_owned()), errors: true, ..wish() }).await;
    assert_eq!(both.messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invocation_that_still_runs_is_shown_when_it_ends_there() {
    let logs = plain(10);
    logs.put(PROCESSOR, "a", NOW, "START RequestId: 1 Version: $LATEST");
    logs.put(PROCESSOR, "a", NOW + 1, "one");
    logs.put(DELIVERY, "b", NOW + 2, "two");
    logs.put(DELIVERY, "b", NOW + 3, "three");
    let found = all(&logs, &LogsWish { together: true, ..wish() }).await;
    assert_eq!(found.messages, ["two", "three", "START RequestId: 1 Version: $LATEST", "one"]);
    assert_eq!(found.ended.unwrap(), 4);
}
