//! The marked records: trades that nobody else sends, and what no processor should take for a trade.

use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// The field that a row has on top of its record's: the time of the transform.
const TRADE_TIME: &str = "tradeTime";
/// At least so many trades are sent, whatever the shards: one of each form.
const LEAST: usize = 3;
/// So many records that are no trades.
const BAD: usize = 2;

/// A record of this test.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Marked {
    /// The marker with the record's number: it stands in the record, in its row, and nowhere else.
    pub(super) marker: String,
    pub(super) data: Vec<u8>,
    /// Which shard it is sent to, by its place among the open ones.
    pub(super) shard: usize,
    /// The row that the built-in transform makes of it, without its time. `None` where it must make none.
    pub(super) row: Option<Map<String, Value>>,
}

impl Marked {
    pub(super) fn is_good(&self) -> bool {
        self.row.is_some()
    }

    /// Whether a row is the one that the built-in transform makes: each field, in its order, and the time of the
    /// transform at the end.
    pub(super) fn becomes(&self, row: &Map<String, Value>) -> bool {
        let (times, fields): (Vec<_>, Vec<_>) = row.iter().partition(|(name, _)| *name == TRADE_TIME);
        let has_time =
            matches!(times[..], [(_, Value::String(time))] if time.len() == "2024-10-03 09:45:20".len());
        has_time && self.row.as_ref().is_some_and(|expected| expected.iter().eq(fields))
    }
}

/// The records of one test: at least one trade for each shard, and, where `with_bad`, two that are none.
pub(super) fn marked(marker: &str, shards: usize, with_bad: bool) -> Vec<Marked> {
    let good = shards.max(LEAST);
    let bad = if with_bad { BAD } else { 0 };
    let record = |number: usize| {
        let marker = format!("{marker}-{number}");
        let data = match number.checked_sub(good) {
            None => trade(&marker, number).to_string(),
            Some(0) => format!("this is not JSON: {marker}"),
            Some(_) => json!([marker, "this is not a trade"]).to_string(),
        }
        .into_bytes();
        let row = processor::transform_record(&data, SystemTime::UNIX_EPOCH).ok();
        let row = row.and_then(|row| serde_json::from_slice::<Map<String, Value>>(&row).ok());
        let row = row.map(|row| row.into_iter().filter(|(name, _)| name != TRADE_TIME).collect());
        Marked { marker, data, shard: number % shards.max(1), row: row.filter(|_| number < good) }
    };
    (0..good + bad).map(record).collect()
}

/// A trade of nobody's: its ticker is its marker. Numbers come as numbers, as text, and as what is none.
fn trade(marker: &str, number: usize) -> Value {
    let id = number + 1;
    let (price, quantity) = match number % LEAST {
        0 => (json!(119.72), json!(100)),
        1 => (json!("119.72"), json!("100")),
        _ => (json!("no number"), json!(100.9)),
    };
    json!({
        "tickerSymbol": marker, "tradeType": "BUY", "price": price, "quantity": quantity, "id": id, "smokeTest": true
    })
}

/// The number of the record of this test that a text bears the marker of.
pub(super) fn number_in(text: &str, marker: &str) -> Option<usize> {
    let after = text.split_once(marker)?.1.strip_prefix('-')?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after.get(..digits)?.parse().ok()
}

/// The numbers of all records of this test that a text bears the markers of.
pub(super) fn numbers_in(text: &str, marker: &str) -> Vec<usize> {
    text.match_indices(marker).filter_map(|(at, _)| number_in(&text[at..], marker)).collect()
}

/// A marker that nobody else has: `smoke-` and 12 hexadecimal digits.
pub(super) fn fresh_marker() -> String {
    format!("smoke-{:012x}", fastrand::u64(..) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    const MARKER: &str = "smoke-00c0ffee1234";

    fn row(record: &Marked, second: u64) -> String {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        String::from_utf8(processor::transform_record(&record.data, time).unwrap()).unwrap()
    }

    #[test]
    fn each_shard_gets_a_trade_and_there_is_one_of_each_form() {
        for (shards, good) in [(1, 3), (2, 3), (5, 5), (500, 500)] {
            let records = marked(MARKER, shards, true);
            let trades = || records.iter().filter(|record| record.is_good());
            assert_eq!((trades().count(), records.len()), (good, good + 2));
            assert_eq!(trades().map(|record| record.shard).collect::<BTreeSet<_>>().len(), shards);
        }
        assert_eq!(marked(MARKER, 1, false).len(), 3);
    }

    #[test]
    fn a_trades_marker_survives_the_transform_and_tells_which_record_it_was() {
        for (number, record) in marked(MARKER, 12, false).iter().enumerate() {
            assert_eq!(number_in(&row(record, 1_800_000_000), MARKER), Some(number));
            assert_eq!(number_in(std::str::from_utf8(&record.data).unwrap(), MARKER), Some(number));
        }
        for other in ["", "{}", "smoke-00c0ffee1234", "smoke-00c0ffee1235-1", "smoke-00c0ffee1234-x"] {
            assert_eq!(number_in(other, MARKER), None, "{other}");
        }
    }

    #[test]
    fn what_is_deliberately_bad_is_refused_by_the_built_in_transform() {
        let records = marked(MARKER, 1, true);
        for bad in records.iter().filter(|record| !record.is_good()) {
            assert!(processor::transform_record(&bad.data, SystemTime::UNIX_EPOCH).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_row_counts_only_where_each_field_is_what_the_transform_makes() {
        let records = marked(MARKER, 1, false);
        let fields = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        for record in &records {
            assert!(record.becomes(&fields(&row(record, 1_800_000_000))), "whenever it was transformed");
            assert!(!record.becomes(&fields(std::str::from_utf8(&record.data).unwrap())), "not transformed");
        }
        let good = row(&records[1], 0);
        for (from, to) in [
            ("119.72", "119.73"),
            ("119.72", "\"119.72\""),
            ("\"quantity\": 100, ", ""),
            ("\"stockId\"", "\"tickerSymbol\""),
            (", \"tradeTime\": \"1970-01-01 00:00:00\"", ""),
            ("1970-01-01 00:00:00", "yesterday"),
            ("{", "{\"more\": 1, "),
        ] {
            let wrong = good.replace(from, to);
            assert_ne!(wrong, good, "{from}");
            assert!(!records[1].becomes(&fields(&wrong)), "{wrong}");
        }
        let moved = good.replace("{\"tradeType\": \"BUY\", ", "{").replace('}', ", \"tradeType\": \"BUY\"}");
        assert!(!records[1].becomes(&fields(&moved)), "the order counts: {moved}");
    }

    #[test]
    fn no_two_tests_have_the_same_marker() {
        let markers: BTreeSet<String> = (0..100).map(|_| fresh_marker()).collect();
        assert_eq!(markers.len(), 100);
        assert!(markers.iter().all(|marker| marker.len() == MARKER.len()));
    }
}
