//! The built binary on a terminal, and in a pipe.

use kinesis_stack::report::dashboard::Dashboard;
use serde_json::{Value, json};
use simulated_aws::{Aws, Clock, serve};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// How many seconds pass in the account in one of ours.
const SPEED: f64 = 60.0;

/// The endpoint of an account with an environment, for all tests that leave it there.
fn endpoint() -> &'static str {
    static ENDPOINT: OnceLock<String> = OnceLock::new();
    ENDPOINT.get_or_init(with_an_environment)
}

/// The endpoint of a new account with an environment.
fn with_an_environment() -> String {
    let aws = Aws::new("us-east-1").on_clock(Clock::compressed(SPEED));
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            serve(aws, listener).await.unwrap();
        });
    });
    let endpoint = heard.recv().unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("bootstrap"), "#!/bin/sh\n").unwrap();
    let mut up = tool(&endpoint);
    up.args(["up", "--yes", "--no-smoke", "--quiet", "--processor", "bootstrap"]);
    let up = up.current_dir(directory.path()).output().unwrap();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    endpoint
}

fn tool(endpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinesis-stack"));
    clean(&mut command, endpoint);
    command
}

/// Nothing of this machine's settings, and nothing off loopback.
fn clean(command: &mut Command, endpoint: &str) {
    let home = std::env::temp_dir();
    command.env_clear().envs([
        ("PATH", std::env::var("PATH").unwrap_or_default().as_str()),
        ("HOME", home.to_str().unwrap()),
        ("TERM", "xterm-256color"),
        ("LANG", "C.UTF-8"),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("NO_PROXY", "127.0.0.1"),
    ]);
    command.stdin(Stdio::null());
}

/// Runs `watch` on a terminal of 80 × 24.
fn on_a_terminal(steps: &Value) -> Value {
    run_on_a_terminal(steps, &[env!("CARGO_BIN_EXE_kinesis-stack"), "watch"], endpoint())
}

fn run_on_a_terminal(steps: &Value, program: &[&str], endpoint: &str) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/watch/terminal.py");
    let mut command = Command::new("python3");
    clean(&mut command, endpoint);
    command.arg(script).arg(steps.to_string()).args(program);
    let run = command.output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout).into_owned();
    serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}{}", String::from_utf8_lossy(&run.stderr)))
}

const ENTERED: &str = "\u{1b}[?1049h";
const LEFT: &str = "\u{1b}[?1049l";
const CURSOR: &str = "\u{1b}[?25h";

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    for (end, code) in [
        (json!(["send", "q"]), 0),
        (json!(["send", "\u{1b}"]), 0),
        (json!(["send", "\u{3}"]), 130),
        (json!(["signal", 2]), 130),
        (json!(["signal", 15]), 143),
    ] {
        let run = on_a_terminal(&json!([["until", "kinesis-stack-dev"], ["until", "metrics"], end]));
        let output = run["output"].as_str().unwrap();
        assert_eq!(run["code"], code, "{end}: {output}");
        assert_eq!(run["restored"], true, "{end}: the terminal's modes are what they were");
        let (entered, left) = (output.find(ENTERED), output.rfind(LEFT));
        assert!(entered.is_some() && entered < left, "{end}: {output:?}");
        let after = &output[left.unwrap()..];
        assert!(after.contains(CURSOR), "{end}: {after:?}");
        assert_eq!(after.replace(LEFT, "").replace(CURSOR, "").trim(), "", "{end}: nothing is left on it");
    }
}

#[test]
#[ignore = "panics on purpose, for the test below"]
fn panic_on_the_screen() {
    let _dashboard = Dashboard::open(false).unwrap();
    panic!("on purpose");
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_says_what_happened() {
    let tests = std::env::current_exe().unwrap();
    let test = format!("{}::panic_on_the_screen", module_path!().split_once("::").unwrap().1);
    let program = [tests.to_str().unwrap(), "--ignored", "--exact", &test, "--nocapture"];
    let run = run_on_a_terminal(&json!([]), &program, "http://127.0.0.1:9");
    let output = run["output"].as_str().unwrap();
    assert_eq!((&run["code"], &run["restored"]), (&json!(101), &json!(true)), "{output}");
    let (entered, left, told) = (output.find(ENTERED), output.find(LEFT), output.find("on purpose"));
    assert!(entered.is_some() && entered < left && left < told, "{output:?}");
}

#[test]
fn it_draws_anew_for_another_size_and_answers_keys() {
    let run = on_a_terminal(&json!([
        ["until", "kinesis-stack-dev"],
        ["size", 60, 20],
        ["until", "needs"],
        ["size", 100, 30],
        ["until", "kinesis-stack-dev"],
        ["send", "?"],
        ["until", "Ctrl-Z"],
        // Escape with a letter right behind it would be another key.
        ["send", "?p"],
        ["until", "PAUSED"],
        ["send", "q"]
    ]));
    assert_eq!((&run["code"], &run["restored"]), (&json!(0), &json!(true)), "{}", run["output"]);
}

#[test]
fn after_a_suspension_it_draws_all_of_it_anew_and_goes_on() {
    // The shell's part is left out: what has no shell above it isn't stopped, and goes on at once.
    let run = on_a_terminal(&json!([
        ["until", "kinesis-stack-dev"],
        ["until", "metrics"],
        ["send", "\u{1a}"],
        ["until", "kinesis-stack-dev"],
        ["send", "q"]
    ]));
    let output = run["output"].as_str().unwrap();
    assert_eq!((&run["code"], &run["restored"]), (&json!(0), &json!(true)), "{output}");
    assert_eq!((output.matches(ENTERED).count(), output.matches(LEFT).count()), (2, 2), "{output:?}");
}

#[test]
fn without_a_terminal_it_says_what_does_instead_before_anything_is_called() {
    let run = tool("http://127.0.0.1:9").arg("watch").output().unwrap();
    let told = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{told}");
    for part in ["stdout is none", "watch --output json", "logs --follow", "consume --stats"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(run.stdout.is_empty());
}

#[test]
fn in_a_pipe_it_is_one_object_a_look_until_the_reader_has_seen_enough() {
    let mut command = tool(endpoint());
    command.args(["watch", "--output", "json", "--every", "1s"]).stdout(Stdio::piped());
    let mut run = command.spawn().unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let board: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&board["env"], &board["stack"]), (&json!("dev"), &json!("kinesis-stack-dev")));
        assert_eq!(board["legs"]["stream"]["state"], "1 shard");
        assert_eq!(board["sources"]["objects"]["error"], Value::Null);
        assert_eq!(board["cost_per_hour"]["stream"], 0.015);
    }
    drop(lines);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn of_an_environment_that_was_taken_down_meanwhile_it_says_so() {
    let endpoint = with_an_environment();
    let mut command = tool(&endpoint);
    command.args(["watch", "--output", "json", "--every", "1s"]).stdout(Stdio::piped());
    let mut run = command.spawn().unwrap();
    let lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let mut statuses = lines.map(|line| {
        let board: Value = serde_json::from_str(&line.unwrap()).unwrap();
        board["status"].as_str().unwrap().to_owned()
    });
    assert_eq!(statuses.next().as_deref(), Some("CREATE_COMPLETE"));
    let down = tool(&endpoint).args(["down", "--yes", "--quiet"]).output().unwrap();
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    // The state is asked for every ten seconds.
    assert!(statuses.by_ref().take(60).any(|status| status == "DELETE_COMPLETE"));
    drop(statuses);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}
