//! Turns what the SDK says of a failed call into one of our kinds. The one place that matches error text.

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

/// Codes that mean: these credentials are no longer good, or never were.
const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "AuthFailure",
    "InvalidToken",
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

/// What a failed call amounts to. `doing` completes the sentence "cannot …".
pub fn explain<E>(error: SdkError<E, HttpResponse>, doing: &str) -> anyhow::Error
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
        let cause = match service.message() {
            Some(text) => format!("{code}: {text}"),
            None => format!("{code} (HTTP {})", status.unwrap_or_default()),
        };
        return of_code(code, message).because(cause).into();
    }
    let chain = chain(&error);
    // The SDK has no variant for it: a missing credential is a failed dispatch or construction with this text.
    if chain.contains("credential") || chain.contains("identity") {
        return Error::new(Kind::Credentials, message)
            .because(chain)
            .remedy("Log in (aws sso login), set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
            .remedy("Or use --local: the local cloud needs no credentials.")
            .into();
    }
    Error::new(Kind::Failed, message).because(chain).into()
}

fn of_code(code: &str, message: String) -> Error {
    if CREDENTIALS.contains(&code) {
        Error::new(Kind::Credentials, message).remedy(
            "Renew the credentials (aws sso login), or choose others with --profile, and run it again.",
        )
    } else if PERMISSIONS.contains(&code) {
        Error::new(Kind::Credentials, message)
            .remedy("Ask for the permission that is named above, or choose another --profile.")
    } else if THROTTLES.contains(&code) {
        Error::new(Kind::Failed, message).remedy("AWS is throttling this account: run it again in a minute.")
    } else {
        Error::new(Kind::Failed, message)
    }
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
            status >= 500
                || status == 429
                || service.err().code().is_some_and(|code| THROTTLES.contains(&code))
        }
        _ => false,
    }
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
            && denied.is_none_or(|code| !CREDENTIALS.contains(&code))
}

/// Whether a call failed because somebody else acted on the same stack in between: a look at it tells more.
pub fn is_overtaken(error: &anyhow::Error) -> bool {
    const CODES: &[&str] = &["ChangeSetNotFound", "InvalidChangeSetStatus", "AlreadyExistsException"];
    let cause = Error::of(error).cause.unwrap_or_default();
    CODES.iter().any(|code| cause.starts_with(code))
}

/// Whether a change set failed only because there was nothing to change.
pub fn is_no_changes(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// Whether a bucket couldn't be deleted because something lies in it.
pub fn is_bucket_not_empty(reason: &str) -> bool {
    reason.contains("BucketNotEmpty") || reason.contains("bucket you tried to delete is not empty")
}

/// An error and all its causes, without saying anything twice.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_set_that_somebody_elses_made_void_is_told_from_a_real_failure() {
        let failed = |cause: &str| Error::new(Kind::Failed, "cannot execute").because(cause).into();
        assert!(is_overtaken(&failed("ChangeSetNotFound: ChangeSet [up-1] does not exist")));
        assert!(is_overtaken(&failed("InvalidChangeSetStatus: cannot be executed in its current status")));
        assert!(!is_overtaken(&failed("ValidationError: Template error")));
    }
}
