//! What happens when: resources wait for those that they need, and each takes its time.

use super::stack::{Resource, Stack};
use super::steps::{Step, Verb};
use super::template::Template;
use crate::Account;
use crate::things::Coming;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Something to do with a resource.
pub struct Task {
    pub verb: Verb,
    pub resource: Resource,
    /// Why it can't be done, where that is known beforehand.
    pub refused: Option<String>,
    /// Whether nothing but its tags changes.
    pub only_tags: bool,
}

impl Task {
    pub fn new(verb: Verb, resource: Resource) -> Self {
        Task { verb, resource, refused: None, only_tags: false }
    }
}

/// How long a service takes, in seconds: from, to.
///
/// Fact: Firehose with a Kinesis source takes 62–97 s, and the whole stack 1.5–3 minutes.
fn seconds(verb: Verb, kind: &str) -> (f64, f64) {
    match (verb, kind) {
        (Verb::Delete, "AWS::Kinesis::Stream") => (20.0, 20.0),
        (Verb::Delete, "AWS::KinesisFirehose::DeliveryStream") => (30.0, 30.0),
        (Verb::Delete, "AWS::S3::Bucket") => (5.0, 5.0),
        (Verb::Delete, "AWS::Lambda::Function") => (4.0, 4.0),
        (Verb::Delete, "AWS::IAM::Role") => (2.0, 2.0),
        (Verb::Delete | Verb::Import, _) => (1.0, 1.0),
        (_, "AWS::Kinesis::Stream") => (15.0, 30.0),
        (_, "AWS::S3::Bucket") => (15.0, 25.0),
        (_, "AWS::IAM::Role") => (15.0, 20.0),
        (_, "AWS::KinesisFirehose::DeliveryStream") => (62.0, 97.0),
        (_, "AWS::Lambda::Function") => (5.0, 8.0),
        (_, "AWS::Logs::LogGroup") => (1.0, 3.0),
        _ => (1.0, 2.0),
    }
}

/// Fact: at times a delivery stream takes over 20 minutes.
const STRAGGLER_SECONDS: f64 = 1_200.0;

/// How much of its time a resource takes until it is configured, which is all that EXPRESS waits for.
const CONFIGURED: f64 = 0.15;

impl Account {
    fn takes(&mut self, verb: Verb, kind: &str) -> Duration {
        let (from, to) = seconds(verb, kind);
        let mut seconds = from + (to - from) * self.rng.f64();
        if kind == "AWS::KinesisFirehose::DeliveryStream"
            && verb == Verb::Create
            && self.rng.f64() < self.script.stragglers
        {
            seconds = STRAGGLER_SECONDS;
        }
        if kind == "AWS::KinesisFirehose::DeliveryStream" && verb == Verb::Delete {
            seconds = self.script.delivery_deletion_seconds;
        }
        Duration::from_secs_f64(seconds * self.script.pace)
    }

    /// How long something is on its way out, when its own service is asked to delete it.
    ///
    /// Fact: deleting a function, a role or a log group takes no time; streams are DELETING for a while, and
    /// delivery streams for minutes.
    pub(crate) fn takes_to_delete(&mut self, kind: &str) -> Duration {
        self.takes(Verb::Delete, kind)
    }

    /// Writes tasks into a stack's schedule, from a moment on. Returns when the last is done.
    pub(crate) fn lay_out(
        &mut self,
        stack: &mut Stack,
        from: Instant,
        tasks: Vec<Task>,
        template: &Template,
    ) -> Instant {
        let from = from + Duration::from_millis(500).mul_f64(self.script.pace);
        let mut ends: BTreeMap<String, Instant> = BTreeMap::new();
        let mut waiting = tasks;
        while !waiting.is_empty() {
            let names: Vec<(bool, String)> = waiting
                .iter()
                .map(|task| (task.verb == Verb::Delete, task.resource.logical_id.clone()))
                .collect();
            // What is deleted waits for those that need it, everything else for what it needs.
            let awaited = |task: &Task, other: &str| match task.verb {
                Verb::Delete => template.dependencies(other).contains(&task.resource.logical_id),
                _ => template.dependencies(&task.resource.logical_id).contains(other),
            };
            let can_begin = |task: &Task| {
                !names
                    .iter()
                    .any(|(deleted, other)| *deleted == (task.verb == Verb::Delete) && awaited(task, other))
            };
            let (mut ready, rest): (Vec<Task>, Vec<Task>) = waiting.into_iter().partition(can_begin);
            waiting = rest;
            if ready.is_empty() {
                // A circle, which CloudFormation would refuse.
                std::mem::swap(&mut ready, &mut waiting);
            }
            for task in ready {
                let needed = ends.iter().filter(|(other, _)| awaited(&task, other)).map(|(_, end)| *end);
                let start = needed.max().unwrap_or(from).max(self.deletable_from(&task)).max(from);
                let end = self.schedule(stack, start, &task);
                ends.insert(task.resource.logical_id, end);
            }
        }
        ends.into_values().max().unwrap_or(from)
    }

    /// Fact: a delivery stream can't be deleted while it is CREATING.
    fn deletable_from(&self, task: &Task) -> Instant {
        let is_delivery = task.resource.kind == "AWS::KinesisFirehose::DeliveryStream";
        let thing = self.thing(&task.resource.kind, &task.resource.physical_id);
        match thing.filter(|_| is_delivery && task.verb == Verb::Delete) {
            Some(thing) => thing.ready,
            None => self.clock.now() - self.clock.age(),
        }
    }

    /// What is gone already takes a second to be found gone; what its own service was asked to delete takes the rest.
    fn left_of_deletion(&self, task: &Task, start: Instant) -> Option<Duration> {
        let Resource { kind, physical_id, .. } = &task.resource;
        if task.verb != Verb::Delete || !self.keeps(kind) {
            return None;
        }
        let second = Duration::from_secs(1).mul_f64(self.script.pace);
        if !self.exists(kind, physical_id) {
            return Some(second);
        }
        let ends = self.coming.iter().find_map(|(at, coming)| match coming {
            Coming::End(other, name, _) if other == kind && name == physical_id => Some(*at),
            _ => None,
        });
        ends.map(|end| end.saturating_duration_since(start) + second)
    }

    fn schedule(&mut self, stack: &mut Stack, start: Instant, task: &Task) -> Instant {
        let mut full = self.takes(task.verb, &task.resource.kind);
        // Fact: new tags alone take each resource seconds.
        if task.only_tags {
            full = full.min(Duration::from_secs(3).mul_f64(self.script.pace));
        }
        full = self.left_of_deletion(task, start).unwrap_or(full);
        // Fact: EXPRESS is complete once the configuration is applied, and deletes may still run.
        let waits = if stack.terms.express { full.mul_f64(CONFIGURED) } else { full };
        let (verb, resource) = (task.verb, task.resource.clone());
        if let Some(reason) = &task.refused {
            stack.later(start, Step::Fail(verb, resource, reason.clone()));
            return start;
        }
        stack.later(start, Step::Begin { verb, resource: resource.clone(), ready: start + full });
        stack.later(start + waits, Step::Finish { verb, resource, ready: start + full });
        start + waits
    }
}
