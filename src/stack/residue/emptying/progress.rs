//! How far it is: so much, so fast, so long still. No clocks: seconds in, an event out, seldom enough.

use crate::event::Event;

/// Seconds between two events, at least.
const PAUSE: f64 = 0.5;
/// How much of the rate is the last pause's own.
const FRESH: f64 = 0.3;

/// What was deleted from one bucket so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Object versions and delete markers.
    pub versions: u64,
    /// Their size.
    pub bytes: u64,
    total: Option<u64>,
    told_seconds: f64,
    told_versions: u64,
    rate: Option<f64>,
}

impl Progress {
    /// Of so many versions, where that is known.
    pub fn of(total: Option<u64>) -> Self {
        Progress { total, ..Progress::default() }
    }

    /// Adds what is gone now.
    pub fn add(&mut self, versions: u64, bytes: u64) {
        self.versions += versions;
        self.bytes += bytes;
    }

    /// An event, so many seconds after the beginning, where it is time for one.
    pub fn tell(&mut self, bucket: &str, seconds: f64) -> Option<Event> {
        let pause = seconds - self.told_seconds;
        if pause < PAUSE || self.versions == self.told_versions {
            return None;
        }
        let fresh = (self.versions - self.told_versions) as f64 / pause;
        let rate = self.rate.map_or(fresh, |rate| rate + FRESH * (fresh - rate));
        (self.told_seconds, self.told_versions, self.rate) = (seconds, self.versions, Some(rate));
        // More can have been written since it was counted.
        let left = self.total.and_then(|total| total.checked_sub(self.versions)).filter(|_| rate > 0.0);
        Some(Event::Emptying {
            bucket: bucket.to_owned(),
            versions: self.versions,
            bytes: self.bytes,
            total: self.total,
            seconds: Some(seconds),
            versions_per_second: Some(rate),
            seconds_left: left.map(|left| left as f64 / rate),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_twice_a_second_at_most_with_what_is_left() {
        let mut progress = Progress::of(Some(100_000));
        let calls = (1..=100).filter_map(|call| {
            progress.add(1_000, 7);
            progress.tell("b", f64::from(call) * 0.125)
        });
        let told: Vec<Event> = calls.collect();
        assert_eq!(told.len(), 25);
        assert_eq!(
            told[0],
            Event::Emptying {
                bucket: "b".to_owned(),
                versions: 4_000,
                bytes: 28,
                total: Some(100_000),
                seconds: Some(0.5),
                versions_per_second: Some(8_000.0),
                seconds_left: Some(12.0),
            }
        );
    }

    #[test]
    fn what_nobody_counted_and_what_has_grown_has_no_time_left() {
        for total in [None, Some(10)] {
            let told = Progress { total, versions: 1_000, ..Progress::default() }.tell("b", 1.0);
            assert!(matches!(told, Some(Event::Emptying { seconds_left: None, .. })), "{told:?}");
        }
    }
}
