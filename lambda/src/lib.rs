//! The transform that Kinesis Data Firehose calls between the stream and the bucket.
//!
//! [`transform`] takes the bytes of a Firehose invocation event and returns the bytes of
//! the answer; [`transform_record`] is the same for one decoded record. Both are pure:
//! the time is a parameter. `bootstrap` (`src/main.rs`) is a thin Lambda around them.
//!
//! # What happens to a record
//!
//! Base64 → JSON object, then `tickerSymbol` becomes `stockId` at the end, `price` a
//! float, `quantity` and `id` integers, and `tradeTime` (UTC, `YYYY-MM-DD HH:MM:SS`) is
//! added last. Everything else stays as it is, in its order. The row is one line of JSON
//! in the spacing of Python's `json.dumps`; Firehose appends the newline.
//!
//! # Decisions
//!
//! The workshop's function is Python, so whatever its text leaves open is decided as
//! Python's `json`, `dict`, `float` and `int` would, unless that could lose data or write
//! a row that is not JSON.
//!
//! | case | decision |
//! |---|---|
//! | bad base64, not UTF-8, not JSON, not an object, no `data` | that record alone is `ProcessingFailed`, its `data` returned unchanged |
//! | `NaN`, `Infinity` in a record | not JSON, as in the standard (Python would let them through) |
//! | byte order mark; two objects in one record | not JSON |
//! | the same key twice, however it is escaped | the last value wins, in the place of the first, like a `dict` |
//! | `tickerSymbol` missing | no `stockId` (Python would raise); the other rules still hold |
//! | `stockId` or `tradeTime` already there | the value is replaced in its old place, like `data["stockId"] = …` |
//! | `price`, `quantity`, `id` missing | stays missing |
//! | `price` that has no finite float (`"abc"`, `"nan"`, `1e400`, `null`, `[]`) | `null` |
//! | `quantity`, `id` as `7.9`; as `"7"`; as `"7.5"` | `7`; `7`; `null` |
//! | strings to numbers | Python's rules: outer white space, a sign, `1_000`, and for `price` exponents are fine; an integer of more than 4,300 digits is `null` |
//! | digits other than 0–9 in such a string | `null` (the one rule of Python that is not followed) |
//! | `true` and `false` | `1.0`/`0.0` as price, `1`/`0` as integer |
//! | integers beyond 64 bits | kept, digit for digit |
//! | floats | written as Python's `repr` does: `5.0`, `1e+16`, `1e-05` |
//! | all other values, also nested ones | copied token by token: no digit, escape or duplicate is changed, only the spacing; any depth |
//! | characters outside ASCII | stay UTF-8, as they came |
//!
//! # The envelope
//!
//! Records are answered in their order, each `recordId` exactly once and copied byte by
//! byte. `kinesisRecordMetadata`, whatever its form, is skipped. An event that isn't one
//! (no JSON, no `records`, a record without a `recordId`) is an [`EventError`]: Firehose
//! then tries again and at last delivers the batch under its error prefix.
//!
//! An answer never exceeds [`ANSWER_LIMIT`]; see [`transform_within`].

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod answer;
mod event;
mod flat;
mod general;
#[cfg(test)]
#[path = "../tests/generate/mod.rs"]
mod generate;
mod number;
mod reason;
mod record;
mod time;

use std::time::SystemTime;

pub use answer::{Answer, Failures};
pub use event::EventError;
pub use reason::Reason;

use time::TradeTime;

/// The most bytes that [`transform`] answers: Lambda's limit for a response of 6 MiB less
/// a margin, since nobody promises what is counted besides the body.
pub const ANSWER_LIMIT: usize = 6 * 1024 * 1024 - 1024;

/// Transforms a whole batch: the bytes of a Firehose invocation event in, the bytes of
/// the answer out. `now` becomes every row's `tradeTime`.
pub fn transform(request: &[u8], now: SystemTime) -> Result<Vec<u8>, EventError> {
    Ok(transform_within(request, now, ANSWER_LIMIT)?.body)
}

/// [`transform`] with the size limit as a parameter, and with an account of the failures.
///
/// A record whose row no longer fits is answered `ProcessingFailed` *without* `data`, the
/// smallest form there is; room for that form is kept for every record from the start.
/// Nothing is lost: Firehose delivers its own copy of such a record under the error
/// prefix, as it does for the answers of AWS's own blueprint for CloudWatch Logs, which
/// never hold `data` when they fail. A smaller record later in the batch can still fit.
///
/// If not even the smallest answers fit, the event is refused
/// ([`EventError::TooManyRecords`]). A request of Firehose can't get there: its records
/// carry an `approximateArrivalTimestamp` and `data`, and so are longer than their
/// smallest answers.
pub fn transform_within(request: &[u8], now: SystemTime, limit: usize) -> Result<Answer, EventError> {
    let records = event::parse(request)?;
    answer::write(&records, &TradeTime::at(now), limit, request.len())
}

/// Transforms one decoded record to its row, without a newline at its end.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let trade = br#"{"tickerSymbol":"RDS.A","tradeType":"BUY","price":"65.06","quantity":2891,"id":1}"#;
/// let row = processor::transform_record(trade, UNIX_EPOCH + Duration::from_secs(1_727_948_720));
/// assert_eq!(
///     String::from_utf8(row.unwrap()).unwrap(),
///     r#"{"tradeType": "BUY", "price": 65.06, "quantity": 2891, "id": 1, "stockId": "RDS.A", "tradeTime": "2024-10-03 09:45:20"}"#,
/// );
/// ```
pub fn transform_record(data: &[u8], now: SystemTime) -> Result<Vec<u8>, Reason> {
    let mut row = Vec::new();
    record::transform(data, &TradeTime::at(now), &mut row)?;
    Ok(row)
}
