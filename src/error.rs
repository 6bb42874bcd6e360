//! Every way in which a command can end other than well, with its exit code.
//!
//! Functions return [`anyhow::Result`]. Where it matters *how* a thing failed, the error inside is an
//! [`Error`] of this module: what, why, what next. Anything else counts as [`Kind::Failed`].

use serde::Serialize;
use std::fmt;

/// How a command failed. The kind alone decides the exit code, which scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// None of the kinds below.
    Failed,
    /// What was typed, or what stands in the file, breaks a rule. Nothing was called.
    BadInput,
    /// Credentials are missing, have expired, or lack a permission.
    Credentials,
    /// CloudFormation ended the operation without reaching what was asked for.
    DeploymentFailed,
    /// It needs consent that nobody gave, or it belongs to somebody else.
    Refused,
    /// There is no environment of that name.
    NoSuchEnvironment,
    /// Time ran out here; the operation goes on in the account.
    TimedOut,
    /// The environment is gone, but something of it was left behind.
    Leftovers,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Kind {
    /// The exit code of the process.
    pub const fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::BadInput => 2,
            Kind::Credentials => 3,
            Kind::DeploymentFailed => 4,
            Kind::Refused => 5,
            Kind::NoSuchEnvironment => 6,
            Kind::TimedOut => 7,
            Kind::Leftovers => 8,
            Kind::Interrupted => 130,
            Kind::Terminated => 143,
        }
    }
}

/// A failure that a person can act on: what happened, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Error {
    /// Decides the exit code.
    pub kind: Kind,
    /// What happened, in one line: lower case, no full stop, naming the wrong value.
    pub message: String,
    /// Why, in the words of whoever refused, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What that means here, where the cause is one that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    /// What to do about it: at most a few whole sentences or commands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
}

impl Error {
    /// An error of this kind, with its one-line message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), cause: None, meaning: None, remedies: Vec::new() }
    }

    /// Adds the reason that somebody else gave.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds what the reason means here.
    #[must_use]
    pub fn meaning(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = Some(meaning.into()).filter(|meaning| !meaning.is_empty());
        self
    }

    /// Adds one thing to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedies.push(remedy.into());
        self
    }

    /// What a command ended with, as one of ours: the first [`Error`] in the chain, or, where there is
    /// none, the whole chain as a plain failure.
    pub fn of(error: &anyhow::Error) -> Error {
        if let Some(known) = error.downcast_ref::<Error>() {
            return known.clone();
        }
        let mut chain = error.chain().map(ToString::to_string);
        let message = chain.next().unwrap_or_else(|| "failed".to_owned());
        let causes: Vec<String> = chain.collect();
        let failed = Error::new(Kind::Failed, message);
        if causes.is_empty() { failed } else { failed.because(causes.join(": ")) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let codes = [
            (Kind::Failed, 1),
            (Kind::BadInput, 2),
            (Kind::Credentials, 3),
            (Kind::DeploymentFailed, 4),
            (Kind::Refused, 5),
            (Kind::NoSuchEnvironment, 6),
            (Kind::TimedOut, 7),
            (Kind::Leftovers, 8),
            (Kind::Interrupted, 130),
            (Kind::Terminated, 143),
        ];
        for (kind, code) in codes {
            assert_eq!(kind.exit_code(), code, "{kind:?}");
        }
    }

    #[test]
    fn context_added_on_the_way_up_does_not_hide_the_kind() {
        let error =
            Err::<(), _>(anyhow::Error::new(Error::new(Kind::Refused, "not ours"))).context("while looking");
        assert_eq!(Error::of(&error.unwrap_err()).kind, Kind::Refused);
    }

    #[test]
    fn an_unknown_error_keeps_its_whole_chain() {
        let error = std::fs::read("/nonexistent/file").context("cannot read the file").unwrap_err();
        let error = Error::of(&error);
        assert_eq!(error.kind, Kind::Failed);
        assert_eq!(error.message, "cannot read the file");
        assert!(error.cause.unwrap().contains("No such file"));
    }
}
