//! `up` and `plan`, where nothing stands in the way.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::environment::{TAG_ENVIRONMENT, TAG_OWNER};
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use kinesis_stack::stack::plan::Action;
use kinesis_stack::stack::plan::Operation;
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn up_makes_a_stack_with_outputs() {
    let bench = Bench::new();
    let done = bench.up().await.unwrap();
    assert_eq!(done.changed, Some(true));
    assert_eq!(done.stack.as_deref(), Some(STACK));
    let outputs = done.outputs.unwrap();
    assert_eq!(outputs["BucketName"], BUCKET);
    assert_eq!(outputs["StreamName"], STACK);

    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    let mut account = bench.account();
    let stack = account.stack(STACK).unwrap();
    assert_eq!(stack.deployed.tags[TAG_ENVIRONMENT], "dev");
    assert_eq!(done.stack_id.as_ref(), Some(&stack.id));
    assert!(stack.resources.iter().all(|resource| resource.status == "CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn a_second_up_changes_nothing_and_takes_at_most_seven_calls() {
    let bench = Bench::deployed().await;
    bench.account().script.change_set_seconds = 0.0;
    let done = bench.up().await.unwrap();
    assert_eq!(done.changed, Some(false));
    assert_eq!(done.outputs.unwrap()["BucketName"], BUCKET);
    assert!(bench.events().contains(&Event::Unchanged { stack: STACK.to_owned() }));
    assert!(bench.account().stack(STACK).unwrap().change_sets.is_empty());

    let called = bench.called();
    assert!(called.len() <= 7, "{} calls: {called:?}", called.len());
    assert_eq!(bench.changes(), ["CreateChangeSet", "DeleteChangeSet"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_takes_its_time_costs_looks_at_it_and_nothing_else() {
    let bench = Bench::deployed().await;
    bench.up().await.unwrap();
    let called = bench.called();
    let looks = called.iter().filter(|operation| *operation == "DescribeChangeSet").count();
    assert!(looks <= 10 && called.len() - looks <= 6, "{} calls: {called:?}", called.len());
}

#[tokio::test(start_paused = true)]
async fn new_code_updates_the_stack_and_the_plan_is_told_before_it_is_executed() {
    let bench = Bench::deployed().await;
    bench.code("#!/bin/sh\nexit\n");
    let done = bench.up().await.unwrap();
    assert_eq!(done.changed, Some(true));
    assert_eq!(bench.status().as_deref(), Some("UPDATE_COMPLETE"));

    let events = bench.events();
    let place = |wanted: fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let planned = place(|event| matches!(event, Event::Plan(_)));
    assert!(planned < place(|event| matches!(event, Event::OperationStarted { .. })));
    let Event::Plan(plan) = &events[planned] else { unreachable!() };
    assert_eq!(plan.operation, Operation::Update);
    assert!(!plan.loses_data);
    let changed: Vec<_> =
        plan.changes.iter().map(|change| (change.logical_id.as_str(), change.action)).collect();
    assert_eq!(changed, [("Processor", Action::Modify)]);
}

#[tokio::test(start_paused = true)]
async fn who_made_an_environment_stays_its_owner_when_another_caller_updates_it() {
    let bench = Bench::deployed().await;
    let first = bench.account().caller.clone();
    bench.account().caller = "arn:aws:iam::123456789012:user/another".to_owned();
    assert_eq!(bench.up().await.unwrap().changed, Some(false), "another caller alone is no change");
    bench.code("#!/bin/sh\nexit\n");
    bench.up().await.unwrap();
    assert_eq!(bench.account().stack(STACK).unwrap().deployed.tags[TAG_OWNER], first);
}

#[tokio::test(start_paused = true)]
async fn a_plan_on_several_pages_is_told_whole() {
    let bench = Bench::new();
    bench.account().script.page = 3;
    let plan = bench.plan().await.unwrap();
    let names: BTreeSet<&str> = plan.changes.iter().map(|change| change.logical_id.as_str()).collect();
    assert_eq!(names.len(), 10, "{names:?}");
    assert_eq!(plan.changes.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn planning_leaves_no_trace() {
    let bench = Bench::new();
    let plan = bench.plan().await.unwrap();
    assert_eq!(plan.operation, Operation::Create);
    assert_eq!(bench.changes(), ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"]);
    assert_eq!(bench.remains(), Vec::<String>::new());

    let bench = Bench::deployed().await;
    let plan = bench.plan().await.unwrap();
    assert!(plan.changes.is_empty());
    assert_eq!(bench.changes(), ["CreateChangeSet", "DeleteChangeSet"]);
}

#[tokio::test(start_paused = true)]
async fn a_template_that_cloudformation_refuses_is_told_with_its_reason_and_leaves_nothing() {
    let bench = Bench::new();
    let reason = "Template format error: Unrecognized resource types: [AWS::Kinesis::River]";
    bench.account().script.refused_template = Some(reason.to_owned());
    let error = bench.up().await.unwrap_err();
    assert_eq!((error.kind, error.cause.as_deref()), (Kind::DeploymentFailed, Some(reason)));
    assert_eq!(bench.changes(), ["CreateChangeSet", "DeleteChangeSet", "DeleteStack"]);
    assert_eq!(bench.remains(), Vec::<String>::new());
}
