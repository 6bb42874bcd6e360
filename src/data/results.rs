//! The workshop's look at what came out: every row that landed in the bucket, in the order of time.

#[cfg(test)]
mod tests;

use super::causes::cause;
use super::failed::FailedRecord;
use super::filter::{Filter, lookup};
use super::format::RowWriter;
use super::objects::{FETCHES, Failure, Landed, ResultsQuery, fetch, list_objects};
use super::rows::{Fields, Piece};
use super::sums::Sums;
use crate::cli::Format;
use crate::cloud::fault::in_one_line;
use crate::error::{Error, Kind};
use crate::event::{ColumnSum, FailedRecords, FailuresRead, RowsRead};
use anyhow::Result;
use aws_sdk_s3::Client;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// So many damaged objects are named.
const SHOWN: usize = 3;

/// Which rows are shown, and how.
#[derive(Debug, Clone)]
pub struct View {
    /// How they are written.
    pub format: Format,
    /// These fields alone, in this order. Where none is named: all.
    pub columns: Vec<String>,
    /// Conditions that have all to hold.
    pub filters: Vec<Filter>,
    /// Whether numbers are added up.
    pub sum: bool,
    /// Whether objects hold records that failed, instead of rows.
    pub failures: bool,
}

impl View {
    /// All rows, as they are.
    pub fn all(format: Format) -> Self {
        View { format, columns: Vec::new(), filters: Vec::new(), sum: false, failures: false }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultsSummary {
    /// Objects read.
    pub objects: u64,
    /// Rows in them that were written.
    pub rows: u64,
    /// Bytes of the objects.
    pub bytes: u64,
    /// Pieces of text that are not rows: JSON, but not an object, or no JSON at all. Worth a warning.
    pub not_rows: u64,
    /// The first object with such a piece.
    pub not_rows_in: Option<String>,
    /// Objects that are damaged, or of a form that can't be read. Rows before the damage were written.
    pub broken: u64,
    /// The first of them, and why.
    pub broken_in: Option<String>,
    /// The first few of them, each with why.
    pub damaged: Vec<String>,
    /// Objects that were deleted between the listing and the reading.
    pub gone: u64,
    /// Fields that a table or CSV has no column for, because they turned up after its first 100 rows.
    pub left_out: BTreeSet<String>,
    /// Fields that were asked for, and that none of the rows that were written has.
    pub not_found: Vec<String>,
    /// What the numbers of the rows that were written come to, where that was asked for.
    pub sums: Vec<ColumnSum>,
    /// Where records that failed were read: how many have each code.
    pub codes: BTreeMap<String, u64>,
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
            broken: summary.broken,
            broken_in: summary.broken_in,
            gone: summary.gone,
            left_out: summary.left_out.into_iter().collect(),
            not_found: summary.not_found,
            sums: summary.sums,
        }
    }
}

impl From<ResultsSummary> for FailuresRead {
    fn from(mut summary: ResultsSummary) -> Self {
        let told = |(code, records): (String, u64)| {
            let cause = cause(&code);
            let text = |text: &str| Some(text.to_owned());
            FailedRecords {
                records,
                meaning: cause.and_then(|it| text(it.meaning)),
                remedy: cause.and_then(|it| text(it.remedy)),
                code,
            }
        };
        let codes = std::mem::take(&mut summary.codes).into_iter().map(told).collect();
        FailuresRead { read: summary.into(), codes }
    }
}

/// Reads objects, and writes their rows to `out`: object by object, and within an object in its own order. `out`
/// should be buffered; it is flushed after each object. Content is never kept in memory.
pub(super) struct RowReader<'a> {
    s3: &'a Client,
    pub(super) query: &'a ResultsQuery,
    pub(super) view: &'a View,
    rows: RowWriter<&'a mut dyn Write>,
    sums: Sums,
    pub(super) summary: ResultsSummary,
    /// Columns that no row had so far.
    not_found: Vec<String>,
    /// An object that could not be read to its end, and how many of its pieces were taken.
    begun: Option<(String, u64)>,
    /// Objects that turned out to be damaged, and why, until somebody tells of them.
    pub(super) damaged: Vec<(String, String)>,
}

impl<'a> RowReader<'a> {
    pub(super) fn new(
        s3: &'a Client,
        query: &'a ResultsQuery,
        view: &'a View,
        out: &'a mut dyn Write,
    ) -> Self {
        let rows = RowWriter::new(view.format, &view.columns, out);
        let (sums, summary) = (Sums::of(&view.columns), ResultsSummary::default());
        let not_found = view.columns.clone();
        RowReader { s3, query, view, rows, sums, summary, not_found, begun: None, damaged: Vec::new() }
    }

    /// Reads every object that is there now.
    pub(super) async fn read_all(&mut self) -> Result<(), Failure> {
        let objects = list_objects(self.s3, self.query).await?;
        self.read(&objects).await.1
    }

