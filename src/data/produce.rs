//! The producer: trades or somebody's own lines into the stream, every record accounted for.
//!
//! Several PutRecords calls are under way at a time. What one refuses goes into the next ones, before anything new. A
//! call whose answer never came may have been carried out all the same, and then its records are in the stream twice:
//! Kinesis is at least once, and the `id` in a trade tells.

mod base64;
mod batch;
mod flow;
mod lanes;
mod latencies;
mod lines;
mod source;
#[cfg(test)]
mod tests;

pub use lines::Lines;
pub use source::{Source, TradeField};

pub(in crate::data) use batch::RECORDS_PER_CALL;

use super::pace::Pace;
use crate::cli::Load;
use crate::cloud::fault;
use crate::cloud::tries::{Failing, News, Tries};
use crate::error::{Error, Kind};
use crate::event::{Event, Percentiles, Produced, Reporter};
use anyhow::Result;
use aws_sdk_kinesis::operation::put_records::{PutRecordsError, PutRecordsOutput};
use batch::{Batch, Call, Record};
use flow::{Flow, Outcome};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lanes::Lanes;
use latencies::Latencies;
use source::{Next, Supply};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// After so long without a single record accepted, the producer gives up.
const GIVE_UP: Duration = Duration::from_mins(5);
/// How long calls under way may still take after a stop. GitHub Actions sends SIGTERM 7.5 seconds after
/// SIGINT, and the sum must be out by then.
const DRAIN: Duration = Duration::from_secs(7);
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What to produce. Every limit that is `None` is no limit; the first one reached ends it.
#[derive(Debug)]
pub struct ProduceOptions {
    /// Where records come from. What has an end ends it, too.
    pub source: Source,
    /// How many records.
    pub records: Option<u64>,
    /// Records a second, more than 0. Without it, as fast as the stream takes them.
    pub rate: Option<f64>,
    /// How the rate runs over time.
    pub shape: Load,
    /// For how long. With a rate, that is `rate × duration` records, unless the stream cannot keep up.
    pub duration: Option<Duration>,
    /// Whether the records of a key keep their order: a later one leaves when the earlier ones are accepted.
    pub ordered: bool,
}

/// Puts records into a stream until a limit in `options` is reached, they come to their end, or `stop` resolves. After
/// a stop nothing new is made, and what is under way or was refused has 7 seconds to get there.
///
/// In every sum that ends it, `sent + lost` is the number of records made. What is returned has lost none, except
/// after a stop: what the stream went on refusing, and what was in a call that outlived the stop. What became of the
/// latter is not known. [`lost_by_a_stop`] makes an error of it.
///
/// # Errors
/// At once where the stream refuses for good (it is not there, no permission, a proxy that lets nothing through). With
/// [`Kind::Failed`] where it accepted nothing for 5 minutes. With [`Kind::BadInput`] where a line can't be sent: those before it are. The last
/// [`Event::Producing`] tells the sum in these cases too.
pub async fn produce(
    kinesis: &aws_sdk_kinesis::Client,
    stream: &str,
    options: ProduceOptions,
    reporter: &dyn Reporter,
    stop: impl Future<Output = ()>,
) -> Result<Produced> {
    let (start, tries) = (Instant::now(), Tries::default());
    let ProduceOptions { source, records, rate, shape, duration, ordered } = options;
    let mut producer = Producer {
        caller: Caller { kinesis, stream, tries: &tries },
        reporter,
        start,
        pace: Pace::new(records, rate, duration).shaped(shape),
        supply: Supply::new(source),
        supply_is_over: false,
        queue: if ordered { Queue::Ordered(Lanes::default()) } else { Queue::Free(VecDeque::new()) },
        flow: Flow::new(),
        produced: Produced::default(),
        latencies: Latencies::new(),
        refusing_since: None,
        trouble: None,
        gave_up: None,
    };
    let outcome = producer.run(stop).await;
    let mut produced = producer.so_far(None);
    produced.lost = producer.pace.made() - produced.sent;
    reporter.tell(&Event::Producing(produced.clone()));
    if let Err(error) = outcome {
        return Err(broken_off(&error, &produced).into());
    }
    match (producer.gave_up, producer.trouble) {
        (Some(reason), _) => Err(given_up(stream, &produced, reason).into()),
        (None, Some(trouble)) => Err(broken_off(&trouble, &produced).into()),
        (None, None) => Ok(produced),
    }
}

