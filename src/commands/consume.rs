//! `consume`.

use super::Session;
use crate::cli::{self, Output};
use crate::data::{self, ConsumeOptions, From, Show, Template};
use crate::error::{Error, Kind};
use crate::event::Done;
use crate::report;
use crate::settings::{read, read_optional, value};
use crate::stack::inspect;
use anyhow::Result;
use jiff::Timestamp;
use std::time::Instant;

impl Session {
    pub(super) async fn consume(&self, typed: &cli::Consume) -> Result<u8> {
        let options = options(typed, self.printer.look().output)?;
        let began = Instant::now();
        let (context, _cloud) = self.unless_told_to_stop(self.require()).await?;
        let stack = self.unless_told_to_stop(inspect::require(&context)).await?;
        let stream = inspect::output(&stack, "StreamName")?;
        let consumption = data::consume(&context, &stream, &options, &mut report::stdout()).await?;
        self.done(Done {
            command: "consume".to_owned(),
            stack: Some(stack.name),
            stack_id: Some(stack.id),
            consumed: Some(consumption.consumed),
            seconds: Some(began.elapsed().as_secs_f64()),
            ..Done::default()
        })?;
        if options.show == Show::Count {
            self.printer.statistics(&consumption.statistics)?;
        }
        Ok(self.signals.last().map_or(0, Kind::exit_code))
    }
}

fn options(typed: &cli::Consume, output: Output) -> Result<ConsumeOptions> {
    let cli::Consume { from, records, duration, stats, template, fan_out } = typed;
    let from = match read("--from", from, From::parse)? {
        From::Time(time) if time > Timestamp::now() => {
            let message = format!("--from `{time}`: it is yet to come");
            return Err(Error::new(Kind::BadInput, message).remedy("Leave it out to begin now.").into());
        }
        from => from,
    };
    let template = read_optional("--template", template, Template::parse)?;
    let show = match (stats, template, output) {
        (true, ..) => Show::Count,
        (false, Some(_), Output::Json) => {
            let message = "--template and --output json are two forms of the same line";
            return Err(Error::new(Kind::BadInput, message).remedy("Leave one of them out.").into());
        }
        (false, Some(template), Output::Text) => Show::Template(template),
        (false, None, Output::Json) => Show::Json,
        (false, None, Output::Text) => Show::Text,
    };
    Ok(ConsumeOptions {
        from,
        records: read_optional("--records", records, value::count)?,
        duration: read_optional("--duration", duration, value::positive_duration)?,
        show,
        fan_out: *fan_out,
    })
}
