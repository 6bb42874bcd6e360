//! Turns what the SDK says of a failed call into one of our kinds. The one place that matches error text.

use super::credentials::ProfileError;
use super::reason::{Denial, Policy, Reason};
use crate::error::{Error, Kind};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error as StdError;

/// Codes that mean: not now, but again later.
const THROTTLES: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "SlowDown",
    "RequestThrottled",
];

/// S3's code for a bucket that somebody else makes or removes right now, or whose name was given up a moment ago: that
/// can last for up to an hour.
const BUSY: &str = "OperationAborted";

/// Codes that mean: these credentials were good once, and no longer are, or aren't known any more.
const EXPIRED: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "InvalidToken",
];

/// Codes that mean: these credentials never were good, for another reason than that they are over.
const UNUSABLE: &[&str] = &[
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "AuthFailure",
    "OptInRequired",
    "RequestExpired",
    "RequestTimeTooSkewed",
];

/// Codes that mean: known, but not allowed.
const PERMISSIONS: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "NotAuthorized",
    "AllAccessDisabled",
    "Forbidden",
];

/// Goes with an error that may pass by itself.
#[derive(Debug)]
struct Passing {
    answered: bool,
}

impl std::fmt::Display for Passing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it may pass by itself")
    }
}

impl StdError for Passing {}

/// Whether the same call may go through later, of an error that [`explain`] made.
pub fn passes(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Passing>().is_some()
}

/// Whether that is because of a service's answer, and not because there was none.
pub fn passes_by_an_answer(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Passing>().is_some_and(|it| it.answered)
}

/// Whether it is because a bucket's name was given up a moment ago: that lasts longer than any other trouble.
pub fn is_of_busy_name(error: &anyhow::Error) -> bool {
    Error::of(error).cause.is_some_and(|cause| cause.starts_with(BUSY))
}

/// What a failed call amounts to. `doing` completes the sentence "cannot …".
pub fn explain<E>(error: SdkError<E, HttpResponse>, doing: &str) -> anyhow::Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let passing = is_transient(&error).then(|| Passing { answered: error.raw_response().is_some() });
    let explained = explained(error, doing);
    match passing {
        Some(passing) => anyhow::Error::new(passing).context(explained),
        None => explained.into(),
    }
}

fn explained<E>(error: SdkError<E, HttpResponse>, doing: &str) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let message = format!("cannot {doing}");
    if let Some(service) = error.as_service_error() {
        let code = service.code().unwrap_or_default();
        // A HEAD has no body, so no code either: only the status tells.
        let code = match (code, status) {
            ("", Some(403)) => "Forbidden",
            (code, _) => code,
        };
        let text = service.message().unwrap_or_default();
        let cause = match text {
            "" => format!("{code} (HTTP {})", status.unwrap_or_default()),
            text => format!("{code}: {text}"),
        };
        let failed = of_code(code, text, message).because(cause);
        return match status.filter(|_| failed.remedies.is_empty()) {
            Some(500..) => failed.remedy("The service is in trouble: run it again in a minute."),
            _ => failed,
        };
    }
    let chain = chain(&error);
    // The SDK has no variant for it: a missing credential is a failed dispatch or construction with this text.
    if chain.contains("credential") || chain.contains("identity") {
        return without_credentials(&error, message);
    }
    let failed = Error::new(Kind::Failed, message).because(chain);
    match is_transient(&error) {
        true => failed.remedy("Look at the network and the proxy, then run it again."),
        false => failed,
    }
}

fn of_code(code: &str, text: &str, message: String) -> Error {
    if is_clock(code, text) {
        Error::new(Kind::Credentials, message)
            .remedy("This machine's clock and AWS' differ by too much: set the clock, and run it again.")
    } else if code == "OptInRequired" {
        Error::new(Kind::Credentials, message).remedy(
            "The account isn't signed up for the service in this region: enable the region, or choose another with --region.",
        )
    } else if is_of_credentials(code) {
        Error::new(Kind::Credentials, message).remedy(
            "Renew the credentials (aws sso login), or choose others with --profile, and run it again.",
        )
    } else if PERMISSIONS.contains(&code) {
        let error = Error::new(Kind::Credentials, message);
        match Reason::of(text, "") {
            Reason::NotAuthorized(denial) => error.remedy(denied(&denial, false)),
            Reason::ExplicitDeny(denial) => error.remedy(denied(&denial, true)),
            _ => error.remedy("Ask for the permission that is named above, or choose another --profile."),
        }
    } else if THROTTLES.contains(&code) {
        Error::new(Kind::Failed, message).remedy("AWS is throttling this account: run it again in a minute.")
    } else {
        Error::new(Kind::Failed, message)
    }
}

