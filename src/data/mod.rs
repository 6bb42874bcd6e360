//! The data side of an environment: the workshop's producer, and its look at what came out.
//!
//! Everything here talks to the stream and the bucket through clients that it is given, tells a
//! [`Reporter`](crate::event::Reporter) what happens, and never prints. Rows are data: they go to a writer
//! that the caller chooses.

mod backoff;
mod download;
mod format;
mod objects;
mod pace;
mod produce;
mod results;
mod rows;
mod show;
mod trade;
mod wait;

#[cfg(test)]
mod testing;

pub use download::download;
pub use objects::{Landed, ResultsQuery, list};
pub use produce::{ProduceOptions, produce};
pub use results::{ResultsSummary, print_rows};
pub use show::show;
pub use trade::{Trade, TradeType, Trades};
pub use wait::wait_for_rows;
