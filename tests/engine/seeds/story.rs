//! What a seed makes happen: commands one after the other, and what befalls each of them.

use kinesis_stack::error::Kind;
use std::time::Duration;

/// A story: all of it drawn from its seed.
#[derive(Debug, Clone)]
pub struct Story {
    pub seed: u64,
    /// Multiplies how long CloudFormation takes for a resource.
    pub pace: f64,
    /// Entries a page, of events and the like.
    pub page: usize,
    /// How many keys DeleteObjects refuses with an error of their own.
    pub key_errors: u32,
    pub chapters: Vec<Chapter>,
}

/// One command, run until it comes to its end.
#[derive(Debug, Clone)]
pub struct Chapter {
    pub verb: Verb,
    /// Whether it is run with `--yes`.
    pub yes: bool,
    /// What befalls its first attempts, one each.
    pub mishaps: Vec<Mishap>,
    /// The IAM actions that the caller lacks until it is told of one of them.
    pub denied: Vec<&'static str>,
    /// Rows that land in the bucket before.
    pub rows: u32,
    /// What passes before.
    pub pause: Duration,
    /// Whether somebody deletes the stack by hand before.
    pub by_hand: bool,
    /// What somebody makes before without a stack, with the environment's tag.
    pub leftovers: Vec<(&'static str, &'static str)>,
    /// What another caller runs at the same time, beside the first attempt.
    pub beside: Option<Beside>,
    /// Whether another account has taken the bucket's name before.
    pub taken: bool,
    /// How many rows land in the bucket before that are under a lock.
    pub locked: u32,
    /// Why the index of tags tells nothing.
    pub untold: Option<Untold>,
    /// Other environments that somebody has made before.
    pub others: Vec<Other>,
    /// Whether the time of all other environments is over from now on, and none is protected any more.
    pub all_over: bool,
}

impl Chapter {
    pub fn of(verb: Verb) -> Self {
        let (mishaps, pause) = (Vec::new(), Duration::ZERO);
        Chapter {
            verb,
            yes: false,
            mishaps,
            denied: Vec::new(),
            rows: 0,
            pause,
            by_hand: false,
            leftovers: Vec::new(),
            beside: None,
            taken: false,
            locked: 0,
            untold: None,
            others: Vec::new(),
            all_over: false,
        }
    }
}

/// What another caller runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// So long after the first one's beginning.
    pub after: Duration,
    pub verb: Verb,
}

/// Why the index of tags tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// The caller may not ask it.
    Denied,
    /// It takes no call.
    Throttled,
}

/// Another environment of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    pub name: &'static str,
    /// When its time is over, in seconds from now; negative: it is already.
    pub expires: i64,
    pub protected: bool,
}

/// What others are called.
pub const OTHERS: &[&str] = &["other-1", "other-2", "other-3"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    Up(Wish),
    Status,
    /// `extend`, by so many seconds.
    Extend(u64),
    /// `reap`, so many at once.
    Reap(usize),
    Down,
    /// `down --keep-data`.
    DownKeeping,
}

impl Verb {
    pub fn is_down(&self) -> bool {
        matches!(self, Verb::Down | Verb::DownKeeping)
    }
}

/// What `up` is to bring up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub code: u8,
    pub shards: u32,
    pub retention_hours: u32,
    pub ephemeral: bool,
    pub express: bool,
    pub adopt: bool,
    pub protection: Option<bool>,
    /// How many seconds it lives.
    pub ttl: Option<u64>,
}

impl Wish {
    pub fn script(&self) -> String {
        format!("#!/bin/sh\nexit {}\n", self.code)
    }
}

/// What befalls one attempt.
#[derive(Debug, Clone, Copy)]
pub enum Mishap {
    Nothing,
    /// It is killed at so many calls from its beginning.
    Killed {
        at: usize,
        after_effect: bool,
    },
    /// It is told to stop after so long.
    ToldToStop {
        after: Duration,
        with: Kind,
    },
    /// Its `--timeout` is short.
    ShortOfTime(Duration),
}