/// A signature that is too old or too new. The same codes are used for one that is wrong.
fn is_clock(code: &str, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    matches!(code, "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture")
        || ["signature expired", "signature not yet current"].iter().any(|part| text.contains(part))
}

/// Who can do something about a refusal, which is seldom whoever reads it.
fn denied(denial: &Denial, explicit: bool) -> String {
    let action = denial.action.as_deref().unwrap_or("this action");
    let who = denial.principal.as_deref().unwrap_or("the caller");
    let on = denial.resource.as_ref().map(|resource| format!(" on {resource}")).unwrap_or_default();
    let owner = match denial.policy {
        Policy::Scp | Policy::Rcp => "a policy of the organization, which only its administrators can change",
        Policy::Boundary => "the permissions boundary of the caller, which limits what its policies can give",
        Policy::Session => {
            "the policy of this session, given when it began: begin another, with a wider policy or with none"
        }
        Policy::Endpoint => "the policy of the VPC endpoint that the call went through",
        Policy::Resource if explicit => "the policy on the resource itself, which its owner can change",
        Policy::PublicAccess => "S3's block on public access",
        _ if explicit => "an explicit deny in some policy, which no further permission outweighs",
        _ => return format!("Have {action}{on} allowed to {who}, or choose another --profile."),
    };
    format!("{action}{on} is refused to {who} by {owner}.")
}

/// No credentials, or none that could be made: each of the SDK's ways has its own next step.
fn without_credentials(error: &(dyn StdError + 'static), message: String) -> Error {
    let profile = causes(error).find_map(|cause| cause.downcast_ref::<ProfileError>());
    let option = profile.map(|it| format!(" --profile {}", it.profile)).unwrap_or_default();
    let cause = said(error, &["dispatch failure", "other", "an error occurred while loading credentials"]);
    let text = cause.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let failed = Error::new(Kind::Credentials, message);
    if says(&["io error", "connect error", "timed out", "timeout"]) {
        return failed.because(cause).remedy(
            "Whoever gives the credentials couldn't be reached: look at the network, the proxy and AWS_CA_BUNDLE.",
        );
    }
    let Some(it) = profile else {
        let failed = failed.because(cause);
        // Without a profile, the role is that of a web identity, as in a pipeline.
        if says(&["assumerolewithwebidentity", "webidentitytoken: an error"]) {
            return failed.remedy(
                "The role of AWS_ROLE_ARN has to trust the pipeline's identity provider, for this repository and branch.",
            );
        }
        return failed
            .remedy("Log in (aws sso login), set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
            .remedy("Or use --local: the local cloud needs no credentials.");
    };
    if let Some(serial) = &it.mfa_serial {
        let because =
            format!("the profile `{}` asks for MFA ({serial}), and the AWS SDK for Rust can't", it.profile);
        return failed.because(format!("{because}: {cause}")).remedy(match it.role_arn {
            Some(_) => format!(
                "Let the aws cli ask, then run it without --profile: `eval \"$(aws configure export-credentials{option} --format env)\"`"
            ),
            None => format!(
                "Export the keys that `aws sts get-session-token{option} --serial-number {serial} --token-code …` gives."
            ),
        });
    }
    let failed = failed.because(cause.clone());
    if let Some(defined) = &it.defined {
        return failed.remedy(match defined.is_empty() {
            true => format!(
                "There is no profile `{0}`, nor any other: make one with `aws configure sso --profile {0}`.",
                it.profile
            ),
            false => format!(
                "There is no profile `{}`; choose with --profile: {}.",
                it.profile,
                defined.join(", ")
            ),
        });
    }
    if it.sso {
        return failed.remedy(format!(
            "The login has expired, or there was none: `aws sso login{option}`, then run it again."
        ));
    }
    match &it.role_arn {
        Some(role) => failed.remedy(format!(
            "The role {role} can't be assumed: its trust policy has to name the caller, and the caller needs sts:AssumeRole on it."
        )),
        None => failed.remedy(format!("Mend the profile `{}`, or choose another with --profile.", it.profile)),
    }
}

/// Whether a service's answer says that the credentials, which were good once, aren't any more.
pub fn says_expired(response: &HttpResponse) -> bool {
    if !matches!(response.status().as_u16(), 400 | 401 | 403) {
        return false;
    }
    // The code is in a header, in JSON or in XML: before a call's own error is known, only the bytes are.
    let header = response.headers().get("x-amzn-errortype").unwrap_or_default();
    let body = response.body().bytes().unwrap_or_default();
    let body = String::from_utf8_lossy(&body[..body.len().min(2_048)]);
    EXPIRED.iter().any(|code| {
        let ends = |text: &str| text.split(':').next().unwrap_or_default().ends_with(code);
        ends(header)
            || body.contains(&format!("<Code>{code}</Code>"))
            || body.contains(&format!("\"{code}\""))
            || body.contains(&format!("#{code}\""))
    })
}

/// Whether a call failed because its credentials are no longer good.
pub fn is_expired<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let code = error.as_service_error().and_then(|service| service.code());
    code.is_some_and(|code| EXPIRED.contains(&code)) || error.raw_response().is_some_and(says_expired)
}

/// Whether the service refused without a word, as it answers HEAD: to credentials that have expired with a 400,
/// where a permission is missing or the thing is another's with a 403.
pub fn is_silent_refusal<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let Some(service) = error.as_service_error() else { return false };
    let status = error.raw_response().map(|response| response.status().as_u16());
    matches!(status, Some(400 | 403))
        && service.code().is_none_or(|code| ["", "BadRequest", "Forbidden"].contains(&code))
}

