//! Whether a command that says that it ended well has reached its end.

use super::left;
use super::run::Attempt;
use super::seen::{Seen, SeenStack};
use super::story::{Verb, Wish};
use super::verdict::Around;
use crate::bench::{ARTIFACTS, BUCKET};
use kinesis_stack::artifact::sha256_of_base64;
use kinesis_stack::environment::{TAG_EXPIRES, artifact_key};
use std::collections::BTreeMap;
use std::time::Duration;

/// Why it hasn't.
pub fn not_reached(attempt: &Attempt, around: &Around) -> Option<String> {
    // Whoever may not list the artifacts leaves them alone.
    let unlisted =
        around.is_denied(attempt, "ListObjectVersions") || around.denied.contains(&"s3:ListBucketVersions");
    let used = attempt.after.others.values().any(|other| other.status.is_some());
    let has_artifacts = attempt.after.has_artifacts && !unlisted && !used;
    let after = &Seen { has_artifacts, ..attempt.after.clone() };
    match &attempt.verb {
        Verb::Up(wish) => not_up(attempt, wish),
        Verb::Status => {
            let told = attempt.result.as_ref()?.as_ref().ok()?;
            let status = after.stack.as_ref().map(|stack| stack.status.clone());
            // A look may be stale, and things move while it looks.
            let still = attempt.before.stack.as_ref().map(|stack| stack.status.clone()) == status;
            if still && told.status != status {
                return Some(format!("status told {:?}, and it is {status:?}", told.status));
            }
            let runs = after.code.as_deref().and_then(sha256_of_base64);
            let is_current = runs.map(|runs| runs == attempt.artifact);
            (still && told.code_is_current != is_current)
                .then(|| format!("status told {:?} of the code, not {is_current:?}", told.code_is_current))
        }
        Verb::Extend(seconds) => not_extended(attempt, Duration::from_secs(*seconds)),
        Verb::Reap(_) => None,
        Verb::DownKeeping => {
            let kept = Seen { has_bucket: false, ..after.clone() };
            let remains = left::in_time(attempt, around, &kept);
            (!remains.is_empty())
                .then(|| format!("down --keep-data ended well, but there remain: {}", remains.join(", ")))
        }
        Verb::Down => {
            let remains = left::in_time(attempt, around, after);
            (!remains.is_empty())
                .then(|| format!("down ended well, but there remain: {}", remains.join(", ")))
        }
    }
}

/// The time that was asked for is what it got, on top of what was left, and nothing else is another than before.
fn not_extended(attempt: &Attempt, by: Duration) -> Option<String> {
    let (before, after) = (attempt.before.stack.as_ref()?, attempt.after.stack.as_ref()?);
    let told = attempt.result.as_ref()?.as_ref().ok()?.expires;
    let expires = attempt.after.expires();
    let from = |now: Duration| attempt.before.expires().map_or(now, |before| before.max(now)) + by;
    // In whole seconds.
    let second = Duration::from_secs(1);
    let is_so =
        expires.is_some_and(|it| it + second >= from(attempt.began) && it <= from(attempt.ended) + second);
    if !is_so || told != expires {
        let earliest = from(attempt.began);
        return Some(format!(
            "extended by {by:?} to {earliest:?} at least, it ends at {expires:?}, and told {told:?}"
        ));
    }
    let others = |stack: &SeenStack| {
        let mut deployed = stack.deployed.clone();
        deployed.tags.remove(TAG_EXPIRES);
        deployed
    };
    (others(before) != others(after)).then(|| "more was changed than the time that is left".to_owned())
}

/// How the end of the environment's time isn't what `up` should have made of it.
fn wrong_end(attempt: &Attempt, wish: &Wish) -> Option<String> {
    let (before, after) = (attempt.before.expires(), attempt.after.expires());
    let is_so = match (wish.protection, wish.ttl) {
        (Some(true), _) => after.is_none(),
        (_, None) => after == before,
        (_, Some(ttl)) => {
            let ttl = Duration::from_secs(ttl);
            // Not shortened, and renewed only where more than a tenth is used up.
            let (earliest, latest) = (attempt.began + ttl * 9 / 10, attempt.ended + ttl);
            let second = Duration::from_secs(1);
            after.is_some_and(|it| it + second >= earliest && (it <= latest || Some(it) == before))
        }
    };
    (!is_so).then(|| format!("up with {:?} made the end {before:?} into {after:?}", wish.ttl))
}

