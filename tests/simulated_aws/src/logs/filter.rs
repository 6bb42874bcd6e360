//! How the lines of a log group are read.

use super::group::Line;
use super::pattern::Pattern;
use crate::Account;
use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply};
use serde_json::{Value, json};

/// Fact: a call tells at most 10,000 lines.
const MOST: usize = 10_000;

/// Fact: a page of FilterLogEvents can be empty although more follow, and tells the token of the next; lines come in
/// the order of their times, across all streams.
pub(super) fn filter(account: &Account, call: &Call, name: &str) -> Reply {
    if let Some(lines) = account.script.log_lines.get(name) {
        return Ok(scripted(lines, call));
    }
    let pattern = Pattern::of(call.get("filterPattern")).ok_or_else(|| unknown(call))?;
    let (named, prefix) = (call.list("logStreamNames"), call.get("logStreamNamePrefix"));
    let after = read_token(call.get("nextToken"))?;
    let (from, until) = span(call);
    let now = account.clock.milliseconds(account.clock.now());
    let lag = (account.script.log_lag_seconds * 1_000.0) as i64;
    let lines = account.log_groups.get(name).map(|group| group.lines.as_slice()).unwrap_or_default();
    let is_told = |line: &&Line| {
        line.came + lag <= now
            && (from..until).contains(&line.at)
            && (named.is_empty() || named.contains(&line.stream))
            && line.stream.starts_with(prefix)
            && pattern.takes(&line.text)
            && after.is_none_or(|after| line.place() > after)
    };
    let mut found = lines.iter().filter(is_told).peekable();
    let first_is_empty = account.script.empty_log_page && call.given("nextToken").is_none();
    if first_is_empty && found.peek().is_some() {
        let token = token((i64::MIN, 0));
        return Ok(json!({"events": [], "searchedLogStreams": [], "nextToken": token}).to_string());
    }
    let most = limit(call)?.min(account.script.log_page);
    let page: Vec<&Line> = found.by_ref().take(most).collect();
    let events: Vec<Value> = page.iter().map(|line| told(line)).collect();
    let mut answer = json!({"events": events, "searchedLogStreams": []});
    if let Some(last) = page.last().filter(|_| found.peek().is_some()) {
        answer["nextToken"] = json!(token(last.place()));
    }
    Ok(answer.to_string())
}

/// The lines that a script says, without times: first an empty page, then two lines each.
fn scripted(lines: &[String], call: &Call) -> String {
    let first: usize = call.get("nextToken").parse().unwrap_or_default();
    let (from, to) = (first.saturating_sub(1) * 2, (first * 2).min(lines.len()));
    let events: Vec<Value> = lines[from.min(to)..to].iter().map(|line| json!({"message": line})).collect();
    let mut told = json!({"events": events, "searchedLogStreams": []});
    if to < lines.len() {
        told["nextToken"] = json!((first + 1).to_string());
    }
    told.to_string()
}

fn told(line: &Line) -> Value {
    json!({
        "eventId": line.event_id(), "logStreamName": line.stream, "timestamp": line.at, "ingestionTime": line.came,
        "message": line.text,
    })
}

/// Fact: a start is inclusive; so is an end of FilterLogEvents, up to a millisecond.
fn span(call: &Call) -> (i64, i64) {
    let end = call.get("endTime").parse().map_or(i64::MAX, |end: i64| end.saturating_add(1));
    (call.get("startTime").parse().unwrap_or(i64::MIN), end)
}

fn limit(call: &Call) -> Result<usize, Refusal> {
    let Some(given) = call.given("limit") else { return Ok(MOST) };
    given.parse().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| {
        let message = format!(
            "1 validation error detected: Value '{given}' at 'limit' failed to satisfy constraint: Member must have \
             value less than or equal to 10000"
        );
        Refusal::new(400, "InvalidParameterException", message)
    })
}

fn token((at, id): (i64, u64)) -> String {
    format!("{at}/{id}")
}

fn read_token(text: &str) -> Result<Option<(i64, u64)>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let parts = text.split_once('/').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    let message = "The specified nextToken is invalid.";
    parts.map(Some).ok_or_else(|| Refusal::new(400, "InvalidParameterException", message))
}

/// Fact: GetLogEvents tells one stream, from its end where nothing is said, and always tells tokens both ways: the one
/// that was sent where there is nothing more.
pub(super) fn get(account: &Account, call: &Call, name: &str) -> Reply {
    let stream = call.get("logStreamName");
    let group = account.log_groups.get(name).filter(|group| group.streams.contains_key(stream));
    let group = group.ok_or_else(super::missing_stream)?;
    let (from, until) = span(call);
    let now = account.clock.milliseconds(account.clock.now());
    let lag = (account.script.log_lag_seconds * 1_000.0) as i64;
    let is_told = |line: &&Line| {
        line.stream == stream
            && line.came + lag <= now
            && line.at >= from
            && line.at < until.saturating_sub(1).max(from)
    };
    let lines: Vec<&Line> = group.lines.iter().filter(is_told).collect();
    let (limit, sent) = (limit(call)?, call.get("nextToken"));
    let (way, place) = sent.split_once('/').unwrap_or(("", ""));
    let place: usize = place.parse().unwrap_or_default();
    let (first, last) = match way {
        "f" => (place.min(lines.len()), (place + limit).min(lines.len())),
        "b" => (place.saturating_sub(limit), place.min(lines.len())),
        _ if call.is("startFromHead") => (0, limit.min(lines.len())),
        _ => (lines.len().saturating_sub(limit), lines.len()),
    };
    let events: Vec<Value> = lines[first.min(last)..last].iter().map(|line| told(line)).collect();
    Ok(json!({
        "events": events, "nextForwardToken": format!("f/{last}"), "nextBackwardToken": format!("b/{first}"),
    })
    .to_string())
}
