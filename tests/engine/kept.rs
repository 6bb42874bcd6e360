//! `down --keep-data`: the bucket stays, whoever else deletes the environment, or nobody says that it does.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::environment::TAG_EXPIRES;
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::{Done, Event};
use kinesis_stack::stack::Consent;
use kinesis_stack::stack::down::Wish;
use simulated_aws::{Fault, Refusal, Version, When};
use std::time::Duration;

fn put_rows(bench: &Bench, rows: usize) {
    for row in 0..rows {
        bench.account().put(BUCKET, &format!("rows/{row:05}"), Version { bytes: 100, ..Version::default() });
    }
}

/// What became of a `down --keep-data` beside something else that deletes the environment, by this head start.
async fn keeping_beside(
    keeping: &Bench,
    other: impl Future<Output = ()>,
    delay: Duration,
) -> Result<Done, Error> {
    put_rows(keeping, 6);
    let keep = async {
        tokio::time::sleep(delay).await;
        keeping.down_so(|wish| Wish { keep_data: true, ..wish }).await
    };
    tokio::join!(other, keep).1
}

/// Whether it was said, once, that there is nothing to keep.
fn told_nothing(bench: &Bench, bucket_is_there: bool) -> bool {
    let told = |event: &Event| matches!(event, Event::NothingToKeep { bucket, is_there } if bucket == BUCKET && *is_there == bucket_is_there);
    bench.events().iter().filter(|event| told(event)).count() == 1
}

/// How many milliseconds after another a `down --keep-data` begins: within its first calls, and while it deletes.
const HEAD_STARTS: [u64; 14] =
    [0, 20, 60, 100, 140, 180, 220, 300, 500, 1_000, 3_000, 20_000, 60_000, 400_000];

#[tokio::test(start_paused = true)]
async fn a_down_that_keeps_the_data_beside_one_that_does_not_never_says_that_it_kept_what_is_lost() {
    let mut told = 0;
    for delay in HEAD_STARTS {
        let mut bench = Bench::deployed().await;
        bench.conduct.consent = Consent::Given;
        let keeping = bench.again();
        let other = async { drop(bench.down().await) };
        let ended = keeping_beside(&keeping, other, Duration::from_millis(delay)).await;
        let account = bench.account();
        let rows = account.buckets.get(BUCKET).map_or(0, |bucket| bucket.versions.len());
        match ended {
            Ok(done) if done.kept.is_empty() => {
                assert!(done.next.is_empty() && delay > 20_000, "{delay}: there was data");
            }
            // Emptied before it was looked at: that is said.
            Ok(_) if rows == 0 && told_nothing(&keeping, true) => told += 1,
            Ok(_) => assert_eq!(rows, 6, "{delay}"),
            Err(error) => {
                assert_eq!(error.kind, Kind::Failed, "{delay}: {error}");
                assert!(error.message.contains("to be kept") && rows < 6, "{delay}: {rows} {error}");
                told += 1;
            }
        }
    }
    assert!(told > 0);
}

