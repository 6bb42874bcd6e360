//! What change sets of AWS amount to.

use super::*;
use aws_sdk_cloudformation::types::{
    LiveResourceDrift, Replacement, ResourceAttribute, ResourceChange, ResourceChangeDetail,
    ResourceTargetDefinition,
};

const STREAM: &str = "AWS::Kinesis::Stream";
const BUCKET: &str = "AWS::S3::Bucket";
const DELIVERY: &str = "AWS::KinesisFirehose::DeliveryStream";

fn target(
    name: &str,
    recreation: RequiresRecreation,
) -> aws_sdk_cloudformation::types::builders::ResourceTargetDefinitionBuilder {
    ResourceTargetDefinition::builder()
        .attribute(ResourceAttribute::Properties)
        .name(name)
        .path(format!("/Properties/{name}"))
        .requires_recreation(recreation)
}

/// A property that the template or a parameter changes.
fn own(name: &str, recreation: RequiresRecreation, before: &str, after: &str) -> ResourceChangeDetail {
    let target = target(name, recreation).before_value(before).after_value(after).build();
    ResourceChangeDetail::builder()
        .target(target)
        .evaluation(EvaluationType::Static)
        .change_source(ChangeSource::DirectModification)
        .build()
}

/// A property that is listed because it names another resource.
fn hangs_on(entity: &str, name: &str, recreation: RequiresRecreation) -> ResourceChangeDetail {
    let target = target(name, recreation).before_value("arn:1").after_value(UNKNOWN).build();
    let source = match entity.contains('.') {
        true => ChangeSource::ResourceAttribute,
        false => ChangeSource::ResourceReference,
    };
    ResourceChangeDetail::builder()
        .target(target)
        .evaluation(EvaluationType::Dynamic)
        .change_source(source)
        .causing_entity(entity)
        .build()
}

fn entry(
    logical_id: &str,
    resource_type: &str,
    action: ChangeAction,
    replacement: Replacement,
    details: &[ResourceChangeDetail],
) -> cfn::Change {
    let change = ResourceChange::builder()
        .logical_resource_id(logical_id)
        .resource_type(resource_type)
        .action(action)
        .replacement(replacement)
        .set_details(Some(details.to_vec()));
    cfn::Change::builder().resource_change(change.build()).build()
}

fn modify(
    logical_id: &str,
    resource_type: &str,
    replacement: Replacement,
    details: &[ResourceChangeDetail],
) -> cfn::Change {
    entry(logical_id, resource_type, ChangeAction::Modify, replacement, details)
}

/// More shards, as CloudFormation lists them: with the delivery stream, whose source is the stream's ARN.
fn more_shards(stream: &cfn::Change) -> Vec<Change> {
    let always = RequiresRecreation::Always;
    let source = hangs_on("Stream.Arn", "KinesisStreamSourceConfiguration", always);
    changes(&[stream.clone(), modify("Delivery", DELIVERY, Replacement::Conditional, &[source])])
}

#[test]
fn what_only_names_a_resource_that_stays_is_not_replaced_and_drops_nothing() {
    let shards = own("ShardCount", RequiresRecreation::Never, "1", "2");
    let unsure = modify("Stream", STREAM, Replacement::Conditional, &[shards]);
    let [stream, delivery] = &more_shards(&unsure)[..] else { panic!() };
    assert_eq!((stream.action, delivery.action), (Action::Modify, Action::Modify));
    assert!(delivery.only_follows && !stream.only_follows);
    assert_eq!((&delivery.drops, &stream.loss), (&None, &None));
}

#[test]
fn what_names_a_resource_that_is_replaced_may_be_replaced() {
    let name = own("Name", RequiresRecreation::Always, "a", "b");
    let replaced = modify("Stream", STREAM, Replacement::True, &[name]);
    let [stream, delivery] = &more_shards(&replaced)[..] else { panic!() };
    assert_eq!((stream.action, delivery.action), (Action::Replace, Action::MayReplace));
    assert_eq!(
        (&stream.replaced_by[..], &delivery.replaced_by[..]),
        (&["Name".to_owned()][..], &["KinesisStreamSourceConfiguration".to_owned()][..])
    );
    assert!(!delivery.only_follows && stream.loss.is_some() && delivery.drops.is_some());
}

#[test]
fn what_names_a_new_resource_may_be_replaced() {
    let added = entry("Stream", STREAM, ChangeAction::Add, Replacement::False, &[]);
    assert_eq!(more_shards(&added)[1].action, Action::MayReplace);
}

