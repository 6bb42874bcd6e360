//! One sample of each event, all that can be left out being there once and left out once.

use super::{Known, RESOURCES, STACK, created, refused, resource};
use crate::data::smoke::{Leg, testing::told};
use crate::data::{Side, Statistics};
use crate::error::{Error, Kind};
use crate::event::{
    ColumnSum, Consumed, DataFound, Done, Due, Event, Exported, FailedRecords, FailuresRead, NextStep,
    PathStep, Percentiles, Produced, Reckoning, Recovery, Removed, RowsRead, Usual, WaitingFor,
};
use crate::stack::diagnose::Diagnosis;
use crate::stack::plan::testing::{change, plan, property};
use crate::stack::plan::{Action, Change, Operation};
use crate::stack::status::StackStatus;

fn text(text: &str) -> String {
    text.to_owned()
}

/// At least one of each.
pub fn samples() -> Vec<Event> {
    let replaced = Change {
        physical_id: Some(text("kinesis-stack-dev")),
        properties: vec![property("Name", "a", "b")],
        replaced_by: vec![text("Name")],
        loss: Some(text("records that are not delivered yet are deleted")),
        ..change(Action::Replace, "Stream", "AWS::Kinesis::Stream")
    };
    let mut events = vec![
        Event::Command { line: text("kinesis-stack up") },
        Event::DemoEnded { command: text("kinesis-stack down") },
        Event::LocalInstalling { version: text("1.5.33") },
        Event::LocalStarting { version: text("1.5.33") },
        Event::LocalReady { endpoint: text("http://127.0.0.1:1"), pid: 7, started: true },
        Event::LocalStopped,
        Event::Plan(Box::new(plan(vec![]))),
        Event::Plan(Box::new(plan(vec![replaced, change(Action::MayReplace, "Bucket", "AWS::S3::Bucket")]))),
        Event::Unchanged { stack: text(STACK) },
        Event::OperationInProgress { stack: text(STACK), status: StackStatus::parse("UPDATE_IN_PROGRESS") },
        Event::ArtifactBucketCreated { bucket: text("artifacts") },
        refused("Stream", "CREATE_FAILED", 1.5, "no"),
        resource(STACK, "CREATE_IN_PROGRESS", None),
        Event::PollFailed { reason: text("Throttling"), retry_seconds: 2.0 },
        Event::CredentialsRenewed,
        Event::Slept { seconds: 3_600.0 },
    ];
    events.extend(engine());
    events.extend(fleet());
    events.extend(data());
    events.extend(created().events);
    events.extend(smoke());
    events
}

fn sum() -> ColumnSum {
    ColumnSum { column: text("price"), count: 2, sum: 3.0, mean: 1.5, least: 1.0, most: 2.0 }
}

fn failed(meaning: Option<&str>) -> FailedRecords {
    let remedy = meaning.map(|_| text("Mend it."));
    FailedRecords { code: text("Lambda.FunctionError"), records: 3, meaning: meaning.map(text), remedy }
}

fn smoke() -> Vec<Event> {
    let runs = [None, Some(Leg::Stream), Some(Leg::Delivery), Some(Leg::Bucket)].map(|broken| told(broken).0);
    let status = text("CREATING");
    let more = [
        Event::SmokeNotReady { leg: Leg::Delivery, name: text(STACK), status },
        Event::SmokeWaiting { landed: 0, wanted: 3, seconds: 12.0, due_seconds: 150.0 },
    ];
    runs.into_iter().flatten().chain(more).collect()
}

fn emptying(total: Option<u64>, seconds: Option<f64>) -> Event {
    let (versions_per_second, seconds_left) = (seconds.map(|_| 2_000.0), seconds.map(|_| 3.5));
    Event::Emptying {
        bucket: text("b"),
        versions: 1,
        bytes: 2,
        total,
        seconds,
        versions_per_second,
        seconds_left,
    }
}

fn engine() -> Vec<Event> {
    let waiting = |(name, resource_type, usual): &Known| WaitingFor {
        logical_id: text(name),
        resource_type: text(resource_type),
        seconds: 12.0,
        usual: usual.map(|(least, most)| Usual { least, most }),
    };
    vec![
        Event::Waiting { resources: RESOURCES.iter().map(waiting).collect() },
        Event::CriticalPath { steps: path(), seconds: 118.4 },
        Event::Diagnosed(diagnosis()),
        Event::Recovering {
            stack: text(STACK),
            status: StackStatus::parse("UPDATE_ROLLBACK_FAILED"),
            by: Recovery::ContinueRollback,
            skipping: vec![text("Delivery")],
        },
        Event::Retrying { because: text("Delivery: Rate exceeded.") },
        Event::Cancelling { operation: Operation::Create, stack: text(STACK) },
        Event::Withdrawing { stack: text(STACK) },
        Event::Protected { stack: text(STACK), protected: true },
        Event::CodeUpdated { function: text("f"), sha256: text("60b0843ec608867069da"), seconds: 1.2 },
        Event::LegReady { leg: text("data stream"), name: text(STACK), seconds: 3.0 },
    ]
}

