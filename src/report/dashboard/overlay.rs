//! What covers the board: the help, and that there is no room.

use super::LEAST;
use super::ink::{Ink, text};
use super::words;
use crate::data::watch::{Board, Source};
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Widget};

const KEYS: [(&str, &str); 7] = [
    ("q, Esc, Ctrl-C", "quit (Esc first closes what is open, and clears the filter)"),
    ("p, space", "pause: the board stays as it is, looking goes on behind it"),
    ("/", "filter: only rows, lines and failures that contain a text"),
    ("Tab, arrows", "choose another pane"),
    ("Enter, o", "open it; arrows, PgUp, PgDn, Home and End scroll in it"),
    ("Ctrl-Z", "back to the shell; fg returns"),
    ("?", "this help"),
];

pub(super) fn help(
    board: &Board,
    then: Timestamp,
    now: Timestamp,
    ink: Ink,
    area: Rect,
    buffer: &mut Buffer,
) {
    let block = Block::bordered().title(Line::from(Span::styled(" help ", ink.strong())));
    let inside = block.inner(area);
    block.render(area, buffer);
    let mut lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|(key, does)| {
            Line::from(vec![Span::styled(format!("{key:16}"), ink.strong()), Span::raw(*does)])
        })
        .collect();
    lines.push(Line::default());
    for source in Source::ALL {
        let mut line = Line::from(Span::styled(format!("{:16}", source.name()), ink.strong()));
        match board.sources.get(&source) {
            None => line.push_span(Span::styled("not asked yet", ink.dim())),
            Some(health) => {
                let told =
                    health.told.map_or("never told".to_owned(), |at| format!("told {}", words::ago(at, now)));
                line.push_span(Span::raw(told));
                if let Some((at, trouble)) = &health.trouble {
                    let tried = format!("  ! {trouble} ({})", words::ago(*at, now));
                    line.push_span(Span::styled(tried, ink.bad()));
                }
            }
        }
        lines.push(line);
    }
    lines.push(Line::default());
    let cost = board.cost(then);
    let known = |amount: Option<f64>| amount.map_or("not known".to_owned(), words::dollars);
    lines.push(Line::from(format!(
        "An hour costs: stream {}, traffic {}, watching {}",
        known(cost.stream),
        known(cost.traffic),
        words::dollars(cost.watching)
    )));
    let window = words::seconds(board.window(then));
    lines.push(Line::from(Span::styled(
        format!("Prices are us-east-1's. Metrics come late; objects are over {window}."),
        ink.dim(),
    )));
    for (line, y) in lines.iter().zip(inside.y..inside.bottom()) {
        text(buffer, Rect { x: inside.x + 1, y, width: inside.width - 2, height: 1 }, line, false);
    }
}

/// Says what is needed, on however little.
pub(super) fn too_small(area: Rect, buffer: &mut Buffer) {
    let (width, height) = LEAST;
    let lines = [
        format!("watch needs {width} × {height},"),
        format!("this is {} × {}.", area.width, area.height),
        "q quits".to_owned(),
    ];
    let top = area.y + area.height.saturating_sub(3) / 2;
    for (line, y) in lines.into_iter().zip(top..area.bottom()) {
        let line = Line::from(line);
        let left = area.width.saturating_sub(u16::try_from(line.width()).unwrap_or_default()) / 2;
        text(buffer, Rect { x: area.x + left, y, width: area.width - left, height: 1 }, &line, false);
    }
}
