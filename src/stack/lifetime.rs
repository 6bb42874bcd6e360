//! How long an environment lives: pure rules about the one tag that says so.

use super::Context;
use super::plan::Plan;
use super::state::Stack;
use crate::environment::{expiry_of, expiry_tag};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::settings::{Invocation, Means, Ttl};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

/// When an environment's time is over after an `up`.
///
/// It isn't renewed as long as not more than a tenth of it is used up, so that a second `up` has nothing to change; and
/// it is never shortened, so that what `extend` gave stays given. What is protected doesn't end by itself.
pub fn expiry(before: Option<Timestamp>, means: &Means, now: Timestamp) -> Option<Timestamp> {
    if means.protection == Some(true) {
        return None;
    }
    match means.ttl {
        None => before,
        Some(Ttl::Never) => None,
        Some(Ttl::For(seconds)) => {
            let is_fresh = |expires: &Timestamp| *expires >= after(now, seconds - seconds / 10);
            Some(before.filter(is_fresh).unwrap_or_else(|| after(now, seconds)))
        }
    }
}

/// When its time is over after an `extend`: so much later, and from now on where it was over already. What never ends
/// goes on so: a time on top of that would be its end.
pub fn extended(
    before: Option<Timestamp>,
    by: Ttl,
    now: Timestamp,
    invocation: &Invocation,
) -> Result<Option<Timestamp>> {
    match (by, before) {
        (Ttl::Never, _) => Ok(None),
        (Ttl::For(seconds), Some(before)) => Ok(Some(after(before.max(now), seconds))),
        (Ttl::For(_), None) => {
            let up = invocation.command("up --ttl 2h");
            let message = "it never ends, so there is nothing to extend: nothing was changed";
            Err(Error::new(Kind::Refused, message)
                .remedy(format!("`{up}`, with the options that it was brought up with, gives it an end."))
                .into())
        }
    }
}

/// Whether its time is over.
pub fn is_over(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_some_and(|expires| expires <= now)
}

/// As a tag has it: in whole seconds.
fn after(moment: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let later = moment.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(later.as_second()).unwrap_or(later)
}

/// What [`expiry`] leads to, refused where it can't be so; and whose time is over is told that.
pub fn check(context: &Context, stack: Option<&Stack>, means: &Means, reviewed: Option<&Plan>) -> Result<()> {
    let now = context.clock.now();
    if let Some(stack) = stack {
        refuse_protected(stack, means, &context.invocation)?;
        let after = expiry(stack.expires(), means, now);
        if reviewed.is_none() && is_over(after, now) {
            let expires = after.map(expiry_tag).unwrap_or_default();
            context.reporter.tell(&Event::Expired { stack: stack.name.clone(), expires });
        }
    }
    let planned = reviewed.and_then(|plan| plan.expires.as_deref()).and_then(expiry_of);
    if is_over(planned, now) {
        let message = "the time that the plan gives the environment is over: nothing was changed";
        return Err(Error::new(Kind::Refused, message).remedy("Plan again.").into());
    }
    Ok(())
}

fn refuse_protected(stack: &Stack, means: &Means, invocation: &Invocation) -> Result<()> {
    let ends = matches!(means.ttl, Some(Ttl::For(_)));
    if !stack.protected || !ends || means.protection == Some(false) {
        return Ok(());
    }
    let message = format!("{} is protected: what is protected doesn't end by itself", stack.name);
    Err(Error::new(Kind::Refused, message)
        .remedy(format!(
            "Take the protection away as well: `{} --no-protect`, with the options of before.",
            invocation.command("up")
        ))
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-24T{text}Z").parse().unwrap()
    }

    fn means(ttl: Option<Ttl>) -> Means {
        Means { ttl, ..Means::default() }
    }

    const FOUR_HOURS: Option<Ttl> = Some(Ttl::For(14_400));

    #[test]
    fn a_lifetime_begins_now_and_is_told_in_whole_seconds() {
        assert_eq!(expiry(None, &means(FOUR_HOURS), at("12:00:00.9")), Some(at("16:00:00")));
    }

    #[test]
    fn a_lifetime_is_renewed_only_when_more_than_a_tenth_of_it_is_used_up() {
        let renewed = |now: &str| expiry(Some(at("16:00:00")), &means(FOUR_HOURS), at(now));
        assert_eq!(renewed("12:00:01"), Some(at("16:00:00")));
        assert_eq!(renewed("12:24:00"), Some(at("16:00:00")));
        assert_eq!(renewed("12:24:01"), Some(at("16:24:01")));
        assert_eq!(renewed("17:00:00"), Some(at("21:00:00")), "what is over begins anew");
    }

    #[test]
    fn a_lifetime_is_never_shortened_by_up_but_none_takes_it_away() {
        assert_eq!(expiry(Some(at("23:00:00")), &means(FOUR_HOURS), at("12:00:00")), Some(at("23:00:00")));
        assert_eq!(expiry(Some(at("23:00:00")), &means(Some(Ttl::Never)), at("12:00:00")), None);
        assert_eq!(expiry(Some(at("11:00:00")), &means(None), at("12:00:00")), Some(at("11:00:00")));
        assert_eq!(expiry(None, &means(None), at("12:00:00")), None);
    }

    #[test]
    fn what_is_protected_does_not_end_by_itself() {
        let protected = Means { protection: Some(true), ..means(None) };
        assert_eq!(expiry(Some(at("16:00:00")), &protected, at("12:00:00")), None);
    }

    #[test]
    fn an_extension_adds_to_what_is_left_or_to_now_and_never_ends_what_never_would() {
        let by = Ttl::For(7_200);
        let extended = |before: Option<Timestamp>, by| {
            super::extended(before, by, at("12:00:00"), &Invocation::default())
        };
        assert_eq!(extended(Some(at("16:00:00")), by).unwrap(), Some(at("18:00:00")));
        assert_eq!(extended(Some(at("11:00:00")), by).unwrap(), Some(at("14:00:00")));
        assert_eq!(extended(Some(at("16:00:00")), Ttl::Never).unwrap(), None);
        assert_eq!(extended(None, Ttl::Never).unwrap(), None);
        let refused = Error::of(&extended(None, by).unwrap_err());
        assert_eq!(refused.kind, Kind::Refused);
        assert!(refused.remedies[0].contains("up --ttl 2h"), "{refused:?}");
    }

    #[test]
    fn a_moment_is_over_when_it_has_come() {
        assert!(is_over(Some(at("12:00:00")), at("12:00:00")));
        assert!(!is_over(Some(at("12:00:01")), at("12:00:00")));
        assert!(!is_over(None, at("12:00:00")));
    }
}
