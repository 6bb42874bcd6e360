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
            Show::Json => writeln!(out, "{}", spell_controls(&object(seen).to_string())),
            Show::Count => Ok(()),
        }
    }
}

/// The record as one object. Its data as it is where it is JSON, else as base64.
fn object(seen: &Seen<'_>) -> serde_json::Value {
    let mut object = json!({
        "shard": seen.shard,
        "sequenceNumber": seen.sequence_number(),
        "partitionKey": seen.partition_key(),
        "time": seen.time(),
    });
    match seen.value() {
        Some(value) => object["data"] = value.clone(),
        None => object["base64"] = aws_smithy_types::base64::encode(seen.data()).into(),
    }
    object
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
}
