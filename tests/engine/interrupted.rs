//! SIGINT and SIGTERM: what was begun is taken back.

use crate::bench::{ARTIFACTS, BUCKET, Bench, STACK, until_called};
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::{Done, Event};
use kinesis_stack::stack::{Consent, up};
use simulated_aws::{Fault, Refusal, Spell, Trouble, When};
use std::time::Duration;
use tokio::time::Instant;

/// Runs `up`, which is told to stop as soon as this call was made and so much time has passed.
async fn up_told_to_stop(bench: &Bench, call: &str, after: Duration) -> Result<Done, Error> {
    let (aws, signal) = (bench.aws.clone(), bench.signal.clone());
    let tell = async {
        until_called(&aws, call).await;
        tokio::time::sleep(after).await;
        signal.send(Kind::Terminated);
    };
    let (up, ()) = tokio::join!(bench.up(), tell);
    up
}

fn cancelled(bench: &Bench) -> bool {
    bench.events().iter().any(|event| matches!(event, Event::Cancelling { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_told_to_stop_is_deleted_again() {
    let bench = Bench::new();
    let error = up_told_to_stop(&bench, "ExecuteChangeSet", Duration::from_secs(30)).await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::Terminated, 143));
    assert!(error.message.contains("deleted again"), "{error}");
    assert!(cancelled(&bench));
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_is_told_to_stop_is_cancelled_and_rolled_back() {
    let bench = Bench::deployed().await;
    bench.code("#!/bin/sh\nexit\n");
    let before = bench.account().stack(STACK).unwrap().deployed.parameters.clone();
    let error = up_told_to_stop(&bench, "ExecuteChangeSet", Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Terminated);
    assert!(error.message.contains("UPDATE_ROLLBACK_COMPLETE"), "{error}");
    assert!(cancelled(&bench));
    assert_eq!(bench.calls("CancelUpdateStack").len(), 1);
    assert_eq!(bench.account().stack(STACK).unwrap().deployed.parameters, before);
}

#[tokio::test(start_paused = true)]
async fn the_request_that_cancels_goes_out_within_a_second() {
    for (bench, operation) in [(Bench::new(), "DeleteStack"), (Bench::deployed().await, "CancelUpdateStack")]
    {
        bench.code("#!/bin/sh\nexit\n");
        let (aws, signal) = (bench.aws.clone(), bench.signal.clone());
        let measure = async {
            until_called(&aws, "ExecuteChangeSet").await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            signal.send(Kind::Interrupted);
            let told = Instant::now();
            until_called(&aws, operation).await;
            told.elapsed()
        };
        let (up, took) = tokio::join!(bench.up(), measure);
        assert_eq!(up.unwrap_err().kind, Kind::Interrupted);
        assert!(took < Duration::from_secs(1), "{operation}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn before_anything_was_begun_only_the_plan_is_withdrawn() {
    for call in ["DescribeStacks", "CreateChangeSet", "DescribeChangeSet"] {
        let bench = Bench::new();
        let error = up_told_to_stop(&bench, call, Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind, Kind::Terminated, "{call}");
        assert!(error.message.ends_with("kinesis-stack-dev was not created"), "{call}: {error}");
        assert_eq!(bench.calls("ExecuteChangeSet").len(), 0);
        // A request that was on its way when it was dropped can still make the name: the next run takes it over.
        if call != "CreateChangeSet" {
            assert_eq!(bench.remains(), [""; 0], "{call}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_uploaded_for_a_stack_that_never_came_is_named_with_what_removes_it() {
    for (call, seconds) in [("PutObject", 0), ("ExecuteChangeSet", 30)] {
        let bench = Bench::new();
        let error = up_told_to_stop(&bench, call, Duration::from_secs(seconds)).await.unwrap_err();
        assert!(bench.account().buckets.contains_key(ARTIFACTS), "{call}");
        assert!(error.message.contains(ARTIFACTS), "{call}: {error}");
        assert!(error.remedies[0].contains("`kinesis-stack down` removes it"), "{call}: {error:?}");
        bench.again().down().await.unwrap();
        assert!(bench.account().buckets.is_empty(), "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_was_there_is_left_as_it_was() {
    let bench = Bench::deployed().await;
    bench.code("#!/bin/sh\nexit\n");
    let error = up_told_to_stop(&bench, "DescribeChangeSet", Duration::ZERO).await.unwrap_err();
    assert!(error.message.ends_with("kinesis-stack-dev was left as it was"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_same_command_again_ends_as_if_nothing_had_happened() {
    for (call, seconds) in [("CreateChangeSet", 0), ("ExecuteChangeSet", 0), ("ExecuteChangeSet", 40)] {
        let bench = Bench::new();
        up_told_to_stop(&bench, call, Duration::from_secs(seconds)).await.unwrap_err();
        let again = bench.again();
        again.up().await.unwrap_or_else(|error| panic!("{call} {seconds}: {error}"));
        assert_eq!(again.status().as_deref(), Some("CREATE_COMPLETE"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_goes_on_and_the_next_down_finishes_it() {
    let mut bench = Bench::deployed().await;
    bench.conduct.consent = Consent::Given;
    let (aws, signal) = (bench.aws.clone(), bench.signal.clone());
    let tell = async {
        until_called(&aws, "DeleteStack").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        signal.send(Kind::Interrupted);
    };
    let (down, ()) = tokio::join!(bench.down(), tell);
    let error = down.unwrap_err();
    assert_eq!(error.kind, Kind::Interrupted);
    assert!(error.message.contains("the deletion goes on"), "{error}");
    assert!(bench.account().buckets.contains_key(BUCKET));
    let again = bench.again();
    again.down().await.unwrap();
    assert_eq!(again.remains(), [""; 0]);
}

/// The next execution of a change set is refused, as where somebody else was quicker.
fn refuse_execution(bench: &Bench) {
    let refusal = Refusal::new(404, "ChangeSetNotFound", "ChangeSet [up] does not exist");
    bench.account().faults.push(Fault { operation: "ExecuteChangeSet", when: When::Times(1), refusal });
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_operation_is_neither_cancelled_nor_deleted() {
    let bench = Bench::deployed().await;
    bench.code("#!/bin/sh\nexit\n");
    refuse_execution(&bench);
    let somebody = async {
        until_called(&bench.aws, "ExecuteChangeSet").await;
        bench.account().somebody_updates(STACK);
    };
    let told = up_told_to_stop(&bench, "ExecuteChangeSet", Duration::from_millis(500));
    let (up, ()) = tokio::join!(told, somebody);
    let error = up.unwrap_err();
    assert!(error.message.ends_with("kinesis-stack-dev was left as it was"), "{error}");
    assert!(!cancelled(&bench));
    assert_eq!(bench.status().as_deref(), Some("UPDATE_IN_PROGRESS"));

    // Somebody else is making what this run has named.
    let bench = Bench::new();
    refuse_execution(&bench);
    let somebody = async {
        until_called(&bench.aws, "ExecuteChangeSet").await;
        "CREATE_IN_PROGRESS".clone_into(&mut bench.account().stack(STACK).unwrap().status);
    };
    let told = up_told_to_stop(&bench, "ExecuteChangeSet", Duration::from_millis(500));
    let (up, ()) = tokio::join!(told, somebody);
    up.unwrap_err();
    assert_eq!(bench.calls("DeleteStack").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_it_began_itself_is_taken_back_where_no_answer_ever_said_so() {
    for (bench, taken_back) in [(Bench::new(), "DeleteStack"), (Bench::deployed().await, "CancelUpdateStack")]
    {
        bench.code("#!/bin/sh\nexit\n");
        bench.account().script.pace = 100.0;
        let (operation, when) = ("ExecuteChangeSet".to_owned(), When::For(Duration::from_secs(700)));
        bench.account().spells.push(Spell { operation, when, trouble: Trouble::ResetAfter });
        let attached = |event: &Event| matches!(event, Event::OperationInProgress { .. });
        let tell = async {
            while !bench.events().iter().any(attached) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            bench.signal.send(Kind::Terminated);
        };
        let (up, ()) = tokio::join!(bench.up(), tell);
        let error = up.unwrap_err();
        assert_eq!((error.kind, bench.calls(taken_back).len()), (Kind::Terminated, 1), "{error}");
        assert!(cancelled(&bench));
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_changed_beside_the_stack_is_said() {
    let mut bench = Bench::new();
    bench.means.ephemeral = true;
    bench.up().await.unwrap();
    bench.code("#!/bin/sh\nexit\n");
    bench.forget();
    let (aws, signal) = (bench.aws.clone(), bench.signal.clone());
    let tell = async {
        until_called(&aws, "UpdateFunctionCode").await;
        signal.send(Kind::Interrupted);
    };
    let code_only = up::code_only(&bench.context, &bench.workshop, bench.conduct);
    let (ended, ()) = tokio::join!(code_only, tell);
    let error = Error::of(&ended.unwrap_err());
    assert!(error.message.contains("its code may have been changed already"), "{error}");
    assert!(!error.remedies.is_empty());

    let mut bench = Bench::new();
    bench.means.protection = Some(true);
    let error = up_told_to_stop(&bench, "SetStackPolicy", Duration::ZERO).await.unwrap_err();
    assert!(error.message.contains("kinesis-stack-dev is up; its protection may have"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn without_a_stack_no_deletion_is_said_to_go_on() {
    let bench = Bench::new();
    for number in 0..3 {
        bench.account().make("AWS::Logs::LogGroup", &format!("/kinesis-stack/dev/{number}"));
    }
    let (aws, signal) = (bench.aws.clone(), bench.signal.clone());
    let tell = async {
        until_called(&aws, "DeleteLogGroup").await;
        signal.send(Kind::Interrupted);
    };
    let (down, ()) = tokio::join!(bench.down(), tell);
    let error = down.unwrap_err();
    assert!(error.message.ends_with("what is left is removed by the next run"), "{error}");
}
