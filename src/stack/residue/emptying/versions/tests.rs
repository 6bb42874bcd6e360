use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// What somebody makes of a marker that is no key of his.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Markers {
    /// S3: what comes after it.
    Known,
    /// He begins at the beginning.
    Forgotten,
}

/// A bucket: of each key, the versions that are left.
#[derive(Debug, Clone)]
struct Bucket {
    keys: BTreeMap<String, BTreeSet<u32>>,
    page: usize,
    markers: Markers,
    /// Keys under lock.
    locked: BTreeSet<String>,
    /// How often a key is stumbled over before it goes.
    stumbles: u32,
}

impl Bucket {
    fn of(keys: &[String], versions: u32, page: usize) -> Self {
        let keys = keys.iter().map(|key| (key.clone(), (0..versions).collect())).collect();
        Bucket { keys, page, markers: Markers::Known, locked: BTreeSet::new(), stumbles: 0 }
    }

    fn list(&self, after: &Marker) -> Page {
        let is_known = self.markers == Markers::Known || self.keys.contains_key(&after.key);
        let after = if is_known { after.clone() } else { Marker::default() };
        let version = after.version.as_ref().and_then(|id| id.parse::<u32>().ok());
        let keys = self.keys.range::<str, _>((Bound::Included(after.key.as_str()), Bound::Unbounded));
        let places = keys.flat_map(|(key, ids)| ids.iter().map(move |id| (key, *id)));
        let behind = places.filter(|(key, id)| match version {
            Some(version) => (*key, *id) > (&after.key, version),
            None => **key > after.key,
        });
        let mut places: Vec<(&String, u32)> = behind.take(self.page + 1).collect();
        let more = places.len() > self.page;
        places.truncate(self.page);
        let next = places.last().filter(|_| more);
        let next = next.map(|(key, id)| Marker { key: (*key).clone(), version: Some(id.to_string()) });
        let versions = places.into_iter().map(|(key, id)| Version {
            key: key.clone(),
            id: Some(id.to_string()),
            bytes: 1,
            modified: None,
        });
        Page { versions: versions.collect(), next }
    }

    fn delete(&mut self, batch: &Batch) -> Vec<KeyError> {
        let mut errors = Vec::new();
        for version in &batch.versions {
            let error = |code: &str| KeyError {
                key: version.key.clone(),
                id: version.id.clone(),
                code: code.to_owned(),
                message: String::new(),
            };
            if self.locked.contains(&version.key) {
                errors.push(error("AccessDenied"));
            } else if batch.tries <= self.stumbles {
                errors.push(error("SlowDown"));
            } else if let Some(ids) = self.keys.get_mut(&version.key) {
                ids.remove(&version.id.as_ref().unwrap().parse().unwrap());
                if ids.is_empty() {
                    self.keys.remove(&version.key);
                }
            }
        }
        errors
    }
}

/// How it went.
#[derive(Debug, Default, PartialEq)]
struct Story {
    /// As long as one call takes.
    rounds: usize,
    pages: usize,
    deletions: usize,
    gone: u64,
    /// The most versions that were listed and not deleted yet.
    held: usize,
}

/// Empties it, with so many calls at once, which the bucket answers in an order that the dice tell.
fn empty(
    bucket: &mut Bucket,
    versions: &mut Versions,
    at_once: usize,
    mut dice: impl FnMut() -> usize,
) -> Story {
    let (mut story, mut flying) = (Story::default(), Vec::new());
    loop {
        while flying.len() < at_once
            && let Some(task) = versions.next()
        {
            flying.push(task);
        }
        if flying.is_empty() {
            return story;
        }
        story.rounds += 1;
        assert!(story.rounds < 20_000, "it goes on and on");
        let mut answered = std::mem::take(&mut flying);
        // Some take longer than others.
        let slow = dice() % answered.len();
        flying.extend(answered.drain(..slow));
        while !answered.is_empty() {
            match answered.swap_remove(dice() % answered.len()) {
                Task::List(range, after) => {
                    story.pages += 1;
                    let page = bucket.list(&after);
                    let versions_of_it = versions.listed(range, page);
                    versions.delete(versions_of_it);
                    story.held = story.held.max(versions.found.len());
                }
                Task::Delete(batch) => {
                    story.deletions += 1;
                    assert!(batch.versions.len() <= BATCH);
                    let errors = bucket.delete(&batch);
                    story.gone += versions.deleted(batch, errors).0;
                }
            }
        }
    }
}

/// Rows as Firehose names them: so many, over so many hours.
fn rows(rows: u32, hours: u32) -> Vec<String> {
    let row = |row: u32| {
        let each = rows.div_ceil(hours);
        let (hour, second) = (row / each, (row % each) * 3_600 / each);
        let (minute, second) = (second / 60, second % 60);
        let id = u64::from(row).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!(
            "rows/2026/11/{:02}/{:02}/kinesis-stack-dev-1-2026-11-{:02}-{:02}-{minute:02}-{second:02}-{id:016x}",
            24 + hour / 24,
            hour % 24,
            24 + hour / 24,
            hour % 24,
        )
    };
    (0..rows).map(row).collect()
}

