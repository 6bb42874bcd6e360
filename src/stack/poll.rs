//! Reads a stack's events until an operation has ended. Thin: what the events mean is `watch`'s to say, when to
//! look again is `cadence`'s.

mod eye;

use super::cadence::Cadence;
use super::state::Stack;
use super::status::StackStatus;
use super::watch::{Failure, Watch};
use super::{Context, state};
use crate::cloud::fault;
use crate::error::{Error, Kind};
use crate::event::{Event, PathStep};
use crate::stack::plan::Operation;
use anyhow::Result;
use eye::Eye;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The stack as it is now. `None` where it is gone: by a deletion, or because somebody deleted it.
    pub stack: Option<Stack>,
    /// All that failed, earliest first.
    pub failures: Vec<Failure>,
    /// Which resources took the time.
    pub critical_path: Vec<PathStep>,
    /// How long it took, by the service's clock.
    pub seconds: f64,
    /// Until when a function that was deleted may still write its last log lines, where it may.
    pub last_lines: Option<Instant>,
}

impl Ended {
    /// The stack's state, where it isn't gone.
    pub fn status(&self) -> Option<&StackStatus> {
        self.stack.as_ref().map(|stack| &stack.status)
    }
}

/// How long a call is made again and again while AWS is throttling or broken, or the network is gone.
const PATIENCE: Duration = Duration::from_secs(600);

/// Does what can be repeated at any point until it goes through, unless it fails for good or for too long.
/// `at_most`: what is left of the command's time, which is the limit where a bucket's name is busy, too.
pub async fn patiently<T, F>(context: &Context, at_most: Duration, mut work: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let (began, mut cadence) = (Instant::now(), Cadence::joined());
    loop {
        let error = match work().await {
            Err(error) if fault::passes(&error) => error,
            ended => return ended,
        };
        let wait = cadence.after_failure(fastrand::f64());
        let most = if fault::is_of_busy_name(&error) { at_most } else { at_most.min(PATIENCE) };
        if began.elapsed() + Duration::from_secs_f64(wait) > most {
            return Err(error);
        }
        let reason = Error::of(&error).to_string();
        context.reporter.tell(&Event::PollFailed { reason, retry_seconds: wait });
        sleep(context, wait).await;
    }
}

/// The ids of the events so far: what came before an operation that is about to be started.
pub async fn events_so_far(context: &Context, stack: &str, at_most: Duration) -> Result<Vec<String>> {
    // The first page will do: a watch reads pages until it meets one that it knows.
    patiently(context, at_most, || async {
        let request = context.clients.cloudformation.describe_stack_events().stack_name(stack);
        match request.send().await {
            Ok(answer) => {
                let ids = answer.stack_events().iter().filter_map(|event| event.event_id());
                Ok(ids.map(str::to_owned).collect())
            }
            Err(error) if fault::is_missing(&error) => Ok(Vec::new()),
            Err(error) => Err(fault::explain(error, "read the stack's events")),
        }
    })
    .await
}

/// The stack of this name or id, where there is one that is not deleted.
pub async fn find(context: &Context, stack: &str, at_most: Duration) -> Result<Option<Stack>> {
    patiently(context, at_most, || state::find(&context.clients.cloudformation, stack)).await
}

/// Watches the operation that a watch was made for until it has ended. Whatever happens here, it goes on.
pub async fn watch(
    context: &Context,
    operation: Operation,
    stack_id: &str,
    watch: Watch,
    timeout: Duration,
) -> Result<Ended> {
    let mut eye = Eye::new(context, operation, stack_id, watch, Cadence::default());
    within(context, timeout, eye.watch()).await
}

/// Watches a roll-back that was asked for.
pub async fn watch_rollback(
    context: &Context,
    stack: &Stack,
    before: Vec<String>,
    timeout: Duration,
) -> Result<Ended> {
    watch(context, Operation::Update, &stack.id, Watch::new(&stack.id, before), timeout).await
}

/// Watches a deletion that was asked for after these events.
pub async fn watch_deletion(
    context: &Context,
    stack_id: &str,
    before: Vec<String>,
    timeout: Duration,
) -> Result<Ended> {
    watch(context, Operation::Delete, stack_id, Watch::new(stack_id, before), timeout).await
}

/// Watches the operation that is under way, whoever started it, from its beginning to its end.
pub async fn join(context: &Context, stack: &Stack, timeout: Duration) -> Result<Ended> {
    let operation = match stack.status.name() {
        name if name.starts_with("DELETE") => Operation::Delete,
        name if name.starts_with("CREATE") || name.starts_with("ROLLBACK") => Operation::Create,
        _ => Operation::Update,
    };
    let watch = Watch::join(&stack.id);
    let mut eye = Eye::new(context, operation, &stack.id, watch, Cadence::joined());
    within(context, timeout, eye.watch()).await
}

/// Watches the deletion that was just asked for, of a stack on which something else was under way.
pub async fn join_deletion(context: &Context, stack_id: &str, timeout: Duration) -> Result<Ended> {
    let watch = Watch::join(stack_id);
    let mut eye = Eye::new(context, Operation::Delete, stack_id, watch, Cadence::joined());
    within(context, timeout, eye.watch()).await
}

/// Gives up watching after a while; what is watched goes on.
async fn within<T>(
    context: &Context,
    timeout: Duration,
    watching: impl Future<Output = Result<T>>,
) -> Result<T> {
    let watched = tokio::time::timeout(timeout, Box::pin(watching)).await;
    let watched = watched.map(|ended| ended.map_err(|error| unwatched(context, &error).into()));
    watched.unwrap_or_else(|_| {
        let name = context.environment.stack();
        let message = format!("{name} has not settled in time; the operation goes on");
        Err(Error::new(Kind::TimedOut, message)
            .remedy(format!(
                "Run it again to go on watching, or `{}` to look.",
                context.invocation.command("status")
            ))
            .into())
    })
}

/// A watch can end early, but nothing that it watched ends with it.
fn unwatched(context: &Context, error: &anyhow::Error) -> Error {
    let error = Error::of(error);
    let status = context.invocation.command("status");
    let meaning = "What was begun goes on in the account, but it can't be watched.";
    error.meaning(meaning).remedy(format!("Then run it again to go on watching, or `{status}` to look."))
}

/// Sleeps. Where the whole machine slept longer meanwhile, that is told.
async fn sleep(context: &Context, seconds: f64) {
    let began = SystemTime::now();
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    if let Some(seconds) = overslept(seconds, began.elapsed().unwrap_or_default().as_secs_f64()) {
        context.reporter.tell(&Event::Slept { seconds });
    }
}

/// How long the machine slept, where a wait took that much longer by the clock on the wall.
fn overslept(wanted: f64, took: f64) -> Option<f64> {
    let longer = took - wanted;
    (longer > 30.0).then_some(longer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_slept_is_told_from_one_that_is_slow() {
        assert_eq!(overslept(2.0, 3_602.0), Some(3_600.0));
        assert_eq!(overslept(2.0, 9.0), None);
    }
}
