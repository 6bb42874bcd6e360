//! `down`: delete the stack, empty and remove the bucket, and look until nothing is left.
//!
//! The stack leaves its bucket behind on purpose (`RetainExceptOnCreate`): CloudFormation can't delete a bucket
//! that isn't empty, and a dying delivery stream still writes what it holds. So the bucket goes last, when
//! nothing is left that could write.

mod before;
mod deletion;
mod export;

pub use before::{data, in_words};
pub use deletion::remove;

use super::plan::Operation;
use super::residue::kept::{self, Heed};
use super::residue::{BeforeBucket, Ledger, Look, Named, Sweep, Swept, artifacts};
use super::state::Stack;
use super::status::Known;
use super::{Conduct, Consent, Context, identity, interrupt, poll};
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::{Done, Event, NextStep, Removed};
use anyhow::Result;
use before::Found;
use deletion::Deletion;
use export::Export;
use futures_util::FutureExt;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// Whether a stack may be deleted, asked of the stack as it was just read.
pub type OnlyIf = Box<dyn Fn(&Stack) -> Result<()> + Send + Sync>;

/// How an environment is to be torn down.
pub struct Wish {
    /// Whether questions are answered already.
    pub consent: Consent,
    /// When to stop watching.
    pub timeout: Duration,
    /// The role that CloudFormation acts under, where it isn't the stack's or the caller's.
    pub role_arn: Option<String>,
    /// Whether the bucket stays, with what it holds.
    pub keep_data: bool,
    /// Where what the bucket holds is downloaded to before it goes.
    pub export: Option<PathBuf>,
    /// Where what was asked and answered is written to.
    pub proof: Option<PathBuf>,
    /// Asked right before anything is deleted: an error leaves everything as it is.
    pub only_if: Option<OnlyIf>,
}

impl Wish {
    /// The environment goes, with all that it holds.
    pub fn new(conduct: Conduct) -> Self {
        Wish {
            consent: conduct.consent,
            timeout: conduct.timeout,
            role_arn: None,
            keep_data: false,
            export: None,
            proof: None,
            only_if: None,
        }
    }

    /// Whether what the bucket holds would be lost.
    fn loses_data(&self) -> bool {
        !self.keep_data && self.export.is_none()
    }
}

/// Tears the environment down. Told to stop, it stops: what CloudFormation was told to delete goes on. The proof is
/// written however it ends, as soon as anything may have gone.
pub async fn down(context: &Context, wish: Wish) -> Result<Done> {
    let begun = interrupt::Begun::default();
    let ledger = Ledger::new(&context.clock);
    let (began, had) = (Instant::now(), Cell::default());
    let work = Teardown { context, begun: &begun, wish: &wish, ledger: &ledger, began, had };
    let work = work.go().boxed_local();
    let ended = interrupt::unless_told_to_stop(context, &begun, wish.timeout, work).await;
    let error = ended.as_ref().err().map(Error::of);
    // What was refused beforehand proves nothing; that something is left, and what, is as much of a proof as its end.
    let tells = error.as_ref().is_none_or(|error| ledger.has_changed() || error.kind == Kind::Leftovers);
    let Some(path) = wish.proof.as_ref().filter(|_| tells) else {
        return ended;
    };
    let written = ledger.proof(context, error).write(path);
    // Why it failed says more than that this couldn't be written, too.
    ended.and_then(|done| written.map(|()| done))
}

/// One `down`.
struct Teardown<'a> {
    context: &'a Context,
    begun: &'a interrupt::Begun,
    wish: &'a Wish,
    ledger: &'a Ledger,
    began: Instant,
    /// What there was to keep, where that is wished for.
    had: Cell<Had>,
}

/// What a `down --keep-data` found when it began.
#[derive(Debug, Clone, Copy, Default)]
struct Had {
    /// Whether there was a bucket, or a deletion that may have taken it.
    any: bool,
    /// How many objects, where they were counted.
    objects: Option<u64>,
    /// Whether somebody who doesn't keep it may have begun to empty it.
    is_doubtful: bool,
}

