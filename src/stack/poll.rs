//! Reads a stack's events until an operation has ended. Thin: what the events mean is `watch`'s to say, when to
//! look again is `cadence`'s.

use super::cadence::Cadence;
use super::path::critical_path;
use super::state::Stack;
use super::status::StackStatus;
use super::watch::{Failure, StackEvent, Watch};
use super::{Context, state};
use crate::cloud::fault;
use crate::error::{Error, Kind};
use crate::event::{Event, PathStep};
use crate::stack::plan::Operation;
use anyhow::Result;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types as cfn;
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
}

impl Ended {
    /// The stack's state, where it isn't gone.
    pub fn status(&self) -> Option<&StackStatus> {
        self.stack.as_ref().map(|stack| &stack.status)
    }
}

/// When nothing has been heard for so long, in seconds, people are told what is being waited for.
const QUIET: f64 = 20.0;
/// When nothing has been heard for so long, in seconds, the stack itself is asked: an event can be lost.
const TOO_QUIET: f64 = 60.0;
/// The same for a deletion: the last event of a stack that is gone may never be told.
const TOO_QUIET_FOR_A_DELETION: f64 = 5.0;

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

/// One pair of eyes on one operation.
struct Eye<'a> {
    context: &'a Context,
    operation: Operation,
    stack_id: &'a str,
    watch: Watch,
    cadence: Cadence,
    /// When something was last heard of.
    heard: Instant,
    /// When the stack itself was last asked.
    asked: Instant,
    /// When people were last told what is being waited for.
    told: Instant,
    /// The service's clock minus ours, as far as events tell: never too far ahead.
    offset: Option<f64>,
    began: Instant,
}

impl<'a> Eye<'a> {
    fn new(
        context: &'a Context,
        operation: Operation,
        stack_id: &'a str,
        watch: Watch,
        cadence: Cadence,
    ) -> Self {
        let now = Instant::now();
        Eye {
            context,
            operation,
            stack_id,
            watch,
            cadence,
            heard: now,
            asked: now,
            told: now,
            offset: None,
            began: now,
        }
    }

