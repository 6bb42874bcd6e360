//! Whether every leg is ready, after EXPRESS.

use crate::bench::{BUCKET, Bench, STACK};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use kinesis_stack::cloud::Clients;
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::Event;
use kinesis_stack::stack::ready;
use simulated_aws::{Aws, Fault, Refusal, When};
use std::time::Duration;
use tokio::time::Instant;

const STREAM: (&str, &str) = ("AWS::Kinesis::Stream", STACK);
const DELIVERY: (&str, &str) = ("AWS::KinesisFirehose::DeliveryStream", STACK);
const FUNCTION: (&str, &str) = ("AWS::Lambda::Function", "kinesis-stack-dev-processor");

async fn wait(bench: &Bench, seconds: u64) -> Result<(), Error> {
    assert!(still_there(bench, seconds).await?);
    Ok(())
}

async fn still_there(bench: &Bench, seconds: u64) -> Result<bool, Error> {
    let identity = bench.context.clients.identity().await.unwrap();
    let stack_id = bench.account().stack(STACK).unwrap().id.clone();
    let waited = ready::wait(&bench.context, &identity, &stack_id, Duration::from_secs(seconds)).await;
    waited.map_err(|error| Error::of(&error))
}

/// Lets a thing be ready only after so long.
fn delay(bench: &Bench, (kind, name): (&str, &str), seconds: u64) {
    let mut account = bench.account();
    let thing = account.things.get_mut(&(kind.to_owned(), name.to_owned())).unwrap();
    thing.ready = Instant::now() + Duration::from_secs(seconds);
}

fn legs(bench: &Bench) -> Vec<(String, f64)> {
    let leg = |event| match event {
        Event::LegReady { leg, name, seconds } => Some((format!("{leg} {name}"), seconds)),
        _ => None,
    };
    bench.events().into_iter().filter_map(leg).collect()
}

