use super::*;
use crate::error::Kind;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;

fn refused(code: &str, text: &str) -> Error {
    let meta = ErrorMetadata::builder().code(code).message(text).build();
    let error = aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError::generic(meta);
    let raw = HttpResponse::new(403.try_into().unwrap(), SdkBody::empty());
    Error::of(&explain(SdkError::service_error(error, raw), "look"))
}

fn answered(status: u16, header: Option<&'static str>, body: &'static str) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    if let Some(header) = header {
        response.headers_mut().insert("x-amzn-errortype", header);
    }
    response
}

#[test]
fn a_change_set_that_somebody_elses_made_void_is_told_from_a_real_failure() {
    let failed = |cause: &str| Error::new(Kind::Failed, "cannot execute").because(cause).into();
    assert!(is_overtaken(&failed("ChangeSetNotFound: ChangeSet [up-1] does not exist")));
    assert!(is_overtaken(&failed("InvalidChangeSetStatus: cannot be executed in its current status")));
    assert!(!is_overtaken(&failed("ValidationError: Template error")));
}

#[test]
fn expired_credentials_are_recognized_in_every_services_format() {
    let xml = "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>";
    for (header, body) in [
        (None, xml),
        (None, "<Error><Code>ExpiredToken</Code><Token-0>secret</Token-0></Error>"),
        (None, r#"{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"expired"}"#),
        (None, r#"{"__type":"UnrecognizedClientException","message":"invalid"}"#),
        (Some("ExpiredTokenException:http://internal.amazon.com/coral/"), "{}"),
    ] {
        assert!(says_expired(&answered(403, header, body)), "{body}");
    }
    assert!(!says_expired(&answered(200, None, xml)));
    assert!(!says_expired(&answered(403, None, "<Error><Code>AccessDenied</Code></Error>")));
    assert!(!says_expired(&answered(403, None, "")), "HEAD has no body");
    let quoted = "<Error><Code>ValidationError</Code><Message>ExpiredToken is no name</Message></Error>";
    assert!(!says_expired(&answered(400, None, quoted)));
}

#[test]
fn a_missing_permission_names_action_resource_and_who_needs_it() {
    let text = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: kinesis:CreateStream on resource: arn:aws:kinesis:eu-central-1:123456789012:stream/x because no identity-based policy allows the kinesis:CreateStream action";
    let error = refused("AccessDeniedException", text);
    assert_eq!(error.kind, Kind::Credentials);
    assert_eq!(
        error.remedies,
        [
            "Have kinesis:CreateStream on arn:aws:kinesis:eu-central-1:123456789012:stream/x allowed to arn:aws:iam::123456789012:user/ada, or choose another --profile."
        ]
    );
}

#[test]
fn a_refusal_by_a_policy_says_whose_policy_it_is() {
    let cases = [
        ("with an explicit deny in a service control policy", "organization"),
        ("because no service control policy allows the s3:CreateBucket action", "organization"),
        ("with an explicit deny in a permissions boundary", "permissions boundary"),
        ("because no permissions boundary allows the s3:CreateBucket action", "permissions boundary"),
        ("with an explicit deny in a session policy", "session"),
        ("with an explicit deny in a resource-based policy", "resource itself"),
        ("with an explicit deny in an identity-based policy", "explicit deny"),
        ("with an explicit deny in a VPC endpoint policy", "VPC endpoint"),
    ];
    for (end, wanted) in cases {
        let text = format!(
            "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:CreateBucket on resource: arn:aws:s3:::b {end}"
        );
        let error = refused("AccessDenied", &text);
        assert!(error.remedies[0].contains(wanted), "{end}: {:?}", error.remedies);
        assert!(error.remedies[0].contains("s3:CreateBucket"), "{end}: {:?}", error.remedies);
    }
}

#[test]
fn a_clock_that_is_off_is_told_from_a_wrong_signature() {
    let off = [
        (
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        ("SignatureDoesNotMatch", "Signature expired: 20261124T120000Z is now earlier than 20261124T130000Z"),
        ("InvalidSignatureException", "Signature not yet current: 20261124T140000Z is still later than …"),
    ];
    for (code, text) in off {
        assert!(refused(code, text).remedies[0].contains("clock"), "{code}");
    }
    let wrong = refused("SignatureDoesNotMatch", "The request signature we calculated does not match");
    assert!(!wrong.remedies[0].contains("clock"), "{:?}", wrong.remedies);
}

type Call = SdkError<aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError, HttpResponse>;

#[test]
fn a_connection_that_is_cut_may_pass_and_has_a_remedy() {
    let cut = |kind| ConnectorError::other("connection closed before message completed".into(), kind);
    let lost: Call = SdkError::dispatch_failure(cut(Some(ErrorKind::TransientError)));
    assert!(is_transient(&lost));
    assert!(Error::of(&explain(lost, "look")).remedies[0].contains("network"));
    let unknown: Call = SdkError::dispatch_failure(cut(None));
    assert!(!is_transient(&unknown));
    let wrong: Call = SdkError::dispatch_failure(ConnectorError::user("invalid URL".into()));
    assert!(!is_transient(&wrong));
}

#[test]
fn an_answer_that_is_not_of_aws_is_told_as_such_with_its_status() {
    let unread = |status, body| -> Call { SdkError::response_error("no JSON", answered(status, None, body)) };
    for (status, body, passes) in [
        (200, "<html>", true),
        (302, "", false),
        (403, "<html>blocked</html>", false),
        (413, "", false),
        (429, "<html>", true),
        (502, "<html>", true),
    ] {
        let error = unread(status, body);
        assert_eq!(is_transient(&error), passes, "{status}");
        let told = Error::of(&explain(error, "look"));
        assert_eq!(told.cause, Some(format!("what answered (HTTP {status}) doesn't speak like AWS")));
        assert!(told.remedies[0].contains("proxy"), "{told:?}");
    }
    // Cut off on its way, whatever it was going to say.
    let mut half = answered(400, None, "");
    *half.body_mut() = SdkBody::taken();
    let half: Call = SdkError::response_error("cut", half);
    assert!(is_transient(&half));
    assert!(Error::of(&explain(half, "look")).remedies[0].contains("network"));
    // Read, and without a code.
    let of = |status, body| {
        let none = ErrorMetadata::builder().build();
        let error = aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError::generic(none);
        Error::of(&explain(SdkError::service_error(error, answered(status, None, body)), "look"))
    };
    assert_eq!(of(400, "hm").cause.as_deref(), Some("what answered (HTTP 400) doesn't speak like AWS"));
    assert_eq!(of(400, "").cause.as_deref(), Some("HTTP 400"), "HEAD has no body");
    assert_eq!(of(403, "").kind, Kind::Credentials, "HEAD has no body");
}

#[test]
fn what_a_service_will_never_do_is_told_from_what_it_cannot_do_now() {
    let failed = |cause: &str| Error::new(Kind::Failed, "cannot compare").because(cause);
    for cause in
        ["InvalidAction: no such action", "AccessDenied: not authorized", "NotImplemented (HTTP 501)"]
    {
        assert!(is_lasting_refusal(&failed(cause)), "{cause}");
    }
    for cause in ["Throttling: Rate exceeded", "ExpiredToken: expired", "dispatch failure: io error"] {
        assert!(!is_lasting_refusal(&failed(cause)), "{cause}");
    }
}
