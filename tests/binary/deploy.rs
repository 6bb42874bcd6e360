//! The built binary and a simulated account: what pipelines read of a plan, and what a second signal does.

use crate::sandbox::{Run, Sandbox};
use crate::simulated::{simulated, there};
use rustix::process::{Pid, Signal, kill_process};
use simulated_aws::Aws;
use std::process::{Child, Stdio};
use std::time::Duration;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("bootstrap", "#!/bin/sh\n");
    sandbox
}

fn run(sandbox: &Sandbox, endpoint: &str, line: &str) -> Run {
    let command = sandbox.command(&format!("{line} --processor bootstrap"));
    Run::of(there(command, endpoint).output().unwrap())
}

#[test]
fn a_pipeline_reads_from_the_exit_code_of_a_plan_what_would_change() {
    let (_aws, endpoint) = simulated(600.0);
    let sandbox = sandbox();
    let code = |line: &str| run(&sandbox, &endpoint, line).code;
    assert_eq!(code("plan --exit-code --stream-retention 48h"), 10, "a creation");
    assert_eq!(code("plan --stream-retention 48h"), 0, "unless it is asked for");
    assert_eq!(code("up --yes --stream-retention 48h"), 0);
    assert_eq!(code("plan --exit-code --stream-retention 48h"), 0, "nothing");
    assert_eq!(code("plan --exit-code --stream-retention 24h"), 11, "what is older than a day is lost");
    assert_eq!(code("plan --exit-code --stream-retention 72h"), 10, "nothing is lost");
}

#[test]
fn a_plan_that_was_written_to_a_file_is_executed_once_and_refused_where_the_world_moved() {
    let (aws, endpoint) = simulated(600.0);
    let sandbox = sandbox();
    let run = |line: &str| run(&sandbox, &endpoint, line);
    assert_eq!(run("up --yes").code, 0);
    for shards in [2, 4] {
        let plan = run(&format!("plan --shards {shards} --output json"));
        sandbox.file(&format!("{shards}.json"), plan.stdout);
    }
    let up = run("up --plan 2.json");
    assert_eq!(up.code, 0, "{up:?}");
    let shards = || aws.now().stack("kinesis-stack-dev").unwrap().deployed.template.contains("ShardCount: 2");
    assert!(shards());
    // Of the same stack as it was before that.
    let up = run("up --plan 4.json");
    assert_eq!(up.code, 5, "{up:?}");
    assert!(shards(), "{up:?}");
}

/// Waits until the account was called so.
fn until_called(aws: &Aws, operation: &str, child: &mut Child) {
    while !aws.now().calls.iter().any(|call| call.operation == operation) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before {operation}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_second_signal_detaches_at_once_from_what_the_first_one_began() {
    let (aws, endpoint) = simulated(4.0);
    let sandbox = sandbox();
    // Nothing would be over before the test's own end.
    aws.now().script.pace = 1_000.0;
    let mut command = there(sandbox.command("up --yes --processor bootstrap"), &endpoint);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    until_called(&aws, "ExecuteChangeSet", &mut child);
    kill_process(pid, Signal::INT).unwrap();
    until_called(&aws, "DeleteStack", &mut child);
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let account = aws.now();
    assert_eq!(account.calls.iter().filter(|call| call.operation == "DeleteStack").count(), 1);
    let is_gone = account.stacks.iter().all(|stack| stack.is_gone());
    assert!(!is_gone, "the deletion goes on by itself");
}
