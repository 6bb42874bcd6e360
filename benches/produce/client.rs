//! The tool's own producer, and nothing else of it: `producing-client ENDPOINT RECORDS [FIELD]`, the last being the
//! field of a trade that is its partition key.

use anyhow::{Context as _, Result};
use kinesis_stack::cli::Load;
use kinesis_stack::cloud::{Clients, configuration};
use kinesis_stack::data::{ProduceOptions, Source, produce};
use kinesis_stack::event::{Event, Question, Reporter};
use kinesis_stack::settings::Place;
use std::sync::Arc;

/// Says nothing.
struct Silent;

impl Reporter for Silent {
    fn tell(&self, _: &Event) {}

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
    let records = arguments.next().context("how many records comes second")?.parse()?;
    let key = arguments.next().unwrap_or_else(|| "tickerSymbol".to_owned());
    let place = Place::Local { region: "us-east-1".to_owned() };
    let reporter: Arc<dyn Reporter> = Arc::new(Silent);
    let clients = Clients::new(&configuration(&place, Some(&endpoint)).await?, &reporter)?;
    let options = ProduceOptions {
        source: Source::Trades { seed: 1, key: key.parse().map_err(anyhow::Error::msg)? },
        records: Some(records),
        rate: None,
        shape: Load::Steady,
        duration: None,
        ordered: false,
    };
    let stop = std::future::pending();
    let produced = produce(&clients.kinesis, "trades", options, reporter.as_ref(), stop).await?;
    println!("{}", serde_json::to_string(&produced)?);
    Ok(())
}
