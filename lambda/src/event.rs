//! The Firehose invocation event, as far as the answer needs it.

use std::{fmt, str::Utf8Error};

use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};

/// Why a whole event is refused. Never holds any of the event's contents, so it can be
/// logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventError {
    /// The body is not JSON.
    NotJson {
        /// Where the JSON ends, from 1.
        line: usize,
        /// Where in that line, from 1.
        column: usize,
    },
    /// The body is JSON but not a Firehose event: no list `records` in it, or other things
    /// than objects in that list.
    NotAnEvent {
        /// Where the two differ, from 1.
        line: usize,
        /// Where in that line, from 1.
        column: usize,
    },
    /// A record has no `recordId`, so it can't be answered.
    NoRecordId {
        /// The record's place in the event, from 0.
        index: usize,
    },
    /// Not even the smallest answers to so many records fit into a response.
    TooManyRecords {
        /// How many there are.
        count: usize,
    },
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line, column } => {
                write!(f, "the event is not JSON (line {line}, column {column})")
            }
            Self::NotAnEvent { line, column } => {
                write!(f, "not a Firehose event (line {line}, column {column})")
            }
            Self::NoRecordId { index } => write!(f, "record {index} has no recordId"),
            Self::TooManyRecords { count } => {
                write!(f, "the answer to {count} records exceeds Lambda's limit")
            }
        }
    }
}

impl std::error::Error for EventError {}

impl From<serde_json::Error> for EventError {
    /// Drops serde's message, since it quotes the text.
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Data => Self::NotAnEvent { line, column },
            Category::Io | Category::Syntax | Category::Eof => Self::NotJson { line, column },
        }
    }
}

/// A record: its two fields as JSON tokens, quotes included.
pub(crate) struct Record<'a> {
    pub(crate) id: &'a str,
    /// `None` if it is missing or not a string.
    pub(crate) data: Option<&'a str>,
}

#[derive(Deserialize)]
struct RawEvent<'a> {
    #[serde(borrow)]
    records: Vec<RawRecord<'a>>,
}

#[derive(Deserialize)]
struct RawRecord<'a> {
    #[serde(borrow, rename = "recordId")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

fn not_utf8(request: &[u8], error: Utf8Error) -> EventError {
    let mut lines = request[..error.valid_up_to()].split(|&byte| byte == b'\n');
    let last = lines.next_back().unwrap_or_default();
    EventError::NotJson { line: lines.count() + 1, column: last.len() + 1 }
}

pub(crate) fn parse(request: &[u8]) -> Result<Vec<Record<'_>>, EventError> {
    // Checked once here, or serde_json would check each of the small tokens.
    let request = std::str::from_utf8(request).map_err(|error| not_utf8(request, error))?;
    let event: RawEvent = serde_json::from_str(request)?;
    let string = |token: &&str| token.starts_with('"');
    event
        .records
        .into_iter()
        .enumerate()
        .map(|(index, record)| {
            Ok(Record {
                id: record.id.map(RawValue::get).filter(string).ok_or(EventError::NoRecordId { index })?,
                data: record.data.map(RawValue::get).filter(string),
            })
        })
        .collect()
}
