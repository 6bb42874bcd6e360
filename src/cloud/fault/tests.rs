use super::*;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
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
