//! What a change set would do, as a value: the same one is shown, asked about, and executed.

use aws_sdk_cloudformation::types::{self as cfn, ChangeAction, RequiresRecreation};
use serde::Serialize;

/// What CloudFormation is asked to do with a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// A new stack.
    Create,
    /// A change to a stack.
    Update,
    /// The end of a stack.
    Delete,
}

/// What an operation would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Create or update.
    pub operation: Operation,
    /// The stack's name.
    pub stack: String,
    /// One entry a resource, in the change set's order.
    pub changes: Vec<Change>,
    /// Whether anything in it loses data.
    pub loses_data: bool,
}

/// What would happen to one resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyChange>,
    /// What would be lost, in words, where something would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<&'static str>,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    /// Something else (import, dynamic, …): CloudFormation's own judgement comes later.
    Other,
}

/// A property that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
}

impl Plan {
    /// The plan that a change set's entries amount to.
    pub fn new(operation: Operation, stack: &str, changes: &[cfn::Change]) -> Self {
        let changes: Vec<Change> =
            changes.iter().filter_map(|c| c.resource_change()).map(Change::new).collect();
        let loses_data = changes.iter().any(|change| change.loss.is_some());
        Plan { operation, stack: stack.to_owned(), changes, loses_data }
    }
}

impl Change {
    fn new(change: &cfn::ResourceChange) -> Self {
        let resource_type = change.resource_type().unwrap_or_default().to_owned();
        let action = match (change.action(), change.replacement()) {
            (Some(ChangeAction::Add), _) => Action::Add,
            (Some(ChangeAction::Remove), _) => Action::Remove,
            (Some(ChangeAction::Modify), Some(cfn::Replacement::True)) => Action::Replace,
            (Some(ChangeAction::Modify), Some(cfn::Replacement::Conditional)) => Action::MayReplace,
            (Some(ChangeAction::Modify), _) => Action::Modify,
            _ => Action::Other,
        };
        let mut properties: Vec<PropertyChange> = Vec::new();
        for target in change.details().iter().filter_map(|detail| detail.target()) {
            let property = PropertyChange::new(target);
            // One entry a cause: a property that changes for two causes is listed twice by CloudFormation.
            match properties.iter_mut().find(|known| known.name == property.name) {
                Some(known) => {
                    known.replaces |= property.replaces;
                    known.before = known.before.take().or(property.before);
                    known.after = known.after.take().or(property.after);
                }
                None => properties.push(property),
            }
        }
        // "Conditional" also means that a value isn't known yet. Where none of the changed properties is one
        // that CloudFormation's schema calls create-only, the resource stays.
        let action = match action {
            Action::MayReplace if stays(&resource_type, &properties) => Action::Modify,
            action => action,
        };
        let loss = loss(action, &resource_type, &properties);
        Change {
            action,
            logical_id: change.logical_resource_id().unwrap_or_default().to_owned(),
            resource_type,
            physical_id: change.physical_resource_id().filter(|id| !id.is_empty()).map(str::to_owned),
            properties,
            loss,
        }
    }
}

impl PropertyChange {
    fn new(target: &cfn::ResourceTargetDefinition) -> Self {
        let attribute = target.attribute().map(cfn::ResourceAttribute::as_str).unwrap_or_default();
        let path = target.path().and_then(|path| path.strip_prefix("/Properties/"));
        let name = path.map(|path| path.replace('/', ".")).or_else(|| target.name().map(str::to_owned));
        PropertyChange {
            name: name.unwrap_or_else(|| attribute.to_owned()),
            before: target.before_value().map(str::to_owned),
            after: target.after_value().map(str::to_owned),
            replaces: target.requires_recreation() == Some(&RequiresRecreation::Always),
        }
    }
}

/// Whether a resource that holds data surely isn't replaced by these changes.
fn stays(resource_type: &str, properties: &[PropertyChange]) -> bool {
    let create_only: &[&str] = match resource_type {
        "AWS::Kinesis::Stream" => &["Name"],
        "AWS::S3::Bucket" => &["BucketName", "BucketNamePrefix", "BucketNamespace"],
        _ => return false,
    };
    !properties.is_empty() && properties.iter().all(|property| !create_only.contains(&property.name.as_str()))
}

