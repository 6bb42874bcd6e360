//! A line of one's own for each record. Pure.

use super::read::Seen;
use super::show::plain;
use serde_json::Value;
use std::fmt::Write as _;

/// A template, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Shard,
    SequenceNumber,
    PartitionKey,
    Time,
    /// All of the data, or what its fields on this way hold.
    Data(Vec<String>),
}

impl Template {
    /// Reads one: text as it is, and names in braces. A brace that is meant as such stands twice.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    plain.push(c);
                }
                '{' => {
                    let rest_of_it: String = rest.clone().collect();
                    let Some((name, _)) = rest_of_it.split_once('}') else {
                        return Err("a brace that is opened has to be closed".to_owned());
                    };
                    rest.nth(name.chars().count());
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::parse(name)?);
                }
                '}' => return Err("a brace that is meant as such stands twice: }}".to_owned()),
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Template(pieces))
    }

    pub(super) fn render(&self, seen: &Seen<'_>) -> String {
        let mut line = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => line.push_str(text),
                Piece::Shard => line.push_str(seen.shard),
                Piece::SequenceNumber => line.push_str(seen.sequence_number()),
                Piece::PartitionKey => line.push_str(&plain(seen.partition_key())),
                Piece::Time => line.push_str(&seen.time()),
                Piece::Data(way) if way.is_empty() => line.push_str(&plain(&seen.text())),
                Piece::Data(way) => match found(seen.value(), way) {
                    None | Some(Value::Null) => {}
                    Some(Value::String(text)) => line.push_str(&plain(text)),
                    Some(other) => {
                        let _ = write!(line, "{other}");
                    }
                },
            }
        }
        line
    }
}

impl Piece {
    fn parse(name: &str) -> Result<Self, String> {
        Ok(match name.split_once('.').unwrap_or((name, "")) {
            ("shard", "") => Piece::Shard,
            ("sequenceNumber", "") => Piece::SequenceNumber,
            ("partitionKey", "") => Piece::PartitionKey,
            ("time", "") => Piece::Time,
            ("data", "") if name == "data" => Piece::Data(Vec::new()),
            ("data", way) if way.split('.').all(|field| !field.is_empty()) => {
                Piece::Data(way.split('.').map(str::to_owned).collect())
            }
            _ => {
                return Err(format!(
                    "{{{name}}} is none of {{shard}}, {{sequenceNumber}}, {{partitionKey}}, {{time}}, {{data}} and \
                     {{data.FIELD}}"
                ));
            }
        })
    }
}

/// What the fields on this way hold. A number is a place in a list.
fn found<'a>(value: Option<&'a Value>, way: &[String]) -> Option<&'a Value> {
    way.iter().try_fold(value?, |value, field| match value {
        Value::Array(list) => list.get(field.parse::<usize>().ok()?),
        other => other.get(field),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, data: &str) -> String {
        Template::parse(template).unwrap().render(&Seen::sample(data.as_bytes()))
    }

    #[test]
    fn names_in_braces_become_what_the_record_has() {
        let data = r#"{"a": "x", "n": {"list": [1, {"b": true}]}, "none": null}"#;
        assert_eq!(
            render("{shard} {time} {partitionKey}", data),
            "shardId-000000000000 2026-09-21T14:13:20.123Z key"
        );
        assert_eq!(render("{data.a}|{data.n.list.1.b}|{data.none}|{data.c.d}|", data), "x|true|||");
        assert_eq!(render("{data}", data), data);
        assert_eq!(render("{{{data.a}}}", data), "{x}");
        assert_eq!(render("{data.a}", "not JSON"), "");
        assert!(render("{sequenceNumber}", data).starts_with("4959"));
    }

    #[test]
    fn a_name_that_is_none_breaks_the_rule() {
        for text in ["{shards}", "{}", "{data.}", "{data..a}", "{shard.a}", "a}", "{time"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        assert!(Template::parse("{nope}").unwrap_err().starts_with("{nope} is none of {shard}"));
    }
}
