//! Tells a pipeline's runner what it understands. On stderr alone, beside the words: stdout is for data, and a
//! runner reads both.

use super::super::Verbosity;
use super::super::fit::Page;
use super::super::{Paint, words};
use super::github::{self, Level};
use super::stage::{Stage, stage};
use super::story::Story;
use super::{Pipeline, gitlab, summary};
use crate::error::Error;
use crate::event::{Done, Event};
use crate::stack::plan::Plan;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many looks that fail one after another are worth an annotation.
const STORM: u32 = 3;

/// Tells the runner.
pub struct Runner {
    pipeline: Pipeline,
    verb: &'static str,
    env: String,
    verbosity: Verbosity,
    /// The file of the job's summary, and that of the step's outputs.
    files: Files,
    state: Mutex<State>,
}

/// Where GitHub reads what a step adds.
#[derive(Debug, Default)]
pub struct Files {
    /// `GITHUB_STEP_SUMMARY`.
    pub summary: Option<PathBuf>,
    /// `GITHUB_OUTPUT`.
    pub output: Option<PathBuf>,
}

struct State {
    err: Box<dyn Write + Send>,
    /// The name and the title of the fold that is open.
    open: Option<(String, String)>,
    /// How many were opened so far.
    opened: u32,
    /// The title of the deployment that is under way.
    deployment: Option<String>,
    story: Story,
    /// Looks that failed one after another.
    failed_looks: u32,
}

impl Runner {
    /// On this process's stderr and on the files that the runner's variables name. `None` where nobody would
    /// understand it.
    pub fn of(pipeline: Pipeline, verb: &'static str, env: &str, verbosity: Verbosity) -> Option<Self> {
        let file = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let files = match pipeline {
            Pipeline::Github => Files { summary: file("GITHUB_STEP_SUMMARY"), output: file("GITHUB_OUTPUT") },
            Pipeline::Gitlab => Files::default(),
            Pipeline::Off | Pipeline::Plain => return None,
        };
        Some(Self::on(pipeline, verb, env, verbosity, files, Box::new(io::stderr())))
    }

    pub(super) fn on(
        pipeline: Pipeline,
        verb: &'static str,
        env: &str,
        verbosity: Verbosity,
        files: Files,
        err: Box<dyn Write + Send>,
    ) -> Self {
        let state =
            State { err, open: None, opened: 0, deployment: None, story: Story::default(), failed_looks: 0 };
        Runner { pipeline, verb, env: env.to_owned(), verbosity, files, state: Mutex::new(state) }
    }

    /// Before an event is told in words: folds open and close.
    pub fn before(&self, event: &Event) {
        let mut state = self.lock();
        match stage(event) {
            Stage::Outside => self.close_in(&mut state),
            Stage::Same => {}
            Stage::In(title) => {
                if matches!(event, Event::OperationStarted { .. } | Event::OperationInProgress { .. }) {
                    state.deployment = Some(title.clone());
                }
                self.open_in(&mut state, title);
            }
            Stage::Deployment => {
                let title = state.deployment.clone().unwrap_or_else(|| "Deployment".to_owned());
                self.open_in(&mut state, title);
            }
        }
    }

    /// After it was told.
    pub fn after(&self, event: &Event) {
        let said = words::line(event, Page::endless(Paint(false)));
        let mut state = self.lock();
        state.story.hear(event, said.as_deref());
        let warning = match event {
            Event::Recovering { .. } | Event::Retrying { .. } => said,
            Event::PollFailed { reason, .. } => {
                state.failed_looks += 1;
                (state.failed_looks == STORM).then(|| {
                    format!("{STORM} looks at the stack failed one after another, and it is looked at again: {reason}")
                })
            }
            Event::Resource(_) => {
                state.failed_looks = 0;
                None
            }
            _ => None,
        };
        if let Some(text) = warning.filter(|_| self.verbosity > Verbosity::Quiet) {
            self.annotate(&mut state, Level::Warning, &text);
        }
        if let Event::Done(done) = event {
            self.done(&mut state, done);
        }
    }

    /// Ends the fold that is open: what follows is for everybody.
    pub fn close(&self) {
        self.close_in(&mut self.lock());
    }

    /// The command ended with a plan.
    pub fn planned(&self, plan: &Plan) {
        let mut state = self.lock();
        let changes = |yes: bool| yes.to_string();
        self.outputs(
            &mut state,
            &[
                ("stack".to_owned(), plan.stack.clone()),
                ("changed".to_owned(), changes(plan.changed)),
                ("loses-data".to_owned(), changes(plan.loses_data)),
            ],
        );
        self.summary(&mut state, &summary::plan(plan, &self.env));
    }

