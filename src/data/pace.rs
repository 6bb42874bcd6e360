//! When the producer's next call is due, and with how many records. Pure: the clock is handed in.

use std::time::Duration;

/// At most so many records go into one PutRecords call; the service's own limit. Its other limit, 10 MiB a
/// call, is out of reach: 500 of our records are some 60 KB.
pub(super) const RECORDS_PER_CALL: u64 = 500;

/// Paced calls are at least so far apart, so that a high rate doesn't become one call a record.
const TICK: Duration = Duration::from_millis(100);

/// A paced record that was held up by a slow stream may still leave so long after the end.
const GRACE: Duration = Duration::from_secs(1);

/// How many records leave when. Times count from the first record.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    records: Option<u64>,
    rate: Option<f64>,
    duration: Option<Duration>,
    /// Records handed out so far.
    made: u64,
    /// When records were last handed out.
    last: Option<Duration>,
}

impl Pace {
    /// No more than `records`, `rate` of them a second, all within `duration`; `None` is no limit.
    pub(super) fn new(records: Option<u64>, rate: Option<f64>, duration: Option<Duration>) -> Self {
        Pace { records, rate, duration, made: 0, last: None }
    }

    /// When the next call should leave. A time that has passed means at once, `None` never.
    pub(super) fn next_call(&self, now: Duration) -> Option<Duration> {
        if self.records.is_some_and(|records| self.made >= records) {
            return None;
        }
        let due = self.due(self.made)?;
        let Some(end) = self.duration else { return Some(self.call_at(due)) };
        let closes = if self.rate.is_some() { end.saturating_add(GRACE) } else { end };
        // The last call doesn't wait for its tick: it takes what is due before the end, at the end.
        (due < end && now < closes).then(|| self.call_at(due).min(end))
    }

    /// How many records the call that leaves now takes along; they count as made.
    pub(super) fn take(&mut self, now: Duration) -> u64 {
        let left = self.records.map_or(u64::MAX, |records| records - self.made).min(RECORDS_PER_CALL);
        let end = self.duration.unwrap_or(Duration::MAX);
        let is_due = |record: &u64| self.due(*record).is_some_and(|due| due <= now && due < end);
        let count = (self.made..).take_while(is_due).take(left as usize).count() as u64;
        self.made += count;
        self.last = Some(now);
        count
    }

    /// Whether records leave at a rate rather than as fast as the stream takes them.
    pub(super) fn is_paced(&self) -> bool {
        self.rate.is_some()
    }

    /// Records handed out so far.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Each record's time is reckoned from the start, not from the one before: so nothing drifts.
    fn due(&self, record: u64) -> Option<Duration> {
        match self.rate {
            Some(rate) => Duration::try_from_secs_f64(record as f64 / rate).ok(),
            None => Some(Duration::ZERO),
        }
    }

    fn call_at(&self, due: Duration) -> Duration {
        let tick = self.last.map_or(Duration::ZERO, |last| last + TICK);
        let full = self.due(self.made.saturating_add(RECORDS_PER_CALL - 1)).unwrap_or(Duration::MAX);
        due.max(tick).min(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every call, as (milliseconds, records), where each leaves exactly when it may.
    fn calls(mut pace: Pace) -> Vec<(u128, u64)> {
        let (mut now, mut calls) = (Duration::ZERO, Vec::new());
        while let Some(at) = pace.next_call(now) {
            now = now.max(at);
            calls.push((now.as_millis(), pace.take(now)));
        }
        calls
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_a_second_is_one_a_second() {
        assert_eq!(calls(Pace::new(Some(3), Some(1.0), None)), [(0, 1), (1_000, 1), (2_000, 1)]);
    }

    #[test]
    fn a_fast_rate_leaves_in_ticks() {
        let calls = calls(Pace::new(None, Some(50.0), Some(SECOND / 2)));
        assert_eq!(calls, [(0, 1), (100, 5), (200, 5), (300, 5), (400, 5), (500, 4)]);
    }

    #[test]
    fn a_very_fast_rate_leaves_in_full_calls() {
        let calls = calls(Pace::new(Some(1_501), Some(10_000.0), None));
        assert_eq!(calls, [(0, 1), (50, 500), (100, 500), (150, 500)]);
    }

    #[test]
    fn without_a_rate_every_call_is_full_and_due_at_once() {
        assert_eq!(calls(Pace::new(Some(1_200), None, None)), [(0, 500), (0, 500), (0, 200)]);
        assert_eq!(calls(Pace::new(Some(0), None, None)), []);
    }

    #[test]
    fn what_was_held_up_is_made_up_for_in_bigger_calls() {
        let mut pace = Pace::new(None, Some(100.0), None);
        assert_eq!(pace.take(Duration::ZERO), 1);
        assert_eq!(pace.take(3 * SECOND), 300);
        assert_eq!(pace.take(9 * SECOND), 500);
        let next = pace.next_call(9 * SECOND).unwrap();
        assert_eq!((next, pace.take(next)), (9 * SECOND + TICK, 110));
    }

    #[test]
    fn a_stream_that_cannot_keep_up_does_not_stretch_the_duration() {
        let mut pace = Pace::new(None, Some(1_000_000.0), Some(SECOND));
        pace.take(Duration::ZERO);
        assert!(pace.next_call(SECOND + SECOND / 2).is_some());
        assert_eq!(pace.next_call(2 * SECOND), None);
    }

    #[test]
    fn a_rate_that_is_hardly_one_waits_instead_of_overflowing() {
        let mut pace = Pace::new(None, Some(f64::MIN_POSITIVE), None);
        assert_eq!(pace.take(Duration::ZERO), 1);
        assert_eq!(pace.next_call(SECOND), None);
    }

    proptest! {
        #[test]
        fn a_rate_and_a_duration_make_their_product(rate in 1_u32..3_000, seconds in 1_u32..30) {
            let pace = Pace::new(None, Some(rate.into()), Some(Duration::from_secs(seconds.into())));
            let total: u64 = calls(pace).iter().map(|(_, records)| records).sum();
            prop_assert_eq!(total, u64::from(rate * seconds));
        }

        #[test]
        fn no_record_leaves_early_or_more_than_a_tick_late(rate in 0.1_f64..20_000.0) {
            let mut made = 0;
            for (at, records) in calls(Pace::new(Some(2_000), Some(rate), None)) {
                prop_assert!((1..=RECORDS_PER_CALL).contains(&records));
                for record in made..made + records {
                    let due = record as f64 / rate * 1_000.0;
                    prop_assert!(at as f64 >= due - 1.0 && at as f64 <= due + 101.0, "{} at {}", due, at);
                }
                made += records;
            }
            prop_assert_eq!(made, 2_000);
        }
    }
}
