//! What goes wrong on the way.

use crate::bench::{Bench, STACK};
use kinesis_stack::error::Kind;
use kinesis_stack::event::{Event, ResourceEvent};
use simulated_aws::{Fault, Refusal, When, reasons};
use std::collections::BTreeMap;
use std::time::Duration;

const REASON: &str = "The moon stands in the wrong house.";

/// Every call of this operation is denied.
pub fn denied(operation: &'static str) -> Fault {
    let message =
        format!("User: arn:aws:iam::123456789012:user/somebody is not authorized to perform: {operation}");
    Fault { operation, when: When::Always, refusal: Refusal::new(403, "AccessDenied", message) }
}

/// Every call of this operation is throttled for three minutes.
fn throttled(operation: &'static str, from: Duration) -> Fault {
    throttled_for(operation, from, Duration::from_secs(180))
}

fn throttled_for(operation: &'static str, from: Duration, long: Duration) -> Fault {
    let when = When::Between(from, from + long);
    Fault { operation, when, refusal: Refusal::new(400, "Throttling", "Rate exceeded") }
}

fn told(bench: &Bench) -> Vec<ResourceEvent> {
    let resource = |event| match event {
        Event::Resource(resource) => Some(resource),
        _ => None,
    };
    bench.events().into_iter().filter_map(resource).collect()
}

/// Each resource of the template, and the stack, began once and ended once.
fn assert_each_told_once(bench: &Bench) {
    let mut times = BTreeMap::new();
    for event in told(bench) {
        *times.entry((event.logical_id, event.status)).or_insert(0) += 1;
    }
    assert!(times.values().all(|times| *times == 1), "{times:#?}");
    assert_eq!(times.len(), 22, "{times:#?}");
}

