//! The smoke test on the local cloud, with the real processor.

use crate::sandbox::{Run, Sandbox};
use crate::schema::assert_events;
use crate::services::clients;
use serde_json::Value;

const BUCKET: &str = "kinesis-stack-000000000000-dev-us-east-1";

/// The states of the legs, in their order, as the last event before the end tells them.
fn states(run: &Run) -> Vec<String> {
    let ended = run
        .lines()
        .into_iter()
        .find(|line| line["code"] == "smoke-ended")
        .unwrap_or_else(|| panic!("{run:?}"));
    let legs = ended["legs"].as_array().unwrap();
    legs.iter()
        .map(|leg| format!("{} {}", leg["leg"].as_str().unwrap(), leg["state"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn each_leg_is_proven_then_broken_by_somebody_and_named() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --yes --shards 2 --no-smoke");
    sandbox.ok("produce --local --records 5");
    sandbox.ok("results --local --wait 5 --timeout 1m");

    let good = sandbox.ok("smoke --local --junit smoke.xml --output json");
    assert_events(&good);
    assert_eq!(
        states(&good),
        ["stream good", "delivery good", "transform good", "bucket good", "errors not-tested"]
    );
    let end = good.end();
    assert_eq!((end["code"].as_str(), end["command"].as_str()), (Some("done"), Some("smoke")));
    let junit = junit(&sandbox);
    assert_eq!((junit.tests, junit.failures, junit.skipped), (5, 0, 1));
    let rows = sandbox.ok("results --local").stdout;
    assert_eq!(rows.lines().count(), 5, "its own rows are gone, the others' are there: {rows}");
    assert!(!rows.contains("smoke"), "{rows}");

    let people = sandbox.ok("smoke --local");
    for words in
        ["Sent 3 marked trades", "to 2 shards of kinesis-stack-dev", "✓ transform", "works: each leg"]
    {
        assert!(people.stderr.contains(words), "{words}: {people:?}");
    }
    assert_eq!(people.stdout, "");

    // Somebody takes one leg after the other away, the last one first.
    let clients = clients(&sandbox).await;
    let environment = "kinesis-stack-dev";
    empty_and_delete_bucket(&clients).await;
    assert_broken(&sandbox, "bucket");
    clients.lambda.delete_function().function_name(format!("{environment}-processor")).send().await.unwrap();
    assert_broken(&sandbox, "transform");
    clients.firehose.delete_delivery_stream().delivery_stream_name(environment).send().await.unwrap();
    assert_broken(&sandbox, "delivery");
    clients.kinesis.delete_stream().stream_name(environment).send().await.unwrap();
    assert_broken(&sandbox, "stream");

    // Also right after an `up`, which leaves the environment as it is.
    let mut up = sandbox.command("up --local --yes --shards 2 --smoke --output json --dotenv outputs.env");
    let output = sandbox.file("output", "");
    let up = Run::of(up.env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", &output).output().unwrap());
    assert_events(&up);
    assert_eq!(up.code, 1, "{up:?}");
    assert_eq!(up.end()["code"], "failed");
    assert!(up.end()["message"].as_str().unwrap().starts_with("the stream leg is broken"), "{up:?}");
    // It is up all the same, and what comes next has to find it.
    let outputs = std::fs::read_to_string(output).unwrap();
    assert!(outputs.contains(&format!("\nbucket-name={BUCKET}\n")), "{outputs}");
    assert!(std::fs::read_to_string(sandbox.home().join("outputs.env")).unwrap().contains(BUCKET));
    sandbox.ok("status --local");
    sandbox.ok("down --local --yes");
    assert_eq!(sandbox.run("smoke --local").code, 6);
}

fn assert_broken(sandbox: &Sandbox, leg: &str) {
    let run = sandbox.run("smoke --local --junit smoke.xml --output json");
    assert_eq!(run.code, 1, "{run:?}");
    assert_events(&run);
    let ended = run.lines().into_iter().find(|line| line["code"] == "smoke-ended").unwrap();
    assert_eq!(ended["broken"], leg, "{run:?}");
    assert!(states(&run).contains(&format!("{leg} broken")), "{run:?}");
    assert!(run.stderr.contains(&format!("error: the {leg} leg is broken: ")), "{run:?}");
    let junit = junit(sandbox);
    assert_eq!((junit.tests, junit.failures), (5, 1));
}

fn junit(sandbox: &Sandbox) -> quick_junit::Report {
    let xml = std::fs::read_to_string(sandbox.home().join("smoke.xml")).unwrap();
    quick_junit::Report::deserialize_from_str(&xml).unwrap()
}

async fn empty_and_delete_bucket(clients: &kinesis_stack::cloud::Clients) {
    let objects = clients.s3.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    for object in objects.contents() {
        clients.s3.delete_object().bucket(BUCKET).key(object.key().unwrap()).send().await.unwrap();
    }
    clients.s3.delete_bucket().bucket(BUCKET).send().await.unwrap();
}

#[test]
fn bad_input_is_refused_before_anything_is_called() {
    let sandbox = Sandbox::new();
    for line in [
        "smoke --local --timeout 0s",
        "smoke --local --junit nowhere/smoke.xml",
        "up --local --smoke --no-smoke",
    ] {
        let run = sandbox.run(line);
        assert_eq!(run.code, 2, "{line}: {run:?}");
    }
    assert!(!sandbox.cache().join("local/server.json").exists(), "nothing was started");
}

#[test]
fn a_processor_of_ones_own_is_said_to_be_one() {
    let sandbox = Sandbox::new();
    // It fails on every batch: this cloud delivers the records as they came then.
    sandbox.file("bootstrap", "#!/bin/sh\nexit 1\n");
    sandbox.ok("up --local --yes --processor bootstrap");
    let run = sandbox.ok("smoke --local --output json");
    let ended = run.lines().into_iter().find(|line| line["code"] == "smoke-ended").unwrap();
    let transform: Value = ended["legs"][2].clone();
    assert!(transform["seen"][0].as_str().unwrap().contains("3 of them differ"), "{transform}");
    sandbox.ok("down --local --yes");
}
