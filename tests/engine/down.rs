//! `down`: consent, and what is left when it is done.

use crate::bench::{ARTIFACTS, BUCKET, Bench, STACK};
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use kinesis_stack::stack::Consent;
use kinesis_stack::stack::down::Wish;
use simulated_aws::{Deed, Version};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

fn put_rows(bench: &Bench, rows: usize) {
    for row in 0..rows {
        bench.account().put(BUCKET, &format!("rows/{row:05}"), Version { bytes: 100, ..Version::default() });
    }
}

#[tokio::test(start_paused = true)]
async fn with_nobody_there_an_environment_that_holds_data_stays() {
    let bench = Bench::deployed().await;
    put_rows(&bench, 3);
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.message.contains("3 objects (300 B)"), "{error}");
    assert!(!error.remedies.is_empty());
    assert_eq!(bench.changes(), [""; 0]);
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn after_a_no_everything_stays() {
    let bench = Bench::deployed().await;
    bench.answer(Some(false));
    assert_eq!(bench.down().await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.changes(), [""; 0]);
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn with_nobody_there_an_environment_without_data_goes() {
    let bench = Bench::deployed().await;
    let done = bench.down().await.unwrap();
    assert_eq!(done.changed, Some(true));
    assert_eq!(done.checked.unwrap().len(), 10);
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_goes_is_told_before_it_is_asked_about() {
    let bench = Bench::deployed().await;
    put_rows(&bench, 1);
    bench.answer(Some(true));
    bench.down().await.unwrap();
    let removal = bench.events().into_iter().find_map(|event| match event {
        Event::Removal { resources, bucket, data, .. } => Some((resources, bucket, data)),
        _ => None,
    });
    let (resources, bucket, data) = removal.unwrap();
    assert_eq!((resources.len(), bucket.as_deref()), (10, Some(BUCKET)));
    let data = data.unwrap();
    assert_eq!((data.objects, data.bytes, data.complete), (1, 100, true));
    assert_eq!(bench.questions().last().unwrap(), "Delete kinesis-stack-dev with 1 object (100 B)");
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_there_each_service_is_asked_all_the_same() {
    let bench = Bench::new();
    let done = bench.down().await.unwrap();
    assert_eq!(done.changed, Some(false));
    assert_eq!(bench.changes(), [""; 0]);
    let asked: BTreeSet<String> = bench.called().into_iter().collect();
    for operation in [
        "HeadBucket",
        "DescribeStreamSummary",
        "DescribeDeliveryStream",
        "GetFunctionConfiguration",
        "GetRole",
        "DescribeLogGroups",
        "DescribeStacks",
        "GetResources",
    ] {
        assert!(asked.contains(operation), "{operation} is missing in {asked:?}");
    }
    let checked = |event: &Event| matches!(event, Event::Checked { left: false, .. });
    assert_eq!(bench.events().iter().filter(|event| checked(event)).count(), done.checked.unwrap().len());
}

#[tokio::test(start_paused = true)]
async fn what_vanishes_within_the_settling_time_is_not_named() {
    let bench = Bench::new();
    let soon = Instant::now() + Duration::from_secs(3);
    bench.account().make("AWS::Kinesis::Stream", STACK);
    bench.account().vanishes("AWS::Kinesis::Stream", STACK, soon);
    bench.down().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_environments_things_are_no_leftovers() {
    let bench = Bench::new();
    for name in ["/kinesis-stack/dev-2/processor", "/aws/lambda/kinesis-stack-dev-processor-processor"] {
        bench.account().make("AWS::Logs::LogGroup", name);
    }
    bench.down().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn with_consent_given_data_is_deleted_without_a_question() {
    let mut bench = Bench::deployed().await;
    put_rows(&bench, 3);
    bench.conduct.consent = Consent::Given;
    let asked = bench.questions().len();
    bench.down().await.unwrap();
    assert_eq!(bench.questions().len(), asked);
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn all_that_speaks_against_it_is_said_at_once_before_anything_is_changed() {
    let mut bench = Bench::deployed().await;
    put_rows(&bench, 3);
    bench.account().stack(STACK).unwrap().protected = true;
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(
        error.message.contains("is protected; ") && error.message.contains("3 objects (300 B)"),
        "{error}"
    );
    assert!(error.message.contains(", the newest of 20"), "{error}");
    assert_eq!(error.message.matches("nothing was deleted").count(), 1, "{error}");
    assert!(
        error.remedies[0].contains("--no-protect") && error.remedies[1].contains("--keep-data"),
        "{error:?}"
    );
    assert_eq!(error.remedies.len(), 2);
    assert_eq!(bench.questions().len(), 1, "it was asked whether to create it, and not about what can't be");

    bench.account().stack(STACK).unwrap().deployed.tags.clear();
    let error = bench.down().await.unwrap_err();
    assert!(error.message.contains("not one of ours") && error.message.contains("is protected"), "{error}");
    bench.conduct.consent = Consent::Given;
    assert_eq!(bench.down().await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_protected_stack_is_refused_before_somebodys_operation_is_waited_for() {
    let bench = Bench::deployed().await;
    bench.account().stack(STACK).unwrap().protected = true;
    bench.account().somebody_updates(STACK);
    assert_eq!(bench.down().await.unwrap_err().kind, Kind::Refused);
    assert!(!bench.events().iter().any(|event| matches!(event, Event::OperationInProgress { .. })));
}

#[tokio::test(start_paused = true)]
async fn somebodys_operation_is_watched_to_its_end_out_loud() {
    let bench = Bench::deployed().await;
    bench.account().somebody_updates(STACK);
    bench.down().await.unwrap();
    assert!(bench.events().iter().any(|event| matches!(event, Event::OperationInProgress { .. })));
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_stack_is_asked_once_more_whether_it_may_go_and_a_no_leaves_everything() {
    let bench = Bench::deployed().await;
    let error = bench.down_so(|wish| Wish {
        only_if: Some(Box::new(|stack| anyhow::bail!("{} was extended", stack.name))),
        ..wish
    });
    assert!(error.await.unwrap_err().message.contains("kinesis-stack-dev was extended"));
    assert_eq!(bench.changes(), [""; 0]);
    bench.down_so(|wish| Wish { only_if: Some(Box::new(|_| Ok(()))), ..wish }).await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_no_stack_holds_is_counted_before_it_goes_with_a_stack_that_is_no_more_than_a_name() {
    let bench = Bench::deployed().await;
    put_rows(&bench, 3);
    bench.down_so(|wish| Wish { keep_data: true, ..wish }).await.unwrap();
    bench.account().somebody_names(STACK);
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.message.contains("3 objects (300 B)"), "{error}");
    assert_eq!(bench.account().buckets[BUCKET].versions.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_role_that_was_named_deletes_the_stack() {
    let bench = Bench::deployed().await;
    let role = "arn:aws:iam::123456789012:role/deployer";
    bench.down_so(|wish| Wish { role_arn: Some(role.to_owned()), ..wish }).await.unwrap();
    assert_eq!(bench.calls("DeleteStack")[0].get("RoleARN"), role);
}

#[tokio::test(start_paused = true)]
async fn with_keep_data_the_stack_goes_and_the_bucket_stays_with_what_it_holds() {
    let bench = Bench::deployed().await;
    put_rows(&bench, 3);
    let keep = |wish| Wish { keep_data: true, ..wish };
    let done = bench.down_so(keep).await.unwrap();
    assert_eq!(done.kept, [format!("bucket {BUCKET}")]);
    assert_eq!(done.next[0].command, "kinesis-stack up --adopt");
    assert_eq!(bench.remains(), [BUCKET]);
    assert_eq!(bench.account().buckets[BUCKET].versions.len(), 3);
    for operation in ["DeleteObjects", "DeleteBucket"] {
        let emptied = bench.calls(operation);
        assert!(
            emptied.iter().all(|call| call.get("Bucket") == ARTIFACTS),
            "{operation}: the artifacts' alone"
        );
    }
    assert!(!done.checked.unwrap().contains(&format!("bucket {BUCKET}")));

    // Only the bucket is there now.
    let done = bench.down_so(keep).await.unwrap();
    assert_eq!((done.changed, done.kept.len()), (Some(false), 1));
    assert_eq!(bench.account().buckets[BUCKET].versions.len(), 3);

    let mut bench = bench.again();
    bench.means.adopt = true;
    bench.up().await.unwrap();
    assert_eq!(bench.account().buckets[BUCKET].versions.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_kept_bucket_is_taken_over_also_where_a_validation_refuses_it_for_being_there() {
    let bench = Bench::deployed().await;
    put_rows(&bench, 3);
    bench.down_so(|wish| Wish { keep_data: true, ..wish }).await.unwrap();
    let mut bench = bench.again();
    bench.account().script.imports_conflict = true;
    bench.means.adopt = true;
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(bench.account().buckets[BUCKET].versions.len(), 3);
    let validated: Vec<bool> =
        bench.calls("CreateChangeSet").iter().map(|call| !call.is("DisableValidation")).collect();
    assert!(validated.ends_with(&[true, false]), "{validated:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_somebody_protects_at_the_last_moment_keeps_its_rows() {
    let mut bench = Bench::deployed().await;
    put_rows(&bench, 3);
    bench.conduct.consent = Consent::Given;
    bench.account().somebody_before("DeleteStack", Deed::Protects(STACK.to_owned()));
    bench.down().await.unwrap_err();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert!((0..3).all(|row| bench.account().buckets[BUCKET].holds(&format!("rows/{row:05}"))));
}
