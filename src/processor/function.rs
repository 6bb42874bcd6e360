//! The function as a process of this machine: the very `bootstrap` that would be deployed.

use super::api::Api;
use crate::artifact::Artifact;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, Command};

/// A function that runs. It ends with this, and so does all that was written for it.
#[derive(Debug)]
pub struct Function {
    child: Child,
    log: Said,
    errors: Said,
    _directory: Directory,
}

/// A directory that is removed in the end.
#[derive(Debug)]
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // What can't be removed lies in the user's cache, where it harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Function {
    /// Unpacks the processor below the cache, and starts it.
    pub fn start(artifact: &Artifact, cache: &Path, api: &Api) -> Result<Self> {
        let directory = cache.join("processor").join("run").join(std::process::id().to_string());
        let cannot = || format!("cannot unpack the processor into {}", directory.display());
        // Of a process of this number that was killed.
        let _ = fs::remove_dir_all(&directory);
        let task = directory.join("task");
        fs::create_dir_all(&task).with_context(cannot)?;
        let guard = Directory(directory.clone());
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
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the processor's bootstrap")?;
        let (log, errors) = (Said::open(&log)?, Said::open(&errors)?);
        Ok(Function { child, log, errors, _directory: guard })
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
