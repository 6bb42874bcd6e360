//! A machine of its own for one test: a home, a cache, a local cloud that ends with the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What is slow to make is shared by the tests of one target directory: the compiled processor, and the local
/// cloud's installation, that one with the tests of `src/local`.
const SHARED: &[(&str, &str)] = &[("../local-install", "local/install"), ("processor", "processor")];

pub struct Sandbox {
    home: tempfile::TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl Sandbox {
    pub fn new() -> Self {
        let sandbox = Sandbox { home: tempfile::tempdir().unwrap() };
        for (shared, own) in SHARED {
            let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join(shared);
            std::fs::create_dir_all(&shared).unwrap();
            let own = sandbox.cache().join(own);
            std::fs::create_dir_all(own.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(shared, own).unwrap();
        }
        sandbox
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn cache(&self) -> PathBuf {
        self.home().join("cache")
    }

    /// A file in the directory in which commands run.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The command, with an environment in which nothing of this machine's AWS settings is left.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinesis-stack"));
        command
            .args(line.split_whitespace())
            .current_dir(self.home())
            .env_clear()
            .env("HOME", self.home())
            .env("KINESIS_STACK_CACHE_DIR", self.cache())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        // The compiler, pip and their way to the registries are the machine's.
        let homes = [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")];
        for (name, directory) in homes {
            let usual = || std::env::home_dir().map(|home| home.join(directory).into_os_string());
            if let Some(value) = std::env::var_os(name).or_else(usual) {
                command.env(name, value);
            }
        }
        for (name, value) in std::env::vars_os() {
            let text = name.to_string_lossy().to_lowercase();
            if text == "path"
                || text.starts_with("pip_")
                || text.ends_with("_proxy")
                || text.starts_with("ssl_cert")
            {
                command.env(name, value);
            }
        }
        command
    }

    pub fn run(&self, line: &str) -> Run {
        Run::of(self.command(line).output().unwrap())
    }

    /// A run that has to end well.
    pub fn ok(&self, line: &str) -> Run {
        let run = self.run(line);
        assert_eq!(run.code, 0, "{line}: {run:?}\nThe local cloud said:\n{}", self.said_by_the_local_cloud());
        run
    }

    /// The end of the local cloud's log: why a record is missing is told nowhere else.
    fn said_by_the_local_cloud(&self) -> String {
        let log = std::fs::read_to_string(self.cache().join("local/server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Whatever the test came to: no process of it stays.
        let _ = self.command("local stop").output();
    }
}

impl Run {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// The JSON objects on stdout, one a line.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// The last of them.
    pub fn end(&self) -> serde_json::Value {
        self.lines().pop().unwrap_or_else(|| panic!("nothing on stdout: {self:?}"))
    }
}
