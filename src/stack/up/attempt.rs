//! One attempt to bring an environment up.

use super::room::{Room, prepare};
use super::{Again, Wish, change_code, inspect, upload};
use crate::artifact::{Artifact, Store, Stored};
use crate::cloud::{Identity, fault};
use crate::environment::expiry_tag;
use crate::error::{Error, Kind};
use crate::event::{Done, Event, PathStep};
use crate::stack::changeset::{self, Prepared, Wanted, validation};
use crate::stack::interrupt::{Begun, Beside};
use crate::stack::operation::Passing;
use crate::stack::plan::{Action, Operation, Plan};
use crate::stack::poll::{self, Ended};
use crate::stack::recover::{Bounds, clear_the_way};
use crate::stack::state::Stack;
use crate::stack::status::Known;
use crate::stack::watch::Watch;
use crate::stack::{Answer, Conduct, Context, code, drift, lifetime, operation, protection, ready};
use crate::template::{self};
use anyhow::Result;
use futures_util::FutureExt;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// One attempt to bring an environment up.
pub struct Attempt<'a> {
    pub context: &'a Context,
    pub wish: &'a Wish<'a>,
    pub conduct: Conduct,
    pub begun: &'a Begun,
    pub began: Instant,
    /// Whether the plan that was agreed to loses data, once one was agreed to.
    pub agreed: Cell<Option<bool>>,
    /// Whether CloudFormation's early validation is left out.
    pub unvalidated: Cell<bool>,
}

/// What an attempt led to.
struct Reached {
    stack: Option<Stack>,
    changed: bool,
    critical_path: Vec<PathStep>,
}

