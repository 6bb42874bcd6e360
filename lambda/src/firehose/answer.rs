//! The answer to Firehose, kept within its limit.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64_simd::{Out, STANDARD};

use super::event::{EventError, Reader, Record, check, read};
use super::json::{Mistake, unescape};

/// The most bytes of an answer: Lambda's limit for a response of 6 MiB less a margin, since nobody promises what is
/// counted besides the body.
pub const ANSWER_LIMIT: usize = 6 * 1024 * 1024 - 1024;

const OPEN: &[u8; 12] = br#"{"records":["#;
const CLOSE: &[u8; 2] = b"]}";
/// The bytes of an answer without records.
const EMPTY: usize = OPEN.len() + CLOSE.len();
const ID: &[u8; 12] = br#"{"recordId":"#;
const DROPPED: &[u8; 20] = br#","result":"Dropped"}"#;
const FAILED: &[u8; 29] = br#","result":"ProcessingFailed"}"#;
const FAILED_DATA: &[u8; 36] = br#","result":"ProcessingFailed","data":"#;
const OK_END: &[u8; 2] = b"\"}";
const OK_DATA: &[u8; 23] = br#","result":"Ok","data":""#;

/// What becomes of a record that doesn't fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// The row that was written.
    Row,
    /// Nothing: it is left out, on purpose.
    Nothing,
}

/// Why one record is answered `ProcessingFailed`. Never holds a record's contents, so it can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The record has no `data`, or it isn't a string.
    NoData,
    /// `data` is not base64 with its padding.
    NotBase64,
    /// The transform refuses it, for this reason.
    Refused(&'static str),
    /// The transform panicked.
    Panicked,
    /// The row no longer fits into the answer.
    AnswerFull,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoData => "no data",
            Self::NotBase64 => "not base64",
            Self::Refused(reason) => reason,
            Self::Panicked => "the transform panicked",
            Self::AnswerFull => "no room left in the answer",
        })
    }
}

/// The answer to a batch, and what to tell about it.
#[derive(Debug, Default)]
pub struct Answer {
    /// With room for the largest answer, made once: what isn't written to takes no memory.
    buffer: Vec<u8>,
    length: usize,
    /// How many records there were.
    pub records: usize,
    /// How many of them were left out.
    pub dropped: usize,
    /// How many bytes all rows have.
    pub row_bytes: usize,
    /// The records answered `ProcessingFailed`, one entry a reason, in the order of their first ones.
    pub failures: Vec<Failures>,
    /// The `recordId` of each of these, where they are listed: [`Answerer::lists`].
    pub listed: Vec<(String, Reason)>,
}

/// The records of one batch that failed for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// The reason they share.
    pub reason: Reason,
    /// How many there are.
    pub records: usize,
    /// The first one's `recordId`, to find it by.
    pub first_record_id: String,
}

impl Answer {
    /// The JSON body.
    pub fn body(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// How many records were answered `ProcessingFailed`.
    pub fn failed(&self) -> usize {
        self.failures.iter().map(|failures| failures.records).sum()
    }

    /// How many records became rows.
    pub fn rows(&self) -> usize {
        self.records - self.dropped - self.failed()
    }

    #[inline(always)]
    fn push<const N: usize>(&mut self, text: &[u8; N]) {
        self.buffer[self.length..self.length + N].copy_from_slice(text);
        self.length += N;
    }

    #[inline(always)]
    fn write(&mut self, text: &[u8]) {
        self.buffer[self.length..self.length + text.len()].copy_from_slice(text);
        self.length += text.len();
    }

    /// A `recordId` of Firehose has 56 digits: copied as two pieces of a length that is known.
    #[inline(always)]
    fn write_id(&mut self, id: &[u8]) {
        match (id.first_chunk::<32>(), id.last_chunk::<32>()) {
            (Some(first), Some(last)) if id.len() <= 64 => {
                let end = self.length + id.len();
                self.push(first);
                self.length = end - 32;
                self.push(last);
            }
            _ => self.write(id),
        }
    }

    fn write_failed(&mut self, data: Option<&[u8]>) {
        match data {
            Some(data) => {
                self.push(FAILED_DATA);
                self.write(data);
                self.push(b"}");
            }
            None => self.push(FAILED),
        }
    }

    fn clear(&mut self) {
        self.length = 0;
        self.failures.clear();
        self.listed.clear();
        (self.records, self.dropped, self.row_bytes) = (0, 0, 0);
    }
}

/// Answers events, one after the other. What it allocates it keeps for the next one.
#[derive(Debug, Default)]
pub struct Answerer {
    /// Whether to list each record that fails, with its reason, and not only count them.
    pub lists: bool,
    answer: Answer,
    /// A record, decoded.
    data: Vec<u8>,
    row: Vec<u8>,
}

impl Answerer {
    #[cold]
    fn count(&mut self, reason: Reason, id: &[u8]) {
        // Where it has no text, the token stands for it.
        let text =
            || unescape(id).map_or_else(|| String::from_utf8_lossy(id).into_owned(), |id| id.into_owned());
        if self.lists {
            self.answer.listed.push((text(), reason));
        }
        match self.answer.failures.iter_mut().find(|failures| failures.reason == reason) {
            Some(failures) => failures.records += 1,
            None => self.answer.failures.push(Failures { reason, records: 1, first_record_id: text() }),
        }
    }

    /// What was answered last, to be kept.
    pub fn into_answer(self) -> Answer {
        self.answer
    }

