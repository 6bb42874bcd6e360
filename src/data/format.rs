//! Writes rows as JSON lines, as CSV, or as a table for people.

use super::filter::{lookup, selected};
use super::rows::Fields;
use crate::cli::Format;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// The columns of a table and of CSV, and a table's widths, are settled by so many rows: later ones stream.
const SAMPLE: usize = 100;
/// A wider cell sticks out instead of widening its column.
const WIDEST: usize = 40;
/// A column of numbers is no narrower where more rows may come: ids and counters grow.
const ROOM: usize = 8;

/// Takes rows one by one and writes them in a format.
///
/// A table and CSV have the fields of the first 100 rows as their columns, in the order in which they are
/// first seen. A field that turns up later has no column any more: it is left out, and named by
/// [`RowWriter::finish`]. JSON lines always have everything, each row exactly as it lies in the bucket.
/// Where columns are named, all three have those alone, in that order; one that a row doesn't have is empty, and in
/// JSON lines missing.
///
/// CSV is RFC 4180 but for its plain new lines; missing fields and null are empty. In a table null is `null`,
/// and control characters are escaped.
pub(super) struct RowWriter<W: Write> {
    format: Format,
    /// The columns that were named.
    named: Vec<String>,
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
    pub(super) fn new(format: Format, named: &[String], out: W) -> Self {
        let (sample, left_out) = (Vec::new(), BTreeSet::new());
        RowWriter { format, named: named.to_vec(), out, sample, columns: None, left_out }
    }

    pub(super) fn write(&mut self, text: &str, fields: &Fields) -> io::Result<()> {
        if self.format == Format::Jsonl {
            if self.named.is_empty() {
                return writeln!(self.out, "{text}");
            }
            let selected = serde_json::to_string(&selected(fields, &self.named))?;
            return writeln!(self.out, "{selected}");
        }
        if self.columns.is_some() {
            return self.write_fields(fields);
        }
        self.sample.push(fields.clone());
        if self.sample.len() == SAMPLE { self.settle(ROOM) } else { Ok(()) }
    }

    /// Writes text that is no row.
    pub(super) fn write_text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// Passes on what was written so far.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The same, and the rows that wait for the columns to be settled: nothing more may come for a while.
    pub(super) fn catch_up(&mut self) -> io::Result<()> {
        if !self.sample.is_empty() {
            self.settle(ROOM)?;
        }
        self.out.flush()
    }

    /// Writes what is left, and returns the names of the fields that had no column.
    pub(super) fn finish(mut self) -> io::Result<BTreeSet<String>> {
        if !self.sample.is_empty() {
            self.settle(0)?;
        }
        self.out.flush()?;
        Ok(self.left_out)
    }

    /// Settles the columns and writes the header and the rows that waited for it. Numbers get at least so much room.
    fn settle(&mut self, room: usize) -> io::Result<()> {
        let sample = std::mem::take(&mut self.sample);
        let columns = columns(&sample, &self.named, room);
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
            columns.iter().map(|column| cell(lookup(fields, &column.name), self.format)).collect();
        for name in fields.keys().filter(|_| self.named.is_empty()) {
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

/// The columns of a table: those that are named, else all in the sample.
fn columns(sample: &[Fields], named: &[String], room: usize) -> Vec<Column> {
    let new = |name: &String| {
        let width = console::measure_text_width(&escape(name)).min(WIDEST);
        Column { name: name.clone(), width, numbers: true }
    };
    let mut columns: Vec<Column> = named.iter().map(new).collect();
    if named.is_empty() {
        for name in sample.iter().flat_map(Fields::keys) {
            if !columns.iter().any(|column| column.name == *name) {
                columns.push(new(name));
            }
        }
    }
    for column in &mut columns {
        for value in sample.iter().filter_map(|fields| lookup(fields, &column.name)) {
            let width = console::measure_text_width(&cell(Some(value), Format::Table)).min(WIDEST);
            column.width = column.width.max(width);
            column.numbers &= value.is_number() || value.is_null();
        }
        if column.numbers {
            column.width = column.width.max(room);
        }
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
pub(crate) fn escape(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// JSON with its control characters spelled as JSON spells them: those from U+007F to U+009F may stand in it as they are,
/// and move a cursor all the same. White space stays.
pub(crate) fn spell_controls(text: &str) -> Cow<'_, str> {
    let moves = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(moves) {
        return Cow::Borrowed(text);
    }
    let spell = |c: char| if moves(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(text.chars().map(spell).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(format: Format, rows: &[&str]) -> (String, Vec<String>) {
        write_columns(format, &[], rows)
    }

    fn write_columns(format: Format, named: &[&str], rows: &[&str]) -> (String, Vec<String>) {
        let mut out = Vec::new();
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        let mut writer = RowWriter::new(format, &named, &mut out);
        for row in rows {
            writer.write(row, &serde_json::from_str(row).unwrap()).unwrap();
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
    fn numbers_that_grow_after_the_columns_are_settled_stay_aligned() {
        let mut out = Vec::new();
        let mut writer = RowWriter::new(Format::Table, &[], &mut out);
        let mut write = |id: u64| {
            let row = format!(r#"{{"id": {id}, "stockId": "GE"}}"#);
            writer.write(&row, &serde_json::from_str(&row).unwrap()).unwrap();
            writer.catch_up().unwrap();
        };
        [7, 580, 12_345_678].into_iter().for_each(&mut write);
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.find('G').or(line.find('s')) == Some(ROOM + 2)), "{text}");
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
    fn named_columns_stand_alone_in_their_order_and_unknown_ones_are_empty() {
        let named = ["stockId", "price", "unknown"];
        let csv = "stockId,price,unknown\nRDS.A,65.06,\nA,224000.5,\n";
        assert_eq!(write_columns(Format::Csv, &named, &ROWS), (csv.to_owned(), vec![]));
        let table = "\
stockId     price  unknown
RDS.A       65.06
A        224000.5
";
        assert_eq!(write_columns(Format::Table, &named, &ROWS), (table.to_owned(), vec![]));
        let jsonl = "{\"stockId\":\"RDS.A\",\"price\":65.06}\n{\"stockId\":\"A\",\"price\":224000.5}\n";
        assert_eq!(write_columns(Format::Jsonl, &named, &ROWS), (jsonl.to_owned(), vec![]));
    }

    #[test]
    fn a_row_cannot_write_to_the_terminal_through_a_table() {
        let (text, _) = write(Format::Table, &[r#"{"a": "\u001b[2Jx\ny"}"#]);
        assert_eq!(text, "a\n\\u{1b}[2Jx\\ny\n");
    }

    #[test]
    fn controls_in_json_are_spelled_and_mean_the_same() {
        let spelled = spell_controls("{\"a\":\t\"\u{9b}2J\u{7f}é\"}\n");
        assert_eq!(spelled, "{\"a\":\t\"\\u009b2J\\u007fé\"}\n");
        assert_eq!(serde_json::from_str::<Value>(&spelled).unwrap()["a"], "\u{9b}2J\u{7f}é");
        assert_eq!(spell_controls("\u{1b}[2J"), "\\u001b[2J");
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
