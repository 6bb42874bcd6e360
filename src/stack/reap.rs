//! `reap`: tears down every environment whose time is over, several at once. One that fails stops no other.

mod watched;

use super::down::{self, OnlyIf};
use super::fleet::{self, Choice, Seen};
use super::residue::kept;
use super::state::Stack;
use super::status::Known;
use super::{Answer, Conduct, Consent, Context, lifetime, operation, poll};
use crate::cloud::bucket::{self, Unread};
use crate::environment::{
    Environment, EnvironmentName, TAG_ENVIRONMENT, TAG_EXPIRES, TAG_KEPT, expiry_of, expiry_tag,
};
use crate::error::{Error, Kind};
use crate::event::{Due, Event, Reckoning};
use anyhow::Result;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use watched::Watched;

/// How long the list may take: a throttled account takes its time, but nobody waits an hour for one that can't be reached.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is to be torn down, and how.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which of those whose time is over.
    pub choice: Choice,
    /// How many at once.
    pub at_once: usize,
    /// When to stop watching each.
    pub timeout: Duration,
    /// Whether they are only looked for.
    pub dry_run: bool,
    /// Whether the one question is answered already. Where nobody is there, their time is consent enough.
    pub consent: Consent,
}

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name.
    pub env: String,
    /// Its region.
    pub region: String,
}

/// One that is gone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ended {
    /// Which.
    #[serde(flatten)]
    pub named: Named,
    /// How long it took.
    pub seconds: f64,
}

/// What became of those whose time was over.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Reaped {
    /// All of them but those that stayed from the beginning.
    pub due: Vec<Seen>,
    /// They are gone.
    pub reaped: Vec<Ended>,
    /// They stay, and why.
    pub left_alone: Vec<(Named, String)>,
    /// Buckets of environments that are gone, kept on purpose.
    pub kept: Vec<(Named, String)>,
    /// They could not be torn down, and why. Without a name: a region that couldn't be asked.
    pub failed: Vec<(Named, Error)>,
    /// Told to stop, it left these to CloudFormation, or didn't begin them.
    pub interrupted: Vec<Named>,
    /// What it was told to stop by.
    #[serde(skip)]
    pub signal: Option<Kind>,
}

impl Reaped {
    /// In numbers.
    pub fn reckoning(&self, dry_run: bool) -> Reckoning {
        let (due, reaped, left_alone) = (self.due.len(), self.reaped.len(), self.left_alone.len());
        Reckoning { due, reaped, left_alone, kept: self.kept.len(), dry_run }
    }

    /// Why it didn't end well, where it didn't. The kind is that of all failures, where they are of one.
    pub fn error(&self) -> Option<Error> {
        if let Some(kind) = self.signal {
            let left = names(self.interrupted.iter());
            let message = match left.as_str() {
                "" => "interrupted: nothing was left to do".to_owned(),
                left => format!("interrupted: what was begun goes on, and nothing else is begun: {left}"),
            };
            return Some(Error::new(kind, message).remedy("Run it again: it picks up all that is left."));
        }
        let (first, rest) = self.failed.split_first()?;
        let same = rest.iter().all(|(_, error)| error.kind == first.1.kind);
        let kind = if same { first.1.kind } else { Kind::Failed };
        let of = self.due.len() + self.failed.iter().filter(|(named, _)| named.env.is_empty()).count();
        let message = format!("{} of {of} could not be reaped", self.failed.len());
        let lines = self.failed.iter().map(|(named, error)| format!("{}: {error}", named.told()));
        Some(
            Error::new(kind, message)
                .because(lines.collect::<Vec<_>>().join("\n"))
                .remedy("Run it again: it begins where this ended. `down --env NAME` tells more of one."),
        )
    }
}

impl Named {
    fn of(seen: &Seen) -> Self {
        Named { env: seen.listed.env.clone(), region: seen.listed.region.clone() }
    }

    fn told(&self) -> String {
        match self.env.as_str() {
            "" => self.region.clone(),
            env => format!("{env} in {}", self.region),
        }
    }
}

fn names<'a>(all: impl Iterator<Item = &'a Named>) -> String {
    all.map(Named::told).collect::<Vec<_>>().join(", ")
}

/// How one of them ended.
enum End {
    Gone(f64),
    LeftAlone(String),
    Failed(Error),
    Interrupted,
}

