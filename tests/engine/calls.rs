//! How many calls each verb makes, in which order, and which of them at once. `docs/calls.md` is made from this, and
//! says why none can go.

mod ways;

use crate::bench::{BUCKET, Bench, STACK, configuration};
use crate::reaper::wish;
use kinesis_stack::cloud::Clients;
use kinesis_stack::environment::TAG_EXPIRES;
use kinesis_stack::event::{Event, Question, Reporter};
use kinesis_stack::reaper::{deploy, status};
use kinesis_stack::settings::{Choice, Ttl};
use kinesis_stack::stack::{Consent, down, extend, fleet, inspect, up};
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;
use ways::{IIDY, MORE, WAYS, Way};

#[derive(Default)]
struct Listener {
    calls: Mutex<Vec<(Instant, String)>>,
}

impl Reporter for Listener {
    fn tell(&self, event: &Event) {
        if let Event::Call { operation, .. } = event {
            self.calls.lock().unwrap().push((Instant::now(), operation.clone()));
        }
    }

    fn ask(&self, _: &Question) -> Option<bool> {
        None
    }
}

/// The account of a bench, with somebody who notes when each call ends. Each takes 40 ms: those that end together
/// were under way together.
fn listening(bench: &Bench) -> (Bench, Arc<Listener>) {
    let listener = Arc::new(Listener::default());
    let reporter: Arc<dyn Reporter> = listener.clone();
    let mut bench = bench.again();
    bench.conduct.consent = Consent::Given;
    bench.context.clients = Clients::new(&configuration("us-east-1", &bench.aws), &reporter).unwrap();
    let mut account = bench.account();
    // Nothing takes any time but the calls themselves.
    account.script.change_set_seconds = 0.0;
    account.script.pace = 0.0;
    drop(account);
    (bench, listener)
}

/// The round trips so far, each sorted.
fn trips(listener: &Listener) -> Vec<Vec<String>> {
    let mut trips: Vec<(Instant, Vec<String>)> = Vec::new();
    for (ended, operation) in listener.calls.lock().unwrap().drain(..) {
        match trips.last_mut().filter(|(at, _)| *at == ended) {
            Some((_, trip)) => trip.push(operation),
            None => trips.push((ended, vec![operation])),
        }
    }
    let sorted = |(_, mut trip): (Instant, Vec<String>)| {
        trip.sort();
        trip
    };
    trips.into_iter().map(sorted).collect()
}

/// What each way really does, in the order of `WAYS`.
async fn really() -> Vec<Vec<Vec<String>>> {
    let mut really = Vec::new();
    let nothing = Bench::new();

    let (bench, listener) = listening(&nothing);
    bench.plan().await.unwrap();
    let plan_of_a_creation = trips(&listener);
    bench.up().await.unwrap();
    really.push(trips(&listener));
    // Another environment of the same code: it isn't uploaded again.
    bench.account().settled_like(STACK, &[("dev", "other")], &[]);
    bench.down().await.unwrap();
    trips(&listener);
    bench.up().await.unwrap();
    {
        let mut account = bench.account();
        account.stacks.retain(|stack| stack.name == STACK);
        account.buckets.retain(|name, _| !name.contains("-other-"));
        account.things.retain(|(_, name), _| !name.contains("other"));
    }
    really.push(trips(&listener));

    bench.code("#!/bin/sh\nexit\n");
    bench.up().await.unwrap();
    really.push(trips(&listener));
    bench.up().await.unwrap();
    really.push(trips(&listener));

    let mut ephemeral = listening(&bench);
    ephemeral.0.means.ephemeral = true;
    ephemeral.0.up().await.unwrap();
    bench.code("#!/bin/sh\nexit 1\n");
    trips(&ephemeral.1);
    up::code_only(&ephemeral.0.context, &ephemeral.0.workshop, ephemeral.0.conduct).await.unwrap();
    really.push(trips(&ephemeral.1));

    really.push(plan_of_a_creation);
    bench.plan().await.unwrap();
    really.push(trips(&listener));
    inspect::inspect(&bench.context, &bench.workshop).await.unwrap();
    really.push(trips(&listener));
    // Nor a bucket without a stack.
    bench.account().buckets.remove(&BUCKET.replace("-dev-", "-other-"));
    let contexts = std::slice::from_ref(&bench.context);
    fleet::survey(contexts, &Choice::default(), fleet::PATIENCE).await.unwrap();
    really.push(trips(&listener));
    let ends = (TAG_EXPIRES.to_owned(), "2099-01-01T00:00:00Z".to_owned());
    bench.account().stack(STACK).unwrap().deployed.tags.extend([ends]);
    extend::extend(&bench.context, Ttl::For(3_600), bench.conduct.timeout).await.unwrap();
    really.push(trips(&listener));
    assert!(bench.account().buckets.contains_key(BUCKET));
    bench.down().await.unwrap();
    really.push(trips(&listener));
    really.push(keeping().await);
    really.push(reaping().await);
    really.extend(reaper().await);
    really
}

