//! What follows when a resource fails, and how operations end.

use super::stack::{OnFailure, Resource, Stack};
use super::steps::{Step, Verb};
use crate::Account;
use tokio::time::Instant;

impl Account {
    /// A resource fails, and what is to follow follows.
    pub(crate) fn fail(
        &mut self,
        stack: &mut Stack,
        at: Instant,
        verb: Verb,
        resource: &Resource,
        reason: &str,
    ) {
        self.tell(stack, at, resource, verb.status("FAILED"), reason);
        if matches!(verb, Verb::Delete | Verb::Restore) {
            // The rest goes on, and the end tells.
            return;
        }
        stack.touched.insert(resource.logical_id.clone());
        let id = &resource.logical_id;
        let doing = if stack.status == "CREATE_IN_PROGRESS" { "create" } else { "update" };
        let reason = format!("The following resource(s) failed to {doing}: [{id}]. ");
        match stack.terms.on_failure {
            OnFailure::Keep => self.keep(stack, at),
            OnFailure::Delete if doing == "create" => {
                self.cancel(stack, at);
                let token = stack.operations.last().map(|last| last.token.clone()).unwrap_or_default();
                self.operate(stack, "DELETE_STACK", &token);
                self.enter(stack, at, "DELETE_IN_PROGRESS", &reason);
                self.take_apart(stack, at, &[], "DELETE_COMPLETE", "DELETE_FAILED");
            }
            _ => self.roll_back(stack, at, &reason),
        }
    }

    /// Fact: with roll-back off, what has begun is finished, nothing else begins, and the stack stays as it is.
    fn keep(&mut self, stack: &mut Stack, at: Instant) {
        let under_way: Vec<Resource> =
            stack.resources.iter().filter(|it| it.status.ends_with("IN_PROGRESS")).cloned().collect();
        stack.schedule.retain(|(_, step)| match step {
            Step::Finish { resource, .. } | Step::Fail(_, resource, _) => {
                under_way.iter().any(|other| other.logical_id == resource.logical_id)
            }
            _ => false,
        });
        let last = stack.schedule.back().map_or(at, |(at, _)| *at);
        let end = match stack.status.as_str() {
            "CREATE_IN_PROGRESS" => {
                Step::End { good: "CREATE_FAILED", bad: "CREATE_FAILED", failed: "CREATE_FAILED" }
            }
            _ => Step::End { good: "UPDATE_FAILED", bad: "UPDATE_FAILED", failed: "_FAILED" },
        };
        stack.later(last, end);
    }

    /// An operation is through: well, unless a resource is in the failed state.
    pub(crate) fn end(
        &mut self,
        stack: &mut Stack,
        at: Instant,
        good: &'static str,
        bad: &'static str,
        failed: &'static str,
    ) {
        if bad == "UPDATE_COMPLETE" {
            // Fact: what can't be deleted after an update leaves the stack nevertheless, and the update is good.
            let operation = stack.operations.last().map(|last| last.id.clone()).unwrap_or_default();
            let mut events = stack.events.iter().filter(|event| event.operation == operation);
            let orphans = events.any(|event| event.resource.status == failed);
            stack.resources.retain(|resource| resource.status != failed);
            let reason = "Update successful. One or more resources could not be deleted.";
            return self.enter(stack, at, good, if orphans { reason } else { "" });
        }
        let left = stack.resources.iter().filter(|resource| resource.status.ends_with(failed));
        let left: Vec<String> = left.map(|resource| resource.logical_id.clone()).collect();
        if left.is_empty() {
            return self.enter(stack, at, good, "");
        }
        let reason = match bad {
            "DELETE_FAILED" | "ROLLBACK_FAILED" | "DELETE_COMPLETE" => {
                format!("The following resource(s) failed to delete: [{}]. ", left.join(", "))
            }
            "CREATE_FAILED" => format!("The following resource(s) failed to create: [{}]. ", left.join(", ")),
            _ => format!("The following resource(s) failed to update: [{}]. ", left.join(", ")),
        };
        if bad == "UPDATE_ROLLBACK_FAILED" {
            stack.schedule.clear();
        }
        // Fact: a failed EXPRESS update demands EXPRESS.
        stack.owes_express |= bad == "UPDATE_FAILED" && stack.terms.express;
        self.enter(stack, at, bad, &reason);
    }

    /// What is under way stops.
    pub(crate) fn cancel(&mut self, stack: &mut Stack, at: Instant) {
        stack.schedule.clear();
        let under_way: Vec<Resource> =
            stack.resources.iter().filter(|it| it.status.ends_with("IN_PROGRESS")).cloned().collect();
        for resource in under_way {
            let (status, what) = match resource.status.as_str() {
                "CREATE_IN_PROGRESS" => ("CREATE_FAILED", "creation"),
                "IMPORT_IN_PROGRESS" => ("IMPORT_FAILED", "import"),
                _ => ("UPDATE_FAILED", "update"),
            };
            self.tell(stack, at, &resource, status.to_owned(), &format!("Resource {what} cancelled"));
        }
    }
}
