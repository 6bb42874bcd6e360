//! Events and operations.

use crate::bench::{Bench, STACK, TEMPLATE, refusal, wait};
use aws_sdk_cloudformation::types as cfn;
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn stack_events_come_newest_first_in_pages_that_may_repeat() {
    let bench = Bench::deployed().await;
    let whole = bench.events().await;
    assert_eq!(whole.last().unwrap().resource_status().unwrap().as_str(), "REVIEW_IN_PROGRESS");
    assert_eq!(whole[0].resource_status().unwrap().as_str(), "CREATE_COMPLETE");
    let ids = |events: &[cfn::StackEvent]| {
        events.iter().filter_map(|it| it.event_id().map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(&whole).len(), whole.len());
    {
        let script = &mut bench.account().script;
        (script.page, script.repeats) = (3, 1);
    }
    let paged = bench.events().await;
    assert!(paged.len() > whole.len());
    assert_eq!(ids(&paged), ids(&whole));
}

#[tokio::test(start_paused = true)]
async fn events_come_late_and_in_another_order() {
    let bench = Bench::new();
    bench.account().script.event_lag_seconds = 8.0;
    let change_set = bench.plan(TEMPLATE).await;
    bench.execute(&change_set).await;
    let mut seen: Vec<String> = Vec::new();
    let mut out_of_order = false;
    for _ in 0..200 {
        wait(1).await;
        let events = bench.events().await;
        let new: Vec<usize> = (0..events.len())
            .filter(|&place| !seen.contains(&events[place].event_id().unwrap().to_owned()))
            .collect();
        out_of_order |= new.iter().any(|place| *place > new.len());
        seen.extend(new.into_iter().map(|place| events[place].event_id().unwrap().to_owned()));
    }
    assert!(out_of_order);
    assert_eq!(seen.len(), bench.account().stacks[0].events.len());
}

#[tokio::test(start_paused = true)]
async fn every_event_carries_the_token_and_the_operation() {
    let bench = Bench::new();
    let change_set = bench.plan(TEMPLATE).await;
    let execute =
        bench.cloudformation.execute_change_set().change_set_name(change_set.change_set_id().unwrap());
    execute.client_request_token("ours").send().await.unwrap();
    wait(300).await;
    let operation = bench.stack().await.last_operations()[0].operation_id().unwrap().to_owned();
    let events = bench.events().await;
    let ours = events.iter().filter(|event| event.client_request_token() == Some("ours"));
    let ours: Vec<_> = ours.map(|event| event.operation_id().unwrap()).collect();
    assert_eq!(ours.len(), 14);
    assert!(ours.iter().all(|id| **id == operation));
    bench.cloudformation.delete_stack().stack_name(STACK).client_request_token("end").send().await.unwrap();
    assert_eq!(bench.events().await[0].client_request_token(), Some("end"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_an_operation_of_its_own_and_after_a_good_one_describe_events_is_empty() {
    let bench = Bench::deployed().await;
    bench.account().script.failing.insert("Stream".to_owned(), "no".to_owned());
    bench.deploy(&TEMPLATE.replace("ShardCount: 1", "ShardCount: 2")).await;
    let stack = bench.stack().await;
    let operations = stack.last_operations();
    let kinds: Vec<&str> = operations.iter().map(|it| it.operation_type().unwrap().as_str()).collect();
    assert_eq!(kinds[..2], ["ROLLBACK", "UPDATE_STACK"]);
    let failed = cfn::EventFilter::builder().failed_events(true).build();
    let request = bench.cloudformation.describe_events().filters(failed);
    let latest = request.clone().stack_name(STACK).send().await.unwrap();
    assert_eq!(latest.operation_events().len(), 0);
    let update = request.operation_id(operations[1].operation_id().unwrap()).send().await.unwrap();
    let event = &update.operation_events()[0];
    assert_eq!(event.event_type(), Some(&cfn::EventType::ProvisioningError));
    assert_eq!((event.logical_resource_id(), event.resource_status_reason()), (Some("Stream"), Some("no")));
    assert_eq!(event.operation_type(), Some(&cfn::OperationType::UpdateStack));
}

#[tokio::test(start_paused = true)]
async fn describe_events_wants_to_know_of_what() {
    let bench = Bench::deployed().await;
    let answer = bench.cloudformation.describe_events().change_set_name("change-1").send().await;
    assert!(refusal(answer).1.contains("One of ChangeSetName, OperationId or StackName"));
}

#[tokio::test(start_paused = true)]
async fn the_failure_that_is_told_last_comes_after_the_stacks_own_end() {
    let bench = Bench::new();
    {
        let script = &mut bench.account().script;
        script.failing.insert("Stream".to_owned(), "no".to_owned());
        script.late.insert("Stream".to_owned());
    }
    bench.deploy(TEMPLATE).await;
    let tells =
        |events: &[cfn::StackEvent]| events.iter().any(|it| it.resource_status_reason() == Some("no"));
    assert!(!tells(&bench.events().await));
    assert!(tells(&bench.events().await));
}
