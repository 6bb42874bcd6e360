//! The consumer: what is in the stream, as it comes.
//!
//! Every shard is read at once, each by a reader of its own ([`poll`], or [`fan_out`]). A reader goes on after the last
//! record that it gave, whatever happens to its iterator or subscription, and shards that are split or merged are
//! followed ([`shards`]): so no record is missed, and none is told twice.

mod fan_out;
mod place;
mod poll;
mod read;
mod shards;
mod show;
mod stats;
mod stream;
mod template;

pub use place::From;
pub use show::Show;
pub use stats::{Side, Statistics};
pub use template::Template;

use crate::cloud::tries::{Failing, News, Tries};
use crate::error::{Error, Kind};
use crate::event::{Consumed, Event};
use crate::stack::Context;
use anyhow::Result;
use fan_out::{Consumer, Subscription};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use place::Position;
use poll::Poll;
use read::Seen;
use shards::Shards;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;
use stream::{Chunk, Stream};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

const TELL_EVERY: Duration = Duration::from_millis(250);
/// Statistics change so often.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What to read, and how to show it. Every limit that is `None` is no limit; the first one reached ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumeOptions {
    /// Where to begin.
    pub from: From,
    /// How many records.
    pub records: Option<u64>,
    /// For how long.
    pub duration: Option<Duration>,
    /// How each record is shown.
    pub show: Show,
    /// Whether to read as a registered consumer.
    pub fan_out: bool,
}

/// What was read, and what it came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Consumption {
    /// How much it was.
    pub consumed: Consumed,
    /// What was counted, with [`Show::Count`].
    pub statistics: Statistics,
}

/// Shows what is in a stream until a limit in `options` is reached, the first signal comes, or the stream ends. Lines go
/// to `out`, which is flushed whenever nothing more is at hand.
///
/// # Errors
/// Where the stream isn't there or may not be read; where a shard gave nothing but errors for 5 minutes, or for a while
/// up to the end of the duration; where `out` takes no more; with [`Kind::Leftovers`] where its own consumer could not
/// be removed.
pub async fn consume(
    context: &Context,
    stream: &str,
    options: &ConsumeOptions,
    out: &mut dyn Write,
) -> Result<Consumption> {
    let tries = Tries::default();
    if !options.fan_out {
        return Reading::new(context, stream, options, None, &tries).run(out).await;
    }
    let mut consumer = Consumer::new(context, stream).await?;
    let outcome = async {
        tokio::select! {
            biased;
            _ = context.signals.heard(1) => return Ok(Consumption::default()),
            ready = consumer.begin(context, stream) => ready?,
        }
        Reading::new(context, stream, options, Some(&consumer), &tries).run(out).await
    };
    let outcome = outcome.await;
    match (outcome, consumer.remove(context).await) {
        (outcome, Ok(())) => outcome,
        (Ok(_), Err(left)) => Err(left.into()),
        // Why it ended says more than that something is left, which is told beside it.
        (Err(error), Err(left)) => match error.downcast::<Error>() {
            Ok(error) => Err(Error { remedies: [error.remedies, left.remedies].concat(), ..error }.into()),
            Err(error) => {
                consumer.tell_left(context);
                Err(error)
            }
        },
    }
}

/// The same error with what had been shown by then.
fn broken_off(error: anyhow::Error, records: u64) -> anyhow::Error {
    match error.downcast::<Error>() {
        Ok(error) if records > 0 => {
            let records = if records == 1 { "1 record" } else { &format!("{records} records") };
            Error { message: format!("{}; {records} had been read", error.message), ..error }.into()
        }
        Ok(error) => error.into(),
        Err(error) => error,
    }
}

struct Reading<'a> {
    context: &'a Context,
    stream: Stream<'a>,
    options: &'a ConsumeOptions,
    consumer: Option<&'a Consumer>,
    start: Instant,
    consumption: Consumption,
    /// Each shard that is read.
    reads: BTreeMap<String, Read>,
}

/// How the reading of a shard goes.
struct Read {
    /// How far behind it is.
    behind: Option<u64>,
    tries: Tries,
}

/// A shard's reader.
enum Reader {
    Poll(Poll),
    Subscription(Box<Subscription>),
}

impl Reader {
    fn new(consumer: Option<&Consumer>, shard: String, position: Position, tries: Tries) -> Self {
        match consumer {
            None => Reader::Poll(Poll::new(shard, position, tries)),
            Some(it) => Reader::Subscription(Box::new(Subscription::new(it, shard, position, tries))),
        }
    }

