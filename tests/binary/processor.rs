//! A processor of one's own, from its crate to its rows, and the one that comes with the tool on a file.

use crate::sandbox::{Run, Sandbox};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

const RECORDS: &str = r#"{"tickerSymbol": "RDS.A", "tradeType": "BUY", "price": "65.06", "quantity": 2891, "id": 1}

no JSON
{"id": 3}
"#;

#[test]
fn a_processor_that_was_begun_passes_its_own_tests_and_becomes_the_function_that_is_tested() {
    let sandbox = Sandbox::new();
    sandbox.file("kinesis-stack.yaml", "shards: 1\n");
    sandbox.file("records.jsonl", RECORDS);
    let begun = sandbox.ok("init processor mine");
    assert!(begun.stderr.contains("`processor: mine` in kinesis-stack.yaml"), "{}", begun.stderr);
    // What comes next works before anybody edits that file.
    assert!(begun.stderr.contains("kinesis-stack up --processor mine"), "{}", begun.stderr);
    let spaced = sandbox.command("init processor").arg("of mine").output().unwrap();
    let spaced = Run::of(spaced);
    assert!(spaced.stderr.contains("$EDITOR 'of mine/src/transform.rs'"), "{}", spaced.stderr);
    assert!(spaced.stderr.contains("--processor 'of mine'"), "{}", spaced.stderr);
    let file = sandbox.run("init processor records.jsonl");
    assert_eq!(file.code, 2);
    assert!(file.stderr.contains("records.jsonl is no directory"), "{}", file.stderr);
    let again = sandbox.run("init processor mine");
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("is there already"), "{}", again.stderr);

    // Its own tests, with no registry to ask and the lock as it was written.
    let crate_directory = sandbox.home().join("mine");
    let mut cargo = sandbox.command("");
    let path = cargo.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value).unwrap();
    let cargo_program =
        std::env::split_paths(path).map(|it| it.join("cargo")).find(|it| it.is_file()).unwrap();
    let environment: Vec<_> =
        cargo.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    cargo = std::process::Command::new(cargo_program);
    cargo.args(["test", "--locked", "--quiet"]).current_dir(&crate_directory).env_clear().envs(environment);
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("own-target"));
    cargo.env("CARGO_NET_OFFLINE", "true").env("RUSTFLAGS", "-Dwarnings");
    let tests = Run::of(cargo.output().unwrap());
    assert_eq!(tests.code, 0, "{tests:?}");
    assert!(tests.stdout.contains("1 passed"), "{tests:?}");

    // What the file names is built, and is what runs: this transform keeps `price` as it is, and drops one record.
    let transform = crate_directory.join("src/transform.rs");
    let text = std::fs::read_to_string(&transform).unwrap();
    let line = "    if let Some(symbol)";
    assert!(text.contains(line));
    let dropping = format!(
        "    if row.get(\"id\") == Some(&Value::from(3)) {{\n        return Ok(None);\n    }}\n{line}"
    );
    std::fs::write(&transform, text.replacen(line, &dropping, 1)).unwrap();
    sandbox.file("kinesis-stack.yaml", "processor: mine\n");
    let tested = sandbox.run("processor test records.jsonl --output json");
    let lines = tested.lines();
    assert_eq!((tested.code, lines.len()), (1, 3), "{tested:?}");
    assert_eq!(
        (&lines[0]["result"], &lines[0]["row"]["stockId"], &lines[0]["row"]["price"]),
        (&Value::from("Ok"), &Value::from("RDS.A"), &Value::from("65.06"),)
    );
    assert_eq!(
        lines[1],
        serde_json::json!({ "line": 3, "result": "ProcessingFailed", "reason": "not a JSON object" })
    );
    assert_eq!(lines[2], serde_json::json!({ "line": 4, "result": "Dropped" }));
    // It is built once.
    let again = sandbox.run("processor test records.jsonl");
    assert!(!again.stderr.contains("Compiling"), "{}", again.stderr);

    // One record that brings a bug to light fails alone.
    let panicking = format!(
        "    if row.get(\"id\") == Some(&Value::from(3)) {{\n        panic!(\"a bug\");\n    }}\n{line}"
    );
    std::fs::write(&transform, text.replacen(line, &panicking, 1)).unwrap();
    let tested = sandbox.run("processor test records.jsonl --output json");
    let lines = tested.lines();
    assert_eq!(lines[0]["result"], "Ok");
    let reason = lines[2]["reason"].as_str().unwrap();
    assert!(reason.starts_with("the transform panicked at src/transform.rs:"), "{reason}");
    assert!(reason.ends_with(": a bug"), "{reason}");
}

#[test]
fn the_processor_that_comes_with_the_tool_runs_on_a_file_and_says_what_becomes_of_each_record() {
    let sandbox = Sandbox::new();
    sandbox.file("records.jsonl", RECORDS);
    let tested = sandbox.run("processor test records.jsonl");
    assert_eq!(tested.code, 1, "a record failed: {tested:?}");
    let lines: Vec<_> = tested.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{tested:?}");
    assert!(
        lines[0].starts_with(r#"     1  Ok       {"tradeType": "BUY", "price": 65.06, "quantity": 2891"#),
        "{}",
        lines[0]
    );
    assert_eq!(lines[1], "     3  Failed   not JSON");
    assert!(lines[2].starts_with(r#"     4  Ok       {"id": 3, "tradeTime": "#), "{}", lines[2]);
    assert!(tested.stderr.contains("3 records: 2 rows, 0 dropped, 1 failed"), "{}", tested.stderr);
    assert!(
        std::fs::read_dir(sandbox.cache().join("processor/run")).unwrap().next().is_none(),
        "nothing is left"
    );

    let mut command = sandbox.command("processor test - --quiet");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"id\": 1}").unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stdout.lines().count(), run.stderr.as_str()), (0, 1, ""));
}

#[test]
fn what_is_no_processor_and_no_file_is_refused_before_anything_is_built() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.home().join("empty")).unwrap();
    let refused = sandbox.run("processor test nothing.jsonl");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("cannot read the records in nothing.jsonl"), "{}", refused.stderr);
    for verb in ["processor test - --processor empty", "up --local --processor empty"] {
        let refused = sandbox.run(verb);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("the processor empty has no Cargo.toml"), "{}", refused.stderr);
    }
}
