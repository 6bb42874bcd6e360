//! What an attempt's end means: pure, from what was seen.

use super::left;
use super::reached::not_reached;
use super::reaping;
use super::run::{Attempt, TIMEOUT};
use super::seen::Seen;
use super::story::{Mishap, Untold, Verb};
use crate::bench::BUCKET;
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::Event;
use simulated_aws::{Script, Weather};
use std::time::Duration;

/// How the story goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The command has reached its end.
    Reached,
    /// It is run again, as a pipeline does.
    Again(&'static str),
    /// A person does what the error says.
    Person(Deed),
    /// It isn't right.
    Wrong(String),
}

/// What a person does about an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    Agrees,
    Adopts,
    TakesProtectionOff,
    GivesPermission,
    /// Of an empty bucket whose making was cut short, nothing tells whose it is.
    RemovesBucket,
    /// The other account lets go of the bucket's name.
    FreesName,
    /// The bucket that the stack has lost is made again.
    MakesBucket,
    /// The locks on objects end.
    EndsLocks,
    /// The index of tags answers again.
    HealsIndex,
}

/// What the account was like during an attempt.
pub struct Around<'a> {
    pub weather: &'a Weather,
    pub script: &'a Script,
    /// The actions that the caller lacks.
    pub denied: &'a [&'static str],
    /// Why the index of tags tells nothing.
    pub untold: Option<Untold>,
    /// Whether somebody else acted at any time of the story.
    pub somebody_ever: bool,
}

/// What a call of AWS says that may go through later.
const PASSING: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "SlowDown",
    "InternalError",
    "InternalFailure",
    "dispatch failure",
    "response error",
    "unhandled error (HTTP 5",
    "request has timed out",
    "HTTP 500",
    "HTTP 503",
];
const IAM_RACE: &[&str] = &[
    "unable to assume role",
    "is not authorized to perform: kinesis:DescribeStream",
    "security token included in the request is invalid",
    "cannot be assumed by Lambda",
];

/// A call may take a minute, and is tried eight times: so long after the weather an attempt may still suffer from it.
const SUFFERING: Duration = Duration::from_secs(300);

fn overlaps(attempt: &Attempt, window: simulated_aws::Window) -> bool {
    window.from < attempt.ended && attempt.began < window.until
}

impl Around<'_> {
    fn is_expired(&self, attempt: &Attempt) -> bool {
        self.weather.expired.is_some_and(|window| overlaps(attempt, window))
    }

    pub fn is_denied(&self, attempt: &Attempt, operation: &str) -> bool {
        self.weather.denied.is_some_and(|(window, it)| it == operation && overlaps(attempt, window))
    }

    /// Whether an error names an action that the caller lacks.
    fn names_denied(&self, text: &str) -> bool {
        let index = self.untold == Some(Untold::Denied) && text.contains("tag:GetResources");
        index || self.denied.iter().any(|action| text.contains(action))
    }

    fn is_foul(&self, attempt: &Attempt) -> bool {
        attempt.began < self.weather.until + SUFFERING
    }
}

/// What is to follow. `began` is counted from when the weather came.
pub fn next(attempt: &Attempt, around: &Around) -> Next {
    if let Some(broken) = broken(attempt, around) {
        return Next::Wrong(broken);
    }
    let overtaken = is_overtaken(attempt);
    if let Some((verb, Some(Err(error)))) = &attempt.beside
        && let Next::Wrong(sentence) = of_error(attempt, around, error, true)
    {
        return Next::Wrong(format!("{verb:?} beside it: {sentence}"));
    }
    if matches!(attempt.verb, Verb::Reap(_)) && attempt.reaped.is_some() {
        return reaping::next(attempt, around);
    }
    match &attempt.result {
        None => Next::Again("it was killed"),
        Some(Ok(_)) => match not_reached(attempt, around) {
            None if attempt.beside.is_some() => Next::Again("somebody else was at it, too"),
            None if around.untold.is_some() && left::is_found_by_tag_alone(&attempt.after) => {
                Next::Person(Deed::HealsIndex)
            }
            None => Next::Reached,
            Some(_) if overtaken => Next::Again("somebody else acted"),
            Some(sentence) => Next::Wrong(sentence),
        },
        Some(Err(error)) => of_error(attempt, around, error, overtaken),
    }
}

/// Whether somebody else acts, or has acted last.
pub fn is_overtaken(attempt: &Attempt) -> bool {
    attempt.after.somebody > attempt.before.somebody
        || attempt.before.stack.as_ref().is_some_and(|stack| stack.is_somebodys)
        || attempt.beside.is_some()
}

