//! Reads a stack's events until an operation has ended. Thin: what the events mean is `watch`'s to say.

use super::status::StackStatus;
use super::watch::{Failure, StackEvent, Watch, first_cause};
use super::{Context, state};
use crate::cloud::fault;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::plan::Operation;
use anyhow::Result;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types as cfn;
use std::time::Duration;

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The stack's state. `None` where the stack is gone and answers no more.
    pub status: Option<StackStatus>,
    /// The failure that everything else followed from.
    pub cause: Option<Failure>,
    /// All that failed, earliest first.
    pub failures: Vec<Failure>,
}

/// Waits between two looks: short while things happen, longer while nothing does. In seconds.
const SHORTEST_WAIT: f64 = 0.02;
const LONGEST_WAIT: f64 = 2.0;
/// After a failed look: the SDK has tried eight times already.
const LONGEST_WAIT_AFTER_FAILURE: f64 = 15.0;

/// The ids of the events so far: what came before an operation that is about to be started.
pub async fn events_so_far(context: &Context, stack: &str) -> Result<Vec<String>> {
    let request = context.clients.cloudformation.describe_stack_events().stack_name(stack);
    // The first page will do: a watch reads pages until it meets one that it knows.
    let answer = request.send().await.map_err(|error| fault::explain(error, "read the stack's events"))?;
    Ok(answer.stack_events().iter().filter_map(|event| event.event_id().map(str::to_owned)).collect())
}

/// Watches an operation until it has ended. Events in `before` belong to earlier ones.
pub async fn watch(
    context: &Context,
    operation: Operation,
    stack_id: &str,
    before: Vec<String>,
    timeout: Duration,
) -> Result<Ended> {
    within(context, timeout, watch_on(context, operation, stack_id, before)).await
}

/// Watches a stack on which somebody else's operation is under way, until its state says that it has ended.
/// Which events belong to that operation can't be told, so only those from now on are shown.
pub async fn watch_state(context: &Context, stack_id: &str, timeout: Duration) -> Result<()> {
    let watching = async {
        let mut watch = Watch::new(stack_id, events_so_far(context, stack_id).await?);
        let mut wait = 0.1;
        loop {
            match look_at_both(context, &mut watch, stack_id).await {
                Ok(stack) if stack.as_ref().is_none_or(|stack| stack.status.settled()) => break,
                Ok(_) => wait = f64::min(wait * 1.6, LONGEST_WAIT),
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::ForNow(reason)) => {
                    wait = wait_after_failure(wait);
                    context.reporter.tell(&Event::PollFailed { reason, retry_seconds: wait });
                }
            }
            tokio::time::sleep(jitter(wait)).await;
        }
        Ok(())
    };
    within(context, timeout, watching).await
}

/// The state first: so the events hold all that led to it.
async fn look_at_both(
    context: &Context,
    watch: &mut Watch,
    stack_id: &str,
) -> Result<Option<state::Stack>, Failed> {
    let stack = state::look(&context.clients.cloudformation, stack_id).await;
    let stack = stack.map_err(|error| Failed::new(error, "look at the stack"))?;
    look(context, watch, stack_id).await?;
    Ok(stack)
}

/// Gives up watching after a while; what is watched goes on.
async fn within<T>(
    context: &Context,
    timeout: Duration,
    watching: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout(timeout, watching).await.unwrap_or_else(|_| {
        let name = context.environment.stack();
        let message = format!("{name} has not settled after {}s; the operation goes on", timeout.as_secs());
        Err(Error::new(Kind::TimedOut, message)
            .remedy(format!(
                "Run it again to go on watching, or `{}` to look.",
                context.invocation.command("status")
            ))
            .into())
    })
}

fn wait_after_failure(wait: f64) -> f64 {
    (wait * 2.0).clamp(1.0, LONGEST_WAIT_AFTER_FAILURE)
}

/// Many watchers of one account must not ask in step.
fn jitter(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds * (0.5 + fastrand::f64() / 2.0))
}

