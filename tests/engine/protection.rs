//! Protected environments.

use crate::bench::{BUCKET, Bench, STACK};
use crate::faults::denied;
use kinesis_stack::environment::{TAG_EPHEMERAL, TAG_EXPIRES};
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::Event;
use kinesis_stack::settings::{ByFile, Means, Ttl};
use kinesis_stack::stack::protection::protect;
use kinesis_stack::stack::{Consent, state};
use simulated_aws::{Fault, Refusal, When};
use std::time::Duration;

async fn set(bench: &Bench, on: bool) -> Result<(), Error> {
    let stack = state::find(&bench.context.clients.cloudformation, STACK).await.unwrap().unwrap();
    protect(&bench.context, &stack, on, bench.conduct.timeout).await.map_err(|error| Error::of(&error))
}

fn told(bench: &Bench) -> Vec<bool> {
    let protected = |event| match event {
        Event::Protected { protected, .. } => Some(protected),
        _ => None,
    };
    bench.events().into_iter().filter_map(protected).collect()
}

fn is_protected(bench: &Bench) -> (bool, bool) {
    let mut account = bench.account();
    let stack = account.stack(STACK).unwrap();
    (stack.protected, stack.policy.as_deref().is_some_and(|policy| policy.contains("Deny")))
}

#[tokio::test(start_paused = true)]
async fn protecting_twice_changes_and_says_something_once() {
    let bench = Bench::deployed().await;
    set(&bench, true).await.unwrap();
    assert_eq!(is_protected(&bench), (true, true));
    set(&bench, true).await.unwrap();
    assert_eq!(bench.changes(), ["SetStackPolicy", "UpdateTerminationProtection"]);
    assert_eq!(told(&bench), [true]);

    set(&bench, false).await.unwrap();
    set(&bench, false).await.unwrap();
    assert_eq!(is_protected(&bench), (false, false));
    assert_eq!(told(&bench), [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_never_was_protected_needs_no_policy_to_be_unprotected() {
    let bench = Bench::deployed().await;
    set(&bench, false).await.unwrap();
    assert_eq!(bench.changes(), [""; 0]);
    assert_eq!(told(&bench), [false; 0]);
}

#[tokio::test(start_paused = true)]
async fn minutes_of_throttling_do_not_leave_it_unprotected() {
    for operation in ["GetStackPolicy", "SetStackPolicy", "UpdateTerminationProtection"] {
        let bench = Bench::deployed().await;
        let when = When::For(Duration::from_secs(180));
        bench.account().faults.push(Fault { operation, when, refusal: Refusal::throttled("cloudformation") });
        set(&bench, true).await.unwrap_or_else(|error| panic!("{operation}: {error}"));
        assert_eq!(is_protected(&bench), (true, true), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_protected_by_half_is_protected_wholly_by_the_next_try() {
    let bench = Bench::deployed().await;
    bench.account().faults.push(denied("UpdateTerminationProtection"));
    assert_eq!(set(&bench, true).await.unwrap_err().kind, Kind::Credentials);
    assert_eq!(is_protected(&bench), (false, true));
    bench.account().faults.clear();
    set(&bench, true).await.unwrap();
    assert_eq!(is_protected(&bench), (true, true));
}

#[tokio::test(start_paused = true)]
async fn down_refuses_a_protected_environment_whatever_was_agreed_to() {
    let mut bench = Bench::deployed().await;
    bench.means.protection = Some(true);
    bench.up().await.unwrap();
    bench.forget();
    bench.conduct.consent = Consent::Given;
    let error = bench.down().await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::Refused, 5));
    assert!(error.message.contains("is protected"), "{}", error.message);
    assert!(error.remedies[0].contains("up --no-protect"), "{:?}", error.remedies);
    assert_eq!(bench.changes(), [""; 0]);

    bench.means.protection = Some(false);
    bench.up().await.unwrap();
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_protected_stream_or_bucket_is_not_replaced_even_with_consent() {
    let mut bench = Bench::deployed().await;
    set(&bench, true).await.unwrap();
    // The stack was made with another bucket, so this `up` has to replace it.
    {
        let mut account = bench.account();
        let deployed = &mut account.stack(STACK).unwrap().deployed;
        let ours = deployed.template.clone();
        deployed.template = ours.replace("BucketName: !Sub kinesis-stack-", "BucketName: !Sub another-");
        assert_ne!(deployed.template, ours);
        let another = BUCKET.replace("kinesis-stack-", "another-");
        let resources = &mut account.stack(STACK).unwrap().resources;
        resources.iter_mut().find(|it| it.logical_id == "Bucket").unwrap().physical_id = another.clone();
        account.unmake("AWS::S3::Bucket", BUCKET);
        account.make("AWS::S3::Bucket", &another);
    }
    bench.forget();
    bench.conduct.consent = Consent::Given;
    let error = bench.up().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused, "{error}");
    assert!(error.message.contains("replace its Bucket"), "{}", error.message);
    assert!(error.remedies[0].contains("up --no-protect"), "{:?}", error.remedies);
    assert_eq!(bench.changes(), ["CreateChangeSet", "DeleteChangeSet"]);
    assert_eq!(is_protected(&bench), (true, true));

    bench.means.protection = Some(false);
    bench.up().await.unwrap();
    assert_eq!(is_protected(&bench), (false, false));
}

#[tokio::test(start_paused = true)]
async fn a_protected_environment_takes_every_other_change() {
    let mut bench = Bench::deployed().await;
    set(&bench, true).await.unwrap();
    bench.code("#!/bin/sh\nexit\n");
    bench.shape.shards = 2;
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));
    assert_eq!(is_protected(&bench), (true, true));
}

#[tokio::test(start_paused = true)]
async fn what_only_the_file_marks_as_short_lived_yields_to_a_protection_and_what_is_typed_is_refused() {
    let mut bench = Bench::new();
    bench.means.protection = Some(true);
    bench.up().await.unwrap();
    let marked = |ephemeral, ttl| Means {
        ephemeral: true,
        ttl: Some(Ttl::For(14_400)),
        by_file: ByFile { ephemeral, ttl },
        ..Means::default()
    };
    bench.forget();
    bench.means = marked(true, true);
    assert_eq!(bench.plan().await.unwrap().exit_code(), 0);
    assert_eq!(bench.up().await.unwrap().changed, Some(false));
    let told = bench.events().into_iter().find_map(|event| match event {
        Event::MarksYielded { marks, .. } => Some(marks),
        _ => None,
    });
    assert_eq!(told.unwrap(), ["`ephemeral`", "`ttl`"]);
    let stack = bench.account().stack(STACK).unwrap().clone();
    assert!(stack.protected);
    let tags = stack.deployed.tags;
    assert!(!tags.contains_key(TAG_EPHEMERAL) && !tags.contains_key(TAG_EXPIRES), "{tags:?}");
    for (ephemeral, ttl) in [(false, true), (true, false)] {
        bench.means = marked(ephemeral, ttl);
        for error in [bench.up().await.unwrap_err(), bench.plan().await.unwrap_err()] {
            assert_eq!(error.kind, Kind::Refused, "{error}");
        }
    }
}
