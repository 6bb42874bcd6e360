//! What seeds have shown, each by itself: a seed tells another story as soon as stories are drawn otherwise.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use kinesis_stack::stack::Consent;
use simulated_aws::{Fault, Refusal, Version, When};
use std::time::Duration;
use tokio::time::Instant;

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

#[tokio::test(start_paused = true)]
async fn a_bucket_that_can_be_neither_removed_nor_asked_for_is_named_once_as_unknown() {
    for is_there in [true, false] {
        let bench = deployed().await;
        let denied = ["s3:ListBucket", "s3:ListBucketVersions", "s3:DeleteBucket", "s3:GetBucketTagging"];
        bench.account().script.denied.extend(denied.map(str::to_owned));
        if !is_there {
            bench.account().buckets.remove(BUCKET);
        }
        let error = bench.down().await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("nobody knows whether this is left: bucket {BUCKET}")), "{text}");
        assert!(!text.contains("left behind"), "{text}");
        assert!(text.contains("s3:ListBucket "), "{text}");
        bench.account().script.denied.clear();
        bench.down().await.unwrap();
        assert_eq!(bench.remains(), [""; 0]);
    }
}

/// Tears down an environment whose function makes a log group with its last line. Returns when the deletion had ended.
async fn down_with_a_last_line(bench: &Bench) -> Instant {
    bench.account().script.late_log_group = true;
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
    let account = bench.account();
    account.stacks.iter().rev().find(|it| it.name == STACK).and_then(|it| it.events.last()).unwrap().at
}

#[tokio::test(start_paused = true)]
async fn a_log_group_that_the_functions_last_line_makes_is_waited_for_and_removed() {
    let bench = deployed().await;
    let deleted = down_with_a_last_line(&bench).await;
    let group = "/aws/lambda/kinesis-stack-dev-processor";
    let told = bench.events().into_iter().find_map(|event| match event {
        Event::LastLines { group, seconds } => Some((group, seconds)),
        _ => None,
    });
    let (named, seconds) = told.unwrap();
    assert_eq!(named, group);
    assert!(seconds < 30.0, "{seconds}");
    let removed = |event: &Event| matches!(event, Event::LeftoverRemoved { name, .. } if name == group);
    assert!(bench.events().iter().any(removed));
    assert!(deleted.elapsed() < Duration::from_secs(60), "{:?}", deleted.elapsed());
}

#[tokio::test(start_paused = true)]
async fn where_a_cloud_deletes_at_once_nobody_waits_for_last_lines() {
    let bench = deployed().await;
    bench.account().script.pace = 0.001;
    let deleted = down_with_a_last_line(&bench).await;
    assert!(!bench.events().iter().any(|event| matches!(event, Event::LastLines { .. })));
    assert!(deleted.elapsed() < Duration::from_secs(15), "{:?}", deleted.elapsed());
}
