//! Sends the marked records, each to its own shard, until the stream has taken all of them.

use super::Backoff;
use super::before::Shard;
use super::course::Seen;
use super::denied::Denied;
use super::record::Marked;
use super::report::Leg;
use crate::cloud::fault;
use crate::error::{Error, Kind};
use crate::stack::Context;
use anyhow::Result;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry as Entry;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// PutRecords takes no more at once.
const AT_ONCE: usize = 500;
/// A stream that takes nothing for so long is broken: it is throttled far beyond what a few records ask for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends them. What keeps the stream from taking them is the inner error.
pub(super) async fn send(
    context: &Context,
    stream: &str,
    records: &[&Marked],
    shards: &[Shard],
    deadline: Instant,
) -> Result<Result<(), Seen>> {
    let mut left = records.iter().map(|record| entry(record, shards)).collect::<Result<Vec<_>>>()?;
    let mut pauses = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    let patient_until = deadline.min(Instant::now() + PATIENCE);
    loop {
        let now: Vec<Entry> = left.drain(..left.len().min(AT_ONCE)).collect();
        let call = context.clients.kinesis.put_records().stream_name(stream).set_records(Some(now.clone()));
        let (refused, said) = match call.send().await {
            Ok(answer) => refused(now, answer.records()),
            Err(error) => {
                let passes = fault::is_transient(&error);
                let error = Error::of(&fault::explain(error, &format!("put records into {stream}")));
                if error.kind == Kind::Credentials {
                    return Ok(Err(Denied::of(Leg::Stream, &error, "kinesis:PutRecords", stream).into()));
                }
                let said = error.cause.unwrap_or(error.message);
                if !passes {
                    return Ok(Err(Seen::Broken { leg: Leg::Stream, said, kind: error.kind }));
                }
                (now, said)
            }
        };
        let took_none = !refused.is_empty();
        left.extend(refused);
        if left.is_empty() {
            return Ok(Ok(()));
        }
        if Instant::now() >= patient_until {
            let said = format!("{said}, for {}s", PATIENCE.as_secs());
            return Ok(Err(Seen::Broken { leg: Leg::Stream, said, kind: Kind::Failed }));
        }
        if took_none {
            sleep(pauses.equal_jitter()).await;
        }
    }
}

fn entry(record: &Marked, shards: &[Shard]) -> Result<Entry> {
    let shard = shards.get(record.shard).map(|shard| shard.hash_key.clone()).filter(|key| !key.is_empty());
    let entry = Entry::builder().data(Blob::new(record.data.clone())).partition_key(&record.marker);
    Ok(entry.set_explicit_hash_key(shard).build()?)
}

/// The records of a call that were refused inside its 200, and why.
fn refused(
    sent: Vec<Entry>,
    results: &[aws_sdk_kinesis::types::PutRecordsResultEntry],
) -> (Vec<Entry>, String) {
    let mut said = String::new();
    let mut results = results.iter();
    let refused = sent.into_iter().filter(|_| {
        // A record that the answer doesn't mention counts as refused: rather twice than never.
        let result = results.next();
        let code = result.map_or(Some("no answer"), |result| result.error_code());
        if let Some(code) = code {
            let message = result.and_then(|result| result.error_message()).unwrap_or_default();
            said = format!("{code}: {message}");
        }
        code.is_some()
    });
    (refused.collect(), said)
}
