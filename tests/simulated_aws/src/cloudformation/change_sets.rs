//! Change sets: made, executed, deleted.

use super::change_set_told::{execution_status, is_executed};
use super::changes::{changes, revert_drifts};
use super::operations::Order;
use super::stack::{ChangeSet, OnFailure, Stack};
use super::template::Template;
use super::{no_such_stack, request, validation};
use crate::Account;
use crate::wire::{Call, Refusal, Reply, text};
use std::time::Duration;
use tokio::time::Instant;

pub fn create(account: &mut Account, call: &Call) -> Reply {
    let (stack_name, is_create) = (call.get("StackName"), call.get("ChangeSetType") == "CREATE");
    let (name, token) = (call.get("ChangeSetName"), call.get("ClientToken"));
    let now = account.clock.now();
    let found = account.stack(stack_name).cloned();
    if let Some(stack) = &found
        && let Some(made) = stack.change_sets.iter().find(|it| it.name == name)
    {
        // The same request once more is the same change set.
        if made.token == token && !token.is_empty() {
            return Ok(text("Id", &made.id) + &text("StackId", &stack.id));
        }
        let message =
            format!("ChangeSet {name} cannot be created due to a mismatch with existing attribute Template");
        return Err(Refusal::new(400, "AlreadyExistsException", message));
    }
    match &found {
        None if !is_create => {
            return Err(Refusal::validation(format!("Stack [{stack_name}] does not exist")));
        }
        // Fact: a CREATE change set leaves the stack in REVIEW_IN_PROGRESS: a new CREATE change set is welcome.
        Some(stack) if is_create && stack.status != "REVIEW_IN_PROGRESS" => {
            return Err(Refusal::validation(format!(
                "Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
            )));
        }
        Some(stack) if !is_create => request::updatable(stack, None)?,
        _ => {}
    }
    let deployment = request::deployment(account, found.as_ref(), call)?;
    let terms = request::terms(call)?;
    if terms.on_failure == OnFailure::Delete && !is_create {
        // Fact: OnStackFailure DELETE is for CREATE change sets only.
        return Err(Refusal::validation("OnStackFailure DELETE is only supported for CREATE change sets"));
    }
    if let Some(stack) = &found
        && stack.owes_express
        && !terms.express
    {
        return Err(request::same_config_demanded());
    }
    if found.is_none() {
        // Fact: an account has so many stacks in a region.
        let (stacks, limit) =
            (account.stacks.iter().filter(|it| !it.is_gone()).count(), account.script.stack_limit);
        if stacks >= limit {
            let message = format!("Limit for stack has been exceeded: {limit}");
            return Err(Refusal::new(400, "LimitExceededException", message));
        }
        account.name_stack(stack_name, now);
    }
    let id = format!("changeSet/{name}/{}", account.number());
    let id = account.arn("cloudformation", &id);
    let ready = now + Duration::from_secs_f64(account.script.change_set_seconds);
    account
        .with_stack(stack_name, |account, stack| {
            let operation = account.operate(stack, "CREATE_CHANGESET", token);
            let mut change_set = ChangeSet {
                id: id.clone(),
                name: name.to_owned(),
                token: token.to_owned(),
                operation,
                made: now,
                ready,
                deployment,
                terms,
                says_on_failure: call.given("OnStackFailure").is_some()
                    || call.parameters.keys().any(|key| key.starts_with("DeploymentConfig.")),
                role: call.given("RoleARN").map(str::to_owned),
                outcome: Ok(Vec::new()),
                findings: Vec::new(),
                request: call.clone(),
            };
            judge(account, stack, &mut change_set);
            stack.change_sets.push(change_set);
            Ok(text("Id", &id) + &text("StackId", &stack.id))
        })
        .unwrap_or_else(|| Err(no_such_stack(stack_name)))
}

impl Account {
    /// A stack that is no more than its name.
    pub(crate) fn name_stack(&mut self, name: &str, now: Instant) {
        let number = self.number();
        let id = self.arn("cloudformation", &format!("stack/{name}/{number}"));
        let mut stack = Stack::new(id, name.to_owned(), now);
        self.enter(&mut stack, now, "REVIEW_IN_PROGRESS", "User Initiated");
        self.stacks.push(stack);
    }
}

