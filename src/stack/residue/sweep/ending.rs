//! What a sweep has come to: nothing is left, or an error names what is, and what nobody could ask for.

use super::{Learnt, Sweep, Swept};
use crate::cloud::fault;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::residue::ledger::{Left, Verdict};
use crate::stack::residue::thing::Thing;
use crate::stack::state::Stack;
use anyhow::Result;

impl Sweep<'_> {
    pub(super) fn of(&self, thing: &Thing, because: Option<String>) -> Left {
        let command = thing.removal(&self.context.clients.region);
        Left {
            service: thing.kind.word().to_owned(),
            name: thing.name.clone(),
            remove: Some(self.context.invocation.aws(&command)),
            because,
        }
    }

    pub(super) fn still_there(&self, stack: &Stack) -> Left {
        self.of_stack(stack, format!("it is {}", stack.status))
    }

    pub(super) fn of_stack(&self, stack: &Stack, because: String) -> Left {
        let (name, region) = (&stack.name, &self.context.clients.region);
        let delete = format!("cloudformation delete-stack --stack-name {name} --region {region}");
        Left {
            service: "stack".to_owned(),
            name: name.clone(),
            remove: Some(self.context.invocation.aws(&delete)),
            because: Some(because),
        }
    }

    /// Nothing is left; else an error names what is, and what nobody was allowed to ask for.
    pub(super) fn verdict(&self, learnt: Learnt, pending: Vec<Left>) -> Result<Swept> {
        let there = learnt.failed.iter().filter(|(thing, _)| !learnt.is_untold(thing));
        let failed = there.map(|(thing, error)| self.of(thing, Some(error.to_string())));
        let left: Vec<Left> = failed.chain(pending).collect();
        self.ledger.left(left.clone());
        let mut checked = Vec::new();
        for question in self.unless_unknown(&learnt) {
            let (service, name) = (question.service().to_owned(), question.name());
            let is_left = match self.ledger.verdict(&question) {
                Some(Verdict::Gone | Verdict::NotOurs) => {
                    checked.push(question.told());
                    false
                }
                Some(Verdict::Left) => true,
                _ => continue,
            };
            self.context.reporter.tell(&Event::Checked { service, name, left: is_left });
        }
        if left.is_empty() && learnt.unknown.is_empty() {
            return Ok(Swept::Clean(checked));
        }
        Err(self.error(&learnt, &left).into())
    }

    fn error(&self, learnt: &Learnt, left: &[Left]) -> Error {
        let name = &self.context.environment.name;
        let unasked: Vec<String> = learnt.unknown.iter().map(|(question, _)| question.told()).collect();
        let unasked = format!("nobody knows whether this is left, too: {}", unasked.join(", "));
        let mut remedies: Vec<String> = Vec::new();
        let errors = learnt.failed.values().chain(learnt.unknown.iter().map(|(_, error)| error));
        let of_errors = errors.flat_map(|error| error.remedies.iter().cloned());
        for remedy in left.iter().filter_map(|left| left.remove.clone()).chain(of_errors) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        let unknown_because = learnt.unknown.first().and_then(|(_, error)| error.cause.clone());
        let untold = learnt.failed.iter().filter(|(thing, _)| learnt.is_untold(thing));
        let unknown_because = unknown_because.into_iter().chain(untold.map(|(_, error)| error.to_string()));
        let unknown_because = unknown_because.collect::<Vec<String>>().join("; ");
        let error = if left.is_empty() {
            let kind = learnt.unknown.first().map_or(Kind::Failed, |(_, error)| error.kind);
            let message = format!("{name} has no stack any more, but {unasked}").replace(", too:", ":");
            Error::new(kind, message).because(unknown_because)
        } else {
            let names: Vec<String> =
                left.iter().map(|left| format!("{} {}", left.service, left.name)).collect();
            let message = format!("{name} has no stack, but left behind: {}", names.join(", "));
            // Credentials that are over say nothing of what is left for good.
            let mut errors = learnt.failed.values().chain(learnt.unknown.iter().map(|(_, error)| error));
            let is_over = errors.any(|it| it.kind == Kind::Credentials && !fault::is_lasting_refusal(it));
            let error = Error::new(if is_over { Kind::Credentials } else { Kind::Leftovers }, message);
            let because = left.iter().find_map(|left| left.because.clone());
            match (because, learnt.unknown.is_empty()) {
                (None, true) => error,
                (Some(because), true) => error.because(because),
                (because, false) => {
                    let because = because.map(|because| format!("{because}; ")).unwrap_or_default();
                    error.because(format!("{because}{unasked}: {unknown_because}"))
                }
            }
        };
        let error = remedies.into_iter().fold(error, Error::remedy);
        match learnt.unknown.is_empty() && learnt.failed.is_empty() {
            true => error,
            false => error.remedy(format!("Then `{}` asks again.", self.context.invocation.command("down"))),
        }
    }
}
