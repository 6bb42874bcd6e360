//! What leads from one deployment to another.

use super::stack::{Deployment, Drift, Resource, Stack};
use super::template::{NAMES, Policy, Template};
use serde_yaml::{Mapping, Value};

/// What a change set says of one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub action: Action,
    /// As it is before, but for what is added.
    pub resource: Resource,
    pub properties: Vec<PropertyChange>,
    pub replaces: bool,
    /// What becomes of the old one, where one goes.
    pub policy: Policy,
    /// Whether the stack's tags change, which are passed on.
    pub tags: bool,
    /// Whether it undoes a drift.
    pub drifted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Add,
    Import,
    Modify,
    Remove,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::Add => "Add",
            Action::Import => "Import",
            Action::Modify => "Modify",
            Action::Remove => "Remove",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct PropertyChange {
    pub name: String,
    pub before: String,
    pub after: String,
    pub replaces: bool,
}

impl Change {
    fn new(action: Action, resource: Resource) -> Self {
        let properties = Vec::new();
        let policy = Policy::Delete;
        Change { action, resource, properties, replaces: false, policy, tags: false, drifted: false }
    }
}

/// What leads from what a stack has to a deployment.
pub fn changes(stack: &Stack, after: &Deployment, region: &str) -> Vec<Change> {
    let new = Template::new(after, region);
    let Some(before) = stack.base() else {
        // After a failed creation without a roll-back, what is there already stays.
        let there = |resource: &Resource| stack.status_of(&resource.logical_id) == Some("CREATE_COMPLETE");
        let added = new.resources().into_iter().filter(|resource| !there(resource));
        return added.map(|resource| Change::new(Action::Add, resource)).collect();
    };
    let old = Template::new(before, region);
    let mut changes = Vec::new();
    for resource in new.resources() {
        let id = &resource.logical_id;
        if !old.has(id) && stack.status_of(id) != Some("CREATE_COMPLETE") {
            changes.push(Change::new(Action::Add, resource));
            continue;
        }
        let differing = differing(&old.properties(id), &new.properties(id), &resource.kind, &new);
        let tags = before.tags != after.tags && takes_tags(&resource.kind);
        if !differing.is_empty() || tags {
            let physical_id = stack.physical_id(id).unwrap_or(&resource.physical_id).to_owned();
            let replaces = differing.iter().any(|property| property.replaces);
            let policy = old.policy(id, "UpdateReplacePolicy");
            let change = Change::new(Action::Modify, Resource { physical_id, ..resource });
            changes.push(Change { properties: differing, replaces, policy, tags, ..change });
        }
    }
    for resource in old.resources().into_iter().filter(|resource| !new.has(&resource.logical_id)) {
        let policy = old.policy(&resource.logical_id, "DeletionPolicy");
        let physical_id = stack.physical_id(&resource.logical_id).unwrap_or(&resource.physical_id).to_owned();
        changes.push(Change { policy, ..Change::new(Action::Remove, Resource { physical_id, ..resource }) });
    }
    changes
}

/// Adds what undoes the stack's drifts.
///
/// Fact: with DeploymentMode REVERT_DRIFT a change set also changes what drifted.
pub fn revert_drifts(changes: &mut Vec<Change>, stack: &Stack, drifts: &[Drift], region: &str) {
    let now = Template::new(&stack.deployed, region);
    for drift in drifts {
        let Some(resource) = now.resources().into_iter().find(|it| it.logical_id == drift.logical_id) else {
            continue;
        };
        let action = if drift.deleted { Action::Add } else { Action::Modify };
        let undone = drift.differences.iter().map(|difference| PropertyChange {
            name: difference.path.trim_start_matches('/').split('/').next().unwrap_or_default().to_owned(),
            before: difference.actual.clone(),
            after: difference.expected.clone(),
            replaces: false,
        });
        match changes.iter_mut().find(|change| change.resource.logical_id == drift.logical_id) {
            Some(change) => {
                change.drifted = true;
                change.properties.extend(undone);
            }
            None => {
                let change = Change::new(action, resource);
                changes.push(Change { properties: undone.collect(), drifted: true, ..change });
            }
        }
    }
}

fn differing(from: &Mapping, to: &Mapping, kind: &str, template: &Template) -> Vec<PropertyChange> {
    let names = from.keys().chain(to.keys().filter(|key| !from.contains_key(*key)));
    let names = names.filter(|name| from.get(*name) != to.get(*name)).filter_map(Value::as_str);
    // Fact: values of several parts are told as JSON.
    let shown = |value: Option<&Value>| match value {
        Some(value @ (Value::Mapping(_) | Value::Sequence(_))) => {
            serde_json::to_string(value).unwrap_or_default()
        }
        Some(value) => template.plain(value),
        None => String::new(),
    };
    names
        .map(|name| PropertyChange {
            name: name.to_owned(),
            before: shown(from.get(name)),
            after: shown(to.get(name)),
            replaces: replaces(kind, name),
        })
        .collect()
}

/// Fact: replacing are every physical name, DeliveryStreamType, KinesisStreamSourceConfiguration and a role's Path.
fn replaces(kind: &str, property: &str) -> bool {
    match (kind, property) {
        (
            "AWS::KinesisFirehose::DeliveryStream",
            "DeliveryStreamType" | "KinesisStreamSourceConfiguration",
        ) => true,
        ("AWS::IAM::Role", "Path") => true,
        _ => NAMES.contains(&property),
    }
}

/// Fact: stack tags are passed on to resources, where the resource type has tags.
pub fn takes_tags(kind: &str) -> bool {
    !["AWS::S3::BucketPolicy", "AWS::Logs::LogStream", "AWS::Lambda::Permission"].contains(&kind)
}
