//! What is told of records and rows.

use serde::Serialize;

/// The producer's account: `sent` records were accepted by the stream, each exactly once as far as it said.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Produced {
    /// Accepted by the stream.
    pub sent: u64,
    /// Refused by the stream and sent again (each time counts).
    pub resent: u64,
    /// Given up on.
    pub lost: u64,
    /// Bytes of data accepted.
    pub bytes: u64,
    /// Since the first record.
    pub seconds: f64,
    /// Records a second that were accepted lately. Left out at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_per_second: Option<f64>,
    /// PutRecords calls that were answered.
    pub calls: u64,
    /// How long they took, tries of the same call together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_milliseconds: Option<Percentiles>,
}

/// How long calls took, in milliseconds: at most 5 % too high.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Percentiles {
    /// Half of them took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What the consumer has read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Consumed {
    /// Records.
    pub records: u64,
    /// Bytes of data.
    pub bytes: u64,
    /// Shards that are being read.
    pub shards: usize,
    /// How far the shard that is furthest behind is behind the newest record. Left out before the first answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind_milliseconds: Option<u64>,
    /// Since the first call.
    pub seconds: f64,
}

/// What was found where rows land.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RowsRead {
    /// Objects read.
    pub objects: u64,
    /// Rows printed.
    pub rows: u64,
    /// Pieces that are no rows, and are not printed.
    pub not_rows: u64,
    /// The first object with such a piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_rows_in: Option<String>,
    /// Objects that are damaged, or of a form that can't be read. Rows before the damage are printed.
    pub broken: u64,
    /// The first of them, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken_in: Option<String>,
    /// Objects that were deleted while they were to be read.
    pub gone: u64,
    /// Fields that turned up too late to get a column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Fields that were asked for, and that none of the rows printed has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_found: Vec<String>,
    /// What the numbers come to, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sums: Vec<ColumnSum>,
}

/// What the numbers of a column come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ColumnSum {
    /// The field.
    pub column: String,
    /// How many rows have a number there.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Their mean.
    pub mean: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

/// What was found under the error prefix.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailuresRead {
    /// What was read; each row is a record that failed.
    #[serde(flatten)]
    pub read: RowsRead,
    /// Why they failed.
    pub codes: Vec<FailedRecords>,
}

/// Records that failed for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailedRecords {
    /// Firehose's code, for instance `Lambda.FunctionError`.
    pub code: String,
    /// How many.
    pub records: u64,
    /// What the code means, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}
