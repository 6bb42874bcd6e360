//! The fast path: new code past CloudFormation.

use crate::bench::{ARTIFACTS, Bench, STACK};
use kinesis_stack::environment::artifact_key;
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::{Done, Event};
use kinesis_stack::settings::Ttl;
use kinesis_stack::stack::{code, inspect, state, up};
use simulated_aws::{Deed, Fault, Refusal, When};
use std::time::Duration;
use tokio::time::Instant;

const FUNCTION: &str = "kinesis-stack-dev-processor";

/// An ephemeral environment that is up.
async fn ephemeral() -> Bench {
    let mut bench = Bench::new();
    bench.means.ephemeral = true;
    bench.up().await.unwrap();
    bench.forget();
    bench
}

async fn code_only(bench: &Bench) -> Result<Done, Error> {
    let done = up::code_only(&bench.context, &bench.workshop, bench.conduct).await;
    done.map_err(|error| Error::of(&error))
}

/// Uploads the code as it is, and gives it to the function.
async fn update(bench: &Bench, sha256: &str) -> Result<(), Error> {
    let (key, timeout) = (artifact_key(sha256), Duration::from_secs(300));
    let updated = code::update_code(&bench.context, FUNCTION, ARTIFACTS, &key, sha256, timeout).await;
    updated.map_err(|error| Error::of(&error))
}

fn sha256(bench: &Bench) -> String {
    bench.workshop.at_hand().unwrap().sha256
}

async fn stack(bench: &Bench) -> state::Stack {
    state::find(&bench.context.clients.cloudformation, STACK).await.unwrap().unwrap()
}

