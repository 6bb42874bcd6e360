//! The tool is killed at each of its calls, before and after the call took effect; then the same verb runs again.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::environment::TAG_ENVIRONMENT;
use kinesis_stack::error::Error;
use kinesis_stack::stack::{Consent, inspect};
use simulated_aws::{Bucket, Kill, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What the tool is told to do, where it has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Create,
    Update,
    /// New code for an ephemeral environment, past CloudFormation.
    Code,
    /// Away with a creation that failed, then another.
    Recover,
    Down,
    /// What is left without a stack.
    Leftovers,
    Plan,
    Status,
}

/// What is made without a stack, each with the environment's tag.
const LEFTOVERS: &[(&str, &str)] = &[
    ("AWS::Kinesis::Stream", STACK),
    ("AWS::KinesisFirehose::DeliveryStream", STACK),
    ("AWS::Lambda::Function", "kinesis-stack-dev-processor"),
    ("AWS::IAM::Role", "kinesis-stack-dev-delivery-us-east-1"),
    ("AWS::Logs::LogGroup", "/aws/lambda/kinesis-stack-dev-processor"),
];

/// All that can be seen of an account from outside.
#[derive(Debug, Default, PartialEq)]
pub struct End {
    things: BTreeSet<(String, String)>,
    /// With what lies in each of them.
    buckets: BTreeMap<String, BTreeSet<String>>,
    template: Option<String>,
    status: Option<String>,
    code: Option<String>,
}

impl Verb {
    /// An account in which the verb has something to do, at this pace.
    pub async fn begin(self, pace: f64) -> Bench {
        let mut bench = Bench::new();
        bench.conduct.consent = Consent::Given;
        bench.means.ephemeral = self == Verb::Code;
        {
            let script = &mut bench.account().script;
            (script.pace, script.change_set_seconds, script.keys) = (pace, 0.1, 2);
            if self == Verb::Recover {
                script
                    .failing
                    .insert("Delivery".to_owned(), "The moon stands in the wrong house.".to_owned());
            }
        }
        if self == Verb::Recover {
            bench.up().await.unwrap_err();
            assert_eq!(bench.status().as_deref(), Some("ROLLBACK_COMPLETE"));
            bench.account().script.failing.clear();
        } else if self != Verb::Create {
            bench.up().await.unwrap();
            self.fill(&bench);
        }
        if self == Verb::Leftovers {
            // Somebody deletes the stack by hand, and its bucket and its artifacts stay.
            bench.account().somebody_deletes(STACK);
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert_eq!(bench.status(), None);
            for (kind, name) in LEFTOVERS {
                bench.account().somebody_makes(kind, name, &[(TAG_ENVIRONMENT, "dev")]);
            }
        }
        if matches!(self, Verb::Update | Verb::Code | Verb::Plan | Verb::Status) {
            bench.code("#!/bin/sh\nexit\n");
        }
        if matches!(self, Verb::Update | Verb::Plan) {
            bench.shape.shards = 2;
        }
        bench.forget();
        bench
    }

    /// Rows land in its bucket.
    fn fill(self, bench: &Bench) {
        let mut account = bench.account();
        for row in 0..3 {
            account.put(BUCKET, &format!("rows/{row}"), Version::default());
        }
        if self == Verb::Down {
            let bucket = account.buckets.get_mut(BUCKET).unwrap();
            bucket.uploads.insert(("rows/unfinished".to_owned(), "upload".to_owned()));
            account.script.arrivals = 1;
        }
    }

    /// Whether anything changed, where the verb changes anything.
    pub async fn run(self, bench: &Bench) -> Result<Option<bool>, Error> {
        match self {
            Verb::Create | Verb::Update | Verb::Code | Verb::Recover => {
                bench.up().await.map(|done| done.changed)
            }
            Verb::Down | Verb::Leftovers => bench.down().await.map(|done| done.changed),
            Verb::Plan => bench.plan().await.map(|plan| Some(plan.changed)),
            Verb::Status => {
                let inspected = inspect::inspect(&bench.context, &bench.workshop).await;
                inspected.map(|_| None).map_err(|error| Error::of(&error))
            }
        }
    }
}

fn keys(bucket: &Bucket) -> BTreeSet<String> {
    bucket.versions.keys().map(|(key, _)| key.clone()).collect()
}

pub fn end(bench: &Bench) -> End {
    let mut account = bench.account();
    let function = ("AWS::Lambda::Function".to_owned(), "kinesis-stack-dev-processor".to_owned());
    let code = account.things.get(&function).and_then(|function| function.facts.get("CodeSha256").cloned());
    let stack = account.stack(STACK);
    let template = stack.as_ref().map(|stack| format!("{:?}", stack.deployed));
    // Whether it took one operation or two to get there doesn't matter.
    let status = stack.map(|stack| stack.status.replace("CREATE_", "").replace("UPDATE_", ""));
    End {
        things: account.things.keys().cloned().collect(),
        buckets: account.buckets.iter().map(|(name, it)| (name.clone(), keys(it))).collect(),
        template,
        status,
        code,
    }
}

/// `after_effect`: whether AWS still does what the killed call asked for.
async fn assert_survives_being_killed_at_every_call(verb: Verb, after_effect: bool) {
    // Quickly: a kill at each of many looks shows nothing new.
    let start = verb.begin(0.004).await;
    let bench = start.branch();
    verb.run(&bench).await.unwrap();
    let wanted = end(&bench);
    if matches!(verb, Verb::Down | Verb::Leftovers) {
        assert_eq!(wanted, End::default(), "it was the last environment: its artifacts go, too");
    }
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

#[tokio::test(start_paused = true)]
async fn a_removal_of_leftovers_killed_before_any_call_is_finished_by_the_next_down() {
    assert_survives_being_killed_at_every_call(Verb::Leftovers, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_of_leftovers_killed_after_any_call_is_finished_by_the_next_down() {
    assert_survives_being_killed_at_every_call(Verb::Leftovers, true).await;
}

#[tokio::test(start_paused = true)]
async fn new_code_killed_before_any_call_is_finished_by_the_next_up() {
    assert_survives_being_killed_at_every_call(Verb::Code, false).await;
}

#[tokio::test(start_paused = true)]
async fn new_code_killed_after_any_call_is_finished_by_the_next_up() {
    assert_survives_being_killed_at_every_call(Verb::Code, true).await;
}

#[tokio::test(start_paused = true)]
async fn a_recovery_killed_before_any_call_is_finished_by_the_next_up() {
    assert_survives_being_killed_at_every_call(Verb::Recover, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_recovery_killed_after_any_call_is_finished_by_the_next_up() {
    assert_survives_being_killed_at_every_call(Verb::Recover, true).await;
}
