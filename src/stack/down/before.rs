//! What is looked at, refused and agreed to before anything is deleted.

use super::{BUCKET, Wish};
use crate::cloud::Identity;
use crate::cloud::bucket::Bucket as There;
use crate::error::{Error, Kind};
use crate::event::{DataFound, Event, Removed};
use crate::stack::inspect::{self, Resource};
use crate::stack::residue::{Emptier, Kind as Of, Ledger, Thing, Whose, whose};
use crate::stack::state::Stack;
use crate::stack::status::Known;
use crate::stack::{Answer, Consent, Context, operation, poll, protection};
use anyhow::Result;
use std::time::Duration;
use tokio::time::Instant;

/// How long a look at the stack may be trusted.
pub const FRESH: Duration = Duration::from_secs(5);

/// The stack and what it holds, as they were just read.
pub struct Found {
    pub stack: Option<Stack>,
    resources: Vec<Resource>,
    /// The events so far, where nothing can have come since.
    pub events: Option<Vec<String>>,
    looked: Instant,
}

impl Found {
    /// All three are asked by name, at once: whose stack it is, the first tells.
    pub async fn look(context: &Context, at_most: Duration) -> Result<Self> {
        let name = context.environment.stack();
        let (stack, resources, events) = tokio::try_join!(
            poll::find(context, &name, at_most),
            poll::patiently(context, at_most, || inspect::resources(context, &name)),
            poll::events_so_far(context, &name, at_most)
        )?;
        Ok(Found { stack, resources, events: Some(events), looked: Instant::now() })
    }

    /// The same stack once more.
    pub async fn look_again(self, context: &Context, at_most: Duration) -> Result<Self> {
        let Some(stack) = self.stack else { return Ok(self) };
        let (found, resources) = tokio::try_join!(
            poll::find(context, &stack.id, at_most),
            poll::patiently(context, at_most, || inspect::resources(context, &stack.id))
        )?;
        Ok(Found { stack: found, resources, events: None, looked: Instant::now() })
    }

    /// Whether somebody deletes it already.
    pub fn is_being_deleted(&self) -> bool {
        self.stack.as_ref().is_some_and(|stack| stack.status.is(Known::DeleteInProgress))
    }

    /// Whether what was read is still to be trusted.
    pub fn is_fresh(&self) -> bool {
        self.looked.elapsed() < FRESH
    }

    /// Refuses what may not be deleted. Waits for somebody's operation to end, so that the deletion isn't refused; a
    /// deletion is simply joined.
    pub async fn refuse_or_settle(
        mut self,
        context: &Context,
        identity: &Identity,
        wish: &Wish,
        ledger: &Ledger,
    ) -> Result<Self> {
        while let Some(stack) = &self.stack {
            refuse(context, identity, wish, stack).await?;
            if stack.status.settled() {
                break;
            }
            let ended = operation::attach(context, stack, wish.timeout).await?;
            ledger.last_lines(ended.last_lines);
            self = self.look_again(context, wish.timeout).await?;
        }
        Ok(self)
    }

    /// The environment's bucket, where it is there and ours. One that the stack holds is.
    pub async fn bucket(
        &self,
        context: &Context,
        identity: &Identity,
        at_most: Duration,
    ) -> Result<Option<String>> {
        let bucket = context.environment.bucket(&identity.account, &context.clients.region);
        let is_it = |it: &Removed| it.resource_type == BUCKET && it.physical_id == bucket;
        if self.removed(None).iter().any(is_it) {
            return Ok(Some(bucket));
        }
        let look = || context.clients.whose(&bucket, &identity.account);
        if poll::patiently(context, at_most, look).await? != There::Ours {
            return Ok(None);
        }
        let thing = Thing::new(Of::Bucket, &bucket);
        let whose = poll::patiently(context, at_most, || whose(context, identity, &thing)).await?;
        Ok((whose == Whose::Ours).then_some(bucket))
    }

    /// What the stack calls this bucket, where it holds it.
    pub fn held_bucket(&self, bucket: Option<&str>) -> Option<&str> {
        let is_it = |it: &&Resource| {
            it.resource_type == BUCKET
                && it.physical_id.as_deref() == bucket
                && it.status != "DELETE_COMPLETE"
        };
        self.resources.iter().find(is_it).filter(|_| bucket.is_some()).map(|it| it.logical_id.as_str())
    }

    /// What goes: what of the stack's resources is there, and the bucket, where the stack doesn't hold it.
    pub fn removed(&self, bucket: Option<&str>) -> Vec<Removed> {
        let there = self.resources.iter().filter(|resource| resource.status != "DELETE_COMPLETE");
        let mut removed: Vec<Removed> = there
            .filter_map(|resource| {
                let physical_id = resource.physical_id.clone().filter(|id| !id.is_empty())?;
                Some(Removed {
                    logical_id: resource.logical_id.clone(),
                    resource_type: resource.resource_type.clone(),
                    physical_id,
                })
            })
            .collect();
        if let Some(bucket) = bucket.filter(|bucket| removed.iter().all(|it| it.physical_id != *bucket)) {
            removed.push(leftover(&Thing::new(Of::Bucket, bucket)));
        }
        removed
    }
}

