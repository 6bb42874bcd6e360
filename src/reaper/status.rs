//! `reaper status`: the reaper as it stands, and what its last runs came to, by its own log.

use super::template::{OUTPUT_KEY, OUTPUT_SCHEDULE};
use super::{LOG_GROUP, STACK, check_ours};
use crate::cloud::fault;
use crate::environment::artifact_sha256;
use crate::error::{Error, Kind};
use crate::settings::Invocation;
use crate::stack::status::StackStatus;
use crate::stack::{Context, poll};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a look waits for a throttled account: whoever looks can look again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How far back runs are looked for: two of the longest pauses.
const BACK: SignedDuration = SignedDuration::from_hours(48);
/// How many of them are shown.
const RUNS: usize = 5;
/// How many pages of the log are read at most. Each holds all that matches in a stretch of it, or nothing.
const PAGES: u32 = 50;

/// The reaper as it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The region.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// The stack's state.
    pub status: StackStatus,
    /// CloudFormation's sentence about it.
    pub reason: Option<String>,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// When it was last changed, RFC 3339.
    pub updated: Option<String>,
    /// Who made it.
    pub owner: Option<String>,
    /// The version of this tool that it runs.
    pub version: Option<String>,
    /// The SHA-256 of the zip that it runs.
    pub code: Option<String>,
    /// When it runs, in EventBridge's words.
    pub schedule: Option<String>,
    /// Its log group.
    pub log_group: String,
    /// What its last runs came to, newest first.
    pub runs: Vec<Run>,
    /// Why nobody knows, where its log can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_unread: Option<Error>,
}

/// What a run of the reaper came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When it ended, RFC 3339.
    pub time: String,
    /// The environments that it tore down.
    pub reaped: Vec<String>,
    /// The environments that it could not tear down.
    pub failed: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// Why the run itself failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Looks at the reaper. An error where there is none.
pub async fn status(context: &Context) -> Result<Status> {
    let now = context.clock.now();
    let context = &super::context(context)?;
    let (stack, runs) =
        tokio::join!(poll::find(context, STACK, PATIENCE), runs(context, now.checked_sub(BACK)?));
    let stack = stack?;
    // All else is worth telling without its log.
    let (runs, runs_unread) = match runs {
        Ok(runs) => (runs, None),
        Err(error) => (Vec::new(), Some(Error::of(&error))),
    };
    let Some(stack) = stack else {
        return Err(none(&context.clients.region, &context.invocation).into());
    };
    check_ours(&stack, context)?;
    let output = |name: &str| stack.outputs.get(name).cloned();
    Ok(Status {
        region: context.clients.region.clone(),
        owner: stack.owner().map(str::to_owned),
        version: stack.version().map(str::to_owned),
        code: output(OUTPUT_KEY).as_deref().and_then(artifact_sha256).map(str::to_owned),
        schedule: output(OUTPUT_SCHEDULE),
        log_group: LOG_GROUP.to_owned(),
        runs,
        runs_unread,
        stack: stack.name,
        stack_id: stack.id,
        status: stack.status,
        reason: stack.reason,
        created: stack.created,
        updated: stack.updated,
    })
}

/// There is no reaper. `invocation`: how its verbs are typed.
pub fn none(place: &str, invocation: &Invocation) -> Error {
    Error::new(Kind::NoSuchEnvironment, format!("there is no reaper in {place}"))
        .remedy(format!("`{}` makes one.", invocation.command("up")))
}

/// The last runs, newest first. None where there is no log.
async fn runs(context: &Context, since: Timestamp) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..PAGES {
        let page = || async {
            let request = context.clients.logs.filter_log_events().log_group_name(LOG_GROUP);
            // A term, which every service of this interface understands; what else holds it is told apart below.
            let request = request.filter_pattern(r#""reaper-ran""#);
            let request = request.start_time(since.as_millisecond()).set_next_token(token.clone());
            match request.send().await {
                Ok(answer) => Ok(Some(answer)),
                Err(error) if fault::is_missing(&error) => Ok(None),
                Err(error) => Err(fault::explain(error, "read the reaper's log")),
            }
        };
        let Some(answer) = poll::patiently(context, PATIENCE, page).await? else { break };
        runs.extend(answer.events().iter().filter_map(|event| run(event.message()?)));
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    runs.sort_by(|a: &Run, b: &Run| b.time.cmp(&a.time));
    runs.truncate(RUNS);
    Ok(runs)
}

/// The run that a line of the log tells of.
fn run(line: &str) -> Option<Run> {
    #[derive(Deserialize)]
    struct Line {
        code: String,
        #[serde(flatten)]
        run: Run,
    }
    let line: Line = serde_json::from_str(line).ok()?;
    (line.code == "reaper-ran").then_some(line.run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_from_everything_else_in_the_log() {
        let told = r#"{"time":"2026-11-26T12:00:00Z","code":"reaper-ran","env":"reaper","reaped":["pr-1"],"failed":[],"left_alone":[],"seconds":1.5}"#;
        assert_eq!(run(told).unwrap().reaped, ["pr-1"]);
        for other in ["", "START RequestId: 1", "{}", r#"{"time":"t","code":"done","env":"reaper"}"#] {
            assert_eq!(run(other), None, "{other}");
        }
        assert_eq!(run(&told.replace("reaper-ran", "reaped")), None);
    }
}
