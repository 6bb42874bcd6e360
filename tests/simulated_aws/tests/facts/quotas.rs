//! How much an account can have.

use crate::bench::{Bench, STACK, TEMPLATE, refusal};
use aws_sdk_iam::types::SummaryKeyType;

#[tokio::test(start_paused = true)]
async fn describe_limits_tells_the_shards_of_all_streams_and_how_many_there_can_be() {
    let bench = Bench::new();
    bench.deploy(&TEMPLATE.replace("ShardCount: 1", "ShardCount: 4")).await;
    bench.account().somebody_makes("AWS::Kinesis::Stream", "another", &[]);
    bench.account().script.shard_limit = 200;
    let limits = bench.kinesis.describe_limits().send().await.unwrap();
    assert_eq!((limits.open_shard_count(), limits.shard_limit()), (5, 200));
}

#[tokio::test(start_paused = true)]
async fn the_accounts_summary_tells_its_roles_and_how_many_there_can_be() {
    let bench = Bench::deployed().await;
    let summary = bench.iam.get_account_summary().send().await.unwrap();
    let summary = summary.summary_map().unwrap();
    assert_eq!(summary.get(&SummaryKeyType::Roles), Some(&1));
    assert_eq!(summary.get(&SummaryKeyType::RolesQuota), Some(&1_000));
}

#[tokio::test(start_paused = true)]
async fn cloudformation_tells_how_many_stacks_there_can_be_and_refuses_more() {
    let bench = Bench::new();
    bench.account().script.stack_limit = 0;
    let limits = bench.cloudformation.describe_account_limits().send().await.unwrap();
    let limit = &limits.account_limits()[0];
    assert_eq!((limit.name(), limit.value()), (Some("StackLimit"), Some(0)));
    assert_eq!(refusal(bench.change_set(TEMPLATE).send().await).0, "LimitExceededException");
    assert!(bench.account().stack(STACK).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stream_or_a_role_beyond_the_quota_fails_to_be_made() {
    for (shards, roles, logical_id, said) in [
        (0, 9, "Stream", "would exceed the shard limit"),
        (9, 0, "Role", "Cannot exceed quota for RolesPerAccount: 0"),
    ] {
        let bench = Bench::new();
        bench.account().script.shard_limit = shards;
        bench.account().script.role_limit = roles;
        bench.deploy(TEMPLATE).await;
        assert_eq!(bench.status(), "ROLLBACK_COMPLETE");
        let failed = bench.said_of(logical_id).await;
        assert!(failed.iter().any(|(_, reason)| reason.contains(said)), "{failed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_five_streams_are_creating() {
    let streams = |number: usize| {
        let stream = |n| {
            format!(
                "  Stream{n}:\n    Type: AWS::Kinesis::Stream\n    Properties: {{Name: s{n}, ShardCount: 1}}\n"
            )
        };
        format!("Resources:\n{}", (0..number).map(stream).collect::<String>())
    };
    for (number, status) in [(5, "CREATE_COMPLETE"), (6, "ROLLBACK_COMPLETE")] {
        let bench = Bench::new();
        bench.deploy(&streams(number)).await;
        assert_eq!(bench.status(), status);
    }
}
