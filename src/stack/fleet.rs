//! The environments of an account: all that their stacks tell, in one call a page.

use super::state::Stack;
use super::status::{Known, StackStatus};
use super::{Context, cost, lifetime, poll};
use crate::cloud::{Clients, bucket, fault};
use crate::environment::{
    Environment, EnvironmentName, Pattern, TAG_ENVIRONMENT, TAG_EXPIRES, TAG_KEPT, expiry_of, expiry_tag,
};
use crate::error::{Error, Kind};
use crate::event::Event;
pub use crate::settings::Choice;
use crate::template;
use anyhow::Result;
use aws_sdk_cloudformation::error::SdkError;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a look waits for a throttled account: whoever looks can look again.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How many regions are looked at at once.
const REGIONS_AT_ONCE: usize = 12;
/// What is told as expiring soon, in seconds.
const SOON: i64 = 3_600;

/// One environment, as its stack tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// The environment's name.
    pub env: String,
    /// Its region.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The stack's ARN. Empty where only a bucket is left.
    pub stack_id: String,
    /// The stack's state.
    pub status: StackStatus,
    /// CloudFormation's sentence about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// When it was last changed, RFC 3339.
    pub updated: Option<String>,
    /// When its time is over, RFC 3339; `null` where it never is.
    pub expires: Option<String>,
    /// Who made it.
    pub owner: Option<String>,
    /// The version of this tool that last changed it.
    pub version: Option<String>,
    /// The pull request whose pipeline made it.
    pub pull_request: Option<String>,
    /// Whether `down` and `reap` refuse it.
    pub protected: bool,
    /// Whether it is marked as short-lived.
    pub ephemeral: bool,
    /// What it costs a day without any traffic, in USD by the list prices of us-east-1; `null` where it isn't known.
    pub cost_per_day: Option<f64>,
    /// The bucket that is all that is left of it, where its stack is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_bucket: Option<String>,
    /// Whether that bucket was kept on purpose (`down --keep-data`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// The tags of its stack.
    pub tags: BTreeMap<String, String>,
}

/// An environment at a moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// What its stack tells.
    #[serde(flatten)]
    pub listed: Listed,
    /// Whether its time is over.
    pub expired: bool,
    /// What it has cost since it was made, without any traffic, in USD, were it always as it is; `null` where it isn't
    /// known.
    pub cost_so_far: Option<f64>,
}

/// All environments of some regions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    /// What to look at first comes first.
    pub environments: Vec<Seen>,
    /// Regions that couldn't be asked, and why.
    pub unread: Vec<(String, Error)>,
}

/// All environments that have a stack here, sorted by name: the stacks that bear our tag, and mere names.
pub async fn list(clients: &Clients) -> Result<Vec<Listed>> {
    let listed = stacks(clients).await.map_err(|error| fault::explain(error, "list the stacks"))?;
    Ok(sorted(listed))
}

/// Whether nothing of an environment is here: no stack that is more than its name, and no bucket, by its name alone. One
/// that was kept is told by that where no tags are kept.
pub async fn is_empty(clients: &Clients) -> Result<bool> {
    if !list(clients).await?.iter().all(|it| it.status.is(Known::ReviewInProgress)) {
        return Ok(false);
    }
    let buckets = clients.s3.list_buckets().send().await;
    let buckets = buckets.map_err(|error| fault::explain(error, "list the buckets"))?;
    let mut names = buckets.buckets().iter().filter_map(|bucket| bucket.name());
    Ok(!names.any(|name| account_of(name).is_some()))
}

fn sorted(mut listed: Vec<Listed>) -> Vec<Listed> {
    listed.sort_by(|a, b| a.env.cmp(&b.env));
    listed
}

type Refused = SdkError<aws_sdk_cloudformation::operation::describe_stacks::DescribeStacksError>;

