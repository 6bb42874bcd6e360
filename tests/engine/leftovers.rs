//! What `down` finds without a stack, or after one: what is ours is removed, until nothing comes back.

use crate::bench::{ARTIFACTS, BUCKET, Bench, STACK};
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use kinesis_stack::stack::Consent;
use kinesis_stack::stack::down::Wish;
use simulated_aws::{Deed, Fault, Refusal, Version, When};
use std::time::Duration;

const TAG: (&str, &str) = ("kinesis-stack:environment", "dev");
const OTHER: (&str, &str) = ("kinesis-stack:environment", "other");

/// Each kind of thing, with its derived name.
const THINGS: &[(&str, &str)] = &[
    ("AWS::S3::Bucket", BUCKET),
    ("AWS::Kinesis::Stream", STACK),
    ("AWS::KinesisFirehose::DeliveryStream", STACK),
    ("AWS::Lambda::Function", "kinesis-stack-dev-processor"),
    ("AWS::IAM::Role", "kinesis-stack-dev-delivery-us-east-1"),
    ("AWS::IAM::Role", "kinesis-stack-dev-processor-us-east-1"),
    ("AWS::Logs::LogGroup", "/kinesis-stack/dev/processor"),
    ("AWS::Logs::LogGroup", "/aws/lambda/kinesis-stack-dev-processor"),
];

fn agreed() -> Bench {
    let mut bench = Bench::new();
    bench.conduct.consent = Consent::Given;
    bench
}

