//! The built binary in pipelines: what runners are told, and what stays clean of it.

use crate::sandbox::{Run, Sandbox};
use crate::schema::{assert_events, assert_plan};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// A step of a job on GitHub, with the files that its runner makes.
fn on_github(sandbox: &Sandbox, line: &str) -> Command {
    let mut command = sandbox.command(line);
    command
        .env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", sandbox.file("summary.md", ""))
        .env("GITHUB_OUTPUT", sandbox.file("output", ""));
    command
}

fn run(mut command: Command) -> Run {
    Run::of(command.output().unwrap())
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    std::fs::read_to_string(sandbox.home().join(name)).unwrap()
}

/// How many lines begin with this.
fn count(text: &str, start: &str) -> usize {
    text.lines().filter(|line| line.starts_with(start)).count()
}

/// Of a file of `NAME=value` lines.
fn values(text: &str) -> BTreeMap<&str, &str> {
    text.lines().map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line}"))).collect()
}

#[test]
fn a_job_on_github_gets_groups_a_summary_and_outputs_and_clean_data() {
    let sandbox = Sandbox::new();
    let plan = run(on_github(&sandbox, "plan --local --output json"));
    assert_eq!(plan.code, 0, "{plan:?}");
    assert_plan(&plan);
    assert_eq!(values(&read(&sandbox, "output"))["changed"], "true");
    assert!(read(&sandbox, "summary.md").contains("| Stream | Kinesis::Stream | added |"));

    // Without --yes: a creation loses nothing, and nobody is there to be asked.
    let up = run(on_github(&sandbox, "up --local"));
    assert_eq!(up.code, 0, "{up:?}");
    assert!(up.stdout.lines().all(|line| !line.contains("::group") && !line.contains("::end")), "{up:?}");
    assert!(up.stdout.contains("BucketName"), "{up:?}");
    assert!(up.stderr.contains("::group::Plan\n"), "{up:?}");
    assert!(up.stderr.contains("::group::Creating kinesis-stack-dev\n"), "{up:?}");
    // In a pipeline what is up is tested, too.
    assert!(up.stderr.contains("::group::Smoke test\n"), "{up:?}");
    assert!(up.stderr.contains("  ✓ bucket"), "{up:?}");
    assert_eq!(count(&up.stderr, "::group::"), count(&up.stderr, "::endgroup::"), "{up:?}");
    let output = read(&sandbox, "output");
    let output = values(&output);
    assert_eq!(output["stack"], "kinesis-stack-dev");
    assert_eq!(output["changed"], "true");
    assert_eq!(output["bucket-name"], "kinesis-stack-000000000000-dev-us-east-1");
    assert!(output["stack-id"].starts_with("arn:aws:cloudformation:"));
    let summary = read(&sandbox, "summary.md");
    assert!(summary.starts_with("### ✅ kinesis-stack-dev is up\n"), "{summary}");
    assert!(
        summary.contains("| Delivery | KinesisFirehose::DeliveryStream | ✅ CREATE\\_COMPLETE |"),
        "{summary}"
    );

    assert!(summary.contains("| transform | ✅ |"), "{summary}");

    let again = run(on_github(&sandbox, "up --local --no-smoke --output json"));
    assert_events(&again);
    assert!(again.lines().iter().all(|line| line["code"] != "smoke-sent"), "{again:?}");
    assert_eq!(again.end()["changed"], false);
    assert_eq!(values(&read(&sandbox, "output"))["changed"], "false");

    let produced = run(on_github(&sandbox, "produce --local --records 1 --output json"));
    assert_events(&produced);
    sandbox.ok("results --local --wait 1 --timeout 1m");
    let refused = run(on_github(&sandbox, "down --local"));
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("\n::error title=kinesis-stack down::"), "{refused:?}");
    assert_eq!(count(&refused.stderr, "::group::"), count(&refused.stderr, "::endgroup::"), "{refused:?}");
    assert!(read(&sandbox, "summary.md").contains("Exit code 5."));

    let down = run(on_github(&sandbox, "down --local --yes --output json"));
    assert_events(&down);
    assert!(down.stderr.contains("::group::Deleting kinesis-stack-dev\n"), "{down:?}");
    assert!(read(&sandbox, "summary.md").starts_with("### ✅ kinesis-stack-dev is gone\n"));
}

