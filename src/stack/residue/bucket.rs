//! The bucket of an environment that has no stack any more, where it is in another `up`'s way.

use super::Emptier;
use crate::cloud::Identity;
use crate::cloud::bucket::{Unread, tags};
use crate::environment::TAG_ENVIRONMENT;
use crate::stack::Context;
use anyhow::Result;

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
    let doing = format!("look at the bucket {bucket}");
    match tags(&context.clients.s3, bucket, &identity.account, &doing).await {
        Ok(None) => Ok(Tagged::Gone),
        Ok(Some(tags)) if tags.is_empty() => Ok(Tagged::Not),
        Ok(Some(tags)) => {
            let environment = context.environment.name.as_str();
            let is_ours = tags.get(TAG_ENVIRONMENT).is_some_and(|name| name == environment);
            Ok(if is_ours { Tagged::Ours } else { Tagged::Otherwise })
        }
        // Whatever isn't known to be ours stays.
        Err(Unread::Foreign(_) | Unread::Denied(_)) => Ok(Tagged::Otherwise),
        // Throttling and credentials that aren't good tell nothing.
        Err(Unread::Failed(error)) => Err(error),
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