/// Whether a code means that these credentials are no longer good, or never were.
fn is_of_credentials(code: &str) -> bool {
    EXPIRED.contains(&code) || UNUSABLE.contains(&code)
}

/// Whether a bucket has no tags at all.
pub fn has_no_tags<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    error.as_service_error().and_then(|service| service.code()) == Some("NoSuchTagSet")
}

/// Whether a region doesn't know credentials that are good elsewhere: the account hasn't enabled it.
pub fn is_not_enabled<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    const CODES: &[&str] =
        &["InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "OptInRequired"];
    error.as_service_error().and_then(|service| service.code()).is_some_and(|code| CODES.contains(&code))
}

/// Whether the same call may go through later.
pub fn is_transient<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            // 501 means never: an emulator's word for what it doesn't have.
            status >= 500 && status != 501
                || status == 429
                || service.err().code().is_some_and(|code| THROTTLES.contains(&code) || code == BUSY)
        }
        _ => false,
    }
}

/// Whether the call was refused because there were too many.
pub fn is_throttled<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let code = error.as_service_error().and_then(|service| service.code());
    code.is_some_and(|code| THROTTLES.contains(&code))
        || error.raw_response().is_some_and(|response| response.status().as_u16() == 429)
}

/// Whether S3's answer says that there were too many calls: a 503, whatever its code.
pub fn says_slow_down(response: &HttpResponse) -> bool {
    matches!(response.status().as_u16(), 429 | 503)
}

/// Whether the service says that the thing isn't there.
pub fn is_missing<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let Some(service) = error.as_service_error() else { return false };
    match service.code() {
        Some(code) => {
            matches!(
                code,
                "NotFound"
                    | "NoSuchBucket"
                    | "NoSuchKey"
                    | "NoSuchEntity"
                    | "NoSuchEntityException"
                    | "ResourceNotFoundException"
                    | "ChangeSetNotFound"
                    | "404"
            ) || is_no_such_stack(code, service.message().unwrap_or_default())
        }
        None => error.raw_response().is_some_and(|response| response.status().as_u16() == 404),
    }
}

