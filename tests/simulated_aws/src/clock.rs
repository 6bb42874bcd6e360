//! The account's own time.

use std::time::Duration;
use tokio::time::Instant;

/// Tokio's time, which a test can pause, or real time that runs faster.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    /// What the time was then, in seconds since 1970.
    first: i64,
    speed: f64,
}

impl Clock {
    /// Tokio's time as it is.
    pub fn new() -> Self {
        Clock { began: Instant::now(), first: FIRST_SECOND, speed: 1.0 }
    }

    /// Real time, of which so many of the account's seconds pass in one of ours.
    pub fn compressed(speed: f64) -> Self {
        let first = jiff::Timestamp::now().as_second();
        Clock { began: Instant::now(), first, speed: speed.max(0.001) }
    }

    /// The moment that the account has reached.
    pub fn now(&self) -> Instant {
        let passed = self.began.elapsed();
        // Not multiplied by 1: paused time is exact, and stays so.
        self.began + if self.speed == 1.0 { passed } else { passed.mul_f64(self.speed) }
    }

    /// How long the account has been there, by its own time.
    pub fn age(&self) -> Duration {
        self.now() - self.began
    }

    /// RFC 3339.
    pub fn written(&self, at: Instant) -> String {
        let began = jiff::Timestamp::from_second(self.first).unwrap_or_default();
        began.checked_add(at.saturating_duration_since(self.began)).unwrap_or(began).to_string()
    }

    /// As HTTP's headers write time.
    pub fn in_header(&self, at: Instant) -> String {
        let began = jiff::Timestamp::from_second(self.first).unwrap_or_default();
        let time = began.checked_add(at.saturating_duration_since(self.began)).unwrap_or(began);
        time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Seconds since 1970, as JSON protocols write time.
    pub fn seconds(&self, at: Instant) -> f64 {
        self.first as f64 + at.saturating_duration_since(self.began).as_secs_f64()
    }

    /// Milliseconds since 1970.
    pub fn milliseconds(&self, at: Instant) -> i64 {
        let passed = at.saturating_duration_since(self.began).as_millis();
        self.first * 1_000 + i64::try_from(passed).unwrap_or(i64::MAX)
    }

    /// How long so much of the account's time takes.
    pub fn real(&self, duration: Duration) -> Duration {
        duration.div_f64(self.speed)
    }

    /// Waits until so much of the account's time has passed.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.real(duration)).await;
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new()
    }
}

/// When an account on tokio's time begins: always the same moment, so that runs can be compared.
const FIRST_SECOND: i64 = 1_790_000_000;
