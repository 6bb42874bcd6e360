//! From bytes to calls, and from replies to bytes, in each service's own format.

pub mod cbor;
mod request;
mod response;
mod xml;

use crate::streaming::Source;
use bytes::Bytes;
pub use request::{call, decoded};
pub use response::{cut, response};
use std::collections::BTreeMap;
use std::sync::Arc;
pub use xml::{between, tag, text};

/// What a handler says: a body, or an error of its service.
pub type Reply = Result<String, Refusal>;

/// A reply with a status and headers of its own, such as S3's objects are told with.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside those of its service.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// Where the body comes from, where it goes on while time passes.
    pub(crate) source: Option<Source>,
}

impl Answer {
    /// An event stream.
    pub(crate) fn of(source: Source) -> Self {
        let headers = vec![("content-type", "application/vnd.amazon.eventstream".to_owned())];
        Answer { status: 200, headers, body: Bytes::new(), source: Some(source) }
    }
}

impl From<String> for Answer {
    fn from(body: String) -> Self {
        Answer { status: 200, body: body.into(), ..Answer::default() }
    }
}

/// One call as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// As in an ARN: `s3`, `cloudformation`.
    pub service: String,
    /// Where it was sent, as its signature says. Empty where it bears none.
    pub region: String,
    /// As the service's model calls it. Of a call that nobody knows: its method and path.
    pub operation: String,
    /// Flat: the members of a list are called `Tags.member.1.Key`, from 1 on, whatever the wire's format.
    pub parameters: BTreeMap<String, String>,
    /// What PutObject and PutRecords bring.
    pub content: Arc<[u8]>,
}

impl Call {
    /// A parameter, empty where it is missing.
    pub fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A parameter, where it was sent and isn't empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A boolean parameter.
    pub fn is(&self, name: &str) -> bool {
        self.get(name) == "true"
    }

    /// Whether it can change anything.
    pub fn changes(&self) -> bool {
        !["Describe", "Filter", "Get", "Head", "List", "StartLiveTail", "SubscribeToShard"]
            .iter()
            .any(|verb| self.operation.starts_with(verb))
    }

    /// The values of a list of strings.
    pub fn list(&self, name: &str) -> Vec<String> {
        let names = (1..).map(|n| format!("{name}.member.{n}"));
        names.map_while(|name| self.parameters.get(&name).cloned()).collect()
    }

    /// The values of a list of structures, such as `Tags.member.1.Key`.
    pub fn pairs(&self, list: &str, key: &str, value: &str) -> BTreeMap<String, String> {
        let names = (1..).map(|n| (format!("{list}.member.{n}.{key}"), format!("{list}.member.{n}.{value}")));
        names
            .map_while(|(key, value)| Some((self.parameters.get(&key)?.clone(), self.get(&value).to_owned())))
            .collect()
    }

    /// The IAM action that allows it.
    ///
    /// Fact: S3's operations and the actions that allow them have different names.
    pub fn action(&self) -> String {
        let action = match self.operation.as_str() {
            "HeadBucket" | "ListObjectsV2" => "ListBucket",
            "HeadObject" => "GetObject",
            "ListObjectVersions" => "ListBucketVersions",
            "DeleteObjects" | "DeleteObject" => "DeleteObjectVersion",
            "ListMultipartUploads" => "ListBucketMultipartUploads",
            "AbortMultipartUpload" => "AbortMultipartUpload",
            "PutPublicAccessBlock" => "PutBucketPublicAccessBlock",
            other => other,
        };
        let service = match self.service.as_str() {
            "tagging" => "tag",
            "monitoring" => "cloudwatch",
            service => service,
        };
        format!("{service}:{action}")
    }
}

/// An error of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error's code. Where it is empty, somebody in between answers with the sentence as it is.
    pub code: String,
    /// The error's sentence.
    pub message: String,
}

impl Refusal {
    /// An error with these.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Refusal { status, code: code.to_owned(), message: message.into() }
    }

    /// What CloudFormation says of a request that it doesn't take.
    pub fn validation(message: impl Into<String>) -> Self {
        Refusal::new(400, "ValidationError", message)
    }

    /// Fact: throttling is `Throttling` or `ThrottlingException`, "Rate exceeded"; S3's is 503 SlowDown.
    pub fn throttled(service: &str) -> Self {
        match service {
            "s3" => Refusal::new(503, "SlowDown", "Please reduce your request rate."),
            "cloudformation" | "iam" | "sts" => Refusal::new(400, "Throttling", "Rate exceeded"),
            "lambda" => Refusal::new(429, "TooManyRequestsException", "Rate exceeded"),
            _ => Refusal::new(400, "ThrottlingException", "Rate exceeded"),
        }
    }

    /// What a service says when it is broken.
    pub fn broken(service: &str) -> Self {
        match service {
            "s3" => Refusal::new(500, "InternalError", "We encountered an internal error. Please try again."),
            _ => Refusal::new(500, "InternalFailure", "An internal error has occurred."),
        }
    }

    /// What every service says to credentials that were good once.
    pub fn expired(service: &str) -> Self {
        match service {
            "s3" => Refusal::new(400, "ExpiredToken", "The provided token has expired."),
            "cloudformation" | "iam" | "sts" => {
                Refusal::new(403, "ExpiredToken", "The security token included in the request is expired")
            }
            _ => Refusal::new(
                400,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
        }
    }

    /// Fact: what every service says in a region that isn't enabled.
    pub fn disabled_region(service: &str) -> Self {
        let message = "The security token included in the request is invalid";
        match service {
            "s3" => {
                Refusal::new(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
            }
            "cloudformation" | "iam" | "sts" => Refusal::new(403, "InvalidClientTokenId", message),
            "lambda" => Refusal::new(403, "UnrecognizedClientException", message),
            _ => Refusal::new(400, "UnrecognizedClientException", message),
        }
    }

    /// Fact: a missing permission is told with the caller, the action, the resource and the kind of policy.
    pub fn denied(caller: &str, action: &str, resource: &str) -> Self {
        let message = format!(
            "User: {caller} is not authorized to perform: {action} on resource: {resource} because no \
             identity-based policy allows the {action} action"
        );
        let (status, code) = match action.split(':').next() {
            Some("s3" | "cloudformation" | "iam" | "sts") => (403, "AccessDenied"),
            Some("lambda") => (403, "AccessDeniedException"),
            _ => (400, "AccessDeniedException"),
        };
        Refusal::new(status, code, message)
    }
}
