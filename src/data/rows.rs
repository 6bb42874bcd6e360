//! Finds the rows in the bytes of an object, however they are cut.
//!
//! A row is a JSON object. Firehose writes one a line with its new-line delimiter on, and one right after the
//! other (`{…}{…}`) without it; both are read. Only the row at hand is kept, so an object of 128 MB without a
//! single new line needs no more memory than its longest row.

use serde_json::{Map, Value};

/// The fields of a row, in their order.
pub(super) type Fields = Map<String, Value>;

/// Longer than any record that Kinesis takes (10 MiB), even with every byte of it escaped.
const LONGEST_ROW: usize = 64 * 1024 * 1024;

/// So many bytes are kept of what isn't a row.
pub(super) const BEGINNING: usize = 4 * 1024;

/// What one stretch of text turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// A row: its text as it stands in the object, and its fields.
    Row(&'a str, Fields),
    /// Something else: braces around what is not JSON, or the rest of a line that doesn't go on with a brace. Its
    /// text, of which what comes after the first [`BEGINNING`] is cut.
    NotARow(&'a [u8]),
    /// The rest of the object can't be read, and why: it is damaged, or of a form that isn't known here.
    Broken(&'a str),
}

/// Takes the bytes of one object piece by piece.
#[derive(Debug, Default)]
pub(super) struct RowScanner {
    text: Vec<u8>,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    /// Before a row.
    #[default]
    Between,
    /// So many braces deep in a row.
    Inside { depth: usize },
    /// In a string of a row.
    Quoted { depth: usize },
    /// Right after a backslash in a string.
    Escaped { depth: usize },
    /// In the rest of a line that isn't rows.
    Skipping,
}

impl RowScanner {
    /// Hands everything that these bytes complete to `each`, and stops at its first error.
    pub(super) fn push<E>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for byte in bytes {
            if self.step(*byte) {
                let piece = self.piece();
                each(piece)?;
            }
        }
        Ok(())
    }

    /// The object is over: a row that is still open never ends.
    pub(super) fn finish(&self) -> Option<Piece<'_>> {
        (self.state != State::Between).then(|| self.no_row())
    }

    /// True where this byte completes a piece, which then lies in `text`.
    fn step(&mut self, byte: u8) -> bool {
        use State::{Between, Escaped, Inside, Quoted, Skipping};
        let was = self.state;
        if was == Between {
            self.text.clear();
        }
        let is_blank = was == Between && matches!(byte, b'\n' | b' ' | b'\t' | b'\r');
        if !is_blank && (was != Skipping || self.text.len() < BEGINNING) {
            self.text.push(byte);
        }
        self.state = match (was, byte) {
            // JSON has no new line within a string, and a row is one line.
            (_, b'\n') => Between,
            (Between, b' ' | b'\t' | b'\r') => Between,
            (Between, b'{') => Inside { depth: 1 },
            (Between | Skipping, _) => Skipping,
            (_, _) if self.text.len() > LONGEST_ROW => Skipping,
            (Inside { depth: 1 }, b'}') => Between,
            (Inside { depth }, b'}') => Inside { depth: depth - 1 },
            (Inside { depth }, b'{') => Inside { depth: depth + 1 },
            (Inside { depth }, b'"') => Quoted { depth },
            (Quoted { depth }, b'"') => Inside { depth },
            (Quoted { depth }, b'\\') => Escaped { depth },
            (Escaped { depth }, _) => Quoted { depth },
            (inside, _) => inside,
        };
        if self.state == Skipping {
            self.text.truncate(BEGINNING);
        }
        was != Between && self.state == Between
    }

    fn piece(&self) -> Piece<'_> {
        let text = match self.state {
            State::Between => std::str::from_utf8(&self.text).ok(),
            _ => None,
        };
        match text.and_then(|text| Some((text, serde_json::from_str(text).ok()?))) {
            Some((text, fields)) => Piece::Row(text, fields),
            None => self.no_row(),
        }
    }

    fn no_row(&self) -> Piece<'_> {
        Piece::NotARow(&self.text[..self.text.len().min(BEGINNING)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    /// The text of every row, and `None` for everything that isn't one; read in pieces of `size` bytes.
    fn pieces(object: &[u8], size: usize) -> Vec<Option<String>> {
        let (mut scanner, mut found) = (RowScanner::default(), Vec::new());
        let mut keep = |piece: Piece<'_>| {
            found.push(match piece {
                Piece::Row(text, _) => Some(text.to_owned()),
                Piece::NotARow(_) | Piece::Broken(_) => None,
            });
            Ok::<(), Infallible>(())
        };
        for chunk in object.chunks(size) {
            scanner.push(chunk, &mut keep).unwrap();
        }
        scanner.finish().into_iter().for_each(|piece| keep(piece).unwrap());
        found
    }

    fn rows(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn one_row_a_line_is_read_with_or_without_a_last_new_line() {
        let expected = rows(&[r#"{"a": 1}"#, r#"{"b":"x"}"#]);
        assert_eq!(pieces(b"{\"a\": 1}\n{\"b\":\"x\"}\n", 4), expected);
        assert_eq!(pieces(b"{\"a\": 1}\r\n\n  {\"b\":\"x\"}", 4), expected);
    }

    #[test]
    fn rows_without_a_delimiter_are_read() {
        assert_eq!(
            pieces(br#"{"a":1}{"b":{"c":[{}]}} {"d":2}"#, 3),
            rows(&[r#"{"a":1}"#, r#"{"b":{"c":[{}]}}"#, r#"{"d":2}"#])
        );
    }

    #[test]
    fn braces_and_quotes_within_strings_do_not_end_a_row() {
        let row = r#"{"a":"}{\"}\\","}":"{"}"#;
        assert_eq!(pieces(format!("{row}{row}").as_bytes(), 1), rows(&[row, row]));
    }

    #[test]
    fn what_is_not_a_row_is_counted_once_a_line_and_the_next_line_is_read_again() {
        let object = b"hello {\"a\":1}\n{\"a\":1}\n[1]\n{\"a\":\n{\"b\":2}{\"c\n{oops}{\"d\":3}\n42";
        assert_eq!(
            pieces(object, 5),
            [
                vec![None],
                rows(&[r#"{"a":1}"#]),
                vec![None, None],
                rows(&[r#"{"b":2}"#]),
                vec![None, None],
                rows(&[r#"{"d":3}"#]),
                vec![None]
            ]
            .concat()
        );
    }

    #[test]
    fn of_what_is_not_a_row_its_line_is_told_up_to_a_length() {
        let long = "x".repeat(BEGINNING + 9);
        let object = format!("{{\"a\":1}} hello {{}}\n{{oops}}[1, 2]\n{long}\nend");
        let (mut scanner, mut found) = (RowScanner::default(), Vec::new());
        let mut keep = |piece: Piece<'_>| {
            if let Piece::NotARow(text) = piece {
                found.push(String::from_utf8_lossy(text).trim_end().to_owned());
            }
            Ok::<(), Infallible>(())
        };
        scanner.push(object.as_bytes(), &mut keep).unwrap();
        scanner.finish().into_iter().for_each(|piece| keep(piece).unwrap());
        assert_eq!(found, ["hello {}", "{oops}", "[1, 2]", &long[..BEGINNING], "end"]);
    }

    #[test]
    fn bytes_that_are_not_text_are_not_a_row() {
        assert_eq!(pieces(b"{\"a\":\"\xff\"}\n\x1f\x8b\x00\n", 2), [None, None]);
    }

    #[test]
    fn a_closing_brace_too_many_spoils_only_its_line() {
        assert_eq!(pieces(b"{}}\n{}", 9), [Some("{}".to_owned()), None, Some("{}".to_owned())]);
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_makes_no_difference(
            lines in prop::collection::vec(r#"(\{"[a-z}{\\]{0,3}":("[^"]{0,4}"|[0-9]{1,3})\}){0,3}|.{0,8}"#, 0..8),
            size in 1_usize..20,
        ) {
            let object = lines.join("\n");
            prop_assert_eq!(pieces(object.as_bytes(), size), pieces(object.as_bytes(), usize::MAX));
        }

        #[test]
        fn every_map_that_serde_writes_is_read_back(
            maps in prop::collection::vec(prop::collection::btree_map(".{0,5}", ".{0,9}", 0..4), 0..6),
            delimiter in prop::sample::select(vec!["\n", "", " ", "\r\n"]),
        ) {
            let texts: Vec<String> = maps.iter().map(|map| serde_json::to_string(map).unwrap()).collect();
            let expected: Vec<_> = texts.iter().cloned().map(Some).collect();
            prop_assert_eq!(pieces(texts.join(delimiter).as_bytes(), 7), expected);
        }
    }
}
