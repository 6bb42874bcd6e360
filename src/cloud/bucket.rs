//! Whose a bucket is, what it is tagged with, and what its keys are. S3 answers HEAD without a body, so a refusal has no code: it can be another account's
//! bucket, a missing permission, or credentials that have expired. A GET that the same permission allows tells.

use super::{Clients, fault};
use anyhow::Result;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::types::EncodingType;
use std::collections::BTreeMap;

/// What became of a look at a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// It is there, and belongs to the account.
    Ours,
    /// There is no bucket of that name.
    Missing,
    /// It belongs to another account.
    Foreign,
}

impl Clients {
    /// Looks whose a bucket is. Credentials that aren't good and a permission that is missing are errors, never
    /// somebody else's bucket.
    pub async fn whose(&self, bucket: &str, account: &str) -> Result<Bucket> {
        whose(&self.s3, bucket, account, &format!("look at the bucket {bucket}")).await
    }
}

/// The same for whoever has S3 alone. `doing` completes the sentence "cannot …".
pub async fn whose(s3: &aws_sdk_s3::Client, bucket: &str, account: &str, doing: &str) -> Result<Bucket> {
    let head = s3.head_bucket().bucket(bucket).expected_bucket_owner(account).send().await;
    match head {
        Ok(_) => return Ok(Bucket::Ours),
        Err(error) if fault::is_missing(&error) => return Ok(Bucket::Missing),
        Err(error) if fault::is_silent_refusal(&error) => {}
        Err(error) => return Err(fault::explain(error, doing)),
    }
    let list = s3.list_objects_v2().bucket(bucket).max_keys(0).expected_bucket_owner(account);
    match list.send().await {
        Ok(_) => Ok(Bucket::Ours),
        Err(error) if fault::is_missing(&error) => Ok(Bucket::Missing),
        // To callers of its own account S3 names what they lack.
        Err(error) if fault::is_forbidden(&error) && !fault::names_permission(&error) => Ok(Bucket::Foreign),
        Err(error) => Err(fault::explain(error, doing)),
    }
}

/// Why nobody knows what a bucket is tagged with. Each is an error of its own, for whom it is one.
#[derive(Debug)]
pub enum Unread {
    /// It belongs to another account.
    Foreign(anyhow::Error),
    /// It belongs to this account, and the caller lacks a permission.
    Denied(anyhow::Error),
    /// Neither: a service in trouble, or credentials that aren't good.
    Failed(anyhow::Error),
}

impl From<Unread> for anyhow::Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Foreign(error) | Unread::Denied(error) | Unread::Failed(error) => error,
        }
    }
}

/// The tags of a bucket that has to belong to this account: empty where it bears none, `None` where it isn't there.
/// `doing` completes the sentence "cannot …".
pub async fn tags(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    account: &str,
    doing: &str,
) -> Result<Option<BTreeMap<String, String>>, Unread> {
    let error = match s3.get_bucket_tagging().bucket(bucket).expected_bucket_owner(account).send().await {
        Ok(answer) => return Ok(Some(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())),
        Err(error) if fault::has_no_tags(&error) => return Ok(Some(BTreeMap::new())),
        Err(error) if fault::is_missing(&error) => return Ok(None),
        Err(error) => error,
    };
    // To callers of its own account S3 names what they lack.
    let unread = match (fault::is_forbidden(&error), fault::names_permission(&error)) {
        (true, false) => Unread::Foreign,
        (true, true) => Unread::Denied,
        _ => Unread::Failed,
    };
    Err(unread(fault::explain(error, doing)))
}

/// A listing of a bucket's objects that has to belong to this account. Its keys, and prefixes, are to be read by [`key`].
pub fn listing(s3: &aws_sdk_s3::Client, bucket: &str, account: &str) -> ListObjectsV2FluentBuilder {
    let call = s3.list_objects_v2().bucket(bucket).expected_bucket_owner(account);
    call.encoding_type(EncodingType::Url)
}

/// A key of a listing that was asked for with `encoding-type=url`, as it is: a key can hold what XML can't. Who answers
/// without the encoding tells it as it is anyway.
pub fn key(told: Option<&str>, encoding: Option<&EncodingType>) -> String {
    let told = told.unwrap_or_default();
    if encoding == Some(&EncodingType::Url) { decoded(told) } else { told.to_owned() }
}

fn decoded(key: &str) -> String {
    let (bytes, mut plain, mut at) = (key.as_bytes(), Vec::with_capacity(key.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let code = (*byte == b'%').then(|| key.get(at + 1..at + 3)).flatten();
        match (byte, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (_, Some(code)) => {
                plain.push(code);
                at += 2;
            }
            (b'+', None) => plain.push(b' '),
            (byte, None) => plain.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listing_encodes_is_decoded() {
        assert_eq!(decoded("a%2Fb+c%25%C3%BC%00~"), "a/b c%ü\0~");
        assert_eq!(decoded("100%"), "100%");
    }
}
