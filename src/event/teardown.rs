//! What is told of what goes, and of what is saved before.

use serde::Serialize;

/// An environment whose time is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Due {
    /// The environment's name.
    pub env: String,
    /// Its region.
    pub region: String,
    /// When its time was over, RFC 3339.
    pub expires: String,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What became of all environments whose time was over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reckoning {
    /// All whose time was over and that were to be torn down.
    pub due: usize,
    /// They are gone.
    pub reaped: usize,
    /// They stay: somebody else is at work on them, or they were extended or protected meanwhile.
    pub left_alone: usize,
    /// Buckets of environments that are gone, kept on purpose. They aren't among those whose time was over.
    pub kept: usize,
    /// Nothing was done, since only a look was asked for.
    pub dry_run: bool,
}

/// A resource that `down` removes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Removed {
    /// The name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// The name in the account.
    pub physical_id: String,
}

/// What a bucket holds. Counts every version and delete marker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DataFound {
    /// Object versions and delete markers.
    pub objects: u64,
    /// Their size together.
    pub bytes: u64,
    /// When the newest was written, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// Whether all was counted. A large bucket is counted in part.
    pub complete: bool,
}

/// What was downloaded.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Exported {
    /// From which bucket.
    pub bucket: String,
    /// Into which directory.
    pub directory: String,
    /// Objects that lie there now.
    pub objects: u64,
    /// Their size together.
    pub bytes: u64,
    /// How many of them lay there already, and were the same.
    pub present: u64,
    /// How many could be compared by nothing but their size: S3 knew no checksum of theirs.
    pub by_size_alone: u64,
    /// How many were deleted between the listing and the reading.
    pub gone: u64,
    /// How many have keys that can't be names of files: the manifest tells what they are called.
    pub renamed: u64,
    /// How long it took.
    pub seconds: f64,
}
