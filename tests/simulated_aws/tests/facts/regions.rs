//! Other regions than the account's own.

use crate::bench::{Bench, STACK, configuration, refusal, wait};
use aws_sdk_kinesis::error::ProvideErrorMetadata;

#[tokio::test(start_paused = true)]
async fn another_region_is_empty_but_for_what_was_put_there_and_iam_is_the_same_everywhere() {
    let bench = Bench::deployed().await;
    let config = configuration("eu-west-1").http_client(bench.aws.http_client()).build();
    let there = aws_sdk_cloudformation::Client::new(&config);
    assert_eq!(there.describe_stacks().send().await.unwrap().stacks().len(), 0);
    assert_eq!(bench.account().calls.last().unwrap().region, "eu-west-1");
    let missing =
        aws_sdk_lambda::Client::new(&config).get_function_configuration().function_name("processor");
    assert_eq!(refusal(missing.send().await).0, "ResourceNotFoundException");
    let role = aws_sdk_iam::Client::new(&config).get_role().role_name("pipeline").send().await.unwrap();
    assert_eq!(role.role.unwrap().role_name(), "pipeline");
    let deployment = bench.account().stack(STACK).unwrap().deployed.clone();
    bench.account().in_region("eu-west-1").somebody_deploys("theirs", deployment);
    let stacks = there.describe_stacks().send().await.unwrap();
    assert!(stacks.stacks()[0].stack_id().unwrap().contains(":eu-west-1:"));
    assert_eq!(bench.cloudformation.describe_stacks().send().await.unwrap().stacks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_not_enabled_knows_no_tokens() {
    let bench = Bench::new();
    bench.account().script.disabled_regions.insert("ap-east-1".to_owned());
    let config = configuration("ap-east-1").http_client(bench.aws.http_client()).build();
    let stacks = aws_sdk_cloudformation::Client::new(&config).describe_stacks().send().await;
    let status = stacks.as_ref().unwrap_err().raw_response().unwrap().status().as_u16();
    assert_eq!((status, refusal(stacks).0.as_str()), (403, "InvalidClientTokenId"));
    let limits = aws_sdk_kinesis::Client::new(&config).describe_limits().send().await.unwrap_err();
    assert_eq!(limits.code(), Some("UnrecognizedClientException"));
    assert!(limits.message().unwrap().contains("security token included in the request is invalid"));
    bench.cloudformation.describe_stacks().send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn all_callers_of_a_region_share_how_many_calls_a_second_it_takes() {
    let bench = Bench::new();
    bench.account().script.calls_per_second.insert("DescribeStacks".to_owned(), 2);
    let client = |region: &str| {
        let config = configuration(region).http_client(bench.aws.http_client()).build();
        aws_sdk_cloudformation::Client::new(&config)
    };
    for who in [client("us-east-1"), client("us-east-1")] {
        who.describe_stacks().send().await.unwrap();
    }
    assert_eq!(refusal(client("us-east-1").describe_stacks().send().await).0, "Throttling");
    bench.cloudformation.list_stacks().send().await.unwrap();
    client("eu-west-1").describe_stacks().send().await.unwrap();
    wait(1).await;
    client("us-east-1").describe_stacks().send().await.unwrap();
}
