//! Each operation that a verb calls × each fault that a call can meet: what becomes of the command, and of the next
//! one without the fault. Each table is a snapshot; what nobody could wish for fails the test.

use crate::bench::{Bench, STACK, configuration};
use crate::killed::{End, Verb, end};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use futures_util::future::BoxFuture;
use kinesis_stack::cloud::Clients;
use kinesis_stack::cloud::credentials::Chain;
use kinesis_stack::error::Error;
use kinesis_stack::event::Event;
use simulated_aws::{Aws, Call, Spell, Trouble, When};
use std::fmt::Write;
use std::time::Duration;
use tokio::time::Instant;

/// A column of the tables.
struct Fault {
    name: &'static str,
    trouble: Trouble,
    when: When,
}

const MINUTE: Duration = Duration::from_secs(60);
const FOR_GOOD: Duration = Duration::from_secs(1_000_000);

const FAULTS: [Fault; 10] = [
    Fault { name: "throttled 3 times", trouble: Trouble::Throttled, when: When::Times(3) },
    Fault { name: "throttled 3 min", trouble: Trouble::Throttled, when: When::For(Duration::from_secs(180)) },
    Fault { name: "broken 3 times", trouble: Trouble::Broken, when: When::Times(3) },
    Fault { name: "reset before", trouble: Trouble::ResetBefore, when: When::Times(1) },
    Fault { name: "reset after", trouble: Trouble::ResetAfter, when: When::Times(1) },
    Fault { name: "cut", trouble: Trouble::Cut, when: When::Times(1) },
    Fault { name: "slow", trouble: Trouble::Slow, when: When::Times(1) },
    Fault { name: "expired 1 min", trouble: Trouble::Expired, when: When::For(MINUTE) },
    Fault { name: "expired", trouble: Trouble::Expired, when: When::For(FOR_GOOD) },
    Fault { name: "denied", trouble: Trouble::Denied, when: When::Always },
];

/// Credentials that somebody renews as soon as they have expired for a minute.
#[derive(Debug)]
struct Renewed(Aws);

impl ProvideCredentials for Renewed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let account = self.0.now();
        let over = account.spells.iter().any(|spell| match spell.when {
            When::Between(_, until) => account.age() >= until,
            _ => false,
        });
        let key = if over { "NEW" } else { "OLD" };
        future::ProvideCredentials::ready(Ok(Credentials::from_keys(key, "secret", None)))
    }
}

fn with_renewable_credentials(mut bench: Bench) -> Bench {
    let aws = bench.aws.clone();
    let anew = move || -> BoxFuture<'static, Option<SharedCredentialsProvider>> {
        let provider = SharedCredentialsProvider::new(Renewed(aws.clone()));
        Box::pin(async move { Some(provider) })
    };
    let provider = SharedCredentialsProvider::new(Chain::new(None, anew, "default"));
    let config = configuration("us-east-1", &bench.aws).to_builder().credentials_provider(provider).build();
    bench.context.clients = Clients::new(&config, &bench.context.reporter).unwrap();
    bench
}

/// What became of the command under a fault, and of the next one without it.
async fn cell(verb: Verb, start: &Bench, call: &Call, fault: &Fault, wanted: &(Option<bool>, End)) -> String {
    let mut bench = start.branch();
    if fault.trouble == Trouble::Expired && matches!(fault.when, When::For(MINUTE)) {
        bench = with_renewable_credentials(bench);
        // They have worked once: what has expired from the beginning isn't waited for.
        bench.context.clients.identity().await.unwrap();
    }
    let (operation, when, trouble) = (call.operation.clone(), fault.when.clone(), fault.trouble);
    bench.account().spells.push(Spell { operation, when, trouble });
    let began = Instant::now();
    let ended = verb.run(&bench).await;
    let long = began.elapsed() > Duration::from_secs(90);
    let told = bench.events().iter().any(|event| matches!(event, Event::PollFailed { .. }));
    let mut verdict = match &ended {
        Ok(changed) if *changed != wanted.0 => "done by somebody else".to_owned(),
        Ok(_) => "done".to_owned(),
        Err(error) => failed(&bench, error, call, fault),
    };
    // Of short waits the SDK's own retries leave nothing to tell.
    verdict += match (long || ended.is_ok() && fault.trouble == Trouble::Expired, told) {
        (true, true) => ", told",
        (true, false) => ", UNTOLD",
        (false, _) => "",
    };
    bench.account().spells.clear();
    if ended.is_err() {
        let again = bench.again();
        match verb.run(&again).await {
            Ok(_) => verdict += "; then done",
            Err(error) => {
                eprintln!("{} {}, then: {error}", call.operation, fault.name);
                write!(verdict, "; THEN exit {}", error.kind.exit_code()).unwrap();
            }
        }
    }
    if end(&bench) != wanted.1 {
        eprintln!("{} {}: {:#?}, not {:#?}", call.operation, fault.name, end(&bench), wanted.1);
        verdict += ", LEFT OR LOST SOMETHING";
    }
    verdict
}

