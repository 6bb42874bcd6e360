//! The CloudFormation template of an environment: `templates/*.yaml`, one file a concern, merged.
//!
//! A `!Setting NAME` in a file stands for a value that depends on the environment or its settings; everything
//! else is CloudFormation as it comes. What only the deployment knows (where the processor's zip lies) stays a
//! parameter, so that `aws cloudformation deploy` can use the rendered template as well.

use crate::environment::{ERRORS_PREFIX, Environment, ROWS_PREFIX, TAG_ENVIRONMENT};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_yaml::value::{Tag, TaggedValue};
use serde_yaml::{Mapping, Value};

/// The files, in the order in which their parts appear in the template.
const FILES: &[(&str, &str)] = &[
    ("stack.yaml", include_str!("../templates/stack.yaml")),
    ("stream.yaml", include_str!("../templates/stream.yaml")),
    ("bucket.yaml", include_str!("../templates/bucket.yaml")),
    ("processor.yaml", include_str!("../templates/processor.yaml")),
    ("delivery.yaml", include_str!("../templates/delivery.yaml")),
    ("monitoring.yaml", include_str!("../templates/monitoring.yaml")),
];

/// The parameter that names the bucket of the processor's zip.
pub const PARAMETER_BUCKET: &str = "ProcessorBucket";
/// The parameter that names the key of the processor's zip.
pub const PARAMETER_KEY: &str = "ProcessorKey";
/// The name of the bucket that rows are delivered to.
pub const BUCKET: &str = "Bucket";

/// What of the pipeline can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shape {
    /// Shards of the data stream.
    pub shards: u32,
    /// How long the data stream keeps records, in hours: 24 to 8,760.
    pub stream_retention_hours: u32,
    /// How long the delivery stream gathers rows before it writes an object, in seconds: 0 to 900.
    pub buffer_seconds: u32,
    /// How much it gathers at most, in MiB: 1 to 128.
    pub buffer_megabytes: u32,
    /// How long logs are kept, in days: one of those that CloudWatch Logs knows.
    pub log_retention_days: u32,
    /// What the processor's binary is made for.
    pub architecture: Architecture,
}

/// A processor architecture, by Lambda's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM (Graviton).
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// Lambda's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        }
    }
}

/// Renders the template: the same bytes for the same input, each time.
pub fn render(environment: &Environment, shape: &Shape) -> Result<String> {
    assemble(FILES, &|name| setting(name, environment, shape))
}

/// Merges files, each with its name, into one template, and has each `!Setting` filled in.
pub(crate) fn assemble(files: &[(&str, &str)], setting: &Setting<'_>) -> Result<String> {
    let mut template = Mapping::new();
    for (file, text) in files {
        let part: Mapping = serde_yaml::from_str(text).with_context(|| format!("templates/{file}"))?;
        for (section, value) in part {
            let value = fill(value, setting).with_context(|| format!("templates/{file}"))?;
            merge(&mut template, section, value).with_context(|| format!("templates/{file}"))?;
        }
    }
    Ok(serde_yaml::to_string(&template)?)
}

/// What the name in a `!Setting` stands for.
pub(crate) type Setting<'a> = dyn Fn(&str) -> Result<Value> + 'a;

/// Sections that are mappings grow, and nothing is ever overwritten.
fn merge(template: &mut Mapping, section: Value, value: Value) -> Result<()> {
    let Some(present) = template.get_mut(&section) else {
        template.insert(section, value);
        return Ok(());
    };
    let (Value::Mapping(present), Value::Mapping(more)) = (present, value) else {
        bail!("{section:?} stands in two files and is no mapping");
    };
    for (name, entry) in more {
        if present.contains_key(&name) {
            bail!("{name:?} stands in two files");
        }
        present.insert(name, entry);
    }
    Ok(())
}

/// Replaces each `!Setting NAME` by its value.
fn fill(value: Value, setting: &Setting<'_>) -> Result<Value> {
    Ok(match value {
        Value::Mapping(mapping) => {
            let entries = mapping.into_iter().map(|(key, value)| Ok((key, fill(value, setting)?)));
            Value::Mapping(entries.collect::<Result<Mapping>>()?)
        }
        Value::Sequence(items) => {
            let items = items.into_iter().map(|item| fill(item, setting));
            Value::Sequence(items.collect::<Result<Vec<Value>>>()?)
        }
        Value::Tagged(tagged) if tagged.tag == "Setting" => {
            let name = tagged.value.as_str().context("a !Setting takes a name")?;
            setting(name)?
        }
        Value::Tagged(tagged) => {
            let TaggedValue { tag, value } = *tagged;
            Value::Tagged(Box::new(TaggedValue { tag, value: fill(value, setting)? }))
        }
        scalar => scalar,
    })
}

