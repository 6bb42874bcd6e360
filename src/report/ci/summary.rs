//! The summary of a job, in Markdown: what ran, how it ended, and why.

use super::super::Paint;
use super::super::fit::Page;
use super::super::plan::{footer, notes};
use super::super::resource::{self, path, span};
use super::super::words::{kind, time};
use super::story::Story;
use crate::error::Error;
use crate::event::{Done, Progress};
use crate::stack::plan::{Action, Plan};

/// GitHub takes no longer a summary of one step.
pub const LONGEST: usize = 1024 * 1024;
/// What stands where it had to be cut.
const CUT: &str = "\n\n*Cut here: a job summary holds 1 MiB.*\n";

/// A command that ended well.
pub fn done(done: &Done, env: &str, story: &Story) -> String {
    let stack = done.stack.as_deref().unwrap_or_default();
    let how = match (done.command.as_str(), done.changed) {
        ("down", _) => "is gone",
        (_, Some(false)) => "is up to date: nothing had to change",
        _ => "is up",
    };
    let mut text = format!("### ✅ {} {how}\n\n{}", inline(stack), ran(&done.command, env, done.seconds));
    text.push_str(&middle(story, "On the way"));
    if story.critical_path.is_none() && !done.critical_path.is_empty() {
        let seconds = done.seconds.unwrap_or_default();
        text.push_str(&critical_path(&path(&done.critical_path), seconds));
    }
    let outputs = done.outputs.iter().flatten();
    let rows: Vec<[String; 2]> = outputs.map(|(name, value)| [inline(name), code(value)]).collect();
    text.push_str(&table(["Output", "Value"], "|---|---|", &rows));
    text
}

/// A command that failed.
pub fn failed(verb: &str, env: &str, error: &Error, story: &Story) -> String {
    let mut text = format!("### ❌ {}\n\n{}", inline(&error.message), ran(verb, env, None));
    text.push_str(&format!("Exit code {}.\n\n", error.kind.exit_code()));
    if let Some(cause) = &error.cause {
        let lines: Vec<String> = cause.lines().map(inline).collect();
        text.push_str(&format!("**Cause**\n\n> {}\n\n", lines.join("  \n> ")));
    }
    if let Some(meaning) = &error.meaning {
        text.push_str(&format!("{}\n\n", inline(meaning)));
    }
    if !error.remedies.is_empty() {
        let remedies = error.remedies.iter().map(|remedy| format!("- {}\n", inline(remedy)));
        text.push_str(&format!("**What to do**\n\n{}\n", remedies.collect::<String>()));
    }
    text.push_str(&middle(story, "What was tried"));
    text
}

/// A plan.
pub fn plan(plan: &Plan, env: &str) -> String {
    let loses = if plan.loses_data { "⚠️ " } else { "" };
    let what = match plan.changes.iter().filter(|change| !change.only_follows).count() {
        _ if !plan.changed => "nothing would change".to_owned(),
        0 => "none of its resources would change".to_owned(),
        1 => "1 resource would change".to_owned(),
        many => format!("{many} resources would change"),
    };
    let mut text = format!("### {loses}{}: {what}\n\n{}", inline(&plan.stack), ran("plan", env, None));
    let page = Page::endless(Paint(false));
    let rows: Vec<[String; 4]> = plan
        .changes
        .iter()
        .map(|change| {
            let action = match change.action {
                _ if change.only_follows => "as it is",
                Action::Add => "added",
                Action::Modify => "changed",
                Action::Replace => "**replaced**",
                Action::MayReplace => "**perhaps replaced**",
                Action::Remove => "**removed**",
                Action::Import => "taken over",
                Action::Sync => "as it is",
                Action::Other => "other",
            };
            let loses =
                |note: &str| ["loses data: ", "drops records: "].iter().any(|it| note.starts_with(it));
            let warned = |note: &String| format!("{}{}", if loses(note) { "⚠️ " } else { "" }, inline(note));
            let what: Vec<String> = notes(change, page).iter().map(warned).collect();
            [
                inline(&change.logical_id),
                inline(kind(&change.resource_type)),
                action.to_owned(),
                what.join("<br>"),
            ]
        })
        .collect();
    text.push_str(&table(["Resource", "Type", "Action", "What"], "|---|---|---|---|", &rows));
    for line in footer(plan, page.paint) {
        text.push_str(&format!("{}\n\n", inline(&line)));
    }
    text
}

fn ran(verb: &str, env: &str, seconds: Option<f64>) -> String {
    let seconds = seconds.map(|seconds| format!(" in {}", time(seconds))).unwrap_or_default();
    format!("`kinesis-stack {verb}`, environment {}{seconds}.\n\n", code(env))
}

/// The turns under a title, the resources, the critical path.
fn middle(story: &Story, title: &str) -> String {
    let turns: Vec<String> = story.turns.iter().map(|turn| format!("- {}\n", inline(turn))).collect();
    let mut text = String::new();
    if !turns.is_empty() {
        text.push_str(&format!("**{title}**\n\n{}\n", turns.concat()));
    }
    let rows: Vec<[String; 5]> = story
        .resources
        .iter()
        .map(|entry| {
            let kept = resource::kept(&entry.resource_type, &entry.status);
            let mark = match entry.progress {
                Progress::Complete if kept.is_some() => "⏸️",
                Progress::Complete => "✅",
                Progress::Failed => "❌",
                Progress::Working => "⏳",
            };
            [
                inline(&entry.logical_id),
                inline(kind(&entry.resource_type)),
                format!("{mark} {}", inline(kept.unwrap_or(&entry.status))),
                entry.seconds.map(time).unwrap_or_default(),
                resource::of_use(entry.usual, entry.seconds).map(span).unwrap_or_default(),
            ]
        })
        .collect();
    text.push_str(&table(["Resource", "Type", "State", "Time", "Usual"], "|---|---|---|--:|--:|", &rows));
    if let Some((steps, seconds)) = &story.critical_path {
        text.push_str(&critical_path(&path(steps), *seconds));
    }
    text
}

fn critical_path(steps: &str, seconds: f64) -> String {
    format!("**Critical path:** {} of {}\n\n", inline(steps), time(seconds))
}

/// A table, or nothing where it has no rows.
fn table<const N: usize>(head: [&str; N], ruler: &str, rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows: Vec<String> = rows.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    format!("| {} |\n{ruler}\n{}\n", head.join(" | "), rows.concat())
}

/// Text that stays text: nothing in it is taken for Markdown or HTML, but for pairs of backticks, in which our own
/// sentences quote commands.
pub fn inline(text: &str) -> String {
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return escape(text);
    }
    let pieces = pieces.iter().enumerate().map(|(index, piece)| match index % 2 {
        0 => escape(piece),
        _ if piece.is_empty() => String::new(),
        _ => code(piece),
    });
    pieces.collect()
}

/// A value in letters of one width.
fn code(text: &str) -> String {
    if text.is_empty() || text.contains('`') {
        return escape(text);
    }
    format!("`{}`", text.replace(['\r', '\n'], " ").replace('|', "\\|"))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' | '\n' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// The text in at most so many bytes, cut at the end of a line.
pub fn cut(text: &str, room: usize) -> String {
    if text.len() <= room {
        return text.to_owned();
    }
    let mut end = room.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    let kept = kept.rfind('\n').and_then(|at| kept.get(..at)).unwrap_or_default();
    if room < CUT.len() { String::new() } else { format!("{kept}{CUT}") }
}
