//! Objects as a delivery stream can write them: compressed, and as Parquet.

use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::io::Write;
use std::sync::Arc;

/// One gzip member.
pub(in crate::data) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A Parquet file with rows of an id, a stock and a price, compressed as Firehose does by default.
pub(in crate::data) fn parquet(rows: &[(i64, &str, Option<f64>)]) -> Vec<u8> {
    let schema =
        "message trade { required int64 id; required binary stockId (UTF8); optional double price; }";
    let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
    column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let stocks: Vec<ByteArray> = rows.iter().map(|row| row.1.into()).collect();
    column.typed::<ByteArrayType>().write_batch(&stocks, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let prices: Vec<f64> = rows.iter().filter_map(|row| row.2).collect();
    let there: Vec<i16> = rows.iter().map(|row| i16::from(row.2.is_some())).collect();
    column.typed::<DoubleType>().write_batch(&prices, Some(&there), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}
