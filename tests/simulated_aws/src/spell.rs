//! Trouble that a script sends, of each kind that the weather knows.

use crate::script::When;
use crate::weather::Fate;
use crate::wire::{Call, Refusal};
use std::time::Duration;

/// How long an answer takes on a quiet day.
pub(crate) const LATENCY: Duration = Duration::from_millis(40);
/// How long a slow one takes.
const SLOW: Duration = Duration::from_secs(30);

/// A time of trouble for the calls of one operation.
#[derive(Debug, Clone)]
pub struct Spell {
    /// The operation's name.
    pub operation: String,
    /// Which of its calls.
    pub when: When,
    /// What befalls them.
    pub trouble: Trouble,
}

/// What can befall a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is throttled.
    Throttled,
    /// Its service is broken.
    Broken,
    /// The connection breaks before the service acts.
    ResetBefore,
    /// The connection breaks after the service acted.
    ResetAfter,
    /// The service acts, and half of its answer arrives.
    Cut,
    /// The answer takes half a minute.
    Slow,
    /// The caller's token has expired. With the first call that this befalls, it has for every other one.
    Expired,
    /// The caller lacks the permission.
    Denied,
}

impl Spell {
    /// Whether it befalls a call at this age of the account.
    pub(crate) fn befalls(&mut self, call: &Call, age: Duration) -> bool {
        let is_meant = match self.trouble {
            Trouble::Expired if matches!(self.when, When::Between(..)) => true,
            // One permission can allow several operations.
            Trouble::Denied => {
                Call { operation: self.operation.clone(), ..call.clone() }.action() == call.action()
            }
            _ => self.operation == call.operation,
        };
        is_meant && self.when.hits(age)
    }
}

impl Trouble {
    /// What becomes of the call.
    pub(crate) fn fate(self, call: &Call, caller: &str, resource: &str) -> Fate {
        let (service, after) = (call.service.as_str(), LATENCY);
        let refused = |refusal| Fate::Refused { after, refusal };
        match self {
            Trouble::Throttled => refused(Refusal::throttled(service)),
            Trouble::Broken => refused(Refusal::broken(service)),
            Trouble::ResetBefore => Fate::ResetBefore { after },
            Trouble::ResetAfter => Fate::ResetAfter { after },
            Trouble::Cut => Fate::Cut { after },
            Trouble::Slow => Fate::Served { after: SLOW },
            Trouble::Expired => refused(Refusal::expired(service)),
            Trouble::Denied => refused(Refusal::denied(caller, &call.action(), resource)),
        }
    }
}
