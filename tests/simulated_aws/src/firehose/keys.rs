//! Under which key an object lands.

use fastrand::Rng;
use jiff::Timestamp;

/// The prefix of rows.
///
/// Fact: a prefix without a timestamp expression gets `yyyy/MM/dd/HH/` in UTC appended, without a slash before it.
pub(super) fn prefix(pattern: &str, time: Timestamp, rng: &mut Rng) -> String {
    match pattern.contains("!{timestamp:") {
        true => evaluated(pattern, "", time, rng),
        false => evaluated(pattern, "", time, rng) + &written("yyyy/MM/dd/HH/", time),
    }
}

/// The prefix of what failed.
///
/// Fact: `!{firehose:error-output-type}` is `processing-failed` there; without an error prefix it is
/// `processing-failed/`, with the time after it.
pub(super) fn error_prefix(pattern: &str, time: Timestamp, rng: &mut Rng) -> String {
    let pattern = if pattern.is_empty() { "!{firehose:error-output-type}/" } else { pattern };
    match pattern.contains("!{timestamp:") {
        true => evaluated(pattern, "processing-failed", time, rng),
        false => evaluated(pattern, "processing-failed", time, rng) + &written("yyyy/MM/dd/HH/", time),
    }
}

/// Fact: an object is called after its delivery stream, that one's version, the time, and a UUID; what is compressed
/// ends with `.gz`.
pub(super) fn name(delivery: &str, version: &str, time: Timestamp, gzip: bool, rng: &mut Rng) -> String {
    let ending = if gzip { ".gz" } else { "" };
    format!("{delivery}-{version}-{}-{}{ending}", time.strftime("%Y-%m-%d-%H-%M-%S"), uuid(rng))
}

/// Fact: `!{timestamp:…}` holds a pattern of Java's, `!{firehose:random-string}` is eleven letters.
fn evaluated(pattern: &str, error: &str, time: Timestamp, rng: &mut Rng) -> String {
    let mut parts = pattern.split("!{");
    let mut key = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once('}').unwrap_or((part, ""));
        key += &match expression.split_once(':') {
            Some(("timestamp", pattern)) => written(pattern, time),
            Some(("firehose", "error-output-type")) => error.to_owned(),
            Some(("firehose", "random-string")) => (0..11).map(|_| rng.alphanumeric()).collect(),
            _ => String::new(),
        };
        key += rest;
    }
    key
}

/// As much of Java's patterns as prefixes need.
fn written(pattern: &str, time: Timestamp) -> String {
    let mut text = pattern.replace('\'', "");
    for (java, ours) in [("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S")]
    {
        text = text.replace(java, &time.strftime(ours).to_string());
    }
    text
}

/// A random one.
pub(crate) fn uuid(rng: &mut Rng) -> String {
    let number = rng.u128(..);
    let text = format!("{number:032x}");
    format!("{}-{}-4{}-a{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
}
