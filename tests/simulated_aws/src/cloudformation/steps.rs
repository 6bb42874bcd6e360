//! One step of what CloudFormation does with a stack, taken when it is due.

use super::stack::{Resource, Stack};
use super::template::Template;
use crate::Account;
use std::time::Duration;
use tokio::time::Instant;

/// A step.
#[derive(Debug, Clone)]
pub enum Step {
    /// `ready`: when the service itself is done.
    Begin {
        verb: Verb,
        resource: Resource,
        ready: Instant,
    },
    Finish {
        verb: Verb,
        resource: Resource,
        ready: Instant,
    },
    Fail(Verb, Resource, String),
    /// The resource stays, but leaves the stack.
    Skip(Resource),
    /// The stack enters this state.
    Enter(&'static str),
    /// An operation ends: this state, or the other if a resource is in this failed state.
    End {
        good: &'static str,
        bad: &'static str,
        failed: &'static str,
    },
}

/// What is done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Create,
    Import,
    Update,
    /// Back to what it was before an update.
    Restore,
    Delete,
}

impl Verb {
    pub fn status(self, end: &str) -> String {
        let verb = match self {
            Verb::Create => "CREATE",
            Verb::Import => "IMPORT",
            Verb::Update | Verb::Restore => "UPDATE",
            Verb::Delete => "DELETE",
        };
        format!("{verb}_{end}")
    }
}

impl Step {
    fn finishes(&self, resource: &Resource) -> bool {
        matches!(self, Step::Finish { resource: other, .. } if other == resource)
    }
}

impl Account {
    pub(crate) fn step(&mut self, stack: &mut Stack, at: Instant, step: Step) {
        match step {
            Step::Begin { verb, resource, ready } => {
                // A resource that is replaced is still the old one, and a new one that failed has no name.
                let old = stack.physical_id(&resource.logical_id).unwrap_or_default().to_owned();
                let physical_id =
                    if verb == Verb::Update { old.clone() } else { resource.physical_id.clone() };
                let shown = Resource { physical_id, ..resource.clone() };
                self.tell(stack, at, &shown, verb.status("IN_PROGRESS"), "");
                if let Err((reason, after)) = self.begin(stack, at, verb, &resource, ready) {
                    stack.schedule.retain(|(_, step)| !step.finishes(&resource));
                    let at = at + Duration::from_secs_f64(after * self.script.pace);
                    stack.later(at, Step::Fail(verb, Resource { physical_id: old, ..resource }, reason));
                }
            }
            Step::Finish { verb, resource, ready } => match self.finish(stack, at, verb, &resource, ready) {
                Ok(()) => self.tell(stack, at, &resource, verb.status("COMPLETE"), ""),
                Err(reason) => self.fail(stack, at, verb, &resource, &reason),
            },
            Step::Fail(verb, resource, reason) => self.fail(stack, at, verb, &resource, &reason),
            Step::Skip(resource) => self.tell(stack, at, &resource, "DELETE_SKIPPED".to_owned(), ""),
            Step::Enter(status) => self.enter(stack, at, status, ""),
            Step::End { good, bad, failed } => self.end(stack, at, good, bad, failed),
        }
    }