struct Producer<'a> {
    caller: Caller<'a>,
    reporter: &'a dyn Reporter,
    start: Instant,
    pace: Pace,
    supply: Supply,
    supply_is_over: bool,
    queue: Queue,
    flow: Flow,
    produced: Produced,
    latencies: Latencies,
    /// Since when the stream has accepted none.
    refusing_since: Option<Instant>,
    /// Why the supply ended before its end.
    trouble: Option<anyhow::Error>,
    /// Why the last records were refused, once it is over.
    gave_up: Option<String>,
}

/// Records that wait to be sent.
enum Queue {
    /// What was refused, or had no room in a call.
    Free(VecDeque<Record>),
    Ordered(Lanes),
}

#[derive(Clone, Copy)]
struct Caller<'a> {
    kinesis: &'a aws_sdk_kinesis::Client,
    stream: &'a str,
    /// How the calls go.
    tries: &'a Tries,
}

/// A call that came back.
struct Answered {
    call: Call,
    began: Instant,
    /// Why there is no answer, where there is none, and the call may be made again.
    answer: Result<PutRecordsOutput, String>,
}

impl Producer<'_> {
    async fn run(&mut self, stop: impl Future<Output = ()>) -> Result<()> {
        let caller = self.caller;
        let mut calls = FuturesUnordered::new();
        let mut drained_by = None;
        let mut told = 0;
        let mut ticks = interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            let now = self.start.elapsed();
            if self.gave_up.is_some() && calls.is_empty() {
                return Ok(());
            }
            let is_open = drained_by.is_none() && self.gave_up.is_none() && !self.supply_is_over;
            let next = if is_open { self.pace.next_call(now) } else { None };
            let has_room = self.flow.has_room(calls.len()) && self.gave_up.is_none();
            let mut is_dry = false;
            if has_room && self.flow.next() <= now {
                let fresh = next.is_some_and(|at| at <= now);
                let batch = self.compose(now, fresh, &mut is_dry);
                if batch.len() > 0 {
                    self.flow.sent(now, batch.len());
                    calls.push(caller.put(batch.call()));
                    continue;
                }
                if fresh && self.supply_is_over {
                    continue;
                }
            }
            if calls.is_empty() && self.queue.is_empty() && next.is_none() {
                return Ok(());
            }
            // What waits can leave when the flow says so, what is to come when it is due and there is room for it.
            let queue_at = self.queue.is_ready().then_some(self.flow.next());
            let fresh_at = next.filter(|_| !is_dry && self.queue.has_room(&self.flow));
            let wake = queue_at.into_iter().chain(fresh_at.map(|at| at.max(self.flow.next()))).min();
            tokio::select! {
                biased;
                () = &mut stop, if drained_by.is_none() => {
                    drained_by = Some(Instant::now() + DRAIN);
                    self.pace.put_back(self.queue.forget_unsent());
                }
                () = sleep_until(drained_by.unwrap_or(self.start)), if drained_by.is_some() => return Ok(()),
                _ = ticks.tick() => {
                    self.tell_refusals();
                    self.tell_progress(&mut told);
                }
                Some(answered) = calls.next(), if !calls.is_empty() => self.settle(answered?),
                () = self.supply.ready(), if is_dry => {}
                () = sleep_until(later(self.start, wake)), if has_room && wake.is_some() => {}
            }
        }
    }

    /// The next call: what was refused first, then what is due. `is_dry` where that hasn't been written yet.
    fn compose(&mut self, now: Duration, fresh: bool, is_dry: &mut bool) -> Batch {
        let mut batch = Batch::new(self.caller.stream);
        let mut left = if fresh { self.pace.due_now(now) } else { 0 };
        let mut taken = 0;
        if let Queue::Free(waiting) = &mut self.queue {
            while let Some(record) = waiting.front().filter(|record| batch.holds(record.mark.size as usize)) {
                self.produced.resent += u64::from(record.attempted);
                batch.push_record(record);
                waiting.pop_front();
            }
        }
        while left > 0 && self.queue.has_room(&self.flow) && batch.len() < RECORDS_PER_CALL {
            match self.supply.next() {
                Ok(Next::Record { data, key }) => match &mut self.queue {
                    Queue::Free(_) if batch.holds(data.len() + key.len()) => batch.push(data, key),
                    Queue::Free(waiting) => {
                        waiting.push_back(Record::new(data, key));
                        left = 1;
                    }
                    Queue::Ordered(lanes) => lanes.push(Record::new(data, key)),
                },
                Ok(Next::NotYet) => {
                    *is_dry = true;
                    break;
                }
                Ok(Next::End) => {
                    self.supply_is_over = true;
                    break;
                }
                Err(error) => {
                    (self.supply_is_over, self.trouble) = (true, Some(error));
                    break;
                }
            }
            (left, taken) = (left - 1, taken + 1);
        }
        if let Queue::Ordered(lanes) = &mut self.queue {
            while let Some(record) = lanes.next(|size| batch.holds(size)) {
                self.produced.resent += u64::from(record.attempted);
                batch.push_record(&record);
            }
        }
        if taken > 0 {
            self.pace.take(taken, now);
        }
        batch
    }

    /// Counts what was accepted, and keeps the rest.
    fn settle(&mut self, answered: Answered) {
        let Answered { call, began, answer } = answered;
        let took = began.elapsed();
        self.latencies.add(took);
        let (mut sent, mut bytes, mut reason) = (0, 0, None);
        let count = call.len() as u64;
        match answer {
            Ok(answer) => {
                let none_failed = answer.failed_record_count().unwrap_or(0) == 0;
                let mut results = answer.records().iter();
                for (place, mark) in call.marks().enumerate() {
                    // A record that the answer doesn't mention counts as refused: rather twice than never.
                    let result = results.next();
                    if none_failed || result.is_some_and(|result| result.error_code().is_none()) {
                        sent += 1;
                        bytes += u64::from(mark.data);
                        self.queue.accepted(mark.lane);
                        continue;
                    }
                    if reason.is_none() {
                        let code = result.and_then(|result| result.error_code());
                        let message = result.and_then(|result| result.error_message());
                        reason = code.map(|code| [code, message.unwrap_or("no message")].join(": "));
                    }
                    self.queue.refused(call.record(place));
                }
            }
            Err(why) => {
                reason = Some(why);
                (0..call.len()).for_each(|place| self.queue.refused(call.record(place)));
            }
        }
        self.produced.sent += sent;
        self.produced.bytes += bytes;
        let refused = count - sent;
        self.flow.answered(self.start.elapsed(), Outcome { taken: sent, refused, took });
        let tries = self.caller.tries;
        match &reason {
            _ if sent > 0 => tries.succeeded(),
            Some(reason) => tries.failed(reason.clone()),
            None => {}
        }
        if sent > 0 {
            self.refusing_since = None;
        } else if self.refusing_since.get_or_insert(began).elapsed() >= GIVE_UP {
            let reason = reason.unwrap_or_else(|| "the stream gave no reason".to_owned());
            self.gave_up.get_or_insert(reason);
        }
    }

    fn tell_refusals(&self) {
        if let Some(News::Failing(Failing { since, reason })) = self.caller.tries.news() {
            let (stream, seconds) = (self.caller.stream.to_owned(), since.elapsed().as_secs_f64());
            self.reporter.tell(&Event::RecordsRefused { stream, reason, seconds });
        }
    }

    fn tell_progress(&self, told: &mut u64) {
        let now = self.start.elapsed();
        if self.produced.sent + self.produced.resent > *told {
            *told = self.produced.sent + self.produced.resent;
            self.reporter.tell(&Event::Producing(self.so_far(Some(self.flow.pace(now)))));
        }
    }

    fn so_far(&self, pace: Option<f64>) -> Produced {
        let latencies = &self.latencies;
        let percentiles = || Percentiles {
            p50: latencies.percentile(0.5),
            p99: latencies.percentile(0.99),
            max: latencies.longest_milliseconds(),
        };
        Produced {
            seconds: self.start.elapsed().as_secs_f64(),
            records_per_second: pace,
            calls: latencies.calls(),
            call_milliseconds: (latencies.calls() > 0).then(percentiles),
            ..self.produced.clone()
        }
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        match self {
            Queue::Free(waiting) => waiting.is_empty(),
            Queue::Ordered(lanes) => lanes.is_empty(),
        }
    }

    /// Whether one of them may leave now.
    fn is_ready(&self) -> bool {
        match self {
            Queue::Free(waiting) => !waiting.is_empty(),
            Queue::Ordered(lanes) => lanes.is_ready(),
        }
    }

    /// Whether new records may be made: a stream that refuses is to take those first.
    fn has_room(&self, flow: &Flow) -> bool {
        match self {
            Queue::Free(waiting) => waiting.len() < flow.most_refused(),
            Queue::Ordered(lanes) => lanes.has_room(),
        }
    }

    fn accepted(&mut self, lane: u64) {
        if let Queue::Ordered(lanes) = self {
            lanes.accepted(lane);
        }
    }

    fn refused(&mut self, record: Record) {
        match self {
            Queue::Free(waiting) => waiting.push_back(record),
            Queue::Ordered(lanes) => lanes.refused(record),
        }
    }

    /// Drops what has never been sent, and tells how many those were.
    fn forget_unsent(&mut self) -> u64 {
        match self {
            Queue::Free(waiting) => {
                let before = waiting.len();
                waiting.retain(|record| record.attempted);
                (before - waiting.len()) as u64
            }
            Queue::Ordered(lanes) => lanes.forget_unsent(),
        }
    }
}

