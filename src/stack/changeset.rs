//! A change set: made, read, and withdrawn where it isn't executed.

pub mod validation;

use super::cadence::Cadence;
use super::plan::{Basis, Operation, Plan};
use super::state::{self, Stack};
use super::status::Known;
use super::{Context, lifetime, poll};
use crate::artifact::Artifact;
use crate::cloud::{Identity, fault};
use crate::environment::{
    TAG_ENVIRONMENT, TAG_EPHEMERAL, TAG_EXPIRES, TAG_OWNER, TAG_PULL_REQUEST, TAG_VERSION, artifact_key,
    expiry_tag, tag_value,
};
use crate::error::{Error, Kind};
use crate::settings::Means;
use crate::template::{self, Shape};
use anyhow::Result;
use aws_sdk_cloudformation::operation::create_change_set::builders::CreateChangeSetFluentBuilder;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types as cfn;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the names of our change sets begin with.
const PREFIX: &str = "kinesis-stack-";

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
    /// Whether it is of CloudFormation's EXPRESS mode: then executing it must not say what a roll-back does.
    pub express: bool,
    basis: Basis,
}

impl Prepared {
    /// What it would do, also where that is nothing.
    pub fn into_plan(self) -> Plan {
        self.plan.unwrap_or_else(|| Plan::new(&self.basis, None))
    }

    /// Refuses where it isn't the plan that was reviewed, be it that nothing is left to do.
    pub fn check(&self, reviewed: &Plan, context: &Context) -> Result<()> {
        let now = self.plan.clone().unwrap_or_else(|| Plan::new(&self.basis, None));
        super::plan::reviewed::check(reviewed, &now, &context.invocation)
    }
}

/// What the stack is to be.
pub struct Wanted<'a> {
    /// The change set's name, of [`new_name`]: known before it is made, so that it can be withdrawn by name.
    pub name: String,
    /// The template's text.
    pub template: &'a str,
    /// What of the pipeline was chosen.
    pub shape: &'a Shape,
    /// The bucket of the processor's zip.
    pub artifact_bucket: &'a str,
    /// The processor.
    pub artifact: &'a Artifact,
    /// Whether there was no stack of that name, not even a mere name.
    pub name_is_free: bool,
    /// How it is deployed.
    pub means: &'a Means,
    /// Whether CloudFormation validates it early.
    pub validated: bool,
    /// The plan that was reviewed, where one was: its expiry is that of the stack.
    pub reviewed: Option<&'a Plan>,
}

/// A name for a change set that no other has, and that is known as ours.
pub fn new_name() -> String {
    format!("{PREFIX}{:016x}", fastrand::u64(..))
}

/// Makes the change set, and waits until CloudFormation knows what it would do. Goes on while AWS is throttling or
/// the network is gone: the caller decides how long.
pub async fn prepare(
    context: &Context,
    identity: &Identity,
    stack: Option<&Stack>,
    wanted: &Wanted<'_>,
    at_most: Duration,
) -> Result<Prepared> {
    let basis = basis(context, identity, stack, wanted);
    let request = request(context, identity, stack, wanted, &basis);
    let create = || async {
        let answer = request.clone().send().await;
        answer.map_err(|error| fault::explain(error, &format!("plan the stack {}", basis.stack)))
    };
    let answer = poll::patiently(context, at_most, create).await?;
    let mut prepared = Prepared {
        stack_id: answer.stack_id().unwrap_or_default().to_owned(),
        change_set_id: answer.id().unwrap_or_default().to_owned(),
        plan: None,
        operation: basis.operation,
        named_it: wanted.name_is_free && stack.is_none(),
        express: wanted.means.express,
        basis,
    };
    match within(at_most, read(context, &prepared, at_most)).await {
        Ok(changes) => {
            prepared.plan = changes.map(|changes| Plan::new(&prepared.basis, Some(&changes)));
            Ok(prepared)
        }
        Err(error) => {
            let _ = discard(context, &prepared, Duration::ZERO).await;
            Err(error)
        }
    }
}

/// Gives up after a while.
async fn within<T>(at_most: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| {
        let message = format!("CloudFormation has not told what would change after {}s", at_most.as_secs());
        Err(Error::new(Kind::TimedOut, message).remedy("Run it again.").into())
    };
    tokio::time::timeout(at_most, work).await.unwrap_or_else(late)
}

fn basis(context: &Context, identity: &Identity, stack: Option<&Stack>, wanted: &Wanted<'_>) -> Basis {
    let parameters = [
        (template::PARAMETER_BUCKET, wanted.artifact_bucket.to_owned()),
        (template::PARAMETER_KEY, artifact_key(&wanted.artifact.sha256)),
    ];
    let expires = match wanted.reviewed {
        Some(plan) => plan.expires.clone(),
        None => {
            let before = stack.and_then(Stack::expires);
            lifetime::expiry(before, wanted.means, context.clock.now()).map(expiry_tag)
        }
    };
    let sha256 = Sha256::digest(template_body(context, identity, wanted));
    Basis {
        operation: if stack.is_some() { Operation::Update } else { Operation::Create },
        stack: context.environment.stack(),
        stack_id: stack.map(|stack| stack.id.clone()),
        env: context.environment.name.as_str().to_owned(),
        account: identity.account.clone(),
        region: context.clients.region.clone(),
        template_sha256: sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into(),
        means: wanted.means.clone(),
        shape: wanted.shape.clone(),
        was_ephemeral: stack.map(|stack| stack.ephemeral),
        was_protected: stack.map(|stack| stack.protected),
        expires_before: stack.and_then(Stack::expires).map(expiry_tag),
        expires,
    }
}

