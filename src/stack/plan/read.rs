//! From a change set's entries to ours.
//!
//! A change set names too much: whatever refers to a changed resource is listed as well, since CloudFormation
//! doesn't work out beforehand that a resource which changes in place keeps its name and ARN. That is worked out
//! here, or raising the number of shards would look as if it might replace the delivery stream.

use super::loss::{drops, loss};
use super::{Action, Change, PropertyChange};
use aws_sdk_cloudformation::types::{
    self as cfn, AttributeChangeType, ChangeAction, ChangeSource, EvaluationType, PolicyAction,
    RequiresRecreation, StackResourceDriftStatus,
};

/// What stands for a value that isn't known yet.
const UNKNOWN: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// The entries of a change set, as ours.
pub fn changes(entries: &[cfn::Change]) -> Vec<Change> {
    let mut entries: Vec<Entry> =
        entries.iter().filter_map(cfn::Change::resource_change).map(Entry::new).collect();
    settle(&mut entries);
    entries.into_iter().map(Entry::judged).collect()
}

/// A change, and of each of its properties what it hangs on.
struct Entry {
    change: Change,
    hangs: Vec<Hanging>,
}

/// What the value of a property hangs on.
#[derive(Debug, Default)]
struct Hanging {
    /// The resources whose name or ARN it is made of.
    resources: Vec<String>,
    /// Whether it changes by itself as well.
    changes: bool,
    /// Whether a new value may mean a new resource.
    may_recreate: bool,
}

impl Hanging {
    fn add(&mut self, detail: &cfn::ResourceChangeDetail, target: &cfn::ResourceTargetDefinition) {
        let known = |value: Option<&str>| value.filter(|value| *value != UNKNOWN).map(str::to_owned);
        let differs = match (known(target.before_value()), known(target.after_value())) {
            (Some(before), Some(after)) => before != after,
            _ => false,
        };
        let is_dynamic = detail.evaluation() == Some(&EvaluationType::Dynamic);
        let entity = detail.causing_entity().unwrap_or_default();
        match detail.change_source() {
            Some(ChangeSource::ResourceReference) if is_dynamic => self.resources.push(entity.to_owned()),
            // Of attributes only an ARN is as lasting as the resource.
            Some(ChangeSource::ResourceAttribute) if is_dynamic && entity.ends_with(".Arn") => {
                self.resources.push(entity.trim_end_matches(".Arn").to_owned());
            }
            // Comes along with a reference: the text around it may have changed as well, and would be seen to.
            Some(ChangeSource::DirectModification) if is_dynamic => {}
            _ => self.changes = true,
        }
        self.changes |= differs;
        self.may_recreate |= target.requires_recreation() != Some(&RequiresRecreation::Never);
    }

    /// Whether the value stays, since all that it hangs on does.
    fn stays(&self, lasting: &[String]) -> bool {
        !self.changes
            && !self.resources.is_empty()
            && self.resources.iter().all(|resource| lasting.contains(resource))
    }
}

