//! What needs consent, and what belongs to somebody else.

use crate::bench::{ARTIFACTS, BUCKET, Bench, STACK};
use kinesis_stack::environment::TAG_ENVIRONMENT;
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::stack::Consent;
use simulated_aws::{Bucket, STRANGER, Version};

/// A change set that is made and removed again, with the empty stack that CloudFormation made for it.
const ONLY_PLANNED: [&str; 3] = ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"];

fn assert_refused(error: &Error) {
    assert_eq!(error.kind, Kind::Refused, "{error}");
    assert!(!error.remedies.is_empty() || error.message.starts_with("nothing was"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_is_not_ours_is_neither_updated_nor_deleted() {
    for tag in [None, Some("prod")] {
        let bench = Bench::deployed().await;
        {
            let mut account = bench.account();
            let tags = &mut account.stack(STACK).unwrap().deployed.tags;
            tags.remove(TAG_ENVIRONMENT);
            tags.extend(tag.map(|tag| (TAG_ENVIRONMENT.to_owned(), tag.to_owned())));
        }
        assert_refused(&bench.up().await.unwrap_err());
        assert_refused(&bench.plan().await.unwrap_err());
        assert_refused(&bench.down().await.unwrap_err());
        assert_eq!(bench.changes(), [""; 0], "{tag:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_accounts_data_bucket_is_refused_before_anything_is_changed() {
    let bench = Bench::new();
    bench.account().buckets.insert(BUCKET.to_owned(), Bucket::of(STRANGER));
    assert_refused(&bench.up().await.unwrap_err());
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_no_stack_holds_is_refused_before_anything_is_changed() {
    let bench = Bench::new();
    bench.account().make("AWS::S3::Bucket", BUCKET);
    bench.account().put(BUCKET, "somebody's", Version::default());
    let error = bench.up().await.unwrap_err();
    assert_refused(&error);
    assert!(error.message.contains(BUCKET) && error.remedies[1].contains(BUCKET), "{error}");
    assert!(error.remedies[0].contains("up --adopt"), "{error}");
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn another_accounts_artifact_bucket_gets_no_upload_and_the_plan_is_withdrawn() {
    let bench = Bench::new();
    bench.account().buckets.insert(ARTIFACTS.to_owned(), Bucket::of(STRANGER));
    assert_refused(&bench.up().await.unwrap_err());
    assert_eq!(bench.changes(), ONLY_PLANNED);
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn after_a_no_nothing_is_executed_and_nothing_remains() {
    let bench = Bench::new();
    bench.answer(Some(false));
    assert_refused(&bench.up().await.unwrap_err());
    assert_eq!(bench.questions(), ["Create kinesis-stack-dev"]);
    assert_eq!(bench.changes(), ONLY_PLANNED);
    assert_eq!(bench.remains(), [""; 0]);

    let bench = Bench::deployed().await;
    bench.code("#!/bin/sh\nexit\n");
    bench.answer(Some(false));
    assert_refused(&bench.up().await.unwrap_err());
    assert_eq!(bench.changes(), ["CreateChangeSet", "DeleteChangeSet"]);
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert!(bench.account().stack(STACK).unwrap().change_sets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn with_nobody_there_a_plan_that_loses_data_is_refused() {
    let mut shorter = Bench::new();
    shorter.shape.stream_retention_hours = 48;
    shorter.up().await.unwrap();
    shorter.forget();
    shorter.shape.stream_retention_hours = 24;

    let replaced = Bench::deployed().await;
    {
        let mut account = replaced.account();
        let stack = account.stack(STACK).unwrap();
        let template = &mut stack.deployed.template;
        let ours = "Name: kinesis-stack-dev\n";
        assert!(template.contains(ours));
        *template = template.replace(ours, "Name: another-stream\n");
        let stream = stack.resources.iter_mut().find(|it| it.logical_id == "Stream").unwrap();
        "another-stream".clone_into(&mut stream.physical_id);
        account.unmake("AWS::Kinesis::Stream", STACK);
        account.make("AWS::Kinesis::Stream", "another-stream");
    }
    for bench in [shorter, replaced] {
        assert_refused(&bench.up().await.unwrap_err());
        assert_eq!(bench.changes(), ["CreateChangeSet", "DeleteChangeSet"]);
        assert_eq!(bench.questions().last().unwrap(), "Update kinesis-stack-dev, losing data");
    }
}

#[tokio::test(start_paused = true)]
async fn with_consent_given_data_is_lost_without_a_question() {
    let mut bench = Bench::new();
    bench.shape.stream_retention_hours = 48;
    bench.up().await.unwrap();
    let asked = bench.questions().len();
    bench.shape.stream_retention_hours = 24;
    bench.conduct.consent = Consent::Given;
    bench.answer(Some(false));
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));
    assert_eq!(bench.questions().len(), asked);
}
