//! S3's calls.

use super::bucket::{Bucket, Version};
use super::lists;
use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply, between, tag, text};
use crate::{ACCOUNT, Account};
use std::collections::BTreeMap;

/// Fact: DeleteObjects takes 1,000 keys.
const MOST_KEYS: usize = 1_000;

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "CreateBucket" => return create_bucket(account, call),
        "ListBuckets" => return Ok(lists::buckets(account.buckets.keys())),
        "DeleteBucket" => account.arrive(call.get("Bucket")),
        _ => {}
    }
    check(account, call)?;
    let (name, keys, now) = (call.get("Bucket"), account.script.keys, account.clock.now());
    let clock = account.clock;
    let Some(bucket) = account.buckets.get_mut(name) else { return Err(no_such_bucket()) };
    match call.operation.as_str() {
        "HeadBucket" => {}
        "PutPublicAccessBlock" => bucket.private = call.get("Body").matches(">true<").count() == 4,
        "GetBucketTagging" => return tagging(bucket),
        "PutBucketTagging" => put_tagging(bucket, call.get("Body"))?,
        "PutObject" => {
            let bytes = call.get("ContentLength").parse().unwrap_or_default();
            let version = Version { bytes, content: call.content.clone(), ..Version::default() };
            account.put(name, call.get("Key"), version);
        }
        "ListObjectsV2" => return lists::objects(bucket, call, keys, |at| clock.written(at.unwrap_or(now))),
        "ListObjectVersions" => {
            return lists::versions(bucket, call, keys, |at| clock.written(at.unwrap_or(now)));
        }
        "DeleteObjects" => return delete_objects(account, call),
        "DeleteObject" => {
            return match delete_object(account, name, call.get("Key"), call.get("versionId")) {
                Some((code @ "AccessDenied", message)) => Err(Refusal::new(403, code, message)),
                Some((code, message)) => Err(Refusal::new(500, code, message)),
                None => Ok(String::new()),
            };
        }
        "DeleteBucket" if bucket.is_empty() => account.unmake("AWS::S3::Bucket", name),
        "DeleteBucket" => {
            let message = "The bucket you tried to delete is not empty";
            return Err(Refusal::new(409, "BucketNotEmpty", message));
        }
        "ListMultipartUploads" => return Ok(lists::uploads(bucket, call, keys)),
        "AbortMultipartUpload" => {
            if !bucket.uploads.remove(&(call.get("Key").to_owned(), call.get("uploadId").to_owned())) {
                return Err(Refusal::new(404, "NoSuchUpload", "The specified upload does not exist."));
            }
        }
        _ => return Err(unknown(call)),
    }
    Ok(String::new())
}

/// What refuses every call to a bucket.
pub(super) fn check(account: &mut Account, call: &Call) -> Result<(), Refusal> {
    let bucket = account.buckets.get(call.get("Bucket")).ok_or_else(no_such_bucket)?;
    // Fact: a call that names another owner than the bucket's is a 403.
    let expected = call.parameters.get("ExpectedBucketOwner").map_or(ACCOUNT, String::as_str);
    if bucket.owner != expected || bucket.owner != ACCOUNT {
        return Err(Refusal::new(403, "AccessDenied", "Access Denied"));
    }
    account.slows_down(call).map_or(Ok(()), Err)
}

pub(super) fn no_such_bucket() -> Refusal {
    Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist")
}

fn create_bucket(account: &mut Account, call: &Call) -> Reply {
    let (name, now) = (call.get("Bucket"), account.clock.now());
    let location = between(call.get("Body"), "LocationConstraint").first().map(|&place| place.to_owned());
    // Fact: us-east-1 is no LocationConstraint value; all other regions need one.
    let is_first_region = account.region == "us-east-1";
    if is_first_region != location.is_none()
        || location.as_ref().is_some_and(|place| *place != account.region)
    {
        let message = "The specified location-constraint is not valid";
        return Err(Refusal::new(400, "InvalidLocationConstraint", message));
    }
    let is_freed = account.is_freed(name, now);
    match account.buckets.get_mut(name) {
        Some(bucket) if bucket.owner != ACCOUNT => {
            Err(Refusal::new(409, "BucketAlreadyExists", "The requested bucket name is not available."))
        }
        // Fact: in us-east-1 re-creating one's own bucket is a 200 that resets ACLs.
        Some(bucket) if is_first_region => {
            bucket.acl = None;
            Ok(String::new())
        }
        Some(_) => Err(Refusal::new(
            409,
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )),
        None if is_freed => Err(Refusal::new(
            409,
            "OperationAborted",
            "A conflicting conditional operation is currently in progress against this resource. Please try again.",
        )),
        None => {
            account.buckets.insert(name.to_owned(), Bucket { location, ..Bucket::of(ACCOUNT) });
            Ok(String::new())
        }
    }
}

