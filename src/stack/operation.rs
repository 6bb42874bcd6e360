//! What `up` and `down` have in common: watching another's operation, deleting a stack, and the words for an
//! operation that ended badly.

use super::Context;
use super::diagnose::{Facts, diagnose};
use super::down::OnlyIf;
use super::plan::Operation;
use super::poll::{self, Ended};
use super::state::Stack;
use super::status::WayOut;
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::Event;
use anyhow::Result;
use std::time::Duration;
use tokio::sync::oneshot;

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
/// How often a deletion begins anew while others of the account are in its way.
const CROWDED: u32 = 30;

/// What goes with a deletion.
#[derive(Default)]
pub struct Terms<'a> {
    /// The role that CloudFormation acts under, where it isn't the stack's.
    pub role_arn: Option<&'a str>,
    /// The events so far, where somebody has just read them.
    pub before: Option<Vec<String>>,
    /// Asked once more of a stack on which somebody else was at work.
    pub only_if: Option<&'a OnlyIf>,
    /// Told once CloudFormation has begun, and dropped where it never did.
    pub accepted: Option<oneshot::Sender<()>>,
}

/// Deletes a stack and watches it go. Can be repeated at any point. What somebody else has begun a moment before is
/// watched to its end first, and while Kinesis is busy with others' streams the deletion begins anew.
pub async fn delete_stack(
    context: &Context,
    stack_id: &str,
    mut terms: Terms<'_>,
    timeout: Duration,
) -> Result<Ended> {
    let mut attempt = 0;
    loop {
        let so_far = ask_to_delete(context, stack_id, &mut terms, timeout).await?;
        if let Some(accepted) = terms.accepted.take() {
            // Whoever waits for it may be gone already.
            let _ = accepted.send(());
        }
        context.reporter.tell(&Event::OperationStarted {
            operation: Operation::Delete,
            stack: context.environment.stack(),
            stack_id: stack_id.to_owned(),
        });
        let ended = poll::watch_deletion(context, stack_id, so_far, timeout).await?;
        match passing(context, None, Operation::Delete, &ended) {
            Some(Passing { because, crowded: true }) if ended.stack.is_some() && attempt < CROWDED => {
                context.reporter.tell(&Event::Retrying { because });
                tokio::time::sleep(keep_away(attempt)).await;
                attempt += 1;
            }
            _ => return Ok(ended),
        }
    }
}

/// Has the deletion begin. Returns the events before it.
async fn ask_to_delete(
    context: &Context,
    stack_id: &str,
    terms: &mut Terms<'_>,
    timeout: Duration,
) -> Result<Vec<String>> {
    let mut turn = 0;
    loop {
        let before = match terms.before.take() {
            Some(before) => before,
            None => poll::events_so_far(context, stack_id, timeout).await?,
        };
        let request = context.clients.cloudformation.delete_stack().stack_name(stack_id);
        let request = request.client_request_token(token("down"));
        let request = request.set_role_arn(terms.role_arn.map(str::to_owned));
        let delete = || async {
            let deleted = request.clone().send().await;
            deleted.map_err(|error| fault::explain(error, "delete the stack"))
        };
        match poll::patiently(context, timeout, delete).await {
            Ok(_) => return Ok(before),
            Err(error) if turn < TURNS && fault::is_overtaken(&error) => turn += 1,
            Err(error) => return Err(error),
        }
        let found = poll::find(context, stack_id, timeout).await?;
        match found.filter(|found| !found.status.settled()) {
            Some(found) => drop(attach(context, &found, timeout).await?),
            // The look is older than what made the deletion be refused.
            None => tokio::time::sleep(Duration::from_secs(2)).await,
        }
        if let Some(only_if) = terms.only_if
            && let Some(found) = poll::find(context, stack_id, timeout).await?
        {
            only_if(&found)?;
        }
    }
}

/// A failure that passes by itself.
pub struct Passing {
    /// The sentence about it.
    pub because: String,
    /// Whether others of the account are in the way, who have to get done first: that can take several tries.
    pub crowded: bool,
}

/// The failure that an operation ended with, where it is one that passes by itself.
pub fn passing(
    context: &Context,
    identity: Option<&Identity>,
    operation: Operation,
    ended: &Ended,
) -> Option<Passing> {
    let diagnosis = diagnose(&ended.failures, &facts(context, identity, operation))?;
    diagnosis.retry.then(|| Passing {
        because: format!("{}: {}.", diagnosis.logical_id, diagnosis.sentence.trim_end_matches('.')),
        crowded: diagnosis.code == "streams-at-once",
    })
}

/// How long to keep away while others are in the way: at first about as long as Kinesis takes for a stream, then
/// longer, and each time differently, so that those who wait don't all come back at once.
pub fn keep_away(attempt: u32) -> Duration {
    let most = 30.0 * f64::from(1 << attempt.min(2));
    Duration::from_secs_f64(most * (0.25 + 0.75 * fastrand::f64()))
}

fn facts<'a>(context: &'a Context, identity: Option<&'a Identity>, operation: Operation) -> Facts<'a> {
    Facts {
        environment: &context.environment,
        region: &context.clients.region,
        account: identity.map(|identity| identity.account.as_str()),
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
    let error = Error::new(Kind::DeploymentFailed, format!("{stack} could not be {done}{status}"));
    because_of(context, identity, operation, ended, error).remedy(then(context, operation, ended))
}

/// The error, with why an operation ended so, which is told as an event of its own, too.
pub fn because_of(
    context: &Context,
    identity: &Identity,
    operation: Operation,
    ended: &Ended,
    mut error: Error,
) -> Error {
    if let Some(diagnosis) = diagnose(&ended.failures, &facts(context, Some(identity), operation)) {
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
    error
}

/// Whether a stack's newest operation is the one that was asked for with this token: its events bear it.
pub async fn is_under_way(context: &Context, stack_id: &str, token: &str) -> Result<bool> {
    let request = context.clients.cloudformation.describe_stack_events().stack_name(stack_id);
    match request.send().await {
        Ok(answer) => {
            Ok(answer.stack_events().iter().find_map(|event| event.client_request_token()) == Some(token))
        }
        Err(error) if fault::is_missing(&error) => Ok(false),
        Err(error) => Err(fault::explain(error, "read the stack's events")),
    }
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
