//! The CloudFormation template of the reaper's stack: `templates/reaper.yaml`, filled in.
//!
//! What its role may do was put together from three lists: the calls that `reap` makes, those that the function
//! makes for itself, and those that CloudFormation makes in its name when it deletes a resource of an environment
//! (`handlers.delete.permissions` of each type's schema). Of the last list only KMS is left out: it is for keys of
//! the customer's, and an environment has none.

use super::{Every, FUNCTION, LOG_GROUP, RULE, STACK, role};
use crate::environment::TAG_REAPER;
use crate::template::{Architecture, assemble, sub};
use anyhow::{Result, bail};
use serde_yaml::{Mapping, Value};

const FILES: &[(&str, &str)] = &[("reaper.yaml", include_str!("../../templates/reaper.yaml"))];

/// The parameter that names the bucket of the program's zip.
pub const PARAMETER_BUCKET: &str = "ReaperBucket";
/// The parameter that names the key of the program's zip.
pub const PARAMETER_KEY: &str = "ReaperKey";
/// The output that tells the key of the program's zip.
pub const OUTPUT_KEY: &str = "ReaperKey";
/// The output that tells when the function is called.
pub const OUTPUT_SCHEDULE: &str = "ReaperSchedule";

/// What of the reaper can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// What its program is made for.
    pub architecture: Architecture,
    /// How often it runs.
    pub every: Every,
    /// The endpoint that it is to call, where that isn't AWS' own.
    pub endpoint: Option<String>,
}

/// Renders the template: the same bytes for the same input, each time.
pub fn render(shape: &Shape) -> Result<String> {
    assemble(FILES, &|name| setting(name, shape))
}

fn setting(name: &str, shape: &Shape) -> Result<Value> {
    let arn = |service: &str, resource: &str| {
        sub(format!("arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"))
    };
    // IAM and S3 know no region, S3 no account.
    let role_of = |what: &str| {
        sub(format!(
            "arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/kinesis-stack-*-{what}-${{AWS::Region}}"
        ))
    };
    let bucket = |name: &str| sub(format!("arn:${{AWS::Partition}}:s3:::{name}"));
    let (of_environments, of_artifacts) = (
        "kinesis-stack-${AWS::AccountId}-*-${AWS::Region}",
        "kinesis-stack-artifacts-${AWS::AccountId}-${AWS::Region}",
    );
    Ok(match name {
        "role" => sub(role("${AWS::Region}")),
        "function" => FUNCTION.into(),
        "rule" => RULE.into(),
        "log-group" => LOG_GROUP.into(),
        "own-log-streams-arn" => arn("logs", &format!("log-group:{LOG_GROUP}:log-stream:*")),
        "own-stack-arn" => arn("cloudformation", &format!("stack/{STACK}/*")),
        "stacks-arn" => arn("cloudformation", "stack/kinesis-stack-*/*"),
        "streams-arn" => arn("kinesis", "stream/kinesis-stack-*"),
        "delivery-streams-arn" => arn("firehose", "deliverystream/kinesis-stack-*"),
        "functions-arn" => arn("lambda", "function:kinesis-stack-*-processor"),
        "roles-arn" => vec![role_of("delivery"), role_of("processor")].into(),
        "all-log-groups-arn" => arn("logs", "log-group:*"),
        "log-groups-arn" => vec![
            arn("logs", "log-group:/kinesis-stack/*"),
            // What a late log line brings back.
            arn("logs", "log-group:/aws/lambda/kinesis-stack-*-processor"),
            arn("logs", "log-group:/aws/lambda/kinesis-stack-*-processor:*"),
        ]
        .into(),
        "buckets-arn" => vec![bucket(of_environments), bucket(of_artifacts)].into(),
        "objects-arn" => {
            vec![bucket(&format!("{of_environments}/*")), bucket(&format!("{of_artifacts}/*"))].into()
        }
        "architecture" => shape.architecture.name().into(),
        "schedule" => shape.every.rate().into(),
        "variables" => variables(shape.endpoint.as_deref()),
        "tags" => tags(),
        other => bail!("there is no setting {other}"),
    })
}

/// The variables of the function. An endpoint that this very command was given is the function's, too: it names the
/// cloud in which the function is to run.
fn variables(endpoint: Option<&str>) -> Value {
    let mut variables = Mapping::new();
    if let Some(endpoint) = endpoint {
        variables.insert("AWS_ENDPOINT_URL".into(), endpoint.into());
    }
    variables.into()
}

fn tags() -> Value {
    let mut tag = Mapping::new();
    tag.insert("Key".into(), TAG_REAPER.into());
    tag.insert("Value".into(), "true".into());
    Value::Sequence(vec![Value::Mapping(tag)])
}

#[cfg(test)]
mod tests;
