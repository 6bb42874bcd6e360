//! An account as it is seen from outside.

use super::run::age_of;
use super::story::OTHERS;
use crate::bench::{ARTIFACTS, BUCKET, STACK};
use kinesis_stack::environment::TAG_EXPIRES;
use simulated_aws::{ACCOUNT, Account, Deployment};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// An account as it is seen from outside.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub stack: Option<SeenStack>,
    /// What there is of the environment, and when it was made, by the account's age.
    pub things: BTreeMap<String, Duration>,
    /// The SHA-256 of what the function runs, in base64.
    pub code: Option<String>,
    pub has_bucket: bool,
    pub has_artifacts: bool,
    /// Whether it bears the environment's tag, as one does whose making came to its end.
    pub has_tagged_bucket: bool,
    /// When its time is over, by its own tag and the account's age: it stays where the stack is deleted by hand.
    pub bucket_expires: Option<Duration>,
    /// Rows that the story put there.
    pub rows: BTreeSet<String>,
    /// How much lies in the bucket.
    pub objects: usize,
    /// How much of it is under a lock.
    pub locked: usize,
    /// How much of its own lies in the bucket of that name that another account owns.
    pub strangers: Option<usize>,
    /// What somebody else has begun so far.
    pub somebody: usize,
    /// The other environments that there is anything of.
    pub others: BTreeMap<&'static str, SeenOther>,
}

#[derive(Debug, Clone)]
pub struct SeenStack {
    pub id: String,
    pub status: String,
    pub deployed: Deployment,
    pub protected: bool,
    pub change_sets: Vec<String>,
    /// Whether somebody else's operation was the last.
    pub is_somebodys: bool,
}

/// Another environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenOther {
    /// Its stack's state, where it has one.
    pub status: Option<String>,
    pub protected: bool,
    /// When its time is over, by the account's age.
    pub expires: Option<Duration>,
    /// All that there is of it, but for its stack.
    pub holds: BTreeSet<String>,
    /// What somebody else has begun with it so far.
    pub somebody: usize,
}

/// How the story's rows are called.
pub fn row(number: u32) -> String {
    format!("rows/story-{number}")
}

impl Seen {
    pub fn of(account: &mut Account) -> Self {
        let stack = account.stack(STACK).map(|stack| SeenStack {
            id: stack.id.clone(),
            status: stack.status.clone(),
            deployed: stack.deployed.clone(),
            protected: stack.protected,
            change_sets: stack.change_sets.iter().map(|it| it.name.clone()).collect(),
            is_somebodys: stack.operations.last().is_some_and(|it| it.token == "somebody"),
        });
        let bucket = account.buckets.get(BUCKET);
        let (ours, strangers) = match bucket {
            Some(bucket) if bucket.owner == ACCOUNT => (Some(bucket), None),
            // What a delivery stream writes there after its own bucket is gone is nothing that a command did.
            other => (None, other.map(|it| it.versions.keys().filter(|(key, _)| key == "theirs").count())),
        };
        let versions = || ours.into_iter().flat_map(|bucket| &bucket.versions);
        let (age, now) = (account.age(), Instant::now());
        let age_at = |at: Instant| age.saturating_sub(now.duration_since(at));
        let function = account.thing("AWS::Lambda::Function", "kinesis-stack-dev-processor");
        let things =
            account.things.iter().filter(|((_, name), _)| OTHERS.iter().all(|it| !name.contains(it)));
        Seen {
            stack,
            things: things.map(|((_, name), thing)| (name.clone(), age_at(thing.made))).collect(),
            code: function.and_then(|it| it.facts.get("CodeSha256").cloned()),
            has_tagged_bucket: ours.is_some_and(|bucket| !bucket.tags.is_empty()),
            bucket_expires: ours.and_then(|it| it.tags.get(TAG_EXPIRES)).and_then(|tag| age_of(tag)),
            has_bucket: ours.is_some(),
            has_artifacts: account.buckets.contains_key(ARTIFACTS),
            rows: versions()
                .map(|((key, _), _)| key)
                .filter(|key| key.starts_with("rows/story-"))
                .cloned()
                .collect(),
            objects: versions().count(),
            locked: versions().filter(|(_, version)| version.locked).count(),
            strangers,
            somebody: begun_by_somebody(account, STACK),
            others: OTHERS.iter().filter_map(|name| Some((*name, SeenOther::of(account, name)?))).collect(),
        }
    }

    /// Whether anything of the environment is there.
    pub fn remains(&self) -> Vec<String> {
        let stack = self.stack.iter().map(|_| STACK.to_owned());
        let bucket = self.has_bucket.then(|| BUCKET.to_owned());
        let artifacts = self.has_artifacts.then(|| ARTIFACTS.to_owned());
        stack.chain(self.things.keys().cloned()).chain(bucket).chain(artifacts).collect()
    }

    /// When the environment's time is over, by the account's age.
    pub fn expires(&self) -> Option<Duration> {
        let stack = self.stack.as_ref()?;
        stack.deployed.tags.get(TAG_EXPIRES).and_then(|tag| age_of(tag))
    }
}

impl SeenOther {
    fn of(account: &mut Account, name: &str) -> Option<Self> {
        let named = |it: &&String| it.contains(name);
        let things = account.things.keys().map(|(_, name)| name).filter(named);
        let holds: BTreeSet<String> = things.chain(account.buckets.keys().filter(named)).cloned().collect();
        let stack_name = STACK.replace("dev", name);
        let somebody = begun_by_somebody(account, &stack_name);
        let stack = account.stack(&stack_name);
        if stack.is_none() && holds.is_empty() {
            return None;
        }
        Some(SeenOther {
            status: stack.as_ref().map(|stack| stack.status.clone()),
            protected: stack.as_ref().is_some_and(|stack| stack.protected),
            expires: stack.and_then(|it| it.deployed.tags.get(TAG_EXPIRES)).and_then(|tag| age_of(tag)),
            holds,
            somebody,
        })
    }
}

fn begun_by_somebody(account: &Account, stack: &str) -> usize {
    let stacks = account.stacks.iter().filter(|it| it.name == stack);
    stacks.flat_map(|stack| &stack.operations).filter(|it| it.token == "somebody").count()
}
