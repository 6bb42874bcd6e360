//! The smoke test against the simulated account: the good way, and each leg broken.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::data::smoke::{Ended, Leg, LegReport, LegState, Pipeline, Wish, smoke};
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::Event;
use kinesis_stack::stack::inspect;
use serde_json::Value;
use simulated_aws::{ACCOUNT, Fault, Processor, Refusal, Script, When};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// The real transform.
fn transform() -> Processor {
    Processor::new(|event| {
        processor::transform(event, SystemTime::UNIX_EPOCH).map_err(|error| error.to_string())
    })
}

/// An environment that is up and has been for an hour, whose function runs the processor that comes with the tool.
async fn bench() -> Bench {
    bench_with(1).await
}

async fn bench_with(shards: u32) -> Bench {
    let mut bench = Bench::new();
    bench.shape.shards = shards;
    bench.up().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    bench.forget();
    bench.account().script.processor = Some(transform());
    bench
}

async fn run(bench: &Bench, timeout: Option<Duration>) -> Result<Ended, Error> {
    let stack = inspect::require(&bench.context).await.unwrap();
    let pipeline = Pipeline::of(&stack, ACCOUNT).unwrap();
    let wish = Wish { pipeline, timeout, bad_records: true, workshop: bench.workshop.clone() };
    smoke(&bench.context, &wish).await.map_err(|error| Error::of(&error))
}

async fn ended(bench: &Bench) -> Ended {
    run(bench, None).await.unwrap()
}

fn states(ended: &Ended) -> Vec<LegState> {
    ended.report.legs.iter().map(|leg| leg.state).collect()
}

fn leg(ended: &Ended, leg: Leg) -> &LegReport {
    ended.report.legs.iter().find(|report| report.leg == leg).unwrap()
}

/// The key of each version that lies in the bucket, and of each delete marker.
fn keys(bench: &Bench) -> Vec<String> {
    let account = bench.account();
    account
        .buckets
        .get(BUCKET)
        .into_iter()
        .flat_map(|bucket| bucket.versions.keys().map(|it| it.0.clone()))
        .collect()
}

fn deny(denied: &mut BTreeSet<String>, action: &str) {
    denied.insert(action.to_owned());
}

/// Runs it where the account behaves so, and demands that this leg is found broken: with these words among what was
/// seen, what it means and what to do.
async fn broken(
    leg_name: Leg,
    behaves: impl FnOnce(&mut Script),
    seen: &str,
    meaning: &str,
) -> (Bench, Ended) {
    let bench = bench().await;
    behaves(&mut bench.account().script);
    let ended = ended(&bench).await;
    assert_broken(&ended, leg_name, seen, meaning);
    (bench, ended)
}

fn assert_broken(ended: &Ended, broken: Leg, seen: &str, meaning: &str) {
    assert_eq!(ended.report.broken, Some(broken), "{ended:#?}");
    let failure = ended.failure.as_ref().unwrap();
    assert!(failure.message.starts_with(&format!("the {broken} leg is broken: ")), "{failure:?}");
    let report = leg(ended, broken);
    assert!(report.seen.iter().any(|it| it.contains(seen)), "{seen}: {report:#?}");
    assert!(report.meaning.as_ref().is_some_and(|it| it.contains(meaning)), "{meaning}: {report:#?}");
    assert!(!report.remedies.is_empty());
    for after in ended.report.legs.iter().filter(|leg| leg.leg > broken) {
        assert_ne!(after.state, LegState::Broken, "one leg is named: {ended:#?}");
    }
}

/// Demands that this leg could not be tested, since the caller may not call this.
fn assert_denied(ended: &Ended, denied: Leg, action: &str) {
    assert_eq!(ended.report.broken, Some(denied), "{ended:#?}");
    let report = leg(ended, denied);
    assert_eq!(report.state, Denied, "{report:#?}");
    let failure = ended.failure.as_ref().unwrap();
    assert_eq!(failure.kind, Kind::Credentials);
    let message = format!("the {denied} leg can't be tested: you may not call {action} on ");
    assert!(failure.message.starts_with(&message), "{failure:?}");
    assert!(
        failure.remedies[0].contains(action) && failure.remedies[0].contains("allowed to"),
        "{failure:?}"
    );
    assert!(!states(ended).contains(&Broken), "{ended:#?}");
}

