//! The same by the bare SDK, as its examples have it: `producing-bare ENDPOINT RECORDS`.

use anyhow::{Context as _, Result, ensure};
use aws_config::{BehaviorVersion, Region};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_smithy_http_client::{Builder, Connector};
use kinesis_stack::data::Trades;

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().context("the endpoint comes first")?;
    let records: usize = arguments.next().context("how many records comes second")?.parse()?;
    // Without certificates: nothing here goes off this machine.
    let http = Builder::new().build_with_connector_fn(|settings, _| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.build_http()
    });
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).endpoint_url(endpoint);
    let client = Client::new(&config.region(Region::new("us-east-1")).load().await);
    let (mut trades, mut left) = (Trades::new(1), records);
    while left > 0 {
        let mut entries = Vec::with_capacity(500);
        for trade in trades.by_ref().take(left.min(500)) {
            let entry = PutRecordsRequestEntry::builder()
                .data(Blob::new(serde_json::to_vec(&trade)?))
                .partition_key(trade.ticker_symbol);
            entries.push(entry.build()?);
        }
        left -= entries.len();
        let answer = client.put_records().stream_name("trades").set_records(Some(entries)).send().await?;
        ensure!(answer.failed_record_count() == Some(0), "a record was refused");
    }
    Ok(())
}
