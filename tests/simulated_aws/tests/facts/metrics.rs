//! CloudWatch metrics.

use crate::bench::{Bench, wait};
use crate::records::{put, with_stream};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};

/// When the account begins.
const BEGIN: i64 = 1_790_000_000;

pub fn query(namespace: &str, metric: &str, dimension: (&str, &str), statistic: &str) -> MetricDataQuery {
    let dimension = Dimension::builder().name(dimension.0).value(dimension.1).build();
    let metric = Metric::builder().namespace(namespace).metric_name(metric).dimensions(dimension).build();
    let stat = MetricStat::builder().metric(metric).period(60).stat(statistic).build();
    MetricDataQuery::builder().id("it").metric_stat(stat).build()
}

pub async fn told(bench: &Bench, query: MetricDataQuery) -> MetricDataResult {
    let request = bench.cloudwatch.get_metric_data().start_time(DateTime::from_secs(BEGIN - 600));
    let request = request.end_time(DateTime::from_secs(BEGIN + 6_000)).metric_data_queries(query);
    request.send().await.unwrap().metric_data_results()[0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_minute_is_told_one_to_two_minutes_late_the_newest_first() {
    let bench = with_stream(1);
    let records = || query("AWS/Kinesis", "IncomingRecords", ("StreamName", "trades"), "Sum");
    put(&bench, "a", 0, 3).await;
    put(&bench, "a", 3, 2).await;
    wait(60).await;
    put(&bench, "a", 5, 1).await;
    assert!(told(&bench, records()).await.values().is_empty());
    wait(60).await;
    let first = told(&bench, records()).await;
    assert_eq!((first.values(), first.label()), ([5.0].as_slice(), Some("IncomingRecords")));
    assert_eq!(first.timestamps()[0].secs() % 60, 0);
    wait(60).await;
    assert_eq!(told(&bench, records()).await.values(), [1.0, 5.0]);
}

#[tokio::test(start_paused = true)]
async fn throttled_writes_are_counted() {
    let bench = with_stream(1);
    bench.account().script.shard_records_per_second = 2.0;
    put(&bench, "a", 0, 5).await;
    wait(180).await;
    let of = |metric| query("AWS/Kinesis", metric, ("StreamName", "trades"), "Sum");
    assert_eq!(told(&bench, of("WriteProvisionedThroughputExceeded")).await.values(), [3.0]);
    assert_eq!(told(&bench, of("IncomingBytes")).await.values(), [2.0]);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_counted_has_no_values() {
    let bench = Bench::new();
    let nothing = query("AWS/Lambda", "Errors", ("FunctionName", "none"), "Sum");
    let told = told(&bench, nothing).await;
    assert!(told.values().is_empty() && told.status_code().is_some());
}

#[tokio::test(start_paused = true)]
async fn delivery_streams_and_functions_are_counted() {
    let bench = crate::delivery::deployed().await;
    put(&bench, "a", 0, 3).await;
    wait(300).await;
    for (namespace, metric, dimension, expected) in [
        ("AWS/Firehose", "DataReadFromKinesisStream.Records", ("DeliveryStreamName", "delivery"), 3.0),
        ("AWS/Firehose", "ExecuteProcessing.Success", ("DeliveryStreamName", "delivery"), 1.0),
        ("AWS/Firehose", "SucceedProcessing.Records", ("DeliveryStreamName", "delivery"), 3.0),
        ("AWS/Firehose", "DeliveryToS3.Records", ("DeliveryStreamName", "delivery"), 3.0),
        ("AWS/Firehose", "DeliveryToS3.Success", ("DeliveryStreamName", "delivery"), 1.0),
        ("AWS/Lambda", "Invocations", ("FunctionName", "processor"), 1.0),
        ("AWS/Lambda", "Errors", ("FunctionName", "processor"), 0.0),
    ] {
        // The account has deployed something before: the window has to reach to here.
        let told = told(&bench, query(namespace, metric, dimension, "Sum")).await;
        assert_eq!(told.values(), [expected], "{metric}");
    }
}
