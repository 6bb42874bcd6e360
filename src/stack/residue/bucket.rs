//! Empties a bucket: object versions, delete markers and unfinished uploads.

use crate::cloud::{Identity, fault};
use crate::environment::TAG_ENVIRONMENT;
use crate::error::{Error, Kind};
use crate::event::{DataFound, Event, Removed, Reporter};
use crate::stack::{Context, state};
use anyhow::Result;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, Error as S3Error, ObjectIdentifier, Tag};
use futures_util::{StreamExt, stream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// DeleteObjects calls in flight.
const IN_FLIGHT: usize = 8;
/// How often a bucket is tried to be removed while something still lands in it.
const MOST_ATTEMPTS: u32 = 10;
/// Pages of 1,000 that are counted before a question: more is told as "more than".
const PAGES_COUNTED: usize = 20;

/// Empties one bucket of ours. Every call names the account that has to own it.
pub struct Emptier<'a> {
    s3: &'a aws_sdk_s3::Client,
    reporter: &'a Arc<dyn Reporter>,
    bucket: &'a str,
    account: &'a str,
}

/// The keys of one page, and the size of the objects behind them.
struct Page {
    keys: Vec<ObjectIdentifier>,
    bytes: u64,
    newest: Option<aws_smithy_types::DateTime>,
    next: Option<(Option<String>, Option<String>)>,
}

impl<'a> Emptier<'a> {
    /// For a bucket that belongs to the caller's account.
    pub fn new(context: &'a Context, bucket: &'a str, identity: &'a Identity) -> Self {
        Emptier { s3: &context.clients.s3, reporter: &context.reporter, bucket, account: &identity.account }
    }

    /// What is in it. Counts the first pages only; `complete` says whether that was all.
    pub async fn count(&self) -> Result<DataFound> {
        let mut found = DataFound { complete: true, ..DataFound::default() };
        let mut newest: Option<aws_smithy_types::DateTime> = None;
        let mut start = (None, None);
        for page in 0.. {
            if page == PAGES_COUNTED {
                found.complete = false;
                break;
            }
            let Some(page) = self.page(start).await? else { break };
            found.objects += page.keys.len() as u64;
            found.bytes += page.bytes;
            newest = newest.max(page.newest);
            match page.next {
                Some(next) => start = next,
                None => break,
            }
        }
        found.newest = newest.as_ref().map(state::time);
        Ok(found)
    }

    /// Deletes everything that is in it. A bucket that isn't there is empty. Can be repeated at any point.
    pub async fn empty(&self) -> Result<()> {
        let began = Instant::now();
        let (mut versions, mut bytes) = (0, 0);
        // Pages are listed one after the other and deleted several at once, while the next are listed.
        let pages = stream::try_unfold(Some((None, None)), |start| async move {
            let Some(start) = start else { return Ok(None) };
            let page = self.page(start).await?;
            Ok::<_, anyhow::Error>(page.map(|page| {
                let next = page.next.clone();
                (page, next)
            }))
        });
        let deleted = pages.map(|page| async {
            let page = page?;
            let count = page.keys.len() as u64;
            self.delete(page.keys).await?;
            Ok::<_, anyhow::Error>((count, page.bytes))
        });
        let mut deleted = std::pin::pin!(deleted.buffer_unordered(IN_FLIGHT));
        while let Some(page) = deleted.next().await {
            let (count, size) = page?;
            versions += count;
            bytes += size;
            self.reporter.tell(&Event::Emptying { bucket: self.bucket.to_owned(), versions, bytes });
        }
        self.abort_uploads().await?;
        self.reporter.tell(&Event::Emptied {
            bucket: self.bucket.to_owned(),
            versions,
            bytes,
            seconds: began.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// Removes it, emptied again as often as something still lands in it. One that isn't there is gone.
    pub async fn remove(&self) -> Result<()> {
        let mut attempt = 1;
        loop {
            let request = self.s3.delete_bucket().bucket(self.bucket).expected_bucket_owner(self.account);
            let Err(error) = request.send().await else {
                self.reporter.tell(&Event::BucketRemoved { bucket: self.bucket.to_owned() });
                return Ok(());
            };
            let code = error.as_service_error().and_then(|error| error.meta().code()).unwrap_or_default();
            match code {
                _ if fault::is_missing(&error) => return Ok(()),
                "BucketNotEmpty" if attempt < MOST_ATTEMPTS => {
                    attempt += 1;
                    // In the first round it wasn't emptied yet, or not to its end.
                    if attempt > 2 {
                        let bucket = self.bucket.to_owned();
                        self.reporter.tell(&Event::EmptyingAgain { bucket, attempt: attempt - 1 });
                    }
                    self.empty().await?;
                }
                "BucketNotEmpty" => {
                    let message =
                        format!("something keeps writing to {}: it could not be removed", self.bucket);
                    return Err(Error::new(Kind::Leftovers, message)
                        .because(fault::explain(error, "remove it").to_string())
                        .remedy("Stop whatever writes to it, then run `down` again.")
                        .into());
                }
                // Somebody else is at it right now.
                "OperationAborted" if attempt < MOST_ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(250 << attempt.min(5))).await;
                }
                _ if fault::is_forbidden(&error) && !fault::names_permission(&error) => {
                    return Err(crate::artifact::foreign_bucket(self.bucket, self.account).into());
                }
                _ => return Err(fault::explain(error, &format!("remove the bucket {}", self.bucket))),
            }
        }
    }

    /// One page of versions and markers. `None` where the bucket isn't there.
    async fn page(&self, (key, version): (Option<String>, Option<String>)) -> Result<Option<Page>> {
        let request = self.s3.list_object_versions().bucket(self.bucket).expected_bucket_owner(self.account);
        match request.set_key_marker(key).set_version_id_marker(version).send().await {
            Ok(answer) => Page::of(&answer).map(Some),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.meta().code() == Some("NoSuchBucket")) =>
            {
                Ok(None)
            }
            // Where a permission is named, the bucket is ours.
            Err(error) if fault::is_forbidden(&error) && !fault::names_permission(&error) => {
                Err(crate::artifact::foreign_bucket(self.bucket, self.account).into())
            }
            Err(error) => Err(fault::explain(error, &format!("list the bucket {}", self.bucket))),
        }
    }

