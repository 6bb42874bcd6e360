//! Removes one thing: a small remover a kind. Each can be repeated at any point, and what isn't there is removed.

use super::Emptier;
use super::thing::{Kind, Thing};
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind as ErrorKind};
use crate::stack::{Context, poll};
use anyhow::Result;
use aws_sdk_firehose::types::DeliveryStreamStatus;
use aws_sdk_kinesis::types::StreamStatus;
use aws_sdk_s3::error::ProvideErrorMetadata;
use std::time::Duration;
use tokio::time::Instant;

/// How far a removal is.
enum Step {
    /// It is gone.
    Gone,
    /// It is on its way out, or can't be removed yet.
    Wait,
}

/// How long to wait between two steps, in seconds: a delivery stream takes minutes to go.
const WAITS: (f64, f64) = (1.0, 10.0);
/// How often what says that it can't go yet is asked to go, where nothing tells that it is on its way.
const MOST_CONFLICTS: u32 = 8;

/// Removes a thing, and waits until it is gone.
pub async fn remove(context: &Context, identity: &Identity, thing: &Thing, at_most: Duration) -> Result<()> {
    if thing.kind == Kind::Bucket {
        let emptier = Emptier::new(context, &thing.name, identity);
        return poll::patiently(context, at_most, || emptier.remove()).await.map(drop);
    }
    let (began, mut wait, mut conflicts) = (Instant::now(), WAITS.0, 0);
    loop {
        let left = at_most.saturating_sub(began.elapsed());
        match poll::patiently(context, left, || step(context, thing)).await? {
            Step::Gone => return Ok(()),
            Step::Wait => conflicts += u32::from(matches!(thing.kind, Kind::Function | Kind::Role)),
        }
        if conflicts == MOST_CONFLICTS || began.elapsed() + Duration::from_secs_f64(wait) > at_most {
            let message = format!("the {} is still there", thing.told());
            return Err(Error::new(ErrorKind::TimedOut, message)
                .remedy(format!("`{}` goes on with it.", context.invocation.command("down")))
                .into());
        }
        tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        wait = (wait * 2.0).min(WAITS.1);
    }
}

async fn step(context: &Context, thing: &Thing) -> Result<Step> {
    let name = thing.name.as_str();
    match thing.kind {
        Kind::DeliveryStream => delivery_stream(context, name).await,
        Kind::Stream => stream(context, name).await,
        Kind::Function => function(context, name).await,
        Kind::Role => role(context, name).await,
        Kind::LogGroup => log_group(context, name).await,
        Kind::Bucket => Ok(Step::Wait),
    }
}

/// The verdict on a call that asks something to go: it is on its way, it isn't there, or it can't go yet.
macro_rules! asked_to_go {
    ($call:expr, $then:expr, $yet:expr, $doing:expr) => {
        match $call.send().await {
            Ok(_) => Ok($then),
            Err(error) if fault::is_missing(&error) => Ok(Step::Gone),
            Err(error) if error.code().is_some_and(|code| $yet.contains(&code)) => Ok(Step::Wait),
            Err(error) => Err(fault::explain(error, &$doing)),
        }
    };
}

/// One that is CREATING can't be deleted; one that is DELETING takes minutes, and may still deliver.
async fn delivery_stream(context: &Context, name: &str) -> Result<Step> {
    let firehose = &context.clients.firehose;
    let doing = format!("remove the delivery stream {name}");
    let status = match firehose.describe_delivery_stream().delivery_stream_name(name).send().await {
        Ok(answer) => {
            answer.delivery_stream_description().map(|stream| stream.delivery_stream_status().clone())
        }
        Err(error) if fault::is_missing(&error) => return Ok(Step::Gone),
        Err(error) => return Err(fault::explain(error, &doing)),
    };
    if matches!(status, Some(DeliveryStreamStatus::Creating | DeliveryStreamStatus::Deleting)) {
        return Ok(Step::Wait);
    }
    // One that couldn't give its key's grants back is deleted all the same.
    let force = status == Some(DeliveryStreamStatus::DeletingFailed);
    let call = firehose.delete_delivery_stream().delivery_stream_name(name);
    asked_to_go!(
        call.set_allow_force_delete(force.then_some(true)),
        Step::Wait,
        ["ResourceInUseException"],
        doing
    )
}

/// Only an ACTIVE one can be deleted. Its consumers go with it.
async fn stream(context: &Context, name: &str) -> Result<Step> {
    let kinesis = &context.clients.kinesis;
    let doing = format!("remove the stream {name}");
    let status = match kinesis.describe_stream_summary().stream_name(name).send().await {
        Ok(answer) => answer.stream_description_summary().map(|stream| stream.stream_status().clone()),
        Err(error) if fault::is_missing(&error) => return Ok(Step::Gone),
        Err(error) => return Err(fault::explain(error, &doing)),
    };
    if status != Some(StreamStatus::Active) {
        return Ok(Step::Wait);
    }
    let call = kinesis.delete_stream().stream_name(name).enforce_consumer_deletion(true);
    asked_to_go!(call, Step::Wait, ["ResourceInUseException", "LimitExceededException"], doing)
}

async fn function(context: &Context, name: &str) -> Result<Step> {
    let call = context.clients.lambda.delete_function().function_name(name);
    asked_to_go!(call, Step::Gone, ["ResourceConflictException"], format!("remove the function {name}"))
}

async fn log_group(context: &Context, name: &str) -> Result<Step> {
    let call = context.clients.logs.delete_log_group().log_group_name(name);
    asked_to_go!(call, Step::Gone, ["OperationAbortedException"], format!("remove the log group {name}"))
}

/// A role can't be deleted while it has policies, of its own or attached.
async fn role(context: &Context, name: &str) -> Result<Step> {
    let iam = &context.clients.iam;
    let doing = format!("remove the role {name}");
    let own = match iam.list_role_policies().role_name(name).send().await {
        Ok(answer) => answer.policy_names().to_vec(),
        Err(error) if fault::is_missing(&error) => return Ok(Step::Gone),
        Err(error) => return Err(fault::explain(error, &doing)),
    };
    let attached = match iam.list_attached_role_policies().role_name(name).send().await {
        Ok(answer) => answer.attached_policies().to_vec(),
        Err(error) if fault::is_missing(&error) => return Ok(Step::Gone),
        Err(error) => return Err(fault::explain(error, &doing)),
    };
    for policy in own {
        match iam.delete_role_policy().role_name(name).policy_name(policy).send().await {
            Err(error) if !fault::is_missing(&error) => return Err(fault::explain(error, &doing)),
            _ => {}
        }
    }
    for arn in attached.iter().filter_map(|policy| policy.policy_arn()) {
        match iam.detach_role_policy().role_name(name).policy_arn(arn).send().await {
            Err(error) if !fault::is_missing(&error) => return Err(fault::explain(error, &doing)),
            _ => {}
        }
    }
    asked_to_go!(
        iam.delete_role().role_name(name),
        Step::Gone,
        ["DeleteConflict", "ConcurrentModification"],
        doing
    )
}
