//! The workshop's producer: trades into the stream, every one of them accounted for.
//!
//! Each PutRecords call has an owner, [`Producer::deliver`], which sends what was refused again until the
//! stream has taken all of it. A call whose answer never came may have been carried out all the same, and
//! then its records are in the stream twice: Kinesis is at least once, and the `id` in a trade tells.

#[cfg(test)]
mod tests;

use super::backoff::Backoff;
use super::pace::Pace;
use super::trade::{Trade, Trades};
use crate::cloud::fault;
use crate::error::{Error, Kind};
use crate::event::{Event, Produced, Reporter};
use anyhow::{Context, Result};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry as Entry;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

/// At most so many calls are under way at a time.
const MAX_CALLS: usize = 8;
/// A call that took longer shows that the stream is saturated.
const QUICK: Duration = Duration::from_secs(1);
/// After so long without a single record accepted, the producer gives up.
const GIVE_UP: Duration = Duration::from_mins(5);
/// How long calls under way may still take after a stop. GitHub Actions sends SIGTERM 7.5 seconds after
/// SIGINT, and the sum must be out by then.
const DRAIN: Duration = Duration::from_secs(7);
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What to produce. Every limit that is `None` is no limit; the first one reached ends it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProduceOptions {
    /// How many records.
    pub records: Option<u64>,
    /// Records a second, more than 0. Without it, as fast as the stream takes them.
    pub rate: Option<f64>,
    /// For how long. With a rate, that is `rate × duration` records, unless the stream cannot keep up.
    pub duration: Option<Duration>,
    /// The same seed makes the same trades.
    pub seed: u64,
}

/// Puts trades into a stream until a limit in `options` is reached or `stop` resolves. After a stop nothing
/// new is made, and the calls under way have 7 seconds to end.
///
/// In every sum that ends it, `sent + lost` is the number of trades made. What is returned has lost none, except
/// after a stop that a call outlived: what became of its records is not known.
///
/// # Errors
/// At once where the stream refuses for good (it is not there, no permission). With [`Kind::Failed`] where it
/// accepted nothing for 5 minutes. The last [`Event::Producing`] tells the sum in these cases too.
pub async fn produce(
    kinesis: &aws_sdk_kinesis::Client,
    stream: &str,
    options: ProduceOptions,
    reporter: &dyn Reporter,
    stop: impl Future<Output = ()>,
) -> Result<Produced> {
    let start = Instant::now();
    let tally = Tally { produced: Produced::default(), accepted_at: start, gave_up: None };
    let producer = Producer { kinesis, stream, reporter, start, tally: Mutex::new(tally) };
    let mut pace = Pace::new(options.records, options.rate, options.duration);
    let outcome = producer.run(&mut pace, Trades::new(options.seed), stop).await;

    let Tally { mut produced, gave_up, .. } =
        producer.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    produced.lost = pace.made() - produced.sent;
    produced.seconds = start.elapsed().as_secs_f64();
    reporter.tell(&Event::Producing(produced.clone()));
    outcome?;
    match gave_up {
        Some(reason) => Err(given_up(stream, &produced, reason).into()),
        None => Ok(produced),
    }
}

struct Producer<'a> {
    kinesis: &'a aws_sdk_kinesis::Client,
    stream: &'a str,
    reporter: &'a dyn Reporter,
    start: Instant,
    tally: Mutex<Tally>,
}

struct Tally {
    produced: Produced,
    /// When the stream last accepted a record.
    accepted_at: Instant,
    /// Why the last records were refused, once it is over.
    gave_up: Option<String>,
}

/// Records that have to be sent again, and why.
struct Refused {
    entries: Vec<Entry>,
    reason: String,
}

