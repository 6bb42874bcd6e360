//! The workshop's trades: made up, but the same ones again from the same seed.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Every ticker with its mean price in dollars.
const TICKERS: [(&str, f64); 25] = [
    ("AAPL", 119.72),
    ("XOM", 91.56),
    ("GOOG", 527.83),
    ("BRK.A", 223_999.88),
    ("MSFT", 42.36),
    ("WFC", 54.21),
    ("JNJ", 99.78),
    ("WMT", 85.91),
    ("CHL", 66.96),
    ("GE", 24.64),
    ("NVS", 102.46),
    ("PG", 85.05),
    ("JPM", 57.82),
    ("RDS.A", 66.72),
    ("CVX", 110.43),
    ("PFE", 33.07),
    ("FB", 74.44),
    ("VZ", 49.09),
    ("PTR", 111.08),
    ("BUD", 120.39),
    ("ORCL", 43.40),
    ("KO", 41.23),
    ("T", 34.64),
    ("DIS", 101.73),
    ("AMZN", 370.56),
];

/// How far a price strays from its mean, as a fraction of it, to either side.
const SPREAD: f64 = 0.2;
const SELL_PROBABILITY: f64 = 0.4;
const MAX_QUANTITY: u32 = 10_000;

/// One trade. Its JSON has the fields in this order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trade {
    /// Which stock; also the record's partition key, so one stock's trades stay on one shard.
    pub ticker_symbol: &'static str,
    /// Bought or sold.
    pub trade_type: TradeType,
    /// Dollars a share, in whole cents.
    pub price: f64,
    /// Shares: 1 to 10,000.
    pub quantity: u32,
    /// 1, 2, 3, … within one producer.
    pub id: u64,
}

/// Which way the shares went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TradeType {
    /// Bought.
    Buy,
    /// Sold.
    Sell,
}

impl TradeType {
    /// As it stands in a trade.
    pub fn name(self) -> &'static str {
        match self {
            TradeType::Buy => "BUY",
            TradeType::Sell => "SELL",
        }
    }
}

impl fmt::Display for TradeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Trade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trade { ticker_symbol, trade_type, price, quantity, id } = self;
        write!(f, "ID {id}: {trade_type} {quantity} shares of {ticker_symbol} for ${price:.2}")
    }
}

/// An endless run of trades. Two runs from one seed are equal.
#[derive(Debug, Clone)]
pub struct Trades {
    random: fastrand::Rng,
    made: u64,
}

impl Trades {
    /// The run of trades that belongs to this seed; its ids start at 1.
    pub fn new(seed: u64) -> Self {
        Trades { random: fastrand::Rng::with_seed(seed), made: 0 }
    }
}

impl Iterator for Trades {
    type Item = Trade;

    fn next(&mut self) -> Option<Trade> {
        let (ticker_symbol, mean) = TICKERS[self.random.usize(..TICKERS.len())];
        let trade_type = if self.random.f64() < SELL_PROBABILITY { TradeType::Sell } else { TradeType::Buy };
        let price = mean * (1.0 + SPREAD * (2.0 * self.random.f64() - 1.0));
        let quantity = self.random.u32(1..=MAX_QUANTITY);
        self.made += 1;
        Some(Trade {
            ticker_symbol,
            trade_type,
            price: (price * 100.0).round() / 100.0,
            quantity,
            id: self.made,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_trade_reads_as_in_the_workshop() {
        let trade =
            Trade { ticker_symbol: "AAPL", trade_type: TradeType::Buy, price: 120.11, quantity: 1234, id: 7 };
        assert_eq!(trade.to_string(), "ID 7: BUY 1234 shares of AAPL for $120.11");
        let round = Trade { trade_type: TradeType::Sell, price: 120.0, ..trade };
        assert_eq!(round.to_string(), "ID 7: SELL 1234 shares of AAPL for $120.00");
    }

    #[test]
    fn the_json_has_the_workshops_names_and_order() {
        let trade = Trade {
            ticker_symbol: "RDS.A",
            trade_type: TradeType::Sell,
            price: 65.06,
            quantity: 2891,
            id: 1,
        };
        assert_eq!(
            serde_json::to_string(&trade).unwrap(),
            r#"{"tickerSymbol":"RDS.A","tradeType":"SELL","price":65.06,"quantity":2891,"id":1}"#
        );
    }

    #[test]
    fn every_ticker_is_as_likely_and_four_in_ten_are_sales() {
        const TRADES: u32 = 100_000;
        let (mut tickers, mut sales) = (BTreeMap::<_, u32>::new(), 0);
        for trade in Trades::new(1).take(TRADES as usize) {
            *tickers.entry(trade.ticker_symbol).or_default() += 1;
            sales += u32::from(trade.trade_type == TradeType::Sell);
        }
        assert_eq!(tickers.len(), 25);
        // Six standard deviations either way.
        assert!(tickers.values().all(|count| (3_628..=4_372).contains(count)), "{tickers:?}");
        assert!((39_070..=40_930).contains(&sales), "{sales} sales");
    }

    #[test]
    fn prices_fill_the_whole_spread() {
        let (mut low, mut high) = (f64::MAX, f64::MIN);
        for trade in Trades::new(2).take(100_000).filter(|trade| trade.ticker_symbol == "BRK.A") {
            (low, high) = (low.min(trade.price), high.max(trade.price));
        }
        assert!(low < 223_999.88 * 0.81 && high > 223_999.88 * 1.19, "{low}..{high}");
    }

    proptest! {
        #[test]
        fn every_trade_keeps_to_its_ranges(seed: u64) {
            for (trade, id) in Trades::new(seed).zip(1..=200) {
                let (_, mean) = TICKERS.iter().find(|(ticker, _)| *ticker == trade.ticker_symbol).unwrap();
                let cent = 0.01;
                prop_assert!(trade.price >= mean * 0.8 - cent && trade.price <= mean * 1.2 + cent);
                prop_assert_eq!(format!("{:.2}", trade.price).parse::<f64>().unwrap(), trade.price);
                prop_assert!((1..=10_000).contains(&trade.quantity));
                prop_assert_eq!(trade.id, id);
            }
        }

        #[test]
        fn a_seed_gives_the_same_trades_again(seed: u64) {
            prop_assert!(Trades::new(seed).take(50).eq(Trades::new(seed).take(50)));
        }
    }
}
