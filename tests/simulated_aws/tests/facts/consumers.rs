//! Kinesis: consumers with enhanced fan-out.

use crate::bench::{Bench, refusal, wait};
use crate::records::{FIRST, STREAM, put, with_stream};
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::operation::subscribe_to_shard::builders::SubscribeToShardFluentBuilder;
use aws_sdk_kinesis::types::{
    ConsumerStatus, ShardIteratorType, StartingPosition, SubscribeToShardEvent, SubscribeToShardEventStream,
};
use simulated_aws::Reshard;
use std::time::Duration;

const ARN: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/trades";

async fn registered(bench: &Bench, name: &str) -> String {
    let request = bench.kinesis.register_stream_consumer().stream_arn(ARN).consumer_name(name);
    let arn = request.send().await.unwrap().consumer.unwrap().consumer_arn;
    wait(10).await;
    arn
}

fn subscribe(bench: &Bench, consumer: &str, from: StartingPosition) -> SubscribeToShardFluentBuilder {
    bench.kinesis.subscribe_to_shard().consumer_arn(consumer).shard_id(FIRST).starting_position(from)
}

fn horizon() -> StartingPosition {
    StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon).build().unwrap()
}

/// The next event, or nothing where the subscription has ended.
async fn next(output: &mut SubscribeToShardOutput) -> Option<SubscribeToShardEvent> {
    match output.event_stream.recv().await.unwrap()? {
        SubscribeToShardEventStream::SubscribeToShardEvent(event) => Some(event),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_creating_then_active_then_deleting_then_gone() {
    let bench = with_stream(1);
    let register = bench.kinesis.register_stream_consumer().stream_arn(ARN).consumer_name("mine");
    let made = register.clone().send().await.unwrap().consumer.unwrap();
    assert_eq!(made.consumer_status, ConsumerStatus::Creating);
    assert_eq!(refusal(register.send().await).0, "ResourceInUseException");
    let early = subscribe(&bench, &made.consumer_arn, horizon()).send().await;
    assert_eq!(refusal(early).0, "ResourceInUseException");
    wait(10).await;
    let describe = bench.kinesis.describe_stream_consumer().consumer_arn(&made.consumer_arn);
    let told = describe.clone().send().await.unwrap().consumer_description.unwrap();
    assert_eq!((told.consumer_status, told.stream_arn.as_str()), (ConsumerStatus::Active, ARN));
    let delete = bench.kinesis.delete_stream().stream_name(STREAM);
    assert_eq!(refusal(delete.send().await).0, "ResourceInUseException", "it has a consumer");
    let gone = bench.kinesis.deregister_stream_consumer().stream_arn(ARN).consumer_name("mine");
    gone.send().await.unwrap();
    let told = describe.clone().send().await.unwrap().consumer_description.unwrap();
    assert_eq!(told.consumer_status, ConsumerStatus::Deleting);
    wait(10).await;
    assert_eq!(refusal(describe.send().await).0, "ResourceNotFoundException");
    let list = bench.kinesis.list_stream_consumers().stream_arn(ARN).send().await.unwrap();
    assert!(list.consumers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_at_most_20_consumers() {
    let bench = with_stream(1);
    let register = |number: usize| {
        bench.kinesis.register_stream_consumer().stream_arn(ARN).consumer_name(format!("consumer-{number}"))
    };
    for number in 0..20 {
        register(number).send().await.unwrap();
    }
    assert_eq!(refusal(register(20).send().await).0, "LimitExceededException");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_tells_records_as_they_come_and_where_it_could_go_on() {
    let bench = with_stream(1);
    put(&bench, "a", 0, 2).await;
    let consumer = registered(&bench, "mine").await;
    let mut output = subscribe(&bench, &consumer, horizon()).send().await.unwrap();
    let first = next(&mut output).await.unwrap();
    assert_eq!((first.records().len(), first.millis_behind_latest()), (2, 0));
    put(&bench, "a", 2, 1).await;
    let second = next(&mut output).await.unwrap();
    assert_eq!(second.records()[0].data().as_ref(), b"2");
    let silent = next(&mut output).await.unwrap();
    assert!(silent.records().is_empty());
    put(&bench, "a", 3, 1).await;
    let after = StartingPosition::builder().r#type(ShardIteratorType::AfterSequenceNumber);
    let after = after.sequence_number(silent.continuation_sequence_number()).build().unwrap();
    let mut output = subscribe(&bench, &consumer, after).send().await.unwrap();
    assert_eq!(next(&mut output).await.unwrap().records()[0].data().as_ref(), b"3");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_after_five_minutes() {
    let bench = with_stream(1);
    let consumer = registered(&bench, "mine").await;
    let before = bench.account().age();
    let mut output = subscribe(&bench, &consumer, horizon()).send().await.unwrap();
    while next(&mut output).await.is_some() {}
    let took = bench.account().age() - before;
    assert!((Duration::from_secs(300)..Duration::from_secs(302)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_subscription_is_refused_for_five_seconds_and_then_ends_the_first() {
    let bench = with_stream(1);
    let consumer = registered(&bench, "mine").await;
    let mut first = subscribe(&bench, &consumer, horizon()).send().await.unwrap();
    next(&mut first).await.unwrap();
    let again = subscribe(&bench, &consumer, horizon()).send().await;
    assert_eq!(refusal(again).0, "ResourceInUseException");
    wait(5).await;
    let mut second = subscribe(&bench, &consumer, horizon()).send().await.unwrap();
    assert!(next(&mut first).await.is_none());
    assert!(next(&mut second).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_can_break() {
    let bench = with_stream(1);
    let consumer = registered(&bench, "mine").await;
    bench.account().script.broken_streams = 1;
    let mut output = subscribe(&bench, &consumer, horizon()).send().await.unwrap();
    assert!(next(&mut output).await.is_some());
    assert!(output.event_stream.recv().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_a_closed_shard_a_subscription_tells_the_children() {
    let bench = with_stream(1);
    put(&bench, "a", 0, 1).await;
    let consumer = registered(&bench, "mine").await;
    let mut output = subscribe(&bench, &consumer, horizon()).send().await.unwrap();
    assert_eq!(next(&mut output).await.unwrap().records().len(), 1);
    bench.account().somebody_reshards(STREAM, Reshard::Split(0));
    let mut last = next(&mut output).await.unwrap();
    while let Some(event) = next(&mut output).await {
        last = event;
    }
    assert_eq!(last.child_shards().len(), 2);
}
