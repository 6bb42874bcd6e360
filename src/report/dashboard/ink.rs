//! Colours, and words put into cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;

/// How it is drawn. What colours say is said without them, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ink {
    pub(super) color: bool,
}

impl Ink {
    fn of(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    /// As it should be.
    pub(super) fn good(self) -> Style {
        self.of(Color::Green)
    }

    /// As it should not be.
    pub(super) fn bad(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Worth a look.
    pub(super) fn warn(self) -> Style {
        self.of(Color::Yellow)
    }

    /// What is chosen.
    pub(super) fn chosen(self) -> Style {
        self.of(Color::Cyan)
    }

    /// Less important.
    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// More important.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Not to be overlooked.
    pub(super) fn marked(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// One line in the first row of an area, to its left or to its right; what there is no room for ends in `…`.
pub(super) fn text(buffer: &mut Buffer, area: Rect, line: &Line<'_>, right: bool) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    let width = u16::try_from(line.width()).unwrap_or(u16::MAX);
    let x = if right { area.x + area.width.saturating_sub(width) } else { area.x };
    buffer.set_line(x, area.y, line, area.width);
    if width > area.width
        && let Some(cell) = buffer.cell_mut((area.right() - 1, area.y))
    {
        cell.set_symbol("…");
    }
}
