//! What happened to a stack, as told by its events and by those of one operation.

use super::stack::{Event, Stack};
use super::{named, no_such_stack, page};
use crate::Account;
use crate::wire::{Call, Refusal, Reply, tag, text};
use tokio::time::Instant;

/// Fact: stack events come newest first, in pages. A token names the last event of the page before, so that what
/// happened meanwhile shifts nothing.
pub fn describe_stack_events(account: &mut Account, call: &Call) -> Reply {
    let (size, repeats, now) = (account.script.page, account.script.repeats, account.clock.now());
    let stack = named(account, call)?;
    let id = stack.id.clone();
    let visible: Vec<&Event> = stack.events.iter().rev().filter(|event| is_told(stack, event, now)).collect();
    let token = call.get("NextToken");
    let place = visible.iter().position(|event| event.id == token);
    let first = place.map_or(0, |place| (place + 1).saturating_sub(repeats.min(size.saturating_sub(1))));
    let shown: Vec<&Event> = visible.iter().skip(first).take(size).copied().collect();
    let is_last = first + shown.len() == visible.len();
    let next = shown.last().map(|event| event.id.clone()).filter(|_| !is_last);
    let is_end =
        |event: &Event| event.resource.physical_id == id && !event.resource.status.ends_with("PROGRESS");
    let tells_end = shown.first().is_some_and(|event| is_end(event));
    let parts: Vec<(String, Instant)> =
        shown.iter().map(|event| (described(stack, event), event.at)).collect();
    stack.end_told |= tells_end;
    let members =
        parts.into_iter().map(|(part, at)| tag("member", &(part + &text("Timestamp", &account.time(at)))));
    let members: String = members.collect();
    Ok(tag("StackEvents", &members) + &next.map(|next| text("NextToken", &next)).unwrap_or_default())
}

fn is_told(stack: &Stack, event: &Event, now: Instant) -> bool {
    event.told <= now && (stack.end_told || !event.late)
}

fn described(stack: &Stack, event: &Event) -> String {
    let token = if event.token.is_empty() { String::new() } else { text("ClientRequestToken", &event.token) };
    text("EventId", &event.id)
        + &text("StackId", &stack.id)
        + &text("StackName", &stack.name)
        + &text("OperationId", &event.operation)
        + &text("LogicalResourceId", &event.resource.logical_id)
        + &text("PhysicalResourceId", &event.resource.physical_id)
        + &text("ResourceType", &event.resource.kind)
        + &text("ResourceStatus", &event.resource.status)
        + &text("ResourceStatusReason", &event.reason)
        + &token
}

/// Fact: DescribeEvents looks at one operation: the one that is named, the change set's, or the stack's latest,
/// which after a good roll-back has no failed events.
pub fn describe_events(account: &mut Account, call: &Call) -> Reply {
    let (wanted, change_set) = (call.given("OperationId"), call.given("ChangeSetName"));
    let name = call.given("StackName");
    if wanted.is_none() && name.is_none() && !change_set.is_some_and(|id| id.starts_with("arn:")) {
        let message = "One of ChangeSetName, OperationId or StackName must be specified";
        return Err(Refusal::validation(message));
    }
    let now = account.clock.now();
    let holds = |stack: &Stack| match (wanted, change_set, name) {
        (Some(id), _, _) => stack.operations.iter().any(|operation| operation.id == id),
        (_, Some(id), None) => stack.change_sets.iter().any(|it| it.id == id),
        (_, _, name) => {
            Some(stack.id.as_str()) == name || Some(stack.name.as_str()) == name && !stack.is_gone()
        }
    };
    let stack = account.stacks.iter().find(|stack| holds(stack));
    let stack = stack.ok_or_else(|| no_such_stack(name.or(wanted).unwrap_or_default()))?;
    let change_set =
        change_set.and_then(|id| stack.change_sets.iter().find(|it| it.id == id || it.name == id));
    let operation = match (wanted, change_set) {
        (Some(id), _) => stack.operations.iter().find(|operation| operation.id == id),
        (None, Some(it)) => stack.operations.iter().find(|operation| operation.id == it.operation),
        (None, None) => stack.operations.last(),
    };
    let Some(operation) = operation else { return Ok(tag("OperationEvents", "")) };
    let failed_only = call.is("Filters.FailedEvents");
    let head = text("OperationId", &operation.id) + &text("OperationType", operation.kind);
    let mut members = Vec::new();
    for event in stack.events.iter().rev().filter(|event| event.operation == operation.id) {
        let failed = event.resource.status.ends_with("_FAILED");
        if is_told(stack, event, now) && (failed || !failed_only) {
            let kind = match event.resource.physical_id == stack.id {
                true => "STACK_EVENT",
                false if failed => "PROVISIONING_ERROR",
                false => "PROGRESS_EVENT",
            };
            let time = text("Timestamp", &account.time(event.at));
            members.push(
                described(stack, event).replacen(&text("OperationId", &event.operation), &head, 1)
                    + &text("EventType", kind)
                    + &time,
            );
        }
    }
    let made = stack.change_sets.iter().filter(|it| it.operation == operation.id && it.ready <= now);
    for change_set in made {
        let time = text("Timestamp", &account.time(change_set.ready));
        members.extend(change_set.findings.iter().map(|finding| {
            head.clone() + &text("StackId", &stack.id) + &finding.described(&change_set.id) + &time
        }));
    }
    let refused =
        stack.refused.iter().filter(|(id, _)| *id == operation.id).flat_map(|(_, findings)| findings);
    let time = text("Timestamp", &account.time(now));
    members.extend(refused.map(|finding| {
        head.clone() + &text("StackId", &stack.id) + &finding.described(&operation.id) + &time
    }));
    Ok(page("OperationEvents", members, call, account.script.page))
}