fn fleet() -> Vec<Event> {
    let (env, region, expires) = (text("pr-42"), text("eu-central-1"), text("2026-11-24T16:00:00Z"));
    let due = |owner| Due { env: env.clone(), region: region.clone(), expires: expires.clone(), owner };
    let error = || Error::new(Kind::Leftovers, "something is left").because("the bucket").remedy("Look.");
    vec![
        Event::MarksYielded { stack: text(STACK), marks: vec![text("`ephemeral`"), text("`ttl`")] },
        Event::Expired { stack: text(STACK), expires: expires.clone() },
        Event::Extended { stack: text(STACK), before: Some(expires.clone()), expires: None },
        Event::Extended { stack: text(STACK), before: None, expires: Some(expires.clone()) },
        Event::RegionUnread { region: text("us-west-2"), error: error() },
        Event::Due { environments: vec![due(None), due(Some(text("arn:aws:iam::123456789012:user/ada")))] },
        Event::Reaping { env: env.clone(), region: region.clone(), expires: expires.clone() },
        Event::Reaped { env: env.clone(), region: region.clone(), seconds: 61.0 },
        Event::NotReaped { env: env.clone(), region: region.clone(), error: error() },
        Event::LeftAlone { env: env.clone(), region: region.clone(), because: text("it was extended") },
        Event::BucketKept { env: env.clone(), region: region.clone(), bucket: text("b") },
        Event::Retagging { stack: text(STACK) },
    ]
}

fn consumed() -> Consumed {
    Consumed { records: 120, bytes: 11_160, shards: 4, behind_milliseconds: Some(61_000), seconds: 12.5 }
}

fn statistics() -> Statistics {
    let side = |trades, popular: &str| Side {
        trades,
        quantity: 5_000.0,
        value: 250_000.0,
        popular: Some(text(popular)),
        tickers: [(text(popular), trades)].into(),
    };
    Statistics { records: 6, trades: 5, others: 1, buys: side(3, "AAPL"), sells: side(2, "KO") }
}

