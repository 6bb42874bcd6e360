//! The metrics that the pipeline is watched by. CloudWatch asks a price for each one asked for, so there are no more
//! than a board shows: <https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html>,
//! <https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>.

use jiff::Timestamp;
use std::collections::BTreeMap;

/// How long a period of a metric is, in seconds.
pub const PERIOD: i64 = 60;

/// By metric, the value of each minute, under the moment at which the minute begins. A minute of which nothing was told
/// isn't there.
pub type Minutes = BTreeMap<Metric, BTreeMap<Timestamp, f64>>;

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Records put into the stream.
    Put,
    /// Their bytes.
    PutBytes,
    /// Records that the stream refused.
    Refused,
    /// How old the last record was that any reader got, in milliseconds.
    ReadLag,
    /// Records that the delivery stream read.
    Read,
    /// Their bytes.
    ReadBytes,
    /// How far the delivery stream is behind the end of the stream, in milliseconds.
    Behind,
    /// Reads of the delivery stream that were throttled.
    ThrottledReads,
    /// Records that the processor transformed.
    Transformed,
    /// Calls of the processor.
    Calls,
    /// Milliseconds that a call took, on average.
    CallTime,
    /// Calls that failed.
    CallErrors,
    /// Calls that were throttled.
    CallThrottles,
    /// Records that were written into the bucket.
    Delivered,
    /// Their bytes.
    DeliveredBytes,
    /// How old the oldest record is that isn't in the bucket yet, in seconds.
    Freshness,
}

/// Whose metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Stream,
    Delivery,
    Processor,
}

impl Owner {
    /// The namespace, and the dimension that names the owner.
    pub(super) fn namespace(self) -> (&'static str, &'static str) {
        match self {
            Owner::Stream => ("AWS/Kinesis", "StreamName"),
            Owner::Delivery => ("AWS/Firehose", "DeliveryStreamName"),
            Owner::Processor => ("AWS/Lambda", "FunctionName"),
        }
    }
}

impl Metric {
    /// All of them.
    pub const ALL: [Metric; 16] = [
        Metric::Put,
        Metric::PutBytes,
        Metric::Refused,
        Metric::ReadLag,
        Metric::Read,
        Metric::ReadBytes,
        Metric::Behind,
        Metric::ThrottledReads,
        Metric::Transformed,
        Metric::Calls,
        Metric::CallTime,
        Metric::CallErrors,
        Metric::CallThrottles,
        Metric::Delivered,
        Metric::DeliveredBytes,
        Metric::Freshness,
    ];

    /// Whose it is, what CloudWatch calls it, and what is made of a minute's values.
    pub(super) fn is_called(self) -> (Owner, &'static str, &'static str) {
        use Owner::{Delivery, Processor, Stream};
        match self {
            Metric::Put => (Stream, "IncomingRecords", "Sum"),
            Metric::PutBytes => (Stream, "IncomingBytes", "Sum"),
            Metric::Refused => (Stream, "WriteProvisionedThroughputExceeded", "Sum"),
            Metric::ReadLag => (Stream, "GetRecords.IteratorAgeMilliseconds", "Maximum"),
            Metric::Read => (Delivery, "DataReadFromKinesisStream.Records", "Sum"),
            Metric::ReadBytes => (Delivery, "DataReadFromKinesisStream.Bytes", "Sum"),
            Metric::Behind => (Delivery, "KinesisMillisBehindLatest", "Maximum"),
            Metric::ThrottledReads => (Delivery, "ThrottledGetRecords", "Sum"),
            Metric::Transformed => (Delivery, "SucceedProcessing.Records", "Sum"),
            Metric::Calls => (Processor, "Invocations", "Sum"),
            Metric::CallTime => (Processor, "Duration", "Average"),
            Metric::CallErrors => (Processor, "Errors", "Sum"),
            Metric::CallThrottles => (Processor, "Throttles", "Sum"),
            Metric::Delivered => (Delivery, "DeliveryToS3.Records", "Sum"),
            Metric::DeliveredBytes => (Delivery, "DeliveryToS3.Bytes", "Sum"),
            Metric::Freshness => (Delivery, "DeliveryToS3.DataFreshness", "Maximum"),
        }
    }
}
