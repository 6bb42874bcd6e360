//! What `reap` may take away, and what it must.

use super::left;
use super::run::Attempt;
use super::seen::{Seen, SeenOther};
use super::story::Verb;
use super::verdict::{Around, Next, is_overtaken, of_error};
use kinesis_stack::error::Error;
use std::time::Duration;

/// Whether a `reap` had to take it, begun at this age of the account.
fn is_due(it: &SeenOther, began: Duration) -> bool {
    let settled = it.status.as_ref().is_some_and(|status| !status.ends_with("_IN_PROGRESS"));
    settled && !it.protected && it.expires.is_some_and(|expires| expires <= began)
}

/// What must never be, whatever became of the command: nothing goes whose time isn't over.
pub fn broken(attempt: &Attempt) -> Option<String> {
    let reaps = matches!(attempt.verb, Verb::Reap(_)) || matches!(attempt.beside, Some((Verb::Reap(_), _)));
    for (name, before) in &attempt.before.others {
        let may_go = reaps && !before.protected && before.expires.is_some_and(|it| it <= attempt.ended);
        // What a deletion from before takes away goes on going.
        let is_going = before.status.as_ref().is_none_or(|status| status.starts_with("DELETE"));
        let after = attempt.after.others.get(name);
        // What somebody had begun goes on, too, but doesn't become a deletion.
        let is_busy = before.status.as_ref().is_some_and(|status| status.ends_with("_IN_PROGRESS"));
        let is_deleted = |status: &String| status.starts_with("DELETE");
        let is_touched = after.is_none_or(|after| {
            if is_busy {
                return after.status.as_ref().is_none_or(is_deleted) && after.somebody == before.somebody;
            }
            let same = after.status == before.status && after.holds == before.holds;
            after.somebody == before.somebody && !same
        });
        if !may_go && !is_going && is_touched {
            return Some(format!("{name} was touched: {before:?} is {after:?} now"));
        }
    }
    let (before, after) = (attempt.before.stack.as_ref()?, attempt.after.stack.as_ref());
    let expires = attempt.before.expires();
    let may_go = !before.protected && expires.is_some_and(|expires| expires <= attempt.ended);
    let is_going = before.status.starts_with("DELETE") || is_overtaken(attempt);
    let goes = after.is_none_or(|after| after.id != before.id || after.status.starts_with("DELETE"));
    let only_reaps = matches!(attempt.verb, Verb::Reap(_)) && !is_going;
    (only_reaps && !may_go && goes).then(|| format!("it was reaped, and its time was {expires:?}"))
}

/// What is to follow a `reap` that told what it came to.
pub fn next(attempt: &Attempt, around: &Around) -> Next {
    let Some(reaped) = &attempt.reaped else { return Next::Wrong("reap told nothing".to_owned()) };
    let signal = reaped.signal.map(|kind| Error::new(kind, "interrupted"));
    let failed = reaped.failed.iter().map(|(named, error)| (named.env.as_str(), error));
    let mut again = None;
    for (env, error) in failed.chain(signal.iter().map(|error| ("", error))) {
        let overtaken = env == "dev" && is_overtaken(attempt);
        match of_error(attempt, around, error, overtaken) {
            Next::Reached => {}
            Next::Again(why) => again = Some(Next::Again(why)),
            other => return other,
        }
    }
    if let Some(again) = again {
        return again;
    }
    // A last line that a function writes after its end may come after the last look at each.
    let late = |name: &String| name.starts_with("/aws/lambda/");
    for (name, before) in &attempt.before.others {
        let after = attempt.after.others.get(name);
        let overtaken = after.is_some_and(|after| after.somebody > before.somebody);
        let stays = after.is_some_and(|after| after.status.is_some() || !after.holds.iter().all(late));
        if is_due(before, attempt.began) && !overtaken && stays {
            return Next::Wrong(format!("reap ended well, but of {name} there remain: {after:?}"));
        }
    }
    let due = attempt.before.stack.as_ref().is_some_and(|stack| {
        let over = attempt.before.expires().is_some_and(|expires| expires <= attempt.began);
        over && !stack.protected && !stack.status.ends_with("_IN_PROGRESS")
    });
    let after = Seen { has_artifacts: false, ..attempt.after.clone() };
    let mut remains = left::in_time(attempt, around, &after);
    remains.retain(|name| !late(name));
    match () {
        () if !due || remains.is_empty() => Next::Reached,
        () if is_overtaken(attempt) => Next::Again("somebody else acted"),
        () => Next::Wrong(format!("reap ended well, but there remain: {}", remains.join(", "))),
    }
}