#[tokio::test(start_paused = true)]
async fn every_leg_is_told_once_and_all_are_asked_at_once() {
    let bench = Bench::deployed().await;
    delay(&bench, STREAM, 30);
    delay(&bench, DELIVERY, 90);
    delay(&bench, FUNCTION, 8);
    wait(&bench, 600).await.unwrap();
    let legs = legs(&bench);
    let names: Vec<&str> = legs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    let last: Vec<&str> = names[5..].to_vec();
    let delivery = "delivery stream kinesis-stack-dev";
    assert_eq!(last, ["function kinesis-stack-dev-processor", "data stream kinesis-stack-dev", delivery]);
    for (at, (_, seconds)) in [8.0, 30.0, 90.0].into_iter().zip(&legs[5..]) {
        assert!((at - 0.1..at + 3.0).contains(seconds), "ready after {at}s, told after {seconds}s");
    }
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_takes_away_is_not_waited_for_any_longer() {
    let bench = Bench::deployed().await;
    delay(&bench, DELIVERY, 3_000);
    let aws = bench.aws.clone();
    let somebody = async {
        tokio::time::sleep(Duration::from_secs(50)).await;
        aws.now().somebody_deletes(STACK);
    };
    let began = Instant::now();
    let (waited, ()) = tokio::join!(still_there(&bench, 3_600), somebody);
    assert!(!waited.unwrap());
    assert!(began.elapsed() < Duration::from_secs(75), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_express_deployment_ends_when_the_pipeline_works() {
    let mut bench = Bench::deployed().await;
    (bench.means.ephemeral, bench.means.express) = (true, true);
    bench.shape.log_retention_days = 3;
    delay(&bench, DELIVERY, 60);
    bench.up().await.unwrap();
    assert_eq!(legs(&bench).len(), 8);
    let mut account = bench.account();
    assert!(account.stack(STACK).unwrap().terms.express);
    for (kind, name) in [STREAM, DELIVERY, FUNCTION] {
        assert_eq!(account.thing(kind, name).unwrap().status(Instant::now()), "ACTIVE", "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_isnt_there_yet_or_cannot_be_asked_for_minutes_is_asked_again() {
    for (operation, code) in [
        ("DescribeStreamSummary", "ProvisionedThroughputExceededException"),
        ("DescribeDeliveryStream", "ResourceNotFoundException"),
        ("GetFunctionConfiguration", "TooManyRequestsException"),
        ("HeadBucket", "SlowDown"),
        ("GetRole", "NoSuchEntity"),
        ("DescribeLogGroups", "ThrottlingException"),
    ] {
        let bench = Bench::deployed().await;
        let now = bench.account().age();
        let when = When::Between(now, now + Duration::from_secs(120));
        let status = if code == "SlowDown" { 503 } else { 400 };
        bench.account().faults.push(Fault {
            operation,
            when,
            refusal: Refusal::new(status, code, "not now"),
        });
        wait(&bench, 600).await.unwrap_or_else(|error| panic!("{operation}: {error}"));
        assert_eq!(legs(&bench).len(), 8, "{operation}");
        assert!(bench.account().age() > now + Duration::from_secs(115), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_express_update_whose_watcher_was_killed_is_waited_for_by_the_next() {
    let mut bench = Bench::deployed().await;
    (bench.means.ephemeral, bench.means.express) = (true, true);
    bench.shape.log_retention_days = 3;
    delay(&bench, DELIVERY, 300);
    let killed = tokio::time::timeout(Duration::from_secs(200), bench.up()).await;
    assert!(killed.is_err());
    assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));
    let next = bench.again();
    let done = next.up().await.unwrap();
    assert_eq!((done.changed, legs(&next).len()), (Some(false), 8));
    let account = bench.account();
    assert_eq!(account.thing(DELIVERY.0, DELIVERY.1).unwrap().status(Instant::now()), "ACTIVE");
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_somebody_deleted_is_not_waited_for_until_the_time_is_over() {
    let mut bench = Bench::deployed().await;
    (bench.means.ephemeral, bench.means.express) = (true, true);
    bench.up().await.unwrap();
    bench.account().buckets.remove(BUCKET);
    let error = bench.again().up().await.unwrap_err();
    assert_eq!(error.kind, Kind::DeploymentFailed, "{error}");
    assert!(error.message.contains(&format!("there is no bucket {BUCKET}")), "{error}");
    assert!(error.remedies[0].contains("up --heal"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn time_that_runs_out_names_the_legs_that_are_not_ready() {
    let bench = Bench::deployed().await;
    delay(&bench, DELIVERY, 5_000);
    delay(&bench, FUNCTION, 5_000);
    let error = wait(&bench, 60).await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::TimedOut, 7));
    let cause = error.cause.unwrap();
    assert_eq!(
        cause,
        "delivery stream kinesis-stack-dev (CREATING), function kinesis-stack-dev-processor (Pending)"
    );
    assert_eq!(legs(&bench).len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_failed_is_told_with_its_reason() {
    let bench = Bench::deployed().await;
    let reason = "The function's execution role can't be assumed.";
    {
        let mut account = bench.account();
        let function = account.things.get_mut(&(FUNCTION.0.to_owned(), FUNCTION.1.to_owned())).unwrap();
        function.update = Some((Instant::now(), Some(reason.to_owned())));
    }
    let error = wait(&bench, 600).await.unwrap_err();
    assert_eq!((error.kind, error.cause.as_deref()), (Kind::DeploymentFailed, Some(reason)));
    assert!(error.message.contains("function kinesis-stack-dev-processor"), "{}", error.message);
}

/// An account in which Firehose has given up.
#[derive(Debug, Clone)]
struct GivenUp(Aws);

impl HttpConnector for GivenUp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if !target.ends_with(".DescribeDeliveryStream") {
            return HttpConnector::call(&self.0, request);
        }
        let body = r#"{"DeliveryStreamDescription": {"DeliveryStreamName": "kinesis-stack-dev",
            "DeliveryStreamARN": "arn:aws:firehose:us-east-1:123456789012:deliverystream/kinesis-stack-dev",
            "DeliveryStreamStatus": "CREATING_FAILED", "DeliveryStreamType": "KinesisStreamAsSource",
            "FailureDescription": {"Type": "UNKNOWN_ERROR", "Details": "the role was deleted"},
            "VersionId": "1", "Destinations": [], "HasMoreDestinations": false}}"#;
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_stream_that_firehose_has_given_up_on_ends_the_wait_at_once() {
    let mut bench = Bench::deployed().await;
    let connector = SharedHttpConnector::new(GivenUp(bench.aws.clone()));
    let config = crate::bench::configuration("us-east-1", &bench.aws);
    let config = config.to_builder().http_client(http_client_fn(move |_, _| connector.clone())).build();
    bench.context.clients = Clients::new(&config, &bench.context.reporter).unwrap();
    delay(&bench, STREAM, 5_000);
    let error = wait(&bench, 600).await.unwrap_err();
    assert_eq!((error.kind, error.cause.as_deref()), (Kind::DeploymentFailed, Some("the role was deleted")));
}
