//! Processors of the user's own: what a crate begins with, and a run of one here, without a cloud, as Lambda and
//! Firehose would have it.

mod api;
mod firehose;
mod function;
pub mod init;
pub mod test;

pub use firehose::Becomes;
pub use test::{Tested, test};