fn data() -> Vec<Event> {
    let removed = Removed {
        logical_id: text("Bucket"),
        resource_type: text("AWS::S3::Bucket"),
        physical_id: text("b"),
    };
    let produced = Produced {
        sent: 1_000,
        resent: 37,
        lost: 2,
        bytes: 93_000,
        seconds: 12.5,
        records_per_second: Some(812.4),
        calls: 3,
        call_milliseconds: Some(Percentiles { p50: 21.4, p99: 180.2, max: 191.7 }),
    };
    vec![
        Event::Removal { stack: text(STACK), resources: vec![removed.clone()], bucket: None, data: None },
        Event::Removal {
            stack: text(STACK),
            resources: vec![removed],
            bucket: Some(text("b")),
            data: Some(DataFound {
                objects: 1,
                bytes: 2,
                newest: Some(text("2026-11-24T18:10:00Z")),
                complete: true,
            }),
        },
        emptying(None, None),
        emptying(Some(100), Some(7.5)),
        Event::Emptied { bucket: text("b"), versions: 1, bytes: 2, seconds: 0.4 },
        Event::BucketRemoved { bucket: text("b") },
        Event::EmptyingAgain { bucket: text("b"), attempt: 2 },
        Event::Checked { service: text("bucket"), name: text("b"), left: false },
        Event::Exporting { bucket: text("b"), directory: text("rows"), objects: 1, bytes: 2, seconds: 0.5 },
        Event::Exported(exported()),
        Event::LeftoverRemoved { service: text("role"), name: text("r") },
        Event::NotOurs { service: text("stream"), name: text("s"), because: text("its tag says other") },
        Event::NothingToKeep { bucket: text("b"), is_there: false },
        Event::NothingToKeep { bucket: text("b"), is_there: true },
        Event::LastLines { group: text("/aws/lambda/f"), seconds: 17.0 },
        Event::BroughtUpAgain { stack: text(STACK), stack_id: text("arn:1") },
        Event::ArtifactsRemoved { bucket: text("artifacts"), zips: 1, bucket_removed: false },
        Event::ArtifactsRemoved { bucket: text("artifacts"), zips: 2, bucket_removed: true },
        Event::Producing(produced.clone()),
        Event::RecordsRefused { stream: text("s"), reason: text("InternalFailure"), seconds: 3.5 },
        Event::Consuming(consumed()),
        Event::ReadsFailing { what: text("shard 1"), reason: text("InternalFailure"), seconds: 3.5 },
        Event::ReadsWork { what: text("shard 1") },
        Event::Counted(Box::new(statistics())),
        Event::ShardEnded { shard: text("shardId-000000000000"), children: Vec::new() },
        Event::ShardEnded {
            shard: text("shardId-000000000000"),
            children: vec![text("shardId-000000000001"), text("shardId-000000000002")],
        },
        Event::ConsumerReady { name: text("kinesis-stack-consume-1"), seconds: 12.0 },
        Event::ConsumerRemoved { name: text("kinesis-stack-consume-1") },
        Event::ConsumerLeft {
            name: text("kinesis-stack-consume-2"),
            since: Some(text("2026-11-24T18:10:00Z")),
            command: text("aws kinesis deregister-stream-consumer"),
        },
        Event::WaitingForRows { rows: 1, wanted: 2 },
        Event::ObjectDamaged { object: text("rows/2"), reason: text("its gzip is damaged") },
        Event::RowsRead(RowsRead {
            objects: 1,
            rows: 2,
            not_rows: 1,
            not_rows_in: Some(text("rows/1")),
            broken: 1,
            broken_in: Some(text("rows/2: its gzip is damaged")),
            gone: 1,
            left_out: vec![text("field")],
            not_found: vec![text("another")],
            sums: vec![sum()],
        }),
        Event::FailuresRead(FailuresRead {
            read: RowsRead { objects: 1, rows: 3, ..RowsRead::default() },
            codes: vec![failed(Some("It failed.")), failed(None)],
        }),
        Event::LogsRead { lines: 3, since: text("2026-11-24T18:10:00Z") },
        Event::LogGroupMissing { group: text("/kinesis-stack/dev/delivery") },
        Event::LogsFollowed { live_tail: true, because: None },
        Event::LogsFollowed { live_tail: false, because: Some(text("AccessDenied")) },
        Event::ExportUnsettled { bucket: text("b"), directory: text("rows"), rounds: 5 },
        Event::ProcessorWritten {
            directory: text("processor"),
            files: 14,
            setting: Some(text("processor: it")),
        },
        Event::ProcessorWritten { directory: text("processor"), files: 14, setting: None },
        Event::ProcessorTested { records: 3, rows: 1, dropped: 1, failed: 1, batches: 1, seconds: 0.5 },
        Event::ReaperReady { sha256: text("60b0843ec608867069da"), bytes: 2, architecture: text("arm64") },
        Event::ReaperRan {
            reaped: vec![text("pr-1")],
            failed: vec![text("pr-2")],
            left_alone: vec![text("pr-3")],
            interrupted: vec![text("pr-4")],
            seconds: 1.5,
            error: None,
        },
        Event::ReaperRan {
            reaped: Vec::new(),
            failed: Vec::new(),
            left_alone: Vec::new(),
            interrupted: Vec::new(),
            seconds: 0.5,
            error: Some(text("no")),
        },
        Event::Call {
            service: text("S3"),
            operation: text("HeadObject"),
            attempt: 2,
            outcome: text("503"),
            milliseconds: 12,
        },
        Event::Done(Box::new(Done { command: text("produce"), produced: Some(produced), ..Done::default() })),
        Event::Done(Box::new(Done {
            command: text("up"),
            changed: Some(true),
            stack: Some(text(STACK)),
            stack_id: Some(text("arn:1")),
            outputs: Some([(text("BucketName"), text("b"))].into()),
            produced: None,
            consumed: Some(consumed()),
            plan: Some(plan(vec![])),
            critical_path: path(),
            expires: Some(text("2026-11-24T22:10:00Z")),
            reckoning: Some(Reckoning { due: 4, reaped: 3, left_alone: 1, kept: 1, dry_run: false }),
            checked: Some(vec![text("bucket b")]),
            kept: vec![text("bucket b")],
            exported: Some(exported()),
            seconds: Some(1.0),
            next: vec![NextStep { command: text("kinesis-stack down"), does: text("tear it down") }],
        })),
    ]
}

fn exported() -> Exported {
    Exported {
        bucket: text("b"),
        directory: text("rows"),
        objects: 3,
        bytes: 279,
        present: 1,
        by_size_alone: 1,
        gone: 1,
        renamed: 1,
        seconds: 1.5,
    }
}

/// Two resources that took the time.
pub fn path() -> Vec<PathStep> {
    let step = |name: &str, kind: &str, seconds, idle_seconds| PathStep {
        logical_id: text(name),
        resource_type: text(kind),
        seconds,
        idle_seconds,
    };
    vec![
        step("Stream", "AWS::Kinesis::Stream", 31.2, 0.4),
        step("Delivery", "AWS::KinesisFirehose::DeliveryStream", 84.0, 1.6),
    ]
}

/// A role that can't be assumed yet.
pub fn diagnosis() -> Diagnosis {
    Diagnosis {
        code: "role-not-assumable",
        logical_id: text("Delivery"),
        resource_type: text("AWS::KinesisFirehose::DeliveryStream"),
        property: Some(text("RoleARN")),
        sentence: text(
            "Firehose is unable to assume role arn:aws:iam::123456789012:role/kinesis-stack-dev-delivery-us-east-1. \
             Please check the role provided.",
        ),
        meaning: text("IAM had not told Firehose of the new role yet."),
        remedies: vec![text("Run it again in a minute.")],
        retry: true,
    }
}
