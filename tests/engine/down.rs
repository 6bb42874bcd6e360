//! `down`: consent, and what is left when it is done.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use kinesis_stack::stack::Consent;
use simulated_aws::Version;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

fn put_rows(bench: &Bench, rows: usize) {
    for row in 0..rows {
        bench.account().put(BUCKET, &format!("rows/{row:05}"), Version { bytes: 100, ..Version::default() });
    }
}

#[tokio::test(start_paused = true)]
async fn with_nobody_there_an_environment_that_holds_data_stays() {
    let bench = Bench::deployed().await;
    put_rows(&bench, 3);
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.message.contains("3 objects (300 B)"), "{error}");
    assert!(!error.remedies.is_empty());
    assert_eq!(bench.changes(), [""; 0]);
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn after_a_no_everything_stays() {
    let bench = Bench::deployed().await;
    bench.answer(Some(false));
    assert_eq!(bench.down().await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.changes(), [""; 0]);
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn with_nobody_there_an_environment_without_data_goes() {
    let bench = Bench::deployed().await;
    let done = bench.down().await.unwrap();
    assert_eq!(done.changed, Some(true));
    assert_eq!(done.checked.unwrap().len(), 9);
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_goes_is_told_before_it_is_asked_about() {
    let bench = Bench::deployed().await;
    put_rows(&bench, 1);
    bench.answer(Some(true));
    bench.down().await.unwrap();
    let removal = bench.events().into_iter().find_map(|event| match event {
        Event::Removal { resources, bucket, data, .. } => Some((resources, bucket, data)),
        _ => None,
    });
    let (resources, bucket, data) = removal.unwrap();
    assert_eq!((resources.len(), bucket.as_deref()), (10, Some(BUCKET)));
    let data = data.unwrap();
    assert_eq!((data.objects, data.bytes, data.complete), (1, 100, true));
    assert_eq!(bench.questions().last().unwrap(), "Delete kinesis-stack-dev with 1 object (100 B)");
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_there_each_service_is_asked_all_the_same() {
    let bench = Bench::new();
    let done = bench.down().await.unwrap();
    assert_eq!(done.changed, Some(false));
    assert_eq!(bench.changes(), [""; 0]);
    let asked: BTreeSet<String> = bench.called().into_iter().collect();
    for operation in [
        "HeadBucket",
        "DescribeStreamSummary",
        "DescribeDeliveryStream",
        "GetFunctionConfiguration",
        "GetRole",
        "DescribeLogGroups",
        "DescribeStacks",
    ] {
        assert!(asked.contains(operation), "{operation} is missing in {asked:?}");
    }
    let checked = |event: &Event| matches!(event, Event::Checked { left: false, .. });
    assert_eq!(bench.events().iter().filter(|event| checked(event)).count(), done.checked.unwrap().len());
}

#[tokio::test(start_paused = true)]
async fn what_is_left_outside_the_stack_is_named_with_the_command_that_removes_it() {
    for (kind, name, command) in [
        ("AWS::S3::Bucket", BUCKET, "aws s3 rb s3://"),
        ("AWS::Kinesis::Stream", STACK, "aws kinesis delete-stream"),
        ("AWS::KinesisFirehose::DeliveryStream", STACK, "aws firehose delete-delivery-stream"),
        ("AWS::Lambda::Function", "kinesis-stack-dev-processor", "aws lambda delete-function"),
        ("AWS::IAM::Role", "kinesis-stack-dev-delivery-us-east-1", "aws iam delete-role"),
        ("AWS::Logs::LogGroup", "/kinesis-stack/dev/processor", "aws logs describe-log-groups"),
        ("AWS::Logs::LogGroup", "/aws/lambda/kinesis-stack-dev-processor", "aws logs delete-log-group"),
    ] {
        let bench = Bench::new();
        bench.account().make(kind, name);
        // (An empty bucket without tags is taken for ours.)
        bench.account().put(name, "somebody's", Version::default());
        let error = bench.down().await.unwrap_err();
        assert_eq!((error.kind, error.kind.exit_code()), (Kind::Leftovers, 8), "{kind}");
        let prefix = name.trim_end_matches("processor");
        assert!(error.message.contains(if name.starts_with("/kinesis") { prefix } else { name }), "{error}");
        assert!(
            matches!(&error.remedies[..], [remedy] if remedy.starts_with(command)),
            "{:?}",
            error.remedies
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_vanishes_within_the_settling_time_is_not_named() {
    let bench = Bench::new();
    let soon = Instant::now() + Duration::from_secs(3);
    bench.account().make("AWS::Kinesis::Stream", STACK);
    bench.account().vanishes("AWS::Kinesis::Stream", STACK, soon);
    bench.down().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_environments_things_are_no_leftovers() {
    let bench = Bench::new();
    for name in ["/kinesis-stack/dev-2/processor", "/aws/lambda/kinesis-stack-dev-processor-processor"] {
        bench.account().make("AWS::Logs::LogGroup", name);
    }
    bench.down().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn with_consent_given_data_is_deleted_without_a_question() {
    let mut bench = Bench::deployed().await;
    put_rows(&bench, 3);
    bench.conduct.consent = Consent::Given;
    let asked = bench.questions().len();
    bench.down().await.unwrap();
    assert_eq!(bench.questions().len(), asked);
    assert_eq!(bench.remains(), [""; 0]);
}
