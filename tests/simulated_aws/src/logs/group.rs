//! What log groups hold.

use super::GROUP;
use crate::Account;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// A log group's streams and lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    /// By name: when each was made.
    pub streams: BTreeMap<String, Instant>,
    /// In the order of their times.
    pub lines: Vec<Line>,
}

/// A log event. Times in milliseconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Grows with each one that comes.
    pub id: u64,
    pub at: i64,
    pub came: i64,
    pub stream: String,
    pub text: String,
}

impl Line {
    /// Fact: an event's id is the same wherever it is told.
    pub fn event_id(&self) -> String {
        format!("{:032}{:024}", self.at, self.id)
    }

    /// By which lines are ordered.
    pub fn place(&self) -> (i64, u64) {
        (self.at, self.id)
    }
}

impl Group {
    pub fn add(&mut self, line: Line) {
        let place = self.lines.partition_point(|it| it.place() < line.place());
        self.lines.insert(place, line);
    }
}

impl Account {
    /// Somebody writes a line into a log stream, which is made where it isn't there. Nothing happens where the group
    /// isn't there.
    pub fn log(&mut self, group: &str, stream: &str, text: &str) {
        let at = self.clock.milliseconds(self.present());
        self.log_at(group, stream, text, at);
    }

    /// Like [`Account::log`], with the line's own time, in milliseconds since 1970.
    pub fn log_at(&mut self, group: &str, stream: &str, text: &str, at: i64) {
        if self.thing(GROUP, group).is_none() {
            return;
        }
        let (now, came) = (self.present(), self.clock.milliseconds(self.present()));
        self.log_lines += 1;
        let id = self.log_lines;
        let held = self.log_groups.entry(group.to_owned()).or_default();
        held.streams.entry(stream.to_owned()).or_insert(now);
        held.add(Line { id, at, came, stream: stream.to_owned(), text: text.to_owned() });
    }

    /// Makes a log stream in a group that is there.
    pub(crate) fn make_log_stream(&mut self, group: &str, stream: &str, now: Instant) {
        if self.thing(GROUP, group).is_some() {
            self.log_groups
                .entry(group.to_owned())
                .or_default()
                .streams
                .entry(stream.to_owned())
                .or_insert(now);
        }
    }
}
