//! Firehose: what it reads, has transformed, and delivers.

use crate::bench::{BUCKET, Bench, TEMPLATE, wait};
use crate::log_lines::found;
use crate::records::put;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_smithy_types::base64;
use serde_json::{Value, json};
use simulated_aws::Processor;
use std::io::Read;

const LOG: &str = "/pipeline/delivery";

/// A pipeline whose delivery stream has a processor, a delimiter, an error prefix and a log.
fn template(compression: &str) -> String {
    let destination = format!(
        r#"
      ExtendedS3DestinationConfiguration:
        BucketARN: !GetAtt Bucket.Arn
        RoleARN: !GetAtt Role.Arn
        Prefix: rows/
        ErrorOutputPrefix: errors/!{{firehose:error-output-type}}/!{{timestamp:yyyy/MM/dd/HH}}/
        CompressionFormat: {compression}
        BufferingHints: {{IntervalInSeconds: 60, SizeInMBs: 1}}
        CloudWatchLoggingOptions: {{Enabled: true, LogGroupName: !Ref DeliveryGroup, LogStreamName: !Ref DeliveryLog}}
        ProcessingConfiguration:
          Enabled: true
          Processors:
            - Type: Lambda
              Parameters:
                - {{ParameterName: LambdaArn, ParameterValue: !GetAtt Processor.Arn}}
                - {{ParameterName: BufferSizeInMBs, ParameterValue: "1"}}
                - {{ParameterName: BufferIntervalInSeconds, ParameterValue: "20"}}
            - Type: AppendDelimiterToRecord
              Parameters: [{{ParameterName: Delimiter, ParameterValue: '\n'}}]
  DeliveryGroup:
    Type: AWS::Logs::LogGroup
    Properties: {{LogGroupName: {LOG}}}
  DeliveryLog:
    Type: AWS::Logs::LogStream
    Properties: {{LogGroupName: !Ref DeliveryGroup, LogStreamName: s3}}
Outputs:"#
    );
    let at = TEMPLATE.find("      ExtendedS3").unwrap();
    let (before, after) = (&TEMPLATE[..at - 1], TEMPLATE.split_once("Outputs:").unwrap().1);
    format!("{before}{destination}{after}")
}

pub async fn deployed() -> Bench {
    let bench = Bench::new();
    bench.deploy(&template("UNCOMPRESSED")).await;
    assert_eq!(bench.status(), "CREATE_COMPLETE");
    bench
}

/// Answers each record with what this makes of it.
fn answering(result: impl Fn(&str, &Value) -> Vec<Value> + Send + Sync + 'static) -> Processor {
    Processor::new(move |event| {
        let event: Value = serde_json::from_slice(event).unwrap();
        let records = event["records"].as_array().unwrap().iter().flat_map(|record| {
            let data = base64::decode(record["data"].as_str().unwrap()).unwrap();
            result(&String::from_utf8(data).unwrap(), record)
        });
        Ok(json!({"records": records.collect::<Vec<_>>()}).to_string().into_bytes())
    })
}

/// The keys under a prefix, and what is in them together.
fn landed(bench: &Bench, prefix: &str) -> (Vec<String>, String) {
    let account = bench.account();
    let objects = account.buckets[BUCKET].versions.iter().filter(|((key, _), _)| key.starts_with(prefix));
    let mut landed = (Vec::new(), String::new());
    for ((key, _), version) in objects {
        landed.0.push(key.clone());
        landed.1 += &String::from_utf8(version.body()).unwrap();
    }
    landed
}

