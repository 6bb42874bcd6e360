//! Objects: what GetObject and HeadObject say of them.

use super::bucket::Version;
use super::calls;
use crate::Account;
use crate::wire::{Answer, Call, Refusal};
use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_types::base64;
use bytes::Bytes;
use md5::{Digest, Md5};
use std::ops::Range;

/// Answers GetObject or HeadObject.
pub(crate) fn serve_object(account: &mut Account, call: &Call) -> Result<Answer, Refusal> {
    calls::check(account, call)?;
    let (key, id) = (call.get("Key"), call.get("versionId"));
    let Some(bucket) = account.buckets.get(call.get("Bucket")) else { return Err(calls::no_such_bucket()) };
    let found = match id {
        "" => bucket.latest(key),
        id => bucket.of_key(key).find(|((_, held), _)| held == id),
    };
    let ((_, id), version) = found.ok_or_else(|| no_such_key(call))?;
    if version.marker {
        let message = "The specified method is not allowed against this resource.";
        return Err(Refusal::new(405, "MethodNotAllowed", message));
    }
    let body = version.body();
    let etag = etag(version, &body);
    if call
        .given("IfMatch")
        .is_some_and(|wanted| wanted != etag && wanted.trim_matches('"') != etag.trim_matches('"'))
    {
        let message = "At least one of the pre-conditions you specified did not hold";
        return Err(Refusal::new(412, "PreconditionFailed", message));
    }
    let modified = version.modified.unwrap_or_else(|| account.clock.now());
    let mut headers = vec![
        ("etag", etag),
        ("last-modified", account.clock.in_header(modified)),
        ("accept-ranges", "bytes".to_owned()),
        ("x-amz-version-id", id.clone()),
    ];
    let range = call.given("Range").map(|range| part(range, body.len())).transpose()?;
    // Fact: a checksum is of the whole object, so a part comes without.
    if range.is_none() && call.get("ChecksumMode").eq_ignore_ascii_case("enabled") {
        headers.push(("x-amz-checksum-crc64nvme", checksum(&body)));
        headers.push(("x-amz-checksum-type", "FULL_OBJECT".to_owned()));
    }
    let (status, body) = match range {
        None => (200, Bytes::from(body)),
        Some(range) => {
            let (first, last) = (range.start, range.end - 1);
            headers.push(("content-range", format!("bytes {first}-{last}/{}", body.len())));
            (206, Bytes::copy_from_slice(&body[range]))
        }
    };
    headers.push(("content-length", body.len().to_string()));
    Ok(Answer { status, headers, body, source: None })
}

/// Fact: a HEAD has no body, so its code is the status alone.
fn no_such_key(call: &Call) -> Refusal {
    match call.operation.as_str() {
        "HeadObject" => Refusal::new(404, "NotFound", "Not Found"),
        _ => Refusal::new(404, "NoSuchKey", "The specified key does not exist."),
    }
}

/// Fact: the ETag of an object is the MD5 of its content, but not of one that was put in several parts.
pub(super) fn etag(version: &Version, body: &[u8]) -> String {
    let hash: String = Md5::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    if version.multipart { format!("\"{hash}-2\"") } else { format!("\"{hash}\"") }
}

/// Fact: S3 keeps a CRC-64/NVME of each object, and tells it to who asks with `x-amz-checksum-mode: ENABLED`.
fn checksum(body: &[u8]) -> String {
    let mut checksum = ChecksumAlgorithm::Crc64Nvme.into_impl();
    checksum.update(body);
    base64::encode(checksum.finalize())
}

/// `bytes=0-99`, `bytes=100-`, `bytes=-100`.
fn part(range: &str, length: usize) -> Result<Range<usize>, Refusal> {
    let unsatisfiable = || Refusal::new(416, "InvalidRange", "The requested range is not satisfiable");
    let (first, last) =
        range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(unsatisfiable)?;
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(last)) if first.is_empty() => length.saturating_sub(last)..length,
        _ => return Err(unsatisfiable()),
    };
    if range.is_empty() { Err(unsatisfiable()) } else { Ok(range) }
}
