//! Told to stop: what was begun is taken back, as far as AWS lets it be.
//!
//! The work is dropped wherever it is, so the request that cancels goes out at once: a runner that is shutting
//! down leaves ten seconds. What there is to cancel is written down before each request that begins something.

use super::plan::Operation;
use super::poll::{self, Ended};
use super::{Context, changeset, operation, residue};
use crate::cloud::{bucket::Bucket, fault};
use crate::error::{Error, Kind};
use crate::event::{Event, Recovery};
use anyhow::Result;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const AGAIN: &str = "The same command again picks it up from there.";

/// What a command has begun so far.
#[derive(Debug, Default)]
pub struct Begun {
    step: Mutex<Step>,
    /// The artifact bucket and its account, where something may have been uploaded to it.
    uploading: Mutex<Option<(String, String)>>,
    /// What may have been changed beside the stack's own operation.
    beside: Mutex<Vec<Beside>>,
}

/// What is changed past a stack's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// The function's code.
    Code,
    /// The stack's protection from deletion.
    Protection,
}

#[derive(Debug, Clone, Default)]
enum Step {
    #[default]
    Nothing,
    /// A change set of this name was asked for. `named_it`: it may have given the stack its name.
    Planning { change_set: String, named_it: bool },
    /// A stuck stack is being freed.
    Recovering(Recovery),
    /// CloudFormation was told to act.
    Acting { operation: Operation, stack_id: String, change_set: String },
    /// CloudFormation was told to act, and refused: somebody else was quicker, unless an answer was lost.
    Refused { operation: Operation, stack_id: String, change_set: String, token: String },
    /// Without a stack, what was left behind is removed.
    Sweeping,
    /// The stack is as it was asked for.
    Done,
}

impl Begun {
    /// A change set is about to be asked for.
    pub fn planning(&self, change_set: &str, named_it: bool) {
        self.enter(Step::Planning { change_set: change_set.to_owned(), named_it });
    }

    /// A stuck stack is about to be freed.
    pub fn recovering(&self, by: Recovery) {
        self.enter(Step::Recovering(by));
    }

    /// CloudFormation is about to be told to act.
    pub fn acting(&self, operation: Operation, stack_id: &str, change_set: &str) {
        let (stack_id, change_set) = (stack_id.to_owned(), change_set.to_owned());
        self.enter(Step::Acting { operation, stack_id, change_set });
    }

    /// CloudFormation, told to act with this token, didn't say that it does.
    pub fn refused(&self, token: &str) {
        if let Step::Acting { operation, stack_id, change_set } = self.step() {
            self.enter(Step::Refused { operation, stack_id, change_set, token: token.to_owned() });
        }
    }

    /// What was left behind is about to be removed.
    pub fn sweeping(&self) {
        self.enter(Step::Sweeping);
    }

