//! Figures of a board, each with its age and where it comes from.

use super::source::Source;
use jiff::Timestamp;

/// One leg of the pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg {
    /// `stream`, `delivery`, `processor` or `bucket`.
    pub name: &'static str,
    /// What the service says of it.
    pub state: Option<String>,
    /// Whether that is how it should be, as far as is known.
    pub works: bool,
    /// Its figures.
    pub readings: Vec<Reading>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What programs call it.
    pub name: &'static str,
    /// What people call it, in a few letters.
    pub label: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// What is known.
    pub value: Value,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things a second.
    PerSecond,
    /// Bytes a second.
    BytesPerSecond,
    /// Things a minute.
    PerMinute,
    /// Things a minute of which there should be none.
    BadPerMinute,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// The figure is a moment.
    Moment,
}

/// What is known of a figure.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nobody has looked yet.
    NotYet,
    /// The source that would tell it has never told anything.
    Untold(Source),
    /// CloudWatch tells no metric of this pipeline at all.
    Nowhere,
    /// Nothing was told of the last minutes, for want of anything that happened. `since`: the last moment of which
    /// something was told.
    Silent {
        /// When that was.
        since: Option<Timestamp>,
    },
    /// It is known.
    Known {
        /// The figure.
        value: f64,
        /// The end of the time that it is about.
        at: Timestamp,
        /// Where it was told.
        source: Source,
        /// Whether it is about right only.
        about: bool,
    },
}

impl Value {
    /// Whether it is known.
    pub fn is_known(&self) -> bool {
        matches!(self, Value::Known { .. })
    }

    /// A minute's sum as a rate.
    pub(super) fn per_second(self) -> Self {
        match self {
            Value::Known { value, at, source, about } => {
                Value::Known { value: value / super::metric::PERIOD as f64, at, source, about }
            }
            other => other,
        }
    }
}

impl Leg {
    /// A figure by its name, where it is known.
    pub fn value(&self, name: &str) -> Option<f64> {
        let reading = self.readings.iter().find(|reading| reading.name == name)?;
        match reading.value {
            Value::Known { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The end of the time that its figures of CloudWatch are about: they come together.
    pub fn told(&self) -> Option<Timestamp> {
        let at = |reading: &Reading| match reading.value {
            Value::Known { at, .. } if reading.unit != Unit::Moment => Some(at),
            _ => None,
        };
        self.readings.iter().filter_map(at).min()
    }
}
