//! The stream that is read, and what is asked of it.

use super::place::{From, Position};
use super::shards::{Told, children_of};
use crate::clock::Clock;
use crate::cloud::fault;
use crate::cloud::tries::Tries;
use crate::data::backoff::Backoff;
use crate::error::{Error, Kind};
use anyhow::{Context as _, Result};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::operation::get_shard_iterator::GetShardIteratorError;
use aws_sdk_kinesis::operation::list_shards::ListShardsError;
use aws_sdk_kinesis::types::{ChildShard, Record, Shard};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::sleep;

/// After so long without a single answer, reading ends.
const GIVE_UP: Duration = Duration::from_mins(5);
/// How often the children of a shard that has ended are looked for, a second apart.
const LOOKS_FOR_CHILDREN: u32 = 5;

#[derive(Clone, Copy)]
pub(super) struct Stream<'a> {
    pub(super) kinesis: &'a Client,
    pub(super) name: &'a str,
    pub(super) clock: &'a Clock,
    /// How the calls go that are about no shard.
    pub(super) tries: &'a Tries,
}

/// What a shard gave.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) records: Vec<Record>,
    /// How far behind the newest record it is.
    pub(super) behind_milliseconds: Option<u64>,
    /// Its children, where it was read to its end.
    pub(super) ended: Option<Vec<Told>>,
}

/// Trouble that may pass: how long to wait, and when it has lasted too long.
#[derive(Debug)]
pub(super) struct Patience {
    backoff: Backoff,
    pub(super) tries: Tries,
}

impl Patience {
    pub(super) fn new(tries: Tries) -> Self {
        Patience { backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(5)), tries }
    }

    /// There was an answer.
    pub(super) fn restore(&mut self) {
        self.backoff.reset();
        self.tries.succeeded();
    }

    /// Waits before the next try. An error where there have been none but errors for too long.
    pub(super) async fn wait(&mut self, what: &str, error: anyhow::Error) -> Result<()> {
        let reason = Error::of(&error);
        self.tries.failed(reason.cause.clone().unwrap_or_else(|| reason.message.clone()));
        if self.tries.failing().is_some_and(|failing| failing.since.elapsed() >= GIVE_UP) {
            let minutes = GIVE_UP.as_secs() / 60;
            let message = format!("{what} gave no answer for {minutes} minutes");
            return Err(Error::new(Kind::TimedOut, message).because(reason.to_string()).into());
        }
        sleep(self.backoff.equal_jitter()).await;
        Ok(())
    }
}

