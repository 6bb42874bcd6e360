//! What was asked, answered, removed and left at the end of a `down`, gathered while it happens: the proof.

use super::ask::{Answer, How, Question};
use super::thing::Thing;
use crate::clock::Clock;
use crate::cloud::Identity;
use crate::error::Error;
use crate::files;
use crate::stack::Context;
use crate::stack::state::Stack;
use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The proof, as `down --proof FILE` writes it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Proof {
    /// The version of this tool.
    pub version: String,
    /// The environment's name.
    pub environment: String,
    /// The twelve digits of the account, once they were known.
    pub account: Option<String>,
    /// The region.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// Its ARN, where there was one.
    pub stack_id: Option<String>,
    /// When it was begun, RFC 3339.
    pub began: String,
    /// When it was ended.
    pub ended: String,
    /// How it ended.
    pub end: End,
    /// What each service was asked last, and what it said.
    pub asked: Vec<Asked>,
    /// What was removed.
    pub removed: Vec<Named>,
    /// What was kept on purpose, or since somebody else uses it.
    pub kept: Vec<Named>,
    /// What bears a name of the environment, but another's tag or owner. It was not touched.
    pub not_ours: Vec<Named>,
    /// What is left, with the command that removes it.
    pub left: Vec<Left>,
    /// What the command failed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// How a `down` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Nothing is left, but for what was kept.
    NothingLeft,
    /// Somebody brought an environment of the same name up meanwhile: it was left alone.
    BroughtUpAgain,
    /// Something is left, or nobody knows.
    Failed,
}

/// A question, and what became of it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Asked {
    /// Which service, or kind of thing.
    pub service: String,
    /// Which name, beginning of names, or tag.
    pub name: String,
    /// How it was asked for.
    pub how: How,
    /// What was answered.
    pub answer: Verdict,
    /// Why nobody knows, or it wasn't asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// When it was answered last, RFC 3339.
    pub at: String,
    /// The service's own number of that answer.
    pub request_id: Option<String>,
    /// How often it was asked.
    pub looks: u32,
}

/// What a service said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing is there.
    Gone,
    /// Something is there.
    Left,
    /// It is there, as it was meant to be.
    Kept,
    /// It is there, and not ours.
    NotOurs,
    /// It gave no answer.
    Unknown,
    /// It can't be asked here.
    NotAsked,
}

/// Something of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Named {
    /// What it is.
    pub service: String,
    /// What it is called.
    pub name: String,
}

/// Something that is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Left {
    /// What it is.
    pub service: String,
    /// What it is called.
    pub name: String,
    /// The command that removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove: Option<String>,
    /// Why it wasn't removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Named {
    /// A thing of a service.
    pub fn new(service: impl Into<String>, name: impl Into<String>) -> Self {
        Named { service: service.into(), name: name.into() }
    }
}

impl From<&Thing> for Named {
    fn from(thing: &Thing) -> Self {
        Named::new(thing.kind.word(), &thing.name)
    }
}

/// Gathers the proof.
pub struct Ledger {
    clock: Clock,
    began: Timestamp,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    account: Option<String>,
    stack_id: Option<String>,
    changing: bool,
    brought_up_again: bool,
    asked: Vec<Asked>,
    removed: Vec<Named>,
    kept: Vec<Named>,
    not_ours: Vec<Named>,
    left: Vec<Left>,
    refused: BTreeMap<Thing, Error>,
    last_lines: Option<Instant>,
}

