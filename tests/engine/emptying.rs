//! How `down` empties a bucket, and what it does about rows that come late.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::{DataFound, Event};
use kinesis_stack::stack::Consent;
use kinesis_stack::stack::residue::Emptier;
use simulated_aws::{Bucket, Fault, Refusal, STRANGER, Version, When, between};
use std::time::Duration;
use tokio::time::Instant;

async fn agreed() -> Bench {
    let mut bench = Bench::deployed().await;
    bench.conduct.consent = Consent::Given;
    bench
}

/// An account with this bucket alone, and so many versions in it.
fn filled(versions: usize) -> Bench {
    let bench = Bench::new();
    {
        let mut account = bench.account();
        account.buckets.insert(BUCKET.to_owned(), Bucket::of(simulated_aws::ACCOUNT));
        account.fill(BUCKET, versions);
    }
    bench
}

/// Empties it, and tells how long that took.
async fn empty(bench: &Bench, found: Option<&DataFound>) -> Result<Duration, Error> {
    let identity = bench.context.clients.identity().await.unwrap();
    let emptier = Emptier::new(&bench.context, BUCKET, &identity).expecting(found);
    let began = Instant::now();
    emptier.empty().await.map_err(|error| Error::of(&error))?;
    Ok(began.elapsed())
}