fn removed(bench: &Bench) -> Vec<String> {
    let told = bench.events().into_iter().filter_map(|event| match event {
        Event::LeftoverRemoved { service, name } => Some(format!("{service} {name}")),
        _ => None,
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_left_without_a_stack_is_removed_whether_it_bears_our_tag_or_none() {
    for tags in [&[TAG][..], &[]] {
        for (kind, name) in THINGS {
            let bench = agreed();
            bench.account().somebody_makes(kind, name, tags);
            let done = bench.down().await.unwrap();
            assert_eq!(done.changed, Some(true), "{kind} {name}");
            assert_eq!(bench.remains(), [""; 0], "{kind} {name}");
            assert_eq!(removed(&bench).len(), 1, "{kind} {name}");
            assert_eq!(bench.again().down().await.unwrap().changed, Some(false));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_at_once_goes_with_what_writes_first_and_the_bucket_last() {
    let bench = agreed();
    for (kind, name) in THINGS {
        bench.account().somebody_makes(kind, name, &[TAG]);
    }
    bench.account().put(BUCKET, "rows/a", Version::default());
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
    let removed = removed(&bench);
    assert_eq!(removed.len(), THINGS.len());
    assert_eq!(removed[0], format!("delivery stream {STACK}"));
    assert_eq!(removed.last().unwrap(), &format!("bucket {BUCKET}"));
}

#[tokio::test(start_paused = true)]
async fn what_was_found_is_shown_and_agreed_to_before_it_goes() {
    let bench = Bench::new();
    for (kind, name) in THINGS {
        bench.account().somebody_makes(kind, name, &[TAG]);
    }
    bench.account().put(BUCKET, "rows/a", Version { bytes: 100, ..Version::default() });
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.message.contains("1 object (100 B)"), "{error}");
    bench.answer(Some(false));
    assert_eq!(bench.down().await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.changes(), [""; 0]);
    let shown = bench.events().into_iter().find_map(|event| match event {
        Event::Removal { resources, .. } => Some(resources.len()),
        _ => None,
    });
    assert_eq!(shown, Some(THINGS.len()));
    bench.answer(Some(true));
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_bears_a_name_of_ours_and_anothers_tag_is_named_and_never_touched() {
    for (kind, name) in THINGS {
        let bench = agreed();
        bench.account().somebody_makes(kind, name, &[OTHER]);
        let done = bench.down().await.unwrap();
        assert_eq!(done.changed, Some(false));
        assert_eq!(bench.remains(), [*name], "{kind}");
        assert_eq!(bench.changes(), [""; 0]);
        let named = |event: &Event| matches!(event, Event::NotOurs { name: named, because, .. } if named == name && because.contains("other"));
        assert!(bench.events().iter().any(named), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_our_name_that_another_account_owns_is_nothing_of_ours() {
    let bench = agreed();
    bench.account().somebody_takes(BUCKET);
    bench.down().await.unwrap();
    assert_eq!(bench.account().buckets[BUCKET].versions.len(), 1);
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_bears_our_tag_under_another_name_is_found_and_removed() {
    let bench = agreed();
    bench.account().somebody_makes("AWS::Kinesis::Stream", "renamed", &[TAG]);
    bench.account().somebody_makes("AWS::S3::Bucket", "renamed-bucket", &[TAG]);
    bench.account().somebody_makes("AWS::Kinesis::Stream", "others", &[OTHER]);
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), ["others"]);
}

#[tokio::test(start_paused = true)]
async fn what_bears_our_tag_and_is_of_an_unknown_kind_is_named_as_left() {
    let bench = agreed();
    bench.account().somebody_makes("AWS::Events::Rule", "strange", &[TAG]);
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Leftovers);
    assert!(error.message.contains("strange"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_a_stack_of_another_name_holds_is_its_own() {
    let bench = Bench::deployed().await;
    {
        let mut account = bench.account();
        let stack = account.stack(STACK).unwrap();
        stack.name = "somebodys".to_owned();
        stack.id = stack.id.replace("/kinesis-stack-dev/", "/somebodys/");
    }
    let mut bench = bench.again();
    bench.conduct.consent = Consent::Given;
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Leftovers);
    assert!(error.message.contains("stack somebodys"), "{error}");
    assert!(error.remedies[0].contains("delete-stack --stack-name somebodys"), "{error:?}");
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_removed_is_named_with_its_cause_and_the_command_that_removes_it() {
    for (operation, command) in [
        ("DeleteStream", "aws kinesis delete-stream"),
        ("DeleteDeliveryStream", "aws firehose delete-delivery-stream"),
        ("DeleteFunction", "aws lambda delete-function"),
        ("DeleteRole", "aws iam delete-role"),
        ("DeleteLogGroup", "aws logs delete-log-group"),
        ("DeleteBucket", "aws s3 rb s3://"),
    ] {
        let bench = agreed();
        for (kind, name) in THINGS {
            bench.account().somebody_makes(kind, name, &[TAG]);
        }
        let refusal =
            Refusal::denied("arn:aws:iam::123456789012:user/somebody", &format!("x:{operation}"), "*");
        bench.account().faults.push(Fault { operation, when: When::Always, refusal });
        let error = bench.down().await.unwrap_err();
        assert_eq!((error.kind, error.kind.exit_code()), (Kind::Leftovers, 8), "{operation}");
        assert!(error.cause.as_deref().unwrap().contains(operation), "{error}");
        assert!(error.remedies[0].starts_with(command), "{:?}", error.remedies);
        let left = if operation == "DeleteRole" || operation == "DeleteLogGroup" { 2 } else { 1 };
        assert_eq!(bench.remains().len(), left, "{operation}: all the others are gone");
        bench.account().faults.clear();
        bench.again().down().await.unwrap();
        assert_eq!(bench.remains(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_within_the_settling_time_is_swept_again() {
    let bench = agreed();
    let (kind, name) = ("AWS::Logs::LogGroup", "/aws/lambda/kinesis-stack-dev-processor");
    bench.account().somebody_makes(kind, name, &[]);
    let late = Deed::Makes(kind.to_owned(), name.to_owned(), ("any".to_owned(), "tag".to_owned()));
    bench.account().somebody_later(Duration::from_secs(3), late);
    bench.down().await.unwrap();
    assert_eq!(bench.calls("DeleteLogGroup").len(), 2, "the late line made it once more");
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_never_stops_coming_back_is_named_in_the_end() {
    let bench = agreed();
    let (kind, name) = ("AWS::Logs::LogGroup", "/kinesis-stack/dev/processor");
    bench.account().somebody_makes(kind, name, &[]);
    for second in 1..200 {
        let deed = Deed::Makes(kind.to_owned(), name.to_owned(), ("a".to_owned(), "b".to_owned()));
        bench.account().somebody_later(Duration::from_secs(second), deed);
    }
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Leftovers);
    assert!(bench.calls("DeleteLogGroup").len() <= 8);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_comes_back_meanwhile_is_left_alone_with_all_that_it_holds() {
    let bench = Bench::deployed().await;
    bench.down().await.unwrap();
    bench.forget();
    // Found without a stack; by the time that it is to go, there is the beginning of another.
    bench.account().somebody_makes("AWS::Logs::LogGroup", "/kinesis-stack/dev/processor", &[TAG]);
    let mut bench = bench.again();
    bench.conduct.consent = Consent::Given;
    bench.account().somebody_before("GetResources", Deed::Names(STACK.to_owned()));
    let done = bench.down().await.unwrap();
    assert_eq!(done.checked, None);
    assert!(bench.events().iter().any(|event| matches!(event, Event::BroughtUpAgain { .. })));
    assert_eq!(bench.changes(), [""; 0]);
    assert!(bench.remains().contains(&"/kinesis-stack/dev/processor".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn two_downs_at_once_both_end_well() {
    let bench = Bench::deployed().await;
    for row in 0..50 {
        bench.account().put(BUCKET, &format!("rows/{row}"), Version::default());
    }
    let (mut one, mut two) = (bench.again(), bench.again());
    (one.conduct.consent, two.conduct.consent) = (Consent::Given, Consent::Given);
    let (one, two) = tokio::join!(one.down(), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        two.down().await
    });
    assert_eq!(one.unwrap().changed, Some(true));
    // Whoever comes second watches the deletion, and finds nothing left to do.
    assert_eq!(two.unwrap().changed, Some(false));
    assert_eq!(bench.remains(), [""; 0]);
    assert!(bench.account().buckets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_up_during_a_down_waits_and_then_brings_up_what_stays() {
    let bench = Bench::deployed().await;
    let (mut down, up) = (bench.again(), bench.again());
    down.conduct.consent = Consent::Given;
    let (down, up) = tokio::join!(down.down(), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        up.up().await
    });
    down.unwrap();
    up.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert!(bench.account().buckets.contains_key(BUCKET));
    assert_eq!(bench.remains().len(), THINGS.len() + 1, "the delivery's log group and the stack, too");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_somebody_else_owns_now_is_in_nobodys_way() {
    for consent in [Consent::Given, Consent::Ask] {
        let mut bench = Bench::deployed().await;
        bench.conduct.consent = consent;
        bench.account().somebody_takes(BUCKET);
        bench.down().await.unwrap();
        assert_eq!(bench.remains(), [BUCKET]);
        assert_eq!(bench.account().buckets[BUCKET].versions.len(), 1);
        let named = |event: &Event| matches!(event, Event::NotOurs { name, .. } if name == BUCKET);
        assert!(bench.events().iter().any(named));
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_somebody_deleted_already_is_in_nobodys_way() {
    let bench = Bench::deployed().await;
    bench.account().unmake("AWS::IAM::Role", "kinesis-stack-dev-delivery-us-east-1");
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_stack_whose_deletion_failed_is_deleted_again() {
    let bench = Bench::deployed().await;
    bench.account().script.undeletable.insert("Stream".to_owned(), "not now".to_owned());
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::DeploymentFailed);
    assert_eq!(bench.status().as_deref(), Some("DELETE_FAILED"));
    bench.account().script.undeletable.clear();
    bench.again().down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn where_the_index_of_tags_can_not_be_asked_each_service_still_is_and_nothing_fails() {
    let bench = agreed();
    bench.account().script.denied.insert("tag:GetResources".to_owned());
    let refusal = Refusal::denied("arn:aws:iam::123456789012:user/somebody", "tag:GetResources", "*");
    bench.account().faults.push(Fault { operation: "GetResources", when: When::Always, refusal });
    let done = bench.down().await.unwrap();
    assert_eq!(done.checked.unwrap().len(), 9);
}

#[tokio::test(start_paused = true)]
async fn artifacts_that_no_environment_uses_go_and_with_the_last_environment_their_bucket() {
    let mut bench = Bench::deployed().await;
    bench.conduct.consent = Consent::Given;
    // Another environment runs the code that was first.
    bench.account().settled_like(STACK, &[("dev", "other")], &[]);
    let first = zips(&bench)[0].clone();
    bench.code("#!/bin/sh\nexit 7\n");
    bench.up().await.unwrap();
    bench.account().put(ARTIFACTS, "unknown", Version::default());
    assert_eq!(zips(&bench).len(), 3);
    bench.down().await.unwrap();
    assert_eq!(zips(&bench), [first, "unknown".to_owned()]);
    let told = |bench: &Bench| {
        bench.events().into_iter().rev().find_map(|event| match event {
            Event::ArtifactsRemoved { zips, bucket_removed, .. } => Some((zips, bucket_removed)),
            _ => None,
        })
    };
    assert_eq!(told(&bench), Some((1, false)));

    bench.account().stacks.retain(|stack| stack.name != "kinesis-stack-other");
    assert_eq!(bench.down().await.unwrap().changed, Some(false), "even where there was nothing to do");
    assert!(!bench.account().buckets.contains_key(ARTIFACTS));
    assert_eq!(told(&bench), Some((2, true)));
}

fn zips(bench: &Bench) -> Vec<String> {
    bench.account().buckets[ARTIFACTS].versions.keys().map(|(key, _)| key.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn while_somebody_is_deploying_no_artifact_is_touched() {
    let bench = Bench::deployed().await;
    bench.account().somebody_names("kinesis-stack-other");
    bench.down().await.unwrap();
    assert_eq!(zips(&bench).len(), 1);
    assert!(!bench.events().iter().any(|event| matches!(event, Event::ArtifactsRemoved { .. })));
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_list_artifacts_leaves_them_alone() {
    let bench = Bench::new();
    let refusal = Refusal::denied("arn:aws:iam::123456789012:user/somebody", "s3:ListBucketVersions", "*");
    bench.account().faults.push(Fault { operation: "ListObjectVersions", when: When::Always, refusal });
    bench.account().make("AWS::S3::Bucket", ARTIFACTS);
    bench.down().await.unwrap();
    assert!(bench.account().buckets.contains_key(ARTIFACTS));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_only_a_later_look_finds_keeps_the_rows_that_nobody_agreed_to_lose() {
    let bench = Bench::new();
    let group = "/kinesis-stack/dev/processor";
    bench.account().somebody_makes("AWS::Logs::LogGroup", group, &[TAG]);
    // It turns up once the first look is over, as what a lagging service told as gone does.
    let make =
        Deed::Makes("AWS::S3::Bucket".to_owned(), BUCKET.to_owned(), (TAG.0.to_owned(), TAG.1.to_owned()));
    bench.account().somebody_before("DeleteLogGroup", make);
    bench.account().somebody_before("DeleteLogGroup", Deed::Puts(BUCKET.to_owned(), "rows/a".to_owned()));
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Leftovers, "{error}");
    assert!(error.message.contains(BUCKET), "{error}");
    assert!(bench.account().buckets[BUCKET].holds("rows/a"));
}

#[tokio::test(start_paused = true)]
async fn objects_under_a_lock_are_named_with_exit_8_and_all_else_goes_with_a_stack_and_without_one() {
    for with_stack in [true, false] {
        let mut bench = Bench::deployed().await;
        bench.conduct.consent = Consent::Given;
        for (key, locked) in [("rows/free", false), ("rows/locked", true)] {
            bench.account().put(BUCKET, key, Version { locked, bytes: 93, ..Version::default() });
        }
        if !with_stack {
            bench.account().somebody_deletes(STACK);
            tokio::time::sleep(Duration::from_secs(300)).await;
        }
        let error = bench.down().await.unwrap_err();
        assert_eq!((error.kind, error.kind.exit_code()), (Kind::Leftovers, 8), "{error}");
        assert!(error.message.ends_with(&format!("left behind: bucket {BUCKET}")), "{error}");
        assert!(error.to_string().contains("rows/locked") && error.to_string().contains("lock"), "{error}");
        assert_eq!(bench.remains(), [BUCKET]);
        assert_eq!(bench.account().buckets[BUCKET].versions.len(), 1);
        let tries = bench.calls("DeleteObjects").len();
        assert!(tries <= 3, "nobody loops on a lock: {tries} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn an_artifact_bucket_that_gets_a_zip_after_the_look_stays_with_it() {
    let bench = Bench::deployed().await;
    let zip = "somebody/else.zip";
    // The environment holds nothing: what is deleted are the zips that the look found.
    bench.account().somebody_before("DeleteObjects", Deed::Puts(ARTIFACTS.to_owned(), zip.to_owned()));
    bench.down().await.unwrap();
    assert_eq!(zips(&bench), [zip], "what came after the look is not touched");
    assert_eq!(bench.remains(), [""; 0]);
    let told = bench.events().into_iter().find_map(|event| match event {
        Event::ArtifactsRemoved { zips, bucket_removed, .. } => Some((zips, bucket_removed)),
        _ => None,
    });
    assert_eq!(told, Some((1, false)));
}

#[tokio::test(start_paused = true)]
async fn a_stack_whose_template_lets_its_bucket_go_is_not_deleted_where_the_data_is_to_stay() {
    let mut bench = Bench::deployed().await;
    bench.conduct.consent = Consent::Given;
    bench.account().put(BUCKET, "rows/a", Version::default());
    let by_hand = |text: &mut String| *text = text.replace("RetainExceptOnCreate", "Delete");
    by_hand(&mut bench.account().stack(STACK).unwrap().deployed.template);
    let error = bench.down_so(|wish| Wish { keep_data: true, ..wish }).await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused, "{error}");
    assert!(error.message.contains("Bucket") && !error.remedies.is_empty(), "{error}");
    assert_eq!(bench.changes(), [""; 0]);
    assert!(bench.account().buckets[BUCKET].holds("rows/a"));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_goes_without_a_stack_is_told_once() {
    let bench = agreed();
    bench.account().somebody_makes("AWS::S3::Bucket", BUCKET, &[TAG]);
    bench.down().await.unwrap();
    assert_eq!(removed(&bench), [format!("bucket {BUCKET}")]);
    assert!(!bench.events().iter().any(|event| matches!(event, Event::BucketRemoved { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_cloudformation_fails_to_delete_is_removed_without_it_and_the_stack_goes() {
    let bench = Bench::deployed().await;
    let denied = "User is not authorized to perform: lambda:DeleteFunction".to_owned();
    bench.account().script.undeletable.insert("Processor".to_owned(), denied);
    let aws = bench.aws.clone();
    // What is gone is in no deletion's way.
    let goes = async {
        for _ in 0..10_000 {
            if aws.now().calls.iter().any(|call| call.operation == "DeleteFunction") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        aws.now().script.undeletable.clear();
    };
    let (done, ()) = tokio::join!(bench.down(), goes);
    done.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
    assert_eq!(removed(&bench), ["function kinesis-stack-dev-processor"]);
    assert_eq!(bench.calls("DeleteStack").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_end_while_the_index_of_tags_is_asked_do_not_make_a_down_end_well() {
    let bench = agreed();
    bench.account().somebody_makes("AWS::Kinesis::Stream", "renamed", &[TAG]);
    let (operation, refusal) = ("GetResources", Refusal::expired("tagging"));
    bench.account().faults.push(Fault { operation, when: When::Times(1), refusal });
    let error = bench.down().await.unwrap_err();
    assert_eq!(error.kind, Kind::Credentials, "{error}");
    assert!(error.to_string().contains("kinesis-stack:environment=dev"), "{error}");
    bench.again().down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}
