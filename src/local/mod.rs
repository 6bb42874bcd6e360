//! The local cloud: MiniStack, an AWS emulator in Python, as a server of our own on loopback. This room
//! finds, installs, starts and stops it, and yields an endpoint. It knows nothing of stacks.
//!
//! One server serves all local environments of a cache directory. Everything lies in `<cache>/local`:
//!
//! | place | what |
//! |---|---|
//! | `install/` | one virtual environment for each version, and the lock that pip runs under |
//! | `run/` | the server's home and temporary directory; gone with the server |
//! | `server.json` | its process, port and version; gone with the server |
//! | `server.log` | what it said; kept until the next start |
//! | `alive.lock` | held by the server itself, as its standard input, for as long as it lives |
//! | `command.lock` | held by the one command that installs, starts or stops |
//! | `users.lock` | shared by all commands that work with the server |

mod files;
mod health;
mod install;
mod lock;
mod pip;
mod process;
mod server;
mod status;
#[cfg(test)]
mod tests;

use crate::error::{Error, Kind};
use crate::event::{Event, Reporter};
use anyhow::Result;
use files::{Files, Record};
use install::Install;
pub use status::{State, Status};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The version of MiniStack that is installed. `requirements.txt` pins the same, with hashes.
pub const VERSION: &str = "1.5.33";

/// How long a server that lives may owe an answer before it counts as stuck. Long, because it answers nobody
/// else while it works through a large PutRecords call, and ending it ends all that it holds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a look at the server takes where nothing hangs on the verdict, or a longer one can follow.
const GLANCE: Duration = Duration::from_secs(5);

/// The local cloud of one cache directory, running or not.
#[derive(Debug)]
pub struct LocalCloud {
    files: Files,
    install: Install,
    patience: Duration,
    glance: Duration,
}

/// A server that answers. While this value lives, no other command's [`LocalCloud::release`] ends the server.
#[derive(Debug)]
pub struct Running {
    /// `http://127.0.0.1:PORT`
    pub endpoint: String,
    /// The server's process, which leads a process group of its own.
    pub pid: u32,
    /// Its version of MiniStack; an older one than [`VERSION`] where it was started before an update.
    pub version: String,
    /// When it was started.
    pub since: jiff::Timestamp,
    /// Given back when the value is dropped.
    _lease: Option<File>,
}

/// What a look at the server found.
enum Look {
    Answers(Record),
    /// It lives. Without a record it was spawned this moment.
    Silent(Option<Record>),
    Nothing,
}

impl LocalCloud {
    /// The local cloud below this cache directory. Touches nothing.
    pub fn new(cache: impl AsRef<Path>) -> Self {
        let root = cache.as_ref().join("local");
        let installs = root.join("install");
        Self::with_install(cache, installs)
    }

    /// The same, with the installations elsewhere, so that several caches can share them.
    pub fn with_install(cache: impl AsRef<Path>, installs: impl AsRef<Path>) -> Self {
        // The server has a working directory of its own: relative paths would mean something else to it.
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        LocalCloud {
            files: Files { root: absolute(&cache.as_ref().join("local")) },
            install: Install::new(absolute(installs.as_ref())),
            patience: PATIENCE,
            glance: GLANCE,
        }
    }

    /// The running server, if there is one. Starts nothing and creates no file.
    pub async fn find(&self) -> Result<Option<Running>> {
        let lease = match File::open(self.files.users()) {
            Ok(file) => lock::share(file, &self.files.users()).await?,
            Err(_) => return Ok(None),
        };
        match self.look(self.patience).await {
            Look::Answers(record) => Ok(Some(self.running(record, lease))),
            Look::Nothing => Ok(None),
            // Not "none": whoever believes that would take its environments for gone.
            Look::Silent(_) => {
                let message = format!("the local cloud gave no answer within {} s", self.patience.as_secs());
                Err(Error::new(Kind::Failed, message)
                    .remedy("Run the command again if another one sends much data just now.")
                    .remedy("Otherwise kinesis-stack local stop ends it, with all that it holds.")
                    .into())
            }
        }
    }

    /// A server that answers: the running one, or a new one, installed before where that is missing.
    pub async fn ensure(&self, reporter: &dyn Reporter) -> Result<Running> {
        self.files.create()?;
        // From here on nobody's `release` ends the server between our look and our first use.
        let lease = lock::share(lock::open(&self.files.users())?, &self.files.users()).await?;
        if let Look::Answers(record) = self.look(self.glance).await {
            return Ok(self.ready(record, lease, false, reporter));
        }
        let _turn = lock::exclusive(&self.files.command()).await?;
        // Another command may have started it while this one waited for its turn.
        if let Look::Answers(record) = self.look(self.patience).await {
            return Ok(self.ready(record, lease, false, reporter));
        }
        server::end(&self.files).await?;
        let record = self.install_and_start(reporter).await?;
        Ok(self.ready(record, lease, true, reporter))
    }

