//! What people see of a plan.

use super::*;
use crate::stack::plan::testing::{change, plan as update, property};
use crate::template::tests::shape;
use crate::template::{PARAMETER_KEY, Shape};

const STREAM: &str = "AWS::Kinesis::Stream";
const BUCKET: &str = "AWS::S3::Bucket";
const DELIVERY: &str = "AWS::KinesisFirehose::DeliveryStream";
const FUNCTION: &str = "AWS::Lambda::Function";

fn page(width: usize) -> Page {
    Page { paint: Paint(false), width: Some(width) }
}

/// The same plan on a narrow page, on a wide one, and without an edge.
fn shown(shown: &Plan) -> String {
    for width in [80, 140] {
        let coloured = Page { paint: Paint(true), ..page(width) };
        for line in plan(shown, coloured).lines() {
            assert!(console::measure_text_width(line) <= width, "{line}");
        }
        let plain = plan(shown, page(width));
        assert_eq!(
            console::strip_ansi_codes(&plan(shown, coloured)),
            plain,
            "without colour it says the same"
        );
    }
    format!(
        "{}--- 140 columns ---\n{}--- no edge ---\n{}",
        plan(shown, page(80)),
        plan(shown, page(140)),
        plan(shown, Page::endless(Paint(false)))
    )
}

fn priced(mut plan: Plan, shape: &Shape) -> Plan {
    plan.cost = Cost::new(shape, plan.operation == Operation::Create, &plan.changes);
    plan
}

fn with(change: Change, properties: Vec<PropertyChange>) -> Change {
    Change { properties, ..change }
}

fn create() -> Plan {
    let names = [("Bucket", BUCKET), ("Delivery", DELIVERY), ("Processor", FUNCTION), ("Stream", STREAM)];
    let changes = names.map(|(name, kind)| change(Action::Add, name, kind));
    priced(Plan { operation: Operation::Create, ..update(changes.into()) }, &shape())
}

#[test]
fn a_creation_lists_what_is_added_and_says_what_it_costs() {
    insta::assert_snapshot!(shown(&create()));
    let local = Plan { account: LOCAL_ACCOUNT.to_owned(), ..create() };
    assert!(!plan(&local, page(80)).contains('$'), "the local cloud costs nothing");
    let kept = priced(create(), &Shape { stream_retention_hours: 720, ..shape() });
    insta::assert_snapshot!(
        "a_creation_that_keeps_records_for_a_month",
        footer(&kept, Paint(false)).join("\n")
    );
}

