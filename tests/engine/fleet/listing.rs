//! `list`.

use super::{account, add, is_left, stack, survey};
use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::environment::Environment;
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use kinesis_stack::settings::Choice;
use kinesis_stack::stack::status::Known;
use kinesis_stack::stack::{down, fleet};
use simulated_aws::{Fault, Refusal, When};

#[tokio::test(start_paused = true)]
async fn two_hundred_environments_are_listed_with_two_calls_for_each_hundred() {
    let bench = account().await;
    for number in 0..199 {
        add(&bench, &format!("n{number:03}"), (number % 3 == 0).then_some(number - 90));
    }
    bench.account().script.page = 100;
    bench.forget();
    let fleet = survey(std::slice::from_ref(&bench.context)).await.unwrap();
    assert_eq!(fleet.environments.len(), 200);
    assert_eq!((bench.calls("DescribeStacks").len(), bench.calls("GetResources").len()), (2, 2));
    assert_eq!(bench.called().len(), 4);
    // Those whose time is over come first, the longest over before the others.
    let expired: Vec<_> = fleet.environments.iter().take_while(|it| it.expired).collect();
    assert_eq!(expired.len(), fleet.environments.iter().filter(|it| it.expired).count());
    assert!(expired.is_sorted_by_key(|it| it.listed.expires.clone()) && expired.len() > 20);
    let first = &fleet.environments[0].listed;
    assert_eq!((first.env.as_str(), first.region.as_str()), ("n000", "us-east-1"));
    assert_eq!(first.cost_per_day, Some(0.36));
    assert_eq!(fleet.environments[0].cost_so_far, Some(0.03));
}

