//! What is told of change sets.

use super::change_sets::find;
use super::changes::{Action, Change};
use super::stack::{ChangeSet, Stack};
use super::template::Policy;
use super::{named, page};
use crate::Account;
use crate::wire::{Call, Reply, tag, text};
use tokio::time::Instant;

/// Fact: change sets go CREATE_PENDING, CREATE_IN_PROGRESS, then CREATE_COMPLETE or FAILED.
fn status(change_set: &ChangeSet, now: Instant) -> (&'static str, &str) {
    let half = change_set.made + (change_set.ready - change_set.made) / 2;
    match &change_set.outcome {
        _ if now < half => ("CREATE_PENDING", ""),
        _ if now < change_set.ready => ("CREATE_IN_PROGRESS", ""),
        Ok(_) => ("CREATE_COMPLETE", ""),
        Err(reason) => ("FAILED", reason),
    }
}

pub fn is_executed(stack: &Stack, change_set: &ChangeSet) -> bool {
    stack.executed.as_ref().is_some_and(|executed| executed.id == change_set.id)
}

/// Whether it can be executed.
pub fn execution_status(stack: &Stack, change_set: &ChangeSet, now: Instant) -> &'static str {
    match status(change_set, now).0 {
        _ if is_executed(stack, change_set) && stack.is_busy() => "EXECUTE_IN_PROGRESS",
        _ if is_executed(stack, change_set) => "EXECUTE_COMPLETE",
        "CREATE_COMPLETE" => "AVAILABLE",
        _ => "UNAVAILABLE",
    }
}

fn summary(account: &Account, stack: &Stack, change_set: &ChangeSet) -> String {
    let now = account.clock.now();
    let (status, reason) = status(change_set, now);
    text("ChangeSetId", &change_set.id)
        + &text("ChangeSetName", &change_set.name)
        + &text("StackId", &stack.id)
        + &text("StackName", &stack.name)
        + &text("CreationTime", &account.time(change_set.made))
        + &text("Description", change_set.request.get("Description"))
        + &text("Status", status)
        + &text("StatusReason", reason)
        + &text("ExecutionStatus", execution_status(stack, change_set, now))
}

pub fn describe(account: &mut Account, call: &Call) -> Reply {
    let (stack, change_set) = find(account, call)?;
    let now = account.clock.now();
    let mut xml = summary(account, stack, change_set);
    if change_set.terms.express {
        xml += &tag("DeploymentConfig", &text("Mode", "EXPRESS"));
    }
    if call_is_revert(change_set) {
        xml += &text("DeploymentMode", "REVERT_DRIFT");
    }
    let changes = match &change_set.outcome {
        Ok(changes) if now >= change_set.ready => changes.as_slice(),
        _ => return Ok(xml),
    };
    // Fact: values before and after only with IncludePropertyValues.
    let values = call.is("IncludePropertyValues");
    let members = changes.iter().map(|change| described(change, values)).collect();
    // Fact: DescribeChangeSet pages.
    Ok(xml + &page("Changes", members, call, account.script.page))
}

fn call_is_revert(change_set: &ChangeSet) -> bool {
    change_set.request.get("DeploymentMode") == "REVERT_DRIFT"
}

fn described(change: &Change, values: bool) -> String {
    let mut details: String = change
        .properties
        .iter()
        .map(|property| {
            let mut target = text("Attribute", "Properties")
                + &text("Name", &property.name)
                + &text("Path", &format!("/Properties/{}", property.name))
                + &text("RequiresRecreation", if property.replaces { "Always" } else { "Never" });
            if values {
                target += &(text("BeforeValue", &property.before) + &text("AfterValue", &property.after));
            }
            tag("member", &tag("Target", &target))
        })
        .collect();
    if change.tags {
        let target = text("Attribute", "Tags") + &text("RequiresRecreation", "Never");
        details += &tag("member", &tag("Target", &target));
    }
    let goes = change.replaces || change.action == Action::Remove;
    let policy = match (change.policy, change.replaces) {
        (Policy::Delete, true) => "ReplaceAndDelete",
        (_, true) => "ReplaceAndRetain",
        (Policy::Delete, false) => "Delete",
        _ => "Retain",
    };
    let mut resource = text("Action", change.action.name())
        + &text("LogicalResourceId", &change.resource.logical_id)
        + &text("PhysicalResourceId", &change.resource.physical_id)
        + &text("ResourceType", &change.resource.kind)
        + &text("Replacement", if change.replaces { "True" } else { "False" })
        + &tag("Details", &details);
    if goes {
        resource += &text("PolicyAction", policy);
    }
    if change.drifted {
        resource += &text("ResourceDriftStatus", "MODIFIED");
    }
    text("Type", "Resource") + &tag("ResourceChange", &resource)
}

pub fn list(account: &mut Account, call: &Call) -> Reply {
    let stack = named(account, call)?.clone();
    let members = stack.change_sets.iter().map(|it| summary(account, &stack, it)).collect();
    Ok(page("Summaries", members, call, account.script.page))
}
