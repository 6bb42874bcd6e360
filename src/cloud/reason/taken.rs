//! Reads which name is taken, which quota is reached, and which property is refused.

use super::text::{Told, after, bare, between, number, word};

/// Who has a name that was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// This account, and perhaps the same region.
    Account,
    /// Somebody: a bucket's name is taken for all the world.
    Somebody,
    /// The stack of this id.
    Stack(String),
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Shards of data streams.
    Shards,
    /// Changes of a stream's number of shards in a day.
    ShardChanges,
    /// Delivery streams.
    DeliveryStreams,
    /// Roles.
    Roles,
    /// Buckets.
    Buckets,
    /// All functions' code together.
    CodeStorage,
    /// Log groups.
    LogGroups,
    /// Something else: AWS' sentence says what.
    Other,
}

/// The name that is taken, and by whom.
pub(super) fn name_taken(told: &Told) -> Option<(Option<String>, Holder)> {
    let text = told.sentence.as_str();
    if let Some(stack) = after(text, " already exists in stack ") {
        let stack = bare(word(stack, &[' '])).to_owned();
        return Some((last_word(text, " already exists in stack "), Holder::Stack(stack)));
    }
    if told.says(&["requested bucket name is not available", "bucketalreadyexists"])
        || told.is_called(&["BucketAlreadyExists"])
    {
        return Some((None, Holder::Somebody));
    }
    const CODES: &[&str] = &[
        "AlreadyExists",
        "EntityAlreadyExists",
        "ResourceAlreadyExistsException",
        "BucketAlreadyOwnedByYou",
    ];
    const TEXTS: &[&str] = &["already exist", "you already own it", "bucketalreadyownedbyyou"];
    if !told.is_called(CODES) && !told.says(TEXTS) {
        return None;
    }
    let name = between(text, "with identifier '{", "}'")
        .and_then(|json| json.split_once(":\"").map(|(_, name)| bare(name).to_owned()))
        .or_else(|| between(text, "with identifier '", "'").map(str::to_owned))
        .or_else(|| between(text, "with name ", " already exists").map(|name| bare(name).to_owned()))
        .or_else(|| between(text, "Stream ", " under account").map(str::to_owned))
        .or_else(|| between(text, "Firehose ", " under accountId").map(str::to_owned))
        .or_else(|| after(text, "already exist: ").map(|rest| bare(word(rest, &[' '])).to_owned()))
        .or_else(|| last_word(text, " already exists"));
    Some((name, Holder::Account))
}

/// The word before a mark, where it looks like a name.
fn last_word(text: &str, mark: &str) -> Option<String> {
    let word = bare(text.split_once(mark)?.0.rsplit(' ').next()?);
    word.contains(['-', '/']).then(|| word.to_owned())
}

/// The quota that is reached, and its value where that is told.
pub(super) fn quota(told: &Told, resource_type: &str) -> Option<(Limit, Option<u64>)> {
    let lower = told.lower.as_str();
    let known = if told.says(&["exceed the shard limit"]) {
        Some((Limit::Shards, number(lower, "limit: ")))
    } else if told.says(&["quota for rolesperaccount"]) {
        Some((Limit::Roles, number(lower, "rolesperaccount")))
    } else if told.says(&["firehose quota of"]) {
        Some((Limit::DeliveryStreams, number(lower, "quota of")))
    } else if told.says(&["more buckets than allowed"]) || told.is_called(&["TooManyBuckets"]) {
        Some((Limit::Buckets, None))
    } else if told.says(&["code storage limit exceeded"]) || told.is_called(&["CodeStorageExceededException"])
    {
        Some((Limit::CodeStorage, None))
    } else if told.says(&["updateshardcount"]) && told.says(&["24 hour", "24-hour", "per day"]) {
        Some((Limit::ShardChanges, None))
    } else {
        None
    };
    if known.is_some() {
        return known;
    }
    if !told.is_called(&["ServiceLimitExceeded", "LimitExceededException", "LimitExceeded"])
        && !told.says(&["cannot exceed quota for"])
    {
        return None;
    }
    let limit = match resource_type {
        "AWS::Logs::LogGroup" if told.says(&["resource limit exceeded"]) => Limit::LogGroups,
        _ => Limit::Other,
    };
    Some((limit, None))
}

/// The property that the schema or the service refuses, as the template calls it.
pub(super) fn property(told: &Told) -> Option<String> {
    let text = told.sentence.as_str();
    if let Some(path) = between(text, "Encountered unsupported property ", " ").or_else(|| {
        text.strip_suffix(']')
            .or(Some(text))
            .and_then(|text| after(text, "Encountered unsupported property "))
    }) {
        return Some(bare(path).to_owned());
    }
    // The schema's own words: `#/BufferingHints/IntervalInSeconds: expected type: Number`.
    if told.says(&["validation failed", "model validation", "properties validation"]) {
        if let Some(path) = between(text, "extraneous key [", "]") {
            return Some(path.to_owned());
        }
        if let Some(path) = after(text, "required key [").map(|rest| word(rest, &[']'])) {
            return Some(path.to_owned());
        }
        let path = after(text, "#/").map(|rest| word(rest, &[':', ' ', ')', ']', ',']));
        return path.filter(|path| !path.is_empty()).map(|path| path.replace('/', "."));
    }
    // The services' words: `Value '9' at 'retentionPeriodHours' failed to satisfy constraint`.
    if told.says(&["failed to satisfy constraint"]) {
        let path = between(text, " at '", "'")?;
        return Some(path.split('.').map(capital).collect::<Vec<String>>().join("."));
    }
    if told.says(&["erroroutputprefix"]) {
        return Some("ErrorOutputPrefix".to_owned());
    }
    None
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
