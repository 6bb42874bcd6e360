//! Every physical name and tag of one environment, derived in one place.
//!
//! The lengths fit AWS' limits for the longest environment name (20) and region (15): roles and delivery
//! streams 64, functions 64, buckets 63 characters.

use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;

/// The tag that marks a stack, a bucket or a resource as ours. Its value is the environment's name.
pub const TAG_ENVIRONMENT: &str = "kinesis-stack:environment";
/// The tag that names who made the environment: the caller's ARN.
pub const TAG_OWNER: &str = "kinesis-stack:owner";
/// The tag that names the version of this tool which last changed the environment.
pub const TAG_VERSION: &str = "kinesis-stack:version";
/// The tag that marks the stack of the deployed reaper. Its value is `true`.
pub const TAG_REAPER: &str = "kinesis-stack:reaper";
/// The tag that marks a stack as short-lived.
pub const TAG_EPHEMERAL: &str = "kinesis-stack:ephemeral";
/// The tag that tells when the environment's time is up: RFC 3339, UTC, whole seconds. Then `reap` takes it.
pub const TAG_EXPIRES: &str = "kinesis-stack:expires";
/// The tag of a bucket that was kept on purpose when its stack went: it is no leftover, and no `reap` takes it.
pub const TAG_KEPT: &str = "kinesis-stack:kept";
/// The tag that names the pull request whose pipeline made the environment, as its forge's addresses do:
/// `owner/repository/pull/42`, `group/project/-/merge_requests/42`. (No service takes a `#` in a tag.)
pub const TAG_PULL_REQUEST: &str = "kinesis-stack:pull-request";
/// The key prefix under which rows land in the bucket. Firehose appends `yyyy/MM/dd/HH/`.
pub const ROWS_PREFIX: &str = "rows/";
/// The key prefix under which lands what could not be transformed or delivered.
pub const ERRORS_PREFIX: &str = "errors/";

/// The name of an environment: lower-case letters, digits and `-`, begins with a letter, at most 20 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentName(String);

impl EnvironmentName {
    /// The rule, as a sentence for people.
    pub const RULE: &str = "an environment's name has lower-case letters, digits and `-`, begins with a letter, and is at most 20 characters long, for instance pr-42";

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvironmentName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = text.len() <= 20 && text.starts_with(|c: char| c.is_ascii_lowercase());
        if fits && text.chars().all(allowed) { Ok(EnvironmentName(text.to_owned())) } else { Err(Self::RULE) }
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pattern of names: `*` stands for any characters, also for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The rule, as a sentence for people.
    pub const RULE: &str = "a pattern of names has lower-case letters, digits, `-`, and `*` for any characters, for instance pr-*";

    /// Whether a name is like this.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut left) = name.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            let Some((_, after)) = left.split_once(part) else { return false };
            left = after;
        }
        left.ends_with(last)
    }

    /// Whether it is like one name alone.
    pub fn is_a_name(&self) -> bool {
        !self.0.contains('*')
    }
}

impl FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '*';
        let fits = !text.is_empty() && text.chars().all(allowed);
        if fits { Ok(Pattern(text.to_owned())) } else { Err(Self::RULE) }
    }
}

/// When an environment's time is up, as the value of [`TAG_EXPIRES`].
pub fn expiry_tag(expires: Timestamp) -> String {
    Timestamp::from_second(expires.as_second()).unwrap_or(expires).to_string()
}

/// The moment that a value of [`TAG_EXPIRES`] tells. One that can't be read is none: what nobody can date is never
/// torn down for its age.
pub fn expiry_of(tag: &str) -> Option<Timestamp> {
    tag.parse().ok()
}

/// The names that follow from the environment's name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The environment's name.
    pub name: EnvironmentName,
}

impl Environment {
    /// The environment of this name.
    pub fn new(name: EnvironmentName) -> Self {
        Environment { name }
    }

    /// The CloudFormation stack.
    pub fn stack(&self) -> String {
        format!("kinesis-stack-{}", self.name)
    }

    /// The Kinesis data stream.
    pub fn stream(&self) -> String {
        format!("kinesis-stack-{}", self.name)
    }

    /// The Firehose delivery stream.
    pub fn delivery_stream(&self) -> String {
        format!("kinesis-stack-{}", self.name)
    }

    /// The Lambda function that transforms.
    pub fn processor(&self) -> String {
        format!("kinesis-stack-{}-processor", self.name)
    }

    /// The log group of the processor. Not below `/aws/`: there a late log line would re-create it.
    pub fn processor_log_group(&self) -> String {
        format!("/kinesis-stack/{}/processor", self.name)
    }

    /// The log group of the delivery stream.
    pub fn delivery_log_group(&self) -> String {
        format!("/kinesis-stack/{}/delivery", self.name)
    }