fn request(
    context: &Context,
    identity: &Identity,
    stack: Option<&Stack>,
    wanted: &Wanted<'_>,
    basis: &Basis,
) -> CreateChangeSetFluentBuilder {
    let means = wanted.means;
    let is_update = stack.is_some();
    let parameter =
        |(key, value)| cfn::Parameter::builder().parameter_key(key).parameter_value(value).build();
    let tag = |(key, value): (&str, String)| cfn::Tag::builder().key(key).value(value).build();
    // Roll-back is off in EXPRESS mode unless it is asked for here; elsewhere it is asked for on execution.
    let express = cfn::DeploymentConfig::builder().mode(cfn::DeploymentConfigMode::Express);
    let express = express.disable_rollback(false).build();
    context
        .clients
        .cloudformation
        .create_change_set()
        .stack_name(&basis.stack)
        .change_set_type(if is_update { cfn::ChangeSetType::Update } else { cfn::ChangeSetType::Create })
        .change_set_name(&wanted.name)
        .client_token(&wanted.name)
        .description(concat!("kinesis-stack ", env!("CARGO_PKG_VERSION"), " up"))
        .template_body(template_body(context, identity, wanted))
        .capabilities(cfn::Capability::CapabilityNamedIam)
        .set_parameters(Some(basis.parameters.iter().map(parameter).collect()))
        .set_tags(Some(tags(context, identity, stack, basis).into_iter().map(tag).collect()))
        .set_role_arn(means.role_arn.clone())
        .set_deployment_config(means.express.then_some(express))
        .set_import_existing_resources(means.adopt.then_some(true))
        .set_disable_validation((!wanted.validated).then_some(true))
        // A stack that is to be made has nothing to drift.
        .set_deployment_mode((means.heal && is_update).then_some(cfn::DeploymentMode::RevertDrift))
}

/// A failed EXPRESS update is left only by another, also where nothing is left to change: a change set can't say
/// that, so this is the same update without one.
pub async fn update_express(
    context: &Context,
    identity: &Identity,
    stack: &Stack,
    wanted: &Wanted<'_>,
    token: &str,
    at_most: Duration,
) -> Result<()> {
    let change_set =
        request(context, identity, Some(stack), wanted, &basis(context, identity, Some(stack), wanted));
    let same = change_set.as_input();
    let request = context.clients.cloudformation.update_stack().stack_name(&stack.id);
    let request = request
        .set_template_body(same.get_template_body().clone())
        .set_capabilities(same.get_capabilities().clone())
        .set_parameters(same.get_parameters().clone())
        .set_tags(same.get_tags().clone())
        .set_role_arn(same.get_role_arn().clone())
        .set_deployment_config(same.get_deployment_config().clone())
        .client_request_token(token);
    let update = || async {
        let updated = request.clone().send().await;
        updated.map(drop).map_err(|error| fault::explain(error, "settle the failed update"))
    };
    poll::patiently(context, at_most, update).await
}

/// The template's text. Only a resource whose name is no function is ever taken over, so there the bucket's is
/// spelled out.
fn template_body(context: &Context, identity: &Identity, wanted: &Wanted<'_>) -> String {
    if !wanted.means.adopt {
        return wanted.template.to_owned();
    }
    let name = |account: &str, region: &str| context.environment.bucket(account, region);
    let function = format!("BucketName: !Sub {}\n", name("${AWS::AccountId}", "${AWS::Region}"));
    let literal = format!("BucketName: {}\n", name(&identity.account, &context.clients.region));
    wanted.template.replace(&function, &literal)
}

