//! The function as a process of this machine: the very `bootstrap` that would be deployed.

use super::api::Api;
use crate::artifact::Artifact;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, Command};

/// A function that runs. It ends with this, and so do all that it started and all that was written for it.
#[derive(Debug)]
pub struct Function {
    child: Child,
    group: Option<Pid>,
    log: Said,
    errors: Said,
    _directory: Directory,
}

impl Drop for Function {
    fn drop(&mut self) {
        // A bootstrap can be a script, and what it waits for would outlive it.
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// A directory that is removed in the end.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    // Given back by the system when this process ends, however it ends.
    _lock: File,
}

impl Directory {
    /// Makes one of this process', and removes those of processes that were killed.
    fn make(run: &Path) -> std::io::Result<Self> {
        fs::read_dir(run).into_iter().flatten().flatten().for_each(|other| sweep(&other.path()));
        let path = run.join(std::process::id().to_string());
        // Of a process of this number that was killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.lock()?;
        Ok(Directory { path, _lock: lock })
    }
}

/// Held as long as the process runs that a directory is of.
const LOCK: &str = "lock";

/// Removes a directory whose process is gone: by its number, and, since a container has numbers of its own, by its lock.
fn sweep(directory: &Path) {
    let name = directory.file_name().and_then(|name| name.to_str());
    let Some(process) = name.and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else { return };
    let is_gone = test_kill_process(process) == Err(rustix::io::Errno::SRCH);
    let is_free = File::open(directory.join(LOCK)).map_or(true, |lock| lock.try_lock().is_ok());
    if is_gone && is_free {
        let _ = fs::remove_dir_all(directory);
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What can't be removed lies in the user's cache, where it harms nobody.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Function {
    /// Unpacks the processor below the cache, and starts it.
    pub fn start(artifact: &Artifact, cache: &Path, api: &Api) -> Result<Self> {
        let run = cache.join("processor").join("run");
        let cannot = || format!("cannot unpack the processor below {}", run.display());
        let guard = Directory::make(&run).with_context(cannot)?;
        let (directory, task) = (&guard.path, guard.path.join("task"));
        fs::create_dir_all(&task).with_context(cannot)?;
        artifact.unpack(&task).with_context(cannot)?;
        let (log, errors) = (directory.join("stdout"), directory.join("stderr"));
        let child = Command::new(task.join("bootstrap"))
            .current_dir(&task)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "en_US.UTF-8")
            .env("TZ", ":UTC")
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "test")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_REGION", "us-east-1")
            .env("LAMBDA_TASK_ROOT", &task)
            .env("_HANDLER", "bootstrap")
            // Have it say of each record why it fails.
            .env("PROCESSOR_LOG", "records")
            .env("PROCESSOR_METRICS", "off")
            .stdin(Stdio::null())
            // Files: what was said before an answer is there when the answer is.
            .stdout(File::create(&log).with_context(cannot)?)
            .stderr(File::create(&errors).with_context(cannot)?)
            // Of its own: a Ctrl-C of the terminal's is ours, and all of the group ends with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the processor's bootstrap")?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let (log, errors) = (Said::open(&log)?, Said::open(&errors)?);
        Ok(Function { child, group, log, errors, _directory: guard })
    }

    /// Waits until it ends by itself, which no function should.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.context("cannot wait for the processor")
    }

    /// What it has logged since the last time.
    pub fn logged(&mut self) -> Result<String> {
        self.log.read()
    }

    /// What it has written to stderr since the last time.
    pub fn complained(&mut self) -> Result<String> {
        self.errors.read()
    }

    /// Ends it.
    pub async fn end(mut self) -> Result<()> {
        self.child.kill().await.context("cannot end the processor")
    }
}

/// A file that grows.
#[derive(Debug)]
struct Said {
    file: File,
    read: u64,
}

impl Said {
    fn open(path: &Path) -> Result<Self> {
        Ok(Said { file: File::open(path)?, read: 0 })
    }

    fn read(&mut self) -> Result<String> {
        let mut said = Vec::new();
        self.file.seek(SeekFrom::Start(self.read))?;
        self.read += self.file.read_to_end(&mut said)? as u64;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}
