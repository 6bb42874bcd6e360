//! One event of a log, and what it says.

use crate::data::causes::cause;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// Whose log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The function that transforms.
    Processor,
    /// The delivery stream, which writes of failures alone.
    Delivery,
}

/// An event as the service tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct Raw {
    pub source: Source,
    pub group: String,
    pub stream: String,
    pub id: Option<String>,
    /// Milliseconds since 1970.
    pub time: i64,
    pub message: String,
}

/// An event, read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogEntry {
    /// When it was logged.
    #[serde(serialize_with = "milliseconds")]
    pub time: Timestamp,
    /// Whose log it is.
    pub source: Source,
    /// The log group.
    pub group: String,
    /// The log stream in it.
    pub stream: String,
    /// CloudWatch's own name of the event. Live tail doesn't tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Whether it tells of a failure.
    pub error: bool,
    /// The invocation that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What it says.
    #[serde(flatten)]
    pub says: Says,
    /// The event as it is.
    pub message: String,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Says {
    /// An invocation begins.
    Start,
    /// An invocation is over; its report follows.
    End,
    /// What an invocation took.
    Report(Report),
    /// The processor's line of a batch.
    Batch(Batch),
    /// Firehose could not deliver, or not transform.
    Failure(Failure),
    /// A line of JSON.
    Json {
        /// How grave it is, where it says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        level: Option<String>,
        /// Its sentence.
        #[serde(rename = "text")]
        message: String,
        /// Its other members.
        members: Map<String, Value>,
    },
    /// Any other line.
    Text,
}

/// What an invocation took. <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html>
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Milliseconds in the handler.
    pub duration_ms: f64,
    /// Milliseconds that are paid for.
    pub billed_ms: f64,
    /// Megabytes that it may use.
    pub memory_mb: u64,
    /// Megabytes that it used at most.
    pub max_memory_mb: u64,
    /// Milliseconds of a cold start, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_ms: Option<f64>,
    /// How it ended, where that wasn't well: `timeout`, `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The kind of error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
}

/// The processor's line of a batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Batch {
    /// Records in it.
    pub records: u64,
    /// Those that became rows.
    pub ok: u64,
    /// Those that were dropped on purpose.
    pub dropped: u64,
    /// Those that could not be transformed.
    pub failed: u64,
    /// Milliseconds that the transform took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<f64>,
}

/// What Firehose says of a failure.
/// <https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html>
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Failure {
    /// Its code, for instance `S3.AccessDenied`.
    pub error_code: String,
    /// Its sentence.
    pub error_message: String,
    /// What the code means, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
}

fn milliseconds<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

impl LogEntry {
    /// Reads an event.
    pub(in crate::data) fn of(raw: Raw) -> Self {
        let message = raw.message.trim_end().to_owned();
        let (says, request_id) = read(raw.source, &message);
        LogEntry {
            time: Timestamp::from_millisecond(raw.time).unwrap_or_default(),
            error: is_error(raw.source, &says, &message),
            source: raw.source,
            group: raw.group,
            stream: raw.stream,
            event_id: raw.id,
            request_id,
            says,
            message,
        }
    }
}

fn read(source: Source, message: &str) -> (Says, Option<String>) {
    let request = |rest: &str| rest.split([' ', '\t']).next().map(str::to_owned);
    if source == Source::Processor {
        for (word, says) in [("START", Says::Start), ("END", Says::End)] {
            if let Some(rest) = message.strip_prefix(word).and_then(|rest| rest.strip_prefix(" RequestId: "))
            {
                return (says, request(rest));
            }
        }
        if let Some(rest) = message.strip_prefix("REPORT RequestId: ") {
            return (Says::Report(report(rest)), request(rest));
        }
    }
    let Ok(members) = serde_json::from_str::<Map<String, Value>>(message) else {
        let rest = message.strip_prefix("RequestId: ");
        return (Says::Text, rest.and_then(request));
    };
    let id = ["requestId", "request_id", "AWSRequestId"].iter().find_map(|name| members.get(*name)?.as_str());
    let id = id.map(str::to_owned);
    let says = failure(&members).or_else(|| batch(&members)).unwrap_or_else(|| json(members));
    (says, id)
}