impl Stream<'_> {
    /// All shards that are kept, the closed ones included.
    pub(super) async fn shards(self) -> Result<Vec<Told>> {
        let (mut shards, mut token) = (Vec::new(), None::<String>);
        let mut patience = Patience::new(self.tries.clone());
        loop {
            let call = self.kinesis.list_shards();
            // Asked for the next page, it takes nothing else.
            let call = match &token {
                Some(token) => call.next_token(token),
                None => call.stream_name(self.name),
            };
            let call = call.customize().interceptor(self.tries.notes::<ListShardsError>());
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) => {
                    let (passes, what) = (fault::is_transient(&error), format!("stream {}", self.name));
                    let error = fault::explain(error, &format!("list the shards of {what}"));
                    if !passes {
                        return Err(error);
                    }
                    patience.wait(&what, error).await?;
                    continue;
                }
            };
            patience.restore();
            shards.extend(page.shards().iter().map(told));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(shards);
            }
        }
    }

    pub(super) async fn iterator(
        self,
        shard: &str,
        position: &Position,
        tries: &Tries,
    ) -> Result<String, Failure> {
        let call = self.kinesis.get_shard_iterator().stream_name(self.name).shard_id(shard);
        let call = call
            .shard_iterator_type(position.kind())
            .set_starting_sequence_number(position.number())
            .set_timestamp(position.timestamp())
            .customize()
            .interceptor(tries.notes::<GetShardIteratorError>());
        match call.send().await {
            Ok(answer) => {
                let none = || anyhow::anyhow!("shard {shard} gave no iterator");
                answer.shard_iterator.ok_or_else(|| Failure::Final(none()))
            }
            Err(error) if error.code() == Some("InvalidArgumentException") => {
                Err(Failure::Refused(fault::explain(error, &format!("read shard {shard} from there"))))
            }
            Err(error) if fault::is_transient(&error) => {
                Err(Failure::Passing(fault::explain(error, &format!("read shard {shard}"))))
            }
            Err(error) => Err(Failure::Final(fault::explain(error, &format!("read shard {shard}")))),
        }
    }

    /// Where each shard begins. What has no position isn't read.
    pub(super) async fn positions(
        self,
        from: &From,
        shards: &[Told],
    ) -> Result<impl Fn(&Told) -> Option<Position> + use<>> {
        let (owner, time) = match from {
            From::SequenceNumber(number) => {
                let (owner, time) = self.owner(number, shards).await?;
                (Some((owner, number.clone())), Some(time))
            }
            other => (None, other.time(self.clock.now())),
        };
        let is_latest = *from == From::Latest;
        Ok(move |shard: &Told| match (&owner, time) {
            (Some((owner, number)), _) if *owner == shard.id => Some(Position::AtNumber(number.clone())),
            (_, Some(time)) => Some(Position::At(time)),
            // Nothing more comes to a closed one.
            (_, None) if is_latest => shard.open.then_some(Position::Latest),
            (_, None) => Some(Position::TrimHorizon),
        })
    }

    /// Which shard a sequence number is of, and when its record came. No range tells: numbers hold the time and the
    /// shard, so that those of all shards run side by side. But a shard refuses a number of another one's.
    async fn owner(self, number: &str, shards: &[Told]) -> Result<(String, Timestamp)> {
        let mut near = None;
        for shard in shards {
            let at = match self
                .iterator(&shard.id, &Position::AtNumber(number.to_owned()), &Tries::default())
                .await
            {
                Ok(at) => at,
                Err(Failure::Refused(_)) => continue,
                Err(Failure::Passing(error) | Failure::Final(error)) => return Err(error),
            };
            let answer = self.kinesis.get_records().shard_iterator(at).limit(1).send().await;
            let answer =
                answer.map_err(|error| fault::explain(error, &format!("read shard {}", shard.id)))?;
            let record = answer.records().first();
            let millis = record.and_then(|it| it.approximate_arrival_timestamp()?.to_millis().ok());
            let time = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
            let found = (shard.id.clone(), time.unwrap_or_else(|| self.clock.now()));
            if record.is_some_and(|record| record.sequence_number() == number) {
                return Ok(found);
            }
            near.get_or_insert(found);
        }
        let message = format!("--from `{number}`: no shard of stream {} has this sequence number", self.name);
        near.with_context(|| Error::new(Kind::BadInput, message))
    }

    /// The children of a shard that was read to its end: as the last answer told them, else as the stream does.
    pub(super) async fn children(self, shard: &str, told: &[ChildShard]) -> Result<Vec<Told>> {
        if !told.is_empty() {
            return Ok(told.iter().map(told_child).collect());
        }
        for look in 1..=LOOKS_FOR_CHILDREN {
            let children = children_of(shard, &self.shards().await?);
            if !children.is_empty() {
                return Ok(children);
            }
            if look < LOOKS_FOR_CHILDREN {
                sleep(Duration::from_secs(1)).await;
            }
        }
        Ok(Vec::new())
    }
}

/// Why a shard can't be read.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may pass.
    Passing(anyhow::Error),
    /// Not from this place.
    Refused(anyhow::Error),
    Final(anyhow::Error),
}

fn told(shard: &Shard) -> Told {
    let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
    Told {
        id: shard.shard_id().to_owned(),
        parents: parents.into_iter().flatten().map(str::to_owned).collect(),
        open: shard.sequence_number_range().is_none_or(|range| range.ending_sequence_number().is_none()),
    }
}

fn told_child(child: &ChildShard) -> Told {
    Told { id: child.shard_id().to_owned(), parents: child.parent_shards().to_vec(), open: true }
}
