//! Deletes a stack and its bucket.

use super::OnlyIf;
use super::export::Export;
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::{DataFound, Event};
use crate::stack::operation::Terms;
use crate::stack::plan::Operation;
use crate::stack::residue::kept::Heed;
use crate::stack::residue::{Emptier, Kind as Of, Ledger, Named, Thing, remove_thing};
use crate::stack::state::Stack;
use crate::stack::{Context, inspect, operation, poll};
use anyhow::Result;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often a bucket that is part of the deletion is emptied when rows keep coming.
const ATTEMPTS: u32 = 10;

/// What became of a bucket's emptying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emptied {
    /// It holds nothing any more.
    Wholly,
    /// It can't be emptied, whoever tries it how often.
    Stays,
}

/// One deletion. It can be repeated at any point.
pub struct Deletion<'a> {
    pub context: &'a Context,
    pub identity: &'a Identity,
    pub stack: &'a Stack,
    /// The role that CloudFormation acts under, where it isn't the stack's.
    pub role_arn: Option<&'a str>,
    /// The environment's bucket, where there is one of ours and it goes, too.
    pub bucket: Option<&'a str>,
    /// What it holds, where that was counted.
    pub data: Option<&'a DataFound>,
    /// Asked once more where somebody else acts on the stack before it goes.
    pub only_if: Option<&'a OnlyIf>,
    /// Where the bucket's data is saved before it goes.
    pub export: Option<&'a Export<'a>>,
    pub ledger: Option<&'a Ledger>,
    /// Whether the bucket stays after all.
    pub heed: Option<&'a Heed<'a>>,
    pub at_most: Duration,
}

