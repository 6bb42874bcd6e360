//! The answer to Firehose, kept within its limit.

use base64_simd::STANDARD;

use crate::{EventError, Reason, event::Record, general::unescape, record, time::TradeTime};

const OPEN: &str = r#"{"records":["#;
const CLOSE: &str = "]}";
const ID: &str = r#"{"recordId":"#;
const FAILED: &str = r#","result":"ProcessingFailed"}"#;
const FAILED_DATA: &str = r#","result":"ProcessingFailed","data":"#;
const OK_DATA: &str = r#","result":"Ok","data":""#;

/// The answer to a batch, and what to tell about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The JSON body.
    pub body: Vec<u8>,
    /// How many records there were.
    pub records: usize,
    /// The records answered `ProcessingFailed`, one entry a reason, in no order that
    /// matters.
    pub failures: Vec<Failures>,
}

impl Answer {
    /// How many records were answered `ProcessingFailed`.
    pub fn failed(&self) -> usize {
        self.failures.iter().map(|failures| failures.records).sum()
    }

    fn count(&mut self, reason: Reason, id: &str) {
        match self.failures.iter_mut().find(|failures| failures.reason == reason) {
            Some(failures) => failures.records += 1,
            None => self.failures.push(Failures {
                reason,
                records: 1,
                first_record_id: unescape(id).unwrap_or(id.into()).into_owned(),
            }),
        }
    }
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

/// The bytes of a record's smallest answer, and of the comma before it.
fn smallest(record: &Record<'_>) -> usize {
    1 + ID.len() + record.id.len() + FAILED.len()
}

pub(crate) fn write(
    records: &[Record<'_>],
    now: &TradeTime,
    limit: usize,
    expected: usize,
) -> Result<Answer, EventError> {
    // What the records still to be answered need at least. It never exceeds the limit
    // together with what is written, so the smallest answer always fits.
    let mut reserved = CLOSE.len() + records.iter().map(smallest).sum::<usize>();
    if OPEN.len() + reserved > limit {
        return Err(EventError::TooManyRecords { count: records.len() });
    }

    let mut answer = Answer {
        body: Vec::with_capacity(limit.min(expected + expected / 4)),
        records: records.len(),
        failures: Vec::new(),
    };
    let mut buffers = Buffers::default();
    answer.body.extend_from_slice(OPEN.as_bytes());
    for (index, record) in records.iter().enumerate() {
        reserved -= smallest(record);
        if index > 0 {
            answer.body.push(b',');
        }
        answer.body.extend_from_slice(ID.as_bytes());
        answer.body.extend_from_slice(record.id.as_bytes());

        let start = answer.body.len();
        let mut outcome = buffers.transform(record, now);
        match outcome {
            Ok(()) => {
                answer.body.extend_from_slice(OK_DATA.as_bytes());
                STANDARD.encode_append(&buffers.row, &mut answer.body);
                answer.body.extend_from_slice(b"\"}");
            }
            Err(_) => push_failed(record.data, &mut answer.body),
        }
        if answer.body.len() + reserved > limit {
            answer.body.truncate(start);
            push_failed(None, &mut answer.body);
            outcome = outcome.and(Err(Reason::AnswerFull));
        }
        if let Err(reason) = outcome {
            answer.count(reason, record.id);
        }
    }
    answer.body.extend_from_slice(CLOSE.as_bytes());
    Ok(answer)
}

fn push_failed(data: Option<&str>, body: &mut Vec<u8>) {
    match data {
        Some(data) => {
            body.extend_from_slice(FAILED_DATA.as_bytes());
            body.extend_from_slice(data.as_bytes());
            body.push(b'}');
        }
        None => body.extend_from_slice(FAILED.as_bytes()),
    }
}

/// Allocated once a batch.
#[derive(Default)]
struct Buffers {
    data: Vec<u8>,
    row: Vec<u8>,
}

impl Buffers {
    fn transform(&mut self, record: &Record<'_>, now: &TradeTime) -> Result<(), Reason> {
        let data = record.data.ok_or(Reason::NoData)?;
        self.data.clear();
        self.row.clear();
        self.decode(&data.as_bytes()[1..data.len() - 1])
            // JSON may write a slash as `\/`, which base64 knows nothing of.
            .or_else(|_| self.decode(unescape(data).ok_or(Reason::NotBase64)?.as_bytes()))?;
        record::transform(&self.data, now, &mut self.row)
    }

    fn decode(&mut self, base64: &[u8]) -> Result<(), Reason> {
        STANDARD.decode_append(base64, &mut self.data).map_err(|_| Reason::NotBase64)
    }
}
