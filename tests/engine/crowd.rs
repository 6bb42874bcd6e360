//! An account that is full, or that many environments are brought up in at once.

use crate::bench::Bench;
use futures_util::future::join_all;
use kinesis_stack::environment::Environment;
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use kinesis_stack::stack::Consent;
use tokio::time::Instant;

/// Twenty pull requests, each with a run of its own.
fn pull_requests(bench: &Bench) -> Vec<Bench> {
    let of = |number| {
        let mut run = bench.again();
        run.context.environment = Environment::new(format!("pr-{number}").parse().unwrap());
        run.conduct.consent = Consent::Given;
        run
    };
    (1..=20).map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn twenty_pull_requests_at_once_all_come_up_and_all_go_down() {
    let bench = Bench::new();
    assert_eq!(bench.account().script.streams_creating, 5, "as many as Kinesis makes at once");
    let runs = pull_requests(&bench);
    for (run, up) in runs.iter().zip(join_all(runs.iter().map(Bench::up)).await) {
        up.unwrap_or_else(|error| panic!("{}: {error}", run.context.environment.name));
    }
    let waited = |run: &Bench| run.events().iter().any(|event| matches!(event, Event::Retrying { .. }));
    assert!(runs.iter().any(waited), "somebody had to wait for a stream's turn");
    for (run, down) in runs.iter().zip(join_all(runs.iter().map(Bench::down)).await) {
        down.unwrap_or_else(|error| panic!("{}: {error}", run.context.environment.name));
    }
    assert_eq!(bench.remains(), [""; 0]);
}

/// How long after its stack's last event a run was over.
async fn up_and_how_late(run: &Bench) -> f64 {
    run.up().await.unwrap_or_else(|error| panic!("{}: {error}", run.context.environment.name));
    (Instant::now() - run.end()).as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn twenty_who_watch_at_once_share_the_few_looks_a_second_that_aws_takes_and_each_sees_its_end() {
    let bench = Bench::new();
    let a_second = 2;
    bench.account().script.streams_creating = 20;
    bench.account().script.calls_per_second.insert("DescribeStackEvents".to_owned(), a_second);
    let runs = pull_requests(&bench);
    let began = Instant::now();
    let late = join_all(runs.iter().map(up_and_how_late)).await;
    let taken = f64::from(a_second) * (Instant::now() - began).as_secs_f64();
    let asked = bench.calls("DescribeStackEvents").len() as f64;
    assert!(asked > taken, "{asked} looks, of which AWS takes {taken:.0}: nobody had to share");
    assert!(asked < 3.0 * taken, "{asked} looks, of which AWS takes {taken:.0}: most are made in vain");
    assert!(late.iter().all(|seconds| *seconds < 60.0), "{late:.1?}");
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_leaves_no_room_is_told_before_anything_is_made() {
    for (shards, roles, told) in [(1, 1_000, "shards"), (500, 1, "roles")] {
        let mut bench = Bench::new();
        bench.shape.shards = 2;
        {
            let mut account = bench.account();
            (account.script.shard_limit, account.script.role_limit) = (shards, roles);
        }
        for ended in [bench.plan().await.map(drop), bench.up().await.map(drop)] {
            let error = ended.unwrap_err();
            assert_eq!(error.kind, Kind::Refused, "{error}");
            assert!(error.message.contains(told), "{error}");
            assert!(error.meaning.as_ref().is_some_and(|meaning| meaning.contains("quota")), "{error:?}");
            assert!(!error.remedies.is_empty());
        }
        assert_eq!(bench.changes(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_ask_for_quotas_is_not_held_up() {
    let bench = Bench::new();
    let denied = ["kinesis:DescribeLimits", "iam:GetAccountSummary"].map(str::to_owned);
    bench.account().script.denied.extend(denied);
    bench.up().await.unwrap();
}
