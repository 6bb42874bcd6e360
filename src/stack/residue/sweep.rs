//! Looks for all that may be left of an environment, removes what is ours, and looks again until nothing comes back.
//!
//! It works without a stack: what a stack left, what somebody made half, and what came after its end is found by the
//! derived names and by the tag.

mod ending;

use super::Emptier;
use super::ask::{Answered, Question, ask, late_log_group, questions};
use super::kept::Heed;
use super::ledger::{Ledger, Left, Named, Verdict};
use super::remove::remove;
use super::thing::{Kind as Of, Thing};
use super::whose::{Whose, whose};
use crate::cloud::Identity;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::state::Stack;
use crate::stack::{Context, poll};
use anyhow::Result;
use futures_util::future::{BoxFuture, join_all};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked, at most. Deleted things can still be seen for a moment, and others come late.
const LOOKS: u32 = 8;
/// How many looks in a row have to find nothing, once one has found something.
const CLEAN: u32 = 2;
/// How long to wait before a look, in seconds, by its number: reads settle within seconds.
const SETTLING: [u64; LOOKS as usize] = [0, 1, 2, 4, 8, 8, 8, 8];

/// What is done right before a bucket is removed: the last chance to save what came late.
pub type BeforeBucket<'a> = Box<dyn Fn() -> BoxFuture<'a, Result<()>> + Send + Sync + 'a>;

/// One sweep.
pub struct Sweep<'a> {
    /// The environment.
    pub context: &'a Context,
    /// The caller.
    pub identity: &'a Identity,
    /// Where it is written down.
    pub ledger: &'a Ledger,
    /// The stack that was deleted: a look may still show it.
    pub stack_id: Option<&'a str>,
    /// Whether the bucket stays.
    pub heed: &'a Heed<'a>,
    /// Whether it was agreed to lose what a bucket holds: one that only a later look finds was never shown.
    pub data_is_agreed: AtomicBool,
    /// What is done before a bucket goes.
    pub before_bucket: Option<BeforeBucket<'a>>,
    /// When the command began.
    pub began: Instant,
    /// How long each question and each removal may take, and all of it where nothing is left to do but to wait.
    pub at_most: Duration,
}

/// How a sweep ended.
pub enum Swept {
    /// Nothing is left. What was asked for.
    Clean(Vec<String>),
    /// Somebody has brought an environment of that name up: what is there is theirs.
    BroughtUpAgain(Box<Stack>),
}

/// What one look found.
pub struct Look {
    answers: Vec<Answered>,
    /// What is there and is ours.
    pub things: Vec<Thing>,
    /// The environment's stack, where it is there.
    stack: Option<Stack>,
    /// What is there, and nobody could find out whose it is.
    unsure: Vec<(Thing, Error)>,
    /// What is there and can't be removed here, with its command.
    strangers: Vec<Left>,
    /// When it began.
    began: Instant,
    /// Whether it was for log groups alone.
    only_logs: bool,
}

impl Look {
    /// Whether a stack of another name bears our tag: then what is there may be what it holds.
    pub fn is_anothers(&self) -> bool {
        self.strangers.iter().any(|stranger| stranger.service == "stack")
    }
}

/// What a sweep has learnt so far.
#[derive(Default)]
struct Learnt {
    /// What nobody could ask for, and why.
    unknown: Vec<(Question, Error)>,
    /// What couldn't be removed, and why.
    failed: BTreeMap<Thing, Error>,
}

impl Learnt {
    /// Whether nobody could ask for what couldn't be removed, so that it may be gone: who lacks a permission is told the
    /// same of what is there and of what isn't.
    fn is_untold(&self, thing: &Thing) -> bool {
        self.unknown.iter().any(|(question, _)| question.is_about(thing))
    }
}

impl<'a> Sweep<'a> {
    /// Looks once, at everything.
    pub async fn look(&self) -> Look {
        let all = questions(self.context, self.identity);
        self.look_for(all).await
    }

    async fn look_for(&self, all: Vec<Question>) -> Look {
        let began = Instant::now();
        let answers = ask(self.context, self.identity, all, self.at_most).await;
        let name = self.context.environment.stack();
        let (mut things, mut stack, mut strangers) = (Vec::new(), None, Vec::new());
        for answer in answers.iter().filter_map(|answered| answered.answer.as_ref().ok()) {
            things.extend(answer.things.iter().cloned());
            for found in &answer.stacks {
                match found.name == name {
                    true => stack = Some(found.clone()),
                    false => strangers.push(self.anothers_stack(found)),
                }
            }
            strangers.extend(answer.strangers.iter().map(|arn| Left {
                service: "thing".to_owned(),
                name: arn.clone(),
                remove: None,
                because: Some(
                    "it bears the environment's tag, and is of a kind that this tool doesn't know".to_owned(),
                ),
            }));
        }
        things.sort();
        things.dedup();
        things.retain(|thing| !self.heed.keeps() || thing.kind != Of::Bucket);
        let whose = things.iter().map(|thing| {
            poll::patiently(self.context, self.at_most, || whose(self.context, self.identity, thing))
        });
        let whose = join_all(whose).await;
        let (mut ours, mut unsure) = (Vec::new(), Vec::new());
        for (thing, whose) in things.into_iter().zip(whose) {
            match whose {
                Ok(Whose::Ours) => ours.push(thing),
                Ok(Whose::Nobodys) => {}
                Ok(Whose::Anothers(environment)) => self.leave_alone(&thing, &environment),
                Err(error) => unsure.push((thing, Error::of(&error))),
            }
        }
        Look { answers, things: ours, stack, unsure, strangers, began, only_logs: false }
    }

