//! CloudWatch Logs: log groups, their streams, and the lines in them.

mod filter;
mod group;
mod pattern;
mod tail;

use crate::Account;
use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply};
pub(crate) use group::Group;
use serde_json::{Value, json};
pub(crate) use tail::{Tail, start as live_tail};

pub(crate) const GROUP: &str = "AWS::Logs::LogGroup";

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "DescribeLogGroups" => return Ok(groups(account, call)),
        "ListTagsForResource" => {
            let thing = account.thing(GROUP, group_of(call.get("resourceArn"))).ok_or_else(missing)?;
            return Ok(json!({"tags": thing.tags}).to_string());
        }
        "DeleteLogGroup" | "DescribeLogStreams" | "CreateLogStream" | "PutLogEvents" | "FilterLogEvents"
        | "GetLogEvents" => {}
        _ => return Err(unknown(call)),
    }
    let name =
        call.given("logGroupName").unwrap_or_else(|| group_of(call.get("logGroupIdentifier"))).to_owned();
    account.thing(GROUP, &name).ok_or_else(missing)?;
    match call.operation.as_str() {
        "DeleteLogGroup" => {
            account.goes(GROUP, &name, account.clock.now());
            Ok(String::new())
        }
        "DescribeLogStreams" => Ok(streams(account, call, &name)),
        "CreateLogStream" => {
            let (stream, now) = (call.get("logStreamName"), account.clock.now());
            if account.log_groups.get(&name).is_some_and(|group| group.streams.contains_key(stream)) {
                let message = "The specified log stream already exists";
                return Err(Refusal::new(400, "ResourceAlreadyExistsException", message));
            }
            account.make_log_stream(&name, stream, now);
            Ok(String::new())
        }
        "PutLogEvents" => put(account, call, &name),
        "GetLogEvents" => filter::get(account, call, &name),
        _ => filter::filter(account, call, &name),
    }
}

/// The name of a log group in its ARN. What is no ARN is the name.
fn group_of(arn: &str) -> &str {
    let name = arn.split_once(":log-group:").map_or(arn, |(_, name)| name);
    name.trim_end_matches(":*")
}

fn missing() -> Refusal {
    Refusal::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

fn missing_stream() -> Refusal {
    Refusal::new(400, "ResourceNotFoundException", "The specified log stream does not exist.")
}

fn groups(account: &Account, call: &Call) -> String {
    let prefix = call.get("logGroupNamePrefix");
    let groups = account.things.keys();
    let groups = groups.filter(|(kind, name)| kind == GROUP && name.starts_with(prefix));
    let groups: Vec<Value> = groups
        .map(|(_, name)| json!({"logGroupName": name, "arn": account.arn("logs", &format!("log-group:{name}:*"))}))
        .collect();
    json!({"logGroups": groups}).to_string()
}

/// Fact: log streams are told by name, or the one first that was written to last; 50 a page at most.
fn streams(account: &Account, call: &Call, name: &str) -> String {
    let prefix = call.get("logStreamNamePrefix");
    let group = account.log_groups.get(name).cloned().unwrap_or_default();
    let mut told: Vec<(i64, Value)> = Vec::new();
    for (stream, made) in group.streams.iter().filter(|(stream, _)| stream.starts_with(prefix)) {
        let mut lines = group.lines.iter().filter(|line| line.stream == *stream);
        let mut value = json!({
            "logStreamName": stream, "creationTime": account.clock.milliseconds(*made), "storedBytes": 0,
            "arn": account.arn("logs", &format!("log-group:{name}:log-stream:{stream}")),
        });
        let first = lines.next();
        let last = lines.next_back().or(first);
        if let (Some(first), Some(last)) = (first, last) {
            value["firstEventTimestamp"] = json!(first.at);
            value["lastEventTimestamp"] = json!(last.at);
            value["lastIngestionTime"] = json!(last.came);
        }
        told.push((last.map_or(0, |line| line.at), value));
    }
    if call.get("orderBy") == "LastEventTime" {
        told.sort_by_key(|(at, _)| *at);
    }
    if call.is("descending") {
        told.reverse();
    }
    let first: usize = call.get("nextToken").parse().unwrap_or_default();
    let most = call.get("limit").parse().unwrap_or(50).min(50);
    let more = told.len() > first + most;
    let page: Vec<Value> = told.into_iter().skip(first).take(most).map(|(_, value)| value).collect();
    let mut answer = json!({"logStreams": page});
    if more {
        answer["nextToken"] = json!((first + most).to_string());
    }
    answer.to_string()
}

/// Fact: PutLogEvents needs group and stream.
fn put(account: &mut Account, call: &Call, name: &str) -> Reply {
    let stream = call.get("logStreamName");
    if !account.log_groups.get(name).is_some_and(|group| group.streams.contains_key(stream)) {
        return Err(missing_stream());
    }
    for (place, text) in (1..).map_while(|place| {
        let text = call.parameters.get(&format!("logEvents.member.{place}.message"))?;
        Some((place, text))
    }) {
        let at = call.get(&format!("logEvents.member.{place}.timestamp")).parse().unwrap_or_default();
        account.log_at(name, stream, text, at);
    }
    Ok(json!({"nextSequenceToken": "0"}).to_string())
}
