//! A change set: made, read, and discarded where it isn't executed.

use super::Context;
use super::plan::{Operation, Plan};
use super::state::{self, Stack};
use super::status::Known;
use crate::artifact::Artifact;
use crate::cloud::{Identity, fault};
use crate::environment::{TAG_ENVIRONMENT, TAG_OWNER, TAG_VERSION, artifact_key, tag_value};
use crate::error::{Error, Kind};
use crate::template;
use anyhow::Result;
use aws_sdk_cloudformation::types as cfn;
use std::time::Duration;

/// A change set that is ready, and what it would do.
pub struct Prepared {
    /// The stack's ARN.
    pub stack_id: String,
    /// The change set's ARN.
    pub change_set_id: String,
    /// `None` where nothing has to change.
    pub plan: Option<Plan>,
    /// Create or update.
    pub operation: Operation,
    /// Whether the change set gave the stack its name: then withdrawing it takes the name back.
    pub named_it: bool,
}

/// What the stack is to be.
pub struct Wanted<'a> {
    /// The template's text.
    pub template: &'a str,
    /// The bucket of the processor's zip.
    pub artifact_bucket: &'a str,
    /// The processor.
    pub artifact: &'a Artifact,
    /// Whether there was no stack of that name, not even a mere name.
    pub name_is_free: bool,
}

/// Makes the change set, and waits until CloudFormation knows what it would do.
pub async fn prepare(
    context: &Context,
    identity: &Identity,
    stack: Option<&Stack>,
    wanted: &Wanted<'_>,
) -> Result<Prepared> {
    let name = context.environment.stack();
    let (operation, change_set_type) = match stack {
        Some(_) => (Operation::Update, cfn::ChangeSetType::Update),
        None => (Operation::Create, cfn::ChangeSetType::Create),
    };
    let parameter =
        |key: &str, value: &str| cfn::Parameter::builder().parameter_key(key).parameter_value(value).build();
    let tag = |key: &str, value: &str| cfn::Tag::builder().key(key).value(value).build();
    // Whoever made it stays its owner: another caller's name would be a change to every resource.
    let owner = stack.and_then(Stack::owner).map_or_else(|| tag_value(&identity.arn), str::to_owned);
    let request = context
        .clients
        .cloudformation
        .create_change_set()
        .stack_name(&name)
        .change_set_type(change_set_type)
        .change_set_name(format!("up-{:016x}", fastrand::u64(..)))
        .client_token(format!("up-{:016x}", fastrand::u64(..)))
        .description(concat!("kinesis-stack ", env!("CARGO_PKG_VERSION"), " up"))
        .template_body(wanted.template)
        .capabilities(cfn::Capability::CapabilityNamedIam)
        .parameters(parameter(template::PARAMETER_BUCKET, wanted.artifact_bucket))
        .parameters(parameter(template::PARAMETER_KEY, &artifact_key(&wanted.artifact.sha256)))
        .tags(tag(TAG_ENVIRONMENT, context.environment.name.as_str()))
        .tags(tag(TAG_OWNER, &owner))
        .tags(tag(TAG_VERSION, env!("CARGO_PKG_VERSION")));
    let answer =
        request.send().await.map_err(|error| fault::explain(error, &format!("plan the stack {name}")))?;
    let mut prepared = Prepared {
        stack_id: answer.stack_id().unwrap_or_default().to_owned(),
        change_set_id: answer.id().unwrap_or_default().to_owned(),
        plan: None,
        operation,
        named_it: wanted.name_is_free,
    };
    match read_change_set(context, &prepared).await {
        Ok(changes) => {
            prepared.plan = changes.map(|changes| Plan::new(operation, &name, &changes));
            Ok(prepared)
        }
        Err(error) => {
            let _ = discard(context, &prepared).await;
            Err(error)
        }
    }
}

/// The entries of a change set, once they are known. `None` where nothing has to change.
async fn read_change_set(context: &Context, prepared: &Prepared) -> Result<Option<Vec<cfn::Change>>> {
    let doing = "read the planned changes";
    let mut wait = 0.05;
    let mut changes = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let request = context.clients.cloudformation.describe_change_set();
        let request = request.change_set_name(&prepared.change_set_id).include_property_values(true);
        let answer = request.set_next_token(token.take()).send().await;
        let answer = answer.map_err(|error| fault::explain(error, doing))?;
        match answer.status() {
            Some(cfn::ChangeSetStatus::CreateComplete) => {
                changes.extend_from_slice(answer.changes());
                token = answer.next_token().map(str::to_owned);
                if token.is_none() {
                    return Ok(Some(changes));
                }
            }
            Some(cfn::ChangeSetStatus::CreatePending | cfn::ChangeSetStatus::CreateInProgress) => {
                tokio::time::sleep(Duration::from_secs_f64(wait)).await;
                wait = f64::min(wait * 2.0, 2.0);
            }
            status => {
                let reason = answer.status_reason().unwrap_or_default();
                if fault::is_no_changes(reason) {
                    return Ok(None);
                }
                let status = status.map(cfn::ChangeSetStatus::as_str).unwrap_or_default();
                let message = format!("CloudFormation refuses the template: the change set is {status}");
                return Err(Error::new(Kind::DeploymentFailed, message).because(reason).into());
            }
        }
    }
}

/// Removes a change set that isn't executed, and the empty stack that it may have made.
pub async fn discard(context: &Context, prepared: &Prepared) -> Result<()> {
    let cloudformation = &context.clients.cloudformation;
    let deleted = cloudformation.delete_change_set().change_set_name(&prepared.change_set_id).send().await;
    deleted.map_err(|error| fault::explain(error, "delete the unused change set"))?;
    if prepared.named_it {
        let stack = state::find(cloudformation, &prepared.stack_id).await?;
        // Only where it is still no more than a name: somebody may have been quicker.
        if stack.is_some_and(|stack| stack.status.is(Known::ReviewInProgress)) {
            let deleted = cloudformation.delete_stack().stack_name(&prepared.stack_id).send().await;
            deleted.map_err(|error| fault::explain(error, "delete the empty stack"))?;
        }
    }
    Ok(())
}
