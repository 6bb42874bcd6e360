//! `reaper up`, `reaper status` and `reaper down`; and the function that they deploy.

use super::{Session, conduct};
use crate::cli;
use crate::event::{Done, Event, NextStep};
use crate::reaper::runtime::Runtime;
use crate::reaper::{Every, deploy, program::Program, serve, status};
use crate::report;
use crate::settings::{read, value};
use anyhow::Result;
use std::path::PathBuf;

/// Runs as the function, until Lambda ends it. Returns the exit code.
pub async fn function(runtime: Runtime) -> u8 {
    let reporter = report::function_log();
    match serve::serve(&runtime, &reporter).await {
        Ok(()) => 0,
        // Lambda starts another process.
        Err(_) => 1,
    }
}

impl Session {
    pub(super) async fn reaper(&self, typed: &cli::Reaper) -> Result<u8> {
        match typed {
            cli::Reaper::Up(typed) => self.reaper_up(typed).await,
            cli::Reaper::Status => self.unless_told_to_stop(self.reaper_status()).await,
            cli::Reaper::Down(typed) => self.reaper_down(typed).await,
        }
    }

    async fn reaper_up(&self, typed: &cli::ReaperUp) -> Result<u8> {
        let cli::ReaperUp { every, binary, role_arn, yes, timeout } = typed;
        let rule = |text: &str| Every::new(value::duration(text)?).ok_or_else(|| Every::RULE.to_owned());
        let (every, conduct) = (read("--every", every, rule)?, conduct(*yes, timeout)?);
        let role_arn = self.settings.role_arn(role_arn)?;
        let file = binary.as_ref().map(PathBuf::from);
        let program = tokio::task::spawn_blocking(move || Program::read(file.as_deref()));
        let program = self.unless_told_to_stop(async { program.await? }).await?;
        self.printer.reporter().tell(&Event::ReaperReady {
            sha256: program.artifact.sha256.clone(),
            bytes: program.artifact.zip.len() as u64,
            architecture: program.architecture.name().to_owned(),
        });
        let (context, cloud) = self.unless_told_to_stop(self.ensure()).await?;
        // Where this command was told to call another endpoint than AWS' own, that one is the function's, too.
        let endpoint = match &cloud {
            Some(running) => Some(running.endpoint.clone()),
            None => std::env::var("AWS_ENDPOINT_URL").ok().filter(|endpoint| !endpoint.is_empty()),
        };
        let wish = deploy::Wish { program, every, endpoint, role_arn, conduct };
        let done = deploy::up(&context, &wish).await;
        let done = self.release_unless(done.is_ok(), done, &context, cloud).await?;
        let step = |command: &str, does: &str| NextStep {
            command: self.settings.invocation.command(command),
            does: does.to_owned(),
        };
        let next =
            vec![step("reaper status", "show what its last runs came to"), step("reaper down", "remove it")];
        self.done(Done { next, ..done })
    }

    async fn reaper_status(&self) -> Result<u8> {
        let Some((context, _cloud)) = self.find().await? else {
            let place = "the local cloud, which is not running";
            return Err(status::none(place, &self.settings.invocation.under("reaper")).into());
        };
        self.printer.reaper(&status::status(&context).await?)?;
        Ok(0)
    }

    async fn reaper_down(&self, typed: &cli::ReaperDown) -> Result<u8> {
        let conduct = conduct(typed.yes, &typed.timeout)?;
        let done = match self.find().await? {
            Some((context, cloud)) => {
                let done = deploy::down(&context, conduct).await;
                self.release_unless(done.is_err(), done, &context, cloud).await?
            }
            // The local cloud keeps its state in memory.
            None => Done { command: "reaper down".to_owned(), changed: Some(false), ..Done::default() },
        };
        self.done(done)
    }
}
