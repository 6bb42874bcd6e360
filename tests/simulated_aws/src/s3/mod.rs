//! S3: buckets with versions, delete markers and unfinished uploads.

mod bucket;
mod calls;
mod lists;

pub use bucket::{Bucket, Version};
pub(crate) use calls::serve;
