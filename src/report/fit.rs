//! Text that fits: as wide as the screen, with colour and with letters of any width.

use super::Paint;
use console::measure_text_width;

/// From this width on there is room for whole resource types.
const WIDE: usize = 100;

/// What lines are written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Its colours.
    pub paint: Paint,
    /// How many columns it has; `None` where lines may be of any length, as in a file.
    pub width: Option<usize>,
}

impl Page {
    /// A page without an edge.
    pub fn endless(paint: Paint) -> Self {
        Page { paint, width: None }
    }

    /// Whether resource types are shortened.
    pub fn is_narrow(self) -> bool {
        self.width.is_some_and(|width| width < WIDE)
    }

    /// Whether a line of this text fits.
    pub fn holds(self, line: &str) -> bool {
        self.width.is_none_or(|width| measure_text_width(line) <= width)
    }

    /// The text with its long lines broken.
    pub fn wrap(self, text: &str) -> String {
        let Some(width) = self.width else { return text.to_owned() };
        text.lines().map(|line| wrap(line, width)).collect::<Vec<_>>().join("\n")
    }
}

/// Breaks a line at spaces. What follows is indented two columns more than the line itself. A word that is too
/// long for a line of its own (an ARN) is left whole, so that it can still be copied.
fn wrap(line: &str, width: usize) -> String {
    if measure_text_width(line) <= width {
        return line.to_owned();
    }
    let plain = console::strip_ansi_codes(line);
    let indent = plain.chars().take_while(|c| *c == ' ').count() + 2;
    let (mut text, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let columns = measure_text_width(word.trim_end());
        if used + columns > width && used > indent {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            used = indent;
            // The space between two words is the break itself.
            if columns == 0 && word == " " {
                continue;
            }
        }
        text.push_str(word);
        used += measure_text_width(word);
    }
    text.truncate(text.trim_end().len());
    text
}

/// The text in at most so many columns: its middle gives way, since names differ at their ends.
pub fn middle(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let (head, tail) = (room.div_ceil(2), room / 2);
    let start = taken(text.chars(), head);
    let mut end: Vec<char> = taken(text.chars().rev(), tail);
    end.reverse();
    start.into_iter().chain(['…']).chain(end).collect()
}

/// As many characters as fit this many columns.
fn taken(chars: impl Iterator<Item = char>, width: usize) -> Vec<char> {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += measure_text_width(c.encode_utf8(&mut [0; 4]));
            used <= width
        })
        .collect()
}

/// The text and as many spaces as make it so wide.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(measure_text_width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: usize) -> Page {
        Page { paint: Paint(false), width: Some(width) }
    }

    #[test]
    fn long_lines_are_broken_between_words_and_long_words_are_left_whole() {
        assert_eq!(page(20).wrap("  one two three four five"), "  one two three four\n    five");
        assert_eq!(
            page(16).wrap("see arn:aws:kinesis:us-east-1 there"),
            "see\n  arn:aws:kinesis:us-east-1\n  there"
        );
        assert_eq!(page(9).wrap("short\nlines"), "short\nlines");
        assert_eq!(Page::endless(Paint(false)).wrap(&"long ".repeat(99)), "long ".repeat(99));
    }

    #[test]
    fn colour_takes_no_room() {
        let red = Paint(true).bad("a red line");
        assert_eq!(page(10).wrap(&red), red);
        assert_eq!(measure_text_width(page(6).wrap(&red).lines().next().unwrap()), 5);
    }

    #[test]
    fn letters_of_two_columns_count_as_two() {
        assert_eq!(pad("股票", 6), "股票  ");
        assert_eq!(page(9).wrap("股票 股票 股票"), "股票 股票\n  股票");
        assert_eq!(middle("股票股票股票", 7), "股…票");
    }

    #[test]
    fn the_middle_of_a_long_name_gives_way() {
        assert_eq!(middle("kinesis-stack-123456789012-dev-us-east-1", 23), "kinesis-sta…v-us-east-1");
        assert_eq!(middle("short", 23), "short");
        assert_eq!(middle("anything", 1), "…");
    }
}
