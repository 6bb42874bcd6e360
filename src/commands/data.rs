//! `produce` and `results`.

use super::Session;
use crate::cli::{self, Output};
use crate::environment::ROWS_PREFIX;
use crate::error::Kind;
use crate::event::{Done, Event};
use crate::settings::{read, read_optional, value};
use crate::stack::inspect;
use crate::{data, report};
use anyhow::Result;
use std::time::Instant;

impl Session {
    pub(super) async fn produce(&self, typed: &cli::Produce) -> Result<u8> {
        let cli::Produce { records, rate, duration, seed } = typed;
        let records = read_optional("--records", records, value::count)?;
        let duration = read_optional("--duration", duration, value::positive_duration)?;
        let rate = read_optional("--rate", rate, value::rate)?;
        let options = data::ProduceOptions {
            records,
            // The workshop's producer sends one record a second.
            rate: rate.or_else(|| records.is_none().then_some(1.0)),
            duration,
            seed: read_optional("--seed", seed, value::seed)?.unwrap_or_else(|| fastrand::u64(..)),
        };
        let began = Instant::now();
        let (context, _cloud) = self.require().await?;
        let stack = inspect::require(&context).await?;
        let stream = inspect::output(&stack, "StreamName")?;
        let stop = async {
            self.signals.heard(1).await;
        };
        let produced =
            data::produce(&context.clients.kinesis, &stream, options, context.reporter.as_ref(), stop)
                .await?;
        self.done(Done {
            command: "produce".to_owned(),
            stack: Some(stack.name),
            stack_id: Some(stack.id),
            produced: Some(produced),
            seconds: Some(began.elapsed().as_secs_f64()),
            ..Done::default()
        })?;
        Ok(self.signals.last().map_or(0, Kind::exit_code))
    }

    pub(super) async fn results(&self, typed: &cli::Results) -> Result<u8> {
        let cli::Results { format, wait, timeout } = typed;
        let wait = read_optional("--wait", wait, value::count)?;
        let timeout = read("--timeout", timeout, value::positive_duration)?;
        let look = self.printer.look();
        // Rows are data: JSON lines are what both a pipe and `--output json` are for.
        let format = format.unwrap_or(if look.stdout_is_terminal && look.output == Output::Text {
            cli::Format::Table
        } else {
            cli::Format::Jsonl
        });
        let (context, _cloud) = self.require().await?;
        let (stack, identity) = tokio::try_join!(inspect::require(&context), context.clients.identity())?;
        let query = data::ResultsQuery {
            bucket: inspect::output(&stack, "BucketName")?,
            account: identity.account,
            prefix: ROWS_PREFIX.to_owned(),
        };
        let wait = wait.map(|rows| (rows, timeout));
        let read = data::show(&context, &query, format, wait, &mut report::stdout()).await?;
        context.reporter.tell(&Event::RowsRead(read.into()));
        Ok(0)
    }
}
