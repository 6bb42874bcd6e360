//! Clears the way for `up`: every state that a stack can be stuck in has a way out, which is taken where nothing
//! can be lost by it, and explained where something could.

use super::interrupt::Begun;
use super::operation::Terms;
use super::plan::Operation;
use super::poll;
use super::state::Stack;
use super::status::WayOut;
use super::{Answer, Conduct, Context, down, operation};
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::{Event, Recovery};
use anyhow::Result;

/// How many ways out may be taken one after the other: somebody else may act on the stack all the time.
const MOST: u32 = 12;

/// Where the way out led to.
pub struct Cleared {
    /// The stack to update. `None` where it has to be created.
    pub stack: Option<Stack>,
    /// Whether only an EXPRESS update is taken: a failed one demands another.
    pub express: bool,
}

impl From<Option<Stack>> for Cleared {
    fn from(stack: Option<Stack>) -> Self {
        Cleared { stack, express: false }
    }
}

/// Leads a stack to a state in which it can be created or updated.
pub async fn clear_the_way(
    context: &Context,
    begun: &Begun,
    identity: &Identity,
    mut stack: Option<Stack>,
    conduct: Conduct,
) -> Result<Cleared> {
    let mut skip = None;
    for _ in 0..MOST {
        begun.ended();
        let Some(found) = stack else { return Ok(None.into()) };
        found.check_ours(&context.environment)?;
        match found.status.way_out() {
            WayOut::Update => return Ok(Some(found).into()),
            // Only its name is there: a change set of type CREATE takes it over.
            WayOut::Create => return Ok(None.into()),
            WayOut::Explain(_) => return Err(operation::in_the_way(context, &found).into()),
            WayOut::Wait => {
                operation::attach(context, &found, conduct.timeout).await?;
            }
            WayOut::DeleteFirst => {
                begun.recovering(Recovery::Delete);
                tell(context, &found, Recovery::Delete, &[]);
                let ended =
                    operation::delete_stack(context, &found.id, Terms::default(), conduct.timeout).await?;
                if ended.stack.is_some() {
                    return Err(operation::failed(context, identity, Operation::Delete, &ended).into());
                }
            }
            WayOut::DeleteIfEmpty => {
                agree_to_delete(context, identity, &found, conduct).await?;
                begun.recovering(Recovery::Delete);
                tell(context, &found, Recovery::Delete, &[]);
                down::remove(context, &found, None, identity, conduct.timeout).await?;
            }
            WayOut::Rollback => {
                begun.recovering(Recovery::Rollback);
                tell(context, &found, Recovery::Rollback, &[]);
                if !roll_back(context, &found, conduct).await? {
                    return Ok(Cleared { stack: Some(found), express: true });
                }
            }
            WayOut::ContinueRollback => {
                let skipping = match skip.take() {
                    None => Vec::new(),
                    Some(before) => to_skip(context, &found, before).await?,
                };
                begun.recovering(Recovery::ContinueRollback);
                tell(context, &found, Recovery::ContinueRollback, &skipping);
                continue_rollback(context, &found, &skipping, conduct).await?;
                skip = Some(skipping);
            }
        }
        stack = poll::find(context, &found.name, conduct.timeout).await?;
    }
    let message =
        format!("{} is never left alone: somebody else keeps changing it", context.environment.stack());
    Err(Error::new(Kind::DeploymentFailed, message).remedy("Find out who, then run it again.").into())
}

fn tell(context: &Context, stack: &Stack, by: Recovery, skipping: &[String]) {
    context.reporter.tell(&Event::Recovering {
        stack: stack.name.clone(),
        status: stack.status.clone(),
        by,
        skipping: skipping.to_vec(),
    });
}

/// Such a stack may have worked once, and its bucket may hold rows: they are lost only if that is agreed to.
async fn agree_to_delete(
    context: &Context,
    identity: &Identity,
    stack: &Stack,
    conduct: Conduct,
) -> Result<()> {
    let data = down::data(context, identity).await?;
    if data.objects == 0 {
        return Ok(());
    }
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let held = down::in_words(&data);
    let text = format!("{} is {} and can only be made anew. Delete it with {held}", stack.name, stack.status);
    let refused = match context.ask(conduct.consent, text).await? {
        Answer::Yes => return Ok(()),
        Answer::No => Error::new(Kind::Refused, "nothing was changed"),
        Answer::Nobody => {
            let message = format!(
                "{} is {} and can only be made anew, but {bucket} holds {held}, and nobody is there to agree to \
                 their loss",
                stack.name, stack.status
            );
            let copy = context.invocation.aws(&format!("s3 sync s3://{bucket} DIRECTORY"));
            Error::new(Kind::Refused, message)
                .remedy(format!("Save what you need (`{copy}`), then run it again with --yes."))
        }
    };
    let reason = stack.reason.clone();
    Err(match reason {
        Some(reason) => refused.because(reason),
        None => refused,
    }
    .into())
}

/// An update that failed and wasn't rolled back. Nothing is lost: the roll-back leads to what worked before. False
/// where only another EXPRESS update is taken.
async fn roll_back(context: &Context, stack: &Stack, conduct: Conduct) -> Result<bool> {
    let before = poll::events_so_far(context, &stack.id, conduct.timeout).await?;
    let request = context.clients.cloudformation.rollback_stack().stack_name(&stack.id);
    match request.client_request_token(operation::token("up")).send().await {
        Ok(_) => {}
        Err(error) if fault::demands_express(&error) => return Ok(false),
        // Somebody was quicker: whatever runs now is watched in the next round.
        Err(error) if fault::is_wrong_state(&error) && moved(context, stack, conduct).await? => {
            return Ok(true);
        }
        Err(error) => return Err(fault::explain(error, "roll the failed update back")),
    }
    poll::watch_rollback(context, stack, before, conduct.timeout).await?;
    Ok(true)
}

async fn continue_rollback(
    context: &Context,
    stack: &Stack,
    skipping: &[String],
    conduct: Conduct,
) -> Result<()> {
    let before = poll::events_so_far(context, &stack.id, conduct.timeout).await?;
    let request = context.clients.cloudformation.continue_update_rollback().stack_name(&stack.id);
    let skip = (!skipping.is_empty()).then(|| skipping.to_vec());
    let request = request.set_resources_to_skip(skip).client_request_token(operation::token("up"));
    match request.send().await {
        Ok(_) => {}
        Err(error) if fault::is_wrong_state(&error) && moved(context, stack, conduct).await? => return Ok(()),
        Err(error) => return Err(fault::explain(error, "go on with the roll-back")),
    }
    poll::watch_rollback(context, stack, before, conduct.timeout).await?;
    Ok(())
}

/// Whether the stack has left the state in which it was found.
async fn moved(context: &Context, stack: &Stack, conduct: Conduct) -> Result<bool> {
    Ok(poll::find(context, &stack.id, conduct.timeout).await?.is_none_or(|now| now.status != stack.status))
}

/// What has to be skipped, after the roll-back failed again: the resources that failed, and no other.
async fn to_skip(context: &Context, stack: &Stack, before: Vec<String>) -> Result<Vec<String>> {
    let resources = super::inspect::resources(context, &stack.id).await?;
    let failed = resources.into_iter().filter(|resource| resource.status == "UPDATE_FAILED");
    let failed: Vec<String> = failed.map(|resource| resource.logical_id).collect();
    // Skipped already, or none: another try can't end otherwise.
    if failed.is_empty() || failed.iter().all(|id| before.contains(id)) {
        return Err(operation::in_the_way(context, stack).into());
    }
    Ok(failed)
}