impl Ledger {
    /// An empty one. It begins now.
    pub fn new(clock: &Clock) -> Self {
        Ledger { began: clock.now(), clock: clock.clone(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose account it is, and which stack was found.
    pub fn found(&self, identity: &Identity, stack: Option<&Stack>) {
        let mut state = self.lock();
        state.account = Some(identity.account.clone());
        state.stack_id = stack.map(|stack| stack.id.clone());
    }

    /// From now on things go: whatever happens, there is something to tell.
    pub fn changing(&self) {
        self.lock().changing = true;
    }

    /// Whether anything may have gone.
    pub fn has_changed(&self) -> bool {
        self.lock().changing
    }

    /// Somebody brought an environment of the same name up meanwhile.
    pub fn brought_up_again(&self) {
        self.lock().brought_up_again = true;
    }

    /// It was removed.
    pub fn removed(&self, named: Named) {
        let mut state = self.lock();
        if !state.removed.contains(&named) {
            state.removed.push(named);
        }
    }

    /// It was kept.
    pub fn kept(&self, named: Named) {
        let mut state = self.lock();
        if !state.kept.contains(&named) {
            state.kept.push(named);
        }
    }

    /// It isn't there, or not any more.
    pub fn not_kept(&self, named: &Named) {
        self.lock().kept.retain(|kept| kept != named);
    }

    /// It isn't ours. True where that is told for the first time.
    pub fn not_ours(&self, named: Named) -> bool {
        let mut state = self.lock();
        let is_new = !state.not_ours.contains(&named);
        if is_new {
            state.not_ours.push(named);
        }
        is_new
    }

    /// Whether that was said.
    pub fn is_not_ours(&self, named: &Named) -> bool {
        self.lock().not_ours.contains(named)
    }

    /// What was answered last.
    pub fn verdict(&self, question: &Question) -> Option<Verdict> {
        let (service, name) = (question.service(), question.name());
        let state = self.lock();
        state.asked.iter().find(|it| it.service == service && it.name == name).map(|asked| asked.answer)
    }

    /// It can't be removed, and why: nobody need try again.
    pub fn refused(&self, thing: Thing, because: Error) {
        self.lock().refused.insert(thing, because);
    }

    /// What can't be removed.
    pub fn all_refused(&self) -> BTreeMap<Thing, Error> {
        self.lock().refused.clone()
    }

    /// Until then a function that was deleted may write its last log lines.
    pub fn last_lines(&self, until: Option<Instant>) {
        let mut state = self.lock();
        state.last_lines = state.last_lines.max(until);
    }

    /// Until when they may come. Told once.
    pub fn take_last_lines(&self) -> Option<Instant> {
        self.lock().last_lines.take()
    }

    /// All that is left.
    pub fn left(&self, left: Vec<Left>) {
        self.lock().left = left;
    }

    /// What is kept, in words.
    pub fn all_kept(&self) -> Vec<Named> {
        self.lock().kept.clone()
    }

    /// A question was answered at that moment. `verdict`: what the answer amounts to.
    pub fn asked(
        &self,
        question: &Question,
        answer: &Result<Answer, Error>,
        at: Timestamp,
        verdict: Verdict,
    ) {
        let (request_id, because) = match answer {
            Ok(answer) => (answer.request_id.clone(), answer.not_asked.clone()),
            Err(error) => (None, Some(error.to_string())),
        };
        self.note(Asked {
            service: question.service().to_owned(),
            name: question.name(),
            how: question.how(),
            answer: verdict,
            because,
            at: written(at),
            request_id,
            looks: 1,
        });
    }

    /// The same for what is no question of ours.
    pub fn note(&self, asked: Asked) {
        let mut state = self.lock();
        let before = state.asked.iter().position(|it| it.service == asked.service && it.name == asked.name);
        let looks = before.map_or(0, |place| state.asked[place].looks) + asked.looks;
        let asked = Asked { looks, ..asked };
        match before {
            Some(place) => state.asked[place] = asked,
            None => state.asked.push(asked),
        }
    }

    /// Now, as the proof tells it.
    pub fn now(&self) -> String {
        written(self.clock.now())
    }

    /// The proof so far. `error`: what the command failed with, where it did.
    pub fn proof(&self, context: &Context, error: Option<Error>) -> Proof {
        let state = self.lock();
        Proof {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: context.environment.name.to_string(),
            account: state.account.clone(),
            region: context.clients.region.clone(),
            stack: context.environment.stack(),
            stack_id: state.stack_id.clone(),
            began: written(self.began),
            ended: self.now(),
            end: match error {
                Some(_) => End::Failed,
                None if state.brought_up_again => End::BroughtUpAgain,
                None => End::NothingLeft,
            },
            asked: state.asked.clone(),
            removed: state.removed.clone(),
            kept: state.kept.clone(),
            not_ours: state.not_ours.clone(),
            left: state.left.clone(),
            error,
        }
    }
}

impl Proof {
    /// Writes it down: whole, or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        files::replace(path, text.as_bytes()).map_err(|error| {
            Error::new(crate::error::Kind::Failed, format!("cannot write --proof {}", path.display()))
                .because(error.to_string())
                .remedy("The same command again asks again, and writes it.")
                .into()
        })
    }
}

/// RFC 3339, in milliseconds.
fn written(at: Timestamp) -> String {
    at.round(jiff::Unit::Millisecond).unwrap_or(at).to_string()
}
