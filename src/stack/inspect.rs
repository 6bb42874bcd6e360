//! `status`: an environment as it stands.

use super::drift::Drift;
use super::state::{self, Stack};
use super::status::StackStatus;
use super::{Context, architecture_of, poll};
use crate::artifact::{Workshop, sha256_of_base64};
use crate::cloud::fault;
use crate::environment::{artifact_sha256, expiry_tag};
use crate::error::{Error, Kind};
use crate::settings::Invocation;
use anyhow::Result;
use aws_sdk_cloudformation::types as cfn;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a look waits for a throttled account: whoever looks can look again.
const PATIENCE: Duration = Duration::from_secs(60);

/// An environment as it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The environment's name.
    pub env: String,
    /// The region.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// The stack's state.
    pub status: StackStatus,
    /// CloudFormation's sentence about it.
    pub reason: Option<String>,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// When it was last changed, RFC 3339.
    pub updated: Option<String>,
    /// Who made it.
    pub owner: Option<String>,
    /// The version of this tool that last changed it.
    pub version: Option<String>,
    /// When its time is over, RFC 3339; `null` where it never is.
    pub expires: Option<String>,
    /// The pull request whose pipeline made it.
    pub pull_request: Option<String>,
    /// Whether `down` refuses it.
    pub protected: bool,
    /// Whether it is marked as short-lived.
    pub ephemeral: bool,
    /// The role that CloudFormation acts under, where it isn't the caller's own rights.
    pub role_arn: Option<String>,
    /// The processor's code.
    pub code: Code,
    /// What differs from the template, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// The resources, in the order in which CloudFormation lists them.
    pub resources: Vec<Resource>,
    /// The outputs.
    pub outputs: BTreeMap<String, String>,
}

/// The processor's code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Code {
    /// The SHA-256 of the zip that the function runs, by Lambda's own word.
    pub deployed: Option<String>,
    /// The SHA-256 of the zip that the stack was given.
    pub in_stack: Option<String>,
    /// The SHA-256 of the zip that `up` would deploy from here, where it is known without compiling.
    pub would_deploy: Option<String>,
    /// Whether the function runs what `up` would deploy. `null` where either isn't known.
    pub current: Option<bool>,
    /// Whether the function runs other code than the stack was given: `up --code-only` goes past the stack.
    pub past_stack: bool,
}

/// A resource of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// The name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// The name in the account.
    pub physical_id: Option<String>,
    /// CloudFormation's own word.
    pub status: String,
    /// CloudFormation's sentence about it.
    pub reason: Option<String>,
    /// When it got there, RFC 3339.
    pub since: Option<String>,
}

/// Looks at the environment.
pub async fn inspect(context: &Context, workshop: &Workshop) -> Result<Inspection> {
    // All three are asked by name, at once: whose stack it is, the first tells.
    let name = context.environment.stack();
    let (stack, resources, deployed) = tokio::try_join!(
        poll::patiently(context, PATIENCE, || require(context)),
        poll::patiently(context, PATIENCE, || resources(context, &name)),
        poll::patiently(context, PATIENCE, || deployed(context))
    )?;
    let code = code(&stack, deployed, workshop);
    Ok(Inspection {
        env: context.environment.name.to_string(),
        region: context.clients.region.clone(),
        stack: stack.name.clone(),
        stack_id: stack.id.clone(),
        owner: stack.owner().map(str::to_owned),
        version: stack.version().map(str::to_owned),
        expires: stack.expires().map(expiry_tag),
        pull_request: stack.pull_request().map(str::to_owned),
        protected: stack.protected,
        ephemeral: stack.ephemeral,
        role_arn: stack.role_arn,
        drift: None,
        status: stack.status,
        reason: stack.reason,
        created: stack.created,
        updated: stack.updated,
        code,
        resources,
        outputs: stack.outputs,
    })
}

