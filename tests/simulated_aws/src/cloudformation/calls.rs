//! Calls that begin something with a stack: create, update, cancel, roll back, delete.

use super::changes::changes;
use super::operations::{Deletion, Order};
use super::stack::{OnFailure, Stack};
use super::{named, request, with_named};
use crate::Account;
use crate::wire::{Call, Refusal, Reply, text};

/// Whether this very request has been answered before: then its answer is the operation that it began.
fn begun(stack: &Stack, call: &Call) -> Option<String> {
    let token = call.given("ClientRequestToken")?;
    stack.operations.iter().find(|it| it.token == token).map(|it| it.id.clone())
}

fn answer(stack: &Stack, operation: &str) -> Reply {
    Ok(text("StackId", &stack.id) + &text("OperationId", operation))
}

/// Fact: CreateStack gives the stack its tags at once, and refuses a name that is taken.
pub fn create_stack(account: &mut Account, call: &Call) -> Reply {
    let name = call.get("StackName");
    if let Some(stack) = account.stack(name) {
        return match begun(stack, call) {
            Some(operation) => answer(stack, &operation),
            None => {
                let message = format!("Stack [{name}] already exists");
                Err(Refusal::new(400, "AlreadyExistsException", message))
            }
        };
    }
    let terms = request::terms(call)?;
    let deployment = request::deployment(account, None, call)?;
    let now = account.clock.now();
    let id = format!("stack/{name}/{}", account.number());
    let mut stack = Stack::new(account.arn("cloudformation", &id), name.to_owned(), now);
    "REVIEW_IN_PROGRESS".clone_into(&mut stack.status);
    stack.role = call.given("RoleARN").map(str::to_owned);
    let changes = changes(&stack, &deployment, &account.region);
    let order = Order { deployment, changes, terms, token: call.get("ClientRequestToken").to_owned() };
    let operation = account.deploy(&mut stack, order, now);
    // It never was a mere name that an old look could tell of.
    stack.stale = None;
    let told = answer(&stack, &operation);
    account.stacks.push(stack);
    told
}

/// Fact: UpdateStack tells its operation's id.
pub fn update_stack(account: &mut Account, call: &Call) -> Reply {
    let stack = named(account, call)?.clone();
    if let Some(operation) = begun(&stack, call) {
        return answer(&stack, &operation);
    }
    let terms = request::terms(call)?;
    request::updatable(&stack, Some(&terms))?;
    let deployment = request::deployment(account, Some(&stack), call)?;
    let changes = changes(&stack, &deployment, &account.region);
    // After a failed update the same once more is how to get out.
    if changes.is_empty() && deployment == stack.deployed && stack.status.ends_with("_COMPLETE") {
        return Err(Refusal::validation("No updates are to be performed."));
    }
    let now = account.clock.now();
    with_named(account, call, |account, stack| {
        if let Some(policy) = call.given("StackPolicyBody") {
            stack.policy = Some(policy.to_owned());
        }
        if let Some(role) = call.given("RoleARN") {
            stack.role = Some(role.to_owned());
        }
        let order = Order { deployment, changes, terms, token: call.get("ClientRequestToken").to_owned() };
        let operation = account.deploy(stack, order, now);
        answer(stack, &operation)
    })
}

/// Fact: CancelUpdateStack only in UPDATE_IN_PROGRESS.
pub fn cancel_update_stack(account: &mut Account, call: &Call) -> Reply {
    let now = account.clock.now();
    with_named(account, call, |account, stack| {
        if stack.status != "UPDATE_IN_PROGRESS" {
            return Err(Refusal::validation("CancelUpdateStack cannot be called from current stack status"));
        }
        let token = call.get("ClientRequestToken");
        account.roll_back_as(stack, now, "User Initiated", ("ROLLBACK", token));
        Ok(String::new())
    })
}

