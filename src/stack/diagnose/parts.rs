//! The parts of our pipeline, by their names in the template: what each is, what it is called in the account,
//! and the command that removes it.

use super::Facts;

/// What a part is, with its article. A part that we don't know is called by its name.
pub(super) fn part(logical_id: &str) -> String {
    match logical_id {
        "Stream" => "the data stream".to_owned(),
        "Bucket" => "the bucket".to_owned(),
        "BucketPolicy" => "the bucket's policy".to_owned(),
        "Processor" => "the processor".to_owned(),
        "ProcessorRole" => "the processor's role".to_owned(),
        "ProcessorLogGroup" => "the processor's log group".to_owned(),
        "Delivery" => "the delivery stream".to_owned(),
        "DeliveryRole" => "the delivery stream's role".to_owned(),
        "DeliveryLogGroup" => "the delivery stream's log group".to_owned(),
        "DeliveryLogStream" => "the delivery stream's log stream".to_owned(),
        other => format!("the resource {other}"),
    }
}

/// The same, at the beginning of a sentence.
pub(super) fn part_first(logical_id: &str) -> String {
    part(logical_id).replacen("the", "The", 1)
}

/// The property that names it.
pub(super) fn name_property(resource_type: &str) -> Option<&'static str> {
    Some(match resource_type {
        "AWS::Kinesis::Stream" => "Name",
        "AWS::S3::Bucket" => "BucketName",
        "AWS::S3::BucketPolicy" => "Bucket",
        "AWS::Lambda::Function" => "FunctionName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::Logs::LogStream" => "LogStreamName",
        "AWS::KinesisFirehose::DeliveryStream" => "DeliveryStreamName",
        _ => return None,
    })
}

/// What it is called in the account.
pub(super) fn name(logical_id: &str, facts: &Facts) -> Option<String> {
    let environment = facts.environment;
    Some(match logical_id {
        "Stream" => environment.stream(),
        "Bucket" | "BucketPolicy" => environment.bucket(facts.account?, facts.region),
        "Processor" => environment.processor(),
        "ProcessorRole" => environment.processor_role(facts.region),
        "ProcessorLogGroup" => environment.processor_log_group(),
        "Delivery" => environment.delivery_stream(),
        "DeliveryRole" => environment.delivery_role(facts.region),
        "DeliveryLogGroup" => environment.delivery_log_group(),
        "DeliveryLogStream" => "S3Delivery".to_owned(),
        _ => return None,
    })
}

/// Its ARN, as a policy's statement takes it: an account that isn't known is `*`.
pub(super) fn arn(logical_id: &str, facts: &Facts) -> Option<String> {
    let (region, account) = (facts.region, facts.account.unwrap_or("*"));
    let partition = partition(region);
    let regional =
        |service: &str, resource: String| format!("arn:{partition}:{service}:{region}:{account}:{resource}");
    let environment = facts.environment;
    Some(match logical_id {
        "Stream" => regional("kinesis", format!("stream/{}", environment.stream())),
        "Bucket" | "BucketPolicy" => format!("arn:{partition}:s3:::{}", environment.bucket(account, region)),
        "Processor" => regional("lambda", format!("function:{}", environment.processor())),
        "ProcessorLogGroup" => regional("logs", format!("log-group:{}:*", environment.processor_log_group())),
        "Delivery" => regional("firehose", format!("deliverystream/{}", environment.delivery_stream())),
        "DeliveryLogGroup" | "DeliveryLogStream" => {
            regional("logs", format!("log-group:{}:*", environment.delivery_log_group()))
        }
        "ProcessorRole" | "DeliveryRole" => role_arn(&name(logical_id, facts)?, facts),
        _ => return None,
    })
}

/// The ARN of a role of this name.
pub(super) fn role_arn(name: &str, facts: &Facts) -> String {
    format!("arn:{}:iam::{}:role/{name}", partition(facts.region), facts.account.unwrap_or("*"))
}

fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// A command of the aws cli that reads or changes something of the environment's region. IAM has none.
pub(super) fn aws(facts: &Facts, arguments: &str) -> String {
    if arguments.starts_with("iam ") {
        return format!("`{}`", facts.invocation.aws(arguments));
    }
    format!("`{}`", facts.invocation.aws(&format!("{arguments} --region {}", facts.region)))
}

/// A verb of ours, as it is typed.
pub(super) fn command(facts: &Facts, verb: &str) -> String {
    format!("`{}`", facts.invocation.command(verb))
}

/// How to remove what has this name, as the end of a sentence.
pub(super) fn removal(logical_id: &str, name: &str, facts: &Facts) -> Option<String> {
    let role = |policy: &str| {
        let first = aws(facts, &format!("iam delete-role-policy --role-name {name} --policy-name {policy}"));
        format!("{first}, then {}", aws(facts, &format!("iam delete-role --role-name {name}")))
    };
    Some(match logical_id {
        "Stream" => aws(facts, &format!("kinesis delete-stream --stream-name {name}")),
        "Bucket" => aws(facts, &format!("s3 rb s3://{name} --force")),
        "BucketPolicy" => aws(facts, &format!("s3api delete-bucket-policy --bucket {name}")),
        "Processor" => aws(facts, &format!("lambda delete-function --function-name {name}")),
        "Delivery" => aws(facts, &format!("firehose delete-delivery-stream --delivery-stream-name {name}")),
        "ProcessorLogGroup" | "DeliveryLogGroup" => {
            aws(facts, &format!("logs delete-log-group --log-group-name {name}"))
        }
        "DeliveryLogStream" => aws(
            facts,
            &format!(
                "logs delete-log-stream --log-group-name {} --log-stream-name {name}",
                facts.environment.delivery_log_group()
            ),
        ),
        "ProcessorRole" => role("log"),
        "DeliveryRole" => role("deliver"),
        _ => return None,
    })
}

/// Whether something in it would be lost with it.
pub(super) fn holds_data(logical_id: &str) -> bool {
    matches!(logical_id, "Stream" | "Bucket" | "ProcessorLogGroup" | "DeliveryLogGroup")
}

/// The option that sets a property, given by its path.
pub(super) fn option(property: &str) -> Option<&'static str> {
    Some(match property.rsplit('.').next()? {
        "ShardCount" => "--shards",
        "RetentionPeriodHours" => "--stream-retention",
        "IntervalInSeconds" => "--buffer-interval",
        "SizeInMBs" => "--buffer-size",
        "RetentionInDays" => "--log-retention",
        "Architectures" => "--architecture",
        _ => return None,
    })
}
