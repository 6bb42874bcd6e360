//! `logs`.

use super::Session;
use crate::cli::{self, Output};
use crate::data::logs::{self, LogGroup, LogsWish};
use crate::error::Kind;
use crate::event::Event;
use crate::report;
use crate::settings::{read, value};
use crate::stack::inspect;
use anyhow::Result;
use std::io::Write;

impl Session {
    pub(super) async fn logs(&self, typed: &cli::Logs) -> Result<u8> {
        let cli::Logs { since, follow, poll, grep, errors } = typed;
        let since = read("--since", since, value::positive_duration)?;
        let (context, _cloud) = self.unless_told_to_stop(self.require()).await?;
        let stack = self.unless_told_to_stop(inspect::require(&context)).await?;
        let groups = LogGroup::of(&stack)?;
        let wish = LogsWish {
            since: logs::since(context.clock.now(), since),
            follows: *follow,
            live_tail: !poll && !context.clients.has_own_logs_endpoint,
            grep: grep.clone(),
            errors: *errors,
            together: self.printer.look().output == Output::Text,
        };
        let (mut out, mut lines) = (report::stdout(), self.printer.log_lines());
        let mut each = |entry: &logs::LogEntry| {
            out.write_all(lines.line(entry)?.as_bytes())?;
            // Whoever follows wants to see it now.
            if *follow { Ok(out.flush()?) } else { Ok(()) }
        };
        let stop = async {
            self.signals.heard(1).await;
        };
        let (logs, reporter) = (&context.clients.logs, context.reporter.as_ref());
        let read = logs::read(logs, &groups, &wish, reporter, &mut each, stop).await;
        out.flush()?;
        read?;
        context.reporter.tell(&Event::LogsRead { lines: lines.shown(), since: wish.since.to_string() });
        Ok(self.signals.last().map_or(0, Kind::exit_code))
    }
}