impl Caller<'_> {
    /// One call. An error is one for good.
    async fn put(self, call: Call) -> Result<Answered> {
        let began = Instant::now();
        let (body, length) = (call.body(), call.body_length());
        // The SDK gets an empty call, and a body that is written already.
        let request = self.kinesis.put_records().stream_name(self.stream).set_records(Some(Vec::new()));
        let request = request.customize().interceptor(self.tries.notes::<PutRecordsError>());
        let request = request.mutate_request(move |request| {
            if let Some(body) = body.as_ref().and_then(|body| body.try_clone()) {
                *request.body_mut() = body;
                request.headers_mut().insert("content-length", length.to_string());
            }
        });
        let answer = match request.send().await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let (transient, missing) = (fault::is_transient(&error), fault::is_missing(&error));
                let error = fault::explain(error, &format!("put records into stream {}", self.stream));
                let error = Error::of(&error);
                match (transient, missing) {
                    (true, _) => Err(error.cause.unwrap_or(error.message)),
                    (false, true) => {
                        let remedy =
                            "`status` tells whether the environment is still there, `up` brings it up.";
                        return Err(error.remedy(remedy).into());
                    }
                    (false, false) => return Err(error.into()),
                }
            }
        };
        Ok(Answered { call, began, answer })
    }
}

