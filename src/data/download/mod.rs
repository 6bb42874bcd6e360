//! Downloads what a bucket holds into a directory: several objects at once, each verified, in bounded memory. What
//! lies there already and is the same isn't fetched again, so that it can be repeated at any point.
//!
//! An object is what it should be where S3's own checksum says so (the SDK compares it), or its ETag, where that is
//! an MD5: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>. Where neither is known, its size has to
//! do, and that is counted.

mod manifest;
mod place;

use super::objects::{FETCHES, ResultsQuery};
use crate::cloud::{bucket, fault};
use crate::error::{Error, Kind};
use crate::event::{Event, Exported, Reporter};
use anyhow::{Context as _, Result};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, Object, ServerSideEncryption};
use futures_util::{TryStreamExt, stream};
use manifest::{Entry, Manifest, OWN};
use md5::{Digest, Md5};
use place::Place;
use std::fs::{File, TryLockError};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often an object is begun anew.
const ATTEMPTS: u32 = 6;
/// How often it is told how far it is.
const TOLD: Duration = Duration::from_millis(500);

/// What is to be fetched.
#[derive(Debug, Clone)]
struct Wanted {
    key: String,
    bytes: u64,
    etag: String,
}

/// How a file was compared with its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verified {
    /// By S3's checksum, or an ETag that is an MD5.
    Sum,
    /// By nothing but its size.
    Size,
}

/// What became of an object.
enum Outcome {
    /// It lay there already.
    Present,
    Fetched(Verified),
    /// It was deleted meanwhile.
    Gone,
}

/// Downloads every current object that the query covers. A bucket that isn't there holds nothing.
///
/// # Errors
/// Where the bucket belongs to another account, something may not be read, an object doesn't come out right however
/// often it is fetched, or the directory can't be written to.
pub async fn download(
    s3: &Client,
    query: &ResultsQuery,
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<Exported> {
    let began = Instant::now();
    let target = Target::open(directory)?;
    let mut exported = Exported {
        bucket: query.bucket.clone(),
        directory: directory.display().to_string(),
        ..Exported::default()
    };
    let objects = pages(s3, query).map_ok(|page| stream::iter(page.into_iter().map(Ok::<_, anyhow::Error>)));
    let fetches = objects.try_flatten().map_ok(|wanted| async {
        let outcome = target.take(s3, query, &wanted).await?;
        Ok((wanted, outcome))
    });
    let mut fetches = std::pin::pin!(fetches.try_buffer_unordered(FETCHES));
    let mut told = Instant::now();
    while let Some((wanted, outcome)) = fetches.try_next().await? {
        match outcome {
            Outcome::Gone => {
                exported.gone += 1;
                continue;
            }
            Outcome::Present => exported.present += 1,
            Outcome::Fetched(Verified::Size) => exported.by_size_alone += 1,
            Outcome::Fetched(Verified::Sum) => {}
        }
        exported.objects += 1;
        exported.bytes += wanted.bytes;
        exported.renamed += u64::from(Place::of(&wanted.key).is_renamed());
        if told.elapsed() >= TOLD {
            told = Instant::now();
            reporter.tell(&Event::Exporting {
                bucket: exported.bucket.clone(),
                directory: exported.directory.clone(),
                objects: exported.objects,
                bytes: exported.bytes,
                seconds: began.elapsed().as_secs_f64(),
            });
        }
    }
    exported.seconds = began.elapsed().as_secs_f64();
    Ok(exported)
}

/// The objects, page by page, as they are wanted.
fn pages<'a>(
    s3: &'a Client,
    query: &'a ResultsQuery,
) -> impl stream::TryStream<Ok = Vec<Wanted>, Error = anyhow::Error> + 'a {
    stream::try_unfold(Some(None::<String>), move |token| async move {
        let Some(token) = token else { return Ok(None) };
        let ResultsQuery { bucket, account, prefix } = query;
        let call = bucket::listing(s3, bucket, account).prefix(prefix).set_continuation_token(token);
        let page = match call.send().await {
            Ok(page) => page,
            Err(error) if fault::is_missing(&error) => return Ok(None),
            Err(error) if fault::is_forbidden(&error) && !fault::names_permission(&error) => {
                return Err(crate::artifact::foreign_bucket(bucket, account).into());
            }
            Err(error) => return Err(fault::explain(error, &format!("list s3://{bucket}/{prefix}"))),
        };
        let next = page.next_continuation_token().filter(|_| page.is_truncated() == Some(true));
        let next = next.map(|token| Some(token.to_owned()));
        let wanted = |object: &Object| Wanted {
            key: bucket::key(object.key(), page.encoding_type()),
            bytes: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            etag: object.e_tag().unwrap_or_default().trim_matches('"').to_ascii_lowercase(),
        };
        Ok(Some((page.contents().iter().map(wanted).collect(), next)))
    })
}

