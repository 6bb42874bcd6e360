//! `watch`: looks at a pipeline from every side again and again, and keeps a [`Board`] of what was told.
//!
//! Records are never read from the stream: of a shard's five reads a second the delivery stream takes one and consumers
//! the rest. Rates are CloudWatch's, a minute's each and one to two minutes late; rows, failures and logs are the data's
//! own, seconds after they landed. Where a source tells nothing, whatever the reason, the others go on.

mod board;
mod figure;
mod follow;
mod landed;
mod lines;
mod look;
mod metric;
mod services;
mod snapshot;
mod source;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use board::{Board, Failure, Health, HourlyCost, Last, Subject};
pub use figure::{Leg, Reading, Unit, Value};
pub use look::{Targets, begin, look};
pub use metric::{Metric, Minutes, PERIOD};
pub use snapshot::{Snapshots, snapshot};
pub use source::{Landing, News, Observation, ProcessorState, Row, Source, StreamState, Trouble};

use crate::stack::cost;

/// How often the error prefix is looked at, in seconds. Its failures stand in the logs much sooner.
const ERRORS_EVERY: u64 = 30;

/// What an hour of watching costs, by list prices of us-east-1: the metrics once a minute, and the lists of objects.
/// Reading logs costs nothing, and reading some objects next to nothing.
pub fn price_an_hour(every: u64) -> f64 {
    // Below the error prefix the kinds of failures are listed, and in most pipelines one of them.
    let lists = 3_600.0 / every.max(1) as f64 + 2.0 * 3_600.0 / ERRORS_EVERY as f64;
    lists / 1e3 * cost::LISTS + 60.0 * Metric::ALL.len() as f64 / 1e3 * cost::METRICS
}
