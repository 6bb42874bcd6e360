//! Reads who was refused what, on what, and by which kind of policy.
//! The texts: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.

use super::text::{Told, after, bare, between, word};

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The ARN of whoever called.
    pub principal: Option<String>,
    /// For instance `kinesis:CreateStream`.
    pub action: Option<String>,
    /// On what.
    pub resource: Option<String>,
    /// Where the permission is missing, or denied.
    pub policy: Policy,
    /// Whether it was about tags, where the text doesn't name the action.
    pub tagging: bool,
}

/// A kind of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// On the user or the role.
    Identity,
    /// What a user's or a role's policies can give at most.
    Boundary,
    /// Handed in when the session began.
    Session,
    /// On the thing itself, for instance a bucket's.
    Resource,
    /// A service control policy: the organization's, on the account.
    Scp,
    /// A resource control policy: the organization's, on the account's resources.
    Rcp,
    /// On the VPC endpoint that the call came through.
    Endpoint,
    /// S3's block on public policies.
    PublicAccess,
    /// AWS doesn't say.
    Unsaid,
}

/// The refusal in this text, and whether it was an explicit one.
pub(super) fn denial(told: &Told) -> Option<(Denial, bool)> {
    let text = told.sentence.as_str();
    const CODES: &[&str] = &[
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedTaggingOperation",
        "UnauthorizedOperation",
        "InvalidCredentials",
    ];
    const TEXTS: &[&str] = &["not authorized to perform", "access denied", "explicit deny"];
    if !told.is_called(CODES) && !told.says(TEXTS) {
        return None;
    }
    let denial = Denial {
        principal: principal(text),
        action: action(text),
        resource: resource(text),
        policy: policy(told),
        tagging: told.is_called(&["UnauthorizedTaggingOperation"]) || told.says(&["tagging operation"]),
    };
    Some((denial, told.says(&["explicit deny"])))
}

fn principal(text: &str) -> Option<String> {
    let arn = after(text, "User: ").or_else(|| after(text, "Role ")).map(|rest| word(rest, &[' ']))?;
    arn.starts_with("arn:").then(|| bare(arn).to_owned())
}

fn action(text: &str) -> Option<String> {
    let places = [
        between(text, "additional permission \"", "\""),
        after(text, "not authorized to perform: "),
        after(text, "not authorized to perform "),
        after(text, "no permission to perform: "),
        after(text, "API: "),
    ];
    let words = places.into_iter().flatten().map(|rest| bare(word(rest, &[' '])));
    let is_action = |word: &&str| {
        word.split_once(':').is_some_and(|(service, call)| {
            let plain = |part: &str| {
                !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-*".contains(c))
            };
            plain(service) && plain(call)
        })
    };
    words.into_iter().find(is_action).map(str::to_owned)
}

fn resource(text: &str) -> Option<String> {
    let rest = after(text, "on resource: ").or_else(|| after(text, "on resource "))?;
    let ends = [" because ", " with an explicit deny", " as ", " ("];
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    let resource = bare(&rest[..end]);
    (!resource.is_empty()).then(|| resource.to_owned())
}

fn policy(told: &Told) -> Policy {
    let kinds: &[(&str, Policy)] = &[
        ("service control policy", Policy::Scp),
        ("resource control policy", Policy::Rcp),
        ("permissions boundary", Policy::Boundary),
        ("session policy", Policy::Session),
        ("vpc endpoint policy", Policy::Endpoint),
        ("resource-based policy", Policy::Resource),
        ("identity-based policy", Policy::Identity),
        ("blockpublicpolicy", Policy::PublicAccess),
    ];
    let found = kinds.iter().find(|(words, _)| told.lower.contains(words));
    found.map_or(Policy::Unsaid, |(_, policy)| *policy)
}