pub fn of_error(attempt: &Attempt, around: &Around, error: &Error, overtaken: bool) -> Next {
    let text = format!("{error}");
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let wrong = |what: &str| Next::Wrong(format!("{what}: {:?}: {text}", error.kind));
    let needs_remedy = !matches!(error.kind, Kind::Failed | Kind::Interrupted | Kind::Terminated);
    if error.message.is_empty() || needs_remedy && error.remedies.is_empty() {
        return wrong("an error without a word about what to do");
    }
    if !overtaken && let Some(sentence) = left::differs(attempt, around, error) {
        return wrong(&sentence);
    }
    match error.kind {
        Kind::Interrupted | Kind::Terminated => match attempt.mishap {
            Mishap::ToldToStop { with, .. } if with == error.kind => Next::Again("it was told to stop"),
            _ => wrong("nobody told it to stop"),
        },
        Kind::TimedOut => match attempt.mishap {
            Mishap::ShortOfTime(_) => Next::Again("its time was short"),
            _ if attempt.ended - attempt.began >= TIMEOUT => Next::Again("it took very long"),
            _ => wrong("there was time left"),
        },
        Kind::Credentials => {
            if around.is_expired(attempt) && says(&["Expired", "expired"]) {
                return Next::Again("the credentials had expired");
            }
            if around.names_denied(&text) {
                return Next::Person(Deed::GivesPermission);
            }
            if attempt.after.locked > 0 && says(&["object lock"]) {
                return Next::Person(Deed::EndsLocks);
            }
            let operation = around.weather.denied.map(|(_, operation)| operation).unwrap_or_default();
            if around.is_denied(attempt, operation) && says(&[operation, "AccessDenied"]) {
                return Next::Again("a permission was missing for a while");
            }
            wrong("the credentials are good")
        }
        Kind::Failed if says(PASSING) && around.is_foul(attempt) => Next::Again("AWS was in trouble"),
        Kind::Failed if says(&["somebody else has changed it meanwhile"]) && overtaken => {
            Next::Again("somebody else acted")
        }
        Kind::Failed if matches!(attempt.mishap, Mishap::ShortOfTime(_)) && says(&["OperationAborted"]) => {
            Next::Again("the name of a bucket was still busy")
        }
        Kind::Failed if says(&["it was to be kept"]) && overtaken => Next::Again("somebody else acted"),
        Kind::Failed => wrong("a plain failure"),
        Kind::Refused => {
            refused(attempt, around, &text, overtaken).unwrap_or_else(|| wrong("refused without a reason"))
        }
        Kind::DeploymentFailed => match () {
            () if attempt.before.strangers.is_some() && matches!(attempt.verb, Verb::Up(_)) => {
                Next::Person(Deed::FreesName)
            }
            // It was freed after another account had taken it from the stack.
            () if says(&["there is no bucket"]) && !attempt.before.has_bucket => {
                Next::Person(Deed::MakesBucket)
            }
            // What never came up has no time to extend.
            () if matches!(attempt.verb, Verb::Extend(_)) && is_unusable(&attempt.before) => Next::Reached,
            () if overtaken => Next::Again("somebody else acted"),
            () if says(IAM_RACE) && around.script.iam_lag_seconds > 0.0 => Next::Again("roles lagged"),
            () if says(&["conflicting conditional operation"]) && around.script.bucket_name_seconds > 0.0 => {
                Next::Again("the bucket's name was still taken")
            }
            () => wrong("the deployment can't fail"),
        },
        Kind::Leftovers => match () {
            () if around.names_denied(&text) => Next::Person(Deed::GivesPermission),
            () if attempt.after.locked > 0 && says(&["object lock"]) => Next::Person(Deed::EndsLocks),
            () if around.weather.denied.is_some_and(|(_, operation)| {
                around.is_denied(attempt, operation) && says(&[operation, "AccessDenied"])
            }) =>
            {
                Next::Again("a permission was missing for a while")
            }
            () if text.contains(BUCKET) && is_nobodys_bucket(&attempt.after) => {
                Next::Person(Deed::RemovesBucket)
            }
            // What is on its way out, but not gone when the time is, is named.
            () if matches!(attempt.mishap, Mishap::ShortOfTime(_)) => Next::Again("its time was short"),
            () if !around.somebody_ever => wrong("nobody left anything behind"),
            () => Next::Again("somebody else acted"),
        },
        Kind::NoSuchEnvironment if matches!(attempt.verb, Verb::Status | Verb::Extend(_)) => {
            match &attempt.after.stack {
                Some(_) if !overtaken && attempt.before.stack.is_some() => wrong("there is one"),
                _ => Next::Reached,
            }
        }
        Kind::NoSuchEnvironment | Kind::BadInput => wrong("not from this command"),
    }
}

/// Whether the stack is one that only `up` or `down` gets out of its state.
fn is_unusable(seen: &Seen) -> bool {
    let is_stuck = |status: &str| status.ends_with("_FAILED") || status == "ROLLBACK_COMPLETE";
    seen.stack.as_ref().is_some_and(|stack| is_stuck(&stack.status))
}