fn left(bench: &Bench) -> usize {
    bench.account().buckets[BUCKET].versions.len()
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_versions_go_in_full_calls_and_pages_are_listed_at_once() {
    let bench = filled(10_000);
    let took = empty(&bench, None).await.unwrap();
    assert_eq!(left(&bench), 0);
    assert_eq!(bench.calls("DeleteObjects").len(), 10);
    assert!(bench.calls("ListObjectVersions").len() <= 30, "{}", bench.calls("ListObjectVersions").len());
    // Eleven pages one after the other take 440 ms, the last keys' deletion and the question for uploads 80 more.
    assert!(took < Duration::from_millis(420), "{took:?}");
    let emptied = bench.events().into_iter().find_map(|event| match event {
        Event::Emptied { versions, bytes, .. } => Some((versions, bytes)),
        _ => None,
    });
    assert_eq!(emptied, Some((10_000, 7_500_000)), "a delete marker has no size");
}

#[tokio::test(start_paused = true)]
async fn keys_that_xml_cannot_tell_are_deleted_one_by_one_with_the_rest_in_full_calls() {
    let bench = filled(10);
    for key in ["rows/a\u{1}b", "rows/\u{1b}[31m", "rows/a+b c%d&<e>"] {
        bench.account().put(BUCKET, key, Version { bytes: 3, ..Version::default() });
    }
    empty(&bench, None).await.unwrap();
    assert_eq!(left(&bench), 0);
    assert_eq!((bench.calls("DeleteObject").len(), bench.calls("DeleteObjects").len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_one_page_costs_three_calls() {
    let bench = filled(1_000);
    bench.forget();
    empty(&bench, None).await.unwrap();
    assert_eq!(
        bench.called(),
        ["GetCallerIdentity", "ListObjectVersions", "DeleteObjects", "ListMultipartUploads"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_bucket_holds_is_counted_several_pages_at_once() {
    let bench = filled(10_000);
    let identity = bench.context.clients.identity().await.unwrap();
    let began = Instant::now();
    let found = Emptier::new(&bench.context, BUCKET, &identity).count().await.unwrap();
    assert_eq!((found.objects, found.bytes, found.complete), (10_000, 7_500_000, true));
    assert!(found.newest.is_some());
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
    assert_eq!(left(&bench), 10_000);
}

#[tokio::test(start_paused = true)]
async fn what_s3_takes_in_a_second_is_used_and_not_asked_for_again_and_again() {
    let bench = filled(30_000);
    bench.account().script.bucket_deletions_per_second = Some(3_500);
    let took = empty(&bench, None).await.unwrap();
    assert_eq!(left(&bench), 0);
    // Three calls of a thousand a second.
    assert!((9.0..20.0).contains(&took.as_secs_f64()), "{took:?}");
    let deletions = bench.calls("DeleteObjects").len();
    assert!(deletions < 90, "{deletions} calls for 30 that count");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_slow_downs_is_waited_out_and_ends_in_an_error_where_it_does_not_end() {
    let bench = filled(5_000);
    let slow_down = |when| Fault { operation: "DeleteObjects", when, refusal: Refusal::throttled("s3") };
    bench.account().faults.push(slow_down(When::For(Duration::from_secs(6))));
    empty(&bench, None).await.unwrap();
    assert_eq!(left(&bench), 0);
    assert!(bench.calls("DeleteObjects").len() < 50, "{}", bench.calls("DeleteObjects").len());

    let bench = filled(5_000);
    bench.account().faults.push(slow_down(When::Always));
    let error = empty(&bench, None).await.unwrap_err();
    assert!(error.cause.as_deref().unwrap().contains("SlowDown"), "{error}");
    assert!(bench.calls("DeleteObjects").len() < 50, "{}", bench.calls("DeleteObjects").len());
    assert_eq!(left(&bench), 5_000);
}

#[tokio::test(start_paused = true)]
async fn keys_that_s3_stumbles_over_go_with_the_next_call_and_count_once() {
    let bench = filled(2_000);
    bench.account().script.key_errors = 1_700;
    empty(&bench, None).await.unwrap();
    assert_eq!(left(&bench), 0);
    let emptied = |event: &Event| matches!(event, Event::Emptied { versions: 2_000, .. });
    assert!(bench.events().iter().any(emptied));
    assert!(bench.calls("DeleteObjects").len() <= 6);
}

#[tokio::test(start_paused = true)]
async fn all_but_the_locked_objects_goes_and_they_are_counted_and_never_tried_twice() {
    let bench = filled(3_000);
    for version in bench.account().buckets.get_mut(BUCKET).unwrap().versions.values_mut().step_by(100) {
        version.locked = true;
    }
    bench.account().buckets.get_mut(BUCKET).unwrap().uploads.insert(("rows/a".into(), "upload".into()));
    let error = empty(&bench, None).await.unwrap_err();
    assert!(error.message.contains("refused to delete 30 of the objects"), "{error}");
    assert!(error.cause.as_deref().unwrap().contains("object lock"), "{error}");
    assert_eq!(left(&bench), 30);
    assert_eq!(bench.calls("DeleteObjects").len(), 3);
    assert_eq!(bench.calls("AbortMultipartUpload").len(), 1, "nothing else is kept from going");
}

#[tokio::test(start_paused = true)]
async fn unfinished_uploads_are_aborted_several_at_once() {
    let bench = filled(0);
    let uploads = (0..1_600).map(|part| (format!("rows/{}", part % 3), format!("upload-{part:04}")));
    bench.account().buckets.get_mut(BUCKET).unwrap().uploads.extend(uploads);
    let took = empty(&bench, None).await.unwrap();
    assert!(bench.account().buckets[BUCKET].uploads.is_empty());
    // One after the other they take 64 seconds.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_twice_a_second_at_most_with_what_is_left() {
    let bench = filled(20_000);
    bench.account().script.bucket_deletions_per_second = Some(2_000);
    let found = DataFound { objects: 20_000, complete: true, ..DataFound::default() };
    empty(&bench, Some(&found)).await.unwrap();
    let told: Vec<(f64, u64, Option<f64>)> = (bench.events().into_iter())
        .filter_map(|event| match event {
            Event::Emptying { seconds, versions, seconds_left, total: Some(20_000), .. } => {
                Some((seconds.unwrap(), versions, seconds_left))
            }
            _ => None,
        })
        .collect();
    assert!(told.len() >= 5, "{told:?}");
    assert!(told.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 0.5 && pair[1].1 > pair[0].1), "{told:?}");
    assert!(told.iter().all(|(.., left)| left.is_some()), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_in_the_midst_it_stops_and_the_next_run_goes_on() {
    let bench = agreed().await;
    bench.account().fill(BUCKET, 12_000);
    bench.account().script.bucket_deletions_per_second = Some(3_500);
    let (aws, signal) = (bench.aws.clone(), bench.signal.clone());
    let tell = async {
        while aws.now().buckets[BUCKET].versions.len() > 6_000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        signal.send(Kind::Interrupted);
    };
    let (down, ()) = tokio::join!(bench.down(), tell);
    assert_eq!(down.unwrap_err().kind, Kind::Interrupted);
    let rest = left(&bench);
    assert!((1..=6_000).contains(&rest), "{rest}");

    let again = bench.again();
    again.down().await.unwrap();
    let emptied: u64 = (again.events().iter())
        .filter_map(|event| if let Event::Emptied { versions, .. } = event { Some(*versions) } else { None })
        .sum();
    assert!(emptied <= rest as u64, "what is gone isn't deleted once more: {emptied} of {rest}");
    assert_eq!(again.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_a_dying_delivery_stream_flushes_goes_too() {
    let bench = agreed().await;
    bench.account().fill(BUCKET, 3_000);
    bench.account().script.flushes = 1;
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
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
    let deletions = deletions.iter().filter(|call| call.get("Bucket") == BUCKET);
    let sizes: Vec<usize> = deletions.map(|call| between(call.get("Body"), "Object").len()).collect();
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
    let of_it = bench.calls("DeleteBucket").into_iter().filter(|call| call.get("Bucket") == BUCKET);
    assert_eq!(of_it.count(), 3);
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
    let text = error.to_string();
    for part in ["rows/under-lock", "refused to delete 1 ", "object lock"] {
        assert!(text.contains(part), "{error}");
    }
    assert!(error.remedies.iter().any(|remedy| remedy.contains("lock")), "{:?}", error.remedies);
    assert_eq!(bench.remains(), [BUCKET]);
    let error = bench.down().await.unwrap_err();
    assert!(error.to_string().contains("rows/under-lock"), "the next run says it again: {error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_went_to_another_account_is_not_touched() {
    let bench = agreed().await;
    bench.account().buckets.insert(BUCKET.to_owned(), Bucket::of(STRANGER));
    bench.down().await.unwrap();
    assert_eq!(bench.account().buckets[BUCKET], Bucket::of(STRANGER));
    assert_eq!(bench.remains(), [BUCKET]);
    let named = |event: &Event| matches!(event, Event::NotOurs { name, .. } if name == BUCKET);
    assert!(bench.events().iter().any(named));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_somebody_deleted_already_is_in_nobodys_way() {
    let bench = agreed().await;
    bench.account().buckets.remove(BUCKET);
    bench.down().await.unwrap();
    assert_eq!(bench.status(), None, "{STACK} is gone");
}
