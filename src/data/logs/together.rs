//! Keeps the lines of one invocation together.
//!
//! An execution environment writes its own log stream, and has one invocation at a time: what stands there between the
//! START and the REPORT of a request belongs to it. Several environments write at once, so that their lines mix in the
//! order of time.

use super::entry::{LogEntry, Says};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Gathers entries, and gives them back invocation by invocation, in the order in which these end.
#[derive(Debug, Default)]
pub(super) struct Together {
    open: BTreeMap<(String, String), Open>,
}

#[derive(Debug)]
struct Open {
    began: Instant,
    /// What waits for the end. Empty from then on once it was given out before the end.
    entries: Vec<LogEntry>,
    is_given_out: bool,
}

impl Together {
    /// Takes an entry, and gives back what is complete with it.
    pub(super) fn take(&mut self, entry: LogEntry) -> Vec<LogEntry> {
        let place = (entry.group.clone(), entry.stream.clone());
        if entry.says == Says::Start {
            // One whose end never came.
            let before = self.open.remove(&place).map(|open| open.entries).unwrap_or_default();
            let open = Open { began: Instant::now(), entries: vec![entry], is_given_out: false };
            self.open.insert(place, open);
            return before;
        }
        let is_last = matches!(entry.says, Says::Report(_));
        match self.open.get_mut(&place) {
            Some(open) if !open.is_given_out => {
                open.entries.push(entry);
                if is_last {
                    self.open.remove(&place).map(|open| open.entries).unwrap_or_default()
                } else {
                    Vec::new()
                }
            }
            Some(_) => {
                if is_last {
                    self.open.remove(&place);
                }
                vec![entry]
            }
            None => vec![entry],
        }
    }

    /// What has waited for so long: it is shown before its end.
    pub(super) fn waiting(&mut self, longer_than: Duration) -> Vec<LogEntry> {
        let mut entries = Vec::new();
        for open in self.open.values_mut().filter(|open| open.began.elapsed() >= longer_than) {
            entries.append(&mut open.entries);
            open.is_given_out = true;
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Raw, Source};
    use super::*;

    fn entry(stream: &str, time: i64, message: &str) -> LogEntry {
        LogEntry::of(Raw {
            source: Source::Processor,
            group: "g".to_owned(),
            stream: stream.to_owned(),
            id: None,
            time,
            message: message.to_owned(),
        })
    }

    fn shown(entries: &[LogEntry]) -> Vec<String> {
        entries.iter().map(|entry| format!("{} {}", entry.stream, entry.message)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn lines_of_invocations_at_once_come_invocation_by_invocation() {
        let mut together = Together::default();
        let mut found = Vec::new();
        for (stream, message) in [
            ("x", "INIT_START"),
            ("a", "START RequestId: 1"),
            ("b", "START RequestId: 2"),
            ("a", "one"),
            ("b", "two"),
            ("a", "END RequestId: 1"),
            ("b", "REPORT RequestId: 2"),
            ("a", "REPORT RequestId: 1"),
            ("a", "after"),
        ] {
            found.extend(together.take(entry(stream, 1, message)));
        }
        assert_eq!(
            shown(&found),
            [
                "x INIT_START",
                "b START RequestId: 2",
                "b two",
                "b REPORT RequestId: 2",
                "a START RequestId: 1",
                "a one",
                "a END RequestId: 1",
                "a REPORT RequestId: 1",
                "a after"
            ]
        );
        assert!(together.waiting(Duration::ZERO).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_invocation_that_goes_on_for_long_is_shown_as_far_as_it_is() {
        let mut together = Together::default();
        assert!(together.take(entry("a", 1, "START RequestId: 1")).is_empty());
        assert!(together.take(entry("a", 1, "one")).is_empty());
        assert!(together.waiting(Duration::from_secs(5)).is_empty());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(together.waiting(Duration::from_secs(5)).len(), 2);
        assert_eq!(shown(&together.take(entry("a", 1, "two"))), ["a two"]);
        assert_eq!(together.take(entry("a", 1, "REPORT RequestId: 1")).len(), 1);
        assert!(together.take(entry("a", 1, "START RequestId: 3")).is_empty());
        // It was killed without a report.
        assert_eq!(shown(&together.take(entry("a", 1, "START RequestId: 4"))), ["a START RequestId: 3"]);
    }
}
