//! Words for the causes that depend on more than the reason alone.

use super::denial::{self, capital};
use super::parts::{arn, aws, command, holds_data, name, name_property, part, part_first, removal};
use super::{Facts, Words};
use crate::cloud::reason::Holder;
use crate::environment::artifact_bucket;
use crate::stack::plan::Operation;
use crate::stack::watch::Failure;

pub(super) fn iam_race(failure: &Failure, facts: &Facts) -> Words {
    let (role, user, property) = match failure.resource_type.as_str() {
        "AWS::Lambda::Function" => ("ProcessorRole", "Lambda", "Role"),
        _ if failure.reason.contains("kinesis:DescribeStream") => {
            ("DeliveryRole", "Firehose", "KinesisStreamSourceConfiguration.RoleARN")
        }
        _ => ("DeliveryRole", "Firehose", "RoleARN"),
    };
    let role = name(role, facts).unwrap_or_default();
    let look = aws(facts, &format!("iam get-role --role-name {role}"));
    if facts.operation == Operation::Delete {
        return Words {
            code: "iam-race",
            property: Some(property.to_owned()),
            meaning: format!("{user} cannot use the role {role}, though it is only being deleted."),
            remedies: vec![format!("Run {} again.", command(facts, "down"))],
        };
    }
    Words {
        code: "iam-race",
        property: Some(property.to_owned()),
        meaning: format!(
            "{user} could not use the role {role}. It was most likely made a moment ago, and IAM takes a while to spread a new role everywhere. A role that was changed by hand gives the same text, so only a second try tells."
        ),
        remedies: vec![
            format!("Run {} again in a minute.", command(facts, "up")),
            format!(
                "If it happens again, compare the role's trust policy and permissions with the template ({look}): somebody or a policy of the organization changed them."
            ),
        ],
    }
}

pub(super) fn taken(name_told: Option<&str>, by: &Holder, failure: &Failure, facts: &Facts) -> Words {
    let id = failure.logical_id.as_str();
    let name = name_told.map(str::to_owned).or_else(|| name(id, facts));
    let called = name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    let up = command(facts, "up");
    let property = name_property(&failure.resource_type).map(str::to_owned);
    if id == "BucketPolicy" {
        let remove = name.as_deref().and_then(|name| removal(id, name, facts)).unwrap_or_default();
        return Words {
            code: "name-taken",
            property,
            meaning: format!(
                "The bucket{called} has a policy already, and a bucket has only one: somebody, or an automation of this account, gave it that."
            ),
            remedies: vec![
                format!("Find out who did, and have the bucket left alone; remove the policy with {remove}."),
                format!("Then run {up} again."),
            ],
        };
    }
    let elsewhere = "Or choose another environment name with `--env`.".to_owned();
    let (code, meaning, mut remedies) = match by {
        Holder::Somebody => (
            "bucket-taken",
            format!(
                "The name of the bucket{called} is taken, by another account: bucket names are unique in all of AWS. The name holds this account's number, so somebody chose it on purpose, or the account had it before."
            ),
            Vec::new(),
        ),
        Holder::Stack(stack) => (
            "name-taken",
            format!("{}{called} exists already, as part of the stack {stack}.", part_first(id)),
            vec![format!(
                "Delete that stack if nobody needs it ({}), then run {up} again.",
                aws(facts, &format!("cloudformation delete-stack --stack-name {stack}"))
            )],
        ),
        Holder::Account => {
            let place = match failure.resource_type.as_str() {
                "AWS::IAM::Role" => "in this account",
                _ => "in this account and region",
            };
            let meaning = format!(
                "{}{called} exists already {place}, outside this stack. No other environment uses that name: an earlier deployment left it, or somebody made it by hand.",
                part_first(id)
            );
            let mut remedies = Vec::new();
            if id == "Bucket" {
                remedies.push(format!(
                    "Take it into the stack with what is in it: {}.",
                    command(facts, "up --adopt")
                ));
            }
            if let Some(removal) = name.as_deref().and_then(|name| removal(id, name, facts)) {
                let or = if remedies.is_empty() { "Remove" } else { "Or remove" };
                let lost = if holds_data(id) { " and all that is in it" } else { "" };
                remedies.push(format!("{or} it{lost} with {removal}, then run {up} again."));
            }
            ("name-taken", meaning, remedies)
        }
    };
    remedies.push(if remedies.is_empty() { elsewhere.replacen("Or choose", "Choose", 1) } else { elsewhere });
    Words { code, property, meaning, remedies }
}

pub(super) fn kms(action: Option<&str>, key: Option<&str>, failure: &Failure, facts: &Facts) -> Words {
    let part = part(&failure.logical_id);
    let what = action.map(|action| format!(" ({action} was refused)")).unwrap_or_default();
    let which = match key {
        Some(key) if key.contains(":kms:") => format!("the key {key}"),
        Some(thing) => format!("the key that was set for {thing}"),
        None => "the key".to_owned(),
    };
    Words {
        code: "kms-denied",
        property: matches!(failure.resource_type.as_str(), "AWS::Logs::LogGroup")
            .then(|| "KmsKeyId".to_owned()),
        meaning: format!(
            "{} is to be encrypted, or what it reads is, with a key of KMS that may not be used{what}. The template itself asks for no key: one was set for the account, or for the bucket of the processor's code.",
            capital(&part)
        ),
        remedies: vec![
            format!(
                "Allow it in the policy of {which}: the service or role that AWS' sentence names needs kms:Decrypt and kms:GenerateDataKey there, and kms:DescribeKey."
            ),
            format!(
                "Check that the key is enabled and in {}, then run {} again.",
                facts.region,
                command(facts, denial::verb(facts.operation))
            ),
        ],
    }
}

