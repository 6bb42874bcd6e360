//! Early validation: what CloudFormation finds wrong before it does anything.

use super::changes::{Action, Change};
use super::template::{Policy, Template};
use crate::Account;
use crate::wire::text;

/// Something that early validation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    logical_id: String,
    physical_id: String,
    kind: String,
    /// `NAME_CONFLICT_VALIDATION` and so on.
    name: &'static str,
    path: String,
    reason: String,
    /// Fact: FAIL mode blocks, WARN (buckets) doesn't.
    blocks: bool,
}

impl Finding {
    fn new(change: &Change, name: &'static str, path: String, reason: String) -> Self {
        Finding {
            logical_id: change.resource.logical_id.clone(),
            physical_id: change.resource.physical_id.clone(),
            kind: change.resource.kind.clone(),
            name,
            path,
            reason,
            blocks: true,
        }
    }

    /// Fact: the details are in events of type VALIDATION_ERROR, several per resource.
    pub fn described(&self, change_set: &str) -> String {
        text("EventId", &format!("{change_set}-{}-{}", self.name, self.path))
            + &text("EventType", "VALIDATION_ERROR")
            + &text("LogicalResourceId", &self.logical_id)
            + &text("PhysicalResourceId", &self.physical_id)
            + &text("ResourceType", &self.kind)
            + &text("ValidationName", self.name)
            + &text("ValidationStatus", "FAILED")
            + &text("ValidationStatusReason", &self.reason)
            + &text("ValidationPath", &self.path)
            + &text("ValidationFailureMode", if self.blocks { "FAIL" } else { "WARN" })
    }
}

/// What a change is refused for that would take over what is there.
pub fn conflicts(changes: &[Change]) -> Vec<Finding> {
    let imports = changes.iter().filter(|change| change.action == Action::Import);
    let conflict = |change: &Change| {
        let path = format!("/Resources/{}", change.resource.logical_id);
        let (kind, name) = (&change.resource.kind, &change.resource.physical_id);
        let reason = format!("Resource of type '{kind}' with identifier '{name}' already exists.");
        Finding::new(change, "NAME_CONFLICT_VALIDATION", path, reason)
    };
    imports.map(conflict).collect()
}

/// Why the change set fails, where something that was found blocks it.
pub fn failure(findings: &[Finding]) -> Option<String> {
    let check = |finding: &Finding| match finding.name {
        "PROPERTY_VALIDATION" => "AWS::EarlyValidation::PropertyValidation",
        _ => "AWS::EarlyValidation::ResourceExistenceCheck",
    };
    let mut checks: Vec<&str> = findings.iter().filter(|it| it.blocks).map(check).collect();
    checks.dedup();
    (!checks.is_empty()).then(|| {
        format!(
            "The following hook(s)/validation failed: [{}]. To troubleshoot Early Validation errors, use the \
             DescribeEvents API for detailed failure information.",
            checks.join(", ")
        )
    })
}

/// What is wrong with changes. Those that adopt what is there already become imports.
pub fn validate(
    account: &Account,
    changes: &mut [Change],
    template: &Template,
    imports: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for change in changes {
        let resource = &change.resource;
        let id = &resource.logical_id;
        for (path, reason) in account.script.invalid.get(id).into_iter().flatten() {
            let path = format!("/Resources/{id}/Properties/{path}");
            findings.push(Finding::new(change, "PROPERTY_VALIDATION", path, reason.clone()));
        }
        let name = template.name_property(id);
        let target = template.resources().into_iter().find(|it| it.logical_id == *id);
        let taken = target.as_ref().is_some_and(|it| account.exists(&it.kind, &it.physical_id));
        let renamed = target.as_ref().is_some_and(|it| it.physical_id != resource.physical_id);
        let makes = change.action == Action::Add || change.replaces && renamed;
        if let (true, true, Some((property, is_static)), Some(target)) = (makes, taken, name, target) {
            if imports && change.action == Action::Add && can_import(account, change, template, is_static) {
                change.action = Action::Import;
                continue;
            }
            let path = format!("/Resources/{id}/Properties/{property}");
            let reason = format!(
                "Resource of type '{}' with identifier '{}' already exists.",
                target.kind, target.physical_id
            );
            findings.push(Finding::new(change, "NAME_CONFLICT_VALIDATION", path, reason));
        }
        let leaves = change.action == Action::Remove || change.replaces;
        let bucket = account.buckets.get(&change.resource.physical_id);
        let is_full = change.resource.kind == "AWS::S3::Bucket" && bucket.is_some_and(|it| !it.is_empty());
        if leaves && is_full && change.policy == Policy::Delete {
            let reason = format!(
                "The bucket '{}' is not empty. You must either delete all objects and versions or use the deletion \
                 policy to retain it, otherwise the delete operation will fail.",
                change.resource.physical_id
            );
            let path = format!("/Resources/{}", change.resource.logical_id);
            let finding = Finding::new(change, "BUCKET_EMPTINESS_VALIDATION", path, reason);
            findings.push(Finding { blocks: false, ..finding });
        }
    }
    findings
}

/// Fact: ImportExistingResources adopts only resources with a static name (no Ref, no function), DeletionPolicy
/// Retain or RetainExceptOnCreate, and in no other stack.
fn can_import(account: &Account, change: &Change, template: &Template, is_static: bool) -> bool {
    let resource = &change.resource;
    let keeps = template.policy(&resource.logical_id, "DeletionPolicy") != Policy::Delete;
    let holds = |it: &super::Resource| it.kind == resource.kind && it.physical_id == resource.physical_id;
    let elsewhere = account.stacks.iter().any(|stack| stack.live().iter().any(holds));
    is_static && keeps && !elsewhere
}
