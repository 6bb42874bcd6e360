//! Writes rows as JSON lines, as CSV, or as a table for people.

use super::rows::Fields;
use crate::cli::Format;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// The columns of a table and of CSV, and a table's widths, are settled by so many rows: later ones stream.
const SAMPLE: usize = 100;
/// A wider cell sticks out instead of widening its column.
const WIDEST: usize = 40;

/// Takes rows one by one and writes them in a format.
///
/// A table and CSV have the fields of the first 100 rows as their columns, in the order in which they are
/// first seen. A field that turns up later has no column any more: it is left out, and named by
/// [`RowWriter::finish`]. JSON lines always have everything, each row exactly as it lies in the bucket.
///
/// CSV is RFC 4180 but for its plain new lines; missing fields and null are empty. In a table null is `null`,
/// and control characters are escaped.
pub(super) struct RowWriter<W: Write> {
    format: Format,
    out: W,
    /// Rows that wait for the columns to be settled.
    sample: Vec<Fields>,
    columns: Option<Vec<Column>>,
    left_out: BTreeSet<String>,
}

struct Column {
    name: String,
    width: usize,
    numbers: bool,
}

impl<W: Write> RowWriter<W> {
    pub(super) fn new(format: Format, out: W) -> Self {
        RowWriter { format, out, sample: Vec::new(), columns: None, left_out: BTreeSet::new() }
    }

    pub(super) fn write(&mut self, text: &str, fields: Fields) -> io::Result<()> {
        if self.format == Format::Jsonl {
            return writeln!(self.out, "{text}");
        }
        if self.columns.is_some() {
            return self.write_fields(&fields);
        }
        self.sample.push(fields);
        if self.sample.len() == SAMPLE { self.settle() } else { Ok(()) }
    }

    /// Passes on what was written so far.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes what is left, and returns the names of the fields that had no column.
    pub(super) fn finish(mut self) -> io::Result<BTreeSet<String>> {
        if !self.sample.is_empty() {
            self.settle()?;
        }
        self.out.flush()?;
        Ok(self.left_out)
    }

    /// Settles the columns and writes the header and the rows that waited for it.
    fn settle(&mut self) -> io::Result<()> {
        let sample = std::mem::take(&mut self.sample);
        let columns = columns(&sample);
        let name = |column: &Column| match self.format {
            Format::Table => escape(&column.name),
            Format::Jsonl | Format::Csv => column.name.clone(),
        };
        let names: Vec<String> = columns.iter().map(name).collect();
        self.columns = Some(columns);
        self.write_cells(&names)?;
        sample.iter().try_for_each(|fields| self.write_fields(fields))
    }

    fn write_fields(&mut self, fields: &Fields) -> io::Result<()> {
        let columns = self.columns.as_deref().unwrap_or_default();
        let cells: Vec<String> =
            columns.iter().map(|column| cell(fields.get(&column.name), self.format)).collect();
        for name in fields.keys() {
            if !self.left_out.contains(name) && !columns.iter().any(|column| column.name == *name) {
                self.left_out.insert(name.clone());
            }
        }
        self.write_cells(&cells)
    }

    fn write_cells(&mut self, cells: &[String]) -> io::Result<()> {
        match self.format {
            Format::Csv => {
                let mut line = csv::Writer::from_writer(Vec::new());
                line.write_record(cells)?;
                let line = line.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
                self.out.write_all(&line)
            }
            Format::Table | Format::Jsonl => {
                let columns = self.columns.iter().flatten();
                let padded: Vec<String> =
                    cells.iter().zip(columns).map(|(cell, column)| column.pad(cell)).collect();
                writeln!(self.out, "{}", padded.join("  ").trim_end())
            }
        }
    }
}

impl Column {
    fn pad(&self, cell: &str) -> String {
        let fill = " ".repeat(self.width.saturating_sub(console::measure_text_width(cell)));
        if self.numbers { format!("{fill}{cell}") } else { format!("{cell}{fill}") }
    }
}

fn columns(sample: &[Fields]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for (name, value) in sample.iter().flatten() {
        let place = columns.iter().position(|column| column.name == *name).unwrap_or_else(|| {
            let width = console::measure_text_width(&escape(name)).min(WIDEST);
            columns.push(Column { name: name.clone(), width, numbers: true });
            columns.len() - 1
        });
        let column = &mut columns[place];
        let width = console::measure_text_width(&cell(Some(value), Format::Table)).min(WIDEST);
        column.width = column.width.max(width);
        column.numbers &= value.is_number() || value.is_null();
    }
    columns
}

