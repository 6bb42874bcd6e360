//! `up --ttl` and `extend`: when an environment's time is over.

use crate::bench::{Bench, STACK, until_called};
use jiff::{SignedDuration, Timestamp};
use kinesis_stack::environment::{TAG_EXPIRES, TAG_PULL_REQUEST};
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::{Done, Event};
use kinesis_stack::settings::Ttl;
use kinesis_stack::stack::extend;
use simulated_aws::{Fault, Kill, Refusal, When};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

const HOUR: u64 = 3_600;

fn ttl(seconds: u64) -> Option<Ttl> {
    Some(Ttl::For(seconds))
}

fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

fn expires(bench: &Bench) -> Option<Timestamp> {
    let mut account = bench.account();
    let tags = &account.stack(STACK).unwrap().deployed.tags;
    tags.get(TAG_EXPIRES).map(|tag| tag.parse().unwrap())
}

/// An environment that lives for four hours.
async fn living() -> Bench {
    let mut bench = Bench::new();
    bench.means.ttl = ttl(4 * HOUR);
    bench.up().await.unwrap();
    bench.forget();
    bench
}

async fn extend(bench: &Bench, by: Ttl) -> Result<Done, Error> {
    let done = extend::extend(&bench.context, by, bench.conduct.timeout).await;
    done.map_err(|error| Error::of(&error))
}

#[tokio::test(start_paused = true)]
async fn an_environment_is_tagged_with_the_end_of_its_time_and_the_end_of_up_tells_it() {
    let mut bench = Bench::new();
    bench.means.ttl = ttl(4 * HOUR);
    let began = bench.context.clock.now();
    let done = bench.up().await.unwrap();
    let expires = expires(&bench).unwrap();
    assert!(expires >= began + hours(4) - SignedDuration::from_secs(1) && expires <= began + hours(5));
    assert_eq!(done.expires, Some(expires.to_string()));
    assert_eq!(done.plan.unwrap().expires, Some(expires.to_string()));
}

