//! Shards: how they are told, and how they are changed.

use super::stream::{Shard, Stream};
use super::{STREAM, in_range, in_use, invalid, shard_missing, told_keys};
use crate::things::Coming;
use crate::wire::{Call, Refusal, Reply};
use crate::{ACCOUNT, Account};
use aws_smithy_types::base64;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// A change of a stream's shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reshard {
    /// The shard of this number, in two halves.
    Split(usize),
    /// The two shards of these numbers, which lie side by side.
    Merge(usize, usize),
    /// So many shards of the same width.
    Scale(usize),
    /// The shard of this number, before this hash key.
    SplitAt(usize, u128),
}

/// Fact: closed shards are told as long as their records are kept, with the range of their sequence numbers; children
/// name their parents. A filter tells those open at the tip, at the horizon or at a time, or from there on.
pub(super) fn list(account: &mut Account, call: &Call, name: &str) -> Reply {
    let (name, after) = match call.given("NextToken") {
        Some(token) => read_token(token)?,
        None => (name.to_owned(), call.get("ExclusiveStartShardId").to_owned()),
    };
    let most = in_range(call, "MaxResults", 10_000)?.min(account.script.page);
    let (now, clock) = (account.clock.now(), account.clock);
    let thing = account.thing(STREAM, &name).ok_or_else(|| super::missing(&name))?;
    let retention = Duration::from_secs(super::retention(thing) * 3_600);
    let Some(stream) = account.stream_data(&name) else { return Err(super::missing(&name)) };
    let horizon = now.checked_sub(retention).unwrap_or(stream.made);
    let kept = |shard: &Shard| shard.closed.is_none_or(|closed| closed >= horizon);
    let time: f64 = call.get("ShardFilter.Timestamp").parse().unwrap_or_default();
    let open_at = |shard: &Shard, seconds: f64| {
        clock.seconds(shard.opened) <= seconds
            && shard.closed.is_none_or(|closed| clock.seconds(closed) > seconds)
    };
    let since =
        |shard: &Shard, seconds: f64| shard.closed.is_none_or(|closed| clock.seconds(closed) > seconds);
    let told_by_filter = |shard: &Shard| match call.get("ShardFilter.Type") {
        "AT_LATEST" => shard.closed.is_none(),
        "AT_TRIM_HORIZON" => shard.parents.iter().all(|parent| !kept(&stream.shards[*parent])),
        "AT_TIMESTAMP" => open_at(shard, time),
        "FROM_TIMESTAMP" => since(shard, time),
        "AFTER_SHARD_ID" => shard.id().as_str() > call.get("ShardFilter.ShardId"),
        _ => true,
    };
    let all = stream.shards.iter().filter(|shard| kept(shard) && told_by_filter(shard) && shard.id() > after);
    let all: Vec<&Shard> = all.collect();
    let mut told = json!({"Shards": all.iter().take(most).map(|shard| described(shard)).collect::<Vec<_>>()});
    if all.len() > most {
        told["NextToken"] = json!(base64::encode(format!("{name}|{}", all[most - 1].id())));
    }
    Ok(told.to_string())
}

fn read_token(token: &str) -> Result<(String, String), Refusal> {
    let text = base64::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = text.as_deref().and_then(|text| text.split_once('|'));
    parts.map(|(name, id)| (name.to_owned(), id.to_owned())).ok_or_else(|| invalid("Invalid NextToken."))
}

pub(super) fn described(shard: &Shard) -> Value {
    let mut range = json!({"StartingSequenceNumber": shard.sequence(shard.first)});
    if let Some(last) = shard.last {
        range["EndingSequenceNumber"] = json!(shard.sequence(last));
    }
    let mut told =
        json!({"ShardId": shard.id(), "HashKeyRange": told_keys(shard), "SequenceNumberRange": range});
    for (name, parent) in ["ParentShardId", "AdjacentParentShardId"].iter().zip(&shard.parents) {
        told[*name] = json!(super::stream::id(*parent));
    }
    told
}

