//! CloudWatch Logs: lines, and how they are read.

use crate::bench::{Bench, refusal, wait};
use aws_sdk_cloudwatchlogs::operation::start_live_tail::StartLiveTailOutput;
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, OrderBy, StartLiveTailResponseStream};
use std::time::Duration;

const GROUP: &str = "/pipeline/processor";
/// When the account begins, in milliseconds since 1970.
const BEGIN: i64 = 1_790_000_000_000;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.account().make("AWS::Logs::LogGroup", GROUP);
    bench
}

/// All that a filter finds, page by page.
pub async fn found(bench: &Bench, group: &str, pattern: &str) -> Vec<String> {
    let request = bench.logs.filter_log_events().log_group_name(group).filter_pattern(pattern);
    let mut pages = request.into_paginator().send();
    let mut lines = Vec::new();
    while let Some(page) = pages.next().await {
        lines.extend(page.unwrap().events().iter().map(|event| event.message().unwrap().to_owned()));
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn lines_are_told_in_the_order_of_their_times_across_streams_in_pages_of_which_one_may_be_empty() {
    let bench = bench();
    for number in 0..5 {
        bench.account().log_at(GROUP, ["one", "two"][number % 2], &number.to_string(), BEGIN - number as i64);
    }
    wait(5).await;
    let request = bench.logs.filter_log_events().log_group_name(GROUP);
    let empty = request.clone().send().await.unwrap();
    assert!(empty.events().is_empty() && empty.next_token().is_some());
    let page = request.clone().limit(3).next_token(empty.next_token().unwrap()).send().await.unwrap();
    let texts: Vec<_> = page.events().iter().filter_map(|it| it.message()).collect();
    assert_eq!(texts, ["4", "3", "2"]);
    let rest = request.clone().next_token(page.next_token().unwrap()).send().await.unwrap();
    assert_eq!((rest.events().len(), rest.next_token()), (2, None));
    bench.account().script.empty_log_page = false;
    let part = request.clone().start_time(BEGIN - 3).end_time(BEGIN - 1).send().await.unwrap();
    assert_eq!(part.events().len(), 3);
    let again = request.log_stream_names("two").send().await.unwrap();
    assert_eq!(again.events().len(), 2);
    assert_eq!(again.events()[0].event_id(), part.events()[0].event_id(), "an event's id is always the same");
}

#[tokio::test(start_paused = true)]
async fn a_pattern_of_terms_takes_all_some_or_none() {
    let bench = bench();
    for line in ["ERROR a b", "error a", "WARN b", "a \"quoted\" b c"] {
        bench.account().log(GROUP, "one", line);
    }
    wait(5).await;
    assert_eq!(found(&bench, GROUP, "ERROR").await, ["ERROR a b"]);
    assert_eq!(found(&bench, GROUP, "\"a b\"").await, ["ERROR a b"]);
    assert_eq!(found(&bench, GROUP, "?ERROR ?WARN").await, ["ERROR a b", "WARN b"]);
    assert_eq!(found(&bench, GROUP, "a -ERROR").await, ["error a", "a \"quoted\" b c"]);
    assert_eq!(found(&bench, GROUP, "\"\\\"quoted\\\" b\" c").await, ["a \"quoted\" b c"]);
}

#[tokio::test(start_paused = true)]
async fn a_line_is_told_a_while_after_it_came() {
    let bench = bench();
    bench.account().log(GROUP, "one", "late");
    assert!(found(&bench, GROUP, "").await.is_empty());
    wait(2).await;
    assert_eq!(found(&bench, GROUP, "").await, ["late"]);
}

#[tokio::test(start_paused = true)]
async fn lines_are_put_into_streams_that_are_there() {
    let bench = bench();
    let line = InputLogEvent::builder().message("mine").timestamp(BEGIN).build().unwrap();
    let put = bench.logs.put_log_events().log_group_name(GROUP).log_stream_name("one").log_events(line);
    assert_eq!(refusal(put.clone().send().await).0, "ResourceNotFoundException");
    bench.logs.create_log_stream().log_group_name(GROUP).log_stream_name("one").send().await.unwrap();
    put.send().await.unwrap();
    wait(5).await;
    bench.account().log(GROUP, "two", "later");
    let streams = bench.logs.describe_log_streams().log_group_name(GROUP).order_by(OrderBy::LastEventTime);
    let streams = streams.descending(true).send().await.unwrap();
    let names: Vec<_> = streams.log_streams().iter().filter_map(|it| it.log_stream_name()).collect();
    assert_eq!(names, ["two", "one"]);
    assert_eq!(streams.log_streams()[1].last_event_timestamp(), Some(BEGIN));
    let get = bench.logs.get_log_events().log_group_name(GROUP).log_stream_name("one").start_from_head(true);
    let told = get.clone().send().await.unwrap();
    assert_eq!(told.events()[0].message(), Some("mine"));
    // Fact: at the end the same token comes back.
    let again = get.next_token(told.next_forward_token().unwrap()).send().await.unwrap();
    assert_eq!((again.events().len(), again.next_forward_token()), (0, told.next_forward_token()));
}

async fn next(output: &mut StartLiveTailOutput) -> Option<StartLiveTailResponseStream> {
    output.response_stream.recv().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_live_tail_starts_then_tells_once_a_second_what_came() {
    let bench = bench();
    let arn = format!("arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}");
    let tail = bench.logs.start_live_tail().log_event_filter_pattern("wanted");
    let refused = tail.clone().log_group_identifiers(format!("{arn}:*")).send().await;
    assert_eq!(refusal(refused).0, "InvalidParameterException");
    bench.account().log(GROUP, "one", "wanted, but before");
    let mut output = tail.log_group_identifiers(&arn).send().await.unwrap();
    let first = next(&mut output).await.unwrap();
    assert!(first.is_session_start(), "{first:?}");
    bench.account().log(GROUP, "one", "wanted");
    bench.account().log(GROUP, "one", "not");
    let update = next(&mut output).await.unwrap();
    let results = update.as_session_update().unwrap().session_results();
    let texts: Vec<_> = results.iter().filter_map(|it| it.message()).collect();
    assert_eq!(texts, ["wanted"]);
    let began = tokio::time::Instant::now();
    let update = next(&mut output).await.unwrap();
    assert!(update.as_session_update().unwrap().session_results().is_empty());
    assert_eq!(began.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_live_tail_ends_after_three_hours() {
    let bench = bench();
    let mut output = bench.logs.start_live_tail().log_group_identifiers(GROUP).send().await.unwrap();
    let error = loop {
        match output.response_stream.recv().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ends with an exception"),
            Err(error) => break error,
        }
    };
    assert!(error.into_service_error().is_session_timeout_exception());
    assert!(bench.account().age() >= Duration::from_secs(3 * 3_600));
}
