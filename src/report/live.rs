//! Where people see progress: lines that stay, and on a terminal lines that move below them.

use super::fit::Page;
use super::resource::{clock, line, moving};
use super::terminal::Terminal;
use super::{Paint, echo};
use crate::event::{Event, Progress, ResourceEvent, Usual, WaitingFor};
use console::measure_text_width;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where progress is shown.
pub(super) enum Screen {
    /// Lines that stay.
    Plain(Box<dyn Write + Send>),
    /// Lines that stay, and below them lines that move.
    Live(Box<Live>),
}

/// A terminal.
pub(super) struct Live {
    bars: MultiProgress,
    /// Whether any of them stands on the screen.
    moving: Arc<AtomicBool>,
    page: Page,
    /// A moving line for each resource that is worked on.
    resources: BTreeMap<String, Moving>,
    /// The last line: what is being waited for.
    waiting: Option<ProgressBar>,
    /// The moving line of anything else that takes time.
    current: Option<ProgressBar>,
    /// Lines that change together, above it.
    block: Vec<ProgressBar>,
    /// How many resources the next operation is about, and the one that is under way, where that is known.
    planned: Option<usize>,
    expected: Option<usize>,
    /// Which of them are done.
    done: BTreeSet<String>,
    /// How often moving lines are redrawn; never in tests.
    tick: Option<Duration>,
    /// How long what begins now has been worked on already; for tests, whose time stands still.
    ago: Duration,
}

struct Moving {
    bar: ProgressBar,
    /// Counts up: what has been worked on longest is named first.
    serial: usize,
    is_stack: bool,
}

impl Screen {
    /// A line that stays.
    pub(super) fn line(&mut self, text: &str) {
        match self {
            Screen::Plain(out) => {
                let _ = writeln!(out, "{text}").and_then(|()| out.flush());
            }
            Screen::Live(live) => live.line(text),
        }
    }

    /// What its lines are written on.
    pub(super) fn page(&self, paint: Paint) -> Page {
        match self {
            Screen::Plain(_) => Page::endless(paint),
            Screen::Live(live) => live.page,
        }
    }

    /// Ends the moving line that this event is the end of.
    pub(super) fn settle(&mut self, event: &Event) {
        if let Screen::Live(live) = self
            && !matches!(event, Event::Call { .. } | Event::PollFailed { .. })
            && let Some(bar) = live.current.take()
        {
            bar.finish_and_clear();
            live.note_moving();
        }
    }

    /// Ends all moving lines.
    pub(super) fn clear(&mut self) {
        if let Screen::Live(live) = self {
            live.clear();
        }
    }
}

impl Live {
    /// On this terminal.
    pub(super) fn new(terminal: impl TermLike + 'static, page: Page, tick: Option<Duration>) -> Self {
        let moving = Arc::new(AtomicBool::new(false));
        let terminal = Box::new(Terminal::new(terminal, moving.clone()));
        let target = match tick {
            Some(_) => ProgressDrawTarget::term_like_with_hz(terminal, 20),
            None => ProgressDrawTarget::term_like(terminal),
        };
        Live {
            bars: MultiProgress::with_draw_target(target),
            moving,
            page,
            resources: BTreeMap::new(),
            waiting: None,
            current: None,
            block: Vec::new(),
            planned: None,
            expected: None,
            done: BTreeSet::new(),
            tick,
            ago: Duration::ZERO,
        }
    }

    /// The user's terminal, redrawn several times a second.
    pub(super) fn stderr(paint: Paint) -> Self {
        let terminal = console::Term::buffered_stderr();
        let columns = terminal.size_checked().map(|(_, columns)| usize::from(columns));
        let page = Page { paint, width: Some(columns.unwrap_or(80).max(40)) };
        Live::new(terminal, page, Some(Duration::from_millis(120)))
    }

    /// The same where all that begins has been worked on for so long already.
    #[cfg(test)]
    pub(super) fn since(self, ago: Duration) -> Self {
        Live { ago, ..self }
    }

    fn line(&self, text: &str) {
        let _ = self.bars.println(self.page.wrap(text));
    }

