//! Pages of objects, of versions and of unfinished uploads.

use super::bucket::{Bucket, Place, Version};
use crate::wire::{Call, Refusal, Reply, decoded, tag, text};
use std::ops::Bound;
use tokio::time::Instant;

/// A page at most, whatever is asked for.
const MOST_KEYS: usize = 1_000;

/// One entry of a list: something that is there, or the common beginning of several keys.
enum Entry<'a> {
    Version(&'a Place, &'a Version, bool),
    Prefix(String),
}

/// What is asked for.
struct Asked<'a> {
    call: &'a Call,
    prefix: &'a str,
    delimiter: &'a str,
    keys: usize,
}

impl<'a> Asked<'a> {
    fn of(call: &'a Call, keys: usize) -> Self {
        let asked = call.get("max-keys").parse().unwrap_or(MOST_KEYS);
        let keys = asked.min(keys).min(MOST_KEYS);
        Asked { call, prefix: call.get("prefix"), delimiter: call.get("delimiter"), keys }
    }

    /// Fact: a delimiter rolls up the keys that are the same up to its first place behind the prefix.
    fn rolled_up(&self, key: &str) -> Option<String> {
        let rest = key.strip_prefix(self.prefix)?;
        let place = rest.find(self.delimiter).filter(|_| !self.delimiter.is_empty())?;
        Some(format!("{}{}", self.prefix, &rest[..place + self.delimiter.len()]))
    }

    /// Fact: with `encoding-type=url` keys, prefixes and markers are told percent-encoded.
    fn told(&self, name: &str, key: &str) -> String {
        match self.call.get("encoding-type") {
            "url" => text(name, &encoded(key)),
            _ => text(name, key),
        }
    }

    fn head(&self) -> String {
        let mut xml = text("Name", self.call.get("Bucket"))
            + &self.told("Prefix", self.prefix)
            + &text("MaxKeys", &self.keys.to_string());
        if !self.delimiter.is_empty() {
            xml += &self.told("Delimiter", self.delimiter);
        }
        xml + &self.call.given("encoding-type").map(|it| text("EncodingType", it)).unwrap_or_default()
    }
}

/// One page of what lies behind a place, and whether there is more.
fn page<'a>(
    bucket: &'a Bucket,
    asked: &Asked,
    after: Bound<Place>,
    is_wanted: impl Fn(&Version, bool) -> bool,
) -> (Vec<Entry<'a>>, bool) {
    let mut page = Vec::new();
    // What was rolled up once, on this page or at the end of the one before, isn't told again.
    let mut last = match &after {
        Bound::Excluded((key, _)) if asked.rolled_up(key).as_deref() == Some(key.trim_end_matches(LAST)) => {
            asked.rolled_up(key)
        }
        _ => None,
    };
    let from = match after {
        Bound::Excluded((key, id)) if key.as_str() >= asked.prefix => Bound::Excluded((key, id)),
        _ => Bound::Included((asked.prefix.to_owned(), String::new())),
    };
    let mut before: Option<&Place> = None;
    for (place, version) in bucket.versions.range((from, Bound::Unbounded)) {
        if !place.0.starts_with(asked.prefix) {
            break;
        }
        let is_latest = match before.replace(place) {
            Some((key, _)) => *key != place.0,
            None => bucket.of_key(&place.0).next().is_some_and(|(newest, _)| newest == place),
        };
        if !is_wanted(version, is_latest) {
            continue;
        }
        let prefix = asked.rolled_up(&place.0);
        if prefix.is_some() && prefix == last {
            continue;
        }
        if page.len() == asked.keys {
            return (page, asked.keys > 0);
        }
        last.clone_from(&prefix);
        page.push(prefix.map_or(Entry::Version(place, version, is_latest), Entry::Prefix));
    }
    (page, false)
}

/// Behind every id and every key that begins alike.
const LAST: char = '\u{10ffff}';

/// Behind a key, whatever its versions; where the key is a common prefix, behind all that it stands for.
fn behind(asked: &Asked, key: &str) -> Bound<Place> {
    match asked.rolled_up(key) {
        Some(prefix) if prefix == key => Bound::Excluded((format!("{key}{LAST}"), String::new())),
        _ => Bound::Excluded((key.to_owned(), LAST.to_string())),
    }
}