/// A thing that no stack holds.
pub fn leftover(thing: &Thing) -> Removed {
    Removed {
        logical_id: thing.kind.logical_id().to_owned(),
        resource_type: thing.kind.resource_type().to_owned(),
        physical_id: thing.name.clone(),
    }
}

/// All that speaks against deleting a stack, in one error.
async fn refuse(context: &Context, identity: &Identity, wish: &Wish, stack: &Stack) -> Result<()> {
    let ours = stack.check_ours(&context.environment);
    let is_ours = ours.is_ok();
    let protected = protection::refuse_deletion(stack, &context.invocation);
    let mut refusals: Vec<Error> =
        [ours, protected].into_iter().filter_map(|it| it.err().map(|error| Error::of(&error))).collect();
    if refusals.is_empty() {
        return Ok(());
    }
    if is_ours && wish.consent == Consent::Ask && wish.loses_data() {
        // Told as well, so that whoever takes the protection away knows what comes next.
        let held = poll::patiently(context, wish.timeout, || data(context, identity)).await?;
        if held.objects > 0 {
            refusals.push(unagreed(context, identity, &held, "nobody has agreed to their loss"));
        }
    }
    Err(all_of(refusals).into())
}

/// Several refusals as one, with the remedies of each.
fn all_of(refusals: Vec<Error>) -> Error {
    const NOTHING: &str = ": nothing was deleted";
    let messages: Vec<&str> = refusals.iter().map(|error| error.message.trim_end_matches(NOTHING)).collect();
    let error = Error::new(Kind::Refused, format!("{}{NOTHING}", messages.join("; ")));
    let remedies = refusals.iter().flat_map(|error| error.remedies.iter().cloned());
    remedies.fold(error, Error::remedy)
}

/// Data would be lost.
fn unagreed(context: &Context, identity: &Identity, data: &DataFound, why: &str) -> Error {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let newest = data.newest.as_ref().map(|newest| format!(", the newest of {newest}")).unwrap_or_default();
    let message = format!("{bucket} holds {}{newest}, and {why}: nothing was deleted", in_words(data));
    let command = |verb: &str| context.invocation.command(verb);
    Error::new(Kind::Refused, message).remedy(format!(
        "Run it again with --yes. Or save the data first (`{}`), or leave the bucket (`{}`).",
        command("down --export DIR"),
        command("down --keep-data")
    ))
}

/// What the environment's bucket holds; nothing where there is none, or where another account has it now.
pub async fn data(context: &Context, identity: &Identity) -> Result<DataFound> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    match Emptier::new(context, &bucket, identity).count().await {
        Err(error) if Error::of(&error).kind == Kind::Refused => {
            Ok(DataFound { complete: true, ..DataFound::default() })
        }
        counted => counted,
    }
}

/// Shows what will go, and asks. With consent given beforehand the data isn't counted: that can take long. Returns what
/// was counted.
pub async fn agree(
    context: &Context,
    identity: &Identity,
    wish: &Wish,
    removed: &[Removed],
) -> Result<Option<DataFound>> {
    let stack = context.environment.stack();
    let goes = |it: &&Removed| !wish.keep_data || it.resource_type != BUCKET;
    let resources: Vec<Removed> = removed.iter().filter(goes).cloned().collect();
    let bucket = resources.iter().find(|it| it.resource_type == BUCKET).map(|it| it.physical_id.clone());
    let data = match (wish.consent, &bucket) {
        (Consent::Ask, Some(_)) => {
            Some(poll::patiently(context, wish.timeout, || data(context, identity)).await?)
        }
        _ => None,
    };
    let holds_data = data.as_ref().is_some_and(|data| data.objects > 0);
    let text = match &data {
        _ if wish.keep_data => format!("Delete {stack} and leave its bucket"),
        Some(data) if holds_data => {
            let saved = wish.export.as_ref().map(|directory| format!(", saved in {}", directory.display()));
            format!("Delete {stack} with {}{}", in_words(data), saved.unwrap_or_default())
        }
        _ => format!("Delete {stack}"),
    };
    context.reporter.tell(&Event::Removal { stack, resources, bucket, data: data.clone() });
    match context.ask(wish.consent, text).await? {
        Answer::Yes => Ok(data),
        Answer::No => Err(Error::new(Kind::Refused, "nothing was deleted").into()),
        Answer::Nobody if !holds_data || !wish.loses_data() => Ok(data),
        Answer::Nobody => {
            let data = data.unwrap_or_default();
            Err(unagreed(context, identity, &data, "nobody is there to agree").into())
        }
    }
}

/// What a bucket holds, in words.
pub fn in_words(data: &DataFound) -> String {
    let more = if data.complete { "" } else { "more than " };
    let objects = if data.objects == 1 { "object" } else { "objects" };
    format!("{more}{} {objects} ({})", data.objects, indicatif::HumanBytes(data.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_refusals_are_one_error_that_says_once_that_nothing_was_deleted() {
        let refusals = vec![
            Error::new(Kind::Refused, "a is protected: nothing was deleted").remedy("one"),
            Error::new(Kind::Refused, "b holds 3 objects: nothing was deleted").remedy("two"),
        ];
        let error = all_of(refusals);
        assert_eq!(error.message, "a is protected; b holds 3 objects: nothing was deleted");
        assert_eq!(error.remedies, ["one", "two"]);
    }
}
