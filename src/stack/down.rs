//! `down`: empty the bucket, delete the stack, and ask every service whether anything is left.

use super::plan::Operation;
use super::residue::{self, Emptier};
use super::state::{self, Stack};
use super::status::Known;
use super::{Answer, Conduct, Consent, Context, operation};
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::{DataFound, Done, Event, Removed};
use anyhow::Result;
use std::time::{Duration, Instant};

/// How often a bucket is emptied when rows keep coming: a dying delivery stream flushes what it still holds.
const ATTEMPTS: u32 = 10;

/// Tears the environment down.
pub async fn down(context: &Context, conduct: Conduct) -> Result<Done> {
    let began = Instant::now();
    let name = context.environment.stack();
    let (identity, stack) =
        tokio::try_join!(context.clients.identity(), state::find(&context.clients.cloudformation, &name))?;
    let stack = settle(context, stack, conduct.timeout).await?;
    let changed = stack.is_some();
    let stack_id = stack.as_ref().map(|stack| stack.id.clone());
    if let Some(stack) = stack {
        let removed = resources(context, &stack).await?;
        agree(context, &stack, &removed, &identity, conduct).await?;
        remove(context, &stack, &removed, &identity, conduct.timeout).await?;
    }
    let checked = residue::check(context, &identity).await?;
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
        stack = state::find(&context.clients.cloudformation, &found.id).await?;
    }
    Ok(stack)
}

/// What the stack holds.
async fn resources(context: &Context, stack: &Stack) -> Result<Vec<Removed>> {
    let resources = super::inspect::resources(context, &stack.id).await?;
    let there = resources.into_iter().filter(|resource| resource.status != "DELETE_COMPLETE");
    Ok(there
        .filter_map(|resource| {
            let physical_id = resource.physical_id.filter(|id| !id.is_empty())?;
            Some(Removed {
                logical_id: resource.logical_id,
                resource_type: resource.resource_type,
                physical_id,
            })
        })
        .collect())
}

fn bucket_of(removed: &[Removed]) -> Option<&str> {
    removed.iter().find(|it| it.resource_type == "AWS::S3::Bucket").map(|it| it.physical_id.as_str())
}

/// Shows what will go, and asks. With consent given beforehand the data isn't counted: that can take long.
async fn agree(
    context: &Context,
    stack: &Stack,
    removed: &[Removed],
    identity: &Identity,
    conduct: Conduct,
) -> Result<()> {
    let bucket = bucket_of(removed);
    let data = match (conduct.consent, bucket) {
        (Consent::Ask, Some(bucket)) => Some(Emptier::new(context, bucket, identity).count().await?),
        _ => None,
    };
    context.reporter.tell(&Event::Removal {
        stack: stack.name.clone(),
        resources: removed.to_vec(),
        bucket: bucket.map(str::to_owned),
        data: data.clone(),
    });
    let holds_data = data.as_ref().is_some_and(|data| data.objects > 0);
    let text = match &data {
        Some(data) if holds_data => format!("Delete {} with {}", stack.name, in_words(data)),
        _ => format!("Delete {}", stack.name),
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

fn in_words(data: &DataFound) -> String {
    let more = if data.complete { "" } else { "more than " };
    let objects = if data.objects == 1 { "object" } else { "objects" };
    format!("{more}{} {objects} ({})", data.objects, indicatif::HumanBytes(data.bytes))
}

/// Empties the bucket and deletes the stack, again where rows came in between.
async fn remove(
    context: &Context,
    stack: &Stack,
    removed: &[Removed],
    identity: &Identity,
    timeout: Duration,
) -> Result<()> {
    let bucket = bucket_of(removed);
    for attempt in 1..=ATTEMPTS {
        if let Some(bucket) = bucket {
            if attempt > 1 {
                context.reporter.tell(&Event::EmptyingAgain { bucket: bucket.to_owned(), attempt });
            }
            Emptier::new(context, bucket, identity).empty().await?;
        }
        let ended = operation::delete_stack(context, &stack.id, timeout).await?;
        let Some(status) = ended.status.filter(|status| !status.is(Known::DeleteComplete)) else {
            return Ok(());
        };
        let not_empty = ended.failures.iter().any(|failure| fault::is_bucket_not_empty(&failure.reason));
        if !not_empty || attempt == ATTEMPTS {
            return Err(operation::failed(context, Operation::Delete, &status, &ended.cause).into());
        }
    }
    Ok(())
}
