//! How a board is seen, and what keys make of that. Pure.

use super::panes;
use crate::data::watch::Board;
use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;

/// What a key asks for besides another view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// To end.
    Quit,
    /// To end as SIGINT does, which a terminal doesn't make of Ctrl-C while every key is read.
    Interrupt,
    /// To stand back until the shell calls us again.
    Suspend,
}

/// A part of the board that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pane {
    /// The newest rows.
    #[default]
    Rows,
    /// The last lines of the logs.
    Lines,
    /// What went wrong.
    Failures,
}

impl Pane {
    fn next(self, back: bool) -> Self {
        match (self, back) {
            (Pane::Rows, false) | (Pane::Failures, true) => Pane::Lines,
            (Pane::Lines, false) | (Pane::Rows, true) => Pane::Failures,
            (Pane::Failures, false) | (Pane::Lines, true) => Pane::Rows,
        }
    }
}

/// How a board is seen.
#[derive(Debug, Clone, Default)]
pub struct View {
    pane: Pane,
    open: bool,
    help: bool,
    typing: bool,
    filter: String,
    /// How many lines the end of an opened pane is scrolled back.
    back: usize,
    paused: Option<Paused>,
}

#[derive(Debug, Clone)]
struct Paused {
    since: Timestamp,
    board: Box<Board>,
    /// It began by scrolling back, and ends at the newest line.
    scrolling: bool,
}

impl View {
    pub(super) fn pane(&self) -> Pane {
        self.pane
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn help(&self) -> bool {
        self.help
    }

    pub(super) fn is_typing(&self) -> bool {
        self.typing
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    pub(super) fn back(&self) -> usize {
        self.back
    }

    /// Whether a text is among what is to be seen.
    pub(super) fn shows(&self, text: &str) -> bool {
        self.filter.is_empty() || text.to_lowercase().contains(&self.filter.to_lowercase())
    }

    /// The board that is shown, and the moment that it is of.
    pub(super) fn shown<'a>(&'a self, board: &'a Board, now: Timestamp) -> (&'a Board, Timestamp) {
        self.paused.as_ref().map_or((board, now), |paused| (paused.board.as_ref(), paused.since))
    }

    /// What a key does, on a terminal of this size.
    pub fn press(&mut self, key: KeyEvent, board: &Board, now: Timestamp, area: Rect) -> Action {
        if key.kind == KeyEventKind::Release {
            return Action::None;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return Action::Interrupt,
                KeyCode::Char('z') => return Action::Suspend,
                KeyCode::Char('u') if self.typing => self.filter.clear(),
                _ => {}
            }
            return Action::None;
        }
        if self.typing {
            self.type_filter(key.code);
            return Action::None;
        }
        match key.code {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Esc if self.help => self.help = false,
            KeyCode::Esc if self.open => self.close(),
            KeyCode::Esc if !self.filter.is_empty() => self.filter.clear(),
            KeyCode::Esc => return Action::Quit,
            KeyCode::Char('?') => self.help = !self.help,
            KeyCode::Char('p' | ' ') => self.pause(board, now),
            _ if self.help => {}
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Enter | KeyCode::Char('o') if self.open => self.close(),
            KeyCode::Enter | KeyCode::Char('o') => self.open = true,
            KeyCode::Tab | KeyCode::Right => self.go(false),
            KeyCode::BackTab | KeyCode::Left => self.go(true),
            KeyCode::Down if !self.open => self.go(false),
            KeyCode::Up if !self.open => self.go(true),
            code if self.open => self.scroll(code, board, now, area),
            _ => {}
        }
        Action::None
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) => self.filter.push(letter),
            _ => {}
        }
        self.back = 0;
    }

    fn go(&mut self, back: bool) {
        self.pane = self.pane.next(back);
        self.go_to_the_newest();
    }

    fn close(&mut self) {
        self.open = false;
        self.go_to_the_newest();
    }

    fn pause(&mut self, board: &Board, now: Timestamp) {
        self.paused = match self.paused.take() {
            Some(_) => {
                self.back = 0;
                None
            }
            None => Some(Paused { since: now, board: Box::new(board.clone()), scrolling: false }),
        };
    }

    fn go_to_the_newest(&mut self) {
        self.back = 0;
        self.paused.take_if(|paused| paused.scrolling);
    }

    /// Scrolls through the opened pane, which stands still as long as it isn't at its newest line.
    fn scroll(&mut self, code: KeyCode, board: &Board, now: Timestamp, area: Rect) {
        let page = usize::from(area.height.saturating_sub(5)).max(1);
        let most = panes::most_back(self.shown(board, now).0, self, area);
        let back = match code {
            KeyCode::Up | KeyCode::Char('k') => self.back + 1,
            KeyCode::Down | KeyCode::Char('j') => self.back.saturating_sub(1),
            KeyCode::PageUp => self.back + page,
            KeyCode::PageDown => self.back.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => usize::MAX,
            KeyCode::End | KeyCode::Char('G') => 0,
            _ => return,
        };
        let back = back.min(most);
        if back == 0 {
            self.go_to_the_newest();
        } else {
            let board = || Paused { since: now, board: Box::new(board.clone()), scrolling: true };
            self.paused.get_or_insert_with(board);
        }
        self.back = back;
    }
}
