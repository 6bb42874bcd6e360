//! `produce` and `consume` on the local cloud: one's own lines in, and out again.

use crate::sandbox::{Run, Sandbox};
use kinesis_stack::data::Trades;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

/// Runs with this on its standard input.
fn fed(sandbox: &Sandbox, line: &str, input: &str) -> Run {
    let mut command = sandbox.command(line);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn ones_own_lines_go_in_and_come_out_as_text_as_json_through_a_template_and_counted() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --yes");
    let lines: String =
        Trades::new(3).take(40).map(|trade| serde_json::to_string(&trade).unwrap() + "\n").collect();

    let produced = fed(&sandbox, "produce --local --from - --key tickerSymbol --output json", &lines);
    assert_eq!(produced.code, 0, "{produced:?}");
    let end = produced.end();
    assert_eq!((end["produced"]["sent"].as_u64(), end["produced"]["lost"].as_u64()), (Some(40), Some(0)));

    // The lines before the bad one are sent, and it is named.
    let broken = fed(&sandbox, "produce --local --from -", "{\"own\": 1}\n{\n");
    assert_eq!(broken.code, 2, "{broken:?}");
    assert!(broken.stderr.contains("stdin, line 2: it is not JSON"), "{broken:?}");
    assert!(broken.stderr.contains("; 1 record had been sent"), "{broken:?}");

    let json = sandbox.ok("consume --local --from trim-horizon --records 41 --output json");
    let records = json.lines();
    assert_eq!(records.len(), 41);
    let sent: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let read: Vec<&Value> = records.iter().map(|record| &record["data"]).collect();
    assert_eq!(read[..40], sent.iter().collect::<Vec<_>>());
    assert_eq!(*read[40], serde_json::json!({"own": 1}));
    for record in &records[..40] {
        assert_eq!(record["partitionKey"], record["data"]["tickerSymbol"]);
        assert!(record["sequenceNumber"].is_string() && record["shard"].is_string());
        assert!(record["time"].as_str().unwrap().ends_with('Z'), "{record}");
    }

    let text = sandbox.ok("consume --local --from 1h --records 40");
    let expected: String = Trades::new(3).take(40).map(|trade| format!("{trade}\n")).collect();
    assert_eq!(text.stdout, expected);
    let template = "consume --local --from trim-horizon --records 2 --template {data.id}:{data.tradeType}";
    let first: Vec<_> = Trades::new(3).take(2).collect();
    let expected: String = first.iter().map(|it| format!("{}:{}\n", it.id, it.trade_type)).collect();
    assert_eq!(sandbox.ok(template).stdout, expected);

    let number = records[30]["sequenceNumber"].as_str().unwrap();
    let from = sandbox.ok(&format!("consume --local --from {number} --records 1 --output json"));
    assert_eq!(from.lines()[0]["data"], records[30]["data"]);

    let counted = sandbox.ok("consume --local --from trim-horizon --records 41 --stats");
    let popular = counted.stdout.lines().find(|line| line.starts_with("Most popular stock being bought: "));
    assert!(popular.is_some_and(|line| line.ends_with("buys.") || line.ends_with("1 buy.")), "{counted:?}");
    assert!(counted.stdout.ends_with("41 records, 1 of them no trades\n"), "{counted:?}");
    let counted = sandbox.ok("consume --local --from trim-horizon --records 41 --stats --output json");
    assert_eq!(counted.stdout.lines().count(), 1, "{counted:?}");
    let told: Value = serde_json::from_str(&counted.stdout).unwrap();
    assert!(told["buys"]["quantity"].is_u64(), "{told}");
    assert_eq!((told["trades"].as_u64(), told["others"].as_u64()), (Some(40), Some(1)));
    assert_eq!(told["buys"]["trades"].as_u64().unwrap() + told["sells"]["trades"].as_u64().unwrap(), 40);
    sandbox.ok("down --local --yes");
}

#[test]
fn records_are_shown_as_they_come_and_a_reader_that_leaves_ends_it_well() {
    let sandbox = Sandbox::new();
    sandbox.ok("up --local --yes");
    let mut consumer = sandbox
        .command("consume --local --from trim-horizon")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(consumer.stdout.take().unwrap());
    let mut first = String::new();
    sandbox.ok("produce --local --records 3 --seed 5");
    out.read_line(&mut first).unwrap();
    assert_eq!(first, format!("{}\n", Trades::new(5).next().unwrap()));
    drop(out);
    // The next record is one that nobody reads.
    sandbox.ok("produce --local --records 100 --seed 6");
    let mut said = String::new();
    consumer.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(consumer.wait().unwrap().code(), Some(0), "{said}");
    sandbox.ok("down --local --yes");
}
