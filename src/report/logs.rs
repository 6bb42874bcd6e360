//! Lines of logs, for people and for programs.

use super::Paint;
use super::fit::Page;
use crate::cli::Output;
use crate::cloud::fault::in_one_line;
use crate::data::logs::{LogEntry, Report, Says, Source};
use crate::data::spell_controls;
use console::measure_text_width;
use serde_json::{Map, Value};
use std::io;

/// Turns entries into lines, one after the other.
pub struct LogLines {
    output: Output,
    page: Page,
    /// The day of the last line. Only a screen has days above its lines: in a pipe each line tells its own.
    day: Option<String>,
    /// How many entries had something to say.
    shown: u64,
}

impl LogLines {
    pub(super) fn new(output: Output, page: Page) -> Self {
        LogLines { output, page, day: None, shown: 0 }
    }

    /// How many entries were shown so far: fewer than there were, where some say nothing to people.
    pub fn shown(&self) -> u64 {
        self.shown
    }

    /// The lines of an entry, each with its new line; none where it says nothing to people.
    ///
    /// # Errors
    /// None that is known.
    pub fn line(&mut self, entry: &LogEntry) -> io::Result<String> {
        if self.output == Output::Json {
            self.shown += 1;
            return Ok(spell_controls(&serde_json::to_string(entry)?).into_owned() + "\n");
        }
        let Some(text) = words(entry, self.page.paint) else { return Ok(String::new()) };
        self.shown += 1;
        let paint = self.page.paint;
        let source = match entry.source {
            Source::Processor => "processor",
            Source::Delivery => "delivery ",
        };
        let time = match self.page.width {
            Some(_) => entry.time.strftime("%H:%M:%S.%3f"),
            None => entry.time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"),
        };
        let head = format!("{time}  {source}  ");
        let indent = " ".repeat(measure_text_width(&head));
        let day = entry.time.strftime("%Y-%m-%d").to_string();
        let mut shown = String::new();
        if self.page.width.is_some() && self.day.as_ref() != Some(&day) {
            shown.push_str(&format!("{}\n", paint.strong(&format!("{day} UTC"))));
        }
        self.day = Some(day);
        let room = self.page.width.map(|width| width.saturating_sub(indent.len()).max(20));
        let text = Page { paint, width: room }.wrap(&text);
        for (place, line) in text.lines().enumerate() {
            let before = if place == 0 { paint.dim(&head) } else { indent.clone() };
            shown.push_str(&format!("{before}{line}\n"));
        }
        Ok(shown)
    }
}

/// What an entry says to people, on one line or several; `None` where that is nothing.
pub(super) fn words(entry: &LogEntry, paint: Paint) -> Option<String> {
    Some(match &entry.says {
        Says::Start | Says::End => return None,
        Says::Report(report) => taken(report, paint),
        Says::Batch(batch) => {
            let failed = match batch.failed {
                0 => String::new(),
                failed => format!(", {}", paint.bad(&format!("{failed} failed"))),
            };
            let time = batch.milliseconds.map(|time| format!(", {time:.1} ms")).unwrap_or_default();
            let dropped =
                if batch.dropped > 0 { format!(", {} dropped", batch.dropped) } else { String::new() };
            format!(
                "{}: {} ok{dropped}{failed}{time}",
                super::words::count(batch.records, "record"),
                batch.ok
            )
        }
        Says::Failure(failure) => {
            let mut lines = vec![format!(
                "{} {}",
                paint.bad(&in_one_line(&failure.error_code)),
                in_one_line(&failure.error_message)
            )];
            lines.extend(failure.meaning.iter().chain(&failure.remedy).map(|text| format!("  {text}")));
            lines.join("\n")
        }
        Says::Json { level, message, members } => {
            let level = level.as_deref().map(|level| match entry.error {
                true => paint.bad(&in_one_line(level)),
                false => in_one_line(level),
            });
            let parts = [level, Some(in_one_line(message)), Some(pairs(members))];
            let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
            parts.join(" ")
        }
        Says::Text => {
            let lines: Vec<String> = entry.message.lines().map(plain).collect();
            let text = lines.join("\n");
            if entry.error {
                text.lines().map(|line| paint.bad(line)).collect::<Vec<_>>().join("\n")
            } else {
                text
            }
        }
    })
}

/// A line without what moves a cursor, with its indent.
pub(super) fn plain(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim_end().to_owned()
}

