//! What people see, on a terminal and in a pipe.

use super::*;
use crate::cli::{Color, Output};
use crate::error::Kind;
use crate::event::{DataFound, NextStep, Produced, Removed};
use crate::stack::plan::Operation;
use crate::stack::plan::{Action, Change, Plan, PropertyChange};
use crate::stack::status::StackStatus;
use indicatif::InMemoryTerm;
use std::sync::Arc;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn look(verbosity: Verbosity) -> Look {
    Look { verbosity, ..Look::new(Output::Text, Color::Never, false, false) }
}

/// What a pipe gets: stderr, then stdout.
fn in_a_pipe(verbosity: Verbosity, events: &[Event]) -> String {
    let (out, err) = (Buffer::default(), Buffer::default());
    let human = Human::on(&look(verbosity), Box::new(out.clone()), Screen::Plain(Box::new(err.clone())));
    events.iter().for_each(|event| human.tell(event));
    format!("{}--- stdout ---\n{}", err.text(), out.text())
}

/// What a terminal of 80 columns shows after these events.
fn on_a_terminal(events: &[Event]) -> String {
    let terminal = InMemoryTerm::new(40, 80);
    let live = Live::new(ProgressDrawTarget::term_like(Box::new(terminal.clone())), None);
    let human = Human::on(&look(Verbosity::Normal), Box::new(Buffer::default()), Screen::Live(live));
    events.iter().for_each(|event| human.tell(event));
    terminal.contents()
}

fn change(action: Action, logical_id: &str, resource_type: &str) -> Change {
    Change {
        action,
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        physical_id: None,
        properties: Vec::new(),
        loss: None,
    }
}

fn resource(logical_id: &str, resource_type: &str, status: &str, seconds: Option<f64>) -> Event {
    let progress = match status {
        _ if status.ends_with("FAILED") || status == "ROLLBACK_COMPLETE" => Progress::Failed,
        _ if status.ends_with("COMPLETE") => Progress::Complete,
        _ => Progress::Working,
    };
    Event::Resource(ResourceEvent {
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        status: status.to_owned(),
        progress,
        reason: (progress == Progress::Failed).then(|| "Firehose is unable to assume role".to_owned()),
        seconds,
    })
}

const STACK: &str = "kinesis-stack-dev";

fn up() -> Vec<Event> {
    let plan = Plan {
        operation: Operation::Create,
        stack: STACK.to_owned(),
        changes: vec![
            change(Action::Add, "Stream", "AWS::Kinesis::Stream"),
            change(Action::Add, "Delivery", "AWS::KinesisFirehose::DeliveryStream"),
        ],
        loses_data: false,
    };
    let next = NextStep { command: "kinesis-stack down".to_owned(), does: "tear it down".to_owned() };
    let (stack, delivery) = ("AWS::CloudFormation::Stack", "AWS::KinesisFirehose::DeliveryStream");
    vec![
        Event::ProcessorBuilding { architecture: "x86_64".to_owned() },
        Event::ProcessorReady {
            sha256: "60b0843ec608867069da".to_owned(),
            bytes: 1_090_000,
            built: true,
            seconds: 51.0,
        },
        Event::Plan(plan),
        Event::ArtifactBucketCreated { bucket: "kinesis-stack-artifacts-123456789012-us-east-1".to_owned() },
        Event::ArtifactReady {
            bucket: "kinesis-stack-artifacts-123456789012-us-east-1".to_owned(),
            key: "k".to_owned(),
            uploaded: true,
        },
        Event::OperationStarted {
            operation: Operation::Create,
            stack: STACK.to_owned(),
            stack_id: "arn:1".to_owned(),
        },
        resource(STACK, stack, "CREATE_IN_PROGRESS", None),
        resource("Stream", "AWS::Kinesis::Stream", "CREATE_IN_PROGRESS", None),
        resource("Stream", "AWS::Kinesis::Stream", "CREATE_COMPLETE", Some(31.2)),
        Event::PollFailed {
            reason: "cannot read the stack's events: Throttling: Rate exceeded".to_owned(),
            retry_seconds: 2.0,
        },
        resource("Delivery", delivery, "CREATE_IN_PROGRESS", None),
        resource("Delivery", delivery, "CREATE_COMPLETE", Some(84.0)),
        resource(STACK, stack, "CREATE_COMPLETE", Some(118.4)),
        Event::Done(Box::new(Done {
            command: "up".to_owned(),
            changed: Some(true),
            stack: Some(STACK.to_owned()),
            outputs: Some([("StreamName".to_owned(), STACK.to_owned())].into()),
            seconds: Some(125.0),
            next: vec![next],
            ..Done::default()
        })),
    ]
}

fn down() -> Vec<Event> {
    let removed = Removed {
        logical_id: "Bucket".to_owned(),
        resource_type: "AWS::S3::Bucket".to_owned(),
        physical_id: "kinesis-stack-123456789012-dev-us-east-1".to_owned(),
    };
    let bucket = removed.physical_id.clone();
    vec![
        Event::Removal {
            stack: STACK.to_owned(),
            resources: vec![removed],
            bucket: Some(bucket.clone()),
            data: Some(DataFound {
                objects: 100,
                bytes: 11_892,
                newest: Some("2026-11-24T18:10:00Z".to_owned()),
                complete: true,
            }),
        },
        Event::Emptying { bucket: bucket.clone(), versions: 50, bytes: 5_000 },
        Event::Emptied { bucket: bucket.clone(), versions: 100, bytes: 11_892, seconds: 0.4 },
        Event::OperationStarted {
            operation: Operation::Delete,
            stack: STACK.to_owned(),
            stack_id: "arn:1".to_owned(),
        },
        resource("Bucket", "AWS::S3::Bucket", "DELETE_IN_PROGRESS", None),
        Event::EmptyingAgain { bucket, attempt: 2 },
        resource("Bucket", "AWS::S3::Bucket", "DELETE_COMPLETE", Some(1.0)),
        Event::Checked { service: "bucket".to_owned(), name: "b".to_owned(), left: false },
        Event::Done(Box::new(Done {
            command: "down".to_owned(),
            changed: Some(true),
            stack: Some(STACK.to_owned()),
            checked: Some(vec!["bucket b".to_owned()]),
            seconds: Some(75.0),
            ..Done::default()
        })),
    ]
}

