//! Accounts in which a recorded run has something to show. `record.sh` starts them and records what people see;
//! the recordings lie in `snapshots/`. What must stay so is tested without a terminal, in `src/report/human/tests.rs`.

use simulated_aws::{Aws, Clock, Processor, reasons, serve};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// How many seconds pass in the account in one of ours.
const SPEED: f64 = 8.0;

/// Serves the account of a `SCENARIO`, and writes its endpoint into `ENDPOINT_FILE` once all that the recording
/// begins with is there. Ends with its standard input, or when it is ended.
#[test]
#[ignore = "serves an account for tests/terminal/record.sh"]
fn account() {
    let scenario = std::env::var("SCENARIO").expect("record.sh sets it");
    let file = std::env::var("ENDPOINT_FILE").expect("record.sh sets it");
    // What tells how old things are goes by our own clock.
    let speed = if scenario == "watch" { 1.0 } else { SPEED };
    let aws = Aws::new("us-east-1").on_clock(Clock::compressed(speed));
    aws.now().script.processor = Some(Processor::new(|event| {
        processor::transform(event, SystemTime::now()).map_err(|error| error.to_string())
    }));
    let (told, heard) = std::sync::mpsc::channel();
    let served = aws.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            serve(served, listener).await.unwrap();
        });
    });
    let endpoint = heard.recv().unwrap();
    prepare(&scenario, &aws, &endpoint);
    std::fs::write(format!("{file}.new"), &endpoint).unwrap();
    std::fs::rename(format!("{file}.new"), file).unwrap();
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}

/// What is there before the recording begins.
fn prepare(scenario: &str, aws: &Aws, endpoint: &str) {
    match scenario {
        "creation" | "cancel" => {}
        "replacement" | "cancelled-update" => {
            up(endpoint);
            rename(aws, "kinesis-stack-dev-processor", "kinesis-stack-dev-transform");
        }
        "failure" => fail(aws),
        "recovery" => {
            fail(aws);
            up(endpoint);
            aws.now().script.failing.clear();
        }
        "watch" | "stats" | "results" => up(endpoint),
        "smoke-stream" => {
            up(endpoint);
            let stream = ("AWS::Kinesis::Stream".to_owned(), "kinesis-stack-dev".to_owned());
            aws.now().things.remove(&stream).unwrap();
        }
        "smoke-delivery" => {
            up(endpoint);
            aws.now().script.delivery_never_reads = true;
        }
        "smoke-transform" => {
            up(endpoint);
            aws.now().script.failing_function = Some("Runtime exited without providing a reason".to_owned());
        }
        "smoke-bucket" => {
            up(endpoint);
            aws.now().script.delivery_denied.insert("s3:PutObject".to_owned());
        }
        _ => panic!("there is no scenario {scenario}"),
    }
}

fn fail(aws: &Aws) {
    let sentence = reasons::quota("delivery streams");
    aws.now().script.failing.insert("Delivery".to_owned(), sentence);
}

/// As another version of this tool would have left it: the function bears another name.
fn rename(aws: &Aws, from: &str, to: &str) {
    let mut account = aws.now();
    let kind = "AWS::Lambda::Function".to_owned();
    let thing = account.things.remove(&(kind.clone(), from.to_owned())).unwrap();
    account.things.insert((kind, to.to_owned()), thing);
    let stack = &mut account.stacks[0];
    let line = format!("FunctionName: {from}\n");
    assert!(stack.deployed.template.contains(&line), "{}", stack.deployed.template);
    stack.deployed.template = stack.deployed.template.replace(&line, &format!("FunctionName: {to}\n"));
    for resource in stack.resources.iter_mut().filter(|resource| resource.physical_id == from) {
        resource.physical_id = to.to_owned();
    }
}

/// `up`, however it ends.
fn up(endpoint: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinesis-stack"));
    command.args(["up", "--yes", "--quiet", "--processor", "bootstrap", "--region", "us-east-1"]);
    command.env("AWS_ENDPOINT_URL", endpoint).stdin(Stdio::null()).stdout(Stdio::null());
    command.status().unwrap();
}
