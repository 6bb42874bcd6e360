//! `reaper up` and `reaper down`: a stack that holds nothing which could be lost, so that every state that can't be
//! updated is left by deleting it and beginning anew.
//!
//! Without a change set: there is nothing to review in it, and CreateStack gives the stack its tags at once, so that
//! a run which was cut short finds its own again. Killed at any call, the same command again comes to the same end.

use super::program::Program;
use super::template::{self, OUTPUT_KEY, OUTPUT_SCHEDULE, PARAMETER_BUCKET, PARAMETER_KEY, Shape};
use super::{Every, STACK, check_ours};
use crate::artifact::{Store, Stored};
use crate::cloud::{Identity, fault};
use crate::environment::{TAG_OWNER, TAG_REAPER, TAG_VERSION, artifact_key, tag_value};
use crate::error::{Error, Kind};
use crate::event::{Done, Event, Question, Recovery, Reporter};
use crate::stack::changeset::validation;
use crate::stack::plan::Operation;
use crate::stack::poll::{self, Ended};
use crate::stack::residue::{Ledger, artifacts};
use crate::stack::state::Stack;
use crate::stack::status::WayOut;
use crate::stack::watch::Watch;
use crate::stack::{Answer, Conduct, Context, identity, operation};
use anyhow::Result;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types as cfn;
use std::time::Duration;
use tokio::time::Instant;

/// How often it begins anew when somebody else acts on the stack, or takes the zip away under it.
const ATTEMPTS: u32 = 10;

/// What is to be brought up.
pub struct Wish {
    /// The function's program.
    pub program: Program,
    /// How often it runs.
    pub every: Every,
    /// The endpoint that the function is to call, where that isn't AWS' own.
    pub endpoint: Option<String>,
    /// The role that CloudFormation acts under, where it isn't the stack's or the caller's.
    pub role_arn: Option<String>,
    /// What was agreed to, and how long it may take.
    pub conduct: Conduct,
}

/// Brings the reaper up, or up to date.
pub async fn up(context: &Context, wish: &Wish) -> Result<Done> {
    let context = super::context(context)?;
    let work = Attempt { context: &context, wish, began: Instant::now() };
    unless_told_to_stop(&context, work.up()).await
}

/// Takes the reaper down. The environments stay as they are.
pub async fn down(context: &Context, conduct: Conduct) -> Result<Done> {
    let context = super::context(context)?;
    unless_told_to_stop(&context, take_down(&context, conduct)).await
}

/// What CloudFormation was told to do goes on by itself; there is nothing here that would have to be taken back.
async fn unless_told_to_stop<T>(context: &Context, work: impl Future<Output = Result<T>>) -> Result<T> {
    // On the heap: such futures are too much for a small thread's stack.
    let work = Box::pin(work);
    tokio::select! {
        biased;
        result = work => result,
        kind = context.signals.heard(1) => {
            let message = format!("interrupted: what was begun with {STACK} goes on");
            Err(Error::new(kind, message).remedy("The same command again picks it up from there.").into())
        }
    }
}

struct Attempt<'a> {
    context: &'a Context,
    wish: &'a Wish,
    began: Instant,
}

/// What was sent to CloudFormation.
struct Begun {
    operation: Operation,
    stack_id: String,
    before: Vec<String>,
}

