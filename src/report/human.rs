//! Events for people: live progress on a terminal, plain lines elsewhere.

use super::{Look, Paint, Table, Verbosity, failure, words};
use crate::error::Error;
use crate::event::{Done, Event, Progress, Question, Reporter, ResourceEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Speaks to people.
pub struct Human {
    verbosity: Verbosity,
    interactive: bool,
    paint: Paint,
    paint_stdout: Paint,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    err: Screen,
    /// A question waits for its answer.
    asking: bool,
    /// The last count of rows that was said.
    rows: Option<u64>,
}

/// Where progress is shown.
enum Screen {
    /// Lines that stay.
    Plain(Box<dyn Write + Send>),
    /// Lines that stay, and below them lines that move.
    Live(Live),
}

struct Live {
    bars: MultiProgress,
    /// A moving line for each resource that is worked on.
    resources: BTreeMap<String, ProgressBar>,
    /// The moving line of anything else that takes time.
    current: Option<ProgressBar>,
    /// How often moving lines are redrawn; never in tests.
    tick: Option<Duration>,
}

impl Human {
    /// Speaks on stdout and stderr.
    pub fn new(look: &Look) -> Self {
        let err = if look.live {
            Screen::Live(Live::new(ProgressDrawTarget::stderr(), Some(Duration::from_millis(120))))
        } else {
            Screen::Plain(Box::new(io::stderr()))
        };
        Self::on(look, Box::new(io::stdout()), err)
    }

    fn on(look: &Look, out: Box<dyn Write + Send>, err: Screen) -> Self {
        Human {
            verbosity: look.verbosity,
            interactive: look.interactive,
            paint: Paint(look.color_stderr),
            paint_stdout: Paint(look.color_stdout),
            state: Mutex::new(State { out, err, asking: false, rows: None }),
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
        state.err.line(failure::render(error, self.paint).trim_end());
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
            let mut table = Table::new(0);
            for (name, value) in outputs {
                table.row([self.paint_stdout.strong(name), value.clone()]);
            }
            let _ = state.out.write_all(table.render().as_bytes()).and_then(|()| state.out.flush());
        }
        if !quiet && !done.next.is_empty() {
            let mut table = Table::new(2);
            for step in &done.next {
                table.row([step.command.clone(), self.paint.dim(&step.does)]);
            }
            state.err.line(&format!("Next:\n{}", table.render().trim_end()));
        }
    }
}

/// The line that says that a command has reached its end.
fn ending(done: &Done, paint: Paint) -> Option<String> {
    let stack = done.stack.as_deref().unwrap_or_default();
    let seconds = done.seconds.map(|seconds| format!(" ({})", words::time(seconds))).unwrap_or_default();
    let good = paint.good("✓");
    match (done.command.as_str(), done.changed) {
        ("up", Some(true)) => Some(format!("{good} {stack} is up{seconds}")),
        ("down", Some(true)) => {
            let asked = done.checked.as_ref().map_or(0, Vec::len);
            Some(format!(
                "{good} {stack} is gone: {asked} kinds of leftovers looked for, none found{seconds}"
            ))
        }
        ("down", _) => Some(format!("{good} {stack} is not there, and nothing is left of it")),
        ("local stop", Some(false)) => Some("The local cloud was not running".to_owned()),
        ("produce", _) => {
            done.produced.as_ref().map(|produced| format!("{good} {}", words::produced_so_far(produced)))
        }
        _ => None,
    }
}

impl Reporter for Human {
    fn tell(&self, event: &Event) {
        let mut state = self.lock();
        let needed = match event {
            Event::Done(done) => return self.done(&mut state, done),
            Event::Call { .. } => Verbosity::Verbose,
            // What a question is about has to be seen by who answers it.
            Event::Plan(_) | Event::Removal { .. } if self.interactive => Verbosity::Quiet,
            _ => Verbosity::Normal,
        };
        if self.verbosity < needed {
            return;
        }
        if let Event::WaitingForRows { rows, .. } = event
            && state.rows.replace(*rows) == Some(*rows)
        {
            return;
        }
        match (&mut state.err, event) {
            (Screen::Live(live), Event::Resource(resource)) => live.resource(resource, self.paint),
            (Screen::Live(live), Event::Emptying { bucket, versions, bytes }) => {
                let done = format!("{} ({})", words::count(*versions, "object"), words::size(*bytes));
                live.current(&format!("Emptying {bucket}: {done}"));
            }
            // Rows are about to follow on stdout: no moving line may stand where they go.
            (screen @ Screen::Live(_), Event::WaitingForRows { rows, wanted }) if rows >= wanted => {
                screen.clear()
            }
            (Screen::Live(live), Event::Producing(_) | Event::WaitingForRows { .. }) => {
                live.current(&words::line(event, self.paint).unwrap_or_default());
            }
            (
                Screen::Live(live),
                Event::ProcessorBuilding { .. } | Event::LocalInstalling { .. } | Event::LocalStarting { .. },
            ) => {
                live.current(&words::line(event, self.paint).unwrap_or_default());
            }
            // In a log a line a quarter of a second is too much.
            (Screen::Plain(_), Event::Producing(_)) => {}
            (screen, event) => {
                if let Some(line) = words::line(event, self.paint) {
                    screen.settle(event);
                    screen.line(&line);
                }
            }
        }
    }

    fn ask(&self, question: &Question) -> Option<bool> {
        if !self.interactive {
            return None;
        }
        let mut state = self.lock();
        state.err.clear();
        state.asking = true;
        drop(state);
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

impl Screen {
    /// A line that stays.
    fn line(&mut self, text: &str) {
        match self {
            Screen::Plain(out) => {
                let _ = writeln!(out, "{text}").and_then(|()| out.flush());
            }
            Screen::Live(live) => {
                let _ = live.bars.println(text);
            }
        }
    }

    /// Ends the moving line that this event is the end of.
    fn settle(&mut self, event: &Event) {
        if let Screen::Live(live) = self
            && !matches!(event, Event::Call { .. } | Event::PollFailed { .. })
            && let Some(bar) = live.current.take()
        {
            bar.finish_and_clear();
        }
    }

    /// Ends all moving lines.
    fn clear(&mut self) {
        if let Screen::Live(live) = self {
            for bar in std::mem::take(&mut live.resources).into_values().chain(live.current.take()) {
                bar.finish_and_clear();
            }
        }
    }
}

impl Live {
    fn new(target: ProgressDrawTarget, tick: Option<Duration>) -> Self {
        Live {
            bars: MultiProgress::with_draw_target(target),
            resources: BTreeMap::new(),
            current: None,
            tick,
        }
    }

    fn resource(&mut self, resource: &ResourceEvent, paint: Paint) {
        if resource.progress == Progress::Working {
            let line = format!(
                "{:<17} {:<31} {}",
                resource.logical_id,
                words::kind(&resource.resource_type),
                resource.status
            );
            match self.resources.get(&resource.logical_id) {
                Some(bar) => bar.set_message(line),
                None => {
                    let bar = self.moving(line);
                    self.resources.insert(resource.logical_id.clone(), bar);
                }
            }
            return;
        }
        if let Some(bar) = self.resources.remove(&resource.logical_id) {
            bar.finish_and_clear();
        }
        let _ = self.bars.println(words::resource(resource, paint));
    }

    fn current(&mut self, text: &str) {
        match &self.current {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.current = Some(self.moving(text.to_owned())),
        }
    }

    fn moving(&self, text: String) -> ProgressBar {
        let style = ProgressStyle::with_template("  {spinner} {msg}  {elapsed}");
        let bar =
            ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let bar = self.bars.add(bar);
        bar.set_message(text);
        match self.tick {
            Some(tick) => bar.enable_steady_tick(tick),
            None => bar.tick(),
        }
        bar
    }
}

#[cfg(test)]
mod tests;
