//! `reap`.

use super::{account, add, is_left, reap, stack};
use crate::bench::{BUCKET, Bench, STACK, until_called};
use kinesis_stack::environment::{Environment, TAG_ENVIRONMENT, TAG_EXPIRES, expiry_tag};
use kinesis_stack::error::Kind;
use kinesis_stack::event::Event;
use kinesis_stack::settings::Choice;
use kinesis_stack::stack::down;
use kinesis_stack::stack::reap::Wish;
use simulated_aws::{Bucket, Deed, Fault, Kill, Refusal, STRANGER, When};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

fn names(named: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = named.into_iter().collect();
    names.sort();
    names
}

fn reaped(reaped: &kinesis_stack::stack::reap::Reaped) -> Vec<String> {
    names(reaped.reaped.iter().map(|ended| ended.named.env.clone()))
}

fn in_an_hour(bench: &Bench) -> String {
    expiry_tag(bench.context.clock.now() + jiff::SignedDuration::from_hours(1))
}

#[tokio::test(start_paused = true)]
async fn all_whose_time_is_over_go_with_all_that_is_theirs_and_nothing_else_does() {
    let bench = account().await;
    add(&bench, "over-a", Some(-60));
    add(&bench, "over-b", Some(0));
    add(&bench, "later", Some(60));
    add(&bench, "never", None);
    bench.forget();
    let ended = reap(&bench).await;
    assert_eq!(reaped(&ended), ["over-a", "over-b"]);
    assert_eq!(ended.error(), None);
    assert!(!is_left(&bench, "over-"), "{:?}", bench.remains());
    for env in ["dev", "later", "never"] {
        assert_eq!(bench.account().stack(&stack(env)).unwrap().status, "CREATE_COMPLETE", "{env}");
    }
    // Once more there is nothing to do.
    bench.forget();
    assert_eq!(reap(&bench).await.due, []);
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_names_them_and_touches_nothing() {
    let bench = account().await;
    add(&bench, "over", Some(-1));
    bench.forget();
    let ended = bench.reap_so(|wish| Wish { dry_run: true, ..wish }).await.unwrap();
    assert_eq!((ended.due.len(), ended.reaped.len()), (1, 0));
    assert_eq!(bench.changes(), [""; 0]);
    let told = bench.events().into_iter().find_map(|event| match event {
        Event::Due { environments } => Some(environments),
        _ => None,
    });
    assert_eq!(told.unwrap()[0].env, "over");
}

#[tokio::test(start_paused = true)]
async fn only_what_would_be_torn_down_is_counted_as_due_and_what_is_protected_apart() {
    let bench = account().await;
    add(&bench, "over", Some(-1));
    add(&bench, "safe", Some(-1));
    bench.account().stack(&stack("safe")).unwrap().protected = true;
    for dry_run in [true, false] {
        let ended = bench.reap_so(|wish| Wish { dry_run, ..wish }).await.unwrap();
        let told = ended.reckoning(dry_run);
        assert_eq!((told.due, told.left_alone), (1, 1));
    }
    assert!(is_left(&bench, "safe") && !is_left(&bench, "over"));
}

#[tokio::test(start_paused = true)]
async fn a_person_is_asked_once_and_a_no_leaves_everything_while_nobody_is_no_objection() {
    let bench = account().await;
    add(&bench, "over-a", Some(-1));
    add(&bench, "over-b", Some(-1));
    bench.answer(Some(false));
    bench.forget();
    let before = bench.questions().len();
    assert_eq!(bench.reap_so(|wish| wish).await.unwrap_err().kind, Kind::Refused);
    assert_eq!((bench.questions().len() - before, bench.changes().len()), (1, 0));
    bench.answer(None);
    assert_eq!(reap(&bench).await.reaped.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_protected_or_foreign_or_somebody_is_at_work_on_is_never_touched() {
    let bench = account().await;
    for env in ["protected", "foreign", "busy"] {
        add(&bench, env, Some(-30));
    }
    {
        let mut account = bench.account();
        account.stack(&stack("protected")).unwrap().protected = true;
        let tags = &mut account.stack(&stack("foreign")).unwrap().deployed.tags;
        tags.remove(TAG_ENVIRONMENT);
        account.somebody_updates(&stack("busy"));
    }
    bench.forget();
    let ended = reap(&bench).await;
    assert_eq!(ended.reaped, []);
    let alone = names(ended.left_alone.iter().map(|(named, _)| named.env.clone()));
    // Of the foreign one it is the bucket that was found, which still is ours by its tags.
    assert_eq!(alone, ["busy", "foreign", "protected"]);
    assert_eq!(ended.error(), None);
    assert_eq!(bench.changes(), [""; 0]);
    let told = bench.events().into_iter().filter(|it| matches!(it, Event::LeftAlone { .. })).count();
    assert_eq!(told, 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_extended_or_protected_or_made_anew_right_before_it_would_go_stays() {
    let deeds: [fn(&Bench) -> Deed; 2] = [
        |bench| Deed::Tags(stack("over"), TAG_EXPIRES.to_owned(), in_an_hour(bench)),
        |_| Deed::Protects(stack("over")),
    ];
    for deed in deeds {
        // Before each kind of call that comes before the deletion.
        for call in ["GetCallerIdentity", "ListStackResources", "DescribeStackEvents"] {
            let bench = account().await;
            add(&bench, "over", Some(-1));
            bench.forget();
            let deed = deed(&bench);
            bench.account().somebody_before(call, deed);
            let ended = reap(&bench).await;
            assert_eq!((ended.reaped.len(), ended.failed.len()), (0, 0), "{call} {ended:#?}");
            assert_eq!(ended.left_alone.len(), 1, "{call}");
            sleep(Duration::from_secs(600)).await;
            let status = bench.account().stack(&stack("over")).map(|stack| stack.status.clone());
            assert!(status.is_some_and(|status| status.ends_with("_COMPLETE")), "{call}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_stops_no_other_and_decides_how_it_ends() {
    let bench = account().await;
    for env in ["over-a", "over-b", "over-c"] {
        add(&bench, env, Some(-1));
    }
    let denied = Refusal::denied("somebody", "cloudformation:DeleteStack", "over-a");
    let fault = Fault { operation: "DeleteStack", when: When::Times(1), refusal: denied };
    bench.account().faults.push(fault);
    bench.forget();
    let ended = reap(&bench).await;
    assert_eq!((ended.reaped.len(), ended.failed.len()), (2, 1), "{ended:#?}");
    let error = ended.error().unwrap();
    assert_eq!(error.kind, Kind::Credentials);
    assert!(error.message.contains("1 of 3"), "{error}");
    // And the next run takes it.
    assert_eq!(reap(&bench).await.reaped.len(), 1);
    assert!(!is_left(&bench, "over-"), "{:?}", bench.remains());
}

#[tokio::test(start_paused = true)]
async fn fifty_go_in_less_time_than_three_take_one_after_the_other() {
    let mut bench = account().await;
    bench.conduct.consent = kinesis_stack::stack::Consent::Given;
    let three = bench.branch();
    let began = Instant::now();
    three.down().await.unwrap();
    let one = began.elapsed();

    for number in 0..50 {
        add(&bench, &format!("n{number:02}"), Some(-1));
    }
    bench.forget();
    let began = Instant::now();
    let ended = reap(&bench).await;
    let fifty = began.elapsed();
    assert_eq!((ended.reaped.len(), ended.error()), (50, None));
    assert!(fifty < one * 3, "{fifty:?} {one:?}");
    println!("one: {one:?}, fifty: {fifty:?}, {} calls", bench.called().len());
    let left: Vec<_> = bench.remains().into_iter().filter(|name| !name.contains("dev")).collect();
    assert_eq!(left, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_torn_down_at_once_than_was_said() {
    let bench = account().await;
    for number in 0..6 {
        add(&bench, &format!("n{number}"), Some(-1));
    }
    bench.forget();
    let aws = bench.aws.clone();
    let most = async {
        let mut most = 0;
        loop {
            let busy = |stack: &&simulated_aws::Stack| stack.status == "DELETE_IN_PROGRESS";
            most = most.max(aws.now().stacks.iter().filter(busy).count());
            if !aws.now().stacks.iter().any(|stack| stack.name.contains("-n") && !stack.is_gone()) {
                return most;
            }
            sleep(Duration::from_millis(500)).await;
        }
    };
    let (ended, most) = tokio::join!(bench.reap_so(|wish| Wish { at_once: 2, ..wish }), most);
    assert_eq!((ended.unwrap().reaped.len(), most), (6, 2));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_account_delays_it_and_nothing_more() {
    let bench = account().await;
    for number in 0..5 {
        add(&bench, &format!("n{number}"), Some(-1));
    }
    bench.forget();
    for operation in ["DescribeStacks", "DescribeStackEvents", "DeleteStack", "ListStackResources"] {
        bench.account().faults.push(Fault {
            operation,
            when: When::Times(40),
            refusal: Refusal::throttled("cloudformation"),
        });
    }
    let ended = reap(&bench).await;
    assert_eq!((ended.reaped.len(), ended.error()), (5, None));
}

#[tokio::test(start_paused = true)]
async fn two_at_once_end_as_one_does() {
    let bench = account().await;
    for number in 0..4 {
        add(&bench, &format!("n{number}"), Some(-1));
    }
    let other = bench.again();
    let late = async {
        sleep(Duration::from_secs(3)).await;
        reap(&other).await
    };
    let (one, two) = tokio::join!(reap(&bench), late);
    assert_eq!((one.error(), two.error()), (None, None), "{one:#?} {two:#?}");
    let left: Vec<_> = bench.remains().into_iter().filter(|name| !name.contains("dev")).collect();
    assert_eq!(left, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn beside_a_down_it_leaves_a_bucket_that_another_account_has_by_then() {
    let bench = account().await;
    let over = (TAG_EXPIRES.to_owned(), "2020-01-01T00:00:00Z".to_owned());
    bench.account().stack(STACK).unwrap().deployed.tags.extend([over]);
    bench.account().somebody_deletes(STACK);
    let aws = bench.aws.clone();
    let taken = async {
        while aws.now().stack(STACK).is_some() {
            sleep(Duration::from_millis(10)).await;
        }
        // The other `down` has removed it, and somebody was quick.
        aws.now().buckets.insert(BUCKET.to_owned(), Bucket::of(STRANGER));
    };
    let (ended, ()) = tokio::join!(reap(&bench), taken);
    assert_eq!((ended.error(), reaped(&ended)), (None, vec!["dev".to_owned()]));
    assert_eq!(bench.account().buckets[BUCKET], Bucket::of(STRANGER));
    assert_eq!(bench.remains(), [BUCKET]);
}

#[tokio::test(start_paused = true)]
async fn up_during_reap_ends_with_an_environment_that_is_up() {
    let bench = account().await;
    let mut up = bench.again();
    up.means.ttl = Some(kinesis_stack::settings::Ttl::For(14_400));
    {
        let expired = expiry_tag(bench.context.clock.now());
        let mut account = bench.account();
        let tags = &mut account.stack(STACK).unwrap().deployed.tags;
        tags.insert(TAG_EXPIRES.to_owned(), expired);
    }
    let later = async {
        sleep(Duration::from_secs(10)).await;
        up.up().await
    };
    let (ended, up_again) = tokio::join!(reap(&bench), later);
    assert_eq!(ended.error(), None, "{ended:#?}");
    up_again.unwrap();
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(reap(&bench).await.due, [], "its time has begun anew");
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_call_the_next_reap_finishes_it() {
    let start = account().await;
    start.account().script.pace = 0.004;
    add(&start, "over-a", Some(-1));
    add(&start, "over-b", Some(-1));
    let left = |bench: &Bench| -> Vec<String> {
        bench.remains().into_iter().filter(|name| name.contains("over-")).collect()
    };
    let bench = start.branch();
    bench.forget();
    reap(&bench).await;
    let calls = bench.called();
    for (at, call) in calls.iter().enumerate() {
        for after_effect in [false, true] {
            let bench = start.branch();
            bench.forget();
            let signal = Arc::new(Notify::new());
            bench.account().kill = Some(Kill { at, after_effect, signal: signal.clone() });
            tokio::select! {
                ended = reap(&bench) => panic!("ended before call {at} ({call}): {ended:#?}"),
                () = signal.notified() => {}
            }
            let ended = reap(&bench).await;
            let when = format!("killed at call {at} of {} ({call}), effect: {after_effect}", calls.len());
            assert_eq!(ended.error(), None, "{when}");
            // What the first had asked for may still have been under way when the second looked.
            reap(&bench).await;
            assert_eq!(left(&bench), [""; 0], "{when}");
            assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"), "{when}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_begins_no_other_and_leaves_the_rest_to_cloudformation() {
    let bench = account().await;
    for number in 0..6 {
        add(&bench, &format!("n{number}"), Some(-1));
    }
    bench.forget();
    let (aws, signal) = (bench.aws.clone(), bench.signal.clone());
    let tell = async {
        until_called(&aws, "DeleteStack").await;
        sleep(Duration::from_secs(2)).await;
        signal.send(Kind::Terminated);
    };
    let (ended, ()) = tokio::join!(bench.reap_so(|wish| Wish { at_once: 2, ..wish }), tell);
    let ended = ended.unwrap();
    let error = ended.error().unwrap();
    assert_eq!((error.kind, ended.interrupted.len()), (Kind::Terminated, 6), "{error}");
    assert_eq!(bench.calls("DeleteStack").len(), 2);
    // Another run picks all of it up.
    let next = bench.again();
    assert_eq!(reap(&next).await.error(), None);
    reap(&next).await;
    let left: Vec<_> = bench.remains().into_iter().filter(|name| !name.contains("dev")).collect();
    assert_eq!(left, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_whose_stack_is_gone_goes_by_its_own_tag_unless_it_was_kept() {
    let bench = account().await;
    for env in ["gone", "kept", "later"] {
        add(&bench, env, Some(if env == "later" { 600 } else { -5 }));
        bench.account().somebody_deletes(&stack(env));
    }
    let bucket = "kinesis-stack-123456789012-kept-us-east-1";
    let kept = ("kinesis-stack:kept".to_owned(), "true".to_owned());
    bench.account().buckets.get_mut(bucket).unwrap().tags.extend([kept]);
    sleep(Duration::from_secs(600)).await;
    let ended = reap(&bench).await;
    assert_eq!(reaped(&ended), ["gone"]);
    assert!(!is_left(&bench, "gone") && is_left(&bench, "kept") && is_left(&bench, "later"));
}

#[tokio::test(start_paused = true)]
async fn data_that_was_kept_on_purpose_outlives_its_environments_time() {
    let mut bench = account().await;
    bench.context.environment = Environment::new("over".parse().unwrap());
    add(&bench, "over", Some(60));
    let bucket = "kinesis-stack-123456789012-over-us-east-1";
    bench.account().put(bucket, "rows/1", simulated_aws::Version::default());
    let keeping = down::Wish { keep_data: true, ..down::Wish::new(bench.conduct) };
    down::down(&bench.context, keeping).await.unwrap();
    assert!(bench.account().stack(&stack("over")).is_none());
    sleep(Duration::from_secs(7_200)).await;
    let ended = reap(&bench).await;
    assert_eq!((ended.due.len(), ended.reckoning(false).kept), (0, 1));
    assert_eq!(ended.kept[0].1, bucket);
    let is_told = |event: &Event| matches!(event, Event::BucketKept { env, bucket: told, .. } if env == "over" && told == bucket);
    assert_eq!(bench.events().iter().filter(|event| is_told(event)).count(), 1);
    assert!(bench.account().buckets.contains_key(bucket));
}

#[tokio::test(start_paused = true)]
async fn regions_are_reaped_each_in_its_own() {
    let (east, west) = (account().await, Bench::in_region("eu-west-1"));
    west.up().await.unwrap();
    add(&east, "over-e", Some(-1));
    add(&west, "over-w", Some(-1));
    let contexts = [east.context.clone(), west.context.clone()];
    let ended = kinesis_stack::stack::reap::reap(&contexts, &east.reaping()).await.unwrap();
    assert_eq!(reaped(&ended), ["over-e", "over-w"]);
    assert!(!is_left(&east, "over-") && !is_left(&west, "over-"));
}

#[tokio::test(start_paused = true)]
async fn only_those_that_are_chosen_go() {
    let bench = account().await;
    add(&bench, "pr-1", Some(-1));
    add(&bench, "other", Some(-1));
    let choice = Choice { name: Some("pr-*".parse().unwrap()), tags: Vec::new() };
    let ended = bench.reap_so(|wish| Wish { choice, ..wish }).await.unwrap();
    assert_eq!(reaped(&ended), ["pr-1"]);
    assert!(is_left(&bench, "other"));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_kept_outlives_a_down_that_did_not_come_to_its_end() {
    let bench = account().await;
    add(&bench, "half", Some(-5));
    let bucket = "kinesis-stack-123456789012-half-us-east-1";
    let kept = ("kinesis-stack:kept".to_owned(), "true".to_owned());
    bench.account().buckets.get_mut(bucket).unwrap().tags.extend([kept]);
    let ended = reap(&bench).await;
    assert_eq!(ended.left_alone.len(), 1, "{ended:?}");
    assert!(is_left(&bench, "half") && bench.account().buckets.contains_key(bucket));
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_read_whether_a_bucket_is_kept_reaps_nothing() {
    let bench = account().await;
    add(&bench, "half", Some(-5));
    bench.account().script.denied.insert("s3:GetBucketTagging".to_owned());
    let ended = reap(&bench).await;
    assert_eq!((reaped(&ended).len(), ended.failed.len()), (0, 1), "{ended:?}");
    assert!(is_left(&bench, "half"));
}
