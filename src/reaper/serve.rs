//! The function: for each event one `reap`, by the code that the command runs.
//!
//! When its time is nearly up it begins nothing more and stops watching. What was begun goes on in CloudFormation, and
//! the next run picks it up: like every command it can be killed at any point. Two runs at once do no harm, either.

use super::runtime::{Call, Runtime};
use crate::clock::Clock;
use crate::cloud::{self, Clients};
use crate::error::{Error, Kind};
use crate::event::{Event, Reporter};
use crate::settings::{Choice, Invocation, Place};
use crate::signals::Signals;
use crate::stack::reap::{self, Named, Reaped};
use crate::stack::{Consent, Context};
use crate::{cli, environment};
use anyhow::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long before its end a run begins nothing more.
const LAST_MINUTES: Duration = Duration::from_secs(120);

/// Answers events until Lambda ends the process. Ends only with an error of the Runtime API.
pub async fn serve(runtime: &Runtime, reporter: &Arc<dyn Reporter>) -> Result<()> {
    loop {
        let call = runtime.next().await?;
        let began = Instant::now();
        let ran = run(&call, reporter).await.map_err(|error| Error::of(&error));
        reporter.tell(&told(&ran, began.elapsed()));
        // An error of the run is the function's own: the metric `Errors` counts it. That an environment could not be
        // torn down isn't one: the run went well, and its answer names it.
        match ran {
            Ok(reaped) => runtime.answer(&call, &answer(&reaped)?).await?,
            Err(error) => runtime.fail(&call, &error).await?,
        }
    }
}

/// What the function can be told by its event. All can be left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    name: Option<String>,
    tag: Vec<String>,
    at_once: u8,
    dry_run: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { name: None, tag: Vec::new(), at_once: 25, dry_run: false }
    }
}

impl Wanted {
    fn of(event: &[u8]) -> Result<Self, Error> {
        let wanted: Self = serde_json::from_slice(event).map_err(|error| {
            Error::new(Kind::BadInput, "the event is none that the reaper takes")
                .because(error.to_string())
                .remedy(r#"Send {}, or for instance {"name": "pr-*", "at_once": 25, "dry_run": true}."#)
        })?;
        match wanted.at_once {
            1..=50 => Ok(wanted),
            many => {
                Err(Error::new(Kind::BadInput, format!("at_once `{many}`: it is 1 to 50, for instance 25")))
            }
        }
    }
}

async fn run(call: &Call, reporter: &Arc<dyn Reporter>) -> Result<Reaped> {
    let wanted = Wanted::of(&call.event)?;
    let choice = Choice::new(&cli::Choice { name: wanted.name, tag: wanted.tag })?;
    let left = left(call.deadline, Timestamp::now());
    // Made anew for each run: between two of them the process is frozen, and every connection dies.
    let configuration = cloud::configuration(&Place::Aws { region: None, profile: None }, None).await?;
    let (time_is_up, signals) = Signals::by_hand();
    let context = Context {
        // The runs of `reap` are each of another environment: this name is only the log's.
        environment: environment::Environment::new("reaper".parse().map_err(anyhow::Error::msg)?),
        clients: Clients::new(&configuration, reporter)?,
        reporter: reporter.clone(),
        invocation: Invocation::default(),
        signals,
        clock: Clock::default(),
    };
    let wish = reap::Wish {
        choice,
        at_once: usize::from(wanted.at_once),
        timeout: left,
        dry_run: wanted.dry_run,
        consent: Consent::Given,
    };
    let contexts = [context];
    let work = Box::pin(reap::reap(&contexts, &wish));
    let clock = async {
        tokio::time::sleep(left).await;
        time_is_up.send(Kind::Terminated);
        std::future::pending().await
    };
    tokio::select! {
        biased;
        reaped = work => reaped,
        never = clock => never,
    }
}

/// How long a run may go on beginning something.
fn left(deadline: Timestamp, now: Timestamp) -> Duration {
    let whole = Duration::try_from(deadline.duration_since(now)).unwrap_or_default();
    // Of a function whose time-out somebody has set very short, most is better than nothing.
    whole.saturating_sub(LAST_MINUTES.min(whole / 4))
}

/// The last line of a run.
fn told(ran: &Result<Reaped, Error>, took: Duration) -> Event {
    let none = Reaped::default();
    let reaped = ran.as_ref().unwrap_or(&none);
    Event::ReaperRan {
        reaped: names(reaped.reaped.iter().map(|ended| &ended.named)),
        failed: names(reaped.failed.iter().map(|(named, _)| named)),
        left_alone: names(reaped.left_alone.iter().map(|(named, _)| named)),
        interrupted: names(reaped.interrupted.iter()),
        seconds: took.as_secs_f64(),
        error: ran.as_ref().err().map(ToString::to_string),
    }
}

fn names<'a>(all: impl Iterator<Item = &'a Named>) -> Vec<String> {
    all.map(|named| named.env.clone()).collect()
}

/// What whoever called the function is told.
fn answer(reaped: &Reaped) -> Result<Value> {
    #[derive(Serialize)]
    struct Answer<'a> {
        due: Vec<&'a str>,
        reaped: Vec<&'a str>,
        failed: Vec<(&'a str, &'a Error)>,
        left_alone: Vec<(&'a str, &'a str)>,
        interrupted: Vec<&'a str>,
    }
    Ok(serde_json::to_value(Answer {
        due: reaped.due.iter().map(|seen| seen.listed.env.as_str()).collect(),
        reaped: reaped.reaped.iter().map(|ended| ended.named.env.as_str()).collect(),
        failed: reaped.failed.iter().map(|(named, error)| (named.env.as_str(), error)).collect(),
        left_alone: reaped.left_alone.iter().map(|(named, why)| (named.env.as_str(), why.as_str())).collect(),
        interrupted: reaped.interrupted.iter().map(|named| named.env.as_str()).collect(),
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_nothing_or_what_reap_takes_and_everything_else_is_refused() {
        assert_eq!(Wanted::of(b"{}"), Ok(Wanted::default()));
        let all = Wanted::of(br#"{"name": "pr-*", "tag": ["a=b"], "at_once": 3, "dry_run": true}"#).unwrap();
        assert_eq!((all.name.as_deref(), all.at_once, all.dry_run), (Some("pr-*"), 3, true));
        for event in ["", "[1]", r#"{"names": "pr-*"}"#, r#"{"at_once": 0}"#, r#"{"at_once": 51}"#] {
            let error = Wanted::of(event.as_bytes()).unwrap_err();
            assert_eq!(error.kind, Kind::BadInput, "{event}");
        }
    }

    #[test]
    fn a_run_begins_nothing_in_its_last_two_minutes() {
        let now = Timestamp::UNIX_EPOCH;
        let left = |seconds: i64| left(Timestamp::from_second(seconds).unwrap(), now).as_secs();
        assert_eq!((left(900), left(60), left(0), left(-5)), (780, 45, 0, 0));
    }
}
