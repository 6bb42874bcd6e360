//! What `results` does: waits where it was asked to, then writes every row.

use super::objects::ResultsQuery;
use super::results::{ResultsSummary, print_rows};
use super::wait::wait_for_rows;
use crate::cli::Format;
use crate::stack::Context;
use anyhow::Result;
use std::io::Write;
use std::time::Duration;

/// Writes every row that landed to `out`, where `wait` is given not before so many rows are there, and no later
/// than after so long.
///
/// # Errors
/// Those of [`wait_for_rows`], before anything is written, and of [`print_rows`].
pub async fn show(
    context: &Context,
    query: &ResultsQuery,
    format: Format,
    wait: Option<(u64, Duration)>,
    out: &mut dyn Write,
) -> Result<ResultsSummary> {
    let s3 = &context.clients.s3;
    if let Some((wanted, patience)) = wait {
        wait_for_rows(s3, query, wanted, patience, context.reporter.as_ref()).await?;
    }
    print_rows(s3, query, format, out).await
}
