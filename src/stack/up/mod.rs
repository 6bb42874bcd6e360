//! `up`: what stands in the account + the template → a change set → the stack. And `plan`, which stops before
//! anything is changed.

mod attempt;
mod room;

use super::changeset::{self, Wanted};
use super::interrupt::{self, Begun, Beside};
use super::plan::Plan;
use super::poll;
use super::state::{self, Stack};
use super::status::WayOut;
use super::{Conduct, Context, code, lifetime, operation, protection};
use crate::artifact::{Artifact, Store, Stored, Workshop};
use crate::cloud::{Identity, fault};
use crate::environment::{artifact_key, expiry_tag};
use crate::error::{Error, Kind};
use crate::event::{Done, Event};
use crate::settings::Means;
use crate::template::{self, Shape};
use anyhow::Result;
use attempt::Attempt;
use futures_util::FutureExt;
use room::{Room, prepare};
use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// How long a look at the stack may be trusted.
const FRESH: Duration = Duration::from_secs(5);
/// How long `plan` waits for CloudFormation to tell what would change: a throttled account takes its time.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often `up` begins anew when somebody else acts on the same stack.
const ATTEMPTS: u32 = 30;

/// What is to be brought up.
pub struct Wish<'a> {
    /// What of the pipeline was chosen.
    pub shape: &'a Shape,
    /// Where the processor comes from.
    pub workshop: &'a Workshop,
    /// How it is deployed.
    pub means: &'a Means,
    /// The plan that was reviewed, where one was: nothing else may happen.
    pub reviewed: Option<&'a Plan>,
}

impl Wish<'_> {
    /// What a change set is to lead to, under a new name.
    fn wanted<'b>(
        &'b self,
        means: &'b Means,
        template: &'b str,
        store: &'b Store<'_>,
        artifact: &'b Artifact,
        name_is_free: bool,
    ) -> Wanted<'b> {
        Wanted {
            name: changeset::new_name(),
            template,
            shape: self.shape,
            artifact_bucket: &store.bucket,
            artifact,
            name_is_free,
            means,
            validated: true,
            reviewed: self.reviewed,
        }
    }
}

/// Why an attempt ended without an end.
enum Again {
    /// Somebody else acted on the same stack.
    Overtaken(anyhow::Error),
    /// The bucket that was to be taken over was refused for being there: it is tried again without that validation.
    Unvalidated,
    /// What failed passes by itself.
    Passing { because: String, error: anyhow::Error },
    /// Others of the account are in the way, and get done.
    Crowded { because: String, error: anyhow::Error },
    /// Nothing helps.
    Never(anyhow::Error),
}

impl From<anyhow::Error> for Again {
    fn from(error: anyhow::Error) -> Self {
        if fault::is_overtaken(&error) { Again::Overtaken(error) } else { Again::Never(error) }
    }
}

impl From<Error> for Again {
    fn from(error: Error) -> Self {
        anyhow::Error::from(error).into()
    }
}

/// Brings the environment up, or up to date. Overtaken by somebody else's change, it looks at the stack again;
/// a failure that passes by itself is tried once more.
pub async fn up(context: &Context, wish: &Wish<'_>, conduct: Conduct) -> Result<Done> {
    let begun = Begun::default();
    let work = async {
        let attempt = Attempt {
            context,
            wish,
            conduct,
            begun: &begun,
            began: Instant::now(),
            agreed: Cell::default(),
            unvalidated: Cell::default(),
        };
        let (mut overtaken, mut crowded, mut tried_again) = (0, 0, false);
        loop {
            match attempt.up().boxed_local().await {
                Ok(done) => return Ok(done),
                Err(Again::Overtaken(error)) if overtaken + 1 < ATTEMPTS && !attempt.left().is_zero() => {
                    begun.ended();
                    let because = Error::of(&error).message;
                    context.reporter.tell(&Event::Retrying {
                        because: format!("Overtaken by somebody else ({because})."),
                    });
                    // Looks lag behind: one that comes at once may show the same as before.
                    tokio::time::sleep(Duration::from_secs(1 << overtaken.min(3))).await;
                    overtaken += 1;
                    attempt.agreed.take();
                }
                Err(Again::Unvalidated) => {
                    let because = "CloudFormation's validation refuses the bucket that was to be taken over, for \
                                   being there: the same without that validation.";
                    context.reporter.tell(&Event::Retrying { because: because.to_owned() });
                }
                Err(Again::Passing { because, .. }) if !tried_again => {
                    tried_again = true;
                    context.reporter.tell(&Event::Retrying { because });
                }
                Err(Again::Crowded { because, .. })
                    if crowded + 1 < ATTEMPTS && !attempt.left().is_zero() =>
                {
                    context.reporter.tell(&Event::Retrying { because });
                    tokio::time::sleep(operation::keep_away(crowded).min(attempt.left())).await;
                    crowded += 1;
                }
                Err(Again::Passing { error, .. }) => return Err(twice(&error).into()),
                Err(Again::Overtaken(error)) if attempt.left().is_zero() => {
                    return Err(too_late(context, &error).into());
                }
                Err(Again::Crowded { error, .. } | Again::Overtaken(error) | Again::Never(error)) => {
                    return Err(error);
                }
            }
        }
    };
    interrupt::unless_told_to_stop(context, &begun, conduct.timeout, work).await
}

/// Somebody else was quicker until the command's time was over.
fn too_late(context: &Context, error: &anyhow::Error) -> Error {
    let message =
        format!("{} was not brought up in time: somebody else was at work", context.environment.stack());
    Error::new(Kind::TimedOut, message)
        .because(Error::of(error).to_string())
        .remedy("Run it again: it watches what is under way to its end, then goes on.")
}

