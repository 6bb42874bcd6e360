//! The tool's own way to empty a bucket, and nothing else of it: `emptying-client ENDPOINT BUCKET`.

use anyhow::{Context as _, Result};
use kinesis_stack::clock::Clock;
use kinesis_stack::cloud::{Clients, Identity, configuration};
use kinesis_stack::environment::Environment;
use kinesis_stack::event::{Event, Question, Reporter};
use kinesis_stack::settings::{Invocation, Place};
use kinesis_stack::signals::Signals;
use kinesis_stack::stack::Context;
use kinesis_stack::stack::residue::Emptier;
use std::sync::Arc;

/// Says how much went.
struct Told;

impl Reporter for Told {
    fn tell(&self, event: &Event) {
        if let Event::Emptied { bucket, versions, bytes, .. } = event {
            eprintln!("emptied {bucket}: {versions} versions, {bytes} bytes");
        }
    }

    fn ask(&self, _: &Question) -> Option<bool> {
        None
    }
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().context("the endpoint comes first")?;
    let bucket = arguments.next().context("the bucket comes second")?;
    let place = Place::Local { region: "us-east-1".to_owned() };
    let reporter: Arc<dyn Reporter> = Arc::new(Told);
    let (_signal, signals) = Signals::by_hand();
    let context = Context {
        environment: Environment::new("bench".parse().map_err(anyhow::Error::msg)?),
        clients: Clients::new(&configuration(&place, Some(&endpoint)).await?, &reporter)?,
        reporter,
        invocation: Invocation::default(),
        signals,
        clock: Clock::default(),
    };
    let identity = Identity { account: "123456789012".to_owned(), arn: String::new() };
    Emptier::new(&context, &bucket, &identity).empty().await
}
