//! What an account can be told to do: how long things take, what fails, and when its caller dies.

use super::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How the account behaves.
#[derive(Clone)]
pub struct Script {
    /// Multiplies how long CloudFormation takes for a resource.
    pub pace: f64,
    /// How long a change set is pending.
    pub change_set_seconds: f64,
    /// Why change sets fail, where they do.
    pub refused_template: Option<String>,
    /// Entries a page, of events and of changes.
    pub page: usize,
    /// Keys a page, of objects and of uploads.
    pub keys: usize,
    /// How many events of the page before a page repeats.
    pub repeats: usize,
    /// Resources that can't be made or changed, and CloudFormation's sentence about it.
    pub failing: BTreeMap<String, String>,
    /// Resources whose failure is told only after the stack's own last event.
    pub late: BTreeSet<String>,
    /// How many more times rows land in a bucket just before CloudFormation deletes it.
    pub arrivals: u32,
}

impl Default for Script {
    fn default() -> Self {
        Script {
            pace: 1.0,
            change_set_seconds: 2.0,
            refused_template: None,
            page: 100,
            keys: 1_000,
            repeats: 0,
            failing: BTreeMap::new(),
            late: BTreeSet::new(),
            arrivals: 0,
        }
    }
}

/// Calls of an operation that are refused.
#[derive(Clone)]
pub struct Fault {
    pub operation: &'static str,
    pub when: When,
    pub refusal: Refusal,
}

/// Which calls a fault hits.
#[derive(Clone)]
pub enum When {
    Always,
    /// The next so many.
    Times(u32),
    /// Those between two moments, counted from the account's beginning.
    Between(Duration, Duration),
}

/// The end of whoever makes a call: its answer never arrives.
#[derive(Clone)]
pub struct Kill {
    /// The number of the call, from 0 on.
    pub at: usize,
    /// Whether the call takes effect nevertheless.
    pub after_effect: bool,
    pub signal: Arc<Notify>,
}
