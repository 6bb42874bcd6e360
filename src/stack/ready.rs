//! Whether the pipeline works: after EXPRESS, CloudFormation is done before its resources are.

use super::cadence::Cadence;
use super::status::Known;
use super::{Context, poll};
use crate::artifact::foreign_bucket;
use crate::cloud::bucket::Bucket;
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::Event;
use anyhow::Result;
use aws_sdk_firehose::types::DeliveryStreamStatus;
use aws_sdk_kinesis::types::StreamStatus;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{LastUpdateStatus, State};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A part of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Stream,
    Delivery,
    Function,
    Bucket,
    LogGroup,
    Role,
}

struct Leg {
    kind: Part,
    name: String,
}

/// How far a leg is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It works.
    Ready,
    /// Not yet: the service's word for it.
    NotYet(String),
    /// It never will: the service's reason.
    Failed(String),
}

/// How long something may be missing that CloudFormation has made: other services can be late to know of it.
const LATE: Duration = Duration::from_secs(300);
/// Between two looks at the stack while its legs aren't ready.
const STILL_THERE: Duration = Duration::from_secs(20);

/// Asks every leg until it is ready, all at once. False where somebody takes the stack away meanwhile.
pub async fn wait(context: &Context, identity: &Identity, stack_id: &str, timeout: Duration) -> Result<bool> {
    let began = Instant::now();
    let waiting: Mutex<BTreeMap<String, String>> = Mutex::default();
    let note = |leg: &Leg, state: Option<String>| {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{} {}", leg.what(), leg.name);
        match state {
            Some(state) => waiting.insert(name, state),
            None => waiting.remove(&name),
        };
    };
    let legs = legs(context, identity);
    let all = try_join_all(legs.iter().map(|leg| async {
        note(leg, Some("not asked yet".to_owned()));
        let (mut cadence, mut missing) = (Cadence::default(), None);
        loop {
            let asked = leg.ask(context, identity).await;
            missing = matches!(asked, Err(Asked::Missing)).then(|| missing.unwrap_or_else(Instant::now));
            let wait = match asked {
                Ok(Readiness::Ready) => break,
                Ok(Readiness::Failed(reason)) => return Err(leg.failed(context, reason).into()),
                Err(Asked::Missing) if missing.is_some_and(|since| since.elapsed() > LATE) => {
                    return Err(leg.missing(context).into());
                }
                Err(Asked::Missing) => {
                    note(leg, Some("not there yet".to_owned()));
                    cadence.after_look(0.0, fastrand::f64())
                }
                Ok(Readiness::NotYet(state)) => {
                    note(leg, Some(state));
                    cadence.after_look(0.0, fastrand::f64())
                }
                Err(Asked::ForNow(reason)) => {
                    note(leg, Some(reason));
                    cadence.after_failure(fastrand::f64())
                }
                Err(Asked::ForGood(error)) => return Err(error),
            };
            tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        }
        note(leg, None);
        context.reporter.tell(&Event::LegReady {
            leg: leg.what().to_owned(),
            name: leg.name.clone(),
            seconds: began.elapsed().as_secs_f64(),
        });
        Ok(())
    }));
    let ended = tokio::select! {
        biased;
        ended = tokio::time::timeout(timeout, all) => ended,
        taken_away = until_taken_away(context, stack_id, timeout) => return taken_away.map(|()| false),
    };
    match ended {
        Ok(result) => result.map(|_: Vec<()>| true),
        Err(_) => {
            let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let named: Vec<String> =
                waiting.iter().map(|(name, state)| format!("{name} ({state})")).collect();
            let message = format!(
                "{} is deployed, but not ready after {}s",
                context.environment.stack(),
                timeout.as_secs()
            );
            Err(Error::new(Kind::TimedOut, message)
                .because(named.join(", "))
                .remedy(format!(
                    "It goes on by itself: look with `{}`.",
                    context.invocation.command("status")
                ))
                .into())
        }
    }
}

/// Returns once the stack is gone, or on its way out: what is asked for then never comes.
async fn until_taken_away(context: &Context, stack_id: &str, timeout: Duration) -> Result<()> {
    loop {
        tokio::time::sleep(STILL_THERE).await;
        let stack = poll::find(context, stack_id, timeout).await?;
        if stack.is_none_or(|stack| stack.status.is(Known::DeleteInProgress)) {
            return Ok(());
        }
    }
}

fn legs(context: &Context, identity: &Identity) -> Vec<Leg> {
    let environment = &context.environment;
    let region = &context.clients.region;
    let leg = |kind, name| Leg { kind, name };
    vec![
        leg(Part::Stream, environment.stream()),
        leg(Part::Function, environment.processor()),
        leg(Part::Delivery, environment.delivery_stream()),
        leg(Part::Bucket, environment.bucket(&identity.account, region)),
        leg(Part::LogGroup, environment.processor_log_group()),
        leg(Part::LogGroup, environment.delivery_log_group()),
        leg(Part::Role, environment.processor_role(region)),
        leg(Part::Role, environment.delivery_role(region)),
    ]
}

enum Asked {
    /// There is no such thing.
    Missing,
    ForNow(String),
    ForGood(anyhow::Error),
}

