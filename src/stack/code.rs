//! The fast path: new code for the function, past CloudFormation. For ephemeral environments, since the stack
//! then says something else than what runs, until the next full `up`.

use super::Context;
use super::cadence::Cadence;
use super::ready::{Readiness, of_function};
use super::state::Stack;
use crate::artifact::{Artifact, sha256_of_base64};
use crate::cloud::fault;
use crate::environment::artifact_sha256;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::settings::Invocation;
use anyhow::Result;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use std::time::Duration;
use tokio::time::Instant;

/// How often other code than ours is seen before it is believed: a look can lag behind an update.
const LOOKS: u32 = 4;

/// Refuses an environment that isn't marked as ephemeral: what lasts is deployed by CloudFormation alone.
pub fn refuse_lasting(stack: &Stack, invocation: &Invocation) -> Result<()> {
    if stack.ephemeral && !stack.protected {
        return Ok(());
    }
    let message = format!(
        "{} is protected, or not marked as ephemeral: its code is changed by CloudFormation alone",
        stack.name
    );
    let up = invocation.command("up");
    Err(Error::new(Kind::Refused, message)
        .remedy(format!("Run `{up}` without --code-only, or mark it first: `{up} --ephemeral`."))
        .into())
}

/// Gives the function the zip that lies there, and waits until it runs it. Can be repeated at any point.
pub async fn update_code(
    context: &Context,
    function: &str,
    bucket: &str,
    key: &str,
    sha256: &str,
    timeout: Duration,
) -> Result<()> {
    let began = Instant::now();
    let updating = async {
        begin(context, function, bucket, key).await?;
        settle(context, function, sha256).await
    };
    tokio::time::timeout(timeout, updating).await.unwrap_or_else(|_| {
        let message = format!("{function} does not run the new code after {}s", timeout.as_secs());
        let look = context.invocation.command("status");
        Err(Error::new(Kind::TimedOut, message)
            .remedy(format!("Look with `{look}`, or run it again."))
            .into())
    })?;
    context.reporter.tell(&Event::CodeUpdated {
        function: function.to_owned(),
        sha256: sha256.to_owned(),
        seconds: began.elapsed().as_secs_f64(),
    });
    Ok(())
}

/// Whether the function runs this artifact.
pub async fn runs(context: &Context, artifact: &Artifact) -> Result<bool> {
    Ok(deployed(context).await?.as_ref() == Some(&artifact.sha256))
}

/// The SHA-256 of the zip that the function runs, where there is a function.
pub async fn deployed(context: &Context) -> Result<Option<String>> {
    let found = look(context, &context.environment.processor()).await?;
    Ok(found.and_then(|found| found.code_sha256().and_then(sha256_of_base64)))
}

/// Whether the function runs other code than this artifact, though the stack says that it runs this one: then no
/// change set would heal it.
pub async fn drifted_code(context: &Context, stack: &Stack, artifact: &Artifact) -> Result<bool> {
    let in_stack = stack.outputs.get("ProcessorKey").and_then(|key| artifact_sha256(key));
    if in_stack != Some(artifact.sha256.as_str()) {
        return Ok(false);
    }
    Ok(deployed(context).await?.is_some_and(|runs| runs != artifact.sha256))
}

fn gone(function: &str) -> Error {
    Error::new(Kind::DeploymentFailed, format!("{function} was deleted meanwhile"))
        .remedy("Run it again: what is missing is made anew.")
}

/// Asks for the update, after somebody else's where one is under way.
async fn begin(context: &Context, function: &str, bucket: &str, key: &str) -> Result<()> {
    let mut cadence = Cadence::joined();
    loop {
        let request = context.clients.lambda.update_function_code().function_name(function);
        let Err(error) = request.s3_bucket(bucket).s3_key(key).send().await else { return Ok(()) };
        let busy = error.as_service_error().is_some_and(|error| error.is_resource_conflict_exception());
        let wait = match (busy, fault::is_transient(&error)) {
            (true, _) => cadence.after_look(0.0, fastrand::f64()),
            _ if fault::is_missing(&error) => return Err(gone(function).into()),
            (_, passes) => {
                let error = fault::explain(error, &format!("change the code of {function}"));
                if !passes {
                    return Err(error);
                }
                told(context, &error, cadence.after_failure(fastrand::f64()))
            }
        };
        tokio::time::sleep(Duration::from_secs_f64(wait)).await;
    }
}

/// Waits until the function runs this code.
async fn settle(context: &Context, function: &str, sha256: &str) -> Result<()> {
    let mut cadence = Cadence::default();
    let mut other = 0;
    loop {
        let found = look(context, function).await?;
        let Some(found) = found else { return Err(gone(function).into()) };
        match of_function(&found) {
            Readiness::NotYet(_) => {}
            Readiness::Failed(reason) => {
                let message = format!("{function} could not take the new code");
                return Err(Error::new(Kind::DeploymentFailed, message)
                    .because(reason)
                    .remedy(format!(
                        "`{}` without --code-only deploys it anew.",
                        context.invocation.command("up")
                    ))
                    .into());
            }
            Readiness::Ready => {
                let runs = found.code_sha256().and_then(sha256_of_base64);
                match runs.filter(|runs| runs != sha256) {
                    None => return Ok(()),
                    Some(runs) if other == LOOKS => {
                        let message = format!("{function} runs other code than what was uploaded");
                        return Err(Error::new(Kind::Failed, message)
                            .because(format!("it runs {runs}: somebody else has changed it meanwhile"))
                            .remedy("Run it again.")
                            .into());
                    }
                    Some(_) => other += 1,
                }
            }
        }
        tokio::time::sleep(Duration::from_secs_f64(cadence.after_look(0.0, fastrand::f64()))).await;
    }
}

/// The function, where there is one. Throttling is waited out; whoever calls has a deadline.
async fn look(context: &Context, function: &str) -> Result<Option<GetFunctionConfigurationOutput>> {
    let mut cadence = Cadence::joined();
    for failures in 0.. {
        let request = context.clients.lambda.get_function_configuration().function_name(function);
        match request.send().await {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) if fault::is_missing(&error) => return Ok(None),
            Err(error) if failures < 10 && fault::is_transient(&error) => {
                let error = fault::explain(error, &format!("look at the function {function}"));
                let wait = told(context, &error, cadence.after_failure(fastrand::f64()));
                tokio::time::sleep(Duration::from_secs_f64(wait)).await;
            }
            Err(error) => return Err(fault::explain(error, &format!("look at the function {function}"))),
        }
    }
    Ok(None)
}

/// Tells that a call failed for now, and is made again after so long.
fn told(context: &Context, error: &anyhow::Error, wait: f64) -> f64 {
    let reason = Error::of(error).to_string();
    context.reporter.tell(&Event::PollFailed { reason, retry_seconds: wait });
    wait
}
