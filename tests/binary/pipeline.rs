//! The whole way on the local cloud, with the real processor: from nothing to rows, and back to nothing.

use crate::sandbox::{Run, Sandbox};
use crate::schema::assert_events;
use crate::services::{clients, left};
use kinesis_stack::data::Trades;
use kinesis_stack::environment::Environment;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// The rows that a seed's trades have to become, by id, without the time of the transform.
fn expected(seed: u64, count: usize) -> BTreeMap<u64, Value> {
    Trades::new(seed)
        .take(count)
        .map(|trade| {
            let data = serde_json::to_vec(&trade).unwrap();
            let row = processor::transform_record(&data, SystemTime::UNIX_EPOCH).unwrap();
            without_time(serde_json::from_slice(&row).unwrap())
        })
        .collect()
}

fn without_time(mut row: Value) -> (u64, Value) {
    let time = row.as_object_mut().unwrap().remove("tradeTime").expect("a row has the time of its transform");
    assert_eq!(time.as_str().unwrap().len(), "2024-10-03 09:45:20".len());
    (row["id"].as_u64().unwrap(), row)
}

#[tokio::test]
async fn from_nothing_to_500_rows_and_back_to_nothing() {
    let sandbox = Sandbox::new();
    // A second environment keeps the local cloud alive, so that it can be asked after the first is gone.
    sandbox.ok("up --local --env other --yes");

    let up = sandbox.ok("up --local --env pr-1 --yes --output json");
    assert_events(&up);
    let end = up.end();
    assert_eq!((end["code"].as_str(), end["changed"].as_bool()), (Some("done"), Some(true)));
    assert_eq!(end["outputs"]["BucketName"], "kinesis-stack-000000000000-pr-1-us-east-1");
    assert!(end["stack_id"].as_str().unwrap().starts_with("arn:aws:cloudformation:"));
    for line in up.lines() {
        assert_eq!(line["env"], "pr-1");
        assert!(line["time"].is_string() && line["code"].is_string(), "{line}");
    }

    let produced = sandbox.ok("produce --local --env pr-1 --records 500 --seed 7 --output json");
    assert_events(&produced);
    let produced = produced.end();
    assert_eq!(produced["produced"]["sent"], 500);
    assert_eq!(produced["produced"]["lost"], 0);

    let results = sandbox.ok("results --local --env pr-1 --wait 500 --timeout 2m");
    let rows: BTreeMap<u64, Value> = results.lines().into_iter().map(without_time).collect();
    assert_eq!(results.stdout.lines().count(), 500);
    assert_eq!(rows, expected(7, 500), "500 distinct rows, each what the transform makes of its trade");
    let csv = sandbox.ok("results --local --env pr-1 --format csv").stdout;
    assert_eq!(csv.lines().next(), Some("tradeType,price,quantity,id,stockId,tradeTime"));
    assert_eq!(csv.lines().count(), 501);

    let again = sandbox.ok("up --local --env pr-1 --yes --output json");
    assert_eq!(again.end()["changed"], false);
    assert!(again.lines().iter().any(|line| line["code"] == "unchanged"));

    let before = status(&sandbox, "");
    assert_eq!(before["code"]["current"], true);
    let mut changed = std::fs::read(zipped_bootstrap(&sandbox, &end["outputs"]["ProcessorKey"])).unwrap();
    changed.extend_from_slice(b"changed");
    sandbox.file("bootstrap", changed);
    assert_eq!(status(&sandbox, "--processor bootstrap")["code"]["current"], false);
    let update = sandbox.ok("up --local --env pr-1 --processor bootstrap --output json");
    assert_eq!(update.end()["changed"], true);
    assert!(
        update
            .lines()
            .iter()
            .any(|line| line["code"] == "operation-started" && line["operation"] == "update")
    );
    let after = status(&sandbox, "--processor bootstrap");
    assert_ne!(before["code"]["deployed"], after["code"]["deployed"]);
    assert_eq!(after["code"]["current"], true);
    sandbox.ok("produce --local --env pr-1 --records 5");
    sandbox.ok("results --local --env pr-1 --wait 505 --timeout 1m");

    let clients = clients(&sandbox).await;
    let environment = Environment::new("pr-1".parse().unwrap());
    assert_eq!(left(&clients, &environment).await.len(), 8, "all of it is there, and the questions find it");
    let refused = sandbox.run("down --local --env pr-1");
    assert_eq!(refused.code, 5, "data is not deleted without consent: {refused:?}");
    assert_eq!(left(&clients, &environment).await.len(), 8, "a refusal deletes nothing");
    let down = sandbox.ok("down --local --env pr-1 --yes --output json");
    assert_events(&down);
    let down = down.end();
    assert_eq!((down["code"].as_str(), down["changed"].as_bool()), (Some("done"), Some(true)));
    assert_eq!(down["checked"].as_array().unwrap().len(), 10);
    assert_eq!(left(&clients, &environment).await, [""; 0]);
    assert_eq!(sandbox.ok("down --local --env pr-1 --yes --output json").end()["changed"], false);

    assert_eq!(
        left(&clients, &Environment::new("other".parse().unwrap())).await.len(),
        8,
        "the other one stays"
    );
    // The regions of the local cloud are kept apart: a verb in an empty one must not end it.
    sandbox.ok("plan --local --env other --region eu-west-1");
    sandbox.ok("down --local --env other --region eu-west-1");
    assert_eq!(left(&clients, &Environment::new("other".parse().unwrap())).await.len(), 8);
    let last = sandbox.ok("down --local --env other --yes");
    assert!(last.stderr.contains("The local cloud has ended"), "{}", last.stderr);
    assert_eq!(sandbox.run("status --local --env other").code, 6);
}