    /// This is about to be changed past the stack's own operation.
    pub fn changing(&self, what: Beside) {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// The code is about to be uploaded to this bucket, with the bucket where that is missing.
    pub fn uploading(&self, bucket: &str, account: &str) {
        let bucket = (bucket.to_owned(), account.to_owned());
        *self.uploading.lock().unwrap_or_else(PoisonError::into_inner) = Some(bucket);
    }

    /// Whatever was begun has reached its end. What was refused can still turn out to have begun.
    pub fn ended(&self) {
        if !matches!(self.step(), Step::Refused { .. }) {
            self.enter(Step::Nothing);
        }
    }

    /// What was under way on the stack, whoever had begun it, has reached its end.
    pub fn settled(&self) {
        self.enter(Step::Nothing);
    }

    /// The stack is as it was asked for.
    pub fn done(&self) {
        self.enter(Step::Done);
    }

    fn enter(&self, step: Step) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    fn step(&self) -> Step {
        self.step.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What may have been changed beside the stack's own operation, in words.
    fn beside(&self) -> Option<&'static str> {
        let changed = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        match (changed.contains(&Beside::Code), changed.contains(&Beside::Protection)) {
            (false, false) => None,
            (true, false) => Some("its code may have been changed already"),
            (false, true) => Some("its protection may have been changed already"),
            (true, true) => Some("its code and its protection may have been changed already"),
        }
    }

    /// The artifact bucket, where something may have been uploaded to it and it is there.
    async fn uploaded(&self, context: &Context) -> Option<String> {
        let (bucket, account) = self.uploading.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let whose = context.clients.whose(&bucket, &account).await;
        whose.is_ok_and(|whose| whose == Bucket::Ours).then_some(bucket)
    }
}

/// Does the work, unless it is told to stop: then what was begun is taken back.
pub async fn unless_told_to_stop<T>(
    context: &Context,
    begun: &Begun,
    timeout: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    // On the heap: the futures of a whole command are too much for a small thread's stack.
    let work = Box::pin(work);
    let kind = tokio::select! {
        biased;
        result = work => return result,
        kind = context.signals.heard(1) => kind,
    };
    Err(Box::pin(take_back(context, begun, kind, timeout)).await.into())
}

async fn take_back(context: &Context, begun: &Begun, kind: Kind, timeout: Duration) -> Error {
    let stack = context.environment.stack();
    let step = begun.step();
    // Of a stack that was there before, the next `up` or `down` finds what was uploaded for it.
    let is_new = match &step {
        Step::Planning { named_it, .. } => *named_it,
        Step::Acting { operation, .. } | Step::Refused { operation, .. } => *operation == Operation::Create,
        _ => false,
    };
    let result = match step {
        Step::Nothing => {
            return match begun.beside() {
                None => Error::new(kind, "interrupted: nothing was changed"),
                Some(beside) => {
                    Error::new(kind, format!("interrupted: {stack} is there, and {beside}")).remedy(AGAIN)
                }
            };
        }
        Step::Done => Ok(format!("{stack} is up")),
        Step::Sweeping => Ok("what is left is removed by the next run".to_owned()),
        Step::Planning { change_set, named_it } => {
            context.reporter.tell(&Event::Withdrawing { stack: stack.clone() });
            let end = if named_it { "was not created" } else { "was left as it was" };
            changeset::withdraw(context, &change_set, named_it).await.map(|()| format!("{stack} {end}"))
        }
        // It leads from a state that is of no use to one that is: nothing to take back.
        Step::Recovering(by) => Ok(match by {
            Recovery::Delete => format!("the deletion of {stack} goes on"),
            Recovery::Rollback | Recovery::ContinueRollback => format!("the roll-back of {stack} goes on"),
        }),
        Step::Acting { operation, stack_id, change_set } => {
            cancel(context, operation, &stack_id, &change_set, timeout).await
        }
        Step::Refused { operation, stack_id, change_set, token } => {
            let is_ours = || operation::is_under_way(context, &stack_id, &token);
            match poll::patiently(context, timeout, is_ours).await {
                Ok(true) => cancel(context, operation, &stack_id, &change_set, timeout).await,
                // The stack, and its name, may be somebody else's work.
                Ok(false) => {
                    let withdraw = || changeset::withdraw(context, &change_set, false);
                    let withdrawn = poll::patiently(context, timeout, withdraw).await;
                    withdrawn.map(|()| format!("{stack} was left as it was"))
                }
                Err(error) => Err(error),
            }
        }
    };
    let result = result.map(|what| match begun.beside() {
        None => what,
        Some(beside) => format!("{what}; {beside}"),
    });
    match result {
        Ok(what) => match if is_new { begun.uploaded(context).await } else { None } {
            None => Error::new(kind, format!("interrupted: {what}")).remedy(AGAIN),
            Some(bucket) => {
                let down = context.invocation.command("down");
                Error::new(kind, format!("interrupted: {what}, and what was uploaded stays in {bucket}"))
                    .remedy(format!("The same command again picks it up from there; `{down}` removes it."))
            }
        },
        Err(error) => not_taken_back(kind, &error),
    }
}

fn not_taken_back(kind: Kind, error: &anyhow::Error) -> Error {
    let error = Error::of(error);
    Error::new(kind, format!("interrupted, but not all could be taken back: {}", error.message))
        .because(error.cause.unwrap_or_default())
        .remedy(AGAIN)
}

/// Takes an operation back that was begun.
async fn cancel(
    context: &Context,
    operation: Operation,
    stack_id: &str,
    change_set: &str,
    timeout: Duration,
) -> Result<String> {
    match operation {
        Operation::Create => delete_again(context, stack_id, timeout).await,
        Operation::Update => cancel_update(context, stack_id, change_set, timeout).await,
        Operation::Delete => Ok("the deletion goes on; the bucket is removed by the next run".to_owned()),
    }
}

/// A creation is cancelled by deleting it.
async fn delete_again(context: &Context, stack_id: &str, timeout: Duration) -> Result<String> {
    let request = context.clients.cloudformation.delete_stack().stack_name(stack_id);
    let request = request.client_request_token(operation::token("cancel"));
    let delete = || async {
        let deleted = request.clone().send().await;
        deleted.map_err(|error| fault::explain(error, "delete the stack again"))
    };
    poll::patiently(context, timeout, delete).await?;
    let stack = context.environment.stack();
    context.reporter.tell(&Event::Cancelling { operation: Operation::Create, stack });
    let ended = poll::join_deletion(context, stack_id, timeout).await?;
    if ended.stack.is_none() {
        // The stack leaves its bucket behind; one that was taken over holds rows, and stays.
        residue::remove_if_empty(context, &context.clients.identity().await?).await?;
    }
    Ok(match ended.status() {
        None => "what was created is deleted again".to_owned(),
        Some(status) => format!("what was created is being deleted, but the stack is {status}"),
    })
}

/// Only an update that still changes resources can be cancelled; one that only cleans up is as good as done.
async fn cancel_update(
    context: &Context,
    stack_id: &str,
    change_set: &str,
    timeout: Duration,
) -> Result<String> {
    let request = context.clients.cloudformation.cancel_update_stack().stack_name(stack_id);
    let request = request.client_request_token(operation::token("cancel"));
    let cancel = || async {
        match request.clone().send().await {
            Ok(_) => Ok(true),
            // It never began, or it has gone too far, or an answer to this was lost.
            Err(error) if fault::is_wrong_state(&error) => Ok(false),
            Err(error) => Err(fault::explain(error, "cancel the update")),
        }
    };
    let accepted = poll::patiently(context, timeout, cancel).await?;
    let Some(stack) = poll::find(context, stack_id, timeout).await? else {
        return Ok("the stack is gone".to_owned());
    };
    if !accepted && stack.status.settled() {
        changeset::withdraw(context, change_set, false).await?;
        return Ok(format!("no update was under way any more: the stack is {}", stack.status));
    }
    if accepted {
        let stack = stack.name.clone();
        context.reporter.tell(&Event::Cancelling { operation: Operation::Update, stack });
    }
    let ended: Ended = poll::join(context, &stack, timeout).await?;
    Ok(match ended.status() {
        Some(status) if status.good() => {
            format!("the update had gone too far to be cancelled: it is {status}")
        }
        Some(status) => format!("the update was cancelled, and the stack is {status}"),
        None => "the stack is gone".to_owned(),
    })
}
