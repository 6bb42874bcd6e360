//! Somebody else at work in the same account.

use crate::Account;
use crate::STRANGER;
use crate::cloudformation::{Deletion, Deployment, Difference, Order, Stack, Terms, changes};
use crate::kinesis::Reshard;
use crate::s3::{Bucket, Version};
use crate::things::Coming;
use crate::weather::Act;
use std::time::Duration;

/// Something that somebody else does at a moment that a test chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Gives a stack a tag, which is an update of the stack: its name, the key, the value.
    Tags(String, String, String),
    /// Begins to delete a stack.
    Deletes(String),
    /// Makes a stack that is no more than its name yet.
    Names(String),
    /// Protects a stack from deletion.
    Protects(String),
    /// Puts an object into a bucket: the bucket, the key.
    Puts(String, String),
    /// Makes a thing that bears this tag: its type, its name, the key, the value.
    Makes(String, String, (String, String)),
    /// Begins to change a stream's shards.
    Reshards(String, Reshard),
    /// Writes a line into a log stream: the group, the stream, the line.
    Logs(String, String, String),
}

impl Account {
    /// The stack of this id, or the one of this name that is not deleted.
    pub fn stack(&mut self, name: &str) -> Option<&mut Stack> {
        self.stacks.iter_mut().find(|stack| stack.id == name || stack.name == name && !stack.is_gone())
    }

    /// Somebody else begins to change the stack's tags, which takes a while.
    pub fn somebody_updates(&mut self, name: &str) {
        self.somebody_tags(name, "somebody", "else");
    }

    /// Somebody else begins to give the stack a tag, which takes a while.
    pub fn somebody_tags(&mut self, name: &str, key: &str, value: &str) {
        let Some(mut deployment) = self.stack(name).map(|stack| stack.deployed.clone()) else { return };
        deployment.tags.insert(key.to_owned(), value.to_owned());
        self.somebody_deploys(name, deployment);
    }

    /// Somebody else makes a thing without a stack, ready at once, with these tags. A role gets an inline policy, as
    /// hardly any is without one.
    pub fn somebody_makes(&mut self, kind: &str, name: &str, tags: &[(&str, &str)]) {
        self.make(kind, name);
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if let Some(bucket) = self.buckets.get_mut(name).filter(|_| kind == "AWS::S3::Bucket") {
            bucket.tags = tags;
        } else if let Some(thing) = self.things.get_mut(&(kind.to_owned(), name.to_owned())) {
            thing.tags = tags;
            if kind == "AWS::IAM::Role" {
                thing.policies.insert("inline".to_owned(), "{}".to_owned());
            }
        }
    }

    /// A bucket of this name belongs to another account, with an object in it.
    pub fn somebody_takes(&mut self, bucket: &str) {
        self.buckets.insert(bucket.to_owned(), Bucket::of(STRANGER));
        self.put(bucket, "theirs", Version::of(*b"theirs"));
    }

    /// Somebody else does this so long from now.
    pub fn somebody_later(&mut self, after: Duration, deed: Deed) {
        self.coming.push((self.clock.now() + after, Coming::Deed(deed)));
    }

    /// Somebody else does this right before the next call of this operation is answered.
    pub fn somebody_before(&mut self, operation: &str, deed: Deed) {
        self.awaited.push((operation.to_owned(), deed));
    }

    /// Does what was to be done before a call of this operation.
    pub(crate) fn deeds_before(&mut self, operation: &str) {
        let all = std::mem::take(&mut self.awaited);
        let (due, left) = all.into_iter().partition(|(awaited, _)| awaited == operation);
        self.awaited = left;
        let due: Vec<(String, Deed)> = due;
        due.into_iter().for_each(|(_, deed)| self.somebody_does(deed));
    }

