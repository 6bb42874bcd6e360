//! Looks at one operation until it has ended.

use super::{Ended, PATIENCE, find, sleep};
use crate::cloud::fault;
use crate::error::Error;
use crate::event::Event;
use crate::stack::Context;
use crate::stack::cadence::Cadence;
use crate::stack::path::critical_path;
use crate::stack::plan::Operation;
use crate::stack::state::{self, Stack};
use crate::stack::status::{Known, StackStatus};
use crate::stack::watch::{StackEvent, Watch};
use anyhow::Result;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types as cfn;
use std::time::Duration;
use tokio::time::Instant;

/// When nothing has been heard for so long, in seconds, people are told what is being waited for.
const QUIET: f64 = 20.0;
/// When nothing has been heard for so long, in seconds, the stack itself is asked: an event can be lost.
const TOO_QUIET: f64 = 60.0;
/// The same for a deletion: the last event of a stack that is gone may never be told.
const TOO_QUIET_FOR_A_DELETION: f64 = 5.0;

/// One pair of eyes on one operation.
pub struct Eye<'a> {
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
    pub fn new(
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

    pub async fn watch(&mut self) -> Result<Ended> {
        loop {
            let mut saw = true;
            let lacked_beginning = self.watch.lacks_beginning();
            let wait = match self.look(if lacked_beginning { Pages::All } else { Pages::New }).await {
                // A reader of what is new stops before it.
                Ok(Look::Told) if self.watch.lacks_beginning() && !lacked_beginning => continue,
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

    /// A stack that is being deleted can have been created a moment before, and one that is a mere name is so in a look
    /// that is older than its operation.
    fn is_end(&self, status: &StackStatus) -> bool {
        let is_of_operation = self.operation != Operation::Delete || status.name().starts_with("DELETE");
        status.settled() && is_of_operation && !status.is(Known::ReviewInProgress)
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
            last_lines: self.watch.last_lines().map(|left| self.heard + Duration::from_secs_f64(left)),
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
enum Failed {
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
