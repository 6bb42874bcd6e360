//! The smoke test: marked records through the whole pipeline, and each leg followed until their rows have landed.
//!
//! What is seen is judged in `course`, which knows neither clients nor clocks; everything else here looks, sends
//! and clears away. A leg is proven by the test's own records alone. What logs and metrics tell of other people's
//! records only says where it hangs, when it does.

mod before;
mod cause;
mod clear;
mod course;
mod denied;
mod evidence;
mod look;
mod record;
mod report;
mod send;

pub use report::{Leg, LegReport, LegState, SmokeReport, SmokeSent};

use super::backoff::Backoff;
use crate::artifact::Workshop;
use crate::environment::{ERRORS_PREFIX, ROWS_PREFIX};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::state::Stack;
use crate::stack::{Context, inspect};
use anyhow::Result;
use before::Found;
use course::{Course, Next, Seen, Terms};
use evidence::Evidence;
use look::Look;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long it waits at least, where nobody says how long.
const USUAL: Duration = Duration::from_mins(10);
/// What is waited on top of the buffers' time, where nobody says how long.
const SPARE: f64 = 300.0;
/// How often a look is taken: soon at first, since an emulator delivers at once.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A waiting line is told so often.
const TELL_EVERY: f64 = 5.0;
/// GitHub Actions sends SIGTERM 7.5 seconds after SIGINT: by then what has landed is cleared away.
const LAST_SWEEP: Duration = Duration::from_secs(5);

/// The names of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// The data stream.
    pub stream: String,
    /// The delivery stream.
    pub delivery: String,
    /// The function.
    pub processor: String,
    /// The bucket.
    pub bucket: String,
    /// The account that has to own it.
    pub account: String,
    /// What the keys of rows begin with.
    pub rows_prefix: String,
    /// What the keys of failed records begin with.
    pub errors_prefix: String,
    /// The log groups of the delivery stream and of the function.
    pub log_groups: [String; 2],
}

impl Pipeline {
    /// As the stack's outputs tell them.
    ///
    /// # Errors
    /// Where the stack isn't up, and so has none.
    pub fn of(stack: &Stack, account: &str) -> Result<Self> {
        let output = |name: &str| inspect::output(stack, name);
        let or = |name: &str, usual: &str| output(name).unwrap_or_else(|_| usual.to_owned());
        Ok(Pipeline {
            stream: output("StreamName")?,
            delivery: output("DeliveryStreamName")?,
            processor: output("ProcessorName")?,
            bucket: output("BucketName")?,
            account: account.to_owned(),
            rows_prefix: or("RowsPrefix", ROWS_PREFIX),
            errors_prefix: or("ErrorsPrefix", ERRORS_PREFIX),
            log_groups: [output("DeliveryLogGroupName")?, output("ProcessorLogGroupName")?],
        })
    }

    /// What each leg is called, in their order.
    fn names(&self) -> [String; 5] {
        [&self.stream, &self.delivery, &self.processor, &self.bucket, &self.bucket].map(Clone::clone)
    }
}

/// What a smoke test is to do.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Where.
    pub pipeline: Pipeline,
    /// How long at most; `None`: 10 minutes, or the buffers' time and 5 minutes where that is more.
    pub timeout: Option<Duration>,
    /// Whether records are sent that can't be transformed.
    pub bad_records: bool,
    /// Where the processor that comes with this tool is made: rows have to be what it makes of their trades where the
    /// function runs it.
    pub workshop: Workshop,
}

/// How a smoke test ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Each leg.
    pub report: SmokeReport,
    /// The failure that a broken leg is.
    pub failure: Option<Error>,
}