/// Fact: the tags of a system can't be taken from a bucket: who sets tags has to send them as they are.
fn put_tagging(bucket: &mut Bucket, body: &str) -> Result<(), Refusal> {
    let pairs = between(body, "Key").into_iter().zip(between(body, "Value"));
    let tags: BTreeMap<String, String> =
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let of_system = |tags: &BTreeMap<String, String>| -> Vec<(String, String)> {
        tags.clone().into_iter().filter(|(key, _)| key.starts_with("aws:")).collect()
    };
    if of_system(&tags) != of_system(&bucket.tags) {
        let message = "System tags cannot be removed by requester";
        return Err(Refusal::new(409, "OperationAborted", message));
    }
    bucket.tags = tags;
    Ok(())
}

fn tagging(bucket: &Bucket) -> Reply {
    if bucket.tags.is_empty() {
        return Err(Refusal::new(404, "NoSuchTagSet", "The TagSet does not exist"));
    }
    let tags = bucket.tags.iter().map(|(key, value)| tag("Tag", &(text("Key", key) + &text("Value", value))));
    Ok(tag("Tagging", &tag("TagSet", &tags.collect::<String>())))
}

/// Where it is asked to be quiet, only what could not be deleted is told.
///
/// Fact: DeleteObjects answers 200 with an error a key.
fn delete_objects(account: &mut Account, call: &Call) -> Reply {
    let objects = between(call.get("Body"), "Object");
    // Fact: a key can hold what XML 1.0 can't, and then DeleteObjects can't name it.
    let is_xml = |it: char| matches!(it, '\t' | '\n' | '\r' | '\u{20}'..);
    if objects.is_empty() || objects.len() > MOST_KEYS || !call.get("Body").chars().all(is_xml) {
        return Err(Refusal::new(400, "MalformedXML", "The XML you provided was not well-formed"));
    }
    let quiet = between(call.get("Body"), "Quiet").first() == Some(&"true");
    let mut xml = String::new();
    for object in objects {
        let part = |name| between(object, name).first().map_or(String::new(), |&text| unescaped(text));
        let (key, id) = (part("Key"), part("VersionId"));
        let place = text("Key", &key) + &text("VersionId", &id);
        match delete_object(account, call.get("Bucket"), &key, &id) {
            Some((code, message)) => {
                xml += &tag("Error", &(place + &text("Code", code) + &text("Message", message)));
            }
            None if quiet => {}
            None => xml += &tag("Deleted", &place),
        }
    }
    Ok(tag("DeleteResult", &xml))
}

/// An error tells why the key stays.
fn delete_object(
    account: &mut Account,
    bucket: &str,
    key: &str,
    id: &str,
) -> Option<(&'static str, &'static str)> {
    if account.script.key_errors > 0 {
        account.script.key_errors -= 1;
        return Some(("InternalError", "We encountered an internal error. Please try again."));
    }
    let held = account.buckets.get_mut(bucket)?;
    let place = (key.to_owned(), id.to_owned());
    if held.versions.get(&place).is_some_and(|version| version.locked) {
        return Some(("AccessDenied", "Access Denied because object protected by object lock."));
    }
    if !id.is_empty() {
        held.versions.remove(&place);
    } else if held.unversioned {
        held.forget(key);
    } else {
        // Fact: in a versioned bucket a deletion without a version id deletes nothing: it adds a marker.
        account.put(bucket, key, Version { marker: true, ..Version::default() });
    }
    None
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    text.replace("&#xD;", "\r").replace("&#xA;", "\n").replace("&amp;", "&")
}
