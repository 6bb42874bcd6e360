//! Live tail: CloudWatch tells events as they come in, within about a second.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html>
//!
//! A session ends after three hours, and may tell a sample alone where too much comes in. So it is no more than a short
//! cut: whoever follows looks with FilterLogEvents as well, but seldom.

use super::LogGroup;
use super::entry::Raw;
use crate::cloud::fault;
use crate::error::Error;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Builder;
use aws_sdk_cloudwatchlogs::config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::types::{LiveTailSessionLogEvent, StartLiveTailResponseStream};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// How long a session may take to begin. Where an endpoint isn't AWS' own, its name for live tail often isn't known.
const PATIENCE: Duration = Duration::from_secs(10);
/// A session that ended sooner wasn't one: it isn't begun again at once.
const SHORTEST: Duration = Duration::from_secs(60);
/// So many sessions in a row that ended sooner are enough.
const TRIES: u32 = 3;

/// What live tail says.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// A session has begun: from now on events come by themselves.
    Began,
    Events(Vec<Raw>),
    /// Too much comes in: not all of it was told.
    Sampled,
    /// The session is over; another is begun.
    Ended,
    /// There is no live tail here, and why.
    Unavailable(String),
}

/// Live tail of these groups. Ends with its receiver.
pub(super) struct Tail {
    told: mpsc::Receiver<Told>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tail {
    pub(super) fn begin(logs: &Client, groups: &[LogGroup]) -> Self {
        let (tell, told) = mpsc::channel(16);
        let task = tokio::spawn(run(logs.clone(), groups.to_vec(), tell));
        Tail { told, task }
    }

    /// What it says next; `None` once there is nothing more to come.
    pub(super) async fn next(&mut self) -> Option<Told> {
        self.told.recv().await
    }
}

async fn run(logs: Client, groups: Vec<LogGroup>, tell: mpsc::Sender<Told>) {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let ended = session(&logs, &groups, &tell).await;
        if began.elapsed() >= SHORTEST {
            failures = 0;
        }
        failures += 1;
        let told = match ended {
            Ended::NoOneListens => return,
            Ended::Refused(why) => Told::Unavailable(why),
            Ended::Over(why) if failures >= TRIES => Told::Unavailable(why),
            Ended::Over(_) => Told::Ended,
        };
        let is_last = matches!(told, Told::Unavailable(_));
        if tell.send(told).await.is_err() || is_last {
            return;
        }
        sleep(Duration::from_secs(1) * failures).await;
    }
}

enum Ended {
    NoOneListens,
    Refused(String),
    Over(String),
}

async fn session(logs: &Client, groups: &[LogGroup], tell: &mpsc::Sender<Told>) -> Ended {
    let arns = groups.iter().map(|group| group.arn.clone()).collect();
    let call = logs.start_live_tail().set_log_group_identifiers(Some(arns)).customize();
    // Whoever follows looks meanwhile: there is no need to insist.
    let call = call.config_override(Builder::new().retry_config(RetryConfig::disabled()));
    let mut session = match timeout(PATIENCE, call.send()).await {
        Ok(Ok(session)) => session.response_stream,
        Ok(Err(error)) => {
            let error = Error::of(&fault::explain(error, "begin live tail"));
            return Ended::Refused(fault::in_one_line(&error.cause.unwrap_or(error.message)));
        }
        Err(_) => return Ended::Refused("it did not begin in time".to_owned()),
    };
    let mut began = false;
    loop {
        let update = match session.recv().await {
            Ok(Some(StartLiveTailResponseStream::SessionUpdate(update))) => update,
            Ok(Some(_)) => {
                if !std::mem::replace(&mut began, true) && tell.send(Told::Began).await.is_err() {
                    return Ended::NoOneListens;
                }
                continue;
            }
            Ok(None) => return Ended::Over("it ends again and again".to_owned()),
            Err(error) => return Ended::Over(fault::in_one_line(&error.to_string())),
        };
        let is_sampled = update.session_metadata().is_some_and(|metadata| metadata.sampled());
        let events: Vec<Raw> =
            update.session_results().iter().filter_map(|event| raw(event, groups)).collect();
        let told =
            [(!events.is_empty()).then_some(Told::Events(events)), is_sampled.then_some(Told::Sampled)];
        for told in told.into_iter().flatten() {
            if tell.send(told).await.is_err() {
                return Ended::NoOneListens;
            }
        }
    }
}

/// The group is told by its name or by its ARN.
fn raw(event: &LiveTailSessionLogEvent, groups: &[LogGroup]) -> Option<Raw> {
    let of = event.log_group_identifier().unwrap_or_default().trim_end_matches(":*");
    let group = groups.iter().find(|group| of == group.arn || of.rsplit(':').next() == Some(&group.name))?;
    Some(Raw {
        source: group.source,
        group: group.name.clone(),
        stream: event.log_stream_name().unwrap_or_default().to_owned(),
        id: None,
        time: event.timestamp().unwrap_or_default(),
        message: event.message().unwrap_or_default().to_owned(),
    })
}
