//! What the local cloud promises, against real servers. One installation in the target directory serves all
//! tests but those about installing; each test has a cache directory of its own and ends its server, even when
//! it fails.

mod install;
mod server;

use super::files::Files;
use super::{LocalCloud, Running, State, lock, process};
use crate::error::Error;
use crate::event::{Event, Question, Reporter};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Remembers what was told.
#[derive(Default)]
struct Told(Mutex<Vec<Event>>);

impl Reporter for Told {
    fn tell(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }

    fn ask(&self, _: &Question) -> Option<bool> {
        None
    }
}

impl Told {
    fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|event| wanted(event)).count()
    }

    fn starts(&self) -> usize {
        self.count(|event| matches!(event, Event::LocalStarting { .. }))
    }

    fn installations(&self) -> usize {
        self.count(|event| matches!(event, Event::LocalInstalling { .. }))
    }
}

/// A cache directory, and the promise that no server outlives the test.
struct Place {
    cache: TempDir,
    installs: PathBuf,
}

impl Place {
    fn new() -> Self {
        Place { cache: tempfile::tempdir().unwrap(), installs: shared_install() }
    }

    fn with_own_install() -> Self {
        let cache = tempfile::tempdir().unwrap();
        let installs = cache.path().join("local/install");
        Place { cache, installs }
    }

    fn cloud(&self) -> LocalCloud {
        LocalCloud::with_install(self.cache.path(), &self.installs)
    }

    fn files(&self) -> Files {
        Files { root: self.cache.path().join("local") }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(record) = self.files().record().filter(|_| lock::is_held(&self.files().alive())) {
            process::kill_group(record.pid);
        }
        for pid in process::of_run(&self.files().run()) {
            process::kill(pid);
        }
    }
}

/// `<target>/local-install`: also what tests of the binary can share.
fn shared_install() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().find(|path| path.ends_with("deps")).unwrap().join("../../local-install")
}

/// Waits for what must come about soon.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "never came about: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn port(running: &Running) -> u16 {
    running.endpoint.strip_prefix("http://127.0.0.1:").unwrap().parse().unwrap()
}

/// Deploys a function and calls it, so that the server has a child, and that child one too. Neither ends by
/// itself when the server dies.
fn start_a_function(running: &Running) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/local/tests/deploy.py");
    let output = Command::new("python3").args(["-I", script, &running.endpoint]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("AWS_LAMBDA_RUNTIME_API"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// A `python3` that is a shell script, alone in its directory.
fn fake_python(script: &str) -> (TempDir, (String, String)) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("python3");
    let mut file =
        fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o755).open(path).unwrap();
    writeln!(file, "#!/bin/sh\n{script}").unwrap();
    let path = ("PATH".to_owned(), directory.path().display().to_string());
    (directory, path)
}