/// An exit code, and whatever isn't said, or is left lying about, though it could be helped.
fn failed(bench: &Bench, error: &Error, call: &Call, fault: &Fault) -> String {
    let mut verdict = format!("exit {}", error.kind.exit_code());
    if std::env::var_os("CELLS").is_some() {
        eprintln!("{} {}: {error}; {:?} {:?}", call.operation, fault.name, error.meaning, error.remedies);
    }
    let text = format!("{error}; {:?}; {:?}", error.meaning, error.remedies);
    let mut account = bench.account();
    if let Some(stack) = account.stack(STACK) {
        if stack.status.ends_with("_IN_PROGRESS") {
            verdict += match (stack.status.as_str(), text.contains("goes on")) {
                ("REVIEW_IN_PROGRESS", _) => ", leaves a name",
                (_, true) => ", it goes on",
                (_, false) => ", GOES ON UNSAID",
            };
        } else if !stack.change_sets.is_empty() {
            verdict += ", leaves a change set";
        }
    }
    if error.remedies.is_empty() {
        verdict += ", NO REMEDY";
    }
    if fault.trouble == Trouble::Denied && !text.contains(&call.action()) {
        verdict += ", ACTION UNSAID";
    }
    verdict
}

async fn table(verb: Verb) -> String {
    let start = verb.begin(0.2).await;
    let bench = start.branch();
    let changed = verb.run(&bench).await.unwrap();
    let wanted = (changed, end(&bench));
    let mut calls: Vec<Call> = Vec::new();
    for call in bench.account().calls.iter() {
        if calls.iter().all(|known| known.operation != call.operation) {
            calls.push(call.clone());
        }
    }
    // Some are made at once, in whatever order.
    calls.sort_by(|a, b| a.operation.cmp(&b.operation));
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(FAULTS.iter().map(|fault| fault.name.to_owned()));
    for call in &calls {
        let mut row = vec![call.operation.clone()];
        for fault in &FAULTS {
            row.push(cell(verb, &start, call, fault, &wanted).await);
        }
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap();
    let widths: Vec<usize> = (0..=FAULTS.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let table = rows.iter().map(line).collect::<Vec<_>>().join("\n");
    let shouts = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
    assert!(!table.split(|c: char| !c.is_ascii_alphabetic()).any(shouts), "{table}");
    table
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_every_call_of_a_creation() {
    insta::assert_snapshot!(table(Verb::Create).await);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_every_call_of_an_update() {
    insta::assert_snapshot!(table(Verb::Update).await);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_every_call_of_new_code() {
    insta::assert_snapshot!(table(Verb::Code).await);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_every_call_of_a_recovery() {
    insta::assert_snapshot!(table(Verb::Recover).await);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_every_call_of_a_deletion() {
    insta::assert_snapshot!(table(Verb::Down).await);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_every_call_of_a_removal_of_leftovers() {
    insta::assert_snapshot!(table(Verb::Leftovers).await);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_every_call_of_a_plan() {
    insta::assert_snapshot!(table(Verb::Plan).await);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_every_call_of_a_look() {
    insta::assert_snapshot!(table(Verb::Status).await);
}
