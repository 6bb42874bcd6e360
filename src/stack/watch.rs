//! Watching an operation: stack events in, progress and a verdict out. No clients, no clocks.

use crate::event::{Progress, ResourceEvent};
use crate::stack::status::StackStatus;
use std::collections::{HashMap, HashSet};

/// One event of a stack's history, as CloudFormation tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct StackEvent {
    /// Unique: what tells an event that is read twice from a new one.
    pub id: String,
    /// The name in the template.
    pub logical_id: String,
    /// The name in the account; for the stack itself, the stack's id.
    pub physical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// CloudFormation's own word.
    pub status: String,
    /// CloudFormation's sentence.
    pub reason: Option<String>,
    /// Seconds since the epoch, by the service's clock.
    pub time: f64,
}

/// A resource, or the stack, that failed, and CloudFormation's sentence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// CloudFormation's sentence.
    pub reason: String,
}

/// The state of one watched operation.
#[derive(Debug)]
pub struct Watch {
    stack_id: String,
    seen: HashSet<String>,
    began: HashMap<String, f64>,
    failures: Vec<(f64, Failure)>,
    end: Option<(f64, StackStatus)>,
}

impl Watch {
    /// Watches an operation on the stack of this id. Events in `before` belong to earlier operations.
    pub fn new(stack_id: &str, before: impl IntoIterator<Item = String>) -> Self {
        Watch {
            stack_id: stack_id.to_owned(),
            seen: before.into_iter().collect(),
            began: HashMap::new(),
            failures: Vec::new(),
            end: None,
        }
    }

    /// Whether this event was taken in before: a reader of pages, newest first, may stop there.
    pub fn knows(&self, event_id: &str) -> bool {
        self.seen.contains(event_id)
    }

    /// Takes in events in any order, some of them for the second time, and returns what is new, in the
    /// order in which it happened.
    pub fn absorb(&mut self, events: Vec<StackEvent>) -> Vec<ResourceEvent> {
        // CloudFormation lists newest first; turned round, a stable sort keeps same-time events in order.
        let fresh = events.into_iter().rev().filter(|event| self.seen.insert(event.id.clone()));
        let mut fresh: Vec<StackEvent> = fresh.collect();
        fresh.sort_by(|a, b| a.time.total_cmp(&b.time));
        // That a change set gave the stack its name is no part of what the change set does.
        fresh.retain(|event| event.status != "REVIEW_IN_PROGRESS");
        fresh.into_iter().map(|event| self.take(event)).collect()
    }

    fn take(&mut self, event: StackEvent) -> ResourceEvent {
        let is_stack = event.physical_id == self.stack_id;
        let progress = progress(&event.status);
        let seconds = match progress {
            Progress::Working => {
                self.began.entry(event.logical_id.clone()).or_insert(event.time);
                None
            }
            // The stack's clock runs on through a roll-back; a resource's starts anew with its next operation.
            Progress::Complete | Progress::Failed if is_stack => {
                self.began.get(&event.logical_id).map(|began| event.time - began)
            }
            Progress::Complete | Progress::Failed => {
                self.began.remove(&event.logical_id).map(|began| event.time - began)
            }
        };
        if progress == Progress::Failed && !is_stack {
            let failure = Failure {
                logical_id: event.logical_id.clone(),
                resource_type: event.resource_type.clone(),
                reason: event.reason.clone().unwrap_or_default(),
            };
            self.failures.push((event.time, failure));
        }
        if is_stack {
            let status = StackStatus::parse(&event.status);
            if self.end.as_ref().is_none_or(|(time, _)| *time <= event.time) {
                self.end = Some((event.time, status));
            }
        }
        ResourceEvent {
            logical_id: event.logical_id,
            resource_type: event.resource_type,
            status: event.status,
            progress,
            reason: event.reason,
            seconds,
        }
    }

    /// The state in which the operation ended, once it has.
    pub fn verdict(&self) -> Option<&StackStatus> {
        self.end.as_ref().map(|(_, status)| status).filter(|status| status.settled())
    }

    /// What failed, earliest first.
    pub fn failures(&self) -> Vec<&Failure> {
        let mut failures: Vec<&(f64, Failure)> = self.failures.iter().collect();
        failures.sort_by(|a, b| a.0.total_cmp(&b.0));
        failures.into_iter().map(|(_, failure)| failure).collect()
    }
}