impl Attempt<'_> {
    async fn up(&self) -> Result<Done> {
        let context = self.context;
        let identity = identity(context, self.left()).await?;
        let (mut attempt, mut tried_again, mut agreed) = (0, false, false);
        let key = artifact_key(&self.wish.program.artifact.sha256);
        let mut before = None;
        let (stack, changed) = loop {
            let stack = settle(context, &identity, self.wish.conduct.timeout).await?;
            let runs = stack.as_ref().and_then(|stack| stack.outputs.get(OUTPUT_KEY));
            before = runs.filter(|runs| **runs != key).cloned().or(before);
            if !agreed {
                self.agree(stack.as_ref()).await?;
                agreed = true;
            }
            self.upload(&identity).await?;
            let begun = match self.begin(&identity, stack.as_ref()).await {
                Ok(Some(begun)) => begun,
                Ok(None) => {
                    context.reporter.tell(&Event::Unchanged { stack: STACK.to_owned() });
                    break (stack, false);
                }
                Err(error) if fault::is_overtaken(&error) && attempt < ATTEMPTS => {
                    let because = format!("Overtaken by somebody else ({}).", Error::of(&error).message);
                    context.reporter.tell(&Event::Retrying { because });
                    // Looks lag behind: one that comes at once may show the same as before.
                    tokio::time::sleep(Duration::from_secs(1 << attempt.min(3))).await;
                    attempt += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut ended = self.watch(&begun).await?;
            validation::tell(context, &mut ended).await;
            match &ended.stack {
                Some(stack) if stack.status.good() => break (ended.stack, true),
                _ => {}
            }
            let passing = operation::passing(context, Some(&identity), begun.operation, &ended);
            let Some(passing) = passing.filter(|_| !tried_again) else {
                return Err(operation::failed(context, &identity, begun.operation, &ended).into());
            };
            context.reporter.tell(&Event::Retrying { because: passing.because });
            tried_again = true;
        };
        if let Some(before) = before {
            // What it ran before is nobody's now, unless another's reaper still has it.
            artifacts::remove_one_unused(context, &identity, &before, self.left()).await?;
        }
        Ok(Done {
            command: "reaper up".to_owned(),
            changed: Some(changed),
            stack: Some(STACK.to_owned()),
            stack_id: stack.as_ref().map(|stack| stack.id.clone()),
            outputs: stack.map(|stack| stack.outputs),
            seconds: Some(self.began.elapsed().as_secs_f64()),
            ..Done::default()
        })
    }

    /// How much of the time is left.
    fn left(&self) -> Duration {
        self.wish.conduct.timeout.saturating_sub(self.began.elapsed())
    }

    /// Asks, where something would change. Nothing can be lost by it, so that without anybody to ask it goes on.
    async fn agree(&self, stack: Option<&Stack>) -> Result<()> {
        let (rate, key) = (self.wish.every.rate(), artifact_key(&self.wish.program.artifact.sha256));
        let rate_in_words = rate.trim_start_matches("rate(").trim_end_matches(')');
        let text = match stack {
            None => format!(
                "Create {STACK}, a function that tears down, every {rate_in_words}, the environments of this account \
                 and region that have expired"
            ),
            Some(stack) if is(stack, OUTPUT_KEY, &key) && is(stack, OUTPUT_SCHEDULE, &rate) => return Ok(()),
            Some(_) => format!("Update {STACK} (every {rate_in_words})"),
        };
        match self.context.ask(self.wish.conduct.consent, text).await? {
            Answer::Yes | Answer::Nobody => Ok(()),
            Answer::No => Err(Error::new(Kind::Refused, "nothing was changed").into()),
        }
    }

    async fn upload(&self, identity: &Identity) -> Result<()> {
        let Attempt { context, wish, .. } = *self;
        let store = Store::new(&context.clients.s3, &identity.account, &context.clients.region);
        let artifact = &wish.program.artifact;
        if poll::patiently(context, self.left(), || store.look(artifact)).await? == Stored::Absent {
            let upload = Upload(context.reporter.as_ref());
            let put = || store.put(artifact, &upload);
            poll::patiently(context, self.left(), put).await?;
        }
        Ok(())
    }

    /// Has CloudFormation begin. `None` where nothing has to change.
    async fn begin(&self, identity: &Identity, stack: Option<&Stack>) -> Result<Option<Begun>> {
        let Attempt { context, wish, .. } = *self;
        let shape = Shape {
            architecture: wish.program.architecture,
            every: wish.every,
            endpoint: wish.endpoint.clone(),
        };
        let body = template::render(&shape)?;
        let store = Store::new(&context.clients.s3, &identity.account, &context.clients.region);
        let parameters = [
            (PARAMETER_BUCKET, store.bucket.clone()),
            (PARAMETER_KEY, artifact_key(&wish.program.artifact.sha256)),
        ];
        let parameters = parameters
            .map(|(key, value)| cfn::Parameter::builder().parameter_key(key).parameter_value(value).build());
        // Whoever made it stays its owner: another caller's name would be a change to every resource.
        let owner = stack.and_then(Stack::owner).map_or_else(|| tag_value(&identity.arn), str::to_owned);
        let tags = [
            (TAG_OWNER, owner),
            (TAG_REAPER, "true".to_owned()),
            (TAG_VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let tags = tags.map(|(key, value)| cfn::Tag::builder().key(key).value(value).build());
        let cloudformation = &context.clients.cloudformation;
        // Repeated with the same token it is the same request.
        let token = operation::token("up");
        let (operation, stack_id, before) = match stack {
            None => {
                let request = cloudformation.create_stack().stack_name(STACK).template_body(body);
                let request = request
                    .capabilities(cfn::Capability::CapabilityNamedIam)
                    .set_parameters(Some(parameters.into()))
                    .set_tags(Some(tags.into()))
                    .set_role_arn(wish.role_arn.clone())
                    .client_request_token(token);
                let create = || async {
                    let answer = request.clone().send().await;
                    answer.map_err(|error| fault::explain(error, &format!("create {STACK}")))
                };
                let answer = poll::patiently(context, self.left(), create).await?;
                (Operation::Create, answer.stack_id().unwrap_or(STACK).to_owned(), Vec::new())
            }
            Some(stack) => {
                let before = poll::events_so_far(context, &stack.id, self.left()).await?;
                let request = cloudformation.update_stack().stack_name(&stack.id).template_body(body);
                let request = request
                    .capabilities(cfn::Capability::CapabilityNamedIam)
                    .set_parameters(Some(parameters.into()))
                    .set_tags(Some(tags.into()))
                    .set_role_arn(wish.role_arn.clone())
                    .client_request_token(token);
                let update = || async {
                    match request.clone().send().await {
                        Ok(_) => Ok(true),
                        Err(error) if fault::is_no_changes(error.message().unwrap_or_default()) => Ok(false),
                        Err(error) => Err(fault::explain(error, &format!("update {STACK}"))),
                    }
                };
                if !poll::patiently(context, self.left(), update).await? {
                    return Ok(None);
                }
                (Operation::Update, stack.id.clone(), before)
            }
        };
        let (stack, id) = (STACK.to_owned(), stack_id.clone());
        context.reporter.tell(&Event::OperationStarted { operation, stack, stack_id: id });
        Ok(Some(Begun { operation, stack_id, before }))
    }

    async fn watch(&self, begun: &Begun) -> Result<Ended> {
        let watch = Watch::new(&begun.stack_id, begun.before.clone());
        poll::watch(self.context, begun.operation, &begun.stack_id, watch, self.left()).await
    }
}

/// Whom an upload is told to. The program is no processor: what tells that one was uploaded isn't told of it.
struct Upload<'a>(&'a dyn Reporter);

impl Reporter for Upload<'_> {
    fn tell(&self, event: &Event) {
        if !matches!(event, Event::ArtifactReady { .. }) {
            self.0.tell(event);
        }
    }

    fn ask(&self, question: &Question) -> Option<bool> {
        self.0.ask(question)
    }
}

fn is(stack: &Stack, output: &str, value: &str) -> bool {
    stack.outputs.get(output).is_some_and(|found| found == value)
}

/// Leads the stack to a state in which it can be updated; `None` where it is to be created.
async fn settle(context: &Context, identity: &Identity, timeout: Duration) -> Result<Option<Stack>> {
    for _ in 0..ATTEMPTS {
        let Some(found) = poll::find(context, STACK, timeout).await? else { return Ok(None) };
        check_ours(&found, context)?;
        match found.status.way_out() {
            WayOut::Update => return Ok(Some(found)),
            WayOut::Wait => drop(operation::attach(context, &found, timeout).await?),
            _ => {
                let (stack, status) = (found.name.clone(), found.status.clone());
                let (by, skipping) = (Recovery::Delete, Vec::new());
                context.reporter.tell(&Event::Recovering { stack, status, by, skipping });
                delete(context, identity, &found, timeout).await?;
            }
        }
    }
    let message = format!("{STACK} is never left alone: somebody else keeps changing it");
    Err(Error::new(Kind::DeploymentFailed, message).remedy("Find out who, then run it again.").into())
}

async fn delete(context: &Context, identity: &Identity, stack: &Stack, timeout: Duration) -> Result<()> {
    let ended = operation::delete_stack(context, &stack.id, operation::Terms::default(), timeout).await?;
    match ended.stack {
        None => Ok(()),
        Some(_) => Err(operation::failed(context, identity, Operation::Delete, &ended).into()),
    }
}

async fn take_down(context: &Context, conduct: Conduct) -> Result<Done> {
    let began = Instant::now();
    let identity = identity(context, conduct.timeout).await?;
    let mut stack = poll::find(context, STACK, conduct.timeout).await?;
    while let Some(found) = &stack {
        check_ours(found, context)?;
        // A deletion is simply joined.
        if found.status.settled() {
            break;
        }
        operation::attach(context, found, conduct.timeout).await?;
        stack = poll::find(context, &found.id, conduct.timeout).await?;
    }
    if let Some(stack) = &stack {
        let text = format!("Delete {STACK}, so that environments no longer end by themselves");
        // It holds nothing: without anybody to ask it goes on.
        if context.ask(conduct.consent, text).await? == Answer::No {
            return Err(Error::new(Kind::Refused, "nothing was deleted").into());
        }
        delete(context, &identity, stack, conduct.timeout).await?;
    }
    // Its zip goes where nobody else uses it, and the bucket with the last one; also after a run that was cut short.
    let stack_id = stack.as_ref().map(|stack| stack.id.as_str());
    let (ledger, timeout) = (Ledger::new(&context.clock), conduct.timeout);
    let artifacts = artifacts::look(context, &identity, stack_id, timeout).await?;
    artifacts::remove_unused(context, &identity, &ledger, stack_id, artifacts, timeout).await?;
    Ok(Done {
        command: "reaper down".to_owned(),
        changed: Some(stack.is_some()),
        stack: Some(STACK.to_owned()),
        stack_id: stack.map(|stack| stack.id),
        seconds: Some(began.elapsed().as_secs_f64()),
        ..Done::default()
    })
}
