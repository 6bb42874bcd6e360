//! Root cause: one failure out of a stream of events, in words. Pure: failures in, a diagnosis out.

mod causes;
mod denial;
mod parts;
pub(super) mod quota;
#[cfg(test)]
mod tests;
mod words;

use super::plan::Operation;
use super::watch::{Failure, first_cause};
use crate::cloud::reason::Reason;
use crate::environment::Environment;
use crate::settings::Invocation;
use serde::Serialize;

/// Why an operation failed, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Diagnosis {
    /// Stable, for scripts; `unknown` where the cause is none that we know. An event's `code` is its own name, so
    /// that this one is called `cause` there.
    #[serde(rename = "cause")]
    pub code: &'static str,
    /// The resource's name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// The property of the template that it is about, where it is about one.
    pub property: Option<String>,
    /// AWS' own sentence, without ids.
    pub sentence: String,
    /// What it means in this pipeline. Empty for an unknown cause.
    pub meaning: String,
    /// What to do: whole sentences, the likeliest first.
    pub remedies: Vec<String>,
    /// Whether the same operation is likely to go through in a minute without any change.
    pub retry: bool,
}

/// What a diagnosis has to know of the operation.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// The region.
    pub region: &'a str,
    /// The account, where it is known.
    pub account: Option<&'a str>,
    /// How the next command is typed.
    pub invocation: &'a Invocation,
    /// What CloudFormation was asked to do.
    pub operation: Operation,
}

/// What the words for one reason consist of.
struct Words {
    code: &'static str,
    property: Option<String>,
    meaning: String,
    remedies: Vec<String>,
}

/// The cause among these failures, earliest first, in words. `None` where nothing failed.
pub fn diagnose(failures: &[Failure], facts: &Facts) -> Option<Diagnosis> {
    let failure = cause(failures, facts.operation)?;
    let reason = reason(failure);
    let Words { code, property, meaning, remedies } = words::of(&reason, failure, facts);
    Some(Diagnosis {
        code,
        logical_id: failure.logical_id.clone(),
        resource_type: failure.resource_type.clone(),
        property,
        sentence: Reason::sentence(&failure.reason),
        meaning,
        remedies,
        retry: match reason {
            // What is deleted needs no role any more.
            Reason::IamRace => facts.operation != Operation::Delete,
            // Others' streams get done, and a zip that was taken away is uploaded again.
            Reason::StreamsAtOnce | Reason::CodeMissing { denied: false, .. } => true,
            _ => false,
        },
    })
}

fn reason(failure: &Failure) -> Reason {
    Reason::of(&failure.reason, &failure.resource_type)
}

/// The failure that all others followed from.
///
/// Until CloudFormation cancels what else is under way and rolls back, it has not noticed a failure: what fails
/// before that fails at the same instant, and then a cause that is known tells more than one that isn't. (A
/// deletion cancels nothing.) A stack fails because something in it did, so it has a say only when nothing
/// else has.
fn cause(failures: &[Failure], operation: Operation) -> Option<&Failure> {
    let is_stack = |failure: &Failure| failure.resource_type == "AWS::CloudFormation::Stack";
    let is_cancelled = |failure: &Failure| reason(failure) == Reason::Cancelled;
    let is_own = |failure: &Failure| !is_stack(failure) && !is_cancelled(failure);
    if let Some(first) = failures.iter().position(|failure| is_own(failure) && !failure.reason.is_empty()) {
        let later = &failures[first..];
        let noticed = later.iter().position(|failure| !is_own(failure)).unwrap_or(1);
        let instant = if operation == Operation::Delete { 1 } else { noticed };
        let known = later[..instant].iter().find(|failure| reason(failure) != Reason::Unknown);
        return known.or(Some(&failures[first]));
    }
    let is_said_by_stack = |failure: &&Failure| is_stack(failure) && !is_cancelled(failure);
    let silent = failures.iter().find(|failure| is_own(failure));
    let all: Vec<&Failure> = failures.iter().collect();
    silent.or_else(|| failures.iter().find(is_said_by_stack)).or_else(|| first_cause(&all))
}
