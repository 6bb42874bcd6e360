//! The things that an environment consists of: their kinds, names, ARNs, and the command that removes one by hand.

use serde::Serialize;

/// A kind of thing, in the order in which they are removed: what writes to others comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Of Firehose.
    DeliveryStream,
    /// Of Kinesis.
    Stream,
    /// Of Lambda.
    Function,
    /// Of IAM.
    Role,
    /// Of CloudWatch Logs.
    LogGroup,
    /// Of S3.
    Bucket,
}

/// A thing: its kind, and its name in the account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thing {
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
}

impl Kind {
    /// In words.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::DeliveryStream => "delivery stream",
            Kind::Stream => "stream",
            Kind::Function => "function",
            Kind::Role => "role",
            Kind::LogGroup => "log group",
            Kind::Bucket => "bucket",
        }
    }

    /// CloudFormation's name for it.
    pub const fn resource_type(self) -> &'static str {
        match self {
            Kind::DeliveryStream => "AWS::KinesisFirehose::DeliveryStream",
            Kind::Stream => "AWS::Kinesis::Stream",
            Kind::Function => "AWS::Lambda::Function",
            Kind::Role => "AWS::IAM::Role",
            Kind::LogGroup => "AWS::Logs::LogGroup",
            Kind::Bucket => "AWS::S3::Bucket",
        }
    }

    /// Its name in our template, or as near to it as the kind alone tells.
    pub const fn logical_id(self) -> &'static str {
        match self {
            Kind::DeliveryStream => "Delivery",
            Kind::Stream => "Stream",
            Kind::Function => "Processor",
            Kind::Role => "Role",
            Kind::LogGroup => "LogGroup",
            Kind::Bucket => "Bucket",
        }
    }
}

impl Thing {
    /// A thing of this kind and name.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Thing { kind, name: name.into() }
    }

    /// What a resource of a stack is, where it is of a kind that we know.
    pub fn of_resource(resource_type: &str, physical_id: &str) -> Option<Self> {
        const KINDS: [Kind; 6] =
            [Kind::DeliveryStream, Kind::Stream, Kind::Function, Kind::Role, Kind::LogGroup, Kind::Bucket];
        let kind = KINDS.into_iter().find(|kind| kind.resource_type() == resource_type)?;
        (!physical_id.is_empty()).then(|| Thing::new(kind, physical_id))
    }

    /// The thing that an ARN names, where it is of a kind that we know.
    pub fn of_arn(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let (service, resource) = (*parts.get(2)?, *parts.get(5)?);
        let (kind, name) = match service {
            "firehose" => (Kind::DeliveryStream, resource.strip_prefix("deliverystream/")?),
            "kinesis" => (Kind::Stream, resource.strip_prefix("stream/")?),
            "lambda" => (Kind::Function, resource.strip_prefix("function:")?),
            "iam" => (Kind::Role, resource.strip_prefix("role/")?.rsplit('/').next()?),
            "logs" => (Kind::LogGroup, resource.strip_prefix("log-group:")?.trim_end_matches(":*")),
            "s3" => (Kind::Bucket, resource),
            _ => return None,
        };
        // A consumer of a stream, a version of a function, an object: no thing by itself.
        let is_whole = !name.contains(':') && (kind == Kind::LogGroup || !name.contains('/'));
        (is_whole && !name.is_empty()).then(|| Thing::new(kind, name))
    }

    /// In words.
    pub fn told(&self) -> String {
        format!("{} {}", self.kind.word(), self.name)
    }

    /// What removes it by hand, for the aws cli.
    pub fn removal(&self, region: &str) -> String {
        let name = &self.name;
        match self.kind {
            Kind::DeliveryStream => {
                format!("firehose delete-delivery-stream --delivery-stream-name {name} --region {region}")
            }
            Kind::Stream => {
                format!(
                    "kinesis delete-stream --stream-name {name} --enforce-consumer-deletion --region {region}"
                )
            }
            Kind::Function => format!("lambda delete-function --function-name {name} --region {region}"),
            Kind::Role => format!("iam delete-role --role-name {name}   (after its policies)"),
            Kind::LogGroup => format!("logs delete-log-group --log-group-name {name} --region {region}"),
            Kind::Bucket => format!("s3 rb s3://{name} --force"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_a_thing_of_a_kind_that_is_known_as_a_whole_or_none() {
        let told = |arn| Thing::of_arn(arn).map(|thing| thing.told());
        for (arn, thing) in [
            ("arn:aws:s3:::b", "bucket b"),
            ("arn:aws:kinesis:us-east-1:123456789012:stream/s", "stream s"),
            ("arn:aws-cn:firehose:cn-north-1:123456789012:deliverystream/d", "delivery stream d"),
            ("arn:aws:lambda:us-east-1:123456789012:function:f", "function f"),
            ("arn:aws:iam::123456789012:role/path/r", "role r"),
            ("arn:aws:logs:us-east-1:123456789012:log-group:/a/b", "log group /a/b"),
            ("arn:aws:logs:us-east-1:123456789012:log-group:/a/b:*", "log group /a/b"),
        ] {
            assert_eq!(told(arn).as_deref(), Some(thing), "{arn}");
        }
        for arn in [
            "arn:aws:s3:::b/key",
            "arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c:1",
            "arn:aws:lambda:us-east-1:123456789012:function:f:1",
            "arn:aws:sqs:us-east-1:123456789012:q",
            "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1",
            "nonsense",
            "",
        ] {
            assert_eq!(told(arn), None, "{arn}");
        }
    }
}
