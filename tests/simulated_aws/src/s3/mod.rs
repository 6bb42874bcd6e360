//! S3: buckets with versions, delete markers and unfinished uploads.

mod bucket;
mod calls;
mod lists;
mod objects;

pub use bucket::{Bucket, Version};
pub(crate) use calls::serve;
pub(crate) use objects::serve_object;
