//! Stdout, as those need it who read it: what can't be written is an error that names it.
//!
//! The standard library takes a closed stdout for one that swallows everything. Before `main` it even opens
//! `/dev/null` there, so that it can't be told any more: who is to know has to look earlier.

use crate::data::spell_controls;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// To be told before `main`, where stdout isn't open.
pub fn stdout_is_closed() {
    CLOSED.store(true, Ordering::Relaxed);
}

/// Stdout.
pub struct ToStdout {
    out: io::Stdout,
    is_closed: bool,
}

impl ToStdout {
    /// The process's own.
    pub fn new() -> Self {
        ToStdout { out: io::stdout(), is_closed: CLOSED.load(Ordering::Relaxed) }
    }
}

impl Default for ToStdout {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for ToStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.is_closed {
            true => Err(named(io::Error::other("it is closed"))),
            false => self.out.write(bytes).map_err(named),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().map_err(named)
    }
}

/// Data that a terminal shows: none of it may move its cursor. Whoever writes to it writes whole characters.
pub struct OnTerminal<W: Write>(pub W);

impl<W: Write> Write for OnTerminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(spell_controls(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The same error, of the same kind, with the place.
fn named(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to stdout: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_on_a_terminal_can_not_move_its_cursor() {
        let mut shown = OnTerminal(Vec::new());
        let name = "\u{9b}é";
        write!(shown, "id,\"a\u{1b}[2J\"\n{name}\n").unwrap();
        assert_eq!(String::from_utf8(shown.0).unwrap(), "id,\"a\\u001b[2J\"\n\\u009bé\n");
    }

    #[test]
    fn what_can_not_be_written_is_an_error_that_names_stdout_and_keeps_its_kind() {
        let mut closed = ToStdout { out: io::stdout(), is_closed: true };
        assert_eq!(writeln!(closed, "x").unwrap_err().to_string(), "cannot write to stdout: it is closed");
        let error = named(io::ErrorKind::BrokenPipe.into());
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