/// The error records that landed.
fn failed(bench: &Bench) -> Vec<Value> {
    landed(bench, "errors/").1.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn codes(bench: &Bench) -> Vec<String> {
    failed(bench).iter().map(|line| line["errorCode"].as_str().unwrap().to_owned()).collect()
}

/// The codes in the delivery stream's log.
async fn logged(bench: &Bench) -> Vec<String> {
    wait(5).await;
    let code =
        |text: &str| serde_json::from_str::<Value>(text).unwrap()["errorCode"].as_str().unwrap().to_owned();
    found(bench, LOG, "").await.iter().map(|line| code(line)).collect()
}

#[tokio::test(start_paused = true)]
async fn records_are_transformed_and_land_after_both_buffers() {
    let bench = deployed().await;
    bench.account().script.processor = Some(answering(|data, record| {
        let data = base64::encode(format!("row {data}"));
        vec![json!({"recordId": record["recordId"], "result": "Ok", "data": data})]
    }));
    put(&bench, "a", 0, 3).await;
    wait(75).await;
    assert!(landed(&bench, "rows/").0.is_empty());
    wait(10).await;
    let (keys, rows) = landed(&bench, "rows/");
    assert_eq!(rows, "row 0\nrow 1\nrow 2\n");
    // Fact: the prefix is followed by the hour in UTC, then by the delivery stream, its version and the time.
    assert!(keys[0].starts_with("rows/2026/09/21/"), "{keys:?}");
    let name = keys[0].rsplit('/').next().unwrap();
    assert!(name.starts_with("delivery-1-2026-09-21-"), "{name}");
    assert_eq!(name.len(), "delivery-1-2026-09-21-14-13-20-".len() + 36, "{name}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_before_the_delivery_stream_reads_is_never_delivered() {
    let bench = Bench::new();
    let change_set = bench.plan(&template("UNCOMPRESSED")).await;
    bench.execute(&change_set).await;
    while bench
        .kinesis
        .put_record()
        .stream_name("trades")
        .partition_key("a")
        .data(early())
        .send()
        .await
        .is_err()
    {
        wait(5).await;
    }
    wait(600).await;
    put(&bench, "a", 0, 1).await;
    wait(600).await;
    assert_eq!(landed(&bench, "rows/").1, "0\n");
}

fn early() -> Blob {
    Blob::new(*b"early")
}

#[tokio::test(start_paused = true)]
async fn an_object_is_written_when_it_is_large_enough() {
    let bench = deployed().await;
    for number in 0..30 {
        let large = vec![b'0' + number % 10; 100_000];
        let data = Blob::new(large);
        bench.kinesis.put_record().stream_name("trades").partition_key("a").data(data).send().await.unwrap();
        wait(1).await;
    }
    wait(5).await;
    assert_eq!(landed(&bench, "rows/").0.len(), 2, "3 MB came, and each MB is an object");
    wait(100).await;
    assert_eq!(landed(&bench, "rows/").1.len(), 30 * 100_001);
}

#[tokio::test(start_paused = true)]
async fn each_record_is_answered_once_as_ok_dropped_or_failed() {
    let bench = deployed().await;
    bench.account().script.processor = Some(answering(|data, record| {
        let told =
            |result: &str| json!({"recordId": record["recordId"], "result": result, "data": record["data"]});
        match data {
            "1" => vec![told("Dropped")],
            "2" => vec![told("ProcessingFailed")],
            "3" => vec![],
            "4" => vec![told("Ok"), told("Ok")],
            "5" => vec![json!({"recordId": record["recordId"], "result": "Ok"})],
            _ => vec![told("Ok")],
        }
    }));
    put(&bench, "a", 0, 7).await;
    wait(100).await;
    assert_eq!(landed(&bench, "rows/").1, "0\n6\n");
    assert_eq!(
        codes(&bench),
        [
            "Lambda.ProcessingFailedStatus",
            "Lambda.MissingRecordId",
            "Lambda.DuplicatedRecordId",
            "Lambda.JsonProcessingException"
        ]
    );
    let first = &failed(&bench)[0];
    assert_eq!(first["rawData"], base64::encode("2"));
    assert_eq!(first["attemptsMade"], 1);
    assert!(first["lambdaArn"].as_str().unwrap().ends_with(":function:processor"));
    assert!(first["arrivalTimestamp"].as_i64() <= first["attemptEndingTimestamp"].as_i64());
    let (keys, _) = landed(&bench, "errors/");
    assert!(keys[0].starts_with("errors/processing-failed/2026/09/21/"), "{keys:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_invocation_is_tried_three_more_times_then_the_batch_fails() {
    let bench = deployed().await;
    bench.account().script.failing_function = Some("panicked".to_owned());
    put(&bench, "a", 0, 2).await;
    wait(120).await;
    assert_eq!(codes(&bench), ["Lambda.FunctionError", "Lambda.FunctionError"]);
    assert_eq!(failed(&bench)[0]["attemptsMade"], 4);
    assert_eq!(logged(&bench).await, ["Lambda.FunctionError"; 4]);
    let lines = found(&bench, "/pipeline/processor", "REPORT").await;
    assert_eq!(lines.len(), 4);
    assert!(lines[0].contains("Status: error"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_recovers_in_between_loses_nothing() {
    let bench = deployed().await;
    bench.account().script.throttled_function = true;
    put(&bench, "a", 0, 2).await;
    wait(23).await;
    bench.account().script.throttled_function = false;
    wait(100).await;
    assert_eq!(landed(&bench, "rows/").1, "0\n1\n");
    assert!(logged(&bench).await.contains(&"Lambda.InvokeLimitExceeded".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_is_not_tried_again() {
    let bench = deployed().await;
    bench.account().script.processor = Some(Processor::new(|_| Ok(b"no JSON".to_vec())));
    put(&bench, "a", 0, 2).await;
    wait(100).await;
    assert_eq!(codes(&bench), ["Lambda.JsonProcessingException"; 2]);
    assert_eq!(failed(&bench)[0]["attemptsMade"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_more_than_6_megabytes_is_an_error_of_the_function() {
    let bench = deployed().await;
    bench.account().script.processor = Some(Processor::new(|_| Ok(vec![b' '; 6_291_557])));
    put(&bench, "a", 0, 1).await;
    wait(120).await;
    assert_eq!(codes(&bench), ["Lambda.FunctionError"]);
}

#[tokio::test(start_paused = true)]
async fn a_function_without_concurrency_is_throttled_and_a_slow_one_times_out() {
    let bench = Bench::new();
    let template =
        template("UNCOMPRESSED").replace("[arm64]", "[arm64]\n      ReservedConcurrentExecutions: 0");
    bench.deploy(&template).await;
    let reserved = bench.lambda.get_function_concurrency().function_name("processor").send().await.unwrap();
    assert_eq!(reserved.reserved_concurrent_executions(), Some(0));
    put(&bench, "a", 0, 1).await;
    wait(120).await;
    assert_eq!(codes(&bench), ["Lambda.InvokeLimitExceeded"]);
    let bench = deployed().await;
    bench.account().script.slow_function = true;
    put(&bench, "a", 0, 1).await;
    wait(120).await;
    assert_eq!(codes(&bench), ["Lambda.FunctionTimedOut"]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_gone_or_denied_lets_rows_wait_and_is_tried_again() {
    let bench = deployed().await;
    bench.account().script.delivery_denied.insert("s3:PutObject".to_owned());
    put(&bench, "a", 0, 2).await;
    wait(300).await;
    assert!(landed(&bench, "rows/").0.is_empty());
    bench.account().script.delivery_denied.clear();
    wait(60).await;
    assert_eq!(landed(&bench, "rows/").1, "0\n1\n");
    let held = bench.account().buckets.remove(BUCKET).unwrap();
    put(&bench, "a", 2, 1).await;
    wait(300).await;
    bench.account().buckets.insert(BUCKET.to_owned(), held);
    bench.account().script.delivery_denied.insert("kms:GenerateDataKey".to_owned());
    wait(60).await;
    bench.account().script.delivery_denied.clear();
    wait(60).await;
    assert_eq!(landed(&bench, "rows/").1, "0\n1\n2\n");
    let mut seen = logged(&bench).await;
    seen.dedup();
    assert_eq!(seen, ["S3.AccessDenied", "S3.NoSuchBucket", "S3.KMS.AccessDenied"]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_stream_that_cannot_or_does_not_read_delivers_once_it_does() {
    for breaks in [0, 1, 2] {
        let bench = deployed().await;
        match breaks {
            0 => drop(bench.account().script.delivery_denied.insert("kinesis:GetRecords".to_owned())),
            1 => drop(bench.account().script.delivery_denied.insert("kms:Decrypt".to_owned())),
            _ => bench.account().script.delivery_never_reads = true,
        }
        put(&bench, "a", 0, 1).await;
        wait(600).await;
        assert!(landed(&bench, "").0.is_empty());
        bench.account().script.delivery_denied.clear();
        bench.account().script.delivery_never_reads = false;
        wait(100).await;
        assert_eq!(landed(&bench, "rows/").1, "0\n");
    }
}

#[tokio::test(start_paused = true)]
async fn gzip_objects_end_with_gz() {
    let bench = Bench::new();
    bench.deploy(&template("GZIP")).await;
    put(&bench, "a", 0, 3).await;
    wait(100).await;
    let account = bench.account();
    let ((key, _), version) = account.buckets[BUCKET].versions.iter().next().unwrap();
    assert!(key.ends_with(".gz"), "{key}");
    let (body, mut rows) = (version.body(), String::new());
    flate2::read::MultiGzDecoder::new(&body[..]).read_to_string(&mut rows).unwrap();
    assert_eq!(rows, "0\n1\n2\n");
}

#[tokio::test(start_paused = true)]
async fn the_event_is_as_a_function_gets_it() {
    let bench = deployed().await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Value::Null));
    let kept = seen.clone();
    bench.account().script.processor = Some(Processor::new(move |event| {
        *kept.lock().unwrap() = serde_json::from_slice(event).unwrap();
        Ok(b"{}".to_vec())
    }));
    let put = put(&bench, "a", 7, 1).await;
    wait(60).await;
    // Whoever looks lets happen what was due.
    drop(bench.account());
    let event = seen.lock().unwrap().clone();
    let names: Vec<&String> = event.as_object().unwrap().keys().collect();
    assert_eq!(names, ["invocationId", "sourceKinesisStreamArn", "deliveryStreamArn", "region", "records"]);
    assert_eq!(event["sourceKinesisStreamArn"], "arn:aws:kinesis:us-east-1:123456789012:stream/trades");
    let record = &event["records"][0];
    assert_eq!(record["data"], base64::encode("7"));
    let metadata = &record["kinesisRecordMetadata"];
    assert_eq!(metadata["sequenceNumber"].as_str(), put.records()[0].sequence_number());
    assert_eq!(
        (&metadata["partitionKey"], &metadata["shardId"]),
        (&json!("a"), &json!("shardId-000000000000"))
    );
    assert_eq!(metadata["approximateArrivalTimestamp"], record["approximateArrivalTimestamp"]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_stream_tells_where_it_delivers_to_and_from() {
    let bench = deployed().await;
    let told =
        bench.firehose.describe_delivery_stream().delivery_stream_name("delivery").send().await.unwrap();
    let told = told.delivery_stream_description.unwrap();
    let source = told.source.unwrap().kinesis_stream_source_description.unwrap();
    assert_eq!(source.kinesis_stream_arn(), Some("arn:aws:kinesis:us-east-1:123456789012:stream/trades"));
    let destination = told.destinations[0].extended_s3_destination_description.as_ref().unwrap();
    let hints = destination.buffering_hints().unwrap();
    assert_eq!((hints.interval_in_seconds(), hints.size_in_mbs()), (Some(60), Some(1)));
    assert_eq!(destination.prefix(), Some("rows/"));
    assert_eq!(destination.cloud_watch_logging_options().unwrap().log_group_name(), Some(LOG));
    let processors = destination.processing_configuration().unwrap().processors();
    assert_eq!(processors[0].parameters()[2].parameter_value(), "20");
    // A change in place is a new version.
    bench.deploy(&template("GZIP")).await;
    let told =
        bench.firehose.describe_delivery_stream().delivery_stream_name("delivery").send().await.unwrap();
    assert_eq!(told.delivery_stream_description.unwrap().version_id(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_dying_delivery_stream_delivers_what_it_has_read() {
    let bench = deployed().await;
    put(&bench, "a", 0, 2).await;
    wait(3).await;
    bench.firehose.delete_delivery_stream().delivery_stream_name("delivery").send().await.unwrap();
    wait(40).await;
    assert_eq!(landed(&bench, "rows/").1, "0\n1\n");
}

#[tokio::test(start_paused = true)]
async fn of_a_hundred_thousand_records_each_lands_once() {
    let bench = Bench::new();
    bench.deploy(&template("UNCOMPRESSED").replace("ShardCount: 1", "ShardCount: 4")).await;
    for call in 0..200 {
        let records = (0..500).map(|place| {
            let number = call * 500 + place;
            let entry = PutRecordsRequestEntry::builder().partition_key(number.to_string());
            entry.data(Blob::new(number.to_string())).build().unwrap()
        });
        let put = bench.kinesis.put_records().stream_name("trades").set_records(Some(records.collect()));
        assert_eq!(put.send().await.unwrap().failed_record_count(), Some(0));
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    wait(200).await;
    let mut rows: Vec<u32> = landed(&bench, "rows/").1.lines().map(|row| row.parse().unwrap()).collect();
    rows.sort_unstable();
    assert!(rows.into_iter().eq(0..100_000));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_counted_as_old_until_it_is_delivered() {
    let bench = deployed().await;
    bench.account().script.delivery_denied.insert("s3:PutObject".to_owned());
    put(&bench, "a", 0, 1).await;
    wait(600).await;
    let fresh = crate::metrics::query(
        "AWS/Firehose",
        "DeliveryToS3.DataFreshness",
        ("DeliveryStreamName", "delivery"),
        "Maximum",
    );
    let told = crate::metrics::told(&bench, fresh).await;
    assert!(told.values()[0] > 400.0 && told.values()[0] > told.values()[1], "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_logged_where_the_log_stream_is_not_there() {
    let bench = Bench::new();
    bench
        .deploy(&template("UNCOMPRESSED").replace("LogStreamName: !Ref DeliveryLog", "LogStreamName: other"))
        .await;
    bench.account().script.failing_function = Some("panicked".to_owned());
    put(&bench, "a", 0, 1).await;
    wait(120).await;
    assert_eq!(codes(&bench).len(), 1);
    assert!(logged(&bench).await.is_empty());
}
