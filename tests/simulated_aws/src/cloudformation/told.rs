//! What is remembered of what happens: operations, states, events.

use super::stack::{Event, Operation, Resource, Stack};
use crate::Account;
use std::time::Duration;
use tokio::time::Instant;

impl Account {
    /// A new operation begins.
    ///
    /// Fact: each has an id, and the events of all that a request led to bear the request's token.
    pub(crate) fn operate(&mut self, stack: &mut Stack, kind: &'static str, token: &str) -> String {
        let id = format!("6f1d2c3b-0000-4000-8000-{:012x}", self.number());
        stack.operations.push(Operation { id: id.clone(), kind, token: token.to_owned() });
        id
    }

    /// A resource enters a state.
    pub(crate) fn tell(
        &mut self,
        stack: &mut Stack,
        at: Instant,
        resource: &Resource,
        status: String,
        reason: &str,
    ) {
        // The deletion of what was replaced says nothing of what took its place.
        let is_deletion = status.starts_with("DELETE");
        match stack.resources.iter_mut().find(|known| known.logical_id == resource.logical_id) {
            Some(known) if is_deletion && known.physical_id != resource.physical_id => {}
            Some(known) => {
                known.status.clone_from(&status);
                known.physical_id.clone_from(&resource.physical_id);
            }
            None if is_deletion => {}
            None => stack.resources.push(Resource { status: status.clone(), ..resource.clone() }),
        }
        let late = status.ends_with("_FAILED") && self.script.late.contains(&resource.logical_id);
        self.happened(stack, at, Resource { status, ..resource.clone() }, reason, late);
    }

    /// The stack itself enters a state.
    pub(crate) fn enter(&mut self, stack: &mut Stack, at: Instant, status: &str, reason: &str) {
        if status.ends_with("_COMPLETE") {
            stack.owes_express = false;
        }
        if status == "DELETE_COMPLETE" {
            stack.deleted = Some(at);
            self.was_tagged("AWS::CloudFormation::Stack", &stack.id, stack.deployed.tags.clone());
        }
        status.clone_into(&mut stack.status);
        reason.clone_into(&mut stack.reason);
        stack.end_told = false;
        let resource = stack.as_resource();
        self.happened(stack, at, resource, reason, false);
    }

    /// Fact: events may come late, each by a delay of its own, so also in another order.
    fn happened(&mut self, stack: &mut Stack, at: Instant, resource: Resource, reason: &str, late: bool) {
        let id = format!("{}-{}", resource.logical_id, self.number());
        let lag = self.script.event_lag_seconds;
        let told = if lag > 0.0 { at + Duration::from_secs_f64(lag * self.rng.f64()) } else { at };
        let (operation, token) =
            stack.operations.last().map(|it| (it.id.clone(), it.token.clone())).unwrap_or_default();
        stack.events.push(Event {
            id,
            resource,
            reason: reason.to_owned(),
            at,
            told,
            late,
            operation,
            token,
        });
    }
}
