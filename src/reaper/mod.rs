//! The reaper: this very program as a function on AWS, which runs `reap` on a schedule for its account and region,
//! so that an environment ends when its time is up even where no pipeline ever runs again.
//!
//! It is not self-destruction inside each environment's stack, since that can't end clean: the role that deletes a
//! stack from within is deleted with it, and loses its permission half-way; and the bucket has to be emptied after
//! the last writer is gone, when nothing of the stack is left that could. One of the two would stay behind. A stack
//! beside all environments has neither trouble, and costs cents a month for all of them together.
//!
//! | part | job |
//! |---|---|
//! | [`program`] | whether a binary can run as the function |
//! | [`template`] | the stack: function, schedule, role, log |
//! | [`deploy`] | `reaper up`, `reaper down` |
//! | [`status`] | `reaper status` |
//! | [`runtime`], [`serve`] | the function itself |

pub mod deploy;
pub mod program;
pub mod runtime;
pub mod serve;
pub mod status;
pub mod template;

use crate::environment::Environment;
use crate::error::{Error, Kind};
use crate::stack::Context;
use crate::stack::state::Stack;
use std::time::Duration;

/// The stack. An environment of the name `reaper` would want the same: whoever comes second is refused.
pub const STACK: &str = "kinesis-stack-reaper";
/// The function. Environments' functions end in `-processor`.
pub const FUNCTION: &str = "kinesis-stack-reaper";
/// The rule that calls it.
pub const RULE: &str = "kinesis-stack-reaper";
/// Its log group. Not below `/kinesis-stack/`, which is the environments'.
pub const LOG_GROUP: &str = "/kinesis-stack-reaper";

/// The function's role. Roles are global in an account, so the region is part of the name.
pub fn role(region: &str) -> String {
    format!("kinesis-stack-reaper-{region}")
}

/// How often it runs: whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every(Duration);

impl Every {
    /// The rule, as a sentence for people.
    pub const RULE: &str = "the reaper runs every 5m to 24h, in whole minutes, for instance 15m";

    /// `None` where it breaks the rule.
    pub fn new(duration: Duration) -> Option<Self> {
        let seconds = duration.as_secs();
        ((300..=86_400).contains(&seconds) && seconds.is_multiple_of(60)).then_some(Every(duration))
    }

    /// As EventBridge writes it: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>.
    pub fn rate(self) -> String {
        let minutes = self.0.as_secs() / 60;
        let (number, unit) = match minutes {
            _ if minutes.is_multiple_of(1_440) => (minutes / 1_440, "day"),
            _ if minutes.is_multiple_of(60) => (minutes / 60, "hour"),
            _ => (minutes, "minute"),
        };
        format!("rate({number} {unit}{})", if number == 1 { "" } else { "s" })
    }
}

/// The same way to the account, for the reaper's stack.
pub fn context(context: &Context) -> anyhow::Result<Context> {
    let name = "reaper".parse().map_err(anyhow::Error::msg)?;
    let invocation = context.invocation.under("reaper");
    Ok(Context { environment: Environment::new(name), invocation, ..context.clone() })
}

/// Refuses a stack of the reaper's name that isn't the reaper's.
fn check_ours(stack: &Stack, context: &Context) -> Result<(), Error> {
    if stack.tags.contains_key(crate::environment::TAG_REAPER) {
        return Ok(());
    }
    let message = format!("the stack {} is not the reaper's", stack.name);
    Err(match stack.environment() {
        Some(name) => {
            Error::new(Kind::Refused, format!("{message}: it is the environment {name}")).remedy(format!(
                "Tear that down (`{}`), then run it again.",
                context.invocation.beside("reaper", name).command("down")
            ))
        }
        None => {
            Error::new(Kind::Refused, format!("{message}: it has no tag {}", crate::environment::TAG_REAPER))
                .remedy("Find out whose it is; the reaper needs this name.")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_every_five_minutes_to_every_day_in_words_that_eventbridge_takes() {
        let rate = |seconds| Every::new(Duration::from_secs(seconds)).map(Every::rate);
        for (seconds, told) in [
            (300, "rate(5 minutes)"),
            (900, "rate(15 minutes)"),
            (3_600, "rate(1 hour)"),
            (5_400, "rate(90 minutes)"),
            (7_200, "rate(2 hours)"),
            (86_400, "rate(1 day)"),
        ] {
            assert_eq!(rate(seconds).as_deref(), Some(told));
        }
        for seconds in [0, 240, 330, 86_460] {
            assert_eq!(rate(seconds), None, "{seconds}");
        }
    }
}
