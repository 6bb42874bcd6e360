//! `down --proof FILE`: what was asked, answered, removed and left.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::error::Kind;
use kinesis_stack::stack::Consent;
use kinesis_stack::stack::down::Wish;
use serde_json::Value;
use simulated_aws::{Fault, Refusal, Version, When};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is written there, which keeps to the schema that is published.
fn proof(path: &Path) -> Value {
    let read =
        |path: &Path| -> Value { serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap() };
    let (proof, schema) =
        (read(path), read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/proof.schema.json")));
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("urn:schema", schema).unwrap();
    let index = compiler.compile("urn:schema", &mut schemas).unwrap();
    schemas.validate(&proof, index).unwrap_or_else(|error| panic!("{proof}\n{error:#}"));
    proof
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("proof.json");
    (directory, path)
}

fn asked<'a>(proof: &'a Value, service: &str) -> Vec<&'a Value> {
    proof["asked"].as_array().unwrap().iter().filter(|asked| asked["service"] == service).collect()
}

#[tokio::test(start_paused = true)]
async fn it_says_what_each_service_was_asked_and_when_and_what_it_answered() {
    let (_directory, path) = place();
    let bench = Bench::deployed().await;
    bench.down_so(|wish| Wish { proof: Some(path.clone()), ..wish }).await.unwrap();
    let proof = proof(&path);
    assert_eq!((&proof["environment"], &proof["account"]), (&"dev".into(), &"123456789012".into()));
    assert_eq!((&proof["region"], &proof["stack"]), (&"us-east-1".into(), &STACK.into()));
    assert_eq!(proof["end"], "nothing-left");
    assert!(proof["stack_id"].as_str().unwrap().contains(":stack/kinesis-stack-dev/"));
    for it in proof["asked"].as_array().unwrap() {
        assert_eq!(it["answer"], "gone", "{it}");
        let at: jiff::Timestamp = it["at"].as_str().unwrap().parse().unwrap();
        assert!(at >= proof["began"].as_str().unwrap().parse().unwrap());
        assert!(at <= proof["ended"].as_str().unwrap().parse().unwrap());
        // Once more after the function's last lines, which can make a log group anew.
        assert_eq!(it["looks"], if it["service"] == "log groups" { 2 } else { 1 }, "{it}");
        assert!(it["request_id"].is_string() || it["service"] == "artifacts", "{it}");
    }
    let how = |service| asked(&proof, service)[0]["how"].as_str().unwrap().to_owned();
    assert_eq!(
        (how("bucket"), how("log groups"), how("tag")),
        ("name".into(), "prefix".into(), "tag".into())
    );
    // Ten of the environment, and the artifacts.
    assert_eq!(proof["asked"].as_array().unwrap().len(), 11);
    assert!(proof["removed"].as_array().unwrap().iter().any(|it| it["name"] == BUCKET));
    assert_eq!((&proof["left"], &proof["kept"]), (&Value::Array(vec![]), &Value::Array(vec![])));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_stands_in_it_with_its_command_though_the_exit_code_is_8() {
    let (_directory, path) = place();
    let mut bench = Bench::new();
    bench.conduct.consent = Consent::Given;
    bench.account().somebody_makes("AWS::Kinesis::Stream", STACK, &[]);
    let refusal = Refusal::denied("arn:aws:iam::123456789012:user/somebody", "kinesis:DeleteStream", "*");
    bench.account().faults.push(Fault { operation: "DeleteStream", when: When::Always, refusal });
    let error = bench.down_so(|wish| Wish { proof: Some(path.clone()), ..wish }).await.unwrap_err();
    assert_eq!(error.kind, Kind::Leftovers);
    let proof = proof(&path);
    assert_eq!((&proof["end"], &proof["error"]["kind"]), (&"failed".into(), &"leftovers".into()));
    assert_eq!(proof["left"][0]["name"], STACK);
    assert!(proof["left"][0]["remove"].as_str().unwrap().starts_with("aws kinesis delete-stream"));
    assert!(proof["left"][0]["because"].as_str().unwrap().contains("kinesis:DeleteStream"));
    assert_eq!(asked(&proof, "stream")[0]["answer"], "left");
}

#[tokio::test(start_paused = true)]
async fn it_is_written_as_soon_as_anything_may_have_gone_and_not_before() {
    let (directory, path) = place();
    let bench = Bench::deployed().await;
    let with_proof = |wish| Wish { proof: Some(path.clone()), ..wish };
    bench.account().stack(STACK).unwrap().protected = true;
    bench.down_so(with_proof).await.unwrap_err();
    assert!(!path.exists(), "nothing was changed");
    bench.account().stack(STACK).unwrap().protected = false;
    bench.account().script.undeletable.insert("Stream".to_owned(), "not now".to_owned());
    bench.down_so(with_proof).await.unwrap_err();
    assert_eq!(proof(&path)["end"], "failed");
    bench.account().script.undeletable.clear();

    let told = bench.again();
    let (ended, ()) = tokio::join!(told.down_so(with_proof), async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        told.signal.send(Kind::Terminated);
    });
    assert_eq!(ended.unwrap_err().kind, Kind::Terminated);
    assert_eq!(proof(&path)["error"]["kind"], "terminated");
    bench.again().down_so(with_proof).await.unwrap();
    assert_eq!(proof(&path)["end"], "nothing-left");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else lies beside it");
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_what_is_not_ours_and_what_was_not_asked_are_told_apart() {
    let (_directory, path) = place();
    let bench = Bench::deployed().await;
    bench.account().put(BUCKET, "rows/a", Version::default());
    let refusal = Refusal::denied("arn:aws:iam::123456789012:user/somebody", "tag:GetResources", "*");
    bench.account().faults.push(Fault { operation: "GetResources", when: When::Always, refusal });
    let tag = [("kinesis-stack:environment", "other")];
    bench.account().somebody_makes("AWS::Logs::LogGroup", "/aws/lambda/kinesis-stack-dev-processor", &tag);
    bench.down_so(|wish| Wish { proof: Some(path.clone()), keep_data: true, ..wish }).await.unwrap();
    let proof = proof(&path);
    assert_eq!(proof["end"], "nothing-left");
    assert_eq!(asked(&proof, "bucket")[0]["answer"], "kept");
    assert!(proof["kept"].as_array().unwrap().iter().any(|it| it["name"] == BUCKET));
    assert_eq!(asked(&proof, "log groups")[1]["answer"], "not-ours");
    assert_eq!(proof["not_ours"][0]["name"], "/aws/lambda/kinesis-stack-dev-processor");
    assert_eq!(asked(&proof, "tag")[0]["answer"], "not-asked");
    assert!(asked(&proof, "tag")[0]["because"].as_str().unwrap().contains("tag:GetResources"));
}

#[tokio::test(start_paused = true)]
async fn each_answer_bears_the_time_at_which_that_service_gave_it() {
    let (_directory, path) = place();
    let bench = Bench::new();
    // One service lets itself be asked for long: that doesn't make the others' answers any newer.
    let refusal = Refusal::throttled("kinesis");
    bench.account().faults.push(Fault { operation: "DescribeStreamSummary", when: When::Times(9), refusal });
    bench.down_so(|wish| Wish { proof: Some(path.clone()), ..wish }).await.unwrap();
    let proof = proof(&path);
    let at = |service: &str| -> jiff::Timestamp {
        asked(&proof, service)[0]["at"].as_str().unwrap().parse().unwrap()
    };
    assert!(at("stream") > at("role") + jiff::SignedDuration::from_secs(5), "{proof}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_proven_also_where_nothing_could_be_removed() {
    let (_directory, path) = place();
    let bench = Bench::new();
    bench.account().somebody_makes("AWS::Events::Rule", "strange", &[("kinesis-stack:environment", "dev")]);
    let error = bench.down_so(|wish| Wish { proof: Some(path.clone()), ..wish }).await.unwrap_err();
    assert_eq!(error.kind, Kind::Leftovers);
    let proof = proof(&path);
    assert_eq!(proof["end"], "failed");
    assert!(proof["left"][0]["name"].as_str().unwrap().contains("strange"), "{proof}");
}
