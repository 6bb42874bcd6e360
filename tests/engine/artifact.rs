//! The bucket of processors, and the processor's zip in it.

use crate::bench::{ARTIFACTS, BUCKET, Bench};
use kinesis_stack::environment::artifact_bucket;
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use simulated_aws::{Bucket, Fault, Refusal, STRANGER, Version, When};

fn uploads(bench: &Bench) -> Vec<bool> {
    let uploaded = |event: &Event| match event {
        Event::ArtifactReady { uploaded, .. } => Some(*uploaded),
        _ => None,
    };
    bench.events().iter().filter_map(uploaded).collect()
}

#[tokio::test(start_paused = true)]
async fn the_zip_is_uploaded_only_where_it_is_absent() {
    let mut bench = Bench::deployed().await;
    bench.shape.shards = 2;
    bench.up().await.unwrap();
    assert_eq!(uploads(&bench), [false]);
    assert_eq!(bench.changes(), ["CreateChangeSet", "ExecuteChangeSet"]);

    bench.forget();
    bench.code("#!/bin/sh\nexit\n");
    bench.up().await.unwrap();
    assert_eq!(uploads(&bench), [true]);
    assert_eq!(bench.calls("CreateBucket").len(), 0);
    assert_eq!(bench.calls("PutObject").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_up_that_changes_nothing_uploads_nothing() {
    let bench = Bench::deployed().await;
    bench.account().buckets.remove(ARTIFACTS);
    assert_eq!(bench.up().await.unwrap().changed, Some(false));
    assert_eq!(bench.calls("PutObject").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_bucket_is_private_and_stands_in_its_region() {
    for (region, location) in [("us-east-1", None), ("eu-central-1", Some("eu-central-1"))] {
        let bench = Bench::in_region(region);
        bench.up().await.unwrap();
        let name = artifact_bucket(simulated_aws::ACCOUNT, region);
        let account = bench.account();
        let bucket = &account.buckets[&name];
        assert_eq!(bucket.location.as_deref(), location);
        assert!(bucket.private);
        assert_eq!(bucket.versions.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_was_made_but_not_yet_private_is_made_good() {
    let bench = Bench::new();
    bench.account().buckets.insert(ARTIFACTS.to_owned(), Bucket::of(simulated_aws::ACCOUNT));
    bench.up().await.unwrap();
    assert!(bench.account().buckets[ARTIFACTS].private);
    assert_eq!(bench.calls("CreateBucket").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_still_being_deleted_is_waited_for() {
    let bench = Bench::new();
    let message = "A conflicting conditional operation is currently in progress against this resource.";
    let refusal = Refusal::new(409, "OperationAborted", message);
    bench.account().faults.push(Fault { operation: "CreateBucket", when: When::Times(3), refusal });
    bench.up().await.unwrap();
    assert_eq!(bench.calls("CreateBucket").len(), 4);

    let bench = Bench::new();
    let refusal = Refusal::new(409, "OperationAborted", message);
    bench.account().faults.push(Fault { operation: "CreateBucket", when: When::Always, refusal });
    let error = bench.up().await.unwrap_err();
    assert!(error.cause.unwrap().contains("OperationAborted"));
    assert_eq!(bench.remains(), [""; 0]);
}

/// Between our look at the bucket and its creation, `who` creates it.
async fn raced(who: &str) -> (Bench, Result<(), Kind>) {
    let bench = Bench::in_region("eu-central-1");
    let name = artifact_bucket(simulated_aws::ACCOUNT, "eu-central-1");
    bench.account().buckets.insert(name, Bucket::of(who));
    let refuse = |operation, times, refusal| {
        bench.account().faults.push(Fault { operation, when: When::Times(times), refusal });
    };
    refuse("HeadObject", 1, Refusal::new(404, "NotFound", "Not Found"));
    refuse("HeadBucket", 1, Refusal::new(404, "NotFound", "Not Found"));
    refuse(
        "PutPublicAccessBlock",
        1,
        Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist"),
    );
    let ended = bench.up().await.map(|_| ()).map_err(|error| error.kind);
    (bench, ended)
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_another_run_of_ours_made_first_is_fine() {
    let (bench, ended) = raced(simulated_aws::ACCOUNT).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(bench.calls("CreateBucket").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_somebody_else_made_first_is_refused() {
    let (bench, ended) = raced(STRANGER).await;
    assert_eq!(ended, Err(Kind::Refused));
    assert_eq!(bench.calls("PutObject").len(), 0);
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn every_s3_call_but_the_creation_names_the_account_that_has_to_own_the_bucket() {
    let bench = Bench::new();
    bench.up().await.unwrap();
    bench.code("#!/bin/sh\nexit\n");
    bench.up().await.unwrap();
    bench.account().put(BUCKET, "rows/1", Version::default());
    let upload = ("rows/2".to_owned(), "upload".to_owned());
    bench.account().buckets.get_mut(BUCKET).unwrap().uploads.insert(upload);
    bench.answer(Some(true));
    bench.down().await.unwrap();

    let account = bench.account();
    let mut operations = std::collections::BTreeSet::new();
    for call in account.calls.iter().filter(|call| call.service == "s3" && call.operation != "CreateBucket") {
        assert_eq!(call.get("ExpectedBucketOwner"), simulated_aws::ACCOUNT, "{}", call.operation);
        operations.insert(call.operation.as_str());
    }
    assert_eq!(operations.len(), 10, "{operations:?}");
}

#[tokio::test(start_paused = true)]
async fn up_waits_until_the_name_of_an_artifact_bucket_that_was_just_removed_is_free_again() {
    let bench = Bench::new();
    {
        let mut account = bench.account();
        account.make("AWS::S3::Bucket", ARTIFACTS);
        account.script.bucket_name_seconds = 1_200.0;
        account.unmake("AWS::S3::Bucket", ARTIFACTS);
        account.script.bucket_name_seconds = 0.0;
    }
    let began = tokio::time::Instant::now();
    bench.up().await.unwrap();
    assert!(began.elapsed().as_secs() >= 1_190, "{:?}", began.elapsed());
    assert!(bench.account().buckets.contains_key(ARTIFACTS));
    let asked = bench.calls("CreateBucket").len();
    assert!((2..300).contains(&asked), "{asked} calls in twenty minutes");
}
