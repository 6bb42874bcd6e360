//! What pipelines are told.

use super::runner::{Files, Runner};
use super::*;
use crate::data::smoke::{self, Leg};
use crate::error::{Error, Kind};
use crate::event::Done;
use crate::report::testing::{
    Buffer, Run, cancelled, created, down, failed, recovered, replaced, resource, samples,
};
use crate::report::{Look, Verbosity, human::Human, live::Screen};
use crate::stack::cost::Cost;
use crate::stack::plan::testing::{change, plan, property};
use crate::stack::plan::{Action, Change};
use crate::template::Shape;
use crate::template::tests::shape;
use std::path::Path;

fn with(variables: &[(&str, &str)]) -> Pipeline {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
    Pipeline::new(cli::Ci::Auto, |name| find(name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn a_runner_is_known_by_its_variables() {
    assert_eq!(with(&[("GITHUB_ACTIONS", "true"), ("CI", "true")]), Pipeline::Github);
    assert_eq!(with(&[("GITLAB_CI", "true"), ("CI", "true")]), Pipeline::Gitlab);
    assert_eq!(with(&[("CI", "true")]), Pipeline::Plain);
    assert_eq!(with(&[("CI", "woodpecker")]), Pipeline::Plain);
    for off in ["", "0", "false", "False"] {
        assert_eq!(with(&[("CI", off)]), Pipeline::Off, "{off:?}");
    }
    assert_eq!(with(&[("GITHUB_ACTIONS", "false")]), Pipeline::Off);
    assert_eq!(with(&[]), Pipeline::Off);
}

#[test]
fn what_was_typed_goes_before_what_the_variables_say() {
    for (choice, pipeline) in [
        (cli::Ci::Github, Pipeline::Github),
        (cli::Ci::Gitlab, Pipeline::Gitlab),
        (cli::Ci::Plain, Pipeline::Plain),
        (cli::Ci::Off, Pipeline::Off),
    ] {
        assert_eq!(Pipeline::new(choice, |_| Some("true".to_owned())), pipeline);
    }
}

#[test]
fn in_a_pipeline_nobody_is_asked_and_nothing_moves() {
    for ci in [cli::Ci::Github, cli::Ci::Gitlab, cli::Ci::Plain] {
        let look = Look::new(cli::Output::Text, cli::Color::Always, false, false, ci);
        assert!(!look.interactive && !look.live, "{ci:?}");
        assert!(look.color_stderr, "colour is as it was asked for");
    }
}

/// What a pipeline gets of a run: stderr, its files, and stdout.
fn of(pipeline: Pipeline, verb: &'static str, run: &Run, files: &Path) -> String {
    let (out, err) = (Buffer::default(), Buffer::default());
    let (summary, output) = (files.join("summary"), files.join("output"));
    let named = Files { summary: Some(summary.clone()), output: Some(output.clone()) };
    let ci = if pipeline == Pipeline::Github { cli::Ci::Github } else { cli::Ci::Gitlab };
    let look = Look::new(cli::Output::Text, cli::Color::Never, false, false, ci);
    let human = Arc::new(Human::on(&look, Box::new(out.clone()), Screen::Plain(Box::new(err.clone()))));
    let env = if verb == "reap" { "" } else { "dev" };
    let runner = Arc::new(Runner::on(pipeline, verb, env, Verbosity::Normal, named, Box::new(err.clone())));
    let reporter = InPipeline { runner: runner.clone(), reporter: human.clone() };
    for event in &run.events {
        if let Event::Done(done) = event
            && done.command == "up"
        {
            runner.deployed(done);
        }
        reporter.tell(event);
    }
    if let Some(error) = &run.failure {
        runner.close();
        human.failure(error);
        runner.failed(error);
    }
    drop((reporter, runner));
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    format!(
        "--- stderr ---\n{}--- summary ---\n{}--- outputs ---\n{}--- stdout ---\n{}",
        err.text().replace('\u{1b}', "␛").replace('\r', "␍"),
        read(summary),
        read(output),
        out.text()
    )
}

fn on_github(verb: &'static str, run: &Run) -> String {
    of(Pipeline::Github, verb, run, tempfile::tempdir().unwrap().path())
}

#[test]
fn github_gets_groups_a_summary_and_outputs() {
    insta::assert_snapshot!(on_github("up", &created()));
}

#[test]
fn github_gets_the_cause_of_a_failure_outside_of_all_groups() {
    insta::assert_snapshot!(on_github("up", &failed()));
}

#[test]
fn github_is_warned_of_a_recovery() {
    insta::assert_snapshot!(on_github("up", &recovered()));
}

#[test]
fn github_gets_a_summary_of_what_went() {
    insta::assert_snapshot!(on_github("down", &down()));
}

#[test]
fn github_gets_what_was_tried_apart_from_what_to_do() {
    let mut run = failed();
    run.events.insert(0, Event::Retrying { because: "Delivery: Rate exceeded.".to_owned() });
    let text = on_github("up", &run);
    let (_, summary) = text.split_once("--- summary ---").unwrap();
    assert!(
        summary.contains("clears the failed stack first.\n\n**What was tried**\n\n- Delivery: "),
        "{summary}"
    );
}

#[test]
fn a_resource_is_one_row_of_a_summary_with_its_last_state() {
    let rows = |verb, run: &Run| {
        let text = on_github(verb, run);
        let (_, summary) = text.split_once("--- summary ---").unwrap();
        let rows = summary.lines().filter(|line| line.contains("::") && line.starts_with("| "));
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    let replaced = rows("up", &replaced());
    assert_eq!(replaced[0], "| Bucket | S3::Bucket | ✅ UPDATE\\_COMPLETE | 18.0s | 15–25s |");
    assert_eq!(replaced.len(), 2, "the end of the old one is no state of the new one: {replaced:?}");
    let mut skipped = down();
    skipped.events.retain(|event| !matches!(event, Event::Resource(_)));
    skipped.events.insert(4, resource("Bucket", "DELETE_SKIPPED", Some(0.0)));
    let kept =
        rows("down", &Run { events: skipped.events[..5].to_vec(), failure: failed().failure, half: 0 });
    assert_eq!(kept, ["| Bucket | S3::Bucket | ⏸️ kept for now | 0.0s |  |"]);
    // After a first attempt was taken back, the second one is what counts.
    assert_eq!(rows("up", &recovered()).len(), 4);
}

#[test]
fn github_gets_a_plan_with_its_properties_and_its_price() {
    let files = tempfile::tempdir().unwrap();
    let named = Files { summary: Some(files.path().join("summary")), output: None };
    let runner =
        Runner::on(Pipeline::Github, "plan", "dev", Verbosity::Normal, named, Box::new(std::io::sink()));
    let shape = Shape { shards: 2, ..shape() };
    let stream = Change {
        properties: vec![property("ShardCount", "1", "2"), property("RetentionPeriodHours", "48", "24")],
        loss: Some("records older than a day are deleted".to_owned()),
        ..change(Action::Modify, "Stream", "AWS::Kinesis::Stream")
    };
    let mut planned = plan(vec![stream, change(Action::Add, "Bucket", "AWS::S3::Bucket")]);
    planned.cost = Cost::new(&shape, false, &planned.changes);
    runner.planned(&planned);
    insta::assert_snapshot!(std::fs::read_to_string(files.path().join("summary")).unwrap());
}

fn reap(failure: Option<Error>) -> Run {
    let (region, expires) = ("eu-central-1".to_owned(), "2026-11-24T16:00:00Z".to_owned());
    let due = |env: &str| crate::event::Due {
        env: env.to_owned(),
        region: region.clone(),
        expires: expires.clone(),
        owner: None,
    };
    let of = |env: &str| (env.to_owned(), region.clone());
    let mut events = Vec::new();
    let (env, region_of) = of("old");
    events.push(Event::BucketKept { env, region: region_of, bucket: "kinesis-stack-1-old".to_owned() });
    let (env, region_of) = of("prod");
    events.push(Event::LeftAlone { env, region: region_of, because: "it is protected".to_owned() });
    events.push(Event::Due { environments: vec![due("pr-1"), due("pr_2")] });
    for env in ["pr-1", "pr_2"] {
        let (env, region) = of(env);
        events.push(Event::Reaping { env, region, expires: expires.clone() });
    }
    let (env, region_of) = of("pr-1");
    events.push(Event::Reaped { env, region: region_of, seconds: 61.0 });
    let (env, region_of) = of("pr_2");
    match &failure {
        Some(error) => events.push(Event::NotReaped { env, region: region_of, error: error.clone() }),
        None => {
            events.push(Event::Reaped { env, region: region_of, seconds: 75.0 });
            let reckoning =
                crate::event::Reckoning { due: 3, reaped: 2, left_alone: 1, kept: 1, dry_run: false };
            let done = Done {
                command: "reap".to_owned(),
                changed: Some(true),
                reckoning: Some(reckoning),
                seconds: Some(80.0),
                ..Done::default()
            };
            events.push(Event::Done(Box::new(done)));
        }
    }
    Run { events, half: 0, failure }
}

#[test]
fn github_gets_a_table_of_what_was_reaped_and_the_counts() {
    insta::assert_snapshot!(on_github("reap", &reap(None)));
}

#[test]
fn github_gets_the_table_and_the_counts_of_a_reap_that_failed_too() {
    let error = Error::new(Kind::Leftovers, "something is left").because("the bucket").remedy("Look.");
    let text = on_github("reap", &reap(Some(error)));
    assert!(text.contains("| pr\\_2 | eu-central-1 | ❌ something is left: the bucket |"), "{text}");
    assert!(text.contains("reaped=1\nfailed=1\nleft-alone=1\n"), "{text}");
}

#[test]
fn github_gets_when_an_environment_ends() {
    let done = Done {
        command: "extend".to_owned(),
        stack: Some("kinesis-stack-dev".to_owned()),
        expires: Some("2026-11-24T22:10:00Z".to_owned()),
        ..Done::default()
    };
    let run = Run { events: vec![Event::Done(Box::new(done))], half: 0, failure: None };
    let text = on_github("extend", &run);
    assert!(text.contains("stack=kinesis-stack-dev\nexpires=2026-11-24T22:10:00Z\n"), "{text}");
}

#[test]
fn gitlab_gets_folded_sections_that_all_end() {
    let text = of(Pipeline::Gitlab, "up", &cancelled(), tempfile::tempdir().unwrap().path());
    insta::assert_snapshot!(timeless(&text));
}

/// The seconds since the epoch in GitLab's markers.
fn timeless(text: &str) -> String {
    let mut pieces = text.split("section_");
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let mut parts = piece.splitn(3, ':');
        let (kind, time, rest) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        assert!(time.parse::<u64>().is_ok(), "{time}");
        shown.push_str(&format!("section_{kind}:TIME:{rest}"));
    }
    shown
}

#[test]
fn every_fold_that_opens_is_closed_however_it_ends() {
    for run in [created(), failed(), recovered(), cancelled(), down()] {
        for end in 0..=run.events.len() {
            let part = Run { events: run.events[..end].to_vec(), half: 0, failure: None };
            let text = on_github("up", &part);
            let count = |marker| text.lines().filter(|line| line.starts_with(marker)).count();
            assert_eq!(count("::group::"), count("::endgroup::"), "{text}");
        }
    }
}

#[test]
fn a_command_of_the_runner_is_one_line_whatever_it_says() {
    use super::github::{Level, annotation, group};
    assert_eq!(
        annotation(Level::Error, "up: a, b", "50% of\r\nit: ::error::x\n"),
        "::error title=up%3A a%2C b::50%25 of%0D%0Ait: ::error::x"
    );
    assert_eq!(group("a\nb"), "::group::a%0Ab");
}

#[test]
fn a_value_of_several_lines_can_not_end_itself() {
    let outputs =
        [("a", "1"), ("b", "x\nEOF\nevil=1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(github::output_file(&outputs, "end-7"), "a=1\nb<<end-7\nx\nEOF\nevil=1\nend-7\n");
}

#[test]
fn nothing_in_a_summary_is_taken_for_markdown_but_quoted_commands() {
    assert_eq!(summary::inline("a|b <script> *c* [d](e)\nf"), "a\\|b &lt;script&gt; \\*c\\* \\[d\\](e) f");
    assert_eq!(summary::inline("run `kinesis-stack up` again_"), "run `kinesis-stack up` again\\_");
    assert_eq!(summary::inline("one ` alone"), "one \\` alone");
}

#[test]
fn a_summary_never_grows_past_what_github_takes() {
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("summary"), "x".repeat(summary::LONGEST - 300)).unwrap();
    let text = of(Pipeline::Github, "up", &failed(), files.path());
    assert!(text.contains("Cut here"), "{}", &text[text.len() - 500..]);
    let size = std::fs::metadata(files.path().join("summary")).unwrap().len();
    assert!(size <= summary::LONGEST as u64, "{size}");
    // And once more, where there is no room at all.
    std::fs::write(files.path().join("summary"), "x".repeat(summary::LONGEST)).unwrap();
    of(Pipeline::Github, "up", &created(), files.path());
    assert_eq!(std::fs::metadata(files.path().join("summary")).unwrap().len(), summary::LONGEST as u64);
}

#[test]
fn files_that_can_not_be_written_are_a_warning_and_no_failure() {
    let files = tempfile::tempdir().unwrap();
    let text = of(Pipeline::Github, "up", &created(), &files.path().join("nowhere"));
    for variable in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        let warning = format!("::warning title=kinesis-stack up::cannot add to the file of {variable}:");
        assert!(text.contains(&warning), "{text}");
    }
}

#[test]
fn only_the_third_look_that_fails_in_a_row_is_a_warning() {
    let failed = Event::PollFailed { reason: "Throttling".to_owned(), retry_seconds: 1.0 };
    let run = |events: Vec<Event>| Run { events, half: 0, failure: None };
    assert!(!on_github("up", &run(vec![failed.clone(); 2])).contains("::warning"));
    let text = on_github("up", &run(vec![failed; 9]));
    assert_eq!(text.matches("::warning").count(), 1, "{text}");
}

#[test]
fn quiet_leaves_folds_and_warnings_out_and_keeps_errors_and_files() {
    let files = tempfile::tempdir().unwrap();
    let err = Buffer::default();
    let named = Files { summary: Some(files.path().join("summary")), output: None };
    let runner = Runner::on(Pipeline::Github, "up", "dev", Verbosity::Quiet, named, Box::new(err.clone()));
    for event in samples().iter().filter(|event| !matches!(event, Event::Done(_))) {
        runner.before(event);
        runner.after(event);
    }
    assert_eq!(err.text(), "");
    runner.failed(&Error::new(Kind::Failed, "it did not work"));
    assert_eq!(err.text(), "::error title=kinesis-stack up::it did not work\n");
    assert!(files.path().join("summary").exists());
}

#[test]
fn verbs_that_bring_nothing_up_or_down_write_no_files() {
    let files = tempfile::tempdir().unwrap();
    let done = Done { command: "produce".to_owned(), ..Done::default() };
    let events = vec![Event::Done(Box::new(done))];
    let error = Error::new(Kind::Failed, "it did not work");
    of(Pipeline::Github, "produce", &Run { events, half: 0, failure: Some(error) }, files.path());
    // The tour brings something up, but that is not what the job is about.
    of(Pipeline::Github, "demo", &created(), files.path());
    assert_eq!(std::fs::read_dir(files.path()).unwrap().count(), 0);
}

#[test]
fn github_gets_the_outputs_of_what_is_up_also_where_the_smoke_test_after_it_fails() {
    let files = tempfile::tempdir().unwrap();
    let output = files.path().join("output");
    let named = Files { summary: None, output: Some(output.clone()) };
    let runner =
        Runner::on(Pipeline::Github, "up", "dev", Verbosity::Normal, named, Box::new(std::io::sink()));
    let created = created();
    let Some(Event::Done(done)) = created.events.last() else { panic!("it ends well") };
    runner.deployed(done);
    let (events, failure) = smoke::testing::told(Some(Leg::Transform));
    events.iter().for_each(|event| runner.after(event));
    runner.failed(&failure.unwrap());
    let output = std::fs::read_to_string(output).unwrap();
    assert_eq!(
        output,
        "stack=kinesis-stack-dev\nstack-id=arn:1\nchanged=true\nstream-name=kinesis-stack-dev\n"
    );
}

/// A smoke test after `up`.
fn smoke_after_up(broken: Option<Leg>) -> Run {
    let mut run = created();
    let end = run.events.pop().unwrap();
    let (events, failure) = smoke::testing::told(broken);
    run.events.extend(events);
    if failure.is_none() {
        run.events.push(end);
    }
    Run { failure, ..run }
}

#[test]
fn github_gets_a_smoke_test_in_a_group_of_its_own_and_in_the_summary() {
    insta::assert_snapshot!(on_github("up", &smoke_after_up(None)));
}

#[test]
fn github_gets_the_broken_leg_as_an_annotation_and_each_leg_in_the_summary() {
    insta::assert_snapshot!(on_github("up", &smoke_after_up(Some(Leg::Transform))));
}
