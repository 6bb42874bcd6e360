//! `logs` on the simulated account: both groups as one, live tail and polling.

use crate::bench::{Bench, STACK};
use crate::pipeline;
use kinesis_stack::data::logs::{self, LogEntry, LogGroup, LogsWish, Says, Source};
use kinesis_stack::event::Event;
use kinesis_stack::stack::inspect;
use simulated_aws::Refusal;
use std::time::Duration;
use tokio::time::sleep;

fn wish(bench: &Bench) -> LogsWish {
    LogsWish {
        since: logs::since(bench.context.clock.now(), Duration::from_secs(3_600)),
        follows: false,
        live_tail: false,
        grep: None,
        errors: false,
        together: true,
    }
}

async fn read(bench: &Bench, wish: &LogsWish, seconds: u64) -> Vec<LogEntry> {
    let stack = inspect::require(&bench.context).await.unwrap();
    assert_eq!(stack.name, STACK);
    let groups = LogGroup::of(&stack).unwrap();
    assert!(groups[0].arn.ends_with(":log-group:/kinesis-stack/dev/processor"), "{groups:?}");
    let mut entries = Vec::new();
    let mut each = |entry: &LogEntry| {
        entries.push(entry.clone());
        Ok(())
    };
    let (client, reporter) = (&bench.context.clients.logs, bench.context.reporter.as_ref());
    let stop = sleep(Duration::from_secs(seconds));
    logs::read(client, &groups, wish, reporter, &mut each, stop).await.unwrap();
    entries
}

fn reports(entries: &[LogEntry]) -> usize {
    entries.iter().filter(|entry| matches!(entry.says, Says::Report(_))).count()
}

#[tokio::test(start_paused = true)]
async fn invocations_are_told_together_with_what_they_took() {
    let bench = pipeline::deployed().await;
    pipeline::send(&bench, 0..1_000).await;
    sleep(Duration::from_secs(300)).await;
    let entries = read(&bench, &wish(&bench), 600).await;
    assert!(reports(&entries) >= 1, "{entries:?}");
    let starts = entries.iter().filter(|entry| entry.says == Says::Start).count();
    assert_eq!(starts, reports(&entries));
    let mut open = None;
    for entry in &entries {
        match &entry.says {
            Says::Start => open = entry.request_id.clone(),
            Says::Report(report) => {
                assert_eq!(open.take(), entry.request_id, "its lines stand together");
                assert!(report.memory_mb > 0 && report.billed_ms >= report.duration_ms, "{report:?}");
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_refused_is_told_with_what_it_means() {
    let bench = pipeline::deployed().await;
    bench.account().script.delivery_denied.insert("s3:PutObject".to_owned());
    pipeline::send(&bench, 0..10).await;
    sleep(Duration::from_secs(600)).await;
    let entries = read(&bench, &LogsWish { errors: true, ..wish(&bench) }, 600).await;
    let failure = entries.iter().find_map(|entry| match &entry.says {
        Says::Failure(failure) if entry.source == Source::Delivery => Some(failure),
        _ => None,
    });
    let failure = failure.unwrap_or_else(|| panic!("{entries:?}"));
    assert_eq!(failure.error_code, "S3.AccessDenied");
    assert!(failure.meaning.is_some() && failure.remedy.is_some());
}

async fn followed(live_tail: bool, denied: bool) -> (Bench, Vec<LogEntry>) {
    let bench = pipeline::deployed().await;
    if denied {
        bench.account().faults.push(simulated_aws::Fault {
            operation: "StartLiveTail",
            when: simulated_aws::When::Always,
            refusal: Refusal::denied("arn:aws:iam::123456789012:user/somebody", "logs:StartLiveTail", "*"),
        });
    }
    pipeline::send(&bench, 0..10).await;
    sleep(Duration::from_secs(300)).await;
    let wish = LogsWish { follows: true, live_tail, together: false, ..wish(&bench) };
    let sending = async {
        for place in 1..10 {
            sleep(Duration::from_secs(120)).await;
            pipeline::send(&bench, place * 10..place * 10 + 10).await;
        }
    };
    let (entries, ()) = tokio::join!(read(&bench, &wish, 1_800), sending);
    (bench, entries)
}

#[tokio::test(start_paused = true)]
async fn following_shows_the_same_by_live_tail_and_by_polling() {
    let mut shown = Vec::new();
    for (live_tail, denied) in [(true, false), (true, true), (false, false)] {
        let (bench, entries) = followed(live_tail, denied).await;
        let told = bench.events().into_iter().find_map(|event| match event {
            Event::LogsFollowed { live_tail, because } => Some((live_tail, because.is_some())),
            _ => None,
        });
        assert_eq!(told, Some((live_tail && !denied, denied)));
        assert_eq!(reports(&entries), 10, "each invocation once: {live_tail} {denied}");
        let mut lines: Vec<String> = entries.iter().map(|it| format!("{} {}", it.time, it.message)).collect();
        lines.sort_unstable();
        let all = lines.len();
        lines.dedup();
        assert_eq!(lines.len(), all, "none twice");
        shown.push(all);
    }
    assert!(shown.windows(2).all(|pair| pair[0] == pair[1]), "{shown:?}");
}
