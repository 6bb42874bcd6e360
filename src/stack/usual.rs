//! How long CloudFormation usually takes for each of our resources.

use crate::event::Usual;

/// How long the work on a resource of this type usually takes that this state (`CREATE_IN_PROGRESS`, …) is part of.
///
/// A delivery stream with a data stream as its source took 62 to 97 s in the create-and-destroy tests of
/// <https://github.com/hashicorp/terraform-provider-aws/pull/28469>. AWS documents none of these times; the
/// others are what users report, and only decide how often it is looked.
pub fn usual(resource_type: &str, status: &str) -> Option<Usual> {
    let (verb, rest) = status.split_once('_')?;
    if rest == "SKIPPED" {
        return None;
    }
    let (create, delete) = match resource_type {
        "AWS::KinesisFirehose::DeliveryStream" => ((62.0, 97.0), (10.0, 60.0)),
        "AWS::Kinesis::Stream" => ((15.0, 30.0), (10.0, 30.0)),
        "AWS::S3::Bucket" => ((15.0, 25.0), (1.0, 10.0)),
        "AWS::IAM::Role" => ((15.0, 20.0), (1.0, 5.0)),
        "AWS::Lambda::Function" => ((5.0, 10.0), (2.0, 10.0)),
        "AWS::Logs::LogGroup" | "AWS::Logs::LogStream" | "AWS::S3::BucketPolicy" => ((1.0, 5.0), (1.0, 5.0)),
        _ => return None,
    };
    let (least, most) = match verb {
        "CREATE" => create,
        "DELETE" => delete,
        // What an update takes depends on the property.
        "UPDATE" => (1.0, create.1),
        _ => return None,
    };
    Some(Usual { least, most })
}
