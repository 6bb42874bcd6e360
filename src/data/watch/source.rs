//! Where a board's figures come from, and what was told there. Each source fails alone.

use super::metric::Minutes;
use crate::cloud::fault;
use crate::data::logs::LogEntry;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Where something was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// CloudWatch's metrics.
    Metrics,
    /// The data stream's own account of itself.
    Stream,
    /// The delivery stream's.
    Delivery,
    /// The processor's.
    Processor,
    /// The list of objects in the bucket.
    Objects,
    /// The rows in them.
    Rows,
    /// What lies under the error prefix.
    Errors,
    /// The processor's log.
    ProcessorLog,
    /// The delivery stream's log.
    DeliveryLog,
}

impl Source {
    /// All of them.
    pub const ALL: [Source; 9] = [
        Source::Metrics,
        Source::Stream,
        Source::Delivery,
        Source::Processor,
        Source::Objects,
        Source::Rows,
        Source::Errors,
        Source::ProcessorLog,
        Source::DeliveryLog,
    ];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Source::Metrics => "metrics",
            Source::Stream => "stream",
            Source::Delivery => "delivery",
            Source::Processor => "processor",
            Source::Objects => "objects",
            Source::Rows => "rows",
            Source::Errors => "errors",
            Source::ProcessorLog => "processor log",
            Source::DeliveryLog => "delivery log",
        }
    }
}

/// One look at one source.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Where.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// How long until the next look there.
    pub again: Duration,
    /// What was told, or why nothing was.
    pub news: Result<News, Trouble>,
}

/// What a source told.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The last hour.
    Metrics(Minutes),
    /// The data stream.
    Stream(StreamState),
    /// The delivery stream's state, in Firehose's own word.
    Delivery(String),
    /// The processor.
    Processor(ProcessorState),
    /// The objects that landed since the look before, the oldest first.
    Landed(Vec<Landing>),
    /// The newest rows of them.
    Rows(Vec<Row>),
    /// What landed under the error prefix since the look before: the newest of it.
    Errors(Vec<Row>),
    /// What was logged since the look before.
    Lines(Vec<LogEntry>),
}

/// The data stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// Its state, in Kinesis' own word.
    pub status: String,
    /// Its open shards.
    pub shards: u32,
    /// How long it keeps records, in hours.
    pub retention_hours: u32,
    /// Whether it makes its shards itself.
    pub on_demand: bool,
}

/// The processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorState {
    /// Its state, in Lambda's own word.
    pub status: String,
    /// Its memory, in MB.
    pub memory: u32,
    /// Whether it runs on arm64, which costs less.
    pub arm: bool,
}

/// An object that landed.
#[derive(Debug, Clone, PartialEq)]
pub struct Landing {
    /// Its key.
    pub key: String,
    /// When it was written, by the service's clock.
    pub at: Timestamp,
    /// Its bytes.
    pub bytes: u64,
    /// The rows in it, where it was read from end to end.
    pub rows: Option<u64>,
}

/// A row, or what stands for a record that became none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// When its object was written, by the service's clock.
    pub time: Timestamp,
    /// Its text, on one line.
    pub text: String,
}

/// Why a source told nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The caller may not.
    Denied(&'static str),
    /// It was asked too often, by whomever.
    Throttled,
    /// What is asked about isn't there.
    Missing,
    /// There was an answer, but none that can be read: an emulator's.
    Unreadable,
    /// Anything else, in the service's words.
    Failed(String),
}

impl Trouble {
    /// Why a call failed that needs this permission.
    pub(super) fn of<E>(error: SdkError<E, HttpResponse>, action: &'static str) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        if error.raw_response().is_some_and(|response| response.status().is_success()) {
            Trouble::Unreadable
        } else if fault::is_throttled(&error) {
            Trouble::Throttled
        } else if fault::is_missing(&error) {
            Trouble::Missing
        } else if fault::is_forbidden(&error) {
            Trouble::Denied(action)
        } else {
            let error = crate::error::Error::of(&fault::explain(error, action));
            Trouble::Failed(fault::in_one_line(&error.cause.unwrap_or(error.message)))
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Denied(action) => write!(f, "not allowed: {action}"),
            Trouble::Throttled => f.write_str("throttled"),
            Trouble::Missing => f.write_str("not there"),
            Trouble::Unreadable => f.write_str("its answer can't be read"),
            Trouble::Failed(why) => f.write_str(why),
        }
    }
}