impl Teardown<'_> {
    async fn go(&self) -> Result<Done> {
        let Teardown { context, wish, ledger, .. } = *self;
        let (identity, found) =
            tokio::try_join!(identity(context, wish.timeout), Found::look(context, wish.timeout))?;
        ledger.found(&identity, found.stack.as_ref());
        let stack_id = found.stack.as_ref().map(|stack| stack.id.clone());
        if wish.keep_data && found.is_being_deleted() {
            // Whoever deletes it takes its bucket next, unless that is marked.
            let is_kept = kept::is_kept(context, &identity, wish.timeout).await?;
            self.had.set(Had { any: true, objects: None, is_doubtful: !is_kept });
            self.keep(&identity).await?;
        }
        let counts = Box::pin(self.heeds_mark(&identity, &found)).await?;
        let heed = Heed::new(context, &identity, counts, wish.keep_data, wish.timeout);
        let found = Box::pin(found.refuse_or_settle(context, &identity, wish, ledger)).await?;
        let export = wish.export.as_deref().map(|directory| Export::new(context, &identity, directory));
        let sweep = Sweep {
            context,
            identity: &identity,
            ledger,
            stack_id: stack_id.as_deref(),
            heed: &heed,
            data_is_agreed: (wish.consent == Consent::Given).into(),
            before_bucket: export
                .as_ref()
                .map(|export| -> BeforeBucket<'_> { Box::new(|| Box::pin(export.until_nothing_is_new())) }),
            began: Instant::now(),
            at_most: wish.timeout,
        };
        let (changed, first) = match found.stack.is_some() {
            true => {
                Box::pin(self.take_stack(&identity, found, &sweep, export.as_ref())).await?;
                (true, None)
            }
            false => Box::pin(self.take_leftovers(&identity, &sweep, export.as_ref())).await?,
        };
        let (swept, artifacts) = tokio::join!(
            Box::pin(sweep.run(first)),
            artifacts::look(context, &identity, stack_id.as_deref(), wish.timeout)
        );
        let swept = swept?;
        let done = self.done(changed, stack_id.clone(), export.as_ref());
        match swept {
            Swept::Clean(checked) => {
                self.check_kept(&identity, &done).await?;
                let id = stack_id.as_deref();
                let remove =
                    artifacts::remove_unused(context, &identity, ledger, id, artifacts?, wish.timeout);
                Box::pin(remove).await?;
                Ok(Done { checked: Some(checked), ..done })
            }
            Swept::BroughtUpAgain(stack) => {
                ledger.brought_up_again();
                let (stack, stack_id) = (stack.name, stack.id);
                context.reporter.tell(&Event::BroughtUpAgain { stack, stack_id });
                Ok(done)
            }
        }
    }

    /// Whether a mark on the bucket counts, so that it stays. Where a kept bucket is all that there is, that is what is to
    /// be deleted. Beside a stack the mark is an older one, of a bucket that was taken over, or somebody is about to
    /// delete that stack and to keep its data: then it goes within a moment.
    async fn heeds_mark(&self, identity: &Identity, found: &Found) -> Result<bool> {
        let Teardown { context, wish, .. } = *self;
        if wish.keep_data || wish.only_if.is_some() || found.is_being_deleted() {
            return Ok(true);
        }
        match kept::is_kept(context, identity, wish.timeout).await {
            Ok(true) => {}
            Ok(false) => return Ok(true),
            // Who may not ask is told so when the bucket is to go.
            Err(error) if fault::is_lasting_refusal(&Error::of(&error)) => return Ok(true),
            Err(error) => return Err(error),
        }
        let Some(stack) = &found.stack else { return Ok(false) };
        tokio::time::sleep(A_MOMENT).await;
        let now = poll::find(context, &stack.id, wish.timeout).await?;
        Ok(now.is_none_or(|now| now.status.is(Known::DeleteInProgress)))
    }

    /// Whether what was to be kept is still there.
    async fn check_kept(&self, identity: &Identity, done: &Done) -> Result<()> {
        let Teardown { context, wish, ledger, .. } = *self;
        if !wish.keep_data {
            return Ok(());
        }
        let (bucket, had) =
            (context.environment.bucket(&identity.account, &context.clients.region), self.had.get());
        let nothing =
            |is_there| context.reporter.tell(&Event::NothingToKeep { bucket: bucket.clone(), is_there });
        let what = if done.kept.is_empty() {
            if !had.any {
                nothing(false);
                return Ok(());
            }
            format!("so is its bucket {bucket}")
        } else {
            let Some(objects) = had.objects else { return Ok(()) };
            // What can't be counted any more was counted in vain.
            let now = match objects {
                0 => 0,
                _ => before::data(context, identity).await.map_or(objects, |now| now.objects),
            };
            if now >= objects {
                if had.is_doubtful && now == 0 {
                    nothing(true);
                }
                return Ok(());
            }
            format!("so is what its bucket {bucket} held: of {objects} objects there are {now}")
        };
        ledger.changing();
        let stack = context.environment.stack();
        Err(Error::new(Kind::Failed, format!("{stack} is gone, and {what}; it was to be kept"))
            .because("somebody else removed it meanwhile")
            .remedy("Find out who ran `down` or `reap` beside this. What was in it is lost, unless it was copied.")
            .into())
    }

    /// The stack goes, and its bucket, once that is agreed to.
    async fn take_stack(
        &self,
        identity: &Identity,
        mut found: Found,
        sweep: &Sweep<'_>,
        export: Option<&Export<'_>>,
    ) -> Result<()> {
        let Teardown { context, wish, ledger, begun, .. } = *self;
        let bucket = found.bucket(context, identity, wish.timeout).await?;
        let removed = found.removed(bucket.as_deref());
        if wish.keep_data {
            self.count(identity).await;
        }
        if let Some(stack) = found.stack.as_ref().filter(|_| wish.keep_data)
            && let Some(held) = found.held_bucket(bucket.as_deref())
        {
            kept::refuse_unless_left(context, stack, held, wish.timeout).await?;
        }
        let data = before::agree(context, identity, wish, &removed).await?;
        sweep.data_is_agreed.fetch_or(data.is_some(), Ordering::Relaxed);
        if let Some(export) = export {
            export.once().await?;
        }
        // Somebody may have acted while a person thought about it, or while the data was saved.
        if !found.is_fresh() {
            found = found.look_again(context, wish.timeout).await?;
            found = found.refuse_or_settle(context, identity, wish, ledger).await?;
        }
        let Some(stack) = &found.stack else { return Ok(()) };
        wish.only_if.as_ref().map_or(Ok(()), |only_if| only_if(stack))?;
        if wish.keep_data {
            let marked = self.keep(identity).await;
            // Nothing would ever take it for a leftover whose time is over: the mark only tells what it is.
            let is_needed = stack.expires().is_some();
            marked.or_else(|error| match fault::is_lasting_refusal(&Error::of(&error)) && !is_needed {
                true => Ok(()),
                false => Err(error),
            })?;
        }
        begun.acting(Operation::Delete, &stack.id, "");
        ledger.changing();
        let deletion = Deletion {
            context,
            identity,
            stack,
            role_arn: wish.role_arn.as_deref(),
            bucket: bucket.as_deref().filter(|_| !wish.keep_data),
            data: data.as_ref(),
            only_if: wish.only_if.as_ref(),
            export,
            ledger: Some(ledger),
            heed: Some(sweep.heed),
            at_most: wish.timeout,
        };
        deletion.go(found.events.take()).await?;
        for it in removed.iter().filter(|it| !sweep.heed.keeps() || it.resource_type != BUCKET) {
            ledger.removed(Named::new(&it.resource_type, &it.physical_id));
        }
        Ok(())
    }

    /// Without a stack: what is found goes, once that is agreed to. What was found is what is removed first.
    async fn take_leftovers(
        &self,
        identity: &Identity,
        sweep: &Sweep<'_>,
        export: Option<&Export<'_>>,
    ) -> Result<(bool, Option<Look>)> {
        let looked = Instant::now();
        let look = sweep.look().await;
        let removed: Vec<Removed> = look.things.iter().map(before::leftover).collect();
        if removed.is_empty() || look.is_anothers() {
            if self.wish.keep_data && !look.is_anothers() {
                self.keep(identity).await?;
            }
            if let Some(export) = export.filter(|_| self.wish.keep_data) {
                export.once().await?;
            }
            // What is kept is looked at once more at the end.
            return Ok((false, Some(look).filter(|_| !self.wish.keep_data)));
        }
        let data = before::agree(self.context, identity, self.wish, &removed).await?;
        sweep.data_is_agreed.fetch_or(data.is_some(), Ordering::Relaxed);
        if self.wish.keep_data {
            self.keep(identity).await?;
        }
        if let Some(export) = export {
            export.once().await?;
        }
        self.begun.sweeping();
        Ok((true, Some(look).filter(|_| looked.elapsed() < before::FRESH)))
    }

    /// Marks the bucket as kept, and counts what is in it: whoever had begun to empty it sees no mark.
    async fn keep(&self, identity: &Identity) -> Result<()> {
        let mark = kept::keep(self.context, identity, self.wish.timeout);
        let (is_there, ()) = tokio::join!(mark, self.count(identity));
        let had = self.had.get();
        self.had.set(Had { any: had.any || is_there?, ..had });
        Ok(())
    }

    /// Counts what is in the bucket, unless it was counted.
    async fn count(&self, identity: &Identity) {
        if self.had.get().objects.is_none() {
            let objects = before::data(self.context, identity).await.ok().map(|data| data.objects);
            self.had.set(Had { objects, ..self.had.get() });
        }
    }

    fn done(&self, changed: bool, stack_id: Option<String>, export: Option<&Export<'_>>) -> Done {
        let kept = self.ledger.all_kept().into_iter().filter(|kept| kept.service == "bucket");
        let kept: Vec<String> = kept.map(|kept| format!("{} {}", kept.service, kept.name)).collect();
        let next = NextStep {
            command: self.context.invocation.command("up --adopt"),
            does: "bring it up again, with the bucket that was kept".to_owned(),
        };
        Done {
            command: "down".to_owned(),
            changed: Some(changed),
            stack: Some(self.context.environment.stack()),
            stack_id,
            next: (!kept.is_empty()).then_some(next).into_iter().collect(),
            kept,
            exported: export.and_then(Export::told),
            seconds: Some(self.began.elapsed().as_secs_f64()),
            ..Done::default()
        }
    }
}

/// Within which whoever has marked a bucket as kept deletes its stack.
const A_MOMENT: Duration = Duration::from_secs(3);
/// CloudFormation's name for buckets.
const BUCKET: &str = "AWS::S3::Bucket";
