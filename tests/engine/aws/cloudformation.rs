//! CloudFormation's calls, on the AWS query protocol.

use super::stacks::{ChangeSet, Deployment, Event, Stack};
use super::template::{Change, changes};
use super::wire::{tag, text};
use super::{Account, Call, Refusal, Reply};
use std::time::Duration;
use tokio::time::Instant;

pub fn serve(account: &mut Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "DescribeStacks" => describe_stacks(account, call),
        "DescribeStackEvents" => describe_stack_events(account, call),
        "ListStackResources" => list_stack_resources(account, call),
        "CreateChangeSet" => create_change_set(account, call),
        "DescribeChangeSet" => describe_change_set(account, call),
        "ExecuteChangeSet" => execute_change_set(account, call),
        "DeleteChangeSet" => delete_change_set(account, call),
        "DeleteStack" => delete_stack(account, call),
        other => panic!("the fake account doesn't know cloudformation {other}"),
    }
}

fn validation(message: String) -> Refusal {
    Refusal::new(400, "ValidationError", message)
}

fn no_such_stack(name: &str) -> Refusal {
    validation(format!("Stack with id {name} does not exist"))
}

fn describe_stacks(account: &mut Account, call: &Call) -> Reply {
    let name = call.get("StackName");
    let found: Vec<&Stack> = match name {
        "" => account.stacks.iter().filter(|stack| !stack.is_gone()).collect(),
        name => {
            let id = account.stack(name).map(|stack| stack.id.clone());
            account.stacks.iter().filter(|stack| Some(&stack.id) == id.as_ref()).collect()
        }
    };
    if found.is_empty() && !name.is_empty() {
        return Err(no_such_stack(name));
    }
    let members: Vec<String> =
        found.into_iter().map(|stack| tag("member", &described(account, stack))).collect();
    Ok(tag("Stacks", &members.concat()))
}

fn described(account: &Account, stack: &Stack) -> String {
    let pair =
        |key: &str, value: &str, (k, v): (&String, &String)| tag("member", &(text(key, k) + &text(value, v)));
    let tags: String = stack.deployed.tags.iter().map(|it| pair("Key", "Value", it)).collect();
    let outputs = match stack.status == "CREATE_COMPLETE" || stack.status.starts_with("UPDATE") {
        true => super::template::Template::new(&stack.deployed, &account.region).outputs(),
        false => Vec::new(),
    };
    let outputs: String = outputs.iter().map(|(k, v)| pair("OutputKey", "OutputValue", (k, v))).collect();
    text("StackId", &stack.id)
        + &text("StackName", &stack.name)
        + &text("StackStatus", &stack.status)
        + &text("StackStatusReason", &stack.reason)
        + &text(
            "CreationTime",
            &account.time(stack.events.first().map_or_else(Instant::now, |event| event.at)),
        )
        + &tag("Tags", &tags)
        + &tag("Outputs", &outputs)
}

/// Newest first. A token names the last event of the page before.
fn describe_stack_events(account: &mut Account, call: &Call) -> Reply {
    let (page, repeats) = (account.script.page, account.script.repeats);
    let name = call.get("StackName");
    let Some(stack) = account.stack(name) else { return Err(no_such_stack(name)) };
    let end_told = stack.end_told;
    let id = stack.id.clone();
    let visible = stack.events.iter().rev().filter(|event| end_told || !event.late);
    let visible: Vec<&Event> = visible.collect();
    let token = call.get("NextToken");
    let place = visible.iter().position(|event| event.id == token);
    let first = place.map_or(0, |place| (place + 1).saturating_sub(repeats));
    let shown: Vec<&Event> = visible.iter().skip(first).take(page).copied().collect();
    let is_last = first + shown.len() == visible.len();
    let next = shown.last().map(|event| event.id.clone()).filter(|_| !is_last);
    let is_end =
        |event: &Event| event.resource.physical_id == id && !event.resource.status.ends_with("PROGRESS");
    let tells_end = shown.first().is_some_and(|event| is_end(event));
    let parts = shown.iter().map(|event| {
        let text = text("EventId", &event.id)
            + &text("StackId", &id)
            + &text("LogicalResourceId", &event.resource.logical_id)
            + &text("PhysicalResourceId", &event.resource.physical_id)
            + &text("ResourceType", &event.resource.kind)
            + &text("ResourceStatus", &event.resource.status)
            + &text("ResourceStatusReason", &event.reason);
        (text, event.at)
    });
    let parts: Vec<(String, Instant)> = parts.collect();
    stack.end_told |= tells_end;
    let members =
        parts.into_iter().map(|(part, at)| tag("member", &(part + &text("Timestamp", &account.time(at)))));
    let members: String = members.collect();
    Ok(tag("StackEvents", &members) + &next.map(|next| text("NextToken", &next)).unwrap_or_default())
}

fn list_stack_resources(account: &mut Account, call: &Call) -> Reply {
    let name = call.get("StackName");
    let now = account.time(Instant::now());
    let Some(stack) = account.stack(name) else { return Err(no_such_stack(name)) };
    let members = stack.resources.iter().map(|resource| {
        let summary = text("LogicalResourceId", &resource.logical_id)
            + &text("PhysicalResourceId", &resource.physical_id)
            + &text("ResourceType", &resource.kind)
            + &text("ResourceStatus", &resource.status)
            + &text("LastUpdatedTimestamp", &now);
        tag("member", &summary)
    });
    Ok(tag("StackResourceSummaries", &members.collect::<String>()))
}