/// Sixteen calls at once, each round all are answered.
fn in_step(keys: &[String], versions: u32) -> Story {
    let mut bucket = Bucket::of(keys, versions, 1_000);
    let story = empty(&mut bucket, &mut Versions::new(true), 16, || 0);
    assert_eq!(bucket.keys.len(), 0);
    assert_eq!(story.gone, u64::from(versions) * keys.len() as u64);
    story
}

#[test]
fn a_bucket_of_one_page_costs_one_listing_and_one_deletion() {
    let story = in_step(&rows(500, 3), 2);
    assert_eq!((story.pages, story.deletions, story.rounds), (1, 1, 2));
    assert_eq!(in_step(&[], 1), Story { rounds: 1, pages: 1, ..Story::default() });
}

#[test]
fn a_hundred_thousand_versions_are_listed_all_at_once_whatever_their_keys_look_like() {
    let counted: Vec<String> = (0..50_000).map(|row| format!("rows/{row}")).collect();
    let random = |row: u64| format!("{:016x}", row.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let random: Vec<String> = (0..50_000).map(random).collect();
    let mixed = [rows(25_000, 2), (0..25_000).map(|row| format!("errors/processing-failed/{row}")).collect()];
    let words = |row: usize| format!("data/{}{}/{row}", char::from(b'a' + (row % 26) as u8), row % 7);
    let words: Vec<String> = (0..50_000).map(words).collect();
    for (name, keys, at_most) in [
        ("an hour", rows(50_000, 1), 24),
        ("four hours", rows(50_000, 4), 24),
        ("three days", rows(50_000, 72), 24),
        ("counted", counted, 24),
        ("rows and errors", mixed.concat(), 24),
        // Letters that no key had so far are thought of only behind all others.
        ("random", random, 40),
        ("words", words, 40),
    ] {
        let story = in_step(&keys, 2);
        println!("{name}: {story:?}");
        // One page after the other takes 100 rounds and some more.
        assert!(story.rounds <= at_most, "{name}: {story:?}");
        assert!(story.pages <= 160, "{name}: {story:?}");
        assert!(story.deletions <= 101, "{name}: {story:?}");
    }
}

#[test]
fn no_more_is_held_than_the_calls_in_flight_can_bring() {
    let story = in_step(&rows(150_000, 24), 2);
    assert!(story.held <= 17_000, "{story:?}");
    assert!(story.pages <= 450, "{story:?}");
}

#[test]
fn a_key_with_more_versions_than_a_page_is_listed_through() {
    let story = in_step(&["rows/a".to_owned(), "rows/b".to_owned()], 3_500);
    assert_eq!(story.deletions, 7);
}

#[test]
fn keys_under_lock_are_told_and_never_tried_twice() {
    let keys = rows(1_200, 2);
    let mut bucket = Bucket::of(&keys, 2, 1_000);
    bucket.locked.extend(keys.iter().step_by(100).cloned());
    let mut versions = Versions::new(true);
    let story = empty(&mut bucket, &mut versions, 16, || 0);
    assert_eq!((story.gone, story.deletions), (2_400 - 24, 3));
    assert_eq!(bucket.keys.len(), 12);
    assert!(versions.refused.error("b").unwrap().message.contains("refused to delete 24 "));
}

#[test]
fn a_key_that_s3_stumbles_over_again_and_again_is_told_in_the_end() {
    let mut bucket = Bucket { stumbles: u32::MAX, ..Bucket::of(&rows(3, 1), 1, 1_000) };
    let mut versions = Versions::new(true);
    let story = empty(&mut bucket, &mut versions, 16, || 0);
    assert_eq!((story.gone, story.deletions), (0, 10));
    let error = versions.refused.error("b").unwrap();
    assert!(error.cause.unwrap().contains("SlowDown"), "what S3 said");
}

#[test]
fn whoever_forgets_where_a_page_was_to_begin_is_listed_one_page_after_the_other() {
    let mut bucket = Bucket { markers: Markers::Forgotten, ..Bucket::of(&rows(5_000, 2), 2, 1_000) };
    let mut versions = Versions::new(true);
    empty(&mut bucket, &mut versions, 16, || 0);
    assert!(!versions.divides);
    // What came in between is found by the next look: `remove` takes as many as it needs.
    for _ in 0..9 {
        empty(&mut bucket, &mut Versions::new(false), 16, || 0);
    }
    assert_eq!(bucket.keys.len(), 0);
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    let alike = proptest::collection::vec("rows/2026/1[0-2]/[0-3][0-9]/[a-f0-9]{1,3}", 0..60);
    let any = proptest::collection::vec("[a-c0-3/é🦀\u{1}-\u{7f}]{1,6}", 0..60);
    prop_oneof![alike, any]
}

proptest! {
    #[test]
    fn every_version_goes_exactly_once_in_whatever_order_answers_come(
        keys in keys(),
        versions in 1..4_u32,
        page in 1..12_usize,
        at_once in 1..20_usize,
        divides: bool,
        stumbles in 0..3_u32,
        seed: u64,
    ) {
        let mut bucket = Bucket { stumbles, ..Bucket::of(&keys, versions, page) };
        let all = bucket.keys.len() as u64 * u64::from(versions);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut work = Versions::new(divides);
        let story = empty(&mut bucket, &mut work, at_once, || random.usize(..));
        prop_assert_eq!(bucket.keys.len(), 0);
        prop_assert_eq!(story.gone, all, "counted once");
        prop_assert_eq!(work.refused.error("b"), None);
    }
}