async fn stacks(clients: &Clients) -> Result<Vec<Listed>, Refused> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let answer = clients.cloudformation.describe_stacks().set_next_token(token).send().await?;
        found
            .extend(answer.stacks().iter().map(Stack::of).filter_map(|stack| listed(stack, &clients.region)));
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// All environments in the regions of these contexts, as they are now. A region that the account hasn't enabled is
/// passed over; another that can't be asked is told, unless it is the only one.
///
/// `at_most`: how long a throttled account is waited for.
pub async fn survey(contexts: &[Context], choice: &Choice, at_most: Duration) -> Result<Fleet> {
    let looks = contexts.iter().map(|context| async move { (context, look(context, at_most).await) });
    let looks: Vec<_> = stream::iter(looks).buffered(REGIONS_AT_ONCE).collect().await;
    let mut fleet = Fleet::default();
    let mut read = 0;
    for (context, look) in looks {
        match look {
            Ok(Some(listed)) => {
                read += 1;
                let now = context.clock.now();
                let chosen = listed.into_iter().filter(|it| fits(it, choice));
                fleet.environments.extend(chosen.map(|it| it.at(now)));
            }
            Ok(None) => {}
            Err(error) => fleet.unread.push((context.clients.region.clone(), Error::of(&error))),
        }
    }
    if read == 0 {
        let first = fleet.unread.into_iter().next().map(|(_, error)| error);
        let none = || Error::new(Kind::Credentials, "no region knows these credentials");
        return Err(first.unwrap_or_else(none).into());
    }
    if let Some(context) = contexts.first() {
        for (region, error) in &fleet.unread {
            let (region, error) = (region.clone(), error.clone());
            context.reporter.tell(&Event::RegionUnread { region, error });
        }
        let now = context.clock.now();
        fleet.environments.sort_by_cached_key(|it| it.urgency(now));
    }
    Ok(fleet)
}

/// One region. `None` where the account hasn't enabled it.
async fn look(context: &Context, at_most: Duration) -> Result<Option<Vec<Listed>>> {
    let clients = &context.clients;
    poll::patiently(context, at_most, || async {
        let (found, buckets) = tokio::join!(stacks(clients), buckets(clients));
        match found {
            Ok(mut found) => {
                let left = buckets.into_iter().filter(|it| !holds(&found, it));
                let left = futures_util::future::join_all(left.map(|it| there(clients, it))).await;
                found.extend(left.into_iter().flatten());
                Ok(Some(found))
            }
            Err(error) if fault::is_not_enabled(&error) => Ok(None),
            Err(error) => Err(fault::explain(error, "list the stacks")),
        }
    })
    .await
}

fn holds(stacks: &[Listed], left: &Listed) -> bool {
    stacks.iter().any(|it| it.env == left.env)
}

/// The buckets that bear our tag, by whatever tells tags. Whoever may not ask sees stacks alone.
async fn buckets(clients: &Clients) -> Vec<Listed> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let filter = TagFilter::builder().key(TAG_ENVIRONMENT).build();
        let request = clients.tagging.get_resources().tag_filters(filter).resource_type_filters("s3");
        let request = request.resources_per_page(100).set_pagination_token(token.take());
        let Ok(answer) = request.send().await else { return found };
        for resource in answer.resource_tag_mapping_list() {
            let name = resource.resource_arn().and_then(|arn| arn.strip_prefix("arn:")?.rsplit(':').next());
            let tags = resource.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
            found.extend(name.and_then(|name| left(name, tags, &clients.region)));
        }
        token = answer.pagination_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return found;
        }
    }
}

/// The same as the bucket itself tells it, where it is still there: what tells the tags of all lags behind.
async fn there(clients: &Clients, left: Listed) -> Option<Listed> {
    let bucket = left.left_bucket.clone()?;
    match bucket::tags(&clients.s3, &bucket, &account_of(&bucket)?, "look at a bucket").await {
        Ok(tags) => self::left(&bucket, tags?, &clients.region),
        Err(_) => Some(left),
    }
}

/// The account in the name of an environment's bucket: `kinesis-stack-ACCOUNT-NAME-REGION`.
fn account_of(bucket: &str) -> Option<String> {
    let account = bucket.strip_prefix("kinesis-stack-")?.get(..12)?;
    account.bytes().all(|b| b.is_ascii_digit()).then(|| account.to_owned())
}

/// What is left of an environment whose stack is gone, or was kept of it.
fn left(bucket: &str, tags: BTreeMap<String, String>, region: &str) -> Option<Listed> {
    let name: EnvironmentName = tags.get(TAG_ENVIRONMENT)?.parse().ok()?;
    let environment = Environment::new(name);
    // Only the very name that an environment's bucket has.
    if bucket != environment.bucket(&account_of(bucket)?, region) {
        return None;
    }
    let of = |key: &str| tags.get(key).cloned();
    Some(Listed {
        env: environment.name.to_string(),
        region: region.to_owned(),
        stack: environment.stack(),
        stack_id: String::new(),
        status: StackStatus::Known(Known::DeleteComplete),
        reason: None,
        created: None,
        updated: None,
        expires: tags.get(TAG_EXPIRES).and_then(|tag| expiry_of(tag)).map(expiry_tag),
        owner: of(crate::environment::TAG_OWNER),
        version: of(crate::environment::TAG_VERSION),
        pull_request: of(crate::environment::TAG_PULL_REQUEST),
        protected: false,
        ephemeral: false,
        cost_per_day: None,
        left_bucket: Some(bucket.to_owned()),
        kept: tags.contains_key(TAG_KEPT),
        tags,
    })
}

