//! How many calls are in flight: one more after each round that went well, half as many when S3 says that it is too
//! much. One pace for all calls on a bucket, so that they share what S3 gives. No clients, no clocks.

use std::time::Duration;

/// Calls in flight in the beginning.
const START: f64 = 16.0;
/// Never more than this: S3 gives more only after minutes of asking, and each call holds a page of a thousand keys.
const MOST: f64 = 64.0;
/// How long is waited after the first refusal, at most, in seconds; twice as long after each further one.
const FIRST_WAIT: f64 = 0.25;
const LONGEST_WAIT: f64 = 10.0;
/// How often one call is made while S3 throttles it.
pub const MOST_ATTEMPTS: u32 = 8;

/// The pace of all calls on one bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    window: f64,
    round: u32,
}

/// Which pace a call was made at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round(u32);

impl Default for Pace {
    fn default() -> Self {
        Pace { window: START, round: 0 }
    }
}

impl Pace {
    /// How many calls may be in flight.
    pub fn window(&self) -> usize {
        self.window as usize
    }

    /// For a call that is made now.
    pub fn round(&self) -> Round {
        Round(self.round)
    }

    /// A call went well: a whole window of them makes it one wider.
    pub fn good(&mut self) {
        self.window = (self.window + 1.0 / self.window).min(MOST);
    }

    /// A call was throttled. Those that were made together with it say the same once more, which counts once.
    pub fn throttled(&mut self, made: Round) {
        if made.0 == self.round {
            self.window = (self.window / 2.0).max(1.0);
            self.round += 1;
        }
    }
}

/// How long a throttled call waits before it is made again: full jitter, with `dice` in 0..1.
pub fn wait(attempt: u32, dice: f64) -> Duration {
    let ceiling = (FIRST_WAIT * f64::from(2_u32.saturating_pow(attempt.saturating_sub(1)))).min(LONGEST_WAIT);
    Duration::from_secs_f64(ceiling * dice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_good_calls_makes_it_one_wider_up_to_the_cap() {
        let mut pace = Pace::default();
        (0..17).for_each(|_| pace.good());
        assert_eq!(pace.window(), 17);
        (0..1_000_000).for_each(|_| pace.good());
        assert_eq!(pace.window(), 64);
    }

    #[test]
    fn calls_that_were_throttled_together_halve_it_once() {
        let mut pace = Pace::default();
        let together = pace.round();
        (0..16).for_each(|_| pace.throttled(together));
        assert_eq!(pace.window(), 8);
        let next = pace.round();
        pace.throttled(next);
        assert_eq!(pace.window(), 4);
    }

    #[test]
    fn one_call_at_a_time_is_always_left() {
        let mut pace = Pace::default();
        (0..100).for_each(|_| pace.throttled(pace.round()));
        assert_eq!(pace.window(), 1);
    }

    #[test]
    fn waits_are_drawn_from_the_whole_of_a_span_that_doubles() {
        assert_eq!(wait(1, 0.0), Duration::ZERO);
        assert_eq!(wait(1, 1.0), Duration::from_millis(250));
        assert_eq!(wait(4, 0.5), Duration::from_secs(1));
        assert_eq!(wait(40, 1.0), Duration::from_secs(10));
    }
}
