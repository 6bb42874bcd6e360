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
//! The envelope, the limit of an answer and the log are those of every processor: see [`firehose`].

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod firehose;
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

pub use firehose::{ANSWER_LIMIT, Answer, Answerer, Becomes, EventError, Failures};
pub use reason::Reason;

use time::TradeTime;

/// Transforms a whole batch: the bytes of a Firehose invocation event in, the bytes of the answer out. `now` becomes
/// every row's `tradeTime`.
pub fn transform(event: &[u8], now: SystemTime) -> Result<Vec<u8>, EventError> {
    Ok(transform_within(event, now, ANSWER_LIMIT)?.body().to_vec())
}

/// [`transform`] with the size limit as a parameter, and with an account of the failures.
pub fn transform_within(event: &[u8], now: SystemTime, limit: usize) -> Result<Answer, EventError> {
    let mut answerer = Answerer::default();
    answerer.answer(event, limit, transform_at(now))?;
    Ok(answerer.into_answer())
}

/// What transforms the records of an event, as [`firehose::serve`] and [`Answerer::answer`] want it.
pub fn transform_at(now: SystemTime) -> impl FnMut(&[u8], &mut Vec<u8>) -> Result<Becomes, &'static str> {
    let now = TradeTime::at(now);
    move |data, row| match record::transform(data, &now, row) {
        Ok(()) => Ok(Becomes::Row),
        Err(reason) => Err(reason.as_str()),
    }
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
