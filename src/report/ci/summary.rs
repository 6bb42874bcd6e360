//! The summary of a job, in Markdown: what ran, how it ended, and why.

use super::super::Paint;
use super::super::fit::Page;
use super::super::plan::{footer, notes};
use super::super::resource::{self, path, span};
use super::super::words::{count, kind, time};
use super::story::Story;
use crate::data::smoke::{LegState, SmokeReport};
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
    if let Some(reckoning) = done.reckoning.filter(|_| done.command == "reap") {
        let how = match (reckoning.dry_run, reckoning.due) {
            (_, 0) if reckoning.left_alone > 0 => "There is nothing to reap".to_owned(),
            (_, 0) => "There is nothing whose time is over".to_owned(),
            (true, due) => {
                format!("{} would be reaped: that was a dry run", count(due as u64, "environment"))
            }
            (false, _) => format!("{} reaped", count(reckoning.reaped as u64, "environment")),
        };
        return format!("### ✅ {how}\n\n{}", ran(&done.command, env, done.seconds))
            + &middle(story, "On the way");
    }
    let how = match (done.command.as_str(), done.changed) {
        ("down", _) => "is gone",
        ("smoke", _) => "works: each leg that was tested is proven",
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
    // A verb may be about many environments, or about none.
    let env = if env.is_empty() { String::new() } else { format!(", environment {}", code(env)) };
    format!("`kinesis-stack {verb}`{env}{seconds}.\n\n")
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
    text.push_str(&story.smoke.as_ref().map(smoke).unwrap_or_default());
    let rows = story.fates.rows().into_iter();
    let rows: Vec<[String; 3]> = rows.map(|row| row.map(|text| inline(&text))).collect();
    text.push_str(&table(["Environment", "Region", "What became of it"], "|---|---|---|", &rows));
    text
}

/// Each leg of a smoke test, and what it left behind.
fn smoke(report: &SmokeReport) -> String {
    let rows: Vec<[String; 4]> = report
        .legs
        .iter()
        .map(|leg| {
            let mark = match leg.state {
                LegState::Good => "✅",
                LegState::Broken => "❌ broken",
                LegState::Late => "⏳ late",
                LegState::Waiting => "❔",
                LegState::OutOfTime => "⏳ out of time",
                LegState::Denied => "❔ can't be tested",
                LegState::NotReached => "➖ not reached",
                LegState::NotTested => "➖ not tested",
            };
            let seen: Vec<String> = leg.seen.iter().map(|seen| inline(seen)).collect();
            let seconds = leg.seconds.map(time).unwrap_or_default();
            [inline(leg.leg.name()), mark.to_owned(), seconds, seen.join("<br>")]
        })
        .collect();
    let left = report.left.iter().map(|left| format!("- left: {}\n", inline(left)));
    let table = table(["Leg", "State", "Time", "Seen"], "|---|---|--:|---|", &rows);
    let left: String = left.collect();
    format!("**Smoke test**\n\n{table}{left}{}", if left.is_empty() { "" } else { "\n" })
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
