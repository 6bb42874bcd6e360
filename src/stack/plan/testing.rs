//! Plans for tests.

use super::{Action, Change, Cost, Operation, Plan, PropertyChange};
use crate::settings::Means;
use std::collections::BTreeMap;

/// An update of `kinesis-stack-dev` with these changes.
pub fn plan(changes: Vec<Change>) -> Plan {
    Plan {
        operation: Operation::Update,
        stack: "kinesis-stack-dev".to_owned(),
        loses_data: changes.iter().any(|change| change.loss.is_some() || change.drops.is_some()),
        changed: !changes.is_empty(),
        code_only: false,
        stack_id: Some("arn:aws:cloudformation:us-east-1:123456789012:stack/kinesis-stack-dev/1".to_owned()),
        env: "dev".to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        template_sha256: "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef".to_owned(),
        parameters: BTreeMap::new(),
        shape: crate::template::tests::shape(),
        means: Means::default(),
        was_ephemeral: None,
        was_protected: None,
        expires_before: None,
        expires: None,
        cost: Cost::default(),
        version: "0.1.0".to_owned(),
        time: "2026-11-24T18:10:00Z".to_owned(),
        changes,
    }
}

/// Something that happens to a resource.
pub fn change(action: Action, logical_id: &str, resource_type: &str) -> Change {
    Change {
        action,
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        physical_id: None,
        properties: Vec::new(),
        replaced_by: Vec::new(),
        loss: None,
        drops: None,
        retained: false,
        was_deleted: false,
        only_follows: false,
    }
}

/// A property that changes in place.
pub fn property(name: &str, before: &str, after: &str) -> PropertyChange {
    PropertyChange {
        name: name.to_owned(),
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
        replaces: false,
        cause: None,
        set_back: false,
    }
}
