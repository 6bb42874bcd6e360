//! A record as it was read.

use crate::data::TradeType;
use aws_sdk_kinesis::types::Record;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::OnceCell;

/// A record, and which shard it came from. What its data means is found out once, and only where it is asked for.
pub struct Seen<'a> {
    pub(super) shard: &'a str,
    record: &'a Record,
    value: OnceCell<Option<Value>>,
}

/// A trade, as far as it is one.
pub(super) struct SeenTrade<'a> {
    pub(super) ticker_symbol: &'a str,
    pub(super) trade_type: TradeType,
    pub(super) price: Option<f64>,
    pub(super) quantity: Option<f64>,
    id: Option<&'a Value>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(shard: &'a str, record: &'a Record) -> Self {
        Seen { shard, record, value: OnceCell::new() }
    }

    pub(super) fn data(&self) -> &'a [u8] {
        self.record.data().as_ref()
    }

    pub(super) fn sequence_number(&self) -> &'a str {
        self.record.sequence_number()
    }

    pub(super) fn partition_key(&self) -> &'a str {
        self.record.partition_key().unwrap_or_default()
    }

    /// When the stream took it, RFC 3339, in milliseconds.
    pub(super) fn time(&self) -> String {
        let millis = self.record.approximate_arrival_timestamp().and_then(|time| time.to_millis().ok());
        let time = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        time.map(|time| format!("{time:.3}")).unwrap_or_default()
    }

    /// Its data, where that is JSON.
    pub(super) fn value(&self) -> Option<&Value> {
        self.value.get_or_init(|| serde_json::from_slice(self.data()).ok()).as_ref()
    }

    /// Its data as text.
    pub(super) fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.data())
    }

    pub(super) fn trade(&self) -> Option<SeenTrade<'_>> {
        let fields = self.value()?.as_object()?;
        Some(SeenTrade {
            ticker_symbol: fields.get("tickerSymbol")?.as_str()?,
            trade_type: TradeType::deserialize(fields.get("tradeType")?).ok()?,
            price: fields.get("price").and_then(Value::as_f64),
            quantity: fields.get("quantity").and_then(Value::as_f64),
            id: fields.get("id"),
        })
    }

    /// As the workshop prints it, where it is a whole trade.
    pub(super) fn line(&self) -> Option<String> {
        let trade = self.trade()?;
        let SeenTrade { ticker_symbol, trade_type, price, quantity, id } = trade;
        let id = id.and_then(Value::as_u64)?;
        let (price, quantity) = (price?, quantity.filter(|quantity| quantity.fract() == 0.0)?);
        Some(format!("ID {id}: {trade_type} {quantity} shares of {ticker_symbol} for ${price:.2}"))
    }
}

#[cfg(test)]
impl Seen<'static> {
    /// The record that a test has of this data, kept for good.
    pub(super) fn sample(data: &[u8]) -> Self {
        let record = Record::builder()
            .sequence_number("49590338271490256608559692538361571095921575989136588898")
            .partition_key("key")
            .approximate_arrival_timestamp(aws_smithy_types::DateTime::from_millis(1_790_000_000_123))
            .data(aws_smithy_types::Blob::new(data));
        Seen::new("shardId-000000000000", Box::leak(Box::new(record.build().unwrap())))
    }
}