    /// Answers an event: each of its records once, in their order, with what `transform` makes of it. It is given the
    /// decoded record, and an empty row to write.
    ///
    /// The answer never has more than `limit` bytes. A record whose row no longer fits is answered `ProcessingFailed`
    /// *without* `data`, the smallest form there is; room for that form is kept for every record. A smaller record
    /// later in the batch can still fit. If not even the smallest answers fit, the event is refused
    /// ([`EventError::TooManyRecords`]).
    pub fn answer(
        &mut self,
        event: &[u8],
        limit: usize,
        transform: impl FnMut(&[u8], &mut Vec<u8>) -> Result<Becomes, &'static str>,
    ) -> Result<&Answer, EventError> {
        if self.answer.buffer.len() != limit.max(EMPTY) {
            self.answer.buffer = vec![0; limit.max(EMPTY)];
        }
        let mut writer = Writer { answerer: self, transform, limit, kept: None, kept_at_first: None };
        // Nearly always all of it fits, so at first no room is kept for anything.
        let mut fits = read(event, &mut writer)? && EMPTY <= limit;
        if !fits {
            let mut smallest = Smallest::default();
            read(event, &mut smallest)?;
            if EMPTY + smallest.bytes > limit {
                return Err(EventError::TooManyRecords { count: smallest.records });
            }
            writer.kept_at_first = Some(smallest.bytes);
            fits = read(event, &mut writer)?;
        }
        debug_assert!(fits, "where room is kept for each record, all of them fit");
        self.answer.push(CLOSE);
        Ok(&self.answer)
    }
}

/// Adds up the smallest answers, each with a comma.
#[derive(Default)]
struct Smallest {
    bytes: usize,
    records: usize,
}

impl Reader<'_> for Smallest {
    fn begin(&mut self) {
        *self = Smallest::default();
    }

    fn record(&mut self, record: Record<'_>) -> Result<bool, Mistake> {
        self.bytes += smallest(record.id);
        self.records += 1;
        Ok(true)
    }
}

/// The bytes of a record's smallest answer, and of the comma before it.
fn smallest(id: &[u8]) -> usize {
    1 + ID.len() + id.len() + FAILED.len()
}

/// Writes the answer while the event is read.
struct Writer<'a, T> {
    answerer: &'a mut Answerer,
    transform: T,
    limit: usize,
    /// What the smallest answers to the records still to come need. `None`: whatever doesn't fit ends the reading.
    kept: Option<usize>,
    /// The same for the whole list.
    kept_at_first: Option<usize>,
}

impl<T> Reader<'_> for Writer<'_, T>
where
    T: FnMut(&[u8], &mut Vec<u8>) -> Result<Becomes, &'static str>,
{
    fn begin(&mut self) {
        self.answerer.answer.clear();
        self.answerer.answer.push(OPEN);
        self.kept = self.kept_at_first;
    }

    #[inline(always)]
    fn record(&mut self, record: Record<'_>) -> Result<bool, Mistake> {
        let Answerer { answer, data, row, .. } = &mut *self.answerer;
        let mut outcome = decode(record.data, data)?.and_then(|()| {
            row.clear();
            // A bug that one record brings to light must not take the others with it.
            catch_unwind(AssertUnwindSafe(|| (self.transform)(data, row)))
                .map_err(|_| Reason::Panicked)?
                .map_err(Reason::Refused)
        });
        let needed = match outcome {
            Ok(Becomes::Row) => OK_DATA.len() + STANDARD.encoded_length(row.len()) + OK_END.len(),
            Ok(Becomes::Nothing) => DROPPED.len(),
            Err(_) => record.data.map_or(FAILED.len(), |data| FAILED_DATA.len() + data.len() + 1),
        };
        self.kept = self.kept.map(|kept| kept.saturating_sub(smallest(record.id)));
        let head = 1 + ID.len() + record.id.len();
        let fits = answer.length + head + needed + self.kept.unwrap_or(0) + CLOSE.len() <= self.limit;
        if !fits && self.kept.is_none() {
            return Ok(false);
        }

        if answer.records > 0 {
            answer.push(b",");
        }
        answer.records += 1;
        answer.push(ID);
        answer.write_id(record.id);
        match outcome {
            _ if !fits => {
                answer.push(FAILED);
                outcome = outcome.and(Err(Reason::AnswerFull));
            }
            Ok(Becomes::Row) => {
                answer.push(OK_DATA);
                let rest = &mut answer.buffer[answer.length..];
                answer.length += STANDARD.encode(row, Out::from_slice(rest)).len();
                answer.push(OK_END);
            }
            Ok(Becomes::Nothing) => answer.push(DROPPED),
            Err(_) => answer.write_failed(record.data),
        }
        match outcome {
            Ok(Becomes::Row) => answer.row_bytes += row.len(),
            Ok(Becomes::Nothing) => answer.dropped += 1,
            Err(reason) => self.answerer.count(reason, record.id),
        }
        Ok(true)
    }
}

/// Decodes a `data` token.
#[inline(always)]
fn decode(token: Option<&[u8]>, data: &mut Vec<u8>) -> Result<Result<(), Reason>, Mistake> {
    let Some(token) = token else { return Ok(Err(Reason::NoData)) };
    data.clear();
    if STANDARD.decode_append(&token[1..token.len() - 1], data).is_ok() {
        return Ok(Ok(()));
    }
    // No string at all, or an escape: JSON may write a slash as `\/`, which base64 knows nothing of.
    check(token)?;
    data.clear();
    let decoded = unescape(token).is_some_and(|text| STANDARD.decode_append(text.as_bytes(), data).is_ok());
    Ok(if decoded { Ok(()) } else { Err(Reason::NotBase64) })
}
