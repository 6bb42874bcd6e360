//! What a bucket holds.

use crate::Account;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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

    /// Whether there is a version of this key.
    pub fn holds(&self, key: &str) -> bool {
        self.versions.iter().any(|((held, _), version)| held == key && !version.marker)
    }
}

impl Account {
    /// Puts a version into a bucket, where the bucket is there.
    pub fn put(&mut self, bucket: &str, key: &str, version: Version) {
        let number = self.number();
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            if bucket.unversioned {
                bucket.versions.retain(|(held, _), _| held != key);
            }
            let id = if bucket.unversioned { "null".to_owned() } else { format!("v{number:06}") };
            bucket.versions.insert((key.to_owned(), id), version);
        }
    }
}
