//! Where a test hangs: the leg to suspect, and what is known of it.

use super::{Course, Fate, SHOWN, Weight, YOUNG, count};
use crate::data::smoke::report::{Leg, LegState};
use std::collections::BTreeSet;

impl Course {
    /// The leg at which it hangs, by all that is known.
    pub(super) fn suspect(&self, since: f64) -> Leg {
        let is_open = |leg: Leg| self.state(leg) != LegState::Good;
        if is_open(Leg::Stream) {
            return Leg::Stream;
        }
        let (landed, wanted) = self.landed();
        if landed == wanted {
            return Leg::Errors;
        }
        let said = |leg: Leg, weight: Weight| self.said.iter().any(|it| (it.0, it.2) == (leg, weight));
        if let Some(leg) = Leg::ALL.into_iter().find(|leg| is_open(*leg) && said(*leg, Weight::Complaint)) {
            return leg;
        }
        // Records of somebody's that got on say nothing of a shard of which nothing did.
        let is_shard_silent =
            !self.silent_shards().is_empty() && self.silent_shards().len() < self.terms.shards.len();
        // Before the buffers' time is over nothing hangs, so that there is nothing to hint at.
        let got_on = |leg: Leg| since >= self.terms.due.landed && said(leg, Weight::Passed);
        match () {
            () if is_shard_silent => Leg::Delivery,
            () if got_on(Leg::Transform) => Leg::Bucket,
            () if got_on(Leg::Delivery) => Leg::Transform,
            () if landed > 0 => Leg::Bucket,
            () => Leg::Delivery,
        }
    }

    /// Shards none of whose records turned up.
    pub(super) fn silent_shards(&self) -> Vec<&str> {
        let heard: BTreeSet<usize> = (self.records.iter().zip(&self.fates))
            .filter(|(_, fate)| fate.is_some())
            .map(|(record, _)| record.shard)
            .collect();
        let shards = self.terms.shards.iter().enumerate();
        shards.filter(|(place, _)| !heard.contains(place)).map(|(_, shard)| shard.as_str()).collect()
    }

    /// What is known of a leg that doesn't work.
    pub(super) fn evidence(&self, leg: Leg, since: f64) -> Vec<String> {
        let of = |weight: Weight| {
            let said = self.said.iter().filter(move |it| (it.0, it.2) == (leg, weight));
            said.rev().map(|(_, said, _)| said.clone())
        };
        let mut seen: Vec<String> = of(Weight::Complaint).chain(of(Weight::Note)).take(SHOWN).collect();
        // Why it is suspected, and not a leg before it.
        seen.extend(self.hint(leg));
        let (landed, wanted) = self.landed();
        let waited = format!("{:.0}s after they were sent", since);
        match leg {
            Leg::Stream => {}
            Leg::Errors => seen.push(format!(
                "{} of {} lie under the error prefix {waited}",
                self.bad().filter(|(_, fate)| fate.is_some()).count(),
                count(self.bad().count(), "bad record")
            )),
            _ => {
                seen.push(format!("{landed} of {} have their rows {waited}", count(wanted, "trade")));
                let silent = self.silent_shards();
                if leg == Leg::Delivery && silent.len() < self.terms.shards.len() && !silent.is_empty() {
                    seen.push(format!(
                        "nothing came of {}",
                        silent.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ")
                    ));
                }
            }
        }
        if since < self.terms.due.landed {
            seen.push(format!("the buffers alone take up to {:.0}s", self.terms.due.landed));
        }
        seen
    }

    pub(super) fn may_send_again(&self) -> bool {
        let is_quiet = self.said.iter().all(|(_, _, weight)| *weight != Weight::Complaint);
        let is_young = self.terms.reading_for.is_some_and(|seconds| seconds < YOUNG);
        !self.again && is_young && is_quiet && !self.silent_shards().is_empty()
    }

    /// What shows that records, of anybody's, got as far as to a leg.
    fn hint(&self, leg: Leg) -> Option<String> {
        let before = match leg {
            Leg::Transform => Leg::Delivery,
            Leg::Bucket => Leg::Transform,
            _ => return None,
        };
        let said = self.said.iter().rev().find(|it| (it.0, it.2) == (before, Weight::Passed));
        said.map(|(_, said, _)| format!("{said} (anybody's records)"))
    }

    /// The legs before a broken one through which records of the test have come.
    pub(super) fn proven(&self, broken: Leg) -> Vec<Leg> {
        let has_come = |leg: Leg| match leg {
            Leg::Delivery => self.fates.iter().flatten().next().is_some(),
            Leg::Transform => self.fates.iter().flatten().any(|fate| matches!(fate, Fate::Row { .. })),
            _ => false,
        };
        let before = [Leg::Delivery, Leg::Transform].into_iter().filter(|leg| *leg < broken);
        before.filter(|leg| has_come(*leg)).collect()
    }
}
