//! What GitHub Actions understands: workflow commands among the lines of a step, and files that a step may add to.
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use super::fates::Counts;
use crate::event::Done;
use std::fmt::Write as _;

/// Begins a group of lines.
pub fn group(title: &str) -> String {
    format!("::group::{}", data(title))
}

/// Ends it.
pub const END_GROUP: &str = "::endgroup::";

/// How much an annotation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The command failed.
    Error,
    /// It goes on.
    Warning,
}

/// An annotation: one line, whatever it says.
pub fn annotation(level: Level, title: &str, message: &str) -> String {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    format!("::{level} title={}::{}", property(title), data(message.trim_end()))
}

/// What would end a command's line is written as the runner reads it back.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The same for a property, which ends earlier.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The outputs of a step whose command ended well: stack, stack-id, changed, expires, and each output of the stack.
pub fn outputs(done: &Done) -> Vec<(String, String)> {
    let mut outputs = Vec::new();
    let mut say = |name: &str, value: Option<String>| {
        outputs.extend(value.map(|value| (name.to_owned(), value)));
    };
    say("stack", done.stack.clone());
    say("stack-id", done.stack_id.clone());
    say("changed", done.changed.map(|changed| changed.to_string()));
    say("expires", done.expires.clone());
    for (name, value) in done.outputs.iter().flatten() {
        say(&super::super::dotenv::words(name).join("-"), Some(value.clone()));
    }
    outputs
}

/// The outputs of a step that reaps, also of one that failed.
pub fn counts(counts: &Counts) -> Vec<(String, String)> {
    let Counts { reaped, failed, left_alone } = counts;
    let all = [("reaped", reaped), ("failed", failed), ("left-alone", left_alone)];
    all.map(|(name, count)| (name.to_owned(), count.to_string())).into()
}

/// Outputs as the file of `GITHUB_OUTPUT` takes them. `delimiter` must be a word that nobody can foresee: a value
/// of several lines that held it could add outputs of its own.
pub fn output_file(outputs: &[(String, String)], delimiter: &str) -> String {
    let mut text = String::new();
    for (name, value) in outputs {
        let _ = match value.contains(['\n', '\r']) {
            true => writeln!(text, "{name}<<{delimiter}\n{value}\n{delimiter}"),
            false => writeln!(text, "{name}={value}"),
        };
    }
    text
}
