//! The rules about single values: each turns text into a value, or says the rule in one sentence.

use super::Ttl;
use std::time::Duration;

/// The rule that a value broke, as a sentence with an example.
pub type Rule = String;

/// A duration: `90s`, `10m`, `4h`, `2d`.
pub fn duration(text: &str) -> Result<Duration, Rule> {
    let rule = || "a duration is a whole number with its unit: 90s, 10m, 4h or 2d".to_owned();
    let unit = text.chars().last().ok_or_else(rule)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(rule()),
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(rule());
    }
    // A century, so that no sum with a clock's time can overflow.
    let limit = 36_500 * 86_400;
    let total =
        number.parse::<u64>().ok().and_then(|n| n.checked_mul(seconds)).filter(|total| *total <= limit);
    total.map(Duration::from_secs).ok_or_else(|| "a duration is at most 36500d".to_owned())
}

/// Yes or no.
pub fn yes_or_no(text: &str) -> Result<bool, Rule> {
    text.parse().map_err(|_| "it is either true or false".to_owned())
}

/// The ARN of a role.
pub fn role_arn(text: &str) -> Result<String, Rule> {
    let rule = || "a role's ARN looks like arn:aws:iam::123456789012:role/deploy".to_owned();
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, iam, region, account, resource] = parts[..] else { return Err(rule()) };
    let fits = arn == "arn" && partition.starts_with("aws") && (iam, region) == ("iam", "");
    let account_fits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let name = resource.strip_prefix("role/").unwrap_or_default();
    let name_fits = !name.is_empty() && text.len() <= 2_048 && text.bytes().all(|b| b.is_ascii_graphic());
    if fits && account_fits && name_fits { Ok(text.to_owned()) } else { Err(rule()) }
}

/// A duration that is more than nothing.
pub fn positive_duration(text: &str) -> Result<Duration, Rule> {
    duration(text)?.as_secs().checked_sub(1).map_or_else(
        || Err("it has to be longer than nothing, for instance 10m".to_owned()),
        |less| Ok(Duration::from_secs(less + 1)),
    )
}

/// How long an environment lives.
pub fn ttl(text: &str) -> Result<Ttl, Rule> {
    lifetime(text, 30 * 60, || {
        "an environment lives for 30m to 365d, for instance 4h, or none: for ever".to_owned()
    })
}

/// How much longer an environment lives.
pub fn extension(text: &str) -> Result<Ttl, Rule> {
    lifetime(text, 60, || "it is 1m to 365d more, for instance 2h, or none: for ever".to_owned())
}

fn lifetime(text: &str, least: u64, rule: impl Fn() -> String) -> Result<Ttl, Rule> {
    if text == "none" {
        return Ok(Ttl::Never);
    }
    let seconds = duration(text).map_err(|_| rule())?.as_secs();
    let fits = (least..=365 * 86_400).contains(&seconds);
    fits.then_some(Ttl::For(seconds)).ok_or_else(rule)
}

/// How many environments are torn down at once.
pub fn at_once(text: &str) -> Result<usize, Rule> {
    let count = whole(text, 1, 50).and_then(|count| usize::try_from(count).ok());
    count.ok_or_else(|| "1 to 50 environments are torn down at once, for instance 8".to_owned())
}

/// A tag and its value.
pub fn tag(text: &str) -> Result<(String, String), Rule> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "a tag is given as KEY=VALUE, for instance team=blue".to_owned())
}

/// Shards of a data stream.
pub fn shards(text: &str) -> Result<u32, Rule> {
    whole(text, 1, 500).ok_or_else(|| "a data stream has 1 to 500 shards, for instance 2".to_owned())
}

/// The retention of a data stream, in hours.
pub fn stream_retention_hours(text: &str) -> Result<u32, Rule> {
    let rule = "a data stream keeps records for whole hours from 24h to 8760h (365d)";
    let seconds = duration(text)?.as_secs();
    let hours = u32::try_from(seconds / 3_600).map_err(|_| rule.to_owned())?;
    let fits = seconds.is_multiple_of(3_600) && (24..=8_760).contains(&hours);
    fits.then_some(hours).ok_or_else(|| rule.to_owned())
}

/// How long the delivery stream gathers, in seconds.
pub fn buffer_seconds(text: &str) -> Result<u32, Rule> {
    let rule = "Firehose gathers for 0s to 15m, for instance 60s";
    let seconds = u32::try_from(duration(text)?.as_secs()).map_err(|_| rule.to_owned())?;
    (seconds <= 900).then_some(seconds).ok_or_else(|| rule.to_owned())
}

/// How many MiB the delivery stream gathers.
pub fn buffer_megabytes(text: &str) -> Result<u32, Rule> {
    whole(text, 1, 128).ok_or_else(|| "Firehose gathers 1 to 128 MiB, for instance 5".to_owned())
}

