//! Empties a bucket: object versions, delete markers and unfinished uploads.
//!
//! What to do next is decided by `work` with `versions` and `uploads`, where keys are divided by `range` and `cut`, how
//! many calls are in flight by `pace`. `calls` makes them.

mod calls;
mod cut;
mod pace;
mod progress;
mod range;
mod refused;
mod uploads;
mod versions;
mod work;

use crate::cloud::{Identity, fault, paced::paced};
use crate::error::{Error, Kind};
use crate::event::{DataFound, Event, Reporter};
use crate::stack::{Context, state};
use anyhow::Result;
use aws_smithy_types::DateTime;
use calls::{Calls, Ended};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use pace::{Pace, Round};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use work::{Counting, Deleting, Task, Work};

/// How often a bucket is tried to be removed while something still lands in it.
const MOST_ATTEMPTS: u32 = 10;

/// Empties one bucket of ours. Every call names the account that has to own it.
pub struct Emptier<'a> {
    calls: Calls<'a>,
    s3: &'a aws_sdk_s3::Client,
    reporter: &'a Arc<dyn Reporter>,
    /// How many versions there are, where somebody counted them.
    total: Option<u64>,
    /// Whether it was emptied already. What is found after that came late, or was missed between divided keys: those
    /// are listed one page after the other then.
    emptied: AtomicBool,
}

/// One call, again and again while it is throttled.
struct Call {
    task: Task,
    attempt: u32,
    wait: Duration,
    made: Round,
}

impl<'a> Emptier<'a> {
    /// For a bucket that belongs to the caller's account.
    pub fn new(context: &'a Context, bucket: &'a str, identity: &'a Identity) -> Self {
        Emptier {
            calls: Calls { s3: paced(&context.clients.s3), bucket, account: &identity.account },
            s3: &context.clients.s3,
            reporter: &context.reporter,
            total: None,
            emptied: AtomicBool::new(false),
        }
    }

    /// The same where it was counted before, so that the time that is left can be told.
    #[must_use]
    pub fn expecting(self, found: Option<&DataFound>) -> Self {
        let total = found.filter(|found| found.complete).map(|found| found.objects);
        Emptier { total, ..self }
    }

    /// What is in it. Counts some pages only; `complete` says whether that was all.
    pub async fn count(&self) -> Result<DataFound> {
        let mut counting = Counting::new();
        self.drive(&mut counting, |_| {}).boxed().await?;
        let newest = counting.newest.map(|seconds| state::time(&DateTime::from_secs(seconds)));
        Ok(DataFound { newest, ..counting.found })
    }

    /// Deletes everything that is in it. A bucket that isn't there is empty. Can be repeated at any point. What S3
    /// refuses to delete is an error once all else is gone.
    pub async fn empty(&self) -> Result<()> {
        let (began, bucket) = (Instant::now(), self.calls.bucket.to_owned());
        let seconds = || began.elapsed().as_secs_f64();
        let mut deleting = Deleting::new(self.total, !self.emptied.load(Ordering::Relaxed));
        let tell = |deleting: &mut Deleting| {
            if let Some(event) = deleting.progress.tell(&bucket, seconds()) {
                self.reporter.tell(&event);
            }
        };
        self.drive(&mut deleting, tell).boxed().await?;
        if let Some(error) = deleting.refused().error(&bucket) {
            return Err(error.into());
        }
        self.emptied.store(true, Ordering::Relaxed);
        let (versions, bytes) = (deleting.progress.versions, deleting.progress.bytes);
        self.reporter.tell(&Event::Emptied { bucket, versions, bytes, seconds: seconds() });
        Ok(())
    }

    /// Makes calls at their pace until there is nothing left to do.
    async fn drive<W: Work>(&self, work: &mut W, mut told: impl FnMut(&mut W) + Send) -> Result<()> {
        let (mut pace, mut again, mut flying) = (Pace::default(), VecDeque::new(), FuturesUnordered::new());
        loop {
            while flying.len() < pace.window() {
                let next = again.pop_front().or_else(|| work.next().map(Call::first));
                let Some(call) = next else { break };
                flying.push(self.make(Call { made: pace.round(), ..call }));
            }
            let Some(ended) = flying.next().await else { return Ok(()) };
            let (call, ended) = ended?;
            match ended {
                Ended::Answered(answer) => {
                    if answer.is_throttle() {
                        pace.throttled(call.made)
                    } else {
                        pace.good()
                    }
                    work.take(call.task, answer);
                    told(work);
                }
                Ended::Throttled(error) if call.attempt == pace::MOST_ATTEMPTS => return Err(error),
                Ended::Throttled(_) => {
                    pace.throttled(call.made);
                    let wait = pace::wait(call.attempt, fastrand::f64());
                    again.push_back(Call { attempt: call.attempt + 1, wait, ..call });
                }
            }
        }
    }

    async fn make(&self, call: Call) -> Result<(Call, Ended)> {
        if !call.wait.is_zero() {
            tokio::time::sleep(call.wait).await;
        }
        let ended = self.calls.make(&call.task).await?;
        Ok((call, ended))
    }
}

impl Emptier<'_> {
    /// Removes it, emptied again as often as something still lands in it. False where it was gone already.
    pub async fn remove(&self) -> Result<bool> {
        let Calls { bucket, account, .. } = &self.calls;
        let mut attempt = 1;
        loop {
            let request = self.s3.delete_bucket().bucket(*bucket).expected_bucket_owner(*account);
            let Err(error) = request.send().await else { return Ok(true) };
            let code = error.as_service_error().and_then(|error| error.meta().code()).unwrap_or_default();
            match code {
                _ if fault::is_missing(&error) => return Ok(false),
                "BucketNotEmpty" if attempt < MOST_ATTEMPTS => {
                    attempt += 1;
                    // In the first round it wasn't emptied yet, or not to its end.
                    if attempt > 2 {
                        let bucket = (*bucket).to_owned();
                        self.reporter.tell(&Event::EmptyingAgain { bucket, attempt: attempt - 1 });
                    }
                    self.empty().await?;
                }
                "BucketNotEmpty" => {
                    let message = format!("something keeps writing to {bucket}: it could not be removed");
                    return Err(Error::new(Kind::Leftovers, message)
                        .because(fault::explain(error, "remove it").to_string())
                        .remedy("Stop whatever writes to it, then run `down` again.")
                        .into());
                }
                // Somebody else is at it right now.
                "OperationAborted" if attempt < MOST_ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(250 << attempt.min(5))).await;
                }
                _ if fault::is_forbidden(&error) && !fault::names_permission(&error) => {
                    return Err(crate::artifact::foreign_bucket(bucket, account).into());
                }
                _ => return Err(fault::explain(error, &format!("remove the bucket {bucket}"))),
            }
        }
    }

    /// The same, told.
    pub async fn remove_and_tell(&self) -> Result<()> {
        if self.remove().await? {
            self.reporter.tell(&Event::BucketRemoved { bucket: self.calls.bucket.to_owned() });
        }
        Ok(())
    }
}

impl Call {
    /// S3 is given time with keys that it stumbled over.
    fn first(task: Task) -> Self {
        let tries = match &task {
            Task::Versions(versions::Task::Delete(batch)) => batch.tries,
            _ => 1,
        };
        let wait = if tries > 1 { pace::wait(tries - 1, fastrand::f64()) } else { Duration::ZERO };
        Call { task, attempt: 1, wait, made: Round::default() }
    }
}
