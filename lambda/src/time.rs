//! The `tradeTime` of a row.

use std::time::SystemTime;

use jiff::Timestamp;

/// A time as it stands in the row: a JSON string, quotes included.
pub(crate) struct TradeTime([u8; 21]);

impl TradeTime {
    /// Times that have no year of four digits become 9999's last: no clock that Lambda offers tells them, and a late row
    /// beats a lost one.
    pub(crate) fn at(now: SystemTime) -> Self {
        let timestamp = Timestamp::try_from(now).ok().filter(|it| *it >= Timestamp::UNIX_EPOCH);
        let text = timestamp.unwrap_or(Timestamp::MAX).strftime("\"%Y-%m-%d %H:%M:%S\"").to_string();
        let token = text.as_bytes().try_into();
        Self(token.unwrap_or(*b"\"9999-12-30 22:00:00\""))
    }

    pub(crate) fn as_json(&self) -> &[u8; 21] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn is_utc_to_the_second_rounded_down() {
        let cases = [
            (0, "\"1970-01-01 00:00:00\""),
            (951_782_399_999, "\"2000-02-28 23:59:59\""),
            (951_782_400_000, "\"2000-02-29 00:00:00\""),
            (1_727_948_720_999, "\"2024-10-03 09:45:20\""),
            (4_107_542_399_000, "\"2100-02-28 23:59:59\""),
            (4_107_542_400_000, "\"2100-03-01 00:00:00\""),
        ];
        for (milliseconds, expected) in cases {
            let now = UNIX_EPOCH + Duration::from_millis(milliseconds);
            assert_eq!(TradeTime::at(now).as_str(), expected);
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_does_not_panic() {
        let now = UNIX_EPOCH + Duration::from_secs(1 << 62);
        assert!(TradeTime::at(now).as_str().starts_with("\"9999-12-30"));
    }
}
