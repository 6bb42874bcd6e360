//! A failed call in words: what it amounts to, and what to do next.

use super::{BUSY, PERMISSIONS, THROTTLES, is_of_credentials, is_transient};
use crate::cloud::credentials::ProfileError;
use crate::cloud::reason::{Denial, Policy, Reason};
use crate::error::{Error, Kind};
use aws_smithy_runtime_api::client::interceptors::context::Error as TypeErasedError;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error as StdError;

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
    let service = error.as_service_error();
    let code = service.and_then(|service| service.code());
    let strange = error.raw_response().filter(|answer| is_not_of_aws(answer, service.is_some(), code));
    if let Some(cause) = strange.map(strange_cause) {
        let failed = Error::new(Kind::Failed, message).because(cause);
        return failed.remedy(match status {
            Some(500..) => "The service, or a proxy on the way to it, is in trouble: run it again in a minute.",
            _ => {
                "A proxy, a captive portal or a wrong endpoint may have answered: look at HTTPS_PROXY and AWS_ENDPOINT_URL."
            }
        });
    }
    if let Some(service) = service {
        let code = code.unwrap_or_default();
        // A HEAD has no body, so no code either: only the status tells.
        let code = match (code, status) {
            ("", Some(403)) => "Forbidden",
            (code, _) => code,
        };
        let text = service.message().unwrap_or_default();
        let failed = of_code(code, text, message).because(cause(code, text, status));
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

/// What a service gave as its reason.
fn cause(code: &str, text: &str, status: Option<u16>) -> String {
    let status = status.unwrap_or_default();
    match (code, text) {
        ("", "") => format!("HTTP {status}"),
        (code, "") => format!("{code} (HTTP {status})"),
        ("", text) => format!("HTTP {status}: {text}"),
        (code, text) => format!("{code}: {text}"),
    }
}

/// Whether an answer that came as a whole has none of AWS' forms. One that was read all the same may be without a word, as
/// answers to HEAD are.
fn is_not_of_aws(answer: &HttpResponse, was_read: bool, code: Option<&str>) -> bool {
    let is_silent = |body: &[u8]| was_read && body.is_empty();
    code.is_none_or(str::is_empty) && answer.body().bytes().is_some_and(|body| !is_silent(body))
}

fn strange_cause(answer: &HttpResponse) -> String {
    format!("what answered (HTTP {}) doesn't speak like AWS", answer.status().as_u16())
}

/// Why one try of a call failed, in the same words. `E` is the operation's own error.
pub fn said_by_a_try<E>(error: &OrchestratorError<TypeErasedError>, answer: Option<&HttpResponse>) -> String
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let status = answer.map(|answer| answer.status().as_u16());
    let service = error.as_operation_error().and_then(|error| error.downcast_ref::<E>());
    let code = service.and_then(|service| service.code());
    match (answer.filter(|answer| is_not_of_aws(answer, service.is_some(), code)), service) {
        (Some(answer), _) => strange_cause(answer),
        (None, Some(service)) => {
            cause(code.unwrap_or_default(), service.message().unwrap_or_default(), status)
        }
        (None, None) => chain(error),
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
    } else if code.starts_with("KMS") {
        Error::new(Kind::Failed, message).remedy(
            "Look at the KMS key: it has to be enabled, and its policy has to allow kms:GenerateDataKey and kms:Decrypt to the caller.",
        )
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
