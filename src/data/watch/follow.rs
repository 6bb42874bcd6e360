//! Follows what lands under a prefix of the bucket: listing from the newest place that is known, and reading the ends of
//! objects.

use super::source::{Row, Trouble};
use crate::cloud::bucket;
use crate::cloud::fault::in_one_line;
use crate::data::objects::timestamp;
use crate::data::rows::{Fields, Piece, RowScanner};
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use flate2::read::MultiGzDecoder;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read;

/// How far back the first look goes, in seconds: Firehose gathers for at most 15 minutes, by default for one.
const BACK: i64 = 600;
/// How long after an object one with a lesser key may still land. Shards are delivered side by side, and only the moment
/// in the key at which a buffer was opened orders them.
const OVERLAP: SignedDuration = SignedDuration::from_secs(120);
/// So many keys are listed again at most: where more than that land in two minutes, each list stays short.
const LISTED_AGAIN: usize = 2_000;
/// So many pages are listed in one look; the next one goes on there.
const PAGES: usize = 10;
/// So many bytes of an object are read: its end, where the newest rows are.
const TAIL: u64 = 256 * 1024;
/// A gzip of that size holds at most so much that is read.
const UNPACKED: u64 = 16 * 1024 * 1024;
/// So many objects are read in a look at most: the newest of them.
const READ: usize = 256;
/// So many bytes are read in a look at most.
const READ_BYTES: u64 = 8 * TAIL;
const READ_AT_ONCE: usize = 8;

/// What lies in a bucket that has to belong to this account.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) s3: Client,
    pub(super) bucket: String,
    pub(super) account: String,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) modified: Timestamp,
    pub(super) bytes: u64,
}

/// Where a prefix was looked at, and what was seen there.
#[derive(Debug)]
pub(super) struct Follower {
    prefix: String,
    /// What is listed comes after this key.
    after: Option<String>,
    /// Keys after it that were told already.
    seen: BTreeMap<String, Timestamp>,
    /// The newest moment at which anything was written.
    newest: Option<Timestamp>,
}

/// What landed since the look before, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) objects: Vec<Object>,
    /// There is more: the next look goes on.
    pub(super) more: bool,
}

impl Follower {
    pub(super) fn new(prefix: &str) -> Self {
        Follower { prefix: prefix.to_owned(), after: None, seen: BTreeMap::new(), newest: None }
    }

    /// Looks for what is new.
    pub(super) async fn look(&mut self, place: &Place, now: Timestamp) -> Result<Found, Trouble> {
        if self.after.is_none() {
            self.after = first_place(place, &self.prefix, now).await?;
        }
        let mut found = Found::default();
        // In the order of keys: a page that fails leaves all before it told.
        let mut after = self.after.clone();
        let mut pages = Vec::new();
        for page in 1.. {
            let answer = list(place, &self.prefix, after.as_deref(), None, None).await?;
            let more = answer.is_truncated() == Some(true);
            let listed = objects(&answer);
            after = listed.last().map(|object| object.key.clone());
            pages.push(listed);
            if !more {
                break;
            }
            if page == PAGES {
                found.more = true;
                break;
            }
        }
        for object in pages.into_iter().flatten() {
            self.newest = self.newest.max(Some(object.modified));
            if self.seen.insert(object.key.clone(), object.modified).is_none() {
                found.objects.push(object);
            }
        }
        self.move_on(found.more);
        found.objects.sort_by(|a, b| (a.modified, &a.key).cmp(&(b.modified, &b.key)));
        Ok(found)
    }

    /// Forgets the keys before which nothing lands any more.
    fn move_on(&mut self, more: bool) {
        let Some(newest) = self.newest else { return };
        let settled = newest.checked_sub(OVERLAP).unwrap_or(newest);
        // Where there is more, the next list has to begin at the end of this one.
        let keep = if more { 0 } else { LISTED_AGAIN };
        while let Some((key, modified)) = self.seen.first_key_value()
            && (*modified < settled || self.seen.len() > keep)
        {
            self.after = Some(key.clone());
            self.seen.pop_first();
        }
    }
}

