//! Somebody's own records: lines of JSON, each checked before it leaves.
//!
//! A file is read twice: once to find a line that can't be sent, before anything is, and once to send it. What can be
//! read only once (stdin, a pipe) is checked as it comes.

use super::batch::BYTES_PER_RECORD;
use crate::error::{Error, Kind};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use tokio::sync::mpsc;

/// A partition key has at most so many characters.
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html>
const KEY_CHARACTERS: usize = 256;
/// What some editors and shells put before a file's text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// So many lines are handed over at once, where so many are at hand.
const AT_ONCE: usize = 500;

/// Lines of JSON, each a record.
#[derive(Debug)]
pub struct Lines {
    chunks: mpsc::Receiver<Result<VecDeque<Line>, Error>>,
    chunk: VecDeque<Line>,
    /// The line that was handed out last.
    current: Line,
    trouble: Option<Error>,
    over: bool,
}

#[derive(Debug, Default)]
struct Line {
    data: Vec<u8>,
    key: String,
}

/// The next line, as far as it is known without waiting.
pub(super) enum Look<'a> {
    Line { data: &'a [u8], key: &'a str },
    NotYet,
    End,
}

impl Lines {
    /// The lines of a file; `-` is stdin. The value of the field `key` is each record's partition key; without one,
    /// records are spread over all shards.
    ///
    /// # Errors
    /// With [`Kind::BadInput`] where the file can't be read, or a line of it can't be sent.
    pub fn open(from: &str, key: Option<&str>) -> Result<Self, Error> {
        if from == "-" {
            return Ok(Lines::read("stdin", std::io::stdin(), key));
        }
        let unreadable = |error: std::io::Error| {
            Error::new(Kind::BadInput, format!("--from `{from}`: it can't be read"))
                .because(error.to_string())
        };
        let file = File::open(from).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if about.is_dir() {
            return Err(Error::new(Kind::BadInput, format!("--from `{from}`: it is a directory")));
        }
        if about.is_file() {
            let mut checked = Reader::new(from, File::open(from).map_err(unreadable)?, key);
            while checked.line()?.is_some() {}
        }
        Ok(Lines::read(from, file, key))
    }

    /// Reads on a thread of its own: nothing else could wait for a terminal.
    fn read(place: &str, from: impl Read + Send + 'static, key: Option<&str>) -> Self {
        let (sender, chunks) = mpsc::channel(4);
        let mut reader = Reader::new(place, from, key);
        std::thread::spawn(move || {
            loop {
                let chunk = reader.chunk();
                let last = !matches!(&chunk, Ok(lines) if !lines.is_empty());
                // Nobody is left to send them, or there are none any more.
                if sender.blocking_send(chunk).is_err() || last {
                    return;
                }
            }
        });
        Lines { chunks, chunk: VecDeque::new(), current: Line::default(), trouble: None, over: false }
    }

    pub(super) fn next(&mut self) -> Result<Look<'_>, Error> {
        if self.chunk.is_empty()
            && !self.over
            && self.trouble.is_none()
            && let Ok(chunk) = self.chunks.try_recv()
        {
            self.take(Some(chunk));
        }
        if let Some(line) = self.chunk.pop_front() {
            self.current = line;
            return Ok(Look::Line { data: &self.current.data, key: &self.current.key });
        }
        match self.trouble.take() {
            Some(error) => Err(error),
            None if self.over => Ok(Look::End),
            None => Ok(Look::NotYet),
        }
    }

    pub(super) async fn ready(&mut self) {
        if self.chunk.is_empty() && !self.over && self.trouble.is_none() {
            let chunk = self.chunks.recv().await;
            self.take(chunk);
        }
    }

    fn take(&mut self, chunk: Option<Result<VecDeque<Line>, Error>>) {
        match chunk {
            Some(Ok(lines)) => {
                self.over = lines.is_empty();
                self.chunk = lines;
            }
            Some(Err(error)) => (self.over, self.trouble) = (true, Some(error)),
            None => self.over = true,
        }
    }
}

/// Reads and checks.
struct Reader<R> {
    place: String,
    from: BufReader<R>,
    key: Option<String>,
    number: u64,
    /// What broke a line, once the lines before it are handed over.
    trouble: Option<Error>,
}

impl<R: Read> Reader<R> {
    fn new(place: &str, from: R, key: Option<&str>) -> Self {
        let from = BufReader::with_capacity(256 * 1024, from);
        Reader { place: place.to_owned(), from, key: key.map(str::to_owned), number: 0, trouble: None }
    }