    /// The name prefix that this environment's log groups have in common, and nobody else's.
    pub fn log_group_prefix(&self) -> String {
        format!("/kinesis-stack/{}/", self.name)
    }

    /// The processor's role. Roles are global in an account, so the region is part of their names.
    pub fn processor_role(&self, region: &str) -> String {
        format!("kinesis-stack-{}-processor-{region}", self.name)
    }

    /// The delivery stream's role.
    pub fn delivery_role(&self, region: &str) -> String {
        format!("kinesis-stack-{}-delivery-{region}", self.name)
    }

    /// The bucket in which rows land. The account comes first, so that no environment's bucket can have the
    /// name of an artifact bucket; the region comes last, so that the name never ends in `-`.
    pub fn bucket(&self, account: &str, region: &str) -> String {
        format!("kinesis-stack-{account}-{}-{region}", self.name)
    }
}

/// A text as the value of a tag: what some service refuses in one becomes `_`. At most 256 characters.
/// The characters that all take: <https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html>.
pub fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c);
    text.chars().take(256).map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// The bucket that holds the processors' zips of all environments of an account and region.
pub fn artifact_bucket(account: &str, region: &str) -> String {
    format!("kinesis-stack-artifacts-{account}-{region}")
}

/// The key of a processor's zip, named by the zip's SHA-256 in hexadecimal.
pub fn artifact_key(sha256: &str) -> String {
    format!("processor/{sha256}.zip")
}

/// The SHA-256 in an artifact's key, where it is one.
pub fn artifact_sha256(key: &str) -> Option<&str> {
    key.strip_prefix("processor/")?.strip_suffix(".zip")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_break_the_rule_are_refused() {
        for name in
            ["", "Dev", "1dev", "-dev", "dev_1", "dev.1", "dév", "abcdefghijklmnopqrstu", "a b", "dev\n"]
        {
            assert!(name.parse::<EnvironmentName>().is_err(), "{name:?}");
        }
        for name in ["a", "dev", "pr-1234", "dev-", "abcdefghijklmnopqrst", "artifacts"] {
            assert!(name.parse::<EnvironmentName>().is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_star_in_a_pattern_stands_for_any_characters() {
        let like = |pattern: &str, name: &str| pattern.parse::<Pattern>().unwrap().matches(name);
        for (pattern, name) in [
            ("dev", "dev"),
            ("*", "dev"),
            ("pr-*", "pr-42"),
            ("pr-*", "pr-"),
            ("*-42", "pr-42"),
            ("p*4*", "pr-42"),
            ("*r*-*2", "pr-42"),
            ("**", "a"),
        ] {
            assert!(like(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("dev", "dev2"), ("pr-*", "apr-1"), ("*-42", "pr-421"), ("ab*ba", "aba"), ("a*b*c", "acb")]
        {
            assert!(!like(pattern, name), "{pattern} {name}");
        }
        for text in ["", "PR-*", "pr_*", "pr-?", "[ab]"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_expiry_is_a_tag_in_whole_seconds_and_what_cannot_be_read_is_none() {
        let moment: Timestamp = "2026-11-24T12:00:00.75Z".parse().unwrap();
        assert_eq!(expiry_tag(moment), "2026-11-24T12:00:00Z");
        assert_eq!(expiry_of(&expiry_tag(moment)), Some("2026-11-24T12:00:00Z".parse().unwrap()));
        assert_eq!(expiry_of("2026-11-24T14:00:00+02:00"), expiry_of("2026-11-24T12:00:00Z"));
        for text in ["", "tomorrow", "2026-11-24", "4h"] {
            assert_eq!(expiry_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_callers_arn_becomes_a_tag_that_every_service_takes() {
        let arn = "arn:aws:sts::123456789012:assumed-role/deploy/ci,run=7";
        assert_eq!(tag_value(arn), "arn:aws:sts::123456789012:assumed-role/deploy/ci_run=7");
        assert_eq!(tag_value(&"a".repeat(300)).len(), 256);
    }

    proptest! {
        #[test]
        fn every_name_fits_what_aws_allows(name in "[a-z][a-z0-9-]{0,19}", region in "[a-z]{2}-[a-z]{4,10}-[0-9]") {
            prop_assume!(region.len() <= 15);
            let environment = Environment::new(name.parse().unwrap());
            let account = "123456789012";
            let bucket = environment.bucket(account, &region);
            prop_assert!((3..=63).contains(&bucket.len()));
            prop_assert!(bucket.ends_with(|c: char| c.is_ascii_digit()));
            prop_assert!(environment.processor_role(&region).len() <= 64);
            prop_assert!(environment.delivery_role(&region).len() <= 64);
            prop_assert!(environment.processor().len() <= 64);
            prop_assert!(environment.delivery_stream().len() <= 64);
            prop_assert!(environment.stack().len() <= 128);
            prop_assert_ne!(bucket, artifact_bucket(account, &region));
        }
    }
}
