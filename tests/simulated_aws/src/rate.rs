//! How much is asked in a second, and how much is taken.

use crate::Account;
use crate::wire::{Call, Refusal, between};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// What something was asked since a moment.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    since: Instant,
    calls: u32,
    deletions: u32,
}

/// What this was asked in its running second.
fn running(rates: &mut BTreeMap<String, Rate>, whose: String, now: Instant) -> &mut Rate {
    let fresh = Rate { since: now, calls: 0, deletions: 0 };
    let rate = rates.entry(whose).or_insert_with(|| fresh.clone());
    if now.saturating_duration_since(rate.since) >= Duration::from_secs(1) {
        *rate = fresh;
    }
    rate
}

impl Account {
    /// Fact: calls are throttled per account and region, so that all who watch share what it takes.
    pub(crate) fn throttles(&mut self, call: &Call) -> Option<Refusal> {
        let most = *self.script.calls_per_second.get(&call.operation)?;
        let whose = format!("{} {}", call.region, call.operation);
        let rate = running(&mut self.rates, whose, self.clock.now());
        if rate.calls >= most {
            return Some(Refusal::throttled(&call.service));
        }
        rate.calls += 1;
        None
    }

    /// Fact: a bucket that is asked too much answers 503 SlowDown, and each key of a DeleteObjects counts.
    pub(crate) fn slows_down(&mut self, call: &Call) -> Option<Refusal> {
        let (calls, deletions) =
            (self.script.bucket_calls_per_second, self.script.bucket_deletions_per_second);
        if calls.is_none() && deletions.is_none() {
            return None;
        }
        let rate = running(&mut self.rates, call.get("Bucket").to_owned(), self.clock.now());
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
