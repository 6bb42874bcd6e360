//! A failure in words: what, why, what next.

use super::fit::Page;
use super::logs::plain;
use crate::error::Error;

/// The lines of a failure, each ending in a newline.
pub fn render(error: &Error, page: Page) -> String {
    let paint = page.paint;
    let mut text = format!("{} {}\n", paint.bad("error:"), plain(&error.message));
    let mut say = |title: &str, words: &str| {
        let mut lines = words.lines().map(plain);
        text.push_str(&format!("  {} {}\n", paint.dim(title), lines.next().unwrap_or_default()));
        for line in lines {
            text.push_str(&format!("{}{line}\n", " ".repeat(title.len() + "   ".len())));
        }
    };
    if let Some(cause) = &error.cause {
        say("cause:", cause);
    }
    if let Some(meaning) = &error.meaning {
        say("meaning:", meaning);
    }
    if !error.remedies.is_empty() {
        text.push('\n');
    }
    for remedy in &error.remedies {
        text.push_str(&format!("  {} {remedy}\n", paint.good("→")));
    }
    page.wrap(text.trim_end()) + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::Paint;
    use super::*;
    use crate::error::Kind;

    #[test]
    fn what_a_program_wrote_can_not_move_the_cursor() {
        let error = Error::new(Kind::Failed, "it \u{9b}2Jended").because("its stderr:\n\u{1b}[2Jx");
        let text = render(&error, Page { paint: Paint(false), width: None });
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.contains("its stderr:\n") && text.contains("[2Jx"), "{text:?}");
    }
}
