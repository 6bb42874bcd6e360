//! What is produced: made-up trades, or somebody's own lines.

use super::lines::{Lines, Look};
use crate::data::trade::{Trade, Trades};
use anyhow::{Context as _, Result};

/// Where records come from.
#[derive(Debug)]
pub enum Source {
    /// The workshop's trades, made from this seed. The value of the field is the partition key.
    Trades {
        /// The same seed makes the same trades.
        seed: u64,
        /// Which field is the partition key.
        key: TradeField,
    },
    /// Lines of JSON.
    Lines(Lines),
}

/// A field of a trade.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TradeField {
    /// `tickerSymbol`
    #[default]
    TickerSymbol,
    /// `tradeType`
    TradeType,
    /// `price`
    Price,
    /// `quantity`
    Quantity,
    /// `id`
    Id,
}

impl std::str::FromStr for TradeField {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "tickerSymbol" => TradeField::TickerSymbol,
            "tradeType" => TradeField::TradeType,
            "price" => TradeField::Price,
            "quantity" => TradeField::Quantity,
            "id" => TradeField::Id,
            _ => return Err("a trade has tickerSymbol, tradeType, price, quantity and id".to_owned()),
        })
    }
}

/// The same while it is being read.
pub(super) enum Supply {
    Trades { trades: Trades, key: TradeField, data: Vec<u8>, text: String },
    Lines(Lines),
}

/// The next record, as far as it is known without waiting.
pub(super) enum Next<'a> {
    Record {
        data: &'a [u8],
        key: &'a str,
    },
    /// It hasn't been written yet.
    NotYet,
    /// There is none.
    End,
}

impl Supply {
    pub(super) fn new(source: Source) -> Self {
        match source {
            Source::Trades { seed, key } => {
                Supply::Trades { trades: Trades::new(seed), key, data: Vec::new(), text: String::new() }
            }
            Source::Lines(lines) => Supply::Lines(lines),
        }
    }

    pub(super) fn next(&mut self) -> Result<Next<'_>> {
        match self {
            Supply::Trades { trades, key, data, text } => {
                let Some(trade) = trades.next() else { return Ok(Next::End) };
                data.clear();
                serde_json::to_writer(&mut *data, &trade).context("cannot write a trade as JSON")?;
                Ok(Next::Record { data, key: text_of(&trade, *key, text) })
            }
            Supply::Lines(lines) => Ok(match lines.next()? {
                Look::Line { data, key } => Next::Record { data, key },
                Look::NotYet => Next::NotYet,
                Look::End => Next::End,
            }),
        }
    }

    /// Waits until something else than [`Next::NotYet`] is known.
    pub(super) async fn ready(&mut self) {
        match self {
            Supply::Trades { .. } => {}
            Supply::Lines(lines) => lines.ready().await,
        }
    }
}

fn text_of<'a>(trade: &Trade, field: TradeField, text: &'a mut String) -> &'a str {
    text.clear();
    match field {
        TradeField::TickerSymbol => return trade.ticker_symbol,
        TradeField::TradeType => return trade.trade_type.name(),
        TradeField::Price => text.push_str(&trade.price.to_string()),
        TradeField::Quantity => text.push_str(&trade.quantity.to_string()),
        TradeField::Id => text.push_str(&trade.id.to_string()),
    }
    text
}
