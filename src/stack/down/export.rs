//! Saves what the bucket holds before it goes.

use crate::cloud::Identity;
use crate::data::{ResultsQuery, download};
use crate::event::{Event, Exported};
use crate::stack::Context;
use anyhow::Result;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// How often the bucket is looked through until nothing new has come.
const ROUNDS: u32 = 5;

/// Where the data of a bucket goes. Current objects alone: older versions and delete markers aren't saved.
pub struct Export<'a> {
    context: &'a Context,
    query: ResultsQuery,
    directory: &'a Path,
    last: Mutex<Option<Exported>>,
}

impl<'a> Export<'a> {
    /// Of the environment's bucket, into this directory.
    pub fn new(context: &'a Context, identity: &Identity, directory: &'a Path) -> Self {
        let bucket = context.environment.bucket(&identity.account, &context.clients.region);
        let query = ResultsQuery { bucket, account: identity.account.clone(), prefix: String::new() };
        Export { context, query, directory, last: Mutex::default() }
    }

    /// Downloads what isn't there yet. How many objects that were.
    pub async fn once(&self) -> Result<u64> {
        let reporter = self.context.reporter.as_ref();
        let exported = download(&self.context.clients.s3, &self.query, self.directory, reporter).await?;
        let new = exported.objects - exported.present;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if new > 0 || last.is_none() {
            reporter.tell(&Event::Exported(exported.clone()));
        }
        *last = Some(exported);
        Ok(new)
    }

    /// The same until nothing new comes: what a dying delivery stream still wrote is saved, too.
    pub async fn until_nothing_is_new(&self) -> Result<()> {
        for _ in 0..ROUNDS {
            if self.once().await? == 0 {
                return Ok(());
            }
        }
        self.context.reporter.tell(&Event::ExportUnsettled {
            bucket: self.query.bucket.clone(),
            directory: self.directory.display().to_string(),
            rounds: ROUNDS,
        });
        Ok(())
    }

    /// What lies in the directory now.
    pub fn told(&self) -> Option<Exported> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