/// CloudFormation has no code of its own for it: "Stack with id … does not exist".
fn is_no_such_stack(code: &str, message: &str) -> bool {
    code == "ValidationError" && message.contains("does not exist")
}

/// Whether the call was refused because the thing belongs to another account, or isn't for us.
pub fn is_forbidden<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let denied = error.as_service_error().and_then(|service| service.code());
    denied.is_some_and(|code| PERMISSIONS.contains(&code))
        || error.raw_response().is_some_and(|response| response.status().as_u16() == 403)
            && denied.is_none_or(|code| !is_of_credentials(code))
}

/// Whether a refusal names the permission that is missing: then the thing is the caller's own.
pub fn names_permission<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let message = error.as_service_error().and_then(|error| error.message()).unwrap_or_default();
    let named = match Reason::of(message, "") {
        Reason::NotAuthorized(denial) | Reason::ExplicitDeny(denial) => denial.action.is_some(),
        _ => false,
    };
    is_forbidden(error) && named
}

/// Whether a call failed because somebody else acted on the same stack in between: a look at it tells more.
pub fn is_overtaken(error: &anyhow::Error) -> bool {
    const CODES: &[&str] = &["ChangeSetNotFound", "InvalidChangeSetStatus", "AlreadyExistsException"];
    // Of CloudFormation's one code for everything, those that say that a look at the stack was older than the stack.
    const STATES: &[&str] = &[
        "state and can not be updated",
        "already exists and cannot be created again",
        "cannot be deleted while in status",
        "is being deleted",
        "does not exist",
    ];
    let cause = Error::of(error).cause.unwrap_or_default();
    CODES.iter().any(|code| cause.starts_with(code))
        || cause.starts_with("ValidationError: Stack") && STATES.iter().any(|state| cause.contains(state))
}

/// Whether a call was refused because the stack, or the thing, is in a state in which it can't be done.
pub fn is_wrong_state<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    error.as_service_error().is_some_and(|error| error.code() == Some("ValidationError"))
}

/// Whether a service said that it can't do something at all, or not for this caller or this thing: asking again
/// changes nothing. Credentials that aren't good, throttling and lost connections are something else.
pub fn is_lasting_refusal(error: &Error) -> bool {
    const CODES: &[&str] = &[
        "ValidationError",
        "InvalidAction",
        "UnsupportedOperation",
        "UnsupportedOperationException",
        "NotImplemented",
        "NotImplementedException",
        "UnknownOperationException",
    ];
    let cause = error.cause.as_deref().unwrap_or_default();
    let code = cause.split([':', ' ']).next().unwrap_or_default();
    CODES.contains(&code) || PERMISSIONS.contains(&code)
}

/// Whether a call was refused because a failed EXPRESS update has to be followed by another.
pub fn demands_express<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let message = error.as_service_error().and_then(|error| error.message()).unwrap_or_default();
    message.contains("must use the same DeploymentConfig")
}

/// What a service says, as one line that can be shown: it can hold what users put into names, so that none of it may
/// move a cursor, or stand on a line of its own where a runner takes lines for commands.
pub fn in_one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<&str>>().join(" ")
}

/// Whether a change set failed only because there was nothing to change.
pub fn is_no_changes(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// Whether a change set failed because a validation or a hook refused it, which only DescribeEvents explains.
pub fn is_failed_validation(reason: &str) -> bool {
    reason.contains("AWS::EarlyValidation") || reason.contains("hook(s)/validation failed")
}

/// Whether a bucket couldn't be deleted because something lies in it.
pub fn is_bucket_not_empty(reason: &str) -> bool {
    reason.contains("BucketNotEmpty") || reason.contains("bucket you tried to delete is not empty")
}

/// An error and all its causes.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// An error and all its causes, without saying anything twice.
fn chain(error: &(dyn StdError + 'static)) -> String {
    said(error, &[])
}

/// The same without what says nothing.
fn said(error: &(dyn StdError + 'static), nothing: &[&str]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for text in causes(error).map(ToString::to_string) {
        if !nothing.contains(&text.as_str()) && parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests;
