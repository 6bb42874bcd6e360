//! What `up` and `down` do about a stack in every kind of state.

use crate::bench::{ARTIFACTS, BUCKET, Bench, STACK};
use kinesis_stack::event::Event;

#[tokio::test(start_paused = true)]
async fn a_stack_that_was_rolled_back_is_deleted_and_made_anew() {
    let bench = Bench::new();
    bench.account().script.failing.insert("Delivery".to_owned(), "no".to_owned());
    bench.up().await.unwrap_err();
    assert_eq!(bench.status().as_deref(), Some("ROLLBACK_COMPLETE"));
    bench.account().script.failing.clear();
    bench.forget();

    let done = bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(done.stack_id, bench.account().stack(STACK).map(|stack| stack.id.clone()));
    let cleared = |event: &Event| matches!(event, Event::Recovering { status, .. } if status.name() == "ROLLBACK_COMPLETE");
    assert!(bench.events().iter().any(cleared));
    assert_eq!(bench.account().stacks.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_name_without_a_stack_is_taken_over() {
    let bench = Bench::new();
    bench.account().script.failing.insert("Delivery".to_owned(), "no".to_owned());
    // Somebody planned it and left the empty stack behind.
    bench.account().faults.push(crate::faults::denied("DeleteStack"));
    bench.answer(Some(false));
    bench.up().await.unwrap_err();
    assert_eq!(bench.status().as_deref(), Some("REVIEW_IN_PROGRESS"));
    bench.account().faults.clear();
    bench.account().script.failing.clear();
    bench.answer(None);
    bench.plan().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("REVIEW_IN_PROGRESS"), "a plan takes nobody's name away");

    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(bench.account().stacks.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_update_is_watched_to_its_end_before_ours() {
    let bench = Bench::deployed().await;
    bench.account().somebody_updates(STACK);
    bench.code("#!/bin/sh\nexit\n");
    bench.up().await.unwrap();

    let events = bench.events();
    let waited = |event: &Event| matches!(event, Event::OperationInProgress { status, .. } if status.name() == "UPDATE_IN_PROGRESS");
    let theirs = events.iter().position(waited).unwrap();
    let ended = |event: &Event| matches!(event, Event::Resource(it) if it.logical_id == STACK && it.status == "UPDATE_COMPLETE");
    let ends: Vec<usize> = (0..events.len()).filter(|&place| ended(&events[place])).collect();
    let ours = events.iter().position(|event| matches!(event, Event::OperationStarted { .. })).unwrap();
    assert!(
        matches!(ends[..], [first, second] if theirs < first && first < ours && ours < second),
        "{events:#?}"
    );
    assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn up_waits_for_a_deletion_and_then_creates() {
    let bench = Bench::deployed().await;
    bench.account().somebody_deletes(STACK);
    bench.up().await.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(bench.account().stacks.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn down_joins_a_deletion_in_progress() {
    let bench = Bench::deployed().await;
    bench.account().somebody_deletes(STACK);
    bench.down().await.unwrap();
    assert_eq!(bench.calls("DeleteStack").len(), 0, "it is joined");
    let deleted: Vec<String> =
        bench.calls("DeleteBucket").iter().map(|call| call.get("Bucket").to_owned()).collect();
    assert_eq!(
        deleted,
        [BUCKET, ARTIFACTS],
        "the stack leaves its bucket behind, and no environment is left"
    );
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn down_waits_for_an_update_in_progress() {
    let bench = Bench::deployed().await;
    bench.account().somebody_updates(STACK);
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn down_deletes_what_is_left_of_a_failed_deletion_and_of_a_mere_name() {
    let bench = Bench::deployed().await;
    bench.account().script.arrivals = 1;
    bench.account().somebody_deletes(STACK);
    bench.answer(Some(true));
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);

    let bench = Bench::new();
    bench.account().faults.push(crate::faults::denied("DeleteStack"));
    bench.plan().await.unwrap_err();
    bench.account().faults.clear();
    assert_eq!(bench.status().as_deref(), Some("REVIEW_IN_PROGRESS"));
    bench.down().await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}
