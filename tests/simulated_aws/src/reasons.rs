//! Sentences in which AWS says why a resource can't be made, for [`Script::failing`](crate::Script::failing).

use crate::ACCOUNT;

/// Fact: right after a role was made, Firehose may not be able to assume it yet.
pub fn role_not_assumable_by_firehose(role: &str) -> String {
    format!(
        "Firehose is unable to assume role arn:aws:iam::{ACCOUNT}:role/{role}. Please check the role provided. \
         (Service: Firehose, Status Code: 400, Request ID: 5f7c6d1e)"
    )
}

/// Fact: right after a role's policy was made, Firehose may not see it yet.
pub fn role_without_permission(role: &str) -> String {
    format!(
        "Role arn:aws:iam::{ACCOUNT}:role/{role} is not authorized to perform: kinesis:DescribeStream on \
         the source stream. (Service: Firehose, Status Code: 400, Request ID: 5f7c6d1e)"
    )
}

/// Fact: right after a role was made, its credentials may not be known everywhere.
pub fn invalid_security_token() -> String {
    "The security token included in the request is invalid (Service: Firehose, Status Code: 400, Request ID: \
     5f7c6d1e)"
        .to_owned()
}

/// Fact: right after a role was made, Lambda may not be able to assume it yet.
pub fn role_not_assumable_by_lambda() -> String {
    "The role defined for the function cannot be assumed by Lambda. (Service: Lambda, Status Code: 400, Request \
     ID: 5f7c6d1e)"
        .to_owned()
}

/// Fact: at most so many of a kind exist in an account and region.
pub fn quota(kind: &str) -> String {
    format!(
        "Resource handler returned message: \"You have reached the limit of {kind} in this account and region. \
         Request a limit increase. (Service: Firehose, Status Code: 400, Request ID: 5f7c6d1e)\" \
         (HandlerErrorCode: ServiceLimitExceeded)"
    )
}

/// What CloudFormation says when whoever it acts for lacks a permission.
pub fn no_permission(caller: &str, action: &str, resource: &str) -> String {
    format!(
        "Resource handler returned message: \"User: {caller} is not authorized to perform: {action} on \
         resource: {resource} because no identity-based policy allows the {action} action\" \
         (HandlerErrorCode: AccessDenied)"
    )
}

/// What it says when the organization forbids it: no policy of the account can help.
pub fn forbidden_by_organization(caller: &str, action: &str, resource: &str) -> String {
    format!(
        "Resource handler returned message: \"User: {caller} is not authorized to perform: {action} on \
         resource: {resource} with an explicit deny in a service control policy\" (HandlerErrorCode: AccessDenied)"
    )
}

/// What it says when a KMS key may not be used.
pub fn no_key(key: &str) -> String {
    format!(
        "Resource handler returned message: \"The ciphertext refers to a customer master key that does not exist, \
         does not exist in this region, or you are not allowed to access: {key} (Service: Kms, Status Code: 400, \
         Request ID: 5f7c6d1e)\" (HandlerErrorCode: AccessDenied)"
    )
}

/// Fact: new accounts may have concurrency 10: a reservation then fails.
pub fn no_concurrency() -> String {
    "Resource handler returned message: \"Specified ReservedConcurrentExecutions for function decreases account's \
     UnreservedConcurrentExecution below its minimum value of [10]. (Service: Lambda, Status Code: 400, Request ID: \
     5f7c6d1e)\" (HandlerErrorCode: InvalidRequest)"
        .to_owned()
}

/// Fact: CloudFormation can't delete a bucket that isn't empty.
pub fn bucket_not_empty() -> String {
    "Resource handler returned message: \"The bucket you tried to delete is not empty (Service: S3, Status Code: \
     409, Request ID: 8K2S4X)\" (HandlerErrorCode: GeneralServiceException)"
        .to_owned()
}

/// Fact: a deleted bucket's name can stay taken for up to an hour.
pub fn bucket_name_in_transition() -> String {
    "Resource handler returned message: \"A conflicting conditional operation is currently in progress against \
     this resource. Please try again. (Service: S3, Status Code: 409, Request ID: 8K2S4X)\" (HandlerErrorCode: \
     ResourceConflict)"
        .to_owned()
}

/// Fact: all streams of an account have so many shards together.
pub fn no_shards(limit: usize, open: usize, more: usize) -> String {
    format!(
        "Resource handler returned message: \"This request would exceed the shard limit for the account {ACCOUNT} in \
         this region. Current shard count for the account: {open}. Limit: {limit}. Number of additional shards that \
         would have resulted from this request: {more}. (Service: Kinesis, Status Code: 400, Request ID: 5f7c6d1e)\" \
         (HandlerErrorCode: ServiceLimitExceeded)"
    )
}

/// Fact: at most 5 streams of an account are CREATING. How CloudFormation passes that on is unconfirmed.
pub fn too_many_streams_creating() -> String {
    format!(
        "Resource handler returned message: \"This request would have exceed the limit on the number of streams that can \
         simultaneously be in CREATING or DELETING for the account {ACCOUNT}. Limit: 5. (Service: Kinesis, Status Code: \
         400, Request ID: 5f7c6d1e)\" (HandlerErrorCode: ServiceLimitExceeded)"
    )
}

/// Fact: an account has so many roles.
pub fn no_roles(limit: usize) -> String {
    format!(
        "Resource handler returned message: \"Cannot exceed quota for RolesPerAccount: {limit} (Service: Iam, Status \
         Code: 409, Request ID: 5f7c6d1e)\" (HandlerErrorCode: ServiceLimitExceeded)"
    )
}
