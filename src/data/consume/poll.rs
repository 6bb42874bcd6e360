//! One shard, read by GetRecords.

use super::place::Position;
use super::stream::{Chunk, Failure, Patience, Stream};
use crate::cloud::fault;
use crate::cloud::tries::Tries;
use anyhow::Result;
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::operation::get_records::GetRecordsError;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often a shard is read that has nothing more at the moment. It answers five reads a second, to all that read it:
/// the delivery stream, others who watch, and us.
/// <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>
const IDLE: Duration = Duration::from_secs(1);
/// How often while there is more: that leaves a read a second to the delivery stream, and one to spare.
const BEHIND: Duration = Duration::from_millis(340);
/// At most so many records an answer.
const MOST: u64 = 10_000;

#[derive(Debug)]
pub(super) struct Poll {
    pub(super) shard: String,
    /// Where to go on where there is no iterator: they live for five minutes.
    position: Position,
    iterator: Option<String>,
    /// Whether the iterator is one that took the place of an expired one, and has not been used yet.
    renewed: bool,
    due: Instant,
    patience: Patience,
}

impl Poll {
    pub(super) fn new(shard: String, position: Position, tries: Tries) -> Self {
        Poll {
            shard,
            position,
            iterator: None,
            renewed: false,
            due: Instant::now(),
            patience: Patience::new(tries),
        }
    }

    fn what(&self) -> String {
        format!("shard {}", self.shard)
    }

    /// The next answer, which may be empty. No more than so many records, where that is known.
    pub(super) async fn step(mut self, stream: Stream<'_>, most: Option<u64>) -> Result<(Self, Chunk)> {
        loop {
            sleep_until(self.due).await;
            let iterator = match self.iterator.take() {
                Some(iterator) => iterator,
                None => match stream.iterator(&self.shard, &self.position, &self.patience.tries).await {
                    Ok(iterator) => {
                        // Asked anew, the newest would be newer.
                        if self.position == Position::Latest {
                            self.position = Position::At(stream.clock.now());
                        }
                        iterator
                    }
                    Err(Failure::Passing(error)) => {
                        self.patience.wait(&self.what(), error).await?;
                        continue;
                    }
                    Err(Failure::Refused(error) | Failure::Final(error)) => return Err(error),
                },
            };
            let limit = i32::try_from(most.unwrap_or(MOST).clamp(1, MOST)).ok();
            let call = stream.kinesis.get_records().shard_iterator(&iterator).set_limit(limit);
            let call = call.customize().interceptor(self.patience.tries.notes::<GetRecordsError>());
            let answer = match call.send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let expired = error.code() == Some("ExpiredIteratorException");
                    let passes = expired || fault::is_transient(&error);
                    let error = fault::explain(error, &format!("read shard {}", self.shard));
                    if !passes {
                        return Err(error);
                    }
                    self.iterator = (!expired).then_some(iterator);
                    // The first time, a new one is all it takes.
                    if std::mem::replace(&mut self.renewed, expired) || !expired {
                        self.patience.wait(&self.what(), error).await?;
                    }
                    continue;
                }
            };
            self.patience.restore();
            self.renewed = false;
            if let Some(last) = answer.records().last() {
                self.position = Position::After(last.sequence_number().to_owned());
            }
            let behind = answer.millis_behind_latest().and_then(|millis| u64::try_from(millis).ok());
            let is_behind = behind.map_or(!answer.records().is_empty(), |behind| behind > 0);
            self.due = Instant::now() + if is_behind { BEHIND } else { IDLE };
            let ended = match answer.next_shard_iterator() {
                Some(_) => None,
                None => Some(stream.children(&self.shard, answer.child_shards()).await?),
            };
            self.iterator = answer.next_shard_iterator;
            return Ok((self, Chunk { records: answer.records, behind_milliseconds: behind, ended }));
        }
    }
}
