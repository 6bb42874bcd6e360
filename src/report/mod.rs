//! The only code that prints: events, answers and failures, for people, for programs, for pipelines.

mod ci;
pub mod dashboard;
pub mod dotenv;
mod echo;
mod failure;
mod fit;
mod fleet;
mod human;
mod json;
mod live;
mod logs;
mod plan;
mod reaper;
mod resource;
mod retagging;
#[cfg(test)]
mod schema;
mod screen;
pub mod smoke;
mod stdout;
mod table;
mod terminal;
mod tested;
#[cfg(test)]
mod testing;
mod words;

pub use ci::Pipeline;
pub use logs::LogLines;
pub use stdout::ToStdout;
pub use table::Table;
pub use tested::TestedLines;

use crate::cli::{Ci, Color, Output};
use crate::data::spell_controls;
use crate::error::Error;
use crate::event::{Done, Reporter};
use crate::local;
use crate::stack::fleet::Seen;
use crate::stack::inspect::Inspection;
use crate::stack::plan::Plan;
use ci::{InPipeline, Runner};
use fit::Page;
use human::Human;
use json::JsonLines;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Data, questions and errors.
    Quiet,
    /// And what happens.
    Normal,
    /// And each call made.
    Verbose,
}

/// How to print, settled once.
#[derive(Debug, Clone)]
pub struct Look {
    /// For people or for programs.
    pub output: Output,
    /// How much is said.
    pub verbosity: Verbosity,
    /// Whether stdout gets colour.
    pub color_stdout: bool,
    /// Whether stderr gets colour.
    pub color_stderr: bool,
    /// Whether stderr is a terminal that can show progress.
    pub live: bool,
    /// Whether a person is there to answer: stdin and stderr are terminals.
    pub interactive: bool,
    /// Whether stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// What runs us.
    pub pipeline: Pipeline,
}

impl Look {
    /// Settles it from what was typed and from what the process is attached to.
    pub fn new(output: Output, color: Color, quiet: bool, verbose: bool, ci: Ci) -> Self {
        let pipeline = Pipeline::new(ci, |name| std::env::var(name).ok());
        let is_unattended = pipeline.is_unattended();
        let (stdin, stdout, stderr) =
            (io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal());
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colored = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !is_set("NO_COLOR") && !is_dumb,
        };
        let verbosity = match (quiet, verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        Look {
            output,
            verbosity,
            color_stdout: colored(stdout),
            color_stderr: colored(stderr),
            live: stderr && !is_dumb && output == Output::Text && !is_unattended,
            interactive: stdin && stderr && !is_unattended,
            stdout_is_terminal: stdout,
            pipeline,
        }
    }
}

/// What a verb's stdout is for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    /// One object for each event, the last of them the end.
    Events,
    /// One document, of the answer or of the failure. Events go to stderr, in words.
    Document,
    /// Data in a form of its own (rows, a template). Everything else goes to stderr, in words.
    Data,
}

/// Where the events of a function on AWS go: stdout, a JSON object each, which is its log.
pub fn function_log() -> Arc<dyn Reporter> {
    let look = Look::new(Output::Json, Color::Never, false, false, Ci::Off);
    Arc::new(JsonLines::new(&look, "", Box::new(ToStdout::new())))
}

/// Prints what a command of one environment says.
#[derive(Clone)]
pub struct Printer {
    look: Look,
    human: Arc<Human>,
    /// For programs, where stdout is theirs.
    json: Option<(Stdout, Arc<JsonLines>)>,
    /// For the pipeline that runs us, where it understands more than words.
    runner: Option<Arc<Runner>>,
}

impl Printer {
    /// Prints to the process's stdout and stderr.
    pub fn new(look: Look, verb: &'static str, env: &str, stdout: Stdout) -> Self {
        let is_json = look.output == Output::Json && stdout != Stdout::Data;
        let json = is_json.then(|| (stdout, Arc::new(JsonLines::new(&look, env, Box::new(ToStdout::new())))));
        let runner = Runner::of(look.pipeline, verb, env, look.verbosity).map(Arc::new);
        Printer { human: Arc::new(Human::new(&look)), json, runner, look }
    }

    /// Where the engines' events go.
    pub fn reporter(&self) -> Arc<dyn Reporter> {
        let reporter: Arc<dyn Reporter> = match &self.json {
            Some((Stdout::Events, json)) => json.clone(),
            _ => self.human.clone(),
        };
        match &self.runner {
            Some(runner) => Arc::new(InPipeline { runner: runner.clone(), reporter }),
            None => reporter,
        }
    }

    /// How it prints.
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// The environment is up, and what the command is about goes on: whatever that comes to, the next steps of a
    /// pipeline need to know what is there.
    pub fn deployed(&self, done: &Done) {
        if let Some(runner) = &self.runner {
            runner.deployed(done);
        }
    }

