//! What landed under the error prefix: a record that could not be transformed or delivered, and why.
//! <https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html>,
//! <https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html>

use super::causes::cause;
use super::format::escape;
use super::rows::Fields;
use aws_smithy_types::base64;
use jiff::Timestamp;
use serde_json::Value;

/// So much of a record is shown to people.
const SHOWN: usize = 400;

/// A record that failed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FailedRecord {
    /// What kind of failure: `processing-failed`, `format-conversion-failed`, as its key says.
    pub error_type: String,
    /// Firehose's code, for instance `Lambda.FunctionError`.
    pub code: String,
    /// Firehose's sentence.
    pub message: String,
    /// How often it was tried.
    pub attempts: Option<u64>,
    /// When Firehose received it.
    pub arrived: Option<Timestamp>,
    /// When Firehose gave it up.
    pub ended: Option<Timestamp>,
    /// The function's ARN.
    pub function: Option<String>,
    /// The record as it was sent, where that is told and can be decoded.
    pub data: Option<Vec<u8>>,
}

impl FailedRecord {
    /// Reads one, as it lies in the object of this key below `prefix`.
    pub(super) fn of(fields: &Fields, key: &str, prefix: &str) -> Self {
        // Firehose writes numbers as numbers, its guide shows them as text.
        let first =
            |names: &[&str]| names.iter().find_map(|name| fields.get(*name).filter(|it| !it.is_null()));
        let text = |names: &[&str]| match first(names) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
            None => None,
        };
        let number = |names: &[&str]| text(names).and_then(|text| text.parse::<i64>().ok());
        let moment = |names: &[&str]| {
            number(names).and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
        };
        let below = key.strip_prefix(prefix).unwrap_or(key);
        FailedRecord {
            error_type: below.split('/').next().filter(|part| *part != below).unwrap_or_default().to_owned(),
            code: text(&["errorCode", "lastErrorCode"]).unwrap_or_default(),
            message: text(&["errorMessage", "lastErrorMessage"]).unwrap_or_default(),
            attempts: number(&["attemptsMade"]).and_then(|attempts| u64::try_from(attempts).ok()),
            arrived: moment(&["arrivalTimestamp"]),
            ended: moment(&["attemptEndingTimestamp"]),
            function: text(&["lambdaArn", "lambdaARN"]),
            data: text(&["rawData"]).and_then(|text| base64::decode(text).ok()),
        }
    }

    /// Why it failed, in words: what is wrong with the record itself, where the processor refused it, else what the code
    /// means, else Firehose's sentence.
    pub fn why(&self) -> String {
        let refused = self.code == "Lambda.ProcessingFailedStatus" || self.code.ends_with("ProcessingFailed");
        let wrong = self.data.as_deref().filter(|_| refused).and_then(wrong_with);
        let known = || cause(&self.code).map(|cause| cause.meaning.to_owned());
        wrong.or_else(known).unwrap_or_else(|| match self.message.as_str() {
            "" => "Firehose gives no reason.".to_owned(),
            message => message.to_owned(),
        })
    }

    /// All of it for programs: text as text, other bytes in base64.
    pub(super) fn fields(&self, key: &str) -> Fields {
        let mut fields = Fields::new();
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        let moment = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string().into());
        add("arrived", moment(self.arrived));
        add("error_code", Some(self.code.as_str().into()));
        add("why", Some(self.why().into()));
        add("remedy", cause(&self.code).map(|cause| cause.remedy.into()));
        add("error_message", Some(self.message.as_str().into()));
        add("error_type", Some(self.error_type.as_str().into()));
        add("attempts", self.attempts.map(Into::into));
        add("ended", moment(self.ended));
        add("function", self.function.as_deref().map(Into::into));
        match self.data.as_deref().map(|data| (data, std::str::from_utf8(data))) {
            Some((_, Ok(text))) => add("data", Some(text.into())),
            Some((bytes, Err(_))) => add("data_base64", Some(base64::encode(bytes).into())),
            None => {}
        }
        add("object", Some(key.into()));
        fields
    }

    /// A few lines for people.
    pub(super) fn words(&self) -> String {
        let when = self.arrived.map(|moment| moment.strftime("%Y-%m-%d %H:%M:%S  ").to_string());
        let code = if self.code.is_empty() { self.error_type.as_str() } else { self.code.as_str() };
        let tried = match self.attempts {
            None | Some(0) => String::new(),
            Some(1) => ", tried once".to_owned(),
            Some(attempts) => format!(", tried {attempts} times"),
        };
        let data = match self.data.as_deref() {
            None => "(its data is not told)".to_owned(),
            Some([]) => "(it holds no data)".to_owned(),
            Some(data) => shown(data),
        };
        let when = when.unwrap_or_default();
        format!("{when}{}{tried}\n  {}\n  {data}\n", escape(code), escape(&self.why()))
    }
}

