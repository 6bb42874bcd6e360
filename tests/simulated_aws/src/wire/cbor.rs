//! As much of CBOR as CloudWatch speaks.

use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use aws_smithy_cbor::{Decoder, Encoder};
use aws_smithy_types::DateTime;
use serde_json::{Map, Value};

/// `{TIME: seconds since 1970}` is written as a time.
pub const TIME: &str = "$time";

/// A body as JSON; times are numbers of seconds. What can't be read is null.
pub fn read(body: &[u8]) -> Value {
    value(&mut Decoder::new(body)).unwrap_or_default()
}

fn value(decoder: &mut Decoder) -> Result<Value, DeserializeError> {
    Ok(match decoder.datatype()? {
        Type::Map | Type::MapIndef => {
            let (mut left, mut fields) = (decoder.map()?, Map::new());
            while goes_on(decoder, &mut left)? {
                let key = decoder.str()?.into_owned();
                fields.insert(key, value(decoder)?);
            }
            Value::Object(fields)
        }
        Type::Array | Type::ArrayIndef => {
            let (mut left, mut items) = (decoder.list()?, Vec::new());
            while goes_on(decoder, &mut left)? {
                items.push(value(decoder)?);
            }
            Value::Array(items)
        }
        Type::String | Type::StringIndef => decoder.str()?.into_owned().into(),
        Type::Bool => decoder.boolean()?.into(),
        Type::Tag => decoder.timestamp()?.as_secs_f64().into(),
        Type::F16 | Type::F32 | Type::F64 => decoder.double()?.into(),
        Type::Null | Type::Undefined => {
            decoder.skip()?;
            Value::Null
        }
        _ => decoder.long()?.into(),
    })
}

/// Whether a list or a map has one more, of whose length only some tell.
fn goes_on(decoder: &mut Decoder, left: &mut Option<u64>) -> Result<bool, DeserializeError> {
    match left {
        Some(0) => Ok(false),
        Some(left) => {
            *left -= 1;
            Ok(true)
        }
        None if decoder.datatype()? == Type::Break => {
            decoder.set_position(decoder.position() + 1);
            Ok(false)
        }
        None => Ok(true),
    }
}

/// JSON as a body.
pub fn written(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder, value);
    encoder.into_writer()
}

fn write(encoder: &mut Encoder, value: &Value) {
    match value {
        Value::Object(fields) => match fields.get(TIME).and_then(Value::as_i64) {
            Some(seconds) => drop(encoder.timestamp(&DateTime::from_secs(seconds))),
            None => {
                encoder.begin_map();
                for (key, value) in fields {
                    encoder.str(key);
                    write(encoder, value);
                }
                encoder.end();
            }
        },
        Value::Array(items) => {
            encoder.begin_array();
            items.iter().for_each(|item| write(encoder, item));
            encoder.end();
        }
        Value::String(text) => drop(encoder.str(text)),
        Value::Bool(it) => drop(encoder.boolean(*it)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => drop(encoder.long(number)),
            None => drop(encoder.double(number.as_f64().unwrap_or_default())),
        },
        Value::Null => drop(encoder.null()),
    }
}