    fn shard(&self) -> &str {
        match self {
            Reader::Poll(poll) => &poll.shard,
            Reader::Subscription(subscription) => &subscription.shard,
        }
    }

    async fn step(self, stream: Stream<'_>, most: Option<u64>) -> Result<(Self, Chunk)> {
        match self {
            Reader::Poll(poll) => {
                let (poll, chunk) = poll.step(stream, most).await?;
                Ok((Reader::Poll(poll), chunk))
            }
            Reader::Subscription(subscription) => {
                let (subscription, chunk) = subscription.step(stream).await?;
                Ok((Reader::Subscription(Box::new(subscription)), chunk))
            }
        }
    }
}

impl<'a> Reading<'a> {
    fn new(
        context: &'a Context,
        stream: &'a str,
        options: &'a ConsumeOptions,
        consumer: Option<&'a Consumer>,
        tries: &'a Tries,
    ) -> Self {
        let stream = Stream { kinesis: &context.clients.kinesis, name: stream, clock: &context.clock, tries };
        let (consumption, reads) = (Consumption::default(), BTreeMap::new());
        Reading { context, stream, options, consumer, start: Instant::now(), consumption, reads }
    }

    async fn run(mut self, out: &mut dyn Write) -> Result<Consumption> {
        let ended = self.read(out).await;
        self.consumption.consumed.seconds = self.start.elapsed().as_secs_f64();
        out.flush()?;
        if let Err(error) = ended {
            self.tell_progress(&mut None);
            if self.options.show == Show::Count {
                let mut anew = u64::MAX;
                self.tell_counts(&mut anew);
            }
            return Err(broken_off(error, self.consumption.consumed.records));
        }
        // What failed up to the end, if only for a moment, may have more.
        if self.reads.values().any(|read| read.tries.failing().is_some()) {
            self.consumption.consumed.behind_milliseconds = None;
        }
        Ok(self.consumption)
    }

