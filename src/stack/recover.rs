//! Clears the way for `up`: every state that a stack can be stuck in has a way out, which is taken where nothing
//! can be lost by it, and explained where something could.

use super::inspect::{self, Resource};
use super::interrupt::Begun;
use super::operation::Terms;
use super::plan::{Operation, Plan};
use super::poll::{self, Ended};
use super::residue::kept;
use super::state::Stack;
use super::status::WayOut;
use super::{Answer, Consent, Context, down, operation};
use crate::cloud::reason::Reason;
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::{Event, Recovery};
use crate::template;
use anyhow::Result;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error as StdError;
use std::time::Duration;
use tokio::time::Instant;

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

/// What a way out has to heed.
pub struct Bounds<'a> {
    /// Whether the bucket is to be taken over, with what is in it.
    pub adopts: bool,
    /// The plan that was reviewed, where one was.
    pub reviewed: Option<&'a Plan>,
    /// Whether the one question is answered already.
    pub consent: Consent,
    /// When the command's time is over.
    pub until: Instant,
}

impl Bounds<'_> {
    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// Leads a stack to a state in which it can be created or updated.
pub async fn clear_the_way(
    context: &Context,
    begun: &Begun,
    identity: &Identity,
    mut stack: Option<Stack>,
    bounds: &Bounds<'_>,
) -> Result<Cleared> {
    let mut skipped: Option<Skipped> = None;
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
                operation::attach(context, &found, bounds.left()).await?;
                begun.settled();
            }
            WayOut::DeleteFirst => {
                begun.recovering(Recovery::Delete);
                tell(context, &found, Recovery::Delete, &[]);
                let ended =
                    operation::delete_stack(context, &found.id, Terms::default(), bounds.left()).await?;
                if ended.stack.is_some() {
                    return Err(operation::failed(context, identity, Operation::Delete, &ended).into());
                }
            }
            WayOut::DeleteIfEmpty => {
                refuse_unplanned(context, &found, bounds)?;
                let bucket = agree_to_delete(context, identity, &found, bounds).await?;
                // Somebody may have acted while a person thought about it.
                let now = poll::find(context, &found.name, bounds.left()).await?;
                if now.as_ref().is_none_or(|now| now.id != found.id || now.status != found.status) {
                    stack = now;
                    continue;
                }
                begun.recovering(Recovery::Delete);
                tell(context, &found, Recovery::Delete, &[]);
                down::remove(context, &found, bucket.as_deref(), identity, bounds.left()).await?;
            }
            WayOut::Rollback => {
                begun.recovering(Recovery::Rollback);
                tell(context, &found, Recovery::Rollback, &[]);
                if !roll_back(context, &found, bounds).await? {
                    return Ok(Cleared { stack: Some(found), express: true });
                }
            }
            WayOut::ContinueRollback => {
                let skipping = match skipped.take() {
                    None => Vec::new(),
                    Some(before) => to_skip(context, identity, &found, before, bounds).await?,
                };
                begun.recovering(Recovery::ContinueRollback);
                tell(context, &found, Recovery::ContinueRollback, &skipping);
                let ended = continue_rollback(context, &found, &skipping, bounds).await?;
                skipped = Some(Skipped { resources: skipping, ended });
            }
        }
        stack = poll::find(context, &found.name, bounds.left()).await?;
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

/// A plan that changes a stack doesn't say that the stack is deleted first.
fn refuse_unplanned(context: &Context, stack: &Stack, bounds: &Bounds<'_>) -> Result<()> {
    if bounds.reviewed.is_none_or(|plan| plan.operation == Operation::Create) {
        return Ok(());
    }
    let message = format!(
        "{} is {} and can only be made anew, which isn't what was planned: nothing was changed",
        stack.name, stack.status
    );
    let up = context.invocation.command("up");
    Err(Error::new(Kind::Refused, message).remedy(format!("Run `{up}` without the plan.")).into())
}

