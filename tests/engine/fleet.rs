//! `list` and `reap`: many environments at once.

mod listing;
mod reaping;

use crate::bench::{Bench, STACK};
use jiff::SignedDuration;
use kinesis_stack::environment::TAG_EXPIRES;
use kinesis_stack::error::Error;
use kinesis_stack::settings::Choice;
use kinesis_stack::stack::fleet::{self, Fleet};
use kinesis_stack::stack::{Context, reap};
use std::time::Duration;

/// An account with the environment `dev`, which never ends.
async fn account() -> Bench {
    let bench = Bench::deployed().await;
    // Later than the account's first hour.
    tokio::time::sleep(Duration::from_secs(7_200)).await;
    bench
}

/// One more environment, whose time is over so many minutes from now; negative: it is already.
fn add(bench: &Bench, env: &str, minutes: Option<i64>) {
    let now = bench.context.clock.now();
    let expires = minutes.map(|minutes| {
        let expires = now + SignedDuration::from_mins(minutes);
        kinesis_stack::environment::expiry_tag(expires)
    });
    let tags: Vec<(&str, &str)> = expires.iter().map(|expires| (TAG_EXPIRES, expires.as_str())).collect();
    bench.account().settled_like(STACK, &[("dev", env)], &tags);
}

fn stack(env: &str) -> String {
    format!("kinesis-stack-{env}")
}

/// Whether anything of an environment is left.
fn is_left(bench: &Bench, env: &str) -> bool {
    bench.remains().iter().any(|name| name.contains(env))
}

async fn survey(contexts: &[Context]) -> Result<Fleet, Error> {
    fleet::survey(contexts, &Choice::default(), fleet::PATIENCE).await.map_err(|error| Error::of(&error))
}

async fn reap(bench: &Bench) -> reap::Reaped {
    bench.reap_so(|wish| wish).await.unwrap()
}
