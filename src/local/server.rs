//! The server's life: start, wait, end.

use super::files::{Files, Record, disk};
use super::{VERSION, health, lock, process};
use crate::error::{Error, Kind};
use anyhow::Result;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// It takes 0.6 s on an idle machine, and much longer on a cold disk.
const LONGEST_START: Duration = Duration::from_secs(60);
/// A killed process is gone in milliseconds, unless it hangs in the kernel.
const LONGEST_END: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// Between our look for a free port and the server's use of it, anybody may take it.
const PORTS_TRIED: usize = 3;

/// How a start ended, where it didn't fail.
pub(super) enum Start {
    /// The server answers.
    Answers(Record),
    /// The server died, because files of its installation are missing.
    Incomplete(String),
}

/// Starts a server and waits until it answers. The caller holds the command lock, and no server lives.
pub(super) async fn start(files: &Files, python: &Path) -> Result<Start> {
    let mut taken = String::new();
    for _ in 0..PORTS_TRIED {
        let mut fresh = Fresh::spawn(files, python, free_port()?).await?;
        match fresh.wait().await? {
            Outcome::Answers => return Ok(Start::Answers(fresh.keep())),
            Outcome::Died(words) if words.to_lowercase().contains("already in use") => taken = words,
            Outcome::Died(words) if is_incomplete(&words) => return Ok(Start::Incomplete(words)),
            Outcome::Died(words) => return Err(died(files, words)),
            Outcome::Silent => {
                let message = format!("the local cloud gave no answer within {} s", LONGEST_START.as_secs());
                return Err(failed(files, message, files.last_words()));
            }
        }
    }
    let message = format!("the local cloud found no free port on 127.0.0.1 in {PORTS_TRIED} tries");
    Err(Error::new(Kind::Failed, message)
        .because(taken)
        .remedy("Another program takes ports at the same time: run the command again.")
        .into())
}

/// Ends the server, or what a dead one left: processes, temporary files, record. `false` where no process was
/// found. The caller holds the command lock.
///
/// By SIGKILL: on SIGTERM the server would take 2.7 s to do what this does at once. It keeps its state in
/// memory only, its files lie in a directory that is removed here, and its children get the same signal.
pub(super) async fn end(files: &Files) -> Result<bool> {
    let mut found = false;
    if lock::is_held(&files.alive()) {
        found = true;
        if let Some(record) = files.record() {
            process::kill_group(record.pid);
        }
    }
    let deadline = Instant::now() + LONGEST_END;
    loop {
        let left = process::of_run(&files.run());
        found |= !left.is_empty();
        left.iter().copied().for_each(process::kill);
        if left.is_empty() && !lock::is_held(&files.alive()) {
            break;
        }
        if Instant::now() > deadline {
            return Err(undying(files, &left));
        }
        sleep(PAUSE).await;
    }
    files.clear()?;
    Ok(found)
}

/// A server that was just started and isn't known to work. Dropped (a failure, Ctrl-C), it is killed: nobody
/// would come back for it.
struct Fresh<'a> {
    files: &'a Files,
    child: Child,
    record: Record,
    kept: bool,
}

enum Outcome {
    Answers,
    Died(String),
    Silent,
}

impl<'a> Fresh<'a> {
    async fn spawn(files: &'a Files, python: &Path, port: u16) -> Result<Self> {
        let log = files.renew()?;
        let errors = log.try_clone().map_err(|error| disk(&files.log(), &error))?;
        // The server gets the locked file as its standard input. A lock belongs to the open file, so it lasts
        // as long as the server does, and tells later commands that the recorded process is the server still.
        let alive = lock::exclusive(&files.alive()).await?;
        let token = format!("kinesis-stack-{:016x}", fastrand::u64(..));
        let child = Command::new(python)
            .args(["-I", "-u", "-m", "ministack"])
            .env_clear()
            .envs(environment(&files.run(), python, port, &token))
            .current_dir(files.run())
            .stdin(Stdio::from(alive))
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            // Ctrl-C in the terminal is meant for the command, not for the server.
            .process_group(0)
            .spawn()
            .map_err(|error| died(files, format!("{}: {error}", python.display())))?;
        let pid = child.id().unwrap_or_default();
        let record = Record { pid, port, version: VERSION.to_owned(), token };
        let fresh = Fresh { files, child, record, kept: false };
        files.write(&fresh.record)?;
        Ok(fresh)
    }