    /// Deletes up to 1,000 keys. S3 answers 200 even where it refused some of them: those that it stumbled over are
    /// asked for again.
    async fn delete(&self, mut keys: Vec<ObjectIdentifier>) -> Result<()> {
        let stumbled = |error: &S3Error| {
            matches!(error.code(), Some("InternalError" | "SlowDown" | "ServiceUnavailable"))
        };
        let mut attempt = 1;
        let answer = loop {
            if keys.is_empty() {
                return Ok(());
            }
            let delete = Delete::builder().set_objects(Some(keys)).quiet(true).build()?;
            let request = self.s3.delete_objects().bucket(self.bucket).expected_bucket_owner(self.account);
            let answer = match request.delete(delete).send().await {
                Ok(answer) => answer,
                Err(error)
                    if error.as_service_error().is_some_and(|e| e.meta().code() == Some("NoSuchBucket")) =>
                {
                    return Ok(());
                }
                Err(error) => {
                    return Err(fault::explain(error, &format!("empty the bucket {}", self.bucket)));
                }
            };
            if attempt == MOST_ATTEMPTS || !answer.errors().iter().all(stumbled) {
                break answer;
            }
            keys = answer.errors().iter().map(key_of).collect::<Result<_>>()?;
            if !keys.is_empty() {
                tokio::time::sleep(Duration::from_millis(250 << attempt.min(5))).await;
            }
            attempt += 1;
        };
        let Some(first) = answer.errors().first() else { return Ok(()) };
        let message = format!(
            "S3 refused to delete {} of the objects in {}, among them {}",
            answer.errors().len(),
            self.bucket,
            first.key().unwrap_or_default()
        );
        let cause = format!("{}: {}", first.code().unwrap_or_default(), first.message().unwrap_or_default());
        let kind = if first.code() == Some("AccessDenied") { Kind::Credentials } else { Kind::Failed };
        Err(Error::new(kind, message)
            .because(cause)
            .remedy(
                "Objects under a lock or a legal hold can't be deleted before it ends; else run it again.",
            )
            .into())
    }

    /// Unfinished uploads are no objects, but they are billed, and on some buckets they are in the way.
    async fn abort_uploads(&self) -> Result<()> {
        let (mut key, mut id) = (None, None);
        loop {
            let request =
                self.s3.list_multipart_uploads().bucket(self.bucket).expected_bucket_owner(self.account);
            let answer = match request.set_key_marker(key).set_upload_id_marker(id).send().await {
                Ok(answer) => answer,
                Err(error) if fault::is_missing(&error) => return Ok(()),
                // Whoever may not see them may still remove the bucket, and S3 removes them with it.
                Err(error) if fault::is_forbidden(&error) => return Ok(()),
                Err(error) => {
                    return Err(fault::explain(
                        error,
                        &format!("list the unfinished uploads of {}", self.bucket),
                    ));
                }
            };
            for upload in answer.uploads() {
                let request = self.s3.abort_multipart_upload().bucket(self.bucket);
                let request = request.set_key(upload.key().map(str::to_owned));
                let request = request.set_upload_id(upload.upload_id().map(str::to_owned));
                match request.expected_bucket_owner(self.account).send().await {
                    Ok(_) => {}
                    Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_upload()) => {}
                    Err(error) if fault::is_forbidden(&error) => return Ok(()),
                    Err(error) => return Err(fault::explain(error, "abort an unfinished upload")),
                }
            }
            if answer.is_truncated() != Some(true) {
                return Ok(());
            }
            (key, id) = (
                answer.next_key_marker().map(str::to_owned),
                answer.next_upload_id_marker().map(str::to_owned),
            );
        }
    }
}