impl Producer<'_> {
    async fn run(&self, pace: &mut Pace, mut trades: Trades, stop: impl Future<Output = ()>) -> Result<()> {
        let mut calls = FuturesUnordered::new();
        // As many calls as come back quickly: one more after each smooth one, half after any other. Eight full
        // calls at once would be refused over and over by a single shard, which takes two of them a second.
        let mut window = if pace.is_paced() { MAX_CALLS } else { 1 };
        let mut drained_by = None;
        let mut told = 0;
        let mut ticks = interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            let now = self.start.elapsed();
            let over = drained_by.is_some() || self.tally().gave_up.is_some();
            let next = if over { None } else { pace.next_call(now) };
            let room = calls.len() < window;
            match next {
                None if calls.is_empty() => return Ok(()),
                Some(at) if room && at <= now => {
                    let batch = trades.by_ref().take(pace.take(now) as usize).map(|trade| entry(&trade));
                    calls.push(self.deliver(batch.collect::<Result<_>>()?));
                    continue;
                }
                _ => {}
            }
            tokio::select! {
                biased;
                () = &mut stop, if drained_by.is_none() => drained_by = Some(Instant::now() + DRAIN),
                () = sleep_until(drained_by.unwrap_or(self.start)), if drained_by.is_some() => return Ok(()),
                _ = ticks.tick() => self.tell_progress(&mut told),
                Some(smooth) = calls.next(), if !calls.is_empty() => {
                    window = match (pace.is_paced(), smooth?) {
                        (true, _) => MAX_CALLS,
                        (false, true) => MAX_CALLS.min(window + 1),
                        (false, false) => 1.max(window / 2),
                    };
                }
                () = sleep_until(later(self.start, next)), if room && next.is_some() => {}
            }
        }
    }

    /// Sends these records until the stream has taken every one, or the producer gives up. True where the
    /// first call was all it took, and quick.
    async fn deliver(&self, mut entries: Vec<Entry>) -> Result<bool> {
        let began = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut first = true;
        loop {
            let Some(refused) = self.put(entries).await? else {
                return Ok(first && began.elapsed() < QUICK);
            };
            {
                let mut tally = self.tally();
                if tally.gave_up.is_some() || tally.accepted_at.max(began).elapsed() >= GIVE_UP {
                    tally.gave_up = Some(refused.reason);
                    return Ok(false);
                }
            }
            sleep(backoff.full_jitter()).await;
            self.tally().produced.resent += refused.entries.len() as u64;
            entries = refused.entries;
            first = false;
        }
    }

    /// One call. Counts what was accepted, and hands back the rest.
    async fn put(&self, entries: Vec<Entry>) -> Result<Option<Refused>> {
        let call = self.kinesis.put_records().stream_name(self.stream).set_records(Some(entries.clone()));
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let transient = fault::is_transient(&error);
                let error = fault::explain(error, &format!("put records into stream {}", self.stream));
                let reason = if transient { Error::of(&error).to_string() } else { return Err(error) };
                return Ok(Some(Refused { entries, reason }));
            }
        };
        let none_failed = answer.failed_record_count().unwrap_or(0) == 0;
        let mut results = answer.records().iter();
        let (mut refused, mut reason, mut sent, mut bytes) = (Vec::new(), None, 0, 0);
        for entry in entries {
            // A record that the answer doesn't mention counts as refused: rather twice than never.
            let result = results.next();
            if none_failed || result.is_some_and(|result| result.error_code().is_none()) {
                sent += 1;
                bytes += entry.data().as_ref().len() as u64;
            } else {
                let code = result.and_then(|result| result.error_code());
                let message = result.and_then(|result| result.error_message());
                reason = reason.or_else(|| Some([code?, message.unwrap_or("no message")].join(": ")));
                refused.push(entry);
            }
        }
        if sent > 0 {
            let mut tally = self.tally();
            tally.produced.sent += sent;
            tally.produced.bytes += bytes;
            tally.accepted_at = Instant::now();
        }
        let reason = reason.unwrap_or_else(|| "the stream gave no reason".to_owned());
        Ok((!refused.is_empty()).then_some(Refused { entries: refused, reason }))
    }

    fn tell_progress(&self, told: &mut u64) {
        let mut produced = self.tally().produced.clone();
        produced.seconds = self.start.elapsed().as_secs_f64();
        if produced.sent + produced.resent > *told {
            *told = produced.sent + produced.resent;
            self.reporter.tell(&Event::Producing(produced));
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(trade: &Trade) -> Result<Entry> {
    let data = serde_json::to_vec(trade).context("cannot write a trade as JSON")?;
    let entry = Entry::builder().data(Blob::new(data)).partition_key(trade.ticker_symbol).build();
    entry.context("cannot make a record of a trade")
}

/// So long after the start; where the clock doesn't reach that far, some day.
fn later(start: Instant, next: Option<Duration>) -> Instant {
    let some_day = Duration::from_hours(365 * 24);
    next.and_then(|next| start.checked_add(next)).unwrap_or(start + some_day)
}

fn given_up(stream: &str, produced: &Produced, reason: String) -> Error {
    let Produced { sent, lost, .. } = produced;
    let minutes = GIVE_UP.as_secs() / 60;
    let message = format!(
        "gave up on {lost} of {} records: stream {stream} accepted none for {minutes} minutes",
        sent + lost
    );
    Error::new(Kind::Failed, message)
        .because(reason)
        .remedy("Send fewer records a second with `--rate`, or give the stream more shards.")
}
