//! Rows, logs and failures: the newest at the bottom.

use super::ink::{Ink, text};
use super::view::{Pane, View};
use super::words;
use crate::data::watch::{Board, Failure, Row, Source};
use crate::report::Paint;
use crate::report::fit::Page;
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Widget};
use serde_json::{Map, Value};

/// A wider cell than that is cut.
const WIDEST: usize = 32;
const BETWEEN: &str = "  ";

/// What a pane shows.
struct Content {
    /// Stays on top.
    head: Option<Line<'static>>,
    lines: Vec<Line<'static>>,
    /// What is said where nothing is.
    empty: String,
}

pub(super) fn draw(
    board: &Board,
    view: &View,
    pane: Pane,
    now: Timestamp,
    ink: Ink,
    area: Rect,
    buffer: &mut Buffer,
) {
    let chosen = view.pane() == pane;
    let mut block = Block::bordered().title(title(board, view, pane, now, ink));
    if chosen {
        block = block.border_type(BorderType::Thick).border_style(ink.chosen());
    }
    let filter = view.filter();
    if !filter.is_empty() {
        let told = Line::from(Span::styled(format!(" with \"{filter}\" "), ink.warn()));
        block = block.title(told.alignment(Alignment::Right));
    }
    let inside = block.inner(area);
    block.render(area, buffer);
    let open = view.is_open();
    let most = if open { usize::MAX } else { usize::from(inside.height) };
    let content = content(board, view, pane, ink, inside.width, most);
    let mut rest = inside;
    if let Some(head) = content.head.filter(|_| inside.height > 1) {
        text(buffer, inside, &head, false);
        rest.y += 1;
        rest.height -= 1;
    }
    if content.lines.is_empty() {
        let nothing = if filter.is_empty() { content.empty } else { "nothing with this text".to_owned() };
        return text(buffer, rest, &Line::from(Span::styled(nothing, ink.dim())), false);
    }
    let height = usize::from(rest.height);
    let back = if open { view.back().min(content.lines.len().saturating_sub(height)) } else { 0 };
    let end = content.lines.len() - back;
    for (line, y) in content.lines[end.saturating_sub(height)..end].iter().zip(rest.y..) {
        text(buffer, Rect { y, height: 1, ..rest }, line, false);
    }
}

/// How far the opened pane can be scrolled back on a terminal of this size.
pub(super) fn most_back(board: &Board, view: &View, area: Rect) -> usize {
    // Header and footer, and the borders.
    let (width, height) = (area.width.saturating_sub(2), usize::from(area.height.saturating_sub(4)));
    let content = content(board, view, view.pane(), Ink { color: false }, width, usize::MAX);
    (content.lines.len() + usize::from(content.head.is_some())).saturating_sub(height)
}

fn title(board: &Board, view: &View, pane: Pane, now: Timestamp, ink: Ink) -> Line<'static> {
    let (name, count, newest) = match pane {
        Pane::Rows => ("rows", board.rows.count(), board.rows.iter().next_back().map(|it| it.time)),
        Pane::Lines => ("logs", board.lines.count(), board.lines.iter().next_back().map(|it| it.time)),
        Pane::Failures => {
            ("failures", board.failures.count(), board.failures.iter().next_back().map(Failure::time))
        }
    };
    let mark = if view.pane() == pane { "▸ " } else { "" };
    let mut title = Line::from(Span::styled(format!(" {mark}{name} "), ink.strong()));
    if let Some(newest) = newest {
        let unread = match (pane, board.not_fully_read) {
            (Pane::Rows, 1) => " (1 object not fully read)".to_owned(),
            (Pane::Rows, objects @ 2..) => format!(" ({objects} objects not fully read)"),
            _ => String::new(),
        };
        let told = format!("{count} seen{unread}, the newest {} ", words::ago(newest, now));
        title.push_span(Span::styled(told, ink.dim()));
    }
    title
}

/// The last lines of a pane, so many of them at most; where it is opened, all of them, and whole.
fn content(board: &Board, view: &View, pane: Pane, ink: Ink, width: u16, most: usize) -> Content {
    match pane {
        Pane::Rows => {
            let (head, lines) =
                table(&last(board.rows.iter().filter(|row| view.shows(&row.text)), most), ink);
            let empty =
                none(board, &[Source::Objects, Source::Rows], "no row has landed in the last minutes");
            Content { head, lines, empty }
        }
        Pane::Lines => {
            let shown = last(board.lines.iter().filter(|line| view.shows(&line.message)), most);
            let lines = shown.iter().flat_map(|line| {
                let style = if line.error { ink.bad() } else { Style::new() };
                entry(line.time, words::whose(line.source), &words::entry(line), style, ink, width, most)
            });
            let logs = [Source::ProcessorLog, Source::DeliveryLog];
            let empty = none(board, &logs, "nothing was logged in the last minutes");
            Content { head: None, lines: lines.collect(), empty }
        }
        Pane::Failures => {
            let text = |failure: &Failure| match failure {
                Failure::Record(row) => row.text.clone(),
                Failure::Logged(entry) => words::entry(entry),
            };
            let shown = last(board.failures.iter().filter(|it| view.shows(&text(it))), most);
            let mut lines: Vec<Line<'static>> = shown
                .iter()
                .flat_map(|it| {
                    let found = match it {
                        Failure::Record(_) => "bucket",
                        Failure::Logged(entry) => words::whose(entry.source),
                    };
                    entry(it.time(), found, &text(it), Style::new(), ink, width, most)
                })
                .collect();
            if most == usize::MAX {
                // Opened, it also tells in full which sources tell nothing.
                lines.extend(board.troubles().flat_map(|(source, at, trouble)| {
                    entry(at, source.name(), &format!("! {trouble}"), ink.bad(), ink, width, most)
                }));
            }
            let sources = [Source::Errors, Source::ProcessorLog, Source::DeliveryLog];
            Content { head: None, lines, empty: none(board, &sources, "none in the last minutes") }
        }
    }
}