impl Deletion<'_> {
    /// Deletes the stack, with the bucket being emptied meanwhile, then the bucket: nothing is left then that could
    /// write to it. `events`: those so far, where somebody has just read them.
    pub async fn go(&self, mut events: Option<Vec<String>>) -> Result<()> {
        let Deletion { context, identity, stack, bucket, at_most, .. } = *self;
        let emptier = bucket.map(|bucket| Emptier::new(context, bucket, identity).expecting(self.data));
        // What is to be saved can't be deleted before the last of it has come; and where the stack may stay after all,
        // its data has to.
        let at_once = self.export.is_none() && self.only_if.is_none();
        let meanwhile = emptier.as_ref().filter(|_| at_once);
        let mut helped = false;
        for attempt in 1..=ATTEMPTS {
            let (accepted, begun) = oneshot::channel();
            let terms = Terms {
                role_arn: self.role_arn,
                before: events.take(),
                only_if: self.only_if,
                accepted: Some(accepted),
            };
            let deletion = operation::delete_stack(context, &stack.id, terms, at_most);
            // Not a moment sooner: a stack that can't be deleted after all (somebody has just protected it) keeps its
            // data.
            let emptying = async {
                match begun.await {
                    Ok(()) => self.empty(meanwhile).await,
                    Err(_) => Ok(Emptied::Wholly),
                }
            };
            let (ended, emptied) = tokio::join!(deletion, emptying);
            let ended = ended?;
            if let Some(ledger) = self.ledger {
                ledger.last_lines(ended.last_lines);
            }
            let stays = emptied? == Emptied::Stays;
            if ended.stack.is_none() {
                break;
            }
            // A stack whose template says that the bucket goes with it: made by hand, or by somebody else's copy.
            let not_empty = ended.failures.iter().any(|failure| fault::is_bucket_not_empty(&failure.reason));
            if !not_empty && !helped && self.help().await? {
                helped = true;
                continue;
            }
            let (Some(bucket), true) = (bucket, not_empty && !stays && attempt < ATTEMPTS) else {
                return Err(operation::failed(context, identity, Operation::Delete, &ended).into());
            };
            let bucket = bucket.to_owned();
            context.reporter.tell(&Event::EmptyingAgain { bucket, attempt: attempt + 1 });
            if let Some(export) = self.export {
                export.until_nothing_is_new().await?;
            }
            if self.empty(emptier.as_ref()).await? == Emptied::Stays {
                return Err(operation::failed(context, identity, Operation::Delete, &ended).into());
            }
        }
        let Some(emptier) = emptier else { return Ok(()) };
        // Somebody else's `down --keep-data` may have deleted the very same stack.
        match self.is_kept().await {
            Ok(false) => {}
            Ok(true) => return Ok(()),
            Err(error) => return self.unless_it_stays(Err(error)).map(drop),
        }
        if let Some(export) = self.export {
            export.until_nothing_is_new().await?;
        }
        self.unless_it_stays(poll::patiently(context, at_most, || emptier.remove_and_tell()).await).map(drop)
    }

    /// Removes what CloudFormation failed to remove: its role may lack what the caller may do, and what is gone stands in
    /// no deletion's way. False where that didn't help: then CloudFormation's own reason is what has to be mended.
    async fn help(&self) -> Result<bool> {
        let Deletion { context, identity, stack, at_most, .. } = *self;
        let look = || inspect::resources(context, &stack.id);
        let resources = poll::patiently(context, at_most, look).await?;
        let failed = resources.iter().filter(|it| it.status == "DELETE_FAILED");
        let things: Option<Vec<Thing>> = failed
            .map(|it| Thing::of_resource(&it.resource_type, it.physical_id.as_deref()?))
            .map(|thing| thing.filter(|thing| thing.kind != Of::Bucket))
            .collect();
        let Some(mut things) = things.filter(|things| !things.is_empty()) else { return Ok(false) };
        things.sort();
        for thing in things {
            if remove_thing(context, identity, &thing, at_most).await.is_err() {
                return Ok(false);
            }
            let service = thing.kind.word().to_owned();
            context.reporter.tell(&Event::LeftoverRemoved { service, name: thing.name });
        }
        Ok(true)
    }

    async fn empty(&self, emptier: Option<&Emptier<'_>>) -> Result<Emptied> {
        let Some(emptier) = emptier else { return Ok(Emptied::Wholly) };
        match self.is_kept().await {
            Ok(false) => {}
            Ok(true) => return Ok(Emptied::Stays),
            Err(error) => return self.unless_it_stays(Err(error)),
        }
        self.unless_it_stays(poll::patiently(self.context, self.at_most, || emptier.empty()).await)
    }

    async fn is_kept(&self) -> Result<bool> {
        match self.heed {
            Some(heed) => heed.look().await,
            None => Ok(false),
        }
    }

    /// What is left is asked, and named, at the end: a bucket that somebody else owns now is in nobody's way, and one
    /// that S3 refuses to empty or to remove stays, with all else gone.
    fn unless_it_stays(&self, ended: Result<()>) -> Result<Emptied> {
        let Err(error) = ended else { return Ok(Emptied::Wholly) };
        let (known, Some(bucket)) = (Error::of(&error), self.bucket) else { return Err(error) };
        if let Some(ledger) = self.ledger.filter(|_| fault::is_lasting_refusal(&known)) {
            ledger.refused(Thing::new(Of::Bucket, bucket), known);
            return Ok(Emptied::Stays);
        }
        if known.kind != Kind::Refused {
            return Err(error);
        }
        let named = Named::new(Of::Bucket.word(), bucket);
        if self.ledger.is_none_or(|ledger| ledger.not_ours(named)) {
            let (service, name) = (Of::Bucket.word().to_owned(), bucket.to_owned());
            self.context.reporter.tell(&Event::NotOurs { service, name, because: known.message });
        }
        Ok(Emptied::Stays)
    }
}

/// Deletes the stack, and this bucket with all that it holds, unless somebody keeps that meanwhile.
pub async fn remove(
    context: &Context,
    stack: &Stack,
    bucket: Option<&str>,
    identity: &Identity,
    at_most: Duration,
) -> Result<()> {
    let heed = Heed::new(context, identity, true, false, at_most);
    let deletion = Deletion {
        context,
        identity,
        stack,
        role_arn: None,
        bucket,
        data: None,
        only_if: None,
        export: None,
        ledger: None,
        heed: Some(&heed),
        at_most,
    };
    deletion.go(None).await
}
