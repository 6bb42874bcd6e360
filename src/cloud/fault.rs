//! Turns what the SDK says of a failed call into one of our kinds. The one place that matches error text.

mod explain;

pub use explain::{explain, is_of_busy_name, passes, passes_by_an_answer, said_by_a_try};

use super::reason::Reason;
use crate::error::Error;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::ErrorKind;

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
    "KMSThrottlingException",
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
        SdkError::TimeoutError(_) => true,
        // Cut off on its way, or not in a form of AWS': then its status tells.
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            answer.raw().body().bytes().is_none()
                || !(300..500).contains(&status)
                || [408, 429].contains(&status)
        }
        // What the connector gives a kind of its own is a connection that was closed before the answer.
        SdkError::DispatchFailure(failure) => {
            let other = failure.as_connector_error().and_then(|error| error.as_other());
            failure.is_io() || failure.is_timeout() || other == Some(ErrorKind::TransientError)
        }
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

/// Whether a reason, which begins with its code, is that there were too many calls or records.
pub fn is_of_throttling(reason: &str) -> bool {
    THROTTLES.contains(&reason.split([':', ' ']).next().unwrap_or_default())
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

/// Whether a change set, or a whole operation, failed because a validation or a hook refused it, which only
/// DescribeEvents explains.
pub fn is_failed_validation(reason: &str) -> bool {
    const TEXTS: &[&str] = &["AWS::EarlyValidation", "hook(s)/validation failed", "Call DescribeEvents"];
    TEXTS.iter().any(|text| reason.contains(text))
}

/// Whether a bucket couldn't be deleted because something lies in it.
pub fn is_bucket_not_empty(reason: &str) -> bool {
    reason.contains("BucketNotEmpty") || reason.contains("bucket you tried to delete is not empty")
}

#[cfg(test)]
mod tests;
