//! A record as it is shown: as the workshop did, as JSON, or through a template.

use super::read::Seen;
use super::template::Template;
use crate::data::spell_controls;
use serde_json::json;
use std::borrow::Cow;
use std::io::{self, Write};

/// How records are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// `ID 7: BUY 1234 shares of AAPL for $120.11`; what is no trade as its text.
    Text,
    /// A JSON object a line.
    Json,
    /// A line of one's own.
    Template(Template),
    /// Not at all: they are counted.
    Count,
}

impl Show {
    pub(super) fn write(&self, seen: &Seen<'_>, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Show::Text => match seen.line() {
                Some(line) => writeln!(out, "{}", plain(&line)),
                None => writeln!(out, "{}", plain(&seen.text())),
            },
            Show::Template(template) => writeln!(out, "{}", template.render(seen)),
            Show::Json => writeln!(out, "{}", spell_controls(&object(seen))),
            Show::Count => Ok(()),
        }
    }
}

/// The record as one object. Its data as it is where it is JSON, else as base64.
fn object(seen: &Seen<'_>) -> String {
    let (name, data) = match seen.value() {
        // Not written anew: numbers keep each digit, also those that no float has.
        Some(_) => ("data", in_one_line(&seen.text())),
        None => ("base64", json!(aws_smithy_types::base64::encode(seen.data())).to_string()),
    };
    let mut object = json!({
        "shard": seen.shard,
        "sequenceNumber": seen.sequence_number(),
        "partitionKey": seen.partition_key(),
        "time": seen.time(),
    })
    .to_string();
    object.truncate(object.len() - "}".len());
    object + &format!(",\"{name}\":{data}}}")
}

/// JSON without the white space between its parts.
fn in_one_line(json: &str) -> String {
    let (mut within, mut escaped) = (false, false);
    let stays = |c: &char| {
        match c {
            '"' if !escaped => within = !within,
            ' ' | '\t' | '\n' | '\r' if !within => return false,
            _ => {}
        }
        escaped = within && *c == '\\' && !escaped;
        true
    };
    json.chars().filter(stays).collect()
}

/// A record is one line, and can't move a terminal's cursor.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().flat_map(|c| {
        let escape = c.is_control().then(|| c.escape_default());
        escape.into_iter().flatten().chain((!c.is_control()).then_some(c))
    });
    Cow::Owned(escaped.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(show: &Show, data: &[u8]) -> String {
        let mut out = Vec::new();
        show.write(&Seen::sample(data), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_trade_reads_as_in_the_workshop_and_anything_else_as_its_text() {
        let trade = br#"{"tickerSymbol":"AAPL","tradeType":"BUY","price":120.11,"quantity":1234,"id":7}"#;
        assert_eq!(shown(&Show::Text, trade), "ID 7: BUY 1234 shares of AAPL for $120.11\n");
        for text in ["plain", r#"{"tickerSymbol":"AAPL","tradeType":"BUY"}"#, "[1]", "\u{e9}"] {
            assert_eq!(shown(&Show::Text, text.as_bytes()), format!("{text}\n"));
        }
        assert_eq!(shown(&Show::Text, b"\x1b[2Ja\nb\xff"), "\\u{1b}[2Ja\\nb\u{fffd}\n");
    }

    #[test]
    fn as_json_a_record_is_one_object_a_line() {
        let start = "{\"shard\":\"shardId-000000000000\",\
             \"sequenceNumber\":\"49590338271490256608559692538361571095921575989136588898\",\
             \"partitionKey\":\"key\",\"time\":\"2026-09-21T14:13:20.123Z\",";
        assert_eq!(
            shown(&Show::Json, b"{\"a\": \"x\\ny\"}"),
            format!("{start}\"data\":{{\"a\":\"x\\ny\"}}}}\n")
        );
        let moves = "{\"a\":\"\u{9b}2J\"}".as_bytes();
        assert_eq!(shown(&Show::Json, moves), format!("{start}\"data\":{{\"a\":\"\\u009b2J\"}}}}\n"));
        assert_eq!(shown(&Show::Json, b"no"), format!("{start}\"base64\":\"bm8=\"}}\n"));
    }

    #[test]
    fn as_json_data_keeps_each_digit_and_all_else_but_the_white_space_between_its_parts() {
        let data = |text: &str| {
            let line = shown(&Show::Json, text.as_bytes());
            line.split_once("\"data\":").unwrap().1.strip_suffix("}\n").unwrap().to_owned()
        };
        assert_eq!(
            data("\r\n[ 123456789012345678901234567890,\t0.12345678901234567890123, -0, 1.50e3 ]\n"),
            "[123456789012345678901234567890,0.12345678901234567890123,-0,1.50e3]"
        );
        let quoted = r#"{"a \" b": "c\\", "d": [ " } ", "\u00e9 é" ]}"#;
        assert_eq!(data(quoted), r#"{"a \" b":"c\\","d":[" } ","\u00e9 é"]}"#);
    }

    proptest! {
        #[test]
        fn as_json_a_record_means_what_it_meant(cells in prop::collection::btree_map(".{0,6}", ".{0,9}", 0..5)) {
            let record = serde_json::to_string_pretty(&cells).unwrap();
            let line = shown(&Show::Json, record.as_bytes());
            prop_assert_eq!(line.matches('\n').count(), 1);
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&read["data"], &json!(cells));
            prop_assert_eq!(read["partitionKey"].as_str(), Some("key"));
        }
    }
}