impl Leg {
    fn what(&self) -> &'static str {
        match self.kind {
            Part::Stream => "data stream",
            Part::Delivery => "delivery stream",
            Part::Function => "function",
            Part::Bucket => "bucket",
            Part::LogGroup => "log group",
            Part::Role => "role",
        }
    }

    fn failed(&self, context: &Context, reason: String) -> Error {
        Error::new(
            Kind::DeploymentFailed,
            format!("the {} {} failed after its deployment", self.what(), self.name),
        )
        .because(reason)
        .remedy(format!(
            "Mend the cause, then run `{}` again without --express.",
            context.invocation.command("up")
        ))
    }

    fn missing(&self, context: &Context) -> Error {
        let stack = context.environment.stack();
        Error::new(Kind::DeploymentFailed, format!("there is no {} {}", self.what(), self.name))
            .because(format!("{stack} holds it, but somebody has deleted it"))
            .remedy(format!("`{}` makes it again.", context.invocation.command("up --heal")))
    }

    async fn ask(&self, context: &Context, identity: &Identity) -> Result<Readiness, Asked> {
        let clients = &context.clients;
        let name = &self.name;
        // The same verdict on each service's refusal: gone for now, hindered for now, or for good.
        macro_rules! asked {
            ($call:expr, $judge:expr) => {
                match $call.send().await {
                    Ok(answer) => Ok($judge(&answer)),
                    Err(error) if fault::is_missing(&error) => Err(Asked::Missing),
                    Err(error) => {
                        let for_now = fault::is_transient(&error);
                        let error = fault::explain(
                            error,
                            &format!("ask whether the {} {name} is ready", self.what()),
                        );
                        let told = Error::of(&error);
                        Err(match for_now {
                            true => Asked::ForNow(told.cause.unwrap_or(told.message)),
                            false => Asked::ForGood(error),
                        })
                    }
                }
            };
        }
        match self.kind {
            Part::Stream => asked!(
                clients.kinesis.describe_stream_summary().stream_name(name),
                |answer: &aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryOutput| {
                    match answer.stream_description_summary().map(|it| it.stream_status()) {
                        Some(StreamStatus::Active) => Readiness::Ready,
                        Some(status) => Readiness::NotYet(status.to_string()),
                        None => Readiness::NotYet("nothing told".to_owned()),
                    }
                }
            ),
            Part::Delivery => asked!(
                clients.firehose.describe_delivery_stream().delivery_stream_name(name),
                |answer: &aws_sdk_firehose::operation::describe_delivery_stream::DescribeDeliveryStreamOutput| {
                    let Some(stream) = answer.delivery_stream_description() else {
                        return Readiness::NotYet("nothing told".to_owned());
                    };
                    let why = stream.failure_description().map(|failure| failure.details().to_owned());
                    match stream.delivery_stream_status() {
                        DeliveryStreamStatus::Active => Readiness::Ready,
                        status @ DeliveryStreamStatus::CreatingFailed => {
                            Readiness::Failed(why.unwrap_or_else(|| status.to_string()))
                        }
                        status => Readiness::NotYet(status.to_string()),
                    }
                }
            ),
            Part::Function => {
                asked!(clients.lambda.get_function_configuration().function_name(name), of_function)
            }
            Part::Role => asked!(clients.iam.get_role().role_name(name), |_: &_| Readiness::Ready),
            Part::LogGroup => asked!(
                clients.logs.describe_log_groups().log_group_name_prefix(name),
                |answer: &aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput| {
                    answer.log_groups().iter().any(|group| group.log_group_name() == Some(name.as_str()))
                }
            )
            .and_then(|is_there| is_there.then_some(Readiness::Ready).ok_or(Asked::Missing)),
            Part::Bucket => match clients.whose(name, &identity.account).await {
                Ok(Bucket::Ours) => Ok(Readiness::Ready),
                Ok(Bucket::Missing) => Err(Asked::Missing),
                Ok(Bucket::Foreign) => Err(Asked::ForGood(foreign_bucket(name, &identity.account).into())),
                // The SDK has tried eight times already; the deadline is the caller's.
                Err(error) if Error::of(&error).kind == Kind::Failed => {
                    Err(Asked::ForNow(Error::of(&error).to_string()))
                }
                Err(error) => Err(Asked::ForGood(error)),
            },
        }
    }
}

/// What a function's configuration says. An emulator says nothing of states, and is ready at once.
pub fn of_function(answer: &GetFunctionConfigurationOutput) -> Readiness {
    let because = |reason: Option<&str>, status: &str| reason.unwrap_or(status).to_owned();
    match answer.state() {
        // An idle function is woken by the first batch.
        None | Some(State::Active | State::ActiveNonInvocable | State::Inactive) => {}
        Some(status @ State::Failed) => {
            return Readiness::Failed(because(answer.state_reason(), status.as_str()));
        }
        Some(status) => return Readiness::NotYet(status.to_string()),
    }
    match answer.last_update_status() {
        None | Some(LastUpdateStatus::Successful) => Readiness::Ready,
        Some(status @ LastUpdateStatus::Failed) => {
            Readiness::Failed(because(answer.last_update_status_reason(), status.as_str()))
        }
        Some(status) => Readiness::NotYet(status.to_string()),
    }
}
