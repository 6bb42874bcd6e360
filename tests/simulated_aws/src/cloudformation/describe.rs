//! What stacks look like.

use super::stack::{OnFailure, Stack};
use super::template::Template;
use super::{named, no_such_stack, page};
use crate::Account;
use crate::wire::{Call, Reply, tag, text};

pub fn describe_stacks(account: &mut Account, call: &Call) -> Reply {
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
    let members = found.into_iter().map(|stack| described(account, stack)).collect();
    Ok(page("Stacks", members, call, account.script.page))
}

fn described(account: &Account, stack: &Stack) -> String {
    let pair =
        |key: &str, value: &str, (k, v): (&String, &String)| tag("member", &(text(key, k) + &text(value, v)));
    let template = Template::new(&stack.deployed, &account.region);
    let has_outputs = stack.status == "CREATE_COMPLETE" || stack.status.starts_with("UPDATE");
    let outputs = if has_outputs { template.outputs() } else { Vec::new() };
    let outputs: String = outputs.iter().map(|(k, v)| pair("OutputKey", "OutputValue", (k, v))).collect();
    let tags: String = stack.deployed.tags.iter().map(|it| pair("Key", "Value", it)).collect();
    let parameters = stack.deployed.parameters.iter();
    let parameters: String = parameters.map(|it| pair("ParameterKey", "ParameterValue", it)).collect();
    let off = (stack.terms.on_failure == OnFailure::Keep).to_string();
    let mut xml = text("StackId", &stack.id)
        + &text("StackName", &stack.name)
        + &text("Description", &template.description())
        + &text("StackStatusReason", &stack.reason)
        + &text("CreationTime", &account.time(stack.made))
        + &text("DisableRollback", &off)
        + &text("EnableTerminationProtection", &stack.protected.to_string())
        + &tag("Parameters", &parameters)
        + &tag("Tags", &tags)
        + &tag("Outputs", &outputs)
        + &status_and_operations(account, stack)
        + &drift(account, stack);
    if stack.terms.express {
        let config = text("Mode", "EXPRESS") + &text("DisableRollback", &off);
        xml += &tag("DeploymentConfig", &config);
    }
    let role = stack.role.as_ref().map(|role| text("RoleARN", role));
    let updated = stack.updated.map(|at| text("LastUpdatedTime", &account.time(at)));
    let deleted = stack.deleted.map(|at| text("DeletionTime", &account.time(at)));
    let executed = stack.executed.as_ref().map(|change_set| text("ChangeSetId", &change_set.id));
    xml + &[role, updated, deleted, executed].into_iter().flatten().collect::<String>()
}

/// Fact: LastOperations has the newest first; after ExecuteChangeSet a stale read can still say
/// REVIEW_IN_PROGRESS, and knows nothing of the new operation.
fn status_and_operations(account: &Account, stack: &Stack) -> String {
    let now = account.clock.now();
    let stale = stack.stale.as_ref().filter(|(until, _)| *until > now);
    let status = stale.map_or(&stack.status, |(_, status)| status);
    let operations = stack.operations.iter().rev().skip(usize::from(stale.is_some()));
    let operations = operations.map(|operation| {
        tag("member", &(text("OperationType", operation.kind) + &text("OperationId", &operation.id)))
    });
    text("StackStatus", status) + &tag("LastOperations", &operations.collect::<String>())
}

fn drift(account: &Account, stack: &Stack) -> String {
    let status = match &stack.found {
        None => "NOT_CHECKED",
        Some((_, drifts)) if drifts.is_empty() => "IN_SYNC",
        Some(_) => "DRIFTED",
    };
    let checked = stack.found.as_ref().map(|(at, _)| text("LastCheckTimestamp", &account.time(*at)));
    tag("DriftInformation", &(text("StackDriftStatus", status) + &checked.unwrap_or_default()))
}

/// Fact: ListStacks keeps deleted stacks, can be filtered by status, and knows no tags.
pub fn list_stacks(account: &mut Account, call: &Call) -> Reply {
    let wanted = call.list("StackStatusFilter");
    let stacks = account.stacks.iter().filter(|stack| wanted.is_empty() || wanted.contains(&stack.status));
    let summary = |stack: &Stack| {
        text("StackId", &stack.id)
            + &text("StackName", &stack.name)
            + &text("CreationTime", &account.time(stack.made))
            + &stack.deleted.map(|at| text("DeletionTime", &account.time(at))).unwrap_or_default()
            + &status_and_operations(account, stack)
    };
    let members = stacks.map(summary).collect();
    Ok(page("StackSummaries", members, call, account.script.page))
}

pub fn list_stack_resources(account: &mut Account, call: &Call) -> Reply {
    let (size, now) = (account.script.page, account.time(account.clock.now()));
    let stack = named(account, call)?;
    let members = stack.resources.iter().map(|resource| {
        text("LogicalResourceId", &resource.logical_id)
            + &text("PhysicalResourceId", &resource.physical_id)
            + &text("ResourceType", &resource.kind)
            + &text("ResourceStatus", &resource.status)
            + &text("LastUpdatedTimestamp", &now)
    });
    let members = members.collect();
    Ok(page("StackResourceSummaries", members, call, size))
}

pub fn get_template(account: &mut Account, call: &Call) -> Reply {
    let stack = named(account, call)?;
    let change_set =
        call.given("ChangeSetName").and_then(|id| stack.change_sets.iter().find(|it| it.id == id));
    let deployment = change_set.map_or(&stack.deployed, |change_set| &change_set.deployment);
    Ok(text("TemplateBody", &deployment.template))
}

/// Fact: DescribeAccountLimits tells how many stacks there can be in a region.
pub fn account_limits(account: &Account) -> String {
    let limit = text("Name", "StackLimit") + &text("Value", &account.script.stack_limit.to_string());
    tag("AccountLimits", &tag("member", &limit))
}
