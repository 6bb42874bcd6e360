//! Looks for all that may be left of an environment, removes what is ours, and looks again until nothing comes back.
//!
//! It works without a stack: what a stack left, what somebody made half, and what came after its end is found by the
//! derived names and by the tag.

use super::Emptier;
use super::ask::{Answered, Question, ask, questions};
use super::ledger::{Ledger, Left, Named, Verdict};
use super::remove::remove;
use super::thing::{Kind as Of, Thing};
use super::whose::{Whose, whose};
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::state::Stack;
use crate::stack::{Context, poll};
use anyhow::Result;
use futures_util::future::{BoxFuture, join_all};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    pub keep_bucket: bool,
    /// Whether it was agreed to lose what a bucket holds: one that only a later look finds was never shown.
    pub data_is_agreed: AtomicBool,
    /// What is done before a bucket goes.
    pub before_bucket: Option<BeforeBucket<'a>>,
    /// How long each question and each removal may take.
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

impl<'a> Sweep<'a> {
    /// Looks once, at everything.
    pub async fn look(&self) -> Look {
        let all = questions(self.context, self.identity);
        self.look_for(all).await
    }

    async fn look_for(&self, all: Vec<Question>) -> Look {
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
        things.retain(|thing| !self.keep_bucket || thing.kind != Of::Bucket);
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
        Look { answers, things: ours, stack, unsure, strangers }
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
            tokio::time::sleep(Duration::from_secs(SETTLING[number as usize])).await;
            let look = match first.take() {
                Some(look) => look,
                None => self.look_for(self.unless_unknown(&learnt)).await,
            };
            self.note(&look);
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
                look.things.contains(thing) || unknown.iter().any(|(question, _)| question.is_about(thing))
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
                    break;
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
        for group in [writers, rest, buckets] {
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
                Ok(answer) if self.keep_bucket && answer.things.iter().all(|it| it.kind == Of::Bucket) => {
                    Verdict::Kept
                }
                Ok(answer) if !answer.stacks.is_empty() || !answer.strangers.is_empty() => Verdict::Left,
                Ok(answer) => self.of_things(&answer.things),
            };
            if verdict == Verdict::Kept {
                self.ledger.kept(Named::new(question.service(), question.name()));
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

    fn of(&self, thing: &Thing, because: Option<String>) -> Left {
        let command = thing.removal(&self.context.clients.region);
        Left {
            service: thing.kind.word().to_owned(),
            name: thing.name.clone(),
            remove: Some(self.context.invocation.aws(&command)),
            because,
        }
    }

    fn still_there(&self, stack: &Stack) -> Left {
        self.of_stack(stack, format!("it is {}", stack.status))
    }

    fn of_stack(&self, stack: &Stack, because: String) -> Left {
        let (name, region) = (&stack.name, &self.context.clients.region);
        let delete = format!("cloudformation delete-stack --stack-name {name} --region {region}");
        Left {
            service: "stack".to_owned(),
            name: name.clone(),
            remove: Some(self.context.invocation.aws(&delete)),
            because: Some(because),
        }
    }

    /// Nothing is left; else an error names what is, and what nobody was allowed to ask for.
    fn verdict(&self, learnt: Learnt, pending: Vec<Left>) -> Result<Swept> {
        let failed = learnt.failed.iter().map(|(thing, error)| self.of(thing, Some(error.to_string())));
        let left: Vec<Left> = failed.chain(pending).collect();
        self.ledger.left(left.clone());
        let mut checked = Vec::new();
        for question in self.unless_unknown(&learnt) {
            let (service, name) = (question.service().to_owned(), question.name());
            let is_left = match self.ledger.verdict(&question) {
                Some(Verdict::Gone | Verdict::NotOurs) => {
                    checked.push(question.told());
                    false
                }
                Some(Verdict::Left) => true,
                _ => continue,
            };
            self.context.reporter.tell(&Event::Checked { service, name, left: is_left });
        }
        if left.is_empty() && learnt.unknown.is_empty() {
            return Ok(Swept::Clean(checked));
        }
        Err(self.error(&learnt, &left).into())
    }

    fn error(&self, learnt: &Learnt, left: &[Left]) -> Error {
        let name = &self.context.environment.name;
        let unasked: Vec<String> = learnt.unknown.iter().map(|(question, _)| question.told()).collect();
        let unasked = format!("nobody knows whether this is left, too: {}", unasked.join(", "));
        let mut remedies: Vec<String> = Vec::new();
        let errors = learnt.failed.values().chain(learnt.unknown.iter().map(|(_, error)| error));
        let of_errors = errors.flat_map(|error| error.remedies.iter().cloned());
        for remedy in left.iter().filter_map(|left| left.remove.clone()).chain(of_errors) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        let unknown_because = learnt.unknown.first().and_then(|(_, error)| error.cause.clone());
        let error = if left.is_empty() {
            let kind = learnt.unknown.first().map_or(Kind::Failed, |(_, error)| error.kind);
            let message = format!("{name} has no stack any more, but {unasked}").replace(", too:", ":");
            Error::new(kind, message).because(unknown_because.unwrap_or_default())
        } else {
            let names: Vec<String> =
                left.iter().map(|left| format!("{} {}", left.service, left.name)).collect();
            let message = format!("{name} has no stack, but left behind: {}", names.join(", "));
            // Credentials that are over say nothing of what is left for good.
            let mut errors = learnt.failed.values().chain(learnt.unknown.iter().map(|(_, error)| error));
            let is_over = errors.any(|it| it.kind == Kind::Credentials && !fault::is_lasting_refusal(it));
            let error = Error::new(if is_over { Kind::Credentials } else { Kind::Leftovers }, message);
            let because = left.iter().find_map(|left| left.because.clone());
            match (because, learnt.unknown.is_empty()) {
                (None, true) => error,
                (Some(because), true) => error.because(because),
                (because, false) => {
                    let unknown = unknown_because.unwrap_or_default();
                    let because = because.map(|because| format!("{because}; ")).unwrap_or_default();
                    error.because(format!("{because}{unasked}: {unknown}"))
                }
            }
        };
        let error = remedies.into_iter().fold(error, Error::remedy);
        match learnt.unknown.is_empty() && learnt.failed.is_empty() {
            true => error,
            false => error.remedy(format!("Then `{}` asks again.", self.context.invocation.command("down"))),
        }
    }
}
