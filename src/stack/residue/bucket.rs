//! The bucket of an environment that has no stack any more, where it is in another `up`'s way.

use super::Emptier;
use crate::cloud::{Identity, fault};
use crate::environment::TAG_ENVIRONMENT;
use crate::stack::Context;
use anyhow::Result;
use aws_sdk_s3::types::Tag;

/// What the tags of a bucket without a stack say.
#[derive(PartialEq)]
enum Tagged {
    /// It bears our tag.
    Ours,
    /// It bears none: it may be ours, and its making was cut short before it got its tags.
    Not,
    /// It bears others, or isn't ours.
    Otherwise,
    /// There is none.
    Gone,
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
        Err(error) if fault::is_missing(&error) => Ok(Tagged::Gone),
        Err(error) if fault::is_forbidden(&error) => Ok(Tagged::Otherwise),
        Err(error) => Err(fault::explain(error, &format!("look at the bucket {bucket}"))),
    }
}

/// Removes the bucket of an environment that has no stack any more, where it is ours and holds nothing. True where
/// none is left then.
pub async fn remove_if_empty(context: &Context, identity: &Identity) -> Result<bool> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    match tagged(context, identity, &bucket).await? {
        Tagged::Otherwise => return Ok(false),
        // Whoever tore the environment down was quicker.
        Tagged::Gone => return Ok(true),
        Tagged::Ours | Tagged::Not => {}
    }
    let emptier = Emptier::new(context, &bucket, identity);
    let empty = emptier.count().await?.objects == 0;
    if empty {
        emptier.remove_and_tell().await?;
    }
    Ok(empty)
}