/// A stack of ours: by its tag, or, where it never was more than its name, by that.
fn listed(stack: Stack, region: &str) -> Option<Listed> {
    let named = || {
        let name = stack.name.strip_prefix("kinesis-stack-")?;
        let is_a_name = stack.status.is(Known::ReviewInProgress) && name.parse::<EnvironmentName>().is_ok();
        is_a_name.then(|| name.to_owned())
    };
    let env = stack.environment().map(str::to_owned).or_else(named)?;
    (!stack.status.is(Known::DeleteComplete)).then(|| Listed {
        env,
        region: region.to_owned(),
        expires: stack.expires().map(expiry_tag),
        owner: stack.owner().map(str::to_owned),
        version: stack.version().map(str::to_owned),
        pull_request: stack.pull_request().map(str::to_owned),
        cost_per_day: cost_per_day(&stack),
        protected: stack.protected,
        ephemeral: stack.ephemeral,
        left_bucket: None,
        kept: false,
        stack: stack.name,
        stack_id: stack.id,
        status: stack.status,
        reason: stack.reason,
        created: stack.created,
        updated: stack.updated,
        tags: stack.tags,
    })
}

/// Of a stack that was rolled back, or is no more than its name, nothing is there that costs anything.
fn cost_per_day(stack: &Stack) -> Option<f64> {
    if stack.status.is(Known::RollbackComplete) || stack.status.is(Known::ReviewInProgress) {
        return Some(0.0);
    }
    let (shards, hours) = template::stream_of(stack.description.as_deref()?)?;
    Some(cost::daily(shards, hours))
}

fn fits(listed: &Listed, choice: &Choice) -> bool {
    let Choice { name, tags } = choice;
    name.as_ref().is_none_or(|pattern: &Pattern| pattern.matches(&listed.env))
        && tags.iter().all(|(key, value)| listed.tags.get(key) == Some(value))
}

impl Listed {
    /// What it is at this moment.
    pub fn at(self, now: Timestamp) -> Seen {
        let age = self.created.as_deref().and_then(|created| created.parse::<Timestamp>().ok());
        let age = age.map(|created| now.duration_since(created).as_secs_f64());
        let cost_so_far = self.cost_per_day.zip(age).map(|(daily, age)| cost::so_far(daily, age));
        // What was kept on purpose has no end of its own.
        let expired = !self.kept && lifetime::is_over(self.ends(), now);
        Seen { expired, cost_so_far, listed: self }
    }

    /// When its time is over.
    pub fn ends(&self) -> Option<Timestamp> {
        self.expires.as_deref().and_then(expiry_of)
    }
}

/// What to look at first. The order is that of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Expired,
    Stuck,
    InProgress,
    Soon,
    Rest,
    Protected,
    Kept,
}

impl Seen {
    fn rank(&self, now: Timestamp) -> Rank {
        let status = &self.listed.status;
        let soon = |expires: Timestamp| expires.as_second() - now.as_second() < SOON;
        if self.listed.kept {
            Rank::Kept
        } else if self.expired && !self.listed.protected {
            Rank::Expired
        } else if !status.settled() {
            Rank::InProgress
        } else if self.listed.left_bucket.is_some()
            || !status.good() && !status.is(Known::UpdateRollbackComplete)
        {
            Rank::Stuck
        } else if self.listed.protected {
            Rank::Protected
        } else if self.listed.ends().is_some_and(soon) {
            Rank::Soon
        } else {
            Rank::Rest
        }
    }

    /// By what to look at first; among the same, what ends first, then what is oldest.
    fn urgency(&self, now: Timestamp) -> (Rank, Option<Timestamp>, Option<String>, String, String) {
        let rank = self.rank(now);
        let ends = self.listed.ends().filter(|_| matches!(rank, Rank::Expired | Rank::Soon));
        let it = &self.listed;
        (rank, ends, it.created.clone(), it.env.clone(), it.region.clone())
    }
}

#[cfg(test)]
mod tests;
