//! The calls on a bucket. Thin: what to call is `work`'s to say.

use super::range::{Marker, Page, Version};
use super::refused::KeyError;
use super::uploads::{self, UploadMarker};
use super::versions::{self, Batch};
use super::work::{Answer, Task};
use crate::cloud::{bucket::key, fault};
use anyhow::Result;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};
use std::error::Error as StdError;

/// The calls on one bucket. Each of them names the account that has to own it.
pub struct Calls<'a> {
    pub s3: aws_sdk_s3::Client,
    pub bucket: &'a str,
    pub account: &'a str,
}

/// How a call ended.
pub enum Ended {
    /// The bucket was asked, or told.
    Answered(Answer),
    /// There were too many calls. The error is what to say where it stays so.
    Throttled(anyhow::Error),
}

impl Calls<'_> {
    /// Does it.
    pub async fn make(&self, task: &Task) -> Result<Ended> {
        match task {
            Task::Versions(versions::Task::List(range, after)) => self.list(*range, after).await,
            Task::Versions(versions::Task::Delete(batch)) => self.delete(batch).await,
            Task::Uploads(uploads::Task::List(after)) => self.list_uploads(after).await,
            Task::Uploads(uploads::Task::Abort(key, id)) => self.abort(key, id).await,
        }
    }

    async fn list(&self, range: u64, after: &Marker) -> Result<Ended> {
        let request = self.s3.list_object_versions().bucket(self.bucket).expected_bucket_owner(self.account);
        let request = request.set_key_marker(Some(after.key.clone()).filter(|key| !key.is_empty()));
        let request = request.encoding_type(EncodingType::Url);
        match request.set_version_id_marker(after.version.clone()).send().await {
            Ok(answer) => Ok(Ended::Answered(Answer::Listed(range, page(answer)))),
            Err(error) if is_no_bucket(&error) => Ok(Ended::Answered(Answer::NoBucket)),
            // Where a permission is named, the bucket is ours.
            Err(error) if fault::is_forbidden(&error) && !fault::names_permission(&error) => {
                Err(crate::artifact::foreign_bucket(self.bucket, self.account).into())
            }
            Err(error) => failed(error, &format!("list the bucket {}", self.bucket)),
        }
    }

    /// Deletes a batch in one call, and what can't be in that one by one.
    async fn delete(&self, batch: &Batch) -> Result<Ended> {
        let (together, alone): (Vec<_>, Vec<_>) =
            batch.versions.iter().partition(|version| fits_xml(&version.key));
        let mut errors = Vec::new();
        for version in alone {
            match self.delete_alone(version).await? {
                Ended::Answered(Answer::Deleted(more)) => errors.extend(more),
                ended => return Ok(ended),
            }
        }
        if together.is_empty() {
            return Ok(Ended::Answered(Answer::Deleted(errors)));
        }
        let mut ended = self.delete_together(&together).await?;
        if let Ended::Answered(Answer::Deleted(more)) = &mut ended {
            more.append(&mut errors);
        }
        Ok(ended)
    }

    async fn delete_alone(&self, version: &Version) -> Result<Ended> {
        let request = self.s3.delete_object().bucket(self.bucket).expected_bucket_owner(self.account);
        match request.key(&version.key).set_version_id(version.id.clone()).send().await {
            Ok(_) => Ok(Ended::Answered(Answer::Deleted(Vec::new()))),
            Err(error) if is_no_bucket(&error) => Ok(Ended::Answered(Answer::NoBucket)),
            Err(error) if fault::is_forbidden(&error) => {
                let refused = KeyError {
                    key: version.key.clone(),
                    id: version.id.clone(),
                    code: error.code().unwrap_or("AccessDenied").to_owned(),
                    message: error.message().unwrap_or_default().to_owned(),
                };
                Ok(Ended::Answered(Answer::Deleted(vec![refused])))
            }
            Err(error) => failed(error, &format!("empty the bucket {}", self.bucket)),
        }
    }

    /// S3 answers 200 even where it refused some of the keys.
    async fn delete_together(&self, versions: &[&Version]) -> Result<Ended> {
        let keys = versions.iter().map(|version| {
            ObjectIdentifier::builder().key(&version.key).set_version_id(version.id.clone()).build()
        });
        let delete =
            Delete::builder().set_objects(Some(keys.collect::<Result<_, _>>()?)).quiet(true).build()?;
        let request = self.s3.delete_objects().bucket(self.bucket).expected_bucket_owner(self.account);
        match request.delete(delete).send().await {
            Ok(answer) => {
                let errors = answer.errors.unwrap_or_default().into_iter().map(|error| KeyError {
                    key: error.key.unwrap_or_default(),
                    id: error.version_id.filter(|id| !id.is_empty()),
                    code: error.code.unwrap_or_default(),
                    message: error.message.unwrap_or_default(),
                });
                Ok(Ended::Answered(Answer::Deleted(errors.collect())))
            }
            Err(error) if is_no_bucket(&error) => Ok(Ended::Answered(Answer::NoBucket)),
            Err(error) => failed(error, &format!("empty the bucket {}", self.bucket)),
        }
    }

    async fn list_uploads(&self, (after, id): &UploadMarker) -> Result<Ended> {
        let request =
            self.s3.list_multipart_uploads().bucket(self.bucket).expected_bucket_owner(self.account);
        let request = request.encoding_type(EncodingType::Url);
        match request.set_key_marker(after.clone()).set_upload_id_marker(id.clone()).send().await {
            Ok(answer) => {
                let encoding = answer.encoding_type.clone();
                let told = |told: Option<String>| key(told.as_deref(), encoding.as_ref());
                let more = answer.is_truncated() == Some(true);
                let marker = answer.next_key_marker.map(|marker| told(Some(marker)));
                let next = more.then_some((marker, answer.next_upload_id_marker));
                let uploads = answer.uploads.unwrap_or_default().into_iter();
                let uploads = uploads.map(|it| (told(it.key), it.upload_id.unwrap_or_default()));
                Ok(Ended::Answered(Answer::Uploads(uploads.collect(), next)))
            }
            // Whoever may not see them may still remove the bucket, and S3 removes them with it.
            Err(error) if fault::is_missing(&error) || fault::is_forbidden(&error) => {
                Ok(Ended::Answered(Answer::NoUploads))
            }
            Err(error) => failed(error, &format!("list the unfinished uploads of {}", self.bucket)),
        }
    }

    async fn abort(&self, key: &str, id: &str) -> Result<Ended> {
        let request = self.s3.abort_multipart_upload().bucket(self.bucket).key(key).upload_id(id);
        match request.expected_bucket_owner(self.account).send().await {
            Ok(_) => Ok(Ended::Answered(Answer::Aborted)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_upload()) => {
                Ok(Ended::Answered(Answer::Aborted))
            }
            Err(error) if fault::is_missing(&error) || fault::is_forbidden(&error) => {
                Ok(Ended::Answered(Answer::NoUploads))
            }
            Err(error) => failed(error, "abort an unfinished upload"),
        }
    }
}