pub(super) fn concurrency(facts: &Facts) -> Words {
    let ask = "service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000";
    Words {
        code: "concurrency-of-new-account",
        property: Some("ReservedConcurrentExecutions".to_owned()),
        meaning: format!(
            "Lambda reserves nothing for the processor, since what is left for all other functions would be too little. A new account has a concurrency of 10 in {} where others have 1,000, and none of the 10 can be reserved.",
            facts.region
        ),
        remedies: vec![
            format!(
                "Ask for more in the Service Quotas console under AWS Lambda, \"Concurrent executions\" (quota code L-B99A9384), for instance with {}.",
                aws(facts, ask)
            ),
            format!(
                "Or take back what other functions have reserved, then run {} again.",
                command(facts, "up")
            ),
        ],
    }
}

pub(super) fn code_missing(denied: bool, object: Option<&str>, facts: &Facts) -> Words {
    let bucket = match facts.account {
        Some(account) => artifact_bucket(account, facts.region),
        None => "the artifact bucket".to_owned(),
    };
    let up = command(facts, "up");
    let (meaning, remedies) = if denied {
        let object = object.map(|object| format!(" ({object})")).unwrap_or_default();
        (
            format!("S3 did not let Lambda read the processor's zip{object}: whoever deploys, or CloudFormation's service role, may not read it, or it isn't there."),
            vec![
                format!("Add `{{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::{bucket}/*\"}}` to the policy of whoever deploys, or of CloudFormation's service role, then run {up} again.").replace("the artifact bucket", "BUCKET"),
            ],
        )
    } else {
        (
            format!(
                "The processor's zip is no longer in {bucket}, where `up` had put it: somebody or a lifecycle rule deleted it meanwhile."
            ),
            vec![format!("Run {up} again: it uploads the zip anew.")],
        )
    };
    Words { code: "code-missing", property: Some("Code".to_owned()), meaning, remedies }
}

pub(super) fn bucket_not_empty(facts: &Facts) -> Words {
    let again = command(facts, "down");
    let meaning = "Something lies in the bucket, and CloudFormation deletes only an empty one. Rows can still come in after it was emptied: the delivery stream delivers what it holds while it is being deleted.".to_owned();
    let remedies = match facts.operation {
        Operation::Delete => vec![format!("Run {again} again: it empties the bucket once more.")],
        _ => vec![
            format!("Save the rows that you need, then run {again}: it empties the bucket first."),
            format!("Then run {} again.", command(facts, "up")),
        ],
    };
    Words { code: "bucket-not-empty", property: None, meaning, remedies }
}

pub(super) fn in_use(failure: &Failure, facts: &Facts) -> Words {
    let id = failure.logical_id.as_str();
    let again = command(facts, denial::verb(facts.operation));
    let named = name(id, facts).unwrap_or_else(|| id.to_owned());
    let look = match failure.resource_type.as_str() {
        "AWS::IAM::Role" => format!(
            "Detach what was added to it: {} and {} list it.",
            aws(facts, &format!("iam list-attached-role-policies --role-name {named}")),
            aws(facts, &format!("iam list-role-policies --role-name {named}"))
        ),
        "AWS::Kinesis::Stream" => format!(
            "Deregister its consumers: {} lists them.",
            aws(
                facts,
                &format!("kinesis list-stream-consumers --stream-arn {}", arn(id, facts).unwrap_or_default())
            )
        ),
        "AWS::Logs::LogGroup" => {
            format!("Switch off the deletion protection of {named} in the CloudWatch console.")
        }
        _ => "Remove what AWS' sentence names.".to_owned(),
    };
    let meaning = format!(
        "{} cannot be deleted: something that was added outside the stack still holds it.",
        part_first(id)
    );
    Words {
        code: "in-use",
        property: None,
        meaning,
        remedies: vec![look, format!("Then run {again} again.")],
    }
}

pub(super) fn busy(failure: &Failure, facts: &Facts) -> Words {
    let id = failure.logical_id.as_str();
    let again = command(facts, denial::verb(facts.operation));
    let (meaning, wait) = match failure.resource_type.as_str() {
        "AWS::S3::Bucket" if facts.operation != Operation::Delete => (
            "S3 is still busy with this bucket's name: a bucket that had it was deleted a moment ago, here or elsewhere, or two deployments ask for it at once. The name can stay blocked for an hour.".to_owned(),
            "in a few minutes, and if that isn't enough in an hour",
        ),
        _ => (
            format!("Something else is changing {} at this moment, or a change or deletion of it is not over.", part(id)),
            "in a minute",
        ),
    };
    Words { code: "busy", property: None, meaning, remedies: vec![format!("Run {again} again {wait}.")] }
}
