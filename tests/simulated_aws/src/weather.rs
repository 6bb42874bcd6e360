//! What befalls an account's calls: all of it drawn from a seed, so that every run can be replayed.

use crate::script::Script;
use crate::wire::{Call, Refusal};
use fastrand::Rng;
use std::time::Duration;

/// A weather. Everything is public, so that a test can take out what it doesn't want.
#[derive(Debug, Clone)]
pub struct Weather {
    /// Where it comes from.
    pub seed: u64,
    /// How likely one call is throttled, from 0 to 1.
    pub throttled: f64,
    /// How likely one call meets a broken service.
    pub broken: f64,
    /// How likely one call's connection breaks before the service acts.
    pub reset_before: f64,
    /// How likely it breaks after the service acted.
    pub reset_after: f64,
    /// How likely an answer is cut off half way.
    pub cut: f64,
    /// How likely an answer takes 10–60 seconds.
    pub slow: f64,
    /// When a service, by its name, throttles every call: at most five minutes.
    pub storms: Vec<(Window, &'static str)>,
    /// When the caller's token has expired.
    pub expired: Option<Window>,
    /// When the caller lacks a permission, by its operation.
    pub denied: Option<(Window, &'static str)>,
    /// What somebody else does, and when.
    pub others: Vec<(Duration, Act)>,
    /// After so long the weather is fair, so that whoever goes on comes to an end.
    pub until: Duration,
    /// How old the account was when this weather came.
    pub(crate) began: Duration,
    calls: u64,
}

/// A time, counted from when the weather came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it begins.
    pub from: Duration,
    /// When it is over.
    pub until: Duration,
}

/// What somebody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Updates a stack that is there.
    Updates,
    /// Deletes a stack that is there.
    Deletes,
    /// Deploys once more what was deleted.
    Deploys,
}

/// What becomes of one call.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It is answered.
    Served {
        /// After so long.
        after: Duration,
    },
    /// It is refused.
    Refused {
        /// After so long.
        after: Duration,
        /// With this.
        refusal: Refusal,
    },
    /// The connection breaks before the service acts.
    ResetBefore {
        /// After so long.
        after: Duration,
    },
    /// The connection breaks after the service acted.
    ResetAfter {
        /// After so long.
        after: Duration,
    },
    /// The service acts, and half of its answer arrives.
    Cut {
        /// After so long.
        after: Duration,
    },
}

impl Fate {
    /// How long it takes.
    pub fn latency(&self) -> Duration {
        match self {
            Fate::Served { after }
            | Fate::Refused { after, .. }
            | Fate::ResetBefore { after }
            | Fate::ResetAfter { after }
            | Fate::Cut { after } => *after,
        }
    }
}

impl Window {
    /// One that begins within so many seconds and takes at most so many.
    fn draw(rng: &mut Rng, begins: f64, takes: f64) -> Self {
        let from = Duration::from_secs_f64(begins * rng.f64());
        Window { from, until: from + Duration::from_secs_f64(takes * (0.2 + 0.8 * rng.f64())) }
    }

    /// Whether this moment lies in it.
    pub fn holds(&self, age: Duration) -> bool {
        (self.from..self.until).contains(&age)
    }
}

/// The services that can throttle.
const SERVICES: &[&str] = &["cloudformation", "s3", "iam", "lambda", "kinesis", "firehose", "logs"];
/// Operations whose permission somebody may forget. Each has a moment when it is missed most.
const FORGOTTEN: &[&str] =
    &["DescribeStackEvents", "CreateChangeSet", "DeleteStack", "DescribeEvents", "HeadBucket", "GetRole"];

