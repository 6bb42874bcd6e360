//! `up`: what stands in the account + the template → a change set → the stack. And `plan`, which stops before
//! anything is changed.

use super::changeset::{self, Prepared, Wanted};
use super::plan::{Operation, Plan};
use super::poll::{self, Ended};
use super::state::{self, Stack};
use super::status::{Known, WayOut};
use super::{Answer, Conduct, Context, operation};
use crate::artifact::{Artifact, Store, Stored, Workshop};
use crate::cloud::{Identity, fault};
use crate::environment::artifact_key;
use crate::error::{Error, Kind};
use crate::event::{Done, Event};
use crate::template::{self, Shape};
use anyhow::Result;
use std::time::{Duration, Instant};

/// How long a look at the stack may be trusted.
const FRESH: Duration = Duration::from_secs(5);
/// How often `up` begins anew when somebody else acts on the same stack.
const ATTEMPTS: u32 = 4;

/// Brings the environment up, or up to date. Overtaken by somebody else's change, it looks at the stack again.
pub async fn up(context: &Context, shape: &Shape, workshop: &Workshop, conduct: Conduct) -> Result<Done> {
    let mut attempt = 1;
    loop {
        match attempt_up(context, shape, workshop, conduct).await {
            Err(error) if attempt < ATTEMPTS && fault::is_overtaken(&error) => attempt += 1,
            result => return result,
        }
    }
}

async fn attempt_up(context: &Context, shape: &Shape, workshop: &Workshop, conduct: Conduct) -> Result<Done> {
    let began = Instant::now();
    let template = template::render(&context.environment, shape)?;
    let (identity, stack, artifact) = inspect(context, workshop).await?;
    let name_is_free = stack.as_ref().is_none_or(|stack| !stack.status.is(Known::ReviewInProgress));
    let stack = clear_the_way(context, stack, conduct).await?;

    let store = Store::new(&context.clients.s3, &identity.account, &context.clients.region);
    let wanted =
        Wanted { template: &template, artifact_bucket: &store.bucket, artifact: &artifact, name_is_free };
    let (stored, prepared) =
        tokio::join!(store.look(&artifact), prepare(context, &identity, stack.as_ref(), &wanted),);
    let prepared = prepared?;
    let outcome = async {
        let stored = stored?;
        let Some(plan) = &prepared.plan else { return Ok(None) };
        context.reporter.tell(&Event::Plan(plan.clone()));
        consent(context, plan, conduct).await?;
        match stored {
            Stored::Absent => store.put(&artifact, context.reporter.as_ref()).await?,
            Stored::Present => context.reporter.tell(&Event::ArtifactReady {
                bucket: store.bucket.clone(),
                key: artifact_key(&artifact.sha256),
                uploaded: false,
            }),
        }
        execute(context, &prepared, conduct).await.map(Some)
    };
    let done = match outcome.await {
        // What was only prepared leaves no trace.
        Ok(None) => {
            changeset::discard(context, &prepared).await?;
            context.reporter.tell(&Event::Unchanged { stack: context.environment.stack() });
            stack
        }
        Ok(Some(stack)) => Some(stack),
        Err(Stopped::Before(error)) => {
            let _ = changeset::discard(context, &prepared).await;
            return Err(error);
        }
        Err(Stopped::After(error)) => return Err(error),
    };
    Ok(Done {
        command: "up".to_owned(),
        changed: Some(prepared.plan.is_some()),
        stack: Some(context.environment.stack()),
        stack_id: Some(prepared.stack_id),
        outputs: done.map(|stack| stack.outputs),
        seconds: Some(began.elapsed().as_secs_f64()),
        ..Done::default()
    })
}

/// What `up` would change. The change set that tells it is deleted again.
pub async fn plan(context: &Context, shape: &Shape, workshop: &Workshop) -> Result<Plan> {
    let template = template::render(&context.environment, shape)?;
    let (identity, stack, artifact) = inspect(context, workshop).await?;
    let name_is_free = stack.is_none();
    let name = context.environment.stack();
    let stack = match stack {
        Some(stack) => match stack.status.way_out() {
            WayOut::Update => Some(stack),
            WayOut::Create => None,
            // Deleting it first is what `up` would do, so what it would make is the whole.
            WayOut::DeleteFirst | WayOut::Wait | WayOut::Explain(_) => {
                return Err(operation::in_the_way(context, &stack).into());
            }
        },
        None => None,
    };
    let store = Store::new(&context.clients.s3, &identity.account, &context.clients.region);
    let wanted =
        Wanted { template: &template, artifact_bucket: &store.bucket, artifact: &artifact, name_is_free };
    let prepared = prepare(context, &identity, stack.as_ref(), &wanted).await?;
    changeset::discard(context, &prepared).await?;
    Ok(prepared.plan.unwrap_or_else(|| Plan::new(prepared.operation, &name, &[])))
}

/// Everything that has to be known first. The three don't depend on each other.
async fn inspect(context: &Context, workshop: &Workshop) -> Result<(Identity, Option<Stack>, Artifact)> {
    let find = || state::find_ours(&context.clients.cloudformation, &context.environment);
    let began = Instant::now();
    let (identity, mut stack, artifact) =
        tokio::try_join!(context.clients.identity(), find(), workshop.make(context.reporter.clone()))?;
    // Compiling takes a minute, in which somebody else may have acted: what was seen before it is stale.
    if began.elapsed() > FRESH {
        stack = find().await?;
    }
    Ok((identity, stack, artifact))
}

