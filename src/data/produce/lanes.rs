//! Records that wait to leave in the order of their keys. Pure.
//!
//! PutRecords promises no order, and may take a later record of a call while it refuses an earlier one:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>. So of each key only one record is
//! under way at a time.

use super::batch::Record;
use std::collections::{HashMap, VecDeque};

/// So many records are looked ahead for keys that are free.
const AHEAD: usize = 2_000;
/// And so many bytes.
const AHEAD_BYTES: usize = 32 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<u64, Lane>,
    /// Lanes whose first record may leave.
    ready: VecDeque<u64>,
    waiting: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Record>,
    busy: bool,
}

impl Lanes {
    /// Whether another record should be looked at.
    pub(super) fn has_room(&self) -> bool {
        self.waiting < AHEAD && self.bytes < AHEAD_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Whether a record may leave now.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn push(&mut self, record: Record) {
        let name = record.mark.lane;
        self.waiting += 1;
        self.bytes += record.mark.size as usize;
        let lane = self.lanes.entry(name).or_default();
        lane.waiting.push_back(record);
        if lane.waiting.len() == 1 && !lane.busy {
            self.ready.push_back(name);
        }
    }

    /// The next record that may leave, where it fits.
    pub(super) fn next(&mut self, fits: impl FnOnce(usize) -> bool) -> Option<Record> {
        let name = *self.ready.front()?;
        let lane = self.lanes.get_mut(&name)?;
        if !lane.waiting.front().is_some_and(|record| fits(record.mark.size as usize)) {
            return None;
        }
        self.ready.pop_front();
        lane.busy = true;
        let record = lane.waiting.pop_front()?;
        self.waiting -= 1;
        self.bytes -= record.mark.size as usize;
        Some(record)
    }

    /// The stream has taken the record of this lane.
    pub(super) fn accepted(&mut self, name: u64) {
        let Some(lane) = self.lanes.get_mut(&name) else { return };
        lane.busy = false;
        if lane.waiting.is_empty() {
            self.lanes.remove(&name);
        } else {
            self.ready.push_back(name);
        }
    }

    /// The stream has refused it: it comes first again.
    pub(super) fn refused(&mut self, record: Record) {
        let name = record.mark.lane;
        self.waiting += 1;
        self.bytes += record.mark.size as usize;
        let lane = self.lanes.entry(name).or_default();
        lane.waiting.push_front(record);
        lane.busy = false;
        self.ready.push_back(name);
    }

    /// Drops what has never been sent, and tells how many those were.
    pub(super) fn forget_unsent(&mut self) -> u64 {
        let before = self.waiting;
        for lane in self.lanes.values_mut() {
            lane.waiting.retain(|record| record.attempted);
        }
        let lanes = &self.lanes;
        self.ready.retain(|name| lanes.get(name).is_some_and(|lane| !lane.waiting.is_empty()));
        let left = self.lanes.values().flat_map(|lane| &lane.waiting);
        (self.waiting, self.bytes) =
            left.fold((0, 0), |(count, bytes), record| (count + 1, bytes + record.mark.size as usize));
        (before - self.waiting) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn record(key: u8, number: usize) -> Record {
        Record::new(number.to_string().as_bytes(), &key.to_string())
    }

    proptest! {
        #[test]
        fn no_record_of_a_key_leaves_before_those_ahead_of_it_are_accepted(
            keys in prop::collection::vec(0_u8..4, 1..60), seed: u64
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut lanes = Lanes::default();
            let mut expected: BTreeMap<u64, Vec<Record>> = BTreeMap::new();
            for (number, key) in keys.iter().enumerate() {
                let record = record(*key, number);
                expected.entry(record.mark.lane).or_default().push(record.clone());
                lanes.push(record);
            }
            let (mut under_way, mut accepted) = (Vec::<Record>::new(), BTreeMap::<u64, Vec<Record>>::new());
            while !lanes.is_empty() || !under_way.is_empty() {
                while let Some(record) = lanes.next(|_| random.u8(..4) > 0) {
                    prop_assert!(under_way.iter().all(|other| other.mark.lane != record.mark.lane));
                    under_way.push(record);
                }
                if under_way.is_empty() {
                    continue;
                }
                let record = under_way.swap_remove(random.usize(..under_way.len()));
                if random.bool() {
                    lanes.refused(record);
                } else {
                    lanes.accepted(record.mark.lane);
                    accepted.entry(record.mark.lane).or_default().push(record);
                }
            }
            prop_assert_eq!(accepted, expected);
        }
    }

    #[test]
    fn what_was_never_sent_is_forgotten_and_what_was_refused_is_not() {
        let mut lanes = Lanes::default();
        (0..6).for_each(|number| lanes.push(record(number % 2, usize::from(number))));
        let (mut first, second) = (lanes.next(|_| true).unwrap(), lanes.next(|_| true).unwrap());
        first.attempted = true;
        lanes.refused(first.clone());
        assert_eq!(lanes.forget_unsent(), 4);
        assert_eq!(lanes.next(|_| true), Some(first));
        lanes.accepted(second.mark.lane);
        assert!(lanes.is_empty() && !lanes.is_ready());
    }
}