use LegState::{Broken, Denied, Good, NotReached, NotTested, OutOfTime, Waiting};

#[tokio::test(start_paused = true)]
async fn a_good_pipeline_is_proven_leg_by_leg_within_its_buffers_time_and_left_as_it_was() {
    let bench = bench_with(3).await;
    let ended = ended(&bench).await;
    assert_eq!(states(&ended), [Good; 5], "{ended:#?}");
    assert_eq!(ended.failure, None);
    assert!(ended.report.seconds < 160.0, "{ended:#?}");
    assert!(leg(&ended, Leg::Transform).seen[0].contains("each what the built-in transform makes"));
    assert_eq!(ended.report.removed, 2, "the rows and the bad records");
    assert_eq!(ended.report.left, [""; 0]);
    assert_eq!(keys(&bench), [""; 0], "nothing of it stays");
    // Each shard got a trade of its own.
    let put = &bench.calls("PutRecords")[0];
    let body: Value = serde_json::from_str(put.get("Body")).unwrap_or_default();
    assert_eq!((ended.report.good, ended.report.bad), (3, 2), "{body}");
    let told: Vec<Event> = bench
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::SmokeLeg(_) | Event::SmokeEnded(_)))
        .collect();
    assert_eq!(told.len(), 6, "each leg once, and the end: {told:#?}");
}

