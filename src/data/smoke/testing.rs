//! Smoke tests as they are told, without any cloud: for whoever has to show them.

use super::course::{Course, Next, Seen, Terms};
use super::record::marked;
use super::{Leg, SmokeReport, SmokeSent, before};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::settings::Invocation;

const MARKER: &str = "smoke-00c0ffee1234";
const BUCKET: &str = "kinesis-stack-123456789012-dev-us-east-1";
const HOUR: &str = "2026/11/26/17";

/// A test of a pipeline with two shards whose leg is broken, or whose legs all work: the events, and the failure.
pub(crate) fn told(broken: Option<Leg>) -> (Vec<Event>, Option<Error>) {
    let environment = "kinesis-stack-dev";
    let processor = format!("{environment}-processor");
    let terms = Terms {
        names: [environment, environment, &processor, BUCKET, BUCKET].map(str::to_owned),
        bucket: BUCKET.to_owned(),
        shards: vec!["shardId-000000000000".to_owned(), "shardId-000000000001".to_owned()],
        due: before::due(60.0, 60.0),
        strict: true,
        reading_for: Some(9_000.0),
        invocation: Invocation::default(),
    };
    let (due_seconds, invocation) = (terms.due.landed, terms.invocation.clone());
    let mut course = Course::new(terms, marked(MARKER, 2, true));
    let mut events = Vec::new();
    let mut see = |course: &mut Course, now: f64, seen: Vec<Seen>| {
        seen.into_iter().for_each(|seen| course.see(now, seen));
        let next = course.judge(now, now >= 600.0);
        events.extend(course.news().into_iter().map(Event::SmokeLeg));
        next
    };
    let sent = Event::SmokeSent(SmokeSent {
        stream: environment.to_owned(),
        marker: MARKER.to_owned(),
        good: 3,
        bad: 2,
        shards: 2,
        due_seconds,
        again: false,
    });
    course.sent(1.0, false);
    if broken == Some(Leg::Stream) {
        let said =
            "ProvisionedThroughputExceededException: Rate exceeded for shard shardId-000000000000 in stream \
                    kinesis-stack-dev under account 123456789012., for 60s"
                .to_owned();
        see(&mut course, 61.0, vec![Seen::Broken { leg: Leg::Stream, said, kind: Kind::Failed }]);
    } else {
        see(&mut course, 1.2, vec![Seen::Accepted]);
        follow(&mut course, broken, &mut see);
    }
    if broken != Some(Leg::Stream) {
        events.insert(0, sent);
    }
    let report = SmokeReport {
        marker: MARKER.to_owned(),
        legs: course.legs().to_vec(),
        broken: course.broken().map(|(leg, _)| leg),
        good: 3,
        bad: 2,
        removed: 2,
        left: match broken {
            None => vec![format!(
                "2 records of this test in s3://{BUCKET}/rows/{HOUR}/a: it holds something else, too"
            )],
            Some(_) => Vec::new(),
        },
        seconds: 75.0,
    };
    let failure = course.broken().and_then(|(_, kind)| report.failure(kind, &invocation));
    events.push(Event::SmokeEnded(Box::new(report)));
    assert_eq!(course.broken().map(|(leg, _)| leg), broken);
    (events, failure)
}

fn follow(
    course: &mut Course,
    broken: Option<Leg>,
    see: &mut impl FnMut(&mut Course, f64, Vec<Seen>) -> Next,
) {
    let rows = |course: &Course| -> Vec<Seen> {
        let row = |number: usize| {
            let row = processor::transform_record(
                &course.records()[number].data,
                std::time::SystemTime::UNIX_EPOCH,
            );
            Seen::Row {
                number,
                key: format!("rows/{HOUR}/a"),
                row: serde_json::from_slice(&row.unwrap()).unwrap(),
            }
        };
        (0..3).map(row).collect()
    };
    let failed = |number, code: &str, message: &str| Seen::Failed {
        number,
        key: format!("errors/processing-failed/{HOUR}/kinesis-stack-dev-1-2026-11-26-17-01-12-0f9b9b0d"),
        code: code.to_owned(),
        message: message.to_owned(),
        intact: true,
    };
    let bad =
        |number| failed(number, "Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record");
    match broken {
        Some(Leg::Delivery) => {
            let said = "metric DataReadFromKinesisStream.Records: 0".to_owned();
            see(course, 121.0, vec![Seen::Note { leg: Leg::Delivery, said }]);
            see(course, 160.0, vec![]);
            see(course, 600.0, vec![]);
        }
        Some(Leg::Transform) => {
            let message = "The Lambda function was successfully invoked but it returned an error result.";
            see(course, 72.0, vec![failed(0, "Lambda.FunctionError", message)]);
        }
        Some(Leg::Bucket) => {
            let said = "S3.AccessDenied: Access was denied. Ensure that the trust policy for the provided IAM role \
                        allows Firehose to assume the role, and the access policy allows access to the S3 bucket."
                .to_owned();
            see(course, 80.0, vec![Seen::Complaint { leg: Leg::Bucket, said }]);
            let said = "log of the processor: called 2 times since then".to_owned();
            see(course, 90.0, vec![Seen::Passed { leg: Leg::Delivery, said }]);
            let said = "metric SucceedProcessing.Records: 3".to_owned();
            see(course, 160.0, vec![Seen::Passed { leg: Leg::Transform, said }]);
        }
        Some(Leg::Errors) => {
            see(course, 72.0, rows(course));
            see(course, 160.0, vec![]);
            see(course, 600.0, vec![]);
        }
        Some(Leg::Stream) => {}
        None => {
            see(course, 72.0, rows(course));
            see(course, 73.0, vec![bad(3), bad(4)]);
        }
    }
}