/// Such a stack may have worked once, and its bucket may hold rows: they are lost only if that is agreed to. Returns the
/// bucket that goes with it: none where it is to be taken over.
async fn agree_to_delete(
    context: &Context,
    identity: &Identity,
    stack: &Stack,
    bounds: &Bounds<'_>,
) -> Result<Option<String>> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let data = poll::patiently(context, bounds.left(), || down::data(context, identity)).await?;
    if bounds.adopts {
        if data.objects > 0 {
            kept::refuse_unless_left(context, stack, template::BUCKET, bounds.left()).await?;
        }
        return Ok(None);
    }
    if data.objects == 0 {
        return Ok(Some(bucket));
    }
    let held = down::in_words(&data);
    let state = format!("{} is {} and can only be made anew", stack.name, stack.status);
    let (adopt, down) = (context.invocation.command("up --adopt"), context.invocation.command("down"));
    let keep = format!("`{adopt}` makes it anew, and takes the bucket over with what is in it.");
    let refused = if kept::is_kept(context, identity, bounds.left()).await? {
        let message = format!(
            "{state}, but its bucket {bucket} bears the mark of `down --keep-data`, and holds {held}"
        );
        Error::new(Kind::Refused, message)
            .remedy(keep)
            .remedy(format!("`{down}` removes it with all that it holds."))
    } else {
        match context.ask(bounds.consent, format!("{state}. Delete it with {held}")).await? {
            Answer::Yes => return Ok(Some(bucket)),
            Answer::No => Error::new(Kind::Refused, "nothing was changed").remedy(keep),
            Answer::Nobody => {
                let message =
                    format!("{state}, but {bucket} holds {held}, and nobody is there to agree to their loss");
                let copy = context.invocation.aws(&format!("s3 sync s3://{bucket} DIRECTORY"));
                Error::new(Kind::Refused, message)
                    .remedy(keep)
                    .remedy(format!("Or save what you need (`{copy}`), then run it again with --yes."))
            }
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
async fn roll_back(context: &Context, stack: &Stack, bounds: &Bounds<'_>) -> Result<bool> {
    let before = poll::events_so_far(context, &stack.id, bounds.left()).await?;
    let request = context.clients.cloudformation.rollback_stack().stack_name(&stack.id);
    let request = request.client_request_token(operation::token("up"));
    let ask = || async {
        match request.clone().send().await {
            Err(error) if fault::demands_express(&error) => Ok(Asked::DemandsExpress),
            answer => asked(answer, "roll the failed update back"),
        }
    };
    match poll::patiently(context, bounds.left(), ask).await? {
        Asked::Begun => drop(poll::watch_rollback(context, stack, before, bounds.left()).await?),
        Asked::DemandsExpress => return Ok(false),
        Asked::WrongState(error) => refuse_unless_moved(context, stack, error, bounds).await?,
    }
    Ok(true)
}

/// How a roll-back ended. `None` where somebody else had begun it.
async fn continue_rollback(
    context: &Context,
    stack: &Stack,
    skipping: &[String],
    bounds: &Bounds<'_>,
) -> Result<Option<Ended>> {
    let before = poll::events_so_far(context, &stack.id, bounds.left()).await?;
    let request = context.clients.cloudformation.continue_update_rollback().stack_name(&stack.id);
    let skip = (!skipping.is_empty()).then(|| skipping.to_vec());
    let request = request.set_resources_to_skip(skip).client_request_token(operation::token("up"));
    let ask = || async { asked(request.clone().send().await, "go on with the roll-back") };
    match poll::patiently(context, bounds.left(), ask).await? {
        Asked::WrongState(error) => {
            refuse_unless_moved(context, stack, error, bounds).await?;
            Ok(None)
        }
        _ => Ok(Some(poll::watch_rollback(context, stack, before, bounds.left()).await?)),
    }
}

/// What CloudFormation says to a way out.
enum Asked {
    Begun,
    /// Only another EXPRESS update is taken.
    DemandsExpress,
    /// The stack isn't in the state for it.
    WrongState(anyhow::Error),
}

/// What an answer to a way out amounts to. `doing` completes the sentence "cannot …".
fn asked<T, E>(answer: Result<T, SdkError<E, HttpResponse>>, doing: &str) -> Result<Asked>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match answer {
        Ok(_) => Ok(Asked::Begun),
        Err(error) if fault::is_wrong_state(&error) => Ok(Asked::WrongState(fault::explain(error, doing))),
        Err(error) => Err(fault::explain(error, doing)),
    }
}

/// Where the stack has left the state in which it was found, somebody was quicker, or an answer was lost: whatever runs
/// now is watched in the next round.
async fn refuse_unless_moved(
    context: &Context,
    stack: &Stack,
    error: anyhow::Error,
    bounds: &Bounds<'_>,
) -> Result<()> {
    let now = poll::find(context, &stack.id, bounds.left()).await?;
    if now.is_none_or(|now| now.status != stack.status) { Ok(()) } else { Err(error) }
}

/// A roll-back that was gone on with.
struct Skipped {
    /// What it left as it is.
    resources: Vec<String>,
    /// How it ended.
    ended: Option<Ended>,
}

/// What has to be skipped, after the roll-back failed again: the resources that failed, and no other.
async fn to_skip(
    context: &Context,
    identity: &Identity,
    stack: &Stack,
    before: Skipped,
    bounds: &Bounds<'_>,
) -> Result<Vec<String>> {
    let look = || inspect::resources(context, &stack.id);
    let failed = failed_themselves(poll::patiently(context, bounds.left(), look).await?);
    // Skipped already, or none: another try can't end otherwise.
    if !failed.is_empty() && !failed.iter().all(|id| before.resources.contains(id)) {
        return Ok(failed);
    }
    let Some(ended) = before.ended else { return Err(operation::in_the_way(context, stack).into()) };
    let message = format!("{} is {}: its roll-back failed again", stack.name, stack.status);
    let error = Error::new(Kind::DeploymentFailed, message);
    let (up, down) = (context.invocation.command("up"), context.invocation.command("down"));
    Err(operation::because_of(context, identity, Operation::Update, &ended, error)
        .remedy(format!("Mend the cause, then run `{up}` again; or begin anew, with `{down}` first."))
        .into())
}

/// The resources that failed by themselves. One that was only cancelled must not be skipped:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html>
fn failed_themselves(resources: Vec<Resource>) -> Vec<String> {
    let is_cancelled =
        |it: &Resource| Reason::of(it.reason.as_deref().unwrap_or_default(), "") == Reason::Cancelled;
    let failed = resources.into_iter().filter(|it| it.status == "UPDATE_FAILED" && !is_cancelled(it));
    failed.map(|it| it.logical_id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_whose_update_was_only_cancelled_is_never_skipped() {
        let resource = |logical_id: &str, status: &str, reason: &str| Resource {
            logical_id: logical_id.to_owned(),
            resource_type: "AWS::Kinesis::Stream".to_owned(),
            physical_id: None,
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            since: None,
        };
        let resources = vec![
            resource("Stream", "UPDATE_FAILED", "Resource update cancelled"),
            resource("Processor", "UPDATE_FAILED", "no"),
            resource("Bucket", "UPDATE_COMPLETE", ""),
        ];
        assert_eq!(failed_themselves(resources), ["Processor"]);
    }
}
