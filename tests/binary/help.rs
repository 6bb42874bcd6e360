use crate::sandbox::Sandbox;

#[test]
fn help_of_every_verb_is_what_was_reviewed() {
    let sandbox = Sandbox::new();
    let verbs = [
        "",
        "up",
        "plan",
        "status",
        "down",
        "list",
        "extend",
        "reap",
        "reaper",
        "reaper up",
        "reaper status",
        "reaper down",
        "produce",
        "consume",
        "results",
        "results download",
        "logs",
        "smoke",
        "watch",
        "init processor",
        "processor test",
        "render",
        "local",
        "local logs",
        "demo",
    ];
    let mut text = String::new();
    for verb in verbs {
        let run = sandbox.ok(&format!("{verb} --help"));
        assert_eq!(run.stderr, "", "help is data");
        text.push_str(&format!("$ kinesis-stack {verb} --help\n{}\n", run.stdout));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn render_needs_neither_network_nor_credentials_nor_a_home() {
    let sandbox = Sandbox::new();
    let run = sandbox
        .command("render --env pr-42")
        .env_remove("HOME")
        .env_remove("KINESIS_STACK_CACHE_DIR")
        .output();
    let run = crate::sandbox::Run::of(run.unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, sandbox.ok("render --env pr-42").stdout, "the same bytes each time");
    assert!(run.stdout.starts_with("AWSTemplateFormatVersion:"));
}

#[test]
fn version_is_the_packages() {
    assert_eq!(
        Sandbox::new().ok("--version").stdout,
        format!("kinesis-stack {}\n", env!("CARGO_PKG_VERSION"))
    );
}
