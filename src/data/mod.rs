//! The data side of an environment: the workshop's producer, and its look at what came out.
//!
//! Everything here talks to the stream and the bucket through clients that it is given, tells a
//! [`Reporter`](crate::event::Reporter) what happens, and never prints. Rows are data: they go to a writer
//! that the caller chooses.

mod backoff;
mod causes;
mod consume;
mod download;
mod failed;
mod filter;
mod follow;
mod format;
pub mod logs;
mod objects;
mod pace;
mod parquet_rows;
mod produce;
mod results;
mod rows;
mod show;
pub mod smoke;
mod sums;
mod trade;
mod unpack;
mod wait;
pub mod watch;

#[cfg(test)]
mod testing;

pub use causes::{Cause, cause};
pub use consume::{ConsumeOptions, Consumption, From, Show, Side, Statistics, Template, consume};
pub use download::download;
pub use failed::FailedRecord;
pub use filter::Filter;
pub(crate) use format::{escape, spell_controls};
pub use objects::{Landed, ResultsQuery, list};
pub use produce::{Lines, ProduceOptions, Source, TradeField, lost_by_a_stop, produce};
pub use results::{ResultsSummary, View};
pub use show::show;
pub use trade::{Trade, TradeType, Trades};
pub use wait::wait_for_rows;