/// What an invocation took.
fn taken(report: &Report, paint: Paint) -> String {
    let Report { duration_ms, billed_ms, memory_mb, max_memory_mb, init_ms, status, error_type } = report;
    let mut text = format!("→ {duration_ms:.1} ms, billed {billed_ms:.0} ms, {max_memory_mb}/{memory_mb} MB");
    if let Some(init) = init_ms {
        text.push_str(&format!(", cold start {init:.1} ms"));
    }
    let bad: Vec<&str> = status.iter().chain(error_type).map(String::as_str).collect();
    match bad.is_empty() {
        true => text,
        false => format!("{text}, {}", paint.bad(&in_one_line(&bad.join(": ")))),
    }
}

fn pairs(members: &Map<String, Value>) -> String {
    let shown = |(name, value): (&String, &Value)| match value {
        Value::String(text) => in_one_line(&format!("{name}={text}")),
        other => in_one_line(&format!("{name}={other}")),
    };
    members.iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::logs::{Batch, Failure};

    fn entry(source: Source, milliseconds: i64, says: Says, message: &str) -> LogEntry {
        LogEntry {
            time: jiff::Timestamp::from_millisecond(1_795_608_331_004 + milliseconds).unwrap(),
            source,
            group: "/kinesis-stack/dev/processor".to_owned(),
            stream: "2026/11/25/[$LATEST]0123".to_owned(),
            event_id: Some("3".to_owned()),
            error: !matches!(says, Says::Report(_) | Says::Start),
            request_id: Some("8f50c1d2".to_owned()),
            says,
            message: message.to_owned(),
        }
    }

    fn entries() -> Vec<LogEntry> {
        let report = Report {
            duration_ms: 12.34,
            billed_ms: 23.0,
            memory_mb: 256,
            max_memory_mb: 25,
            init_ms: Some(10.11),
            ..Report::default()
        };
        let late = Report { status: Some("timeout".to_owned()), init_ms: None, ..report.clone() };
        let failure = Failure {
            error_code: "S3.AccessDenied".to_owned(),
            error_message: "Access was denied. Ensure that the trust policy for the provided IAM role allows Firehose to assume the role.".to_owned(),
            meaning: Some("The delivery role may not write to the bucket."),
            remedy: Some("Look with `status --drift` who changed the role, then bring the environment up again."),
        };
        let json = Says::Json {
            level: Some("WARN".to_owned()),
            message: "records answered ProcessingFailed".to_owned(),
            members: serde_json::from_str(r#"{"reason":"not JSON","records":1}"#).unwrap(),
        };
        let batch = Batch { records: 500, ok: 497, dropped: 2, failed: 1, milliseconds: Some(3.21) };
        vec![
            entry(Source::Processor, 0, Says::Start, "START RequestId: 8f50c1d2"),
            entry(Source::Processor, 5, json, ""),
            entry(Source::Processor, 6, Says::Batch(batch), ""),
            entry(Source::Processor, 12, Says::Report(report), ""),
            entry(Source::Delivery, 43_200_000, Says::Failure(failure), ""),
            entry(Source::Processor, 43_200_001, Says::Text, "panicked at src/main.rs\n  \u{1b}[2Jat line 7"),
            entry(Source::Processor, 43_200_002, Says::Report(late), ""),
        ]
    }

    fn shown(output: Output, width: Option<usize>) -> String {
        let mut lines = LogLines::new(output, Page { paint: Paint(false), width });
        entries().iter().map(|entry| lines.line(entry).unwrap()).collect()
    }

    #[test]
    fn a_screen_of_80_columns_has_days_and_times_and_what_failures_mean() {
        let text = shown(Output::Text, Some(80));
        assert!(text.lines().all(|line| measure_text_width(line) <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn in_a_pipe_each_line_tells_its_whole_time() {
        insta::assert_snapshot!(shown(Output::Text, None));
    }

    #[test]
    fn what_is_not_printed_is_not_counted() {
        for (output, expected) in [(Output::Text, 6), (Output::Json, 7)] {
            let mut lines = LogLines::new(output, Page { paint: Paint(false), width: None });
            let printed = entries().iter().filter(|entry| !lines.line(entry).unwrap().is_empty()).count();
            assert_eq!((printed as u64, lines.shown()), (expected, expected), "{output:?}");
        }
    }

    #[test]
    fn programs_get_each_event_as_one_object() {
        let text = shown(Output::Json, None);
        let read: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((read.len(), read[0]["kind"].as_str()), (7, Some("start")));
        assert_eq!(read[4]["error_code"], "S3.AccessDenied");
    }
}
