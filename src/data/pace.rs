//! When the producer's next call is due, and with how many records. Pure: the clock is handed in.

use super::produce::RECORDS_PER_CALL;
use crate::cli::Load;
use std::time::Duration;

/// Paced calls are at least so far apart, so that a high rate doesn't become one call a record.
const TICK: Duration = Duration::from_millis(100);

/// A paced record that was held up by a slow stream may still leave so long after the end.
const GRACE: Duration = Duration::from_secs(1);

/// How long a ramp goes up and down again where neither records nor a duration end it.
const RAMP: f64 = 60.0;
/// A burst begins so often, in seconds, and takes a tenth of that.
const BURST: f64 = 10.0;

/// How many records leave when. Times count from the first record.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    records: Option<u64>,
    rate: Option<f64>,
    shape: Load,
    duration: Option<Duration>,
    /// Records handed out so far.
    made: u64,
    /// When records were last handed out.
    last: Option<Duration>,
}

impl Pace {
    /// No more than `records`, `rate` of them a second, all within `duration`; `None` is no limit.
    pub(super) fn new(records: Option<u64>, rate: Option<f64>, duration: Option<Duration>) -> Self {
        Pace { records, rate, shape: Load::Steady, duration, made: 0, last: None }
    }

    /// The same with a rate that runs so; without a rate, it runs as ever.
    pub(super) fn shaped(self, shape: Load) -> Self {
        Pace { shape, ..self }
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

    /// How many records the call that leaves now may take along.
    pub(super) fn due_now(&self, now: Duration) -> u64 {
        let most = RECORDS_PER_CALL as u64;
        let left = self.records.map_or(u64::MAX, |records| records - self.made).min(most);
        let end = self.duration.unwrap_or(Duration::MAX);
        let is_due = |record: u64| self.due(record).is_some_and(|due| due <= now && due < end);
        if self.rate.is_none() {
            return if is_due(self.made) { left } else { 0 };
        }
        (self.made..).take_while(|record| is_due(*record)).take(left as usize).count() as u64
    }

    /// So many records leave now.
    pub(super) fn take(&mut self, count: u64, now: Duration) {
        self.made += count;
        self.last = Some(now);
    }

    /// So many records that were taken don't leave after all.
    pub(super) fn put_back(&mut self, count: u64) {
        self.made -= count;
    }

    /// Records handed out so far.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Each record's time is reckoned from the start, not from the one before: so nothing drifts.
    fn due(&self, record: u64) -> Option<Duration> {
        let Some(rate) = self.rate else { return Some(Duration::ZERO) };
        let record = record as f64;
        let seconds = match self.shape {
            Load::Steady => record / rate,
            Load::Ramp => ramp(record, rate, self.ramp_seconds(rate)),
            Load::Burst => {
                let each = rate * BURST;
                (record / each).floor() * BURST + record % each / (rate * BURST)
            }
        };
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn ramp_seconds(&self, rate: f64) -> f64 {
        let by_count = self.records.map(|records| records as f64 / rate);
        let by_time = self.duration.map(|duration| duration.as_secs_f64());
        by_count.into_iter().chain(by_time).reduce(f64::min).unwrap_or(RAMP)
    }

    fn call_at(&self, due: Duration) -> Duration {
        let tick = self.last.map_or(Duration::ZERO, |last| last + TICK);
        let full = self.due(self.made.saturating_add(RECORDS_PER_CALL as u64 - 1)).unwrap_or(Duration::MAX);
        due.max(tick).min(full)
    }
}

/// When a record is due, in seconds, where the rate goes from nothing up to twice its mean and down again, in so long.
fn ramp(record: f64, rate: f64, period: f64) -> f64 {
    let each = rate * period;
    let (before, place) = ((record / each).floor(), record % each);
    // The records of a rate that grows evenly are half its end times its time.
    let climb = |records: f64| (records * period / (2.0 * rate)).sqrt();
    let within = if place <= each / 2.0 { climb(place) } else { period - climb(each - place) };
    before * period + within
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(pace: &mut Pace, now: Duration) -> u64 {
        let count = pace.due_now(now);
        pace.take(count, now);
        count
    }

    /// Every call, as (milliseconds, records), where each leaves exactly when it may.
    fn calls(mut pace: Pace) -> Vec<(u128, u64)> {
        let (mut now, mut calls) = (Duration::ZERO, Vec::new());
        while let Some(at) = pace.next_call(now) {
            now = now.max(at);
            calls.push((now.as_millis(), take(&mut pace, now)));
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
        assert_eq!(take(&mut pace, Duration::ZERO), 1);
        assert_eq!(take(&mut pace, 3 * SECOND), 300);
        assert_eq!(take(&mut pace, 9 * SECOND), 500);
        let next = pace.next_call(9 * SECOND).unwrap();
        assert_eq!((next, take(&mut pace, next)), (9 * SECOND + TICK, 110));
    }

    #[test]
    fn a_stream_that_cannot_keep_up_does_not_stretch_the_duration() {
        let mut pace = Pace::new(None, Some(1_000_000.0), Some(SECOND));
        take(&mut pace, Duration::ZERO);
        assert!(pace.next_call(SECOND + SECOND / 2).is_some());
        assert_eq!(pace.next_call(2 * SECOND), None);
    }

    #[test]
    fn a_rate_that_is_hardly_one_waits_instead_of_overflowing() {
        let mut pace = Pace::new(None, Some(f64::MIN_POSITIVE), None);
        assert_eq!(take(&mut pace, Duration::ZERO), 1);
        assert_eq!(pace.next_call(SECOND), None);
    }

    /// How many records are due in each second.
    fn by_second(pace: &Pace, seconds: u64) -> Vec<u64> {
        let mut counts = vec![0; seconds as usize];
        for record in 0.. {
            match pace.due(record) {
                Some(due) if due < Duration::from_secs(seconds) => counts[due.as_secs() as usize] += 1,
                _ => return counts,
            }
        }
        counts
    }

    #[test]
    fn a_ramp_goes_up_to_twice_the_rate_and_down_again_and_its_mean_is_the_rate() {
        let pace = Pace::new(None, Some(100.0), Some(10 * SECOND)).shaped(Load::Ramp);
        assert_eq!(by_second(&pace, 10), [20, 60, 100, 140, 180, 180, 140, 100, 60, 20]);
        let counted = Pace::new(Some(1_000), Some(100.0), None).shaped(Load::Ramp);
        assert_eq!(by_second(&counted, 10), by_second(&pace, 10));
        // Without an end it goes up and down each minute.
        let endless = by_second(&Pace::new(None, Some(100.0), None).shaped(Load::Ramp), 180);
        assert_eq!((endless[..60].iter().sum::<u64>(), &endless[..60]), (6_000, &endless[60..120]));
    }

    #[test]
    fn a_burst_is_ten_times_the_rate_for_a_tenth_of_the_time() {
        let pace = Pace::new(None, Some(100.0), None).shaped(Load::Burst);
        let counts = by_second(&pace, 30);
        for (second, count) in counts.into_iter().enumerate() {
            assert_eq!(count, if second % 10 == 0 { 1_000 } else { 0 }, "second {second}");
        }
    }

    proptest! {
        #[test]
        fn whatever_its_shape_a_rate_and_a_duration_make_their_product(
            rate in 1_u32..2_000, tens in 1_u32..4, ramp: bool
        ) {
            let shape = if ramp { Load::Ramp } else { Load::Burst };
            let pace = Pace::new(None, Some(rate.into()), Some(tens * 10 * SECOND)).shaped(shape);
            let total: u64 = calls(pace).iter().map(|(_, records)| records).sum();
            prop_assert_eq!(total, u64::from(rate * tens * 10));
        }

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
                prop_assert!((1..=500).contains(&records));
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
