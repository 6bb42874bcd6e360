//! The built binary, and a terminal that goes away.

use crate::sandbox::Sandbox;
use rustix::process::{Pid, Signal, kill_process};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

/// A command that has begun, and whose first call is never answered.
struct Hanging {
    child: Child,
    _listener: TcpListener,
    _call: TcpStream,
}

/// `shell` may prepare what the command, in `"$@"`, is started with.
fn hanging(sandbox: &Sandbox, line: &str, shell: &str) -> Hanging {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let command = sandbox.command(line);
    // The tests themselves may have been started to outlive a terminal.
    let mut started = Command::new("env");
    started
        .args(["--default-signal=HUP", "sh", "-c", shell, "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    started.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    started
        .current_dir(sandbox.home())
        .env("AWS_ENDPOINT_URL", format!("http://{}", listener.local_addr().unwrap()))
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIAVERYSECRETKEY01")
        .env("AWS_SECRET_ACCESS_KEY", "verysecretvalue")
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = started.spawn().unwrap();
    // It listens to signals before it calls anybody.
    let (call, _) = listener.accept().unwrap();
    Hanging { child, _listener: listener, _call: call }
}

fn pid(hanging: &Hanging) -> Pid {
    Pid::from_child(&hanging.child)
}

#[cfg(target_os = "linux")]
#[test]
fn what_follows_data_ends_cleanly_with_its_terminal() {
    let sandbox = Sandbox::new();
    for line in ["consume --fan-out", "watch --output json", "logs --follow", "produce", "results", "smoke"] {
        let mut hanging = hanging(&sandbox, line, "exec \"$@\"");
        kill_process(pid(&hanging), Signal::HUP).unwrap();
        let ended = hanging.child.wait().unwrap();
        assert_eq!(ended.code(), Some(143), "{line}: {ended}");
    }
}

#[test]
fn an_operation_goes_on_without_the_terminal_and_is_not_taken_back() {
    let sandbox = Sandbox::new();
    let mut hanging = hanging(&sandbox, "down --yes", "exec \"$@\"");
    kill_process(pid(&hanging), Signal::HUP).unwrap();
    assert_eq!(hanging.child.wait().unwrap().signal(), Some(Signal::HUP.as_raw()));
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_started_to_outlive_its_terminal_does() {
    let sandbox = Sandbox::new();
    let mut hanging = hanging(&sandbox, "consume", "trap '' HUP; exec \"$@\"");
    let status = std::fs::read_to_string(format!("/proc/{}/status", hanging.child.id())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
    assert_eq!(mask & 1, 1, "SIGHUP is still ignored: {status}");
    kill_process(pid(&hanging), Signal::HUP).unwrap();
    kill_process(pid(&hanging), Signal::INT).unwrap();
    assert_eq!(hanging.child.wait().unwrap().code(), Some(130));
}