#[tokio::test(start_paused = true)]
async fn a_down_that_keeps_the_data_beside_a_reap_keeps_it_as_long_as_the_stack_is_there() {
    for delay in HEAD_STARTS.into_iter().filter(|delay| *delay <= 20_000) {
        let bench = Bench::deployed().await;
        let over = (TAG_EXPIRES.to_owned(), "2020-01-01T00:00:00Z".to_owned());
        bench.account().stack(STACK).unwrap().deployed.tags.extend([over]);
        let other = async {
            let reaped = bench.reap_so(|wish| wish).await.unwrap();
            assert_eq!(reaped.error(), None, "{delay}");
        };
        let done = keeping_beside(&bench.again(), other, Duration::from_millis(delay)).await.unwrap();
        assert_eq!(done.kept, [format!("bucket {BUCKET}")], "{delay}");
        assert_eq!(bench.account().buckets[BUCKET].versions.len(), 6, "{delay}");
        assert_eq!(bench.remains(), [BUCKET], "{delay}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_down_right_after_one_that_keeps_the_data_leaves_it_and_the_next_deletes_it() {
    for delay in [20, 60, 100, 140, 180, 220, 300, 1_000, 20_000] {
        let mut bench = Bench::deployed().await;
        bench.conduct.consent = Consent::Given;
        put_rows(&bench, 6);
        let keeping = bench.again();
        let late = async {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            bench.down().await
        };
        let (kept, ended) = tokio::join!(keeping.down_so(|wish| Wish { keep_data: true, ..wish }), late);
        let ended = ended.unwrap();
        let rows = bench.account().buckets.get(BUCKET).map_or(0, |bucket| bucket.versions.len());
        match kept {
            Ok(_) => assert_eq!((rows, ended.kept), (6, vec![format!("bucket {BUCKET}")]), "{delay}"),
            Err(error) => assert!(rows < 6, "{delay}: {error}"),
        }
        bench.again().down().await.unwrap();
        assert_eq!(bench.remains(), [""; 0], "{delay}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_mark_on_a_bucket_that_was_taken_over_does_not_keep_it() {
    let bench = Bench::deployed().await;
    put_rows(&bench, 3);
    bench.down_so(|wish| Wish { keep_data: true, ..wish }).await.unwrap();
    let mut bench = bench.again();
    bench.conduct.consent = Consent::Given;
    bench.means.adopt = true;
    bench.up().await.unwrap();
    let mark = ("kinesis-stack:kept".to_owned(), "true".to_owned());
    bench.account().buckets.get_mut(BUCKET).unwrap().tags.extend([mark]);
    assert_eq!(bench.down().await.unwrap().kept, [""; 0]);
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_bucket_of_an_environment_that_somebody_deletes_is_kept_and_said_to_be_empty() {
    let bench = Bench::deployed().await;
    bench.account().somebody_deletes(STACK);
    let done = bench.down_so(|wish| Wish { keep_data: true, ..wish }).await.unwrap();
    assert_eq!(done.kept, [format!("bucket {BUCKET}")]);
    assert!(told_nothing(&bench, true));
    assert_eq!(bench.remains(), [BUCKET]);
}

#[tokio::test(start_paused = true)]
async fn a_down_that_can_not_find_out_for_now_whether_the_bucket_was_kept_before_does_not_end_well_with_it_left()
 {
    let mut bench = Bench::deployed().await;
    put_rows(&bench, 3);
    bench.down_so(|wish| Wish { keep_data: true, ..wish }).await.unwrap();
    bench.conduct.consent = Consent::Given;
    bench.conduct.timeout = Duration::from_secs(20);
    let (now, a_while, refusal) = (bench.account().age(), Duration::from_secs(200), Refusal::throttled("s3"));
    let when = When::Between(now, now + a_while);
    bench.account().faults.push(Fault { operation: "GetBucketTagging", when, refusal });
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Failed, "{error}");
    tokio::time::sleep(a_while).await;
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_there_a_down_that_keeps_the_data_says_that_there_is_none() {
    let bench = Bench::new();
    let done = bench.down_so(|wish| Wish { keep_data: true, ..wish }).await.unwrap();
    assert_eq!((done.changed, done.kept.len(), done.next.len()), (Some(false), 0, 0));
    assert!(told_nothing(&bench, false));
}

#[tokio::test(start_paused = true)]
async fn a_kept_bucket_that_is_gone_at_the_end_is_a_failure_that_the_proof_tells() {
    let bench = Bench::deployed().await;
    put_rows(&bench, 3);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("proof.json");
    let gone = async {
        while bench.status().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bench.account().buckets.remove(BUCKET);
    };
    let keeping = bench.again();
    let keep = keeping.down_so(|wish| Wish { keep_data: true, proof: Some(path.clone()), ..wish });
    let (ended, ()) = tokio::join!(keep, gone);
    let error = ended.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::Failed, 1));
    assert!(error.message.contains(BUCKET), "{error}");
    let proof: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((&proof["end"], proof["kept"].as_array().unwrap().len()), (&"failed".into(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_which_nobody_may_know_whether_it_is_kept_stays_and_is_named_with_the_permission() {
    let mut bench = Bench::deployed().await;
    bench.conduct.consent = Consent::Given;
    put_rows(&bench, 3);
    bench.account().script.denied.insert("s3:GetBucketTagging".to_owned());
    let error = bench.down().await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::Leftovers, 8));
    assert!(error.to_string().contains(BUCKET) && error.to_string().contains("GetBucketTagging"), "{error}");
    assert_eq!((bench.status(), bench.account().buckets[BUCKET].versions.len()), (None, 3));
}
