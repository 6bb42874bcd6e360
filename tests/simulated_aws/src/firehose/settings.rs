//! How a delivery stream delivers, as its template says.

use serde_json::Value;
use std::time::Duration;

/// A delivery stream's settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub bucket: String,
    pub prefix: String,
    pub error_prefix: String,
    pub gzip: bool,
    /// How many bytes an object takes, and how long it waits for them.
    pub size: usize,
    pub interval: Duration,
    pub processor: Option<Processor>,
    /// What comes after each record.
    pub delimiter: Vec<u8>,
    /// The log group and the log stream.
    pub log: Option<(String, String)>,
}

/// What transforms.
#[derive(Debug, Clone)]
pub(crate) struct Processor {
    pub arn: String,
    pub size: usize,
    pub interval: Duration,
    pub retries: u32,
}

const MEBIBYTE: f64 = 1024.0 * 1024.0;

impl Settings {
    /// Those in an `ExtendedS3DestinationConfiguration`.
    ///
    /// Fact: where nothing is said, an object takes 5 MB and 300 seconds, a processor 1 MB and 60 seconds, and a failed
    /// invocation is tried 3 more times.
    pub fn of(destination: &Value) -> Self {
        let text = |name: &str| destination.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let hint = |name: &str, usual: f64| number(&destination["BufferingHints"][name]).unwrap_or(usual);
        let processing = &destination["ProcessingConfiguration"];
        let processors = processing["Processors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_kind = |kind: &str| {
            let is_on = is_true(&processing["Enabled"]);
            processors.iter().find(|it| is_on && it["Type"] == kind).map(|it| &it["Parameters"])
        };
        let processor = of_kind("Lambda").map(|parameters| Processor {
            arn: parameter(parameters, "LambdaArn").unwrap_or_default(),
            size: bytes(read(parameters, "BufferSizeInMBs").unwrap_or(1.0)),
            interval: Duration::from_secs_f64(read(parameters, "BufferIntervalInSeconds").unwrap_or(60.0)),
            retries: read(parameters, "NumberOfRetries").unwrap_or(3.0) as u32,
        });
        let delimiter = of_kind("AppendDelimiterToRecord").map(|parameters| {
            parameter(parameters, "Delimiter")
                .unwrap_or_else(|| "\\n".to_owned())
                .replace("\\n", "\n")
                .into_bytes()
        });
        let log = &destination["CloudWatchLoggingOptions"];
        let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Settings {
            bucket: text("BucketARN").rsplit(":::").next().unwrap_or_default().to_owned(),
            prefix: text("Prefix"),
            error_prefix: text("ErrorOutputPrefix"),
            gzip: text("CompressionFormat") == "GZIP",
            size: bytes(hint("SizeInMBs", 5.0)),
            interval: Duration::from_secs_f64(hint("IntervalInSeconds", 300.0)),
            processor,
            delimiter: delimiter.unwrap_or_default(),
            log: is_true(&log["Enabled"]).then(|| (name(&log["LogGroupName"]), name(&log["LogStreamName"]))),
        }
    }
}

fn bytes(mebibytes: f64) -> usize {
    (mebibytes * MEBIBYTE) as usize
}

/// A number, or a text that is one.
pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn is_true(value: &Value) -> bool {
    *value == Value::Bool(true) || *value == "true"
}

fn parameter(parameters: &Value, name: &str) -> Option<String> {
    let found = parameters.as_array()?.iter().find(|it| it["ParameterName"] == name)?;
    found["ParameterValue"].as_str().map(str::to_owned).or_else(|| Some(found["ParameterValue"].to_string()))
}

fn read(parameters: &Value, name: &str) -> Option<f64> {
    parameter(parameters, name)?.parse().ok()
}
