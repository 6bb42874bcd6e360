//! CloudFormation: its calls on the AWS query protocol, and what it does as time goes by.

mod calls;
mod change_set_told;
mod change_sets;
mod changes;
mod describe;
mod drift;
mod endings;
mod events;
mod layout;
mod operations;
mod policy;
mod protection;
mod request;
mod stack;
mod steps;
mod template;
mod told;
mod validation;

use crate::Account;
use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply, tag};
pub(crate) use changes::{changes, takes_tags};
pub(crate) use drift::Detection;
pub(crate) use operations::{Deletion, Order};
pub use stack::{
    ChangeSet, Deployment, Difference, Drift, Event, OnFailure, Operation, Resource, Stack, Terms,
};
pub(crate) use template::Template;

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "CancelUpdateStack" => calls::cancel_update_stack(account, call),
        "ContinueUpdateRollback" => calls::continue_update_rollback(account, call),
        "CreateChangeSet" => change_sets::create(account, call),
        "CreateStack" => calls::create_stack(account, call),
        "DeleteChangeSet" => change_sets::delete(account, call),
        "DeleteStack" => calls::delete_stack(account, call),
        "DescribeAccountLimits" => Ok(describe::account_limits(account)),
        "DescribeChangeSet" => change_set_told::describe(account, call),
        "DescribeEvents" => events::describe_events(account, call),
        "DescribeStackDriftDetectionStatus" => drift::detection_status(account, call),
        "DescribeStackEvents" => events::describe_stack_events(account, call),
        "DescribeStackResourceDrifts" => drift::resource_drifts(account, call),
        "DescribeStacks" => describe::describe_stacks(account, call),
        "DetectStackDrift" => drift::detect(account, call),
        "ExecuteChangeSet" => change_sets::execute(account, call),
        "GetStackPolicy" => protection::get_policy(account, call),
        "GetTemplate" => describe::get_template(account, call),
        "ListChangeSets" => change_set_told::list(account, call),
        "ListStackResources" => describe::list_stack_resources(account, call),
        "ListStacks" => describe::list_stacks(account, call),
        "RollbackStack" => calls::rollback_stack(account, call),
        "SetStackPolicy" => protection::set_policy(account, call),
        "UpdateStack" => calls::update_stack(account, call),
        "UpdateTerminationProtection" => protection::update(account, call),
        _ => Err(unknown(call)),
    }
}

fn no_such_stack(name: &str) -> Refusal {
    Refusal::validation(format!("Stack with id {name} does not exist"))
}

/// The stack that a call names.
fn named<'a>(account: &'a mut Account, call: &Call) -> Result<&'a mut Stack, Refusal> {
    let name = call.get("StackName");
    account.stack(name).ok_or_else(|| no_such_stack(name))
}

/// Does something with the stack that a call names.
fn with_named<T>(
    account: &mut Account,
    call: &Call,
    act: impl FnOnce(&mut Account, &mut Stack) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let name = call.get("StackName");
    account.with_stack(name, act).unwrap_or_else(|| Err(no_such_stack(name)))
}

/// One page of a list, with the token of the next, which is the place where it begins.
fn page(list: &str, members: Vec<String>, call: &Call, size: usize) -> String {
    let first: usize = call.get("NextToken").parse().unwrap_or_default();
    let shown: String = members.iter().skip(first).take(size).map(|member| tag("member", member)).collect();
    let next = (first + size < members.len()).then(|| tag("NextToken", &(first + size).to_string()));
    tag(list, &shown) + &next.unwrap_or_default()
}
