//! `list`, `extend` and `reap`.

use super::{Session, conduct};
use crate::cli;
use crate::cloud::{self, Clients, regions};
use crate::event::Done;
use crate::local::{LocalCloud, Running};
use crate::settings::{Choice, Place, cache_directory, read, value};
use crate::stack::fleet::{self, Fleet};
use crate::stack::{Consent, Context, extend, reap};
use anyhow::Result;
use std::time::Instant;

impl Session {
    pub(super) async fn list(&self, typed: &cli::List) -> Result<u8> {
        self.settings.refuse_env("list")?;
        let choice = Choice::new(&typed.choice)?;
        let fleet = match self.find().await? {
            Some((context, cloud)) => {
                let contexts = self.regions(context, cloud.as_ref(), typed.all_regions).await?;
                fleet::survey(&contexts, &choice, fleet::PATIENCE).await?
            }
            None => Fleet::default(),
        };
        self.printer.list(&fleet.environments, typed.all_regions)?;
        Ok(0)
    }

    pub(super) async fn extend(&self, typed: &cli::Extend) -> Result<u8> {
        let by = read("DURATION", &typed.by, value::extension)?;
        let timeout = read("--timeout", &typed.timeout, value::positive_duration)?;
        let (context, _cloud) = self.require().await?;
        let done = extend::extend(&context, by, timeout).await?;
        self.done(done)
    }

    pub(super) async fn reap(&self, typed: &cli::Reap) -> Result<u8> {
        let cli::Reap { dry_run, yes, all_regions, at_once, timeout, choice } = typed;
        self.settings.refuse_env("reap")?;
        let conduct = conduct(*yes, timeout)?;
        let wish = reap::Wish {
            choice: Choice::new(choice)?,
            at_once: read("--at-once", at_once, value::at_once)?,
            timeout: conduct.timeout,
            dry_run: *dry_run,
            consent: if *yes { Consent::Given } else { Consent::Ask },
        };
        let began = Instant::now();
        let reaped = match self.find().await? {
            Some((context, cloud)) => {
                let contexts = self.regions(context.clone(), cloud.as_ref(), *all_regions).await?;
                let reaped = reap::reap(&contexts, &wish).await;
                self.release_unless(*dry_run || reaped.is_err(), reaped, &context, cloud).await?
            }
            None => reap::Reaped::default(),
        };
        if let Some(error) = reaped.error() {
            return Err(error.into());
        }
        let reckoning = reaped.reckoning(*dry_run);
        self.done(Done {
            command: "reap".to_owned(),
            changed: Some(reckoning.reaped > 0),
            reckoning: Some(reckoning),
            seconds: Some(began.elapsed().as_secs_f64()),
            ..Done::default()
        })
    }

    /// One way to the account for each region that is meant, the one that was chosen first.
    async fn regions(&self, context: Context, cloud: Option<&Running>, all: bool) -> Result<Vec<Context>> {
        if !all {
            return Ok(vec![context]);
        }
        let home = context.clients.region.clone();
        let regions = match self.settings.place {
            Place::Aws { .. } => regions::beside(&home),
            // The local cloud has as many as were ever used.
            Place::Local { .. } => {
                let used = LocalCloud::new(cache_directory()?).regions().into_iter();
                std::iter::once(home.clone()).chain(used.filter(|region| *region != home)).collect()
            }
        };
        let endpoint = cloud.map(|running| running.endpoint.as_str());
        let configuration = cloud::configuration(&self.settings.place, endpoint).await?;
        let configurations = cloud::everywhere(&configuration, &regions);
        let clients = configurations.iter().map(|config| Clients::new(config, &context.reporter));
        let others = clients.map(|clients| Ok(Context { clients: clients?, ..context.clone() }));
        others.collect()
    }
}
