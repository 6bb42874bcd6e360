//! What trades come to: the statistics that the workshop's consumer was meant to keep. Pure.

use super::read::Seen;
use crate::data::TradeType;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Statistics {
    /// All records.
    pub records: u64,
    /// Those that are trades: an object with `tickerSymbol`, and BUY or SELL as its `tradeType`.
    pub trades: u64,
    /// Those that aren't.
    pub others: u64,
    /// What was bought.
    pub buys: Side,
    /// What was sold.
    pub sells: Side,
}

/// Trades of one type.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Side {
    /// How many.
    pub trades: u64,
    /// Shares of all of them.
    #[serde(serialize_with = "exact")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub quantity: f64,
    /// Dollars: price times quantity of all of them. Written in whole cents.
    #[serde(serialize_with = "cents")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub value: f64,
    /// The ticker with most trades; of several, the first by name.
    pub popular: Option<String>,
    /// Trades a ticker.
    pub tickers: BTreeMap<String, u64>,
}

/// Beyond this a float no longer holds each whole number.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// A number without a fraction is written as such.
fn exact<S: Serializer>(number: &f64, to: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() < WHOLE {
        to.serialize_i64(*number as i64)
    } else {
        to.serialize_f64(*number)
    }
}

/// A sum of floats has more digits than money has.
fn cents<S: Serializer>(dollars: &f64, to: S) -> Result<S::Ok, S::Error> {
    let cents = (dollars * 100.0).round();
    // Where a cent is beyond what a float holds, it is as exact as it gets.
    to.serialize_f64(if cents.abs() < WHOLE { cents / 100.0 } else { *dollars })
}

impl Statistics {
    pub(super) fn count(&mut self, seen: &Seen<'_>) {
        self.records += 1;
        let Some(trade) = seen.trade() else {
            self.others += 1;
            return;
        };
        self.trades += 1;
        let side = match trade.trade_type {
            TradeType::Buy => &mut self.buys,
            TradeType::Sell => &mut self.sells,
        };
        side.count(trade.ticker_symbol, trade.price, trade.quantity);
    }
}

impl Side {
    fn count(&mut self, ticker: &str, price: Option<f64>, quantity: Option<f64>) {
        self.trades += 1;
        self.quantity += quantity.unwrap_or_default();
        self.value += price.unwrap_or_default() * quantity.unwrap_or_default();
        let mine = match self.tickers.get_mut(ticker) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => {
                self.tickers.insert(ticker.to_owned(), 1);
                1
            }
        };
        let most = self.popular.as_ref().map(|popular| (self.tickers[popular], popular.as_str()));
        if most.is_none_or(|(most, popular)| mine > most || mine == most && ticker < popular) {
            self.popular = Some(ticker.to_owned());
        }
    }

    /// How many trades the most popular ticker has.
    pub fn most(&self) -> u64 {
        self.popular.as_ref().and_then(|popular| self.tickers.get(popular)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Trades;
    use proptest::prelude::*;

    fn count<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Statistics {
        let mut statistics = Statistics::default();
        records.into_iter().for_each(|data| statistics.count(&Seen::sample(data)));
        statistics
    }

    #[test]
    fn counts_sums_and_the_most_popular_are_told_a_type() {
        let records = [
            r#"{"tickerSymbol":"AAPL","tradeType":"BUY","price":2.5,"quantity":10,"id":1}"#,
            r#"{"tickerSymbol":"AAPL","tradeType":"SELL","price":2,"quantity":5,"id":2}"#,
            r#"{"tickerSymbol":"KO","tradeType":"BUY","price":1,"quantity":3,"id":3}"#,
            r#"{"tickerSymbol":"KO","tradeType":"HOLD"}"#,
            "not a trade",
        ];
        let told = count(records.map(str::as_bytes));
        assert_eq!((told.records, told.trades, told.others), (5, 3, 2));
        assert_eq!((told.buys.trades, told.buys.quantity, told.buys.value), (2, 13.0, 28.0));
        // One each: the first by name.
        assert_eq!((told.buys.popular.as_deref(), told.buys.most()), (Some("AAPL"), 1));
        assert_eq!((told.sells.popular.as_deref(), told.sells.value), (Some("AAPL"), 10.0));
    }

    #[test]
    fn programs_read_shares_as_whole_numbers_and_dollars_in_cents() {
        let record = r#"{"tickerSymbol":"KO","tradeType":"BUY","price":0.1,"quantity":3}"#;
        let buys = serde_json::to_value(count([record.as_bytes()]).buys).unwrap();
        assert_eq!((buys["quantity"].to_string(), buys["value"].to_string()), ("3".into(), "0.3".into()));
        let half = r#"{"tickerSymbol":"KO","tradeType":"BUY","price":1,"quantity":0.5}"#;
        assert_eq!(serde_json::to_value(count([half.as_bytes()]).buys).unwrap()["quantity"], 0.5);
    }

    proptest! {
        #[test]
        fn they_are_those_of_the_trades_whatever_their_order(seed: u64, mixed: u64) {
            let mut trades: Vec<_> = Trades::new(seed).take(300).collect();
            let lines = |trades: &[crate::data::Trade]| -> Vec<Vec<u8>> {
                trades.iter().map(|trade| serde_json::to_vec(trade).unwrap()).collect()
            };
            let told = count(lines(&trades).iter().map(Vec::as_slice));
            fastrand::Rng::with_seed(mixed).shuffle(&mut trades);
            let again = count(lines(&trades).iter().map(Vec::as_slice));
            for (side, other, kind) in
                [(&told.buys, &again.buys, TradeType::Buy), (&told.sells, &again.sells, TradeType::Sell)]
            {
                let of_kind = || trades.iter().filter(|trade| trade.trade_type == kind);
                prop_assert_eq!(side.trades, of_kind().count() as u64);
                prop_assert_eq!(side.quantity, of_kind().map(|trade| f64::from(trade.quantity)).sum::<f64>());
                prop_assert_eq!(&side.popular, &other.popular);
                prop_assert_eq!(side.most(), side.tickers.values().copied().max().unwrap_or_default());
                prop_assert_eq!(&side.tickers, &other.tickers);
            }
        }
    }
}
