//! Environments that end by themselves, on the local cloud.

use crate::sandbox::Sandbox;
use crate::schema::assert_events;
use crate::services::{clients, left};
use aws_sdk_cloudformation::types::{Capability, Parameter, Tag};
use clap::Parser;
use kinesis_stack::cli::Cli;
use kinesis_stack::environment::{Environment, TAG_EXPIRES};
use serde_json::Value;

fn listed(sandbox: &Sandbox) -> Vec<Value> {
    serde_json::from_str(&sandbox.ok("list --local --output json").stdout).unwrap()
}

/// Time is over: said by whoever may change the stack, since nobody waits for half an hour.
async fn is_over(sandbox: &Sandbox, env: &str) {
    let cloudformation = clients(sandbox).await.cloudformation;
    let name = Environment::new(env.parse().unwrap()).stack();
    let answer = cloudformation.describe_stacks().stack_name(&name).send().await.unwrap();
    let stack = &answer.stacks()[0];
    let tags = stack.tags().iter().map(|tag| match tag.key() {
        Some(TAG_EXPIRES) => Tag::builder().key(TAG_EXPIRES).value("2026-01-01T00:00:00Z").build(),
        _ => tag.clone(),
    });
    let same = |it: &Parameter| {
        Parameter::builder()
            .parameter_key(it.parameter_key().unwrap_or_default())
            .use_previous_value(true)
            .build()
    };
    let request = cloudformation.update_stack().stack_name(&name).use_previous_template(true);
    let request = request.set_parameters(Some(stack.parameters().iter().map(same).collect()));
    let request = request.capabilities(Capability::CapabilityNamedIam).set_tags(Some(tags.collect()));
    request.send().await.unwrap();
}

#[tokio::test]
async fn an_environment_lives_as_long_as_it_was_given_is_extended_and_then_reaped() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --env stays --yes");
    let up = sandbox.ok("up --local --env pr-1 --ttl 4h --yes --output json");
    assert_events(&up);
    let expires = up.end()["expires"].as_str().unwrap().to_owned();
    let again = sandbox.ok("up --local --env pr-1 --ttl 4h --yes --output json").end();
    assert_eq!(
        (again["changed"].as_bool(), again["expires"].as_str()),
        (Some(false), Some(expires.as_str()))
    );
    assert_eq!(sandbox.run("plan --local --env pr-1 --ttl 4h --exit-code").code, 0);

    let all = listed(&sandbox);
    let pr = all.iter().find(|it| it["env"] == "pr-1").unwrap();
    assert_eq!((pr["expires"].as_str(), pr["expired"].as_bool()), (Some(expires.as_str()), Some(false)));
    assert_eq!((all.len(), pr["region"].as_str()), (2, Some("us-east-1")));
    assert!(sandbox.ok("status --local --env pr-1").stdout.contains("expires      in 3h 59m"));

    let extended = sandbox.ok("extend 2h --local --env pr-1 --output json");
    assert_events(&extended);
    assert!(extended.end()["expires"].as_str().unwrap() > expires.as_str());
    // Nothing's time is over yet.
    let nothing = sandbox.ok("reap --local --yes --output json");
    assert_events(&nothing);
    assert_eq!(nothing.end()["reckoning"]["reaped"], 0);

    is_over(&sandbox, "pr-1").await;
    let dry = sandbox.ok("reap --local --dry-run");
    assert!(dry.stderr.contains("pr-1") && dry.stderr.contains("dry run"), "{dry:?}");
    assert_eq!(listed(&sandbox)[0]["env"], "pr-1", "what to look at first comes first");

    let other = sandbox.ok("reap --local --name dev-* --output json").end();
    assert_eq!(other["reckoning"]["reaped"], 0);
    let reaped = sandbox.ok("reap --local --output json");
    assert_events(&reaped);
    assert_eq!(
        (reaped.end()["reckoning"]["reaped"].as_u64(), reaped.end()["changed"].as_bool()),
        (Some(1), Some(true))
    );
    // What happened to it is told under its name.
    let of = |code: &str| reaped.lines().into_iter().filter(|it| it["code"] == code).collect::<Vec<_>>();
    assert_eq!(of("operation-started")[0]["env"], "pr-1");
    assert_eq!((of("reaped").len(), of("done").len()), (1, 1));
    let environment = Environment::new("pr-1".parse().unwrap());
    assert_eq!(left(&clients(&sandbox).await, &environment).await, [""; 0]);
    assert_eq!(listed(&sandbox).len(), 1);

    assert_eq!(sandbox.run("extend 2h --local --env pr-1").code, 6);
    sandbox.ok("down --local --env stays --yes");
    assert!(sandbox.ok("list --local").stderr.contains("no environment"));
    assert_eq!(sandbox.run("reap --local --yes").code, 0);
}

#[test]
fn what_is_wrong_with_a_lifetime_is_told_before_anything_is_called() {
    let sandbox = Sandbox::new();
    for (line, told) in [
        ("up --local --ttl 5m", "--ttl `5m`: an environment lives for 30m to 365d"),
        ("up --local --ttl 4h --protect", "what is protected doesn't end by itself"),
        ("extend 30s --local", "DURATION `30s`: it is 1m to 365d more"),
        ("reap --local --at-once 0", "--at-once `0`: 1 to 50"),
        ("reap --local --tag team", "--tag `team`: a tag is given as KEY=VALUE"),
        ("list --local --name PR*", "--name `PR*`: a pattern of names"),
    ] {
        let run = sandbox.run(line);
        assert_eq!(run.code, 2, "{line}: {run:?}");
        assert!(run.stderr.contains(told), "{line}: {run:?}");
    }
}

/// The words of a command line as a shell would see them, whatever a runner puts into its variables.
fn words(line: &str) -> Vec<String> {
    let mut line = line.to_owned();
    while let (Some(from), Some(to)) = (line.find("${{"), line.find("}}")) {
        line.replace_range(from..to + 2, "1");
    }
    let line = line.split([';', '|', '>']).next().unwrap_or_default();
    let words = line.split_whitespace().map(|word| word.replace(['"', '\''], ""));
    words.map(|word| if word.starts_with('$') { "x".to_owned() } else { word.replace('$', "") }).collect()
}

#[test]
fn every_command_in_the_pages_on_pipelines_is_one_that_the_binary_takes() {
    let page = include_str!("../../docs/ci.md");
    let fenced = page.split("```").skip(1).step_by(2);
    let mut commands = 0;
    for line in fenced.flat_map(str::lines).filter(|line| line.contains("kinesis-stack ")) {
        let from = line.find("kinesis-stack ").unwrap();
        if let Err(error) = Cli::try_parse_from(words(&line[from..])) {
            panic!("{line}\n{error}");
        }
        commands += 1;
    }
    assert!(commands >= 12, "{commands}");
}