/// Why nothing is there: nobody has looked yet, or could.
fn none(board: &Board, sources: &[Source], nothing: &str) -> String {
    if let Some((_, _, trouble)) = board.troubles().find(|(source, ..)| sources.contains(source)) {
        return trouble.to_string();
    }
    let asked = sources.iter().all(|source| board.sources.contains_key(source));
    if asked { nothing.to_owned() } else { "asking".to_owned() }
}

/// The last of many.
fn last<'a, T>(items: impl DoubleEndedIterator<Item = &'a T>, most: usize) -> Vec<&'a T> {
    let mut last: Vec<&T> = items.rev().take(most).collect();
    last.reverse();
    last
}

/// Something that happened; where the pane is opened, on as many lines as it takes.
fn entry(
    time: Timestamp,
    found: &str,
    words: &str,
    style: Style,
    ink: Ink,
    width: u16,
    most: usize,
) -> Vec<Line<'static>> {
    let lead = format!("{} {found:9}  ", time.strftime("%H:%M:%S"));
    let room = usize::from(width).saturating_sub(lead.len()).max(10);
    let parts: Vec<String> = match most {
        usize::MAX => {
            let page = Page { paint: Paint(false), width: Some(room) };
            page.wrap(words).lines().flat_map(|line| cut(line, room)).collect()
        }
        // What it means is on its further lines.
        _ => words.lines().next().map(str::to_owned).into_iter().collect(),
    };
    let line = |(number, part): (usize, String)| {
        let lead = if number == 0 { lead.clone() } else { " ".repeat(lead.len()) };
        Line::from(vec![Span::styled(lead, ink.dim()), Span::styled(part, style)])
    };
    parts.into_iter().enumerate().map(line).collect()
}

/// What is longer than a line, and has no space to break it at, in lines of at most so many columns.
fn cut(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for letter in text.chars() {
        let width = console::measure_text_width(letter.encode_utf8(&mut [0; 4]));
        if used + width > room {
            lines.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(line) = lines.last_mut() {
            line.push(letter);
        }
    }
    lines
}

/// Rows under the names of their fields.
fn table(rows: &[&Row], ink: Ink) -> (Option<Line<'static>>, Vec<Line<'static>>) {
    let parsed: Vec<Result<Map<String, Value>, &str>> =
        rows.iter().map(|row| serde_json::from_str(&row.text).map_err(|_| row.text.as_str())).collect();
    let mut columns: Vec<(String, usize, bool)> = Vec::new();
    for (name, value) in parsed.iter().flatten().flatten() {
        let width = width_of(&cell(value));
        match columns.iter_mut().find(|(known, ..)| known == name) {
            Some((_, widest, numbers)) => {
                *widest = (*widest).max(width);
                *numbers &= value.is_number() || value.is_null();
            }
            None => columns.push((name.clone(), width.max(width_of(name)), value.is_number())),
        }
    }
    let padded = |text: &str, width: usize, right: bool| {
        let text: String = text.chars().take(WIDEST).collect();
        let fill = " ".repeat(width.min(WIDEST).saturating_sub(width_of(&text)));
        if right { format!("{fill}{text}") } else { format!("{text}{fill}") }
    };
    let names: Vec<String> =
        columns.iter().map(|(name, width, numbers)| padded(name, *width, *numbers)).collect();
    let head = format!("landed  {BETWEEN}{}", names.join(BETWEEN));
    let line = |(row, fields): (&&Row, &Result<Map<String, Value>, &str>)| {
        let text = match fields {
            Ok(fields) => {
                let cells = columns.iter().map(|(name, width, numbers)| {
                    padded(&fields.get(name).map(cell).unwrap_or_default(), *width, *numbers)
                });
                cells.collect::<Vec<String>>().join(BETWEEN)
            }
            Err(text) => (*text).to_owned(),
        };
        let landed = format!("{}{BETWEEN}", row.time.strftime("%H:%M:%S"));
        Line::from(vec![Span::styled(landed, ink.dim()), Span::raw(text)])
    };
    let lines = rows.iter().zip(&parsed).map(line).collect();
    let head = (!columns.is_empty()).then(|| Line::from(Span::styled(head, ink.dim())));
    (head, lines)
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn width_of(text: &str) -> usize {
    console::measure_text_width(text)
}
