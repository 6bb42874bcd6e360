//! What a function says of each event, as lines of JSON, and as metrics.
//!
//! The last line of an event is in CloudWatch's embedded metric format, too: CloudWatch reads the metrics out of the
//! log, which takes neither a permission nor a call.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::Answer;

/// The namespace of the metrics.
pub const NAMESPACE: &str = "kinesis-stack";

/// How a function logs.
#[derive(Debug, Clone)]
pub struct Log {
    /// The function's name, which is the dimension of its metrics. `None`: no metrics.
    pub metrics_of: Option<String>,
}

/// One event that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The invocation's id.
    pub request_id: &'a str,
    /// The bytes of the event.
    pub bytes_in: usize,
    /// What was answered.
    pub answer: &'a Answer,
    /// How long that took.
    pub took: Duration,
    /// When.
    pub now: SystemTime,
}

impl Log {
    /// As the function's environment says.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let is_off = variable("PROCESSOR_METRICS").is_some_and(|value| value == "off");
        Log { metrics_of: variable("AWS_LAMBDA_FUNCTION_NAME").filter(|name| !is_off && !name.is_empty()) }
    }

    /// The lines for an event that was answered: one for each record that failed, where they are listed; one for each
    /// reason; and one for the batch.
    pub fn batch(&self, batch: &Batch<'_>, to: &mut impl Write) {
        let Batch { request_id, bytes_in, answer, took, now } = *batch;
        for (record_id, reason) in &answer.listed {
            let line = json!({
                "level": "DEBUG", "message": "record failed", "requestId": request_id, "recordId": record_id,
                "reason": reason.to_string(),
            });
            say(&line, to);
        }
        for failures in &answer.failures {
            let line = Failed {
                level: "WARN",
                message: "records answered ProcessingFailed",
                request_id,
                reason: failures.reason.to_string(),
                records: failures.records,
                first_record_id: &failures.first_record_id,
            };
            say(&line, to);
        }
        let metrics = self.metrics_of.as_deref().map(|function| Metrics {
            aws: directive(now),
            function,
            rows: answer.rows(),
            failed: answer.failed(),
            bytes: answer.row_bytes,
        });
        let line = Line {
            level: "INFO",
            message: "batch transformed",
            request_id,
            records: answer.records,
            ok: answer.rows(),
            dropped: answer.dropped,
            failed: answer.failed(),
            bytes_in,
            bytes_out: answer.body().len(),
            milliseconds: took.as_micros() as f64 / 1000.0,
            metrics,
        };
        say(&line, to);
    }

    /// The line for an event that was refused as a whole.
    pub fn refused(&self, request_id: &str, error: &str, to: &mut impl Write) {
        let line =
            json!({ "level": "ERROR", "message": "batch refused", "requestId": request_id, "error": error });
        say(&line, to);
    }
}

fn say(line: &impl Serialize, to: &mut impl Write) {
    if let Ok(mut line) = serde_json::to_vec(line) {
        line.push(b'\n');
        // Nobody is left to be told.
        let _ = to.write_all(&line).and_then(|()| to.flush());
    }
}

/// What CloudWatch is to read out of the line.
fn directive(now: SystemTime) -> Value {
    let milliseconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    json!({
        "Timestamp": milliseconds,
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE,
            "Dimensions": [["FunctionName"]],
            "Metrics": [
                { "Name": "Rows", "Unit": "Count" },
                { "Name": "Failed", "Unit": "Count" },
                { "Name": "Bytes", "Unit": "Bytes" },
            ],
        }],
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    level: &'a str,
    message: &'a str,
    request_id: &'a str,
    records: usize,
    ok: usize,
    dropped: usize,
    failed: usize,
    bytes_in: usize,
    bytes_out: usize,
    milliseconds: f64,
    #[serde(flatten)]
    metrics: Option<Metrics<'a>>,
}

#[derive(Serialize)]
struct Metrics<'a> {
    #[serde(rename = "_aws")]
    aws: Value,
    #[serde(rename = "FunctionName")]
    function: &'a str,
    #[serde(rename = "Rows")]
    rows: usize,
    #[serde(rename = "Failed")]
    failed: usize,
    #[serde(rename = "Bytes")]
    bytes: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed<'a> {
    level: &'a str,
    message: &'a str,
    request_id: &'a str,
    reason: String,
    records: usize,
    first_record_id: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firehose::{Answerer, Becomes};

    fn lines(log: &Log) -> Vec<Value> {
        let event = br#"{"records": [{"recordId": "a", "data": "MTIz"}, {"recordId": "b", "data": "Cg=="}]}"#;
        let mut answerer = Answerer::default();
        let transform = |data: &[u8], row: &mut Vec<u8>| {
            row.extend_from_slice(data);
            Ok(if data == b"\n" { Becomes::Nothing } else { Becomes::Row })
        };
        let answer = answerer.answer(event, 1000, transform).unwrap();
        let batch = Batch {
            request_id: "r",
            bytes_in: 50,
            answer,
            took: Duration::from_micros(1500),
            now: UNIX_EPOCH + Duration::from_millis(1_727_948_720_123),
        };
        let mut said = Vec::new();
        log.batch(&batch, &mut said);
        String::from_utf8(said).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_batch_is_one_line_that_is_its_metrics_as_well() {
        let log = Log::of(|name| (name == "AWS_LAMBDA_FUNCTION_NAME").then(|| "dev-processor".to_owned()));
        let [line] = lines(&log).try_into().unwrap();
        assert_eq!(
            line,
            json!({
                "level": "INFO", "message": "batch transformed", "requestId": "r", "records": 2, "ok": 1, "dropped": 1,
                "failed": 0, "bytesIn": 50, "bytesOut": 94, "milliseconds": 1.5,
                "_aws": {
                    "Timestamp": 1_727_948_720_123_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "kinesis-stack", "Dimensions": [["FunctionName"]],
                        "Metrics": [
                            { "Name": "Rows", "Unit": "Count" }, { "Name": "Failed", "Unit": "Count" },
                            { "Name": "Bytes", "Unit": "Bytes" },
                        ],
                    }],
                },
                "FunctionName": "dev-processor", "Rows": 1, "Failed": 0, "Bytes": 3,
            })
        );
        // What is said to be in the line is in the line.
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric}");
        }
        assert!(line["FunctionName"].is_string());
    }

    #[test]
    fn metrics_can_be_switched_off_and_the_line_stays() {
        let log = Log::of(|name| Some(if name == "PROCESSOR_METRICS" { "off" } else { "f" }.to_owned()));
        let [line] = lines(&log).try_into().unwrap();
        assert_eq!((line.get("_aws"), line.get("Rows"), &line["ok"]), (None, None, &json!(1)));
    }
}
