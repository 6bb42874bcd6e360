//! The Resource Groups Tagging API.

use crate::bench::{BUCKET, Bench, STACK, TEMPLATE, refusal, wait};
use aws_sdk_cloudformation::types as cfn;
use aws_sdk_resourcegroupstagging::operation::get_resources::builders::GetResourcesFluentBuilder;
use aws_sdk_resourcegroupstagging::types::TagFilter;

/// A bench whose stack bears a tag.
async fn tagged() -> Bench {
    let bench = Bench::new();
    let tag = cfn::Tag::builder().key("team").value("rows").build();
    let made = bench.change_set(TEMPLATE).tags(tag).send().await.unwrap();
    let change_set = bench.ready(&made).await;
    bench.execute(&change_set).await;
    wait(300).await;
    assert_eq!(bench.status(), "CREATE_COMPLETE");
    bench
}

fn asked(bench: &Bench, value: &str) -> GetResourcesFluentBuilder {
    let filter = TagFilter::builder().key("team").values(value).build();
    bench.tagging.get_resources().tag_filters(filter).resources_per_page(100)
}

async fn told(request: GetResourcesFluentBuilder) -> Vec<String> {
    let answer = request.send().await.unwrap();
    answer.resource_tag_mapping_list().iter().map(|it| it.resource_arn().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn stack_tags_are_passed_on_and_everything_but_roles_is_told_by_them() {
    let bench = tagged().await;
    let id = bench.account().stack(STACK).unwrap().id.clone();
    let group = "arn:aws:logs:us-east-1:123456789012:log-group:/pipeline/processor";
    let all = [
        id.as_str(),
        "arn:aws:firehose:us-east-1:123456789012:deliverystream/delivery",
        "arn:aws:kinesis:us-east-1:123456789012:stream/trades",
        "arn:aws:lambda:us-east-1:123456789012:function:processor",
        group,
        "arn:aws:s3:::rows-of-the-pipeline",
    ];
    assert_eq!(told(asked(&bench, "rows")).await, all);
    assert_eq!(told(asked(&bench, "others")).await, [""; 0]);
    assert_eq!(told(asked(&bench, "rows").resource_type_filters("logs:log-group")).await, [group]);
    let some = asked(&bench, "rows").resource_type_filters("s3").resource_type_filters("kinesis:stream");
    assert_eq!(told(some).await, [all[2], all[5]]);
    let refused = asked(&bench, "rows").resource_type_filters("AWS::S3::Bucket").send().await;
    assert_eq!(refusal(refused).0, "InvalidParameterException");
    bench.account().script.tagging_tells_roles = true;
    assert_eq!(told(asked(&bench, "rows").resource_type_filters("iam")).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cloudformations_own_tags_are_not_on_streams_delivery_streams_and_roles() {
    let bench = tagged().await;
    bench.account().script.tagging_tells_roles = true;
    let filter = TagFilter::builder().key("aws:cloudformation:stack-name").build();
    let arns = told(bench.tagging.get_resources().tag_filters(filter)).await;
    let parts = ["function:processor", "log-group:/pipeline/processor", BUCKET];
    assert_eq!(arns.len(), parts.len(), "{arns:?}");
    assert!(arns.iter().zip(parts).all(|(arn, part)| arn.ends_with(part)), "{arns:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_is_told_for_a_while() {
    let bench = tagged().await;
    bench.account().unmake("AWS::S3::Bucket", BUCKET);
    assert_eq!(told(asked(&bench, "rows").resource_type_filters("s3")).await.len(), 1);
    wait(20).await;
    assert_eq!(told(asked(&bench, "rows").resource_type_filters("s3")).await.len(), 0);
    bench.delete().await;
    wait(300).await;
    assert_eq!(told(asked(&bench, "rows")).await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_page_has_a_hundred_at_most_and_tells_the_token_of_the_next() {
    let bench = Bench::new();
    for number in 0..250 {
        let name = format!("stream-{number:03}");
        bench.account().somebody_makes("AWS::Kinesis::Stream", &name, &[("team", "rows")]);
    }
    assert_eq!(
        refusal(asked(&bench, "rows").resources_per_page(101).send().await).0,
        "InvalidParameterException"
    );
    let (mut token, mut pages) = (None, Vec::new());
    loop {
        let answer = asked(&bench, "rows").set_pagination_token(token.take()).send().await.unwrap();
        pages.push(answer.resource_tag_mapping_list().len());
        token = answer.pagination_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(pages, [100, 100, 50]);
}

#[tokio::test(start_paused = true)]
async fn a_denial_names_the_action_of_the_tagging_api() {
    let bench = Bench::new();
    bench.account().script.denied.insert("tag:GetResources".to_owned());
    let (code, message) = refusal(asked(&bench, "rows").send().await);
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("tag:GetResources"), "{message}");
}
