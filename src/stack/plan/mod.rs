//! What a change set would do, as a value: the same one is shown, asked about, and executed.

mod loss;
mod read;
pub mod reviewed;
#[cfg(test)]
pub(crate) mod testing;
pub mod values;

use super::cost::Cost;
use crate::settings::Means;
use crate::template::{PARAMETER_KEY, Shape};
use aws_sdk_cloudformation::types as cfn;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What CloudFormation is asked to do with a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// A new stack.
    Create,
    /// A change to a stack.
    Update,
    /// The end of a stack.
    Delete,
}

/// What an operation would do. The document of `plan --output json`, and what `up --plan` reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// Create or update.
    pub operation: Operation,
    /// The stack's name.
    pub stack: String,
    /// One entry a resource, in the change set's order.
    pub changes: Vec<Change>,
    /// Whether anything in it loses data or drops records.
    pub loses_data: bool,
    /// Whether there is anything to execute: a change of an output alone changes no resource.
    pub changed: bool,
    /// Whether nothing changes but the code of the processor.
    pub code_only: bool,
    /// The stack's ARN, `null` for a creation.
    pub stack_id: Option<String>,
    /// The environment's name.
    pub env: String,
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// The SHA-256 of the template, in hexadecimal.
    pub template_sha256: String,
    /// The template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// What of the pipeline was chosen.
    pub shape: Shape,
    /// How it would be deployed.
    pub means: Means,
    /// Whether it is marked as short-lived now; `null` for a creation.
    pub was_ephemeral: Option<bool>,
    /// Whether it is protected now; `null` for a creation.
    pub was_protected: Option<bool>,
    /// When its time is over now, RFC 3339; `null` where it never is.
    #[serde(default)]
    pub expires_before: Option<String>,
    /// When it would be.
    #[serde(default)]
    pub expires: Option<String>,
    /// What it makes of the monthly bill.
    pub cost: Cost,
    /// The version of this tool.
    pub version: String,
    /// When it was made, RFC 3339.
    pub time: String,
}

/// What would happen to one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// Add, modify, replace, remove, …
    pub action: Action,
    /// The name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// The name in the account, where there is one already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_id: Option<String>,
    /// The properties that change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyChange>,
    /// Why it is replaced: the properties that can't change in place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced_by: Vec<String>,
    /// What would be lost, in words, where something would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    /// Which records would be dropped, in words, where some would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drops: Option<String>,
    /// Whether the old resource stays in the account, outside the stack.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retained: bool,
    /// Whether it is made again because somebody deleted it behind CloudFormation's back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub was_deleted: bool,
    /// Whether it is listed only because it names another resource, which stays: then nothing happens to it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub only_follows: bool,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is made.
    Add,
    /// It changes in place.
    Modify,
    /// A new one is made and the old one deleted.
    Replace,
    /// It is replaced or changed in place: CloudFormation doesn't know before it acts.
    MayReplace,
    /// It is deleted.
    Remove,
    /// It is there already, and the stack takes it over.
    Import,
    /// It stays as it is, and CloudFormation learns what it really looks like.
    Sync,
    /// Something else (dynamic, …): CloudFormation's own judgement comes later.
    Other,
}

/// A property that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PropertyChange {
    /// Its path below `Properties`, or the attribute's name (`Tags`, …).
    pub name: String,
    /// Its value before, where CloudFormation says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Its value after, where CloudFormation says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether a new value always means a new resource.
    pub replaces: bool,
    /// The parameter, or the resource's attribute, whose change is the cause, where it isn't the template's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Whether somebody changed it behind CloudFormation's back, which is undone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub set_back: bool,
}

/// All of a plan that the change set doesn't tell.
#[derive(Debug, Clone)]
pub struct Basis {
    /// Create or update.
    pub operation: Operation,
    /// The stack's name.
    pub stack: String,
    /// The stack's ARN, where it is there already.
    pub stack_id: Option<String>,
    /// The environment's name.
    pub env: String,
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// The SHA-256 of the template, in hexadecimal.
    pub template_sha256: String,
    /// The template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// How it would be deployed.
    pub means: Means,
    /// What the pipeline is to look like.
    pub shape: Shape,
    /// Whether it is marked as short-lived now.
    pub was_ephemeral: Option<bool>,
    /// Whether it is protected now.
    pub was_protected: Option<bool>,
    /// When its time is over now, RFC 3339.
    pub expires_before: Option<String>,
    /// When it would be.
    pub expires: Option<String>,
}

impl Plan {
    /// The plan that a change set's entries amount to; `None` where nothing has to change.
    pub fn new(basis: &Basis, changes: Option<&[cfn::Change]>) -> Self {
        let changed = changes.is_some();
        let changes = read::changes(changes.unwrap_or_default());
        let loses_data = changes.iter().any(|change| change.loss.is_some() || change.drops.is_some());
        let now = jiff::Timestamp::now();
        let basis = basis.clone();
        let mut plan = Plan {
            operation: basis.operation,
            stack: basis.stack,
            loses_data,
            changed,
            code_only: false,
            stack_id: basis.stack_id,
            env: basis.env,
            account: basis.account,
            region: basis.region,
            template_sha256: basis.template_sha256,
            parameters: basis.parameters,
            cost: Cost::new(&basis.shape, basis.operation == Operation::Create, &changes),
            shape: basis.shape,
            means: basis.means,
            was_ephemeral: basis.was_ephemeral,
            was_protected: basis.was_protected,
            expires_before: basis.expires_before,
            expires: basis.expires,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: now.round(jiff::Unit::Millisecond).unwrap_or(now).to_string(),
            changes,
        };
        plan.code_only = plan.is_code_only();
        plan
    }

