//! The pipeline from left to right: a box a leg.

use super::ink::{Ink, text};
use super::words::{self, Tone};
use crate::data::watch::{Board, Leg, Metric};
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Widget};

const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

pub(super) fn draw(
    board: &Board,
    then: Timestamp,
    now: Timestamp,
    ink: Ink,
    area: Rect,
    buffer: &mut Buffer,
) {
    let legs = board.legs(then);
    let count = u16::try_from(legs.len()).unwrap_or(1);
    let arrows = count - 1;
    let width = (area.width - arrows) / count;
    // The last two are a little wider, where the terminal's width isn't a fourth.
    let wider = (area.width - arrows) % count;
    let mut x = area.x;
    for (number, leg) in (0..count).zip(&legs) {
        let width = width + u16::from(number >= count - wider);
        let part = Rect { x, width, ..area };
        leg_in(board, leg, then, now, ink, part, buffer);
        x += width;
        if number < arrows {
            let arrow = Line::from(Span::styled("→", ink.strong()));
            text(buffer, Rect { x, y: area.y + area.height / 2, width: 1, height: 1 }, &arrow, false);
            x += 1;
        }
    }
}

fn leg_in(
    board: &Board,
    leg: &Leg,
    then: Timestamp,
    now: Timestamp,
    ink: Ink,
    area: Rect,
    buffer: &mut Buffer,
) {
    let name = format!(" {} ", leg.name);
    let style = if leg.works { ink.good() } else { ink.bad() };
    let state = leg.state.as_ref().map(|state| Line::from(Span::styled(format!(" {state} "), style)));
    let fits = |state: &Line<'_>| name.chars().count() + state.width() + 2 <= usize::from(area.width);
    let missing = words::without_figures(&leg.readings, board);
    let age = match (&missing, leg.told()) {
        (Some(why), _) => Span::styled(format!(" {why} "), ink.warn()),
        // Where the bucket counts by itself, what is counted matters more than its age, which stands above.
        (None, Some(_)) if words::is_counted_here(leg) => {
            let window = words::seconds(board.window(then));
            Span::styled(format!(" over {window} "), ink.dim())
        }
        (None, Some(told)) => Span::styled(format!(" {} ", words::ago(told, now)), ink.dim()),
        (None, None) => Span::styled(" nothing lately ", ink.dim()),
    };
    let mut bottom = Line::from(age);
    let mut block = Block::bordered().title(Line::from(Span::styled(name.clone(), ink.strong())));
    match state {
        Some(state) if fits(&state) => block = block.title(state.alignment(Alignment::Right)),
        // Where there is little room, it is told where it isn't as it should be.
        Some(state) if !leg.works => bottom = state,
        _ => {}
    }
    let block = block.title_bottom(bottom.alignment(Alignment::Right));
    let inside = block.inner(area);
    block.render(area, buffer);
    let row =
        |number: usize| Rect { y: inside.y + u16::try_from(number).unwrap_or_default(), height: 1, ..inside };
    for (number, reading) in leg.readings.iter().enumerate().take(usize::from(inside.height)) {
        text(buffer, row(number), &Line::from(Span::styled(reading.label, ink.dim())), false);
        let (figure, tone) = words::figure(reading, now);
        let style = match tone {
            Tone::Plain => ink.strong(),
            Tone::Dim => ink.dim(),
            Tone::Bad => ink.bad(),
        };
        text(buffer, row(number), &Line::from(Span::styled(figure, style)), true);
    }
    let line = leg.readings.len();
    if line < usize::from(inside.height) {
        let metric = match leg.name {
            "stream" => Metric::Put,
            "delivery" => Metric::Read,
            "processor" => Metric::Transformed,
            _ => Metric::Delivered,
        };
        let history = board.history(metric, usize::from(inside.width), then);
        let bars = Line::from(Span::styled(bars(&history), ink.chosen()));
        text(buffer, row(usize::from(inside.height) - 1), &bars, false);
    }
}

/// A bar a minute; nothing where nothing is known.
fn bars(history: &[Option<f64>]) -> String {
    let most = history.iter().flatten().fold(0.0_f64, |most, value| most.max(*value));
    let bar = |value: &Option<f64>| match value {
        Some(value) if most > 0.0 => {
            let eighths = (value / most * 8.0).ceil() as usize;
            BARS[eighths.clamp(1, 8) - 1]
        }
        Some(_) => BARS[0],
        None => " ",
    };
    history.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn bars_grow_with_their_values_and_the_unknown_has_none() {
        assert_eq!(bars(&[Some(0.0), None, Some(1.0), Some(4.0), Some(8.0)]), "▁ ▁▄█");
        assert_eq!(bars(&[Some(0.0), None]), "▁ ");
    }
}