fn cell(value: Option<&Value>, format: Format) -> String {
    let text = match value {
        None => String::new(),
        Some(Value::Null) if format == Format::Csv => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    if format == Format::Table { escape(&text) } else { text }
}

/// A row must not be able to move a terminal's cursor or break the table.
fn escape(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(format: Format, rows: &[&str]) -> (String, Vec<String>) {
        let mut out = Vec::new();
        let mut writer = RowWriter::new(format, &mut out);
        for row in rows {
            writer.write(row, serde_json::from_str(row).unwrap()).unwrap();
        }
        let left_out = writer.finish().unwrap();
        (String::from_utf8(out).unwrap(), left_out.into_iter().collect())
    }

    const ROWS: [&str; 2] = [
        r#"{"tradeType": "BUY", "price": 65.06, "quantity": 2891, "stockId": "RDS.A"}"#,
        r#"{"tradeType": "SELL", "price": 224000.5, "quantity": null, "stockId": "A", "note": "new"}"#,
    ];

    #[test]
    fn jsonl_is_the_row_verbatim() {
        assert_eq!(write(Format::Jsonl, &ROWS).0, format!("{}\n{}\n", ROWS[0], ROWS[1]));
    }

    #[test]
    fn a_table_is_aligned_with_numbers_to_the_right() {
        let expected = "\
tradeType     price  quantity  stockId  note
BUY           65.06      2891  RDS.A
SELL       224000.5      null  A        new
";
        assert_eq!(write(Format::Table, &ROWS).0, expected);
    }

    #[test]
    fn csv_has_a_header_and_empty_cells_for_null_and_missing() {
        let expected = "tradeType,price,quantity,stockId,note\nBUY,65.06,2891,RDS.A,\nSELL,224000.5,,A,new\n";
        assert_eq!(write(Format::Csv, &ROWS).0, expected);
    }

    #[test]
    fn csv_quotes_commas_quotes_and_new_lines() {
        let row = r#"{"a,b": "say \"hi\"", "c": "x\ny", "d": {"e": [1, 2]}}"#;
        let expected = "\"a,b\",c,d\n\"say \"\"hi\"\"\",\"x\ny\",\"{\"\"e\"\":[1,2]}\"\n";
        assert_eq!(write(Format::Csv, &[row]).0, expected);
    }

    #[test]
    fn no_rows_write_nothing() {
        for format in [Format::Table, Format::Jsonl, Format::Csv] {
            assert_eq!(write(format, &[]).0, "");
        }
    }

    #[test]
    fn a_field_that_turns_up_after_the_columns_are_settled_is_named_not_dropped_in_silence() {
        let mut rows = vec![r#"{"a": 1}"#; SAMPLE];
        rows.push(r#"{"late": 2, "a": 3}"#);
        let (text, left_out) = write(Format::Csv, &rows);
        assert_eq!(text.lines().count(), SAMPLE + 2);
        assert_eq!(text.lines().last(), Some("3"));
        assert_eq!(left_out, ["late"]);
        assert!(write(Format::Jsonl, &rows).0.contains("late"));
    }

    #[test]
    fn a_row_cannot_write_to_the_terminal_through_a_table() {
        let (text, _) = write(Format::Table, &[r#"{"a": "\u001b[2Jx\ny"}"#]);
        assert_eq!(text, "a\n\\u{1b}[2Jx\\ny\n");
    }

    #[test]
    fn a_long_cell_sticks_out_whole() {
        let long = "x".repeat(60);
        let (text, _) = write(Format::Table, &[&format!(r#"{{"a": "{long}", "b": 1}}"#)]);
        assert_eq!(text.lines().last().unwrap(), format!("{long}  1"));
        assert_eq!(text.lines().next().unwrap().len(), WIDEST + 3);
    }

    proptest! {
        #[test]
        fn csv_reads_back_what_was_written(cells in prop::collection::vec(".{0,12}", 1..6)) {
            let fields: Fields =
                cells.iter().enumerate().map(|(place, cell)| (place.to_string(), cell.clone().into())).collect();
            let (text, _) = write(Format::Csv, &[&serde_json::to_string(&fields).unwrap()]);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let read = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(read.iter().collect::<Vec<_>>(), cells);
        }
    }
}
