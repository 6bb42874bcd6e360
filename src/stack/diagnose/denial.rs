//! Words for a refused call: which action, on what, who was refused, and which policy has to change.

use super::parts::{arn, command, part, role_arn};
use super::{Facts, Words};
use crate::cloud::reason::{Denial, Policy};
use crate::stack::plan::Operation;
use crate::stack::watch::Failure;
use serde_json::json;

/// Who was refused.
enum Caller {
    /// Whoever ran this tool.
    You(Option<String>),
    /// The role that CloudFormation was given for this stack.
    ServiceRole(String),
    /// A role of the stack: the delivery stream's or the processor's.
    Own { logical_id: &'static str, role: String },
}

impl Caller {
    fn of(denial: &Denial, facts: &Facts) -> Caller {
        let Some(principal) = denial.principal.as_deref() else { return Caller::You(None) };
        // arn:aws:sts::123456789012:assumed-role/ROLE/SESSION or arn:aws:iam::123456789012:role/ROLE
        let mut path = principal.split('/').skip(1);
        let (role, session) = (path.next().unwrap_or_default(), path.next());
        for (logical_id, own) in [
            ("DeliveryRole", facts.environment.delivery_role(facts.region)),
            ("ProcessorRole", facts.environment.processor_role(facts.region)),
        ] {
            if role == own {
                return Caller::Own { logical_id, role: own };
            }
        }
        if session == Some("AWSCloudFormation") {
            return Caller::ServiceRole(role.to_owned());
        }
        Caller::You(Some(principal.to_owned()))
    }

    fn named(&self) -> String {
        match self {
            Caller::You(None) => "whoever runs this operation".to_owned(),
            Caller::You(Some(arn)) => arn.clone(),
            Caller::ServiceRole(role) => format!("CloudFormation's service role {role}"),
            Caller::Own { logical_id, role } => format!("{} {role}", part(logical_id)),
        }
    }

    /// The caller as a policy names it: a session counts as its role.
    fn principal(&self) -> Option<String> {
        let Caller::You(Some(arn)) = self else { return None };
        let parts: Vec<&str> = arn.split([':', '/']).collect();
        Some(match parts.as_slice() {
            ["arn", partition, "sts", "", account, "assumed-role", role, ..] => {
                format!("arn:{partition}:iam::{account}:role/{role}")
            }
            _ => arn.clone(),
        })
    }

    /// What a statement that denies has to have in it to spare this caller.
    fn exemption(&self) -> Option<serde_json::Value> {
        let principal = self.principal()?;
        Some(json!({ "Condition": { "ArnNotLike": { "aws:PrincipalArn": principal } } }))
    }

    /// Where a permission of this caller's would have to stand.
    fn policy(&self) -> String {
        match self {
            Caller::You(None) => {
                "the policy of the user or role that runs this operation, or of CloudFormation's service role where the stack has one".to_owned()
            }
            Caller::You(Some(arn)) => format!("the policy of {arn}"),
            Caller::ServiceRole(role) => format!("the policy of CloudFormation's service role {role}"),
            Caller::Own { role, .. } => format!("the policy of the role {role}"),
        }
    }
}

/// A missing permission.
pub(super) fn missing(denial: &Denial, failure: &Failure, facts: &Facts) -> Words {
    let caller = Caller::of(denial, facts);
    let (actions, sure) = actions(denial, failure, facts);
    let resource = resource(denial, failure, facts);
    let part = part(&failure.logical_id);
    let doing = doing(facts.operation);
    let what = what(&actions, denial, sure);
    let place = match denial.policy {
        Policy::Identity | Policy::Unsaid => caller.policy(),
        Policy::Boundary => format!("the permissions boundary of {}", caller.named()),
        Policy::Session => format!("the session policy that {} began with", caller.named()),
        Policy::Resource => format!("the policy on {resource} itself"),
        Policy::Scp => "a service control policy of the organization".to_owned(),
        Policy::Rcp => "a resource control policy of the organization".to_owned(),
        Policy::Endpoint => "the policy of the VPC endpoint that the call came through".to_owned(),
        Policy::PublicAccess => "S3's block on public policies".to_owned(),
    };
    let mut meaning = format!("To {doing} {part}, {} needs {what}", caller.named());
    meaning += &match denial.policy {
        Policy::PublicAccess => ", but S3's block on public access counts the policy as public.".to_owned(),
        Policy::Unsaid if actions.is_empty() || !sure => {
            "; AWS doesn't say which permission is missing.".to_owned()
        }
        Policy::Unsaid => format!("; it is missing, most likely in {place}."),
        _ => format!("; it is missing in {place}."),
    };
    let again = command(facts, verb(facts.operation));
    let to = caller.principal().filter(|_| matches!(denial.policy, Policy::Resource | Policy::Endpoint));
    let statement = statement(&actions, &resource, to);
    let mut remedies = match (&caller, denial.policy) {
        (_, Policy::PublicAccess) => {
            vec![format!("Look at the block on public access of the account, then run {again} again.")]
        }
        (_, Policy::Scp | Policy::Rcp) => vec![format!(
            "Ask whoever runs the AWS organization to allow it: {place} has to hold {statement}. Then run {again} again."
        )],
        (Caller::Own { .. }, Policy::Identity | Policy::Unsaid) => vec![
            format!(
                "The template gives this role what it needs: undo what somebody changed in it, or add {statement} to {place}."
            ),
            format!("Then run {again} again."),
        ],
        _ if actions.is_empty() => vec![format!(
            "Look in CloudTrail for the call that was refused to {}, allow it, then run {again} again.",
            caller.named()
        )],
        _ => vec![format!("Add {statement} to {place}, then run {again} again.")],
    };
    if let (Caller::You(_), Policy::Identity | Policy::Unsaid) = (&caller, denial.policy) {
        remedies.push("Or choose credentials that may do it with `--profile`.".to_owned());
    }
    let property = denial.tagging.then(|| "Tags".to_owned());
    Words { code: "not-authorized", property, meaning, remedies }
}

/// An explicit deny: no permission helps against it.
pub(super) fn explicit(denial: &Denial, failure: &Failure, facts: &Facts) -> Words {
    let caller = Caller::of(denial, facts);
    let (actions, sure) = actions(denial, failure, facts);
    let (place, whom) = match denial.policy {
        Policy::Scp => ("a service control policy of the AWS organization", "whoever runs the organization"),
        Policy::Rcp => ("a resource control policy of the AWS organization", "whoever runs the organization"),
        Policy::Boundary => ("a permissions boundary", "whoever set the boundary"),
        Policy::Session => ("the session's own policy", "whoever gives out the session"),
        Policy::Resource => ("the policy on the resource itself", "whoever wrote that policy"),
        Policy::Endpoint => ("the policy of the VPC endpoint", "whoever runs the network"),
        Policy::Identity => ("a policy of the user or role itself", "whoever manages its policies"),
        Policy::PublicAccess | Policy::Unsaid => ("a policy that AWS doesn't name", "an administrator"),
    };
    let what = what(&actions, denial, sure);
    let meaning = format!(
        "{} denies {what} to {}, and it takes that to {} {}. A deny wins over every permission: adding one changes nothing.",
        capital(place),
        caller.named(),
        doing(facts.operation),
        part(&failure.logical_id)
    );
    let mut remedies = vec![match caller.exemption() {
        Some(condition) => format!(
            "Ask {whom} to exempt this caller from the deny, with `{condition}` in that statement, or to take the action out of it."
        ),
        None => format!("Ask {whom} to exempt this operation from the deny."),
    }];
    match denial.policy {
        Policy::Scp | Policy::Rcp => remedies.push(
            "Such policies often forbid single regions: try one that is allowed with `--region`, or another account with `--profile`.".to_owned(),
        ),
        _ => remedies.push("Or choose credentials that it doesn't apply to with `--profile`.".to_owned()),
    }
    let property = denial.tagging.then(|| "Tags".to_owned());
    Words { code: "explicit-deny", property, meaning, remedies }
}

/// The verb that is run again after an operation has failed.
pub(super) fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Create | Operation::Update => "up",
        Operation::Delete => "down",
    }
}