    /// The end of a command that failed: for people always, for programs where stdout is theirs.
    pub fn failure(&self, error: &Error) {
        self.unfold();
        if let Some((_, json)) = &self.json {
            json.failure(error);
        }
        self.human.failure(error);
        if let Some(runner) = &self.runner {
            runner.failed(error);
        }
    }

    /// Why something that programs read could not be written, where that happened.
    pub fn lost(&self) -> Option<String> {
        self.json.as_ref().and_then(|(_, json)| json.lost()).or_else(|| self.human.lost())
    }

    /// What follows is an answer: it stands in no fold of a pipeline's log.
    fn unfold(&self) {
        if let Some(runner) = &self.runner {
            runner.close();
        }
    }

    /// How lines of logs are shown on stdout.
    pub fn log_lines(&self) -> LogLines {
        LogLines::new(self.look.output, self.page(Paint(self.look.color_stdout)))
    }

    /// How what becomes of records is shown on stdout.
    pub fn tested_lines(&self) -> TestedLines {
        TestedLines::new(self.look.output, Paint(self.look.color_stdout))
    }

    /// The screen of `status`.
    pub fn status(&self, inspection: &Inspection) -> io::Result<()> {
        self.document(inspection, |paint| {
            screen::status(inspection, jiff::Timestamp::now(), self.page(paint))
        })
    }

    /// The screen of `list`.
    pub fn list(&self, environments: &[Seen], all_regions: bool) -> io::Result<()> {
        if environments.is_empty() && self.look.output == Output::Text {
            self.human.note("There is no environment here.");
            return Ok(());
        }
        self.document(&environments, |paint| {
            fleet::list(environments, all_regions, jiff::Timestamp::now(), self.page(paint))
        })
    }

    /// The screen of `plan`.
    pub fn plan(&self, plan: &Plan) -> io::Result<()> {
        self.document(plan, |paint| plan::plan(plan, self.page(paint)))?;
        if let Some(runner) = &self.runner {
            runner.planned(plan);
        }
        Ok(())
    }

    /// The screen of `reaper status`.
    pub fn reaper(&self, status: &crate::reaper::status::Status) -> io::Result<()> {
        self.document(status, |paint| reaper::status(status, jiff::Timestamp::now(), self.page(paint)))
    }

    /// What `consume --stats` counted.
    pub fn statistics(&self, statistics: &crate::data::Statistics) -> io::Result<()> {
        match self.look.output {
            // One line, like every other that `consume` writes for programs.
            Output::Json => {
                self.text(&(spell_controls(&serde_json::to_string(statistics)?).into_owned() + "\n"))
            }
            Output::Text => self.document(statistics, |paint| words::counted(statistics, usize::MAX, paint)),
        }
    }

    /// The screen of `local status`.
    pub fn local(&self, status: &local::Status) -> io::Result<()> {
        self.document(status, |paint| screen::local(status, self.page(paint)))
    }

    /// What is written on stdout: a terminal has an edge, a file has none.
    fn page(&self, paint: Paint) -> Page {
        let columns = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns).max(40));
        Page { paint, width: columns.filter(|_| self.look.stdout_is_terminal) }
    }

    /// One document: the value itself for programs, its words for people.
    pub fn document<T: Serialize>(&self, value: &T, words: impl FnOnce(Paint) -> String) -> io::Result<()> {
        self.unfold();
        let text = match self.look.output {
            Output::Json => serde_json::to_string_pretty(value)?,
            Output::Text => words(Paint(self.look.color_stdout)),
        };
        let mut stdout = ToStdout::new();
        writeln!(stdout, "{}", text.trim_end())?;
        stdout.flush()
    }

    /// Text as it is.
    pub fn text(&self, text: &str) -> io::Result<()> {
        self.unfold();
        let mut stdout = ToStdout::new();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

/// Leaves the terminal as it was. The last thing that is done.
pub fn leave_terminal() {
    echo::on();
}

/// Where data goes that is no document: rows.
pub fn stdout() -> impl Write {
    io::BufWriter::with_capacity(64 * 1024, ToStdout::new())
}

/// The same for data that is passed on as it is: on a terminal it can't move the cursor.
pub fn stdout_for(is_terminal: bool) -> Box<dyn Write> {
    if is_terminal { Box::new(stdout::OnTerminal(stdout())) } else { Box::new(stdout()) }
}

/// Whether text gets colour, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    fn style(self, style: console::Style, text: &str) -> String {
        style.force_styling(self.0).apply_to(text).to_string()
    }

    /// It ended well.
    pub fn good(self, text: &str) -> String {
        self.style(console::Style::new().green(), text)
    }

    /// It ended badly, or is about to.
    pub fn bad(self, text: &str) -> String {
        self.style(console::Style::new().red().bold(), text)
    }

    /// Needs a look.
    pub fn warn(self, text: &str) -> String {
        self.style(console::Style::new().yellow(), text)
    }

    /// Less important.
    pub fn dim(self, text: &str) -> String {
        self.style(console::Style::new().dim(), text)
    }

    /// More important.
    pub fn strong(self, text: &str) -> String {
        self.style(console::Style::new().bold(), text)
    }
}