/// Fact: a stream whose shards are changed is UPDATING for a while, and takes and gives records meanwhile; then the
/// parents are closed and the children open.
pub(super) fn reshard(account: &mut Account, call: &Call, name: &str) -> Reply {
    let Some(stream) = account.stream_data(name) else { return Err(super::missing(name)) };
    let shard = |parameter: &str| {
        let id = call.get(parameter);
        let shard = stream.shard(id).ok_or_else(|| shard_missing(name, id))?;
        let closed = || {
            let text = format!(
                "Shard {id} in stream {name} under account {ACCOUNT} has already been merged or split"
            );
            invalid(format!("{text}, and thus is not eligible for merging or splitting."))
        };
        if shard.closed.is_some() { Err(closed()) } else { Ok(shard) }
    };
    let open = stream.opened().count();
    let (what, told) = match call.operation.as_str() {
        "SplitShard" => {
            let shard = shard("ShardToSplit")?;
            let at: u128 = call.get("NewStartingHashKey").parse().unwrap_or_default();
            if !(shard.keys.0 + 1..=shard.keys.1).contains(&at) {
                return Err(invalid(format!(
                    "NewStartingHashKey {at} is outside of the shard {}.",
                    shard.id()
                )));
            }
            (Reshard::SplitAt(shard.number, at), json!({}))
        }
        "MergeShards" => {
            let (one, other) = (shard("ShardToMerge")?, shard("AdjacentShardToMerge")?);
            if one.keys.1.wrapping_add(1) != other.keys.0 && other.keys.1.wrapping_add(1) != one.keys.0 {
                let text = format!(
                    "Shards {} and {} in stream {name} under account {ACCOUNT}",
                    one.id(),
                    other.id()
                );
                return Err(invalid(format!(
                    "{text} are not an adjacent pair of shards eligible for merging."
                )));
            }
            (Reshard::Merge(one.number, other.number), json!({}))
        }
        _ => {
            let target = in_range(call, "TargetShardCount", 10_000)?;
            // Fact: UpdateShardCount at most doubles, and at least halves.
            if target > open * 2 || target * 2 < open {
                let text = "UpdateShardCount cannot scale up over double, or down below half, the current open shard count";
                return Err(Refusal::new(400, "LimitExceededException", format!("{text} of {open}.")));
            }
            let told = json!({"StreamName": name, "CurrentShardCount": open, "TargetShardCount": target});
            (Reshard::Scale(target), told)
        }
    };
    begin(account, name, what)?;
    Ok(if told == json!({}) { String::new() } else { told.to_string() })
}

fn begin(account: &mut Account, name: &str, what: Reshard) -> Result<(), Refusal> {
    let now = account.clock.now();
    let state = account.stream_state(name);
    if state != "ACTIVE" {
        return Err(in_use(name, state));
    }
    let until = now + Duration::from_secs_f64(account.script.resharding_seconds * account.script.pace);
    let Some(stream) = account.stream_data(name) else { return Err(super::missing(name)) };
    stream.updating = true;
    let made = stream.made;
    account.coming.push((until, Coming::Reshards(name.to_owned(), made, what)));
    Ok(())
}

impl Account {
    /// Somebody else changes a stream's shards, which takes a while. Nothing happens where the stream isn't ACTIVE.
    pub fn somebody_reshards(&mut self, stream: &str, what: Reshard) {
        let _ = begin(self, stream, what);
    }

    /// A change of a stream's shards takes effect.
    pub(crate) fn reshards(&mut self, name: &str, made: Instant, what: &Reshard, at: Instant) {
        let Some(stream) = self.stream_data(name).filter(|stream| stream.made == made) else { return };
        stream.apply(what, at);
        stream.updating = false;
        let open = stream.opened().count().to_string();
        if let Some(thing) = self.things.get_mut(&(STREAM.to_owned(), name.to_owned())) {
            thing.facts.insert("Shards", open);
        }
    }
}

impl Stream {
    fn apply(&mut self, what: &Reshard, at: Instant) {
        let is_open = |shard: &usize| self.shards.get(*shard).is_some_and(|shard| shard.closed.is_none());
        match what {
            Reshard::Split(shard) if is_open(shard) => {
                let (first, last) = self.shards[*shard].keys;
                self.split(*shard, first + (last - first) / 2 + 1, at);
            }
            Reshard::SplitAt(shard, key) if is_open(shard) => self.split(*shard, *key, at),
            Reshard::Merge(one, other) if is_open(one) && is_open(other) => self.merge(*one, *other, at),
            Reshard::Scale(shards) => self.scale(*shards, at),
            _ => {}
        }
    }
}
