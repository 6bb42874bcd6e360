//! What seeds have shown, each by itself: a seed tells another story as soon as stories are drawn otherwise.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::error::Kind;
use kinesis_stack::stack::Consent;
use simulated_aws::{Fault, Refusal, Version, When};
use std::time::Duration;

async fn deployed() -> Bench {
    let mut bench = Bench::deployed().await;
    bench.conduct.consent = Consent::Given;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_throttled_look_at_a_buckets_tags_does_not_make_it_nobodys() {
    let bench = deployed().await;
    bench.account().put(BUCKET, "rows/1", Version::default());
    bench.account().somebody_deletes(STACK);
    tokio::time::sleep(Duration::from_secs(300)).await;
    let refusal = Refusal::throttled("s3");
    bench.account().faults.push(Fault { operation: "GetBucketTagging", when: When::Times(9), refusal });
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn keys_that_s3_stumbles_over_are_deleted_all_the_same() {
    let bench = deployed().await;
    bench.account().put(BUCKET, "rows/1", Version::default());
    bench.account().script.key_errors = 3;
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_look_older_than_somebodys_update_stops_neither_up_nor_down() {
    let bench = deployed().await;
    bench.account().script.stale_seconds = 5.0;
    bench.account().somebody_updates(STACK);
    bench.code("#!/bin/sh\nexit\n");
    bench.up().await.unwrap();
    bench.account().somebody_updates(STACK);
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_look_older_than_the_roll_back_does_not_make_a_failed_creation_good() {
    let bench = Bench::new();
    {
        let script = &mut bench.account().script;
        (script.pace, script.stale_seconds) = (0.001, 600.0);
        script.failing.insert("Stream".to_owned(), "no".to_owned());
    }
    assert_eq!(bench.up().await.unwrap_err().kind, Kind::DeploymentFailed);
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_is_missing_on_ones_own_bucket_is_named() {
    let bench = deployed().await;
    bench.account().put(BUCKET, "rows/1", Version::default());
    bench.account().script.denied.insert("s3:ListBucketVersions".to_owned());
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Leftovers, "{error}");
    assert!(error.to_string().contains("s3:ListBucketVersions"), "{error}");
    assert_eq!(bench.remains(), [BUCKET], "all else is gone");
}
