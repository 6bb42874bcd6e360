//! What may be left of an environment: one small idempotent remover a kind, and a question to each service.

pub mod artifacts;
mod ask;
mod bucket;
mod emptying;
pub mod kept;
mod ledger;
mod remove;
mod sweep;
mod thing;
mod whose;

pub use bucket::remove_if_empty;
pub use emptying::Emptier;
pub use ledger::{Ledger, Named, Proof};
pub use remove::remove as remove_thing;
pub use sweep::{BeforeBucket, Look, Sweep, Swept};
pub use thing::{Kind, Thing};
pub use whose::{Whose, whose};
