//! The bucket that keeps processors: ours, private, made on first use, each zip written once.

use super::Artifact;
use crate::cloud::bucket::{self, Bucket};
use crate::cloud::fault;
use crate::environment::{artifact_bucket, artifact_key};
use crate::error::{Error, Kind};
use crate::event::{Event, Reporter};
use anyhow::Result;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, PublicAccessBlockConfiguration,
};
use std::time::Duration;

/// How often an upload begins anew when its bucket is removed under it.
const ATTEMPTS: u32 = 5;

/// The artifact bucket of one account and region.
#[derive(Debug)]
pub struct Store<'a> {
    s3: &'a aws_sdk_s3::Client,
    account: &'a str,
    region: &'a str,
    /// The bucket's name.
    pub bucket: String,
}

/// What the bucket holds of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// The zip is there.
    Present,
    /// Bucket or zip isn't there.
    Absent,
}

impl<'a> Store<'a> {
    /// The store of this account and region.
    pub fn new(s3: &'a aws_sdk_s3::Client, account: &'a str, region: &'a str) -> Self {
        Store { s3, account, region, bucket: artifact_bucket(account, region) }
    }

    /// Looks whether an artifact is there. A bucket of that name in another account is refused.
    pub async fn look(&self, artifact: &Artifact) -> Result<Stored> {
        let request = self.s3.head_object().bucket(&self.bucket).key(artifact_key(&artifact.sha256));
        match request.expected_bucket_owner(self.account).send().await {
            Ok(_) => Ok(Stored::Present),
            Err(error) if fault::is_missing(&error) => Ok(Stored::Absent),
            // Without s3:ListBucket a missing key is a 403 too: only the bucket itself tells whose it is.
            Err(error) if fault::is_silent_refusal(&error) || fault::is_forbidden(&error) => {
                self.look_at_bucket().await.map(|_| Stored::Absent)
            }
            Err(error) => {
                Err(fault::explain(error, &format!("look into the artifact bucket {}", self.bucket)))
            }
        }
    }

    /// Puts an artifact there, with the bucket where that is missing too. Can be repeated at any point.
    pub async fn put(&self, artifact: &Artifact, reporter: &dyn Reporter) -> Result<()> {
        // On each upload, so that a run that was cut short after creating the bucket is made good. Whether there is
        // a bucket is told by the same call.
        let doing = format!("upload the processor to {}", self.bucket);
        let key = artifact_key(&artifact.sha256);
        let mut attempt = 1;
        loop {
            if !self.keep_private().await? {
                self.create(reporter).await?;
                self.keep_private().await?;
            }
            let put = self.s3.put_object().bucket(&self.bucket).key(&key).expected_bucket_owner(self.account);
            let put = put.content_type("application/zip").body(ByteStream::from(artifact.zip.clone()));
            match put.send().await {
                Ok(_) => break,
                // The `down` of the account's last environment has just taken the bucket with it.
                Err(error) if fault::is_missing(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(fault::explain(error, &doing)),
            }
        }
        reporter.tell(&Event::ArtifactReady { bucket: self.bucket.clone(), key, uploaded: true });
        Ok(())
    }

    /// Keeps the bucket private. False where there is none.
    async fn keep_private(&self) -> Result<bool> {
        let private = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .block_public_policy(true)
            .ignore_public_acls(true)
            .restrict_public_buckets(true)
            .build();
        let block = self.s3.put_public_access_block().bucket(&self.bucket);
        let block = block.expected_bucket_owner(self.account).public_access_block_configuration(private);
        match block.send().await {
            Ok(_) => Ok(true),
            Err(error) if fault::is_missing(&error) => Ok(false),
            // Another's bucket, or a permission that is missing: the bucket itself tells.
            Err(error) if fault::is_forbidden(&error) && self.look_at_bucket().await? => {
                Err(fault::explain(error, &format!("keep {} private", self.bucket)))
            }
            Err(error) if fault::is_forbidden(&error) => Ok(false),
            Err(error) => Err(fault::explain(error, &format!("keep {} private", self.bucket))),
        }
    }

    /// Whether the bucket is there; an error where it is another's.
    async fn look_at_bucket(&self) -> Result<bool> {
        let doing = format!("look at the artifact bucket {}", self.bucket);
        match bucket::whose(self.s3, &self.bucket, self.account, &doing).await? {
            Bucket::Ours => Ok(true),
            Bucket::Missing => Ok(false),
            Bucket::Foreign => Err(foreign_bucket(&self.bucket, self.account).into()),
        }
    }

    async fn create(&self, reporter: &dyn Reporter) -> Result<()> {
        // us-east-1 is no LocationConstraint; every other region needs one.
        let place = (self.region != "us-east-1").then(|| {
            let constraint = BucketLocationConstraint::from(self.region);
            CreateBucketConfiguration::builder().location_constraint(constraint).build()
        });
        for attempt in 1_u32.. {
            let request =
                self.s3.create_bucket().bucket(&self.bucket).set_create_bucket_configuration(place.clone());
            let Err(error) = request.send().await else {
                reporter.tell(&Event::ArtifactBucketCreated { bucket: self.bucket.clone() });
                break;
            };
            match error.as_service_error().and_then(|e| e.meta().code()) {
                // Another run of ours was quicker.
                Some("BucketAlreadyOwnedByYou") => break,
                Some("BucketAlreadyExists") => return Err(foreign_bucket(&self.bucket, self.account).into()),
                // Somebody creates it right now, or its name was deleted a moment ago.
                Some("OperationAborted") if attempt < 8 => {
                    tokio::time::sleep(Duration::from_millis(250 << attempt.min(5))).await;
                }
                _ => {
                    return Err(fault::explain(
                        error,
                        &format!("create the artifact bucket {}", self.bucket),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// A bucket that should be ours answers that it isn't.
pub fn foreign_bucket(bucket: &str, account: &str) -> Error {
    Error::new(Kind::Refused, format!("the bucket {bucket} is not usable: it belongs to another account than {account}, or its access is denied"))
        .remedy("Bucket names are global. Use another account or region, or have the bucket's owner release the name; if it is yours, grant yourself s3:ListBucket on it.")
}
