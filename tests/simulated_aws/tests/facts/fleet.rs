//! Many stacks in one account.

use crate::bench::{Bench, STACK, wait};

#[tokio::test(start_paused = true)]
async fn two_hundred_stacks_are_there_at_once_each_with_its_own_things_a_hundred_a_page() {
    let bench = Bench::deployed().await;
    let began = tokio::time::Instant::now();
    for number in 0..200 {
        let of = |name: &str| format!("{name}-{number}");
        let names = [
            ("pipeline", of("pipeline")),
            ("trades", of("trades")),
            ("delivery", of("delivery")),
            ("processor\n", format!("{}\n", of("processor"))),
        ];
        let names: Vec<(&str, &str)> = names.iter().map(|(from, to)| (*from, to.as_str())).collect();
        bench.account().settled_like(STACK, &names, &[("number", &number.to_string())]);
    }
    assert_eq!(began.elapsed().as_secs(), 0);
    let pages = bench.cloudformation.describe_stacks().into_paginator().send();
    let mut pages = pages;
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().stacks().len());
    }
    assert_eq!(sizes, [100, 100, 1]);
    let answer = bench.cloudformation.describe_stacks().stack_name("pipeline-17").send().await.unwrap();
    let stack = &answer.stacks()[0];
    let tag = stack.tags().iter().find(|tag| tag.key() == Some("number")).unwrap();
    assert_eq!(tag.value(), Some("17"));
    let bucket = stack.outputs().iter().find(|it| it.output_key() == Some("BucketName")).unwrap();
    assert_eq!(bucket.output_value(), Some("rows-of-the-pipeline-17"));
    assert!(bench.account().buckets.contains_key("rows-of-the-pipeline-17"));
    assert_eq!(bench.account().thing("AWS::Kinesis::Stream", "trades-17").unwrap().tags["number"], "17");

    bench.cloudformation.delete_stack().stack_name("pipeline-17").send().await.unwrap();
    wait(300).await;
    assert!(!bench.account().exists("AWS::KinesisFirehose::DeliveryStream", "delivery-17"));
    assert!(bench.account().exists("AWS::KinesisFirehose::DeliveryStream", "delivery-18"));
    assert!(bench.account().stack("pipeline-17").is_none());
}