    async fn wait(&mut self) -> Result<Outcome> {
        let deadline = Instant::now() + LONGEST_START;
        loop {
            if self.child.try_wait()?.is_some() {
                return Ok(Outcome::Died(self.files.last_words()));
            }
            // The answer carries the token, so it can't come from whoever else has the port.
            if health::answers(&self.record, Duration::from_secs(1)).await {
                return Ok(Outcome::Answers);
            }
            if Instant::now() > deadline {
                return Ok(Outcome::Silent);
            }
            sleep(PAUSE).await;
        }
    }

    fn keep(mut self) -> Record {
        self.kept = true;
        self.record.clone()
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // Without an id it has ended and been reaped; the number is free for others.
        if let Some(pid) = self.child.id() {
            process::kill_group(pid);
        }
        // What can't be removed now is removed before the next start.
        let _ = self.files.clear();
    }
}

/// All that the server, and so each function that it runs, gets to know of the world: nothing of the user's.
fn environment(run: &Path, python: &Path, port: u16, token: &str) -> Vec<(&'static str, String)> {
    let directory = |path: &Path| path.display().to_string();
    let programs = python.parent().map(directory).unwrap_or_default();
    vec![
        ("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin")),
        ("HOME", directory(run)),
        ("TMPDIR", directory(run)),
        ("LANG", "C.UTF-8".to_owned()),
        // Never the default 0.0.0.0: everybody in the network could use the server, and run code on it.
        ("BIND_HOST", "127.0.0.1".to_owned()),
        ("GATEWAY_PORT", port.to_string()),
        // Only its own /tmp/ministack-… otherwise.
        ("STATE_DIR", directory(&run.join("state"))),
        ("S3_DATA_DIR", directory(&run.join("s3"))),
        // Its health report repeats this word.
        ("MINISTACK_EDITION", token.to_owned()),
        // No further listeners, no look for containers, and no way for functions past the local cloud.
        ("SFTP_ENABLED", "0".to_owned()),
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("DOCKER_HOST", "unix:///nonexistent/docker.sock".to_owned()),
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

pub(super) fn free_port() -> Result<u16> {
    let port =
        || -> io::Result<u16> { Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port()) };
    port().map_err(|error| {
        Error::new(Kind::Failed, "no free port on 127.0.0.1 for the local cloud")
            .because(error.to_string())
            .remedy("End programs that hold many connections, or allow this one to listen on loopback.")
            .into()
    })
}

fn is_incomplete(words: &str) -> bool {
    ["No module named", "ImportError", "No such file or directory"].iter().any(|sign| words.contains(sign))
}

fn died(files: &Files, words: String) -> anyhow::Error {
    failed(files, "the local cloud ended while it was starting".to_owned(), words)
}

fn failed(files: &Files, message: String, cause: String) -> anyhow::Error {
    let error = Error::new(Kind::Failed, message);
    let error = if cause.is_empty() { error } else { error.because(cause) };
    error.remedy(format!("Read {} and run the command again.", files.log().display())).into()
}

fn undying(files: &Files, left: &[u32]) -> anyhow::Error {
    let recorded = files.record().map(|record| record.pid);
    let pids: Vec<String> = left.iter().copied().chain(recorded).map(|pid| pid.to_string()).collect();
    let error = Error::new(Kind::Failed, "the local cloud doesn't end")
        .because(format!("{} is locked by one of its processes still", files.alive().display()));
    let error = if pids.is_empty() {
        error.remedy(format!(
            "End whatever lsof {} shows, then run the command again.",
            files.alive().display()
        ))
    } else {
        error.remedy(format!("End it with kill -9 {}, then run the command again.", pids.join(" ")))
    };
    error.into()
}
