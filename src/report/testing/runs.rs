//! Whole runs, as engines tell them.

use super::samples::{diagnosis, path};
use super::{STACK, refused, resource};
use crate::error::{Error, Kind};
use crate::event::{DataFound, Done, Event, NextStep, Recovery, Removed, WaitingFor};
use crate::stack::plan::testing::{change, plan, property};
use crate::stack::plan::{Action, Change, Operation, Plan};
use crate::stack::status::StackStatus;

/// All that an engine told.
pub struct Run {
    pub events: Vec<Event>,
    /// So many of them were told half way.
    pub half: usize,
    /// What it ended with, where it failed.
    pub failure: Option<Error>,
}

const DELIVERY: &str = "AWS::KinesisFirehose::DeliveryStream";

fn started(operation: Operation) -> Event {
    Event::OperationStarted { operation, stack: STACK.to_owned(), stack_id: "arn:1".to_owned() }
}

fn creation() -> Plan {
    let changes = vec![
        change(Action::Add, "Stream", "AWS::Kinesis::Stream"),
        change(Action::Add, "Bucket", "AWS::S3::Bucket"),
        change(Action::Add, "DeliveryRole", "AWS::IAM::Role"),
        change(Action::Add, "Delivery", DELIVERY),
    ];
    Plan { operation: Operation::Create, stack_id: None, ..plan(changes) }
}

fn up(changed: bool, seconds: f64) -> Event {
    let next = NextStep { command: "kinesis-stack down".to_owned(), does: "tear it down".to_owned() };
    Event::Done(Box::new(Done {
        command: "up".to_owned(),
        changed: Some(changed),
        stack: Some(STACK.to_owned()),
        stack_id: Some("arn:1".to_owned()),
        outputs: Some([("StreamName".to_owned(), STACK.to_owned())].into()),
        seconds: Some(seconds),
        next: vec![next],
        ..Done::default()
    }))
}

/// From nothing.
pub fn created() -> Run {
    let bucket = "kinesis-stack-artifacts-123456789012-us-east-1".to_owned();
    let waiting = WaitingFor {
        logical_id: "Delivery".to_owned(),
        resource_type: DELIVERY.to_owned(),
        seconds: 42.0,
        usual: None,
    };
    let mut events = vec![
        Event::ProcessorBuilding { architecture: "x86_64".to_owned() },
        Event::ProcessorReady {
            sha256: "60b0843ec608867069da".to_owned(),
            bytes: 1_090_000,
            built: true,
            seconds: 51.0,
        },
        Event::Plan(Box::new(creation())),
        Event::ArtifactBucketCreated { bucket: bucket.clone() },
        Event::ArtifactReady { bucket, key: "k".to_owned(), uploaded: true },
        started(Operation::Create),
    ];
    events.extend(begun());
    let half = events.len();
    events.extend([
        resource("Bucket", "CREATE_COMPLETE", Some(19.0)),
        resource("Delivery", "CREATE_IN_PROGRESS", None),
        Event::Waiting { resources: vec![waiting] },
        resource("Delivery", "CREATE_COMPLETE", Some(84.0)),
        resource(STACK, "CREATE_COMPLETE", Some(118.4)),
        Event::CriticalPath { steps: path(), seconds: 118.4 },
        up(true, 125.0),
    ]);
    Run { events, half, failure: None }
}

/// A creation up to where its slowest resource can begin.
fn begun() -> Vec<Event> {
    vec![
        resource(STACK, "CREATE_IN_PROGRESS", None),
        resource("Stream", "CREATE_IN_PROGRESS", None),
        resource("DeliveryRole", "CREATE_IN_PROGRESS", None),
        resource("Bucket", "CREATE_IN_PROGRESS", None),
        resource("DeliveryRole", "CREATE_COMPLETE", Some(17.1)),
        resource("Stream", "CREATE_COMPLETE", Some(31.2)),
        Event::PollFailed {
            reason: "cannot read the stack's events: Throttling: Rate exceeded".to_owned(),
            retry_seconds: 2.0,
        },
    ]
}

/// An update that replaces the bucket: the new one is made, then the old one deleted.
pub fn replaced() -> Run {
    let changes = vec![
        Change {
            properties: vec![property("BucketName", "a", "b")],
            replaced_by: vec!["BucketName".to_owned()],
            loss: Some("the bucket's rows are deleted".to_owned()),
            ..change(Action::Replace, "Bucket", "AWS::S3::Bucket")
        },
        Change {
            properties: vec![property("BufferingHints.IntervalInSeconds", "60", "300")],
            ..change(Action::Modify, "Delivery", DELIVERY)
        },
    ];
    let events = vec![
        Event::Plan(Box::new(plan(changes))),
        started(Operation::Update),
        resource(STACK, "UPDATE_IN_PROGRESS", None),
        resource("Bucket", "UPDATE_IN_PROGRESS", None),
        resource("Bucket", "UPDATE_COMPLETE", Some(18.0)),
        resource("Delivery", "UPDATE_IN_PROGRESS", None),
        resource("Delivery", "UPDATE_COMPLETE", Some(33.0)),
        resource(STACK, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None),
        resource("Bucket", "DELETE_IN_PROGRESS", None),
        resource("Bucket", "DELETE_COMPLETE", Some(2.0)),
        resource(STACK, "UPDATE_COMPLETE", Some(60.0)),
        Event::CriticalPath { steps: path(), seconds: 60.0 },
        up(true, 66.0),
    ];
    Run { events, half: 9, failure: None }
}

