//! Drift.

use crate::bench::{BUCKET, Bench, STACK, TEMPLATE, wait};
use aws_sdk_cloudformation::types as cfn;

async fn detected(bench: &Bench) -> cfn::StackDriftStatus {
    let begun = bench.cloudformation.detect_stack_drift().stack_name(STACK).send().await.unwrap();
    let id = begun.stack_drift_detection_id().unwrap();
    let request = bench.cloudformation.describe_stack_drift_detection_status().stack_drift_detection_id(id);
    let under_way = request.clone().send().await.unwrap();
    assert_eq!(under_way.detection_status(), Some(&cfn::StackDriftDetectionStatus::DetectionInProgress));
    wait(20).await;
    let done = request.send().await.unwrap();
    assert_eq!(done.detection_status(), Some(&cfn::StackDriftDetectionStatus::DetectionComplete));
    done.stack_drift_status().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_detection_takes_a_while_and_tells_what_was_changed_and_what_was_deleted() {
    let bench = Bench::deployed().await;
    let before = bench.stack().await.drift_information().unwrap().stack_drift_status().unwrap().clone();
    assert_eq!(before, cfn::StackDriftStatus::NotChecked);
    assert_eq!(detected(&bench).await, cfn::StackDriftStatus::InSync);
    bench.account().somebody_drifts(STACK, "Stream", "/RetentionPeriodHours", "48");
    bench.account().unmake("AWS::S3::Bucket", BUCKET);
    assert_eq!(detected(&bench).await, cfn::StackDriftStatus::Drifted);
    let request = bench.cloudformation.describe_stack_resource_drifts().stack_name(STACK);
    let modified =
        request.clone().stack_resource_drift_status_filters(cfn::StackResourceDriftStatus::Modified);
    let modified = modified.send().await.unwrap();
    let difference = &modified.stack_resource_drifts()[0].property_differences()[0];
    assert_eq!((difference.expected_value(), difference.actual_value()), (Some("24"), Some("48")));
    let deleted = request.stack_resource_drift_status_filters(cfn::StackResourceDriftStatus::Deleted);
    let deleted = deleted.send().await.unwrap();
    assert_eq!(deleted.stack_resource_drifts()[0].logical_resource_id(), Some("Bucket"));
}

#[tokio::test(start_paused = true)]
async fn revert_drift_changes_what_drifted() {
    let bench = Bench::deployed().await;
    bench.account().somebody_drifts(STACK, "Stream", "/RetentionPeriodHours", "48");
    let made =
        bench.change_set(TEMPLATE).deployment_mode(cfn::DeploymentMode::RevertDrift).send().await.unwrap();
    let change_set = bench.ready(&made).await;
    let change = change_set.changes()[0].resource_change().unwrap();
    assert_eq!(change.logical_resource_id(), Some("Stream"));
    assert_eq!(change.resource_drift_status(), Some(&cfn::StackResourceDriftStatus::Modified));
    bench.execute(&change_set).await;
    wait(300).await;
    assert_eq!(detected(&bench).await, cfn::StackDriftStatus::InSync);
}
