//! What `up` and `down` have in common: watching another's operation, deleting a stack, and the words for an
//! operation that ended badly.

use super::Context;
use super::plan::Operation;
use super::poll::{self, Ended};
use super::state::Stack;
use super::status::{StackStatus, WayOut};
use super::watch::Failure;
use crate::cloud::fault;
use crate::error::{Error, Kind};
use crate::event::Event;
use anyhow::Result;
use std::time::Duration;

/// Watches an operation that somebody else started.
pub async fn attach(context: &Context, stack: &Stack, timeout: Duration) -> Result<()> {
    context
        .reporter
        .tell(&Event::OperationInProgress { stack: stack.name.clone(), status: stack.status.clone() });
    poll::watch_state(context, &stack.id, timeout).await
}

pub fn in_the_way(context: &Context, stack: &Stack) -> Error {
    let message = format!("{} is {}", stack.name, stack.status);
    let error = Error::new(Kind::DeploymentFailed, message);
    let error = match &stack.reason {
        Some(reason) => error.because(reason.clone()),
        None => error,
    };
    match stack.status.way_out() {
        WayOut::Explain(what) => error.remedy(explained(context, what)),
        WayOut::Wait => error.remedy("Somebody's operation is under way: try again when it has ended."),
        _ => error.remedy("`up` would delete this failed stack, which holds nothing, and create it anew."),
    }
}

/// A way out of the table of states, as a sentence with commands that can be typed.
fn explained(context: &Context, what: &str) -> String {
    let command = |verb| context.invocation.command(verb);
    let text = what.replace("{down}", &command("down")).replace("{up}", &command("up"));
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Deletes a stack and watches it go. Can be repeated at any point.
pub async fn delete_stack(context: &Context, stack_id: &str, timeout: Duration) -> Result<Ended> {
    let before = poll::events_so_far(context, stack_id).await?;
    let request = context.clients.cloudformation.delete_stack().stack_name(stack_id);
    let request = request.client_request_token(format!("down-{:016x}", fastrand::u64(..)));
    request.send().await.map_err(|error| fault::explain(error, "delete the stack"))?;
    context.reporter.tell(&Event::OperationStarted {
        operation: Operation::Delete,
        stack: context.environment.stack(),
        stack_id: stack_id.to_owned(),
    });
    poll::watch(context, Operation::Delete, stack_id, before, timeout).await
}

/// What to say of an operation that ended badly.
pub fn failed(
    context: &Context,
    operation: Operation,
    status: &StackStatus,
    cause: &Option<Failure>,
) -> Error {
    let done = match operation {
        Operation::Create => "created",
        Operation::Update => "updated",
        Operation::Delete => "deleted",
    };
    let message = format!("{} could not be {done}: it is {status}", context.environment.stack());
    let mut error = Error::new(Kind::DeploymentFailed, message);
    if let Some(cause) = cause {
        error = error.because(format!("{} ({}): {}", cause.logical_id, cause.resource_type, cause.reason));
    }
    let up = context.invocation.command("up");
    match (operation, status.way_out()) {
        (Operation::Delete, _) => {
            error.remedy(format!("Mend the cause, then run `{}` again.", context.invocation.command("down")))
        }
        (_, WayOut::DeleteFirst) => {
            error.remedy(format!("Mend the cause, then run `{up}` again: it clears the failed stack first."))
        }
        (_, WayOut::Explain(what)) => error.remedy(explained(context, what)),
        _ => error.remedy(format!("Everything was rolled back. Mend the cause, then run `{up}` again.")),
    }
}
