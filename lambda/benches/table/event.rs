//! Events as Firehose sends them, the same in every run.

use std::fmt::Write as _;

const EVENT_BYTES: usize = 4_500_000;
const SYMBOLS: [(&str, f64); 5] =
    [("AAPL", 119.72), ("BRK.A", 223_999.88), ("RDS.A", 66.72), ("T", 34.64), ("GOOG", 527.83)];

/// Trades that are the same in every run: no random numbers, only a mixed counter.
fn trade(id: usize) -> String {
    let mixed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    let (symbol, mean) = SYMBOLS[mixed % SYMBOLS.len()];
    let kind = if mixed % 10 < 4 { "SELL" } else { "BUY" };
    let price = (mean * (0.8 + (mixed % 4001) as f64 / 10_000.0) * 100.0).round() / 100.0;
    let quantity = mixed % 10_000 + 1;
    format!(
        r#"{{"tickerSymbol": "{symbol}", "tradeType": "{kind}", "price": {price:?}, "quantity": {quantity}, "id": {id}}}"#
    )
}

/// The event and the number of its records.
pub fn make(with_metadata: bool) -> (Vec<u8>, usize) {
    let mut event = String::from(
        r#"{"invocationId": "7aadc5cf-37dd-41e3-b554-18037ca12014", "deliveryStreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/KDS-S3-StockStream", "region": "us-east-1", "records": ["#,
    );
    let mut records = 0;
    while event.len() < EVENT_BYTES {
        if records > 0 {
            event.push_str(", ");
        }
        records += 1;
        let data = base64_simd::STANDARD.encode_to_string(trade(records));
        write!(
            event,
            r#"{{"recordId": "4954698668313554428650745793632162567570019247115678{records:08}", "approximateArrivalTimestamp": 1727948700123, "data": "{data}""#
        )
        .unwrap();
        if with_metadata {
            write!(
                event,
                r#", "kinesisRecordMetadata": {{"sequenceNumber": "4954698668313554428650745793632162567570019247115678{records:08}", "subsequenceNumber": 0, "partitionKey": "RDS.A", "shardId": "shardId-000000000000", "approximateArrivalTimestamp": 1727948700123}}"#
            )
            .unwrap();
        }
        event.push('}');
    }
    event.push_str("]}");
    (event.into_bytes(), records)
}
