//! Drift, as `status --drift` tells it.

use crate::bench::{Bench, STACK};
use crate::faults::denied;
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::stack::drift::{Drift, detect};
use simulated_aws::{Fault, Refusal, When};
use std::time::Duration;

async fn drift(bench: &Bench) -> Result<Drift, Error> {
    let id = bench.account().stack(STACK).unwrap().id.clone();
    detect(&bench.context, &id, Duration::from_secs(600)).await.map_err(|error| Error::of(&error))
}

/// Somebody kept records for longer, and deleted a log group.
fn meddle(bench: &Bench) {
    let mut account = bench.account();
    let drifted = &mut account.stack(STACK).unwrap().drifted;
    drifted
        .entry("Stream".to_owned())
        .or_default()
        .insert("/RetentionPeriodHours".to_owned(), "48".to_owned());
    account.unmake("AWS::Logs::LogGroup", "/kinesis-stack/dev/delivery");
}

#[tokio::test(start_paused = true)]
async fn a_stack_as_its_template_has_it_is_in_sync() {
    let bench = Bench::deployed().await;
    let drift = drift(&bench).await.unwrap();
    assert_eq!((drift.status.as_str(), drift.reason), ("IN_SYNC", None));
    assert!(drift.resources.len() > 5 && drift.resources.iter().all(|resource| !resource.differs()));
    assert_eq!(bench.changes(), ["DetectStackDrift"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_behind_cloudformations_back_is_told_however_many_pages_it_takes() {
    for page in [100, 2] {
        let bench = Bench::deployed().await;
        bench.account().script.page = page;
        meddle(&bench);
        let drift = drift(&bench).await.unwrap();
        assert_eq!(drift.status, "DRIFTED");
        let differ: Vec<_> = drift.resources.iter().filter(|resource| resource.differs()).collect();
        let names: Vec<_> = differ.iter().map(|it| (it.logical_id.as_str(), it.status.as_str())).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names.contains(&("DeliveryLogGroup", "DELETED")), "{names:?}");
        let stream = differ.iter().find(|it| it.logical_id == "Stream").unwrap();
        assert_eq!(
            (stream.resource_type.as_str(), stream.status.as_str()),
            ("AWS::Kinesis::Stream", "MODIFIED")
        );
        let it = &stream.differences[0];
        let told = (it.path.as_str(), it.expected.as_str(), it.actual.as_str(), it.kind.as_str());
        assert_eq!(told, ("/RetentionPeriodHours", "24", "48", "NOT_EQUAL"));
        assert!(drift.resources.len() > 5, "every page: {}", drift.resources.len());
    }
}

#[tokio::test(start_paused = true)]
async fn up_heals_what_has_drifted_where_that_is_asked_for_and_not_else() {
    let mut bench = Bench::deployed().await;
    bench.account().somebody_drifts(STACK, "Stream", "/RetentionPeriodHours", "12");
    bench.up().await.unwrap();
    assert_eq!(drift(&bench).await.unwrap().status, "DRIFTED");
    bench.means.heal = true;
    assert_eq!(bench.up().await.unwrap().changed, Some(true));
    assert_eq!(drift(&bench).await.unwrap().status, "IN_SYNC");
}

#[tokio::test(start_paused = true)]
async fn three_minutes_of_throttling_do_not_end_a_detection() {
    for operation in ["DetectStackDrift", "DescribeStackDriftDetectionStatus", "DescribeStackResourceDrifts"]
    {
        let bench = Bench::deployed().await;
        meddle(&bench);
        let now = bench.account().age();
        let when = When::Between(now, now + Duration::from_secs(180));
        let refusal = Refusal::new(400, "Throttling", "Rate exceeded");
        bench.account().faults.push(Fault { operation, when, refusal });
        assert_eq!(drift(&bench).await.unwrap().status, "DRIFTED", "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn drift_that_cannot_be_told_says_why_and_is_no_failure() {
    let refusals = [
        denied("DetectStackDrift"),
        Fault {
            operation: "DetectStackDrift",
            when: When::Always,
            refusal: Refusal::new(400, "InvalidAction", "The action DetectStackDrift is not valid"),
        },
    ];
    for fault in refusals {
        let bench = Bench::deployed().await;
        let code = fault.refusal.code.clone();
        bench.account().faults.push(fault);
        let drift = drift(&bench).await.unwrap();
        assert_eq!(drift.status, "UNKNOWN");
        assert!(drift.reason.unwrap().contains(&code));
    }

    // A detection that never ends.
    let bench = Bench::deployed().await;
    bench.account().script.drift_seconds = 100_000.0;
    let drift = drift(&bench).await.unwrap();
    assert_eq!(drift.status, "UNKNOWN");
    assert!(drift.reason.unwrap().contains("600s"));
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_no_good_are_a_failure_of_drift_too() {
    let bench = Bench::deployed().await;
    let refusal = Refusal::new(403, "ExpiredToken", "The security token included in the request is expired");
    let operation = "DescribeStackDriftDetectionStatus";
    bench.account().faults.push(Fault { operation, when: When::Always, refusal });
    assert_eq!(drift(&bench).await.unwrap_err().kind, Kind::Credentials);
}
