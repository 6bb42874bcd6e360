//! Looks: one task a source, each at its own pace, and slower where it is asked to be.

use super::ERRORS_EVERY;
use super::board::Board;
use super::follow::Place;
use super::landed::{Errors, Rows};
use super::lines::LogFollower;
use super::metric::PERIOD;
use super::services::{Metrics, States};
use super::source::{News, Observation, Source, Trouble};
use crate::clock::Clock;
use crate::cloud::Clients;
use crate::data::backoff::Backoff;
use crate::environment::{ERRORS_PREFIX, Environment, ROWS_PREFIX};
use aws_smithy_types::retry::RetryConfig;
use futures_util::future::{LocalBoxFuture, join_all};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;

/// How often states are asked for. DescribeDeliveryStream is answered five times a second in an account and region.
const STATES_EVERY: Duration = Duration::from_secs(60);
/// Metrics of a minute are asked for so many seconds after a later one began.
const AFTER_THE_MINUTE: i64 = 10;
/// What is refused for good is asked for again now and then: somebody may allow it.
const DENIED_EVERY: Duration = Duration::from_secs(60);
/// The longest pause of a source that fails.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// What is told first waits no longer for a source that hasn't answered.
const LONGEST_BEGINNING: Duration = Duration::from_secs(10);

/// What is looked at, by its names in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// The data stream.
    pub stream: String,
    /// The delivery stream.
    pub delivery: String,
    /// The function.
    pub processor: String,
    /// The processor's log group.
    pub processor_log: String,
    /// The delivery stream's log group.
    pub delivery_log: String,
    /// The bucket.
    pub bucket: String,
    /// The account that has to own it.
    pub account: String,
    /// What the keys of rows begin with.
    pub rows: String,
    /// What the keys of failed records begin with.
    pub errors: String,
}

impl Targets {
    /// The names that a stack gives in its outputs, else those that follow from the environment's.
    pub fn new(
        environment: &Environment,
        outputs: &BTreeMap<String, String>,
        account: &str,
        region: &str,
    ) -> Self {
        let named = |output: &str, name: String| outputs.get(output).cloned().unwrap_or(name);
        Targets {
            stream: named("StreamName", environment.stream()),
            delivery: named("DeliveryStreamName", environment.delivery_stream()),
            processor: named("ProcessorName", environment.processor()),
            processor_log: named("ProcessorLogGroupName", environment.processor_log_group()),
            delivery_log: named("DeliveryLogGroupName", environment.delivery_log_group()),
            bucket: named("BucketName", environment.bucket(account, region)),
            account: account.to_owned(),
            rows: named("RowsPrefix", ROWS_PREFIX.to_owned()),
            errors: named("ErrorsPrefix", ERRORS_PREFIX.to_owned()),
        }
    }
}

/// What one look brought, which for most is of one source.
pub(super) type Told = Vec<(Source, Result<News, Trouble>)>;

/// Something that can be looked at again and again.
pub(super) trait Look {
    async fn look(&mut self, now: Timestamp) -> Told;
}

/// How long it takes until the next look, where nothing is wrong.
#[derive(Debug, Clone, Copy)]
enum Pace {
    Each(Duration),
    /// Once a minute, when the metrics of another minute may be there.
    Minutely,
}

impl Pace {
    fn pause(self, now: Timestamp) -> Duration {
        match self {
            Pace::Each(pause) => pause,
            Pace::Minutely => {
                let into = (now.as_second() - AFTER_THE_MINUTE).rem_euclid(PERIOD);
                Duration::from_secs(u64::try_from(PERIOD - into).unwrap_or_default())
            }
        }
    }
}

