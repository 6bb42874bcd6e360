//! Removes what a test left in the bucket.

use super::Pipeline;
use super::look::Object;
use crate::cloud::fault;
use crate::error::Error;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

/// Removes an object that holds nothing but records of the test, as the version that was read. Where it stays, the
/// error says why.
pub(super) async fn clear(s3: &Client, pipeline: &Pipeline, object: &Object) -> Result<(), String> {
    let Pipeline { bucket, account, .. } = pipeline;
    if !object.is_ours_alone() {
        return Err("it holds something else, too".to_owned());
    }
    let head = s3.head_object().bucket(bucket).expected_bucket_owner(account).key(&object.key);
    let head = match head.send().await {
        Ok(head) => head,
        Err(error) if fault::is_missing(&error) => return Ok(()),
        Err(error) => return Err(said(&fault::explain(error, "look at it"))),
    };
    if head.e_tag().is_some_and(|etag| etag != object.etag) {
        return Err("it was written anew".to_owned());
    }
    let version = head.version_id().map(str::to_owned);
    let identifier = ObjectIdentifier::builder().key(&object.key).set_version_id(version).build();
    let delete = identifier.and_then(|it| Delete::builder().objects(it).quiet(true).build());
    let delete = delete.map_err(|error| error.to_string())?;
    let call = s3.delete_objects().bucket(bucket).expected_bucket_owner(account).delete(delete);
    match call.send().await {
        // A key of its own can be refused inside a 200.
        Ok(answer) => match answer.errors().first() {
            None => Ok(()),
            Some(error) => {
                Err(format!("{}: {}", error.code().unwrap_or_default(), error.message().unwrap_or_default()))
            }
        },
        Err(error) => Err(said(&fault::explain(error, "remove it"))),
    }
}

fn said(error: &anyhow::Error) -> String {
    let error = Error::of(error);
    error.cause.unwrap_or(error.message)
}
