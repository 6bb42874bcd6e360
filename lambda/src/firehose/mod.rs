//! What every processor behind Firehose does, whatever it makes of a record: asks Lambda for events, reads each,
//! answers each of its records once, and says in the log what became of them.
//!
//! # The envelope
//!
//! Records are answered in their order, each `recordId` exactly once and copied byte by byte. An event may be any JSON:
//! white space, escapes, members in any order, twice (the last one counts; two lists `records` are refused) or unknown. Of each record only `recordId`
//! and `data` are read; `kinesisRecordMetadata`, whatever its form, is skipped. An event that isn't one (no JSON, no
//! `records`, a record without a `recordId`) is an [`EventError`]: Firehose then tries again and at last delivers the
//! batch under its error prefix.
//!
//! # When the answer would be too large
//!
//! Lambda refuses an answer of more than 6 MiB, with all that is in it, so that none is ever larger than
//! [`ANSWER_LIMIT`]. Records whose row no longer fits fail alone. Their `data` isn't returned, which would be as large:
//! Firehose delivers its own copy of a record that failed under the error prefix (`rawData`), as it does for the
//! answers of AWS's own blueprint for CloudWatch Logs, which never hold `data` when they fail.

mod answer;
mod event;
pub mod json;
mod log;
mod runtime;

use std::convert::Infallible;
use std::io;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

pub use answer::{ANSWER_LIMIT, Answer, Answerer, Becomes, Failures, Reason};
pub use event::EventError;
use log::{Batch, Log};
use runtime::Runtime;

/// Runs as a Lambda function until Lambda ends it.
///
/// `begin` is given the time of each event and returns what transforms its records: it is given a record and an empty
/// row to write, and says what becomes of it, or why it is refused.
pub fn serve<T>(begin: impl FnMut(SystemTime) -> T) -> ExitCode
where
    T: FnMut(&[u8], &mut Vec<u8>) -> Result<Becomes, &'static str>,
{
    let variable = |name: &str| std::env::var(name).ok();
    let Some(api) = variable("AWS_LAMBDA_RUNTIME_API") else {
        eprintln!("AWS_LAMBDA_RUNTIME_API is not set: this program is run by AWS Lambda");
        return ExitCode::FAILURE;
    };
    let lists = variable("PROCESSOR_LOG").is_some_and(|value| value == "records");
    let mut answerer = Answerer::default();
    answerer.lists = lists;
    let Err(error) = answer_all(Runtime::new(api), &Log::of(variable), answerer, begin);
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn answer_all<T>(
    mut runtime: Runtime,
    log: &Log,
    mut answerer: Answerer,
    mut begin: impl FnMut(SystemTime) -> T,
) -> io::Result<Infallible>
where
    T: FnMut(&[u8], &mut Vec<u8>) -> Result<Becomes, &'static str>,
{
    let mut stdout = io::stdout();
    let mut event = Vec::new();
    loop {
        let request_id = runtime.next(&mut event)?;
        let (start, now) = (Instant::now(), SystemTime::now());
        match answerer.answer(&event, ANSWER_LIMIT, begin(now)) {
            Ok(answer) => {
                let bytes_in = event.len();
                let batch = Batch { request_id: &request_id, bytes_in, answer, took: start.elapsed(), now };
                // Before the answer: with it, the invocation is over.
                log.batch(&batch, &mut stdout);
                runtime.answer(&request_id, answer.body())?;
            }
            Err(error) => {
                let error = error.to_string();
                log.refused(&request_id, &error, &mut stdout);
                let said = serde_json::json!({ "errorType": "EventError", "errorMessage": error });
                runtime.fail(&request_id, "EventError", said.to_string().as_bytes())?;
            }
        }
    }
}
