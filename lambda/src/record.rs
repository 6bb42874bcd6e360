//! One record: decoded bytes in, a row out.

use crate::{Reason, flat, general, time::TradeTime};

/// Appends the row to `row`, which is empty, and left so if there is none.
#[inline]
pub(crate) fn transform(data: &[u8], now: &TradeTime, row: &mut Vec<u8>) -> Result<(), Reason> {
    if flat::transform(data, now, row).is_some() {
        return Ok(());
    }
    row.clear();
    let text = std::str::from_utf8(data).map_err(|_| Reason::NotUtf8)?;
    general::transform(text, now, row)
}

/// What the transform does with a top-level field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Becomes `stockId`.
    Symbol,
    /// The transform writes this field itself.
    Written,
    Float,
    Integer,
    Keep,
}

impl Rule {
    pub(crate) fn of(key: &[u8]) -> Self {
        match key {
            b"tickerSymbol" => Self::Symbol,
            b"stockId" | b"tradeTime" => Self::Written,
            b"price" => Self::Float,
            b"quantity" | b"id" => Self::Integer,
            _ => Self::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;
    use crate::generate;

    fn both(text: &str) -> (Option<String>, Option<String>) {
        let now = TradeTime::at(UNIX_EPOCH);
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        let fast = flat::transform(text.as_bytes(), &now, &mut fast).map(|()| fast);
        let slow = general::transform(text, &now, &mut slow).ok().map(|()| slow);
        let string = |row| String::from_utf8(row).unwrap();
        (fast.map(string), slow.map(string))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn the_fast_path_gives_up_or_agrees(text in generate::record()) {
            if let (Some(fast), slow) = both(&text) {
                prop_assert_eq!(Some(fast), slow);
            }
        }

        #[test]
        fn a_trade_takes_the_fast_path(text in generate::trade()) {
            let (fast, slow) = both(&text);
            prop_assert!(fast.is_some());
            prop_assert_eq!(fast, slow);
        }
    }
}
