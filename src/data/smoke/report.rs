//! What became of each leg, as plain values.

use crate::error::{Error, Kind};
use crate::settings::Invocation;
use serde::Serialize;
use std::fmt;

/// A leg of the pipeline, in the order in which a record takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// The data stream takes records, on each of its shards.
    Stream,
    /// The delivery stream reads them.
    Delivery,
    /// The processor makes a row of each.
    Transform,
    /// The rows land in the bucket.
    Bucket,
    /// What can't be transformed lands under the error prefix, as it was sent.
    Errors,
}

impl Leg {
    /// All of them.
    pub const ALL: [Leg; 5] = [Leg::Stream, Leg::Delivery, Leg::Transform, Leg::Bucket, Leg::Errors];

    /// Its name, as in `--output json`.
    pub fn name(self) -> &'static str {
        match self {
            Leg::Stream => "stream",
            Leg::Delivery => "delivery",
            Leg::Transform => "transform",
            Leg::Bucket => "bucket",
            Leg::Errors => "errors",
        }
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LegState {
    /// Nothing is known of it yet.
    Waiting,
    /// It works.
    Good,
    /// What it owes is past the time that its buffers take; it is waited for still.
    Late,
    /// It doesn't work.
    Broken,
    /// Time ran out before it could show whether it works.
    OutOfTime,
    /// What comes before it doesn't work, or wasn't seen to, so that it was not tried.
    NotReached,
    /// It was not tried, on purpose.
    NotTested,
    /// The caller may not do what it takes to test it, so that nothing is known of whether it works.
    Denied,
}

/// What was seen of a leg.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LegReport {
    /// Which.
    pub leg: Leg,
    /// What it is called in the account.
    pub name: String,
    /// How it stands.
    pub state: LegState,
    /// Seconds from the sending of the records until that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What was seen there: answers, objects, log lines, metrics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// What the caller may not do, where it is denied: a call, and what it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
    /// The likely cause, where it is broken, denied or out of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    /// What to do, where it is broken, denied or out of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
}

impl LegReport {
    /// Why a leg that is denied can't be tested, on from its name.
    pub fn why_not_tested(&self) -> String {
        match &self.denied {
            Some(denied) => format!("can't be tested: you may not {denied}"),
            None => "can't be tested: the credentials are no good".to_owned(),
        }
    }
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SmokeSent {
    /// The data stream.
    pub stream: String,
    /// What all records of this test bear, and no other.
    pub marker: String,
    /// Trades, at least one for each shard.
    pub good: usize,
    /// Records that no processor should make rows of.
    pub bad: usize,
    /// Open shards of the stream.
    pub shards: usize,
    /// So many seconds after the sending their rows have landed at the latest, as far as the buffers are concerned.
    pub due_seconds: f64,
    /// They were sent a second time, since the delivery stream may not have read yet at the first.
    pub again: bool,
}

/// How a smoke test ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SmokeReport {
    /// What all records of this test bear, and no other. Empty where none was sent.
    pub marker: String,
    /// Each leg, in the order in which a record takes them.
    pub legs: Vec<LegReport>,
    /// The first that doesn't work, that can't be tested, or that time ran out on; `null` where all work.
    pub broken: Option<Leg>,
    /// Trades sent.
    pub good: usize,
    /// Records sent that no processor should make rows of.
    pub bad: usize,
    /// Objects of the bucket that held nothing but records of this test, and were removed.
    pub removed: usize,
    /// What of this test stays in the bucket, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Seconds from the first call to the end.
    pub seconds: f64,
}

impl SmokeReport {
    /// The failure that a broken leg is. `kind` decides the exit code.
    pub fn failure(&self, kind: Kind, invocation: &Invocation) -> Option<Error> {
        let broken = self.broken?;
        let leg = self.legs.iter().find(|leg| leg.leg == broken)?;
        let message = match leg.state {
            LegState::OutOfTime => {
                format!("time ran out before the {broken} leg could show whether it works")
            }
            LegState::Denied => format!("the {broken} leg {}", leg.why_not_tested()),
            _ => format!("the {broken} leg is broken: {}", what_is_wrong(broken)),
        };
        let mut error = Error::new(kind, message);
        if !leg.seen.is_empty() {
            error = error.because(leg.seen.join("\n"));
        }
        if let Some(meaning) = &leg.meaning {
            error = error.meaning(meaning);
        }
        error = leg.remedies.iter().fold(error, |error, remedy| error.remedy(remedy));
        Some(error.remedy(format!(
            "The environment stays as it is. `{}` tests it again.",
            invocation.command("smoke")
        )))
    }
}

fn what_is_wrong(leg: Leg) -> &'static str {
    match leg {
        Leg::Stream => "the data stream doesn't take records",
        Leg::Delivery => "the delivery stream doesn't read the data stream",
        Leg::Transform => "the processor doesn't make the rows that it should",
        Leg::Bucket => "the rows don't land in the bucket",
        Leg::Errors => "what can't be transformed is lost",
    }
}