    /// Looks for log groups once more when a function that was deleted has written its last lines, which can make one
    /// anew. `None` where the last look came after them, or the time is over before.
    async fn look_late(&self, learnt: &Learnt, looked: Instant) -> Option<Look> {
        let until = self.ledger.take_last_lines().filter(|until| *until > looked)?;
        let wait = until.saturating_duration_since(Instant::now());
        let mut questions = self.unless_unknown(learnt);
        questions.retain(Question::is_about_log_groups);
        if questions.is_empty() || self.began.elapsed() + wait > self.at_most {
            return None;
        }
        // What is over in a moment is not worth a word.
        if wait >= Duration::from_secs(1) {
            let group = late_log_group(self.context);
            self.context.reporter.tell(&Event::LastLines { group, seconds: wait.as_secs_f64() });
        }
        tokio::time::sleep(wait).await;
        Some(Look { only_logs: true, ..self.look_for(questions).await })
    }

    fn anothers_stack(&self, stack: &Stack) -> Left {
        let because = "it bears the environment's tag under another name: what it holds is its own";
        self.of_stack(stack, because.to_owned())
    }

    fn leave_alone(&self, thing: &Thing, environment: &str) {
        if self.ledger.not_ours(Named::from(thing)) {
            self.context.reporter.tell(&Event::NotOurs {
                service: thing.kind.word().to_owned(),
                name: thing.name.clone(),
                because: format!("its tag says that it belongs to the environment {environment}"),
            });
        }
    }

    /// Sweeps until nothing comes back. `first`: what was just seen, where it was agreed to remove that.
    pub async fn run(&self, mut first: Option<Look>) -> Result<Swept> {
        let mut learnt = Learnt { failed: self.ledger.all_refused(), ..Learnt::default() };
        let (mut found_any, mut clean, mut pending) = (false, 0, Vec::new());
        for number in 0..LOOKS {
            let look = match first.take() {
                Some(look) => look,
                None => {
                    tokio::time::sleep(Duration::from_secs(SETTLING[number as usize])).await;
                    self.look_for(self.unless_unknown(&learnt)).await
                }
            };
            self.note(&look);
            let (looked, only_logs) = (look.began, look.only_logs);
            if let Some(stack) = self.somebodys(look.stack.clone()) {
                return Ok(Swept::BroughtUpAgain(Box::new(stack)));
            }
            let is_anothers = look.is_anothers();
            for Answered { question, answer, .. } in look.answers {
                if let Err(error) = answer {
                    learnt.unknown.push((question, error));
                }
            }
            if is_anothers {
                pending = look.strangers;
                break;
            }
            // What couldn't be removed may have gone without us.
            let unknown = &learnt.unknown;
            learnt.failed.retain(|thing, _| {
                let not_asked = only_logs && thing.kind != Of::LogGroup;
                not_asked
                    || look.things.contains(thing)
                    || unknown.iter().any(|(question, _)| question.is_about(thing))
            });
            learnt.failed.extend(look.unsure);
            let things: Vec<Thing> =
                look.things.into_iter().filter(|thing| !learnt.failed.contains_key(thing)).collect();
            pending = things.iter().map(|thing| self.of(thing, None)).collect();
            pending.extend(look.stack.iter().map(|stack| self.still_there(stack)));
            pending.extend(look.strangers);
            if pending.is_empty() {
                clean += 1;
                if !found_any || clean == CLEAN {
                    first = self.look_late(&learnt, looked).await;
                    if first.is_none() {
                        break;
                    }
                    (found_any, clean) = (false, 0);
                }
                continue;
            }
            (found_any, clean) = (true, 0);
            if things.is_empty() {
                // What is of a kind that nobody knows stays.
                if look.stack.is_none() {
                    break;
                }
                continue;
            }
            // Whatever was there before this look can't belong to a stack that comes after it.
            let name = self.context.environment.stack();
            if let Some(stack) = self.somebodys(poll::find(self.context, &name, self.at_most).await?) {
                return Ok(Swept::BroughtUpAgain(Box::new(stack)));
            }
            self.ledger.changing();
            learnt.failed.extend(self.remove_all(things).await?);
        }
        self.verdict(learnt, pending)
    }

