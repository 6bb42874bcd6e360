//! CloudWatch Logs: which log groups are there.

use crate::Account;
use crate::account::unknown;
use crate::wire::{Call, Reply};
use serde_json::{Value, json};

/// Answers one call.
pub(crate) fn serve(account: &Account, call: &Call) -> Reply {
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
        _ => Err(unknown(call)),
    }
}