    fn clear(&mut self) {
        let resources = std::mem::take(&mut self.resources).into_values().map(|moving| moving.bar);
        let block = std::mem::take(&mut self.block);
        for bar in resources.chain(self.waiting.take()).chain(block).chain(self.current.take()) {
            bar.finish_and_clear();
        }
        self.note_moving();
    }

    fn note_moving(&self) {
        let is_still = self.resources.is_empty()
            && self.waiting.is_none()
            && self.current.is_none()
            && self.block.is_empty();
        self.moving.store(!is_still, Ordering::Relaxed);
        if is_still && self.tick.is_some() {
            echo::on();
        }
    }

    /// What was expected no longer counts: what was begun is being undone.
    pub(super) fn turn_back(&mut self) {
        self.expected = None;
        self.wait();
    }

    /// How many resources the next operation is about.
    pub(super) fn expect(&mut self, resources: usize) {
        self.planned = Some(resources);
    }

    /// An operation begins: whatever another one was at is over.
    pub(super) fn begin(&mut self) {
        self.clear();
        self.expected = self.planned.take();
        self.done.clear();
    }

    /// A resource entered a state.
    pub(super) fn resource(&mut self, resource: &ResourceEvent) {
        let name = &resource.logical_id;
        if resource.progress == Progress::Working {
            self.working(resource);
        } else {
            if let Some(moving) = self.resources.remove(name) {
                moving.bar.finish_and_clear();
            }
            self.line(&line(resource, self.page));
        }
        match resource.progress {
            Progress::Complete => {
                self.done.insert(name.clone());
            }
            // From now on things are undone, or cleaned up: what was expected no longer counts.
            Progress::Failed => self.expected = None,
            Progress::Working
                if ["ROLLBACK", "CLEANUP"].iter().any(|word| resource.status.contains(word)) =>
            {
                self.expected = None;
            }
            Progress::Working => {}
        }
        self.wait();
    }

    fn working(&mut self, resource: &ResourceEvent) {
        let text = moving(resource, self.page);
        let style = self.style(&text, resource.usual);
        if let Some(moving) = self.resources.get(&resource.logical_id) {
            moving.bar.set_style(style);
            moving.bar.set_message(text);
            return;
        }
        let bar = ProgressBar::new_spinner().with_style(style).with_elapsed(self.ago);
        let bar = match &self.waiting {
            Some(last) => self.bars.insert_before(last, bar),
            None => self.bars.add(bar),
        };
        self.start(&bar, text);
        let serial = self.resources.values().map(|moving| moving.serial + 1).max().unwrap_or_default();
        let is_stack = resource.resource_type == "AWS::CloudFormation::Stack";
        self.resources.insert(resource.logical_id.clone(), Moving { bar, serial, is_stack });
    }

    /// The service's own clock says for how long these have been worked on.
    pub(super) fn set_clocks(&mut self, resources: &[WaitingFor]) {
        for it in resources {
            if let Some(moving) = self.resources.get(&it.logical_id) {
                moving.bar.set_elapsed(Duration::try_from_secs_f64(it.seconds).unwrap_or_default());
                moving.bar.tick();
            }
        }
    }

