//! How stacks go.

use crate::bench::{BUCKET, Bench, STACK, TEMPLATE, refusal, wait};
use aws_sdk_cloudformation::types as cfn;
use simulated_aws::Version;

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_not_empty_fails_the_deletion() {
    let bench = Bench::deployed().await;
    bench.account().put(BUCKET, "rows/1", Version::default());
    bench.delete().await;
    wait(300).await;
    assert_eq!(bench.status(), "DELETE_FAILED");
    let said = bench.said_of("Bucket").await;
    assert!(said.last().unwrap().1.contains("The bucket you tried to delete is not empty"));
    bench.account().buckets.get_mut(BUCKET).unwrap().versions.clear();
    bench.delete().await;
    wait(300).await;
    assert_eq!(bench.status(), "DELETE_COMPLETE");
    assert!(!bench.account().exists("AWS::S3::Bucket", BUCKET));
}

#[tokio::test(start_paused = true)]
async fn retain_resources_and_force_work_only_in_delete_failed_and_leave_orphans() {
    for force in [false, true] {
        let bench = Bench::deployed().await;
        bench.account().script.undeletable.insert("Stream".to_owned(), "no".to_owned());
        let request = bench.cloudformation.delete_stack().stack_name(STACK);
        let request = match force {
            true => request.deletion_mode(cfn::DeletionMode::ForceDeleteStack),
            false => request.retain_resources("Stream"),
        };
        assert_eq!(refusal(request.clone().send().await).0, "ValidationError");
        bench.delete().await;
        wait(300).await;
        assert_eq!(bench.status(), "DELETE_FAILED");
        request.send().await.unwrap();
        wait(300).await;
        assert_eq!(bench.status(), "DELETE_COMPLETE");
        assert!(bench.account().exists("AWS::Kinesis::Stream", "trades"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_can_be_deleted_while_it_is_in_progress_and_an_update_cannot() {
    let bench = Bench::new();
    let change_set = bench.plan(TEMPLATE).await;
    bench.execute(&change_set).await;
    wait(10).await;
    bench.delete().await;
    assert_eq!(bench.said_of("Stream").await.last().unwrap().1, "Resource creation cancelled");
    wait(300).await;
    assert_eq!(bench.status(), "DELETE_COMPLETE");
    assert!(bench.account().things.is_empty());

    let bench = Bench::deployed().await;
    bench.account().somebody_updates(STACK);
    let delete = bench.cloudformation.delete_stack().stack_name(STACK).send().await;
    assert!(refusal(delete).1.contains("cannot be deleted while in status UPDATE_IN_PROGRESS"));
}

#[tokio::test(start_paused = true)]
async fn termination_protection_refuses_a_deletion() {
    let bench = Bench::deployed().await;
    let protect = bench.cloudformation.update_termination_protection().stack_name(STACK);
    protect.clone().enable_termination_protection(true).send().await.unwrap();
    assert_eq!(bench.stack().await.enable_termination_protection(), Some(true));
    let delete = bench.cloudformation.delete_stack().stack_name(STACK).send().await;
    assert_eq!(
        refusal(delete),
        (
            "ValidationError".to_owned(),
            "Stack [pipeline] cannot be deleted while TerminationProtection is enabled".to_owned()
        )
    );
    protect.enable_termination_protection(false).send().await.unwrap();
    bench.delete().await;
    assert_eq!(bench.status(), "DELETE_IN_PROGRESS");
}

#[tokio::test(start_paused = true)]
async fn retain_except_on_create_stays_at_a_deletion_and_goes_when_a_creation_is_rolled_back() {
    for (policy, kept_by_rollback) in [("RetainExceptOnCreate", false), ("Retain", true)] {
        let template = TEMPLATE.replace("DeletionPolicy: Delete", &format!("DeletionPolicy: {policy}"));
        let bench = Bench::new();
        bench.deploy(&template).await;
        bench.delete().await;
        wait(300).await;
        assert_eq!(bench.status(), "DELETE_COMPLETE");
        assert_eq!(bench.said_of("Bucket").await.last().unwrap().0, "DELETE_SKIPPED");
        assert!(bench.account().exists("AWS::S3::Bucket", BUCKET));

        let bench = Bench::new();
        bench.account().script.failing.insert("Delivery".to_owned(), "no".to_owned());
        bench.deploy(&template).await;
        assert_eq!(bench.status(), "ROLLBACK_COMPLETE");
        assert_eq!(bench.account().exists("AWS::S3::Bucket", BUCKET), kept_by_rollback, "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_request_flag_lets_a_rollback_delete_what_is_retained_else() {
    let template = TEMPLATE.replace("DeletionPolicy: Delete", "DeletionPolicy: Retain");
    let bench = Bench::new();
    bench.account().script.failing.insert("Delivery".to_owned(), "no".to_owned());
    let change_set = bench.plan(&template).await;
    let execute =
        bench.cloudformation.execute_change_set().change_set_name(change_set.change_set_id().unwrap());
    execute.retain_except_on_create(true).send().await.unwrap();
    wait(300).await;
    assert!(!bench.account().exists("AWS::S3::Bucket", BUCKET));
}

#[tokio::test(start_paused = true)]
async fn a_dying_delivery_stream_still_delivers() {
    let bench = Bench::deployed().await;
    bench.account().script.flushes = 1;
    bench.delete().await;
    wait(300).await;
    assert_eq!(bench.status(), "DELETE_FAILED");
    assert_eq!(bench.account().buckets[BUCKET].versions.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_logs_late_makes_its_usual_group_again_and_no_other() {
    let usual = "/aws/lambda/processor";
    for (template, again) in [
        (TEMPLATE.to_owned(), false),
        (TEMPLATE.replace("      LoggingConfig: {LogGroup: !Ref Group}\n", ""), true),
    ] {
        let bench = Bench::new();
        bench.account().script.late_logs = true;
        bench.deploy(&template).await;
        bench.delete().await;
        wait(300).await;
        assert_eq!(bench.status(), "DELETE_COMPLETE");
        let answer = bench.logs.describe_log_groups().log_group_name_prefix(usual).send().await.unwrap();
        assert_eq!(answer.log_groups().len(), usize::from(again));
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_after_an_update_is_left_alone() {
    let bench = Bench::deployed().await;
    bench.account().script.undeletable.insert("Group".to_owned(), "no".to_owned());
    bench.deploy(&TEMPLATE.replace("LogGroupName: /pipeline", "LogGroupName: /other")).await;
    assert_eq!(bench.status(), "UPDATE_COMPLETE");
    assert!(bench.stack().await.stack_status_reason().unwrap().contains("could not be deleted"));
    for name in ["/pipeline/processor", "/other/processor"] {
        assert!(bench.account().exists("AWS::Logs::LogGroup", name), "{name}");
    }
}