async fn watch_on(
    context: &Context,
    operation: Operation,
    stack_id: &str,
    before: Vec<String>,
) -> Result<Ended> {
    let mut watch = Watch::new(stack_id, before);
    let mut wait = SHORTEST_WAIT;
    loop {
        match look(context, &mut watch, stack_id).await {
            Ok(Look::News(0)) => wait = (wait * 1.6).min(LONGEST_WAIT),
            Ok(Look::News(_)) => wait = wait.min(0.25),
            Ok(Look::Gone) if operation == Operation::Delete => {
                return Ok(ended(None, &watch));
            }
            Ok(Look::Gone) => {
                let message = format!("{} was deleted meanwhile", context.environment.stack());
                return Err(Error::new(Kind::DeploymentFailed, message).remedy("Run it again.").into());
            }
            Err(Failed::ForGood(error)) => return Err(error),
            Err(Failed::ForNow(reason)) => {
                wait = wait_after_failure(wait);
                context.reporter.tell(&Event::PollFailed { reason, retry_seconds: wait });
            }
        }
        if let Some(status) = watch.verdict().cloned() {
            look_for_the_cause(context, &mut watch, stack_id, &status).await?;
            return Ok(ended(Some(status), &watch));
        }
        // A deletion's last event may never be told; that the stack is gone is told all the same.
        if operation == Operation::Delete && wait >= LONGEST_WAIT && is_gone(context, stack_id).await {
            return Ok(ended(None, &watch));
        }
        tokio::time::sleep(jitter(wait)).await;
    }
}

/// Once more: an event may come later than its stack's last one, and it may be the cause. Where an operation
/// failed and nothing says why, a few times more.
async fn look_for_the_cause(
    context: &Context,
    watch: &mut Watch,
    stack_id: &str,
    status: &StackStatus,
) -> Result<()> {
    for pause in [0, 1, 1, 2] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        if let Err(Failed::ForGood(error)) = look(context, watch, stack_id).await {
            return Err(error);
        }
        if status.good() || !watch.failures().is_empty() {
            break;
        }
    }
    Ok(())
}

async fn is_gone(context: &Context, stack_id: &str) -> bool {
    matches!(state::look(&context.clients.cloudformation, stack_id).await, Ok(None))
}

fn ended(status: Option<StackStatus>, watch: &Watch) -> Ended {
    let failures = watch.failures();
    Ended {
        status,
        cause: first_cause(&failures).cloned(),
        failures: failures.into_iter().cloned().collect(),
    }
}

enum Look {
    News(usize),
    Gone,
}

enum Failed {
    ForNow(String),
    ForGood(anyhow::Error),
}

impl Failed {
    fn new<E>(error: SdkError<E>, doing: &str) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let for_now = fault::is_transient(&error);
        let error = fault::explain(error, doing);
        if for_now { Failed::ForNow(Error::of(&error).to_string()) } else { Failed::ForGood(error) }
    }
}

/// Reads pages, newest first, until one holds an event that is known.
async fn look(context: &Context, watch: &mut Watch, stack_id: &str) -> Result<Look, Failed> {
    let mut events = Vec::new();
    let mut token = None;
    loop {
        let request = context.clients.cloudformation.describe_stack_events().stack_name(stack_id);
        let answer = match request.set_next_token(token).send().await {
            Ok(answer) => answer,
            Err(error) if fault::is_missing(&error) => return Ok(Look::Gone),
            Err(error) => return Err(Failed::new(error, "read the stack's events")),
        };
        let page: Vec<StackEvent> = answer.stack_events().iter().map(event).collect();
        let met = page.iter().any(|event| watch.knows(&event.id));
        events.extend(page);
        token = answer.next_token().map(str::to_owned);
        if met || token.is_none() {
            break;
        }
    }
    let news = watch.absorb(events);
    for resource in &news {
        context.reporter.tell(&Event::Resource(resource.clone()));
    }
    Ok(Look::News(news.len()))
}

fn event(event: &cfn::StackEvent) -> StackEvent {
    StackEvent {
        id: event.event_id().unwrap_or_default().to_owned(),
        logical_id: event.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: event.physical_resource_id().unwrap_or_default().to_owned(),
        resource_type: event.resource_type().unwrap_or_default().to_owned(),
        status: event.resource_status().map(cfn::ResourceStatus::as_str).unwrap_or_default().to_owned(),
        reason: event.resource_status_reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
        time: event.timestamp().map(aws_smithy_types::DateTime::as_secs_f64).unwrap_or_default(),
    }
}
