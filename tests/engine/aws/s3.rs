//! Buckets with versions, delete markers and unfinished uploads, and S3's calls.

use super::wire::{between, tag, text};
use super::{ACCOUNT, Account, Call, Refusal, Reply};
use std::collections::{BTreeMap, BTreeSet};

/// Keys that one DeleteObjects takes.
const MOST_KEYS: usize = 1_000;

/// A key, and the id of its version or upload.
type Place = (String, String);

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bucket {
    pub owner: String,
    /// The LocationConstraint that it was made with.
    pub location: Option<String>,
    pub private: bool,
    pub versions: BTreeMap<Place, Version>,
    /// Unfinished uploads.
    pub uploads: BTreeSet<Place>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Version {
    pub bytes: u64,
    /// A delete marker.
    pub marker: bool,
    /// Under an object lock.
    pub locked: bool,
}

impl Bucket {
    pub fn of(owner: &str) -> Self {
        Bucket { owner: owner.to_owned(), ..Bucket::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    pub fn holds(&self, key: &str) -> bool {
        self.versions.keys().any(|(held, _)| held == key)
    }
}

impl Account {
    /// Puts a version into a bucket, where the bucket is there.
    pub fn put(&mut self, bucket: &str, key: &str, version: Version) {
        let number = self.number();
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.versions.insert((key.to_owned(), format!("v{number:06}")), version);
        }
    }
}

pub fn serve(account: &mut Account, call: &Call) -> Reply {
    if call.operation == "CreateBucket" {
        return create_bucket(account, call);
    }
    let (name, keys) = (call.get("Bucket"), account.script.keys);
    let Some(bucket) = account.buckets.get_mut(name) else {
        return Err(Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist"));
    };
    let expected = call.parameters.get("ExpectedBucketOwner").map_or(ACCOUNT, String::as_str);
    if bucket.owner != expected || bucket.owner != ACCOUNT {
        return Err(Refusal::new(403, "AccessDenied", "Access Denied"));
    }
    match call.operation.as_str() {
        "HeadBucket" => {}
        "HeadObject" if bucket.holds(call.get("Key")) => {}
        "HeadObject" => return Err(Refusal::new(404, "NotFound", "Not Found")),
        "PutPublicAccessBlock" => bucket.private = call.get("Body").matches(">true<").count() == 4,
        "PutObject" => account.put(name, call.get("Key"), Version::default()),
        "ListObjectVersions" => return list_versions(bucket, call, keys),
        "DeleteObjects" => return delete_objects(bucket, call),
        "ListMultipartUploads" => return list_uploads(bucket, call, keys),
        "AbortMultipartUpload" => {
            if !bucket.uploads.remove(&(call.get("Key").to_owned(), call.get("uploadId").to_owned())) {
                return Err(Refusal::new(404, "NoSuchUpload", "The specified upload does not exist."));
            }
        }
        other => panic!("the fake account doesn't know s3 {other}"),
    }
    Ok(String::new())
}

fn create_bucket(account: &mut Account, call: &Call) -> Reply {
    let name = call.get("Bucket");
    let location = between(call.get("Body"), "LocationConstraint").first().map(|&place| place.to_owned());
    let is_first_region = account.region == "us-east-1";
    if is_first_region != location.is_none()
        || location.as_ref().is_some_and(|place| *place != account.region)
    {
        let message = "The specified location-constraint is not valid";
        return Err(Refusal::new(400, "InvalidLocationConstraint", message));
    }
    match account.buckets.get(name) {
        Some(bucket) if bucket.owner != ACCOUNT => {
            Err(Refusal::new(409, "BucketAlreadyExists", "The requested bucket name is not available."))
        }
        Some(_) if is_first_region => Ok(String::new()),
        Some(_) => Err(Refusal::new(409, "BucketAlreadyOwnedByYou", "You already own it.")),
        None => {
            account.buckets.insert(name.to_owned(), Bucket { location, ..Bucket::of(ACCOUNT) });
            Ok(String::new())
        }
    }
}

/// One page after a marker, and the marker of the next where there is one.
fn page<'a>(
    all: impl Iterator<Item = &'a Place>,
    after: (&str, &str),
    keys: usize,
) -> (Vec<&'a Place>, Option<&'a Place>) {
    let after = (after.0.to_owned(), after.1.to_owned());
    let mut page: Vec<&Place> = all.filter(|place| **place > after).take(keys + 1).collect();
    let more = page.len() > keys;
    page.truncate(keys);
    let next = page.last().copied().filter(|_| more);
    (page, next)
}

fn list_versions(bucket: &Bucket, call: &Call, keys: usize) -> Reply {
    let after = (call.get("key-marker"), call.get("version-id-marker"));
    let (page, next) = page(bucket.versions.keys(), after, keys);
    let mut xml = text("IsTruncated", &next.is_some().to_string());
    if let Some((key, version)) = next {
        xml += &(text("NextKeyMarker", key) + &text("NextVersionIdMarker", version));
    }
    for place in page {
        let ((key, id), version) = (place, &bucket.versions[place]);
        let entry =
            text("Key", key) + &text("VersionId", id) + &text("LastModified", "2026-11-24T12:00:00.000Z");
        xml += &match version.marker {
            true => tag("DeleteMarker", &entry),
            false => tag("Version", &(entry + &text("Size", &version.bytes.to_string()))),
        };
    }
    Ok(tag("ListVersionsResult", &xml))
}

/// Quietly: only what could not be deleted is told.
fn delete_objects(bucket: &mut Bucket, call: &Call) -> Reply {
    let objects = between(call.get("Body"), "Object");
    if objects.is_empty() || objects.len() > MOST_KEYS {
        return Err(Refusal::new(400, "MalformedXML", "The XML you provided was not well-formed"));
    }
    let mut xml = String::new();
    for object in objects {
        let part = |name| between(object, name).first().map_or(String::new(), |&text| text.to_owned());
        let place = (part("Key"), part("VersionId"));
        if bucket.versions.get(&place).is_some_and(|version| version.locked) {
            let message = "Access Denied because object protected by object lock.";
            let error = text("Key", &place.0)
                + &text("VersionId", &place.1)
                + &text("Code", "AccessDenied")
                + &text("Message", message);
            xml += &tag("Error", &error);
        } else {
            bucket.versions.remove(&place);
        }
    }
    Ok(tag("DeleteResult", &xml))
}

fn list_uploads(bucket: &Bucket, call: &Call, keys: usize) -> Reply {
    let after = (call.get("key-marker"), call.get("upload-id-marker"));
    let (page, next) = page(bucket.uploads.iter(), after, keys);
    let mut xml = text("IsTruncated", &next.is_some().to_string());
    if let Some((key, id)) = next {
        xml += &(text("NextKeyMarker", key) + &text("NextUploadIdMarker", id));
    }
    for (key, id) in page {
        xml += &tag("Upload", &(text("Key", key) + &text("UploadId", id)));
    }
    Ok(tag("ListMultipartUploadsResult", &xml))
}
