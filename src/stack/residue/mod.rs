//! What may be left of an environment: one small idempotent remover a kind, and a question to each service.

mod bucket;
mod check;

pub use bucket::{Emptier, bucket_without_stack, remove_if_empty};
pub use check::check;
