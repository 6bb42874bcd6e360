//! What a bucket holds.

use crate::Account;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;

/// A key, and the id of its version or upload.
pub(crate) type Place = (String, String);

/// A bucket.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bucket {
    /// The account that owns it.
    pub owner: String,
    /// The LocationConstraint that it was made with.
    pub location: Option<String>,
    /// Whether all four blocks of public access are on.
    pub private: bool,
    /// An ACL that somebody gave it.
    pub acl: Option<String>,
    /// By key.
    pub tags: BTreeMap<String, String>,
    /// Whether it keeps only the last version of a key. Otherwise it keeps all, which is harder to empty.
    pub unversioned: bool,
    /// By key and version id.
    pub versions: BTreeMap<Place, Version>,
    /// Unfinished uploads.
    pub uploads: BTreeSet<Place>,
}

/// One version of a key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Version {
    /// Its size.
    pub bytes: u64,
    /// A delete marker.
    pub marker: bool,
    /// Under an object lock.
    pub locked: bool,
    /// What is in it, where that was kept.
    pub content: Arc<[u8]>,
    /// When it was put.
    pub modified: Option<Instant>,
    /// Put in several parts: then its ETag isn't the MD5 of its content.
    pub multipart: bool,
}

impl Version {
    /// One that holds this.
    pub fn of(content: impl Into<Arc<[u8]>>) -> Self {
        let content = content.into();
        Version { bytes: content.len() as u64, content, ..Version::default() }
    }

    /// What is in it. Of what wasn't kept only the length is right.
    pub fn body(&self) -> Vec<u8> {
        let length = usize::try_from(self.bytes).unwrap_or_default();
        if self.content.len() == length { self.content.to_vec() } else { vec![b'.'; length] }
    }
}

impl Bucket {
    /// An empty one of this account.
    pub fn of(owner: &str) -> Self {
        Bucket { owner: owner.to_owned(), ..Bucket::default() }
    }

    /// Whether CloudFormation and DeleteBucket can delete it. Unfinished uploads are no objects.
    ///
    /// Fact: only directory buckets ask for uploads to be aborted.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// The versions of a key, newest first.
    pub(crate) fn of_key(&self, key: &str) -> impl Iterator<Item = (&Place, &Version)> {
        let first = (key.to_owned(), String::new());
        self.versions.range(first..).take_while(move |((held, _), _)| held == key)
    }

    /// The newest version of a key, where that is no delete marker.
    pub(crate) fn latest(&self, key: &str) -> Option<(&Place, &Version)> {
        self.of_key(key).next().filter(|(_, version)| !version.marker)
    }

    /// Whether there is an object of this key.
    pub fn holds(&self, key: &str) -> bool {
        self.latest(key).is_some()
    }

    /// Deletes all versions of a key.
    pub(crate) fn forget(&mut self, key: &str) {
        let places: Vec<Place> = self.of_key(key).map(|(place, _)| place.clone()).collect();
        for place in places {
            self.versions.remove(&place);
        }
    }
}

impl Account {
    /// Puts a version into a bucket, where the bucket is there.
    ///
    /// Fact: of a key, the newest version comes first. So later ones have lesser ids.
    pub fn put(&mut self, bucket: &str, key: &str, version: Version) {
        let (number, now) = (self.number(), self.present());
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            if bucket.unversioned {
                bucket.forget(key);
            }
            let id = if bucket.unversioned { "null".to_owned() } else { id(number) };
            let version = Version { modified: version.modified.or(Some(now)), ..version };
            bucket.versions.insert((key.to_owned(), id), version);
        }
    }

    /// Fills a bucket with so many versions of a kilobyte each: rows of 24 hours, where each key has four versions, of
    /// which the newest is a delete marker. Where the bucket is unversioned, each key has one.
    pub fn fill(&mut self, bucket: &str, versions: usize) {
        let (first, now) = (self.serial_for(versions), self.clock.now());
        let Some(bucket) = self.buckets.get_mut(bucket) else { return };
        let of_key = if bucket.unversioned { 1 } else { 4 };
        for version in 0..versions {
            let (key, place) = (version / of_key, version % of_key);
            let id = if of_key == 1 { "null".to_owned() } else { id(first + version as u64) };
            let marker = place == of_key - 1 && of_key > 1;
            let bytes = if marker { 0 } else { 1_000 };
            let key = format!("rows/2026/11/24/{:02}/{key:08}", key % 24);
            let version = Version { bytes, marker, modified: Some(now), ..Version::default() };
            bucket.versions.insert((key, id), version);
        }
    }
}

fn id(number: u64) -> String {
    format!("v{:012}", 999_999_999_999_u64.saturating_sub(number))
}
