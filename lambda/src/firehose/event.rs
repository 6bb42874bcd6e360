//! The event that Firehose invokes a function with, as far as the answer needs it.

use std::fmt;

use super::json::{Cursor, Mistake, unescape};

/// Why a whole event is refused. Never holds any of the event's contents, so it can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventError {
    /// The body is not JSON.
    NotJson {
        /// Where the JSON ends, from 1.
        line: usize,
        /// Where in that line, in bytes, from 1.
        column: usize,
    },
    /// The body is JSON but not a Firehose event: no list `records` in it, or other things than objects in that list.
    NotAnEvent {
        /// Where the two differ, from 1.
        line: usize,
        /// Where in that line, in bytes, from 1.
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

/// A record: its two fields as JSON tokens, quotes included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) id: &'a [u8],
    /// `None` if it is missing or not a string.
    pub(crate) data: Option<&'a [u8]>,
}

/// Who is told what stands in an event.
pub(crate) trait Reader<'a> {
    /// The list of records begins.
    fn begin(&mut self);
    /// The next record of the list. False stops the reading; a mistake is a place in its `data`, which is only looked
    /// through where it isn't base64.
    fn record(&mut self, record: Record<'a>) -> Result<bool, Mistake>;
}

/// What is wrong, and where.
enum Wrong {
    Json(usize),
    Event(usize),
    NoRecordId(usize),
}

impl From<Mistake> for Wrong {
    #[inline(always)]
    fn from(Mistake(at): Mistake) -> Self {
        Wrong::Json(at)
    }
}

/// Reads an event once, from left to right. Returns whether it was read to its end.
#[inline]
pub(crate) fn read<'a>(event: &'a [u8], reader: &mut impl Reader<'a>) -> Result<bool, EventError> {
    read_text(event, reader).map_err(|wrong| match wrong {
        Wrong::Json(at) => {
            let (line, column) = place(event, at);
            EventError::NotJson { line, column }
        }
        Wrong::Event(at) => {
            let (line, column) = place(event, at);
            EventError::NotAnEvent { line, column }
        }
        Wrong::NoRecordId(index) => EventError::NoRecordId { index },
    })
}

/// The line and the column of a byte.
fn place(text: &[u8], at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let last = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    (1 + before.iter().filter(|&&byte| byte == b'\n').count(), 1 + before.len() - last)
}

fn read_text<'a>(event: &'a [u8], reader: &mut impl Reader<'a>) -> Result<bool, Wrong> {
    let mut cursor = Cursor::new(event);
    let mut open = Vec::new();
    let mut has_records = false;
    expect(&mut cursor, b'{', &mut open)?;
    if cursor.peek()? == b'}' {
        return Err(Wrong::Event(cursor.at()));
    }
    loop {
        let name = cursor.string()?;
        cursor.take(b':')?;
        if is(name, "records") {
            // Of two lists either could be meant.
            if std::mem::replace(&mut has_records, true) {
                return Err(Wrong::Event(cursor.at()));
            }
            reader.begin();
            expect(&mut cursor, b'[', &mut open)?;
            if !read_records(&mut cursor, reader, &mut open)? {
                return Ok(false);
            }
        } else {
            cursor.value(&mut open)?;
        }
        if !cursor.goes_on(b'}')? {
            break;
        }
    }
    cursor.end()?;
    if !cursor.saw_ascii_only()
        && let Err(error) = std::str::from_utf8(event)
    {
        return Err(Wrong::Json(error.valid_up_to()));
    }
    if has_records { Ok(true) } else { Err(Wrong::Event(cursor.at())) }
}

/// Takes this bracket. Another value there is JSON, but no event.
#[inline(always)]
fn expect(cursor: &mut Cursor<'_>, bracket: u8, open: &mut Vec<u8>) -> Result<(), Wrong> {
    if cursor.take(bracket).is_ok() {
        return Ok(());
    }
    let at = cursor.at();
    cursor.value(open)?;
    Err(Wrong::Event(at))
}