#[tokio::test(start_paused = true)]
async fn up_twice_in_a_row_changes_nothing_and_plan_says_so() {
    let bench = living().await;
    assert_eq!(bench.up().await.unwrap().changed, Some(false));
    assert_eq!(bench.plan().await.unwrap().exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_is_renewed_when_more_than_a_tenth_of_it_is_used_up() {
    let bench = living().await;
    let before = expires(&bench).unwrap();
    sleep(Duration::from_secs(HOUR)).await;
    let plan = bench.plan().await.unwrap();
    assert_eq!((plan.exit_code(), plan.expires_before), (10, Some(before.to_string())));
    assert!(plan.expires > Some(before.to_string()));
    assert_eq!(bench.up().await.unwrap().changed, Some(true));
    let renewed = expires(&bench).unwrap();
    assert!(renewed >= before + SignedDuration::from_mins(55), "{before} {renewed}");
}

#[tokio::test(start_paused = true)]
async fn without_a_lifetime_the_end_stays_as_it_is_and_none_takes_it_away() {
    let mut bench = living().await;
    let before = expires(&bench);
    sleep(Duration::from_secs(HOUR)).await;
    bench.means.ttl = None;
    assert_eq!(bench.up().await.unwrap().changed, Some(false));
    bench.shape.shards = 2;
    bench.up().await.unwrap();
    assert_eq!(expires(&bench), before);
    bench.means.ttl = Some(Ttl::Never);
    assert_eq!(bench.up().await.unwrap().expires, None);
    assert_eq!(expires(&bench), None);
}

#[tokio::test(start_paused = true)]
async fn an_environment_whose_time_is_over_says_so_and_is_brought_up_to_date_all_the_same() {
    let mut bench = living().await;
    sleep(Duration::from_secs(5 * HOUR)).await;
    bench.means.ttl = None;
    bench.shape.shards = 2;
    assert_eq!(bench.up().await.unwrap().changed, Some(true));
    let told = bench.events().into_iter().any(|event| matches!(event, Event::Expired { .. }));
    assert!(told, "{:?}", bench.events());
}

#[tokio::test(start_paused = true)]
async fn a_protected_environment_gets_no_lifetime_and_protecting_takes_one_away() {
    let mut bench = living().await;
    bench.means.ttl = None;
    bench.means.protection = Some(true);
    bench.up().await.unwrap();
    assert_eq!(expires(&bench), None);
    bench.means.protection = None;
    bench.means.ttl = ttl(4 * HOUR);
    bench.forget();
    for error in [bench.up().await.unwrap_err(), bench.plan().await.unwrap_err()] {
        assert_eq!(error.kind, Kind::Refused, "{error}");
        assert!(error.remedies[0].contains("--no-protect"), "{error:?}");
    }
    assert_eq!(bench.changes(), [""; 0]);
    bench.means.protection = Some(false);
    bench.up().await.unwrap();
    assert!(expires(&bench).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_reviewed_plan_gives_the_very_end_that_was_reviewed_or_is_refused_when_that_is_over() {
    let mut bench = living().await;
    sleep(Duration::from_secs(HOUR)).await;
    let plan = bench.plan().await.unwrap();
    sleep(Duration::from_secs(2 * HOUR)).await;
    bench.reviewed = Some(plan.clone());
    assert_eq!(bench.up().await.unwrap().expires, plan.expires);
    sleep(Duration::from_secs(9 * HOUR)).await;
    let error = bench.up().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.message.contains("is over"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_pull_request_that_made_an_environment_stays_the_one_that_is_named() {
    let mut bench = Bench::new();
    bench.means.pull_request = Some("ada/trades/pull/42".to_owned());
    bench.up().await.unwrap();
    bench.means.pull_request = Some("ada/trades/pull/43".to_owned());
    assert_eq!(bench.up().await.unwrap().changed, Some(false));
    let tags = bench.account().stack(STACK).unwrap().deployed.tags.clone();
    assert_eq!(tags.get(TAG_PULL_REQUEST).map(String::as_str), Some("ada/trades/pull/42"));
}

#[tokio::test(start_paused = true)]
async fn up_with_a_lifetime_killed_at_any_call_is_finished_by_the_next_up() {
    let mut start = living().await;
    sleep(Duration::from_secs(HOUR)).await;
    start.account().script.pace = 0.004;
    start.shape.shards = 2;
    let calls = calls_of(&start, |bench| Box::pin(async move { bench.up().await.map(drop) })).await;
    for at in 0..calls {
        for after_effect in [false, true] {
            let bench = start.branch();
            killed(&bench, at, after_effect, bench.up()).await;
            bench.up().await.unwrap_or_else(|error| panic!("{at}: {error}"));
            let left = expires(&bench).unwrap().duration_since(bench.context.clock.now());
            assert!(left > SignedDuration::from_mins(210) && left <= hours(4), "{at} {left}");
            assert_eq!(bench.up().await.unwrap().changed, Some(false), "{at}");
        }
    }
}

/// How many calls it makes on a branch.
async fn calls_of(
    start: &Bench,
    work: impl for<'a> Fn(&'a Bench) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>,
) -> usize {
    let bench = start.branch();
    bench.forget();
    work(&bench).await.unwrap();
    bench.called().len()
}

async fn killed<T: std::fmt::Debug>(
    bench: &Bench,
    at: usize,
    after_effect: bool,
    work: impl Future<Output = T>,
) {
    let signal = Arc::new(Notify::new());
    bench.forget();
    bench.account().kill = Some(Kill { at, after_effect, signal: signal.clone() });
    tokio::select! {
        ended = work => panic!("ended before its call {at}: {ended:?}"),
        () = signal.notified() => {}
    }
}

#[tokio::test(start_paused = true)]
async fn an_extension_adds_to_what_is_left_and_changes_nothing_but_that_tag() {
    let bench = living().await;
    let (before, deployed) =
        (expires(&bench).unwrap(), bench.account().stack(STACK).unwrap().deployed.clone());
    let done = extend(&bench, Ttl::For(2 * HOUR)).await.unwrap();
    assert_eq!(expires(&bench), Some(before + hours(2)));
    assert_eq!((done.changed, done.expires), (Some(true), Some((before + hours(2)).to_string())));
    assert_eq!(bench.changes(), ["UpdateStack"]);
    let now = bench.account().stack(STACK).unwrap().deployed.clone();
    assert_eq!((now.template, now.parameters), (deployed.template, deployed.parameters));
    let others = |mut tags: std::collections::BTreeMap<String, String>| {
        tags.remove(TAG_EXPIRES);
        tags
    };
    assert_eq!(others(now.tags), others(deployed.tags));
    assert!(bench.events().iter().any(|event| matches!(event, Event::Extended { .. })));
    // What was given stays given, also when a pipeline brings it up once more.
    assert_eq!(bench.up().await.unwrap().changed, Some(false));
}

#[tokio::test(start_paused = true)]
async fn an_extension_begins_now_where_time_is_over_and_none_ends_it() {
    let bench = living().await;
    sleep(Duration::from_secs(9 * HOUR)).await;
    let about = |expires: Option<Timestamp>, bench: &Bench| {
        let left = expires.unwrap().duration_since(bench.context.clock.now());
        left > SignedDuration::from_mins(110) && left <= hours(2)
    };
    extend(&bench, Ttl::For(2 * HOUR)).await.unwrap();
    assert!(about(expires(&bench), &bench));
    let done = extend(&bench, Ttl::Never).await.unwrap();
    assert_eq!((done.expires, expires(&bench)), (None, None));
    assert_eq!(extend(&bench, Ttl::Never).await.unwrap().changed, Some(false));
}

#[tokio::test(start_paused = true)]
async fn what_never_ends_is_not_given_an_end_by_an_extension() {
    let bench = Bench::deployed().await;
    let error = extend(&bench, Ttl::For(2 * HOUR)).await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::Refused, 5));
    assert!(error.message.contains("never ends"), "{error}");
    assert!(error.remedies[0].contains("kinesis-stack up --ttl 2h"), "{error:?}");
    assert_eq!((bench.changes(), expires(&bench)), (Vec::new(), None));
}

#[tokio::test(start_paused = true)]
async fn a_reviewed_plan_is_refused_where_somebody_extended_the_environment_since() {
    let bench = living().await;
    sleep(Duration::from_secs(HOUR)).await;
    for means in [ttl(4 * HOUR), None, Some(Ttl::Never)] {
        let mut bench = bench.branch();
        bench.means.ttl = means;
        bench.shape.shards = 2;
        bench.reviewed = Some(bench.plan().await.unwrap());
        extend(&bench, Ttl::For(10 * HOUR)).await.unwrap();
        let extended = expires(&bench);
        bench.forget();
        let error = bench.up().await.unwrap_err();
        assert_eq!(error.kind, Kind::Refused, "{means:?}: {error}");
        let cause = error.cause.unwrap();
        assert!(cause.contains("the end of its time was"), "{means:?}: {cause}");
        assert_eq!(expires(&bench), extended, "{means:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_foreign_protected_or_stuck_is_not_extended() {
    let nothing = Bench::new();
    assert_eq!(extend(&nothing, Ttl::For(HOUR)).await.unwrap_err().kind, Kind::NoSuchEnvironment);

    let bench = living().await;
    bench.account().stack(STACK).unwrap().protected = true;
    assert_eq!(extend(&bench, Ttl::For(HOUR)).await.unwrap_err().kind, Kind::Refused);
    bench.account().stack(STACK).unwrap().protected = false;
    bench.account().stack(STACK).unwrap().deployed.tags.clear();
    assert_eq!(extend(&bench, Ttl::For(HOUR)).await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.changes(), [""; 0]);

    let stuck = Bench::new();
    stuck.account().script.failing.insert("Delivery".to_owned(), "The moon is full.".to_owned());
    stuck.up().await.unwrap_err();
    let error = extend(&stuck, Ttl::For(HOUR)).await.unwrap_err();
    assert_eq!(error.kind, Kind::DeploymentFailed);
    assert!(error.message.contains("ROLLBACK_COMPLETE") && !error.remedies.is_empty(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_extension_waits_for_somebody_elses_operation() {
    let bench = living().await;
    let before = expires(&bench).unwrap();
    bench.account().somebody_updates(STACK);
    extend(&bench, Ttl::For(HOUR)).await.unwrap();
    assert_eq!(expires(&bench), Some(before + hours(1)));
    let tags = bench.account().stack(STACK).unwrap().deployed.tags.clone();
    assert_eq!(tags.get("somebody").map(String::as_str), Some("else"), "theirs stays");
}

#[tokio::test(start_paused = true)]
async fn an_extension_adds_once_however_often_its_call_is_made() {
    let bench = living().await;
    let before = expires(&bench).unwrap();
    let refusal = Refusal::throttled("cloudformation");
    bench.account().faults.push(Fault {
        operation: "UpdateStack",
        when: When::Times(12),
        refusal: refusal.clone(),
    });
    bench.account().faults.push(Fault { operation: "DescribeStackEvents", when: When::Times(12), refusal });
    extend(&bench, Ttl::For(HOUR)).await.unwrap();
    assert_eq!(expires(&bench), Some(before + hours(1)));
}

#[tokio::test(start_paused = true)]
async fn an_extension_killed_at_any_call_and_run_again_has_added_once_or_twice() {
    let start = living().await;
    start.account().script.pace = 0.004;
    let before = expires(&start).unwrap();
    let by = Ttl::For(2 * HOUR);
    let calls = calls_of(&start, |bench| Box::pin(async move { extend(bench, by).await.map(drop) })).await;
    for at in 0..calls {
        for after_effect in [false, true] {
            let bench = start.branch();
            killed(&bench, at, after_effect, extend(&bench, by)).await;
            extend(&bench, by).await.unwrap_or_else(|error| panic!("{at}: {error}"));
            let added = expires(&bench).unwrap().duration_since(before);
            assert!(added == hours(2) || added == hours(4), "{at} {added}");
            assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_is_told_to_stop_stops_and_says_what_goes_on() {
    let bench = living().await;
    let (aws, signal) = (bench.aws.clone(), bench.signal.clone());
    let tell = async {
        until_called(&aws, "UpdateStack").await;
        signal.send(Kind::Interrupted);
    };
    let (ended, ()) = tokio::join!(extend(&bench, Ttl::For(HOUR)), tell);
    let error = ended.unwrap_err();
    assert_eq!(error.kind, Kind::Interrupted);
    assert!(error.message.contains("may be set"), "{error}");
    assert!(error.remedies[0].contains("list"), "{error:?}");
    assert_eq!(bench.changes(), ["UpdateStack"]);
}

/// What an `extend` says that is told to stop as soon as this is so.
async fn extend_told_to_stop(bench: &Bench, when: impl Fn() -> bool) -> Error {
    let tell = async {
        while !when() {
            sleep(Duration::from_millis(10)).await;
        }
        bench.signal.send(Kind::Interrupted);
    };
    let (ended, ()) = tokio::join!(extend(bench, Ttl::For(HOUR)), tell);
    ended.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_is_told_to_stop_before_it_asked_says_that_it_has_to_be_run_again() {
    let bench = living().await;
    bench.account().faults.push(Fault {
        operation: "DescribeStackEvents",
        when: When::Between(Duration::ZERO, Duration::from_secs(100 * HOUR)),
        refusal: Refusal::throttled("cloudformation"),
    });
    let error = extend_told_to_stop(&bench, || bench.called().len() > 1).await;
    assert!(error.message.contains("nothing was changed"), "{error}");
    assert_eq!(error.remedies, ["Run it again."]);
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_is_told_to_stop_when_it_is_done_says_that_the_new_time_is_set() {
    let bench = living().await;
    let before = expires(&bench).unwrap();
    let error = extend_told_to_stop(&bench, || bench.status().as_deref() == Some("UPDATE_COMPLETE")).await;
    assert_eq!(error.kind, Kind::Interrupted);
    let end = (before + hours(1)).to_string();
    assert!(error.message.contains("is set") && error.message.contains(&end), "{error}");
    assert_eq!(error.remedies, [""; 0]);
}
