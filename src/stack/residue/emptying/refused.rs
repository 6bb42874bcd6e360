//! Keys that S3 refused to delete, inside a 200.

use crate::error::{Error, Kind};

/// Keys that are named; the rest is counted.
const NAMED: usize = 3;
/// Reasons that are told; the rest is left out.
const TOLD: usize = 3;

/// What S3 says of one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyError {
    /// The key.
    pub key: String,
    /// The id of its version.
    pub id: Option<String>,
    /// For instance `AccessDenied`.
    pub code: String,
    /// S3's own sentence.
    pub message: String,
}

impl KeyError {
    /// Whether S3 only stumbled over it.
    pub fn may_pass(&self) -> bool {
        ["InternalError", "ServiceUnavailable"].contains(&self.code.as_str()) || self.is_throttle()
    }

    /// Whether it was too much for S3.
    pub fn is_throttle(&self) -> bool {
        self.code == "SlowDown"
    }
}

/// All that stays, in a few words however much it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    versions: u64,
    keys: Vec<String>,
    reasons: Vec<String>,
    denied: bool,
}

impl Refused {
    /// One more.
    pub fn add(&mut self, error: KeyError) {
        self.versions += 1;
        self.denied |= error.code == "AccessDenied";
        if self.keys.len() < NAMED && !self.keys.contains(&error.key) {
            self.keys.push(error.key);
        }
        let reason = format!("{}: {}", error.code, error.message);
        if self.reasons.len() < TOLD && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// The error that it amounts to. None where nothing was refused.
    pub fn error(&self, bucket: &str) -> Option<Error> {
        if self.versions == 0 {
            return None;
        }
        let (versions, keys) = (self.versions, self.keys.join(", "));
        let message =
            format!("S3 refused to delete {versions} of the objects in {bucket}, among them {keys}");
        let kind = if self.denied { Kind::Credentials } else { Kind::Failed };
        let remedy =
            "Objects under a lock or a legal hold can't be deleted before it ends; else run it again.";
        Some(Error::new(kind, message).because(self.reasons.join("; ")).remedy(remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(key: u32, code: &str) -> KeyError {
        KeyError {
            key: format!("rows/{key}"),
            code: code.to_owned(),
            message: format!("{code}, says S3."),
            ..KeyError::default()
        }
    }

    #[test]
    fn many_keys_are_counted_the_first_are_named_and_each_reason_is_told_once() {
        let mut all = Refused::default();
        assert_eq!(all.error("b"), None);
        (0..1_000).for_each(|key| all.add(refused(key, "AccessDenied")));
        all.add(refused(7, "InternalError"));
        let error = all.error("b").unwrap();
        assert_eq!(error.kind, Kind::Credentials);
        assert_eq!(
            error.message,
            "S3 refused to delete 1001 of the objects in b, among them rows/0, rows/1, rows/2"
        );
        let cause = "AccessDenied: AccessDenied, says S3.; InternalError: InternalError, says S3.";
        assert_eq!(error.cause.as_deref(), Some(cause));
    }

    #[test]
    fn only_what_s3_stumbled_over_may_pass() {
        for (code, passes) in
            [("InternalError", true), ("SlowDown", true), ("AccessDenied", false), ("NoSuchVersion", false)]
        {
            assert_eq!(refused(1, code).may_pass(), passes, "{code}");
        }
    }
}
