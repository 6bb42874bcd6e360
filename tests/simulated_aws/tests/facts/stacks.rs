//! Stacks as they are made and looked at.

use crate::bench::{Bench, STACK, TEMPLATE, refusal, wait};
use aws_sdk_cloudformation::types as cfn;
use simulated_aws::{Fault, Refusal, When, reasons};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn the_whole_stack_takes_one_and_a_half_to_three_minutes() {
    let bench = Bench::new();
    let change_set = bench.plan(TEMPLATE).await;
    bench.execute(&change_set).await;
    let began = bench.account().age();
    while bench.status() == "CREATE_IN_PROGRESS" {
        wait(1).await;
    }
    let took = bench.account().age() - began;
    assert!((80..180).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_stream_takes_over_twenty_minutes_at_times() {
    let bench = Bench::new();
    bench.account().script.stragglers = 1.0;
    let change_set = bench.plan(TEMPLATE).await;
    bench.execute(&change_set).await;
    wait(1_190).await;
    assert_eq!(bench.status(), "CREATE_IN_PROGRESS");
    wait(120).await;
    assert_eq!(bench.status(), "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_stack_tells_its_outputs_parameters_tags_and_operations() {
    let bench = Bench::new();
    let template = TEMPLATE.replace("Resources:", "Parameters:\n  Size: {Type: String}\nResources:");
    let tag = cfn::Tag::builder().key("team").value("rows").build();
    let parameter = cfn::Parameter::builder().parameter_key("Size").parameter_value("2").build();
    let without = bench.change_set(&template).send().await;
    assert!(refusal(without).1.contains("[Size] must have values"));
    let made = bench.change_set(&template).tags(tag.clone()).parameters(parameter).send().await.unwrap();
    let change_set = bench.ready(&made).await;
    bench.execute(&change_set).await;
    wait(300).await;
    let stack = bench.stack().await;
    assert_eq!(stack.tags(), std::slice::from_ref(&tag));
    assert_eq!(stack.parameters()[0].parameter_value(), Some("2"));
    assert_eq!(
        stack.outputs()[1].output_value(),
        Some("arn:aws:kinesis:us-east-1:123456789012:stream/trades")
    );
    assert_eq!((stack.disable_rollback(), stack.enable_termination_protection()), (Some(false), Some(false)));
    assert_eq!(stack.last_updated_time(), None);
    let newest = stack.last_operations()[0].operation_type().unwrap();
    assert_eq!((newest.as_str(), stack.last_operations().len()), ("CREATE_STACK", 2));
    let bucket = bench.s3.get_bucket_tagging().bucket("rows-of-the-pipeline").send().await.unwrap();
    let keys: Vec<&str> = bucket.tag_set().iter().map(|tag| tag.key()).collect();
    assert!(keys.contains(&"team") && keys.contains(&"aws:cloudformation:stack-name"), "{keys:?}");
}

#[tokio::test(start_paused = true)]
async fn list_stacks_keeps_deleted_ones_and_a_deleted_one_answers_only_to_its_id() {
    let bench = Bench::deployed().await;
    let id = bench.stack().await.stack_id().unwrap().to_owned();
    bench.delete().await;
    wait(300).await;
    let request = bench.cloudformation.describe_stacks();
    assert!(refusal(request.clone().stack_name(STACK).send().await).1.contains("does not exist"));
    let by_id = request.stack_name(id).send().await.unwrap();
    assert_eq!(by_id.stacks()[0].stack_status(), Some(&cfn::StackStatus::DeleteComplete));
    let list = bench.cloudformation.list_stacks().stack_status_filter(cfn::StackStatus::DeleteComplete);
    assert_eq!(list.send().await.unwrap().stack_summaries().len(), 1);
    let list = bench.cloudformation.list_stacks().stack_status_filter(cfn::StackStatus::CreateComplete);
    assert_eq!(list.send().await.unwrap().stack_summaries().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_failure_says_is_told_by_its_resource_and_the_others_are_cancelled() {
    let caller = "arn:aws:iam::123456789012:user/somebody";
    for reason in [
        reasons::quota("delivery streams"),
        reasons::no_permission(caller, "firehose:CreateDeliveryStream", "*"),
        reasons::forbidden_by_organization(caller, "kinesis:CreateStream", "*"),
        reasons::no_key("alias/rows"),
        reasons::no_concurrency(),
    ] {
        let bench = Bench::new();
        bench.account().script.failing.insert("Stream".to_owned(), reason.clone());
        bench.deploy(TEMPLATE).await;
        assert_eq!(bench.status(), "ROLLBACK_COMPLETE");
        let said = bench.said_of("Stream").await;
        assert!(said.contains(&("CREATE_FAILED".to_owned(), reason)), "{said:?}");
        let account = bench.account();
        assert_eq!((account.things.len(), account.buckets.len()), (0, 1), "{:?}", account.things);
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_rolls_back_without_touching_what_others_made() {
    let bench = Bench::new();
    let made = bench.change_set(TEMPLATE).disable_validation(true).send().await.unwrap();
    let change_set = bench.ready(&made).await;
    // Somebody is quicker.
    bench.account().make("AWS::S3::Bucket", "rows-of-the-pipeline");
    bench.execute(&change_set).await;
    wait(300).await;
    assert_eq!(bench.status(), "ROLLBACK_COMPLETE");
    assert!(bench.said_of("Bucket").await.iter().any(|(_, reason)| reason.ends_with("already exists")));
    assert!(bench.account().buckets.contains_key("rows-of-the-pipeline"));
}

#[tokio::test(start_paused = true)]
async fn new_code_under_the_same_key_is_not_noticed_and_a_missing_key_fails() {
    let bench = Bench::deployed().await;
    let change_set = bench.plan(&TEMPLATE.replace("processor/e3", "processor/f3")).await;
    bench.execute(&change_set).await;
    wait(300).await;
    assert_eq!(bench.status(), "UPDATE_ROLLBACK_COMPLETE");
    let said = bench.said_of("Processor").await;
    assert!(said.iter().any(|(_, reason)| reason.contains("NoSuchKey")), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_denial_names_caller_action_and_resource() {
    let bench = Bench::new();
    bench.account().script.denied.insert("cloudformation:DescribeStacks".to_owned());
    let (code, message) = refusal(bench.cloudformation.describe_stacks().stack_name(STACK).send().await);
    assert_eq!(code, "AccessDenied");
    assert_eq!(
        message,
        "User: arn:aws:iam::123456789012:user/somebody is not authorized to perform: cloudformation:DescribeStacks on \
         resource: arn:aws:cloudformation:us-east-1:123456789012:stack/pipeline/* because no identity-based policy \
         allows the cloudformation:DescribeStacks action"
    );
    assert!(bench.account().age() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn throttling_says_rate_exceeded_in_each_services_own_code() {
    let bench = Bench::new();
    for (operation, service) in [("DescribeStacks", "cloudformation"), ("DescribeStreamSummary", "kinesis")] {
        let refusal = Refusal::throttled(service);
        bench.account().faults.push(Fault { operation, when: When::Times(1), refusal });
    }
    let stacks = bench.cloudformation.describe_stacks();
    let throttled = |code: &str| (code.to_owned(), "Rate exceeded".to_owned());
    assert_eq!(refusal(stacks.clone().send().await), throttled("Throttling"));
    let stream = bench.kinesis.describe_stream_summary().stream_name("trades").send().await;
    assert_eq!(refusal(stream), throttled("ThrottlingException"));
    stacks.send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn create_stack_gives_the_stack_its_tags_at_once_and_refuses_a_name_that_is_taken() {
    let bench = Bench::new();
    let create = |token: &str| {
        let tag = cfn::Tag::builder().key("team").value("rows").build();
        let request = bench.cloudformation.create_stack().stack_name(STACK).template_body(TEMPLATE);
        request.tags(tag).capabilities(cfn::Capability::CapabilityNamedIam).client_request_token(token).send()
    };
    create("one").await.unwrap();
    let stack = bench.stack().await;
    assert_eq!((stack.stack_status(), stack.tags().len()), (Some(&cfn::StackStatus::CreateInProgress), 1));
    // The same request once more is no other.
    create("one").await.unwrap();
    assert_eq!(refusal(create("two").await).0, "AlreadyExistsException");
    wait(300).await;
    assert_eq!(bench.status(), "CREATE_COMPLETE");
}