fn is_nobodys_bucket(seen: &Seen) -> bool {
    seen.has_bucket && !seen.has_tagged_bucket && seen.objects == 0 && seen.stack.is_none()
}

fn refused(attempt: &Attempt, around: &Around, text: &str, overtaken: bool) -> Option<Next> {
    let holds = attempt.before.objects > 0 || attempt.after.objects > 0;
    let is_up = matches!(attempt.verb, Verb::Up(_));
    let was_protected = |seen: &Seen| seen.stack.as_ref().is_some_and(|stack| stack.protected);
    let is = |part: &str| text.contains(part);
    Some(match () {
        () if is("somebody else is bringing") => Next::Again("it is being made already"),
        () if is("no stack holds it") && holds => Next::Person(Deed::Adopts),
        () if is("no stack holds it") && is_nobodys_bucket(&attempt.before) => {
            Next::Person(Deed::RemovesBucket)
        }
        () if is("another account") && is_up && attempt.before.strangers.is_some() => {
            Next::Person(Deed::FreesName)
        }
        () if is("it never ends") && attempt.before.expires().is_none() => Next::Reached,
        () if is("would lose data") && !attempt.yes => Next::Person(Deed::Agrees),
        () if is("can only be made anew") && !attempt.yes && holds => Next::Person(Deed::Agrees),
        () if is("nothing was deleted") && is("nobody is there to agree") && !attempt.yes && holds => {
            Next::Person(Deed::Agrees)
        }
        () if is("is protected") && was_protected(&attempt.before) => Next::Person(Deed::TakesProtectionOff),
        // A HEAD has no body: whether a permission is missing, or the bucket is somebody else's, can't be told.
        () if is("another account") && around.is_denied(attempt, "HeadBucket") => {
            Next::Again("a permission was missing for a while")
        }
        () if attempt.beside.is_some() => Next::Again("somebody else was at it, too"),
        () if is("kept") && overtaken => Next::Again("somebody else acted"),
        () => return None,
    })
}

/// What must never be, whatever became of the command.
fn broken(attempt: &Attempt, around: &Around) -> Option<String> {
    let lost: Vec<&String> = attempt.before.rows.difference(&attempt.after.rows).collect();
    let before = &attempt.before;
    let expires = if before.stack.is_some() { before.expires() } else { before.bucket_expires };
    let is_over = expires.is_some_and(|expires| expires <= attempt.ended);
    let by_reap = is_over
        && (matches!(attempt.verb, Verb::Reap(_)) || matches!(attempt.beside, Some((Verb::Reap(_), _))));
    if !attempt.yes && !by_reap && !lost.is_empty() {
        return Some(format!("{} rows were lost without consent", lost.len()));
    }
    let bucket_lost = attempt.before.has_bucket && !attempt.after.has_bucket;
    if attempt.verb == Verb::DownKeeping && (bucket_lost || !lost.is_empty()) {
        return Some("down --keep-data didn't keep the data".to_owned());
    }
    if attempt.before.strangers != attempt.after.strangers {
        return Some("another account's bucket was touched".to_owned());
    }
    if let Some(sentence) = reaping::broken(attempt).or_else(|| left::is_half(attempt)) {
        return Some(sentence);
    }
    if attempt.verb == Verb::Status
        && let Some(call) = attempt.calls.iter().find(|call| call.changes() && call.service != "sts")
    {
        return Some(format!("status called {}", call.operation));
    }
    let executed = attempt.calls.iter().any(|call| call.operation == "ExecuteChangeSet");
    let mut plans = attempt.events.iter().filter_map(|event| match event {
        Event::Plan(plan) => Some(plan),
        _ => None,
    });
    if !attempt.yes
        && attempt.beside.is_none()
        && executed
        && plans.next_back().is_some_and(|plan| plan.loses_data)
    {
        return Some("a plan that loses data was executed without consent".to_owned());
    }
    // Whoever else was at it has made change sets of its own.
    let other = match &attempt.beside {
        Some((_, ended)) => ended.as_ref()?.as_ref().err(),
        None => None,
    };
    let errors = [attempt.result.as_ref()?.as_ref().err(), other];
    if errors.into_iter().flatten().any(|error| {
        matches!(error.kind, Kind::Failed | Kind::Credentials | Kind::Interrupted | Kind::Terminated)
    }) {
        // What kept it from its end can have kept it from tidying up as well.
        return None;
    }
    let made = attempt.calls.iter().filter(|call| call.operation == "CreateChangeSet");
    let made: Vec<&str> = made.map(|call| call.get("ChangeSetName")).collect();
    let left = attempt.after.stack.iter().flat_map(|stack| &stack.change_sets);
    let left = left.into_iter().find(|name| made.contains(&name.as_str()));
    if let Some(left) = left.filter(|_| !around.is_foul(attempt) || errors == [None, None]) {
        return Some(format!("the change set {left} was left behind"));
    }
    None
}
