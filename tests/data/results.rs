//! `results` on the simulated account: what lands while it follows, and what goes wrong meanwhile.

use crate::bench::{BUCKET, Bench, FIRST_SECOND};
use kinesis_stack::cli::Format;
use kinesis_stack::data::{self, ResultsQuery, ResultsSummary, View};
use kinesis_stack::event::Event;
use simulated_aws::{Fault, Refusal, Version, When};
use std::time::Duration;
use tokio::time::sleep;

pub fn query(prefix: &str) -> ResultsQuery {
    let account = simulated_aws::ACCOUNT.to_owned();
    ResultsQuery { bucket: BUCKET.to_owned(), account, prefix: prefix.to_owned() }
}

/// What `results` writes until so many seconds have gone by.
pub async fn shown(
    bench: &Bench,
    query: &ResultsQuery,
    view: &View,
    follows: bool,
    seconds: u64,
) -> (String, anyhow::Result<ResultsSummary>) {
    let mut out = Vec::new();
    let stop = sleep(Duration::from_secs(seconds));
    let summary = data::show(&bench.context, query, view, None, follows, &mut out, stop).await;
    (String::from_utf8(out).unwrap(), summary)
}

/// Puts an object with one row where a delivery stream would, were its oldest record so many seconds old.
pub fn land(bench: &Bench, id: usize, seconds_old: i64) {
    let second = bench.context.clock.now().as_second() - seconds_old;
    let time = jiff::Timestamp::from_second(second).unwrap();
    let key = time.strftime("rows/%Y/%m/%d/%H/kinesis-stack-dev-1-%Y-%m-%d-%H-%M-%S").to_string();
    bench.account().put(
        BUCKET,
        &format!("{key}-{id:08}"),
        Version::of(format!("{{\"id\":{id}}}\n").into_bytes()),
    );
}

fn ids(text: &str) -> Vec<usize> {
    let id = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap();
    text.lines().map(|line| id(line) as usize).collect()
}

#[tokio::test(start_paused = true)]
async fn following_shows_what_lands_over_the_hours_once_and_late_objects_too() {
    let bench = Bench::deployed().await;
    land(&bench, 0, 3 * 3_600);
    let landing = async {
        for id in 1..=240 {
            sleep(Duration::from_secs(30)).await;
            // Most within their minute, some after a quarter of an hour, a few that were held up for a day.
            let old = match id {
                _ if id % 50 == 0 => 86_400,
                _ if id % 7 == 0 => 900,
                _ => 60,
            };
            land(&bench, id, old);
        }
    };
    let (query, view) = (query("rows/"), View::all(Format::Jsonl));
    let (found, ()) = tokio::join!(shown(&bench, &query, &view, true, 240 * 30 + 600), landing);
    let (text, summary) = found;
    let mut ids = ids(&text);
    ids.sort_unstable();
    assert_eq!(ids, (0..=240).collect::<Vec<_>>(), "all of more than two hours, each once");
    assert_eq!(summary.unwrap().rows, 241);
    let lists = bench.calls("ListObjectsV2");
    let whole = lists.iter().filter(|call| call.given("start-after").is_none()).count();
    assert!(whole * 20 < lists.len(), "{whole} of {} look at all", lists.len());
    assert!(bench.context.clock.now().as_second() - FIRST_SECOND > 2 * 3_600);
}

#[tokio::test(start_paused = true)]
async fn following_goes_on_through_throttling_and_ends_where_it_is_refused_for_good() {
    let bench = Bench::deployed().await;
    land(&bench, 0, 0);
    bench.account().faults.push(Fault {
        operation: "ListObjectsV2",
        when: When::Times(20),
        refusal: Refusal::throttled("s3"),
    });
    let (query, view) = (query("rows/"), View::all(Format::Jsonl));
    let landing = async {
        sleep(Duration::from_secs(200)).await;
        land(&bench, 1, 0);
        sleep(Duration::from_secs(60)).await;
        let refusal = Refusal::denied("arn:aws:iam::123456789012:user/somebody", "s3:ListBucket", "*");
        bench.account().faults.push(Fault { operation: "ListObjectsV2", when: When::Always, refusal });
    };
    let ((text, summary), ()) = tokio::join!(shown(&bench, &query, &view, true, 3_600), landing);
    assert_eq!(ids(&text), [0, 1]);
    assert!(summary.unwrap_err().to_string().contains("list s3://"));
    assert!(bench.events().iter().any(|event| matches!(event, Event::PollFailed { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_damaged_is_told_when_it_lands_and_is_the_failure_at_the_end() {
    let bench = Bench::deployed().await;
    land(&bench, 0, 0);
    let landing = async {
        sleep(Duration::from_secs(30)).await;
        bench.account().put(BUCKET, "rows/damaged", Version::of(b"\x1f\x8b............".to_vec()));
        sleep(Duration::from_secs(600)).await;
        land(&bench, 1, 0);
    };
    let (query, view) = (query("rows/"), View::all(Format::Jsonl));
    let ((text, followed), ()) = tokio::join!(shown(&bench, &query, &view, true, 1_200), landing);
    assert_eq!(ids(&text), [0, 1]);
    let told = bench.events().into_iter().filter(|it| matches!(it, Event::ObjectDamaged { .. }));
    assert_eq!(told.count(), 1, "while it follows");
    let (text, read) = shown(&bench, &query, &view, false, 60).await;
    assert_eq!(ids(&text).len(), 2, "all that can be read is printed");
    let failures = View { failures: true, ..View::all(Format::Jsonl) };
    let (_, failed) = shown(&bench, &query, &failures, false, 60).await;
    for summary in [followed, read, failed] {
        let failure = summary.unwrap().failure().unwrap();
        assert!(
            failure.cause.as_ref().unwrap().starts_with("rows/damaged: its gzip is damaged"),
            "{failure:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_shows_rows_as_they_land_though_its_columns_wait_for_a_hundred() {
    let bench = Bench::deployed().await;
    land(&bench, 0, 0);
    let (query, view) = (query("rows/"), View::all(Format::Table));
    let landing = async {
        sleep(Duration::from_secs(30)).await;
        land(&bench, 1, 0);
    };
    let ((text, _), ()) = tokio::join!(shown(&bench, &query, &view, true, 60), landing);
    assert_eq!(text, "      id\n       0\n       1\n");
}
