//! How `down` empties a bucket, and what it does about rows that come late.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use kinesis_stack::stack::Consent;
use simulated_aws::{Bucket, STRANGER, Version, between};

async fn agreed() -> Bench {
    let mut bench = Bench::deployed().await;
    bench.conduct.consent = Consent::Given;
    bench
}

#[tokio::test(start_paused = true)]
async fn versions_markers_and_unfinished_uploads_all_go_at_most_a_thousand_keys_a_call() {
    let bench = agreed().await;
    {
        let mut account = bench.account();
        for row in 0..2_500_u64 {
            // Some keys have many versions, one key's cross the end of a page.
            let version = Version { bytes: 10, marker: row % 7 == 0, ..Version::default() };
            account.put(BUCKET, &format!("rows/{}", row / 50), version);
        }
        let uploads = (0..1_200).map(|part| (format!("rows/{}", part % 3), format!("upload-{part:04}")));
        account.buckets.get_mut(BUCKET).unwrap().uploads.extend(uploads);
    }
    bench.down().await.unwrap();
    let deletions = bench.calls("DeleteObjects");
    let sizes: Vec<usize> = deletions.iter().map(|call| between(call.get("Body"), "Object").len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert_eq!(bench.calls("AbortMultipartUpload").len(), 1_200);
    let emptied = bench.events().into_iter().find_map(|event| match event {
        Event::Emptied { versions, bytes, .. } => Some((versions, bytes)),
        _ => None,
    });
    // A delete marker has no size.
    assert_eq!(emptied, Some((2_500, (2_500 - 358) * 10)));
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn rows_that_land_after_emptying_are_emptied_too() {
    let bench = agreed().await;
    bench.account().script.arrivals = 2;
    bench.down().await.unwrap();
    let again: Vec<u32> = (bench.events().into_iter())
        .filter_map(|event| match event {
            Event::EmptyingAgain { attempt, .. } => Some(attempt),
            _ => None,
        })
        .collect();
    assert_eq!(again, [2]);
    assert_eq!(bench.calls("DeleteStack").len(), 1);
    assert_eq!(bench.calls("DeleteBucket").len(), 3);
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_never_stops_leaves_the_bucket_and_is_named() {
    let bench = agreed().await;
    bench.account().script.arrivals = u32::MAX;
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Leftovers);
    assert!(error.message.contains(BUCKET), "{error}");
    assert!(error.cause.as_deref().unwrap().contains("not empty"), "{error}");
    assert!(!error.remedies.is_empty());
    assert!(bench.calls("DeleteBucket").len() <= 10);
    assert_eq!(bench.remains(), [BUCKET]);

    bench.account().script.arrivals = 0;
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn objects_that_s3_refuses_to_delete_are_named_and_only_their_bucket_stays() {
    let bench = agreed().await;
    bench.account().put(BUCKET, "rows/free", Version::default());
    bench.account().put(BUCKET, "rows/under-lock", Version { locked: true, ..Version::default() });
    let error = bench.down().await.unwrap_err();
    assert!(
        error.message.contains("rows/under-lock") && error.message.contains("refused to delete 1 "),
        "{error}"
    );
    assert!(error.cause.as_deref().unwrap().contains("object lock"), "{error}");
    assert!(error.remedies.iter().any(|remedy| remedy.contains("lock")), "{:?}", error.remedies);
    assert_eq!(bench.remains(), [BUCKET]);
    assert!(
        bench.down().await.unwrap_err().message.contains("rows/under-lock"),
        "the next run says it again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_went_to_another_account_is_not_touched() {
    let bench = agreed().await;
    bench.account().buckets.insert(BUCKET.to_owned(), Bucket::of(STRANGER));
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert_eq!(bench.account().buckets[BUCKET], Bucket::of(STRANGER));
    assert_eq!(bench.remains(), [BUCKET]);
    bench.down().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_somebody_deleted_already_is_in_nobodys_way() {
    let bench = agreed().await;
    bench.account().buckets.remove(BUCKET);
    bench.down().await.unwrap();
    assert_eq!(bench.status(), None, "{STACK} is gone");
}
