//! The weather of a seed.

use crate::bench::{BUCKET, Bench, STACK, TEMPLATE, configuration, wait};
use aws_config::retry::RetryConfig;
use simulated_aws::{Act, Aws, Call, Fate, Weather};
use std::sync::Arc;
use std::time::Duration;

fn call(operation: &str) -> Call {
    Call {
        service: "cloudformation".to_owned(),
        region: "us-east-1".to_owned(),
        operation: operation.to_owned(),
        parameters: std::collections::BTreeMap::new(),
        content: Arc::default(),
    }
}

fn fates(seed: u64) -> Vec<Fate> {
    let mut weather = Weather::from_seed(seed);
    let fate = |n| weather.fate(Duration::from_secs(n), &call("DescribeStacks"), "me", "it");
    (0..3_000).map(fate).collect()
}

#[test]
fn a_seed_is_always_the_same_weather_and_another_is_another() {
    assert_eq!(fates(7), fates(7));
    assert_ne!(fates(7), fates(8));
}

#[test]
fn every_kind_of_trouble_comes_and_none_lasts() {
    let mut seen = std::collections::BTreeSet::new();
    let mut others = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let weather = Weather::from_seed(seed);
        assert!(
            weather.storms.iter().all(|(window, _)| window.until - window.from <= Duration::from_secs(300))
        );
        others.extend(weather.others.iter().map(|(_, act)| format!("{act:?}")));
        let fates = fates(seed);
        for fate in &fates {
            seen.insert(match fate {
                Fate::Refused { refusal, .. } => refusal.code.clone(),
                Fate::Served { after } if *after >= Duration::from_secs(10) => "slow".to_owned(),
                other => format!("{other:?}").split(' ').next().unwrap().to_owned(),
            });
        }
        assert!(fates[2_400..].iter().all(|fate| matches!(fate, Fate::Served { .. })), "{seed}");
    }
    let all = [
        "AccessDenied",
        "Cut",
        "ExpiredToken",
        "InternalFailure",
        "ResetAfter",
        "ResetBefore",
        "Served",
        "Throttling",
        "slow",
    ];
    // `denied` is for operations that these calls aren't.
    assert!(all.iter().skip(1).all(|kind| seen.contains(*kind)), "{seen:?}");
    assert_eq!(others.len(), 3);
}

#[test]
fn a_permission_is_missing_for_its_operation_only_and_for_a_while() {
    let seeds = (0..300).filter_map(|seed| Some((seed, Weather::from_seed(seed).denied?)));
    let (mut denied, mut after) = (0, 0);
    for (seed, (window, operation)) in seeds {
        let mut weather = Weather::from_seed(seed);
        weather.expired = None;
        let mut code = |age| match weather.fate(age, &call(operation), "me", "it") {
            Fate::Refused { refusal, .. } => refusal.code,
            _ => String::new(),
        };
        denied += usize::from(code(window.from) == "AccessDenied");
        after += usize::from(code(window.until) == "AccessDenied");
    }
    assert!(denied > 20 && after == 0, "{denied} {after}");
}

/// Deploys as somebody does who tries again: when that was done, and after how many calls.
async fn deploy_in(seed: u64) -> (Duration, usize) {
    let aws = Aws::new("us-east-1").with_weather(seed);
    let retries = RetryConfig::standard().with_max_attempts(8);
    let config = configuration("us-east-1").retry_config(retries).http_client(aws.http_client()).build();
    let bench = Bench::with(aws, &config);
    for round in 0.. {
        assert!(round < 100, "seed {seed}: {}", bench.status());
        wait(60).await;
        match bench.status().as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => break,
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_FAILED" => {
                if let Some(bucket) = bench.account().buckets.get_mut(BUCKET) {
                    bucket.versions.clear();
                }
                let _ = bench.cloudformation.delete_stack().stack_name(STACK).send().await;
            }
            "REVIEW_IN_PROGRESS" | "" | "DELETE_COMPLETE" => {
                let Ok(made) = bench.change_set(TEMPLATE).send().await else { continue };
                wait(60).await;
                let request = bench.cloudformation.execute_change_set();
                let _ = request.change_set_name(made.id().unwrap()).send().await;
            }
            _ => {}
        }
    }
    let account = bench.account();
    (account.age(), account.calls.len())
}

#[tokio::test(start_paused = true)]
async fn whoever_tries_again_deploys_in_any_weather_and_twice_in_the_same_way() {
    let mut ends = Vec::new();
    for seed in 0..12 {
        ends.push(deploy_in(seed).await);
    }
    for seed in [0, 5] {
        assert_eq!(deploy_in(seed).await, ends[usize::try_from(seed).unwrap()]);
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_else_deploys_updates_and_deletes() {
    let bench = Bench::deployed().await;
    let mut weather = Weather::from_seed(0);
    let age = |seconds| Duration::from_secs(seconds);
    weather.others = vec![(age(10), Act::Updates), (age(400), Act::Deletes), (age(800), Act::Deploys)];
    bench.account().meet(weather);
    for (seconds, status) in [
        (20, "UPDATE_IN_PROGRESS"),
        (300, "UPDATE_COMPLETE"),
        (90, "DELETE_IN_PROGRESS"),
        (200, "DELETE_COMPLETE"),
        (200, "CREATE_IN_PROGRESS"),
    ] {
        wait(seconds).await;
        assert!(
            bench.status() == status || seconds == 200 && bench.status().starts_with("DELETE"),
            "{}",
            bench.status()
        );
    }
}
