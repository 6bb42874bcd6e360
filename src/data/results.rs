//! The workshop's look at what came out: every row that landed in the bucket, in the order of time.

#[cfg(test)]
mod tests;

use super::format::RowWriter;
use super::objects::{FETCHES, Landed, ResultsQuery, fetch, list};
use super::rows::Piece;
use crate::cli::Format;
use crate::event::RowsRead;
use anyhow::Result;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::Write;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultsSummary {
    /// Objects read.
    pub objects: u64,
    /// Rows in them, all of them written.
    pub rows: u64,
    /// Bytes of the objects.
    pub bytes: u64,
    /// Pieces of text that are not rows: JSON, but not an object, or no JSON at all. Worth a warning.
    pub not_rows: u64,
    /// The first object with such a piece.
    pub not_rows_in: Option<String>,
    /// Objects that were deleted between the listing and the reading.
    pub gone: u64,
    /// Fields that a table or CSV has no column for, because they turned up after its first 100 rows.
    pub left_out: BTreeSet<String>,
    /// When the first object was written.
    pub first: Option<Timestamp>,
    /// When the last one was.
    pub last: Option<Timestamp>,
}

impl From<ResultsSummary> for RowsRead {
    fn from(summary: ResultsSummary) -> Self {
        RowsRead {
            objects: summary.objects,
            rows: summary.rows,
            not_rows: summary.not_rows,
            not_rows_in: summary.not_rows_in,
            gone: summary.gone,
            left_out: summary.left_out.into_iter().collect(),
        }
    }
}

/// Writes every row that is there now to `out`: object by object in the order of [`list`], and within an object
/// in its own order. `out` should be buffered; it is flushed after each object. The names of all objects are
/// kept in memory, but never their content.
///
/// # Errors
/// Where the bucket cannot be read, or `out` cannot be written: an [`std::io::Error`], `BrokenPipe` where
/// the reader has left.
pub async fn print_rows(
    s3: &aws_sdk_s3::Client,
    query: &ResultsQuery,
    format: Format,
    out: &mut dyn Write,
) -> Result<ResultsSummary> {
    let objects = list(s3, query).await?;
    let mut summary = ResultsSummary::default();
    let mut rows = RowWriter::new(format, out);
    let copied = copy_rows(s3, query, &objects, &mut rows, &mut summary).await;
    // Rows that came before a failure are written all the same.
    let finished = rows.finish();
    copied?;
    summary.left_out = finished?;
    Ok(summary)
}

async fn copy_rows(
    s3: &aws_sdk_s3::Client,
    query: &ResultsQuery,
    objects: &[Landed],
    rows: &mut RowWriter<&mut dyn Write>,
    summary: &mut ResultsSummary,
) -> Result<()> {
    let fetches = objects.iter().map(|object| async move { (object, fetch(s3, query, &object.key).await) });
    let mut bodies = stream::iter(fetches).buffered(FETCHES);
    while let Some((object, body)) = bodies.next().await {
        let Some(body) = body.map_err(|failure| failure.error)? else {
            summary.gone += 1;
            continue;
        };
        let mut not_rows = 0;
        let read = body.read(|piece| {
            match piece {
                Piece::Row(text, fields) => {
                    rows.write(text, fields)?;
                    summary.rows += 1;
                }
                Piece::NotARow => not_rows += 1,
            }
            Ok(())
        });
        read.await.map_err(|failure| failure.error)?;
        rows.flush()?;
        summary.count(object, not_rows);
    }
    Ok(())
}

impl ResultsSummary {
    fn count(&mut self, object: &Landed, not_rows: u64) {
        self.objects += 1;
        self.bytes += object.bytes;
        self.not_rows += not_rows;
        if not_rows > 0 {
            self.not_rows_in.get_or_insert_with(|| object.key.clone());
        }
        self.first.get_or_insert(object.modified);
        self.last = Some(object.modified);
    }
}
