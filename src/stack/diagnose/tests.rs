//! Feeds the streams of `tests/failures` through a watch and holds what comes out against what they expect.

use super::*;
use crate::stack::watch::{StackEvent, Watch};
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::PathBuf;

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    what: String,
    why: String,
    operation: String,
    expect: Expected,
    before: Vec<String>,
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    code: String,
    logical_id: String,
    property: Option<String>,
    retry: bool,
    mentions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    event_id: String,
    stack_id: String,
    logical_resource_id: String,
    physical_resource_id: String,
    resource_type: String,
    resource_status: String,
    resource_status_reason: Option<String>,
    timestamp: String,
}

impl From<&Event> for StackEvent {
    fn from(event: &Event) -> StackEvent {
        let time: jiff::Timestamp = event.timestamp.parse().unwrap();
        StackEvent {
            id: event.event_id.clone(),
            logical_id: event.logical_resource_id.clone(),
            physical_id: event.physical_resource_id.clone(),
            resource_type: event.resource_type.clone(),
            status: event.resource_status.clone(),
            reason: event.resource_status_reason.clone(),
            time: time.as_millisecond() as f64 / 1e3,
        }
    }
}

fn streams() -> Vec<(String, Recorded)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/failures");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let stream = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, stream)
    };
    files.into_iter().map(read).collect()
}

fn operation(name: &str) -> Operation {
    match name {
        "create" => Operation::Create,
        "update" => Operation::Update,
        "delete" => Operation::Delete,
        other => panic!("{other}"),
    }
}

/// What a watch of these events leads to, read a page at a time, newest first.
fn diagnosed(stream: &Recorded, operation: Operation) -> Option<Diagnosis> {
    let mut watch = Watch::new(&stream.events[0].stack_id, stream.before.iter().cloned());
    watch.absorb(stream.events.iter().map(StackEvent::from).collect());
    let failures: Vec<Failure> = watch.failures().into_iter().cloned().collect();
    with_facts(operation, |facts| diagnose(&failures, facts))
}

fn with_facts<T>(operation: Operation, then: impl FnOnce(&Facts) -> T) -> T {
    let environment = Environment::new("dev".parse().unwrap());
    let invocation = Invocation::default();
    then(&Facts {
        environment: &environment,
        region: REGION,
        account: Some(ACCOUNT),
        invocation: &invocation,
        operation,
    })
}

fn rendered(diagnosis: &Diagnosis) -> String {
    let Diagnosis { code, logical_id, resource_type, property, sentence, meaning, remedies, retry } =
        diagnosis;
    let property = property.as_deref().map(|property| format!(", {property}")).unwrap_or_default();
    let again = if *retry { ", tried again" } else { "" };
    let mut text = format!("{code}: {logical_id} ({resource_type}{property}){again}\n  AWS: {sentence}\n");
    if !meaning.is_empty() {
        writeln!(text, "  {meaning}").unwrap();
    }
    for remedy in remedies {
        writeln!(text, "  - {remedy}").unwrap();
    }
    // An invocation of nobody's has no program.
    text.replace("` up", "`kinesis-stack up").replace("` down", "`kinesis-stack down")
}

/// What of the expectation isn't met.
fn unmet(expected: &Expected, diagnosis: Option<&Diagnosis>) -> Vec<String> {
    let Some(diagnosis) = diagnosis else { return vec!["no cause was found".to_owned()] };
    let text = rendered(diagnosis);
    let mut unmet = Vec::new();
    let mut compare = |what: &str, expected: &str, found: &str| {
        if expected != found {
            unmet.push(format!("{what}: {found} instead of {expected}"));
        }
    };
    compare("code", &expected.code, diagnosis.code);
    compare("logical id", &expected.logical_id, &diagnosis.logical_id);
    let none = "none".to_owned();
    let property = |property: &Option<String>| property.as_ref().unwrap_or(&none).clone();
    compare("property", &property(&expected.property), &property(&diagnosis.property));
    compare("retry", &expected.retry.to_string(), &diagnosis.retry.to_string());
    let missing = expected.mentions.iter().filter(|mention| !text.contains(mention.as_str()));
    unmet.extend(missing.map(|mention| format!("nothing says {mention:?}")));
    unmet
}