/// What mostly passes by itself has happened twice.
fn twice(error: &anyhow::Error) -> Error {
    let error = Error::of(error);
    let meaning = error.meaning.clone().unwrap_or_default();
    error.meaning(format!("The second attempt ended like the first. {meaning}").trim_end().to_owned())
}

/// Changes the code of the function and nothing else, past CloudFormation.
pub async fn code_only(context: &Context, workshop: &Workshop, conduct: Conduct) -> Result<Done> {
    let begun = Begun::default();
    let work = async {
        let began = Instant::now();
        let look = inspect(context, workshop, conduct.timeout);
        let ((identity, stack, artifact), runs) = tokio::try_join!(look, code::deployed(context))?;
        let Some(stack) = stack else {
            let (name, region) = (context.environment.name.as_str(), &context.clients.region);
            return Err(super::inspect::no_such_environment(name, region, &context.invocation).into());
        };
        code::refuse_lasting(&stack, &context.invocation)?;
        // As with the stack: what was seen before a long compilation is stale.
        let runs = if began.elapsed() > FRESH { code::deployed(context).await? } else { runs };
        let changed = runs.as_ref() != Some(&artifact.sha256);
        if changed {
            change_code(context, &begun, &identity, &artifact, conduct.timeout).await?;
        } else {
            context.reporter.tell(&Event::Unchanged { stack: stack.name.clone() });
        }
        Ok(Done {
            command: "up".to_owned(),
            changed: Some(changed),
            expires: stack.expires().map(expiry_tag),
            stack: Some(stack.name),
            stack_id: Some(stack.id),
            outputs: Some(stack.outputs),
            seconds: Some(began.elapsed().as_secs_f64()),
            ..Done::default()
        })
    };
    interrupt::unless_told_to_stop(context, &begun, conduct.timeout, work).await
}

/// Uploads the code where it isn't there yet, and has the function run it.
async fn change_code(
    context: &Context,
    begun: &Begun,
    identity: &Identity,
    artifact: &Artifact,
    timeout: Duration,
) -> Result<()> {
    let store = Store::new(&context.clients.s3, &identity.account, &context.clients.region);
    let stored = poll::patiently(context, timeout, || store.look(artifact)).await?;
    upload(context, &store, artifact, stored, timeout).await?;
    begun.changing(Beside::Code);
    code::update_code(
        context,
        &context.environment.processor(),
        &store.bucket,
        &artifact_key(&artifact.sha256),
        &artifact.sha256,
        timeout,
    )
    .await
}

async fn upload(
    context: &Context,
    store: &Store<'_>,
    artifact: &Artifact,
    stored: Stored,
    at_most: Duration,
) -> Result<()> {
    match stored {
        Stored::Absent => {
            poll::patiently(context, at_most, || store.put(artifact, context.reporter.as_ref())).await
        }
        Stored::Present => {
            context.reporter.tell(&Event::ArtifactReady {
                bucket: store.bucket.clone(),
                key: artifact_key(&artifact.sha256),
                uploaded: false,
            });
            Ok(())
        }
    }
}

/// What `up` would change. The change set that tells it is deleted again.
pub async fn plan(context: &Context, wish: &Wish<'_>) -> Result<Plan> {
    let template = template::render(&context.environment, wish.shape)?;
    let (identity, stack, artifact) = inspect(context, wish.workshop, PATIENCE).await?;
    let name_is_free = stack.is_none();
    let stack = match stack {
        Some(stack) => match stack.status.way_out() {
            WayOut::Update => Some(stack),
            WayOut::Create => None,
            // What it would be made into can only be told once it is out of that state.
            _ => return Err(operation::in_the_way(context, &stack).into()),
        },
        None => None,
    };
    let means = &protection::unmarked(context, stack.as_ref(), wish.means);
    if let Some(stack) = &stack {
        protection::refuse_ephemeral(stack, means, &context.invocation)?;
    }
    lifetime::check(context, stack.as_ref(), means, None)?;
    let store = Store::new(&context.clients.s3, &identity.account, &context.clients.region);
    let wanted = wish.wanted(means, &template, &store, &artifact, name_is_free);
    let begun = Begun::default();
    begun.planning(&wanted.name, name_is_free);
    let work = async {
        let prepared = prepare(context, &identity, stack.as_ref(), &wanted, Room::Leave, PATIENCE).await?;
        changeset::discard(context, &prepared, PATIENCE).await?;
        Ok(prepared.into_plan())
    };
    let in_time = async {
        let late = |_| {
            let message =
                format!("CloudFormation has not told what would change after {}s", PATIENCE.as_secs());
            Err(Error::new(Kind::TimedOut, message).remedy("Run it again.").into())
        };
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(late)
    };
    interrupt::unless_told_to_stop(context, &begun, Duration::from_secs(60), in_time).await
}

/// Everything that has to be known first. The three don't depend on each other.
async fn inspect(
    context: &Context,
    workshop: &Workshop,
    at_most: Duration,
) -> Result<(Identity, Option<Stack>, Artifact)> {
    let ours = || state::find_ours(&context.clients.cloudformation, &context.environment);
    let find = || poll::patiently(context, at_most, ours);
    let began = Instant::now();
    let (identity, mut stack, artifact) =
        tokio::try_join!(super::identity(context, at_most), find(), workshop.make(context.reporter.clone()))?;
    // Compiling takes a minute, in which somebody else may have acted: what was seen before it is stale.
    if began.elapsed() > FRESH {
        stack = find().await?;
    }
    if let Some(stack) = &stack {
        poll::patiently(context, at_most, || changeset::refuse_anothers(context, stack)).await?;
    }
    Ok((identity, stack, artifact))
}