async fn drifted(bench: &Bench) -> bool {
    let artifact = bench.workshop.at_hand().unwrap();
    code::drifted_code(&bench.context, &stack(bench).await, &artifact).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn new_code_runs_within_seconds_and_without_cloudformation() {
    let bench = ephemeral().await;
    bench.code("#!/bin/sh\nexit\n");
    let began = bench.account().age();
    code_only(&bench).await.unwrap();
    assert!(bench.account().age() - began < Duration::from_secs(15));
    assert_eq!(bench.changes(), ["PutPublicAccessBlock", "PutObject", "UpdateFunctionCode"]);
    let told = |event: &Event| matches!(event, Event::CodeUpdated { function, .. } if function == FUNCTION);
    assert_eq!(bench.events().iter().filter(|event| told(event)).count(), 1);

    // And the same once more is no change.
    bench.forget();
    code_only(&bench).await.unwrap();
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn code_that_went_past_the_stack_is_noted_by_status() {
    let bench = ephemeral().await;
    let before = inspect::inspect(&bench.context, &bench.workshop).await.unwrap();
    assert!(!before.code.past_stack && before.ephemeral && !before.protected);
    bench.code("#!/bin/sh\nexit\n");
    code_only(&bench).await.unwrap();
    let after = inspect::inspect(&bench.context, &bench.workshop).await.unwrap();
    assert!(after.code.past_stack);
    assert_eq!((after.code.current, after.code.deployed), (Some(true), Some(sha256(&bench))));
    assert_ne!(after.code.in_stack, Some(sha256(&bench)));
}

#[tokio::test(start_paused = true)]
async fn code_that_went_past_the_stack_is_set_back_by_an_update_that_does_not_touch_it() {
    // Also by one that takes the mark away, after which nothing would look any more.
    for stays_ephemeral in [true, false] {
        let mut bench = ephemeral().await;
        let before = sha256(&bench);
        bench.code("#!/bin/sh\nexit\n");
        code_only(&bench).await.unwrap();
        bench.code("#!/bin/sh\n");
        assert_eq!(sha256(&bench), before);
        bench.means.ephemeral = stays_ephemeral;
        bench.shape.shards = 2;
        bench.up().await.unwrap();
        let runs = inspect::inspect(&bench.context, &bench.workshop).await.unwrap().code;
        assert_eq!((runs.deployed, runs.past_stack), (Some(before), false), "{stays_ephemeral}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_its_time_is_told_also_where_code_alone_changes_or_nothing() {
    let mut bench = ephemeral().await;
    bench.means.ttl = Some(Ttl::For(14_400));
    let expires = bench.up().await.unwrap().expires;
    assert!(expires.is_some());
    assert_eq!(code_only(&bench).await.unwrap().expires, expires);
    bench.code("#!/bin/sh\nexit\n");
    assert_eq!(code_only(&bench).await.unwrap().expires, expires);
    assert_eq!(bench.up().await.unwrap().expires, expires);
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_lasts_keeps_its_code_to_cloudformation() {
    let bench = Bench::deployed().await;
    bench.code("#!/bin/sh\nexit\n");
    let error = code_only(&bench).await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::Refused, 5));
    assert!(error.message.contains("not marked as ephemeral"), "{}", error.message);
    assert!(error.remedies[0].contains("--ephemeral"), "{:?}", error.remedies);
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_update_of_the_function_is_waited_for() {
    let bench = ephemeral().await;
    {
        let mut account = bench.account();
        let key = ("AWS::Lambda::Function".to_owned(), FUNCTION.to_owned());
        account.things.get_mut(&key).unwrap().update = Some((Instant::now() + Duration::from_secs(40), None));
    }
    bench.code("#!/bin/sh\nexit\n");
    code_only(&bench).await.unwrap();
    assert!(bench.calls("UpdateFunctionCode").len() > 1);
    let runs = inspect::inspect(&bench.context, &bench.workshop).await.unwrap().code;
    assert_eq!(runs.current, Some(true));
}

#[tokio::test(start_paused = true)]
async fn minutes_of_throttling_do_not_end_an_update_of_the_code() {
    for operation in ["UpdateFunctionCode", "GetFunctionConfiguration"] {
        let bench = ephemeral().await;
        let now = bench.account().age();
        let when = When::Between(now, now + Duration::from_secs(120));
        let refusal = Refusal::new(429, "TooManyRequestsException", "Rate exceeded");
        bench.account().faults.push(Fault { operation, when, refusal });
        update(&bench, &sha256(&bench)).await.unwrap_or_else(|error| panic!("{operation}: {error}"));
    }
}

#[tokio::test(start_paused = true)]
async fn code_that_lambda_refuses_is_told_with_its_reason() {
    let bench = ephemeral().await;
    let reason = "The function's image can't be started.";
    bench.account().script.refused_code = Some(reason.to_owned());
    bench.code("#!/bin/sh\nexit\n");
    let error = code_only(&bench).await.unwrap_err();
    assert_eq!((error.kind, error.cause.as_deref()), (Kind::DeploymentFailed, Some(reason)));
    assert!(!error.remedies.is_empty());
}

#[tokio::test(start_paused = true)]
async fn other_code_than_what_was_uploaded_is_never_called_done() {
    let bench = ephemeral().await;
    let key = artifact_key(&sha256(&bench));
    let wanted = "0".repeat(64);
    let timeout = Duration::from_secs(300);
    // The zip at the key isn't the one that was meant.
    let updated = code::update_code(&bench.context, FUNCTION, ARTIFACTS, &key, &wanted, timeout).await;
    let error = Error::of(&updated.unwrap_err());
    assert_eq!(error.kind, Kind::Failed);
    assert!(error.cause.unwrap().contains(&sha256(&bench)));
    assert!(!bench.events().iter().any(|event| matches!(event, Event::CodeUpdated { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_update_that_never_ends_is_given_up_at_the_deadline() {
    let bench = ephemeral().await;
    bench.account().script.pace = 1_000.0;
    let error = update(&bench, &sha256(&bench)).await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::TimedOut, 7));
    assert!(error.message.contains("300s"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn code_that_somebody_changed_though_the_stack_says_otherwise_is_found_and_healed() {
    let bench = ephemeral().await;
    assert!(!drifted(&bench).await);
    {
        let mut account = bench.account();
        let key = ("AWS::Lambda::Function".to_owned(), FUNCTION.to_owned());
        let facts = &mut account.things.get_mut(&key).unwrap().facts;
        facts.insert("CodeSha256", aws_smithy_types::base64::encode([7; 32]));
    }
    assert!(drifted(&bench).await);
    let done = bench.up().await.unwrap();
    assert_eq!(done.changed, Some(true));
    assert!(!drifted(&bench).await);

    // A stack that is to get other code anyway needs no healing: its change set does it.
    bench.code("#!/bin/sh\nexit\n");
    assert!(!drifted(&bench).await);
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_somebody_deletes_before_its_new_code_is_made_anew() {
    let bench = ephemeral().await;
    bench.code("#!/bin/sh\nexit\n");
    let (now, refusal) = (bench.account().age(), Refusal::throttled("lambda"));
    let when = When::Between(now, now + Duration::from_secs(250));
    bench.account().faults.push(Fault { operation: "GetFunctionConfiguration", when, refusal });
    bench.account().somebody_later(Duration::from_secs(30), Deed::Deletes(STACK.to_owned()));
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert!(code::runs(&bench.context, &bench.workshop.at_hand().unwrap()).await.unwrap());
}
