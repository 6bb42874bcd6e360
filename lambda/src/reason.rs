//! Why a record is answered `ProcessingFailed`.

use std::fmt;

/// Why one record is answered `ProcessingFailed`. Never holds a record's contents, so it
/// can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The record has no `data`, or it isn't a string.
    NoData,
    /// `data` is not base64 with its padding.
    NotBase64,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
    /// The decoded text is not one JSON value.
    NotJson,
    /// The decoded JSON value is not an object.
    NotAnObject,
    /// The row no longer fits into the answer.
    AnswerFull,
}

impl Reason {
    /// Every reason, in the order of the checks.
    pub const ALL: [Self; 6] =
        [Self::NoData, Self::NotBase64, Self::NotUtf8, Self::NotJson, Self::NotAnObject, Self::AnswerFull];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoData => "no data",
            Self::NotBase64 => "not base64",
            Self::NotUtf8 => "not UTF-8",
            Self::NotJson => "not JSON",
            Self::NotAnObject => "not a JSON object",
            Self::AnswerFull => "no room left in the answer",
        })
    }
}

impl std::error::Error for Reason {}