/// A creation whose delivery stream is refused, and which is rolled back.
pub fn failed() -> Run {
    let diagnosis = diagnosis();
    let mut events = vec![Event::Plan(Box::new(creation())), started(Operation::Create)];
    events.extend(begun());
    events.extend([
        resource("Delivery", "CREATE_IN_PROGRESS", None),
        refused("Delivery", "CREATE_FAILED", 12.0, &diagnosis.sentence),
        resource(STACK, "ROLLBACK_IN_PROGRESS", None),
        resource("Stream", "DELETE_IN_PROGRESS", None),
        resource("Stream", "DELETE_COMPLETE", Some(31.0)),
        resource(STACK, "ROLLBACK_COMPLETE", Some(90.0)),
        Event::Diagnosed(diagnosis.clone()),
    ]);
    let cause =
        format!("{}.RoleARN ({}): {}", diagnosis.logical_id, diagnosis.resource_type, diagnosis.sentence);
    let error =
        Error::new(Kind::DeploymentFailed, format!("{STACK} could not be created: it is ROLLBACK_COMPLETE"))
            .because(cause)
            .meaning(&diagnosis.meaning)
            .remedy("Mend the cause, then run `kinesis-stack up` again: it clears the failed stack first.");
    Run { half: events.len() - 3, events, failure: Some(error) }
}

/// A stack that failed at its creation is deleted, and created anew; the first attempt fails and passes by itself.
pub fn recovered() -> Run {
    let recovering = Event::Recovering {
        stack: STACK.to_owned(),
        status: StackStatus::parse("ROLLBACK_COMPLETE"),
        by: Recovery::Delete,
        skipping: Vec::new(),
    };
    let mut events = vec![
        recovering,
        started(Operation::Delete),
        resource(STACK, "DELETE_IN_PROGRESS", None),
        resource(STACK, "DELETE_COMPLETE", Some(3.0)),
    ];
    events.extend(failed().events.into_iter().filter(|event| !matches!(event, Event::Diagnosed(_))));
    events.push(Event::Retrying { because: "Delivery: Firehose is unable to assume role.".to_owned() });
    events.push(started(Operation::Create));
    let half = events.len() + 3;
    events.extend(begun());
    events.extend([
        resource("Bucket", "CREATE_COMPLETE", Some(19.0)),
        resource("Delivery", "CREATE_IN_PROGRESS", None),
        resource("Delivery", "CREATE_COMPLETE", Some(84.0)),
        resource(STACK, "CREATE_COMPLETE", Some(118.4)),
        up(true, 240.0),
    ]);
    Run { events, half, failure: None }
}

/// A creation that somebody stops.
pub fn cancelled() -> Run {
    let mut events = vec![Event::Plan(Box::new(creation())), started(Operation::Create)];
    events.extend(begun());
    events.extend([
        Event::Cancelling { operation: Operation::Create, stack: STACK.to_owned() },
        started(Operation::Delete),
        resource(STACK, "DELETE_IN_PROGRESS", None),
        resource("Stream", "DELETE_IN_PROGRESS", None),
        resource("Stream", "DELETE_COMPLETE", Some(31.0)),
        resource("Bucket", "DELETE_COMPLETE", Some(2.0)),
        resource(STACK, "DELETE_COMPLETE", Some(35.0)),
    ]);
    let error = Error::new(Kind::Interrupted, format!("stopped: {STACK} is gone again"));
    Run { half: events.len() - 3, events, failure: Some(error) }
}

/// All of it is taken down.
pub fn down() -> Run {
    let removed = |logical_id: &str, resource_type: &str, physical_id: &str| Removed {
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        physical_id: physical_id.to_owned(),
    };
    let bucket = "kinesis-stack-123456789012-abcdefghijklmnopqrst-ap-southeast-1".to_owned();
    let events = vec![
        Event::Removal {
            stack: STACK.to_owned(),
            resources: vec![
                removed("Bucket", "AWS::S3::Bucket", &bucket),
                removed("Delivery", DELIVERY, STACK),
                removed(
                    "ProcessorRole",
                    "AWS::IAM::Role",
                    "arn:aws:iam::123456789012:role/kinesis-stack-dev-processor",
                ),
            ],
            bucket: Some(bucket.clone()),
            data: Some(DataFound {
                objects: 100,
                bytes: 11_892,
                newest: Some("2026-11-24T18:10:00Z".to_owned()),
                complete: true,
            }),
        },
        Event::Emptying {
            bucket: bucket.clone(),
            versions: 50,
            bytes: 5_000,
            total: Some(100),
            seconds: Some(0.5),
            versions_per_second: Some(100.0),
            seconds_left: Some(0.5),
        },
        Event::Emptied { bucket: bucket.clone(), versions: 100, bytes: 11_892, seconds: 0.4 },
        started(Operation::Delete),
        resource("Bucket", "DELETE_IN_PROGRESS", None),
        Event::EmptyingAgain { bucket, attempt: 2 },
        resource("Bucket", "DELETE_COMPLETE", Some(1.0)),
        Event::Checked { service: "bucket".to_owned(), name: "b".to_owned(), left: false },
        Event::Done(Box::new(Done {
            command: "down".to_owned(),
            changed: Some(true),
            stack: Some(STACK.to_owned()),
            checked: Some(vec!["bucket b".to_owned()]),
            seconds: Some(75.0),
            ..Done::default()
        })),
    ];
    Run { events, half: 2, failure: None }
}