impl Attempt<'_> {
    pub async fn up(&self) -> Result<Done, Again> {
        let Attempt { context, wish, .. } = *self;
        let template = template::render(&context.environment, wish.shape)?;
        let (identity, stack, artifact) = inspect(context, wish.workshop, self.left()).await?;
        let name_is_free = stack.as_ref().is_none_or(|stack| !stack.status.is(Known::ReviewInProgress));
        let bounds = Bounds {
            adopts: wish.means.adopt,
            reviewed: wish.reviewed,
            consent: self.conduct.consent,
            until: self.began + self.conduct.timeout,
        };
        let cleared = clear_the_way(context, self.begun, &identity, stack, &bounds).boxed_local().await?;
        let stack = cleared.stack;
        let mut means = protection::unmarked(context, stack.as_ref(), wish.means);
        if let Some(stack) = &stack {
            protection::refuse_ephemeral(stack, &means, &context.invocation)?;
        }
        lifetime::check(context, stack.as_ref(), &means, wish.reviewed)?;
        // A creation needs its roles to have spread, and EXPRESS doesn't wait for that.
        means.express = cleared.express || means.express && stack.is_some();

        let store = Store::new(&context.clients.s3, &identity.account, &context.clients.region);
        let wanted = wish.wanted(&means, &template, &store, &artifact, name_is_free);
        let wanted = Wanted { validated: !self.unvalidated.get(), ..wanted };
        self.begun.planning(&wanted.name, name_is_free && stack.is_none());
        let look = poll::patiently(context, self.left(), || store.look(&artifact));
        let (stored, prepared) =
            tokio::join!(look, prepare(context, &identity, stack.as_ref(), &wanted, Room::Make, self.left()));
        let prepared = prepared?;
        let reached = match &prepared.plan {
            None if cleared.express => self.settle(&identity, &prepared, stack, &wanted).boxed_local().await,
            None => self.unchanged(&identity, &prepared, stack, &artifact).boxed_local().await,
            Some(plan) => {
                let agreed = async {
                    context.reporter.tell(&Event::Plan(Box::new(plan.clone())));
                    self.agree(plan, stack.as_ref()).await?;
                    let stored = stored?;
                    if stored == Stored::Absent {
                        self.begun.uploading(&store.bucket, &identity.account);
                    }
                    let uploaded = upload(context, &store, &artifact, stored, self.left());
                    tokio::try_join!(uploaded, self.events_so_far(&prepared))
                };
                match agreed.await {
                    Ok(((), before)) => {
                        let act = self.act(&identity, &prepared, plan, before, stack, &artifact);
                        act.boxed_local().await
                    }
                    Err(error) => {
                        // What was only prepared leaves no trace.
                        let _ = changeset::discard(context, &prepared, Duration::ZERO).await;
                        Err(error.into())
                    }
                }
            }
        }?;
        self.begun.done();
        let stack = self.protect(reached.stack).await?;
        Ok(Done {
            command: "up".to_owned(),
            changed: Some(reached.changed),
            stack: Some(context.environment.stack()),
            stack_id: Some(prepared.stack_id),
            expires: stack.as_ref().and_then(Stack::expires).map(expiry_tag),
            outputs: stack.map(|stack| stack.outputs),
            plan: prepared.plan,
            critical_path: reached.critical_path,
            seconds: Some(self.began.elapsed().as_secs_f64()),
            ..Done::default()
        })
    }

    /// How much of the time is left.
    pub fn left(&self) -> Duration {
        self.conduct.timeout.saturating_sub(self.began.elapsed())
    }

    /// Nothing has to change, by CloudFormation's own word. Code that was changed past it is set right.
    async fn unchanged(
        &self,
        identity: &Identity,
        prepared: &Prepared,
        stack: Option<Stack>,
        artifact: &Artifact,
    ) -> Result<Reached, Again> {
        changeset::discard(self.context, prepared, self.left()).await?;
        if let Some(reviewed) = self.wish.reviewed {
            prepared.check(reviewed, self.context)?;
        }
        let changed = self.heal_code(identity, stack.as_ref(), artifact).await?;
        if let Some(stack) = stack.as_ref().filter(|_| self.wish.means.heal) {
            self.refuse_lasting_drift(stack).await?;
        }
        // Whoever waited for the legs may have been killed over it.
        if let Some(stack) = stack.as_ref().filter(|_| prepared.express) {
            self.ready(identity, &stack.id).await?;
        }
        if !changed {
            self.context.reporter.tell(&Event::Unchanged { stack: self.context.environment.stack() });
        }
        Ok(Reached { stack, changed, critical_path: Vec::new() })
    }

    /// Changes the code past the stack. Where the function is gone, somebody may have deleted all of it.
    async fn change_code(
        &self,
        identity: &Identity,
        artifact: &Artifact,
        stack: &Stack,
    ) -> Result<(), Again> {
        let change = change_code(self.context, self.begun, identity, artifact, self.left());
        let Err(error) = change.await else {
            return Ok(());
        };
        if Error::of(&error).kind == Kind::DeploymentFailed {
            let now = poll::find(self.context, &stack.id, self.left()).await?;
            if now.is_none_or(|now| now.status.is(Known::DeleteInProgress)) {
                return Err(self.deleted());
            }
        }
        Err(error.into())
    }

    /// Sets code right that was changed past the stack. Before the stack is changed: an update that doesn't touch the code
    /// leaves the function as it is, and can take away the mark that says to look.
    async fn heal_code(
        &self,
        identity: &Identity,
        stack: Option<&Stack>,
        artifact: &Artifact,
    ) -> Result<bool, Again> {
        let Some(stack) = stack.filter(|stack| stack.ephemeral) else { return Ok(false) };
        let has_drifted = code::drifted_code(self.context, stack, artifact).await?;
        if has_drifted {
            self.change_code(identity, artifact, stack).await?;
        }
        Ok(has_drifted)
    }

    /// Waits for each leg of the pipeline.
    async fn ready(&self, identity: &Identity, stack_id: &str) -> Result<(), Again> {
        match ready::wait(self.context, identity, stack_id, self.left()).await? {
            true => Ok(()),
            false => Err(self.deleted()),
        }
    }

    /// Somebody has deleted the stack.
    fn deleted(&self) -> Again {
        let message = format!("{} was deleted meanwhile", self.context.environment.stack());
        Again::Overtaken(Error::new(Kind::DeploymentFailed, message).into())
    }

    /// CloudFormation says that there is nothing to set back; its own look at the resources may say otherwise.
    async fn refuse_lasting_drift(&self, stack: &Stack) -> Result<()> {
        let drift = drift::detect(self.context, &stack.id, self.left().min(drift::PATIENCE)).await?;
        let differing = drift.resources.iter().filter(|it| it.differs());
        let names: Vec<&str> = differing.map(|it| it.logical_id.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let message = format!("CloudFormation does not set back what has drifted: {}", names.join(", "));
        Err(Error::new(Kind::DeploymentFailed, message)
            .remedy(format!("`{}` shows it.", self.context.invocation.command("status --drift")))
            .remedy("Set it back where it was changed, or change it here and back again.")
            .into())
    }

    /// The plan is agreed to: by a person, beforehand, or because it is the very one that was reviewed.
    async fn agree(&self, plan: &Plan, stack: Option<&Stack>) -> Result<()> {
        if let Some(stack) = stack {
            protection::refuse_replacement(
                stack,
                plan,
                self.wish.means.protection,
                &self.context.invocation,
            )?;
        }
        match self.wish.reviewed {
            Some(reviewed) => crate::stack::plan::reviewed::check(reviewed, plan, &self.context.invocation),
            // What was agreed to once is the same the second time, unless it is worse.
            None if self.agreed.get().is_some_and(|losing| losing || !plan.loses_data) => Ok(()),
            None => {
                consent(self.context, plan, self.conduct).await?;
                self.agreed.set(Some(plan.loses_data));
                Ok(())
            }
        }
    }

    async fn act(
        &self,
        identity: &Identity,
        prepared: &Prepared,
        plan: &Plan,
        before: Vec<String>,
        stack: Option<Stack>,
        artifact: &Artifact,
    ) -> Result<Reached, Again> {
        let is_marked = |stack: &Stack| stack.ephemeral && !stack.protected;
        let ephemeral = stack.as_ref().filter(|stack| is_marked(stack) && self.wish.means.ephemeral);
        if let Some(marked) = ephemeral.filter(|_| plan.is_code_only()) {
            changeset::discard(self.context, prepared, self.left()).await?;
            let changed = !code::runs(self.context, artifact).await?;
            if changed {
                self.change_code(identity, artifact, marked).await?;
            } else {
                self.context.reporter.tell(&Event::Unchanged { stack: plan.stack.clone() });
            }
            return Ok(Reached { stack, changed, critical_path: Vec::new() });
        }
        if let Err(again) = self.heal_code(identity, stack.as_ref(), artifact).await {
            let _ = changeset::discard(self.context, prepared, Duration::ZERO).await;
            return Err(again);
        }
        // A protected stack's policy forbids replacements; taking it away is what was asked for.
        if let Some(stack) =
            stack.filter(|stack| stack.protected && self.wish.means.protection == Some(false))
        {
            self.begun.changing(Beside::Protection);
            protection::protect(self.context, &stack, false, self.left()).await?;
        }
        let ended = self.execute(prepared, plan, before).await?;
        self.conclude(identity, prepared, ended).await
    }

    /// Nothing has to change, but a failed EXPRESS update is left only by another.
    async fn settle(
        &self,
        identity: &Identity,
        prepared: &Prepared,
        stack: Option<Stack>,
        wanted: &Wanted<'_>,
    ) -> Result<Reached, Again> {
        changeset::discard(self.context, prepared, self.left()).await?;
        let Some(stack) = stack else {
            return self.unchanged(identity, prepared, stack, wanted.artifact).await;
        };
        let before = poll::events_so_far(self.context, &stack.id, self.left()).await?;
        self.begun.acting(Operation::Update, &stack.id, &wanted.name);
        let token = operation::token("up");
        let update =
            changeset::update_express(self.context, identity, &stack, wanted, &token, self.left()).await;
        if let Err(error) = update {
            self.begun.refused(&token);
            return Err(if fault::passes(&error) { Again::Overtaken(error) } else { error.into() });
        }
        self.started(Operation::Update, &stack.id);
        let watch = Watch::new(&stack.id, before);
        let ended = poll::watch(self.context, Operation::Update, &stack.id, watch, self.left()).await?;
        let reached = self.conclude(identity, prepared, ended).await?;
        self.heal_code(identity, Some(&stack), wanted.artifact).await?;
        Ok(reached)
    }

    /// What an operation that has ended led to.
    async fn conclude(
        &self,
        identity: &Identity,
        prepared: &Prepared,
        mut ended: Ended,
    ) -> Result<Reached, Again> {
        let is_of_bucket = validation::tell(self.context, &mut ended).await;
        let Some(stack) = &ended.stack else { return Err(self.deleted()) };
        if !stack.status.good() {
            if is_of_bucket && self.wish.means.adopt && !self.unvalidated.replace(true) {
                return Err(Again::Unvalidated);
            }
            return Err(self.failed(identity, prepared.operation, &ended));
        }
        if prepared.express {
            self.ready(identity, &stack.id).await?;
        }
        if !ended.critical_path.is_empty() && ended.seconds >= 1.0 {
            let (steps, seconds) = (ended.critical_path.clone(), ended.seconds);
            self.context.reporter.tell(&Event::CriticalPath { steps, seconds });
        }
        Ok(Reached { stack: ended.stack, changed: true, critical_path: ended.critical_path })
    }

    /// What came before the operation that is about to be started: what couldn't be watched isn't begun.
    async fn events_so_far(&self, prepared: &Prepared) -> Result<Vec<String>> {
        match prepared.operation {
            Operation::Update => poll::events_so_far(self.context, &prepared.stack_id, self.left()).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn execute(&self, prepared: &Prepared, plan: &Plan, before: Vec<String>) -> Result<Ended, Again> {
        let (context, token) = (self.context, operation::token("up"));
        let request = context.clients.cloudformation.execute_change_set();
        let request = request
            .change_set_name(&prepared.change_set_id)
            .client_request_token(&token)
            // Said aloud: the API's description and its behaviour disagree on the default. EXPRESS has its own.
            .set_disable_rollback((!prepared.express).then_some(false));
        self.begun.acting(prepared.operation, &prepared.stack_id, &prepared.change_set_id);
        let execute = || async {
            let executed = request.clone().send().await;
            executed.map_err(|error| fault::explain(error, "execute the planned changes"))
        };
        if let Err(error) = poll::patiently(context, self.left(), execute).await {
            self.begun.refused(&token);
            if fault::passes(&error) {
                // It may have begun all the same: another look tells, and joins it.
                return Err(Again::Overtaken(error));
            }
            let _ = changeset::discard(context, prepared, Duration::ZERO).await;
            return Err(error.into());
        }
        self.started(prepared.operation, &prepared.stack_id);
        let watch = Watch::new(&prepared.stack_id, before).expecting(expected(plan));
        Ok(poll::watch(context, prepared.operation, &prepared.stack_id, watch, self.left()).await?)
    }

    fn started(&self, operation: Operation, stack_id: &str) {
        let stack = self.context.environment.stack();
        let stack_id = stack_id.to_owned();
        self.context.reporter.tell(&Event::OperationStarted { operation, stack, stack_id });
    }

    fn failed(&self, identity: &Identity, operation: Operation, ended: &Ended) -> Again {
        let passing = operation::passing(self.context, Some(identity), operation, ended);
        let error = operation::failed(self.context, identity, operation, ended).into();
        match passing {
            Some(Passing { because, crowded: true }) => Again::Crowded { because, error },
            Some(Passing { because, crowded: false }) => Again::Passing { because, error },
            None => Again::Never(error),
        }
    }

    /// Sets or removes the protection, where it isn't as wished.
    async fn protect(&self, stack: Option<Stack>) -> Result<Option<Stack>> {
        if let (Some(stack), Some(on)) = (&stack, self.wish.means.protection)
            && stack.protected != on
        {
            self.begun.changing(Beside::Protection);
            protection::protect(self.context, stack, on, self.left()).await?;
        }
        Ok(stack)
    }
}

/// What will be worked on, and the state that each resource enters first.
fn expected(plan: &Plan) -> impl Iterator<Item = (String, String, &'static str)> {
    let status = |action| match action {
        Action::Add | Action::Replace => Some("CREATE_IN_PROGRESS"),
        _ => None,
    };
    plan.changes
        .iter()
        .filter_map(move |it| Some((it.logical_id.clone(), it.resource_type.clone(), status(it.action)?)))
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