#[tokio::test(start_paused = true)]
async fn a_mere_name_is_listed_as_status_shows_it() {
    let bench = Bench::new();
    // Somebody planned it and left the empty stack behind.
    bench.account().faults.push(crate::faults::denied("DeleteStack"));
    bench.answer(Some(false));
    bench.up().await.unwrap_err();
    let listed = fleet::list(&bench.context.clients).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].env == "dev" && listed[0].status.is(Known::ReviewInProgress));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_an_environment_without_a_stack_is_listed_and_kept_data_is_not() {
    let bench = account().await;
    add(&bench, "gone", Some(-5));
    add(&bench, "kept", Some(-5));
    {
        let mut account = bench.account();
        account.somebody_deletes(&stack("gone"));
        account.somebody_deletes(&stack("kept"));
        let bucket = "kinesis-stack-123456789012-kept-us-east-1";
        let bucket = account.buckets.get_mut(bucket).unwrap();
        bucket.tags.insert("kinesis-stack:kept".to_owned(), "true".to_owned());
    }
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    let fleet = survey(std::slice::from_ref(&bench.context)).await.unwrap();
    let left: Vec<_> = fleet.environments.iter().filter(|it| it.listed.left_bucket.is_some()).collect();
    let told: Vec<_> = left.iter().map(|it| (it.listed.env.as_str(), it.expired, it.listed.kept)).collect();
    assert_eq!(told, [("gone", true, false), ("kept", false, true)]);
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_ask_for_tags_sees_stacks_alone() {
    let bench = account().await;
    bench.account().script.denied.insert("tag:GetResources".to_owned());
    let fleet = survey(std::slice::from_ref(&bench.context)).await.unwrap();
    assert_eq!(fleet.environments.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn regions_that_are_not_enabled_are_passed_over_and_denied_ones_are_named() {
    let home = account().await;
    let other = Bench::in_region("eu-west-1");
    other.up().await.unwrap();
    let off = Bench::in_region("ap-east-1");
    off.account().script.disabled_regions.insert("ap-east-1".to_owned());
    let denied = Bench::in_region("us-west-2");
    denied.account().script.denied.insert("cloudformation:DescribeStacks".to_owned());
    let contexts = [&home, &other, &off, &denied].map(|bench| bench.context.clone());
    let fleet = survey(&contexts).await.unwrap();
    let mut regions: Vec<_> = fleet.environments.iter().map(|it| it.listed.region.as_str()).collect();
    regions.sort_unstable();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
    assert_eq!(fleet.unread.len(), 1);
    assert_eq!((fleet.unread[0].0.as_str(), fleet.unread[0].1.kind), ("us-west-2", Kind::Credentials));
    let told = home.events().into_iter().filter(|it| matches!(it, Event::RegionUnread { .. })).count();
    assert_eq!(told, 1);
    // Alone, it is why there is no list.
    let error = survey(std::slice::from_ref(&denied.context)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Credentials);
}

#[tokio::test(start_paused = true)]
async fn a_list_survives_throttling() {
    let bench = account().await;
    bench.account().faults.push(Fault {
        operation: "DescribeStacks",
        when: When::Times(12),
        refusal: Refusal::throttled("cloudformation"),
    });
    let fleet = survey(std::slice::from_ref(&bench.context)).await.unwrap();
    assert_eq!(fleet.environments[0].listed.stack, STACK);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_of_those_that_are_chosen() {
    let bench = account().await;
    add(&bench, "pr-1", None);
    add(&bench, "pr-2", Some(60));
    let choice = Choice { name: Some("pr-*".parse().unwrap()), tags: Vec::new() };
    let chosen = fleet::survey(std::slice::from_ref(&bench.context), &choice, fleet::PATIENCE).await.unwrap();
    let names: Vec<_> = chosen.environments.iter().map(|it| it.listed.env.as_str()).collect();
    assert_eq!(names, ["pr-1", "pr-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_was_kept_is_listed_as_kept_whether_its_environment_had_an_end_or_none() {
    for minutes in [Some(60), None] {
        let mut bench = account().await;
        bench.context.environment = Environment::new("over".parse().unwrap());
        add(&bench, "over", minutes);
        let keeping = down::Wish { keep_data: true, ..down::Wish::new(bench.conduct) };
        down::down(&bench.context, keeping).await.unwrap();
        let fleet = survey(std::slice::from_ref(&bench.context)).await.unwrap();
        let last = &fleet.environments.last().unwrap().listed;
        assert_eq!((last.env.as_str(), last.kept), ("over", true), "{minutes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_empty_only_where_no_bucket_was_kept_either_whatever_its_tags_say() {
    let bench = Bench::deployed().await;
    let is_empty = || fleet::is_empty(&bench.context.clients);
    assert!(!is_empty().await.unwrap());
    let keeping = down::Wish { keep_data: true, ..down::Wish::new(bench.conduct) };
    down::down(&bench.context, keeping).await.unwrap();
    bench.account().buckets.get_mut(BUCKET).unwrap().tags.clear();
    assert!(!is_empty().await.unwrap());
    bench.again().down().await.unwrap();
    assert!(is_empty().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_read_what_a_bucket_is_tagged_with_is_told_that_it_could_not_be_marked_as_kept() {
    let mut bench = account().await;
    bench.account().script.denied.insert("s3:GetBucketTagging".to_owned());
    bench.context.environment = Environment::new("over".parse().unwrap());
    add(&bench, "over", Some(60));
    let keeping = down::Wish { keep_data: true, ..down::Wish::new(bench.conduct) };
    let error = down::down(&bench.context, keeping).await.unwrap_err();
    assert!(error.to_string().contains("mark") && is_left(&bench, "over"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_mark_a_bucket_keeps_it_all_the_same_where_nothing_would_ever_take_it() {
    let mut bench = account().await;
    bench.account().script.denied.insert("s3:PutBucketTagging".to_owned());
    let keeping = |bench: &Bench| down::Wish { keep_data: true, ..down::Wish::new(bench.conduct) };
    bench.context.environment = Environment::new("over".parse().unwrap());
    add(&bench, "over", Some(60));
    let error = down::down(&bench.context, keeping(&bench)).await.unwrap_err();
    assert!(error.to_string().contains("mark"), "{error}");
    bench.context.environment = Environment::new("never".parse().unwrap());
    add(&bench, "never", None);
    down::down(&bench.context, keeping(&bench)).await.unwrap();
    assert!(bench.account().buckets.contains_key("kinesis-stack-123456789012-never-us-east-1"));
}
