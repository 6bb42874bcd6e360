//! CloudWatch Logs: which log groups are there, and their deletion.

use crate::Account;
use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply};
use serde_json::{Value, json};

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "DescribeLogGroups" => {
            let prefix = call.get("logGroupNamePrefix");
            let groups = account.things.keys();
            let groups =
                groups.filter(|(kind, name)| kind == "AWS::Logs::LogGroup" && name.starts_with(prefix));
            let groups: Vec<Value> = groups
                .map(|(_, name)| json!({"logGroupName": name, "arn": account.arn("logs", &format!("log-group:{name}:*"))}))
                .collect();
            Ok(json!({"logGroups": groups}).to_string())
        }
        "DeleteLogGroup" => {
            let name = call.get("logGroupName");
            account.thing("AWS::Logs::LogGroup", name).ok_or_else(missing)?;
            account.goes("AWS::Logs::LogGroup", name, account.clock.now());
            Ok(String::new())
        }
        "ListTagsForResource" => {
            let arn = call.get("resourceArn");
            let name = arn.split_once(":log-group:").map(|(_, name)| name).unwrap_or_default();
            match account.thing("AWS::Logs::LogGroup", name) {
                Some(thing) => Ok(json!({"tags": thing.tags}).to_string()),
                None => {
                    let message = "The specified log group does not exist.";
                    Err(Refusal::new(400, "ResourceNotFoundException", message))
                }
            }
        }
        "FilterLogEvents" => filter(account, call),
        _ => Err(unknown(call)),
    }
}

/// Fact: a page of FilterLogEvents can be empty although more follow, and tells the token of the next. Patterns aren't
/// understood: every line is told.
fn filter(account: &Account, call: &Call) -> Reply {
    let name = call.get("logGroupName");
    if account.thing("AWS::Logs::LogGroup", name).is_none() {
        let message = "The specified log group does not exist.";
        return Err(Refusal::new(400, "ResourceNotFoundException", message));
    }
    let lines = account.script.log_lines.get(name).map(Vec::as_slice).unwrap_or_default();
    // First an empty page, then two lines each.
    let first: usize = call.get("nextToken").parse().unwrap_or_default();
    let (from, to) = (first.saturating_sub(1) * 2, (first * 2).min(lines.len()));
    let events: Vec<Value> = lines[from.min(to)..to].iter().map(|line| json!({"message": line})).collect();
    let mut told = json!({"events": events, "searchedLogStreams": []});
    if to < lines.len() {
        told["nextToken"] = json!((first + 1).to_string());
    }
    Ok(told.to_string())
}

fn missing() -> Refusal {
    Refusal::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
}
