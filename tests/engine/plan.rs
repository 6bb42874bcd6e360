//! `plan`, and `up --plan`: what would happen, and nothing else.

use crate::bench::{BUCKET, Bench, STACK};
use crate::faults::denied;
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::Event;
use kinesis_stack::stack::plan::{Action, Change, Operation, Plan};
use simulated_aws::{Fault, Refusal, When};
use std::time::Duration;

/// What a plan of an update leaves behind: nothing.
const ONLY_PLANNED: [&str; 2] = ["CreateChangeSet", "DeleteChangeSet"];

fn change<'a>(plan: &'a Plan, logical_id: &str) -> &'a Change {
    plan.changes.iter().find(|change| change.logical_id == logical_id).unwrap()
}

/// A plan as it is after it was written to a file and read.
fn written_and_read(plan: &Plan) -> Plan {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plan.json");
    std::fs::write(&path, serde_json::to_string_pretty(plan).unwrap()).unwrap();
    Plan::read(&path).unwrap()
}

/// A bench whose environment is up and is to have two shards.
async fn wants_another_shard() -> Bench {
    let mut bench = Bench::deployed().await;
    bench.shape.shards = 2;
    bench
}

fn assert_refused_untouched(bench: &Bench, error: &Error) {
    assert_eq!(error.kind, Kind::Refused, "{error}");
    assert!(error.remedies.iter().any(|remedy| remedy.contains("plan --output json")), "{error:?}");
    assert!(!bench.called().contains(&"ExecuteChangeSet".to_owned()));
    assert!(bench.account().stack(STACK).is_none_or(|stack| stack.change_sets.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_plan_tells_all_that_up_would_do_and_leaves_no_trace() {
    let bench = Bench::new();
    let plan = bench.plan().await.unwrap();
    assert_eq!((plan.operation, plan.stack_id.as_deref(), plan.exit_code()), (Operation::Create, None, 10));
    assert_eq!((plan.env.as_str(), plan.account.as_str()), ("dev", "123456789012"));
    assert_eq!(plan.cost.difference, Some(10.95));
    assert_eq!(bench.changes(), ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"]);
    assert_eq!(bench.remains(), Vec::<String>::new());

    let bench = Bench::deployed().await;
    let plan = bench.plan().await.unwrap();
    assert_eq!((plan.changed, plan.changes.len(), plan.exit_code()), (false, 0, 0));
    assert!(plan.stack_id.is_some_and(|id| id.contains(STACK)));
    assert_eq!(bench.changes(), ONLY_PLANNED);
}

#[tokio::test(start_paused = true)]
async fn another_shard_is_a_change_in_place_that_costs_more_and_loses_nothing() {
    let bench = wants_another_shard().await;
    let plan = bench.plan().await.unwrap();
    let stream = change(&plan, "Stream");
    let shards = &stream.properties[0];
    assert_eq!((stream.action, shards.name.as_str()), (Action::Modify, "ShardCount"));
    assert_eq!((shards.before.as_deref(), shards.after.as_deref()), (Some("1"), Some("2")));
    assert_eq!((plan.cost.monthly_before, plan.cost.difference), (Some(10.95), Some(10.95)));
    assert_eq!((plan.loses_data, plan.code_only, plan.exit_code()), (false, false, 10));
    assert_eq!(bench.changes(), ONLY_PLANNED);
}

#[tokio::test(start_paused = true)]
async fn a_shorter_retention_ends_with_the_code_for_lost_data() {
    let mut bench = Bench::new();
    bench.shape.stream_retention_hours = 48;
    bench.up().await.unwrap();
    bench.shape.stream_retention_hours = 24;
    let plan = bench.plan().await.unwrap();
    assert!(change(&plan, "Stream").loss.is_some());
    assert_eq!((plan.exit_code(), plan.cost.difference), (11, Some(-14.6)));
}

#[tokio::test(start_paused = true)]
async fn new_code_is_a_change_of_code_alone() {
    let bench = Bench::deployed().await;
    bench.code("#!/bin/sh\nexit\n");
    let plan = bench.plan().await.unwrap();
    assert!(plan.code_only && plan.exit_code() == 10, "{plan:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_the_same_after_it_was_written_and_read() {
    let bench = wants_another_shard().await;
    let plan = bench.plan().await.unwrap();
    assert_eq!(written_and_read(&plan), plan);
    assert_eq!(plan.moved(&bench.plan().await.unwrap()), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_reviewed_plan_is_executed_without_a_question_even_if_it_loses_data() {
    let mut bench = Bench::new();
    bench.shape.stream_retention_hours = 48;
    bench.up().await.unwrap();
    bench.shape.stream_retention_hours = 24;
    bench.reviewed = Some(written_and_read(&bench.plan().await.unwrap()));
    bench.forget();
    let asked = bench.questions().len();
    bench.answer(Some(false));
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));
    assert_eq!(bench.questions().len(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_reviewed_creation_is_executed_where_there_is_still_nothing() {
    let mut bench = Bench::new();
    bench.reviewed = Some(written_and_read(&bench.plan().await.unwrap()));
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changed_since_the_review_is_named_and_nothing_is_executed() {
    let mut bench = wants_another_shard().await;
    bench.reviewed = Some(written_and_read(&bench.plan().await.unwrap()));
    bench.account().somebody_updates(STACK);
    bench.forget();
    let error = bench.up().await.unwrap_err();
    assert_refused_untouched(&bench, &error);
    assert!(error.cause.unwrap().contains("Bucket would stay as it is, now it would be changed"));
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_came_since_the_review_is_not_updated() {
    let mut bench = Bench::new();
    bench.reviewed = Some(written_and_read(&bench.plan().await.unwrap()));
    let reviewed = bench.reviewed.take();
    bench.up().await.unwrap();
    bench.forget();
    bench.reviewed = reviewed;
    bench.shape.shards = 2;
    let error = bench.up().await.unwrap_err();
    assert_refused_untouched(&bench, &error);
    assert!(error.cause.unwrap().contains("the stack was not there and is now"));
}

#[tokio::test(start_paused = true)]
async fn other_settings_than_the_reviewed_ones_are_refused_and_a_plan_that_was_carried_out_is_done() {
    let mut bench = wants_another_shard().await;
    let reviewed = Some(written_and_read(&bench.plan().await.unwrap()));
    bench.forget();
    bench.reviewed = reviewed.clone();
    bench.shape.shards = 3;
    let error = bench.up().await.unwrap_err();
    assert_refused_untouched(&bench, &error);
    assert!(error.cause.unwrap().contains("ShardCount would go 1 → 2, now 1 → 3"));

    bench.shape.shards = 2;
    bench.up().await.unwrap();
    bench.forget();
    assert_eq!(bench.up().await.unwrap().changed, Some(false), "as after a run that was cut short");

    // What somebody made of it since isn't what was reviewed.
    bench.reviewed = None;
    bench.shape.shards = 4;
    bench.up().await.unwrap();
    bench.forget();
    bench.reviewed = reviewed;
    let error = bench.up().await.unwrap_err();
    assert_refused_untouched(&bench, &error);
    assert!(error.cause.unwrap().contains("Stream would be changed, now it stays as it is"));
}

#[tokio::test(start_paused = true)]
async fn what_early_validation_finds_is_told_with_resource_property_and_reason() {
    let bench = Bench::new();
    let found = [("ShardCount", "0 is too few"), ("RetentionPeriodHours", "23 is too few")];
    let found = found.map(|(path, reason)| (path.to_owned(), reason.to_owned()));
    bench.account().script.invalid.insert("Stream".to_owned(), found.into());
    bench.account().script.page = 1;
    for error in [bench.plan().await.unwrap_err(), bench.up().await.unwrap_err()] {
        assert_eq!(error.kind, Kind::DeploymentFailed);
        assert_eq!(
            error.cause.unwrap().lines().collect::<Vec<_>>(),
            [
                "Stream (AWS::Kinesis::Stream), ShardCount: 0 is too few",
                "Stream (AWS::Kinesis::Stream), RetentionPeriodHours: 23 is too few"
            ]
        );
    }
    assert_eq!(bench.remains(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_outside_the_stack_is_refused() {
    let bench = Bench::new();
    bench.account().make("AWS::Logs::LogGroup", "/kinesis-stack/dev/processor");
    let error = bench.up().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused, "{error}");
    assert!(error.message.contains("ProcessorLogGroup"), "{error}");
    assert!(error.remedies.iter().any(|remedy| remedy.contains("down")), "{error:?}");
    assert_eq!(bench.status(), None);
}

#[tokio::test(start_paused = true)]
async fn without_the_permission_to_be_told_the_missing_permission_is_named() {
    let bench = Bench::new();
    let wrong = ("ShardCount".to_owned(), "0 is too few".to_owned());
    bench.account().script.invalid.insert("Stream".to_owned(), vec![wrong]);
    bench.account().faults.push(denied("DescribeEvents"));
    let error = bench.plan().await.unwrap_err();
    assert_eq!(error.kind, Kind::DeploymentFailed);
    assert!(error.cause.unwrap().contains("AWS::EarlyValidation::PropertyValidation"));
    assert!(error.remedies[0].contains("cloudformation:DescribeEvents"));
    assert_eq!(bench.remains(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_change_set_is_read_to_its_end_however_long_aws_is_throttling() {
    let bench = Bench::new();
    bench.account().faults.push(Fault {
        operation: "DescribeChangeSet",
        when: When::Between(Duration::ZERO, Duration::from_secs(180)),
        refusal: Refusal::new(400, "Throttling", "Rate exceeded"),
    });
    let plan = bench.plan().await.unwrap();
    assert_eq!(plan.changes.len(), 10);
    assert!(bench.account().age() > Duration::from_secs(180));
    assert!(bench.events().iter().any(|event| matches!(event, Event::PollFailed { .. })));
    assert_eq!(bench.remains(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_may_not_be_read_is_an_error_at_once_and_leaves_nothing() {
    let bench = Bench::new();
    bench.account().faults.push(denied("DescribeChangeSet"));
    assert_eq!(bench.plan().await.unwrap_err().kind, Kind::Credentials);
    assert!(bench.account().age() < Duration::from_secs(5));
    assert_eq!(bench.remains(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn how_it_is_deployed_is_asked_for_only_where_it_was_chosen() {
    let mut bench = Bench::deployed().await;
    bench.shape.shards = 2;
    bench.plan().await.unwrap();
    let plain = bench.calls("CreateChangeSet").remove(0);
    for name in ["RoleARN", "DeploymentConfig.Mode", "ImportExistingResources", "DeploymentMode"] {
        assert_eq!(plain.get(name), "", "{name}");
    }
    assert!(!plain.parameters.values().any(|value| value == "kinesis-stack:ephemeral"));

    bench.forget();
    bench.means.role_arn = Some("arn:aws:iam::123456789012:role/deploy".to_owned());
    bench.means.ephemeral = true;
    bench.means.express = true;
    bench.means.heal = true;
    bench.means.adopt = true;
    let plan = bench.plan().await.unwrap();
    let chosen = bench.calls("CreateChangeSet").remove(0);
    let asked = |name| chosen.get(name).to_owned();
    assert_eq!(asked("RoleARN"), "arn:aws:iam::123456789012:role/deploy");
    assert_eq!(
        (asked("DeploymentConfig.Mode"), asked("DeploymentConfig.DisableRollback")),
        ("EXPRESS".to_owned(), "false".to_owned())
    );
    assert_eq!(
        (asked("DeploymentMode"), asked("ImportExistingResources")),
        ("REVERT_DRIFT".to_owned(), "true".to_owned())
    );
    assert!(chosen.parameters.values().any(|value| value == "kinesis-stack:ephemeral"));
    assert!(plan.means.express && plan.means.role_arn.is_some());
    assert!(asked("ChangeSetName").starts_with("kinesis-stack-"));
}

#[tokio::test(start_paused = true)]
async fn a_creation_is_never_asked_to_set_drift_back() {
    let mut bench = Bench::new();
    bench.means.heal = true;
    bench.plan().await.unwrap();
    assert_eq!(bench.calls("CreateChangeSet")[0].get("DeploymentMode"), "");
}

#[tokio::test(start_paused = true)]
async fn healing_shows_what_is_set_back_and_what_that_loses() {
    let mut bench = Bench::deployed().await;
    bench.account().somebody_drifts(STACK, "Stream", "/RetentionPeriodHours", "168");
    assert!(!bench.plan().await.unwrap().changed, "unless it is asked for, drift is left alone");
    bench.means.heal = true;
    let plan = bench.plan().await.unwrap();
    let stream = change(&plan, "Stream");
    let retention = &stream.properties[0];
    assert_eq!((retention.before.as_deref(), retention.after.as_deref()), (Some("168"), Some("24")));
    assert!(plan.loses_data && stream.loss.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_was_left_behind_is_taken_over_where_that_is_asked_for() {
    let mut bench = Bench::new();
    bench.account().make("AWS::S3::Bucket", BUCKET);
    assert_eq!(bench.plan().await.unwrap_err().kind, Kind::Refused);
    bench.means.adopt = true;
    let plan = bench.plan().await.unwrap();
    let bucket = change(&plan, "Bucket");
    assert_eq!((bucket.action, &bucket.loss), (Action::Import, &None));
    bench.up().await.unwrap();
    bench.means.adopt = false;
    assert!(!bench.plan().await.unwrap().changed, "and it stays");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_only_somebody_elses_change_set_holds_is_not_ours() {
    let bench = Bench::new();
    let theirs = bench.context.clients.cloudformation.create_change_set();
    let template = "Resources: {Topic: {Type: 'AWS::Logs::LogGroup', Properties: {LogGroupName: theirs}}}";
    let theirs = theirs.stack_name(STACK).change_set_name("their-own").template_body(template);
    theirs.change_set_type("CREATE".into()).send().await.unwrap();
    bench.forget();
    assert_eq!(bench.up().await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.plan().await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.changes(), [""; 0]);
    assert_eq!(bench.status().as_deref(), Some("REVIEW_IN_PROGRESS"));
    assert!(!bench.account().exists("AWS::S3::Bucket", BUCKET));
}
