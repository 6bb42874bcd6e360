//! The ways out of stuck states that `up` takes by itself, and what it does about failures that pass.

use crate::bench::{ARTIFACTS, BUCKET, Bench, STACK, until_called};
use kinesis_stack::environment::TAG_KEPT;
use kinesis_stack::error::Kind;
use kinesis_stack::event::{Event, Recovery};
use kinesis_stack::stack::Consent;
use simulated_aws::{Fault, OnFailure, Refusal, Version, When, reasons};
use std::time::Duration;

/// Ways out that were told, and what they left as it is.
fn recovered(bench: &Bench) -> Vec<(String, Recovery, Vec<String>)> {
    let events = bench.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::Recovering { status, by, skipping, .. } => Some((status.to_string(), by, skipping)),
            _ => None,
        })
        .collect()
}

/// A stack that somebody's update, without a roll-back, left in UPDATE_FAILED.
async fn update_failed() -> Bench {
    let bench = Bench::deployed().await;
    {
        let mut account = bench.account();
        account.script.failing.insert("Processor".to_owned(), "no".to_owned());
        let stack = account.stack(STACK).unwrap();
        let mut deployment = stack.deployed.clone();
        deployment.parameters.insert("ProcessorKey".to_owned(), "processor/other.zip".to_owned());
        account.put(ARTIFACTS, "processor/other.zip", Version::default());
        account.somebody_deploys(STACK, deployment);
        account.stack(STACK).unwrap().terms.on_failure = OnFailure::Keep;
    }
    while bench.status().as_deref() != Some("UPDATE_FAILED") {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    bench.account().script.failing.clear();
    bench
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_that_was_left_as_it_is_is_rolled_back_and_then_updated() {
    let bench = update_failed().await;
    bench.up().await.unwrap();
    assert_eq!(recovered(&bench), [("UPDATE_FAILED".to_owned(), Recovery::Rollback, vec![])]);
    assert_eq!(bench.calls("RollbackStack").len(), 1);
    assert!(bench.status().unwrap().ends_with("_COMPLETE"));
    assert_eq!(bench.up().await.unwrap().changed, Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_failed_express_update_is_left_by_another_express_update() {
    let bench = update_failed().await;
    bench.account().stack(STACK).unwrap().owes_express = true;
    bench.up().await.unwrap();
    for operation in ["CreateChangeSet", "UpdateStack"] {
        let call = bench.calls(operation).pop().unwrap();
        assert_eq!(call.get("DeploymentConfig.Mode"), "EXPRESS", "{operation}");
    }
    assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));
}

/// A stack whose update failed, and whose roll-back failed as well.
async fn rollback_failed() -> Bench {
    let bench = Bench::deployed().await;
    {
        let script = &mut bench.account().script;
        script.failing.insert("Processor".to_owned(), "no".to_owned());
        script.stuck.insert("Processor".to_owned(), "not back either".to_owned());
    }
    bench.code("#!/bin/sh\nexit\n");
    let error = bench.up().await.unwrap_err();
    assert!(error.message.contains("UPDATE_ROLLBACK_FAILED"), "{error}");
    assert!(error.remedies.iter().any(|remedy| remedy.contains("goes on with the roll-back")), "{error:?}");
    bench.forget();
    bench.account().script.failing.clear();
    bench
}

#[tokio::test(start_paused = true)]
async fn a_failed_roll_back_goes_on_without_skipping_anything_where_that_helps() {
    let bench = rollback_failed().await;
    bench.account().script.stuck.clear();
    bench.up().await.unwrap();
    let expected = ("UPDATE_ROLLBACK_FAILED".to_owned(), Recovery::ContinueRollback, vec![]);
    assert_eq!(recovered(&bench), [expected]);
    assert_eq!(bench.up().await.unwrap().changed, Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_roll_back_that_fails_again_skips_what_failed_and_nothing_else() {
    let bench = rollback_failed().await;
    bench.up().await.unwrap();
    let skipped: Vec<Vec<String>> = recovered(&bench).into_iter().map(|(_, _, skipped)| skipped).collect();
    assert_eq!(skipped, [vec![], vec!["Processor".to_owned()]]);
    assert_eq!(bench.up().await.unwrap().changed, Some(false));
}

#[tokio::test(start_paused = true)]
async fn minutes_of_throttling_do_not_end_a_recovery() {
    let throttle = |bench: &Bench, operation| {
        let when = When::For(Duration::from_secs(180));
        bench.account().faults.push(Fault { operation, when, refusal: Refusal::throttled("cloudformation") });
    };
    let bench = update_failed().await;
    throttle(&bench, "RollbackStack");
    bench.up().await.unwrap();
    let bench = update_failed().await;
    bench.account().stack(STACK).unwrap().owes_express = true;
    throttle(&bench, "UpdateStack");
    bench.up().await.unwrap();
    for operation in ["ContinueUpdateRollback", "ListStackResources"] {
        let bench = rollback_failed().await;
        throttle(&bench, operation);
        bench.up().await.unwrap_or_else(|error| panic!("{operation}: {error}"));
        let skipped = recovered(&bench).pop().unwrap().2;
        assert_eq!(skipped, ["Processor"], "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_takes_no_longer_than_the_whole_command_may() {
    let mut bench = update_failed().await;
    bench.conduct.timeout = Duration::from_secs(200);
    // A third of it goes by before anything begins.
    bench.account().script.pace = 20.0;
    let when = When::For(Duration::from_secs(60));
    let refusal = Refusal::throttled("cloudformation");
    bench.account().faults.push(Fault { operation: "RollbackStack", when, refusal });
    let began = tokio::time::Instant::now();
    assert_eq!(bench.up().await.unwrap_err().kind, Kind::TimedOut);
    let took = began.elapsed().as_secs();
    assert!((150..=230).contains(&took), "{took} s");
}

/// A stack in a state that only a deletion leads out of.
async fn only_to_be_deleted(status: &str) -> Bench {
    let bench = Bench::deployed().await;
    status.clone_into(&mut bench.account().stack(STACK).unwrap().status);
    bench
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_can_only_be_deleted_is_made_anew_where_no_row_is_lost() {
    for status in ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"] {
        let bench = only_to_be_deleted(status).await;
        bench.up().await.unwrap_or_else(|error| panic!("{status}: {error}"));
        assert_eq!(recovered(&bench), [(status.to_owned(), Recovery::Delete, vec![])]);
        assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_can_only_be_deleted_stays_where_rows_would_be_lost_without_consent() {
    for status in ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"] {
        let mut bench = only_to_be_deleted(status).await;
        bench.account().put(BUCKET, "rows/1", Version { bytes: 7, ..Version::default() });
        let error = bench.up().await.unwrap_err();
        assert_eq!(error.kind, Kind::Refused, "{status}");
        assert!(error.message.contains(status) && error.message.contains("1 object (7 B)"), "{error}");
        assert!(!error.remedies.is_empty());
        assert_eq!(bench.changes(), [""; 0], "{status}");

        bench.conduct.consent = Consent::Given;
        bench.up().await.unwrap();
        assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"), "{status}");
    }
}

/// One with a row in its bucket.
async fn only_to_be_deleted_with_a_row(status: &str) -> Bench {
    let bench = only_to_be_deleted(status).await;
    bench.account().put(BUCKET, "rows/1", Version { bytes: 7, ..Version::default() });
    bench
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_stack_that_can_only_be_deleted_are_taken_over_where_that_is_asked_for() {
    for (status, consent) in [("DELETE_FAILED", Consent::Given), ("ROLLBACK_FAILED", Consent::Ask)] {
        let mut bench = only_to_be_deleted_with_a_row(status).await;
        (bench.means.adopt, bench.conduct.consent) = (true, consent);
        bench.up().await.unwrap_or_else(|error| panic!("{status}: {error}"));
        assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"), "{status}");
        assert!(bench.account().buckets[BUCKET].holds("rows/1"), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn rows_that_were_kept_on_purpose_are_lost_by_no_consent() {
    let mut bench = only_to_be_deleted_with_a_row("DELETE_FAILED").await;
    let mark = (TAG_KEPT.to_owned(), "true".to_owned());
    bench.account().buckets.get_mut(BUCKET).unwrap().tags.extend([mark]);
    bench.conduct.consent = Consent::Given;
    let error = bench.up().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.message.contains("the mark of `down --keep-data`"), "{error}");
    assert!(error.remedies[0].contains("up --adopt") && error.remedies[1].contains("down"), "{error:?}");
    assert_eq!(bench.changes(), [""; 0]);

    bench.means.adopt = true;
    bench.up().await.unwrap();
    assert!(bench.account().buckets[BUCKET].holds("rows/1"));
}

#[tokio::test(start_paused = true)]
async fn a_reviewed_plan_never_deletes_a_stack_that_it_was_to_change() {
    let mut bench = Bench::deployed().await;
    bench.code("#!/bin/sh\nexit\n");
    bench.reviewed = Some(bench.plan().await.unwrap());
    "DELETE_FAILED".clone_into(&mut bench.account().stack(STACK).unwrap().status);
    bench.forget();
    let error = bench.up().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.message.contains("isn't what was planned"), "{error}");
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_iam_race_is_tried_once_more_and_out_loud() {
    let bench = Bench::new();
    // By the time of the second attempt it is over.
    bench
        .account()
        .script
        .failing
        .insert("Delivery".to_owned(), reasons::role_not_assumable_by_firehose("r"));
    let watched = bench.aws.clone();
    let mend = async {
        until_called(&watched, "DeleteStack").await;
        watched.now().script.failing.clear();
    };
    let (up, ()) = tokio::join!(bench.up(), mend);
    up.unwrap();
    let retries: Vec<String> = (bench.events().into_iter())
        .filter_map(|event| match event {
            Event::Retrying { because } => Some(because),
            _ => None,
        })
        .collect();
    assert!(matches!(&retries[..], [because] if because.contains("assume role")), "{retries:?}");
    assert_eq!(bench.questions().len(), 1, "what was agreed to once isn't asked again");
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn a_zip_that_was_taken_away_under_it_is_uploaded_again() {
    let bench = Bench::new();
    let gone = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does \
                not exist. (Service: Lambda, Status Code: 400, Request ID: 5f7c6d1e)";
    bench.account().script.failing.insert("Processor".to_owned(), gone.to_owned());
    let watched = bench.aws.clone();
    let somebody = async {
        until_called(&watched, "DeleteStack").await;
        let mut account = watched.now();
        account.script.failing.clear();
        account.buckets.remove(ARTIFACTS).expect("the artifact bucket");
    };
    let (up, ()) = tokio::join!(bench.up(), somebody);
    up.unwrap();
    assert_eq!(bench.calls("PutObject").len(), 2);
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn the_iam_race_is_not_tried_a_third_time_and_nothing_else_a_second() {
    for (reason, attempts) in [
        (reasons::role_not_assumable_by_firehose("r"), 2),
        (reasons::quota("AWS::KinesisFirehose::DeliveryStream"), 1),
        ("The moon stands in the wrong house.".to_owned(), 1),
    ] {
        let bench = Bench::new();
        bench.account().script.failing.insert("Delivery".to_owned(), reason.clone());
        let error = bench.up().await.unwrap_err();
        assert_eq!(error.kind, Kind::DeploymentFailed);
        assert_eq!(bench.calls("ExecuteChangeSet").len(), attempts, "{reason}");
        let says_twice = error.meaning.is_some_and(|meaning| meaning.contains("second attempt"));
        assert_eq!(says_twice, attempts == 2, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_somebody_deletes_meanwhile_is_made_anew() {
    let bench = Bench::new();
    let aws = bench.aws.clone();
    let somebody = async {
        while aws.now().stack(STACK).is_none_or(|stack| stack.status != "CREATE_IN_PROGRESS") {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        aws.now().somebody_deletes(STACK);
    };
    let (up, ()) = tokio::join!(bench.up(), somebody);
    up.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(bench.account().stacks.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_somebody_elses_made_void_leads_to_another_look() {
    let bench = Bench::deployed().await;
    bench.code("#!/bin/sh\nexit\n");
    let refusal = Refusal::new(404, "ChangeSetNotFound", "ChangeSet [up] does not exist");
    bench.account().faults.push(Fault { operation: "ExecuteChangeSet", when: When::Times(1), refusal });
    bench.up().await.unwrap();
    assert_eq!(bench.calls("CreateChangeSet").len(), 2);
    assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn time_that_is_over_while_somebody_else_is_always_quicker_is_told_as_that() {
    for seconds in [20, 30, 45, 60] {
        let mut bench = Bench::deployed().await;
        bench.code("#!/bin/sh\nexit\n");
        bench.conduct.timeout = Duration::from_secs(seconds);
        let refusal = Refusal::new(404, "ChangeSetNotFound", "ChangeSet [up] does not exist");
        bench.account().faults.push(Fault { operation: "ExecuteChangeSet", when: When::Always, refusal });
        let began = tokio::time::Instant::now();
        let error = bench.up().await.unwrap_err();
        assert_eq!(error.kind, Kind::TimedOut, "{seconds} s: {error}");
        assert!(began.elapsed().as_secs() < seconds + 15, "{seconds} s: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_bucket_of_a_stack_that_somebody_deleted_is_in_nobodys_way() {
    let bench = Bench::deployed().await;
    bench.account().somebody_deletes(STACK);
    while bench.status().is_some() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    bench.plan().await.unwrap_err();
    assert!(bench.account().buckets.contains_key(BUCKET), "a plan removes nothing");
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_stack_that_somebody_deleted_are_kept_and_can_be_taken_over() {
    let mut bench = Bench::deployed().await;
    bench.account().put(BUCKET, "rows/1", Version::default());
    bench.account().somebody_deletes(STACK);
    let error = bench.up().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.remedies.iter().any(|remedy| remedy.contains("up --adopt")), "{error:?}");

    bench.means.adopt = true;
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert!(bench.account().buckets[BUCKET].holds("rows/1"));
}
