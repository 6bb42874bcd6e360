//! `smoke`, and the same after `up`.

use super::Session;
use crate::cli;
use crate::data::smoke::{self, Ended, Pipeline, Wish};
use crate::error::{Error, Kind};
use crate::event::Done;
use crate::settings::{Place, ProcessorSource, cache_directory, read_optional, value};
use crate::stack::state::Stack;
use crate::stack::{Context, inspect};
use crate::{files, report};
use anyhow::Result;
use std::path::Path;
use std::time::{Duration, Instant};

fn write_junit(path: &Path, text: &str) -> Result<(), Error> {
    files::replace(path, text.as_bytes()).map_err(|error| {
        Error::new(Kind::Failed, format!("cannot write --junit {}", path.display()))
            .because(error.to_string())
    })
}

/// What the test found says more than that it could not be written.
fn with_written<T>(tested: Result<T, Error>, written: Result<(), Error>) -> Result<T, Error> {
    match (tested, written) {
        (Err(failure), Err(error)) => Err(failure.remedy(format!("Also: {error}."))),
        (tested, written) => written.and(tested),
    }
}

impl Session {
    pub(super) async fn smoke(&self, typed: &cli::Smoke) -> Result<u8> {
        let cli::Smoke { timeout, junit } = typed;
        let junit = junit.as_ref().map(Path::new);
        junit.map(|path| files::check(path, "--junit", "--junit smoke.xml")).transpose()?;
        let began = Instant::now();
        let tested = async {
            let timeout = read_optional("--timeout", timeout, value::positive_duration)?;
            let (context, _cloud) = self.unless_told_to_stop(self.require()).await?;
            self.tested(&context, timeout).await
        };
        let env = self.settings.environment.name.as_str();
        // What an earlier test wrote there must not be taken for the result of this one.
        let (text, result) = match tested.await {
            Ok((Ended { report, failure }, stack)) => {
                (report::smoke::junit(&report, env)?, failure.map_or(Ok(stack), Err))
            }
            Err(error) => {
                let error = Error::of(&error);
                (report::smoke::junit_error(&error, env)?, Err(error))
            }
        };
        let written = junit.map_or(Ok(()), |path| write_junit(path, &text));
        let stack = with_written(result, written)?;
        self.done(Done {
            command: "smoke".to_owned(),
            stack: Some(stack.name),
            stack_id: Some(stack.id),
            seconds: Some(began.elapsed().as_secs_f64()),
            ..Done::default()
        })
    }

    /// Whether `up` is followed by a smoke test: where that was typed, and in a pipeline unless it was typed not to.
    pub(super) fn is_smoke_wanted(&self, typed: &cli::Up) -> bool {
        let in_a_pipeline = self.printer.look().pipeline.is_unattended() && !self.on_tour;
        typed.smoke || (in_a_pipeline && !typed.no_smoke)
    }

    /// The smoke test after `up`. The environment stays, whatever it finds.
    pub(super) async fn smoke_after_up(&self, context: &Context) -> Result<()> {
        let (ended, _) = self.tested(context, None).await?;
        ended.failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    async fn tested(&self, context: &Context, timeout: Option<Duration>) -> Result<(Ended, Stack)> {
        let asked = async { tokio::try_join!(inspect::require(context), context.clients.identity()) };
        let (stack, identity) = self.unless_told_to_stop(asked).await?;
        let wish = Wish {
            pipeline: Pipeline::of(&stack, &identity.account)?,
            timeout,
            // The local cloud loses whatever the processor refuses, and says so nowhere.
            bad_records: !matches!(self.settings.place, Place::Local { .. }),
            workshop: crate::artifact::Workshop {
                cache: cache_directory()?,
                source: ProcessorSource::Own,
                architecture: self.settings.shape(&cli::Shape::default())?.architecture,
            },
        };
        Ok((smoke::smoke(context, &wish).await?, stack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_test_is_not_lost_where_it_can_not_be_written() {
        let broken = || Error::new(Kind::TimedOut, "broken");
        let full = || Error::new(Kind::Failed, "cannot write").because("disk full");
        let both = with_written::<()>(Err(broken()), Err(full())).unwrap_err();
        assert_eq!((both.kind, both.message.as_str()), (Kind::TimedOut, "broken"));
        assert_eq!(both.remedies, ["Also: cannot write: disk full."]);
        assert_eq!(with_written(Ok(()), Err(full())).unwrap_err().message, "cannot write");
        assert_eq!(with_written::<()>(Err(broken()), Ok(())).unwrap_err().message, "broken");
        assert!(with_written(Ok(()), Ok(())).is_ok());
    }
}