/// The environment's stack, or the error that there is none.
pub async fn require(context: &Context) -> Result<Stack> {
    let stack = state::find_ours(&context.clients.cloudformation, &context.environment).await?;
    let Some(stack) = stack else {
        return Err(no_such_environment(
            context.environment.name.as_str(),
            &context.clients.region,
            &context.invocation,
        )
        .into());
    };
    Ok(stack)
}

/// An output of the stack, which a stack of ours has once it is created.
pub fn output(stack: &Stack, name: &str) -> Result<String> {
    stack.outputs.get(name).cloned().ok_or_else(|| {
        let message = format!("{} is {}: it has no output {name}", stack.name, stack.status);
        Error::new(Kind::Failed, message).remedy("Wait until it is up, or bring it up again.").into()
    })
}

/// There is no environment of that name.
pub fn no_such_environment(name: &str, place: &str, invocation: &Invocation) -> Error {
    Error::new(Kind::NoSuchEnvironment, format!("there is no environment {name} in {place}"))
        .remedy(format!("`{}` brings it up.", invocation.command("up")))
}

/// The resources of a stack of this name or id, page by page. One that isn't there has none.
pub async fn resources(context: &Context, stack_id: &str) -> Result<Vec<Resource>> {
    let mut resources = Vec::new();
    let mut token = None;
    loop {
        let request = context.clients.cloudformation.list_stack_resources().stack_name(stack_id);
        let answer = match request.set_next_token(token).send().await {
            Ok(answer) => answer,
            Err(error) if fault::is_missing(&error) => return Ok(Vec::new()),
            Err(error) => return Err(fault::explain(error, "list the stack's resources")),
        };
        resources.extend(answer.stack_resource_summaries().iter().map(Resource::of));
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(resources);
        }
    }
}

impl Resource {
    fn of(summary: &cfn::StackResourceSummary) -> Self {
        let status = summary.resource_status().map(cfn::ResourceStatus::as_str);
        Resource {
            logical_id: summary.logical_resource_id().unwrap_or_default().to_owned(),
            resource_type: summary.resource_type().unwrap_or_default().to_owned(),
            physical_id: summary.physical_resource_id().map(str::to_owned),
            status: status.unwrap_or_default().to_owned(),
            reason: summary
                .resource_status_reason()
                .filter(|reason| !reason.is_empty())
                .map(fault::in_one_line),
            since: summary.last_updated_timestamp().map(state::time),
        }
    }
}

/// The hash and the architecture of what the function runs. Both are unknown where there is no function.
async fn deployed(context: &Context) -> Result<(Option<String>, Option<String>)> {
    let request = context.clients.lambda.get_function_configuration();
    match request.function_name(context.environment.processor()).send().await {
        Ok(answer) => Ok((
            answer.code_sha256().and_then(sha256_of_base64),
            answer.architectures().first().map(|architecture| architecture.as_str().to_owned()),
        )),
        Err(error) if fault::is_missing(&error) => Ok((None, None)),
        Err(error) => Err(fault::explain(error, "look at the processor")),
    }
}

fn code(
    stack: &Stack,
    (deployed, architecture): (Option<String>, Option<String>),
    workshop: &Workshop,
) -> Code {
    // Compared for the architecture that is deployed: that `up` would change it is for `plan` to say.
    let architecture = architecture.as_deref().and_then(architecture_of).unwrap_or(workshop.architecture);
    let would_deploy =
        Workshop { architecture, ..workshop.clone() }.at_hand().map(|artifact| artifact.sha256);
    let current = deployed.as_ref().zip(would_deploy.as_ref()).map(|(deployed, ours)| deployed == ours);
    let in_stack = stack.outputs.get("ProcessorKey").and_then(|key| artifact_sha256(key)).map(str::to_owned);
    let past_stack =
        deployed.as_ref().zip(in_stack.as_ref()).is_some_and(|(deployed, given)| deployed != given);
    Code { deployed, in_stack, would_deploy, current, past_stack }
}