    pub(crate) fn somebody_does(&mut self, deed: Deed) {
        match deed {
            Deed::Tags(stack, key, value) => self.somebody_tags(&stack, &key, &value),
            Deed::Deletes(stack) => self.somebody_deletes(&stack),
            Deed::Names(stack) => self.somebody_names(&stack),
            Deed::Protects(stack) => {
                if let Some(stack) = self.stack(&stack) {
                    stack.protected = true;
                }
            }
            Deed::Puts(bucket, key) => self.put(&bucket, &key, Version { bytes: 93, ..Version::default() }),
            Deed::Reshards(stream, what) => self.somebody_reshards(&stream, what),
            Deed::Logs(group, stream, line) => self.log(&group, &stream, &line),
            Deed::Makes(kind, name, (key, value)) => self.somebody_makes(&kind, &name, &[(&key, &value)]),
        }
    }

    /// Somebody else makes a change set for a stack that isn't there: its name alone is, from now on.
    pub fn somebody_names(&mut self, name: &str) {
        let now = self.clock.now();
        self.name_stack(name, now);
    }

    /// Somebody else begins to delete the stack.
    pub fn somebody_deletes(&mut self, name: &str) {
        let now = self.clock.now();
        let deletion = Deletion { token: "somebody".to_owned(), ..Deletion::default() };
        self.with_stack(name, |account, stack| account.delete(stack, now, deletion));
    }

    /// Somebody else begins to deploy this, as an update where the stack is there.
    pub fn somebody_deploys(&mut self, name: &str, deployment: Deployment) {
        let now = self.clock.now();
        if self.stack(name).is_none() {
            self.name_stack(name, now);
        }
        self.with_stack(name, |account, stack| {
            let changes = changes(stack, &deployment, &account.region);
            let (terms, token) = (Terms::default(), "somebody".to_owned());
            account.deploy(stack, Order { deployment, changes, terms, token }, now);
        });
    }

    /// Somebody else changes a property outside CloudFormation, at a path such as `/RetentionPeriodHours`.
    pub fn somebody_drifts(&mut self, stack: &str, logical_id: &str, path: &str, value: &str) {
        if let Some(stack) = self.stack(stack) {
            let changed = stack.drifted.entry(logical_id.to_owned()).or_default();
            changed.insert(path.to_owned(), value.to_owned());
        }
    }

    /// Somebody else does this to the first stack that is at rest, where there is one.
    pub(crate) fn somebody(&mut self, act: Act) {
        let settled =
            |stack: &&Stack| !stack.is_gone() && !stack.is_busy() && stack.status.ends_with("_COMPLETE");
        let usable = self.stacks.iter().find(settled).filter(|stack| stack.status != "ROLLBACK_COMPLETE");
        match (act, usable.map(|stack| stack.name.clone())) {
            (Act::Updates, Some(name)) => self.somebody_updates(&name),
            (Act::Deletes, Some(name)) => self.somebody_deletes(&name),
            (Act::Deploys, None) => {
                // What was deployed once is deployed again.
                let last = self.stacks.iter().rev().find(|stack| !stack.deployed.template.is_empty());
                let last =
                    last.filter(|stack| stack.is_gone()).map(|it| (it.name.clone(), it.deployed.clone()));
                if let Some((name, deployment)) =
                    last.filter(|(name, _)| self.stacks.iter().all(|it| it.name != *name || it.is_gone()))
                {
                    self.somebody_deploys(&name, deployment);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn with_stack<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Account, &mut Stack) -> T,
    ) -> Option<T> {
        let id = self.stack(name)?.id.clone();
        let place = self.stacks.iter().position(|stack| stack.id == id)?;
        let mut stack = self.stacks.remove(place);
        let done = act(self, &mut stack);
        self.stacks.insert(place, stack);
        Some(done)
    }

    /// Where each property of a resource isn't as it should be.
    pub(crate) fn differences(&self, stack: &Stack, logical_id: &str) -> Vec<Difference> {
        let properties =
            crate::cloudformation::Template::new(&stack.deployed, &self.region).properties(logical_id);
        let changed = stack.drifted.get(logical_id).into_iter().flatten();
        changed
            .map(|(path, actual)| {
                let name = path.trim_start_matches('/');
                let expected = properties.get(name).map(|it| serde_yaml::to_string(it).unwrap_or_default());
                let expected = expected.unwrap_or_default().trim().to_owned();
                Difference { path: path.clone(), expected, actual: actual.clone() }
            })
            .filter(|difference| difference.expected != difference.actual)
            .collect()
    }
}
