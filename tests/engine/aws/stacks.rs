//! Stacks, and what CloudFormation does with them as time goes by: a schedule of steps, each taken when it is due.

use super::Account;
use super::steps::{Step, Verb};
use super::template::{Change, Template, changes};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone)]
pub struct Stack {
    pub id: String,
    pub name: String,
    pub status: String,
    pub reason: String,
    pub deployed: Deployment,
    pub resources: Vec<Resource>,
    pub events: Vec<Event>,
    pub change_sets: Vec<ChangeSet>,
    /// Whether the last event of the last operation was read.
    pub end_told: bool,
    /// What an update that fails returns to.
    pub(super) before: Deployment,
    /// Types and names that an update replaced or removed.
    pub(super) retired: Vec<Resource>,
    pub(super) schedule: VecDeque<(Instant, Step)>,
}

/// What a stack is made from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deployment {
    pub template: String,
    pub parameters: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub logical_id: String,
    pub kind: String,
    pub physical_id: String,
    pub status: String,
}

#[derive(Clone)]
pub struct ChangeSet {
    pub id: String,
    pub ready: Instant,
    pub deployment: Deployment,
}

#[derive(Clone)]
pub struct Event {
    pub id: String,
    pub resource: Resource,
    pub reason: String,
    pub at: Instant,
    /// Told only after the stack's own last event.
    pub late: bool,
}

impl Stack {
    /// A stack that is no more than its name.
    pub fn new(id: String, name: String) -> Self {
        Stack {
            id,
            name,
            status: "REVIEW_IN_PROGRESS".to_owned(),
            reason: String::new(),
            deployed: Deployment::default(),
            resources: Vec::new(),
            events: Vec::new(),
            change_sets: Vec::new(),
            end_told: false,
            before: Deployment::default(),
            retired: Vec::new(),
            schedule: VecDeque::new(),
        }
    }

    pub fn is_gone(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    pub fn is_busy(&self) -> bool {
        !self.schedule.is_empty()
    }

    fn lay_out(&mut self, from: Instant, pace: f64, verb: Verb, resources: &[Resource]) -> Instant {
        let mut waves = [0, 1, 2];
        if verb == Verb::Delete {
            waves.reverse();
        }
        let mut steps = Vec::new();
        let mut start = from + Duration::from_millis(500).mul_f64(pace);
        for wave in waves {
            let mut end = start;
            for resource in resources.iter().filter(|resource| verb.cost(&resource.kind).0 == wave) {
                let done = start + Duration::from_secs_f64(verb.cost(&resource.kind).1 * pace);
                steps.push((start, Step::Begin(verb, resource.clone())));
                steps.push((done, Step::Finish(verb, resource.clone())));
                end = end.max(done);
            }
            start = end;
        }
        steps.sort_by_key(|(at, _)| *at);
        self.schedule.extend(steps);
        start
    }

    pub(super) fn later(&mut self, at: Instant, step: Step) {
        self.schedule.push_back((at, step));
    }

    pub(super) fn as_resource(&self) -> Resource {
        Resource {
            logical_id: self.name.clone(),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            physical_id: self.id.clone(),
            status: self.status.clone(),
        }
    }

    pub(super) fn set(&mut self, resource: &Resource, status: String) {
        match self.resources.iter_mut().find(|known| known.logical_id == resource.logical_id) {
            Some(known) => {
                known.status = status;
                known.physical_id.clone_from(&resource.physical_id);
            }
            None => self.resources.push(Resource { status, ..resource.clone() }),
        }
    }
}

impl Account {
    /// Takes every step that is due.
    pub fn advance(&mut self, now: Instant) {
        self.things.retain(|_, gone| gone.is_none_or(|gone| gone > now));
        let mut stacks = std::mem::take(&mut self.stacks);
        for stack in &mut stacks {
            while stack.schedule.front().is_some_and(|(at, _)| *at <= now) {
                if let Some((at, step)) = stack.schedule.pop_front() {
                    self.step(stack, at, step);
                }
            }
        }
        self.stacks = stacks;
    }