    /// Ends the server, its children and its temporary files, whoever else uses it. `false` where there was
    /// nothing to end.
    pub async fn stop(&self, reporter: &dyn Reporter) -> Result<bool> {
        if !self.files.root.exists() {
            return Ok(false);
        }
        let _turn = lock::exclusive(&self.files.command()).await?;
        self.end(reporter).await
    }

    /// Gives a server back, and ends it where nobody else uses it and `unused` says that it holds nothing
    /// more. `true` where it was ended.
    ///
    /// `unused` is asked while no other command can get hold of the server: an environment that another
    /// command is about to create can't be missed.
    pub async fn release(
        &self,
        running: Running,
        unused: impl Future<Output = Result<bool>>,
        reporter: &dyn Reporter,
    ) -> Result<bool> {
        drop(running);
        let _turn = lock::exclusive(&self.files.command()).await?;
        let Some(_alone) = lock::try_exclusive(&self.files.users())? else { return Ok(false) };
        if unused.await? { self.end(reporter).await } else { Ok(false) }
    }

    /// Notes that an environment may come to be in this region. The note goes with the server.
    pub fn note_region(&self, region: &str) -> Result<()> {
        let directory = self.files.regions();
        std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(directory.join(region), "")).map_err(
            |error| anyhow::Error::new(error).context(format!("cannot write to {}", directory.display())),
        )
    }

    /// The regions that were noted since the server started: it keeps them apart, so each has to be asked.
    pub fn regions(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.files.regions()).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// How the local cloud is. Starts nothing and creates no file.
    pub async fn status(&self) -> Status {
        let (state, record) = match self.look(self.glance).await {
            Look::Answers(record) => (State::Running, Some(record)),
            Look::Silent(record) => (State::Unresponsive, record),
            Look::Nothing => (State::Stopped, None),
        };
        Status {
            state,
            installed: self.install.is_complete(),
            version: record.as_ref().map_or_else(|| VERSION.to_owned(), |record| record.version.clone()),
            endpoint: record.as_ref().map(Record::endpoint),
            pid: record.as_ref().map(|record| record.pid),
            since: record.map(|_| self.files.since().to_string()),
            log: self.log_path(),
        }
    }

    /// Where the server's output goes. Kept when the server ends, begun anew with the next one.
    pub fn log_path(&self) -> PathBuf {
        self.files.log()
    }

    /// What of a server there is, after at most this time. Ends early where one answers or dies.
    async fn look(&self, patience: Duration) -> Look {
        let deadline = Instant::now() + patience;
        while lock::is_held(&self.files.alive()) {
            let record = self.files.record();
            let left = deadline.saturating_duration_since(Instant::now());
            match record {
                Some(record) if health::answers(&record, left).await => return Look::Answers(record),
                record if left.is_zero() => return Look::Silent(record),
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
        Look::Nothing
    }

    async fn install_and_start(&self, reporter: &dyn Reporter) -> Result<Record> {
        let was_complete = self.install.is_complete();
        let python = self.install.ensure(reporter).await?;
        reporter.tell(&Event::LocalStarting { version: VERSION.to_owned() });
        match server::start(&self.files, &python).await? {
            server::Start::Answers(record) => Ok(record),
            // Files of the installation are missing: a cleaner went through the cache, or the system's Python
            // moved on. That heals like a half-finished installation, once.
            server::Start::Incomplete(_) if was_complete => {
                self.install.distrust()?;
                let python = self.install.ensure(reporter).await?;
                match server::start(&self.files, &python).await? {
                    server::Start::Answers(record) => Ok(record),
                    server::Start::Incomplete(reason) => Err(self.broken(reason)),
                }
            }
            server::Start::Incomplete(reason) => Err(self.broken(reason)),
        }
    }

    fn broken(&self, reason: String) -> anyhow::Error {
        let remedy = format!(
            "Remove {} and run the command again; if it stays, report it.",
            self.install.root.display()
        );
        Error::new(Kind::Failed, "the installed local cloud doesn't run")
            .because(reason)
            .remedy(remedy)
            .into()
    }

    async fn end(&self, reporter: &dyn Reporter) -> Result<bool> {
        let ended = server::end(&self.files).await?;
        if ended {
            reporter.tell(&Event::LocalStopped);
        }
        Ok(ended)
    }

    fn ready(&self, record: Record, lease: File, started: bool, reporter: &dyn Reporter) -> Running {
        reporter.tell(&Event::LocalReady { endpoint: record.endpoint(), pid: record.pid, started });
        self.running(record, lease)
    }

    fn running(&self, record: Record, lease: File) -> Running {
        let (endpoint, since) = (record.endpoint(), self.files.since());
        Running { endpoint, pid: record.pid, version: record.version, since, _lease: Some(lease) }
    }
}