    async fn read(&mut self, out: &mut dyn Write) -> Result<()> {
        let (context, stream) = (self.context, self.stream);
        let deadline = self.options.duration.and_then(|duration| self.start.checked_add(duration));
        let stopped = context.signals.heard(1);
        tokio::pin!(stopped);
        let (mut ticks, mut counts) = (interval(TELL_EVERY), interval(COUNT_EVERY));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        counts.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let begin = self.begin();
        tokio::pin!(begin);
        let mut shards = loop {
            tokio::select! {
                biased;
                _ = &mut stopped => return Ok(()),
                () = sleep_until(deadline.unwrap_or(self.start)), if deadline.is_some() => return self.unread(),
                _ = ticks.tick() => self.tell_failing(),
                shards = &mut begin => break shards?,
            }
        };
        let mut steps = FuturesUnordered::new();
        for (shard, position) in shards.ready() {
            steps.push(self.reader(shard, position).step(stream, self.left()));
        }
        let (mut told, mut counted) = (None, 0);
        while !steps.is_empty() {
            tokio::select! {
                biased;
                _ = &mut stopped => return Ok(()),
                () = sleep_until(deadline.unwrap_or(self.start)), if deadline.is_some() => return self.unread(),
                _ = ticks.tick() => {
                    self.tell_failing();
                    self.tell_progress(&mut told);
                }
                _ = counts.tick(), if self.options.show == Show::Count => self.tell_counts(&mut counted),
                Some(step) = steps.next() => {
                    let (reader, chunk) = step?;
                    if !chunk.records.is_empty() && self.consumption.consumed.records == 0 {
                        // Whatever stands where the first line goes is taken away before it.
                        self.consumption.consumed.records = 1;
                        self.tell_progress(&mut None);
                        self.consumption.consumed.records = 0;
                    }
                    self.show(reader.shard(), &chunk, out)?;
                    if self.left() == Some(0) {
                        return Ok(());
                    }
                    let Some(children) = chunk.ended else {
                        if let Some(read) = self.reads.get_mut(reader.shard()) {
                            read.behind = chunk.behind_milliseconds;
                        }
                        steps.push(reader.step(stream, self.left()));
                        continue;
                    };
                    shards.ended(reader.shard(), &children);
                    self.reads.remove(reader.shard());
                    let shard = reader.shard().to_owned();
                    context.reporter.tell(&Event::ShardEnded { children: shards.children(&shard), shard });
                    for (shard, position) in shards.ready() {
                        steps.push(self.reader(shard, position).step(stream, self.left()));
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&self) -> impl Future<Output = Result<Shards>> + use<'a> {
        let (stream, options) = (self.stream, self.options);
        async move {
            let told = stream.shards().await?;
            Ok(Shards::new(&told, stream.positions(&options.from, &told).await?))
        }
    }

    /// How far the shard that is furthest behind is behind. Nobody knows that of one whose reads fail.
    fn behind(&self) -> Option<u64> {
        let is_failing = self.reads.values().any(|read| read.tries.failing().is_some_and(|it| it.lasts()));
        if is_failing { None } else { self.reads.values().filter_map(|read| read.behind).max() }
    }

    /// Begins to read a shard.
    fn reader(&mut self, shard: String, position: Position) -> Reader {
        let tries = Tries::default();
        self.reads.insert(shard.clone(), Read { behind: None, tries: tries.clone() });
        Reader::new(self.consumer, shard, position, tries)
    }

    /// How many records may still come.
    fn left(&self) -> Option<u64> {
        self.options.records.map(|records| records.saturating_sub(self.consumption.consumed.records))
    }

    fn show(&mut self, shard: &str, chunk: &Chunk, out: &mut dyn Write) -> Result<()> {
        let left = self.left().and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        for record in chunk.records.iter().take(left) {
            let seen = Seen::new(shard, record);
            match self.options.show {
                Show::Count => self.consumption.statistics.count(&seen),
                _ => self.options.show.write(&seen, out)?,
            }
            self.consumption.consumed.records += 1;
            self.consumption.consumed.bytes += seen.data().len() as u64;
        }
        if !chunk.records.is_empty() {
            out.flush()?;
        }
        Ok(())
    }

    /// What is asked, and how that goes.
    fn asked(&self) -> impl Iterator<Item = (String, &Tries)> {
        let stream = std::iter::once((format!("stream {}", self.stream.name), self.stream.tries));
        stream.chain(self.reads.iter().map(|(shard, read)| (format!("shard {shard}"), &read.tries)))
    }

    fn tell_failing(&self) {
        for (what, tries) in self.asked() {
            self.context.reporter.tell(&match tries.news() {
                Some(News::Failing(Failing { since, reason })) => {
                    Event::ReadsFailing { what, reason, seconds: since.elapsed().as_secs_f64() }
                }
                Some(News::Over) => Event::ReadsWork { what },
                None => continue,
            });
        }
    }

    /// Why what was read is not all that there was to read by now: what has failed for a while up to this moment, or
    /// has never worked.
    fn unread(&self) -> Result<()> {
        let is_new = |what: &str| {
            let shard = what.strip_prefix("shard ").and_then(|shard| self.reads.get(shard));
            shard.map_or(self.reads.is_empty(), |read| read.behind.is_none())
        };
        let failing = self.asked().filter_map(|(what, tries)| Some((what, tries.failing()?)));
        let unread: Vec<_> = failing.filter(|(what, failing)| failing.lasts() || is_new(what)).collect();
        let Some((what, Failing { since, reason })) = unread.iter().max_by_key(|(_, it)| it.since.elapsed())
        else {
            return Ok(());
        };
        let others = match unread.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let seconds = since.elapsed().as_secs().max(1);
        let message = format!("no read of {what}{others} has worked for the last {seconds} s");
        Err(Error::new(Kind::Failed, message)
            .because(reason.clone())
            .remedy("Look at the service and the network, then run it again: with a time, `--from` goes on from there.")
            .into())
    }

    fn tell_progress(&mut self, told: &mut Option<(u64, Option<u64>)>) {
        let behind_milliseconds = self.behind();
        let consumed = &mut self.consumption.consumed;
        consumed.behind_milliseconds = behind_milliseconds;
        consumed.shards = self.reads.len();
        let now = (consumed.records, behind_milliseconds);
        if told.replace(now) != Some(now) {
            let seconds = self.start.elapsed().as_secs_f64();
            self.context.reporter.tell(&Event::Consuming(Consumed { seconds, ..consumed.clone() }));
        }
    }

    fn tell_counts(&self, counted: &mut u64) {
        let statistics = &self.consumption.statistics;
        if std::mem::replace(counted, statistics.records) != statistics.records {
            self.context.reporter.tell(&Event::Counted(Box::new(statistics.clone())));
        }
    }
}
