//! `reaper up`, `reaper status` and `reaper down`.

use crate::bench::{ARTIFACTS, BUCKET, Bench, STACK as ENVIRONMENT, until_called};
use kinesis_stack::artifact::Artifact;
use kinesis_stack::environment::{Environment, TAG_ENVIRONMENT, TAG_EXPIRES, artifact_key};
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::{Done, Event};
use kinesis_stack::reaper::deploy::{self, Wish};
use kinesis_stack::reaper::program::Program;
use kinesis_stack::reaper::status::{self, Status};
use kinesis_stack::reaper::template::{self, Shape};
use kinesis_stack::reaper::{Every, FUNCTION, LOG_GROUP, STACK};
use kinesis_stack::stack::reap::{self, Reaped};
use kinesis_stack::stack::{Consent, fleet};
use kinesis_stack::template::Architecture;
use simulated_aws::{Fault, Kill, Refusal, Version, When};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

pub fn wish(bench: &Bench, code: &str, minutes: u64) -> Wish {
    Wish {
        program: Program {
            architecture: Architecture::Arm64,
            artifact: Artifact::pack(code.as_bytes()).unwrap(),
        },
        every: Every::new(Duration::from_secs(minutes * 60)).unwrap(),
        endpoint: None,
        role_arn: None,
        conduct: bench.conduct,
    }
}

async fn up(bench: &Bench, code: &str, minutes: u64) -> Result<Done, Error> {
    deploy::up(&bench.context, &wish(bench, code, minutes)).await.map_err(|error| Error::of(&error))
}

async fn down(bench: &Bench) -> Result<Done, Error> {
    deploy::down(&bench.context, bench.conduct).await.map_err(|error| Error::of(&error))
}

async fn status(bench: &Bench) -> Result<Status, Error> {
    status::status(&bench.context).await.map_err(|error| Error::of(&error))
}

fn state(bench: &Bench) -> Option<String> {
    bench.account().stack(STACK).map(|stack| stack.status.clone())
}

#[tokio::test(start_paused = true)]
async fn it_comes_up_says_what_it_is_and_goes_again() {
    let bench = Bench::new();
    let done = up(&bench, "one", 15).await.unwrap();
    assert_eq!((done.changed, done.command.as_str()), (Some(true), "reaper up"));
    assert_eq!(done.outputs.unwrap()["ReaperSchedule"], "rate(15 minutes)");
    let shown = status(&bench).await.unwrap();
    assert_eq!(shown.schedule.as_deref(), Some("rate(15 minutes)"));
    assert_eq!(shown.code.unwrap(), wish(&bench, "one", 15).program.artifact.sha256);
    assert!(shown.version.is_some() && shown.owner.is_some() && shown.runs.is_empty());
    assert!(bench.account().thing("AWS::Lambda::Function", FUNCTION).is_some());
    let gone = down(&bench).await.unwrap();
    assert_eq!(gone.changed, Some(true));
    assert_eq!(bench.remains(), [""; 0]);
    assert!(bench.account().buckets.is_empty(), "the zip and its bucket go with the last who used them");
    assert_eq!(down(&bench).await.unwrap().changed, Some(false));
}

#[tokio::test(start_paused = true)]
async fn it_is_no_environment() {
    let bench = Bench::deployed().await;
    up(&bench, "one", 15).await.unwrap();
    let listed = fleet::list(&bench.context.clients).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.env.as_str()).collect::<Vec<_>>(), ["dev"]);
    assert_eq!(bench.account().buckets[ARTIFACTS].versions.len(), 2);
    down(&bench).await.unwrap();
    assert_eq!(bench.account().buckets[ARTIFACTS].versions.len(), 1, "the environment's processor stays");
}

#[tokio::test(start_paused = true)]
async fn up_again_changes_nothing_and_another_schedule_or_program_changes_just_that() {
    let bench = Bench::new();
    up(&bench, "one", 15).await.unwrap();
    bench.forget();
    assert_eq!(up(&bench, "one", 15).await.unwrap().changed, Some(false));
    assert!(bench.events().iter().any(|event| matches!(event, Event::Unchanged { stack } if stack == STACK)));
    assert_eq!(bench.calls("PutObject").len(), 0);
    let later = up(&bench, "one", 60).await.unwrap();
    assert_eq!(later.outputs.unwrap()["ReaperSchedule"], "rate(1 hour)");
    let newer = up(&bench, "two", 60).await.unwrap();
    assert_eq!((newer.changed, state(&bench).as_deref()), (Some(true), Some("UPDATE_COMPLETE")));
    assert_eq!(status(&bench).await.unwrap().code.unwrap(), wish(&bench, "two", 60).program.artifact.sha256);
}