/// So long after the start; where the clock doesn't reach that far, some day.
fn later(start: Instant, next: Option<Duration>) -> Instant {
    let some_day = Duration::from_hours(365 * 24);
    next.and_then(|next| start.checked_add(next)).unwrap_or(start + some_day)
}

/// What broke it off, and what is in the stream by then.
fn broken_off(trouble: &anyhow::Error, produced: &Produced) -> Error {
    let mut error = Error::of(trouble);
    error.message.push_str(&format!("; {}", sum(produced)));
    error
}

/// What is in the stream, and what isn't.
fn sum(Produced { sent, lost, .. }: &Produced) -> String {
    let records = if *sent == 1 { "1 record" } else { &format!("{sent} records") };
    let lost = if *lost > 0 { format!(", {lost} lost") } else { String::new() };
    format!("{records} had been sent{lost}")
}

/// What a run ends with that was told to stop by a signal of this kind, where records got lost by that.
pub fn lost_by_a_stop(produced: &Produced, kind: Kind) -> Option<Error> {
    (produced.lost > 0).then(|| {
        Error::new(kind, format!("interrupted: {}", sum(produced))).meaning(
            "Lost is what the stream refused up to the end, and what was in a call without an answer.",
        )
    })
}

fn given_up(stream: &str, produced: &Produced, reason: String) -> Error {
    let Produced { sent, lost, .. } = produced;
    let minutes = GIVE_UP.as_secs() / 60;
    let message = format!(
        "gave up on {lost} of {} records: stream {stream} accepted none for {minutes} minutes",
        sent + lost
    );
    let remedy = match fault::is_of_throttling(&reason) {
        true => "Send fewer records a second with `--rate`, or give the stream more shards.",
        false => "Look at the service, the network and the proxy, then send them again.",
    };
    Error::new(Kind::Failed, message).because(reason).remedy(remedy)
}