    /// An error tells why it can't even begin, and after how many seconds that is known.
    fn begin(
        &mut self,
        stack: &mut Stack,
        at: Instant,
        verb: Verb,
        resource: &Resource,
        ready: Instant,
    ) -> Result<(), (String, f64)> {
        let Resource { logical_id, kind, physical_id, .. } = resource;
        let template = Template::new(&stack.deployed, &self.region);
        let held =
            stack.held.iter().any(|held| held.logical_id == *logical_id && held.physical_id == *physical_id);
        let exists = self.exists(kind, physical_id);
        let is_new = verb == Verb::Create || verb == Verb::Update && !held;
        if matches!(verb, Verb::Create | Verb::Update | Verb::Import) {
            stack.touched.insert(logical_id.clone());
        }
        match verb {
            Verb::Delete => self.dies(kind, physical_id),
            Verb::Import | Verb::Restore => {}
            _ if !is_new && !exists && self.keeps(kind) => {
                let reason = format!(
                    "Resource of type '{kind}' with identifier '{physical_id}' was not found. (HandlerErrorCode: NotFound)"
                );
                return Err((reason, 1.0));
            }
            _ => {}
        }
        if is_new {
            if exists {
                return Err((format!("{physical_id} already exists"), 1.0));
            }
            if let Some(reason) = self.too_early(&template, logical_id, at) {
                return Err((reason, 2.0));
            }
            if kind == "AWS::S3::Bucket" && self.is_freed(physical_id, at) {
                return Err((crate::reasons::bucket_name_in_transition(), 2.0));
            }
            if let Some(reason) = self.no_room(&template, resource) {
                return Err((reason, 2.0));
            }
            self.make_from(kind, physical_id, at, ready);
            self.begins(stack, resource);
            stack.created.push(resource.clone());
        }
        Ok(())
    }

    /// Why the account has no room for one more, where it has none.
    fn no_room(&self, template: &Template, resource: &Resource) -> Option<String> {
        match resource.kind.as_str() {
            "AWS::Kinesis::Stream" => {
                let shards = template.properties(&resource.logical_id).get("ShardCount").cloned();
                let shards = shards.and_then(|count| template.plain(&count).parse().ok());
                self.no_room_for_stream(shards.unwrap_or(1))
            }
            kind @ "AWS::IAM::Role" => {
                let roles = self.things.keys().filter(|(other, _)| other == kind).count();
                let limit = self.script.role_limit;
                (roles >= limit).then(|| crate::reasons::no_roles(limit))
            }
            _ => None,
        }
    }

    fn finish(
        &mut self,
        stack: &mut Stack,
        at: Instant,
        verb: Verb,
        resource: &Resource,
        ready: Instant,
    ) -> Result<(), String> {
        let Resource { logical_id, kind, physical_id, .. } = resource;
        match verb {
            Verb::Delete => return self.finish_deletion(stack, at, resource, ready),
            Verb::Restore => {
                if let Some(reason) = self.script.stuck.get(logical_id) {
                    return Err(reason.clone());
                }
            }
            Verb::Import => {}
            Verb::Create | Verb::Update => {
                let refused = self.script.failing.get(logical_id).cloned();
                let template = Template::new(&stack.deployed, &self.region);
                let refused = refused.or_else(|| {
                    let (bucket, key) = template.code(logical_id)?;
                    let held = self.buckets.get(&bucket).is_some_and(|bucket| bucket.holds(&key));
                    (!held).then(|| "Error occurred while GetObject. S3 Error Code: NoSuchKey.".to_owned())
                });
                if let Some(reason) = refused {
                    if stack.created.iter().any(|made| made.logical_id == *logical_id) && verb == Verb::Create
                    {
                        self.unmake(kind, physical_id);
                    }
                    return Err(reason);
                }
            }
        }
        self.configure(stack, resource);
        Ok(())
    }

    fn finish_deletion(
        &mut self,
        stack: &Stack,
        at: Instant,
        resource: &Resource,
        ready: Instant,
    ) -> Result<(), String> {
        let Resource { logical_id, kind, physical_id, .. } = resource;
        if let Some(reason) = self.script.undeletable.get(logical_id) {
            return Err(reason.clone());
        }
        if kind == "AWS::S3::Bucket" {
            self.arrive(physical_id);
        }
        let is_full = self.buckets.get(physical_id).is_some_and(|bucket| !bucket.is_empty());
        if kind == "AWS::S3::Bucket" && is_full {
            return Err(crate::reasons::bucket_not_empty());
        }
        match stack.terms.express && ready > at {
            true => {
                self.leaves(kind, physical_id, at);
                self.vanishes(kind, physical_id, ready);
            }
            false => self.goes(kind, physical_id, at),
        }
        Ok(())
    }
}