/// Looks at everything, every source at its own pace, until nobody listens any more.
pub async fn look(
    clients: &Clients,
    clock: &Clock,
    targets: &Targets,
    every: Duration,
    sender: UnboundedSender<Observation>,
) {
    let clients = impatient(clients);
    let place =
        Place { s3: clients.s3.clone(), bucket: targets.bucket.clone(), account: targets.account.clone() };
    let metrics = Metrics { clients: &clients, targets };
    let state = |source| States { clients: &clients, targets, source };
    let log = |source, group: &str| Log { clients: &clients, follower: LogFollower::new(source, group) };
    let rows = Rows::new(place.clone(), &targets.rows);
    let errors = Errors::new(place, &targets.errors);
    let often = Pace::Each(every);
    let seldom = Pace::Each(Duration::from_secs(ERRORS_EVERY).max(every));
    let states = Pace::Each(STATES_EVERY.max(every));
    let all: Vec<LocalBoxFuture<'_, ()>> = vec![
        Box::pin(keep_looking(clock, &sender, Pace::Minutely, metrics)),
        Box::pin(keep_looking(clock, &sender, states, state(Source::Stream))),
        Box::pin(keep_looking(clock, &sender, states, state(Source::Delivery))),
        Box::pin(keep_looking(clock, &sender, states, state(Source::Processor))),
        Box::pin(keep_looking(clock, &sender, often, rows)),
        Box::pin(keep_looking(clock, &sender, seldom, errors)),
        Box::pin(keep_looking(clock, &sender, often, log(Source::ProcessorLog, &targets.processor_log))),
        Box::pin(keep_looking(clock, &sender, often, log(Source::DeliveryLog, &targets.delivery_log))),
    ];
    join_all(all).await;
}

/// Takes in what is told first: until every source has told something, but no longer than one that is slow may keep all
/// others waiting.
pub async fn begin(board: &mut Board, told: &mut UnboundedReceiver<Observation>, every: Duration) {
    let end = sleep(every.min(LONGEST_BEGINNING));
    tokio::pin!(end);
    while !board.is_complete() {
        tokio::select! {
            biased;
            Some(observation) = told.recv() => board.take(observation),
            () = &mut end => return,
        }
    }
}

/// Looks at one source until nobody listens any more.
async fn keep_looking(
    clock: &Clock,
    sender: &UnboundedSender<Observation>,
    pace: Pace,
    mut source: impl Look,
) {
    let mut backoff = Backoff::new(pace.pause(clock.now()).min(LONGEST_PAUSE), LONGEST_PAUSE);
    loop {
        let told = source.look(clock.now()).await;
        let now = clock.now();
        // Where objects can be listed but not read, the list goes on.
        let pause = match told.first().and_then(|(_, news)| news.as_ref().err()) {
            None => {
                backoff.reset();
                pace.pause(now)
            }
            Some(Trouble::Denied(_)) => DENIED_EVERY.max(pace.pause(now)),
            Some(_) => pace.pause(now).max(backoff.equal_jitter()),
        };
        for (source, news) in told {
            let observation = Observation { source, at: now, again: pause, news };
            if sender.send(observation).is_err() {
                return;
            }
        }
        sleep(pause).await;
    }
}

/// Clients that soon say that they are throttled: a board is to show it, and looks again by itself.
fn impatient(clients: &Clients) -> Clients {
    let retries = RetryConfig::standard().with_max_attempts(2);
    macro_rules! impatient {
        ($service:ident, $client:expr) => {
            $service::Client::from_conf($client.config().to_builder().retry_config(retries.clone()).build())
        };
    }
    Clients {
        cloudwatch: impatient!(aws_sdk_cloudwatch, clients.cloudwatch),
        logs: impatient!(aws_sdk_cloudwatchlogs, clients.logs),
        firehose: impatient!(aws_sdk_firehose, clients.firehose),
        kinesis: impatient!(aws_sdk_kinesis, clients.kinesis),
        lambda: impatient!(aws_sdk_lambda, clients.lambda),
        s3: impatient!(aws_sdk_s3, clients.s3),
        ..clients.clone()
    }
}

/// One log group.
struct Log<'a> {
    clients: &'a Clients,
    follower: LogFollower,
}

impl Look for Log<'_> {
    async fn look(&mut self, now: Timestamp) -> Told {
        let news = self.follower.look(&self.clients.logs, now).await.map(News::Lines);
        vec![(self.follower.source(), news)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_asked_for_ten_seconds_into_each_minute() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let pauses = [0, 9, 10, 11, 59].map(|second| Pace::Minutely.pause(at(6_000 + second)).as_secs());
        assert_eq!(pauses, [10, 1, 60, 59, 11]);
    }

    #[test]
    fn a_stacks_outputs_go_before_derived_names() {
        let environment = Environment::new("dev".parse().unwrap());
        let outputs = BTreeMap::from([("BucketName".to_owned(), "other".to_owned())]);
        let targets = Targets::new(&environment, &outputs, "123456789012", "us-east-1");
        assert_eq!((targets.bucket.as_str(), targets.stream.as_str()), ("other", "kinesis-stack-dev"));
    }
}
