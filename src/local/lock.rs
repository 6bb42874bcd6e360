//! Locks between commands: whole-file locks, which the system gives back when the last holder ends, however
//! it ends. They are waited for by looking again and again, so that Ctrl-C can end the waiting.

use super::files::disk;
use crate::error::{Error, Kind};
use anyhow::Result;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longer than any installation takes; a command that waited this long would wait for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Opens a lock file, and creates it where it is missing. Lock files are never removed: two commands could
/// then hold "the" lock on different files.
pub(super) fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).read(true).open(path);
    file.map_err(|error| disk(path, &error))
}

/// The lock, once nobody else holds it.
pub(super) async fn exclusive(path: &Path) -> Result<File> {
    take(open(path)?, path, File::try_lock).await
}

/// The lock together with other sharers, once nobody holds it alone.
pub(super) async fn share(file: File, path: &Path) -> Result<File> {
    take(file, path, File::try_lock_shared).await
}

/// The lock, if nobody else holds it now.
pub(super) fn try_exclusive(path: &Path) -> Result<Option<File>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(disk(path, &error)),
    }
}

/// Whether somebody holds the lock alone. Asks for a share, so that two who ask don't take each other for the
/// holder.
pub(super) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

async fn take(file: File, path: &Path, attempt: fn(&File) -> Result<(), TryLockError>) -> Result<File> {
    let deadline = Instant::now() + LONGEST_WAIT;
    loop {
        match attempt(&file) {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(disk(path, &error)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(Error::new(
                    Kind::Failed,
                    "another command has kept the local cloud busy for 15 minutes",
                )
                .because(format!("{} is locked", path.display()))
                .remedy("End that command (a kinesis-stack or pip that hangs), then run this one again.")
                .into());
            }
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(25)).await,
        }
    }
}
