//! Aligned columns.

/// Rows of cells, aligned to the left, two spaces apart, without trailing spaces. Cells may hold colour.
#[derive(Debug, Default)]
pub struct Table {
    lines: Vec<Line>,
    indent: usize,
}

#[derive(Debug)]
enum Line {
    Row(Vec<String>),
    Note(String),
}

impl Table {
    /// An empty table, with this many spaces before each row.
    pub fn new(indent: usize) -> Self {
        Table { lines: Vec::new(), indent }
    }

    /// Adds a row.
    pub fn row<I: IntoIterator<Item: Into<String>>>(&mut self, cells: I) {
        self.lines.push(Line::Row(cells.into_iter().map(Into::into).collect()));
    }

    /// Adds a line that belongs to the row above, and to no column.
    pub fn note(&mut self, text: impl Into<String>) {
        self.lines.push(Line::Note(text.into()));
    }

    /// The table's lines, each ending in a newline.
    pub fn render(&self) -> String {
        let rows = || {
            self.lines.iter().filter_map(|line| if let Line::Row(cells) = line { Some(cells) } else { None })
        };
        let columns = rows().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = rows().filter_map(|row| row.get(column));
            cells.map(|cell| console::measure_text_width(cell)).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for line in &self.lines {
            let mut shown = " ".repeat(self.indent);
            match line {
                Line::Note(note) => shown.push_str(&format!("    {note}")),
                Line::Row(row) => {
                    for (cell, width) in row.iter().zip(&widths) {
                        shown.push_str(cell);
                        shown.push_str(
                            &" ".repeat(width.saturating_sub(console::measure_text_width(cell)) + 2),
                        );
                    }
                }
            }
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_two_columns_do_not_shift_what_follows() {
        let mut table = Table::new(0);
        table.row(["株式", "b"]);
        table.row(["café", "b"]);
        assert_eq!(table.render(), "株式  b\ncafé  b\n");
    }

    #[test]
    fn columns_line_up_also_with_colour_and_missing_cells() {
        let mut table = Table::new(1);
        table.row(["a", "bb", "c"]);
        table.row(["\u{1b}[32mlonger\u{1b}[0m", "b"]);
        table.note("a note as long as it likes");
        assert_eq!(
            table.render(),
            " a       bb  c\n \u{1b}[32mlonger\u{1b}[0m  b\n     a note as long as it likes\n"
        );
    }
}
