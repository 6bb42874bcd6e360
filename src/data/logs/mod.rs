//! The logs of the processor and of the delivery stream, as one.

mod entry;
mod look;
mod seen;
mod tail;
#[cfg(test)]
mod tests;
mod together;

pub(in crate::data) use entry::Raw;
pub use entry::{Batch, Failure, LogEntry, Report, Says, Source};

use super::backoff::Backoff;
use crate::cloud::fault;
use crate::error::Error;
use crate::event::{Event, Reporter};
use crate::stack::inspect;
use crate::stack::state::Stack;
use anyhow::Result;
use aws_sdk_cloudwatchlogs::Client;
use jiff::{SignedDuration, Timestamp};
use look::Looker;
use seen::Seen;
use std::collections::HashSet;
use std::time::Duration;
use tail::{Tail, Told};
use together::Together;
use tokio::time::{Instant, sleep_until};

/// Each look asks again for so long: Lambda and Firehose write events with the time at which they happened, some of
/// them many seconds later.
const OVERLAP: i64 = 2 * 60 * 1_000;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often it is looked while live tail tells what comes.
const BESIDE_TAIL: Duration = Duration::from_secs(30);
/// An invocation's lines wait for its end no longer.
const TOGETHER: Duration = Duration::from_secs(5);

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Whose it is.
    pub source: Source,
    /// Its name.
    pub name: String,
    /// Its ARN, without `:*` at its end.
    pub arn: String,
}

impl LogGroup {
    /// The log groups of an environment.
    ///
    /// # Errors
    /// Where the stack has no such output yet.
    pub fn of(stack: &Stack) -> Result<Vec<LogGroup>> {
        // arn:aws:cloudformation:us-east-1:123456789012:stack/…: the same partition, region and account.
        let parts: Vec<&str> = stack.id.splitn(6, ':').collect();
        let part = |place: usize| parts.get(place).copied().unwrap_or_default();
        let of = |source, output| -> Result<LogGroup> {
            let name = inspect::output(stack, output)?;
            let arn = format!("arn:{}:logs:{}:{}:log-group:{name}", part(1), part(3), part(4));
            Ok(LogGroup { source, name, arn })
        };
        Ok(vec![
            of(Source::Processor, "ProcessorLogGroupName")?,
            of(Source::Delivery, "DeliveryLogGroupName")?,
        ])
    }
}

/// What is wanted of logs.
#[derive(Debug, Clone)]
pub struct LogsWish {
    /// From when on.
    pub since: Timestamp,
    /// Whether it goes on with what is logged from now on.
    pub follows: bool,
    /// Whether live tail may be used for it, which is paid for by the minute.
    pub live_tail: bool,
    /// Only events that contain this.
    pub grep: Option<String>,
    /// Only events that tell of a failure.
    pub errors: bool,
    /// Whether the lines of an invocation are kept together. Else all comes in the order of time.
    pub together: bool,
}

impl LogsWish {
    fn is_wanted(&self, entry: &LogEntry) -> bool {
        let contains = self.grep.as_ref().is_none_or(|text| entry.message.contains(text.as_str()));
        contains && (entry.error || !self.errors)
    }
}

/// Hands every event that is wanted to `each`, in the order of time. Where it follows, it goes on until `stop` resolves.
/// How many there were. A log group that isn't there is told, and is no error.
///
/// # Errors
/// Where a log group may not be read, or `each` fails.
pub async fn read(
    client: &Client,
    groups: &[LogGroup],
    wish: &LogsWish,
    reporter: &dyn Reporter,
    each: &mut dyn FnMut(&LogEntry) -> Result<()>,
    stop: impl Future<Output = ()>,
) -> Result<u64> {
    let mut reading = Reading {
        groups: groups.iter().map(|group| (group, wish.since.as_millisecond())).collect(),
        looker: Looker::new(client),
        wish,
        reporter,
        seen: Seen::default(),
        missing: HashSet::new(),
        out: Out { together: Together::default(), each, wish, lines: 0 },
    };
    let work = async {
        match wish.follows {
            true => reading.follow(client, groups).await,
            false => reading.look().await,
        }
    };
    let ended = tokio::select! {
        biased;
        () = stop => Ok(()),
        ended = work => ended,
    };
    // What came before a failure is shown all the same.
    let shown = reading.out.give_out(Duration::ZERO);
    let lines = reading.out.lines;
    ended.and(shown).map(|()| lines)
}

/// Log groups as far as they were read.
struct Reading<'a> {
    /// Each group, and from when on it is looked at.
    groups: Vec<(&'a LogGroup, i64)>,
    looker: Looker<'a>,
    wish: &'a LogsWish,
    reporter: &'a dyn Reporter,
    seen: Seen,
    missing: HashSet<&'a str>,
    out: Out<'a>,
}

/// Where entries go.
struct Out<'a> {
    together: Together,
    each: &'a mut dyn FnMut(&LogEntry) -> Result<()>,
    wish: &'a LogsWish,
    lines: u64,
}