/// What is wrong with a record by itself. The processor's own reason stands in its log.
fn wrong_with(data: &[u8]) -> Option<String> {
    let Ok(text) = std::str::from_utf8(data) else { return Some("The record is not UTF-8.".to_owned()) };
    match serde_json::from_str::<Value>(text) {
        Err(error) => Some(format!("The record is not JSON: {error}.")),
        Ok(Value::Object(_)) => None,
        Ok(_) => Some("The record is JSON, but not an object.".to_owned()),
    }
}

/// A record that can't move a terminal's cursor, and isn't longer than a few lines.
fn shown(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    let start: String = text.chars().take(SHOWN).collect();
    let more = match text.chars().nth(SHOWN) {
        Some(_) => format!("… ({} bytes; --format jsonl has all)", data.len()),
        None => String::new(),
    };
    escape(&start) + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "errors/processing-failed/2026/11/24/12/kinesis-stack-dev-1-2026-11-24-12-05-31-x";

    fn record(line: &str) -> FailedRecord {
        FailedRecord::of(&serde_json::from_str(line).unwrap(), KEY, "errors/")
    }

    fn line(code: &str, data: &[u8]) -> String {
        let data = base64::encode(data);
        format!(
            r#"{{"attemptsMade":1,"arrivalTimestamp":1795608331000,"errorCode":"{code}","errorMessage":"m","attemptEndingTimestamp":1795608400000,"rawData":"{data}","lambdaArn":"arn:f"}}"#
        )
    }

    #[test]
    fn a_record_is_told_with_its_reason_its_data_and_where_it_lies() {
        let record = record(&line("Lambda.ProcessingFailedStatus", b"oops \"x\""));
        let fields = record.fields(KEY);
        assert_eq!(fields["arrived"], "2026-11-25T12:05:31Z");
        assert_eq!(fields["error_type"], "processing-failed");
        assert_eq!(fields["data"], "oops \"x\"");
        assert_eq!(fields["why"], "The record is not JSON: expected value at line 1 column 1.");
        assert_eq!((fields["attempts"].as_u64(), fields["object"].as_str()), (Some(1), Some(KEY)));
        let expected = "\
2026-11-25 12:05:31  Lambda.ProcessingFailedStatus, tried once
  The record is not JSON: expected value at line 1 column 1.
  oops \"x\"
";
        assert_eq!(record.words(), expected);
    }

    #[test]
    fn what_a_record_is_that_was_refused_is_said_and_else_what_its_code_means() {
        let why = |code: &str, data: &[u8]| record(&line(code, data)).why();
        let refused = "Lambda.ProcessingFailedStatus";
        assert_eq!(why(refused, b"\xff\xfe"), "The record is not UTF-8.");
        assert_eq!(why(refused, b"[1]"), "The record is JSON, but not an object.");
        assert!(why(refused, b"{}").starts_with("The processor answered ProcessingFailed"));
        assert!(why("Lambda.FunctionError", b"[1]").contains("ended with an error"));
        assert_eq!(why("Something.New", b""), "m");
    }

    #[test]
    fn bytes_that_are_no_text_are_told_in_base64_and_cannot_move_a_cursor() {
        let record = record(&line("x", b"\xff\x1b[2J"));
        assert_eq!(record.fields(KEY)["data_base64"], "/xtbMko=");
        assert!(!record.words().contains('\u{1b}'), "{:?}", record.words());
    }

    #[test]
    fn other_shapes_that_are_documented_are_read_too() {
        let conversion = record(
            r#"{"attemptsMade":"2","arrivalTimestamp":"1795608331000","lastErrorCode":"DataFormatConversion.MalformedData","lastErrorMessage":"bad","rawData":"e30=","lambdaARN":"arn:g"}"#,
        );
        assert_eq!(
            (conversion.code.as_str(), conversion.attempts),
            ("DataFormatConversion.MalformedData", Some(2))
        );
        assert_eq!(
            (conversion.data.as_deref(), conversion.function.as_deref()),
            (Some(&b"{}"[..]), Some("arn:g"))
        );
        let nothing = record("{}");
        assert_eq!(nothing.why(), "Firehose gives no reason.");
        assert!(nothing.words().contains("its data is not told"));
        let broken = record(r#"{"rawData":"***"}"#);
        assert_eq!(broken.data, None);
        let long = record(&line("x", "ü".repeat(500).as_bytes()));
        assert!(long.words().contains("… (1000 bytes; --format jsonl has all)"));
    }
}
