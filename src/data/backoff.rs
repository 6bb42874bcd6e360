//! How long to wait before trying again.

use std::time::Duration;

/// Waits that double from `base` to `cap`, each drawn at random so that many waiters spread out.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    base: Duration,
    cap: Duration,
    tries: u32,
}

impl Backoff {
    pub(super) fn new(base: Duration, cap: Duration) -> Self {
        Backoff { base, cap, tries: 0 }
    }

    /// The next wait, between half the doubled bound and all of it: it must not bunch at zero.
    pub(super) fn equal_jitter(&mut self) -> Duration {
        self.bound().mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// Starts again at the base.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }

    fn bound(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.tries).unwrap_or(u32::MAX);
        self.tries = self.tries.saturating_add(1);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_to_the_cap_and_stays_there() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let bounds: Vec<u128> = (0..8).map(|_| backoff.bound().as_millis()).collect();
        assert_eq!(bounds, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        for _ in 0..100 {
            let wait = backoff.equal_jitter();
            assert!((Duration::from_millis(2_500)..=Duration::from_secs(5)).contains(&wait), "{wait:?}");
        }
        backoff.reset();
        assert!(backoff.equal_jitter() <= Duration::from_millis(100));
    }
}
