//! One step of what CloudFormation does with a stack.

use super::stacks::{Event, Resource, Stack};
use super::template::Template;
use super::{Account, s3};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug, Clone)]
pub enum Step {
    Begin(Verb, Resource),
    Finish(Verb, Resource),
    /// The stack enters this state.
    Enter(&'static str),
    /// A deletion ends: this state, or the other if something could not be deleted.
    End(&'static str, &'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    pub fn status(self, end: &str) -> String {
        let verb = match self {
            Verb::Create => "CREATE",
            Verb::Update => "UPDATE",
            Verb::Delete => "DELETE",
        };
        format!("{verb}_{end}")
    }

    /// Which resources wait for which, and how many seconds each takes.
    pub fn cost(self, kind: &str) -> (u8, f64) {
        let (wave, create, delete) = match kind {
            "AWS::Kinesis::Stream" => (0, 20.0, 20.0),
            "AWS::S3::Bucket" => (0, 15.0, 5.0),
            "AWS::IAM::Role" => (0, 17.0, 2.0),
            "AWS::KinesisFirehose::DeliveryStream" => (2, 62.0, 30.0),
            "AWS::Lambda::Function" => (1, 6.0, 4.0),
            _ => (if kind == "AWS::Logs::LogGroup" { 0 } else { 1 }, 3.0, 1.0),
        };
        (wave, if self == Verb::Delete { delete } else { create })
    }
}

impl Account {
    pub(super) fn step(&mut self, stack: &mut Stack, at: Instant, step: Step) {
        match step {
            Step::Begin(verb, resource) => self.tell(stack, at, &resource, verb.status("IN_PROGRESS"), ""),
            Step::Finish(verb, resource) => match self.finish(stack, verb, &resource) {
                Ok(()) => self.tell(stack, at, &resource, verb.status("COMPLETE"), ""),
                Err(reason) => {
                    self.tell(stack, at, &resource, verb.status("FAILED"), &reason);
                    if verb != Verb::Delete {
                        self.roll_back(stack, at, verb, &resource);
                    }
                }
            },
            Step::Enter(status) => self.enter(stack, at, status, ""),
            Step::End(good, bad) => {
                let left = stack.resources.iter().filter(|resource| resource.status == "DELETE_FAILED");
                let left: Vec<&str> = left.map(|resource| resource.logical_id.as_str()).collect();
                if left.is_empty() {
                    return self.enter(stack, at, good, "");
                }
                let reason = format!("The following resource(s) failed to delete: [{}]. ", left.join(", "));
                self.enter(stack, at, bad, &reason);
            }
        }
    }

    fn finish(&mut self, stack: &mut Stack, verb: Verb, resource: &Resource) -> Result<(), String> {
        let Resource { logical_id, kind, physical_id, .. } = resource;
        if verb == Verb::Delete {
            if kind == "AWS::S3::Bucket" && self.script.arrivals > 0 {
                self.script.arrivals -= 1;
                let number = self.number();
                self.put(physical_id, &format!("rows/late-{number}"), s3::Version::default());
            }
            if self
                .buckets
                .get(physical_id)
                .is_some_and(|bucket| kind == "AWS::S3::Bucket" && !bucket.is_empty())
            {
                return Err("Resource handler returned message: \"The bucket you tried to delete is not empty \
                            (Service: S3, Status Code: 409, Request ID: 8K2S4X)\" (HandlerErrorCode: GeneralServiceException)"
                    .to_owned());
            }
            self.unmake(kind, physical_id);
            return Ok(());
        }
        if let Some(reason) = self.script.failing.get(logical_id) {
            return Err(reason.clone());
        }
        let exists = self.exists(kind, physical_id);
        if verb == Verb::Create && exists {
            return Err(format!("{physical_id} already exists"));
        }
        if let Some((bucket, key)) = Template::new(&stack.deployed, &self.region).code(logical_id)
            && !self.buckets.get(&bucket).is_some_and(|bucket| bucket.holds(&key))
        {
            return Err("Error occurred while GetObject. S3 Error Code: NoSuchKey.".to_owned());
        }
        if !exists {
            self.make(kind, physical_id);
        }
        Ok(())
    }

    fn roll_back(&mut self, stack: &mut Stack, at: Instant, verb: Verb, failed: &Resource) {
        stack.schedule.clear();
        let under_way = verb.status("IN_PROGRESS");
        let cancelled: Vec<Resource> =
            stack.resources.iter().filter(|resource| resource.status == under_way).cloned().collect();
        for resource in &cancelled {
            let reason =
                format!("Resource {} cancelled", if verb == Verb::Create { "creation" } else { "update" });
            self.tell(stack, at, resource, verb.status("FAILED"), &reason);
        }
        let ids = &failed.logical_id;
        if stack.status == "CREATE_IN_PROGRESS" {
            let reason =
                format!("The following resource(s) failed to create: [{ids}]. Rollback requested by user.");
            self.enter(stack, at, "ROLLBACK_IN_PROGRESS", &reason);
            return self.take_apart(stack, at, Step::End("ROLLBACK_COMPLETE", "ROLLBACK_FAILED"));
        }
        let reason = format!("The following resource(s) failed to update: [{ids}].");
        self.enter(stack, at, "UPDATE_ROLLBACK_IN_PROGRESS", &reason);
        stack.deployed = stack.before.clone();
        stack.retired.clear();
        let soon = at + Duration::from_secs(10).mul_f64(self.script.pace);
        stack.later(soon, Step::Enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"));
        stack.later(soon + Duration::from_secs(1), Step::Enter("UPDATE_ROLLBACK_COMPLETE"));
    }

    /// A resource enters a state.
    fn tell(&mut self, stack: &mut Stack, at: Instant, resource: &Resource, status: String, reason: &str) {
        let is_retired = stack.retired.iter().any(|old| old.physical_id == resource.physical_id);
        if !is_retired {
            stack.set(resource, status.clone());
        }
        let late = status.ends_with("_FAILED") && self.script.late.contains(&resource.logical_id);
        let id = format!("{}-{}", resource.logical_id, self.number());
        let resource = Resource { status, ..resource.clone() };
        stack.events.push(Event { id, resource, reason: reason.to_owned(), at, late });
    }

    /// The stack itself enters a state.
    pub(super) fn enter(&mut self, stack: &mut Stack, at: Instant, status: &str, reason: &str) {
        if status.ends_with("_COMPLETE") {
            stack.retired.clear();
        }
        status.clone_into(&mut stack.status);
        reason.clone_into(&mut stack.reason);
        stack.end_told = false;
        let (id, resource) = (format!("{}-{}", stack.name, self.number()), stack.as_resource());
        stack.events.push(Event { id, resource, reason: reason.to_owned(), at, late: false });
    }
}