fn polls_failed(bench: &Bench) -> usize {
    bench.events().iter().filter(|event| matches!(event, Event::PollFailed { .. })).count()
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_names_the_first_cause_in_awss_words() {
    for (failing, late) in
        [("Delivery", false), ("Delivery", true), ("Stream", false), ("ProcessorRole", false)]
    {
        let bench = Bench::new();
        {
            let script = &mut bench.account().script;
            script.failing.insert(failing.to_owned(), REASON.to_owned());
            script.late.extend(late.then(|| failing.to_owned()));
        }
        let error = bench.up().await.unwrap_err();
        assert_eq!(error.kind, Kind::DeploymentFailed);
        let cause = error.cause.unwrap();
        assert!(cause.starts_with(failing) && cause.ends_with(REASON), "late: {late}: {cause}");
        assert!(error.message.contains("ROLLBACK_COMPLETE"), "{}", error.message);
        assert!(!error.remedies.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_names_its_cause_and_that_it_was_rolled_back() {
    let bench = Bench::deployed().await;
    bench.account().script.failing.insert("Processor".to_owned(), REASON.to_owned());
    bench.code("#!/bin/sh\nexit\n");
    let error = bench.up().await.unwrap_err();
    assert_eq!(error.kind, Kind::DeploymentFailed);
    assert!(error.cause.unwrap().ends_with(REASON));
    assert!(error.message.contains("UPDATE_ROLLBACK_COMPLETE"), "{}", error.message);
    assert!(error.remedies.iter().any(|remedy| remedy.contains("rolled back")), "{:?}", error.remedies);

    bench.account().script.failing.clear();
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn three_minutes_of_throttling_do_not_end_a_watch() {
    let bench = Bench::new();
    bench.account().faults.push(throttled("DescribeStackEvents", Duration::from_secs(20)));
    bench.up().await.unwrap();
    assert!(bench.account().age() > Duration::from_secs(200));
    assert!(polls_failed(&bench) > 0);
    assert_each_told_once(&bench);
}

#[tokio::test(start_paused = true)]
async fn minutes_of_throttling_do_not_end_the_watch_of_somebodys_operation() {
    for operation in ["DescribeStackEvents", "DescribeStacks"] {
        let bench = Bench::deployed().await;
        let now = bench.account().age();
        bench.account().script.pace = 2.3;
        bench.account().somebody_updates(STACK);
        let (from, long) = (now + Duration::from_secs(2), Duration::from_secs(600));
        bench.account().faults.push(throttled_for(operation, from, long));
        bench.up().await.unwrap_or_else(|error| panic!("{operation}: {error}"));
        assert!(polls_failed(&bench) > 0, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_event_is_told_once_however_the_pages_come() {
    for (page, repeats, lag) in [(100, 0, 0.0), (4, 0, 0.0), (4, 2, 0.0), (2, 1, 0.0), (4, 1, 8.0)] {
        let bench = Bench::new();
        {
            let script = &mut bench.account().script;
            (script.page, script.repeats, script.event_lag_seconds) = (page, repeats, lag);
        }
        // A look that comes late finds many events at once.
        bench.account().faults.push(throttled("DescribeStackEvents", Duration::from_secs(3)));
        bench.up().await.unwrap();
        assert_each_told_once(&bench);
        let later_pages = bench
            .calls("DescribeStackEvents")
            .iter()
            .filter(|call| !call.get("NextToken").is_empty())
            .count();
        assert_eq!(later_pages > 0, page < 20, "{page} a page");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_how_long_each_takes_and_usually_takes_what_is_waited_for_and_the_critical_path() {
    let bench = Bench::new();
    let done = bench.up().await.unwrap();
    let ended = |it: &ResourceEvent| it.status == "CREATE_COMPLETE" && it.logical_id != STACK;
    let ended: Vec<ResourceEvent> = told(&bench).into_iter().filter(ended).collect();
    assert!(ended.len() > 5 && ended.iter().all(|it| it.seconds.is_some()), "{ended:#?}");
    let stream = ended.iter().find(|it| it.logical_id == "Stream").unwrap();
    assert!(stream.usual.is_some() && stream.seconds > Some(1.0), "{stream:?}");

    let events = bench.events();
    let waited = |event: &Event| matches!(event, Event::Waiting { resources } if !resources.is_empty());
    assert!(events.iter().any(waited));
    let path = events.iter().find_map(|event| match event {
        Event::CriticalPath { steps, seconds } => Some((steps.clone(), *seconds)),
        _ => None,
    });
    let (steps, seconds) = path.unwrap();
    assert_eq!(steps, done.critical_path);
    assert_eq!(steps.last().unwrap().logical_id, "Delivery", "{steps:?}");
    let explained: f64 = steps.iter().map(|step| step.seconds + step.idle_seconds).sum();
    assert!(explained > 0.9 * seconds && explained < 1.01 * seconds, "{explained} of {seconds} s: {steps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cause_that_is_known_is_told_with_what_it_means_here_and_what_to_do() {
    let bench = Bench::new();
    let reason = reasons::quota("AWS::KinesisFirehose::DeliveryStream");
    bench.account().script.failing.insert("Delivery".to_owned(), reason.clone());
    let error = bench.up().await.unwrap_err();
    assert!(error.cause.as_ref().is_some_and(|cause| cause.starts_with("Delivery")), "{error:?}");
    assert!(error.meaning.is_some() && !error.remedies.is_empty());
    let told = bench.events().into_iter().find_map(|event| match event {
        Event::Diagnosed(diagnosis) => Some(diagnosis),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!((told.logical_id.as_str(), Some(told.meaning)), ("Delivery", error.meaning));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_once_is_made_again() {
    let bench = Bench::new();
    for (operation, status, code) in [
        ("GetCallerIdentity", 503, "ServiceUnavailable"),
        ("CreateChangeSet", 400, "Throttling"),
        ("PutObject", 503, "SlowDown"),
        ("ExecuteChangeSet", 500, "InternalFailure"),
    ] {
        let refusal = Refusal::new(status, code, "try again");
        bench.account().faults.push(Fault { operation, when: When::Times(2), refusal });
    }
    bench.up().await.unwrap();
    assert_eq!(bench.calls("ExecuteChangeSet").len(), 3);
    let tokens: Vec<String> =
        bench.calls("CreateChangeSet").iter().map(|call| call.get("ClientToken").to_owned()).collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "a retry is the same request: {tokens:?}");
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_and_missing_permissions_are_told_with_what_to_do() {
    for (status, code) in [(403, "ExpiredToken"), (403, "InvalidClientTokenId"), (403, "AccessDenied")] {
        // (A forbidden HEAD tells no code: it is taken for somebody else's bucket.)
        for operation in ["GetCallerIdentity", "DescribeStacks", "CreateChangeSet", "DescribeStackEvents"] {
            let bench = Bench::new();
            let refusal = Refusal::new(status, code, "The security token included in the request is expired");
            bench.account().faults.push(Fault { operation, when: When::Always, refusal });
            let error = bench.up().await.unwrap_err();
            assert_eq!(error.kind, Kind::Credentials, "{operation} {code}: {error}");
            assert!(error.cause.unwrap().contains(code), "{operation}");
            assert!(!error.remedies.is_empty(), "{operation} {code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn time_that_runs_out_here_does_not_stop_the_operation_there() {
    let mut bench = Bench::new();
    bench.conduct.timeout = Duration::from_secs(30);
    let error = bench.up().await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::TimedOut, 7));
    assert!(!error.remedies.is_empty());
    assert_eq!(bench.status().as_deref(), Some("CREATE_IN_PROGRESS"));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(bench.up().await.unwrap().changed, Some(false));

    bench.conduct.timeout = Duration::from_secs(10);
    assert_eq!(bench.down().await.unwrap_err().kind, Kind::TimedOut);
    bench.conduct.timeout = Duration::from_secs(600);
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}
