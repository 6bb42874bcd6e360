//! `results`.

use super::Session;
use crate::cli::{self, Output};
use crate::data::{Filter, ResultsQuery, View};
use crate::environment::{ERRORS_PREFIX, ROWS_PREFIX};
use crate::error::{Error, Kind};
use crate::event::{Done, Event};
use crate::settings::{read, read_optional, value};
use crate::stack::{Context, inspect, state::Stack};
use crate::{data, files, report};
use anyhow::Result;
use std::path::Path;
use std::time::Instant;

impl Session {
    pub(super) async fn results(&self, typed: &cli::Results) -> Result<u8> {
        let cli::Results { verb, format, wait, timeout, columns, filters, sum, errors, follow } = typed;
        if let Some(cli::ResultsVerb::Download(typed)) = verb {
            return self.unless_told_to_stop(self.download(typed)).await;
        }
        let wait = read_optional("--wait", wait, value::count)?;
        let timeout = read("--timeout", timeout, value::positive_duration)?;
        let look = self.printer.look();
        // Rows are data: JSON lines are what both a pipe and `--output json` are for.
        let format = format.unwrap_or(if look.stdout_is_terminal && look.output == Output::Text {
            cli::Format::Table
        } else {
            cli::Format::Jsonl
        });
        let view = View {
            format,
            columns: columns
                .iter()
                .map(|name| read("--columns", name, value::column))
                .collect::<Result<_>>()?,
            filters: filters
                .iter()
                .map(|text| read("--where", text, Filter::parse))
                .collect::<Result<_>>()?,
            sum: *sum,
            failures: *errors,
        };
        let (context, _cloud) = self.unless_told_to_stop(self.require()).await?;
        let prefix = if *errors { ERRORS_PREFIX } else { ROWS_PREFIX };
        let (_, query) = self.unless_told_to_stop(query(&context, prefix)).await?;
        let wait = wait.map(|rows| (rows, timeout));
        let stop = async {
            self.signals.heard(1).await;
        };
        let mut out = report::stdout_for(look.stdout_is_terminal);
        let read = data::show(&context, &query, &view, wait, *follow, &mut out, stop).await?;
        let failure = read.failure();
        context.reporter.tell(&match errors {
            true => Event::FailuresRead(read.into()),
            false => Event::RowsRead(read.into()),
        });
        let heard = self.signals.last();
        match failure {
            Some(failure) => Err(Error { kind: heard.unwrap_or(failure.kind), ..failure }.into()),
            None => Ok(heard.map_or(0, Kind::exit_code)),
        }
    }

    async fn download(&self, typed: &cli::Download) -> Result<u8> {
        let directory = Path::new(&typed.directory);
        files::check_directory(directory, "the directory", "kinesis-stack results download rows/")?;
        let began = Instant::now();
        let (context, _cloud) = self.require().await?;
        let (stack, query) = query(&context, "").await?;
        let exported =
            data::download(&context.clients.s3, &query, directory, context.reporter.as_ref()).await?;
        context.reporter.tell(&Event::Exported(exported.clone()));
        self.done(Done {
            command: "results download".to_owned(),
            stack: Some(stack.name),
            stack_id: Some(stack.id),
            exported: Some(exported),
            seconds: Some(began.elapsed().as_secs_f64()),
            ..Done::default()
        })
    }
}

/// The environment's stack, and its objects with this prefix.
async fn query(context: &Context, prefix: &str) -> Result<(Stack, ResultsQuery)> {
    let (stack, identity) = tokio::try_join!(inspect::require(context), context.clients.identity())?;
    let bucket = inspect::output(&stack, "BucketName")?;
    Ok((stack, ResultsQuery { bucket, account: identity.account, prefix: prefix.to_owned() }))
}
