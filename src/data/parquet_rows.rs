//! Rows of a Parquet file, as JSON objects.

use super::rows::{Fields, Piece};
use anyhow::Result;
use aws_smithy_types::base64;
use jiff::Timestamp;
use parquet::errors::ParquetError;
use parquet::file::reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use serde_json::{Number, Value};
use std::fs::File;

/// After so many rows somebody else gets a turn: a signal has to be heard.
const TURN: usize = 1_024;

/// The rows of a file.
pub(super) struct ParquetRows(RowIter<'static>);

impl ParquetRows {
    pub(super) fn open(file: File) -> Result<Self, ParquetError> {
        Ok(ParquetRows(SerializedFileReader::new(file)?.into_iter()))
    }

    /// Hands every row to `each`, and stops at its first error.
    pub(super) async fn read(self, each: &mut impl FnMut(Piece<'_>) -> Result<()>) -> Result<()> {
        for (place, row) in self.0.enumerate() {
            if place % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            match row {
                Ok(row) => {
                    let fields = fields(&row);
                    let text = serde_json::to_string(&fields)?;
                    each(Piece::Row(&text, fields))?;
                }
                Err(error) => return each(Piece::Broken(&format!("its Parquet is damaged: {error}"))),
            }
        }
        Ok(())
    }
}

fn fields(row: &Row) -> Fields {
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

/// Moments are told in RFC 3339, bytes that are no text in base64, and what JSON has no number for as text.
fn value(field: &Field) -> Value {
    let float = |value: f64| Number::from_f64(value).map_or(Value::Null, Value::Number);
    let moment = |moment: Result<Timestamp, jiff::Error>| {
        moment.map_or_else(|_| field.to_string().into(), |moment| moment.to_string().into())
    };
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float16(value) => float(f64::from(*value)),
        // By its shortest text: 65.06, not 65.05999755859375.
        Field::Float(value) => float(value.to_string().parse().unwrap_or(f64::from(*value))),
        Field::Double(value) => float(*value),
        Field::Str(text) => text.as_str().into(),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => base64::encode(bytes.data()).into(),
        },
        Field::TimestampMillis(value) => moment(Timestamp::from_millisecond(*value)),
        Field::TimestampMicros(value) => moment(Timestamp::from_microsecond(*value)),
        Field::Date(_) | Field::TimeMillis(_) | Field::TimeMicros(_) | Field::Decimal(_) => {
            field.to_string().into()
        }
        Field::Group(row) => Value::Object(fields(row)),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            let key = |key: &Field| match value(key) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(map.entries().iter().map(|(name, field)| (key(name), value(field))).collect())
        }
    }
}