#[test]
fn a_job_on_gitlab_gets_sections_and_a_dotenv_file() {
    let sandbox = Sandbox::new();
    let gitlab = |line: &str| {
        let mut command = sandbox.command(line);
        command.env("CI", "true").env("GITLAB_CI", "true");
        run(command)
    };
    let up = gitlab("up --local --yes --no-smoke --dotenv outputs.env");
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(
        up.stderr.matches("section_start:").count(),
        up.stderr.matches("section_end:").count(),
        "{up:?}"
    );
    assert!(up.stderr.contains("[collapsed=true]\r\u{1b}[0KPlan\n"), "{up:?}");
    assert!(!up.stdout.contains("section_"), "{up:?}");
    let outputs = read(&sandbox, "outputs.env");
    let outputs = values(&outputs);
    assert_eq!(outputs["KINESIS_STACK_STACK"], "kinesis-stack-dev");
    assert_eq!(outputs["KINESIS_STACK_BUCKET_NAME"], "kinesis-stack-000000000000-dev-us-east-1");
    // Also where nothing had to change: the next job needs them all the same.
    std::fs::remove_file(sandbox.home().join("outputs.env")).unwrap();
    sandbox.ok("up --local --yes --dotenv outputs.env");
    assert!(sandbox.home().join("outputs.env").exists());
    gitlab("down --local --yes");
}

#[test]
fn a_dotenv_file_that_can_not_be_written_is_refused_before_anything_is_done() {
    let sandbox = Sandbox::new();
    let run = sandbox.run("up --local --yes --dotenv nowhere/outputs.env");
    assert_eq!(run.code, 2, "{run:?}");
    assert!(!sandbox.cache().join("local/server.json").exists(), "nothing was started");
}

#[test]
fn what_was_typed_goes_before_what_the_variables_say() {
    let sandbox = Sandbox::new();
    for (kind, marker) in [("off", false), ("plain", false), ("gitlab", false), ("github", true)] {
        let run = run(on_github(&sandbox, &format!("status --local --ci {kind}")));
        assert_eq!(run.code, 6, "{run:?}");
        assert_eq!(run.stderr.contains("::error "), marker, "{kind}: {run:?}");
        assert!(run.stderr.starts_with("error: "), "{kind}: {run:?}");
    }
    assert_eq!(sandbox.run("status --local --ci jenkins").code, 2);
}

#[test]
fn bad_input_is_an_annotation_too() {
    let sandbox = Sandbox::new();
    let run = run(on_github(&sandbox, "up --env Dev"));
    assert_eq!(run.code, 2);
    assert_eq!(count(&run.stderr, "::error title=kinesis-stack up::"), 1, "{run:?}");
}

/// A command that has begun, and whose first call is never answered.
fn hanging(sandbox: &Sandbox) -> (std::process::Child, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    sandbox.file("bootstrap", "#!/bin/sh\n");
    let mut command = on_github(sandbox, "up --region us-east-1 --processor bootstrap");
    command
        .env("AWS_ENDPOINT_URL", format!("http://{}", listener.local_addr().unwrap()))
        .env("AWS_ACCESS_KEY_ID", "AKIAVERYSECRETKEY01")
        .env("AWS_SECRET_ACCESS_KEY", "verysecretvalue")
        .env("NO_PROXY", "127.0.0.1")
        .stderr(Stdio::piped());
    (command.spawn().unwrap(), listener)
}

#[test]
fn a_signal_closes_the_group_that_is_open_and_is_told_outside_of_it() {
    use rustix::process::{Pid, Signal, kill_process};
    let sandbox = Sandbox::new();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (mut child, _listener) = hanging(&sandbox);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().unwrap(), "::group::Processor");
        assert!(lines.next().unwrap().starts_with("Processor "));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{rest:?}");
        assert_eq!(rest[0], "::endgroup::", "{rest:?}");
        assert_eq!(rest.iter().filter(|line| line.starts_with("::error ")).count(), 1, "{rest:?}");
        let files = read(&sandbox, "summary.md") + &read(&sandbox, "output") + &rest.concat();
        assert!(files.contains(&format!("Exit code {code}.")), "{files}");
        assert!(!files.contains("SECRET") && !files.contains("secret"), "{files}");
    }
}
