//! A processor between Firehose and the bucket: `transform` is what to change, `firehose` need not be touched.

pub mod firehose;
pub mod transform;