/// Fact: UPDATE_ROLLBACK_FAILED is left with ContinueUpdateRollback, which can skip resources.
pub fn continue_update_rollback(account: &mut Account, call: &Call) -> Reply {
    let now = account.clock.now();
    let skipped = call.list("ResourcesToSkip");
    with_named(account, call, |account, stack| {
        if stack.status != "UPDATE_ROLLBACK_FAILED" {
            return Err(Refusal::validation(format!(
                "Stack:{} is in {} state and can not continue rollback.",
                stack.id, stack.status
            )));
        }
        if let Some(id) = skipped.iter().find(|id| stack.status_of(id) != Some("UPDATE_FAILED")) {
            return Err(Refusal::validation(format!(
                "The following resources to skip [{id}] are not in UPDATE_FAILED state."
            )));
        }
        // What is back already stays.
        let failed = |id: &String| {
            stack.resources.iter().any(|it| it.logical_id == *id && it.status == "UPDATE_FAILED")
        };
        let touched = stack.touched.iter().filter(|id| failed(id)).cloned().collect();
        stack.touched = touched;
        account.operate(stack, "CONTINUE_ROLLBACK", call.get("ClientRequestToken"));
        account.enter(stack, now, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated");
        account.restore(stack, now, &skipped);
        Ok(String::new())
    })
}

/// Fact: CREATE_FAILED and UPDATE_FAILED are left with RollbackStack, which tells its operation's id, but not
/// after a failed EXPRESS update.
pub fn rollback_stack(account: &mut Account, call: &Call) -> Reply {
    let now = account.clock.now();
    with_named(account, call, |account, stack| {
        if let Some(operation) = begun(stack, call) {
            return answer(stack, &operation);
        }
        if stack.owes_express {
            return Err(request::same_config_demanded());
        }
        if !["CREATE_FAILED", "UPDATE_FAILED"].contains(&stack.status.as_str()) {
            return Err(Refusal::validation(format!(
                "Stack:{} is in {} state and can not be rolled back.",
                stack.id, stack.status
            )));
        }
        stack.terms.on_failure = OnFailure::RollBack;
        stack.terms.retain_except_on_create |= call.is("RetainExceptOnCreate");
        account.roll_back_as(stack, now, "", ("ROLLBACK", call.get("ClientRequestToken")));
        let operation = stack.operations.last().map(|it| it.id.clone()).unwrap_or_default();
        answer(stack, &operation)
    })
}

/// Says nothing of a stack that isn't there.
pub fn delete_stack(account: &mut Account, call: &Call) -> Reply {
    let (name, now) = (call.get("StackName"), account.clock.now());
    let deletion = Deletion {
        token: call.get("ClientRequestToken").to_owned(),
        retain: call.list("RetainResources"),
        force: call.get("DeletionMode") == "FORCE_DELETE_STACK",
        express: call.get("DeploymentConfig.Mode") == "EXPRESS",
    };
    let deleted = account.with_stack(name, |account, stack| {
        if stack.is_gone() || stack.status == "DELETE_IN_PROGRESS" {
            return Ok(String::new());
        }
        deletable(stack, &deletion)?;
        if let Some(role) = call.given("RoleARN") {
            stack.role = Some(role.to_owned());
        }
        account.delete(stack, now, deletion);
        Ok(String::new())
    });
    deleted.unwrap_or_else(|| Ok(String::new()))
}

fn deletable(stack: &Stack, deletion: &Deletion) -> Result<(), Refusal> {
    // Fact: termination protection refuses a deletion.
    if stack.protected {
        return Err(Refusal::validation(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    // Fact: a creation can be deleted while it is in progress, an update can't.
    if stack.status.starts_with("UPDATE") && stack.status.ends_with("IN_PROGRESS") {
        return Err(Refusal::validation(format!(
            "Stack [{}] cannot be deleted while in status {}",
            stack.id, stack.status
        )));
    }
    // Fact: RetainResources and FORCE_DELETE_STACK work only in DELETE_FAILED.
    if stack.status != "DELETE_FAILED" && (deletion.force || !deletion.retain.is_empty()) {
        return Err(Refusal::validation(format!(
            "Stack [{}] is in {} state: resources can be retained, and a deletion forced, only in DELETE_FAILED state",
            stack.id, stack.status
        )));
    }
    let gone = |id: &&String| stack.status_of(id) == Some("DELETE_COMPLETE");
    if deletion.retain.iter().any(|id| gone(&id)) {
        return Err(Refusal::validation(
            "The specified resources to retain must be in a valid state. Do not specify resources that are in the \
             DELETE_COMPLETE state.",
        ));
    }
    Ok(())
}
