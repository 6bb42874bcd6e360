//! A terminal under moving lines, made safe for a `^C`.
//!
//! indicatif fills each line up to the edge, so that the cursor waits behind the last column. When somebody presses
//! Ctrl-C, the terminal itself writes `^C` there: it wraps, the cursor is one line lower than indicatif believes, and
//! the first moving line stays behind for good. So lines end in new lines here, and the last moving line ends
//! where its text does.

use indicatif::TermLike;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The terminal.
#[derive(Debug)]
pub struct Terminal<T> {
    inner: T,
    /// Whether lines move: then the last one stays open.
    moving: Arc<AtomicBool>,
    cursor: Mutex<Cursor>,
}

/// Where the cursor stands.
#[derive(Debug, Default)]
struct Cursor {
    /// Behind a line's text, whose filling is written next.
    behind_text: bool,
    /// Behind a line whose end is owed.
    owes_end: bool,
}

impl<T: TermLike> Terminal<T> {
    /// Writes to this one. Whoever moves lines says so in `moving`.
    pub fn new(inner: T, moving: Arc<AtomicBool>) -> Self {
        Terminal { inner, moving, cursor: Mutex::default() }
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: TermLike> TermLike for Terminal<T> {
    fn width(&self) -> u16 {
        self.inner.width()
    }

    fn height(&self) -> u16 {
        self.inner.height()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.inner.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.inner.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.inner.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.inner.move_cursor_left(n)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.inner.write_line(line)
    }

    /// Text and filling by turns.
    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut cursor = self.cursor();
        if std::mem::take(&mut cursor.behind_text) {
            cursor.owes_end = true;
            return Ok(());
        }
        if std::mem::take(&mut cursor.owes_end) {
            self.inner.write_line("")?;
        }
        cursor.behind_text = true;
        self.inner.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        *self.cursor() = Cursor::default();
        self.inner.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        let mut cursor = self.cursor();
        cursor.behind_text = false;
        if cursor.owes_end && !self.moving.load(Ordering::Relaxed) {
            cursor.owes_end = false;
            self.inner.write_line("")?;
        }
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{InMemoryTerm, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

    #[test]
    fn a_ctrl_c_of_the_terminals_own_leaves_no_line_behind() {
        let (screen, moving) = (InMemoryTerm::new(10, 20), Arc::new(AtomicBool::new(false)));
        let terminal = Terminal::new(screen.clone(), moving.clone());
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(terminal)));
        bars.println("stays").unwrap();
        moving.store(true, Ordering::Relaxed);
        let style = ProgressStyle::with_template("{msg}").unwrap();
        let add = |text: &'static str| {
            let bar = bars.add(ProgressBar::new_spinner().with_style(style.clone()));
            bar.set_message(text);
            bar
        };
        let (first, second) = (add("first"), add("second"));
        screen.write_str("^C").unwrap();
        assert_eq!(screen.contents(), "stays\nfirst\nsecond^C");
        first.set_message("first again");
        first.tick();
        assert_eq!(screen.contents(), "stays\nfirst again\nsecond");
        bars.println("stays, too").unwrap();
        assert_eq!(screen.contents(), "stays\nstays, too\nfirst again\nsecond");
        first.finish_and_clear();
        second.finish_and_clear();
        moving.store(false, Ordering::Relaxed);
        bars.println("the end").unwrap();
        screen.write_str("somebody else").unwrap();
        assert_eq!(screen.contents(), "stays\nstays, too\nthe end\nsomebody else");
    }
}
