//! What CloudFormation's reasons for a failed resource amount to. The one place that matches their text:
//! there is no code for them. What isn't surely one of these is unknown, and is never guessed.

mod denial;
mod taken;
mod text;

pub use denial::{Denial, Policy};
pub use taken::{Holder, Limit};

use text::{Told, after, bare, word};

/// Why a resource failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// IAM has not yet spread a role that was made a moment ago. A role that can't be assumed at all gives the
    /// same text at first.
    IamRace,
    /// Something has the name already.
    NameTaken {
        /// The name, where the text tells it.
        name: Option<String>,
        /// Who has it.
        by: Holder,
    },
    /// A quota of the account is reached.
    Quota {
        /// Of what.
        limit: Limit,
        /// How much it is, where the text tells it.
        value: Option<u64>,
    },
    /// Kinesis makes and deletes only a few streams at once.
    StreamsAtOnce,
    /// A permission is missing.
    NotAuthorized(Denial),
    /// A policy forbids it.
    ExplicitDeny(Denial),
    /// A key of KMS can't be used.
    KmsDenied {
        /// What was refused, where the text tells it.
        action: Option<String>,
        /// The key, or what it was meant for.
        key: Option<String>,
    },
    /// The account's concurrency is too small for the reservation.
    ConcurrencyOfNewAccount,
    /// Lambda can't read the processor's zip.
    CodeUnreadable,
    /// The processor's zip is too large.
    CodeTooLarge,
    /// Lambda doesn't have this runtime or architecture.
    RuntimeRefused,
    /// The processor's zip isn't where it was put.
    CodeMissing {
        /// Whether it may be there, and S3 refused to show it.
        denied: bool,
        /// Bucket and key, where the text tells them.
        object: Option<String>,
    },
    /// A bucket with something in it can't be deleted.
    BucketNotEmpty,
    /// An object is under a lock or a legal hold.
    ObjectLock,
    /// A property's value is refused.
    InvalidProperty {
        /// The property, as the template calls it.
        property: String,
    },
    /// The number of shards can at most double, or halve, at once.
    ShardStep,
    /// AWS is throttling the account.
    Throttled,
    /// It didn't become ready in time.
    NotStabilized,
    /// The service failed, not the request.
    ServiceFailure,
    /// The stack's own policy forbids the change.
    StackPolicyDenied,
    /// Something still uses or holds it.
    InUse,
    /// Another operation on the same thing, or its deletion, isn't over.
    Busy,
    /// It was deleted outside the stack.
    Gone,
    /// A hook of the organization refused it.
    HookRefused,
    /// The account isn't set up for the service, or not yet.
    AccountNotReady,
    /// The credentials ran out while the operation went on.
    CredentialsExpired,
    /// The credentials are none that AWS knows.
    CredentialsInvalid,
    /// Called off, because something else failed or somebody said so.
    Cancelled,
    /// Anything else.
    Unknown,
}

impl Reason {
    /// What this text amounts to, about a resource of this type.
    pub fn of(text: &str, resource_type: &str) -> Reason {
        let told = Told::of(text);
        if told.lower.is_empty() {
            return Reason::Unknown;
        }
        if is_cancelled(&told) {
            return Reason::Cancelled;
        }
        let access = || of_access(&told, resource_type);
        let processor = || of_processor(&told, resource_type);
        let operation = || of_operation(&told);
        let name = || taken::name_taken(&told).map(|(name, by)| Reason::NameTaken { name, by });
        let quota =
            || taken::quota(&told, resource_type).map(|(limit, value)| Reason::Quota { limit, value });
        let property = || taken::property(&told).map(|property| Reason::InvalidProperty { property });
        // The precise ones first: a handler's code is the vaguest that a text can say.
        access()
            .or_else(processor)
            .or_else(operation)
            .or_else(name)
            .or_else(quota)
            .or_else(property)
            .or_else(|| of_handler(&told))
            .unwrap_or(Reason::Unknown)
    }

    /// AWS' own sentence: the text without what CloudFormation wraps around it, and without ids.
    pub fn sentence(text: &str) -> String {
        Told::of(text).sentence
    }
}

fn is_cancelled(told: &Told) -> bool {
    const WORDS: &[&str] =
        &["creation cancelled", "update cancelled", "deletion cancelled", "delete cancelled"];
    // A stack says the latter of an operation that somebody called off, and of any that somebody began.
    told.says(WORDS) && told.lower.starts_with("resource ") || told.lower.starts_with("user initiated")
}

