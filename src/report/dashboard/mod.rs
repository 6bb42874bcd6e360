//! The dashboard of `watch`: a board drawn on a terminal, and the keys that change how it is seen.
//!
//! [`draw`] and [`View::press`] are pure: the one makes cells of a board, the other a view of a key. Only
//! [`Dashboard`] knows the terminal.

mod ink;
mod legs;
mod overlay;
mod panes;
mod terminal;
#[cfg(test)]
mod tests;
mod view;
mod words;

pub use terminal::{Dashboard, Muted, keys};
pub use view::{Action, View};

use crate::data::watch::{Board, Source};
use ink::{Ink, text};
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use view::Pane;

/// The least that a board is drawn on.
pub(crate) const LEAST: (u16, u16) = (80, 24);

/// Draws the board as it is seen, with the age that everything has by now.
pub fn draw(board: &Board, view: &View, now: Timestamp, color: bool, area: Rect, buffer: &mut Buffer) {
    let ink = Ink { color };
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return overlay::too_small(area, buffer);
    }
    // What is paused stays as it was; only its age goes on.
    let (board, then) = view.shown(board, now);
    header(board, view, then, now, ink, row(area, 0), buffer);
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    if view.help() {
        overlay::help(board, then, now, ink, body, buffer);
    } else if view.is_open() {
        panes::draw(board, view, view.pane(), now, ink, body, buffer);
    } else {
        sources(board, now, ink, row(area, 1), buffer);
        let heights = Heights::of(area.height);
        let mut y = area.y + 2;
        let mut next = |height| {
            let part = Rect { y, height, ..area };
            y += height;
            part
        };
        legs::draw(board, then, now, ink, next(heights.legs), buffer);
        for (pane, height) in
            [(Pane::Rows, heights.rows), (Pane::Lines, heights.lines), (Pane::Failures, heights.failures)]
        {
            panes::draw(board, view, pane, now, ink, next(height), buffer);
        }
    }
    footer(view, ink, row(area, area.height - 1), buffer);
}

/// How many rows each part of the board gets.
struct Heights {
    legs: u16,
    rows: u16,
    lines: u16,
    failures: u16,
}

impl Heights {
    fn of(height: u16) -> Self {
        let legs = if height < 30 { 7 } else { 8 };
        // But for the header, the sources and the footer.
        let rest = height - 3 - legs;
        let failures = (rest * 2 / 9).max(3);
        let lines = (rest - failures) * 5 / 11;
        Heights { legs, rows: rest - failures - lines, lines, failures }
    }
}

fn row(area: Rect, number: u16) -> Rect {
    Rect { y: area.y + number, height: 1, ..area }
}

/// What is watched on the left; what it costs and what time it is on the right.
fn header(
    board: &Board,
    view: &View,
    then: Timestamp,
    now: Timestamp,
    ink: Ink,
    area: Rect,
    buffer: &mut Buffer,
) {
    let subject = &board.subject;
    let mut right = Line::default();
    if view.is_paused() {
        right.push_span(Span::styled(format!(" PAUSED {} ", words::ago(then, now)), ink.marked()));
        right.push_span("  ");
    }
    let cost = Span::raw(words::cost(&board.cost(then)) + "  ");
    let time = Span::styled(now.strftime("%H:%M:%S UTC").to_string(), ink.dim());
    let status = &subject.status;
    let is_up = status.ends_with("COMPLETE") && !status.contains("ROLLBACK") && !status.contains("DELETE");
    let status = match is_up {
        true => ink.good(),
        false => ink.warn(),
    };
    let left = Line::from(vec![
        Span::styled(subject.stack.clone(), ink.strong()),
        Span::raw(format!("  {}  ", subject.region)),
        Span::styled(subject.status.clone(), status),
    ]);
    // Where there is little room, what it costs stands in the help, and what time it is elsewhere.
    let rest = usize::from(area.width).saturating_sub(left.width() + right.width() + 3);
    if cost.width() + time.width() <= rest {
        right.push_span(cost);
    }
    if time.width() <= rest {
        right.push_span(time);
    }
    let room = area.width.saturating_sub(u16::try_from(right.width()).unwrap_or(u16::MAX) + 3);
    text(buffer, Rect { x: area.x + 1, width: room, ..area }, &left, false);
    text(buffer, area, &right, true);
}

/// Which sources tell nothing and why, and how old is what the others told.
fn sources(board: &Board, now: Timestamp, ink: Ink, area: Rect, buffer: &mut Buffer) {
    let mut spans = Vec::new();
    for (source, _, trouble) in board.troubles() {
        spans.push(Span::styled(format!("! {}: {trouble}", source.name()), ink.bad()));
    }
    let groups: [(&str, &[Source]); 5] = [
        ("metrics", &[Source::Metrics]),
        ("states", &[Source::Stream, Source::Delivery, Source::Processor]),
        ("rows", &[Source::Objects, Source::Rows]),
        ("errors", &[Source::Errors]),
        ("logs", &[Source::ProcessorLog, Source::DeliveryLog]),
    ];
    for (name, members) in groups {
        let well = members.iter().filter_map(|source| board.sources.get(source));
        let told = well.filter(|health| health.trouble.is_none()).filter_map(|health| health.told);
        let words = match told.min() {
            Some(told) => format!("{name} {}", words::since(told, now)),
            None if members.iter().any(|source| board.sources.contains_key(source)) => continue,
            None => format!("{name} …"),
        };
        spans.push(Span::styled(words, ink.dim()));
    }
    let mut line = Line::default();
    for (place, span) in spans.into_iter().enumerate() {
        if place > 0 {
            line.push_span(Span::styled(" · ", ink.dim()));
        }
        line.push_span(span);
    }
    if board.sources.values().any(|health| health.told.is_some()) {
        line.push_span(Span::styled(" ago", ink.dim()));
    }
    if let Some((at, note)) = &board.note
        && words::is_recent(*at, now)
    {
        line = Line::from(Span::styled(note.clone(), ink.warn()));
    }
    text(buffer, Rect { x: area.x + 1, width: area.width - 2, ..area }, &line, false);
}

/// The keys, or the filter while it is typed.
fn footer(view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    let area = Rect { x: area.x + 1, width: area.width - 2, ..area };
    if view.is_typing() {
        let typed = Line::from(vec![
            Span::styled("filter: ", ink.strong()),
            Span::raw(view.filter().to_owned()),
            Span::styled(" ", ink.marked()),
            Span::styled("   Enter keeps it, Esc clears it", ink.dim()),
        ]);
        return text(buffer, area, &typed, false);
    }
    let keys: &[(&str, &str)] = match (view.help(), view.is_open()) {
        (true, _) => &[("Esc", "back"), ("q", "quit")],
        (_, true) => &[
            ("Esc", "back"),
            ("↑↓", "scroll"),
            ("End", "newest"),
            ("/", "filter"),
            ("Tab", "next"),
            ("p", "pause"),
            ("q", "quit"),
        ],
        _ => &[
            ("q", "quit"),
            ("p", "pause"),
            ("/", "filter"),
            ("Tab", "next pane"),
            ("Enter", "open it"),
            ("?", "help"),
        ],
    };
    let mut line = Line::default();
    for (key, does) in keys {
        line.push_span(Span::styled(*key, ink.strong()));
        line.push_span(Span::styled(format!(" {does}   "), ink.dim()));
    }
    text(buffer, area, &line, false);
}