#[test]
fn each_of_a_hundred_streams_leads_to_its_cause() {
    let streams = streams();
    assert!(streams.len() >= 100, "only {} streams", streams.len());
    let mut wrong = String::new();
    for (name, stream) in &streams {
        assert!(stream.why.len() > 20 && !stream.what.is_empty(), "{name} gives no reason");
        let diagnosis = diagnosed(stream, operation(&stream.operation));
        for problem in unmet(&stream.expect, diagnosis.as_ref()) {
            writeln!(wrong, "{name}: {problem}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_words_are_those_that_were_reviewed() {
    let mut text = String::new();
    for (name, stream) in streams() {
        let diagnosis = diagnosed(&stream, operation(&stream.operation)).unwrap();
        writeln!(text, "{name}: {}\n{}", stream.what, rendered(&diagnosis)).unwrap();
    }
    insta::assert_snapshot!("words", text);
}

#[test]
fn no_remedy_is_half_a_sentence() {
    for (name, stream) in streams() {
        let diagnosis = diagnosed(&stream, operation(&stream.operation)).unwrap();
        for sentence in diagnosis.remedies.iter().chain(Some(&diagnosis.meaning)) {
            let whole = sentence.is_empty()
                || sentence.ends_with('.') && sentence.starts_with(|c: char| c.is_uppercase());
            let closed = sentence.matches('`').count() % 2 == 0;
            assert!(whole && closed && !sentence.contains("  "), "{name}: {sentence}");
        }
        assert!(!diagnosis.remedies.is_empty(), "{name} leaves one without a remedy");
        assert!(diagnosis.code != "unknown" || diagnosis.meaning.is_empty(), "{name} guesses");
    }
}

fn failure(logical_id: &str, resource_type: &str, reason: &str) -> Failure {
    Failure {
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        reason: reason.to_owned(),
    }
}

fn cause_of(failures: &[Failure], operation: Operation) -> Option<Diagnosis> {
    with_facts(operation, |facts| diagnose(failures, facts))
}

#[test]
fn a_stack_has_a_say_only_when_nothing_else_has() {
    let stack = failure(
        "kinesis-stack-dev",
        "AWS::CloudFormation::Stack",
        "The following resource(s) failed to create: [Stream].",
    );
    let stream = failure("Stream", "AWS::Kinesis::Stream", "Rate exceeded");
    let cancelled = failure("Bucket", "AWS::S3::Bucket", "Resource creation cancelled");
    let of = |failures: &[Failure]| cause_of(failures, Operation::Create).unwrap().logical_id;
    assert_eq!(of(&[stack.clone(), cancelled.clone(), stream]), "Stream");
    assert_eq!(of(&[cancelled.clone(), stack]), "kinesis-stack-dev");
    assert_eq!(of(&[cancelled]), "Bucket");
    assert_eq!(cause_of(&[], Operation::Create), None);
}

#[test]
fn of_two_failed_deletions_the_first_counts_known_or_not() {
    let failures = [
        failure("Delivery", "AWS::KinesisFirehose::DeliveryStream", "Something unheard of"),
        failure("Bucket", "AWS::S3::Bucket", "The bucket you tried to delete is not empty"),
        failure("kinesis-stack-dev", "AWS::CloudFormation::Stack", "The following resource(s) failed"),
    ];
    assert_eq!(cause_of(&failures, Operation::Delete).unwrap().logical_id, "Delivery");
}

#[test]
fn nothing_is_tried_again_for_the_sake_of_a_role_that_is_deleted() {
    let text = "Firehose is unable to assume role arn:aws:iam::123456789012:role/r.";
    let failures = [failure("Delivery", "AWS::KinesisFirehose::DeliveryStream", text)];
    assert!(cause_of(&failures, Operation::Create).unwrap().retry);
    assert!(!cause_of(&failures, Operation::Delete).unwrap().retry);
}

#[test]
fn any_text_at_all_leads_to_some_diagnosis() {
    use proptest::prelude::*;
    proptest!(|(text in "(Resource handler returned message: \"|User: |not authorized to perform: |on resource: |\\(Service: |already exist: |#/|\\[|\\)|\"|é|[a-z:]{0,9}| ){0,12}")| {
        let failures = [failure("Stream", "AWS::Kinesis::Stream", &text)];
        prop_assert!(cause_of(&failures, Operation::Update).is_some());
    });
}