/// Finds out what a change set would do, or why it fails.
fn judge(account: &Account, stack: &Stack, change_set: &mut ChangeSet) {
    let call = &change_set.request;
    let deployment = &change_set.deployment;
    let template = Template::new(deployment, &account.region);
    if let Some(reason) = &account.script.refused_template {
        change_set.outcome = Err(reason.clone());
        return;
    }
    let mut changes = changes(stack, deployment, &account.region);
    if call.get("DeploymentMode") == "REVERT_DRIFT" {
        revert_drifts(&mut changes, stack, &account.drifts(stack), &account.region);
    }
    let before = stack.base().map(|before| Template::new(before, &account.region));
    if changes.is_empty()
        && before.is_some_and(|before| before.outputs() == template.outputs())
        && stack.base().is_some()
    {
        // Fact: no changes is FAILED, in one of two sentences.
        change_set.outcome = Err(match stack.deployed.template == deployment.template {
            true => "The submitted information didn't contain changes. Submit different information to create a change set.",
            false => "No updates are to be performed.",
        }
        .to_owned());
        return;
    }
    // Fact: DisableValidation turns early validation off.
    let imports = call.is("ImportExistingResources");
    let findings = validation::validate(account, &mut changes, &template, imports);
    if !call.is("DisableValidation") {
        change_set.findings = findings;
    }
    change_set.outcome = validation::failure(&change_set.findings).map_or(Ok(changes), Err);
}

/// The change set that a call names, by ARN, or by name beside its stack's, and its stack.
pub fn find<'a>(account: &'a Account, call: &Call) -> Result<(&'a Stack, &'a ChangeSet), Refusal> {
    let (id, stack_name) = (call.get("ChangeSetName"), call.get("StackName"));
    let of_stack = |stack: &&Stack| {
        stack_name.is_empty() || stack.id == stack_name || stack.name == stack_name && !stack.is_gone()
    };
    let found = account.stacks.iter().filter(of_stack).find_map(|stack| {
        let mut all = stack.change_sets.iter().chain(&stack.executed);
        Some((stack, all.find(|it| it.id == id || it.name == id && !stack_name.is_empty())?))
    });
    found.ok_or_else(|| Refusal::new(404, "ChangeSetNotFound", format!("ChangeSet [{id}] does not exist")))
}

pub fn execute(account: &mut Account, call: &Call) -> Reply {
    let now = account.clock.now();
    let (stack, change_set) = find(account, call)?;
    let (id, token) = (stack.id.clone(), call.get("ClientRequestToken").to_owned());
    // The same request once more is the same execution.
    if is_executed(stack, change_set)
        && !token.is_empty()
        && stack.operations.iter().any(|it| it.token == token)
    {
        return Ok(String::new());
    }
    let available = execution_status(stack, change_set, now);
    if available != "AVAILABLE" || stack.is_busy() {
        let message = format!(
            "ChangeSet [{}] cannot be executed in its current execution status of [{available}]",
            change_set.id
        );
        return Err(Refusal::new(400, "InvalidChangeSetStatus", message));
    }
    let mut change_set = change_set.clone();
    if let Some(off) = call.given("DisableRollback") {
        // Fact: DisableRollback excludes OnStackFailure, and is rejected beside DeploymentConfig.
        if change_set.says_on_failure {
            return Err(request::beside("DisableRollback"));
        }
        change_set.terms.on_failure = if off == "true" { OnFailure::Keep } else { OnFailure::RollBack };
    }
    change_set.terms.retain_except_on_create |= call.is("RetainExceptOnCreate");
    if stack.status != "REVIEW_IN_PROGRESS" {
        request::updatable(stack, Some(&change_set.terms))?;
    }
    let validated = account.script.imports_conflict && !change_set.request.is("DisableValidation");
    let conflicts = change_set.outcome.as_ref().ok().filter(|_| validated);
    let conflicts = conflicts.map(|changes| validation::conflicts(changes)).unwrap_or_default();
    account.with_stack(&id, |account, stack| {
        let order = Order {
            deployment: change_set.deployment.clone(),
            changes: change_set.outcome.clone().unwrap_or_default(),
            terms: change_set.terms.clone(),
            token,
        };
        // Fact: a role once given sticks.
        stack.role = change_set.role.clone().or(stack.role.take());
        let operation = account.deploy(stack, order, now);
        if !conflicts.is_empty() {
            account.refuse(stack, now, operation, conflicts);
        }
        stack.executed = Some(change_set);
    });
    Ok(String::new())
}

pub fn delete(account: &mut Account, call: &Call) -> Reply {
    let (stack, change_set) = match find(account, call) {
        Ok(found) => found,
        // One that is gone is deleted.
        Err(_) if call.get("ChangeSetName").starts_with("arn:") => return Ok(String::new()),
        Err(refusal) => return Err(refusal),
    };
    let (id, change_set) = (stack.id.clone(), change_set.id.clone());
    account.with_stack(&id, |_, stack| stack.change_sets.retain(|it| it.id != change_set));
    Ok(String::new())
}
