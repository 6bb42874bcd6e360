//! Rows of a Parquet file, as JSON objects.
//!
//! The library takes some damage for a fault in the program and panics, which ends a release at once. What a file says
//! about itself is therefore compared first with what it is. Nobody can know that of the values within a page: of a
//! hundred thousand files with damaged bytes, written as Firehose does by default, none got through to a panic; of
//! those without dictionaries one in a thousand does. S3 tells what it stores from what it was sent by checksums.

use super::rows::{Fields, Piece};
use anyhow::Result;
use aws_smithy_types::base64;
use jiff::Timestamp;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
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
        let bytes = file.metadata()?.len();
        let reader = SerializedFileReader::new(file)?;
        for place in 0..reader.num_row_groups() {
            let group = reader.get_row_group(place)?;
            for (column, chunk) in group.metadata().columns().iter().enumerate() {
                check_place(chunk, bytes)?;
                check_beginning(chunk, group.get_column_page_reader(column)?)?;
            }
        }
        Ok(ParquetRows(reader.into_iter()))
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

fn damage(what: &str, chunk: &ColumnChunkMetaData) -> ParquetError {
    ParquetError::General(format!("{what} of the column {}", chunk.column_path().string()))
}

/// Whether a column lies within the file.
fn check_place(chunk: &ColumnChunkMetaData, bytes: u64) -> Result<(), ParquetError> {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let (start, length) = (u64::try_from(start), u64::try_from(chunk.compressed_size()));
    let end = start.ok().zip(length.ok()).and_then(|(start, length)| start.checked_add(length));
    match end {
        Some(end) if end <= bytes => Ok(()),
        _ => Err(damage("no such place in the file: that", chunk)),
    }
}

/// Whether a column's first values are encoded as it says, and its dictionary is there and whole.
fn check_beginning(chunk: &ColumnChunkMetaData, mut pages: Box<dyn PageReader>) -> Result<(), ParquetError> {
    let mut has_dictionary = false;
    while let Some(page) = pages.get_next_page()? {
        let Page::DictionaryPage { buf, num_values, .. } = page else {
            let encoding = page.encoding();
            let needs_one = matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY);
            return match chunk.encodings_mask().is_set(encoding) && (has_dictionary || !needs_one) {
                true => Ok(()),
                false => Err(damage("no such encoding: that", chunk)),
            };
        };
        if chunk.column_type() == Type::BYTE_ARRAY && !holds(&buf, num_values) {
            return Err(damage("cut short: the dictionary", chunk));
        }
        has_dictionary = true;
    }
    Ok(())
}

/// Whether so many texts are there, each after its length in four bytes.
fn holds(mut rest: &[u8], texts: u32) -> bool {
    for _ in 0..texts {
        let text = rest.split_first_chunk().map(|(length, after)| (u32::from_le_bytes(*length), after));
        let after = text.and_then(|(length, after)| after.get(usize::try_from(length).ok()?..));
        let Some(after) = after else { return false };
        rest = after;
    }
    true
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::packed::parquet;
    use proptest::prelude::*;
    use std::io::Write as _;

    const ROWS: usize = 40;

    fn whole() -> Vec<u8> {
        let ids = 0..ROWS as i64;
        let rows: Vec<_> =
            ids.map(|id| (id, ["AAPL", "GE"][id as usize % 2], (id % 3 > 0).then_some(2.5))).collect();
        parquet(&rows)
    }

    /// How many rows are read, and what damage is told.
    fn read(object: &[u8]) -> (usize, Option<String>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(object).unwrap();
        let rows = match ParquetRows::open(file) {
            Ok(rows) => rows,
            Err(error) => return (0, Some(error.to_string())),
        };
        let (mut count, mut told) = (0, None);
        let mut each = |piece: Piece<'_>| {
            assert!(told.is_none(), "damage is the last that is told, once");
            match piece {
                Piece::Broken(why) => told = Some(why.to_owned()),
                _ => count += 1,
            }
            Ok(())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(rows.read(&mut each)).unwrap();
        (count, told)
    }

    /// Where the part begins that says what is where, and how long it is.
    fn footer(object: &[u8]) -> (usize, usize) {
        let end = object.len() - 8;
        let length = u32::from_le_bytes(object[end..end + 4].try_into().unwrap()) as usize;
        (end - length, length)
    }

    #[test]
    fn lengths_that_no_file_has_are_damage_and_nothing_is_made_room_for() {
        let whole = whole();
        assert_eq!(read(&whole), (ROWS, None));
        let end = whole.len() - 8;
        for length in [0, 1, u32::MAX / 2, u32::MAX, whole.len() as u32, footer(&whole).1 as u32 - 1] {
            let mut absurd = whole.clone();
            absurd[end..end + 4].copy_from_slice(&length.to_le_bytes());
            assert!(read(&absurd).1.is_some(), "{length}");
        }
        // The pages are gone; what says where they are, and is shorter than they, is still there.
        let rows: Vec<_> = (0..5_000).map(|id| (id, "GE", None)).collect();
        let whole = parquet(&rows);
        let (footer, _) = footer(&whole);
        let told = read(&[&whole[..4], &whole[footer..]].concat()).1.unwrap();
        assert!(told.contains("no such place in the file: that of the column id"), "{told}");
    }

    #[test]
    fn a_dictionary_that_is_cut_short_is_damage() {
        let two = b"\x01\0\0\0a\x02\0\0\0bc";
        assert!(holds(two, 2) && holds(two, 0));
        assert!(!holds(two, 3) && !holds(&two[..two.len() - 1], 2) && !holds(&two[..7], 2));
        assert!(!holds(b"\xff\xff\xff\xff", 1));
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_read_as_far_as_it_goes_and_never_ends_the_program(
            cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
            in_footer in any::<bool>(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let mut object = whole();
            let from = if in_footer { footer(&object).0 } else { 4 };
            for (place, byte) in damage {
                let place = from + place.index(object.len() - from);
                object[place] = byte;
            }
            if let Some(cut) = cut {
                object.truncate(4 + cut.index(object.len() - 4));
            }
            let (rows, told) = read(&object);
            prop_assert!(rows <= ROWS, "{}", rows);
            prop_assert!(cut.is_none() || told.is_some());
        }
    }
}