#[test]
fn an_update_in_place_shows_each_property_before_and_after() {
    let hints = |seconds: u32| {
        format!(r#"{{"BufferingHints":{{"IntervalInSeconds":{seconds},"SizeInMBs":5}},"Prefix":"rows/"}}"#)
    };
    let description = "Transforms what the delivery stream read, a batch at a time. ".repeat(3);
    let changes = vec![
        with(change(Action::Modify, "Stream", STREAM), vec![property("ShardCount", "1", "2")]),
        with(
            change(Action::Modify, "Delivery", DELIVERY),
            vec![property("ExtendedS3DestinationConfiguration", &hints(60), &hints(0))],
        ),
        with(
            change(Action::Modify, "Processor", FUNCTION),
            vec![
                property("Description", "old", &description),
                PropertyChange { before: None, ..property("MemorySize", "", "512") },
                PropertyChange { after: None, ..property("Timeout", "180", "") },
            ],
        ),
        Change { only_follows: true, ..change(Action::Modify, "DeliveryRole", "AWS::IAM::Role") },
    ];
    insta::assert_snapshot!(shown(&priced(update(changes), &Shape { shards: 2, ..shape() })));
}

#[test]
fn a_replacement_says_why_and_what_is_lost() {
    let name = PropertyChange { replaces: true, ..property("Name", "kinesis-stack-dev", "another") };
    let source = PropertyChange {
        before: None,
        after: None,
        replaces: true,
        cause: Some("Stream.Arn".to_owned()),
        ..property("KinesisStreamSourceConfiguration", "", "")
    };
    let changes = vec![
        Change {
            loss: Some("records that are not delivered yet are deleted".to_owned()),
            drops: Some("what is sent until the new stream is there is refused".to_owned()),
            ..with(change(Action::Replace, "Stream", STREAM), vec![name])
        },
        Change {
            drops: Some("what is sent until the new one reads is never delivered".to_owned()),
            ..with(change(Action::MayReplace, "Delivery", DELIVERY), vec![source])
        },
    ];
    let replaced = priced(update(changes), &shape());
    insta::assert_snapshot!(shown(&replaced));
    insta::assert_snapshot!(
        "a_replacement_in_colour",
        plan(&replaced, Page { paint: Paint(true), ..page(80) })
    );
}

#[test]
fn a_lowered_retention_loses_data_and_costs_less() {
    let stream =
        with(change(Action::Modify, "Stream", STREAM), vec![property("RetentionPeriodHours", "48", "24")]);
    let loss = Some("records older than the new retention, if it is shorter, are deleted".to_owned());
    insta::assert_snapshot!(shown(&priced(update(vec![Change { loss, ..stream }]), &shape())));
}

#[test]
fn code_alone_says_so_and_hashes_are_short() {
    let key = |digit: &str| format!("processor/{}.zip", digit.repeat(64));
    let cause = Some(PARAMETER_KEY.to_owned());
    let code = PropertyChange { cause, ..property("Code.S3Key", &key("a"), &key("b")) };
    let code = update(vec![with(change(Action::Modify, "Processor", FUNCTION), vec![code])]);
    insta::assert_snapshot!(shown(&priced(Plan { code_only: true, ..code }, &shape())));
}

#[test]
fn removal_import_and_tags_are_told_apart() {
    let tags = |name: &str| {
        let tag = property("Tags.1.Value", "0.1.0", "0.2.0");
        with(change(Action::Modify, name, STREAM), vec![tag])
    };
    let drops = Some("whatever is sent from now on is never delivered".to_owned());
    let changes = vec![
        Change { drops, ..change(Action::Remove, "Delivery", DELIVERY) },
        Change { retained: true, ..change(Action::Remove, "OldBucket", BUCKET) },
        change(Action::Import, "Bucket", BUCKET),
        tags("Stream"),
        tags("Processor"),
        tags("ProcessorRole"),
        tags("ProcessorLogGroup"),
        tags("DeliveryRole"),
    ];
    insta::assert_snapshot!(shown(&update(changes)));
}

#[test]
fn that_an_environment_ends_later_is_one_thing_to_know_on_however_many_resources() {
    let (before, after) = ("2026-11-24T16:00:00Z", "2026-11-24T20:00:00Z");
    let tags = |moment: &str| format!(r#"[{{"Key":"kinesis-stack:expires","Value":"{moment}"}}]"#);
    let silent = PropertyChange { before: None, after: None, ..property("Tags", "", "") };
    let ways =
        [property("Tags", &tags(before), &tags(after)), property("Tags.3.Value", before, after), silent];
    for way in ways {
        let resource = |name: &str| with(change(Action::Modify, name, STREAM), vec![way.clone()]);
        let plan_of = |changes| Plan {
            expires_before: Some(before.to_owned()),
            expires: Some(after.to_owned()),
            ..update(changes)
        };
        let all: Vec<Change> = ["Stream", "Bucket", "Processor", "Delivery"].map(resource).into();
        let told = plan(&plan_of(all.clone()), page(100));
        let line = "expires: 2026-11-24 16:00 UTC → 2026-11-24 20:00 UTC";
        assert_eq!(told, format!("kinesis-stack-dev will be changed: {line}\n"));
        // Beside something else it stays a line of its own.
        let shards = property("ShardCount", "1", "2");
        let more = with(change(Action::Modify, "Stream", STREAM), vec![shards]);
        let told = plan(&plan_of(all.into_iter().skip(1).chain([more]).collect()), page(100));
        assert!(told.contains("ShardCount: 1 → 2") && told.contains("  Expires: 2026-11-24 16:00"), "{told}");
        assert!(!told.contains("kinesis-stack:expires"), "{told}");
    }
    let never = Plan { expires_before: Some(before.to_owned()), ..update(vec![]) };
    let never = Plan { changes: vec![with(change(Action::Modify, "Stream", STREAM), vec![])], ..never };
    assert!(plan(&Plan { changed: true, ..never }, page(100)).contains("16:00 UTC → never"));
    let creation = Plan { expires: Some(after.to_owned()), ..create() };
    assert!(plan(&creation, page(100)).contains("  Expires: 2026-11-24 20:00 UTC\n"));
}

#[test]
fn of_values_that_nobody_told_only_the_name_is_told() {
    let silent = |name: &str| PropertyChange { before: None, after: None, ..property(name, "", "") };
    let tagged = with(change(Action::Modify, "Stream", STREAM), vec![silent("Tags")]);
    let told = plan(&update(vec![tagged.clone()]), page(80));
    assert_eq!(told, "kinesis-stack-dev will be changed: 1 changed\n  ~  only tags of Stream\n");
    let both = Change { properties: vec![silent("Tags"), property("Name", "", "")], ..tagged };
    let told = plan(&update(vec![both]), page(80));
    assert!(told.ends_with("\n      Tags\n      Name\n"), "{told}");
}

#[test]
fn what_is_set_back_says_so() {
    let drifted = PropertyChange { set_back: true, ..property("RetentionPeriodHours", "168", "24") };
    let changes = vec![
        with(change(Action::Modify, "Stream", STREAM), vec![drifted]),
        Change { was_deleted: true, ..change(Action::Add, "DeliveryLogStream", "AWS::Logs::LogStream") },
        change(Action::Sync, "Bucket", BUCKET),
    ];
    insta::assert_snapshot!(shown(&update(changes)));
}

#[test]
fn nothing_is_said_to_be_nothing_and_outputs_alone_to_be_no_resource() {
    assert_eq!(plan(&update(Vec::new()), page(80)), "kinesis-stack-dev: no changes\n");
    let outputs = Plan { changed: true, ..update(Vec::new()) };
    assert_eq!(plan(&outputs, page(80)), "kinesis-stack-dev will be changed, but none of its resources\n");
}

#[test]
fn how_it_is_deployed_is_said_where_it_was_chosen() {
    let mut chosen = create();
    chosen.means.protection = Some(true);
    chosen.means.role_arn = Some("arn:aws:iam::123456789012:role/deploy".to_owned());
    let told = footer(&chosen, Paint(false));
    assert_eq!(told[0], "Afterwards it is protected.");
    assert!(told[1].ends_with("role/deploy."), "{told:?}");
}

#[test]
fn many_leaves_are_counted_instead_of_told() {
    let object = |n: usize| {
        let fields: Vec<String> = (0..20).map(|field| format!(r#""F{field}":{n}"#)).collect();
        format!("{{{}}}", fields.join(","))
    };
    let policy = with(
        change(Action::Modify, "Role", "AWS::IAM::Role"),
        vec![property("Policies", &object(1), &object(2))],
    );
    let told = plan(&update(vec![policy]), page(80));
    assert!(told.contains("… and 14 more in Policies"), "{told}");
}