    /// Whether nothing changes but the code of the processor, because a new zip is to be deployed.
    pub fn is_code_only(&self) -> bool {
        let mut real = self.changes.iter().filter(|change| !change.only_follows);
        let (Some(change), None) = (real.next(), real.next()) else { return false };
        let is_code = |property: &PropertyChange| {
            (property.name == "Code" || property.name.starts_with("Code."))
                && property.cause.as_deref().is_none_or(|cause| cause == PARAMETER_KEY)
                && !property.set_back
        };
        self.operation == Operation::Update
            && change.action == Action::Modify
            && change.logical_id == "Processor"
            && change.resource_type == "AWS::Lambda::Function"
            && !change.properties.is_empty()
            && change.properties.iter().all(is_code)
    }

    /// Whether it turns the protection of what is there on or off; `None`: it stays as it is.
    pub fn protects(&self) -> Option<bool> {
        self.means.protection.filter(|wished| *wished != self.was_protected.unwrap_or(false))
    }

    /// What `plan --exit-code` ends with, as users of `terraform plan -detailed-exitcode` expect: nothing to
    /// do, something, something that loses data.
    pub fn exit_code(&self) -> u8 {
        match (self.changed || self.protects().is_some(), self.loses_data) {
            (false, _) => 0,
            (true, false) => 10,
            (true, true) => 11,
        }
    }
}

impl Action {
    /// Whether the resource surely stays the one that it is.
    pub const fn keeps_the_resource(self) -> bool {
        matches!(self, Action::Modify | Action::Sync)
    }

    /// Whether what the resource holds is gone afterwards, or may be.
    const fn ends_the_resource(self) -> bool {
        matches!(self, Action::Replace | Action::MayReplace | Action::Remove | Action::Other)
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::testing::{change, plan, property};
    use super::*;

    fn code(properties: Vec<PropertyChange>) -> Change {
        Change { properties, ..change(Action::Modify, "Processor", "AWS::Lambda::Function") }
    }

    fn key() -> PropertyChange {
        let cause = Some(PARAMETER_KEY.to_owned());
        PropertyChange { cause, ..property("Code.S3Key", "processor/a.zip", "processor/b.zip") }
    }

    #[test]
    fn a_new_zip_alone_is_a_change_of_code_alone() {
        assert!(plan(vec![code(vec![key()])]).is_code_only());
        assert!(plan(vec![code(vec![property("Code", "a", "b")])]).is_code_only());
        let follows = Change {
            only_follows: true,
            ..change(Action::Modify, "Delivery", "AWS::KinesisFirehose::DeliveryStream")
        };
        assert!(plan(vec![code(vec![key()]), follows]).is_code_only());
    }

    #[test]
    fn anything_beside_the_code_is_more_than_code() {
        let memory = property("MemorySize", "256", "512");
        let bucket = PropertyChange { cause: Some("ProcessorBucket".to_owned()), ..key() };
        let drifted = PropertyChange { set_back: true, ..key() };
        for properties in [vec![], vec![memory.clone()], vec![key(), memory], vec![bucket], vec![drifted]] {
            assert!(!plan(vec![code(properties)]).is_code_only());
        }
        let tags = Change {
            properties: vec![property("Tags", "", "")],
            ..change(Action::Modify, "Bucket", "AWS::S3::Bucket")
        };
        assert!(!plan(vec![code(vec![key()]), tags]).is_code_only());
        let replaced = Change { action: Action::Replace, ..code(vec![key()]) };
        assert!(!plan(vec![replaced]).is_code_only());
        let creation = Plan { operation: Operation::Create, ..plan(vec![code(vec![key()])]) };
        assert!(!creation.is_code_only());
        assert!(!plan(Vec::new()).is_code_only());
    }

    #[test]
    fn the_exit_code_tells_nothing_from_changes_from_loss() {
        let told = |changed, loses_data| Plan { changed, loses_data, ..plan(Vec::new()) }.exit_code();
        assert_eq!([told(false, false), told(true, false), told(true, true)], [0, 10, 11]);
    }

    #[test]
    fn a_plan_is_the_same_after_it_was_written_and_read() {
        let mut plan = plan(vec![code(vec![key()])]);
        plan.cost = Cost::new(&crate::template::tests::shape(), true, &[]);
        plan.means.role_arn = Some("arn:aws:iam::123456789012:role/deploy".to_owned());
        let text = serde_json::to_string_pretty(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }

    #[test]
    fn fields_that_tools_rely_on_keep_their_names() {
        let creation = Plan { stack_id: None, ..plan(vec![code(vec![key()])]) };
        let document = serde_json::to_value(creation).unwrap();
        for (pointer, value) in [
            ("/operation", "\"update\""),
            ("/stack", "\"kinesis-stack-dev\""),
            ("/loses_data", "false"),
            ("/stack_id", "null"),
            ("/changes/0/action", "\"modify\""),
            ("/changes/0/logical_id", "\"Processor\""),
            ("/changes/0/resource_type", "\"AWS::Lambda::Function\""),
            ("/changes/0/properties/0/name", "\"Code.S3Key\""),
            ("/changes/0/properties/0/before", "\"processor/a.zip\""),
            ("/changes/0/properties/0/after", "\"processor/b.zip\""),
            ("/changes/0/properties/0/replaces", "false"),
        ] {
            assert_eq!(
                document.pointer(pointer).map(ToString::to_string).as_deref(),
                Some(value),
                "{pointer}"
            );
        }
    }
}