/// `name: value` between tabs.
fn report(text: &str) -> Report {
    let mut report = Report::default();
    for part in text.split('\t') {
        let Some((name, value)) = part.trim().split_once(": ") else { continue };
        let number = || value.split(' ').next().and_then(|number| number.parse::<f64>().ok());
        match name {
            "Duration" => report.duration_ms = number().unwrap_or_default(),
            "Billed Duration" => report.billed_ms = number().unwrap_or_default(),
            "Memory Size" => report.memory_mb = number().unwrap_or_default() as u64,
            "Max Memory Used" => report.max_memory_mb = number().unwrap_or_default() as u64,
            "Init Duration" => report.init_ms = number(),
            "Status" => report.status = Some(value.to_owned()),
            "Error Type" => report.error_type = Some(value.to_owned()),
            _ => {}
        }
    }
    report
}

fn failure(members: &Map<String, Value>) -> Option<Says> {
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let error_code = text("errorCode").filter(|_| members.contains_key("deliveryStreamARN"))?;
    let cause = cause(&error_code);
    Some(Says::Failure(Failure {
        error_message: text("message").unwrap_or_default(),
        meaning: cause.map(|cause| cause.meaning),
        remedy: cause.map(|cause| cause.remedy),
        error_code,
    }))
}

/// The line that our processor writes of each batch, which is CloudWatch's embedded metric format at the same time.
fn batch(members: &Map<String, Value>) -> Option<Says> {
    let number = |name: &str| members.get(name).and_then(Value::as_u64);
    let (records, failed) = (number("records")?, number("failed")?);
    let milliseconds = members.get("milliseconds").and_then(Value::as_f64);
    let dropped = number("dropped").unwrap_or_default();
    let ok = number("ok").unwrap_or_else(|| records.saturating_sub(failed + dropped));
    Some(Says::Batch(Batch { records, ok, dropped, failed, milliseconds }))
}

fn json(mut members: Map<String, Value>) -> Says {
    let mut take = |names: &[&str]| {
        let name = names.iter().find(|name| members.get(**name).is_some_and(Value::is_string))?;
        members.shift_remove(*name).and_then(|value| value.as_str().map(str::to_owned))
    };
    let level = take(&["level", "severity"]);
    let message = take(&["message", "msg", "errorMessage"]).unwrap_or_default();
    for name in ["requestId", "request_id", "AWSRequestId", "timestamp", "time", "_aws"] {
        members.shift_remove(name);
    }
    Says::Json { level, message, members }
}

/// What a line of text says that tells of a failure: of the runtime, and of what people write themselves.
const BAD: &[&str] = &[
    "ERROR",
    "Error:",
    "error:",
    "errorType",
    "Exception",
    "panicked at",
    "Task timed out",
    "Runtime exited",
    "Runtime.",
    "out of memory",
    "FATAL",
];

