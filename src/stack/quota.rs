//! The quotas that a new environment needs room in, asked before anything is made: Kinesis tells its shards, IAM its
//! roles. All else (stacks, buckets, delivery streams) CloudFormation itself checks when the change set is made, before
//! anything is changed either.

use super::Context;
use crate::cloud::reason::Limit;
use crate::error::{Error, Kind};
use crate::stack::diagnose;
use anyhow::Result;
use aws_sdk_iam::types::SummaryKeyType;

/// How many roles an environment has.
const ROLES: u64 = 2;

/// One quota as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    limit: Limit,
    used: u64,
    most: u64,
    needed: u64,
}

impl Room {
    fn is_there(&self) -> bool {
        self.used.saturating_add(self.needed) <= self.most
    }

    fn told(&self) -> String {
        let what = match self.limit {
            Limit::Shards => "shards",
            _ => "roles",
        };
        format!("{} {what} are needed, and {} of {} are in use", self.needed, self.used, self.most)
    }
}

/// Refuses a creation for which a quota leaves no room. Who may not ask is not held up: CloudFormation tells later.
///
/// Shards: [DescribeLimits](https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeLimits.html), roles:
/// [GetAccountSummary](https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html).
pub async fn check(context: &Context, account: &str, shards: u32) -> Result<()> {
    let (shards, roles) = tokio::join!(self::shards(context, shards), roles(context));
    let short: Vec<Room> = [shards, roles].into_iter().flatten().filter(|room| !room.is_there()).collect();
    refuse(context, account, &short)
}

fn refuse(context: &Context, account: &str, short: &[Room]) -> Result<()> {
    if short.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = short.iter().map(Room::told).collect();
    let stack = context.environment.stack();
    let error = Error::new(Kind::Refused, format!("there is no room for {stack}: {}", told.join("; ")));
    let facts = diagnose::Facts {
        environment: &context.environment,
        region: &context.clients.region,
        account: Some(account),
        invocation: &context.invocation,
        operation: super::plan::Operation::Create,
    };
    let meaning: Vec<String> =
        short.iter().map(|room| diagnose::quota::meaning(room.limit, Some(room.most), &facts)).collect();
    let again = format!("run `{}` again", context.invocation.command("up"));
    let remedies = short.iter().flat_map(|room| diagnose::quota::remedies(room.limit, &facts, again.clone()));
    Err(remedies.fold(error.meaning(meaning.join(" ")), Error::remedy).into())
}

async fn shards(context: &Context, needed: u32) -> Option<Room> {
    let answer = context.clients.kinesis.describe_limits().send().await.ok()?;
    let used = u64::try_from(answer.open_shard_count()).ok()?;
    let most = u64::try_from(answer.shard_limit()).ok()?;
    Some(Room { limit: Limit::Shards, used, most, needed: needed.into() })
}

async fn roles(context: &Context) -> Option<Room> {
    let answer = context.clients.iam.get_account_summary().send().await.ok()?;
    let summary = answer.summary_map()?;
    let of = |key: &SummaryKeyType| summary.get(key).and_then(|count| u64::try_from(*count).ok());
    let (used, most) = (of(&"Roles".into())?, of(&"RolesQuota".into())?);
    Some(Room { limit: Limit::Roles, used, most, needed: ROLES })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(used: u64, most: u64, needed: u64) -> Room {
        Room { limit: Limit::Shards, used, most, needed }
    }

    #[test]
    fn the_last_free_one_may_be_taken_and_no_more() {
        assert!(room(498, 500, 2).is_there());
        assert!(!room(499, 500, 2).is_there());
        assert!(!room(600, 500, 1).is_there(), "a quota can be lowered below what is in use");
    }
}
