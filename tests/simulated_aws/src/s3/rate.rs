//! How much a bucket is asked in a second, and how much it takes.

use crate::Account;
use crate::wire::{Call, Refusal, between};
use std::time::Duration;
use tokio::time::Instant;

/// What a bucket was asked since a moment.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    since: Instant,
    calls: u32,
    deletions: u32,
}

impl Account {
    /// Fact: a bucket that is asked too much answers 503 SlowDown, and each key of a DeleteObjects counts.
    pub(crate) fn slows_down(&mut self, call: &Call) -> Option<Refusal> {
        let (calls, deletions) =
            (self.script.bucket_calls_per_second, self.script.bucket_deletions_per_second);
        if calls.is_none() && deletions.is_none() {
            return None;
        }
        let now = self.clock.now();
        let fresh = Rate { since: now, calls: 0, deletions: 0 };
        let rate = self.rates.entry(call.get("Bucket").to_owned()).or_insert_with(|| fresh.clone());
        if now.saturating_duration_since(rate.since) >= Duration::from_secs(1) {
            *rate = fresh;
        }
        let keys = match call.operation.as_str() {
            "DeleteObjects" => u32::try_from(between(call.get("Body"), "Object").len()).unwrap_or(u32::MAX),
            _ => 0,
        };
        let is_full = |most: Option<u32>, used: u32, more: u32| {
            // A single call that is more than a second takes gets through where nothing else is under way.
            most.is_some_and(|most| used > 0 && more > 0 && used.saturating_add(more) > most)
        };
        if is_full(calls, rate.calls, 1) || is_full(deletions, rate.deletions, keys) {
            return Some(Refusal::throttled("s3"));
        }
        rate.calls += 1;
        rate.deletions = rate.deletions.saturating_add(keys);
        None
    }
}