/// What a change loses, where it does: the bucket and the stream are the resources that hold data.
fn loss(action: Action, resource_type: &str, properties: &[PropertyChange]) -> Option<&'static str> {
    let gone = matches!(action, Action::Replace | Action::MayReplace | Action::Remove);
    match resource_type {
        "AWS::S3::Bucket" if gone => Some("the bucket's rows are deleted"),
        "AWS::Kinesis::Stream" if gone => Some("records that are not delivered yet are deleted"),
        "AWS::Kinesis::Stream" if lowers_retention(properties) => {
            Some("records older than the new retention, if it is shorter, are deleted")
        }
        _ => None,
    }
}

/// A retention whose values CloudFormation doesn't tell counts as lowered: better asked than lost.
fn lowers_retention(properties: &[PropertyChange]) -> bool {
    let hours = |value: &Option<String>| value.as_deref().and_then(|text| text.parse::<u32>().ok());
    properties.iter().filter(|property| property.name == "RetentionPeriodHours").any(|property| {
        match (hours(&property.before), hours(&property.after)) {
            (Some(before), Some(after)) => after < before,
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudformation::types::{
        Replacement, ResourceAttribute, ResourceChange, ResourceChangeDetail, ResourceTargetDefinition,
    };

    fn change(resource_type: &str, action: ChangeAction, replacement: Replacement) -> Plan {
        let name = if resource_type == "AWS::S3::Bucket" { "BucketName" } else { "Name" };
        change_of(name, resource_type, action, replacement)
    }

    fn change_of(
        property: &str,
        resource_type: &str,
        action: ChangeAction,
        replacement: Replacement,
    ) -> Plan {
        let target =
            ResourceTargetDefinition::builder().attribute(ResourceAttribute::Properties).name(property);
        let resource = ResourceChange::builder()
            .details(ResourceChangeDetail::builder().target(target.build()).build())
            .logical_resource_id("It")
            .resource_type(resource_type)
            .action(action)
            .replacement(replacement)
            .build();
        let change = cfn::Change::builder().resource_change(resource).build();
        Plan::new(Operation::Update, "kinesis-stack-dev", &[change])
    }

    fn retention(before: Option<&str>, after: Option<&str>) -> Plan {
        let target = ResourceTargetDefinition::builder()
            .attribute(ResourceAttribute::Properties)
            .name("RetentionPeriodHours")
            .path("/Properties/RetentionPeriodHours")
            .set_before_value(before.map(str::to_owned))
            .set_after_value(after.map(str::to_owned))
            .build();
        let resource = ResourceChange::builder()
            .resource_type("AWS::Kinesis::Stream")
            .action(ChangeAction::Modify)
            .replacement(Replacement::False)
            .details(ResourceChangeDetail::builder().target(target).build())
            .build();
        let change = cfn::Change::builder().resource_change(resource).build();
        Plan::new(Operation::Update, "kinesis-stack-dev", &[change])
    }

    #[test]
    fn replacing_or_removing_what_holds_data_loses_data() {
        for resource_type in ["AWS::S3::Bucket", "AWS::Kinesis::Stream"] {
            assert!(change(resource_type, ChangeAction::Remove, Replacement::False).loses_data);
            assert!(change(resource_type, ChangeAction::Modify, Replacement::True).loses_data);
            assert!(change(resource_type, ChangeAction::Modify, Replacement::Conditional).loses_data);
            assert!(!change(resource_type, ChangeAction::Modify, Replacement::False).loses_data);
            assert!(!change(resource_type, ChangeAction::Add, Replacement::False).loses_data);
        }
        assert!(!change("AWS::Lambda::Function", ChangeAction::Modify, Replacement::True).loses_data);
    }

    #[test]
    fn a_change_in_place_that_cloudformation_is_not_sure_of_loses_nothing() {
        let sure = |property| {
            change_of(property, "AWS::Kinesis::Stream", ChangeAction::Modify, Replacement::Conditional)
        };
        assert_eq!(sure("ShardCount").changes[0].action, Action::Modify);
        assert!(!sure("ShardCount").loses_data);
        assert!(sure("Name").loses_data);
    }

    #[test]
    fn a_lowered_retention_loses_data_and_an_unknown_one_counts_as_lowered() {
        assert!(retention(Some("48"), Some("24")).loses_data);
        assert!(!retention(Some("24"), Some("48")).loses_data);
        assert!(retention(None, None).loses_data);
    }

    #[test]
    fn a_property_with_two_causes_is_shown_once() {
        let plan = retention(Some("24"), Some("48"));
        assert_eq!(plan.changes[0].properties.len(), 1);
        assert_eq!(plan.changes[0].properties[0].name, "RetentionPeriodHours");
    }
}
