//! Watching an operation: stack events in, progress and a verdict out. No clients, no clocks.

use super::path::Span;
use super::status::StackStatus;
use super::usual::usual;
use crate::event::{Progress, ResourceEvent, Usual, WaitingFor};
use std::collections::{BTreeMap, HashSet};

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

/// For how long, in seconds, a function that was deleted may still write log lines, at the pace of AWS. AWS documents no
/// time: the lines are there within seconds as a rule, and this leaves room.
const LAST_LINES: f64 = 30.0;
/// CloudFormation's name for functions.
const FUNCTION_TYPE: &str = "AWS::Lambda::Function";
/// The type under which a stack tells of itself.
const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

/// The state of one watched operation.
#[derive(Debug)]
pub struct Watch {
    stack_id: String,
    /// Events of earlier operations.
    before: HashSet<String>,
    /// Events that were taken in.
    seen: HashSet<String>,
    /// Whether events from before this watch belong to what is watched, back to the operation's beginning.
    joined: bool,
    /// With which event a joined operation began.
    origin: Option<String>,
    /// Whether the operation's own beginning was told. What a stack tells before can be the end of an earlier one.
    begun: bool,
    /// What the stack told before its beginning was.
    held: Vec<StackEvent>,
    /// What is worked on: since when, its type, its state.
    working: BTreeMap<String, (f64, String, String)>,
    /// What will be worked on and hasn't begun, with its type and the state it will enter.
    expected: BTreeMap<String, (String, &'static str)>,
    spans: Vec<Span>,
    stack_began: Option<f64>,
    /// How fast this cloud is, of 1 as AWS usually is, by the slowest kind of resource that has ended; and that
    /// kind's usual time.
    pace: Option<(f64, f64)>,
    failures: Vec<(f64, Failure)>,
    /// Whether a resource failed by itself, and not on its way out: that follows from a failure, but in a deletion.
    failed_by_itself: bool,
    /// When a function was deleted, the last of several.
    function_gone: Option<f64>,
    newest: f64,
    end: Option<(f64, StackStatus)>,
}

impl Watch {
    /// Watches an operation on the stack of this id that is about to begin. Events in `before` belong to
    /// earlier operations.
    pub fn new(stack_id: &str, before: impl IntoIterator<Item = String>) -> Self {
        Watch {
            stack_id: stack_id.to_owned(),
            before: before.into_iter().collect(),
            seen: HashSet::new(),
            joined: false,
            origin: None,
            begun: false,
            held: Vec::new(),
            working: BTreeMap::new(),
            expected: BTreeMap::new(),
            spans: Vec::new(),
            stack_began: None,
            pace: None,
            failures: Vec::new(),
            failed_by_itself: false,
            function_gone: None,
            newest: 0.0,
            end: None,
        }
    }

    /// Watches the operation that is under way on the stack of this id, from its beginning.
    pub fn join(stack_id: &str) -> Self {
        Watch { joined: true, begun: true, ..Watch::new(stack_id, []) }
    }