pub(super) fn doing(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
    }
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn what(actions: &[String], denial: &Denial, sure: bool) -> String {
    let on = denial.resource.as_deref().map(|resource| format!(" on {resource}")).unwrap_or_default();
    match actions {
        [] => format!("a permission{on}"),
        actions if sure => format!("{}{on}", actions.join(" and ")),
        [action] => format!("most likely {action}{on}"),
        actions => format!("one or more of {}{on}", actions.join(", ")),
    }
}

/// The actions that are meant, and whether AWS named them.
fn actions(denial: &Denial, failure: &Failure, facts: &Facts) -> (Vec<String>, bool) {
    if let Some(action) = &denial.action {
        return (vec![action.clone()], true);
    }
    let kind = failure.resource_type.as_str();
    let needed: &[&str] = match (kind, denial.tagging, facts.operation) {
        ("AWS::Kinesis::Stream", true, _) => &["kinesis:AddTagsToStream", "kinesis:TagResource"],
        ("AWS::S3::Bucket", true, _) => &["s3:PutBucketTagging"],
        ("AWS::IAM::Role", true, _) => &["iam:TagRole"],
        ("AWS::Lambda::Function", true, _) => &["lambda:TagResource"],
        ("AWS::Logs::LogGroup", true, _) => &["logs:TagResource"],
        ("AWS::KinesisFirehose::DeliveryStream", true, _) => &["firehose:TagDeliveryStream"],
        ("AWS::S3::BucketPolicy", _, Operation::Delete) => &["s3:DeleteBucketPolicy"],
        ("AWS::S3::BucketPolicy", _, _) => &["s3:PutBucketPolicy", "s3:GetBucketPolicy"],
        ("AWS::S3::Bucket", _, Operation::Delete) => &["s3:DeleteBucket"],
        ("AWS::S3::Bucket", _, _) => &[
            "s3:CreateBucket",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
        ],
        _ => &[],
    };
    (needed.iter().map(|action| (*action).to_owned()).collect(), false)
}

/// On what, as a policy takes it: AWS names roles without their ARN.
fn resource(denial: &Denial, failure: &Failure, facts: &Facts) -> String {
    match denial.resource.as_deref() {
        Some(text) if text.starts_with("arn:") || text == "*" => text.to_owned(),
        Some(text) if text.starts_with("role ") => role_arn(text.trim_start_matches("role ").trim(), facts),
        _ => arn(&failure.logical_id, facts).unwrap_or_else(|| "*".to_owned()),
    }
}

/// The statement that would allow it, on one line. A policy on a thing also has to say to whom.
fn statement(actions: &[String], resource: &str, principal: Option<String>) -> String {
    let action = match actions {
        [action] => json!(action),
        actions => json!(actions),
    };
    let statement = match principal {
        Some(arn) => {
            json!({ "Effect": "Allow", "Principal": { "AWS": arn }, "Action": action, "Resource": resource })
        }
        None => json!({ "Effect": "Allow", "Action": action, "Resource": resource }),
    };
    format!("`{statement}`")
}
