//! What was read of rows, of records that failed and of logs, in words.

use super::super::fit::Page;
use super::super::{Paint, Table};
use super::count;
use crate::cloud::fault::in_one_line;
use crate::event::{ColumnSum, FailuresRead, RowsRead};

/// So many names are told.
const FEW: usize = 8;

/// What was read, and what of it couldn't be shown.
pub fn rows_read(read: &RowsRead, paint: Paint) -> String {
    let mut lines = sums(&read.sums, paint);
    lines.push(format!("{} in {}", count(read.rows, "row"), count(read.objects, "object")));
    lines.extend(warnings(read, paint));
    lines.join("\n")
}

/// How many records failed, why, and what to do.
pub fn failures_read(read: &FailuresRead, page: Page) -> String {
    let paint = page.paint;
    let FailuresRead { read, codes } = read;
    let mut lines = Vec::new();
    match read.rows {
        0 if read.objects == 0 => {
            lines.push("No record failed; `logs --errors` shows whether anything else did".to_owned());
        }
        0 => lines.push(format!("No such record in {}", count(read.objects, "object"))),
        rows => lines.push(format!("{} failed, in {}", count(rows, "record"), count(read.objects, "object"))),
    }
    for failed in codes {
        let code = match failed.code.as_str() {
            "" => "without a code".to_owned(),
            code => in_one_line(code),
        };
        lines.push(format!("  {} {}", paint.bad(&format!("{}×", failed.records)), paint.strong(&code)));
        let known = failed.meaning.iter().chain(&failed.remedy);
        lines.extend(known.map(|text| page.wrap(&format!("    {text}"))));
    }
    lines.extend(warnings(read, paint));
    lines.join("\n")
}

fn warnings(read: &RowsRead, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(object) = &read.not_rows_in {
        lines.push(
            paint.warn(&format!("{} not JSON objects, first in {object}", count(read.not_rows, "line"))),
        );
    }
    // What can't be read to its end is the error that follows.
    if read.gone > 0 {
        lines.push(paint.warn(&format!("{} deleted meanwhile", count(read.gone, "object"))));
    }
    if !read.left_out.is_empty() {
        let fields = few(&read.left_out);
        lines.push(paint.warn(&format!(
            "without a column, since they turned up late (--format jsonl has all): {fields}"
        )));
    }
    if !read.not_found.is_empty() {
        lines.push(paint.warn(&format!("no row has the field {}", read.not_found.join(", nor "))));
    }
    lines
}

/// The first names, and how many more there are.
fn few(names: &[String]) -> String {
    let mut told: Vec<String> = names.iter().take(FEW).map(|name| in_one_line(name)).collect();
    if names.len() > FEW {
        told.push(format!("and {} more", names.len() - FEW));
    }
    told.join(", ")
}

/// A line a column of numbers.
fn sums(sums: &[ColumnSum], paint: Paint) -> Vec<String> {
    if sums.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![["", "count", "sum", "mean", "least", "most"].map(str::to_owned)];
    rows.extend(sums.iter().map(|it| {
        let numbers = [it.sum, it.mean, it.least, it.most].map(number);
        let [sum, mean, least, most] = numbers;
        [it.column.clone(), it.count.to_string(), sum, mean, least, most]
    }));
    let widths: [usize; 6] = std::array::from_fn(|column| {
        rows.iter().map(|row| console::measure_text_width(&row[column])).max().unwrap_or_default()
    });
    let mut table = Table::new(0);
    for (place, row) in rows.into_iter().enumerate() {
        let mut cells = row.into_iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            let fill = " ".repeat(width.saturating_sub(console::measure_text_width(&cell)));
            if column == 0 { cell } else { fill + &cell }
        });
        let first = cells.next().unwrap_or_default();
        let first = if place > 0 { paint.strong(&first) } else { first };
        table.row(std::iter::once(first).chain(cells));
    }
    table.render().lines().map(str::to_owned).collect()
}

/// A number without what a float adds to it.
fn number(number: f64) -> String {
    let rounded = (number * 1e6).round() / 1e6;
    // Where the millionth is beyond what a float holds, it is as exact as it gets.
    if rounded.is_finite() { rounded.to_string() } else { number.to_string() }
}

/// What was found in logs.
pub fn logs_read(lines: u64, since: &str) -> String {
    let since = super::at(since);
    match lines {
        0 => format!("Nothing since {since}"),
        lines => format!("{} since {since}", count(lines, "line")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FailedRecords;

    #[test]
    fn sums_are_a_table_with_its_numbers_to_the_right() {
        let sum = |column: &str, count, sum, least, most| ColumnSum {
            column: column.to_owned(),
            count,
            sum,
            mean: sum / count as f64,
            least,
            most,
        };
        let sums =
            vec![sum("price", 3, 0.1 + 0.2 + 100.0, 0.1, 100.0), sum("quantity", 3, 9_000.0, 1.0, 8_000.0)];
        let read = RowsRead { rows: 3, objects: 1, sums, ..RowsRead::default() };
        let shown = rows_read(&read, Paint(false));
        let expected = "          count    sum       mean  least  most
price         3  100.3  33.433333    0.1   100
quantity      3   9000       3000      1  8000
3 rows in 1 object";
        assert_eq!(shown, expected);
    }

    #[test]
    fn of_thousands_of_fields_without_a_column_the_first_are_named_and_the_others_counted() {
        let told = |fields: usize| {
            let left_out = (0..fields).map(|place| format!("field{place:04}")).collect();
            rows_read(&RowsRead { rows: 9_999, objects: 1, left_out, ..RowsRead::default() }, Paint(false))
        };
        assert!(
            told(3).ends_with("(--format jsonl has all): field0000, field0001, field0002"),
            "{}",
            told(3)
        );
        assert!(told(8).ends_with(", field0007"), "{}", told(8));
        assert!(told(5_000).ends_with(", field0007, and 4992 more"), "{}", told(5_000));
    }

    #[test]
    fn records_that_failed_are_told_by_their_codes_within_80_columns() {
        let told = FailedRecords {
            code: "Lambda.FunctionError".to_owned(),
            records: 12,
            meaning: Some("The processor was called and ended with an error.".to_owned()),
            remedy: Some(
                "See `logs --errors` for what it said, then send the records again once more.".to_owned(),
            ),
        };
        let read = FailuresRead {
            read: RowsRead { rows: 12, objects: 1, ..RowsRead::default() },
            codes: vec![told],
        };
        let page = Page { paint: Paint(false), width: Some(80) };
        let expected = "\
12 records failed, in 1 object
  12× Lambda.FunctionError
    The processor was called and ended with an error.
    See `logs --errors` for what it said, then send the records again once more.";
        assert_eq!(failures_read(&read, page), expected);
        let none = FailuresRead { read: RowsRead::default(), codes: vec![] };
        let shown = failures_read(&none, page);
        assert_eq!(shown, "No record failed; `logs --errors` shows whether anything else did");
    }
}
