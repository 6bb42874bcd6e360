//! Why the transform refuses a record.

use std::fmt;

/// Why the transform refuses a record. Never holds a record's contents, so it can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The decoded bytes are not UTF-8.
    NotUtf8,
    /// The decoded text is not one JSON value.
    NotJson,
    /// The decoded JSON value is not an object.
    NotAnObject,
}

impl Reason {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not UTF-8",
            Self::NotJson => "not JSON",
            Self::NotAnObject => "not a JSON object",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Reason {}
