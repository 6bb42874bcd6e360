//! `extend`: an environment lives longer. An update of the stack's tags, and of nothing else.

use super::inspect::no_such_environment;
use super::plan::Operation;
use super::state::Stack;
use super::status::{Known, WayOut};
use super::watch::Watch;
use super::{Context, identity, lifetime, operation, poll, protection};
use crate::cloud::fault;
use crate::environment::{TAG_EXPIRES, expiry_tag};
use crate::error::{Error, Kind};
use crate::event::{Done, Event};
use crate::settings::Ttl;
use anyhow::Result;
use aws_sdk_cloudformation::types as cfn;
use jiff::Timestamp;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// How often somebody else may be quicker.
const ATTEMPTS: u32 = 12;
/// How long a look may take once it was told to stop: a runner that is shutting down leaves ten seconds.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Lets the environment live so much longer. It adds: killed and run again, it may have added already. Told to stop, it
/// stops: an update of tags is not worth being rolled back.
pub async fn extend(context: &Context, by: Ttl, timeout: Duration) -> Result<Done> {
    let asked = Cell::new(None);
    let work = Box::pin(extended(context, by, timeout, &asked));
    let kind = tokio::select! {
        biased;
        result = work => return result,
        kind = context.signals.heard(1) => kind,
    };
    Err(interrupted(context, kind, asked.get()).await.into())
}

/// The end that CloudFormation was asked for, where it was.
type Asked = Cell<Option<Option<Timestamp>>>;

/// Whether the new time is set, as far as one look tells.
async fn interrupted(context: &Context, kind: Kind, asked: Option<Option<Timestamp>>) -> Error {
    let Some(wanted) = asked else {
        return Error::new(kind, "interrupted: nothing was changed").remedy("Run it again.");
    };
    let stack = context.environment.stack();
    let found = poll::find(context, &stack, LAST_LOOK).await.ok().flatten();
    let is_set = |found: &Stack| found.status.settled() && found.status.good() && found.expires() == wanted;
    if found.as_ref().is_some_and(is_set) {
        let end = match wanted {
            Some(wanted) => format!("ends at {}", expiry_tag(wanted)),
            None => "no longer ends by itself".to_owned(),
        };
        return Error::new(kind, format!("interrupted, but the new time is set: {stack} {end}"));
    }
    Error::new(kind, format!("interrupted: the new time of {stack} may be set")).remedy(format!(
        "`{}` tells. Run it again where it isn't: it adds.",
        context.invocation.command("list")
    ))
}

async fn extended(context: &Context, by: Ttl, timeout: Duration, asked: &Asked) -> Result<Done> {
    let began = Instant::now();
    let left = || timeout.saturating_sub(began.elapsed());
    let mut overtaken = 0;
    loop {
        let stack = settled(context, left()).await?;
        let before = stack.expires();
        let expires = lifetime::extended(before, by, context.clock.now(), &context.invocation)?;
        if before == expires {
            context.reporter.tell(&Event::Unchanged { stack: stack.name.clone() });
            return Ok(done(&stack, expires, false, began));
        }
        let events = poll::events_so_far(context, &stack.id, left()).await?;
        asked.set(Some(expires));
        match poll::patiently(context, left(), update(context, &stack, expires)).await {
            Ok(()) => {}
            Err(error) if overtaken < ATTEMPTS && fault::is_overtaken(&error) => {
                asked.set(None);
                overtaken += 1;
                // Looks lag behind.
                tokio::time::sleep(Duration::from_secs(1 << overtaken.min(3))).await;
                continue;
            }
            Err(error) => return Err(error),
        }
        let (name, stack_id) = (stack.name.clone(), stack.id.clone());
        let begun = Event::OperationStarted { operation: Operation::Update, stack: name, stack_id };
        context.reporter.tell(&Event::Retagging { stack: stack.name.clone() });
        context.reporter.tell(&begun);
        let watch = Watch::new(&stack.id, events);
        let ended = poll::watch(context, Operation::Update, &stack.id, watch, left()).await?;
        let Some(now) = ended.stack.as_ref() else { return Err(missing(context).into()) };
        if !now.status.good() {
            let caller = identity(context, left()).await?;
            return Err(operation::failed(context, &caller, Operation::Update, &ended).into());
        }
        context.reporter.tell(&Event::Extended {
            stack: stack.name.clone(),
            before: before.map(expiry_tag),
            expires: expires.map(expiry_tag),
        });
        return Ok(done(&stack, expires, true, began));
    }
}

fn done(stack: &Stack, expires: Option<Timestamp>, changed: bool, began: Instant) -> Done {
    Done {
        command: "extend".to_owned(),
        changed: Some(changed),
        stack: Some(stack.name.clone()),
        stack_id: Some(stack.id.clone()),
        expires: expires.map(expiry_tag),
        seconds: Some(began.elapsed().as_secs_f64()),
        ..Done::default()
    }
}

/// The environment's stack, when nobody is at work on it and it can be updated.
async fn settled(context: &Context, timeout: Duration) -> Result<Stack> {
    let name = context.environment.stack();
    let mut found = poll::find(context, &name, timeout).await?;
    loop {
        let Some(stack) = found.filter(|stack| !stack.status.is(Known::ReviewInProgress)) else {
            return Err(missing(context).into());
        };
        stack.check_ours(&context.environment)?;
        protection::refuse_extension(&stack, &context.invocation)?;
        match stack.status.way_out() {
            WayOut::Update => return Ok(stack),
            WayOut::Wait => drop(operation::attach(context, &stack, timeout).await?),
            _ => return Err(operation::in_the_way(context, &stack).into()),
        }
        found = poll::find(context, &name, timeout).await?;
    }
}

fn missing(context: &Context) -> Error {
    no_such_environment(context.environment.name.as_str(), &context.clients.region, &context.invocation)
}

/// The same template with the same parameters, under the same role: only the one tag is another. Can be repeated, since
/// CloudFormation takes a token that it knows for the same request.
fn update(
    context: &Context,
    stack: &Stack,
    expires: Option<Timestamp>,
) -> impl FnMut() -> futures_util::future::BoxFuture<'static, Result<()>> {
    let mut tags = stack.tags.clone();
    tags.remove(TAG_EXPIRES);
    tags.extend(expires.map(|expires| (TAG_EXPIRES.to_owned(), expiry_tag(expires))));
    let tags = tags.into_iter().filter(|(key, _)| !key.starts_with("aws:"));
    let tags = tags.map(|(key, value)| cfn::Tag::builder().key(key).value(value).build());
    let same = |name: &String| cfn::Parameter::builder().parameter_key(name).use_previous_value(true).build();
    let request = context.clients.cloudformation.update_stack().stack_name(&stack.id);
    let request = request
        .use_previous_template(true)
        .set_parameters(Some(stack.parameters.iter().map(same).collect()))
        .capabilities(cfn::Capability::CapabilityNamedIam)
        .set_tags(Some(tags.collect()))
        .disable_rollback(false)
        .client_request_token(operation::token("extend"));
    move || {
        let request = request.clone();
        Box::pin(async move {
            let sent = request.send().await;
            sent.map(drop).map_err(|error| fault::explain(error, "set how long the environment lives"))
        })
    }
}