/// The place after which the last minutes lie. The keys of Firehose are those of time within a prefix:
/// `rows/2026/11/26/09/NAME-VERSION-2026-11-26-09-59-07-ID`, so their newest hour is found in a few lists, and the
/// minutes within it by the beginning of one key.
async fn first_place(place: &Place, prefix: &str, now: Timestamp) -> Result<Option<String>, Trouble> {
    let mut newest = prefix.to_owned();
    loop {
        let mut deeper: Option<String> = None;
        let mut token = None;
        loop {
            let answer = list(place, &newest, None, Some("/"), token).await?;
            deeper = deeper.max(prefixes(&answer).into_iter().max());
            // Keys that lie beside prefixes are nothing of Firehose's.
            token = answer.next_continuation_token().map(str::to_owned);
            if token.is_none() || deeper.is_none() {
                break;
            }
        }
        match deeper {
            Some(prefix) => newest = prefix,
            None => break,
        }
    }
    if newest == prefix {
        return Ok(None);
    }
    let back = now.checked_sub(SignedDuration::from_secs(BACK)).unwrap_or(now);
    let hour = format!("{prefix}{}", back.strftime("%Y/%m/%d/%H/"));
    if newest > hour {
        // The hour is young: what the one before ended with belongs to the last minutes.
        newest = hour;
    }
    let first = list_first(place, &newest).await?;
    let stem = first.as_deref().and_then(|key| stem(&newest, key));
    let minute = stem.map(|stem| format!("{newest}{stem}{}", back.strftime("%Y-%m-%d-%H-%M")));
    // Keys of the newest hour that are all older are told as well: better old rows than none.
    match minute {
        Some(minute) if has_more(place, prefix, &minute).await? => Ok(Some(minute)),
        _ => Ok(Some(newest)),
    }
}

/// What comes before the moment in a key of Firehose's: `NAME-VERSION-`.
fn stem<'a>(prefix: &str, key: &'a str) -> Option<&'a str> {
    const MOMENT_AND_ID: usize = "2026-11-26-09-59-07-".len() + "00000000-0000-0000-0000-000000000000".len();
    let name = key.strip_prefix(prefix)?;
    let name = name.split('.').next().filter(|name| name.len() > MOMENT_AND_ID)?;
    let (stem, rest) = name.split_at_checked(name.len() - MOMENT_AND_ID)?;
    let is_moment = rest.bytes().take(19).all(|byte| byte.is_ascii_digit() || byte == b'-');
    (is_moment && stem.ends_with('-')).then_some(stem)
}

async fn list_first(place: &Place, prefix: &str) -> Result<Option<String>, Trouble> {
    let call = bucket::listing(&place.s3, &place.bucket, &place.account);
    let answer = call.prefix(prefix).max_keys(1).send().await;
    let answer = answer.map_err(|error| Trouble::of(error, "s3:ListBucket"))?;
    Ok(objects(&answer).pop().map(|object| object.key))
}

async fn has_more(place: &Place, prefix: &str, after: &str) -> Result<bool, Trouble> {
    let call = bucket::listing(&place.s3, &place.bucket, &place.account);
    let answer = call.prefix(prefix).start_after(after).max_keys(1).send().await;
    let answer = answer.map_err(|error| Trouble::of(error, "s3:ListBucket"))?;
    Ok(!answer.contents().is_empty())
}

async fn list(
    place: &Place,
    prefix: &str,
    after: Option<&str>,
    delimiter: Option<&str>,
    token: Option<String>,
) -> Result<ListObjectsV2Output, Trouble> {
    let call = bucket::listing(&place.s3, &place.bucket, &place.account);
    let call = call.prefix(prefix).set_start_after(after.map(str::to_owned));
    let call = call.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(token);
    call.send().await.map_err(|error| Trouble::of(error, "s3:ListBucket"))
}