    /// Says what will be worked on: name, type, and the state that each enters.
    #[must_use]
    pub fn expecting(mut self, resources: impl IntoIterator<Item = (String, String, &'static str)>) -> Self {
        self.expected =
            resources.into_iter().map(|(id, resource_type, status)| (id, (resource_type, status))).collect();
        self
    }

    /// Whether a reader of pages, newest first, may stop at this event, since it was taken in before.
    pub fn knows(&self, event: &StackEvent) -> bool {
        self.seen.contains(&event.id) || self.is_older(event)
    }

    /// Whether no event of what is watched can be older than this one.
    pub fn is_older(&self, event: &StackEvent) -> bool {
        self.before.contains(&event.id)
            || self.origin.as_ref() == Some(&event.id)
            || self.joined && self.begins(event)
    }

    /// Whether an operation begins with this event, one that somebody asked for.
    fn begins(&self, event: &StackEvent) -> bool {
        let asked_for = || event.reason.as_deref().is_some_and(|reason| reason.starts_with("User Initiated"));
        event.physical_id == self.stack_id
            && match event.status.as_str() {
                "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS" | "IMPORT_IN_PROGRESS" => {
                    true
                }
                "ROLLBACK_IN_PROGRESS" | "UPDATE_ROLLBACK_IN_PROGRESS" => asked_for(),
                _ => false,
            }
    }

    /// Whether the stack has told something, and not yet that the operation began: that is older than what was seen.
    pub fn lacks_beginning(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes in events in any order, some of them for the second time, and returns what is new, in the
    /// order in which it happened.
    pub fn absorb(&mut self, events: Vec<StackEvent>) -> Vec<ResourceEvent> {
        // CloudFormation lists newest first; turned round, a stable sort keeps same-time events in order.
        let fresh = events
            .into_iter()
            .rev()
            .filter(|event| !self.before.contains(&event.id) && self.seen.insert(event.id.clone()));
        let mut fresh: Vec<StackEvent> = fresh.collect();
        fresh.sort_by(|a, b| a.time.total_cmp(&b.time));
        // That a change set gave the stack its name is no part of what the change set does.
        fresh.retain(|event| event.status != "REVIEW_IN_PROGRESS");
        if self.joined {
            if let Some(first) = fresh.iter().rposition(|event| self.begins(event)) {
                fresh.drain(..first);
                self.origin = fresh.first().map(|event| event.id.clone());
            }
            self.joined = false;
        }
        self.of_this_operation(fresh).into_iter().map(|event| self.take(event)).collect()
    }

    /// Leaves out what tells of an earlier operation, whose last event can come late: later than those that were read
    /// before this one began. What comes before the beginning of this one is held until that is there.
    fn of_this_operation(&mut self, fresh: Vec<StackEvent>) -> Vec<StackEvent> {
        if self.begun {
            return fresh;
        }
        let mut all = std::mem::take(&mut self.held);
        let is_in_order = all.is_empty();
        all.extend(fresh);
        if !is_in_order {
            all.sort_by(|a, b| a.time.total_cmp(&b.time).then(is_working(b).cmp(&is_working(a))));
        }
        let is_stack = |event: &StackEvent| event.physical_id == self.stack_id;
        // A stack is deleted once.
        let begins =
            |event: &&StackEvent| is_stack(event) && (is_working(event) || event.status == "DELETE_COMPLETE");
        match all.iter().find(begins).map(|event| event.time) {
            Some(began) => {
                all.retain(|event| !is_stack(event) || event.time >= began);
                self.begun = true;
                all
            }
            None => {
                let (held, others) = all.into_iter().partition(is_stack);
                self.held = held;
                others
            }
        }
    }

    fn take(&mut self, event: StackEvent) -> ResourceEvent {
        let is_stack = event.physical_id == self.stack_id;
        let progress = progress(&event.status);
        self.newest = self.newest.max(event.time);
        if event.resource_type == FUNCTION_TYPE && event.status == "DELETE_COMPLETE" {
            self.function_gone = Some(self.function_gone.map_or(event.time, |gone| gone.max(event.time)));
        }
        let seconds =
            if is_stack { self.stack_enters(&event) } else { self.resource_enters(&event, progress) };
        let usual = usual(&event.resource_type, &event.status);
        ResourceEvent {
            logical_id: event.logical_id,
            resource_type: event.resource_type,
            status: event.status,
            progress,
            reason: event.reason,
            seconds,
            usual,
        }
    }

    /// Seconds since the operation began, where it has ended. Its clock runs on through a roll-back.
    fn stack_enters(&mut self, event: &StackEvent) -> Option<f64> {
        let began = *self.stack_began.get_or_insert(event.time);
        let status = StackStatus::parse(&event.status);
        let seconds = status.settled().then_some(event.time - began);
        if let Some(reason) = event.reason.clone().filter(|_| !status.good()) {
            let (logical_id, resource_type) = (event.logical_id.clone(), event.resource_type.clone());
            self.failures.push((event.time, Failure { logical_id, resource_type, reason }));
        }
        if self.end.as_ref().is_none_or(|(time, _)| *time <= event.time) {
            self.end = Some((event.time, status));
        }
        seconds
    }

    /// Seconds since the resource's work began, where it has ended.
    fn resource_enters(&mut self, event: &StackEvent, progress: Progress) -> Option<f64> {
        self.expected.remove(&event.logical_id);
        if progress == Progress::Working {
            let began = self.working.get(&event.logical_id).map_or(event.time, |(began, _, _)| *began);
            let work = (began, event.resource_type.clone(), event.status.clone());
            self.working.insert(event.logical_id.clone(), work);
            return None;
        }
        if progress == Progress::Failed {
            let failure = Failure {
                logical_id: event.logical_id.clone(),
                resource_type: event.resource_type.clone(),
                reason: event.reason.clone().unwrap_or_default(),
            };
            self.failed_by_itself |= is_cause(&failure) && !event.status.starts_with("DELETE");
            self.failures.push((event.time, failure));
        }
        // The end of what went before can come later than the beginning of what is worked on now.
        if self.working.get(&event.logical_id)?.0 > event.time {
            return None;
        }
        let (began, resource_type, status) = self.working.remove(&event.logical_id)?;
        let logical_id = event.logical_id.clone();
        if let Some(Usual { least, .. }) = usual(&resource_type, &status) {
            let pace = ((event.time - began) / least).clamp(0.0, 1.0);
            let told = self.pace.unwrap_or_default();
            if self.pace.is_none() || told.0 < least || told.0 == least && pace < told.1 {
                self.pace = Some((least, pace));
            }
        }
        self.spans.push(Span { logical_id, resource_type, began, ended: event.time });
        Some(event.time - began)
    }

    /// What is being worked on, at this time of the service's clock: the oldest first.
    pub fn waiting_for(&self, now: f64) -> Vec<WaitingFor> {
        let mut waiting: Vec<WaitingFor> = self
            .working
            .iter()
            .map(|(logical_id, (began, resource_type, status))| WaitingFor {
                logical_id: logical_id.clone(),
                resource_type: resource_type.clone(),
                seconds: (now - began).max(0.0),
                usual: usual(resource_type, status),
            })
            .collect();
        waiting.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        waiting
    }

    /// Seconds that will surely pass before the operation ends well, by what its resources usually take, at
    /// this time of the service's clock. Zero where that isn't known: before anything has ended, since an
    /// emulator is faster than AWS, and after a failure.
    pub fn at_least(&self, now: f64) -> f64 {
        let Some((_, pace)) = self.pace.filter(|_| self.failures.is_empty()) else { return 0.0 };
        let left = |resource_type: &str, status: &str, elapsed: f64| {
            usual(resource_type, status).map_or(0.0, |usual| usual.least * pace - elapsed)
        };
        let working = self.working.values().map(|(began, kind, status)| left(kind, status, now - began));
        let expected = self.expected.values().map(|(kind, status)| left(kind, status, 0.0));
        working.chain(expected).fold(0.0, f64::max)
    }

    /// Seconds from the newest event on within which a function that was deleted may still write its last log lines.
    /// `None` where it is gone for longer, or none was deleted.
    pub fn last_lines(&self) -> Option<f64> {
        let pace = self.pace.map_or(1.0, |(_, pace)| pace);
        let left = LAST_LINES * pace - (self.newest - self.function_gone?);
        (left > 0.0).then_some(left)
    }

    /// The work that has ended.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Seconds from the operation's beginning to its end so far.
    pub fn seconds(&self) -> f64 {
        self.stack_began.zip(self.end.as_ref()).map_or(0.0, |(began, (end, _))| end - began)
    }

    /// The state in which the operation ended, once it has.
    pub fn verdict(&self) -> Option<&StackStatus> {
        self.end.as_ref().map(|(_, status)| status).filter(|status| status.settled())
    }

    /// Whether a resource failed by itself: not only the stack as a whole, nor because something else failed.
    pub fn knows_a_cause(&self) -> bool {
        let deletes = self.end.as_ref().is_some_and(|(_, status)| status.name().starts_with("DELETE"));
        self.failed_by_itself || deletes && self.failures.iter().any(|(_, failure)| is_cause(failure))
    }

    /// What failed, earliest first.
    pub fn failures(&self) -> Vec<&Failure> {
        let mut failures: Vec<&(f64, Failure)> = self.failures.iter().collect();
        failures.sort_by(|a, b| a.0.total_cmp(&b.0));
        failures.into_iter().map(|(_, failure)| failure).collect()
    }
}

/// Whether an operation has been asked for by this event of a stack, and isn't merely tidied up after.
fn is_working(event: &StackEvent) -> bool {
    event.status.ends_with("_IN_PROGRESS") && !event.status.contains("CLEANUP")
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
    failures.iter().find(|failure| is_cause(failure)).or(failures.first()).copied()
}

fn is_cause(failure: &Failure) -> bool {
    !failure.reason.to_ascii_lowercase().contains("cancelled") && failure.resource_type != STACK_TYPE
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
    fn an_earlier_operations_end_that_comes_late_is_not_this_ones() {
        let mut watch = Watch::new(STACK, []);
        let late = event("0", "kinesis-stack-dev", "CREATE_COMPLETE", None, 1.0);
        assert!(watch.absorb(vec![late]).is_empty());
        assert_eq!(watch.verdict(), None);
        let began = event("1", "kinesis-stack-dev", "UPDATE_IN_PROGRESS", None, 2.0);
        assert_eq!(watch.absorb(vec![began]).len(), 1);
        assert_eq!((watch.verdict(), watch.seconds()), (None, 0.0));
        watch.absorb(vec![event("2", "kinesis-stack-dev", "UPDATE_COMPLETE", None, 5.0)]);
        assert_eq!((watch.verdict().unwrap().name(), watch.seconds()), ("UPDATE_COMPLETE", 3.0));
    }

    #[test]
    fn an_end_that_comes_before_its_beginning_is_held_until_that_is_there() {
        for time in [2.0, 4.0] {
            let mut watch = Watch::new(STACK, []);
            watch.absorb(vec![event("2", "kinesis-stack-dev", "UPDATE_COMPLETE", None, time)]);
            assert_eq!(watch.verdict(), None);
            watch.absorb(vec![event("1", "kinesis-stack-dev", "UPDATE_IN_PROGRESS", None, 2.0)]);
            assert_eq!((watch.verdict().unwrap().name(), watch.seconds()), ("UPDATE_COMPLETE", time - 2.0));
        }
    }

    #[test]
    fn a_deletion_whose_beginning_was_read_before_ends() {
        let mut watch = Watch::new(STACK, ["1".to_owned()]);
        let began = event("1", "kinesis-stack-dev", "DELETE_IN_PROGRESS", None, 1.0);
        watch.absorb(vec![event("2", "kinesis-stack-dev", "DELETE_COMPLETE", None, 9.0), began]);
        assert_eq!(watch.verdict().unwrap().name(), "DELETE_COMPLETE");
    }

    #[test]
    fn last_lines_may_come_for_a_while_after_a_functions_deletion_at_the_pace_of_the_cloud() {
        let gone = |id: &str, time: f64| StackEvent {
            resource_type: FUNCTION_TYPE.to_owned(),
            ..event(id, "Processor", "DELETE_COMPLETE", None, time)
        };
        let mut watch = Watch::new(STACK, []);
        watch.absorb(vec![event("1", "Stream", "DELETE_IN_PROGRESS", None, 0.0)]);
        assert_eq!(watch.last_lines(), None);
        watch.absorb(vec![gone("2", 100.0)]);
        assert_eq!(watch.last_lines(), Some(30.0));
        watch.absorb(vec![event("3", "Stream", "DELETE_COMPLETE", None, 112.0)]);
        assert_eq!(watch.last_lines(), Some(18.0));
        watch.absorb(vec![event("4", "kinesis-stack-dev", "DELETE_COMPLETE", None, 131.0)]);
        assert_eq!(watch.last_lines(), None);

        let mut fast = Watch::new(STACK, []);
        fast.absorb(vec![
            event("1", "Stream", "DELETE_IN_PROGRESS", None, 0.0),
            event("2", "Stream", "DELETE_COMPLETE", None, 0.1),
            gone("3", 0.1),
        ]);
        assert!(fast.last_lines().unwrap() < 0.5);
    }

    #[test]
    fn an_operation_that_is_joined_is_told_from_its_beginning_and_no_earlier() {
        let mut watch = Watch::join(STACK);
        let began = event("2", "kinesis-stack-dev", "UPDATE_IN_PROGRESS", Some("User Initiated"), 9.0);
        let old = event("1", "kinesis-stack-dev", "CREATE_COMPLETE", None, 5.0);
        assert!(watch.knows(&began) && !watch.knows(&old), "a reader stops where the operation began");
        let told =
            watch.absorb(vec![event("3", "Stream", "UPDATE_IN_PROGRESS", None, 10.0), began.clone(), old]);
        assert_eq!(
            told.iter().map(|it| it.logical_id.as_str()).collect::<Vec<_>>(),
            ["kinesis-stack-dev", "Stream"]
        );
        assert!(watch.is_older(&began));
        // Somebody's next operation is no place to stop at: what came before it is still to be read.
        let next = event("4", "kinesis-stack-dev", "DELETE_IN_PROGRESS", Some("User Initiated"), 20.0);
        assert!(!watch.knows(&next));
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
