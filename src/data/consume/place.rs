//! Where reading begins. Pure.

use aws_sdk_kinesis::types::ShardIteratorType;
use aws_smithy_types::DateTime;
use jiff::{SignedDuration, Timestamp};

/// Where to begin in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// What comes from now on.
    Latest,
    /// All that is there.
    TrimHorizon,
    /// What came at this time or later, by the stream's clock.
    Time(Timestamp),
    /// So long ago.
    Ago(std::time::Duration),
    /// The record with this number, and what comes after it. Only one shard knows a number: all others are read from
    /// the time on at which that record came.
    SequenceNumber(String),
}

impl From {
    /// As it is typed. Whether a time is yet to come is up to who knows the time.
    ///
    /// # Errors
    /// The rule, where it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_number = text.len() > 15 && text.bytes().all(|b| b.is_ascii_digit());
        match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "latest" => return Ok(From::Latest),
            "trim-horizon" => return Ok(From::TrimHorizon),
            _ if is_number => return Ok(From::SequenceNumber(text.to_owned())),
            _ => {}
        }
        if let Ok(ago) = crate::settings::value::duration(text) {
            return Ok(From::Ago(ago));
        }
        text.parse().map(From::Time).map_err(|_| {
            "it begins at latest, at trim-horizon, at a time (2026-11-26T09:00:00Z, or 10m for ten minutes ago) or at a \
             sequence number"
                .to_owned()
        })
    }

    /// The time that is meant, where one is.
    pub(super) fn time(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            From::Time(time) => Some(*time),
            From::Ago(ago) => {
                let ago = SignedDuration::try_from(*ago).ok()?;
                Some(now.checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH))
            }
            From::Latest | From::TrimHorizon | From::SequenceNumber(_) => None,
        }
    }
}

/// Where to begin, or go on, in a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Position {
    Latest,
    TrimHorizon,
    At(Timestamp),
    AtNumber(String),
    After(String),
}

impl Position {
    pub(super) fn kind(&self) -> ShardIteratorType {
        match self {
            Position::Latest => ShardIteratorType::Latest,
            Position::TrimHorizon => ShardIteratorType::TrimHorizon,
            Position::At(_) => ShardIteratorType::AtTimestamp,
            Position::AtNumber(_) => ShardIteratorType::AtSequenceNumber,
            Position::After(_) => ShardIteratorType::AfterSequenceNumber,
        }
    }

    pub(super) fn number(&self) -> Option<String> {
        match self {
            Position::AtNumber(number) | Position::After(number) => Some(number.clone()),
            _ => None,
        }
    }

    pub(super) fn timestamp(&self) -> Option<DateTime> {
        match self {
            Position::At(time) => Some(DateTime::from_millis(time.as_millisecond())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_place_is_a_name_a_time_a_time_ago_or_a_number() {
        let number = "49590338271490256608559692538361571095921575989136588898";
        for (text, from) in [
            ("latest", From::Latest),
            ("TRIM_HORIZON", From::TrimHorizon),
            ("10m", From::Ago(Duration::from_secs(600))),
            ("2026-11-26T09:00:00Z", From::Time("2026-11-26T09:00:00Z".parse().unwrap())),
            ("2026-11-26T10:00:00+01:00", From::Time("2026-11-26T09:00:00Z".parse().unwrap())),
            (number, From::SequenceNumber(number.to_owned())),
        ] {
            assert_eq!(From::parse(text), Ok(from), "{text}");
        }
        for text in ["", "newest", "10", "2026-11-26", "-10m", "4959033x"] {
            assert!(From::parse(text).is_err_and(|rule| rule.contains("trim-horizon")), "{text}");
        }
    }

    #[test]
    fn a_time_ago_never_lies_before_all_time() {
        let now: Timestamp = "2026-11-26T09:00:00Z".parse().unwrap();
        let time = |text| From::parse(text).unwrap().time(now).unwrap().to_string();
        assert_eq!(time("90s"), "2026-11-26T08:58:30Z");
        assert_eq!(time("36500d"), "1970-01-01T00:00:00Z");
    }
}
