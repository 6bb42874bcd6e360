//! Output for a pipeline: what runs us, and what it is told beside the words that everybody reads.

mod fates;
mod github;
mod gitlab;
mod runner;
mod stage;
mod story;
mod summary;

pub(super) use runner::Runner;

use crate::cli;
use crate::event::{Event, Question, Reporter};
use std::sync::Arc;

/// What runs us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipeline {
    /// A person, or a program that wants no more than our words.
    Off,
    /// A pipeline of any kind: nobody is there to answer, and nothing moves.
    Plain,
    /// GitHub Actions.
    Github,
    /// GitLab.
    Gitlab,
}

impl Pipeline {
    /// Settles it from what was typed, else from the variables that runners set.
    pub fn new(choice: cli::Ci, variable: impl Fn(&str) -> Option<String>) -> Self {
        let says = |name: &str| variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        match choice {
            cli::Ci::Github => Pipeline::Github,
            cli::Ci::Gitlab => Pipeline::Gitlab,
            cli::Ci::Plain => Pipeline::Plain,
            cli::Ci::Off => Pipeline::Off,
            cli::Ci::Auto if says("GITHUB_ACTIONS") => Pipeline::Github,
            cli::Ci::Auto if says("GITLAB_CI") => Pipeline::Gitlab,
            cli::Ci::Auto => match variable("CI").as_deref() {
                None | Some("" | "0") => Pipeline::Off,
                Some(value) if value.eq_ignore_ascii_case("false") => Pipeline::Off,
                Some(_) => Pipeline::Plain,
            },
        }
    }

    /// Whether nobody is there: no question, and no line that moves.
    pub fn is_unattended(self) -> bool {
        self != Pipeline::Off
    }
}

/// Tells the runner what it understands, around the words for everybody.
pub(super) struct InPipeline {
    /// Tells the runner.
    pub runner: Arc<Runner>,
    /// Tells everybody else.
    pub reporter: Arc<dyn Reporter>,
}

impl Reporter for InPipeline {
    fn tell(&self, event: &Event) {
        self.runner.before(event);
        self.reporter.tell(event);
        self.runner.after(event);
    }

    fn tell_of(&self, env: &str, event: &Event) {
        self.reporter.tell_of(env, event);
    }

    fn ask(&self, _: &Question) -> Option<bool> {
        None
    }
}

#[cfg(test)]
mod tests;