/// The prefixes right below another.
pub(super) async fn below(place: &Place, prefix: &str) -> Result<Vec<String>, Trouble> {
    let answer = list(place, prefix, None, Some("/"), None).await?;
    Ok(prefixes(&answer))
}

fn prefixes(answer: &ListObjectsV2Output) -> Vec<String> {
    let prefixes = answer.common_prefixes().iter();
    prefixes.map(|it| bucket::key(it.prefix(), answer.encoding_type())).collect()
}

fn objects(answer: &ListObjectsV2Output) -> Vec<Object> {
    let object = |object: &aws_sdk_s3::types::Object| Object {
        key: bucket::key(object.key(), answer.encoding_type()),
        modified: object.last_modified().copied().and_then(timestamp).unwrap_or_default(),
        bytes: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
    };
    answer.contents().iter().map(object).collect()
}

/// The end of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) rows: Vec<Row>,
    /// How many rows it has, where it was read from end to end.
    pub(super) count: Option<u64>,
}

/// The ends of the newest of these objects, beside them.
pub(super) async fn ends(
    place: &Place,
    objects: &[Object],
    spell: fn(&str, &Fields) -> String,
) -> Result<BTreeMap<String, End>, Trouble> {
    let reads = newest(objects).iter().map(|object| async move { (object, end(place, object, spell).await) });
    let mut reads = stream::iter(reads).buffered(READ_AT_ONCE);
    let mut ends = BTreeMap::new();
    while let Some((object, end)) = reads.next().await {
        ends.insert(object.key.clone(), end?);
    }
    Ok(ends)
}

/// The newest of them, as many as are read in a look.
fn newest(objects: &[Object]) -> &[Object] {
    let mut bytes = 0;
    let read = objects.iter().rev().take(READ).take_while(|object| {
        bytes += object.bytes.min(TAIL);
        bytes <= READ_BYTES
    });
    &objects[objects.len() - read.count()..]
}

async fn end(place: &Place, object: &Object, spell: fn(&str, &Fields) -> String) -> Result<End, Trouble> {
    let whole = object.bytes <= TAIL;
    let call = place.s3.get_object().bucket(&place.bucket).expected_bucket_owner(&place.account);
    let call = call.key(&object.key).set_range((!whole).then(|| format!("bytes=-{TAIL}")));
    let bytes = match call.send().await {
        Ok(answer) => answer.body.collect().await.map_err(|error| Trouble::Failed(error.to_string()))?,
        // Deleted since it was listed.
        Err(error) => match Trouble::of(error, "s3:GetObject") {
            Trouble::Missing => return Ok(End::default()),
            trouble => return Err(trouble),
        },
    };
    Ok(read(object, &bytes.into_bytes(), whole, spell))
}