impl Entry {
    fn new(change: &cfn::ResourceChange) -> Self {
        let resource_type = change.resource_type().unwrap_or_default().to_owned();
        let action = match (change.action(), change.replacement()) {
            (Some(ChangeAction::Add), _) => Action::Add,
            (Some(ChangeAction::Remove), _) => Action::Remove,
            (Some(ChangeAction::Import), _) => Action::Import,
            (Some(ChangeAction::SyncWithActual), _) => Action::Sync,
            (Some(ChangeAction::Modify), Some(cfn::Replacement::True)) => Action::Replace,
            (Some(ChangeAction::Modify), Some(cfn::Replacement::Conditional)) => Action::MayReplace,
            (Some(ChangeAction::Modify), _) => Action::Modify,
            _ => Action::Other,
        };
        let mut properties: Vec<PropertyChange> = Vec::new();
        let mut hangs: Vec<Hanging> = Vec::new();
        for detail in change.details() {
            let Some(target) = detail.target() else { continue };
            let property = property(detail, target);
            // One entry a cause: a property that changes for two causes is listed twice by CloudFormation.
            let place = properties.iter().position(|known| known.name == property.name);
            let place = place.unwrap_or(properties.len());
            match properties.get_mut(place) {
                Some(known) => {
                    known.replaces |= property.replaces;
                    known.set_back |= property.set_back;
                    known.before = known.before.take().or(property.before);
                    known.after = known.after.take().or(property.after);
                    known.cause = known.cause.take().or(property.cause);
                }
                None => {
                    properties.push(property);
                    hangs.push(Hanging::default());
                }
            }
            hangs[place].add(detail, target);
        }
        let retained =
            matches!(change.policy_action(), Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain));
        let change = Change {
            action,
            logical_id: change.logical_resource_id().unwrap_or_default().to_owned(),
            resource_type,
            physical_id: change.physical_resource_id().filter(|id| !id.is_empty()).map(str::to_owned),
            properties,
            replaced_by: Vec::new(),
            loss: None,
            drops: None,
            retained,
            was_deleted: change.resource_drift_status() == Some(&StackResourceDriftStatus::Deleted),
            only_follows: false,
        };
        Entry { change, hangs }
    }

    /// Whether none of the properties that could mean a new resource gets a new value.
    fn surely_stays(&self, lasting: &[String]) -> bool {
        let Change { resource_type, properties, .. } = &self.change;
        let mut could = self.hangs.iter().filter(|hanging| hanging.may_recreate).peekable();
        stays(resource_type, properties)
            || could.peek().is_some() && could.all(|hanging| hanging.stays(lasting))
    }

    /// With all that follows from what is now known of it.
    fn judged(self) -> Change {
        let Change { action, ref resource_type, retained, ref properties, .. } = self.change;
        let replaced_by = match action {
            Action::Replace | Action::MayReplace => {
                let cannot = properties.iter().filter(|property| property.replaces);
                cannot.map(|property| property.name.clone()).collect()
            }
            _ => Vec::new(),
        };
        Change {
            replaced_by,
            loss: loss(action, resource_type, retained, properties).map(str::to_owned),
            drops: drops(action, resource_type).map(str::to_owned),
            ..self.change
        }
    }
}

/// Works out which resources stay although CloudFormation isn't sure: first those that surely do, then those that
/// only hang on them, and so on.
fn settle(entries: &mut [Entry]) {
    loop {
        let lasting: Vec<String> = entries
            .iter()
            .filter(|entry| entry.change.action.keeps_the_resource())
            .map(|entry| entry.change.logical_id.clone())
            .collect();
        let unsure = |entry: &&mut Entry| entry.change.action == Action::MayReplace;
        let stay = entries.iter_mut().filter(unsure).filter(|entry| entry.surely_stays(&lasting));
        if stay.map(|entry| entry.change.action = Action::Modify).count() == 0 {
            for entry in entries.iter_mut().filter(|entry| entry.change.action == Action::Modify) {
                entry.change.only_follows =
                    !entry.hangs.is_empty() && entry.hangs.iter().all(|hanging| hanging.stays(&lasting));
            }
            return;
        }
    }
}

fn property(detail: &cfn::ResourceChangeDetail, target: &cfn::ResourceTargetDefinition) -> PropertyChange {
    let attribute = target.attribute().map(cfn::ResourceAttribute::as_str).unwrap_or_default();
    let path = target.path().map(|path| path.strip_prefix("/Properties/").unwrap_or(path));
    let path =
        path.map(|path| path.trim_start_matches('/').replace('/', ".")).filter(|path| !path.is_empty());
    let name = path.or_else(|| target.name().map(str::to_owned));
    let value = |value: Option<&str>| value.filter(|value| *value != UNKNOWN).map(str::to_owned);
    // What is really there, where somebody changed it.
    let actual = target.drift().and_then(|drift| drift.actual_value());
    let is_undone = target.attribute_change_type() != Some(&AttributeChangeType::SyncWithActual);
    PropertyChange {
        name: name.unwrap_or_else(|| attribute.to_owned()),
        before: value(actual.or(target.before_value())),
        after: value(target.after_value()),
        replaces: target.requires_recreation() == Some(&RequiresRecreation::Always),
        cause: detail.causing_entity().filter(|cause| !cause.is_empty()).map(str::to_owned),
        set_back: target.drift().is_some() && is_undone,
    }
}

/// Whether a resource that holds data surely isn't replaced by these changes, whatever CloudFormation says: none
/// of the properties is one that its schema calls create-only.
fn stays(resource_type: &str, properties: &[PropertyChange]) -> bool {
    let create_only: &[&str] = match resource_type {
        "AWS::Kinesis::Stream" => &["Name"],
        "AWS::S3::Bucket" => &["BucketName", "BucketNamePrefix", "BucketNamespace"],
        _ => return false,
    };
    !properties.is_empty() && properties.iter().all(|property| !create_only.contains(&property.name.as_str()))
}

#[cfg(test)]
mod tests;