/// Fact: a page of versions goes on behind a key and a version id, or behind a key with all its versions; a version id
/// without a key is refused.
pub fn versions(
    bucket: &Bucket,
    call: &Call,
    keys: usize,
    time: impl Fn(Option<Instant>) -> String,
) -> Reply {
    let asked = Asked::of(call, keys);
    let after = match (call.get("key-marker"), call.get("version-id-marker")) {
        ("", "") => Bound::Unbounded,
        ("", _) => {
            let message = "A version-id marker cannot be specified without a key marker.";
            return Err(Refusal::new(400, "InvalidArgument", message));
        }
        (key, "") => behind(&asked, key),
        (key, id) => Bound::Excluded((key.to_owned(), id.to_owned())),
    };
    let (page, more) = page(bucket, &asked, after, |_, _| true);
    let mut xml = asked.head() + &text("IsTruncated", &more.to_string());
    xml += &asked.told("KeyMarker", call.get("key-marker"));
    xml += &text("VersionIdMarker", call.get("version-id-marker"));
    if more {
        xml += &match page.last() {
            Some(Entry::Version((key, id), ..)) => {
                asked.told("NextKeyMarker", key) + &text("NextVersionIdMarker", id)
            }
            Some(Entry::Prefix(prefix)) => asked.told("NextKeyMarker", prefix),
            None => String::new(),
        };
    }
    for entry in page {
        xml += &match entry {
            Entry::Prefix(prefix) => tag("CommonPrefixes", &asked.told("Prefix", &prefix)),
            Entry::Version((key, id), version, is_latest) => {
                let entry = asked.told("Key", key)
                    + &text("VersionId", id)
                    + &text("IsLatest", &is_latest.to_string())
                    + &text("LastModified", &time(version.modified));
                match version.marker {
                    true => tag("DeleteMarker", &entry),
                    false => tag("Version", &(entry + &text("Size", &version.bytes.to_string()))),
                }
            }
        };
    }
    Ok(tag("ListVersionsResult", &xml))
}

/// Fact: ListObjectsV2 tells the newest version of each key that isn't deleted.
pub fn objects(bucket: &Bucket, call: &Call, keys: usize, time: impl Fn(Option<Instant>) -> String) -> Reply {
    let asked = Asked::of(call, keys);
    let start = call.given("start-after").map(str::to_owned);
    let after = call.given("continuation-token").map(decoded).or(start);
    let after = after.map_or(Bound::Unbounded, |key| behind(&asked, &key));
    let (page, more) = page(bucket, &asked, after, |version, is_latest| is_latest && !version.marker);
    let mut xml =
        asked.head() + &text("IsTruncated", &more.to_string()) + &text("KeyCount", &page.len().to_string());
    let next = match page.last().filter(|_| more) {
        Some(Entry::Version((key, _), ..)) => Some(key.clone()),
        Some(Entry::Prefix(prefix)) => Some(prefix.clone()),
        None => None,
    };
    // Fact: a token can be told in XML, whatever its key holds.
    xml += &next.map(|key| text("NextContinuationToken", &encoded(&key))).unwrap_or_default();
    for entry in page {
        xml += &match entry {
            Entry::Prefix(prefix) => tag("CommonPrefixes", &asked.told("Prefix", &prefix)),
            Entry::Version((key, _), version, _) => {
                let entry = asked.told("Key", key)
                    + &text("LastModified", &time(version.modified))
                    + &text("ETag", &super::objects::etag(version, &version.body()))
                    + &text("Size", &version.bytes.to_string());
                tag("Contents", &entry)
            }
        };
    }
    Ok(tag("ListBucketResult", &xml))
}

pub fn uploads(bucket: &Bucket, call: &Call, keys: usize) -> String {
    let after = (call.get("key-marker").to_owned(), call.get("upload-id-marker").to_owned());
    let mut page: Vec<&Place> =
        bucket.uploads.range((Bound::Excluded(after), Bound::Unbounded)).take(keys + 1).collect();
    let more = page.len() > keys;
    page.truncate(keys);
    let mut xml = text("IsTruncated", &more.to_string());
    if let Some((key, id)) = page.last().filter(|_| more) {
        xml += &(text("NextKeyMarker", key) + &text("NextUploadIdMarker", id));
    }
    for (key, id) in page {
        xml += &tag("Upload", &(text("Key", key) + &text("UploadId", id)));
    }
    tag("ListMultipartUploadsResult", &xml)
}

/// The account's buckets.
pub fn buckets<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let buckets: String = names.map(|name| tag("Bucket", &text("Name", name))).collect();
    tag("ListAllMyBucketsResult", &tag("Buckets", &buckets))
}

fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*/".contains(&byte);
    let written = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    key.bytes().map(written).collect()
}
