//! The account behind a port.

use crate::bench::{BUCKET, Bench, STACK, TEMPLATE, configuration};
use aws_sdk_kinesis::types::{ShardIteratorType, StartingPosition};
use aws_smithy_http_client::Builder;
use simulated_aws::{Aws, Clock, serve};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Clients of an endpoint, over real connections.
fn config(endpoint: &str) -> aws_config::SdkConfig {
    configuration("us-east-1").endpoint_url(endpoint).http_client(Builder::new().build_http()).build()
}

async fn deploys(bench: &Bench, settled: impl Fn() -> bool) {
    let made = bench.change_set(TEMPLATE).send().await.unwrap();
    while !settled() {
        let request = bench.cloudformation.execute_change_set().change_set_name(made.id().unwrap());
        let _ = request.send().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(bench.stack().await.outputs()[0].output_value(), Some(BUCKET));
    assert!(bench.kinesis.describe_stream_summary().stream_name("trades").send().await.is_ok());
    assert!(bench.lambda.get_function_configuration().function_name("processor").send().await.is_ok());
    assert!(bench.logs.describe_log_groups().log_group_name_prefix("/").send().await.is_ok());
    assert!(bench.iam.get_role().role_name("pipeline").send().await.is_ok());
    assert!(bench.sts.get_caller_identity().send().await.is_ok());
    bench.s3.head_bucket().bucket(BUCKET).send().await.unwrap();
    bench.s3.put_object().bucket(BUCKET).key("rows/1").body(b"row".to_vec().into()).send().await.unwrap();
    assert!(bench.s3.head_object().bucket(BUCKET).key("rows/2").send().await.is_err());
    let held = bench.s3.list_object_versions().bucket(BUCKET).send().await.unwrap();
    assert_eq!((held.versions()[0].key(), held.versions()[0].size()), (Some("rows/1"), Some(3)));
}

#[tokio::test]
async fn the_sdk_deploys_over_loopback_in_compressed_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let aws = Aws::new("us-east-1").on_clock(Clock::compressed(600.0));
    tokio::spawn(serve(aws.clone(), listener));
    let bench = Bench::with(aws.clone(), &config(&endpoint));
    deploys(&bench, || aws.now().stack(STACK).is_some_and(|stack| stack.status == "CREATE_COMPLETE")).await;
    // What it doesn't know is an error there, and no panic.
    assert!(bench.kinesis.list_streams().send().await.is_err());
}

#[tokio::test]
async fn records_are_pushed_over_loopback() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let aws = Aws::new("us-east-1").on_clock(Clock::compressed(600.0));
    aws.now().make("AWS::Kinesis::Stream", "trades");
    tokio::spawn(serve(aws.clone(), listener));
    let bench = Bench::with(aws.clone(), &config(&endpoint));
    let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/trades";
    let put = bench.kinesis.put_record().stream_name("trades").partition_key("a");
    put.data(aws_sdk_kinesis::primitives::Blob::new(*b"pushed")).send().await.unwrap();
    let consumer = bench.kinesis.register_stream_consumer().stream_arn(arn).consumer_name("mine");
    let consumer = consumer.send().await.unwrap().consumer.unwrap().consumer_arn;
    let from = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon).build().unwrap();
    let subscribe =
        bench.kinesis.subscribe_to_shard().consumer_arn(consumer).shard_id("shardId-000000000000");
    let subscribe = subscribe.starting_position(from);
    let mut output = loop {
        match subscribe.clone().send().await {
            Ok(output) => break output,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let first = output.event_stream.recv().await.unwrap().unwrap();
    assert_eq!(first.as_subscribe_to_shard_event().unwrap().records()[0].data().as_ref(), b"pushed");
    // It ends after five minutes of the account's, and the connection serves the next call.
    while output.event_stream.recv().await.unwrap().is_some() {}
    assert!(bench.kinesis.describe_stream_summary().stream_name("trades").send().await.is_ok());
}

#[tokio::test]
async fn the_program_tells_its_endpoint_and_ends_with_its_input() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_simulated-aws"))
        .args(["--speed", "600", "--region", "us-east-1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let bench = Bench::with(Aws::new("us-east-1"), &config(line.trim()));
    bench.s3.create_bucket().bucket("rows").send().await.unwrap();
    assert!(bench.s3.head_bucket().bucket("rows").send().await.is_ok());
    drop(program.stdin.take());
    assert!(program.wait().unwrap().success());
}