#[test]
fn the_rows_that_down_keeps_are_there_after_up_adopts_their_bucket() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --yes");
    sandbox.ok("produce --local --records 20");
    sandbox.ok("results --local --wait 20 --timeout 2m");
    sandbox.ok("down --local --keep-data");
    let refused = sandbox.run("up --local --yes");
    assert_eq!(
        refused.code, 5,
        "what is kept is in the way of an `up` that isn't told to take it: {refused:?}"
    );
    sandbox.ok("up --local --yes --adopt");
    sandbox.ok("produce --local --records 5");
    sandbox.ok("results --local --wait 25 --timeout 2m");
    sandbox.ok("down --local --yes");
}

fn status(sandbox: &Sandbox, options: &str) -> Value {
    let run = sandbox.ok(&format!("status --local --env pr-1 --output json {options}"));
    serde_json::from_str(&run.stdout).unwrap()
}

/// The binary that was deployed under this key, unpacked from the cached zip. The cache is shared: other tests build
/// processors of their own.
fn zipped_bootstrap(sandbox: &Sandbox, key: &Value) -> std::path::PathBuf {
    let digest = key.as_str().unwrap().trim_start_matches("processor/").trim_end_matches(".zip");
    let directory = sandbox.cache().join("processor");
    let mut files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_its = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|it| it == "sha256")
            && std::fs::read_to_string(path).unwrap().trim() == digest
    };
    let zip = files.find(is_its).expect("what is deployed was built").with_extension("zip");
    let mut zip = zip::ZipArchive::new(std::fs::File::open(zip).unwrap()).unwrap();
    let path = sandbox.home().join("built");
    let mut file = std::fs::File::create(&path).unwrap();
    std::io::copy(&mut zip.by_name("bootstrap").unwrap(), &mut file).unwrap();
    path
}

#[test]
fn the_demo_ends_with_rows_and_the_command_that_takes_it_down() {
    let sandbox = Sandbox::new();
    let demo = sandbox.ok("demo");
    let shown = [
        "up --yes --local",
        "produce --records 100 --local",
        "results --wait 100 --timeout 2m --local",
        "status --local",
    ];
    for command in shown {
        assert!(demo.stderr.contains(&format!("$ kinesis-stack {command}\n")), "{}", demo.stderr);
    }
    assert!(demo.stdout.contains("tradeType"), "rows are shown: {}", demo.stdout);
    assert!(demo.stderr.contains("100 rows in 100 objects"), "{}", demo.stderr);
    assert!(demo.stderr.trim_end().ends_with("kinesis-stack down --yes --local"), "{}", demo.stderr);
    sandbox.ok("down --yes --local");
    assert_eq!(sandbox.run("status --local").code, 6);
}

#[test]
fn ctrl_c_ends_the_producer_with_its_sum() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --yes");
    let mut command = sandbox.command("produce --local --rate 20 --output json");
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    // Its first line of progress says that it is at work.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("producing"), "{first}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let last: Value = serde_json::from_str(&lines.last().unwrap().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!((last["code"].as_str(), last["produced"]["lost"].as_u64()), (Some("done"), Some(0)));
    let sent = last["produced"]["sent"].as_u64().unwrap();
    let rows = sandbox.ok(&format!("results --local --wait {sent} --timeout 1m"));
    assert_eq!(rows.stdout.lines().count() as u64, sent, "every record that was said to be sent has its row");
}

#[test]
fn no_secret_of_the_environment_is_ever_printed() {
    let sandbox = Sandbox::new();
    let secrets = [
        ("AWS_ACCESS_KEY_ID", "AKIAVERYSECRETKEY01"),
        ("AWS_SECRET_ACCESS_KEY", "verysecretvalue"),
        ("AWS_SESSION_TOKEN", "verysecrettoken"),
    ];
    for line in
        ["up --local --yes -v", "status --local -v", "down --local --yes -v", "list --region us-east-1 -v"]
    {
        let mut command = sandbox.command(line);
        // Off this machine nobody is asked: the endpoint is a closed port.
        command.envs(secrets).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
        let run = Run::of(command.output().unwrap());
        for (_, secret) in secrets {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{line}: {run:?}");
        }
    }
}

