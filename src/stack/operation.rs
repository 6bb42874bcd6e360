//! What `up` and `down` have in common: watching another's operation, deleting a stack, and the words for an
//! operation that ended badly.

use super::Context;
use super::diagnose::{Facts, diagnose};
use super::plan::Operation;
use super::poll::{self, Ended};
use super::state::Stack;
use super::status::WayOut;
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::Event;
use anyhow::Result;
use std::time::Duration;

/// A token for one request: CloudFormation takes a repeated one for the same request, and notes it on each event.
pub fn token(verb: &str) -> String {
    format!("{verb}-{:016x}", fastrand::u64(..))
}

/// Watches an operation that somebody else started.
pub async fn attach(context: &Context, stack: &Stack, timeout: Duration) -> Result<Ended> {
    context
        .reporter
        .tell(&Event::OperationInProgress { stack: stack.name.clone(), status: stack.status.clone() });
    poll::join(context, stack, timeout).await
}

/// The error that a stack's state is in the way of an update.
pub fn in_the_way(context: &Context, stack: &Stack) -> Error {
    let message = format!("{} is {}", stack.name, stack.status);
    let error = Error::new(Kind::DeploymentFailed, message);
    let error = match &stack.reason {
        Some(reason) => error.because(reason.clone()),
        None => error,
    };
    error.remedy(stack.status.way_out().explained(&context.invocation))
}

/// How often somebody else's operation may be watched to its end before a stack can be deleted.
const TURNS: u32 = 4;

/// Deletes a stack and watches it go. Can be repeated at any point. What somebody else has begun a moment before is
/// watched to its end first.
///
/// `before`: the events so far, where somebody has just read them.
pub async fn delete_stack(
    context: &Context,
    stack_id: &str,
    mut before: Option<Vec<String>>,
    timeout: Duration,
) -> Result<Ended> {
    let mut turn = 0;
    let before = loop {
        let before = match before.take() {
            Some(before) => before,
            None => poll::events_so_far(context, stack_id, timeout).await?,
        };
        let request = context.clients.cloudformation.delete_stack().stack_name(stack_id);
        let request = request.client_request_token(token("down"));
        let delete = || async {
            let deleted = request.clone().send().await;
            deleted.map_err(|error| fault::explain(error, "delete the stack"))
        };
        match poll::patiently(context, timeout, delete).await {
            Ok(_) => break before,
            Err(error) if turn < TURNS && fault::is_overtaken(&error) => turn += 1,
            Err(error) => return Err(error),
        }
        let found = poll::find(context, stack_id, timeout).await?;
        match found.filter(|found| !found.status.settled()) {
            Some(found) => drop(attach(context, &found, timeout).await?),
            // The look is older than what made the deletion be refused.
            None => tokio::time::sleep(Duration::from_secs(2)).await,
        }
    };
    context.reporter.tell(&Event::OperationStarted {
        operation: Operation::Delete,
        stack: context.environment.stack(),
        stack_id: stack_id.to_owned(),
    });
    poll::watch_deletion(context, stack_id, before, timeout).await
}

/// The sentence about a failure that passes by itself, where it is one.
pub fn passing(
    context: &Context,
    identity: &Identity,
    operation: Operation,
    ended: &Ended,
) -> Option<String> {
    let diagnosis = diagnose(&ended.failures, &facts(context, identity, operation))?;
    diagnosis
        .retry
        .then(|| format!("{}: {}.", diagnosis.logical_id, diagnosis.sentence.trim_end_matches('.')))
}

fn facts<'a>(context: &'a Context, identity: &'a Identity, operation: Operation) -> Facts<'a> {
    Facts {
        environment: &context.environment,
        region: &context.clients.region,
        account: Some(&identity.account),
        invocation: &context.invocation,
        operation,
    }
}

/// What to say of an operation that ended badly. Its cause is told as an event of its own, too.
pub fn failed(context: &Context, identity: &Identity, operation: Operation, ended: &Ended) -> Error {
    let stack = context.environment.stack();
    let done = match operation {
        Operation::Create => "created",
        Operation::Update => "updated",
        Operation::Delete => "deleted",
    };
    let status = ended.stack.as_ref().map_or_else(String::new, |stack| format!(": it is {}", stack.status));
    let mut error = Error::new(Kind::DeploymentFailed, format!("{stack} could not be {done}{status}"));
    if let Some(diagnosis) = diagnose(&ended.failures, &facts(context, identity, operation)) {
        let property = diagnosis.property.as_ref().map(|property| format!(".{property}")).unwrap_or_default();
        error = error
            .because(format!(
                "{}{property} ({}): {}",
                diagnosis.logical_id, diagnosis.resource_type, diagnosis.sentence
            ))
            .meaning(&diagnosis.meaning);
        error.remedies.extend(diagnosis.remedies.iter().cloned());
        context.reporter.tell(&Event::Diagnosed(diagnosis));
    }
    error.remedy(then(context, operation, ended))
}

/// How to go on once the cause is mended.
fn then(context: &Context, operation: Operation, ended: &Ended) -> String {
    let (up, down) = (context.invocation.command("up"), context.invocation.command("down"));
    let way_out = ended.status().map(|status| status.way_out());
    match (operation, way_out) {
        (Operation::Delete, _) => format!("Mend the cause, then run `{down}` again."),
        (_, Some(WayOut::DeleteFirst)) => {
            format!("Mend the cause, then run `{up}` again: it clears the failed stack first.")
        }
        (_, Some(WayOut::Update)) => {
            format!("Everything was rolled back. Mend the cause, then run `{up}` again.")
        }
        (_, Some(way_out)) => way_out.explained(&context.invocation),
        (_, None) => format!("The stack is gone. Mend the cause, then run `{up}` again."),
    }
}
