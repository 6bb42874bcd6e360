//! The terminal of the dashboard, which is always given back as it was.

use super::view::View;
use crate::data::watch::Board;
use crate::event::{Event, Question, Reporter};
use crate::report::fit::Page;
use crate::report::{Paint, words};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event as Pressed};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Rect;
use rustix::process::{Signal, getpid, kill_process};
use std::io::{self, Stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Whether the screen is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// A terminal that shows a board for as long as this lives.
pub struct Dashboard {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    color: bool,
}

impl Dashboard {
    /// Takes the screen of the terminal that stdout is.
    ///
    /// # Errors
    /// Where there is no terminal to draw on or to read keys from.
    pub fn open(color: bool) -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        take()?;
        Ok(Dashboard { terminal, color })
    }

    /// Draws what has changed.
    pub fn draw(&mut self, board: &Board, view: &View, now: Timestamp) -> io::Result<()> {
        self.terminal.draw(|frame| {
            super::draw(board, view, now, self.color, frame.area(), frame.buffer_mut());
        })?;
        Ok(())
    }

    /// The size of the terminal.
    pub fn area(&self) -> Rect {
        self.terminal.size().map(|size| Rect::new(0, 0, size.width, size.height)).unwrap_or_default()
    }

    /// Gives the terminal back and stands still, until the shell lets us go on.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        kill_process(getpid(), Signal::TSTP)?;
        take()?;
        // This draws all of it anew. `clear` would ask the terminal where its cursor is, and the answer would come to
        // whoever reads the keys.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::new(0, 0, size.width, size.height))
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    let taken = enable_raw_mode().and_then(|()| execute!(io::stdout(), EnterAlternateScreen, Hide));
    if taken.is_err() {
        give_back();
    }
    taken
}

/// Leaves the screen as it was found, once. Nothing can be done where that fails: the terminal is gone.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Keys, and that the terminal has another size, from now on. Ends with the terminal.
pub fn keys() -> UnboundedReceiver<Pressed> {
    let (tell, pressed) = unbounded_channel();
    // Reading blocks, and nothing ends it: the thread ends with the process.
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if tell.send(event).is_err() {
                break;
            }
        }
    });
    pressed
}

/// Tells what happens as usual, until the screen is taken; from then on it tells the board.
pub struct Muted {
    reporter: Arc<dyn Reporter>,
    notes: UnboundedSender<String>,
}

impl Muted {
    /// In front of another reporter; what the board is told comes out at the other end.
    pub fn before(reporter: Arc<dyn Reporter>) -> (Arc<dyn Reporter>, UnboundedReceiver<String>) {
        let (notes, heard) = unbounded_channel();
        (Arc::new(Muted { reporter, notes }), heard)
    }
}

impl Reporter for Muted {
    fn tell(&self, event: &Event) {
        if !TAKEN.load(Ordering::SeqCst) {
            return self.reporter.tell(event);
        }
        if matches!(event, Event::Call { .. }) {
            return;
        }
        if let Some(line) = words::line(event, Page::endless(Paint(false))) {
            let _ = self.notes.send(line);
        }
    }

    fn ask(&self, question: &Question) -> Option<bool> {
        if TAKEN.load(Ordering::SeqCst) { None } else { self.reporter.ask(question) }
    }
}
