//! The name of the bucket: whether it is free, and what becomes of a bucket that was left behind.

use crate::cloud::Identity;
use crate::cloud::bucket::Bucket as Whose;
use crate::error::{Error, Kind};
use crate::settings::Means;
use crate::stack::changeset::{self, Prepared, Wanted};
use crate::stack::poll;
use crate::stack::quota;
use crate::stack::state::{self, Stack};
use crate::stack::{Context, residue};
use anyhow::Result;
use std::time::Duration;

/// Whether an empty bucket that is in the way may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// `up` makes room.
    Make,
    /// `plan` changes nothing.
    Leave,
}

/// The change set, where nothing stands in its way that would make it fail after a minute.
pub async fn prepare(
    context: &Context,
    identity: &Identity,
    stack: Option<&Stack>,
    wanted: &Wanted<'_>,
    room: Room,
    at_most: Duration,
) -> Result<Prepared> {
    if stack.is_none() {
        let check = || check_bucket(context, identity, wanted.means, room);
        let check = poll::patiently(context, at_most, check);
        tokio::try_join!(check, quota::check(context, &identity.account, wanted.shape.shards))?;
    }
    changeset::prepare(context, identity, stack, wanted, at_most).await
}

/// A bucket of that name makes the creation fail after a minute: better said now. With `--adopt` it has to be there.
async fn check_bucket(context: &Context, identity: &Identity, means: &Means, room: Room) -> Result<()> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    match context.clients.whose(&bucket, &identity.account).await? {
        Whose::Missing => Ok(()),
        Whose::Ours if means.adopt => Ok(()),
        Whose::Ours => make_room(context, identity, &bucket, room).await,
        Whose::Foreign => Err(crate::artifact::foreign_bucket(&bucket, &identity.account).into()),
    }
}

/// A bucket of ours is there: somebody is just making its stack, or it was left behind. An empty one is removed.
async fn make_room(context: &Context, identity: &Identity, bucket: &str, room: Room) -> Result<()> {
    let name = context.environment.stack();
    if state::find(&context.clients.cloudformation, &name).await?.is_some() {
        return Err(Error::new(Kind::Refused, format!("somebody else is bringing {name} up"))
            .remedy("Run it again: it watches that to its end first.")
            .into());
    }
    if room == Room::Make && residue::remove_if_empty(context, identity).await? {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, format!("the bucket {bucket} exists already, but no stack holds it"))
        .remedy(format!(
            "`{}` takes it over, with what is in it; without --adopt, one that holds nothing is removed.",
            context.invocation.command("up --adopt")
        ))
        .remedy(format!(
            "Or save what you need of it, then remove it with `{}`.",
            context.invocation.aws(&format!("s3 rb s3://{bucket} --force"))
        ))
        .into())
}
