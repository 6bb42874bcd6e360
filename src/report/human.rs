//! Events for people: live progress on a terminal, plain lines elsewhere.

use super::fit::Page;
use super::live::{Live, Screen};
use super::{Look, Paint, Pipeline, Table, Verbosity, failure, words};
use crate::error::Error;
use crate::event::{Done, Event, NextStep, Progress, Question, Reckoning, Reporter, ResourceEvent, Usual};
use console::measure_text_width;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
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
    /// A question waits for its answer.
    asking: bool,
    /// What a question may be about, where it is told only to somebody who is asked.
    subject: Option<Event>,
    /// The last count of rows that was said.
    rows: Option<u64>,
    /// When a log was last told how far the emptying of a bucket is.
    emptying: Every,
    /// How long what was begun usually takes: told once more when it has ended.
    usual: BTreeMap<String, Usual>,
}

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
            Screen::Live(Live::stderr(Paint(look.color_stderr)))
        } else {
            Screen::Plain(Box::new(io::stderr()))
        };
        Self::on(look, Box::new(io::stdout()), err)
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
                asking: false,
                subject: None,
                rows: None,
                emptying: Every::default(),
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
            let _ = state.out.write_all(text.as_bytes()).and_then(|()| state.out.flush());
        }
        if !quiet && !done.next.is_empty() {
            let text = next(&done.next, state.err.page(self.paint));
            state.err.line(&format!("Next:\n{}", text.trim_end()));
        }
    }
}

impl State {
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

/// What somebody would type next. Where one has no room beside its command, all stand below theirs.
fn next(steps: &[NextStep], page: Page) -> String {
    let mut table = Table::new(2);
    for step in steps {
        table.row([step.command.clone(), page.paint.dim(&step.does)]);
    }
    let text = table.render();
    if text.lines().all(|line| page.holds(line)) {
        return text;
    }
    steps.iter().map(|step| format!("  {}\n      {}\n", step.command, page.paint.dim(&step.does))).collect()
}

/// The stack's outputs. Where a value has no room beside its name, it stands below it, to be copied as a whole.
pub fn outputs(outputs: &BTreeMap<String, String>, paint: Paint, width: Option<usize>) -> String {
    let names = outputs.keys().map(String::len).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in outputs {
        let column = " ".repeat(names - name.len() + "  ".len());
        let is_wide = width.is_some_and(|width| names + "  ".len() + measure_text_width(value) > width);
        let between = if is_wide { "\n  " } else { &column };
        text.push_str(&format!("{}{between}{value}\n", paint.strong(name)));
    }
    text
}

/// The end of `down`: what is known to be gone, and what stays on purpose.
fn torn_down(done: &Done, changed: bool, stack: &str, seconds: &str, paint: Paint) -> String {
    let good = paint.good("✓");
    let kept = done.kept.join(", ");
    match (changed, &done.checked) {
        // Somebody has brought it up again meanwhile.
        (_, None) if changed => format!("{good} {stack} was deleted{seconds}"),
        (true, asked) => {
            let asked = asked.as_ref().map_or(0, Vec::len);
            let asked = words::count(u64::try_from(asked).unwrap_or_default(), "kind");
            let kept = if kept.is_empty() { kept } else { format!("; {kept} stays") };
            format!("{good} {stack} is gone: {asked} of leftovers looked for, none found{kept}{seconds}")
        }
        (false, _) if kept.is_empty() => format!("{good} {stack} is not there, and nothing is left of it"),
        (false, _) => format!("{good} {stack} is not there; {kept} stays"),
    }
}

/// The line that says that a command has reached its end.
fn ending(done: &Done, paint: Paint) -> Option<String> {
    let stack = done.stack.as_deref().unwrap_or_default();
    let seconds = done.seconds.map(|seconds| format!(" ({})", words::time(seconds))).unwrap_or_default();
    let good = paint.good("✓");
    match (done.command.as_str(), done.changed) {
        ("up", Some(true)) => Some(format!("{good} {stack} is up{seconds}")),
        ("down", Some(changed)) => Some(torn_down(done, changed, stack, &seconds, paint)),
        ("down", None) => None,
        ("reap", _) => done.reckoning.map(|it| reckoned(it, &seconds, paint)),
        ("reaper up", Some(true)) => Some(format!("{good} {stack} is up{seconds}")),
        ("reaper down", Some(true)) => Some(format!("{good} {stack} is gone{seconds}")),
        ("reaper down", _) => Some(format!("{good} {stack} is not there")),
        ("local stop", Some(false)) => Some("The local cloud was not running".to_owned()),
        ("produce", _) => {
            done.produced.as_ref().map(|produced| format!("{good} {}", words::produced_so_far(produced)))
        }
        _ => None,
    }
}

/// What became of the environments whose time was over.
fn reckoned(it: Reckoning, seconds: &str, paint: Paint) -> String {
    let alone = match it.left_alone {
        0 => String::new(),
        left => format!(", {} left alone", words::count(left as u64, "environment")),
    };
    match (it.dry_run, it.reaped) {
        (true, _) if it.due > 0 => "Nothing was done: that was a dry run".to_owned(),
        (_, 0) if it.due == 0 => {
            format!("{} There is nothing whose time is over", paint.good("✓"))
        }
        (_, n) => {
            format!("{} {} reaped{alone}{seconds}", paint.good("✓"), words::count(n as u64, "environment"))
        }
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
                | Event::Emptying { .. }
                | Event::WaitingForRows { .. }
                | Event::ProcessorBuilding { .. }
                | Event::LocalInstalling { .. }
                | Event::LocalStarting { .. },
            ) => {
                live.current(&words::line(event, page).unwrap_or_default());
            }
            // In a log a line a quarter of a second is too much.
            (Screen::Plain(_), Event::Producing(_)) => {}
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
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{}? [y/N] ", question.text).and_then(|()| stderr.flush());
    let mut line = String::new();
    let _ = io::stdin().lock().read_line(&mut line);
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests;