/// An environment with rows, beside another.
async fn two() -> (Bench, Arc<Listener>) {
    let (bench, listener) = listening(&Bench::new());
    bench.up().await.unwrap();
    {
        let mut account = bench.account();
        account.settled_like(STACK, &[("dev", "other")], &[]);
        account.put(BUCKET, "rows/1", simulated_aws::Version::default());
    }
    trips(&listener);
    (bench, listener)
}

async fn keeping() -> Vec<Vec<String>> {
    let (bench, listener) = two().await;
    bench.down_so(|wish| down::Wish { keep_data: true, ..wish }).await.unwrap();
    trips(&listener)
}

async fn reaping() -> Vec<Vec<String>> {
    let (bench, listener) = two().await;
    let over = "2020-01-01T00:00:00Z".to_owned();
    bench.account().stack(STACK).unwrap().deployed.tags.insert(TAG_EXPIRES.to_owned(), over);
    let reaped = bench.reap_so(|wish| wish).await.unwrap();
    assert_eq!(reaped.reaped.len(), 1);
    trips(&listener)
}

/// `reaper up` twice, `reaper status`, and `reaper down`, in an account without environments.
async fn reaper() -> [Vec<Vec<String>>; 4] {
    let (bench, listener) = listening(&Bench::new());
    deploy::up(&bench.context, &wish(&bench, "one", 15)).await.unwrap();
    let created = trips(&listener);
    deploy::up(&bench.context, &wish(&bench, "two", 15)).await.unwrap();
    let updated = trips(&listener);
    status::status(&bench.context).await.unwrap();
    let looked = trips(&listener);
    deploy::down(&bench.context, bench.conduct).await.unwrap();
    [created, updated, looked, trips(&listener)]
}

fn calls(way: &Way) -> usize {
    way.trips.iter().map(|(calls, _)| calls.len()).sum()
}

fn title(way: &Way) -> String {
    format!("`{}` {}", way.verb, way.when).trim_end().to_owned()
}

fn page() -> String {
    let mut page = String::from(include_str!("pages/calls.md"));
    page += "\n| | calls | round trips |\n|---|---|---|\n";
    for way in WAYS {
        writeln!(page, "| {} | {} | {} |", title(way), calls(way), way.trips.len()).unwrap();
    }
    for way in WAYS {
        writeln!(page, "\n## {}\n\n| | at once | why it can't go |\n|---|---|---|", title(way)).unwrap();
        for (number, (calls, why)) in way.trips.iter().enumerate() {
            writeln!(page, "| {} | {} | {why} |", number + 1, calls.join(", ")).unwrap();
        }
    }
    page += include_str!("pages/iidy.md");
    let one = |title: &str| calls(WAYS.iter().find(|way| self::title(way) == title).unwrap());
    let created = one("`up` that creates, with code that is there already");
    let deleted = one("`down` with --yes, of the account's last environment");
    let more: usize = MORE.iter().map(|(calls, _)| calls.len()).sum();
    let rest = created + deleted - more;
    assert!(rest <= IIDY, "{rest}");
    writeln!(
        page,
        "\n`up` and `down` make {created} + {deleted}. Of these {more} are for what iidy doesn't do:\n"
    )
    .unwrap();
    page += "| calls | | why |\n|---|---|---|\n";
    for (calls, why) in MORE {
        let mut names = calls.to_vec();
        names.dedup();
        writeln!(page, "| {} | {} | {why} |", calls.len(), names.join(", ")).unwrap();
    }
    writeln!(page, "\nThe other {rest} do what iidy does with {IIDY}.").unwrap();
    page
}

#[tokio::test(start_paused = true)]
async fn each_verb_makes_the_calls_that_the_documentation_names_and_no_other() {
    let really = really().await;
    assert_eq!(really.len(), WAYS.len());
    for (way, really) in WAYS.iter().zip(&really) {
        let written: Vec<Vec<String>> = way
            .trips
            .iter()
            .map(|(calls, _)| {
                let mut calls: Vec<String> = calls.iter().map(|call| (*call).to_owned()).collect();
                calls.sort();
                calls
            })
            .collect();
        assert_eq!(*really, written, "{}: {really:#?}", title(way));
    }
}

#[test]
fn the_documentation_of_the_calls_is_made_from_the_test() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/calls.md");
    let page = page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page, "INSTA_UPDATE=always makes it anew");
}
