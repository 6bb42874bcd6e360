//! Waits until enough rows have landed.

use super::backoff::Backoff;
use super::objects::ResultsQuery;
use super::objects::{FETCHES, Failure, fetch, list_objects};
use super::rows::Piece;
use crate::cloud::fault::in_one_line;
use crate::environment::ERRORS_PREFIX;
use crate::error::{Error, Kind};
use crate::event::{Event, Reporter};
use anyhow::Result;
use aws_sdk_s3::Client;
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Waits until at least `wanted` rows lie where the query looks, but no longer than `patience`. Returns how
/// many were seen: counting ends with the object that makes them enough, so there may be more.
///
/// Every object is fetched and counted once. Throttling and lost connections are waited out.
///
/// # Errors
/// With [`Kind::TimedOut`] where too few have landed in time; at once where the bucket refuses for good.
pub async fn wait_for_rows(
    s3: &Client,
    query: &ResultsQuery,
    wanted: u64,
    patience: Duration,
    reporter: &dyn Reporter,
) -> Result<u64> {
    let (counted, damaged) = (HashMap::new(), BTreeMap::new());
    let mut count = Count { s3, query, counted, rows: 0, uncounted: None, trouble: None, damaged };
    let waiting = count.wait_for(wanted, reporter);
    match timeout(patience, waiting).await {
        Ok(outcome) => outcome,
        Err(_) => Err(count.timed_out(wanted, patience).into()),
    }
}

struct Count<'a> {
    s3: &'a Client,
    query: &'a ResultsQuery,
    /// By key, the content that was counted and the rows in it.
    counted: HashMap<String, (String, u64)>,
    /// Rows that lay there at the last look.
    rows: u64,
    /// How many objects the last list has that are still to be counted; `None` before the first list.
    uncounted: Option<usize>,
    /// Why the last look failed, where it did.
    trouble: Option<anyhow::Error>,
    /// Objects that can't be read to their ends, and why.
    damaged: BTreeMap<String, String>,
}