/// Who may do what, and who is it.
fn of_access(told: &Told, resource_type: &str) -> Option<Reason> {
    if told.says(&["the following hook(s)", "hook failed with message"]) {
        return Some(Reason::HookRefused);
    }
    // An access that is denied, but not for want of a permission.
    if told.says(&["protected by object lock", "under a legal hold"]) {
        return Some(Reason::ObjectLock);
    }
    if told.says(&["denied by stack policy"]) {
        return Some(Reason::StackPolicyDenied);
    }
    if told.says(&["security token included in the request is expired", "provided token has expired"])
        || told.is_called(&["ExpiredToken", "ExpiredTokenException"])
    {
        return Some(Reason::CredentialsExpired);
    }
    // Only where a service takes on a role of the stack can this be the race.
    let takes_role =
        matches!(resource_type, "AWS::KinesisFirehose::DeliveryStream" | "AWS::Lambda::Function");
    if told.says(&["security token included in the request is invalid"]) {
        return Some(if takes_role { Reason::IamRace } else { Reason::CredentialsInvalid });
    }
    if takes_role
        && told.says(&[
            "firehose is unable to assume role",
            "the role defined for the function cannot be assumed by lambda",
        ])
    {
        return Some(Reason::IamRace);
    }
    if told.says(&["needs a subscription for the service", "is being validated", "pending verification"]) {
        return Some(Reason::AccountNotReady);
    }
    if let Some(reason) = artifact(told) {
        return Some(reason);
    }
    let found = denial::denial(told);
    let kms_action = |(denial, explicit): &(Denial, bool)| {
        !explicit && denial.action.as_deref().is_some_and(|action| action.starts_with("kms:"))
    };
    if found.as_ref().is_some_and(kms_action) || is_kms(told) {
        let denial = found.map(|(denial, _)| denial);
        let key = denial.as_ref().and_then(|denial| denial.resource.clone());
        let key = key.or_else(|| after(&told.sentence, "with Arn '").map(|rest| bare(rest).to_owned()));
        return Some(Reason::KmsDenied { action: denial.and_then(|denial| denial.action), key });
    }
    let (denial, explicit) = found?;
    if !explicit
        && resource_type == "AWS::KinesisFirehose::DeliveryStream"
        && is_reading_of_the_stream(&denial)
    {
        return Some(Reason::IamRace);
    }
    Some(if explicit { Reason::ExplicitDeny(denial) } else { Reason::NotAuthorized(denial) })
}

/// Whether it is the delivery stream's role, or nobody who is named, that can't describe the data stream yet.
fn is_reading_of_the_stream(denial: &Denial) -> bool {
    let by_role = denial.principal.as_deref().is_none_or(|principal| principal.contains("-delivery-"));
    // A boundary or an organization's policy doesn't come with time.
    let may_come = matches!(denial.policy, Policy::Identity | Policy::Resource | Policy::Unsaid);
    denial.action.as_deref() == Some("kinesis:DescribeStream") && by_role && may_come
}

fn is_kms(told: &Told) -> bool {
    let about_key = told.says(&["kms key", "kms error code", "kms exception", "kms access"]);
    let refused = told.says(&[
        "does not exist or is not allowed",
        "access was denied",
        "accessdenied",
        "access denied",
        "key is invalid",
        "is disabled",
    ]);
    about_key && refused || told.code.as_deref().is_some_and(|code| code.starts_with("KMS"))
}

/// The processor's zip, as Lambda looks for it.
fn artifact(told: &Told) -> Option<Reason> {
    if told.says(&["s3 error code: nosuchkey", "s3 error code: nosuchbucket"]) {
        return Some(Reason::CodeMissing { denied: false, object: None });
    }
    if told.says(&["has been denied by s3"]) {
        let object = after(&told.sentence, "GetObject for ").map(|rest| bare(word(rest, &[' '])).to_owned());
        return Some(Reason::CodeMissing { denied: true, object });
    }
    None
}

/// What only a function can be refused for.
fn of_processor(told: &Told, resource_type: &str) -> Option<Reason> {
    if resource_type != "AWS::Lambda::Function" {
        return None;
    }
    if told.says(&["unreservedconcurrentexecution below its minimum"]) {
        return Some(Reason::ConcurrencyOfNewAccount);
    }
    if told.says(&["could not unzip uploaded file", "must be a non-empty zip"]) {
        return Some(Reason::CodeUnreadable);
    }
    if told.says(&["unzipped size must be smaller than", "request must be smaller than"]) {
        return Some(Reason::CodeTooLarge);
    }
    let no_longer = told.says(&["the runtime parameter of"]) && told.says(&["no longer supported"]);
    let never = told.says(&["at 'runtime' failed", "at 'architectures' failed"])
        || told.says(&["architecture"]) && told.says(&["is not supported in"]);
    (no_longer || never).then_some(Reason::RuntimeRefused)
}

