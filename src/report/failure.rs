//! A failure in words: what, why, what next.

use super::Paint;
use crate::error::Error;

/// The lines of a failure, each ending in a newline.
pub fn render(error: &Error, paint: Paint) -> String {
    let mut text = format!("{} {}\n", paint.bad("error:"), error.message);
    if let Some(cause) = &error.cause {
        let mut lines = cause.lines();
        text.push_str(&format!("  {} {}\n", paint.dim("cause:"), lines.next().unwrap_or_default()));
        for line in lines {
            text.push_str(&format!("         {line}\n"));
        }
    }
    if !error.remedies.is_empty() {
        text.push('\n');
    }
    for remedy in &error.remedies {
        text.push_str(&format!("  {} {remedy}\n", paint.good("→")));
    }
    text
}
