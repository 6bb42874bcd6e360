//! `down`: delete the stack, empty and remove the bucket, and ask every service whether anything is left.
//!
//! The stack leaves its bucket behind on purpose (`RetainExceptOnCreate`): CloudFormation can't delete a bucket
//! that isn't empty, and a dying delivery stream still writes what it holds. So the bucket goes last, when
//! nothing is left that could write.

use super::inspect::{self, Resource};
use super::plan::Operation;
use super::residue::{self, Emptier};
use super::state::Stack;
use super::{Answer, Conduct, Consent, Context, identity, interrupt, operation, poll, protection};
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::{DataFound, Done, Event, Removed};
use anyhow::Result;
use std::time::{Duration, Instant};

/// How long a look at the stack may be trusted.
const FRESH: Duration = Duration::from_secs(5);
/// How often a bucket that is part of the deletion is emptied when rows keep coming.
const ATTEMPTS: u32 = 10;

/// Tears the environment down. Told to stop, it stops: what CloudFormation was told to delete goes on.
pub async fn down(context: &Context, conduct: Conduct) -> Result<Done> {
    let begun = interrupt::Begun::default();
    interrupt::unless_told_to_stop(context, &begun, conduct.timeout, take_down(context, &begun, conduct))
        .await
}

async fn take_down(context: &Context, begun: &interrupt::Begun, conduct: Conduct) -> Result<Done> {
    let began = Instant::now();
    let name = context.environment.stack();
    // All four are asked by name, at once: whose stack it is, the second tells.
    let (identity, stack, held, events) = tokio::try_join!(
        identity(context, conduct.timeout),
        poll::find(context, &name, conduct.timeout),
        poll::patiently(context, conduct.timeout, || inspect::resources(context, &name)),
        poll::events_so_far(context, &name, conduct.timeout)
    )?;
    let looked = Instant::now();
    let was_settled = stack.as_ref().is_none_or(|stack| stack.status.settled());
    let stack = settle(context, stack, conduct.timeout).await?;
    let stack_id = stack.as_ref().map(|stack| stack.id.clone());
    let removed = match &stack {
        Some(stack) => {
            protection::refuse_deletion(stack, &context.invocation)?;
            let held = match was_settled {
                true => held,
                false => {
                    let look = || inspect::resources(context, &stack.id);
                    poll::patiently(context, conduct.timeout, look).await?
                }
            };
            removed(held)
        }
        // Somebody deleted the stack, or an earlier `down` was cut short: its bucket can still be there.
        None => {
            let look = || residue::bucket_without_stack(context, &identity);
            poll::patiently(context, conduct.timeout, look).await?
        }
    };
    let changed = stack.is_some() || !removed.is_empty();
    if changed {
        agree(context, &removed, &identity, conduct).await?;
    }
    if let Some(stack) = &stack {
        begun.acting(Operation::Delete, &stack.id, "");
        // Somebody may have acted while a person thought about it.
        let events = (was_settled && looked.elapsed() < FRESH).then_some(events);
        Box::pin(remove(context, stack, events, &identity, conduct.timeout)).await?;
    } else if changed {
        let bucket = context.environment.bucket(&identity.account, &context.clients.region);
        let emptier = Emptier::new(context, &bucket, &identity);
        poll::patiently(context, conduct.timeout, || emptier.remove()).await?;
    }
    let checked = residue::check(context, &identity, conduct.timeout).await?;
    Ok(Done {
        command: "down".to_owned(),
        changed: Some(changed),
        stack: Some(name),
        stack_id,
        checked: Some(checked),
        seconds: Some(began.elapsed().as_secs_f64()),
        ..Done::default()
    })
}

/// Waits for somebody's operation to end, so that the deletion isn't refused. A deletion is simply joined.
async fn settle(context: &Context, mut stack: Option<Stack>, timeout: Duration) -> Result<Option<Stack>> {
    while let Some(found) = &stack {
        found.check_ours(&context.environment)?;
        if found.status.settled() {
            break;
        }
        operation::attach(context, found, timeout).await?;
        stack = poll::find(context, &found.id, timeout).await?;
    }
    Ok(stack)
}

