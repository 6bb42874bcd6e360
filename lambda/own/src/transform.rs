//! What becomes of a record. This is the file to change.

use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Makes the row of a record: one line of JSON, without a newline at its end, which Firehose adds.
///
/// `None` leaves the record out. An error puts it under the bucket's error prefix, as it came; its text is logged, so it
/// says what is wrong and never what is in the record.
pub fn transform(record: &[u8], now: SystemTime) -> Result<Option<Vec<u8>>, &'static str> {
    let mut row: Map<String, Value> = serde_json::from_slice(record).map_err(|_| "not a JSON object")?;

    if let Some(symbol) = row.shift_remove("tickerSymbol") {
        row.insert("stockId".to_owned(), symbol);
    }
    let now = Timestamp::try_from(now).map_err(|_| "no time of this calendar")?;
    row.insert("tradeTime".to_owned(), now.strftime("%Y-%m-%d %H:%M:%S").to_string().into());

    let row = serde_json::to_vec(&row).map_err(|_| "a row that is no JSON")?;
    Ok(Some(row))
}
