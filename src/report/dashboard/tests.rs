//! What people see, at three sizes, and what keys make of it.

use super::view::Pane;
use super::*;
use crate::data::watch::testing::{ago, board, logged, now, observed, rows, subject};
use crate::data::watch::{Landing, Minutes, News, Row, Trouble};
use jiff::SignedDuration;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};

fn drawn(board: &Board, view: &View, color: bool, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(board, view, now(), color, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

fn seen(buffer: &Buffer) -> String {
    let area = buffer.area;
    let row = |y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..area.height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
}

fn shown(board: &Board, view: &View, size: (u16, u16)) -> String {
    seen(&drawn(board, view, false, size))
}

const SMALL: (u16, u16) = (80, 24);
const SCREEN: Rect = Rect { x: 0, y: 0, width: 80, height: 24 };

fn press(view: &mut View, board: &Board, code: KeyCode) -> Action {
    view.press(KeyEvent::new(code, KeyModifiers::NONE), board, now(), SCREEN)
}

fn typed(view: &mut View, board: &Board, text: &str) {
    text.chars().for_each(|letter| assert_eq!(press(view, board, KeyCode::Char(letter)), Action::None));
}

#[test]
fn a_board_at_three_sizes() {
    for (width, height) in [(80, 24), (100, 30), (140, 40)] {
        let text = shown(&board(), &View::default(), (width, height));
        insta::assert_snapshot!(format!("board_at_{width}x{height}"), text);
    }
}

#[test]
fn colour_adds_to_what_is_said_and_says_nothing_by_itself() {
    for size in [(80, 24), (100, 30), (140, 40)] {
        let (plain, colored) =
            (drawn(&board(), &View::default(), false, size), drawn(&board(), &View::default(), true, size));
        assert_eq!(seen(&plain), seen(&colored));
        assert!(plain.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        let red = colored.content().iter().filter(|cell| cell.fg == Color::Red).count();
        assert!(red > 0, "what went wrong is red");
    }
}

#[test]
fn a_board_in_colour() {
    let buffer = drawn(&board(), &View::default(), true, SMALL);
    // Each row as its runs of one style: the text stands in the snapshot without colour.
    let style = |x, y| {
        let cell = &buffer[(x, y)];
        format!("{:?} {:?}", cell.fg, cell.modifier & (Modifier::BOLD | Modifier::REVERSED | Modifier::DIM))
    };
    let mut text = String::new();
    for y in 0..24 {
        let mut from = 0;
        for x in 1..=80 {
            if x == 80 || style(x, y) != style(from, y) {
                let words: String = (from..x).map(|x| buffer[(x, y)].symbol()).collect();
                if !words.trim().is_empty() && !style(from, y).starts_with("Reset NONE") {
                    text += &format!("{y:2} {:24} {}\n", style(from, y), words.trim());
                }
                from = x;
            }
        }
    }
    insta::assert_snapshot!("board_in_colour", text);
}

#[test]
fn a_board_of_which_nothing_is_known_yet_says_so() {
    let text = shown(&Board::new(subject()), &View::default(), SMALL);
    insta::assert_snapshot!("nothing_known_yet", text);
}

#[test]
fn each_source_fails_alone_and_says_why() {
    let mut board = board();
    for (source, trouble) in [
        (Source::Metrics, Trouble::Denied("cloudwatch:GetMetricData")),
        (Source::DeliveryLog, Trouble::Throttled),
        (Source::Errors, Trouble::Missing),
    ] {
        board.take(observed(source, 4, Err(trouble)));
    }
    insta::assert_snapshot!("sources_that_fail", shown(&board, &View::default(), SMALL));
    let mut view = View::default();
    press(&mut view, &board, KeyCode::Char('?'));
    insta::assert_snapshot!("help", shown(&board, &view, SMALL));
}

#[test]
fn where_metrics_were_never_told_the_legs_say_not_allowed() {
    let mut board = Board::new(subject());
    board.take(observed(Source::Metrics, 4, Err(Trouble::Denied("cloudwatch:GetMetricData"))));
    let text = shown(&board, &View::default(), SMALL);
    assert!(text.contains("! metrics: not allowed: cloudwatch:GetMetricData"), "{text}");
    assert_eq!(text.matches(" not allowed ┘").count(), 3, "{text}");
}

#[test]
fn an_emulators_answer_that_cannot_be_read_is_no_metrics_either() {
    let mut board = Board::new(subject());
    board.take(observed(Source::Metrics, 4, Err(Trouble::Unreadable)));
    let text = shown(&board, &View::default(), SMALL);
    assert!(!text.contains('!'), "it is no alarm: {text}");
    assert_eq!(text.matches("no metrics here").count(), 3, "{text}");
}

#[test]
fn where_nothing_more_landed_the_rows_are_all_that_were_seen_else_it_says_of_how_many_objects_they_are_not() {
    let landing = |rows| Landing { key: "rows/a".to_owned(), at: ago(9), bytes: 100, rows };
    let title = |landed: Vec<Landing>| {
        let mut board = Board::new(subject());
        board.take(observed(Source::Objects, 3, Ok(News::Landed(landed))));
        board.take(observed(Source::Rows, 3, Ok(News::Rows(rows(8)))));
        let text = shown(&board, &View::default(), SMALL);
        text.lines().find(|line| line.contains("rows 8 seen")).unwrap().to_owned()
    };
    assert!(!title(vec![landing(Some(8))]).contains("read"));
    assert!(title(vec![landing(None)]).contains("8 seen (1 object not fully read), the newest"));
    let all = vec![landing(None), landing(None), landing(Some(8))];
    assert!(title(all).contains("8 seen (2 objects not fully read), the newest"));
}

#[test]
fn where_there_are_no_metrics_the_bucket_goes_on_with_its_own_figures() {
    let mut board = board();
    board.take(observed(Source::Metrics, 4, Ok(News::Metrics(Minutes::new()))));
    insta::assert_snapshot!("no_metrics_here", shown(&board, &View::default(), SMALL));
}

#[test]
fn every_figure_grows_old_before_ones_eyes() {
    let (board, view) = (board(), View::default());
    let later = now() + SignedDuration::from_secs(10);
    let mut buffer = Buffer::empty(SCREEN);
    draw(&board, &view, later, false, SCREEN, &mut buffer);
    let text = seen(&buffer);
    for told in ["metrics 42 s", "rows 13 s", "112 s ago", "newest    22 s ago", "the newest 22 s ago"] {
        assert!(text.contains(told), "{told}\n{text}");
    }
}

#[test]
fn below_80_by_24_it_says_what_it_needs_on_whatever_there_is() {
    for size in [(79, 24), (80, 23), (30, 5), (10, 2), (1, 1)] {
        let text = shown(&board(), &View::default(), size);
        assert!(size.0 < 25 || text.contains("watch needs 80 × 24"), "{text}");
    }
    insta::assert_snapshot!("too_small", shown(&board(), &View::default(), (40, 7)));
}

#[test]
fn it_can_be_drawn_at_every_size() {
    let mut view = View::default();
    for _ in 0..3 {
        for width in (1..200).step_by(29) {
            for height in (1..60).step_by(3) {
                drawn(&board(), &view, true, (width, height));
            }
        }
        press(&mut view, &board(), KeyCode::Enter);
        press(&mut view, &board(), KeyCode::Tab);
    }
}

#[test]
fn a_pause_keeps_the_board_while_its_age_goes_on_and_what_came_meanwhile_is_there_after_it() {
    let (mut live, mut view) = (board(), View::default());
    press(&mut view, &live, KeyCode::Char('p'));
    let new = Row { time: now(), text: r#"{"id": 4711}"#.to_owned() };
    live.take(observed(Source::Rows, 0, Ok(News::Rows(vec![new]))));
    let mut buffer = Buffer::empty(SCREEN);
    draw(&live, &view, now() + SignedDuration::from_secs(600), false, SCREEN, &mut buffer);
    let text = seen(&buffer);
    assert!(
        text.contains("  UPDATE_COMPLETE  ") && text.contains(" PAUSED 10 min ago") && !text.contains("4711"),
        "{text}"
    );
    assert!(text.contains("50/s") && text.contains("11 min ago"), "{text}");
    press(&mut view, &live, KeyCode::Char(' '));
    let text = shown(&live, &view, SMALL);
    assert!(text.contains("4711") && !text.contains("PAUSED"), "{text}");
}

#[test]
fn a_filter_shows_rows_lines_and_failures_with_a_text_whatever_its_case() {
    let (board, mut view) = (board(), View::default());
    typed(&mut view, &board, "/brk");
    assert!(shown(&board, &view, SMALL).contains("filter: brk"));
    press(&mut view, &board, KeyCode::Enter);
    let text = shown(&board, &view, SMALL);
    assert!(text.contains("BRK.A") && !text.contains("AAPL"), "{text}");
    assert!(text.contains("with \"brk\"") && text.contains("nothing with this text"), "{text}");
    press(&mut view, &board, KeyCode::Esc);
    assert!(shown(&board, &view, SMALL).contains("AAPL"));
    typed(&mut view, &board, "/q");
    press(&mut view, &board, KeyCode::Backspace);
    typed(&mut view, &board, "x");
    assert_eq!(view.filter(), "x", "a q that is typed doesn't quit");
    press(&mut view, &board, KeyCode::Esc);
    assert_eq!((view.filter(), view.is_typing()), ("", false));
}

#[test]
fn keys_quit_from_everywhere_and_escape_goes_back_first() {
    let board = board();
    for code in [KeyCode::Char('q'), KeyCode::Esc] {
        assert_eq!(press(&mut View::default(), &board, code), Action::Quit);
    }
    let mut view = View::default();
    press(&mut view, &board, KeyCode::Enter);
    press(&mut view, &board, KeyCode::Char('?'));
    assert_eq!(press(&mut view, &board, KeyCode::Esc), Action::None);
    assert!(view.is_open() && !view.help());
    assert_eq!(press(&mut view, &board, KeyCode::Esc), Action::None);
    assert_eq!(press(&mut view, &board, KeyCode::Esc), Action::Quit);
    typed(&mut view, &board, "/");
    for (letter, action) in [('c', Action::Interrupt), ('z', Action::Suspend)] {
        let key = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
        assert_eq!(view.press(key, &board, now(), SCREEN), action);
    }
}

#[test]
fn tab_and_arrows_choose_a_pane_and_enter_opens_it() {
    let (board, mut view) = (board(), View::default());
    for (code, pane) in [
        (KeyCode::Tab, Pane::Lines),
        (KeyCode::Down, Pane::Failures),
        (KeyCode::Right, Pane::Rows),
        (KeyCode::Up, Pane::Failures),
        (KeyCode::BackTab, Pane::Lines),
    ] {
        press(&mut view, &board, code);
        assert_eq!(view.pane(), pane, "{code:?}");
    }
    assert!(shown(&board, &view, SMALL).contains("▸ logs"));
    press(&mut view, &board, KeyCode::Char('o'));
    insta::assert_snapshot!("logs_opened", shown(&board, &view, SMALL));
    press(&mut view, &board, KeyCode::Tab);
    insta::assert_snapshot!("failures_opened", shown(&board, &view, SMALL));
    press(&mut view, &board, KeyCode::Tab);
    insta::assert_snapshot!("rows_opened", shown(&board, &view, (100, 30)));
}

#[test]
fn an_opened_pane_stands_still_while_it_is_scrolled_and_goes_on_at_its_newest_line() {
    let (mut live, mut view) = (board(), View::default());
    press(&mut view, &live, KeyCode::Enter);
    press(&mut view, &live, KeyCode::Home);
    let at_home = shown(&live, &view, SMALL);
    assert!(at_home.contains("PAUSED") && at_home.contains(" 37   1  "), "{at_home}");
    live.take(observed(Source::Rows, 0, Ok(News::Rows(rows(5)))));
    assert_eq!(shown(&live, &view, SMALL), at_home);
    press(&mut view, &live, KeyCode::Down);
    assert_ne!(shown(&live, &view, SMALL), at_home, "no line is lost past either end");
    press(&mut view, &live, KeyCode::End);
    let text = shown(&live, &view, SMALL);
    assert!(!text.contains("PAUSED") && text.contains("45 seen"), "{text}");
}

#[test]
fn what_stands_in_rows_and_logs_moves_no_cursor_and_wide_letters_keep_their_room() {
    let mut board = Board::new(subject());
    let text = "\u{1b}[2J\u{7}株価 ".repeat(30);
    board.take(observed(Source::ProcessorLog, 1, Ok(News::Lines(vec![logged(1, &text)]))));
    board.take(observed(Source::Rows, 1, Ok(News::Rows(vec![Row { time: ago(1), text }]))));
    let mut view = View::default();
    for _ in 0..3 {
        let buffer = drawn(&board, &view, true, SMALL);
        assert!(buffer.content().iter().all(|cell| !cell.symbol().contains(char::is_control)));
        press(&mut view, &board, KeyCode::Enter);
        press(&mut view, &board, KeyCode::Tab);
    }
}