/// Waits for somebody's operation, deletes a stack that holds nothing, or explains what a person has to do.
async fn clear_the_way(
    context: &Context,
    mut stack: Option<Stack>,
    conduct: Conduct,
) -> Result<Option<Stack>> {
    while let Some(found) = stack {
        match found.status.way_out() {
            WayOut::Update => return Ok(Some(found)),
            // Only its name is there: a change set of type CREATE takes it over.
            WayOut::Create => return Ok(None),
            WayOut::Explain(_) => return Err(operation::in_the_way(context, &found).into()),
            WayOut::Wait => operation::attach(context, &found, conduct.timeout).await?,
            WayOut::DeleteFirst => {
                context
                    .reporter
                    .tell(&Event::Clearing { stack: found.name.clone(), status: found.status.clone() });
                let ended = operation::delete_stack(context, &found.id, conduct.timeout).await?;
                if let Some(status) = ended.status.filter(|status| !status.is(Known::DeleteComplete)) {
                    return Err(operation::failed(context, Operation::Delete, &status, &ended.cause).into());
                }
            }
        }
        stack = state::find(&context.clients.cloudformation, &found.name).await?;
    }
    Ok(None)
}

/// Where `up` was stopped: before or after CloudFormation was told to act.
enum Stopped {
    Before(anyhow::Error),
    After(anyhow::Error),
}

impl From<anyhow::Error> for Stopped {
    fn from(error: anyhow::Error) -> Self {
        Stopped::Before(error)
    }
}

async fn consent(context: &Context, plan: &Plan, conduct: Conduct) -> Result<()> {
    let text = match (plan.operation, plan.loses_data) {
        (Operation::Create, _) => format!("Create {}", plan.stack),
        (_, false) => format!("Update {}", plan.stack),
        (_, true) => format!("Update {}, losing data", plan.stack),
    };
    match context.ask(conduct.consent, text).await? {
        Answer::Yes => Ok(()),
        Answer::No => Err(Error::new(Kind::Refused, "nothing was changed").into()),
        Answer::Nobody if !plan.loses_data => Ok(()),
        Answer::Nobody => Err(Error::new(
            Kind::Refused,
            "this would lose data, and nobody is there to agree: nothing was changed",
        )
        .remedy(format!(
            "Look at it with `{}`, then run it again with --yes.",
            context.invocation.command("plan")
        ))
        .into()),
    }
}

async fn execute(context: &Context, prepared: &Prepared, conduct: Conduct) -> Result<Stack, Stopped> {
    let before = match prepared.operation {
        Operation::Update => poll::events_so_far(context, &prepared.stack_id).await?,
        _ => Vec::new(),
    };
    let request = context.clients.cloudformation.execute_change_set();
    let request = request
        .change_set_name(&prepared.change_set_id)
        .client_request_token(format!("up-{:016x}", fastrand::u64(..)))
        // Said aloud: the API's description and its behaviour disagree on the default.
        .disable_rollback(false);
    let executed = request.send().await;
    executed.map_err(|error| fault::explain(error, "execute the planned changes"))?;
    context.reporter.tell(&Event::OperationStarted {
        operation: prepared.operation,
        stack: context.environment.stack(),
        stack_id: prepared.stack_id.clone(),
    });
    finish(context, prepared, before, conduct).await.map_err(Stopped::After)
}

async fn finish(
    context: &Context,
    prepared: &Prepared,
    before: Vec<String>,
    conduct: Conduct,
) -> Result<Stack> {
    let ended = poll::watch(context, prepared.operation, &prepared.stack_id, before, conduct.timeout).await?;
    let Ended { status: Some(status), cause, .. } = ended else {
        return Err(Error::new(Kind::DeploymentFailed, "the stack was deleted meanwhile").into());
    };
    if !status.good() {
        return Err(operation::failed(context, prepared.operation, &status, &cause).into());
    }
    let stack = state::find(&context.clients.cloudformation, &prepared.stack_id).await?;
    stack.ok_or_else(|| Error::new(Kind::DeploymentFailed, "the stack was deleted meanwhile").into())
}

/// The change set, where nothing stands in its way that would make it fail after a minute.
async fn prepare(
    context: &Context,
    identity: &Identity,
    stack: Option<&Stack>,
    wanted: &Wanted<'_>,
) -> Result<Prepared> {
    if stack.is_none() {
        check_bucket_is_free(context, identity).await?;
    }
    changeset::prepare(context, identity, stack, wanted).await
}

/// A bucket of that name makes the creation fail after a minute: better said now.
async fn check_bucket_is_free(context: &Context, identity: &Identity) -> Result<()> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let request = context.clients.s3.head_bucket().bucket(&bucket).expected_bucket_owner(&identity.account);
    match request.send().await {
        Ok(_)
            if state::find(&context.clients.cloudformation, &context.environment.stack())
                .await?
                .is_some() =>
        {
            let message = format!("somebody else is bringing {} up", context.environment.stack());
            Err(Error::new(Kind::Refused, message)
                .remedy("Run it again: it watches that to its end first.")
                .into())
        }
        Ok(_) => Err(Error::new(
            Kind::Refused,
            format!("the bucket {bucket} exists already, but no stack holds it"),
        )
        .remedy(format!(
            "Save what you need of it, then remove it with `{}`.",
            context.invocation.aws(&format!("s3 rb s3://{bucket} --force"))
        ))
        .into()),
        Err(error) if fault::is_missing(&error) => Ok(()),
        Err(error) if fault::is_forbidden(&error) => {
            Err(crate::artifact::foreign_bucket(&bucket, &identity.account).into())
        }
        Err(error) => Err(fault::explain(error, &format!("look at the bucket {bucket}"))),
    }
}