impl Weather {
    /// The weather of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Seldom everything at once: each kind of trouble comes in some seeds only.
        let mut likely = |often: f64, most: f64| if rng.f64() < often { most * rng.f64() } else { 0.0 };
        let mut weather = Weather {
            seed,
            throttled: likely(0.5, 0.15),
            broken: likely(0.4, 0.08),
            reset_before: likely(0.4, 0.06),
            reset_after: likely(0.4, 0.06),
            cut: likely(0.3, 0.05),
            slow: likely(0.3, 0.03),
            storms: Vec::new(),
            expired: None,
            denied: None,
            others: Vec::new(),
            until: Duration::from_secs(2_400),
            began: Duration::ZERO,
            calls: 0,
        };
        for _ in 0..rng.u8(..3) {
            let service = SERVICES[rng.usize(..SERVICES.len())];
            weather.storms.push((Window::draw(&mut rng, 400.0, 300.0), service));
        }
        weather.expired = (rng.u8(..6) == 0).then(|| Window::draw(&mut rng, 300.0, 120.0));
        let forgotten = FORGOTTEN[rng.usize(..FORGOTTEN.len())];
        weather.denied = (rng.u8(..8) == 0).then(|| (Window::draw(&mut rng, 300.0, 60.0), forgotten));
        for _ in 0..rng.u8(..6).saturating_sub(3) {
            let act = [Act::Updates, Act::Deletes, Act::Deploys][rng.usize(..3)];
            weather.others.push((Duration::from_secs_f64(600.0 * rng.f64()), act));
        }
        weather
    }

    /// Lets services lag as this weather has it.
    pub(crate) fn prepare(&self, script: &mut Script) {
        let mut rng = Rng::with_seed(self.seed ^ 0x5eed);
        let mut likely = |often: f64, most: f64| if rng.f64() < often { most * rng.f64() } else { 0.0 };
        script.event_lag_seconds = likely(0.6, 8.0);
        script.stale_seconds = likely(0.5, 5.0);
        script.iam_lag_seconds = likely(0.3, 25.0);
        script.iam_races = 2;
        script.bucket_name_seconds = likely(0.2, 120.0);
        script.stragglers = likely(0.1, 0.5);
        script.change_set_seconds = 1.0 + likely(0.8, 20.0);
        script.page = [3, 7, 20, 100][rng.usize(..4)];
        script.keys = [2, 50, 1_000][rng.usize(..3)];
        script.repeats = rng.usize(..3);
        script.arrivals = u32::from(rng.u8(..4) == 0);
        script.flushes = u32::from(rng.bool());
        script.late_logs = rng.bool();
        script.late_log_group = rng.u8(..4) == 0;
        script.tagging_lag_seconds = 60.0 * rng.f64();
        script.delivery_deletion_seconds = 30.0 + if rng.u8(..4) == 0 { 200.0 * rng.f64() } else { 0.0 };
    }

    /// What becomes of the next call, so long after the weather came.
    pub fn fate(&mut self, age: Duration, call: &Call, caller: &str, resource: &str) -> Fate {
        self.calls += 1;
        // Of each call's own number: what one call draws changes nothing for the next.
        let mut rng = Rng::with_seed(self.seed ^ self.calls.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let after = latency(&mut rng);
        if age >= self.until {
            return Fate::Served { after };
        }
        if let Some(refusal) = self.refusal(age, call, caller, resource) {
            return Fate::Refused { after, refusal };
        }
        let mut left = rng.f64();
        let mut falls = |likely: f64| {
            left -= likely;
            left < 0.0
        };
        let service = call.service.as_str();
        if falls(self.throttled) {
            Fate::Refused { after, refusal: Refusal::throttled(service) }
        } else if falls(self.broken) {
            Fate::Refused { after, refusal: Refusal::broken(service) }
        } else if falls(self.reset_before) {
            Fate::ResetBefore { after }
        } else if falls(self.reset_after) {
            Fate::ResetAfter { after }
        } else if falls(self.cut) {
            Fate::Cut { after }
        } else if falls(self.slow) {
            Fate::Served { after: Duration::from_secs_f64(10.0 + 50.0 * rng.f64()) }
        } else {
            Fate::Served { after }
        }
    }

    fn refusal(&self, age: Duration, call: &Call, caller: &str, resource: &str) -> Option<Refusal> {
        let (service, operation) = (call.service.as_str(), call.operation.as_str());
        if self.expired.is_some_and(|window| window.holds(age)) {
            return Some(Refusal::expired(service));
        }
        if self.denied.is_some_and(|(window, denied)| window.holds(age) && denied == operation) {
            return Some(Refusal::denied(caller, &call.action(), resource));
        }
        let storm = self.storms.iter().any(|(window, stormy)| window.holds(age) && *stormy == service);
        storm.then(|| Refusal::throttled(service))
    }
}

/// Mostly 20–120 ms, at times seconds.
fn latency(rng: &mut Rng) -> Duration {
    let milliseconds = match rng.u8(..50) {
        0 => rng.u64(1_000..6_000),
        1 | 2 => rng.u64(120..1_000),
        _ => rng.u64(20..120),
    };
    Duration::from_millis(milliseconds)
}