/// The directory, and what was written to it before.
struct Target<'a> {
    directory: &'a Path,
    manifest: Mutex<Manifest>,
    /// Given back by the system when this ends, however it ends.
    _lock: File,
}

impl<'a> Target<'a> {
    fn open(directory: &'a Path) -> Result<Self> {
        let own = directory.join(OWN);
        refuse_link(&own)?;
        std::fs::create_dir_all(&own).with_context(|| format!("cannot write to {}", directory.display()))?;
        ["lock", "manifest.jsonl"].iter().try_for_each(|name| refuse_link(&own.join(name)))?;
        let lock = locked(&own.join("lock"), directory)?;
        // What an earlier run was cut short in the midst of.
        for part in std::fs::read_dir(&own)?.flatten() {
            if part.path().extension().is_some_and(|extension| extension == "part") {
                let _ = std::fs::remove_file(part.path());
            }
        }
        let manifest = Mutex::new(Manifest::open(&own)?);
        Ok(Target { directory, manifest, _lock: lock })
    }

    fn manifest(&self) -> std::sync::MutexGuard<'_, Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that an object lies in the directory.
    async fn take(&self, s3: &Client, query: &ResultsQuery, wanted: &Wanted) -> Result<Outcome> {
        if self.is_present(wanted).await? {
            return Ok(Outcome::Present);
        }
        self.refuse_taken(&query.bucket, wanted)?;
        let mut attempt = 1;
        loop {
            match self.fetch(s3, query, wanted).await {
                Err(error) if attempt < ATTEMPTS && !is_final(&error) => {
                    tokio::time::sleep(Duration::from_millis(250 << attempt)).await;
                    attempt += 1;
                }
                ended => return ended,
            }
        }
    }

    /// Refuses to write over what no export of this bucket has written.
    fn refuse_taken(&self, bucket: &str, wanted: &Wanted) -> Result<()> {
        let [own, _] = Place::of(&wanted.key).candidates(self.directory);
        let below = own.strip_prefix(self.directory).unwrap_or(&own).to_string_lossy();
        let is_free = match std::fs::symlink_metadata(&own) {
            Ok(found) => found.is_dir() || self.manifest().wrote(bucket, &below),
            Err(_) => true,
        };
        if is_free {
            return Ok(());
        }
        let message = format!("{} is there already, and no export of {bucket} has written it", own.display());
        Err(Error::new(Kind::Refused, message).remedy("Export into a directory of its own.").into())
    }