/// Tears down what is due in the regions of these contexts. Whoever runs it beside another, or is killed and runs it
/// again, ends in the same state.
pub async fn reap(contexts: &[Context], wish: &Wish) -> Result<Reaped> {
    let Some(first) = contexts.first() else { return Ok(Reaped::default()) };
    let fleet = tokio::select! {
        biased;
        fleet = fleet::survey(contexts, &wish.choice, wish.timeout.min(PATIENCE)) => fleet?,
        kind = first.signals.heard(1) => return Ok(Reaped { signal: Some(kind), ..Reaped::default() }),
    };
    let unread = fleet.unread.into_iter();
    let failed = unread.map(|(region, error)| (Named { env: String::new(), region }, error)).collect();
    let kept: Vec<(Named, String)> = fleet.environments.iter().filter_map(kept_bucket).collect();
    let over = fleet.environments.into_iter().filter(|it| it.expired);
    let mut reaped = Reaped { failed, kept, ..Reaped::default() };
    for (named, bucket) in &reaped.kept {
        let Named { env, region } = named.clone();
        first.reporter.tell(&Event::BucketKept { env, region, bucket: bucket.clone() });
    }
    for seen in over {
        match stays(&seen) {
            Some(because) => note(first, &mut reaped, Named::of(&seen), End::LeftAlone(because)),
            None => reaped.due.push(seen),
        }
    }
    let wanted = reaped.due.clone();
    if wanted.is_empty() {
        return Ok(reaped);
    }
    first.reporter.tell(&Event::Due { environments: wanted.iter().map(shown).collect() });
    if wish.dry_run {
        return Ok(reaped);
    }
    agree(first, wanted.len(), wish.consent).await?;
    // A region's context may be missing only where its list was made without one: it wasn't.
    let ends = wanted.into_iter().filter_map(|seen| {
        let context = contexts.iter().find(|context| context.clients.region == seen.listed.region)?;
        Some(async move { (Named::of(&seen), end(context, &seen, wish.timeout).await) })
    });
    let mut ends = stream::iter(ends).buffer_unordered(wish.at_once.max(1));
    while let Some((named, end)) = ends.next().await {
        note(first, &mut reaped, named, end);
    }
    reaped.signal = first.signals.last().filter(|_| !reaped.interrupted.is_empty());
    Ok(reaped)
}

fn kept_bucket(seen: &Seen) -> Option<(Named, String)> {
    let bucket = seen.listed.left_bucket.clone().filter(|_| seen.listed.kept)?;
    Some((Named::of(seen), bucket))
}

/// Why one whose time is over stays all the same, as far as the list tells.
fn stays(seen: &Seen) -> Option<String> {
    let it = &seen.listed;
    // A deletion is what is wanted: it is watched, and what it leaves is removed.
    let is_at_work = !it.status.settled() && !it.status.is(Known::DeleteInProgress);
    match it.protected {
        true => Some("it is protected".to_owned()),
        false => is_at_work.then(|| format!("somebody is at work on it: it is {}", it.status)),
    }
}

fn shown(seen: &Seen) -> Due {
    let it = seen.listed.clone();
    Due { env: it.env, region: it.region, expires: it.expires.unwrap_or_default(), owner: it.owner }
}

async fn agree(context: &Context, many: usize, consent: Consent) -> Result<()> {
    let what = if many == 1 { "it".to_owned() } else { format!("all {many}") };
    match context.ask(consent, format!("Tear {what} down, with the data")).await? {
        Answer::Yes | Answer::Nobody => Ok(()),
        Answer::No => Err(Error::new(Kind::Refused, "nothing was torn down").into()),
    }
}

fn note(context: &Context, reaped: &mut Reaped, named: Named, end: End) {
    let Named { env, region } = named.clone();
    match end {
        End::Gone(seconds) => {
            context.reporter.tell(&Event::Reaped { env, region, seconds });
            reaped.reaped.push(Ended { named, seconds });
        }
        End::LeftAlone(because) => {
            context.reporter.tell(&Event::LeftAlone { env, region, because: because.clone() });
            reaped.left_alone.push((named, because));
        }
        End::Failed(error) => {
            context.reporter.tell(&Event::NotReaped { env, region, error: error.clone() });
            reaped.failed.push((named, error));
        }
        End::Interrupted => reaped.interrupted.push(named),
    }
}

/// Tears one down.
async fn end(context: &Context, seen: &Seen, timeout: Duration) -> End {
    if context.signals.count() > 0 {
        return End::Interrupted;
    }
    let Ok(name) = seen.listed.env.parse::<EnvironmentName>() else {
        return End::LeftAlone("its name is none that this version gives".to_owned());
    };
    let named = Named::of(seen);
    let context = Context {
        environment: Environment::new(name),
        reporter: Arc::new(Watched { env: named.env.clone(), reporter: context.reporter.clone() }),
        invocation: context.invocation.of(&named.env, &named.region),
        ..context.clone()
    };
    let expires = seen.listed.expires.clone().unwrap_or_default();
    let Named { env, region } = named;
    context.reporter.tell(&Event::Reaping { env, region, expires });
    let began = Instant::now();
    match take_down(&context, seen, timeout).await {
        Ok(None) => End::Gone(began.elapsed().as_secs_f64()),
        Ok(Some(because)) => End::LeftAlone(because),
        Err(error) => {
            let error = Error::of(&error);
            match error.kind {
                Kind::Interrupted | Kind::Terminated => End::Interrupted,
                // CloudFormation may have refused it for a reason that the list didn't know yet.
                Kind::Refused | Kind::Failed => match why_it_stays(&context, seen, timeout).await {
                    Some(because) => End::LeftAlone(because),
                    None => End::Failed(error),
                },
                _ => End::Failed(error),
            }
        }
    }
}

