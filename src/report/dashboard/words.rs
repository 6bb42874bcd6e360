//! What a board says, in few letters.

use crate::data::logs::{self, LogEntry};
use crate::data::watch::{Board, HourlyCost, Leg, Reading, Source, Trouble, Unit, Value};
use crate::report::Paint;
use crate::report::words::time;
use jiff::Timestamp;

/// How long ago a moment was.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", since(at, now))
}

/// The same where `ago` stands elsewhere.
pub(super) fn since(at: Timestamp, now: Timestamp) -> String {
    seconds(now.duration_since(at).as_secs().max(0))
}

/// So many seconds.
pub(super) fn seconds(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Whether something of that moment is still news.
pub(super) fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).as_secs() < 15
}

/// How a figure is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Dim,
    Bad,
}

/// A figure.
pub(super) fn figure(reading: &Reading, now: Timestamp) -> (String, Tone) {
    let Value::Known { value, at, about, .. } = &reading.value else {
        return match &reading.value {
            Value::NotYet => ("…".to_owned(), Tone::Dim),
            Value::Silent { .. } => ("none".to_owned(), Tone::Dim),
            _ => ("–".to_owned(), Tone::Dim),
        };
    };
    let about = if *about { "~" } else { "" };
    let text = match reading.unit {
        Unit::PerSecond => format!("{about}{}/s", amount(*value)),
        Unit::BytesPerSecond => format!("{about}{}/s", bytes(*value)),
        Unit::PerMinute => format!("{about}{}/min", amount(*value)),
        // It is marked without colour, too.
        Unit::BadPerMinute if *value > 0.0 => return (format!("! {}/min", amount(*value)), Tone::Bad),
        Unit::BadPerMinute => "0/min".to_owned(),
        Unit::Milliseconds if *value < 1_000.0 => format!("{value:.0} ms"),
        Unit::Milliseconds => time(value / 1_000.0),
        Unit::Seconds => time(*value),
        Unit::Moment => ago(*at, now),
    };
    (text, Tone::Plain)
}

/// A number in at most five letters.
fn amount(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value < 9.95 => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        value if value < 9_999.5 => format!("{value:.0}"),
        value if value < 999_950.0 => format!("{:.1}k", value / 1e3),
        value => format!("{:.1}M", value / 1e6),
    }
}

fn bytes(value: f64) -> String {
    const KIB: f64 = 1024.0;
    match value {
        value if value < 1_000.0 => format!("{value:.0} B"),
        value if value < 1_000.0 * KIB => format!("{:.1} KiB", value / KIB),
        value => format!("{:.1} MiB", value / KIB / KIB),
    }
}

/// Why a leg has no figures, where it has none.
pub(super) fn without_figures(readings: &[Reading], board: &Board) -> Option<String> {
    let value = &readings.first()?.value;
    Some(match value {
        Value::NotYet => "asking".to_owned(),
        Value::Nowhere => "no metrics here".to_owned(),
        Value::Untold(source) => match board.sources.get(source).and_then(|health| health.trouble.as_ref()) {
            Some((_, Trouble::Denied(_))) => "not allowed".to_owned(),
            Some((_, Trouble::Unreadable)) => "no metrics here".to_owned(),
            Some((_, trouble @ (Trouble::Throttled | Trouble::Missing))) => trouble.to_string(),
            _ => "no answer".to_owned(),
        },
        Value::Silent { .. } | Value::Known { .. } => return None,
    })
}

/// Whether the figures of a leg are counted by what landed, and not by CloudWatch.
pub(super) fn is_counted_here(leg: &Leg) -> bool {
    matches!(leg.readings.first(), Some(Reading { value: Value::Known { source: Source::Objects, .. }, .. }))
}

/// What an hour costs.
pub(super) fn cost(cost: &HourlyCost) -> String {
    match (cost.stream, cost.traffic) {
        (None, None) => "cost not known".to_owned(),
        (Some(_), Some(_)) => format!("{}/h", dollars(cost.total)),
        _ => format!("at least {}/h", dollars(cost.total)),
    }
}

/// Dollars, to a tenth of a cent where it is little.
pub(super) fn dollars(amount: f64) -> String {
    if amount < 1.0 { format!("${amount:.3}") } else { format!("${amount:.2}") }
}

/// Whose log it is, in a column.
pub(super) fn whose(source: logs::Source) -> &'static str {
    match source {
        logs::Source::Processor => "processor",
        logs::Source::Delivery => "delivery",
    }
}

/// What an entry of a log says, on one line or several.
pub(super) fn entry(entry: &LogEntry) -> String {
    crate::report::logs::words(entry, Paint(false)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::watch::testing::{ago as before, now};

    #[test]
    fn ages_are_told_in_the_unit_in_which_they_differ() {
        let told = [0, 42, 119, 120, 7_199, 7_200, 200_000].map(|seconds| ago(before(seconds), now()));
        assert_eq!(
            told,
            ["0 s ago", "42 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "2 d ago"]
        );
        assert_eq!(ago(before(-5), now()), "0 s ago", "a service's clock may be ahead of ours");
    }

    #[test]
    fn amounts_keep_to_five_letters() {
        let told = [0.0, 0.04, 1.0, 1.25, 50.0, 999.9, 12_345.0, 999_999.0, 2.5e6].map(amount);
        assert_eq!(told, ["0", "0", "1", "1.2", "50", "1000", "12.3k", "1.0M", "2.5M"]);
        assert_eq!([930.0, 4_650.0, 2.5e6].map(bytes), ["930 B", "4.5 KiB", "2.4 MiB"]);
    }
}