fn read(object: &Object, bytes: &[u8], whole: bool, spell: fn(&str, &Fields) -> String) -> End {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    const PARQUET: &[u8] = b"PAR1";
    let mut unpacked = Vec::new();
    let text = if whole && bytes.starts_with(GZIP) {
        // What is broken at its end is read until there.
        let _ = MultiGzDecoder::new(bytes).take(UNPACKED).read_to_end(&mut unpacked);
        unpacked.as_slice()
    } else {
        bytes
    };
    if text.ends_with(PARQUET) || !whole && object.key.ends_with(".gz") {
        let name = object.key.rsplit('/').next().unwrap_or_default();
        let text = format!("{name}: packed, and not read here");
        return End { rows: vec![Row { time: object.modified, text }], count: None };
    }
    // The first line of an end is rarely whole.
    let from = if whole { 0 } else { text.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) };
    let (mut rows, mut scanner) = (Vec::new(), RowScanner::default());
    let keep = |piece: Piece<'_>| {
        if let Piece::Row(text, fields) = piece {
            rows.push(Row { time: object.modified, text: in_one_line(&spell(text, &fields)) });
        }
        Ok::<(), Infallible>(())
    };
    let Ok(()) = scanner.push(&text[from..], keep);
    let count = whole.then_some(rows.len() as u64);
    End { rows, count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn object(key: &str, bytes: u64) -> Object {
        Object { key: key.to_owned(), modified: Timestamp::UNIX_EPOCH, bytes }
    }

    fn texts(end: &End) -> Vec<&str> {
        end.rows.iter().map(|row| row.text.as_str()).collect()
    }

    fn as_it_is(text: &str, _: &Fields) -> String {
        text.to_owned()
    }

    #[test]
    fn the_stem_of_a_key_is_what_comes_before_its_moment() {
        let id = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
        let key = format!("rows/2026/11/26/09/kinesis-stack-dev-1-2026-11-26-09-59-07-{id}");
        assert_eq!(stem("rows/2026/11/26/09/", &key), Some("kinesis-stack-dev-1-"));
        assert_eq!(stem("rows/2026/11/26/09/", &format!("{key}.gz")), Some("kinesis-stack-dev-1-"));
        for other in ["rows/2026/11/26/09/own.json", "rows/x", &format!("rows/2026/11/26/09/{id}")] {
            assert_eq!(stem("rows/2026/11/26/09/", other), None, "{other}");
        }
    }

    #[test]
    fn an_object_is_read_from_its_end_and_counted_where_all_of_it_came() {
        let whole = read(&object("a", 20), b"{\"a\":1}\n{\"a\":2}\n", true, as_it_is);
        assert_eq!((texts(&whole), whole.count), (vec![r#"{"a":1}"#, r#"{"a":2}"#], Some(2)));
        let end = read(&object("a", 1 << 30), b":1}\n{\"a\":2}\n", false, as_it_is);
        assert_eq!((texts(&end), end.count), (vec![r#"{"a":2}"#], None));
    }

    #[test]
    fn all_small_objects_of_a_look_are_read_and_of_large_ones_the_newest() {
        let many = |count: usize, bytes| vec![object("a", bytes); count];
        for (count, bytes, read) in
            [(0, 1, 0), (100, 100, 100), (300, 100, READ), (20, TAIL, 8), (20, 1 << 30, 8)]
        {
            assert_eq!(newest(&many(count, bytes)).len(), read, "{count} of {bytes} bytes");
        }
    }

    #[test]
    fn gzip_is_read_and_what_is_cut_off_is_read_until_there() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(b"{\"a\":1}\n{\"a\":2}\n").unwrap();
        let packed = packer.finish().unwrap();
        let all = read(&object("a.gz", 40), &packed, true, as_it_is);
        assert_eq!(all.count, Some(2));
        for length in 0..packed.len() {
            assert!(read(&object("a.gz", 40), &packed[..length], true, as_it_is).rows.len() <= 2);
        }
        let end = read(&object("a.gz", 1 << 30), &packed, false, as_it_is);
        assert_eq!(texts(&end), ["a.gz: packed, and not read here"]);
    }

    #[test]
    fn keys_that_settled_are_not_listed_again_and_never_more_than_a_few_pages_are() {
        let mut follower = Follower::new("rows/");
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for second in 0..300 {
            follower.seen.insert(format!("rows/{second:05}"), at(second));
        }
        follower.newest = Some(at(299));
        follower.move_on(false);
        assert_eq!(follower.after.as_deref(), Some("rows/00178"));
        assert_eq!(follower.seen.len(), 121);
        for number in 0..5_000 {
            follower.seen.insert(format!("rows/x{number:05}"), at(299));
        }
        follower.move_on(false);
        assert_eq!(follower.seen.len(), LISTED_AGAIN);
        follower.move_on(true);
        assert!(follower.seen.is_empty());
        assert_eq!(follower.after.as_deref(), Some("rows/x04999"));
    }
}
