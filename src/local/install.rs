//! MiniStack in a virtual environment of its own, exactly the files whose hashes this program knows.

use super::files::{create_private, disk, last_lines, remove_dir};
use super::{VERSION, lock, pip};
use crate::error::{Error, Kind};
use crate::event::{Event, Reporter};
use anyhow::Result;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

const REQUIREMENTS: &str = include_str!("requirements.txt");
/// What MiniStack needs.
const OLDEST_PYTHON: (u32, u32) = (3, 10);
/// macOS brings a `python3` that is too old beside which a newer one has its version in its name.
const PYTHONS: [&str; 6] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
/// The user's settings for indexes, proxies and certificates are pip's to read; these would make it install
/// elsewhere, or make Python read modules from elsewhere.
const UNWANTED: [&str; 13] = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_DRY_RUN",
    "PIP_NO_BINARY",
    "PIP_CONSTRAINT",
    "PIP_REQUIREMENT",
];

/// The installations below one directory.
#[derive(Debug)]
pub(super) struct Install {
    pub root: PathBuf,
    /// What is installed: pins and hashes, in pip's format.
    pub requirements: String,
    /// Variables for Python and pip beyond those of this process.
    pub environment: Vec<(String, String)>,
}

impl Install {
    pub fn new(root: PathBuf) -> Self {
        Install { root, requirements: REQUIREMENTS.to_owned(), environment: Vec::new() }
    }

    /// Whether this version is there, down to the last file.
    pub fn is_complete(&self) -> bool {
        // The interpreter is a link to the system's, which may be gone since.
        self.marker().exists() && self.python().exists()
    }

    /// The interpreter of a complete installation, made now where it is missing or half-finished.
    pub async fn ensure(&self, reporter: &dyn Reporter) -> Result<PathBuf> {
        if self.is_complete() {
            return Ok(self.python());
        }
        create_private(&self.root)?;
        let turn = lock::exclusive(&self.root.join("install.lock")).await?;
        // Another command may have installed it while this one waited for its turn.
        if self.is_complete() {
            return Ok(self.python());
        }
        let base = self.find_python().await?;
        reporter.tell(&Event::LocalInstalling { version: VERSION.to_owned() });
        remove_dir(&self.directory())?;
        self.make_venv(base, &turn).await?;
        self.run_pip(&turn).await?;
        File::create(self.marker()).map_err(|error| disk(&self.marker(), &error))?;
        self.remove_others();
        Ok(self.python())
    }

    /// Has the next [`Install::ensure`] install anew.
    pub fn distrust(&self) -> Result<()> {
        match fs::remove_file(self.marker()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(&self.marker(), &error)),
            _ => Ok(()),
        }
    }

    fn name(&self) -> String {
        let hash = Sha256::digest(self.requirements.as_bytes());
        let short: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("ministack-{VERSION}-{short}")
    }

    /// One directory for each set of requirements.
    pub fn directory(&self) -> PathBuf {
        self.root.join(self.name())
    }

    /// Written last: without it the directory is half-finished.
    pub fn marker(&self) -> PathBuf {
        self.directory().join("complete")
    }

    fn python(&self) -> PathBuf {
        self.directory().join("bin").join("python")
    }

    async fn find_python(&self) -> Result<&'static str> {
        let mut refused = None;
        for program in PYTHONS {
            let probe = ["-I", "-c", "import sys; print(*sys.version_info[:3])"];
            let Ok(output) = self.command(program).args(probe).output().await else { continue };
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let numbers: Vec<u32> = said.split_whitespace().filter_map(|part| part.parse().ok()).collect();
            match numbers[..] {
                [major, minor, _] if (major, minor) >= OLDEST_PYTHON => return Ok(program),
                [major, minor, patch] => {
                    let message = format!("{program} is version {major}.{minor}.{patch}, which is too old");
                    refused.get_or_insert(Error::new(Kind::Failed, message));
                }
                // A stand-in that only says how to get the real one.
                _ => {
                    let words = last_lines(&String::from_utf8_lossy(&output.stderr), 2);
                    let message = format!("{program} doesn't run");
                    refused.get_or_insert(Error::new(Kind::Failed, message).because(words));
                }
            }
        }
        let error = refused.unwrap_or_else(|| Error::new(Kind::Failed, "python3 was not found"));
        Err(error
            .remedy(
                "Install Python 3.10 or newer (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew \
                 install python3), or leave out --local to use an AWS account.",
            )
            .into())
    }

    async fn make_venv(&self, base: &str, turn: &File) -> Result<()> {
        let mut command = self.command(base);
        command.args(["-I", "-m", "venv"]).arg(self.directory());
        let Err(words) = run(command, turn).await? else { return Ok(()) };
        if ["ensurepip is not", "No module named ensurepip", "No module named venv"]
            .iter()
            .any(|sign| words.contains(sign))
        {
            // Debian says which package it is.
            let apt = words.lines().map(str::trim).find(|line| line.starts_with("apt"));
            let apt = apt.unwrap_or("apt install python3-venv");
            return Err(Error::new(Kind::Failed, format!("{base} lacks its venv module"))
                .because(first_sentence(&words))
                .remedy(format!(
                    "Install it (Debian, Ubuntu: {apt}) and run the command again, or leave out --local to use \
                     an AWS account."
                ))
                .into());
        }
        Err(Error::new(Kind::Failed, format!("{base} could not make a virtual environment"))
            .because(last_lines(&words, 3))
            .remedy(format!(
                "See that {} can be written and {base} -m venv works, and run the command again.",
                self.root.display()
            ))
            .into())
    }

    async fn run_pip(&self, turn: &File) -> Result<()> {
        let list = self.directory().join("requirements.txt");
        fs::write(&list, &self.requirements).map_err(|error| disk(&list, &error))?;
        let mut command = self.command(self.python());
        command
            .args(["-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"])
            // Wheels only: building from source would fetch and run what has no hash here. Most of botocore's
            // modules are never imported, so compiling them all would only cost time.
            .args(["--require-hashes", "--only-binary", ":all:", "--no-compile", "--requirement"])
            .arg(&list);
        match run(command, turn).await? {
            Ok(()) => Ok(()),
            Err(words) => Err(pip::diagnose(&words).into()),
        }
    }

    /// Other versions' installations. Only called while no server of this cache lives.
    fn remove_others(&self) {
        let Ok(entries) = fs::read_dir(&self.root) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("ministack-") && *name != *self.name() {
                // They only take space: not worth a failure.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        for name in UNWANTED {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }
}

/// Runs a step of the installation to its end. `Err` within is what it said when it failed.
async fn run(mut command: Command, turn: &File) -> Result<Result<(), String>> {
    // The step holds the lock too: if this process is killed, nobody wipes the directory under pip's hands.
    let turn = turn.try_clone()?;
    command.stdin(Stdio::from(turn)).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let program = command.as_std().get_program().display().to_string();
    let output = match command.output().await {
        Ok(output) => output,
        Err(error) => return Ok(Err(format!("{program}: {error}"))),
    };
    if output.status.success() {
        return Ok(Ok(()));
    }
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).into_owned();
    Ok(Err(if words.trim().is_empty() { format!("{program}: {}", output.status) } else { words }))
}

fn first_sentence(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.split_once(". ").map_or(words.as_str(), |(first, _)| first).to_owned()
}
