//! The engine of stacks: the only code that changes an account's stacks or reads them.

mod cadence;
pub(crate) mod changeset;
pub mod code;
pub mod cost;
pub mod diagnose;
pub mod down;
pub mod drift;
pub mod extend;
pub mod fleet;
pub mod inspect;
mod interrupt;
pub mod lifetime;
pub(crate) mod operation;
mod path;
pub mod plan;
pub(crate) mod poll;
pub mod protection;
mod quota;
pub mod ready;
pub mod reap;
mod recover;
pub mod residue;
pub mod state;
pub mod status;
pub mod up;
mod usual;
pub mod watch;

use crate::clock::Clock;
use crate::cloud::{Clients, Identity, fault};
use crate::environment::Environment;
use crate::event::{Question, Reporter};
use crate::settings::Invocation;
use crate::signals::Signals;
use crate::template::Architecture;
use anyhow::{Context as _, Result};
use std::sync::Arc;
use std::time::Duration;

/// What every operation needs: which environment, how to reach the account, whom to tell.
#[derive(Clone)]
pub struct Context {
    /// The environment.
    pub environment: Environment,
    /// The way to the account.
    pub clients: Clients,
    /// Whom to tell.
    pub reporter: Arc<dyn Reporter>,
    /// How the next command is typed.
    pub invocation: Invocation,
    /// How it is told to stop.
    pub signals: Signals,
    /// What time it is.
    pub clock: Clock,
}

/// Whether questions are answered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Every question is put to a person, where one is there.
    Ask,
    /// Every answer is yes.
    Given,
}

/// How a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    Nobody,
}

/// How long an operation is watched, and what was agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conduct {
    /// Whether questions are answered already.
    pub consent: Consent,
    /// When to stop watching.
    pub timeout: Duration,
}

impl Context {
    pub(crate) async fn ask(&self, consent: Consent, text: String) -> Result<Answer> {
        if consent == Consent::Given {
            return Ok(Answer::Yes);
        }
        let reporter = self.reporter.clone();
        // Reading a terminal blocks; a signal has to be heard meanwhile.
        let answer = tokio::task::spawn_blocking(move || reporter.ask(&Question { text })).await;
        Ok(match answer.context("the question was interrupted")? {
            Some(true) => Answer::Yes,
            Some(false) => Answer::No,
            None => Answer::Nobody,
        })
    }
}

/// Who calls. Where no answer comes at all, that is told soon: the network is gone, or was never there.
pub(crate) async fn identity(context: &Context, at_most: Duration) -> Result<Identity> {
    const SOON: Duration = Duration::from_secs(30);
    let ask = || context.clients.identity();
    match poll::patiently(context, at_most.min(SOON), ask).await {
        Err(error) if fault::passes_by_an_answer(&error) => poll::patiently(context, at_most, ask).await,
        ended => ended,
    }
}

/// Lambda's own name for an architecture, as one of ours.
pub fn architecture_of(name: &str) -> Option<Architecture> {
    [Architecture::X86_64, Architecture::Arm64].into_iter().find(|architecture| architecture.name() == name)
}