fn progress(status: &str) -> Progress {
    if status.ends_with("_FAILED") || status == "ROLLBACK_COMPLETE" || status == "UPDATE_ROLLBACK_COMPLETE" {
        Progress::Failed
    } else if status.ends_with("_COMPLETE") || status.ends_with("_SKIPPED") {
        Progress::Complete
    } else {
        Progress::Working
    }
}

/// The first cause: the earliest failure that is not a mere consequence. CloudFormation cancels whatever is
/// under way when something fails, and a stack fails because a resource did.
pub fn first_cause<'a>(failures: &[&'a Failure]) -> Option<&'a Failure> {
    let is_cause = |failure: &&&Failure| {
        !failure.reason.to_ascii_lowercase().contains("cancelled")
            && failure.resource_type != "AWS::CloudFormation::Stack"
    };
    failures.iter().find(is_cause).or(failures.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "arn:aws:cloudformation:us-east-1:123456789012:stack/kinesis-stack-dev/1";

    fn event(id: &str, logical_id: &str, status: &str, reason: Option<&str>, time: f64) -> StackEvent {
        let stack = logical_id == "kinesis-stack-dev";
        StackEvent {
            id: id.to_owned(),
            logical_id: logical_id.to_owned(),
            physical_id: if stack { STACK.to_owned() } else { logical_id.to_lowercase() },
            resource_type: if stack { "AWS::CloudFormation::Stack" } else { "AWS::Kinesis::Stream" }
                .to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            time,
        }
    }

    #[test]
    fn events_come_out_once_and_in_order_however_they_arrive() {
        let mut watch = Watch::new(STACK, []);
        let late = event("1", "Stream", "CREATE_IN_PROGRESS", None, 1.0);
        let done = event("2", "Stream", "CREATE_COMPLETE", None, 31.0);
        let told = watch.absorb(vec![done.clone(), late.clone(), done.clone()]);
        assert_eq!(
            told.iter().map(|e| e.status.as_str()).collect::<Vec<_>>(),
            ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
        );
        assert_eq!(told[1].seconds, Some(30.0));
        assert!(watch.absorb(vec![done, late]).is_empty());
    }

    #[test]
    fn an_earlier_operations_end_is_not_this_ones() {
        let old = event("0", "kinesis-stack-dev", "CREATE_COMPLETE", None, 1.0);
        let mut watch = Watch::new(STACK, [old.id.clone()]);
        watch.absorb(vec![old]);
        assert_eq!(watch.verdict(), None);
        watch.absorb(vec![event("1", "kinesis-stack-dev", "UPDATE_IN_PROGRESS", None, 2.0)]);
        assert_eq!(watch.verdict(), None);
        watch.absorb(vec![event("2", "kinesis-stack-dev", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None, 3.0)]);
        assert_eq!(watch.verdict(), None);
        watch.absorb(vec![event("3", "kinesis-stack-dev", "UPDATE_COMPLETE", None, 4.0)]);
        assert_eq!(watch.verdict().unwrap().name(), "UPDATE_COMPLETE");
    }

    #[test]
    fn the_first_cause_is_neither_a_cancelled_resource_nor_the_stack() {
        let mut watch = Watch::new(STACK, []);
        watch.absorb(vec![
            event("1", "kinesis-stack-dev", "CREATE_IN_PROGRESS", None, 0.0),
            event("4", "Bucket", "CREATE_FAILED", Some("Resource creation cancelled"), 2.0),
            event("3", "Delivery", "CREATE_FAILED", Some("Firehose is unable to assume role"), 2.0),
            event("5", "kinesis-stack-dev", "ROLLBACK_IN_PROGRESS", Some("failed to create"), 3.0),
            event("6", "kinesis-stack-dev", "ROLLBACK_COMPLETE", None, 9.0),
        ]);
        assert_eq!(watch.verdict().unwrap().name(), "ROLLBACK_COMPLETE");
        let failures = watch.failures();
        assert_eq!(first_cause(&failures).unwrap().logical_id, "Delivery");
    }

    #[test]
    fn the_stacks_time_runs_through_the_roll_back() {
        let mut watch = Watch::new(STACK, []);
        let told = watch.absorb(vec![
            event("1", "kinesis-stack-dev", "CREATE_IN_PROGRESS", None, 0.0),
            event("2", "kinesis-stack-dev", "ROLLBACK_IN_PROGRESS", None, 3.0),
            event("3", "kinesis-stack-dev", "ROLLBACK_COMPLETE", None, 9.0),
        ]);
        assert_eq!(told[2].seconds, Some(9.0));
        assert_eq!(told[2].progress, Progress::Failed);
    }
}