#[tokio::test(start_paused = true)]
async fn the_program_that_it_ran_before_goes_with_the_update_unless_somebody_else_may_want_it() {
    let bench = Bench::deployed().await;
    let key = |code: &str| artifact_key(&wish(&bench, code, 15).program.artifact.sha256);
    let lies_there = |code: &str| {
        let key = key(code);
        bench.account().buckets[ARTIFACTS].versions.keys().any(|(held, _)| *held == key)
    };
    up(&bench, "one", 15).await.unwrap();
    up(&bench, "two", 15).await.unwrap();
    assert!(!lies_there("one") && lies_there("two"));
    assert_eq!(bench.account().buckets[ARTIFACTS].versions.len(), 2, "the environment's processor stays");
    // Whoever is making an environment may want any zip.
    bench.account().somebody_updates(ENVIRONMENT);
    up(&bench, "three", 15).await.unwrap();
    assert!(lies_there("two") && lies_there("three"));
    // Whoever may not remove it has brought the reaper up all the same.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    bench.account().script.denied.insert("s3:DeleteObjectVersion".to_owned());
    assert_eq!(up(&bench, "four", 15).await.unwrap().changed, Some(true));
    assert!(lies_there("three"));
}

#[tokio::test(start_paused = true)]
async fn its_last_runs_are_read_from_its_log_newest_first() {
    let bench = Bench::new();
    up(&bench, "one", 15).await.unwrap();
    let run = |minute: u32, reaped: &str| {
        format!(
            r#"{{"time":"2026-11-26T12:{minute:02}:00Z","code":"reaper-ran","env":"reaper","reaped":[{reaped}],"failed":[],"left_alone":[],"seconds":1.5}}"#
        )
    };
    let mut lines = vec!["START RequestId: 1".to_owned(), r#"{"code":"reaped","env":"pr-0"}"#.to_owned()];
    lines.extend((0..7).map(|minute| run(minute, if minute == 6 { "\"pr-1\"" } else { "" })));
    bench.account().script.log_lines.insert(LOG_GROUP.to_owned(), lines);
    let runs = status(&bench).await.unwrap().runs;
    assert_eq!((runs.len(), runs[0].reaped.as_slice()), (5, ["pr-1".to_owned()].as_slice()));
    assert_eq!(runs[4].time, "2026-11-26T12:02:00Z");
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_read_its_log_sees_all_else_and_why_there_are_no_runs() {
    let bench = Bench::new();
    up(&bench, "one", 15).await.unwrap();
    bench.account().script.denied.insert("logs:FilterLogEvents".to_owned());
    let status = status(&bench).await.unwrap();
    assert!(status.status.good() && status.runs.is_empty());
    assert!(status.runs_unread.unwrap().to_string().contains("logs:FilterLogEvents"));
}

#[tokio::test(start_paused = true)]
async fn without_a_reaper_the_status_says_how_to_make_one() {
    let error = status(&Bench::new()).await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::NoSuchEnvironment, 6));
    assert_eq!(error.remedies, ["`kinesis-stack reaper up` makes one."]);
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_its_name_that_is_somebody_elses_is_refused_by_every_verb() {
    let mut bench = Bench::new();
    bench.context.environment = Environment::new("reaper".parse().unwrap());
    bench.up().await.unwrap();
    bench.forget();
    for error in [up(&bench, "one", 15).await.unwrap_err(), down(&bench).await.unwrap_err()] {
        assert_eq!(error.kind, Kind::Refused);
        assert_eq!(
            error.remedies,
            ["Tear that down (`kinesis-stack down --env reaper`), then run it again."]
        );
    }
    assert_eq!(status(&bench).await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_environment_of_its_name_is_refused_while_it_is_there() {
    let mut bench = Bench::new();
    up(&bench, "one", 15).await.unwrap();
    bench.context.environment = Environment::new("reaper".parse().unwrap());
    assert_eq!(bench.up().await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.down().await.unwrap_err().kind, Kind::Refused);
    assert_eq!(state(&bench).as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn after_a_no_nothing_changes() {
    let bench = Bench::new();
    bench.answer(Some(false));
    assert_eq!(up(&bench, "one", 15).await.unwrap_err().kind, Kind::Refused);
    assert_eq!(bench.changes(), [""; 0]);
    bench.answer(None);
    up(&bench, "one", 15).await.unwrap();
    bench.answer(Some(false));
    assert_eq!(down(&bench).await.unwrap_err().kind, Kind::Refused);
    assert_eq!(up(&bench, "one", 15).await.unwrap().changed, Some(false), "nothing to ask about");
    assert_eq!(up(&bench, "one", 30).await.unwrap_err().kind, Kind::Refused);
    assert_eq!(state(&bench).as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_explained_and_the_next_run_begins_anew() {
    let bench = Bench::new();
    bench.account().script.failing.insert("Schedule".to_owned(), "Quota of rules exceeded".to_owned());
    let error = up(&bench, "one", 15).await.unwrap_err();
    assert_eq!(error.kind, Kind::DeploymentFailed);
    assert!(error.to_string().contains("Schedule"), "{error}");
    assert_eq!(state(&bench).as_deref(), Some("ROLLBACK_COMPLETE"));
    bench.account().script.failing.clear();
    up(&bench, "one", 15).await.unwrap();
    assert_eq!(state(&bench).as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_has_not_spread_yet_is_tried_once_more() {
    let bench = Bench::new();
    let race = "The role defined for the function cannot be assumed by Lambda.";
    bench.account().script.failing.insert("Function".to_owned(), race.to_owned());
    let watched = bench.aws.clone();
    let mending = async {
        until_called(&watched, "DeleteStack").await;
        watched.now().script.failing.clear();
    };
    let (done, ()) = tokio::join!(up(&bench, "one", 15), mending);
    assert_eq!(done.unwrap().changed, Some(true));
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_operation_is_watched_to_its_end_first() {
    let bench = Bench::new();
    up(&bench, "one", 15).await.unwrap();
    bench.account().somebody_updates(STACK);
    up(&bench, "two", 15).await.unwrap();
    bench.account().somebody_deletes(STACK);
    assert_eq!(up(&bench, "two", 15).await.unwrap().changed, Some(true));
    bench.account().somebody_deletes(STACK);
    assert_eq!(down(&bench).await.unwrap().changed, Some(false));
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out() {
    let bench = Bench::new();
    for operation in ["CreateStack", "DescribeStacks", "DescribeStackEvents", "DeleteStack", "UpdateStack"] {
        let refusal = Refusal::throttled("cloudformation");
        bench.account().faults.push(Fault { operation, when: When::Times(12), refusal });
    }
    up(&bench, "one", 15).await.unwrap();
    up(&bench, "one", 20).await.unwrap();
    down(&bench).await.unwrap();
    assert_eq!(bench.remains(), [""; 0]);
}

/// Kills a run at each of its calls, before and after the call took effect; then the same again has to end well.
async fn killed_at_every_call<F, G>(prepared: impl AsyncFn() -> Bench, work: F, check: G)
where
    F: AsyncFn(&Bench) -> Result<Done, Error>,
    G: Fn(&Bench),
{
    let mut at = 0;
    loop {
        let mut is_over = false;
        for after_effect in [false, true] {
            let bench = prepared().await;
            bench.forget();
            let signal = Arc::new(Notify::new());
            bench.account().kill = Some(Kill { at, after_effect, signal: signal.clone() });
            tokio::select! {
                biased;
                () = signal.notified() => {}
                done = work(&bench) => { done.unwrap(); is_over = true; }
            }
            bench.account().kill = None;
            let again = bench.again();
            work(&again).await.unwrap_or_else(|error| panic!("killed at call {at}: {error}"));
            check(&again);
        }
        if is_over {
            assert!(at > 3, "it was killed at each of {at} calls");
            return;
        }
        at += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_call_up_again_comes_to_the_same_end() {
    let check = |bench: &Bench| {
        assert!(state(bench).unwrap().ends_with("_COMPLETE"));
        assert_eq!(bench.account().stacks.iter().filter(|stack| !stack.is_gone()).count(), 1);
        assert_eq!(bench.account().buckets[ARTIFACTS].versions.len(), 1);
    };
    killed_at_every_call(async || Bench::new(), async |bench| up(bench, "one", 15).await, check).await;
    let deployed = async || {
        let bench = Bench::new();
        up(&bench, "one", 60).await.unwrap();
        bench
    };
    let updated = |bench: &Bench| assert!(state(bench).unwrap().ends_with("_COMPLETE"));
    killed_at_every_call(deployed, async |bench| up(bench, "one", 15).await, updated).await;
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_call_down_again_leaves_nothing() {
    let deployed = async || {
        let bench = Bench::new();
        up(&bench, "one", 15).await.unwrap();
        bench
    };
    let check = |bench: &Bench| assert_eq!(bench.remains(), [""; 0]);
    killed_at_every_call(deployed, async |bench| down(bench).await, check).await;
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_leaves_to_cloudformation_what_was_begun() {
    let bench = Bench::new();
    let watched = bench.aws.clone();
    let signal = async {
        until_called(&watched, "CreateStack").await;
        bench.signal.send(Kind::Interrupted);
    };
    let (done, ()) = tokio::join!(up(&bench, "one", 15), signal);
    assert_eq!(done.unwrap_err().kind, Kind::Interrupted);
    let again = bench.again();
    assert_eq!(up(&again, "one", 15).await.unwrap().changed, Some(false));
    assert_eq!(state(&again).as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test(start_paused = true)]
async fn whom_a_permission_is_missing_is_told() {
    let bench = Bench::new();
    bench.account().script.denied.insert("cloudformation:CreateStack".to_owned());
    assert_eq!(up(&bench, "one", 15).await.unwrap_err().kind, Kind::Credentials);
}

/// What the role may do, by the template.
fn allowed() -> BTreeSet<String> {
    let shape = Shape {
        architecture: Architecture::Arm64,
        every: Every::new(Duration::from_secs(900)).unwrap(),
        endpoint: None,
    };
    let template: serde_yaml::Value = serde_yaml::from_str(&template::render(&shape).unwrap()).unwrap();
    let policies = template["Resources"]["Role"]["Properties"]["Policies"].as_sequence().unwrap();
    let statements = policies.iter().flat_map(|it| it["PolicyDocument"]["Statement"].as_sequence().unwrap());
    let allowing = statements.filter(|it| it["Effect"] == "Allow").map(|it| &it["Action"]);
    let texts = |action: &serde_yaml::Value| match action.as_sequence() {
        Some(all) => all.iter().map(|it| it.as_str().unwrap().to_owned()).collect(),
        None => vec![action.as_str().unwrap().to_owned()],
    };
    allowing.flat_map(texts).collect()
}

/// An environment whose time is over, with rows and an unfinished upload.
async fn expired() -> Bench {
    let bench = Bench::deployed().await;
    {
        let mut account = bench.account();
        let tags = &mut account.stack(ENVIRONMENT).unwrap().deployed.tags;
        tags.insert(TAG_EXPIRES.to_owned(), "2020-01-01T00:00:00Z".to_owned());
        account.put(BUCKET, "rows/1", Version::default());
        let bucket = account.buckets.get_mut(BUCKET).unwrap();
        bucket.uploads.insert(("rows/unfinished".to_owned(), "upload".to_owned()));
    }
    bench
}

async fn reap(bench: &Bench) -> Reaped {
    let timeout = Duration::from_secs(780);
    bench.reap_so(|wish| reap::Wish { at_once: 8, timeout, consent: Consent::Given, ..wish }).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn its_role_may_do_all_that_reap_calls() {
    let mut called = BTreeSet::new();
    // With nothing left behind; with all that can be: a log group that a late line brought back, and things that
    // somebody made beside the stack, under its names or under its tag.
    for leaves in [false, true] {
        let bench = expired().await;
        if leaves {
            let mut account = bench.account();
            account.script.late_log_group = true;
            let tag = [(TAG_ENVIRONMENT, "dev")];
            for (kind, name) in [
                ("AWS::Kinesis::Stream", "kinesis-stack-dev-2"),
                ("AWS::KinesisFirehose::DeliveryStream", "kinesis-stack-dev-2"),
                ("AWS::Lambda::Function", "kinesis-stack-dev-2-processor"),
                ("AWS::Logs::LogGroup", "/kinesis-stack/dev/another"),
            ] {
                account.somebody_makes(kind, name, &tag);
            }
        }
        bench.forget();
        let reaped = reap(&bench).await;
        assert_eq!(reaped.due.len(), 1);
        called.extend(bench.account().calls.iter().map(simulated_aws::Call::action));
    }
    // Whoever calls may know who it is, and needs no permission for that.
    called.remove("sts:GetCallerIdentity");
    let allowed = allowed();
    assert_eq!(called.difference(&allowed).collect::<Vec<_>>(), [""; 0]);
    // What it may do beyond that is for what CloudFormation does in its name (the template's own test has that list),
    // for its log, and for leftovers of kinds that these two don't leave.
    let unused: Vec<&String> = allowed.difference(&called).collect();
    insta::assert_debug_snapshot!(unused);
}

#[tokio::test(start_paused = true)]
async fn the_reapers_own_stack_is_never_reaped() {
    let bench = Bench::new();
    up(&bench, "one", 15).await.unwrap();
    // Not even where somebody gives it the tags of an environment: it lacks the name.
    bench
        .account()
        .stack(STACK)
        .unwrap()
        .deployed
        .tags
        .insert(TAG_EXPIRES.to_owned(), "2020-01-01T00:00:00Z".to_owned());
    assert_eq!(reap(&bench).await, Reaped::default());
    assert_eq!(state(&bench).as_deref(), Some("CREATE_COMPLETE"));
}
