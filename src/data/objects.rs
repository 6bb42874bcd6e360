//! What lies in a bucket, and the rows in it: listing and fetching objects, never writing.

use super::rows::Piece;
use super::unpack::Unpacker;
use crate::cloud::bucket::{key, listing};
use crate::cloud::fault;
use crate::error::{Error, Kind};
use anyhow::{Result, anyhow};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::sleep;

/// Where the rows lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultsQuery {
    /// The bucket's name.
    pub bucket: String,
    /// The account that has to own it: another owner's bucket is refused.
    pub account: String,
    /// What the keys of rows begin with, for instance `rows/`.
    pub prefix: String,
}

/// At most so many objects are being fetched at a time.
pub(super) const FETCHES: usize = 16;
/// A fetch brings in so many bytes before it is its turn to be read; the rest streams.
const AHEAD: usize = 256 * 1024;
/// A body that breaks off is taken up again where it broke, so many times in a row.
const RESUMES: u32 = 5;

/// An object that landed in the bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Landed {
    /// Its key.
    pub key: String,
    /// Which version of its content this is.
    pub etag: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written, by the service's clock.
    pub modified: Timestamp,
}

/// Why a call to the bucket failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// The same call may succeed later.
    pub(super) transient: bool,
    pub(super) error: anyhow::Error,
}

impl Failure {
    fn of<E>(error: SdkError<E, HttpResponse>, doing: &str) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        Failure { transient: fault::is_transient(&error), error: fault::explain(error, doing) }
    }
}

/// Every object that the query covers, the oldest first; those of one moment by key.
///
/// # Errors
/// Where the bucket is not there, belongs to another account, or may not be read.
pub async fn list(s3: &Client, query: &ResultsQuery) -> Result<Vec<Landed>> {
    list_objects(s3, query).await.map_err(|failure| failure.error)
}

pub(super) async fn list_objects(s3: &Client, query: &ResultsQuery) -> Result<Vec<Landed>, Failure> {
    list_after(s3, query, None).await
}

/// The same for keys behind this one alone.
pub(super) async fn list_after(
    s3: &Client,
    query: &ResultsQuery,
    after: Option<String>,
) -> Result<Vec<Landed>, Failure> {
    let ResultsQuery { bucket, account, prefix } = query;
    let call = listing(s3, bucket, account).prefix(prefix).set_start_after(after);
    let mut pages = call.into_paginator().send();
    let mut objects = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::of(error, &format!("list s3://{bucket}/{prefix}")))?;
        let encoding = page.encoding_type;
        objects.extend(page.contents.unwrap_or_default().into_iter().map(|object| Landed {
            key: key(object.key.as_deref(), encoding.as_ref()),
            etag: object.e_tag.unwrap_or_default(),
            bytes: object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            modified: object.last_modified.and_then(timestamp).unwrap_or_default(),
        }));
    }
    // Pages come in the order of the keys, which is not that of time.
    objects.sort_by(|a, b| (a.modified, &a.key).cmp(&(b.modified, &b.key)));
    Ok(objects)
}

/// A moment of the service.
pub(super) fn timestamp(time: DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// The content of one object, from its start.
pub(super) struct Body<'a> {
    s3: &'a Client,
    query: &'a ResultsQuery,
    key: &'a str,
    etag: Option<String>,
    rest: ByteStream,
    ahead: Vec<u8>,
    /// How many bytes have come, of how many, where that is known.
    come: u64,
    total: Option<u64>,
}

/// Opens an object and brings in its beginning. `None` where it is not there any more.
pub(super) async fn fetch<'a>(
    s3: &'a Client,
    query: &'a ResultsQuery,
    key: &'a str,
) -> Result<Option<Body<'a>>, Failure> {
    let ResultsQuery { bucket, account, .. } = query;
    let call = s3.get_object().bucket(bucket).expected_bucket_owner(account).key(key);
    let opened = match call.send().await {
        Ok(opened) => opened,
        Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
        Err(error) => return Err(Failure::of(error, &format!("read s3://{bucket}/{key}"))),
    };
    let total = opened.content_length.and_then(|length| u64::try_from(length).ok());
    let (etag, rest) = (opened.e_tag, opened.body);
    let mut body = Body { s3, query, key, etag, rest, ahead: Vec::new(), come: 0, total };
    while body.ahead.len() < AHEAD {
        let Some(chunk) = body.receive().await? else { break };
        body.ahead.extend(chunk);
    }
    Ok(Some(body))
}

impl Body<'_> {
    /// Hands every piece of the object to `each`, in order, and stops at its first error.
    pub(super) async fn read(mut self, mut each: impl FnMut(Piece<'_>) -> Result<()>) -> Result<(), Failure> {
        let passed_on = |error| Failure { transient: false, error };
        let mut unpacker = Unpacker::default();
        unpacker.push(&std::mem::take(&mut self.ahead), &mut each).await.map_err(passed_on)?;
        while !unpacker.is_over()
            && let Some(chunk) = self.receive().await?
        {
            unpacker.push(&chunk, &mut each).await.map_err(passed_on)?;
        }
        unpacker.finish(&mut each).await.map_err(passed_on)
    }

    /// The next bytes. A body that broke off goes on at the byte at which it broke.
    async fn receive(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut resumes = 0;
        loop {
            let broken = match self.rest.try_next().await {
                Ok(None) if self.total.is_none_or(|total| self.come >= total) => return Ok(None),
                Ok(None) => anyhow!("the connection closed early"),
                Ok(Some(chunk)) => {
                    self.come += chunk.len() as u64;
                    return Ok(Some(chunk.to_vec()));
                }
                Err(error) => error.into(),
            };
            // All of it came and it is wrong still: its checksum. More of it would not help.
            let complete = self.total.is_some_and(|total| self.come >= total);
            if complete || resumes == RESUMES {
                let doing = format!("cannot read all of s3://{}/{}", self.query.bucket, self.key);
                let error = Error::new(Kind::Failed, doing).because(format!("{broken:#}")).into();
                return Err(Failure { transient: true, error });
            }
            resumes += 1;
            sleep(Duration::from_millis(100) * resumes).await;
            self.rest = self.resume().await?;
        }
    }

    async fn resume(&self) -> Result<ByteStream, Failure> {
        let ResultsQuery { bucket, account, .. } = self.query;
        let call = self.s3.get_object().bucket(bucket).expected_bucket_owner(account).key(self.key);
        let call = call.range(format!("bytes={}-", self.come)).set_if_match(self.etag.clone());
        let resumed = call.send().await;
        let resumed =
            resumed.map_err(|e| Failure::of(e, &format!("go on reading s3://{bucket}/{}", self.key)))?;
        Ok(resumed.body)
    }
}
