//! The reaper: the built binary as a function, and its deployment on the local cloud.

use crate::runtime::RuntimeApi;
use crate::sandbox::{Run, Sandbox};
use crate::schema::assert_events;
use crate::services::{clients, left};
use crate::simulated::{simulated, there};
use kinesis_stack::environment::{Environment, TAG_EXPIRES};
use kinesis_stack::reaper::FUNCTION;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};

const PAST: &str = "2026-01-01T00:00:00Z";
const FUTURE: &str = "2999-01-01T00:00:00Z";

/// The process of the function. Ends with the test.
struct Function(Child);

impl Function {
    fn start(sandbox: &Sandbox, api: &RuntimeApi, endpoint: &str) -> Self {
        let mut command = there(sandbox.command(""), endpoint);
        command.env("AWS_LAMBDA_RUNTIME_API", &api.address).env("_HANDLER", "bootstrap");
        Function(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Ends it, and returns its log.
    fn log(mut self) -> Vec<Value> {
        self.0.kill().unwrap();
        let mut log = String::new();
        std::io::Read::read_to_string(self.0.stdout.as_mut().unwrap(), &mut log).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn as_a_function_it_reaps_what_has_expired_and_nothing_else() {
    let (aws, endpoint) = simulated(600.0);
    let sandbox = Sandbox::new();
    sandbox.file("bootstrap", "#!/bin/sh\n");
    for options in ["--env old", "--env kept --protect", "--env young", "--env endless"] {
        let command = sandbox.command(&format!("up --yes --processor bootstrap {options}"));
        let up = Run::of(there(command, &endpoint).output().unwrap());
        assert_eq!(up.code, 0, "{options}: {up:?}");
    }
    for (name, expires) in [("old", PAST), ("kept", PAST), ("young", FUTURE)] {
        let mut account = aws.now();
        let stack = account.stack(&format!("kinesis-stack-{name}")).unwrap();
        stack.deployed.tags.insert(TAG_EXPIRES.to_owned(), expires.to_owned());
    }
    let api = RuntimeApi::new();
    let function = Function::start(&sandbox, &api, &endpoint);

    let looked = api.invoke(r#"{"dry_run": true}"#);
    assert_eq!(looked.path, "invocation/8476a536/response", "{looked:?}");
    assert_eq!(looked.body["reaped"], json!([]));
    assert!(aws.now().stack("kinesis-stack-old").is_some());

    let told = api.invoke("{}");
    assert_eq!(told.body["reaped"], json!(["old"]), "{told:?}");
    assert_eq!((&told.body["failed"], &told.body["left_alone"][0][0]), (&json!([]), &json!("kept")));
    {
        let mut account = aws.now();
        assert!(account.stack("kinesis-stack-old").is_none());
        assert!(!account.buckets.keys().any(|name| name.contains("-old-")));
        assert!(!account.things.keys().any(|(_, name)| name.contains("kinesis-stack-old")));
        for name in ["kept", "young", "endless"] {
            assert_eq!(account.stack(&format!("kinesis-stack-{name}")).unwrap().status, "CREATE_COMPLETE");
        }
    }

    // An event that it doesn't take is an error of the function, and the next one is answered all the same.
    let refused = api.invoke(r#"{"nonsense": 1}"#);
    assert_eq!(refused.path, "invocation/8476a536/error");
    assert_eq!(refused.error_type.as_deref(), Some("bad-input"));
    assert!(refused.body["errorMessage"].as_str().unwrap().contains("nonsense"), "{refused:?}");
    let left = api.invoke("{}").body;
    assert_eq!((&left["due"], &left["left_alone"][0][0]), (&json!([]), &json!("kept")));
    // So is a run that can't even find out what is there.
    aws.now().script.denied.insert("cloudformation:DescribeStacks".to_owned());
    let denied = api.invoke("{}");
    assert_eq!(denied.error_type.as_deref(), Some("credentials"), "{denied:?}");

    let log = function.log();
    assert_events(&Run {
        stdout: log.iter().map(|line| format!("{line}\n")).collect(),
        stderr: String::new(),
        code: 0,
    });
    let runs: Vec<&Value> = log.iter().filter(|line| line["code"] == "reaper-ran").collect();
    assert_eq!(runs.len(), 5, "a line for each run");
    assert_eq!((&runs[1]["reaped"], &runs[1]["left_alone"]), (&json!(["old"]), &json!(["kept"])));
    assert!(runs[4]["error"].as_str().unwrap().contains("DescribeStacks"), "{}", runs[4]);
    assert!(log.iter().any(|line| line["env"] == "old" && line["code"] == "operation-started"), "{log:?}");
}

#[test]
fn what_its_time_was_too_short_for_is_done_by_its_next_run() {
    let (aws, endpoint) = simulated(40.0);
    let sandbox = Sandbox::new();
    sandbox.file("bootstrap", "#!/bin/sh\n");
    let up = there(sandbox.command("up --yes --processor bootstrap --env old"), &endpoint).output().unwrap();
    assert_eq!(up.status.code(), Some(0), "{up:?}");
    let stack = "kinesis-stack-old";
    {
        let mut account = aws.now();
        let tag = (TAG_EXPIRES.to_owned(), PAST.to_owned());
        account.stack(stack).unwrap().deployed.tags.extend([tag.clone()]);
        // As on its stack: what is left of an environment says by itself that its time is over.
        account
            .buckets
            .values_mut()
            .filter(|it| !it.tags.is_empty())
            .for_each(|it| it.tags.extend([tag.clone()]));
    }
    let api = RuntimeApi::new();
    let function = Function::start(&sandbox, &api, &endpoint);
    // Longer than it takes to begin, and far shorter than a deletion, which takes a minute there.
    let told = api.invoke_within(std::time::Duration::from_millis(1_000), "{}");
    assert_eq!(told.path, "invocation/8476a536/response", "{told:?}");
    assert_eq!((&told.body["reaped"], &told.body["interrupted"]), (&json!([]), &json!(["old"])), "{told:?}");
    let told = api.invoke("{}");
    assert_eq!((&told.body["reaped"], &told.body["failed"]), (&json!(["old"]), &json!([])), "{told:?}");
    let account = aws.now();
    assert!(account.things.is_empty() && account.buckets.is_empty(), "{:?}", account.buckets.keys());
    drop(account);
    let log = function.log();
    let runs: Vec<&Value> = log.iter().filter(|line| line["code"] == "reaper-ran").collect();
    assert_eq!((&runs[0]["interrupted"], &runs[1]["reaped"]), (&json!(["old"]), &json!(["old"])));
}

#[test]
fn without_a_runtime_api_it_ends_and_lambda_may_start_another() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("");
    // Nobody listens there.
    command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").env("_HANDLER", "bootstrap");
    assert_eq!(Run::of(command.output().unwrap()).code, 1);
}

#[test]
fn bad_input_is_told_before_anything_is_called() {
    let sandbox = Sandbox::new();
    sandbox.file("text", "hello");
    for (line, place) in [
        ("reaper up --every 4m", "--every `4m`"),
        ("reaper up --every 25h", "--every `25h`"),
        ("reaper up --every soon", "--every `soon`"),
        ("reaper up --binary text", "text can't run as a function on AWS: it is no Linux program"),
        ("reaper up --binary nowhere", "cannot read nowhere"),
        ("reaper up --role-arn me", "--role-arn `me`"),
        ("reaper down --timeout 0s", "--timeout `0s`"),
    ] {
        // A call would end at a closed port, with another exit code.
        let run = Run::of(there(sandbox.command(line), "http://127.0.0.1:9").output().unwrap());
        assert_eq!(run.code, 2, "{line}: {run:?}");
        assert!(run.stderr.contains(place), "{line}: {run:?}");
    }
    assert_eq!(sandbox.run("reaper status --local").code, 6);
}

/// This binary without what only debuggers read: less to pack and to unpack.
fn small_binary(sandbox: &Sandbox) -> String {
    let small = sandbox.home().join("small").to_string_lossy().into_owned();
    let binary = env!("CARGO_BIN_EXE_kinesis-stack");
    match Command::new("strip").args(["-o", &small, binary]).status() {
        Ok(status) if status.success() => small,
        _ => binary.to_owned(),
    }
}

#[tokio::test]
async fn on_the_local_cloud_a_deployed_reaper_ends_what_has_expired() {
    let sandbox = Sandbox::new();
    sandbox.file("bootstrap", "#!/bin/sh\n");
    let binary = small_binary(&sandbox);
    for env in ["old", "young"] {
        sandbox.ok(&format!("up --local --env {env} --ttl 2h --yes --processor bootstrap"));
    }
    let up = sandbox.ok(&format!("reaper up --local --yes --every 1h --binary {binary} --output json"));
    assert_events(&up);
    assert_eq!((up.end()["code"].as_str(), up.end()["changed"].as_bool()), (Some("done"), Some(true)));
    let listed: Value = serde_json::from_str(&sandbox.ok("list --local --output json").stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "the reaper is no environment");

    let clients = clients(&sandbox).await;
    let (old, young) = (environment("old"), environment("young"));
    expire(&clients, &old).await;
    assert_eq!(left(&clients, &old).await.len(), 8);
    let invoked = clients.lambda.invoke().function_name(FUNCTION).payload(b"{}".to_vec().into());
    let invoked = invoked.send().await.unwrap();
    let answer: Value = serde_json::from_slice(invoked.payload().unwrap().as_ref()).unwrap();
    assert_eq!(invoked.function_error(), None, "{answer}");
    assert_eq!((&answer["reaped"], &answer["failed"]), (&json!(["old"]), &json!([])), "{answer}");
    assert_eq!(left(&clients, &old).await, [""; 0]);
    assert_eq!(left(&clients, &young).await.len(), 8);

    let status: Value =
        serde_json::from_str(&sandbox.ok("reaper status --local --output json").stdout).unwrap();
    assert_eq!(status["schedule"], "rate(1 hour)");
    assert_eq!(status["runs"][0]["reaped"], json!(["old"]), "{status}");
    assert!(sandbox.ok("reaper status --local").stdout.contains("1 environment torn down (old)"));

    let down = sandbox.ok("reaper down --local --yes --output json");
    assert_events(&down);
    assert_eq!(down.end()["changed"], true);
    assert!(clients.lambda.get_function().function_name(FUNCTION).send().await.is_err());
    assert_eq!(sandbox.ok("reaper down --local --yes --output json").end()["changed"], false);
    assert_eq!(sandbox.run("reaper status --local").code, 6);
    sandbox.ok("down --local --env young --yes");
}

fn environment(name: &str) -> Environment {
    Environment::new(name.parse().unwrap())
}

/// Somebody turns the clock: the time of an environment was over long ago.
async fn expire(clients: &kinesis_stack::cloud::Clients, environment: &Environment) {
    use aws_sdk_cloudformation::types::{Capability, Parameter, Tag};
    let found =
        clients.cloudformation.describe_stacks().stack_name(environment.stack()).send().await.unwrap();
    let stack = &found.stacks()[0];
    let tags = stack.tags().iter().map(|tag| match tag.key() {
        Some(TAG_EXPIRES) => Tag::builder().key(TAG_EXPIRES).value(PAST).build(),
        _ => tag.clone(),
    });
    let parameters = stack.parameters().iter().filter_map(|it| it.parameter_key());
    let parameters =
        parameters.map(|key| Parameter::builder().parameter_key(key).use_previous_value(true).build());
    let update = clients.cloudformation.update_stack().stack_name(environment.stack());
    let update = update.use_previous_template(true).capabilities(Capability::CapabilityNamedIam);
    let update = update.set_tags(Some(tags.collect())).set_parameters(Some(parameters.collect()));
    update.send().await.unwrap();
    let is_settled = async || {
        let found = clients.cloudformation.describe_stacks().stack_name(environment.stack()).send().await;
        found.unwrap().stacks()[0].stack_status().unwrap().as_str() == "UPDATE_COMPLETE"
    };
    while !is_settled().await {
        tokio::task::yield_now().await;
    }
}