/// What the stack says of itself. Its stream's size is told with it: a list of stacks tells descriptions, but neither
/// templates nor resources.
fn description(environment: &Environment, shape: &Shape) -> String {
    let Shape { shards, stream_retention_hours, .. } = shape;
    let shards = if *shards == 1 { "1 shard".to_owned() } else { format!("{shards} shards") };
    format!(
        "Environment {} of kinesis-stack: Kinesis Data Streams ({shards}, {stream_retention_hours} h), Firehose with a \
         Lambda transform, S3",
        environment.name
    )
}

/// Shards and retention in hours, of a stack whose description tells them.
pub fn stream_of(description: &str) -> Option<(u32, u32)> {
    let (_, told) = description.split_once("Kinesis Data Streams (")?;
    let (shards, rest) = told.split_once(" shard")?;
    let (hours, _) = rest.trim_start_matches('s').strip_prefix(", ")?.split_once(" h)")?;
    Some((shards.parse().ok()?, hours.parse().ok()?))
}

fn setting(name: &str, environment: &Environment, shape: &Shape) -> Result<Value> {
    // The account and the region are CloudFormation's to fill in: rendering needs neither.
    let bucket = environment.bucket("${AWS::AccountId}", "${AWS::Region}");
    let arn = |service: &str, resource: &str| {
        sub(format!("arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"))
    };
    let processor = environment.processor();
    Ok(match name {
        "description" => description(environment, shape).into(),
        "tags" => tags(environment),
        "stream" => environment.stream().into(),
        "shards" => shape.shards.into(),
        "stream-retention-hours" => shape.stream_retention_hours.into(),
        "stream-arn" => arn("kinesis", &format!("stream/{}", environment.stream())),
        "bucket" => sub(bucket),
        "bucket-arn" => sub(format!("arn:${{AWS::Partition}}:s3:::{bucket}")),
        "bucket-objects-arn" => sub(format!("arn:${{AWS::Partition}}:s3:::{bucket}/*")),
        "rows-prefix" => ROWS_PREFIX.into(),
        "errors-prefix" => ERRORS_PREFIX.into(),
        "errors-output-prefix" => {
            format!("{ERRORS_PREFIX}!{{firehose:error-output-type}}/!{{timestamp:yyyy/MM/dd/HH}}/").into()
        }
        "processor" => processor.into(),
        "processor-arn" => arn("lambda", &format!("function:{processor}")),
        "processor-versions-arn" => arn("lambda", &format!("function:{processor}:*")),
        "processor-role" => sub(environment.processor_role("${AWS::Region}")),
        "processor-log-group" => environment.processor_log_group().into(),
        "processor-log-streams-arn" => {
            arn("logs", &format!("log-group:{}:log-stream:*", environment.processor_log_group()))
        }
        "architecture" => shape.architecture.name().into(),
        "delivery-stream" => environment.delivery_stream().into(),
        "delivery-role" => sub(environment.delivery_role("${AWS::Region}")),
        "delivery-log-group" => environment.delivery_log_group().into(),
        "delivery-log-stream-arn" => {
            arn("logs", &format!("log-group:{}:log-stream:S3Delivery", environment.delivery_log_group()))
        }
        "buffer-seconds" => shape.buffer_seconds.into(),
        "buffer-megabytes" => shape.buffer_megabytes.into(),
        // A processor parameter is a string. Waiting longer than for the object itself would only add to it.
        "processor-buffer-seconds" => shape.buffer_seconds.min(60).to_string().into(),
        "log-retention-days" => shape.log_retention_days.into(),
        other => bail!("there is no setting {other}"),
    })
}

/// An `!Sub` of this text.
pub(crate) fn sub(text: String) -> Value {
    Value::Tagged(Box::new(TaggedValue { tag: Tag::new("Sub"), value: text.into() }))
}