#[test]
fn up_in_a_pipe_is_plain_lines_with_the_outputs_alone_on_stdout() {
    insta::assert_snapshot!(in_a_pipe(Verbosity::Normal, &up()));
}

#[test]
fn up_on_a_terminal_shows_what_is_worked_on_as_moving_lines() {
    let events = up();
    insta::assert_snapshot!("up_on_a_terminal_half_way", on_a_terminal(&events[..11]));
    insta::assert_snapshot!("up_on_a_terminal_at_the_end", on_a_terminal(&events));
}

#[test]
fn down_in_a_pipe_and_on_a_terminal() {
    insta::assert_snapshot!("down_in_a_pipe", in_a_pipe(Verbosity::Normal, &down()));
    insta::assert_snapshot!("down_on_a_terminal_half_way", on_a_terminal(&down()[..2]));
    insta::assert_snapshot!("down_on_a_terminal_at_the_end", on_a_terminal(&down()));
}

#[test]
fn quiet_leaves_only_data() {
    assert_eq!(in_a_pipe(Verbosity::Quiet, &up()), "--- stdout ---\nStreamName  kinesis-stack-dev\n");
    assert_eq!(in_a_pipe(Verbosity::Quiet, &down()), "--- stdout ---\n");
}

#[test]
fn a_failed_creation_shows_the_reason_where_it_happened() {
    let events = [
        resource("Delivery", "AWS::KinesisFirehose::DeliveryStream", "CREATE_IN_PROGRESS", None),
        resource("Delivery", "AWS::KinesisFirehose::DeliveryStream", "CREATE_FAILED", Some(12.0)),
        resource(STACK, "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", Some(60.0)),
    ];
    insta::assert_snapshot!(in_a_pipe(Verbosity::Normal, &events));
}

#[test]
fn a_plan_shows_what_is_replaced_and_what_is_lost() {
    let property = |name: &str, before: &str, after: &str| PropertyChange {
        name: name.to_owned(),
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
        replaces: false,
    };
    let plan = Plan {
        operation: Operation::Update,
        stack: STACK.to_owned(),
        changes: vec![
            Change {
                properties: vec![property("RetentionPeriodHours", "48", "24")],
                loss: Some("records older than the new retention are deleted"),
                ..change(Action::Modify, "Stream", "AWS::Kinesis::Stream")
            },
            Change {
                properties: vec![property("BucketName", "a", "b")],
                loss: Some("the bucket's rows are deleted"),
                ..change(Action::Replace, "Bucket", "AWS::S3::Bucket")
            },
            change(Action::Remove, "DeliveryLogStream", "AWS::Logs::LogStream"),
        ],
        loses_data: true,
    };
    insta::assert_snapshot!(words::plan(&plan, Paint(false)));
}

#[test]
fn calls_are_shown_only_when_asked_for() {
    let call = Event::Call {
        service: "S3".to_owned(),
        operation: "HeadObject".to_owned(),
        attempt: 2,
        outcome: "503".to_owned(),
        milliseconds: 12,
    };
    assert_eq!(in_a_pipe(Verbosity::Normal, std::slice::from_ref(&call)), "--- stdout ---\n");
    assert_eq!(
        in_a_pipe(Verbosity::Verbose, &[call]),
        "  S3 HeadObject: 503, 12 ms (attempt 2)\n--- stdout ---\n"
    );
}

#[test]
fn the_producers_sum_says_what_became_of_each_record() {
    let produced = Produced { sent: 1_000, resent: 37, lost: 2, bytes: 93_000, seconds: 12.5 };
    let done = Done { command: "produce".to_owned(), produced: Some(produced), ..Done::default() };
    assert_eq!(
        in_a_pipe(Verbosity::Normal, &[Event::Done(Box::new(done))]),
        "✓ 1000 records sent (90.82 KiB) in 12.5s, 80/s, 37 refused and sent again, 2 lost\n--- stdout ---\n"
    );
}

#[test]
fn other_states_of_a_stack_are_explained_in_passing() {
    let events = [
        Event::OperationInProgress {
            stack: STACK.to_owned(),
            status: StackStatus::parse("UPDATE_IN_PROGRESS"),
        },
        Event::Clearing { stack: STACK.to_owned(), status: StackStatus::parse("ROLLBACK_COMPLETE") },
        Event::Unchanged { stack: STACK.to_owned() },
    ];
    insta::assert_snapshot!(in_a_pipe(Verbosity::Normal, &events));
}

#[test]
fn every_kind_of_failure_says_what_why_and_what_next() {
    let kinds = [
        Kind::Failed,
        Kind::BadInput,
        Kind::Credentials,
        Kind::DeploymentFailed,
        Kind::Refused,
        Kind::NoSuchEnvironment,
        Kind::TimedOut,
        Kind::Leftovers,
        Kind::Interrupted,
        Kind::Terminated,
    ];
    for kind in kinds {
        let error = Error::new(kind, "it did not work").because("first line\nsecond line").remedy("Do this.");
        assert_eq!(
            failure::render(&error, Paint(false)),
            "error: it did not work\n  cause: first line\n         second line\n\n  → Do this.\n"
        );
    }
}