/// Sends marked records through the pipeline and follows them. What it found is told as [`Event::SmokeEnded`], too;
/// whatever landed of it is removed again, but for what shows why a leg is broken.
///
/// # Errors
/// Where it was told to stop, or could not find out anything: a lost network, credentials that are no good.
pub async fn smoke(context: &Context, wish: &Wish) -> Result<Ended> {
    let mut test = Test::new(context, wish);
    let stopped = tokio::select! {
        biased;
        ran = test.run() => ran.map(|()| None)?,
        kind = context.signals.heard(1) => Some(kind),
    };
    if let Some(kind) = stopped {
        let cleared = timeout(LAST_SWEEP, test.clear()).await.is_ok();
        return Err(test.interrupted(kind, cleared).into());
    }
    test.clear().await;
    Ok(test.end())
}

/// A test under way.
struct Test<'a> {
    context: &'a Context,
    wish: &'a Wish,
    began: Instant,
    course: Course,
    look: Look,
    marker: String,
    removed: usize,
    left: Vec<String>,
}

impl<'a> Test<'a> {
    fn new(context: &'a Context, wish: &'a Wish) -> Self {
        let terms = Terms {
            names: wish.pipeline.names(),
            bucket: wish.pipeline.bucket.clone(),
            shards: Vec::new(),
            due: before::due(0.0, 0.0),
            strict: false,
            reading_for: None,
            invocation: context.invocation.clone(),
        };
        Test {
            context,
            wish,
            began: Instant::now(),
            course: Course::new(terms, Vec::new()),
            look: Look::new(&context.clients.s3, &wish.pipeline),
            marker: String::new(),
            removed: 0,
            left: Vec::new(),
        }
    }

    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// From the first question to the verdict, which stands in the course.
    async fn run(&mut self) -> Result<()> {
        let patience = self.wish.timeout.unwrap_or(USUAL);
        let found = match before::before(self.context, self.wish, self.began + patience).await? {
            Ok(found) => found,
            Err(seen) => return self.over(seen),
        };
        let known = Duration::from_secs_f64(found.due.landed + SPARE);
        let deadline = self.began + self.wish.timeout.unwrap_or(USUAL.max(known));
        let clock = self.context.clock.now();
        let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while let Err(blind) = self.look.begin(clock, found.places.clone()).await {
            if !matches!(blind, look::Blind::ForNow(_)) || Instant::now() >= deadline {
                return self.over(blind.or_error()?);
            }
            sleep(pauses.equal_jitter()).await;
        }
        self.marker = record::fresh_marker();
        let records = record::marked(&self.marker, found.shards.len(), self.wish.bad_records);
        self.course = Course::new(self.terms(&found), records);
        let mut evidence = Evidence::new(self.context, &self.wish.pipeline, clock);
        if !self.send(&found, false, deadline).await? {
            return Ok(());
        }
        pauses.reset();
        let mut told_at = f64::NEG_INFINITY;
        loop {
            let before = self.course.missing().len();
            let trouble = self.take_a_look().await?;
            let is_over = Instant::now() >= deadline;
            let is_missing = !self.course.missing().is_empty();
            let waited = self.course.since_sent(self.now());
            if is_missing && (is_over || evidence.is_due(waited)) {
                for seen in evidence.gather(waited - found.due.landed).await {
                    self.course.see(self.now(), seen);
                }
            }
            if let Some(said) = trouble {
                self.course.see(self.now(), Seen::Note { leg: Leg::Bucket, said });
            }
            let next = self.course.judge(self.now(), is_over);
            self.tell_news();
            match next {
                Next::Passed | Next::Broken(..) => return Ok(()),
                Next::SendAgain => {
                    if !self.send(&found, true, deadline).await? {
                        return Ok(());
                    }
                    pauses.reset();
                }
                Next::Wait => {}
            }
            if self.course.missing().len() < before {
                pauses.reset();
            }
            if self.now() - told_at >= TELL_EVERY {
                told_at = self.now();
                self.tell_waiting(&found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            sleep(pauses.equal_jitter().min(left)).await;
        }
    }

    fn terms(&self, found: &Found) -> Terms {
        Terms {
            names: self.wish.pipeline.names(),
            bucket: self.wish.pipeline.bucket.clone(),
            shards: found.shards.iter().map(|shard| shard.id.clone()).collect(),
            due: found.due,
            strict: found.strict,
            reading_for: found.reading_for,
            invocation: self.context.invocation.clone(),
        }
    }

    /// Sends what hasn't turned up yet. False where the stream takes none, and that is the verdict.
    async fn send(&mut self, found: &Found, again: bool, deadline: Instant) -> Result<bool> {
        let missing = self.course.missing();
        let records: Vec<_> =
            missing.iter().filter_map(|number| self.course.records().get(*number)).collect();
        let good = records.iter().filter(|record| record.is_good()).count();
        let sent = SmokeSent {
            stream: self.wish.pipeline.stream.clone(),
            marker: self.marker.clone(),
            good,
            bad: records.len() - good,
            shards: found.shards.len(),
            due_seconds: found.due.landed,
            again,
        };
        let accepted = send::send(self.context, &sent.stream, &records, &found.shards, deadline).await?;
        self.course.sent(self.now(), again);
        match accepted {
            Ok(()) => {
                self.context.reporter.tell(&Event::SmokeSent(sent));
                self.course.see(self.now(), Seen::Accepted);
                Ok(true)
            }
            Err(seen) => self.over(seen).map(|()| false),
        }
    }

    /// Looks into the bucket. What it has to say where it can't for now is returned.
    async fn take_a_look(&mut self) -> Result<Option<String>> {
        match self.look.look(&self.marker, self.course.records()).await {
            Ok(seen) => {
                let now = self.now();
                seen.into_iter().for_each(|seen| self.course.see(now, seen));
                Ok(None)
            }
            Err(look::Blind::ForNow(said)) => Ok(Some(said)),
            Err(blind) => {
                let seen = blind.or_error()?;
                self.course.see(self.now(), seen);
                Ok(None)
            }
        }
    }

    /// That is the verdict.
    fn over(&mut self, seen: Seen) -> Result<()> {
        self.course.see(self.now(), seen);
        self.course.judge(self.now(), false);
        self.tell_news();
        Ok(())
    }

    fn tell_news(&mut self) {
        for leg in self.course.news() {
            self.context.reporter.tell(&Event::SmokeLeg(leg));
        }
    }

    fn tell_waiting(&self, found: &Found) {
        let (landed, wanted) = self.course.landed();
        self.context.reporter.tell(&Event::SmokeWaiting {
            landed,
            wanted,
            seconds: self.course.since_sent(self.now()),
            due_seconds: found.due.landed,
        });
    }

    /// Removes what landed of it.
    async fn clear(&mut self) {
        let ours = self.look.ours();
        for object in ours {
            if self.course.is_evidence(&object.key) {
                self.left.push(object.says("it shows what is wrong"));
                continue;
            }
            match clear::clear(&self.context.clients.s3, &self.wish.pipeline, &object).await {
                Ok(()) => self.removed += 1,
                Err(because) => self.left.push(object.says(&because)),
            }
            self.look.forget(&object.key);
        }
    }

    fn interrupted(&self, kind: Kind, cleared: bool) -> Error {
        let error = Error::new(kind, "interrupted");
        let missing = self.course.missing().len();
        if self.marker.is_empty() || (missing == 0 && cleared) {
            return error;
        }
        error.remedy(format!(
            "Records of this test may still land: they bear the marker {}, and no other row does.",
            self.marker
        ))
    }

    fn end(self) -> Ended {
        let records = self.course.records();
        let good = records.iter().filter(|record| record.is_good()).count();
        let broken = self.course.broken();
        let report = SmokeReport {
            marker: self.marker.clone(),
            legs: self.course.legs().to_vec(),
            broken: broken.map(|(leg, _)| leg),
            good,
            bad: records.len() - good,
            removed: self.removed,
            left: self.left.clone(),
            seconds: self.now(),
        };
        let failure = broken.and_then(|(_, kind)| report.failure(kind, &self.context.invocation));
        self.context.reporter.tell(&Event::SmokeEnded(Box::new(report.clone())));
        Ended { report, failure }
    }
}

#[cfg(test)]
pub(crate) mod testing;
