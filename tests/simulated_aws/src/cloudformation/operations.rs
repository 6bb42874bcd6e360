//! The beginnings of what CloudFormation does with a stack: deploy, roll back, delete.

use super::changes::{Action, Change};
use super::layout::Task;
use super::policy;
use super::stack::{Deployment, OnFailure, Resource, Stack, Terms};
use super::steps::{Step, Verb};
use super::template::{Policy, Template};
use super::validation::Finding;
use crate::Account;
use std::time::Duration;
use tokio::time::Instant;

/// What is to be deployed, and how.
pub struct Order {
    pub deployment: Deployment,
    pub changes: Vec<Change>,
    pub terms: Terms,
    pub token: String,
}

impl Account {
    /// Begins a creation or an update. Returns the operation's id.
    pub(crate) fn deploy(&mut self, stack: &mut Stack, order: Order, now: Instant) -> String {
        let is_new = stack.status == "REVIEW_IN_PROGRESS";
        if stack.status != "UPDATE_FAILED" {
            // After a failed update the last good state stays the one that a roll-back returns to.
            stack.before = stack.deployed.clone();
            stack.held = stack.live();
            stack.touched.clear();
            stack.created.clear();
        }
        let stale = Duration::from_secs_f64(self.script.stale_seconds * self.rng.f64());
        stack.stale = Some((now + stale, stack.status.clone()));
        stack.deployed = order.deployment;
        stack.terms = order.terms;
        // Fact: executing one deletes the stack's other change sets.
        stack.change_sets.clear();
        stack.updated = (!is_new).then_some(now);
        let operation =
            self.operate(stack, if is_new { "CREATE_STACK" } else { "UPDATE_STACK" }, &order.token);
        let status = if is_new { "CREATE_IN_PROGRESS" } else { "UPDATE_IN_PROGRESS" };
        self.enter(stack, now, status, "User Initiated");
        let (tasks, cleanup) = self.tasks(stack, order.changes);
        let template = Template::new(&stack.deployed, &self.region);
        let end = self.lay_out(stack, now, tasks, &template);
        if is_new {
            stack.later(end, Step::Enter("CREATE_COMPLETE"));
            return operation;
        }
        stack.later(end, Step::Enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
        let before = Template::new(&stack.before, &self.region);
        let end = self.clean_up(stack, end, cleanup, &before);
        let (good, bad) = ("UPDATE_COMPLETE", "UPDATE_COMPLETE");
        stack.later(end, Step::End { good, bad, failed: "DELETE_FAILED" });
        operation
    }

    /// The operation that has just begun is refused by a validation: only DescribeEvents tells what it found.
    pub(crate) fn refuse(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        operation: String,
        findings: Vec<Finding>,
    ) {
        let reason = format!(
            "Validation failed with {} error(s). Call DescribeEvents to retrieve the full list of issues with resource \
             and property details, resolve each error, then retry the operation.",
            findings.len()
        );
        stack.schedule.clear();
        stack.refused = Some((operation, findings));
        self.enter(stack, now, "CREATE_FAILED", &reason);
        self.roll_back(stack, now, "Validation failure detected. ");
    }

    /// What is to be done, and what goes afterwards, with what becomes of it.
    fn tasks(&mut self, stack: &mut Stack, changes: Vec<Change>) -> (Vec<Task>, Vec<(Resource, Policy)>) {
        let named = Template::new(&stack.deployed, &self.region).resources();
        let (mut tasks, mut cleanup) = (Vec::new(), Vec::new());
        for change in changes {
            let id = change.resource.logical_id.clone();
            if change.drifted {
                stack.drifted.remove(&id);
            }
            if change.replaces || change.action == Action::Remove {
                cleanup.push((change.resource.clone(), change.policy));
            }
            let verb = match change.action {
                Action::Add => Verb::Create,
                Action::Import => Verb::Import,
                Action::Modify => Verb::Update,
                Action::Remove => Verb::Delete,
            };
            let refused = match &stack.policy {
                Some(policy) if verb == Verb::Update || verb == Verb::Delete => {
                    policy::denies(policy, &change)
                }
                _ => None,
            };
            // Fact: with roll-back off, replacements are refused.
            let off = stack.terms.on_failure == OnFailure::Keep && change.replaces;
            let refused = refused.or_else(|| off.then(|| REPLACEMENT_REFUSED.to_owned()));
            let new = named.iter().find(|new| new.logical_id == id).cloned();
            // Fact: a new resource can't be made beside the old one while both have the same name.
            let same =
                new.as_ref().filter(|new| change.replaces && new.physical_id == change.resource.physical_id);
            let refused = refused.or_else(|| same.map(|it| name_stays(&it.physical_id)));
            if verb == Verb::Delete && refused.is_none() {
                continue;
            }
            if refused.is_some() {
                tasks.push(Task { refused, ..Task::new(Verb::Update, change.resource) });
                continue;
            }
            let only_tags = verb == Verb::Update && change.tags && tells_only_tags(&change);
            let mut resource = new.unwrap_or(change.resource);
            let template = Template::new(&stack.deployed, &self.region);
            if template.name_property(&id).is_none() {
                // CloudFormation makes up names where the template gives none.
                resource.physical_id = format!("{}-{id}", stack.name);
            }
            tasks.push(Task { only_tags, ..Task::new(verb, resource) });
        }
        (tasks, cleanup)
    }

    fn clean_up(
        &mut self,
        stack: &mut Stack,
        from: Instant,
        resources: Vec<(Resource, Policy)>,
        template: &Template,
    ) -> Instant {
        let (gone, kept): (Vec<_>, Vec<_>) =
            resources.into_iter().partition(|(_, policy)| *policy == Policy::Delete);
        for (resource, _) in kept {
            stack.later(from, Step::Skip(resource));
        }
        let tasks = gone.into_iter().map(|(resource, _)| Task::new(Verb::Delete, resource)).collect();
        self.lay_out(stack, from, tasks, template)
    }

    /// Returns to what was there before.
    ///
    /// Fact: a roll-back is an operation of its own.
    pub(crate) fn roll_back(&mut self, stack: &mut Stack, at: Instant, reason: &str) {
        let token = stack.operations.last().map(|last| last.token.clone()).unwrap_or_default();
        self.roll_back_as(stack, at, reason, ("ROLLBACK", &token));
    }

    pub(crate) fn roll_back_as(
        &mut self,
        stack: &mut Stack,
        at: Instant,
        reason: &str,
        (kind, token): (&'static str, &str),
    ) {
        let is_creation = stack.status.starts_with("CREATE");
        self.cancel(stack, at);
        self.operate(stack, kind, token);
        if is_creation {
            self.enter(stack, at, "ROLLBACK_IN_PROGRESS", &format!("{reason}Rollback requested by user."));
            return self.take_apart(stack, at, &[], "ROLLBACK_COMPLETE", "ROLLBACK_FAILED");
        }
        self.enter(stack, at, "UPDATE_ROLLBACK_IN_PROGRESS", reason);
        stack.deployed = stack.before.clone();
        self.restore(stack, at, &[]);
    }

    /// Brings what an update touched back to what it was, but for what is skipped.
    pub(crate) fn restore(&mut self, stack: &mut Stack, at: Instant, skipped: &[String]) {
        let touched = |it: &&Resource| stack.touched.contains(&it.logical_id);
        let held: Vec<Resource> = stack.held.iter().filter(touched).cloned().collect();
        let (skipped, restored): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|it| skipped.contains(&it.logical_id));
        for resource in skipped {
            self.tell(stack, at, &resource, "UPDATE_COMPLETE".to_owned(), "");
        }
        let adopted =
            |it: &Resource| stack.touched.contains(&it.logical_id) && it.status.starts_with("IMPORT");
        let adopted: Vec<Resource> = stack.resources.iter().filter(|it| adopted(it)).cloned().collect();
        for resource in adopted {
            stack.later(at, Step::Skip(resource));
        }
        let template = Template::new(&stack.deployed, &self.region);
        let tasks = restored.into_iter().map(|resource| Task::new(Verb::Restore, resource)).collect();
        let end = self.lay_out(stack, at, tasks, &template);
        let (good, bad) = ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED");
        stack.later(end, Step::End { good, bad, failed: "UPDATE_FAILED" });
        // Fact: a roll-back deletes what was just created, unless its policy is to retain it.
        let retain_except_on_create = stack.terms.retain_except_on_create;
        let policy = |resource: Resource| {
            let policy = template.policy(&resource.logical_id, "DeletionPolicy");
            let kept = policy == Policy::Retain && !retain_except_on_create;
            (resource, if kept { Policy::Retain } else { Policy::Delete })
        };
        let created = stack.created.clone().into_iter().map(policy).collect();
        let end = self.clean_up(stack, end, created, &template);
        stack.later(end, Step::Enter("UPDATE_ROLLBACK_COMPLETE"));
    }

    /// Begins a deletion.
    pub(crate) fn delete(&mut self, stack: &mut Stack, now: Instant, order: Deletion) {
        let is_empty = stack.status == "REVIEW_IN_PROGRESS";
        let was_creation = stack.status == "CREATE_IN_PROGRESS";
        stack.stale = None;
        // Fact: a creation is cancelled by DeleteStack.
        if was_creation {
            self.cancel(stack, now);
        }
        stack.schedule.clear();
        self.operate(stack, "DELETE_STACK", &order.token);
        self.enter(stack, now, "DELETE_IN_PROGRESS", "User Initiated");
        stack.change_sets.clear();
        stack.terms = Terms { express: order.express, ..Terms::default() };
        if is_empty {
            return self.enter(stack, now, "DELETE_COMPLETE", "");
        }
        let bad = if order.force { "DELETE_COMPLETE" } else { "DELETE_FAILED" };
        self.take_apart(stack, now, &order.retain, "DELETE_COMPLETE", bad);
    }

    /// Deletes all that the stack holds.
    pub(crate) fn take_apart(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        retain: &[String],
        good: &'static str,
        bad: &'static str,
    ) {
        let template = Template::new(&stack.deployed, &self.region);
        let is_roll_back = good == "ROLLBACK_COMPLETE";
        let mut resources = Vec::new();
        for resource in stack.live() {
            // Fact: Retain keeps at every deletion; RetainExceptOnCreate doesn't keep what a creation just made.
            let policy = match template.policy(&resource.logical_id, "DeletionPolicy") {
                _ if retain.contains(&resource.logical_id) => Policy::Retain,
                // Fact: a roll-back deletes what was created, not what was adopted.
                _ if is_roll_back && resource.status.starts_with("IMPORT") => Policy::Retain,
                _ if resource.status == "CREATE_FAILED" => Policy::Delete,
                Policy::RetainExceptOnCreate if is_roll_back => Policy::Delete,
                Policy::Retain if is_roll_back && stack.terms.retain_except_on_create => Policy::Delete,
                policy => policy,
            };
            resources.push((resource, policy));
        }
        let end = self.clean_up(stack, now, resources, &template);
        stack.later(end, Step::End { good, bad, failed: "DELETE_FAILED" });
    }
}

/// Whether what changes of a resource's own is its tags at most.
fn tells_only_tags(change: &Change) -> bool {
    change.properties.iter().all(|property| property.name == "Tags")
}

/// How a stack is to be deleted.
#[derive(Debug, Clone, Default)]
pub struct Deletion {
    pub token: String,
    /// Logical ids of what stays.
    pub retain: Vec<String>,
    /// Whether what can't be deleted is left behind.
    pub force: bool,
    pub express: bool,
}

const REPLACEMENT_REFUSED: &str = "Replacement type updates not supported on stack with disable-rollback.";

fn name_stays(name: &str) -> String {
    format!(
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} and \
         update the stack again."
    )
}