    /// Whether it lies there already: of the same size, and with the same sum.
    async fn is_present(&self, wanted: &Wanted) -> Result<bool> {
        let known = self.manifest().sum_of(&wanted.key, &wanted.etag);
        let Some(sum) = known.or_else(|| is_md5(&wanted.etag).then(|| wanted.etag.clone())) else {
            return Ok(false);
        };
        for path in Place::of(&wanted.key).candidates(self.directory) {
            let is_so = std::fs::symlink_metadata(&path)
                .is_ok_and(|found| found.is_file() && found.len() == wanted.bytes);
            // Reading a large file blocks.
            if is_so && tokio::task::spawn_blocking(move || sum_of(&path)).await?? == sum {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fetches an object into a file of our own, and gives it its name once it is whole and right.
    async fn fetch(&self, s3: &Client, query: &ResultsQuery, wanted: &Wanted) -> Result<Outcome> {
        let ResultsQuery { bucket, account, .. } = query;
        let (key, doing) = (&wanted.key, format!("download s3://{bucket}/{}", wanted.key));
        let call = s3.get_object().bucket(bucket).expected_bucket_owner(account).key(key);
        let mut object = match call.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(Outcome::Gone),
            Err(error) => return Err(fault::explain(error, &doing)),
        };
        let part = self.directory.join(OWN).join(format!("{:016x}.part", fastrand::u64(..)));
        let written = write(&mut object, &part).await;
        let (bytes, sum) = match written {
            Ok(written) => written,
            Err(error) => {
                let _ = std::fs::remove_file(&part);
                return Err(error.context(format!("cannot {doing}")));
            }
        };
        let etag = object.e_tag().unwrap_or_default().trim_matches('"').to_ascii_lowercase();
        let length = object.content_length().and_then(|length| u64::try_from(length).ok());
        let wrong = match (length, has_md5(&object, &etag)) {
            (Some(length), _) if length != bytes => Some(format!("{bytes} of {length} bytes came")),
            (_, true) if etag != sum => Some(format!("its MD5 is {sum}, and S3 says {etag}")),
            _ => None,
        };
        if let Some(wrong) = wrong {
            let _ = std::fs::remove_file(&part);
            return Err(Error::new(Kind::Failed, format!("cannot {doing}"))
                .because(wrong)
                .remedy("Run it again: what was downloaded stays.")
                .into());
        }
        let verified =
            if has_md5(&object, &etag) || has_checksum(&object) { Verified::Sum } else { Verified::Size };
        let place = Place::of(key);
        let [own, _] = place.candidates(self.directory);
        let below = own.strip_prefix(self.directory).unwrap_or(&own).to_string_lossy().into_owned();
        let mut entry =
            Entry { bucket: bucket.clone(), key: key.clone(), file: below, bytes, etag, md5: sum };
        // Noted first: cut short between the two, the next run knows the file for one of ours.
        self.manifest().add(&entry)?;
        let file = place.settle(self.directory, &part).inspect_err(|_| {
            let _ = std::fs::remove_file(&part);
        })?;
        if file != entry.file {
            entry.file = file;
            self.manifest().add(&entry)?;
        }
        Ok(Outcome::Fetched(verified))
    }
}

/// Two that write to one directory would remove each other's files.
fn locked(path: &Path, directory: &Path) -> Result<File> {
    let cannot = || format!("cannot write {}", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(path).with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!("another download into {} is at work", directory.display());
            let remedy = "Wait until it has ended, or download into another directory.";
            Err(Error::new(Kind::Refused, message).remedy(remedy).into())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
    }
}

/// What is written for ourselves goes nowhere else.
fn refuse_link(path: &Path) -> Result<()> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        let message = format!("{} is a link", path.display());
        let remedy = "Remove it, or export into another directory.";
        return Err(Error::new(Kind::Refused, message).remedy(remedy).into());
    }
    Ok(())
}

/// Whether another try changes nothing: what is denied, and what the disk refuses.
fn is_final(error: &anyhow::Error) -> bool {
    matches!(Error::of(error).kind, Kind::Credentials | Kind::Refused)
        || error.chain().any(|cause| cause.is::<std::io::Error>()) && !fault::passes(error)
}

/// Writes the body, with whatever checksum the SDK compares. How many bytes came, and their MD5.
async fn write(object: &mut GetObjectOutput, part: &Path) -> Result<(u64, String)> {
    let mut file = BufWriter::new(File::create_new(part)?);
    let (mut bytes, mut sum) = (0, Md5::new());
    loop {
        let chunk = match object.body.try_next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            // The connection broke, or the checksum is another: not the disk's fault.
            Err(error) => {
                return Err(Error::new(Kind::Failed, "it broke off").because(error.to_string()).into());
            }
        };
        file.write_all(&chunk)?;
        sum.update(&chunk);
        bytes += chunk.len() as u64;
    }
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok((bytes, hexadecimal(sum)))
}

fn sum_of(path: &Path) -> std::io::Result<String> {
    let (mut file, mut sum, mut buffer) = (File::open(path)?, Md5::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(sum)),
            read => sum.update(&buffer[..read]),
        }
    }
}

fn hexadecimal(sum: Md5) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether an ETag looks like an MD5. That of an object in several parts does not.
fn is_md5(etag: &str) -> bool {
    etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether an object's ETag is its MD5: not where a key of KMS or of the caller encrypts it.
fn has_md5(object: &GetObjectOutput, etag: &str) -> bool {
    let plain = matches!(object.server_side_encryption(), None | Some(ServerSideEncryption::Aes256));
    plain && object.sse_customer_algorithm().is_none() && is_md5(etag)
}

/// Whether S3 told a checksum of the whole object, which the SDK has compared then. One of its parts ends in their
/// number.
fn has_checksum(object: &GetObjectOutput) -> bool {
    let sums = [
        object.checksum_crc32(),
        object.checksum_crc32_c(),
        object.checksum_crc64_nvme(),
        object.checksum_sha1(),
        object.checksum_sha256(),
    ];
    sums.into_iter().flatten().any(|sum| !sum.contains('-'))
}
