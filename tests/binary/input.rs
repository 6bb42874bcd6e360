//! Bad input: one clear error with the place, the rule and the remedy, exit code 2, and nothing is called.

use crate::sandbox::{Run, Sandbox};

/// Every error, as it is read, in one snapshot.
#[test]
fn each_bad_input_says_the_place_the_value_and_the_rule() {
    let sandbox = Sandbox::new();
    let shown = |line: &str, run: Run| {
        assert_eq!(run.code, 2, "{line}: {run:?}");
        assert_eq!(run.stdout, "", "{line}");
        format!("$ kinesis-stack {line}\n{}\n", run.stderr.replace(sandbox.home().to_str().unwrap(), "~"))
    };
    let mut text = String::new();
    sandbox.file("not-a-program", "hello");
    sandbox.file("rows.jsonl", "{\"id\": 1}\n{\"id\": }\n");
    sandbox.file("unknown.yaml", "env: dev\nshard: 2\n");
    sandbox.file("rule.yaml", "env: dev\nshards: 0\n");
    sandbox.file("name.yaml", "env: Dev\n");
    sandbox.file("broken.yaml", "env: [dev\n");
    for line in [
        "status --env Dev",
        "status --env abcdefghijklmnopqrstu",
        "status --region useast1",
        "status",
        "up --local --shards 0",
        "up --local --stream-retention 2h",
        "up --local --buffer-interval 16m",
        "up --local --buffer-size 0",
        "up --local --log-retention 2d",
        "up --local --architecture sparc",
        "up --local --timeout 10",
        "up --local --processor not-a-program",
        "up --local --processor nowhere.zip",
        "produce --local --records 0",
        "produce --local --rate fast",
        "produce --local --duration 0s",
        "produce --local --seed -1",
        "produce --local --records 9 --shape burst",
        "produce --local --key symbol",
        "produce --local --from nowhere.jsonl",
        "produce --local --from rows.jsonl",
        "produce --local --from rows.jsonl --key id --ordered",
        "produce --local --from rows.jsonl --ordered",
        "consume --local --from newest",
        "consume --local --from 2999-01-01T00:00:00Z",
        "consume --local --records 0",
        "consume --local --template {shards}",
        "consume --local --template {data} --output text --stats",
        "results --local --wait some",
        "results --local --wait 1 --timeout 0s",
        "render --config nowhere.yaml",
        "render --config unknown.yaml",
        "render --config rule.yaml",
        "render --config name.yaml",
        "render --config broken.yaml",
        "up --frobnicate",
        "up --local --profile x",
        "up --local --ttl 5m",
        "extend --local 0s",
        "list --env pr-1",
        "reap --local --env pr-1",
        "reap --local --at-once 0",
        "reap --local --tag team",
    ] {
        text.push_str(&shown(line, sandbox.run(line)));
    }
    let run = Run::of(sandbox.command("status").env("KINESIS_STACK_ENV", "Dev").output().unwrap());
    text.push_str(&shown("status    # KINESIS_STACK_ENV=Dev", run));
    let run = Run::of(
        sandbox.command("list --region us-east-1").env("AWS_CA_BUNDLE", "not-a-program").output().unwrap(),
    );
    text.push_str(&shown("list --region us-east-1    # AWS_CA_BUNDLE=not-a-program", run));
    insta::assert_snapshot!(text);
    assert!(!sandbox.cache().join("local/server.json").exists(), "nothing was started");
}

#[test]
fn a_variable_that_is_no_text_is_refused_instead_of_passed_over() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let name = std::ffi::OsStr::from_bytes(b"pr\xff");
    let run = Run::of(sandbox.command("down --local --yes").env("KINESIS_STACK_ENV", name).output().unwrap());
    assert_eq!(run.code, 2, "{run:?}");
}