    /// What is at hand, at least one line; none at the end.
    fn chunk(&mut self) -> Result<VecDeque<Line>, Error> {
        let mut lines = VecDeque::new();
        if let Some(error) = self.trouble.take() {
            return Err(error);
        }
        while lines.len() < AT_ONCE {
            match self.line() {
                Ok(Some(line)) => lines.push_back(line),
                Ok(None) => break,
                Err(error) if lines.is_empty() => return Err(error),
                Err(error) => {
                    self.trouble = Some(error);
                    break;
                }
            }
            if !self.from.buffer().contains(&b'\n') {
                break;
            }
        }
        Ok(lines)
    }

    /// The next line that isn't empty.
    fn line(&mut self) -> Result<Option<Line>, Error> {
        loop {
            let mut text = Vec::new();
            self.number += 1;
            // Longer than anything that can be sent is long enough to know that it can't be.
            let most = (BYTES_PER_RECORD + 2) as u64;
            let read = self.from.by_ref().take(most).read_until(b'\n', &mut text);
            match read {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) => {
                    return Err(Error::new(Kind::Failed, format!("cannot read {}", self.place))
                        .because(error.to_string()));
                }
            }
            let text = match self.number {
                1 => text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text),
                _ => &text,
            };
            let data = text.trim_ascii();
            if data.is_empty() {
                continue;
            }
            let key = partition_key(data, self.key.as_deref()).map_err(|broken| self.broken(broken))?;
            if data.len() + key.len() > BYTES_PER_RECORD {
                return Err(self.broken(Broken::Size));
            }
            return Ok(Some(Line { data: data.to_vec(), key }));
        }
    }

    fn broken(&self, broken: Broken) -> Error {
        let (rule, remedy) = match broken {
            Broken::Json(rule) => (rule, "Each line has to be one JSON value."),
            Broken::Key(rule) => {
                (rule, "--key names a field that each line has, with text, a number, true or false in it.")
            }
            Broken::Size => (
                "a record has at most 1 MiB, its key included".to_owned(),
                "Kinesis takes no more: leave the line out, or split it.",
            ),
        };
        Error::new(Kind::BadInput, format!("{}, line {}: {rule}", self.place, self.number)).remedy(remedy)
    }
}

/// What a line breaks: the rule, in words.
enum Broken {
    /// It is no JSON.
    Json(String),
    /// Its partition key is none.
    Key(String),
    /// It is longer than a record.
    Size,
}

