//! Where the local cloud keeps what, and the record of the running server.

use crate::error::{Error, Kind};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The places below `<cache>/local`.
#[derive(Debug)]
pub(super) struct Files {
    pub root: PathBuf,
}

/// What a later command must know about a running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Trusted only while `alive.lock` is held: afterwards the number may be somebody else's.
    pub pid: u32,
    pub port: u16,
    pub version: String,
    /// Part of every healthy answer, so that a stranger on the same port isn't taken for the server.
    pub token: String,
}

impl Record {
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Files {
    /// The server's home and temporary directory. By its real name, since its processes are told by it, from
    /// whichever way the cache is reached.
    pub fn run(&self) -> PathBuf {
        self.root.canonicalize().unwrap_or_else(|_| self.root.clone()).join("run")
    }

    /// One empty file for each region in which an environment may have come to be.
    pub fn regions(&self) -> PathBuf {
        self.run().join("regions")
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    pub fn alive(&self) -> PathBuf {
        self.root.join("alive.lock")
    }

    pub fn command(&self) -> PathBuf {
        self.root.join("command.lock")
    }

    pub fn users(&self) -> PathBuf {
        self.root.join("users.lock")
    }

    fn state(&self) -> PathBuf {
        self.root.join("server.json")
    }

    fn new_state(&self) -> PathBuf {
        self.root.join("server.json.new")
    }

    /// Makes the root, for its owner only.
    pub fn create(&self) -> Result<()> {
        create_private(&self.root)
    }

    /// The record of the last server that wasn't cleared away. `None` also where it can't be read: whoever
    /// wrote it half was ended, and so is treated the server.
    pub fn record(&self) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.state()).ok()?).ok()
    }

    /// When the record was written, which is when the server was started.
    pub fn since(&self) -> jiff::Timestamp {
        let modified = fs::metadata(self.state()).and_then(|metadata| metadata.modified()).ok();
        let timestamp = modified.and_then(|time| jiff::Timestamp::try_from(time).ok()).unwrap_or_default();
        timestamp.round(jiff::Unit::Second).unwrap_or(timestamp)
    }

    /// Writes the record in one step, so that nobody reads half of it.
    pub fn write(&self, record: &Record) -> Result<()> {
        let write = || -> io::Result<()> {
            fs::write(self.new_state(), serde_json::to_vec_pretty(record)?)?;
            fs::rename(self.new_state(), self.state())
        };
        write().map_err(|error| disk(&self.state(), &error))
    }

    /// A new, empty run directory and log for the next server.
    pub fn renew(&self) -> Result<File> {
        self.clear()?;
        create_private(&self.run())?;
        File::create(self.log()).map_err(|error| disk(&self.log(), &error))
    }

    /// Removes all that belongs to a server that has ended, save its log.
    pub fn clear(&self) -> Result<()> {
        remove_dir(&self.run())?;
        for file in [self.state(), self.new_state()] {
            absent(fs::remove_file(&file)).map_err(|error| disk(&file, &error))?;
        }
        Ok(())
    }

    /// The log's last words, as the cause of a failure.
    pub fn last_words(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        last_lines(&String::from_utf8_lossy(&log), 3)
    }
}

/// Makes a directory, and those above it, for their owner only.
pub(super) fn create_private(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| disk(path, &error))
}

/// Removes a directory that may be missing.
pub(super) fn remove_dir(path: &Path) -> Result<()> {
    absent(fs::remove_dir_all(path)).map_err(|error| disk(path, &error))
}

fn absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The cache directory refused.
pub(super) fn disk(path: &Path, error: &io::Error) -> anyhow::Error {
    Error::new(Kind::Failed, format!("cannot use {} for the local cloud", path.display()))
        .because(error.to_string())
        .remedy("Make room there and make it writable, or set KINESIS_STACK_CACHE_DIR to another directory.")
        .into()
}

/// The last lines that aren't blank, as one.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("; ")
}
