//! Early validation.

use crate::bench::{BUCKET, Bench, STACK, TEMPLATE};
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types as cfn;
use simulated_aws::Version;

async fn found(bench: &Bench, change_set: &DescribeChangeSetOutput) -> Vec<cfn::OperationEvent> {
    let failed = cfn::EventFilter::builder().failed_events(true).build();
    let request = bench.cloudformation.describe_events().stack_name(STACK).filters(failed);
    let answer = request.change_set_name(change_set.change_set_name().unwrap()).send().await.unwrap();
    answer.operation_events().to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_name_conflict_fails_the_change_set_and_only_describe_events_tells_which() {
    let bench = Bench::new();
    bench.account().make("AWS::S3::Bucket", BUCKET);
    let change_set = bench.plan(TEMPLATE).await;
    assert_eq!(change_set.status(), Some(&cfn::ChangeSetStatus::Failed));
    let reason = change_set.status_reason().unwrap();
    assert!(
        reason.starts_with(
            "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]"
        ),
        "{reason}"
    );
    assert!(!reason.contains(BUCKET));
    let events = found(&bench, &change_set).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.event_type(), Some(&cfn::EventType::ValidationError));
    assert_eq!(event.validation_name(), Some("NAME_CONFLICT_VALIDATION"));
    assert_eq!(event.validation_path(), Some("/Resources/Bucket/Properties/BucketName"));
    assert_eq!(event.validation_failure_mode(), Some(&cfn::HookFailureMode::Fail));
    assert_eq!(event.logical_resource_id(), Some("Bucket"));
    assert!(event.validation_status_reason().unwrap().contains(BUCKET));
    assert_eq!(event.operation_type(), Some(&cfn::OperationType::CreateChangeset));
}

#[tokio::test(start_paused = true)]
async fn wrong_properties_are_told_several_a_resource() {
    let bench = Bench::new();
    let wrong = |name: &str| (name.to_owned(), "it must be a number".to_owned());
    let both = vec![wrong("ShardCount"), wrong("RetentionPeriodHours")];
    bench.account().script.invalid.insert("Stream".to_owned(), both);
    let change_set = bench.plan(TEMPLATE).await;
    assert!(change_set.status_reason().unwrap().contains("AWS::EarlyValidation::PropertyValidation"));
    let events = found(&bench, &change_set).await;
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.validation_name() == Some("PROPERTY_VALIDATION")));
}

#[tokio::test(start_paused = true)]
async fn a_full_bucket_that_would_go_is_a_warning_that_blocks_nothing() {
    let bench = Bench::deployed().await;
    bench.account().put(BUCKET, "rows/1", Version::default());
    let change_set = bench.plan(&TEMPLATE.replace("BucketName: rows", "BucketName: other-rows")).await;
    assert_eq!(change_set.status(), Some(&cfn::ChangeSetStatus::CreateComplete));
    let events = found(&bench, &change_set).await;
    assert_eq!(events[0].validation_name(), Some("BUCKET_EMPTINESS_VALIDATION"));
    assert_eq!(events[0].validation_failure_mode(), Some(&cfn::HookFailureMode::Warn));
}

#[tokio::test(start_paused = true)]
async fn disable_validation_turns_it_off() {
    let bench = Bench::new();
    bench.account().make("AWS::S3::Bucket", BUCKET);
    let made = bench.change_set(TEMPLATE).disable_validation(true).send().await.unwrap();
    assert_eq!(bench.ready(&made).await.status(), Some(&cfn::ChangeSetStatus::CreateComplete));
}

#[tokio::test(start_paused = true)]
async fn describe_events_needs_a_permission_of_its_own() {
    let bench = Bench::new();
    bench.account().script.denied.insert("cloudformation:DescribeEvents".to_owned());
    let answer = bench.cloudformation.describe_events().stack_name(STACK).send().await;
    assert_eq!(crate::bench::refusal(answer).0, "AccessDenied");
}