impl Out<'_> {
    fn take(&mut self, raw: entry::Raw) -> Result<()> {
        let entry = LogEntry::of(raw);
        if !self.wish.is_wanted(&entry) {
            return Ok(());
        }
        let entries = if self.wish.together { self.together.take(entry) } else { vec![entry] };
        self.give(&entries)
    }

    /// Gives out what has waited for so long.
    fn give_out(&mut self, longer_than: Duration) -> Result<()> {
        let entries = self.together.waiting(longer_than);
        self.give(&entries)
    }

    fn give(&mut self, entries: &[LogEntry]) -> Result<()> {
        self.lines += entries.len() as u64;
        entries.iter().try_for_each(|entry| (self.each)(entry))
    }
}

impl<'a> Reading<'a> {
    /// Reads what is there, but for what was shown.
    async fn look(&mut self) -> Result<()> {
        let Reading { groups, looker, seen, out, wish, .. } = self;
        seen.begin();
        let mut latest: Vec<i64> = groups.iter().map(|(_, from)| *from).collect();
        let missing = looker
            .look(groups, |raw| {
                let place = groups.iter().position(|(group, _)| group.name == raw.group);
                if let Some(latest) = place.and_then(|place| latest.get_mut(place)) {
                    *latest = raw.time.max(*latest);
                }
                // Nothing is told twice to who looks but once, and then all would have to be remembered.
                if !wish.follows || seen.looked(&raw) { out.take(raw) } else { Ok(()) }
            })
            .await?;
        for group in missing {
            if self.missing.insert(&group.name) {
                self.reporter.tell(&Event::LogGroupMissing { group: group.name.clone() });
            }
        }
        let since = self.wish.since.as_millisecond();
        for ((_, from), latest) in self.groups.iter_mut().zip(latest) {
            *from = (latest - OVERLAP).max(since).max(*from);
        }
        let oldest = self.groups.iter().map(|(_, from)| *from).min().unwrap_or_default();
        self.seen.forget(oldest);
        Ok(())
    }

    async fn follow(&mut self, client: &Client, groups: &[LogGroup]) -> Result<()> {
        let mut tail = None;
        let mut is_live = false;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut next_look = Instant::now();
        let mut is_first = true;
        loop {
            let told = tokio::select! {
                biased;
                told = next_of(&mut tail) => Some(told),
                () = sleep_until(next_look) => None,
                () = tokio::time::sleep(TOGETHER), if self.wish.together => {
                    self.out.give_out(TOGETHER)?;
                    continue;
                }
            };
            match told {
                None => {
                    let lines = self.out.lines;
                    self.look_if_it_can(&mut backoff, lines).await?;
                    let pause = if is_live { BESIDE_TAIL } else { backoff.equal_jitter() };
                    next_look = Instant::now() + pause;
                }
                Some(Told::Began) => {
                    self.reporter.tell(&Event::LogsFollowed { live_tail: true, because: None });
                    is_live = true;
                    // What came between the last look and now.
                    next_look = Instant::now() + FIRST_PAUSE;
                }
                Some(Told::Events(events)) => {
                    for raw in events {
                        if self.seen.live(&raw) {
                            self.out.take(raw)?;
                        }
                    }
                }
                Some(Told::Sampled | Told::Ended) => {
                    next_look = next_look.min(Instant::now() + FIRST_PAUSE);
                }
                Some(Told::Unavailable(because)) => {
                    self.reporter.tell(&Event::LogsFollowed { live_tail: false, because: Some(because) });
                    (tail, is_live) = (None, false);
                    next_look = next_look.min(Instant::now() + FIRST_PAUSE);
                }
            }
            self.out.give_out(TOGETHER)?;
            if std::mem::take(&mut is_first) {
                match self.wish.live_tail {
                    true => tail = Some(Tail::begin(client, groups)),
                    false => {
                        self.reporter.tell(&Event::LogsFollowed { live_tail: false, because: None });
                    }
                }
            }
        }
    }

    /// A look that fails for now is told, and made again.
    async fn look_if_it_can(&mut self, backoff: &mut Backoff, lines: u64) -> Result<()> {
        match self.look().await {
            Ok(()) => {
                if self.out.lines > lines {
                    backoff.reset();
                }
                Ok(())
            }
            Err(error) if fault::passes(&error) => {
                self.reporter.tell(&Event::PollFailed {
                    reason: Error::of(&error).to_string(),
                    retry_seconds: LONGEST_PAUSE.as_secs_f64(),
                });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// What live tail says next. Without one: nothing, ever.
async fn next_of(tail: &mut Option<Tail>) -> Told {
    match tail {
        Some(it) => match it.next().await {
            Some(told) => told,
            None => {
                *tail = None;
                std::future::pending().await
            }
        },
        None => std::future::pending().await,
    }
}

/// The moment so long before another.
pub fn since(now: Timestamp, ago: Duration) -> Timestamp {
    let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
    now.checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH)
}
