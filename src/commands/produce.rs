//! `produce`.

use super::Session;
use crate::cli::{self, Load};
use crate::data::{self, Lines, Source};
use crate::error::{Error, Kind};
use crate::event::Done;
use crate::settings::{read, read_optional, value};
use crate::stack::inspect;
use anyhow::Result;
use std::time::Instant;

impl Session {
    pub(super) async fn produce(&self, typed: &cli::Produce) -> Result<u8> {
        let options = options(typed)?;
        let began = Instant::now();
        let (context, _cloud) = self.unless_told_to_stop(self.require()).await?;
        let stack = self.unless_told_to_stop(inspect::require(&context)).await?;
        let stream = inspect::output(&stack, "StreamName")?;
        let stop = async {
            self.signals.heard(1).await;
        };
        let produced =
            data::produce(&context.clients.kinesis, &stream, options, context.reporter.as_ref(), stop)
                .await?;
        if let Some(lost) = self.signals.last().and_then(|kind| data::lost_by_a_stop(&produced, kind)) {
            return Err(lost.into());
        }
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
}

/// What was typed, with what it stands for where nothing was; somebody's own file is checked here.
fn options(typed: &cli::Produce) -> Result<data::ProduceOptions> {
    let cli::Produce { records, rate, duration, seed, shape, from, key, ordered } = typed;
    let records = read_optional("--records", records, value::count)?;
    let duration = read_optional("--duration", duration, value::positive_duration)?;
    let rate = read_optional("--rate", rate, value::rate)?;
    // The workshop's producer sends one record a second. Whoever has a file has it sent.
    let is_endless = records.is_none() && from.is_none();
    let rate = rate.or_else(|| is_endless.then_some(1.0));
    if rate.is_none() && *shape != Load::Steady {
        let message = "--shape ramp and burst are about a rate, and there is none";
        return Err(Error::new(Kind::BadInput, message).remedy("Add one, for instance --rate 50.").into());
    }
    let source = match from {
        Some(_) if *ordered && key.is_none() => {
            let message = "--ordered keeps the order within a key, and with --from there is none";
            let remedy = "Name the field that is the key, for instance --key id.";
            return Err(Error::new(Kind::BadInput, message).remedy(remedy).into());
        }
        Some(from) => Source::Lines(Lines::open(from, key.as_deref())?),
        None => Source::Trades {
            seed: read_optional("--seed", seed, value::seed)?.unwrap_or_else(|| fastrand::u64(..)),
            key: key.as_deref().map(|key| read("--key", key, str::parse)).transpose()?.unwrap_or_default(),
        },
    };
    Ok(data::ProduceOptions { source, records, rate, shape: *shape, duration, ordered: *ordered })
}
