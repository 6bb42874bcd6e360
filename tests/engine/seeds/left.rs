//! What is left, held against what was said to be left.

use super::reached::EXPECTED;
use super::run::Attempt;
use super::seen::Seen;
use super::story::{Mishap, Verb};
use super::verdict::Around;
use crate::bench::{ARTIFACTS, STACK};
use kinesis_stack::error::Error;
use kinesis_stack::event::Event;
use std::time::Duration;

/// What an error names.
#[derive(Debug, Default)]
struct Named<'a> {
    /// It is left.
    left: Vec<&'a str>,
    /// Nobody could ask whether it is left: names, and beginnings of names.
    unknown: Vec<&'a str>,
}

impl<'a> Named<'a> {
    /// As `down` words it; `None` where it says nothing of leftovers.
    fn of(text: &'a str) -> Option<Self> {
        let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
        // Each is a kind of thing and a name; the names end where the sentence does.
        let names = |rest: &'a str| -> Vec<&'a str> {
            let sentence = rest.split('\n').next().unwrap_or_default();
            let listed = sentence.split(": ").next().unwrap_or_default();
            listed.split(", ").filter_map(|named| named.split(' ').next_back()).collect()
        };
        let left = after("left behind: ").map(names);
        let unknown = after("nobody knows whether this is left, too: ")
            .or_else(|| after("nobody knows whether this is left: "))
            .map(names);
        (left.is_some() || unknown.is_some())
            .then(|| Named { left: left.unwrap_or_default(), unknown: unknown.unwrap_or_default() })
    }

    fn tells(&self, name: &str) -> bool {
        let by_tag = || name == RENAMED && self.unknown.iter().any(|it| it.ends_with("=dev"));
        self.left.contains(&name) || self.unknown.iter().any(|it| name.starts_with(it)) || by_tag()
    }
}

/// CloudFormation's name for functions.
const FUNCTION: &str = "AWS::Lambda::Function";
/// What only the index of tags tells.
const RENAMED: &str = "renamed";

/// How what an error names differs from what is left, in either direction.
pub fn differs(attempt: &Attempt, around: &Around, error: &Error) -> Option<String> {
    if !attempt.verb.is_down() {
        return None;
    }
    let text = error.to_string();
    let named = Named::of(&text)?;
    let stays = attempt.verb == Verb::DownKeeping;
    let has_bucket = attempt.after.has_bucket && !stays;
    let ours = Seen { has_artifacts: false, has_bucket, ..attempt.after.clone() };
    let remains = ours.remains();
    let due = in_time(attempt, around, &ours);
    if let Some(unnamed) = due.iter().find(|name| !named.tells(name)) {
        return Some(format!("{unnamed} is left and isn't named"));
    }
    // What is on its way out when the time is over may be gone a moment later.
    let is_short = matches!(attempt.mishap, Mishap::ShortOfTime(_));
    let gone = named.left.iter().find(|name| **name != ARTIFACTS && !remains.iter().any(|it| it == *name));
    gone.filter(|_| !is_short).map(|gone| format!("{gone} is named and isn't left"))
}

/// What there is that should have been seen. A log group that the last line of a function made whose end nobody saw, after
/// the last look, wasn't there then, and is what the next `down` removes; and without the index of tags nobody finds what it alone tells.
pub fn in_time(attempt: &Attempt, around: &Around, seen: &Seen) -> Vec<String> {
    let mut remains = seen.remains();
    remains.retain(|name| waits(attempt) || !is_late(attempt, seen.things.get(name).copied()));
    remains.retain(|name| around.untold.is_none() || name != RENAMED);
    remains
}

/// Whether nothing can be made after the last look: whoever sees the function go waits until its last line is written.
fn waits(attempt: &Attempt) -> bool {
    let is_short = matches!(attempt.mishap, Mishap::ShortOfTime(_));
    let goes = |event: &Event| matches!(event, Event::Resource(it) if it.resource_type == FUNCTION && it.status == "DELETE_COMPLETE");
    attempt.verb.is_down() && attempt.beside.is_none() && !is_short && attempt.events.iter().any(goes)
}

/// Whether something was made after the last look for log groups.
fn is_late(attempt: &Attempt, made: Option<Duration>) -> bool {
    // Two are asked for in each look: by the function's name, and by the environment's.
    let looks = &attempt.log_looks;
    let last = looks.len().checked_sub(2).and_then(|place| looks.get(place));
    made.zip(last).is_some_and(|(made, last)| made >= *last)
}

/// Whether something is left that only the index of tags tells.
pub fn is_found_by_tag_alone(seen: &Seen) -> bool {
    seen.things.contains_key(RENAMED)
}

/// Whatever two callers do at once, once both have ended well what there is is whole, or there is nothing.
pub fn is_half(attempt: &Attempt) -> Option<String> {
    let (verb, result) = attempt.beside.as_ref()?;
    let both = [attempt.result.as_ref()?, result.as_ref()?];
    if both.iter().any(|result| result.is_err()) || attempt.after.somebody > attempt.before.somebody {
        return None;
    }
    let after = &attempt.after;
    let is_good = after.stack.as_ref().is_some_and(|stack| stack.status.ends_with("_COMPLETE"));
    let is_whole = is_good && EXPECTED.iter().all(|name| after.things.contains_key(*name));
    let ours = Seen { has_artifacts: false, ..after.clone() };
    let late = |name: &String| is_late(attempt, ours.things.get(name).copied());
    let nothing = ours.remains().iter().all(|name| name == RENAMED || late(name));
    (!(nothing || matches!(verb, Verb::Up(_)) && is_whole))
        .then(|| format!("both ended well, and of {STACK} there remain: {}", ours.remains().join(", ")))
}