    /// The stack, unless it is the one that was deleted, as a look may still show it.
    fn somebodys(&self, stack: Option<Stack>) -> Option<Stack> {
        stack.filter(|stack| self.stack_id != Some(stack.id.as_str()))
    }

    fn unless_unknown(&self, learnt: &Learnt) -> Vec<Question> {
        let mut all = questions(self.context, self.identity);
        all.retain(|question| learnt.unknown.iter().all(|(unknown, _)| unknown != question));
        all
    }

    /// Removes them, what writes to others first and buckets last. Returns those that couldn't be removed.
    async fn remove_all(&self, mut things: Vec<Thing>) -> Result<BTreeMap<Thing, Error>> {
        things.sort();
        let mut failed = BTreeMap::new();
        let (writers, rest): (Vec<Thing>, Vec<Thing>) =
            things.into_iter().partition(|thing| thing.kind == Of::DeliveryStream);
        let (buckets, rest): (Vec<Thing>, Vec<Thing>) =
            rest.into_iter().partition(|thing| thing.kind == Of::Bucket);
        for mut group in [writers, rest, buckets] {
            self.leave_kept(&mut group, &mut failed).await;
            let has_bucket = group.iter().any(|thing| thing.kind == Of::Bucket);
            if let Some(before) = self.before_bucket.as_ref().filter(|_| has_bucket) {
                before().await?;
            }
            let removals = group.iter().map(|thing| async move {
                self.refuse_unagreed(thing).await?;
                remove(self.context, self.identity, thing, self.at_most).await
            });
            let removals = join_all(removals).await;
            for (thing, removal) in group.into_iter().zip(removals) {
                match removal {
                    Ok(()) => {
                        self.ledger.removed(Named::from(&thing));
                        let service = thing.kind.word().to_owned();
                        self.context.reporter.tell(&Event::LeftoverRemoved { service, name: thing.name });
                    }
                    Err(error) => drop(failed.insert(thing, Error::of(&error))),
                }
            }
        }
        Ok(failed)
    }

    /// Takes the environment's bucket out where somebody keeps it, or where nobody may know.
    async fn leave_kept(&self, group: &mut Vec<Thing>, failed: &mut BTreeMap<Thing, Error>) {
        let bucket = self.context.environment.bucket(&self.identity.account, &self.context.clients.region);
        let is_it = |thing: &Thing| thing.kind == Of::Bucket && thing.name == bucket;
        let Some(place) = group.iter().position(is_it) else { return };
        match self.heed.look().await {
            Ok(false) => {}
            Ok(true) => drop(group.remove(place)),
            Err(error) => drop(failed.insert(group.remove(place), Error::of(&error))),
        }
    }

    /// Refuses to lose rows that nobody agreed to lose.
    async fn refuse_unagreed(&self, thing: &Thing) -> Result<()> {
        if thing.kind != Of::Bucket || self.data_is_agreed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (context, bucket) = (self.context, &thing.name);
        let count = || async { Emptier::new(context, bucket, self.identity).count().await };
        let held = poll::patiently(context, self.at_most, count).await?;
        if held.objects == 0 {
            return Ok(());
        }
        let message =
            format!("{bucket} turned up late, with {} objects that nobody agreed to lose", held.objects);
        Err(Error::new(Kind::Refused, message)
            .remedy(format!("Look at it, then run `{}`.", context.invocation.command("down --yes")))
            .into())
    }

    /// Writes down what was answered.
    fn note(&self, look: &Look) {
        for Answered { question, answer, at } in &look.answers {
            let verdict = match answer {
                Err(_) => Verdict::Unknown,
                Ok(answer) if answer.not_asked.is_some() => Verdict::NotAsked,
                Ok(answer) if answer.is_nothing() => Verdict::Gone,
                Ok(answer) if self.heed.keeps() && answer.things.iter().all(|it| it.kind == Of::Bucket) => {
                    Verdict::Kept
                }
                Ok(answer) if !answer.stacks.is_empty() || !answer.strangers.is_empty() => Verdict::Left,
                Ok(answer) => self.of_things(&answer.things),
            };
            let named = Named::new(question.service(), question.name());
            match verdict {
                Verdict::Kept => self.ledger.kept(named),
                Verdict::Gone => self.ledger.not_kept(&named),
                _ => {}
            }
            self.ledger.asked(question, answer, *at, verdict);
        }
    }

    /// Of what is there, what isn't ours counts least.
    fn of_things(&self, things: &[Thing]) -> Verdict {
        match things.iter().all(|thing| self.ledger.is_not_ours(&Named::from(thing))) {
            true => Verdict::NotOurs,
            false => Verdict::Left,
        }
    }
}
