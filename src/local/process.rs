//! Finding and ending the server's processes.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::path::Path;

/// Kills the server and all children that it started: they stay in the group that it leads.
pub(super) fn kill_group(leader: u32) {
    // Whoever is gone already can't be killed: no error to speak of.
    if let Some(pid) = pid(leader) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Kills one process.
pub(super) fn kill(process: u32) {
    if let Some(pid) = pid(process) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

/// The processes that belong to a server with this run directory: the server and its functions' processes,
/// also where the server died and left them. Told by their temporary directory, because a dead server's
/// process group may by now be somebody else's.
#[cfg(target_os = "linux")]
pub(super) fn of_run(run: &Path) -> Vec<u32> {
    use std::os::unix::ffi::OsStrExt;
    let marker = [b"TMPDIR=", run.as_os_str().as_bytes()].concat();
    let belongs = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker)
    };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(belongs).collect()
}

/// The same where there is no `/proc`: functions are programs below the run directory.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_run(run: &Path) -> Vec<u32> {
    let Ok(output) = std::process::Command::new("ps").args(["-axww", "-o", "pid=,command="]).output() else {
        return Vec::new();
    };
    let (run, list) = (format!("{}/", run.display()), String::from_utf8_lossy(&output.stdout).into_owned());
    let processes = list.lines().filter_map(|line| line.trim_start().split_once(' '));
    let ours = processes.filter(|(_, command)| command.trim_start().starts_with(&run));
    ours.filter_map(|(pid, _)| pid.parse().ok()).collect()
}
