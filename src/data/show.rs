//! What `results` does: waits where it was asked to, then writes every row, and goes on where it was asked to.

use super::follow::follow;
use super::objects::ResultsQuery;
use super::results::{ResultsSummary, RowReader, View};
use super::wait::wait_for_rows;
use crate::stack::Context;
use anyhow::Result;
use std::io::Write;
use std::time::Duration;

/// Writes every row that landed to `out`: object by object in the order of time, and within an object in its own order.
/// Where `wait` is given, not before so many rows are there, and no later than after so long. Where it follows, what
/// lands later too. All of it ends early once `stop` resolves; rows that came before are written, and told.
///
/// # Errors
/// Those of [`wait_for_rows`], before anything is written. Where the bucket cannot be read, or `out` cannot be written:
/// an [`std::io::Error`], `BrokenPipe` where the reader has left.
pub async fn show(
    context: &Context,
    query: &ResultsQuery,
    view: &View,
    wait: Option<(u64, Duration)>,
    follows: bool,
    out: &mut dyn Write,
    stop: impl Future<Output = ()>,
) -> Result<ResultsSummary> {
    let s3 = &context.clients.s3;
    let mut reader = RowReader::new(s3, query, view, out);
    let work = async {
        if let Some((wanted, patience)) = wait {
            wait_for_rows(s3, query, wanted, patience, context.reporter.as_ref()).await?;
        }
        match follows {
            true => follow(context, &mut reader).await,
            false => reader.read_all().await.map_err(|failure| failure.error),
        }
    };
    let ended = tokio::select! {
        biased;
        () = stop => Ok(()),
        ended = work => ended,
    };
    // Rows that came before a failure are written all the same.
    let summary = reader.finish();
    ended?;
    summary
}