#[test]
fn flag_goes_before_variable_before_file_before_default() {
    let sandbox = Sandbox::new();
    let env_of = |line: &str, variable: Option<&str>| {
        let mut command = sandbox.command(line);
        command.envs(variable.map(|value| ("KINESIS_STACK_ENV", value)));
        let run = Run::of(command.output().unwrap());
        let line = run.stdout.lines().nth(1).unwrap().to_owned();
        line.split_whitespace().nth(2).unwrap().to_owned()
    };
    assert_eq!(env_of("render", None), "dev");
    sandbox.file("kinesis-stack.yaml", "env: from-file\nshards: 3\n");
    assert_eq!(env_of("render", None), "from-file");
    assert_eq!(env_of("render", Some("from-variable")), "from-variable");
    assert_eq!(env_of("render --env from-flag", Some("from-variable")), "from-flag");
    assert!(sandbox.ok("render").stdout.contains("ShardCount: 3"));
    assert!(sandbox.ok("render --shards 4").stdout.contains("ShardCount: 4"));
}

#[test]
fn without_credentials_the_error_says_how_to_get_some() {
    let sandbox = Sandbox::new();
    let run = sandbox.run("list --region us-east-1");
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("aws sso login") && run.stderr.contains("--local"), "{}", run.stderr);
}

#[test]
fn in_json_a_failure_is_the_last_object_on_stdout_and_the_words_stay_on_stderr() {
    let sandbox = Sandbox::new();
    for verb in ["status", "produce --records 1"] {
        let run = sandbox.run(&format!("{verb} --local --output json"));
        assert_eq!(run.code, 6, "{run:?}");
        let end = run.end();
        assert_eq!(
            (end["code"].as_str(), end["kind"].as_str()),
            (Some("failed"), Some("no-such-environment"))
        );
        assert_eq!(end["env"], "dev");
        assert!(end["remedies"][0].as_str().unwrap().contains("kinesis-stack up --local"), "{end}");
        assert!(run.stderr.starts_with("error: there is no environment dev"), "{}", run.stderr);
    }
}

#[test]
fn a_local_verb_without_a_local_cloud_starts_none() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run("status --local").code, 6);
    assert_eq!(sandbox.run("results --local").code, 6);
    assert_eq!(
        sandbox.ok("down --local").stderr,
        "✓ kinesis-stack-dev is not there, and nothing is left of it\n"
    );
    assert_eq!(sandbox.ok("list --local --output json").stdout.trim(), "[]");
    assert_eq!(sandbox.ok("local stop --output json").end()["changed"], false);
    let status: serde_json::Value =
        serde_json::from_str(&sandbox.ok("local status --output json").stdout).unwrap();
    assert_eq!(status["state"], "stopped");
    assert_eq!(sandbox.run("local logs").code, 6);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("render");
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn what_stdout_does_not_take_is_a_failure_that_names_it() {
    let sandbox = Sandbox::new();
    // The shell opens what stdout leads to; nothing of this machine's settings comes with it.
    let redirected = |line: &str, to: &str| {
        let command = sandbox.command(line);
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(format!("exec \"$0\" \"$@\" {to}")).arg(command.get_program());
        shell.args(command.get_args()).current_dir(sandbox.home()).env_clear();
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Run::of(shell.output().unwrap())
    };
    for line in ["list --local --output json", "render", "down --local --output json"] {
        let full = redirected(line, "> /dev/full");
        assert_eq!(full.code, 1, "{line}: {full:?}");
        assert!(full.stderr.contains("cannot write to stdout"), "{line}: {full:?}");
        // Whoever closes it wants to see nothing.
        for to in ["> /dev/null", "<> /dev/null >&0", ">&-"] {
            assert_eq!(redirected(line, to).code, 0, "{line} {to}");
        }
    }
}

#[test]
fn a_line_of_a_command_about_all_environments_names_none() {
    let sandbox = Sandbox::new();
    for line in
        ["reap --local --output json", "reaper down --local --output json", "local stop --output json"]
    {
        let run = sandbox.ok(line);
        assert!(run.lines().iter().all(|it| it["env"].is_null()), "{line}: {run:?}");
        crate::schema::assert_events(&run);
    }
}