    /// The stack of this id, or the one of this name that is not deleted.
    pub fn stack(&mut self, name: &str) -> Option<&mut Stack> {
        self.stacks.iter_mut().find(|stack| stack.id == name || stack.name == name && !stack.is_gone())
    }

    /// Begins a creation or an update.
    pub(super) fn deploy(&mut self, stack: &mut Stack, deployment: Deployment, now: Instant) {
        let pace = self.script.pace;
        let is_new = stack.status == "REVIEW_IN_PROGRESS";
        let steps = changes(Some(&stack.deployed).filter(|_| !is_new), &deployment, &self.region);
        stack.before = std::mem::replace(&mut stack.deployed, deployment);
        stack.change_sets.clear();
        if is_new {
            self.enter(stack, now, "CREATE_IN_PROGRESS", "User Initiated");
            let resources: Vec<Resource> = steps.into_iter().map(|change| change.resource).collect();
            let end = stack.lay_out(now, pace, Verb::Create, &resources);
            return stack.later(end, Step::Enter("CREATE_COMPLETE"));
        }
        self.enter(stack, now, "UPDATE_IN_PROGRESS", "User Initiated");
        let named = Template::new(&stack.deployed, &self.region).resources();
        for change in steps.iter().filter(|change| change.replaces || change.action == "Remove") {
            stack.retired.push(change.resource.clone());
        }
        let update = |change: Change| {
            let new = named.iter().find(|new| new.logical_id == change.resource.logical_id);
            new.cloned().unwrap_or(change.resource)
        };
        let (adds, modifies): (Vec<_>, Vec<_>) = steps
            .into_iter()
            .filter(|change| change.action != "Remove")
            .partition(|change| change.action == "Add");
        let adds: Vec<Resource> = adds.into_iter().map(update).collect();
        let modifies: Vec<Resource> = modifies.into_iter().map(update).collect();
        let end = stack.lay_out(now, pace, Verb::Create, &adds);
        let end = stack.lay_out(end, pace, Verb::Update, &modifies);
        stack.later(end, Step::Enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
        let retired = stack.retired.clone();
        let end = stack.lay_out(end, pace, Verb::Delete, &retired);
        stack.later(end, Step::Enter("UPDATE_COMPLETE"));
    }

    /// Begins a deletion.
    pub(super) fn delete(&mut self, stack: &mut Stack, now: Instant) {
        let is_empty = stack.status == "REVIEW_IN_PROGRESS";
        self.enter(stack, now, "DELETE_IN_PROGRESS", "User Initiated");
        stack.change_sets.clear();
        stack.schedule.clear();
        if is_empty {
            return self.enter(stack, now, "DELETE_COMPLETE", "");
        }
        self.take_apart(stack, now, Step::End("DELETE_COMPLETE", "DELETE_FAILED"));
    }

    pub(super) fn take_apart(&mut self, stack: &mut Stack, now: Instant, end: Step) {
        let mut resources = stack.resources.clone();
        resources.retain(|resource| resource.status != "DELETE_COMPLETE");
        let at = stack.lay_out(now, self.script.pace, Verb::Delete, &resources);
        stack.later(at, end);
    }

    /// Somebody else begins to change the stack's tags, which takes a while.
    pub fn somebody_updates(&mut self, name: &str) {
        self.with_stack(name, |account, stack| {
            let mut deployment = stack.deployed.clone();
            deployment.tags.insert("somebody".to_owned(), "else".to_owned());
            account.deploy(stack, deployment, Instant::now());
        });
    }

    /// Somebody else begins to delete the stack.
    pub fn somebody_deletes(&mut self, name: &str) {
        self.with_stack(name, |account, stack| account.delete(stack, Instant::now()));
    }

    pub(super) fn with_stack<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Account, &mut Stack) -> T,
    ) -> Option<T> {
        let id = self.stack(name)?.id.clone();
        let mut stacks = std::mem::take(&mut self.stacks);
        let done = stacks.iter_mut().find(|stack| stack.id == id).map(|stack| act(self, stack));
        self.stacks = stacks;
        done
    }
}