/// Why it stays, where it does.
async fn take_down(context: &Context, seen: &Seen, timeout: Duration) -> Result<Option<String>> {
    let wish = |only_if| {
        let conduct = Conduct { consent: Consent::Given, timeout };
        down::Wish { only_if: Some(only_if), ..down::Wish::new(conduct) }
    };
    let mut stack = poll::find(context, &context.environment.stack(), timeout).await?;
    if let Some(found) = stack.as_ref().filter(|found| found.status.is(Known::DeleteInProgress))
        && found.id == seen.listed.stack_id
    {
        // Somebody else's `down`, or what an earlier `reap` left to itself.
        let told = tokio::select! {
            biased;
            ended = operation::attach(context, found, timeout) => ended?,
            kind = context.signals.heard(1) => return Err(Error::new(kind, "interrupted").into()),
        };
        stack = told.stack;
    }
    let done = match stack {
        Some(found) => {
            if let Some(because) = objection(&found, seen, context.clock.now()) {
                return Ok(Some(because));
            }
            // A `down --keep-data` that didn't come to its end.
            let identity = super::identity(context, timeout).await?;
            if kept::is_kept(context, &identity, timeout).await? {
                return Ok(Some(KEPT.to_owned()));
            }
            down::down(context, wish(still_due(context, seen))).await?
        }
        None => {
            if let Some(because) = bucket_objection(context, timeout).await? {
                return Ok(Some(because));
            }
            down::down(context, wish(nobody_again())).await?
        }
    };
    Ok((!done.kept.is_empty()).then(|| KEPT.to_owned()))
}

/// Asked of the stack right before it is deleted.
fn still_due(context: &Context, seen: &Seen) -> OnlyIf {
    let (seen, clock) = (seen.clone(), context.clock.clone());
    Box::new(move |stack| match objection(stack, &seen, clock.now()) {
        Some(because) => Err(Error::new(Kind::Refused, because).into()),
        None => Ok(()),
    })
}

/// Where only a bucket was left there must be no stack.
fn nobody_again() -> OnlyIf {
    Box::new(|_| Err(Error::new(Kind::Refused, AGAIN).into()))
}

const KEPT: &str = "its bucket was kept on purpose";
const AGAIN: &str = "somebody brought it up again";

/// Why a stack that was to be torn down isn't to be any more.
fn objection(stack: &Stack, seen: &Seen, now: Timestamp) -> Option<String> {
    let expires = stack.expires();
    if stack.environment() != Some(seen.listed.env.as_str()) {
        return Some("a stack that isn't ours has its name now".to_owned());
    }
    if stack.protected {
        return Some("it is protected now".to_owned());
    }
    if !lifetime::is_over(expires, now) {
        return Some(match expires {
            Some(expires) => format!("it was extended meanwhile, until {}", expiry_tag(expires)),
            None => "it no longer ends by itself".to_owned(),
        });
    }
    (stack.id != seen.listed.stack_id).then(|| AGAIN.to_owned())
}

async fn why_it_stays(context: &Context, seen: &Seen, timeout: Duration) -> Option<String> {
    let stack = poll::find(context, &context.environment.stack(), timeout).await.ok()??;
    objection(&stack, seen, context.clock.now())
}

/// Why the bucket of a stack that is gone stays: its own tags tell.
async fn bucket_objection(context: &Context, timeout: Duration) -> Result<Option<String>> {
    let identity = super::identity(context, timeout).await?;
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let doing = format!("look at the bucket {bucket}");
    let look = || async {
        match bucket::tags(&context.clients.s3, &bucket, &identity.account, &doing).await {
            // Another account's is nothing that could stay or go.
            Err(Unread::Foreign(_)) => Ok(None),
            read => Ok(read?),
        }
    };
    let Some(tags) = poll::patiently(context, timeout, look).await? else { return Ok(None) };
    let tag = |key: &str| tags.get(key).map(String::as_str);
    let is_ours = tag(TAG_ENVIRONMENT) == Some(context.environment.name.as_str());
    let is_over = lifetime::is_over(tag(TAG_EXPIRES).and_then(expiry_of), context.clock.now());
    Ok(match (is_ours, tag(TAG_KEPT), is_over) {
        (true, Some(_), _) => Some(KEPT.to_owned()),
        (true, None, true) => None,
        _ => Some("its bucket doesn't say that its time is over".to_owned()),
    })
}

#[cfg(test)]
mod tests;
