//! Stdout, as those need it who read it: what can't be written is an error that names it.
//!
//! A closed one isn't told: before `main` the standard library opens `/dev/null` there, as some parents do themselves
//! where they want to see nothing.

use crate::data::spell_controls;
use std::io::{self, Write};

/// Stdout.
pub struct ToStdout(io::Stdout);

impl ToStdout {
    /// The process's own.
    pub fn new() -> Self {
        ToStdout(io::stdout())
    }
}

impl Default for ToStdout {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for ToStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
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
        let error = named(io::ErrorKind::BrokenPipe.into());
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(error.to_string().starts_with("cannot write to stdout: "), "{error}");
    }
}
