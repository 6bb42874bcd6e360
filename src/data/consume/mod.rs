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
/// Where the stream isn't there or may not be read; where a shard gave nothing but errors for 5 minutes; where `out`
/// takes no more; with [`Leftovers`](crate::error::Kind::Leftovers) where its own consumer could not be removed.
pub async fn consume(
    context: &Context,
    stream: &str,
    options: &ConsumeOptions,
    out: &mut dyn Write,
) -> Result<Consumption> {
    if !options.fan_out {
        return Reading::new(context, stream, options, None).run(out).await;
    }
    let consumer = Consumer::register(context, stream).await?;
    let outcome = async {
        tokio::select! {
            biased;
            _ = context.signals.heard(1) => return Ok(Consumption::default()),
            ready = consumer.ready(context) => ready?,
        }
        Reading::new(context, stream, options, Some(&consumer)).run(out).await
    };
    let outcome = outcome.await;
    // Why it ended says more than that something is left.
    let removed = consumer.remove(context).await;
    outcome.and_then(|consumption| removed.map(|()| consumption))
}

struct Reading<'a> {
    context: &'a Context,
    stream: Stream<'a>,
    options: &'a ConsumeOptions,
    consumer: Option<&'a Consumer>,
    start: Instant,
    consumption: Consumption,
    /// How far behind each shard is that is read.
    behind: BTreeMap<String, Option<u64>>,
}

/// A shard's reader.
enum Reader {
    Poll(Poll),
    Subscription(Box<Subscription>),
}

impl Reader {
    fn new(consumer: Option<&Consumer>, shard: String, position: Position) -> Self {
        match consumer {
            None => Reader::Poll(Poll::new(shard, position)),
            Some(consumer) => Reader::Subscription(Box::new(Subscription::new(consumer, shard, position))),
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
    ) -> Self {
        let stream = Stream { kinesis: &context.clients.kinesis, name: stream, clock: &context.clock };
        let (consumption, behind) = (Consumption::default(), BTreeMap::new());
        Reading { context, stream, options, consumer, start: Instant::now(), consumption, behind }
    }

    async fn run(mut self, out: &mut dyn Write) -> Result<Consumption> {
        let ended = self.read(out).await;
        self.consumption.consumed.seconds = self.start.elapsed().as_secs_f64();
        out.flush()?;
        ended?;
        Ok(self.consumption)
    }

    async fn read(&mut self, out: &mut dyn Write) -> Result<()> {
        let (context, stream) = (self.context, self.stream);
        let deadline = self.options.duration.and_then(|duration| self.start.checked_add(duration));
        let stopped = context.signals.heard(1);
        tokio::pin!(stopped);
        let mut shards = tokio::select! {
            biased;
            _ = &mut stopped => return Ok(()),
            shards = self.begin() => shards?,
        };
        let mut steps = FuturesUnordered::new();
        for (shard, position) in shards.ready() {
            self.behind.insert(shard.clone(), None);
            steps.push(Reader::new(self.consumer, shard, position).step(stream, self.left()));
        }
        let (mut ticks, mut counts) = (interval(TELL_EVERY), interval(COUNT_EVERY));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        counts.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut counted) = (None, 0);
        while !steps.is_empty() {
            tokio::select! {
                biased;
                _ = &mut stopped => return Ok(()),
                () = sleep_until(deadline.unwrap_or(self.start)), if deadline.is_some() => return Ok(()),
                _ = ticks.tick() => self.tell_progress(&mut told),
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
                        self.behind.insert(reader.shard().to_owned(), chunk.behind_milliseconds);
                        steps.push(reader.step(stream, self.left()));
                        continue;
                    };
                    shards.ended(reader.shard(), &children);
                    self.behind.remove(reader.shard());
                    let shard = reader.shard().to_owned();
                    context.reporter.tell(&Event::ShardEnded { children: shards.children(&shard), shard });
                    for (shard, position) in shards.ready() {
                        self.behind.insert(shard.clone(), None);
                        steps.push(Reader::new(self.consumer, shard, position).step(stream, self.left()));
                    }
                }
            }
        }
        Ok(())
    }

    async fn begin(&self) -> Result<Shards> {
        let told = self.stream.shards().await?;
        Ok(Shards::new(&told, self.stream.positions(&self.options.from, &told).await?))
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

    fn tell_progress(&mut self, told: &mut Option<(u64, Option<u64>)>) {
        let behind_milliseconds = self.behind.values().flatten().copied().max();
        let consumed = &mut self.consumption.consumed;
        consumed.behind_milliseconds = behind_milliseconds;
        consumed.shards = self.behind.len();
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
