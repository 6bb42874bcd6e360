//! `down`.

use super::{Session, conduct};
use crate::cli;
use crate::event::Done;
use crate::files;
use crate::stack::down::{self, Wish};
use anyhow::Result;
use std::path::PathBuf;

impl Session {
    pub(super) async fn down(&self, typed: &cli::Down) -> Result<u8> {
        let cli::Down { yes, timeout, role_arn, keep_data, export, proof } = typed;
        let wish = Wish {
            role_arn: self.settings.role_arn(role_arn)?,
            keep_data: *keep_data,
            export: export.as_ref().map(PathBuf::from),
            proof: proof.as_ref().map(PathBuf::from),
            ..Wish::new(conduct(*yes, timeout)?)
        };
        if let Some(path) = &wish.proof {
            files::check(path, "--proof", "--proof nothing-left.json")?;
        }
        if let Some(path) = &wish.export {
            files::check_directory(path, "--export", "--export rows/")?;
        }
        let Some((context, cloud)) = self.find().await? else {
            // Without a local cloud there is nothing local: it keeps its state in memory.
            let stack = Some(self.settings.environment.stack());
            return self.done(Done {
                command: "down".to_owned(),
                changed: Some(false),
                stack,
                ..Done::default()
            });
        };
        // The local cloud keeps what it holds in memory alone.
        let keeps_data = wish.keep_data;
        let done = down::down(&context, wish).await;
        let keep = done.as_ref().map_or(true, |done| keeps_data && !done.kept.is_empty());
        let done = self.release_unless(keep, done, &context, cloud).await?;
        self.done(done)
    }
}