/// The key that S3 did not delete.
fn key_of(error: &S3Error) -> Result<ObjectIdentifier> {
    let version = error.version_id().filter(|version| !version.is_empty());
    let key = ObjectIdentifier::builder().key(error.key().unwrap_or_default());
    Ok(key.set_version_id(version.map(str::to_owned)).build()?)
}

impl Page {
    fn of(answer: &ListObjectVersionsOutput) -> Result<Self> {
        let mut keys = Vec::with_capacity(answer.versions().len() + answer.delete_markers().len());
        let mut add = |key: Option<&str>, version: Option<&str>| -> Result<()> {
            let key = ObjectIdentifier::builder().key(key.unwrap_or_default());
            keys.push(key.set_version_id(version.map(str::to_owned)).build()?);
            Ok(())
        };
        for version in answer.versions() {
            add(version.key(), version.version_id())?;
        }
        for marker in answer.delete_markers() {
            add(marker.key(), marker.version_id())?;
        }
        let size = |size: Option<i64>| u64::try_from(size.unwrap_or_default()).unwrap_or_default();
        let next = (answer.is_truncated() == Some(true)).then(|| {
            (answer.next_key_marker().map(str::to_owned), answer.next_version_id_marker().map(str::to_owned))
        });
        Ok(Page {
            keys,
            bytes: answer.versions().iter().map(|version| size(version.size())).sum(),
            newest: answer.versions().iter().filter_map(|version| version.last_modified().copied()).max(),
            next,
        })
    }
}

/// What the tags of a bucket without a stack say.
#[derive(PartialEq)]
enum Tagged {
    /// It bears our tag.
    Ours,
    /// It bears none: it may be ours, and its making was cut short before it got its tags.
    Not,
    /// It bears others, or there is no such bucket of ours.
    Otherwise,
}

async fn tagged(context: &Context, identity: &Identity, bucket: &str) -> Result<Tagged> {
    let tags = context.clients.s3.get_bucket_tagging().bucket(bucket);
    match tags.expected_bucket_owner(&identity.account).send().await {
        Ok(answer) => {
            let environment = context.environment.name.as_str();
            let is_ours = |tag: &Tag| tag.key == TAG_ENVIRONMENT && tag.value == environment;
            Ok(if answer.tag_set.iter().any(is_ours) { Tagged::Ours } else { Tagged::Otherwise })
        }
        Err(error) if error.as_service_error().is_some_and(|e| e.meta().code() == Some("NoSuchTagSet")) => {
            Ok(Tagged::Not)
        }
        // Throttling and credentials that aren't good tell nothing.
        Err(error) if fault::is_missing(&error) || fault::is_forbidden(&error) => Ok(Tagged::Otherwise),
        Err(error) => Err(fault::explain(error, &format!("look at the bucket {bucket}"))),
    }
}

/// The bucket of an environment that has no stack any more: somebody deleted the stack, or a `down` was cut short
/// before its end. One that bears our tag is ours to remove, and so is an empty one without any; whatever else is
/// left is named at the end.
pub async fn bucket_without_stack(context: &Context, identity: &Identity) -> Result<Vec<Removed>> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let is_ours = match tagged(context, identity, &bucket).await? {
        Tagged::Ours => true,
        Tagged::Not => Emptier::new(context, &bucket, identity).count().await?.objects == 0,
        Tagged::Otherwise => false,
    };
    Ok(is_ours
        .then(|| Removed {
            logical_id: "Bucket".to_owned(),
            resource_type: "AWS::S3::Bucket".to_owned(),
            physical_id: bucket,
        })
        .into_iter()
        .collect())
}

/// Removes the bucket of an environment that has no stack any more, where it is ours and holds nothing. True where
/// none is left then.
pub async fn remove_if_empty(context: &Context, identity: &Identity) -> Result<bool> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    if tagged(context, identity, &bucket).await? == Tagged::Otherwise {
        return Ok(false);
    }
    let emptier = Emptier::new(context, &bucket, identity);
    let empty = emptier.count().await?.objects == 0;
    if empty {
        emptier.remove().await?;
    }
    Ok(empty)
}
