//! The tool is killed at each of its calls, before and after the call took effect; then the same verb runs again.

use crate::aws::{Kill, Version};
use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::stack::Consent;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Debug, Clone, Copy)]
enum Verb {
    Create,
    Update,
    Down,
}

/// All that can be seen of an account from outside.
#[derive(Debug, PartialEq)]
struct End {
    things: BTreeSet<(String, String)>,
    buckets: BTreeSet<String>,
    template: Option<String>,
    status: Option<String>,
}

impl Verb {
    /// An account in which the verb has something to do, quickly: a kill at each of many looks shows nothing new.
    async fn begin(self) -> Bench {
        let mut bench = Bench::new();
        bench.conduct.consent = Consent::Given;
        {
            let script = &mut bench.account().script;
            (script.pace, script.change_set_seconds, script.keys) = (0.004, 0.1, 2);
        }
        if !matches!(self, Verb::Create) {
            bench.up().await.unwrap();
            bench.forget();
        }
        if matches!(self, Verb::Update) {
            bench.code("#!/bin/sh\nexit\n");
            bench.shape.shards = 2;
        }
        if matches!(self, Verb::Down) {
            let mut account = bench.account();
            for row in 0..3 {
                account.put(BUCKET, &format!("rows/{row}"), Version::default());
            }
            let bucket = account.buckets.get_mut(BUCKET).unwrap();
            bucket.uploads.insert(("rows/unfinished".to_owned(), "upload".to_owned()));
            account.script.arrivals = 1;
        }
        bench
    }

    async fn run(self, bench: &Bench) -> Result<(), kinesis_stack::error::Error> {
        match self {
            Verb::Create | Verb::Update => bench.up().await.map(|_| ()),
            Verb::Down => bench.down().await.map(|_| ()),
        }
    }
}

fn end(bench: &Bench) -> End {
    let mut account = bench.account();
    let stack = account.stack(STACK);
    let template = stack.as_ref().map(|stack| format!("{:?}", stack.deployed));
    // Whether it took one operation or two to get there doesn't matter.
    let status = stack.map(|stack| stack.status.replace("CREATE_", "").replace("UPDATE_", ""));
    End {
        things: account.things.keys().cloned().collect(),
        buckets: account.buckets.keys().cloned().collect(),
        template,
        status,
    }
}

/// `after_effect`: whether AWS still does what the killed call asked for.
async fn assert_survives_being_killed_at_every_call(verb: Verb, after_effect: bool) {
    let start = verb.begin().await;
    let bench = start.branch();
    verb.run(&bench).await.unwrap();
    let wanted = end(&bench);
    let calls = bench.called();
    for (at, call) in calls.iter().enumerate() {
        let bench = start.branch();
        let signal = Arc::new(Notify::new());
        bench.account().kill = Some(Kill { at, after_effect, signal: signal.clone() });
        tokio::select! {
            ended = verb.run(&bench) => panic!("{verb:?} ended before its call {at} ({call}): {ended:?}"),
            () = signal.notified() => {}
        }
        let when = format!("{verb:?} killed at call {at} of {} ({call})", calls.len());
        if let Err(error) = verb.run(&bench).await {
            panic!("{when}: {error}");
        }
        assert_eq!(end(&bench), wanted, "{when}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_killed_before_any_call_is_finished_by_the_next_up() {
    assert_survives_being_killed_at_every_call(Verb::Create, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_creation_killed_after_any_call_is_finished_by_the_next_up() {
    assert_survives_being_killed_at_every_call(Verb::Create, true).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_killed_before_any_call_is_finished_by_the_next_up() {
    assert_survives_being_killed_at_every_call(Verb::Update, false).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_killed_after_any_call_is_finished_by_the_next_up() {
    assert_survives_being_killed_at_every_call(Verb::Update, true).await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_killed_before_any_call_is_finished_by_the_next_down() {
    assert_survives_being_killed_at_every_call(Verb::Down, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_killed_after_any_call_is_finished_by_the_next_down() {
    assert_survives_being_killed_at_every_call(Verb::Down, true).await;
}