fn not_up(attempt: &Attempt, wish: &Wish) -> Option<String> {
    let after = &attempt.after;
    let Some(stack) = &after.stack else { return Some("up ended well, but there is no stack".to_owned()) };
    let key = artifact_key(&attempt.artifact);
    let good = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"];
    if !good.contains(&stack.status.as_str()) {
        return Some(format!("up ended well, but the stack is {}", stack.status));
    }
    let missing = EXPECTED.iter().find(|name| !after.things.contains_key(**name));
    if let Some(missing) = missing {
        return Some(format!("up ended well, but there is no {missing}"));
    }
    // A stack knows nothing of a bucket that somebody took from it, also once that has let go of the name.
    let was_taken = attempt.before.stack.as_ref().is_some_and(|before| {
        before.id == stack.id && good.contains(&before.status.as_str()) && !attempt.before.has_bucket
    });
    if !after.has_bucket && after.strangers.is_none() && !was_taken {
        return Some("up ended well, but there is no bucket".to_owned());
    }
    let code = after.code.as_deref().and_then(sha256_of_base64).unwrap_or_default();
    if code != attempt.artifact {
        return Some(format!("the function runs {code}, not {}", attempt.artifact));
    }
    let deployed = &stack.deployed;
    let literal = attempt.template.replace(
        "BucketName: !Sub kinesis-stack-${AWS::AccountId}-dev-${AWS::Region}\n",
        &format!("BucketName: {BUCKET}\n"),
    );
    if deployed.template != attempt.template && deployed.template != literal {
        return Some("the stack's template isn't what was wished for".to_owned());
    }
    let mut parameters = BTreeMap::from([
        ("ProcessorBucket".to_owned(), ARTIFACTS.to_owned()),
        ("ProcessorKey".to_owned(), key.clone()),
    ]);
    if wish.ephemeral && deployed.parameters.get("ProcessorKey").is_some_and(|other| *other != key) {
        // Its code was changed past the stack.
        parameters.insert("ProcessorKey".to_owned(), deployed.parameters["ProcessorKey"].clone());
    }
    if deployed.parameters != parameters {
        return Some(format!("the stack's parameters are {:?}, not {parameters:?}", deployed.parameters));
    }
    let mut tags = BTreeMap::from([
        ("kinesis-stack:environment", "dev"),
        ("kinesis-stack:owner", "arn:aws:iam::123456789012:user/somebody"),
        ("kinesis-stack:version", env!("CARGO_PKG_VERSION")),
    ]);
    if wish.ephemeral {
        tags.insert("kinesis-stack:ephemeral", "true");
    }
    if let Some(sentence) = wrong_end(attempt, wish) {
        return Some(sentence);
    }
    let has = deployed.tags.iter().filter(|(key, _)| *key != TAG_EXPIRES);
    let has: BTreeMap<&str, &str> = has.map(|(k, v)| (k.as_str(), v.as_str())).collect();
    if has != tags {
        return Some(format!("the stack's tags are {has:?}, not {tags:?}"));
    }
    if wish.protection.is_some_and(|wanted| stack.protected != wanted) {
        return Some(format!("the stack's protection is {}", stack.protected));
    }
    let told = attempt.result.as_ref()?.as_ref().ok()?;
    let named = told.outputs.get("BucketName").map(String::as_str);
    if named != Some(BUCKET) {
        return Some(format!("up told the outputs {:?}", told.outputs));
    }
    None
}

/// The names of what an environment is made of, but for its bucket.
pub const EXPECTED: &[&str] = &[
    "kinesis-stack-dev",
    "kinesis-stack-dev-processor",
    "kinesis-stack-dev-processor-us-east-1",
    "kinesis-stack-dev-delivery-us-east-1",
    "/kinesis-stack/dev/processor",
    "/kinesis-stack/dev/delivery",
];
