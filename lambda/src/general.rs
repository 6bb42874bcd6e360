//! The general path: any JSON object, step by step as the workshop's Python does it.

use std::{borrow::Cow, fmt};

use indexmap::{IndexMap, map::Entry};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{Reason, firehose::json::unescape, number, record::Rule, time::TradeTime};

/// Appends the row, or nothing if the text is not a JSON object.
pub(crate) fn transform(text: &str, now: &TradeTime, row: &mut Vec<u8>) -> Result<(), Reason> {
    let Object(mut object) = parse(text)?;
    if let Some(symbol) = object.shift_remove("tickerSymbol") {
        set(&mut object, "stockId", "\"stockId\"", symbol.value);
    }
    set(&mut object, "tradeTime", "\"tradeTime\"", now.as_str());

    row.push(b'{');
    for (index, (key, field)) in object.iter().enumerate() {
        if index > 0 {
            row.extend_from_slice(b", ");
        }
        row.extend_from_slice(field.key.as_bytes());
        row.extend_from_slice(b": ");
        match Rule::of(key.as_bytes()) {
            Rule::Float => number::float(field.value.as_bytes(), row),
            Rule::Integer => number::integer(field.value.as_bytes(), row),
            Rule::Keep | Rule::Symbol | Rule::Written => copy(field.value, row),
        }
    }
    row.push(b'}');
    Ok(())
}

fn parse(text: &str) -> Result<Object<'_>, Reason> {
    serde_json::from_str(text).map_err(|_| match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Reason::NotAnObject,
        Err(_) => Reason::NotJson,
    })
}

/// `object[name] = value`
fn set<'a>(object: &mut Fields<'a>, name: &'static str, key: &'static str, value: &'a str) {
    object.entry(Cow::Borrowed(name)).or_insert(Field { key, value }).value = value;
}

/// Key and value as JSON tokens. Tokens keep what parsed values would lose: digits of
/// long numbers, lone surrogates, and the depth that a recursive parser has to refuse.
struct Field<'a> {
    key: &'a str,
    value: &'a str,
}

/// Behaves like a `dict`: by decoded key, in the order of first insertion.
type Fields<'a> = IndexMap<Cow<'a, str>, Field<'a>>;

struct Object<'a>(Fields<'a>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor).map(Self)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::new();
        while let Some((key, value)) = entries.next_entry::<&'de RawValue, &'de RawValue>()? {
            let (key, value) = (key.get(), value.get());
            // A key with a lone surrogate has no UTF-8 form; its token stands for it.
            let name = unescape(key.as_bytes()).unwrap_or(Cow::Borrowed(key));
            match fields.entry(name) {
                Entry::Occupied(mut field) => field.get_mut().value = value,
                Entry::Vacant(place) => drop(place.insert(Field { key, value })),
            }
        }
        Ok(fields)
    }
}

/// Copies valid JSON in the spacing of Python's `json.dumps`, which also makes it one
/// line: a JSON string can't hold a raw newline.
fn copy(json: &str, row: &mut Vec<u8>) {
    let mut in_string = false;
    let mut escaped = false;
    for &byte in json.as_bytes() {
        if in_string {
            row.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b',' | b':' => row.extend_from_slice(&[byte, b' ']),
            _ => {
                row.push(byte);
                in_string = byte == b'"';
            }
        }
    }
}