/// What can be done later with a pace that is slower, and what can't.
fn failed<E>(error: SdkError<E>, doing: &str) -> Result<Ended>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let is_throttle = error.raw_response().is_some_and(fault::says_slow_down);
    let error = fault::explain(error, doing);
    if is_throttle { Ok(Ended::Throttled(error)) } else { Err(error) }
}

/// Whether a key can be told in XML 1.0 at all: DeleteObjects has no other way to name it.
fn fits_xml(key: &str) -> bool {
    key.chars().all(|it| matches!(it, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..))
}

fn is_no_bucket<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.as_service_error().is_some_and(|error| error.code() == Some("NoSuchBucket"))
}

fn page(answer: ListObjectVersionsOutput) -> Page {
    let more = answer.is_truncated() == Some(true);
    let encoding = answer.encoding_type;
    let told = |told: Option<String>| key(told.as_deref(), encoding.as_ref());
    let next = Marker {
        key: told(answer.next_key_marker),
        version: answer.next_version_id_marker.filter(|id| !id.is_empty()),
    };
    let versions = answer.versions.unwrap_or_default().into_iter().map(|it| Version {
        key: told(it.key),
        id: it.version_id,
        bytes: it.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        modified: it.last_modified.map(|time| time.secs()),
    });
    let markers = answer.delete_markers.unwrap_or_default().into_iter().map(|it| Version {
        key: told(it.key),
        id: it.version_id,
        bytes: 0,
        modified: None,
    });
    Page { versions: versions.chain(markers).collect(), next: more.then_some(next) }
}