/// The stack's tags.
fn tags(
    context: &Context,
    identity: &Identity,
    stack: Option<&Stack>,
    basis: &Basis,
) -> BTreeMap<&'static str, String> {
    // Whoever made it stays its owner: another caller's name would be a change to every resource.
    let owner = stack.and_then(Stack::owner).map_or_else(|| tag_value(&identity.arn), str::to_owned);
    let mut tags = BTreeMap::from([
        (TAG_ENVIRONMENT, context.environment.name.as_str().to_owned()),
        (TAG_OWNER, owner),
        (TAG_VERSION, env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    if basis.means.ephemeral {
        tags.insert(TAG_EPHEMERAL, "true".to_owned());
    }
    tags.extend(basis.expires.clone().map(|expires| (TAG_EXPIRES, expires)));
    // Likewise: another pull request that deploys it doesn't take it over.
    let pull_request = match stack {
        Some(stack) => stack.pull_request().map(str::to_owned),
        None => basis.means.pull_request.clone(),
    };
    tags.extend(pull_request.map(|name| (TAG_PULL_REQUEST, name)));
    tags
}

/// The entries of a change set, once they are known. `None` where nothing has to change.
async fn read(context: &Context, prepared: &Prepared, at_most: Duration) -> Result<Option<Vec<cfn::Change>>> {
    let mut cadence = Cadence::default();
    let mut changes = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = token.as_deref();
        let answer = poll::patiently(context, at_most, || look(context, prepared, page)).await?;
        match answer.status() {
            Some(cfn::ChangeSetStatus::CreateComplete) => {
                changes.extend_from_slice(answer.changes());
                token = answer.next_token().map(str::to_owned);
                if token.is_none() {
                    return Ok(Some(changes));
                }
            }
            Some(cfn::ChangeSetStatus::CreatePending | cfn::ChangeSetStatus::CreateInProgress) => {
                sleep(cadence.after_look(0.0, fastrand::f64())).await;
            }
            status => {
                let reason = answer.status_reason().unwrap_or_default();
                if fault::is_no_changes(reason) {
                    return Ok(None);
                }
                let status = status.map(cfn::ChangeSetStatus::as_str).unwrap_or_default();
                return Err(refused(context, prepared, status, reason).await.into());
            }
        }
    }
}

/// One page of the change set.
async fn look(
    context: &Context,
    prepared: &Prepared,
    token: Option<&str>,
) -> Result<DescribeChangeSetOutput> {
    let request = context.clients.cloudformation.describe_change_set();
    let request = request.change_set_name(&prepared.change_set_id).include_property_values(true);
    let answer = request.set_next_token(token.map(str::to_owned)).send().await;
    answer.map_err(|error| fault::explain(error, "read the planned changes"))
}

async fn sleep(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Why a change set failed.
async fn refused(context: &Context, prepared: &Prepared, status: &str, reason: &str) -> Error {
    let error = if fault::is_failed_validation(reason) {
        validation::explain(context, prepared, reason).await
    } else {
        let message = format!("CloudFormation refuses the template: the change set is {status}");
        Error::new(Kind::DeploymentFailed, message)
    };
    if error.cause.is_some() { error } else { error.because(reason) }
}

/// Removes a change set that isn't executed, and the empty stack that it may have made.
pub async fn discard(context: &Context, prepared: &Prepared, at_most: Duration) -> Result<()> {
    let remove = || remove(context, &prepared.change_set_id, &prepared.stack_id, prepared.named_it);
    poll::patiently(context, at_most, remove).await
}

/// The same for a change set of this name, or of this ARN, that may or may not have come to be.
pub async fn withdraw(context: &Context, change_set: &str, named_it: bool) -> Result<()> {
    remove(context, change_set, &context.environment.stack(), named_it).await
}

async fn remove(context: &Context, change_set: &str, stack: &str, named_it: bool) -> Result<()> {
    let cloudformation = &context.clients.cloudformation;
    let request = cloudformation.delete_change_set().change_set_name(change_set).stack_name(stack);
    let look = async { if named_it { state::find(cloudformation, stack).await } else { Ok(None) } };
    let (deleted, found) = tokio::join!(request.send(), look);
    match deleted {
        Ok(_) => {}
        Err(error) if fault::is_missing(&error) => {}
        Err(error) => return Err(fault::explain(error, "delete the unused change set")),
    }
    // Only where it is still no more than a name: somebody may have been quicker.
    if let Some(found) = found?.filter(|found| found.status.is(Known::ReviewInProgress)) {
        let deleted = cloudformation.delete_stack().stack_name(&found.id).send().await;
        deleted.map_err(|error| fault::explain(error, "delete the empty stack"))?;
    }
    Ok(())
}

/// Refuses a stack that isn't the environment's own.
pub async fn refuse_anothers(context: &Context, stack: &Stack) -> Result<()> {
    if is_ours(context, stack).await? {
        return Ok(());
    }
    let message = format!("the stack {} is not one of ours: somebody else is about to make it", stack.name);
    Err(Error::new(Kind::Refused, message).remedy("Choose another environment with --env.").into())
}

/// Whether a stack is the environment's own. One that never was more than a name has no tags yet: there the names
/// of its change sets tell who gave it its name.
pub async fn is_ours(context: &Context, stack: &Stack) -> Result<bool> {
    if let Some(environment) = stack.environment() {
        return Ok(environment == context.environment.name.as_str());
    }
    if !stack.status.is(Known::ReviewInProgress) {
        return Ok(false);
    }
    let mut token: Option<String> = None;
    loop {
        let request = context.clients.cloudformation.list_change_sets().stack_name(&stack.id);
        let answer = request.set_next_token(token.take()).send().await;
        let answer = answer.map_err(|error| fault::explain(error, "list the change sets of the stack"))?;
        let mut names = answer.summaries().iter().map(|summary| summary.change_set_name());
        if !names.all(|name| name.is_some_and(|name| name.starts_with(PREFIX))) {
            return Ok(false);
        }
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(true);
        }
    }
}
