//! Somebody else at work, at moments that a test chooses.

use crate::bench::{BUCKET, Bench, STACK, refusal, wait};
use simulated_aws::Deed;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn somebody_extends_a_stack_right_before_a_call_is_answered() {
    let bench = Bench::deployed().await;
    let deed = Deed::Tags(STACK.to_owned(), "expires".to_owned(), "later".to_owned());
    bench.account().somebody_before("DescribeStacks", deed);
    let stack = bench.stack().await;
    assert_eq!(stack.stack_status().unwrap().as_str(), "UPDATE_IN_PROGRESS");
    assert_eq!(stack.tags()[0].value(), Some("later"));
    wait(60).await;
    assert_eq!(bench.status(), "UPDATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn somebody_puts_protects_makes_and_deletes_later() {
    let bench = Bench::deployed().await;
    let (stack, bucket) = (STACK.to_owned(), BUCKET.to_owned());
    let group = "AWS::Logs::LogGroup";
    for (seconds, deed) in [
        (10, Deed::Puts(bucket, "rows/late".to_owned())),
        (20, Deed::Protects(stack.clone())),
        (30, Deed::Makes(group.to_owned(), "/late".to_owned(), ("team".to_owned(), "rows".to_owned()))),
        (40, Deed::Deletes(stack)),
    ] {
        bench.account().somebody_later(Duration::from_secs(seconds), deed);
    }
    wait(5).await;
    assert!(bench.account().buckets[BUCKET].is_empty());
    wait(10).await;
    assert!(bench.account().buckets[BUCKET].holds("rows/late"));
    wait(10).await;
    assert!(bench.account().stack(STACK).unwrap().protected);
    wait(10).await;
    assert_eq!(bench.account().thing(group, "/late").unwrap().tags["team"], "rows");
    wait(10).await;
    assert_eq!(bench.status(), "DELETE_IN_PROGRESS");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_somebody_else_took_is_forbidden() {
    let bench = Bench::new();
    bench.account().somebody_takes("rows");
    let list = bench.s3.list_objects_v2().bucket("rows").send().await;
    assert_eq!(refusal(list).0, "AccessDenied");
}
