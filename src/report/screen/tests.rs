use super::*;
use crate::stack::drift::{Difference, ResourceDrift};
use crate::stack::inspect::Resource;
use console::measure_text_width;

const WIDE: Page = Page { paint: Paint(false), width: None };
const NARROW: Page = Page { paint: Paint(false), width: Some(80) };

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn inspection(code: Code) -> Inspection {
    let resource = |logical_id: &str, resource_type: &str, status: &str, reason: Option<&str>| Resource {
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        physical_id: Some("kinesis-stack-dev".to_owned()),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        since: Some("2026-11-24T11:58:55Z".to_owned()),
    };
    Inspection {
        env: "dev".to_owned(),
        region: "eu-central-1".to_owned(),
        stack: "kinesis-stack-dev".to_owned(),
        stack_id: "arn:aws:cloudformation:eu-central-1:123456789012:stack/kinesis-stack-dev/1".to_owned(),
        status: StackStatus::parse("UPDATE_ROLLBACK_COMPLETE"),
        reason: Some("The following resource(s) failed to update: [Delivery].".to_owned()),
        created: Some("2026-11-22T11:00:00Z".to_owned()),
        updated: Some("2026-11-24T11:58:55Z".to_owned()),
        owner: Some("arn:aws:iam::123456789012:user/ada".to_owned()),
        version: Some("0.1.0".to_owned()),
        expires: None,
        pull_request: None,
        protected: false,
        ephemeral: false,
        role_arn: None,
        code,
        drift: None,
        resources: vec![
            resource("Stream", "AWS::Kinesis::Stream", "UPDATE_COMPLETE", None),
            resource(
                "Delivery",
                "AWS::KinesisFirehose::DeliveryStream",
                "UPDATE_FAILED",
                Some("Rate exceeded"),
            ),
        ],
        outputs: [("StreamName".to_owned(), "kinesis-stack-dev".to_owned())].into(),
    }
}

#[test]
fn status_shows_state_resources_code_and_outputs_on_one_screen() {
    let code = Code {
        deployed: Some("a".repeat(64)),
        in_stack: Some("a".repeat(64)),
        would_deploy: Some("b".repeat(64)),
        current: Some(false),
        past_stack: false,
    };
    insta::assert_snapshot!(status(&inspection(code), now(), WIDE));
}

/// The same with all that is longest.
fn long(mut it: Inspection) -> Inspection {
    let name = "kinesis-stack-123456789012-abcdefghijklmnopqrst-ap-southeast-1";
    it.outputs.insert("BucketName".to_owned(), name.to_owned());
    it.reason = Some("The following resource(s) failed to update: [Delivery, Stream, Processor].".to_owned());
    it.resources[1].status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
    it
}

/// The text, none of whose lines is wider.
fn at_80_columns(text: String) -> String {
    assert!(text.lines().all(|line| measure_text_width(line) <= 80), "{text}");
    text
}

#[test]
fn status_says_of_the_code_what_it_knows_and_no_more() {
    let deployed = Some("a".repeat(64));
    let current = Code {
        deployed: deployed.clone(),
        would_deploy: deployed.clone(),
        current: Some(true),
        in_stack: None,
        past_stack: false,
    };
    assert_eq!(code(&current, Paint(false)), "aaaaaaaaaaaa (what `up` would deploy)");
    let unknown = Code { deployed, ..Code::default() };
    assert!(code(&unknown, Paint(false)).contains("not built on this machine yet"));
    assert_eq!(code(&Code::default(), Paint(false)), "no function is deployed");
}

#[test]
fn status_shows_marks_drift_and_code_that_went_past_the_stack() {
    let difference = |path: &str, expected: &str, actual: &str, kind: &str| Difference {
        path: path.to_owned(),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
        kind: kind.to_owned(),
    };
    let resource = |logical_id: &str, resource_type: &str, status: &str, differences| ResourceDrift {
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        status: status.to_owned(),
        differences,
    };
    let differences = vec![
        difference("/RetentionPeriodHours", "24", "48", "NOT_EQUAL"),
        difference("/Tags/2", "", "{\"Key\":\"team\",\"Value\":\"blue\"}", "ADD"),
    ];
    let drift = Drift {
        status: "DRIFTED".to_owned(),
        reason: None,
        resources: vec![
            resource("Stream", "AWS::Kinesis::Stream", "MODIFIED", differences),
            resource("DeliveryLogGroup", "AWS::Logs::LogGroup", "DELETED", Vec::new()),
            resource("Bucket", "AWS::S3::Bucket", "IN_SYNC", Vec::new()),
        ],
    };
    let code = Code { deployed: Some("a".repeat(64)), past_stack: true, ..Code::default() };
    let role_arn = Some("arn:aws:iam::123456789012:role/deploy".to_owned());
    let expires = Some("2026-11-24T14:30:00Z".to_owned());
    let pull_request = Some("ada/trades/pull/42".to_owned());
    let inspected = Inspection {
        expires,
        pull_request,
        protected: true,
        ephemeral: true,
        role_arn,
        drift: Some(drift),
        ..inspection(code)
    };
    insta::assert_snapshot!(status(&inspected, now(), WIDE));
    insta::assert_snapshot!("status_at_80_columns", at_80_columns(status(&long(inspected), now(), NARROW)));

    let unknown = Drift {
        status: "UNKNOWN".to_owned(),
        reason: Some("AccessDenied: no".to_owned()),
        resources: Vec::new(),
    };
    assert_eq!(drift_in_words(&unknown, Paint(false)), "can't be told (AccessDenied: no)");
}

#[test]
fn colour_is_there_when_it_is_asked_for() {
    let text = status(&inspection(Code::default()), now(), Page::endless(Paint(true)));
    assert!(text.contains("\u{1b}[32mUPDATE_COMPLETE\u{1b}[0m"), "{text}");
    assert!(!status(&inspection(Code::default()), now(), WIDE).contains('\u{1b}'));
}
