//! How long calls took: a histogram of a fixed size.

use std::time::Duration;

/// Each bucket ends a twentieth above the one before it, so that a percentile is at most 5 % too high. The first ends
/// at a tenth of a millisecond, the last beyond any time-out.
const STEP: f64 = 1.05;
const FIRST: f64 = 0.1;
const BUCKETS: usize = 320;

/// Times of calls.
#[derive(Debug, Clone)]
pub(super) struct Latencies {
    counts: [u64; BUCKETS],
    calls: u64,
    longest: Duration,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Latencies { counts: [0; BUCKETS], calls: 0, longest: Duration::ZERO }
    }

    pub(super) fn add(&mut self, took: Duration) {
        let steps = (milliseconds(took) / FIRST).max(1.0).ln() / STEP.ln();
        self.counts[(steps.ceil() as usize).min(BUCKETS - 1)] += 1;
        self.calls += 1;
        self.longest = self.longest.max(took);
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    pub(super) fn longest_milliseconds(&self) -> f64 {
        rounded(milliseconds(self.longest))
    }

    /// The time that this share of all calls didn't exceed, in milliseconds. 0 where there was none.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.calls as f64).ceil() as u64;
        let mut below = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank.max(1) {
                return rounded((FIRST * STEP.powi(bucket as i32)).min(milliseconds(self.longest)));
            }
        }
        0.0
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn rounded(milliseconds: f64) -> f64 {
    (milliseconds * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_those_of_the_calls() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.percentile(0.99), 0.0);
        for call in 1..=1_000 {
            latencies.add(Duration::from_millis(call));
        }
        let (half, most) = (latencies.percentile(0.5), latencies.percentile(0.99));
        assert!((500.0..=526.0).contains(&half) && (990.0..=1_000.0).contains(&most), "{half} {most}");
        assert_eq!((latencies.calls(), latencies.longest_milliseconds()), (1_000, 1_000.0));
    }

    proptest! {
        #[test]
        fn none_is_ever_told_too_low_or_more_than_a_twentieth_too_high(
            mut times in prop::collection::vec(1_u64..300_000_000, 1..60), share in 0.01_f64..1.0
        ) {
            let mut latencies = Latencies::new();
            times.iter().for_each(|micros| latencies.add(Duration::from_micros(*micros)));
            times.sort_unstable();
            let rank = (share * times.len() as f64).ceil() as usize;
            let exact = times[rank.max(1) - 1] as f64 / 1_000.0;
            let told = latencies.percentile(share);
            prop_assert!(told >= exact - 0.051 && told <= exact.max(FIRST) * 1.051 + 0.051, "{} for {}", told, exact);
        }
    }
}
