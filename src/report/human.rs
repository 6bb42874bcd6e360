//! Events for people: live progress on a terminal, plain lines elsewhere.

mod ending;

pub use ending::outputs;

use super::fit::Page;
use super::live::{Live, Screen};
use super::retagging::{Own, Retagging};
use super::{Look, Paint, Pipeline, ToStdout, Verbosity, failure, retagging, words};
use crate::error::Error;
use crate::event::{Consumed, Done, Event, Progress, Question, Reporter, ResourceEvent, Usual};
use ending::{ending, next};
use std::collections::BTreeMap;
use std::io::{self, BufRead, ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Speaks to people.
pub struct Human {
    verbosity: Verbosity,
    interactive: bool,
    /// Whether what is done stands in the title of a fold already.
    folds: bool,
    paint: Paint,
    paint_stdout: Paint,
    /// How many columns stdout has, where it is a terminal.
    stdout_width: Option<usize>,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    err: Screen,
    /// Why the outputs could not be written, where that happened.
    lost: Option<String>,
    /// A question waits for its answer.
    asking: bool,
    /// What a question may be about, where it is told only to somebody who is asked.
    subject: Option<Event>,
    /// The last count of rows that was said.
    rows: Option<u64>,
    /// When a log was last told how far the emptying of a bucket is.
    emptying: Every,
    /// The same for a download.
    exporting: Every,
    /// When it was last told how far a consumer is.
    consuming: Every,
    /// An update that changes tags alone.
    retagging: Option<Retagging>,
    /// How long what was begun usually takes: told once more when it has ended.
    usual: BTreeMap<String, Usual>,
}

/// A block that moves shows so many tickers, and still fits 24 lines.
const SHOWN_TICKERS: usize = 12;

/// A line in a log each ten seconds, by the clock of what is told.
#[derive(Default)]
struct Every {
    last: f64,
}

impl Every {
    fn is_due(&mut self, seconds: Option<f64>) -> bool {
        let Some(seconds) = seconds else { return false };
        // A clock that stands before the last line is another one's.
        let last = if seconds < self.last { 0.0 } else { self.last };
        let is_due = seconds - last >= 10.0;
        self.last = if is_due { seconds } else { last };
        is_due
    }
}

impl Human {
    /// Speaks on stdout and stderr.
    pub fn new(look: &Look) -> Self {
        let err = if look.live {
            Screen::Live(Box::new(Live::stderr(Paint(look.color_stderr))))
        } else {
            Screen::Plain(Box::new(io::stderr()))
        };
        Self::on(look, Box::new(ToStdout::new()), err)
    }

    pub(super) fn on(look: &Look, out: Box<dyn Write + Send>, err: Screen) -> Self {
        Human {
            verbosity: look.verbosity,
            interactive: look.interactive,
            folds: matches!(look.pipeline, Pipeline::Github | Pipeline::Gitlab),
            paint: Paint(look.color_stderr),
            paint_stdout: Paint(look.color_stdout),
            stdout_width: look.stdout_is_terminal.then(|| console::Term::stdout().size().1.into()),
            state: Mutex::new(State {
                out,
                err,
                lost: None,
                asking: false,
                subject: None,
                rows: None,
                emptying: Every::default(),
                exporting: Every::default(),
                consuming: Every::default(),
                retagging: None,
                usual: BTreeMap::new(),
            }),
        }
    }

    /// A line for people that is no event.
    pub fn note(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            self.lock().err.line(text);
        }
    }

    /// The end of a command that failed.
    pub fn failure(&self, error: &Error) {
        let mut state = self.lock();
        if std::mem::take(&mut state.asking) {
            // A signal came instead of an answer: the cursor still stands behind the question.
            eprintln!();
        }
        state.err.clear();
        let text = failure::render(error, state.err.page(self.paint));
        state.err.line(text.trim_end());
    }

    /// Why the outputs could not be written, where that happened.
    pub fn lost(&self) -> Option<String> {
        self.lock().lost.clone()
    }

    /// What comes before a question.
    fn lead_in(&self) {
        let mut state = self.lock();
        state.err.clear();
        let page = state.err.page(self.paint);
        if let Some(text) = state.subject.take().and_then(|event| words::line(&event, page)) {
            state.err.line(&text);
        }
        state.asking = true;
    }

    /// How far a consumer is: a moving line, unless the records themselves go to the same terminal. With `-v` a line
    /// each ten seconds besides.
    fn consuming(&self, state: &mut State, consumed: &Consumed) {
        if self.verbosity == Verbosity::Verbose && state.consuming.is_due(Some(consumed.seconds)) {
            state.err.line(&words::consumed_so_far(consumed));
        }
        match &mut state.err {
            Screen::Live(live)
                if consumed.records == 0 || self.stdout_width.is_none() || live.has_block() =>
            {
                live.current(&words::consuming(consumed));
            }
            Screen::Live(_) => state.err.clear(),
            Screen::Plain(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self, state: &mut State, done: &Done) {
        state.err.clear();
        let quiet = self.verbosity == Verbosity::Quiet;
        if !quiet && let Some(line) = ending(done, self.paint) {
            state.err.line(&line);
        }
        if let Some(outputs) = done.outputs.as_ref().filter(|outputs| !outputs.is_empty()) {
            let text = self::outputs(outputs, self.paint_stdout, self.stdout_width);
            let written = state.out.write_all(text.as_bytes()).and_then(|()| state.out.flush());
            if let Err(error) = written
                && error.kind() != ErrorKind::BrokenPipe
            {
                state.lost = Some(error.to_string());
            }
        }
        if !quiet && !done.next.is_empty() {
            let text = next(&done.next, state.err.page(self.paint));
            state.err.line(&format!("Next:\n{}", text.trim_end()));
        }
    }
}

impl State {
    /// Whether the line of a resource is no more than one of many in a log.
    fn gathers(&mut self, event: &Event, paint: Paint) -> bool {
        match event {
            Event::Retagging { .. } if matches!(self.err, Screen::Plain(_)) => {
                self.retagging = Some(Retagging::default());
            }
            Event::Plan(plan) if matches!(self.err, Screen::Plain(_)) => {
                self.retagging = retagging::changes_tags_alone(plan).then(Retagging::default);
            }
            Event::Resource(resource) => match self.retagging.as_mut().map(|it| it.hear(resource, paint)) {
                Some(Own::Left) => return true,
                Some(Own::Last(all)) => {
                    self.retagging = None;
                    self.err.line(&all);
                }
                Some(Own::Shown) | None => {}
            },
            _ => {}
        }
        false
    }

    /// The same with its usual time, where that was told when it began.
    fn remember(&mut self, resource: &ResourceEvent) -> ResourceEvent {
        let name = &resource.logical_id;
        let usual = match (resource.progress, resource.usual) {
            (Progress::Working, Some(usual)) => {
                self.usual.insert(name.clone(), usual);
                Some(usual)
            }
            (Progress::Working, None) => {
                self.usual.remove(name);
                None
            }
            (_, usual) => usual.or(self.usual.remove(name)),
        };
        ResourceEvent { usual, ..resource.clone() }
    }
}

impl Reporter for Human {
    fn tell(&self, event: &Event) {
        let mut state = self.lock();
        let needed = match event {
            Event::Done(done) => return self.done(&mut state, done),
            Event::Call { .. } => Verbosity::Verbose,
            // Words that the title of its fold has said already.
            Event::OperationStarted { .. } if self.folds => return,
            _ => Verbosity::Normal,
        };
        if self.verbosity < needed {
            match event {
                // What a question is about has to be seen by who answers it.
                Event::Plan(_) | Event::Removal { .. } | Event::Due { .. } => {
                    state.subject = Some(event.clone())
                }
                Event::OperationStarted { .. } | Event::Reaping { .. } => state.subject = None,
                _ => {}
            }
            return;
        }
        if let Event::WaitingForRows { rows, .. } = event
            && state.rows.replace(*rows) == Some(*rows)
        {
            return;
        }
        if let Event::Emptying { seconds, .. } = event
            && matches!(state.err, Screen::Plain(_))
            && !state.emptying.is_due(*seconds)
        {
            return;
        }
        if let Event::Exporting { seconds, .. } = event
            && matches!(state.err, Screen::Plain(_))
            && !state.exporting.is_due(Some(*seconds))
        {
            return;
        }
        if let Event::Consuming(consumed) = event {
            return self.consuming(&mut state, consumed);
        }
        if self.verbosity < Verbosity::Verbose && state.gathers(event, self.paint) {
            return;
        }
        let remembered;
        let event = match event {
            Event::Resource(resource) => {
                remembered = Event::Resource(state.remember(resource));
                &remembered
            }
            event => event,
        };
        let page = state.err.page(self.paint);
        match (&mut state.err, event) {
            (Screen::Live(live), Event::Resource(resource)) => live.resource(resource),
            // Its moving lines say the same.
            (Screen::Live(live), Event::Waiting { resources }) => live.set_clocks(resources),
            // Rows are about to follow on stdout: no moving line may stand where they go.
            (screen @ Screen::Live(_), Event::WaitingForRows { rows, wanted }) if rows >= wanted => {
                screen.clear()
            }
            (
                Screen::Live(live),
                Event::Producing(_)
                | Event::Exporting { .. }
                | Event::Emptying { .. }
                | Event::WaitingForRows { .. }
                | Event::SmokeWaiting { .. }
                | Event::ProcessorBuilding { .. }
                | Event::LocalInstalling { .. }
                | Event::LocalStarting { .. },
            ) => {
                live.current(&words::line(event, page).unwrap_or_default());
            }
            (Screen::Live(live), Event::Counted(statistics)) => {
                live.block(&words::counted(statistics, SHOWN_TICKERS, page.paint));
            }
            // In a log a line a quarter of a second is too much.
            (Screen::Plain(_), Event::Producing(_) | Event::Counted(_) | Event::SmokeWaiting { .. }) => {}
            (screen, event) => {
                match (&mut *screen, event) {
                    (Screen::Live(live), Event::Plan(plan)) => live.expect(plan.changes.len()),
                    (Screen::Live(live), Event::Removal { resources, .. }) => live.expect(resources.len()),
                    (
                        Screen::Live(live),
                        Event::OperationStarted { .. } | Event::OperationInProgress { .. },
                    ) => live.begin(),
                    (Screen::Live(live), Event::Cancelling { .. }) => live.turn_back(),
                    _ => {}
                }
                if let Some(line) = words::line(event, page) {
                    screen.settle(event);
                    screen.line(&line);
                }
            }
        }
    }

    fn tell_of(&self, env: &str, event: &Event) {
        // Many at once: a moving line for each would be none for anybody.
        if self.verbosity < Verbosity::Verbose {
            return;
        }
        let mut state = self.lock();
        let page = state.err.page(self.paint);
        if let Some(text) = words::line(event, page) {
            let lines: Vec<String> = text.lines().map(|line| format!("{env}: {line}")).collect();
            state.err.line(&lines.join("\n"));
        }
    }

    fn ask(&self, question: &Question) -> Option<bool> {
        if !self.interactive {
            return None;
        }
        self.lead_in();
        let answer = ask_at_terminal(question);
        self.lock().asking = false;
        Some(answer)
    }
}

/// Asks on stderr and reads a line of stdin. Anything but yes is no.
pub fn ask_at_terminal(question: &Question) -> bool {
    let columns = console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns).max(40));
    let mut stderr = io::stderr();
    let asked = asked(question, Page { paint: Paint(false), width: columns });
    let _ = write!(stderr, "{asked}").and_then(|()| stderr.flush());
    let mut line = String::new();
    let _ = io::stdin().lock().read_line(&mut line);
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// The question as it is shown. The answer is typed behind it, so that it leaves room for that.
fn asked(question: &Question, page: Page) -> String {
    let page = Page { width: page.width.map(|width| width.saturating_sub(" yes".len())), ..page };
    page.wrap(&format!("{}? [y/N]", question.text)) + " "
}

#[cfg(test)]
mod tests;