#[tokio::test]
async fn of_2000_trades_each_is_a_row_that_can_be_chosen_added_up_downloaded_and_found_in_the_log() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --yes");
    sandbox.ok("produce --local --records 2000 --seed 11");
    let results = sandbox.ok("results --local --wait 2000 --timeout 5m");
    let rows: BTreeMap<u64, Value> = results.lines().into_iter().map(without_time).collect();
    assert_eq!(results.stdout.lines().count(), 2_000, "none twice");
    assert_eq!(rows, expected(11, 2_000), "each is the transform's own answer");

    let expected = expected(11, 2_000);
    let chosen = sandbox.ok("results --local --where stockId=KO --where id<=1000 --columns id,price --sum");
    let is_wanted = |row: &&Value| row["stockId"] == "KO" && row["id"].as_u64().unwrap() <= 1_000;
    let wanted: Vec<&Value> = expected.values().filter(is_wanted).collect();
    let lines = chosen.lines();
    assert_eq!(lines.len(), wanted.len());
    assert!(lines.iter().all(|row| row.as_object().unwrap().keys().eq(["id", "price"])), "{lines:?}");
    let sum: f64 = wanted.iter().map(|row| row["id"].as_f64().unwrap()).sum();
    let shown =
        chosen.stderr.lines().find(|line| line.starts_with("id ")).unwrap_or_else(|| panic!("{chosen:?}"));
    assert!(shown.split_whitespace().any(|cell| cell == sum.to_string()), "{shown}");

    let downloaded = sandbox.ok("results download saved --local --output json");
    assert_events(&downloaded);
    let exported = &downloaded.end()["exported"];
    assert_eq!((&exported["objects"], &exported["by_size_alone"]), (&2_000.into(), &0.into()), "{exported}");
    let again = sandbox.ok("results download saved --local --output json").end();
    assert_eq!(again["exported"]["present"], 2_000, "what lies there isn't fetched again");

    let logs = sandbox.ok("logs --local --since 1h --output json");
    let kinds = logs.lines().iter().map(|line| line["kind"].as_str().unwrap().to_owned()).fold(
        BTreeMap::new(),
        |mut counts: BTreeMap<String, usize>, kind| {
            *counts.entry(kind).or_default() += 1;
            counts
        },
    );
    assert_eq!(kinds.get("report"), kinds.get("start"), "{kinds:?}");
    let batches = logs.lines().into_iter().filter(|line| line["kind"] == "batch");
    let ok: u64 = batches.map(|line| line["ok"].as_u64().unwrap()).sum();
    assert_eq!(ok, 2_000, "each record is counted in the processor's log: {kinds:?}");
    let told = sandbox.ok("logs --local --since 1h");
    assert!(told.stdout.lines().any(|line| line.contains("1 record: 1 ok")), "{}", &told.stdout[..500]);
    assert!(!told.stdout.contains("START RequestId"), "{}", &told.stdout[..500]);
}

#[test]
fn following_ends_with_ctrl_c_and_what_landed_was_shown() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --yes");
    let follow = |line: &str| {
        let mut command = sandbox.command(line);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    for line in ["results --local --follow", "logs --local --follow --output json"] {
        let mut child = follow(line);
        sandbox.ok("produce --local --records 3 --seed 5");
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let shown: Vec<String> = lines.by_ref().take(3).map(Result::unwrap).collect();
        assert!(shown.iter().all(|line| line.starts_with('{')), "{shown:?}");
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
            .unwrap();
        let rest = lines.map(Result::unwrap).count();
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(130), "{stderr}");
        let counted = if line.starts_with("results") { "rows in" } else { "lines since" };
        assert!(stderr.contains(counted) && !stderr.contains("error"), "{rest} {stderr}");
    }
}

#[test]
fn what_can_not_be_combined_or_is_no_condition_is_bad_input_before_anything_is_called() {
    let sandbox = Sandbox::new();
    for (line, named) in [
        ("results --where stockId", "stockId=AAPL"),
        ("results --columns id,,price", "--columns"),
        ("results --errors --sum", "--sum"),
        ("results --wait 0", "--wait"),
        ("results download", "DIR"),
        ("results --follow download rows", "--follow"),
        ("logs --since 10", "--since"),
        ("logs --poll", "--follow"),
    ] {
        let run = sandbox.run(line);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{line}: {run:?}");
        assert!(run.stderr.contains(named), "{line}: {}", run.stderr);
    }
}
