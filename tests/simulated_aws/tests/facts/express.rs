//! EXPRESS.

use crate::bench::{Bench, STACK, TEMPLATE, refusal, wait};
use aws_sdk_cloudformation::types as cfn;

fn express(disable_rollback: Option<bool>) -> cfn::DeploymentConfig {
    let config = cfn::DeploymentConfig::builder().mode(cfn::DeploymentConfigMode::Express);
    config.set_disable_rollback(disable_rollback).build()
}

async fn deploy(bench: &Bench, template: &str, disable_rollback: Option<bool>) {
    let request = bench.change_set(template).deployment_config(express(disable_rollback));
    let change_set = bench.ready(&request.send().await.unwrap()).await;
    bench.execute(&change_set).await;
}

#[tokio::test(start_paused = true)]
async fn express_is_complete_before_function_and_delivery_stream_are_ready() {
    let bench = Bench::new();
    deploy(&bench, TEMPLATE, None).await;
    while bench.status() == "CREATE_IN_PROGRESS" {
        wait(1).await;
    }
    assert_eq!(bench.status(), "CREATE_COMPLETE");
    assert_eq!(
        bench.stack().await.deployment_config().unwrap().mode(),
        Some(&cfn::DeploymentConfigMode::Express)
    );
    let delivery = bench.firehose.describe_delivery_stream().delivery_stream_name("delivery");
    let status = |it: aws_sdk_firehose::operation::describe_delivery_stream::DescribeDeliveryStreamOutput| {
        it.delivery_stream_description().unwrap().delivery_stream_status().as_str().to_owned()
    };
    assert_eq!(status(delivery.clone().send().await.unwrap()), "CREATING");
    wait(100).await;
    assert_eq!(status(delivery.send().await.unwrap()), "ACTIVE");
}

#[tokio::test(start_paused = true)]
async fn in_express_rollback_is_off_unless_told_otherwise() {
    for (disable_rollback, end) in [(None, "CREATE_FAILED"), (Some(false), "ROLLBACK_COMPLETE")] {
        let bench = Bench::new();
        bench.account().script.failing.insert("Stream".to_owned(), "no".to_owned());
        deploy(&bench, TEMPLATE, disable_rollback).await;
        wait(300).await;
        assert_eq!(bench.status(), end);
    }
}

#[tokio::test(start_paused = true)]
async fn a_disable_rollback_beside_the_config_is_rejected() {
    let bench = Bench::new();
    let made = bench.change_set(TEMPLATE).deployment_config(express(None)).send().await.unwrap();
    bench.ready(&made).await;
    let execute = bench.cloudformation.execute_change_set().change_set_name(made.id().unwrap());
    assert!(refusal(execute.disable_rollback(true).send().await).1.contains("DeploymentConfig"));
    let both = bench.change_set(TEMPLATE).deployment_config(express(None));
    let both = both.on_stack_failure(cfn::OnStackFailure::Delete).send().await;
    assert!(refusal(both).1.contains("DeploymentConfig"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_express_update_demands_express_refuses_rollback_stack_and_ends_with_the_last_good_template()
{
    let bench = Bench::deployed().await;
    bench.account().script.failing.insert("Stream".to_owned(), "no".to_owned());
    let changed = TEMPLATE.replace("ShardCount: 1", "ShardCount: 2");
    deploy(&bench, &changed, None).await;
    wait(300).await;
    assert_eq!(bench.status(), "UPDATE_FAILED");
    bench.account().script.failing.clear();
    let demand = "Follow-up operations must use the same DeploymentConfig";
    assert!(refusal(bench.change_set(&changed).send().await).1.contains(demand));
    assert!(refusal(bench.cloudformation.rollback_stack().stack_name(STACK).send().await).1.contains(demand));
    let update = bench.cloudformation.update_stack().stack_name(STACK).template_body(TEMPLATE);
    let update = update.capabilities(cfn::Capability::CapabilityNamedIam);
    assert!(refusal(update.clone().send().await).1.contains(demand));
    update.deployment_config(express(None)).send().await.unwrap();
    wait(300).await;
    assert_eq!(bench.status(), "UPDATE_COMPLETE");
    let normal = bench.plan(&changed).await;
    bench.execute(&normal).await;
}

#[tokio::test(start_paused = true)]
async fn express_deletes_are_complete_while_things_still_go() {
    let bench = Bench::deployed().await;
    let request = bench.cloudformation.delete_stack().stack_name(STACK);
    request.deployment_config(express(None)).send().await.unwrap();
    while bench.status() == "DELETE_IN_PROGRESS" {
        wait(1).await;
    }
    assert_eq!(bench.status(), "DELETE_COMPLETE");
    assert!(!bench.account().things.is_empty());
    wait(60).await;
    assert!(bench.account().things.is_empty());
}