    /// Reads these. How many of them are done with, in their order: where one fails, it can be read again later, and
    /// none of its rows is written twice.
    pub(super) async fn read(&mut self, objects: &[Landed]) -> (usize, Result<(), Failure>) {
        let (s3, query, mut done) = (self.s3, self.query, 0);
        let fetches =
            objects.iter().map(|object| async move { (object, fetch(s3, query, &object.key).await) });
        let mut bodies = stream::iter(fetches).buffered(FETCHES);
        while let Some((object, body)) = bodies.next().await {
            let body = match body {
                Ok(Some(body)) => body,
                Ok(None) => {
                    self.summary.gone += 1;
                    done += 1;
                    continue;
                }
                Err(failure) => return (done, Err(failure)),
            };
            let skipped = self.begun.take_if(|(key, _)| *key == object.key).map_or(0, |(_, pieces)| pieces);
            let mut pieces = 0;
            let read = body.read(|piece| {
                pieces += 1;
                if pieces > skipped { self.take(object, &piece) } else { Ok(()) }
            });
            if let Err(failure) = read.await {
                self.begun = Some((object.key.clone(), pieces.max(skipped)));
                return (done, Err(failure));
            }
            if let Err(error) = self.rows.flush() {
                return (done, Err(Failure { transient: false, error: error.into() }));
            }
            self.summary.count(object);
            done += 1;
        }
        (done, Ok(()))
    }

    fn take(&mut self, object: &Landed, piece: &Piece<'_>) -> Result<()> {
        match piece {
            Piece::Row(_, fields) if self.view.failures => {
                let record = FailedRecord::of(fields, &object.key, &self.query.prefix);
                self.take_failed(&record, &object.key)
            }
            Piece::Row(text, fields) => self.take_row(text, fields),
            Piece::NotARow(_) => {
                self.summary.not_rows += 1;
                self.summary.not_rows_in.get_or_insert_with(|| object.key.clone());
                Ok(())
            }
            Piece::Broken(why) => {
                self.summary.broken += 1;
                let told = format!("{}: {why}", object.key);
                if self.summary.damaged.len() < SHOWN {
                    self.summary.damaged.push(told.clone());
                }
                self.summary.broken_in.get_or_insert(told);
                self.damaged.push((object.key.clone(), (*why).to_owned()));
                Ok(())
            }
        }
    }

    fn take_row(&mut self, text: &str, fields: &Fields) -> Result<()> {
        if !self.view.filters.iter().all(|filter| filter.holds(fields)) {
            return Ok(());
        }
        self.summary.rows += 1;
        self.not_found.retain(|name| lookup(fields, name).is_none());
        if self.view.sum {
            self.sums.add(fields);
        }
        Ok(self.rows.write(text, fields)?)
    }

    fn take_failed(&mut self, record: &FailedRecord, key: &str) -> Result<()> {
        let fields = record.fields(key);
        if !self.view.filters.iter().all(|filter| filter.holds(&fields)) {
            return Ok(());
        }
        self.summary.rows += 1;
        self.not_found.retain(|name| lookup(&fields, name).is_none());
        *self.summary.codes.entry(record.code.clone()).or_default() += 1;
        // A table of them would be wider than any screen.
        if self.view.format == Format::Table && self.view.columns.is_empty() {
            return Ok(self.rows.write_text(&record.words())?);
        }
        Ok(self.rows.write(&serde_json::to_string(&fields)?, &fields)?)
    }

    /// Writes what waits for more: there may be none for a while.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        Ok(self.rows.catch_up()?)
    }

    /// Writes what is left, and tells what was found.
    pub(super) fn finish(self) -> Result<ResultsSummary> {
        let left_out = self.rows.finish()?;
        let not_found = if self.summary.rows > 0 { self.not_found } else { Vec::new() };
        Ok(ResultsSummary { left_out, not_found, sums: self.sums.finish(), ..self.summary })
    }
}

impl ResultsSummary {
    /// The failure that it is where rows are missing, since objects could not be read to their ends.
    pub fn failure(&self) -> Option<Error> {
        let what = match self.broken {
            0 => return None,
            1 => "an object".to_owned(),
            many => format!("{many} objects"),
        };
        let mut damaged: Vec<String> = self.damaged.iter().map(|told| in_one_line(told)).collect();
        match self.broken.saturating_sub(damaged.len() as u64) {
            0 => {}
            more => damaged.push(format!("and {more} more")),
        }
        Some(
            Error::new(
                Kind::Failed,
                format!("{what} could not be read to the end, so that rows are missing"),
            )
            .because(damaged.join("\n"))
            .remedy("All that could be read was printed; `results download DIR` saves them as they are."),
        )
    }

    fn count(&mut self, object: &Landed) {
        self.objects += 1;
        self.bytes += object.bytes;
        self.first = Some(self.first.map_or(object.modified, |first| first.min(object.modified)));
        self.last = self.last.max(Some(object.modified));
    }
}