/// What the thing's present state doesn't let happen.
fn of_operation(told: &Told) -> Option<Reason> {
    if told.says(&["bucket you tried to delete is not empty"]) || told.is_called(&["BucketNotEmpty"]) {
        return Some(Reason::BucketNotEmpty);
    }
    if told.says(&["simultaneously be in creating"]) {
        return Some(Reason::StreamsAtOnce);
    }
    if told.says(&["updateshardcount cannot scale"]) {
        return Some(Reason::ShardStep);
    }
    if told.says(&["conflicting conditional operation", "conflicting operation is currently in progress"])
        || told.says(&["not in active state", "in state creating", "in state deleting", "in state updating"])
        || told.says(&["an update is in progress for resource"])
        || told.is_called(&["OperationAborted", "OperationAbortedException"])
    {
        return Some(Reason::Busy);
    }
    if told.says(&["cannot delete entity, must", "has registered consumers", "deletion protection"])
        || told.is_called(&["DeleteConflict"])
    {
        return Some(Reason::InUse);
    }
    if told.says(&["rate exceeded", "throttl", "too many requests", "reduce your request rate"]) {
        return Some(Reason::Throttled);
    }
    const LATE: &[&str] =
        &["did not stabilize", "exceeded attempts to wait", "timed out waiting for", "failed to stabilize"];
    told.says(LATE).then_some(Reason::NotStabilized)
}

/// What the handler's code alone tells.
fn of_handler(told: &Told) -> Option<Reason> {
    let missing = told.says(&["not found", "cannot be found", "does not exist"]);
    Some(match told.handler.as_deref() {
        Some("Throttling") => Reason::Throttled,
        Some("NotStabilized") => Reason::NotStabilized,
        Some("ServiceInternalError" | "InternalFailure" | "NetworkFailure") => Reason::ServiceFailure,
        Some("ResourceConflict") => Reason::Busy,
        Some("NotFound") if missing => Reason::Gone,
        _ if told.status.is_some_and(|status| status >= 500) => Reason::ServiceFailure,
        _ if told.says(&["internal failure", "internal error occurred", "internalfailure"]) => {
            Reason::ServiceFailure
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELIVERY: &str = "AWS::KinesisFirehose::DeliveryStream";
    const STREAM: &str = "AWS::Kinesis::Stream";
    const FUNCTION: &str = "AWS::Lambda::Function";

    #[test]
    fn the_four_texts_of_the_race_are_the_race_only_where_a_role_is_taken_on() {
        for text in [
            "Firehose is unable to assume role arn:aws:iam::123456789012:role/r. Please check the role provided.",
            "The security token included in the request is invalid",
            "Role arn:aws:iam::123456789012:role/kinesis-stack-dev-delivery-us-east-1 is not authorized to perform: kinesis:DescribeStream on resource: arn:aws:kinesis:us-east-1:123456789012:stream/kinesis-stack-dev.",
        ] {
            assert_eq!(Reason::of(text, DELIVERY), Reason::IamRace, "{text}");
            assert_ne!(Reason::of(text, STREAM), Reason::IamRace, "{text}");
        }
        let lambda = "The role defined for the function cannot be assumed by Lambda.";
        assert_eq!(Reason::of(lambda, FUNCTION), Reason::IamRace);
    }

    #[test]
    fn what_no_time_will_mend_is_not_the_race() {
        let user = "User: arn:aws:sts::123456789012:assumed-role/kinesis-stack-dev-delivery-us-east-1/x is not authorized to perform: kinesis:DescribeStream on resource: arn:aws:kinesis:us-east-1:123456789012:stream/kinesis-stack-dev";
        for end in [
            "with an explicit deny in a service control policy",
            "because no permissions boundary allows the kinesis:DescribeStream action",
        ] {
            assert_ne!(Reason::of(&format!("{user} {end}"), DELIVERY), Reason::IamRace, "{end}");
        }
        let caller = user.replace("kinesis-stack-dev-delivery-us-east-1", "deployer");
        assert!(matches!(Reason::of(&caller, DELIVERY), Reason::NotAuthorized(_)));
    }

    #[test]
    fn a_denial_is_read_in_full() {
        let text = r#"Resource handler returned message: "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: s3:CreateBucket on resource: "arn:aws:s3:::kinesis-stack-1" because no identity-based policy allows the s3:CreateBucket action (Service: S3, Status Code: 403, Request ID: X)" (RequestToken: Y, HandlerErrorCode: AccessDenied)"#;
        let Reason::NotAuthorized(denial) = Reason::of(text, "AWS::S3::Bucket") else { panic!() };
        assert_eq!(denial.principal.as_deref(), Some("arn:aws:iam::123456789012:user/ann"));
        assert_eq!(denial.action.as_deref(), Some("s3:CreateBucket"));
        assert_eq!(denial.resource.as_deref(), Some("arn:aws:s3:::kinesis-stack-1"));
        assert_eq!(denial.policy, Policy::Identity);
    }

    #[test]
    fn what_nobody_knows_stays_unknown() {
        for text in ["", "Invalid request provided: something", "The limit was quoted", "no"] {
            assert_eq!(Reason::of(text, STREAM), Reason::Unknown, "{text}");
        }
    }
}