/// The partition key of a record, or the rule that it breaks.
fn partition_key(data: &[u8], field: Option<&str>) -> Result<String, Broken> {
    let text = std::str::from_utf8(data).map_err(|_| Broken::Json("it is not UTF-8".to_owned()))?;
    if data.len() > BYTES_PER_RECORD {
        return Err(Broken::Size);
    }
    let not_json = |error: serde_json::Error| {
        let why = error.to_string().replace(" at line 1 column ", " at column ");
        Broken::Json(format!(
            "it is not JSON: {}",
            why.replace("expected ident", "expected true, false or null")
        ))
    };
    let Some(field) = field else {
        serde_json::from_str::<IgnoredAny>(text).map_err(not_json)?;
        return Ok(format!("{:016x}", fastrand::u64(..)));
    };
    let fields: Map<String, Value> = match serde_json::from_str(text).map_err(not_json)? {
        Value::Object(fields) => fields,
        _ => return Err(Broken::Key(format!("it has no field {field}, since it is no JSON object"))),
    };
    let key = match fields.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        Some(_) => return Err(Broken::Key(format!("its {field} is neither text nor a number"))),
        None => return Err(Broken::Key(format!("it has no field {field}"))),
    };
    let fits = (1..=KEY_CHARACTERS).contains(&key.chars().count());
    let rule = || Broken::Key(format!("its {field} is not 1 to {KEY_CHARACTERS} characters long"));
    if fits { Ok(key) } else { Err(rule()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        file
    }

    async fn all(mut lines: Lines) -> Result<Vec<(String, String)>, Error> {
        let mut read = Vec::new();
        loop {
            match lines.next()? {
                Look::Line { data, key } => {
                    read.push((String::from_utf8(data.to_vec()).unwrap(), key.to_owned()));
                }
                Look::NotYet => lines.ready().await,
                Look::End => return Ok(read),
            }
        }
    }

    #[tokio::test]
    async fn each_line_is_a_record_as_it_stands_there() {
        let file = file(b"{\"id\": 1, \"k\": \"A\"}\n\n  {\"k\":2.5}\r\n{\"k\": true}");
        let lines = Lines::open(file.path().to_str().unwrap(), Some("k")).unwrap();
        let read = all(lines).await.unwrap();
        let expected =
            [("{\"id\": 1, \"k\": \"A\"}", "A"), ("{\"k\":2.5}", "2.5"), ("{\"k\": true}", "true")];
        assert_eq!(read, expected.map(|(data, key)| (data.to_owned(), key.to_owned())));
    }

    #[tokio::test]
    async fn a_byte_order_mark_before_the_first_line_is_no_part_of_it() {
        let marked = file("\u{feff}{\"k\":1}\r\n2\r\n".as_bytes());
        let read = all(Lines::open(marked.path().to_str().unwrap(), None).unwrap()).await.unwrap();
        assert_eq!(read.iter().map(|(data, _)| data.as_str()).collect::<Vec<_>>(), ["{\"k\":1}", "2"]);
        let alone = file("\u{feff}".as_bytes());
        assert_eq!(all(Lines::open(alone.path().to_str().unwrap(), None).unwrap()).await.unwrap(), []);
        let later = file("1\n\u{feff}2\n".as_bytes());
        let error = Lines::open(later.path().to_str().unwrap(), None).unwrap_err();
        assert!(error.message.contains("line 2: it is not JSON"), "{}", error.message);
    }

    #[tokio::test]
    async fn without_a_key_records_are_spread() {
        let file = file(&b"1\n".repeat(2_000));
        let read = all(Lines::open(file.path().to_str().unwrap(), None).unwrap()).await.unwrap();
        let keys: std::collections::BTreeSet<_> = read.iter().map(|(_, key)| key).collect();
        assert_eq!((read.len(), keys.len()), (2_000, 2_000));
    }

    #[test]
    fn the_first_line_that_cannot_be_sent_is_named_before_anything_is_read_to_be_sent() {
        let long = format!("\"{}\"", "x".repeat(BYTES_PER_RECORD));
        for (text, key, rule) in [
            ("{}\n{\"a\":\n3\n", None, "line 2: it is not JSON: EOF while parsing a value at column 5"),
            ("1\n2 3\n", None, "line 2: it is not JSON: trailing characters at column 3"),
            ("not\n", None, "line 1: it is not JSON: expected true, false or null at column 2"),
            ("1\n\n\"a\nb\"", None, "line 3: it is not JSON"),
            (long.as_str(), None, "line 1: a record has at most 1 MiB"),
            ("{\"k\":1}\n{\"j\":1}\n", Some("k"), "line 2: it has no field k"),
            ("[1]", Some("k"), "line 1: it has no field k, since it is no JSON object"),
            ("{\"k\":null}", Some("k"), "line 1: its k is neither text nor a number"),
            ("{\"k\":\"\"}", Some("k"), "line 1: its k is not 1 to 256 characters long"),
        ] {
            let file = file(text.as_bytes());
            let error = Lines::open(file.path().to_str().unwrap(), key).unwrap_err();
            assert_eq!(error.kind, Kind::BadInput);
            assert!(error.message.contains(rule), "{} instead of {rule}", error.message);
            // What is to be done is about what is wrong.
            assert_eq!(error.remedies[0].starts_with("--key"), key.is_some(), "{error:?}");
            assert_eq!(error.remedies[0].contains("JSON value"), rule.contains("not JSON"), "{error:?}");
        }
        let file = file(b"\xff\n");
        assert!(Lines::open(file.path().to_str().unwrap(), None).unwrap_err().message.contains("UTF-8"));
        assert!(Lines::open("/nowhere/to/be/found", None).unwrap_err().message.contains("it can't be read"));
    }

    #[tokio::test]
    async fn of_what_can_be_read_once_the_lines_before_the_bad_one_are_handed_over() {
        let mut lines = Lines::read("stdin", &b"1\n2\n{\n4\n"[..], None);
        let mut read = Vec::new();
        let error = loop {
            match lines.next() {
                Ok(Look::Line { data, .. }) => read.push(data.to_vec()),
                Ok(Look::NotYet) => lines.ready().await,
                Ok(Look::End) => panic!("it ended without a word"),
                Err(error) => break error,
            }
        };
        assert_eq!(read, [b"1", b"2"]);
        assert!(error.message.starts_with("stdin, line 3: it is not JSON"), "{}", error.message);
        assert!(matches!(lines.next(), Ok(Look::End)));
    }
}