/// What of a stack's resources is there.
fn removed(resources: Vec<Resource>) -> Vec<Removed> {
    let there = resources.into_iter().filter(|resource| resource.status != "DELETE_COMPLETE");
    there
        .filter_map(|resource| {
            let physical_id = resource.physical_id.filter(|id| !id.is_empty())?;
            Some(Removed {
                logical_id: resource.logical_id,
                resource_type: resource.resource_type,
                physical_id,
            })
        })
        .collect()
}

/// What the environment's bucket holds; nothing where there is none.
pub async fn data(context: &Context, identity: &Identity) -> Result<DataFound> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    Emptier::new(context, &bucket, identity).count().await
}

/// Shows what will go, and asks. With consent given beforehand the data isn't counted: that can take long.
async fn agree(context: &Context, removed: &[Removed], identity: &Identity, conduct: Conduct) -> Result<()> {
    let stack = context.environment.stack();
    let bucket = removed.iter().find(|it| it.resource_type == "AWS::S3::Bucket");
    let bucket = bucket.map(|it| it.physical_id.as_str());
    let data = match (conduct.consent, bucket) {
        (Consent::Ask, Some(_)) => {
            Some(poll::patiently(context, conduct.timeout, || data(context, identity)).await?)
        }
        _ => None,
    };
    context.reporter.tell(&Event::Removal {
        stack: stack.clone(),
        resources: removed.to_vec(),
        bucket: bucket.map(str::to_owned),
        data: data.clone(),
    });
    let holds_data = data.as_ref().is_some_and(|data| data.objects > 0);
    let text = match &data {
        Some(data) if holds_data => format!("Delete {stack} with {}", in_words(data)),
        _ => format!("Delete {stack}"),
    };
    match context.ask(conduct.consent, text).await? {
        Answer::Yes => Ok(()),
        Answer::No => Err(Error::new(Kind::Refused, "nothing was deleted").into()),
        Answer::Nobody if !holds_data => Ok(()),
        Answer::Nobody => {
            let data = data.unwrap_or_default();
            let message = format!(
                "{} holds {}, and nobody is there to agree: nothing was deleted",
                bucket.unwrap_or_default(),
                in_words(&data)
            );
            Err(Error::new(Kind::Refused, message)
                .remedy(format!(
                    "Save what you need (`{}`), then run it again with --yes.",
                    context.invocation.command("results")
                ))
                .into())
        }
    }
}

/// What a bucket holds, in words.
pub fn in_words(data: &DataFound) -> String {
    let more = if data.complete { "" } else { "more than " };
    let objects = if data.objects == 1 { "object" } else { "objects" };
    format!("{more}{} {objects} ({})", data.objects, indicatif::HumanBytes(data.bytes))
}

/// Deletes the stack, with the bucket being emptied meanwhile, then the bucket. Can be repeated at any point.
/// `events`: those so far, where somebody has just read them.
pub async fn remove(
    context: &Context,
    stack: &Stack,
    mut events: Option<Vec<String>>,
    identity: &Identity,
    timeout: Duration,
) -> Result<()> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let emptier = Emptier::new(context, &bucket, identity);
    for attempt in 1..=ATTEMPTS {
        let deletion = operation::delete_stack(context, &stack.id, events.take(), timeout);
        let emptying = poll::patiently(context, timeout, || emptier.empty());
        let (ended, emptied) = tokio::join!(deletion, emptying);
        let ended = ended?;
        emptied?;
        if ended.stack.is_none() {
            break;
        }
        // A stack whose template says that the bucket goes with it: made by hand, or by somebody else's copy.
        let not_empty = ended.failures.iter().any(|failure| fault::is_bucket_not_empty(&failure.reason));
        if !not_empty || attempt == ATTEMPTS {
            return Err(operation::failed(context, identity, Operation::Delete, &ended).into());
        }
        context.reporter.tell(&Event::EmptyingAgain { bucket: bucket.clone(), attempt: attempt + 1 });
        poll::patiently(context, timeout, || emptier.empty()).await?;
    }
    poll::patiently(context, timeout, || emptier.remove()).await
}