/// The retention of a log group, in days.
pub fn log_retention_days(text: &str) -> Result<u32, Rule> {
    // The values that PutRetentionPolicy takes.
    const DAYS: &[u64] = &[
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
        3653,
    ];
    let seconds = duration(text)?.as_secs();
    let found = DAYS.iter().find(|days| **days * 86_400 == seconds);
    found.and_then(|days| u32::try_from(*days).ok()).ok_or_else(|| {
        "CloudWatch Logs keeps logs for 1d, 3d, 5d, 7d, 14d, 30d, 60d, 90d, 120d, 150d, 180d, 365d or one of its longer steps up to 3653d"
            .to_owned()
    })
}

/// An AWS region.
pub fn region(text: &str) -> Result<String, Rule> {
    let parts: Vec<&str> = text.split('-').collect();
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let fits = text.len() <= 15
        && (3..=4).contains(&parts.len())
        && parts[..parts.len() - 1].iter().all(word)
        && parts.last().is_some_and(|last| last.len() == 1 && last.bytes().all(|b| b.is_ascii_digit()));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a region is named like us-east-1 or eu-central-1".to_owned())
    }
}

/// The name of an AWS profile.
pub fn profile(text: &str) -> Result<String, Rule> {
    if text.trim().is_empty() { Err("a profile's name is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// The name of a field that is shown.
pub fn column(text: &str) -> Result<String, Rule> {
    let name = text.trim();
    if name.is_empty() {
        return Err("columns are names of fields with commas between them, for instance id,price".to_owned());
    }
    Ok(name.to_owned())
}

/// A count of records or rows.
pub fn count(text: &str) -> Result<u64, Rule> {
    let rule = || "it is a whole number from 1 on, for instance 100".to_owned();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(rule());
    }
    text.parse().ok().filter(|n| *n >= 1).ok_or_else(rule)
}

/// Records a second.
pub fn rate(text: &str) -> Result<f64, Rule> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate >= 0.001 && *rate <= 1e6);
    rate.ok_or_else(|| {
        "a rate is a number of records a second from 0.001 to 1000000, for instance 50".to_owned()
    })
}

/// The seed of a generator.
pub fn seed(text: &str) -> Result<u64, Rule> {
    text.parse().map_err(|_| "a seed is a whole number from 0 to 18446744073709551615".to_owned())
}

fn whole(text: &str, least: u32, most: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && (least..=most).contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("4h", 14_400), ("2d", 172_800), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "10", "-1s", "+1s", "1.5h", "1 h", "1w", "99999999999999999999d", "1é"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(positive_duration("0s").is_err());
        assert_eq!(positive_duration("1s"), Ok(Duration::from_secs(1)));
    }

    #[test]
    fn a_lifetime_is_half_an_hour_to_a_year_or_none_and_an_extension_can_be_a_minute() {
        assert_eq!([ttl("30m"), ttl("4h")], [Ok(Ttl::For(1_800)), Ok(Ttl::For(14_400))]);
        assert_eq!([ttl("365d"), ttl("none")], [Ok(Ttl::For(31_536_000)), Ok(Ttl::Never)]);
        for text in ["29m", "366d", "0s", "never", "4", ""] {
            assert!(ttl(text).is_err_and(|rule| rule.contains("30m to 365d")), "{text}");
        }
        assert_eq!([extension("1m"), extension("none")], [Ok(Ttl::For(60)), Ok(Ttl::Never)]);
        assert!(extension("59s").is_err() && extension("-1h").is_err());
    }

    #[test]
    fn tags_are_pairs_and_counts_stay_within_bounds() {
        assert_eq!(tag("team=a=b"), Ok(("team".to_owned(), "a=b".to_owned())));
        assert_eq!(tag("team="), Ok(("team".to_owned(), String::new())));
        assert!(tag("team").is_err() && tag("=blue").is_err());
        assert_eq!([at_once("1"), at_once("50")], [Ok(1), Ok(50)]);
        assert!(at_once("0").is_err() && at_once("51").is_err());
    }

    #[test]
    fn regions_look_like_regions() {
        for text in ["us-east-1", "ap-southeast-2", "us-gov-west-1", "us-isof-south-1", "il-central-1"] {
            assert!(region(text).is_ok(), "{text}");
        }
        for text in
            ["", "useast1", "us-east", "us-east-1a", "US-EAST-1", "us_east_1", "a-b-c-d-1", "us-east-11"]
        {
            assert!(region(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_stay_within_what_the_services_take() {
        assert!(shards("0").is_err() && shards("501").is_err() && shards("+1").is_err());
        assert_eq!(shards("500"), Ok(500));
        assert!(stream_retention_hours("23h").is_err() && stream_retention_hours("90001s").is_err());
        assert_eq!(stream_retention_hours("365d"), Ok(8_760));
        assert!(buffer_seconds("901s").is_err());
        assert_eq!(buffer_seconds("0s"), Ok(0));
        assert!(buffer_megabytes("129").is_err());
        assert!(log_retention_days("2d").is_err() && log_retention_days("12h").is_err());
        assert_eq!(log_retention_days("168h"), Ok(7));
        for text in ["0", "-1", "NaN", "inf", "1e9", ""] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert!(count("0").is_err() && count("1e3").is_err());
    }
}