    async fn watch(&mut self) -> Result<Ended> {
        loop {
            let mut saw = true;
            let wait = match self.look(Pages::New).await {
                Ok(Look::Told) => {
                    if self.verdict().is_some() {
                        return self.end().await;
                    }
                    self.cadence.after_look(self.watch.at_least(self.service_time()), fastrand::f64())
                }
                Ok(Look::Gone) => return Ok(self.ended(None)),
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::ForNow(reason)) => {
                    saw = false;
                    let wait = self.cadence.after_failure(fastrand::f64());
                    self.context.reporter.tell(&Event::PollFailed { reason, retry_seconds: wait });
                    wait
                }
            };
            if self.is_too_quiet() {
                self.asked = Instant::now();
                match state::look(&self.context.clients.cloudformation, self.stack_id).await {
                    Ok(None) => return Ok(self.ended(None)),
                    // Without events its cause would stay unknown: only where they can be read, and tell nothing.
                    Ok(Some(stack)) if saw && self.is_end(&stack.status) && self.quiet() > TOO_QUIET => {
                        return Ok(self.ended(Some(stack)));
                    }
                    _ => {}
                }
            }
            self.say_what_is_waited_for();
            sleep(self.context, wait).await;
        }
    }

    fn service_time(&self) -> f64 {
        self.offset.unwrap_or_default() + self.began.elapsed().as_secs_f64()
    }

    /// The state in which the operation ended, once it has.
    fn verdict(&self) -> Option<&StackStatus> {
        self.watch.verdict().filter(|status| self.is_end(status))
    }

    /// A stack that is being deleted can have been created a moment before.
    fn is_end(&self, status: &StackStatus) -> bool {
        status.settled() && (self.operation != Operation::Delete || status.name().starts_with("DELETE"))
    }

    /// Seconds since something new was heard.
    fn quiet(&self) -> f64 {
        self.heard.elapsed().as_secs_f64()
    }

    fn is_too_quiet(&self) -> bool {
        let limit = if self.operation == Operation::Delete { TOO_QUIET_FOR_A_DELETION } else { TOO_QUIET };
        self.quiet() > limit && self.asked.elapsed().as_secs_f64() > limit
    }

    fn say_what_is_waited_for(&mut self) {
        if self.quiet() < QUIET || self.told.elapsed().as_secs_f64() < QUIET {
            return;
        }
        self.told = Instant::now();
        let resources = self.watch.waiting_for(self.service_time());
        if !resources.is_empty() {
            self.context.reporter.tell(&Event::Waiting { resources });
        }
    }

    /// Once more: an event may come later than its stack's last one, and it may be the cause. Where an operation
    /// failed and nothing says why, a few times more.
    async fn end(&mut self) -> Result<Ended> {
        let context = self.context;
        let (stack, look) = tokio::join!(find(context, self.stack_id, PATIENCE), self.look(Pages::All));
        let (mut look, mut pauses) = (look, [1.0, 1.0, 2.0, 3.0, 5.0].into_iter());
        loop {
            let good = self.verdict().is_none_or(StackStatus::good);
            let pause = match look {
                Err(Failed::ForGood(error)) => return Err(error),
                _ if good || self.watch.knows_a_cause() => break,
                // As long as nothing can be read, nothing says that there is no cause.
                Err(Failed::ForNow(reason)) => {
                    let wait = self.cadence.after_failure(fastrand::f64());
                    context.reporter.tell(&Event::PollFailed { reason, retry_seconds: wait });
                    wait
                }
                Ok(_) => match pauses.next() {
                    Some(pause) => pause,
                    None => break,
                },
            };
            sleep(context, pause).await;
            look = self.look(Pages::All).await;
        }
        let mut stack = stack?;
        // A read may be older than the event that was just seen, and then knows no outputs of the new state.
        for pause in [1, 2, 4] {
            if stack.as_ref().is_none_or(|stack| Some(&stack.status) == self.verdict()) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(pause)).await;
            stack = find(context, self.stack_id, PATIENCE).await?;
        }
        if let (Some(stack), Some(verdict)) = (&mut stack, self.verdict()) {
            stack.status = verdict.clone();
        }
        Ok(self.ended(stack))
    }

    fn ended(&self, stack: Option<Stack>) -> Ended {
        Ended {
            stack,
            failures: self.watch.failures().into_iter().cloned().collect(),
            critical_path: critical_path(self.watch.spans()),
            seconds: self.watch.seconds(),
        }
    }

    /// Reads pages, newest first.
    async fn look(&mut self, pages: Pages) -> Result<Look, Failed> {
        let mut events = Vec::new();
        let mut token = None;
        loop {
            let request = self.context.clients.cloudformation.describe_stack_events();
            let answer = match request.stack_name(self.stack_id).set_next_token(token).send().await {
                Ok(answer) => answer,
                Err(error) if fault::is_missing(&error) => return Ok(Look::Gone),
                Err(error) => return Err(Failed::new(error, "read the stack's events")),
            };
            let page: Vec<StackEvent> = answer.stack_events().iter().map(event).collect();
            let met = page.iter().any(|event| match pages {
                Pages::New => self.watch.knows(event),
                Pages::All => self.watch.is_older(event),
            });
            events.extend(page);
            token = answer.next_token().map(str::to_owned);
            if met || token.is_none() {
                break;
            }
        }
        let newest = events.iter().map(|event| event.time).fold(f64::MIN, f64::max);
        let news = self.watch.absorb(events);
        if !news.is_empty() {
            self.heard = Instant::now();
            let offset = newest - self.began.elapsed().as_secs_f64();
            self.offset = Some(self.offset.map_or(offset, |known| known.max(offset)));
        }
        for resource in news {
            self.context.reporter.tell(&Event::Resource(resource));
        }
        Ok(Look::Told)
    }
}

/// How far back to read.
#[derive(Clone, Copy)]
enum Pages {
    /// Until something is known already.
    New,
    /// Until the operation began: an event that came late may stand between those that are known.
    All,
}

enum Look {
    Told,
    Gone,
}

/// A look that failed.
pub enum Failed {
    /// It may go through later.
    ForNow(String),
    /// It won't.
    ForGood(anyhow::Error),
}

impl Failed {
    fn new<E>(error: SdkError<E>, doing: &str) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        // Credentials that can be renewed were waited for already, by `cloud::renewal`: here they are lost.
        let for_now = fault::is_transient(&error);
        let error = fault::explain(error, doing);
        if for_now { Failed::ForNow(Error::of(&error).to_string()) } else { Failed::ForGood(error) }
    }
}

fn event(event: &cfn::StackEvent) -> StackEvent {
    StackEvent {
        id: event.event_id().unwrap_or_default().to_owned(),
        logical_id: event.logical_resource_id().unwrap_or_default().to_owned(),
        physical_id: event.physical_resource_id().unwrap_or_default().to_owned(),
        resource_type: event.resource_type().unwrap_or_default().to_owned(),
        status: event.resource_status().map(cfn::ResourceStatus::as_str).unwrap_or_default().to_owned(),
        reason: event.resource_status_reason().filter(|reason| !reason.is_empty()).map(fault::in_one_line),
        time: event.timestamp().map(aws_smithy_types::DateTime::as_secs_f64).unwrap_or_default(),
    }
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
