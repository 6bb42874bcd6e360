//! Live tail: lines, pushed as they come.

use super::pattern::Pattern;
use super::{GROUP, group_of};
use crate::Account;
use crate::account::unknown;
use crate::streaming::{Event, Next, Source};
use crate::wire::{Call, Refusal};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Fact: a session tells once a second what came.
const EVERY: Duration = Duration::from_secs(1);
/// Fact: a session lasts three hours.
const LASTS: Duration = Duration::from_secs(3 * 3_600);
/// Fact: of more than 500 lines a second a sample is told, and said to be one.
const MOST: usize = 500;

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    groups: Vec<String>,
    told_groups: Vec<String>,
    streams: Vec<String>,
    prefixes: Vec<String>,
    text: String,
    pattern: Pattern,
    /// The number of the last line that was told.
    last: u64,
    until: Instant,
    id: u64,
    begun: bool,
}

/// Begins a session.
pub(crate) fn start(account: &mut Account, call: &Call) -> Result<Source, Refusal> {
    let told_groups = call.list("logGroupIdentifiers");
    // Fact: an ARN that ends with `*` is refused.
    if told_groups.is_empty() || told_groups.iter().any(|group| group.ends_with('*')) {
        let message = "The log group ARN must not end with an asterisk (*).";
        return Err(Refusal::new(400, "InvalidParameterException", message));
    }
    let groups: Vec<String> = told_groups.iter().map(|group| group_of(group).to_owned()).collect();
    if groups.iter().any(|group| account.thing(GROUP, group).is_none()) {
        return Err(super::missing());
    }
    let text = call.get("logEventFilterPattern");
    let pattern = Pattern::of(text).ok_or_else(|| unknown(call))?;
    let (id, now) = (account.number(), account.clock.now());
    Ok(Source::Tail(Tail {
        groups,
        told_groups,
        streams: call.list("logStreamNames"),
        prefixes: call.list("logStreamNamePrefixes"),
        text: text.to_owned(),
        pattern,
        last: account.log_lines,
        until: now + LASTS,
        id,
        begun: false,
    }))
}

impl Tail {
    /// What came in the last second.
    pub(crate) fn next(&mut self, account: &mut Account) -> Next {
        let now = account.clock.now();
        if !std::mem::replace(&mut self.begun, true) {
            let start = json!({
                "requestId": format!("request-{}", self.id), "sessionId": format!("session-{}", self.id),
                "logGroupIdentifiers": self.told_groups, "logStreamNames": self.streams,
                "logStreamNamePrefixes": self.prefixes, "logEventFilterPattern": self.text,
            });
            let events = vec![Event::new("initial-response", &json!({})), Event::new("sessionStart", &start)];
            return Next::Events(events, EVERY);
        }
        if now >= self.until {
            let message = "The session has timed out after 3 hours.";
            return Next::End(vec![Event::exception("SessionTimeoutException", message)]);
        }
        let mut results: Vec<Value> = Vec::new();
        for name in &self.groups {
            let lines = account.log_groups.get(name).map(|group| group.lines.as_slice()).unwrap_or_default();
            let is_meant = |stream: &String| {
                let anywhere = self.streams.is_empty() && self.prefixes.is_empty();
                anywhere
                    || self.streams.contains(stream)
                    || self.prefixes.iter().any(|it| stream.starts_with(it))
            };
            let new = lines
                .iter()
                .filter(|it| it.id > self.last && is_meant(&it.stream) && self.pattern.takes(&it.text));
            results.extend(new.map(|line| {
                json!({
                    "logStreamName": line.stream, "logGroupIdentifier": format!("{}:{name}", crate::ACCOUNT),
                    "message": line.text, "timestamp": line.at, "ingestionTime": line.came,
                })
            }));
        }
        self.last = account.log_lines;
        let sampled = results.len() > MOST;
        results.truncate(MOST);
        let update = json!({"sessionMetadata": {"sampled": sampled}, "sessionResults": results});
        Next::Events(vec![Event::new("sessionUpdate", &update)], EVERY)
    }
}