#[inline(always)]
fn read_records<'a>(
    cursor: &mut Cursor<'a>,
    reader: &mut impl Reader<'a>,
    open: &mut Vec<u8>,
) -> Result<bool, Wrong> {
    if cursor.peek()? == b']' {
        cursor.take(b']')?;
        return Ok(true);
    }
    for index in 0.. {
        let (mut id, mut data) = (None, None);
        let mut data_at = 0;
        expect(cursor, b'{', open)?;
        if cursor.peek()? == b'}' {
            return Err(Wrong::NoRecordId(index));
        }
        loop {
            match field(cursor)? {
                Field::Id if cursor.peek()? == b'"' => id = Some(cursor.string()?),
                Field::Data if cursor.peek()? == b'"' => {
                    checked(data, data_at)?;
                    data_at = cursor.at();
                    data = Some(cursor.base64()?);
                }
                Field::Metadata => match after_metadata(cursor) {
                    Some(after) => *cursor = after,
                    None => cursor.value(open)?,
                },
                field => {
                    match field {
                        Field::Id => id = None,
                        Field::Data => {
                            checked(data, data_at)?;
                            data = None;
                        }
                        Field::Metadata | Field::Other => {}
                    }
                    cursor.value(open)?;
                }
            }
            if !cursor.goes_on(b'}')? {
                break;
            }
        }
        let id = id.ok_or(Wrong::NoRecordId(index))?;
        match reader.record(Record { id, data }) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(Mistake(at)) => return Err(Wrong::Json(data_at + at)),
        }
        if !cursor.goes_on(b']')? {
            break;
        }
    }
    Ok(true)
}

/// `data` that is there twice: nobody will look at the first, which must be JSON all the same.
fn checked(data: Option<&[u8]>, at: usize) -> Result<(), Wrong> {
    let checked = data.map_or(Ok(()), check);
    checked.map_err(|Mistake(inner)| Wrong::Json(at + inner))
}

/// Whether a token that was taken as base64 is a string at all.
pub(crate) fn check(token: &[u8]) -> Result<(), Mistake> {
    std::str::from_utf8(token).map_err(|error| Mistake(error.valid_up_to()))?;
    Cursor::new(token).string().map(|_| ())
}

enum Field {
    Id,
    Data,
    /// `kinesisRecordMetadata`
    Metadata,
    Other,
}

/// Takes a member's name and the `:` after it. Those that Firehose writes are told at a glance.
#[inline(always)]
fn field(cursor: &mut Cursor<'_>) -> Result<Field, Mistake> {
    cursor.peek()?;
    if cursor.takes(br#""recordId":"#) {
        return Ok(Field::Id);
    }
    if cursor.takes(br#""data":"#) {
        return Ok(Field::Data);
    }
    if cursor.takes(br#""approximateArrivalTimestamp":"#) {
        return Ok(Field::Other);
    }
    if cursor.takes(br#""kinesisRecordMetadata":"#) {
        return Ok(Field::Metadata);
    }
    let name = cursor.string()?;
    cursor.take(b':')?;
    Ok(if is(name, "recordId") {
        Field::Id
    } else if is(name, "data") {
        Field::Data
    } else {
        Field::Other
    })
}

/// Where `kinesisRecordMetadata` ends, if it is as Firehose writes it: its five members in any order, each a string or a
/// whole number, with one space at most between. It is half of an event and only skipped. `None` leaves it to
/// [`Cursor::value`], so that this can be faster, and never different.
///
/// It works on a copy of the cursor: see `escape` in [`super::json`].
#[inline(never)]
fn after_metadata<'a>(cursor: &Cursor<'a>) -> Option<Cursor<'a>> {
    let mut cursor = *cursor;
    cursor.takes(b" ");
    cursor.takes(b"{").then_some(())?;
    loop {
        let is_known = cursor.takes(br#""sequenceNumber":"#)
            || cursor.takes(br#""subsequenceNumber":"#)
            || cursor.takes(br#""partitionKey":"#)
            || cursor.takes(br#""shardId":"#)
            || cursor.takes(br#""approximateArrivalTimestamp":"#);
        is_known.then_some(())?;
        cursor.takes(b" ");
        // Where a string is given up there is no digit.
        cursor.plain_string().or_else(|| cursor.plain_number())?;
        if cursor.takes(b"}") {
            return Some(cursor);
        }
        cursor.takes(b",").then_some(())?;
        cursor.takes(b" ");
    }
}

/// Whether a token is this name, however it is escaped.
#[inline(always)]
fn is(token: &[u8], name: &str) -> bool {
    token[1..token.len() - 1] == *name.as_bytes()
        || token.contains(&b'\\') && unescape(token).is_some_and(|text| text == name)
}