fn is_error(source: Source, says: &Says, message: &str) -> bool {
    let says_bad = || BAD.iter().any(|bad| message.contains(bad));
    match says {
        Says::Start | Says::End => false,
        Says::Report(report) => report.status.is_some() || report.error_type.is_some(),
        Says::Batch(batch) => batch.failed > 0,
        Says::Failure(_) => true,
        Says::Json { level: Some(level), .. } => {
            ["ERROR", "WARN", "WARNING", "FATAL", "CRITICAL"].contains(&level.to_ascii_uppercase().as_str())
        }
        Says::Json { .. } | Says::Text => source == Source::Delivery || says_bad(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(source: Source, message: &str) -> LogEntry {
        let text = |text: &str| text.to_owned();
        LogEntry::of(Raw {
            source,
            group: text("g"),
            stream: text("s"),
            id: None,
            time: 1_795_608_331_004,
            message: text(message),
        })
    }

    const REPORT: &str = "REPORT RequestId: 8f5\tDuration: 12.34 ms\tBilled Duration: 23 ms\tMemory Size: 256 MB\tMax Memory Used: 25 MB\tInit Duration: 10.11 ms\t\n";

    #[test]
    fn the_lines_of_the_platform_are_read() {
        let start = entry(Source::Processor, "START RequestId: 8f5 Version: $LATEST\n");
        assert_eq!((start.says, start.request_id.as_deref()), (Says::Start, Some("8f5")));
        let end = entry(Source::Processor, "END RequestId: 8f5");
        assert_eq!((end.says, end.request_id.as_deref()), (Says::End, Some("8f5")));
        let report = entry(Source::Processor, REPORT);
        let expected = Report {
            duration_ms: 12.34,
            billed_ms: 23.0,
            memory_mb: 256,
            max_memory_mb: 25,
            init_ms: Some(10.11),
            ..Report::default()
        };
        assert_eq!((report.error, report.says), (false, Says::Report(expected)));
        let late = entry(Source::Processor, &REPORT.replace("Init Duration: 10.11 ms", "Status: timeout"));
        assert!(late.error);
    }

    #[test]
    fn what_firehose_writes_is_explained() {
        let line = r#"{"deliveryStreamARN":"arn:d","destination":"arn:aws:s3:::b","deliveryStreamVersionId":1,"message":"Access was denied.","errorCode":"S3.AccessDenied"}"#;
        let entry = entry(Source::Delivery, line);
        let Says::Failure(failure) = &entry.says else { panic!("{entry:?}") };
        assert_eq!(failure.error_code, "S3.AccessDenied");
        assert_eq!(failure.meaning, Some("The delivery role may not write to the bucket."));
        assert!(entry.error && failure.remedy.is_some());
    }

    #[test]
    fn a_line_of_a_batch_is_told_by_its_counts_and_is_an_error_where_records_failed() {
        let line = r#"{"_aws":{"Timestamp":1},"level":"INFO","message":"batch transformed","requestId":"8f5","records":5,"ok":4,"failed":1,"milliseconds":0.5}"#;
        let entry = entry(Source::Processor, line);
        let expected = Batch { records: 5, ok: 4, dropped: 0, failed: 1, milliseconds: Some(0.5) };
        assert_eq!((entry.error, entry.request_id.as_deref()), (true, Some("8f5")));
        assert_eq!(entry.says, Says::Batch(expected));
    }

    #[test]
    fn failures_are_told_from_what_goes_well() {
        let is_error = |line: &str| entry(Source::Processor, line).error;
        for line in [
            r#"{"level":"WARN","message":"records answered ProcessingFailed","records":1}"#,
            r#"{"errorType":"Runtime.ExitError","errorMessage":"x"}"#,
            "thread 'main' panicked at src/main.rs:1:1:",
            "2026-11-24T12:05:31.000Z 8f5 Task timed out after 180.00 seconds",
            "RequestId: 8f5 Error: Runtime exited with error: signal: killed",
        ] {
            assert!(is_error(line), "{line}");
        }
        for line in
            [r#"{"level":"INFO","message":"ERROR is my name"}"#, "hello", "INIT_START Runtime Version: x"]
        {
            assert!(!is_error(line), "{line}");
        }
        assert!(entry(Source::Delivery, "anything").error, "the delivery stream writes of failures alone");
    }

    #[test]
    fn json_has_each_event_as_it_is_and_what_it_says() {
        let told = serde_json::to_value(entry(Source::Processor, REPORT)).unwrap();
        assert_eq!(told["time"], "2026-11-25T12:05:31.004Z");
        assert_eq!((told["kind"].as_str(), told["source"].as_str()), (Some("report"), Some("processor")));
        assert_eq!((&told["duration_ms"], &told["init_ms"]), (&12.34.into(), &10.11.into()));
        assert_eq!(told["message"], REPORT.trim_end());
        let told = serde_json::to_value(entry(Source::Processor, r#"{"msg":"x","a":1,"time":"t"}"#)).unwrap();
        assert_eq!(
            (told["kind"].as_str(), &told["text"], &told["members"]["a"]),
            (Some("json"), &"x".into(), &1.into())
        );
    }
}
