//! Lambda, Kinesis, Firehose: what they say of a thing's state.

use crate::bench::{Bench, CODE, SHA256, TEMPLATE, refusal, wait};
use aws_sdk_firehose::types::DeliveryStreamStatus;
use aws_sdk_kinesis::types::StreamStatus;
use aws_sdk_lambda::types::{Architecture, LastUpdateStatus, State};
use simulated_aws::Version;

const BASE64: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

#[tokio::test(start_paused = true)]
async fn update_function_code_is_in_progress_then_successful_or_failed() {
    let bench = Bench::deployed().await;
    let look = bench.lambda.get_function_configuration().function_name("processor");
    let deployed = look.clone().send().await.unwrap();
    assert_eq!((deployed.code_sha256(), deployed.state()), (Some(BASE64), Some(&State::Active)));
    assert_eq!(deployed.architectures(), [Architecture::Arm64]);
    let key = format!("processor/{}.zip", SHA256.replace('e', "f"));
    let update = bench.lambda.update_function_code().function_name("processor").s3_bucket(CODE).s3_key(&key);
    assert_eq!(refusal(update.clone().send().await).0, "InvalidParameterValueException");
    bench.account().put(CODE, &key, Version::default());
    let begun = update.clone().send().await.unwrap();
    assert_eq!(begun.last_update_status(), Some(&LastUpdateStatus::InProgress));
    assert_ne!(begun.code_sha256(), Some(BASE64));
    assert_eq!(refusal(update.clone().send().await).0, "ResourceConflictException");
    wait(10).await;
    assert_eq!(look.clone().send().await.unwrap().last_update_status(), Some(&LastUpdateStatus::Successful));

    bench.account().script.refused_code = Some("The image is too large".to_owned());
    update.send().await.unwrap();
    wait(10).await;
    let failed = look.send().await.unwrap();
    assert_eq!(failed.last_update_status(), Some(&LastUpdateStatus::Failed));
    assert_eq!(failed.last_update_status_reason(), Some("The image is too large"));
}

#[tokio::test(start_paused = true)]
async fn streams_are_creating_then_active_then_deleting_then_gone() {
    let bench = Bench::new();
    let stream = bench.kinesis.describe_stream_summary().stream_name("trades");
    let delivery = bench.firehose.describe_delivery_stream().delivery_stream_name("delivery");
    assert_eq!(refusal(stream.clone().send().await).0, "ResourceNotFoundException");
    assert_eq!(refusal(delivery.clone().send().await).0, "ResourceNotFoundException");
    let change_set = bench.plan(TEMPLATE).await;
    bench.execute(&change_set).await;
    wait(5).await;
    let summary = stream.clone().send().await.unwrap().stream_description_summary.unwrap();
    assert_eq!(summary.stream_status, StreamStatus::Creating);
    wait(60).await;
    let told = delivery.clone().send().await.unwrap().delivery_stream_description.unwrap();
    assert_eq!(told.delivery_stream_status, DeliveryStreamStatus::Creating);
    assert!(told.source.is_none());
    wait(120).await;
    let told = delivery.clone().send().await.unwrap().delivery_stream_description.unwrap();
    assert_eq!(told.delivery_stream_status, DeliveryStreamStatus::Active);
    let source = told.source.unwrap().kinesis_stream_source_description.unwrap();
    assert!(source.delivery_start_timestamp.is_some());
    bench.delete().await;
    wait(5).await;
    let told = delivery.clone().send().await.unwrap().delivery_stream_description.unwrap();
    assert_eq!(told.delivery_stream_status, DeliveryStreamStatus::Deleting);
    wait(120).await;
    assert_eq!(refusal(stream.send().await).0, "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_stream_is_not_deleted_while_it_is_creating() {
    let bench = Bench::new();
    let change_set = bench.plan(TEMPLATE).await;
    bench.execute(&change_set).await;
    wait(40).await;
    bench.delete().await;
    wait(10).await;
    assert!(bench.said_of("Delivery").await.iter().all(|(status, _)| status != "DELETE_IN_PROGRESS"));
    wait(300).await;
    assert_eq!(bench.status(), "DELETE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn who_calls_is_known() {
    let bench = Bench::new();
    let answer = bench.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(answer.arn(), Some("arn:aws:iam::123456789012:user/somebody"));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "doesn't know kinesis ListStreams")]
async fn a_call_that_nobody_taught_it_is_a_panic() {
    let _ = Bench::new().kinesis.list_streams().send().await;
}