impl Count<'_> {
    async fn wait_for(&mut self, wanted: u64, reporter: &dyn Reporter) -> Result<u64> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let before = self.rows;
            self.trouble = match self.look(wanted, reporter).await {
                Err(failure) if !failure.transient => return Err(failure.error),
                outcome => outcome.err().map(|failure| failure.error),
            };
            reporter.tell(&Event::WaitingForRows { rows: self.rows, wanted });
            if self.rows >= wanted {
                return Ok(self.rows);
            }
            if self.rows > before {
                // Rows come in bursts: the next are likely to be near.
                backoff.reset();
            }
            sleep(backoff.equal_jitter()).await;
        }
    }

    /// Lists the objects and counts the rows of new ones, until there are enough.
    async fn look(&mut self, wanted: u64, reporter: &dyn Reporter) -> Result<(), Failure> {
        let (s3, query) = (self.s3, self.query);
        let objects = list_objects(s3, query).await?;
        // What was deleted or overwritten meanwhile doesn't lie there any more.
        let mut counted = std::mem::take(&mut self.counted);
        let mut fresh = Vec::new();
        for object in objects {
            match counted.remove_entry(&object.key) {
                Some((key, (etag, rows))) if etag == object.etag => {
                    self.counted.insert(key, (etag, rows));
                }
                _ => fresh.push(object),
            }
        }
        self.rows = self.counted.values().map(|(_, rows)| rows).sum();
        self.uncounted = Some(fresh.len());
        let counts =
            fresh.iter().map(|object| async move { (object, rows_in(s3, query, &object.key).await) });
        let mut counts = stream::iter(counts).buffer_unordered(FETCHES);
        let (mut failed, mut told_at) = (None, Instant::now());
        while self.rows < wanted
            && let Some((object, rows)) = counts.next().await
        {
            match rows {
                Ok((rows, damage)) => {
                    self.rows += rows;
                    match damage {
                        Some(why) => self.damaged.insert(object.key.clone(), why),
                        None => self.damaged.remove(&object.key),
                    };
                    self.uncounted = self.uncounted.map(|objects| objects.saturating_sub(1));
                    self.counted.insert(object.key.clone(), (object.etag.clone(), rows));
                }
                Err(failure) if !failure.transient => return Err(failure),
                Err(failure) => failed = Some(failure),
            }
            if told_at.elapsed() >= TELL_EVERY && self.rows < wanted {
                reporter.tell(&Event::WaitingForRows { rows: self.rows, wanted });
                told_at = Instant::now();
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn timed_out(&self, wanted: u64, patience: Duration) -> Error {
        let ResultsQuery { bucket, prefix, .. } = self.query;
        let (rows, seconds) = (self.rows, patience.as_secs_f64().round());
        let place = format!("under s3://{bucket}/{prefix}");
        let message = match self.uncounted {
            Some(0) => format!("{rows} of {wanted} rows landed {place} within {seconds} seconds"),
            _ => format!("{rows} rows were counted {place} within {seconds} seconds, {wanted} are wanted"),
        };
        let error = Error::new(Kind::TimedOut, message);
        let error = match self.uncounted {
            Some(0) | None => error,
            Some(objects) => error.remedy(format!(
                "Give it more time with --timeout: the rows of {objects} more objects were not counted yet."
            )),
        };
        let error = match self.damaged.first_key_value() {
            None => error,
            Some((key, why)) => error.remedy(format!(
                "Of {} objects not all rows could be counted; the first is {}.",
                self.damaged.len(),
                in_one_line(&format!("{key}: {why}"))
            )),
        };
        let error = match &self.trouble {
            Some(trouble) => error.because(Error::of(trouble).to_string()),
            None => error,
        };
        error
            .remedy(
                "Firehose delivers a batch when its buffer is full or its buffer time is over: wait longer.",
            )
            .remedy(format!("Records that could not be transformed lie under s3://{bucket}/{ERRORS_PREFIX}."))
            .remedy("Records sent before the delivery stream was ready are never delivered: produce again.")
    }
}

/// How many rows an object has, and why there may be more, where it can't be read to its end. None where it is gone.
async fn rows_in(s3: &Client, query: &ResultsQuery, key: &str) -> Result<(u64, Option<String>), Failure> {
    let (mut rows, mut damage) = (0, None);
    if let Some(body) = fetch(s3, query, key).await? {
        let count = |piece: Piece<'_>| {
            match piece {
                Piece::Row(..) => rows += 1,
                Piece::NotARow(_) => {}
                Piece::Broken(why) => damage = Some(why.to_owned()),
            }
            Ok(())
        };
        body.read(count).await?;
    }
    Ok((rows, damage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::Recorder;
    use crate::data::testing::s3::{ACCOUNT, FakeBucket, Fault};

    fn query() -> ResultsQuery {
        ResultsQuery { bucket: "bucket".to_owned(), account: ACCOUNT.to_owned(), prefix: "rows/".to_owned() }
    }

    async fn wait(bucket: &FakeBucket, wanted: u64, seconds: u64) -> (Result<u64>, Vec<u64>) {
        let reporter = Recorder::default();
        let patience = Duration::from_secs(seconds);
        let outcome = wait_for_rows(&bucket.client, &query(), wanted, patience, &reporter).await;
        let told = reporter.events().into_iter().map(|(_, event)| match event {
            Event::WaitingForRows { rows, .. } => rows,
            other => panic!("{other:?}"),
        });
        (outcome, told.collect())
    }

    /// Adds an object of two rows every ten seconds, and overwrites the first one at the end.
    async fn deliver(bucket: &FakeBucket) {
        for second in 0..3 {
            sleep(Duration::from_secs(10)).await;
            bucket.put(&format!("rows/{second}"), second, "{\"a\":1}\n{\"b\":2}\nnot a row\n");
        }
        sleep(Duration::from_secs(10)).await;
        bucket.put("rows/0", 9, "{\"a\":1}{\"b\":2}{\"c\":3}");
    }

    #[tokio::test(start_paused = true)]
    async fn wait_counts_each_object_once() {
        let bucket = FakeBucket::new(|_, _| None);
        let ((outcome, told), ()) = tokio::join!(wait(&bucket, 7, 300), deliver(&bucket));
        assert_eq!(outcome.unwrap(), 7);
        assert!(told.is_sorted() && told.contains(&2) && told.contains(&6), "{told:?}");
        let mut fetched = bucket.requests();
        fetched.retain(|request| request != "list");
        // Its content is new the second time.
        assert_eq!(fetched, ["rows/0", "rows/1", "rows/2", "rows/0"]);
    }

    #[tokio::test(start_paused = true)]
    async fn polls_slow_down_to_one_in_five_seconds() {
        let bucket = FakeBucket::new(|_, _| None);
        assert!(wait(&bucket, 1, 600).await.0.is_err());
        let polls = bucket.requests().len();
        assert!((600 / 5..=600 * 2 / 5 + 10).contains(&polls), "{polls} polls");
    }

    #[tokio::test(start_paused = true)]
    async fn too_few_rows_in_time_say_how_many_and_where_to_look() {
        let bucket = FakeBucket::new(|_, _| None);
        bucket.put("rows/a", 1, "{\"a\":1}\n");
        let start = Instant::now();
        let error = Error::of(&wait(&bucket, 500, 60).await.0.unwrap_err());
        assert_eq!(error.kind, Kind::TimedOut);
        assert_eq!(error.message, "1 of 500 rows landed under s3://bucket/rows/ within 60 seconds");
        assert!(error.remedies.iter().any(|remedy| remedy.contains("s3://bucket/errors/")));
        assert_eq!(start.elapsed().as_secs(), 60);

        bucket.put("rows/b.zip", 2, "PK\x03\x04............");
        let error = Error::of(&wait(&bucket, 500, 60).await.0.unwrap_err());
        assert!(error.remedies[0].contains("the first is rows/b.zip: it is a ZIP"), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_is_over_while_rows_are_counted_does_not_call_the_others_missing() {
        let bucket = FakeBucket::new(|_, _| None);
        (0..500).for_each(|id| bucket.put(&format!("rows/{id:03}"), 0, "{}\n"));
        // 167 pages of 50 ms one after the other, then 500 fetches of 50 ms, sixteen at a time.
        let error = Error::of(&wait(&bucket, 100_000, 9).await.0.unwrap_err());
        let (counted, rest) = error.message.split_once(' ').unwrap();
        let counted: usize = counted.parse().unwrap();
        assert_eq!(rest, "rows were counted under s3://bucket/rows/ within 9 seconds, 100000 are wanted");
        let left = format!("{} more objects", 500 - counted);
        assert!(counted > 0 && error.remedies[0].contains(&left), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_is_waited_out_and_named_only_where_it_lasts() {
        let bucket = FakeBucket::new(|what, before| {
            (what == "list" && before < 9 || what == "rows/a" && before < 6).then_some(Fault::SlowDown)
        });
        bucket.put("rows/a", 1, "{\"a\":1}\n");
        bucket.put("rows/b", 1, "{\"a\":1}\n");
        assert_eq!(wait(&bucket, 2, 300).await.0.unwrap(), 2);
        let fetched = bucket.requests().iter().filter(|request| *request == "rows/b").count();
        assert_eq!(fetched, 1, "what was counted stays counted");

        let bucket = FakeBucket::new(|_, _| Some(Fault::SlowDown));
        let error = Error::of(&wait(&bucket, 2, 60).await.0.unwrap_err());
        assert_eq!(error.kind, Kind::TimedOut);
        assert!(error.cause.unwrap().contains("list s3://bucket/rows/"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_that_refuses_for_good_ends_it_at_once() {
        let bucket = FakeBucket::new(|_, _| Some(Fault::AccessDenied));
        let start = Instant::now();
        assert_ne!(Error::of(&wait(&bucket, 1, 600).await.0.unwrap_err()).kind, Kind::TimedOut);
        assert!(start.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_more_is_fetched_once_there_are_enough() {
        let bucket = FakeBucket::new(|_, _| None);
        (0..500).for_each(|id| bucket.put(&format!("rows/{id:03}"), 0, "{}\n"));
        let (outcome, told) = wait(&bucket, 100, 600).await;
        assert_eq!(outcome.unwrap(), 100);
        assert_eq!(told.last(), Some(&100));
        let fetched = bucket.requests().iter().filter(|request| *request != "list").count();
        assert!(fetched <= 100 + FETCHES, "{fetched}");
    }
}
