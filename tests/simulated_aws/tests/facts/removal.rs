//! What each service says when it is asked to delete something, and what that does on its way out.

use crate::bench::{BUCKET, Bench, TEMPLATE, refusal, wait};
use aws_sdk_firehose::types::DeliveryStreamStatus;
use aws_sdk_kinesis::types::StreamStatus;

const ROLE: &str = "AWS::IAM::Role";

#[tokio::test(start_paused = true)]
async fn a_stream_is_deleted_only_while_active_and_is_deleting_for_a_while() {
    let bench = Bench::deployed().await;
    let delete = bench.kinesis.delete_stream().stream_name("trades");
    delete.clone().send().await.unwrap();
    let look = bench.kinesis.describe_stream_summary().stream_name("trades");
    let summary = look.clone().send().await.unwrap().stream_description_summary.unwrap();
    assert_eq!(summary.stream_status, StreamStatus::Deleting);
    assert_eq!(refusal(delete.clone().send().await).0, "ResourceInUseException");
    wait(60).await;
    assert_eq!(refusal(look.send().await).0, "ResourceNotFoundException");
    assert_eq!(refusal(delete.send().await).0, "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_stream_with_consumers_is_deleted_only_where_their_deletion_is_enforced() {
    let bench = Bench::new();
    bench.account().somebody_makes("AWS::Kinesis::Stream", "read", &[]);
    let key = ("AWS::Kinesis::Stream".to_owned(), "read".to_owned());
    bench.account().things.get_mut(&key).unwrap().facts.insert("Consumers", "1".to_owned());
    let delete = bench.kinesis.delete_stream().stream_name("read");
    assert_eq!(refusal(delete.clone().send().await).0, "ResourceInUseException");
    delete.enforce_consumer_deletion(true).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_delivery_stream_is_refused_while_creating_and_flushes_while_it_is_deleting() {
    let bench = Bench::new();
    let delete = bench.firehose.delete_delivery_stream().delivery_stream_name("delivery");
    let change_set = bench.plan(TEMPLATE).await;
    bench.execute(&change_set).await;
    wait(60).await;
    assert_eq!(refusal(delete.clone().send().await).0, "ResourceInUseException");
    wait(200).await;
    bench.account().script.flushes = 1;
    bench.account().script.delivery_deletion_seconds = 240.0;
    delete.clone().send().await.unwrap();
    // Once more is as good as once.
    delete.clone().send().await.unwrap();
    wait(200).await;
    let look = bench.firehose.describe_delivery_stream().delivery_stream_name("delivery");
    let told = look.clone().send().await.unwrap().delivery_stream_description.unwrap();
    assert_eq!(told.delivery_stream_status, DeliveryStreamStatus::Deleting);
    assert!(bench.account().buckets[BUCKET].is_empty());
    wait(60).await;
    assert_eq!(refusal(look.send().await).0, "ResourceNotFoundException");
    assert_eq!(bench.account().buckets[BUCKET].versions.len(), 1);
    assert_eq!(refusal(delete.send().await).0, "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn what_a_service_deleted_goes_with_its_stack_without_a_word() {
    let bench = Bench::deployed().await;
    bench.firehose.delete_delivery_stream().delivery_stream_name("delivery").send().await.unwrap();
    bench.lambda.delete_function().function_name("processor").send().await.unwrap();
    bench.delete().await;
    wait(300).await;
    assert_eq!(bench.status(), "DELETE_COMPLETE");
    assert!(bench.account().things.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_function_and_a_deleted_log_group_are_gone_at_once() {
    let bench = Bench::deployed().await;
    let function = bench.lambda.delete_function().function_name("processor");
    function.clone().send().await.unwrap();
    assert_eq!(refusal(function.send().await).0, "ResourceNotFoundException");
    let group = bench.logs.delete_log_group().log_group_name("/pipeline/processor");
    group.clone().send().await.unwrap();
    assert_eq!(refusal(group.send().await).0, "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_role_is_deleted_only_without_policies() {
    let bench = Bench::new();
    bench.account().somebody_makes(ROLE, "role", &[("team", "rows")]);
    let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let key = (ROLE.to_owned(), "role".to_owned());
    bench.account().things.get_mut(&key).unwrap().attached.insert(arn.to_owned());
    let delete = bench.iam.delete_role().role_name("role");
    let role = bench.iam.get_role().role_name("role").send().await.unwrap().role.unwrap();
    assert_eq!((role.tags()[0].key(), role.tags()[0].value()), ("team", "rows"));
    let conflict = refusal(delete.clone().send().await);
    assert_eq!(conflict.0, "DeleteConflict");
    assert!(conflict.1.contains("detach all policies"), "{conflict:?}");
    let attached = bench.iam.list_attached_role_policies().role_name("role").send().await.unwrap();
    assert_eq!(attached.attached_policies()[0].policy_arn(), Some(arn));
    let detach = bench.iam.detach_role_policy().role_name("role").policy_arn(arn);
    detach.clone().send().await.unwrap();
    assert_eq!(refusal(detach.send().await).0, "NoSuchEntity");
    let conflict = refusal(delete.clone().send().await);
    assert!(conflict.1.contains("delete policies"), "{conflict:?}");
    let own = bench.iam.list_role_policies().role_name("role").send().await.unwrap();
    assert_eq!(own.policy_names(), ["inline"]);
    let policy = bench.iam.delete_role_policy().role_name("role").policy_name("inline");
    policy.clone().send().await.unwrap();
    assert_eq!(refusal(policy.send().await).0, "NoSuchEntity");
    delete.clone().send().await.unwrap();
    assert_eq!(refusal(delete.send().await).0, "NoSuchEntity");
}

#[tokio::test(start_paused = true)]
async fn a_last_line_makes_a_group_that_logging_config_names_only_where_the_role_may() {
    let policy = |action: &str| {
        format!(
            "RoleName: pipeline, Policies: [{{PolicyName: log, PolicyDocument: {{Statement: [{{Action: {action}}}]}}}}]"
        )
    };
    for (action, again) in [("logs:PutLogEvents", false), ("logs:CreateLogGroup", true)] {
        let bench = Bench::new();
        bench.account().script.late_logs = true;
        bench.deploy(&TEMPLATE.replace("RoleName: pipeline", &policy(action))).await;
        bench.lambda.delete_function().function_name("processor").send().await.unwrap();
        bench.logs.delete_log_group().log_group_name("/pipeline/processor").send().await.unwrap();
        wait(30).await;
        assert_eq!(bench.account().exists("AWS::Logs::LogGroup", "/pipeline/processor"), again, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_usual_group_can_come_late_in_spite_of_all_and_bears_no_tags() {
    let bench = Bench::deployed().await;
    bench.account().script.late_log_group = true;
    bench.delete().await;
    wait(300).await;
    assert_eq!(bench.status(), "DELETE_COMPLETE");
    let account = bench.account();
    assert!(account.thing("AWS::Logs::LogGroup", "/aws/lambda/processor").unwrap().tags.is_empty());
}