    /// The environment is up: its outputs, whatever comes after that.
    pub fn deployed(&self, done: &Done) {
        // The tour runs several commands, and none of them is what the job is about.
        if self.verb == done.command {
            self.outputs(&mut self.lock(), &github::outputs(done));
        }
    }

    /// The command failed.
    pub fn failed(&self, error: &Error) {
        let mut state = self.lock();
        self.close_in(&mut state);
        let mut message = error.message.clone();
        let lines = error.cause.iter().chain(&error.meaning).map(|line| format!("\n{line}"));
        message.extend(lines);
        message.extend(error.remedies.iter().map(|remedy| format!("\n→ {remedy}")));
        self.annotate(&mut state, Level::Error, &message);
        if self.verb == "reap" {
            let counts = state.story.fates.counts();
            self.outputs(&mut state, &github::counts(&counts));
        }
        if matches!(self.verb, "up" | "down" | "plan" | "smoke" | "reap") {
            let text = summary::failed(self.verb, &self.env, error, &state.story);
            self.summary(&mut state, &text);
        }
    }

    fn done(&self, state: &mut State, done: &Done) {
        if self.verb != done.command {
            return;
        }
        // Those of `up` are told before: see `deployed`.
        if matches!(self.verb, "down" | "extend") {
            self.outputs(state, &github::outputs(done));
        }
        if self.verb == "reap" {
            let counts = state.story.fates.counts();
            self.outputs(state, &github::counts(&counts));
        }
        if matches!(self.verb, "up" | "down" | "smoke" | "reap") {
            let text = summary::done(done, &self.env, &state.story);
            self.summary(state, &text);
        }
    }

    fn outputs(&self, state: &mut State, outputs: &[(String, String)]) {
        let Some(path) = &self.files.output else { return };
        let delimiter = format!("end-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let text = github::output_file(outputs, &delimiter);
        let added = add_to(path).and_then(|mut file| file.write_all(text.as_bytes()));
        self.check(state, "GITHUB_OUTPUT", added);
    }

    fn summary(&self, state: &mut State, text: &str) {
        let Some(path) = &self.files.summary else { return };
        // Where it is full, not even the end of somebody else's last line has room.
        if path.metadata().is_ok_and(|file| file.len() >= summary::LONGEST as u64) {
            return;
        }
        let added = add_to(path).and_then(|mut file| {
            let taken = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
            let room = summary::LONGEST.saturating_sub(taken);
            file.write_all(summary::cut(text, room).as_bytes())
        });
        self.check(state, "GITHUB_STEP_SUMMARY", added);
    }

    /// What can't be written is no reason to fail: the environment stands.
    fn check(&self, state: &mut State, variable: &str, added: io::Result<()>) {
        if let Err(error) = added {
            self.annotate(state, Level::Warning, &format!("cannot add to the file of {variable}: {error}"));
        }
    }

    fn annotate(&self, state: &mut State, level: Level, message: &str) {
        if self.pipeline == Pipeline::Github {
            let title = format!("kinesis-stack {}", self.verb);
            state.say(&github::annotation(level, title.trim_end(), message));
        }
    }

    fn open_in(&self, state: &mut State, title: String) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        if state.open.as_ref().is_some_and(|(_, open)| *open == title) {
            return;
        }
        self.close_in(state);
        state.opened += 1;
        let name = format!("kinesis_stack_{}_{}", self.verb.replace(' ', "_"), state.opened);
        state.say(&match self.pipeline {
            Pipeline::Gitlab => gitlab::section_start(&name, &title, now()),
            _ => github::group(&title),
        });
        state.open = Some((name, title));
    }

    fn close_in(&self, state: &mut State) {
        let Some((name, _)) = state.open.take() else { return };
        state.say(&match self.pipeline {
            Pipeline::Gitlab => gitlab::section_end(&name, now()),
            _ => github::END_GROUP.to_owned(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn say(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}").and_then(|()| self.err.flush());
    }
}

impl Drop for Runner {
    /// However it ended: no fold stays open over what comes after us.
    fn drop(&mut self) {
        self.close();
    }
}

/// Opens a file to add whole lines to it, also where somebody else left its last line without an end.
fn add_to(path: &PathBuf) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.is_file() && file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
