//! When to look again. No clients, no clocks: numbers in, a wait out.
//!
//! What counts for a user is the time between AWS being done and the tool saying so; what counts for AWS is the
//! number of calls, of which all watchers of an account share a few a second. So: at once in the beginning (an
//! emulator is done in milliseconds), seldom while the end can't be near by what the resources under way usually
//! take, and every other second once it can.

/// The waits of the first looks, in seconds.
const FIRST: &[f64] = &[0.02, 0.2];
/// The wait while the end may come at any moment: under two seconds, with what a call takes.
const NEAR: f64 = 1.8;
/// The longest wait while all is well. Longer would make the progress on the screen look stuck.
const FAR: f64 = 20.0;
/// How much of the time that has to pass anyway is waited at once.
const SHARE: f64 = 0.9;
/// The longest wait after failed looks. The SDK has tried eight times already.
const PATIENCE: f64 = 20.0;

/// The rhythm of one watch.
#[derive(Debug, Clone, PartialEq)]
pub struct Cadence {
    looks: usize,
    failures: u32,
    /// Grows when AWS is throttling: so many watchers share its budget.
    stretch: f64,
}

impl Default for Cadence {
    fn default() -> Self {
        Cadence { looks: 0, failures: 0, stretch: 1.0 }
    }
}

impl Cadence {
    /// A watch of something that runs already: the first looks needn't be quick.
    pub fn joined() -> Self {
        Cadence { looks: FIRST.len(), ..Cadence::default() }
    }

    /// Seconds until the next look after one that went well. `at_least`: seconds that will surely pass before
    /// the end, as far as is known; `dice` in 0..1.
    pub fn after_look(&mut self, at_least: f64, dice: f64) -> f64 {
        let first = FIRST.get(self.looks).copied();
        self.looks += 1;
        self.failures = 0;
        self.stretch = (self.stretch * 0.8).max(1.0);
        let wait = first.unwrap_or_else(|| (at_least * SHARE).clamp(NEAR, FAR));
        // Many watchers of one account must not ask in step; a small jitter is enough where nothing failed.
        wait * self.stretch * (0.9 + 0.1 * dice)
    }

    /// Seconds until the next look after one that failed: exponential back-off with full jitter.
    pub fn after_failure(&mut self, dice: f64) -> f64 {
        self.failures += 1;
        self.looks = self.looks.max(FIRST.len());
        self.stretch = (self.stretch * 2.0).min(8.0);
        let ceiling = f64::from(2_u32.saturating_pow(self.failures.min(10))).min(PATIENCE);
        0.5 + dice * (ceiling - 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_the_end_it_looks_at_least_every_two_seconds_and_far_from_it_seldom() {
        let mut cadence = Cadence::joined();
        for dice in [0.0, 0.5, 1.0] {
            assert!((1.6..2.0).contains(&cadence.after_look(0.0, dice)));
            assert!((10.0..=20.0).contains(&cadence.after_look(62.0, dice)));
        }
        assert!(cadence.after_look(10.0, 1.0) < 10.0, "never past the earliest end");
    }

    #[test]
    fn no_two_who_wait_for_the_same_ask_at_the_same_moments() {
        let after_failure = |dice| Cadence::joined().after_failure(dice);
        assert!(after_failure(0.0) < after_failure(0.5) && after_failure(0.5) < after_failure(1.0));
        let after_look = |dice| Cadence::joined().after_look(62.0, dice);
        assert!(after_look(0.0) < after_look(0.5) && after_look(0.5) < after_look(1.0));
    }

    #[test]
    fn what_is_done_in_milliseconds_is_seen_in_milliseconds() {
        let mut cadence = Cadence::default();
        assert!(cadence.after_look(0.0, 1.0) <= 0.02);
        assert!(cadence.after_look(0.0, 1.0) <= 0.2);
    }

    #[test]
    fn failures_back_off_to_a_limit_and_throttling_slows_the_watch_down_for_a_while() {
        let mut cadence = Cadence::joined();
        let waits: Vec<f64> = (0..20).map(|_| cadence.after_failure(1.0)).collect();
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(waits.last(), Some(&PATIENCE));
        assert!((0..100).all(|_| cadence.after_failure(0.0) >= 0.5));
        assert!(cadence.after_look(0.0, 1.0) > 10.0);
        let later = (0..20).map(|_| cadence.after_look(0.0, 1.0)).last();
        assert_eq!(later, Some(NEAR));
    }
}
