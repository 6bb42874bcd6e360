//! How long after AWS is done the tool says so, and how many looks that takes, in virtual time: beside pollers
//! that look at a fixed pace.

use crate::bench::{Bench, STACK, until_called};
use kinesis_stack::stack::Consent;
use std::fmt::Write;
use std::time::Duration;
use tokio::time::Instant;

/// What a poller was like on many stacks.
struct Measured {
    /// Seconds from the stack's end to the poller's, sorted.
    late: Vec<f64>,
    calls: f64,
    minutes: f64,
}

impl Measured {
    fn percentile(&self, percent: usize) -> f64 {
        self.late[(self.late.len() * percent).div_ceil(100).max(1) - 1]
    }
}

/// The looks at a stack while it was being made.
fn looks(bench: &Bench, from: usize) -> usize {
    let calls = bench.called();
    calls[from..]
        .iter()
        .filter(|call| ["DescribeStackEvents", "DescribeStacks"].contains(&call.as_str()))
        .count()
}

/// A stack whose creation takes about this long, the `number`th of its kind.
async fn stack(pace: f64, number: u64) -> Bench {
    let mut bench = Bench::new();
    bench.conduct.consent = Consent::Given;
    // Not all stacks take the same time, and none begins in step with anybody's poll.
    bench.account().script.pace = pace * (0.93 + 0.01 * number as f64);
    fastrand::seed(number);
    bench
}

async fn ours(pace: f64, stacks: u64) -> Measured {
    let mut measured = Measured { late: Vec::new(), calls: 0.0, minutes: 0.0 };
    for number in 0..stacks {
        let bench = stack(pace, number).await;
        let began = Instant::now();
        bench.up().await.unwrap();
        measured.late.push((Instant::now() - bench.end()).as_secs_f64());
        let executed = bench.called().iter().position(|call| call == "ExecuteChangeSet").unwrap();
        measured.calls += looks(&bench, executed) as f64 / stacks as f64;
        measured.minutes += (bench.end() - began).as_secs_f64() / 60.0 / stacks as f64;
    }
    measured.late.sort_by(f64::total_cmp);
    measured
}

/// Somebody who asks at a fixed pace whether the stack is there.
async fn fixed(pace: f64, stacks: u64, every: Duration) -> Measured {
    let mut measured = Measured { late: Vec::new(), calls: 0.0, minutes: 0.0 };
    for number in 0..stacks {
        let bench = stack(pace, number).await;
        let began = Instant::now();
        let poll = async {
            // It begins to ask when the stack begins to be made.
            until_called(&bench.aws, "ExecuteChangeSet").await;
            let mut calls = 0;
            loop {
                calls += 1;
                let answer =
                    bench.context.clients.cloudformation.describe_stacks().stack_name(STACK).send().await;
                let status = answer.unwrap().stacks()[0].stack_status().unwrap().as_str().to_owned();
                if status == "CREATE_COMPLETE" {
                    return (calls, Instant::now());
                }
                tokio::time::sleep(every).await;
            }
        };
        let (up, (calls, told)) = tokio::join!(bench.up(), poll);
        up.unwrap();
        measured.late.push((told - bench.end()).as_secs_f64());
        measured.calls += f64::from(calls) / stacks as f64;
        measured.minutes += (bench.end() - began).as_secs_f64() / 60.0 / stacks as f64;
    }
    measured.late.sort_by(f64::total_cmp);
    measured
}

#[tokio::test(start_paused = true)]
async fn the_tool_says_within_two_seconds_that_aws_is_done_with_fewer_looks_than_every_five_seconds() {
    let stacks = 8;
    let mut table = String::new();
    for (what, pace) in [("10 s", 0.1), ("45 s", 0.45), ("typical", 1.0), ("5 min", 3.0), ("20 min", 12.0)] {
        let own = ours(pace, stacks).await;
        let mut say = |who: &str, it: &Measured| {
            writeln!(
                table,
                "{what:<8} {who:<8} p50 {:5.2} s  p99 {:5.2} s  {:6.1} looks  {:5.1} a minute",
                it.percentile(50),
                it.percentile(99),
                it.calls,
                it.calls / it.minutes
            )
            .unwrap();
        };
        say("ours", &own);
        let mut others = Vec::new();
        for seconds in [5, 30, 1] {
            let other = fixed(pace, stacks, Duration::from_secs(seconds)).await;
            say(&format!("{seconds} s"), &other);
            others.push(other);
        }
        assert!(own.percentile(99) < 2.0, "{table}");
        if what == "typical" {
            assert!(own.calls < others[0].calls, "{table}");
        }
    }
    println!("{table}");
}