    /// Says in the last line what is being waited for.
    fn wait(&mut self) {
        let mut resources: Vec<_> = self.resources.iter().filter(|(_, moving)| !moving.is_stack).collect();
        resources.sort_by_key(|(_, moving)| moving.serial);
        let names: Vec<&str> = resources.into_iter().map(|(name, _)| name.as_str()).collect();
        if self.resources.is_empty() {
            if let Some(bar) = self.waiting.take() {
                bar.finish_and_clear();
            }
            self.note_moving();
            return;
        }
        let done = self.expected.filter(|expected| *expected >= self.done.len());
        let done = done.map(|expected| format!("{} of {expected} done, ", self.done.len()));
        let text = waiting_for(&done.unwrap_or_default(), &names, self.page);
        match &self.waiting {
            Some(bar) => bar.set_message(text),
            None => {
                let style = ProgressStyle::with_template("  {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner());
                let bar = self.bars.add(ProgressBar::new_spinner().with_style(style));
                self.start(&bar, text);
                self.waiting = Some(bar);
            }
        }
    }

    /// Shows anything else that takes time.
    pub(super) fn current(&mut self, text: &str) {
        let room = self.page.width.unwrap_or(usize::MAX).saturating_sub("  ⠋   1m 00s".len());
        let text = console::truncate_str(text, room, "…").into_owned();
        match &self.current {
            Some(bar) => bar.set_message(text),
            None => {
                let style = self.style(&text, None);
                let bar = self.bars.add(ProgressBar::new_spinner().with_style(style));
                self.start(&bar, text);
                self.current = Some(bar);
            }
        }
    }

    /// Whether a block stands on the screen.
    pub(super) fn has_block(&self) -> bool {
        !self.block.is_empty()
    }

    /// Shows lines that change together.
    pub(super) fn block(&mut self, text: &str) {
        let room = self.page.width.unwrap_or(usize::MAX).saturating_sub("   ".len());
        let lines: Vec<_> =
            text.lines().map(|line| console::truncate_str(line, room, "…").into_owned()).collect();
        for bar in self.block.drain(lines.len().min(self.block.len())..) {
            bar.finish_and_clear();
        }
        for (place, line) in lines.into_iter().enumerate() {
            if let Some(bar) = self.block.get(place) {
                bar.set_message(line);
                continue;
            }
            let style =
                ProgressStyle::with_template("  {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            let bar = match &self.current {
                Some(last) => self.bars.insert_before(last, bar),
                None => self.bars.add(bar),
            };
            // A tick of one draws all.
            match place {
                0 => self.start(&bar, line),
                _ => bar.set_message(line),
            }
            self.block.push(bar);
        }
    }

    fn start(&self, bar: &ProgressBar, text: String) {
        self.moving.store(true, Ordering::Relaxed);
        bar.set_message(text);
        match self.tick {
            Some(tick) => {
                echo::off();
                bar.enable_steady_tick(tick);
            }
            None => bar.tick(),
        }
    }

    /// A line that moves, with a clock at its end.
    fn style(&self, text: &str, usual: Option<Usual>) -> ProgressStyle {
        let page = self.page;
        let room = page.width.map_or(usize::MAX, |width| {
            width.saturating_sub(measure_text_width(text) + "    ".len() + "  ".len() + 1)
        });
        let style = ProgressStyle::with_template("  {spinner} {msg}  {clock}");
        style.unwrap_or_else(|_| ProgressStyle::default_spinner()).with_key(
            "clock",
            move |state: &ProgressState, out: &mut dyn fmt::Write| {
                let _ = out.write_str(&clock(state.elapsed().as_secs_f64(), usual, room, page));
            },
        )
    }
}

/// As many names as fit, the rest counted.
fn waiting_for(done: &str, names: &[&str], page: Page) -> String {
    let mut shown = names.len();
    loop {
        let rest = names.len() - shown;
        let mut each = names[..shown].join(", ");
        if rest > 0 {
            each.push_str(&format!(" and {rest} more"));
        }
        let each = if names.is_empty() { "CloudFormation" } else { &each };
        let text = format!("{done}waiting for {each}");
        // The line begins two columns in, and leaves room for the `^C` of somebody who waits no longer.
        if shown <= 1 || page.holds(&format!("     {text}")) {
            return page.paint.dim(&text);
        }
        shown -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_names_what_fits_and_counts_the_rest() {
        let page = |width| Page { paint: Paint(false), width: Some(width) };
        let names = ["Bucket", "Stream", "ProcessorRole"];
        assert_eq!(
            waiting_for("1 of 10 done, ", &names, page(80)),
            "1 of 10 done, waiting for Bucket, Stream, ProcessorRole"
        );
        assert_eq!(waiting_for("", &names, page(42)), "waiting for Bucket, Stream and 1 more");
        assert_eq!(waiting_for("", &names, page(20)), "waiting for Bucket and 2 more");
        assert_eq!(waiting_for("", &[], page(80)), "waiting for CloudFormation");
    }
}