#[test]
fn a_chain_of_names_is_followed_to_its_end_in_any_order() {
    let (never, always) = (RequiresRecreation::Never, RequiresRecreation::Always);
    let entries = [
        modify("C", "C", Replacement::Conditional, &[hangs_on("B", "P", always.clone())]),
        modify("B", "B", Replacement::Conditional, &[hangs_on("A.Arn", "P", always)]),
        modify("A", "A", Replacement::False, &[own("P", never, "1", "2")]),
    ];
    let told: Vec<_> = changes(&entries).iter().map(|change| (change.action, change.only_follows)).collect();
    assert_eq!(told, [(Action::Modify, true), (Action::Modify, true), (Action::Modify, false)]);
}

#[test]
fn a_value_that_differs_is_a_change_whatever_it_names() {
    let (never, always) = (RequiresRecreation::Never, RequiresRecreation::Always);
    let mut source = hangs_on("Stream.Arn", "KinesisStreamSourceConfiguration", always);
    if let Some(target) = &mut source.target {
        target.after_value = Some("arn:2".to_owned());
    }
    let entries = [
        modify("Stream", STREAM, Replacement::False, &[own("ShardCount", never, "1", "2")]),
        modify("Delivery", DELIVERY, Replacement::Conditional, &[source]),
    ];
    let delivery = &changes(&entries)[1];
    assert_eq!((delivery.action, delivery.only_follows), (Action::MayReplace, false));
}

#[test]
fn a_property_with_two_causes_is_shown_once_with_the_cause_that_has_a_name() {
    let mut by_parameter = own("Code", RequiresRecreation::Never, "a", "b");
    by_parameter.change_source = Some(ChangeSource::ParameterReference);
    by_parameter.causing_entity = Some("ProcessorKey".to_owned());
    let mut besides = own("Code", RequiresRecreation::Never, "a", "b");
    besides.evaluation = Some(EvaluationType::Dynamic);
    let told = changes(&[modify("Processor", "F", Replacement::False, &[besides, by_parameter])]);
    let [property] = &told[0].properties[..] else { panic!() };
    assert_eq!((property.name.as_str(), property.cause.as_deref()), ("Code", Some("ProcessorKey")));
}

#[test]
fn a_change_in_place_that_cloudformation_is_not_sure_of_loses_nothing() {
    let sure = |name: &str| {
        let detail = own(name, RequiresRecreation::Conditionally, "1", "2");
        changes(&[modify("Stream", STREAM, Replacement::Conditional, &[detail])]).remove(0)
    };
    assert_eq!((sure("ShardCount").action, sure("ShardCount").loss), (Action::Modify, None));
    assert_eq!(sure("Name").action, Action::MayReplace);
    assert!(sure("Name").loss.is_some());
}

#[test]
fn a_bucket_that_is_taken_over_loses_nothing_and_a_retained_one_neither() {
    let adopted = changes(&[entry("Bucket", BUCKET, ChangeAction::Import, Replacement::False, &[])]);
    assert_eq!((adopted[0].action, &adopted[0].loss), (Action::Import, &None));
    let mut removed = entry("Bucket", BUCKET, ChangeAction::Remove, Replacement::False, &[]);
    assert!(changes(&[removed.clone()])[0].loss.is_some());
    if let Some(change) = &mut removed.resource_change {
        change.policy_action = Some(PolicyAction::Retain);
    }
    let kept = &changes(&[removed])[0];
    assert!(kept.retained && kept.loss.is_none());
}

#[test]
fn drift_that_is_undone_is_told_from_the_value_that_is_really_there() {
    let mut detail = own("RetentionPeriodHours", RequiresRecreation::Never, "24", "24");
    if let Some(target) = &mut detail.target {
        target.drift = Some(LiveResourceDrift::builder().previous_value("24").actual_value("168").build());
    }
    let told = &changes(&[modify("Stream", STREAM, Replacement::False, &[detail.clone()])])[0];
    assert_eq!((told.properties[0].before.as_deref(), told.properties[0].set_back), (Some("168"), true));
    assert!(told.loss.is_some(), "setting it back deletes what is older");
    if let Some(target) = &mut detail.target {
        target.attribute_change_type = Some(AttributeChangeType::SyncWithActual);
    }
    let kept =
        &changes(&[entry("Stream", STREAM, ChangeAction::SyncWithActual, Replacement::False, &[detail])])[0];
    assert_eq!((kept.action, kept.properties[0].set_back), (Action::Sync, false));
}

#[test]
fn an_action_that_cannot_be_foreseen_counts_as_the_worst() {
    let entries = [entry("Bucket", BUCKET, ChangeAction::Dynamic, Replacement::False, &[])];
    let told = &changes(&entries)[0];
    assert!(told.action == Action::Other && told.loss.is_some());
}

#[test]
fn tags_are_named_by_their_attribute() {
    let target = ResourceTargetDefinition::builder().attribute(ResourceAttribute::Tags).build();
    let detail = ResourceChangeDetail::builder().target(target).build();
    assert_eq!(
        changes(&[modify("Bucket", BUCKET, Replacement::False, &[detail])])[0].properties[0].name,
        "Tags"
    );
}
