//! Pages of versions and of unfinished uploads.

use super::bucket::{Bucket, Place};
use crate::wire::{Call, tag, text};

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

pub fn versions(bucket: &Bucket, call: &Call, keys: usize) -> String {
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
    tag("ListVersionsResult", &xml)
}

pub fn uploads(bucket: &Bucket, call: &Call, keys: usize) -> String {
    let after = (call.get("key-marker"), call.get("upload-id-marker"));
    let (page, next) = page(bucket.uploads.iter(), after, keys);
    let mut xml = text("IsTruncated", &next.is_some().to_string());
    if let Some((key, id)) = next {
        xml += &(text("NextKeyMarker", key) + &text("NextUploadIdMarker", id));
    }
    for (key, id) in page {
        xml += &tag("Upload", &(text("Key", key) + &text("UploadId", id)));
    }
    tag("ListMultipartUploadsResult", &xml)
}
