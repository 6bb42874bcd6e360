//! Follows one log group.

use super::source::{Source, Trouble};
use crate::data::logs::{self, LogEntry, Raw, Says};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How far back the first look goes.
const BACK: SignedDuration = SignedDuration::from_mins(10);
/// A line can be told so much later than the newest one that was.
const OVERLAP: SignedDuration = SignedDuration::from_secs(15);
/// So many pages are read in one look; the next one goes on from the newest line.
const PAGES: usize = 5;

/// Where a log group was read.
#[derive(Debug)]
pub(super) struct LogFollower {
    source: Source,
    group: String,
    /// The newest line that was told, in milliseconds.
    newest: Option<i64>,
    /// The ids of lines that the next look will be told again.
    seen: BTreeMap<String, i64>,
}

impl LogFollower {
    pub(super) fn new(source: Source, group: &str) -> Self {
        LogFollower { source, group: group.to_owned(), newest: None, seen: BTreeMap::new() }
    }

    /// Whose log it is.
    pub(super) fn source(&self) -> Source {
        self.source
    }

    /// Looks for lines that are new, the oldest first.
    pub(super) async fn look(&mut self, client: &Client, now: Timestamp) -> Result<Vec<LogEntry>, Trouble> {
        let first = || now.as_millisecond() - i64::try_from(BACK.as_millis()).unwrap_or_default();
        let overlap = i64::try_from(OVERLAP.as_millis()).unwrap_or_default();
        let from = self.newest.map_or_else(first, |newest| newest - overlap);
        let (mut lines, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let call = client.filter_log_events().log_group_name(&self.group).start_time(from.max(0));
            let answer = call.set_next_token(token).send().await;
            let answer = match answer {
                Ok(answer) => answer,
                // What came before it is told; that the rest didn't come is for the next look to tell.
                Err(_) if !lines.is_empty() => break,
                Err(error) => return Err(Trouble::of(error, "logs:FilterLogEvents")),
            };
            for event in answer.events() {
                lines.extend(self.take(event));
            }
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        let settled = self.newest.unwrap_or_default() - overlap;
        self.seen.retain(|_, at| *at >= settled);
        lines.sort_by_key(|line: &LogEntry| line.time);
        Ok(lines)
    }

    /// A line that wasn't told yet, where it is worth one.
    fn take(&mut self, event: &FilteredLogEvent) -> Option<LogEntry> {
        let time = event.timestamp().unwrap_or_default();
        let message = event.message().unwrap_or_default().to_owned();
        let stream = event.log_stream_name().unwrap_or_default().to_owned();
        let id = event.event_id().map(str::to_owned);
        let known = id.clone().unwrap_or_else(|| format!("{time} {stream} {message}"));
        self.newest = self.newest.max(Some(time));
        if self.seen.insert(known, time).is_some() {
            return None;
        }
        let source = match self.source {
            Source::ProcessorLog => logs::Source::Processor,
            _ => logs::Source::Delivery,
        };
        let entry = LogEntry::of(Raw { source, group: self.group.clone(), stream, id, time, message });
        // Lambda brackets each call with them; what they tell is in its report.
        (!matches!(entry.says, Says::Start | Says::End)).then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_once_and_brackets_of_calls_never() {
        let mut follower = LogFollower::new(Source::ProcessorLog, "group");
        let event = |id: &str, at: i64, message: &str| {
            FilteredLogEvent::builder().event_id(id).timestamp(at).message(message).build()
        };
        assert!(follower.take(&event("1", 1_000, "START RequestId: 4f1 Version: $LATEST\n")).is_none());
        let line = follower.take(&event("2", 2_000, "hello\n")).unwrap();
        assert_eq!((line.message.as_str(), line.time.as_second()), ("hello", 2));
        assert!(follower.take(&event("2", 2_000, "hello")).is_none());
        assert_eq!(follower.newest, Some(2_000));
    }
}