#[tokio::test(start_paused = true)]
async fn records_of_others_in_between_do_no_harm_and_stay() {
    let bench = bench().await;
    let stream = &bench.context.clients.kinesis;
    let theirs = async {
        for number in 0..40 {
            let data = format!("{{\"tickerSymbol\":\"AAPL\",\"id\":{number}}}").into_bytes();
            let put = stream.put_record().stream_name(STACK).partition_key("k");
            put.data(aws_sdk_kinesis::primitives::Blob::new(data)).send().await.unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    };
    let (ended, ()) = tokio::join!(ended(&bench), theirs);
    assert_eq!(states(&ended), [Good; 5], "{ended:#?}");
    assert_eq!(ended.report.removed, 1, "nobody else sent bad ones: {ended:#?}");
    assert_eq!(ended.report.left.len(), 1);
    assert!(ended.report.left[0].starts_with("3 records of this test in s3://"), "{ended:#?}");
    assert!(ended.report.left[0].ends_with("it holds something else, too"), "{ended:#?}");
    assert!(keys(&bench).iter().all(|key| key.starts_with("rows/")), "{:?}", keys(&bench));
    assert!(!keys(&bench).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_there_before_is_never_read() {
    let bench = bench().await;
    bench.account().fill(BUCKET, 50);
    let before = keys(&bench);
    let ended = ended(&bench).await;
    assert_eq!(states(&ended), [Good; 5], "{ended:#?}");
    assert_eq!(keys(&bench), before);
    assert!(bench.calls("GetObject").len() <= 2, "only what is new is opened");
}

#[tokio::test(start_paused = true)]
async fn refused_records_are_sent_again_until_the_stream_has_them() {
    let bench = bench().await;
    bench.account().script.record_failures = 7;
    let ended = ended(&bench).await;
    assert_eq!(states(&ended), [Good; 5], "{ended:#?}");
    assert!(bench.calls("PutRecords").len() > 1);
}

#[tokio::test(start_paused = true)]
async fn what_only_the_caller_may_not_do_breaks_no_leg_and_the_missing_permission_is_named() {
    for (action, denied) in [
        ("kinesis:DescribeStreamSummary", Leg::Stream),
        ("kinesis:ListShards", Leg::Stream),
        ("kinesis:PutRecords", Leg::Stream),
        ("firehose:DescribeDeliveryStream", Leg::Delivery),
        ("lambda:GetFunctionConfiguration", Leg::Transform),
        ("s3:ListBucket", Leg::Bucket),
        ("s3:GetObject", Leg::Bucket),
    ] {
        let bench = bench().await;
        deny(&mut bench.account().script.denied, action);
        let ended = ended(&bench).await;
        assert_denied(&ended, denied, action);
        if action != "s3:GetObject" {
            assert!(ended.report.seconds < 5.0, "{action}: it is known at once");
            assert_eq!(keys(&bench), [""; 0]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_throttled_for_ever_is_the_broken_leg() {
    let throttled = |script: &mut Script| script.shard_records_per_second = 0.0;
    let (_, ended) = broken(Leg::Stream, throttled, "ProvisionedThroughputExceeded", "fill the shards").await;
    assert!((60.0..80.0).contains(&ended.report.seconds), "{ended:#?}");
    assert_eq!(ended.failure.unwrap().kind, Kind::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_stream_or_a_delivery_stream_that_is_gone_is_named_before_anything_is_sent() {
    for (kind, broken) in [
        ("AWS::Kinesis::Stream", Leg::Stream),
        ("AWS::KinesisFirehose::DeliveryStream", Leg::Delivery),
        ("AWS::Lambda::Function", Leg::Transform),
    ] {
        let bench = bench().await;
        let name = if broken == Leg::Transform { "kinesis-stack-dev-processor" } else { STACK };
        bench.account().things.remove(&(kind.to_owned(), name.to_owned()));
        let ended = ended(&bench).await;
        assert_broken(&ended, broken, "is not there", "deleted behind CloudFormation's back");
        assert_eq!(bench.calls("PutRecords").len(), 0);
    }
    let bench = bench().await;
    bench.account().buckets.remove(BUCKET);
    assert_broken(&ended(&bench).await, Leg::Bucket, "is not there", "deleted behind CloudFormation's back");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_stream_whose_role_may_not_read_is_found_by_what_came_and_was_not_read() {
    let denied = |script: &mut Script| deny(&mut script.delivery_denied, "kinesis:GetRecords");
    let (_, ended) =
        broken(Leg::Delivery, denied, "metric DataReadFromKinesisStream.Records: none", "its role").await;
    assert_eq!(states(&ended), [Good, Broken, NotReached, NotReached, NotReached]);
    assert!(ended.report.seconds < 300.0, "before the deadline: {ended:#?}");
    assert_eq!(ended.failure.unwrap().kind, Kind::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_stream_that_never_reads_is_called_late_and_then_broken() {
    let (bench, ended) =
        broken(Leg::Delivery, |script| script.delivery_never_reads = true, "0 of 3 trades", "has read").await;
    assert_eq!(states(&ended)[1], Broken);
    let late = bench.events().into_iter().find_map(|event| match event {
        Event::SmokeLeg(leg) if leg.state == LegState::Late => Some(leg),
        _ => None,
    });
    let late = late.expect("it is called late first");
    assert_eq!(late.leg, Leg::Delivery);
    assert!((150.0..160.0).contains(&late.seconds.unwrap()), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn without_metrics_a_delivery_stream_that_never_reads_is_broken_at_the_deadline() {
    let bench = bench().await;
    bench.account().script.delivery_never_reads = true;
    bench.account().script.denied.insert("cloudwatch:GetMetricData".to_owned());
    let ended = ended(&bench).await;
    assert_broken(&ended, Leg::Delivery, "0 of 3 trades have their rows", "Nothing tells");
    assert_eq!(ended.failure.as_ref().unwrap().kind, Kind::TimedOut);
    assert!((600.0..610.0).contains(&ended.report.seconds), "{ended:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_fails_is_found_by_the_trade_under_the_error_prefix_which_stays() {
    let failing = |script: &mut Script| script.failing_function = Some("Runtime exited".to_owned());
    let (bench, ended) = broken(Leg::Transform, failing, "Lambda.FunctionError", "ended with an error").await;
    assert_eq!(states(&ended), [Good, Good, Broken, NotReached, NotReached]);
    assert_eq!(ended.failure.unwrap().kind, Kind::Failed);
    let kept = keys(&bench);
    assert_eq!(kept.len(), 1, "what shows it stays: {kept:?}");
    assert!(kept[0].starts_with("errors/processing-failed/"));
    assert!(
        ended.report.left[0].contains(&kept[0]) && ended.report.left[0].ends_with("it shows what is wrong")
    );
}

#[tokio::test(start_paused = true)]
async fn each_other_way_in_which_the_transform_breaks_is_named() {
    let throttled = |script: &mut Script| script.throttled_function = true;
    broken(Leg::Transform, throttled, "Lambda.", "functions run at once").await;
    let slow = |script: &mut Script| script.slow_function = true;
    broken(Leg::Transform, slow, "Lambda.", "timeout").await;
    let denied = |script: &mut Script| deny(&mut script.delivery_denied, "lambda:InvokeFunction");
    broken(Leg::Transform, denied, "Lambda.InvokeAccessDenied", "may not call the processor").await;
    let refuses = |script: &mut Script| script.processor = Some(answering("ProcessingFailed"));
    broken(Leg::Transform, refuses, "Lambda.ProcessingFailedStatus", "could not transform").await;
    // Not transformed at all: the row is what was sent.
    let (_, ended) =
        broken(Leg::Transform, |script| script.processor = None, "another one", "makes another row").await;
    assert!(ended.report.left[0].contains("rows/"), "the wrong row stays to be looked at: {ended:#?}");
}

/// A processor that answers each record so.
fn answering(result: &'static str) -> Processor {
    Processor::new(move |event| {
        let event: Value = serde_json::from_slice(event).map_err(|error| error.to_string())?;
        let records = event["records"].as_array().into_iter().flatten();
        let answers = records
            .map(|it| serde_json::json!({"recordId": it["recordId"], "result": result, "data": it["data"]}));
        Ok(serde_json::json!({"records": answers.collect::<Vec<_>>()}).to_string().into_bytes())
    })
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_firehose_may_not_write_to_is_the_broken_leg() {
    for (action, seen, meaning) in [
        ("s3:PutObject", "S3.AccessDenied", "may not write to the bucket"),
        ("kms:GenerateDataKey", "S3.KMS.AccessDenied", "KMS key"),
    ] {
        let denied = |script: &mut Script| deny(&mut script.delivery_denied, action);
        let (_, ended) = broken(Leg::Bucket, denied, seen, meaning).await;
        // Metrics, which would tell of the transform, come later than this.
        assert_eq!(states(&ended), [Good, Waiting, Waiting, Broken, NotReached], "{ended:#?}");
        assert!((150.0..170.0).contains(&ended.report.seconds), "within the buffers' time: {ended:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_goes_while_rows_are_under_way_is_the_broken_leg() {
    let bench = bench().await;
    let goes = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        bench.account().buckets.remove(BUCKET);
    };
    let (ended, ()) = tokio::join!(ended(&bench), goes);
    assert_broken(&ended, Leg::Bucket, "NoSuchBucket", "behind CloudFormation's back");
    assert!(ended.report.seconds < 60.0, "{ended:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_drops_what_it_cannot_transform_loses_it_and_that_is_found() {
    let bench = bench().await;
    bench.account().script.processor = Some(dropping());
    let ended = ended(&bench).await;
    assert_broken(&ended, Leg::Errors, "0 of 2 bad records", "turn up nowhere");
    assert_eq!(states(&ended), [Good, Good, Good, Good, Broken]);
    assert_eq!(keys(&bench), [""; 0], "the rows are no evidence");
}

/// The real transform, but for what it refuses: that is dropped.
fn dropping() -> Processor {
    Processor::new(|event| {
        let answer =
            processor::transform(event, SystemTime::UNIX_EPOCH).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&answer).replace("ProcessingFailed", "Dropped").into_bytes())
    })
}

#[tokio::test(start_paused = true)]
async fn a_processor_of_ones_own_is_held_to_the_marker_alone() {
    let bench = bench().await;
    // The tool's own processor is another one than what the function runs.
    bench.code("#!/bin/sh\n# another one\n");
    bench.account().script.processor = None;
    let ended = ended(&bench).await;
    assert_eq!(states(&ended), [Good, Good, Good, Good, NotTested], "{ended:#?}");
    assert!(leg(&ended, Leg::Transform).seen[0].contains("3 of them differ"), "{ended:#?}");
    let told = "of 2 bad records, 0 landed under the error prefix and 2 became rows";
    assert!(leg(&ended, Leg::Errors).seen[0].contains(told), "{ended:#?}");
    assert_eq!(ended.failure, None);
    // What isn't JSON lies beside the rows, and bears the marker, too.
    assert_eq!((ended.report.removed, ended.report.left.len()), (1, 0), "{ended:#?}");
    assert_eq!(keys(&bench), [""; 0]);
    assert!(ended.report.seconds < 150.0, "nothing is waited for that has come: {ended:#?}");
}

#[tokio::test(start_paused = true)]
async fn rows_that_come_late_are_waited_for() {
    let bench = bench().await;
    bench.account().script.delivery_never_reads = true;
    let mends = async {
        tokio::time::sleep(Duration::from_secs(100)).await;
        bench.account().script.delivery_never_reads = false;
    };
    let (ended, ()) = tokio::join!(ended(&bench), mends);
    assert_eq!(states(&ended), [Good; 5], "{ended:#?}");
    assert!(ended.report.seconds > 200.0, "{ended:#?}");
    let late =
        bench.events().iter().any(|it| matches!(it, Event::SmokeLeg(leg) if leg.state == LegState::Late));
    assert!(late, "they were called late meanwhile");
}

#[tokio::test(start_paused = true)]
async fn rights_that_take_a_while_to_be_known_everywhere_break_nothing() {
    let bench = bench().await;
    bench.account().script.delivery_denied.insert("s3:PutObject".to_owned());
    let mends = async {
        tokio::time::sleep(Duration::from_secs(125)).await;
        bench.account().script.delivery_denied.clear();
    };
    let (ended, ()) = tokio::join!(ended(&bench), mends);
    assert_eq!(states(&ended), [Good; 5], "{ended:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_before_the_buffers_time_blames_nothing_but_itself() {
    let bench = bench().await;
    let ended = run(&bench, Some(Duration::from_secs(60))).await.unwrap();
    let delivery = leg(&ended, Leg::Delivery);
    assert_eq!(delivery.state, LegState::OutOfTime, "it is not called broken: {ended:#?}");
    assert!(delivery.seen.contains(&"the buffers alone take up to 150s".to_owned()), "{delivery:?}");
    let failure = ended.failure.unwrap();
    assert!(failure.message.contains("time ran out before the delivery leg"), "{failure:?}");
    assert_eq!(failure.kind, Kind::TimedOut);
    assert!((60.0..65.0).contains(&ended.report.seconds), "{:?}", ended.report.seconds);
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_others_records_proves_no_leg() {
    let bench = bench().await;
    let theirs = async {
        loop {
            let data = aws_sdk_kinesis::primitives::Blob::new("{\"tickerSymbol\":\"AAPL\",\"id\":1}");
            let put = bench.context.clients.kinesis.put_record().stream_name(STACK).partition_key("k");
            put.data(data).send().await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let tested = async {
        tokio::time::sleep(Duration::from_secs(100)).await;
        run(&bench, Some(Duration::from_secs(30))).await.unwrap()
    };
    let ended = tokio::select! {
        ended = tested => ended,
        () = theirs => unreachable!(),
    };
    assert!(!bench.calls("FilterLogEvents").is_empty(), "what the processor logged was seen");
    assert_eq!(states(&ended), [Good, OutOfTime, NotReached, NotReached, NotReached], "{ended:#?}");
}

#[tokio::test(start_paused = true)]
async fn throttled_and_broken_looks_are_taken_again() {
    let bench = bench().await;
    for operation in
        ["ListObjectsV2", "DescribeDeliveryStream", "FilterLogEvents", "GetMetricData", "ListShards"]
    {
        let refusal = Refusal::throttled("s3");
        bench.account().faults.push(Fault { operation, when: When::Times(9), refusal });
    }
    let ended = ended(&bench).await;
    assert_eq!(states(&ended), [Good; 5], "{ended:#?}");
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_ends_it_and_says_which_records_may_still_land() {
    let bench = bench().await;
    let stops = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        bench.signal.send(Kind::Interrupted);
    };
    let (ended, ()) = tokio::join!(run(&bench, None), stops);
    let error = ended.unwrap_err();
    assert_eq!(error.kind, Kind::Interrupted);
    assert!(error.remedies[0].contains("they bear the marker smoke-"), "{error:?}");
}
