//! The ARNs of what an account holds.

use crate::ACCOUNT;

/// The ARN of a resource of this type and name.
pub fn of(region: &str, kind: &str, name: &str) -> String {
    let (service, resource) = match kind {
        "AWS::S3::Bucket" => return format!("arn:aws:s3:::{name}"),
        "AWS::IAM::Role" => return format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        "AWS::Kinesis::Stream" => ("kinesis", format!("stream/{name}")),
        "AWS::KinesisFirehose::DeliveryStream" => ("firehose", format!("deliverystream/{name}")),
        "AWS::Lambda::Function" => ("lambda", format!("function:{name}")),
        "AWS::Logs::LogGroup" => ("logs", format!("log-group:{name}:*")),
        "AWS::CloudFormation::Stack" => ("cloudformation", format!("stack/{name}/*")),
        "AWS::Events::Rule" => ("events", format!("rule/{name}")),
        _ => ("cloudcontrol", name.to_owned()),
    };
    format!("arn:aws:{service}:{region}:{ACCOUNT}:{resource}")
}
