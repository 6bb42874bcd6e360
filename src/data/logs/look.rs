//! Looks at log groups with FilterLogEvents, page by page, merged in the order of time.
//!
//! No filter pattern is sent: its terms are whole words, so that `Failed` would not find `ProcessingFailed`.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

use super::LogGroup;
use super::entry::Raw;
use crate::cloud::fault;
use anyhow::Result;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// An account has as few as five calls a second in a region, all that look together.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
const BETWEEN_CALLS: Duration = Duration::from_millis(250);
/// The most that a page holds. Whoever gives so many and no token (as an emulator does) may have more.
const PAGE: i32 = 10_000;

/// Looks, never too often.
pub(super) struct Looker<'a> {
    logs: &'a Client,
    next_call: Instant,
}

/// A group as far as it was read.
struct Cursor<'a> {
    group: &'a LogGroup,
    from: i64,
    token: Option<String>,
    is_done: bool,
    /// Everything before was read, as far as the service keeps to the order of time.
    until: i64,
    /// Pages may tell an event twice.
    ids: HashSet<String>,
    /// How many events of the moment `from` were read already, of a service without tokens.
    skip: usize,
}

impl<'a> Looker<'a> {
    pub(super) fn new(logs: &'a Client) -> Self {
        Looker { logs, next_call: Instant::now() }
    }

    /// Hands every event since these moments to `each`, in the order of time. Groups that aren't there are named.
    pub(super) async fn look<'g>(
        &mut self,
        groups: &[(&'g LogGroup, i64)],
        mut each: impl FnMut(Raw) -> Result<()>,
    ) -> Result<Vec<&'g LogGroup>> {
        let new = |(group, from): &(&'g LogGroup, i64)| Cursor {
            group,
            from: *from,
            token: None,
            is_done: false,
            until: *from,
            ids: HashSet::new(),
            skip: 0,
        };
        let mut cursors: Vec<Cursor<'g>> = groups.iter().map(new).collect();
        let (mut waiting, mut place, mut missing) = (BTreeMap::new(), 0_u64, Vec::new());
        while let Some(cursor) = cursors.iter_mut().filter(|it| !it.is_done).min_by_key(|it| it.until) {
            match self.page(cursor).await? {
                Some(events) => {
                    for event in events {
                        place += 1;
                        waiting.insert((event.time, place), event);
                    }
                }
                None => {
                    cursor.is_done = true;
                    missing.push(cursor.group);
                }
            }
            let safe = cursors.iter().filter(|it| !it.is_done).map(|it| it.until).min();
            while let Some(first) = waiting.first_entry() {
                if safe.is_some_and(|safe| first.key().0 >= safe) {
                    break;
                }
                each(first.remove())?;
            }
        }
        Ok(missing)
    }

    /// The next page of a group; `None` where there is no such group.
    async fn page(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<Vec<Raw>>> {
        sleep_until(self.next_call).await;
        self.next_call = Instant::now() + BETWEEN_CALLS;
        let LogGroup { name, source, .. } = cursor.group;
        let call = self.logs.filter_log_events().log_group_name(name).start_time(cursor.from).limit(PAGE);
        let page = match call.set_next_token(cursor.token.take()).send().await {
            Ok(page) => page,
            Err(error) if fault::is_missing(&error) => return Ok(None),
            Err(error) => return Err(fault::explain(error, &format!("read the log group {name}"))),
        };
        let raw = |event: FilteredLogEvent| Raw {
            source: *source,
            group: name.clone(),
            stream: event.log_stream_name.unwrap_or_default(),
            id: event.event_id,
            time: event.timestamp.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
        };
        cursor.token = page.next_token;
        let mut events: Vec<Raw> = page.events.unwrap_or_default().into_iter().map(raw).collect();
        let last = events.iter().map(|event| event.time).max().unwrap_or(cursor.until);
        cursor.until = cursor.until.max(last);
        let is_full = events.len() >= PAGE as usize;
        let of_last = events.iter().filter(|event| event.time == last).count();
        let skip = std::mem::take(&mut cursor.skip);
        if skip > 0 {
            let mut left = skip;
            let from = cursor.from;
            events.retain(|event| {
                let is_known = event.time == from && left > 0;
                left -= usize::from(is_known);
                !is_known
            });
        }
        if cursor.token.is_none() {
            // A page of one moment alone can't be gone past.
            cursor.is_done = !is_full || last <= cursor.from;
            (cursor.from, cursor.skip) = (last, of_last);
        }
        events.retain(|event| event.id.as_ref().is_none_or(|id| cursor.ids.insert(id.clone())));
        Ok(Some(events))
    }
}