fn create_change_set(account: &mut Account, call: &Call) -> Reply {
    let (name, is_create) = (call.get("StackName"), call.get("ChangeSetType") == "CREATE");
    let now = Instant::now();
    let status = account.stack(name).map(|stack| stack.status.clone());
    match status.as_deref() {
        None if !is_create => return Err(validation(format!("Stack [{name}] does not exist"))),
        None => {
            let number = account.number();
            let id = account.arn("cloudformation", &format!("stack/{name}/{number}"));
            let mut stack = Stack::new(id, name.to_owned());
            account.enter(&mut stack, now, "REVIEW_IN_PROGRESS", "User Initiated");
            account.stacks.push(stack);
        }
        Some("REVIEW_IN_PROGRESS") if is_create => {}
        Some(_) if is_create => {
            let message =
                format!("Stack [{name}] already exists and cannot be created again with the changeSet");
            return Err(validation(message));
        }
        Some("CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE") => {}
        Some(status) => {
            return Err(validation(format!("Stack:{name} is in {status} state and can not be updated.")));
        }
    }
    let deployment = Deployment {
        template: call.get("TemplateBody").to_owned(),
        parameters: call.pairs("Parameters", "ParameterKey", "ParameterValue"),
        tags: call.pairs("Tags", "Key", "Value"),
    };
    let number = account.number();
    let id = account.arn("cloudformation", &format!("changeSet/{}/{number}", call.get("ChangeSetName")));
    let ready = now + Duration::from_secs_f64(account.script.change_set_seconds);
    let Some(stack) = account.stack(name) else { return Err(no_such_stack(name)) };
    stack.change_sets.push(ChangeSet { id: id.clone(), ready, deployment });
    Ok(text("Id", &id) + &text("StackId", &stack.id))
}

/// The id of its stack, what it would deploy, and since when it is known.
fn find_change_set(account: &Account, id: &str) -> Result<(String, Deployment, Instant), Refusal> {
    let found = account.stacks.iter().find_map(|stack| {
        let change_set = stack.change_sets.iter().find(|change_set| change_set.id == id)?;
        Some((stack.id.clone(), change_set.deployment.clone(), change_set.ready))
    });
    found.ok_or_else(|| Refusal::new(404, "ChangeSetNotFound", format!("ChangeSet [{id}] does not exist")))
}

fn describe_change_set(account: &mut Account, call: &Call) -> Reply {
    let (stack_id, deployment, ready) = find_change_set(account, call.get("ChangeSetName"))?;
    let status = |status: &str, reason: &str| Ok(text("Status", status) + &text("StatusReason", reason));
    let now = Instant::now();
    if now < ready {
        let pending = ready - now > Duration::from_secs(1);
        return status(if pending { "CREATE_PENDING" } else { "CREATE_IN_PROGRESS" }, "");
    }
    if let Some(reason) = &account.script.refused_template {
        return status("FAILED", reason);
    }
    let (region, page) = (account.region.clone(), account.script.page);
    let Some(stack) = account.stack(&stack_id) else { return Err(no_such_stack(&stack_id)) };
    let before = (stack.status != "REVIEW_IN_PROGRESS").then_some(&stack.deployed);
    if before == Some(&deployment) {
        let reason = "The submitted information didn't contain changes. Submit different information to create a change set.";
        return status("FAILED", reason);
    }
    let changes = changes(before, &deployment, &region);
    let first: usize = call.get("NextToken").parse().unwrap_or_default();
    let members: String = changes.iter().skip(first).take(page).map(change).collect();
    let next = (first + page < changes.len()).then(|| text("NextToken", &(first + page).to_string()));
    Ok(text("Status", "CREATE_COMPLETE") + &tag("Changes", &members) + &next.unwrap_or_default())
}

fn change(change: &Change) -> String {
    let details = change.properties.iter().map(|(name, before, after)| {
        let target = text("Attribute", "Properties")
            + &text("Name", name)
            + &text("Path", &format!("/Properties/{name}"))
            + &text("BeforeValue", before)
            + &text("AfterValue", after)
            + &text("RequiresRecreation", if change.replaces { "Always" } else { "Never" });
        tag("member", &tag("Target", &target))
    });
    let details: String = details.collect();
    let resource = text("Action", change.action)
        + &text("LogicalResourceId", &change.resource.logical_id)
        + &text("ResourceType", &change.resource.kind)
        + &text("Replacement", if change.replaces { "True" } else { "False" })
        + &tag("Details", &details);
    tag("member", &(text("Type", "Resource") + &tag("ResourceChange", &resource)))
}

fn execute_change_set(account: &mut Account, call: &Call) -> Reply {
    let (stack_id, deployment, ready) = find_change_set(account, call.get("ChangeSetName"))?;
    let busy = account.stack(&stack_id).is_some_and(|stack| stack.is_busy());
    if Instant::now() < ready || busy {
        return Err(Refusal::new(400, "InvalidChangeSetStatus", "the change set can't be executed now"));
    }
    account.with_stack(&stack_id, |account, stack| account.deploy(stack, deployment, Instant::now()));
    Ok(String::new())
}

fn delete_change_set(account: &mut Account, call: &Call) -> Reply {
    let id = call.get("ChangeSetName");
    for stack in &mut account.stacks {
        stack.change_sets.retain(|change_set| change_set.id != id);
    }
    Ok(String::new())
}

/// Says nothing of a stack that isn't there.
fn delete_stack(account: &mut Account, call: &Call) -> Reply {
    account.with_stack(call.get("StackName"), |account, stack| {
        if !stack.is_gone() && stack.status != "DELETE_IN_PROGRESS" {
            account.delete(stack, Instant::now());
        }
    });
    Ok(String::new())
}