/// The tags on each resource: what finds them again without the stack.
fn tags(environment: &Environment) -> Value {
    let mut tag = Mapping::new();
    tag.insert("Key".into(), TAG_ENVIRONMENT.into());
    tag.insert("Value".into(), environment.name.as_str().into());
    Value::Sequence(vec![Value::Mapping(tag)])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The settings of somebody who set nothing, on x86.
    pub fn shape() -> Shape {
        Shape {
            shards: 1,
            stream_retention_hours: 24,
            buffer_seconds: 60,
            buffer_megabytes: 5,
            log_retention_days: 7,
            architecture: Architecture::X86_64,
        }
    }

    fn dev() -> Environment {
        Environment::new("dev".parse().unwrap())
    }

    #[test]
    fn the_description_tells_the_size_of_the_stream() {
        for (shards, hours) in [(1, 24), (12, 8_760)] {
            let shape = Shape { shards, stream_retention_hours: hours, ..shape() };
            let environment = Environment::new("dev".parse().unwrap());
            assert_eq!(stream_of(&description(&environment, &shape)), Some((shards, hours)));
        }
        for other in ["", "Kinesis Data Streams, S3", "Kinesis Data Streams (many shards, 24 h)"] {
            assert_eq!(stream_of(other), None, "{other}");
        }
    }

    #[test]
    fn the_template_is_what_was_reviewed() {
        insta::assert_snapshot!("template", render(&dev(), &shape()).unwrap());
    }

    #[test]
    fn rendering_twice_gives_the_same_bytes() {
        assert_eq!(render(&dev(), &shape()).unwrap(), render(&dev(), &shape()).unwrap());
    }

    #[test]
    fn a_template_of_the_longest_names_fits_inline() {
        let environment = Environment::new("abcdefghijklmnopqrst".parse().unwrap());
        assert!(render(&environment, &shape()).unwrap().len() < 51_200);
    }

    #[test]
    fn every_iam_statement_names_its_resources() {
        let template: Value = serde_yaml::from_str(&render(&dev(), &shape()).unwrap()).unwrap();
        let resources = template["Resources"].as_mapping().unwrap();
        let mut statements = 0;
        for (_, resource) in resources.iter().filter(|(_, r)| r["Type"] == "AWS::IAM::Role") {
            for policy in resource["Properties"]["Policies"].as_sequence().unwrap() {
                for statement in policy["PolicyDocument"]["Statement"].as_sequence().unwrap() {
                    statements += 1;
                    let text = serde_yaml::to_string(&statement["Resource"]).unwrap();
                    assert!(text.contains("dev"), "{text} names no resource of the environment");
                    assert!(!serde_yaml::to_string(&statement["Action"]).unwrap().contains('*'));
                }
            }
        }
        assert_eq!(statements, 5);
    }

    /// The permissions that the Firehose guide lists for this source, transform and destination. The function is
    /// granted with and without its qualifier, since Firehose calls it with one.
    #[test]
    fn the_delivery_role_may_do_what_the_firehose_guide_lists_and_nothing_else() {
        let document: Value = serde_yaml::from_str(&render(&dev(), &shape()).unwrap()).unwrap();
        let statements = &document["Resources"]["DeliveryRole"]["Properties"]["Policies"][0]["PolicyDocument"]
            ["Statement"];
        let texts = |value: &Value| match value {
            Value::Sequence(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            one => vec![one.as_str().unwrap_or_default().to_owned()],
        };
        let actions: Vec<String> =
            statements.as_sequence().unwrap().iter().flat_map(|it| texts(&it["Action"])).collect();
        assert_eq!(
            actions,
            [
                "kinesis:DescribeStream",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
                "lambda:GetFunctionConfiguration",
                "lambda:InvokeFunction",
                "s3:AbortMultipartUpload",
                "s3:GetBucketLocation",
                "s3:GetObject",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
                "s3:PutObject",
                "logs:PutLogEvents",
            ]
        );
        assert_eq!(statements[1]["Resource"].as_sequence().unwrap().len(), 2);
    }

    #[test]
    fn the_delivery_role_is_assumed_by_firehose_for_this_account_alone_told_by_its_external_id() {
        let document: Value = serde_yaml::from_str(&render(&dev(), &shape()).unwrap()).unwrap();
        let trust =
            &document["Resources"]["DeliveryRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(trust["Principal"]["Service"], "firehose.amazonaws.com");
        let condition = trust["Condition"]["StringEquals"].as_mapping().unwrap();
        assert_eq!(condition.keys().collect::<Vec<_>>(), ["sts:ExternalId"]);
        let Value::Tagged(id) = &trust["Condition"]["StringEquals"]["sts:ExternalId"] else {
            panic!("{trust:?}")
        };
        assert_eq!((id.tag.to_string().as_str(), id.value.as_str()), ("!Ref", Some("AWS::AccountId")));
    }

    #[test]
    fn a_late_log_line_cannot_bring_a_log_group_back() {
        assert!(!render(&dev(), &shape()).unwrap().contains("CreateLogGroup"));
    }

    #[test]
    fn buffering_hints_are_numbers_and_processor_parameters_strings() {
        let template: Value = serde_yaml::from_str(&render(&dev(), &shape()).unwrap()).unwrap();
        let destination =
            &template["Resources"]["Delivery"]["Properties"]["ExtendedS3DestinationConfiguration"];
        assert!(destination["BufferingHints"]["IntervalInSeconds"].is_u64());
        assert!(destination["BufferingHints"]["SizeInMBs"].is_u64());
        for processor in destination["ProcessingConfiguration"]["Processors"].as_sequence().unwrap() {
            for parameter in processor["Parameters"].as_sequence().unwrap() {
                let value = &parameter["ParameterValue"];
                assert!(value.is_string() || matches!(value, Value::Tagged(_)), "{value:?}");
            }
        }
    }
}
