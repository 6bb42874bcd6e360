//! `up`, `plan` and `status`.

use super::{Session, conduct};
use crate::cli;
use crate::error::{Error, Kind};
use crate::event::{Done, NextStep};
use crate::report;
use crate::stack::plan::Plan;
use crate::stack::up::Wish;
use crate::stack::{drift, inspect, up};
use anyhow::Result;
use std::path::Path;

impl Session {
    pub(super) async fn up(&self, typed: &cli::Up) -> Result<u8> {
        let cli::Up { processor, plan, code_only, dotenv, means, smoke: _, no_smoke: _, yes, timeout, shape } =
            typed;
        let is_smoke_wanted = self.is_smoke_wanted(typed);
        if *code_only && (*shape != cli::Shape::default() || means.changes_more_than_code()) {
            return Err(Error::new(
                Kind::BadInput,
                "--code-only changes the function's code and nothing else",
            )
            .remedy("Leave the other options out, or leave --code-only out.")
            .into());
        }
        let reviewed = match plan {
            Some(path) => Some(self.unless_told_to_stop(self.reviewed(path)).await?),
            None => None,
        };
        let dotenv = dotenv.as_ref().map(Path::new);
        dotenv.map(report::dotenv::check).transpose()?;
        // A plan brings its own options; what is typed beside it has to be the same, or the plan is another one.
        let means = match &reviewed {
            Some(plan) if *means != cli::Means::default() => {
                let typed = plan.means.beside(means, self.settings.means(means)?);
                plan.check_beside(&typed, &self.settings.invocation)?;
                plan.means.clone()
            }
            Some(plan) => plan.means.clone(),
            None => self.settings.means(means)?,
        };
        let shape = match &reviewed {
            Some(plan) if *shape == cli::Shape::default() => plan.shape.clone(),
            _ => self.settings.shape(shape)?,
        };
        let workshop = self.workshop(processor, &shape)?;
        let conduct = conduct(*yes, timeout)?;
        let wish = Wish { shape: &shape, workshop: &workshop, means: &means, reviewed: reviewed.as_ref() };
        let (context, cloud) = self.unless_told_to_stop(self.ensure()).await?;
        let done = match code_only {
            true => up::code_only(&context, &workshop, conduct).await,
            false => up::up(&context, &wish, conduct).await,
        };
        let done = self.release_unless(done.is_ok(), done, &context, cloud).await?;
        if let Some(path) = dotenv {
            report::dotenv::write(path, &done)?;
        }
        self.printer.deployed(&done);
        if is_smoke_wanted {
            self.smoke_after_up(&context).await?;
        }
        let next = [
            ("produce --records 100", "send 100 trades"),
            ("results --wait 100", "show their rows as soon as they have landed"),
            ("status", "show the environment"),
            ("down", "tear it down"),
        ];
        // What was just protected isn't torn down next.
        let next = next.into_iter().filter(|(verb, _)| *verb != "down" || means.protection != Some(true));
        let next = next.map(|(verb, does)| NextStep {
            command: self.settings.invocation.command(verb),
            does: does.to_owned(),
        });
        self.done(Done { next: if self.on_tour { Vec::new() } else { next.collect() }, ..done })
    }

    /// A plan that was written down, of this environment.
    async fn reviewed(&self, path: &str) -> Result<Plan> {
        let file = Path::new(path).to_owned();
        // A pipe can keep its reader waiting.
        let plan = tokio::task::spawn_blocking(move || Plan::read(&file)).await??;
        let name = self.settings.environment.name.as_str();
        if plan.env == name {
            return Ok(plan);
        }
        let message = format!("{path} is a plan of the environment {}, not of {name}", plan.env);
        Err(Error::new(Kind::BadInput, message)
            .remedy(format!("Add --env {} to the command.", plan.env))
            .into())
    }

    pub(super) async fn plan(&self, typed: &cli::Plan) -> Result<u8> {
        let shape = self.settings.shape(&typed.shape)?;
        let means = self.settings.means(&typed.means)?;
        let workshop = self.workshop(&typed.processor, &shape)?;
        let wish = Wish { shape: &shape, workshop: &workshop, means: &means, reviewed: None };
        let (context, cloud) = self.unless_told_to_stop(self.ensure()).await?;
        let plan = up::plan(&context, &wish).await;
        let plan = self.release_unless(false, plan, &context, cloud).await?;
        let code = if typed.exit_code { plan.exit_code() } else { 0 };
        match self.printer.plan(&plan) {
            // Whoever reads has seen enough, but the exit code is an answer of its own.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(code),
            printed => printed.map(|()| code).map_err(Into::into),
        }
    }

    pub(super) async fn status(&self, typed: &cli::Status) -> Result<u8> {
        let shape = self.settings.shape(&cli::Shape::default())?;
        let workshop = self.workshop(&typed.processor, &shape)?;
        let (context, _cloud) = self.require().await?;
        let mut inspection = inspect::inspect(&context, &workshop).await?;
        if typed.drift {
            inspection.drift = Some(drift::detect(&context, &inspection.stack_id, drift::PATIENCE).await?);
        }
        self.printer.status(&inspection)?;
        Ok(0)
    }
}
