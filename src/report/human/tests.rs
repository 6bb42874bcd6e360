//! What people see, on a terminal and in a pipe.

use super::*;
use crate::cli::{Ci, Color, Output};
use crate::data::smoke::{self, Leg};
use crate::error::Kind;
use crate::event::{NextStep, Percentiles, Produced, Recovery};
use crate::report::fit::Page;
use crate::report::testing::{
    Buffer, Run, STACK, cancelled, created, down, failed, recovered, refused, replaced, resource,
};
use crate::stack::plan::Operation;
use crate::stack::status::StackStatus;
use console::measure_text_width;
use indicatif::InMemoryTerm;
use std::time::Duration;

fn look(verbosity: Verbosity, colour: bool) -> Look {
    let color = if colour { Color::Always } else { Color::Never };
    Look { verbosity, ..Look::new(Output::Text, color, false, false, Ci::Off) }
}

/// What a pipe gets: stderr, then stdout.
fn in_a_pipe(verbosity: Verbosity, events: &[Event]) -> String {
    let (out, err) = (Buffer::default(), Buffer::default());
    let look = look(verbosity, false);
    let human = Human::on(&look, Box::new(out.clone()), Screen::Plain(Box::new(err.clone())));
    events.iter().for_each(|event| human.tell(event));
    format!("{}--- stdout ---\n{}", err.text(), out.text())
}

/// What a terminal shows after these events, where all that is worked on has been for 21 seconds.
fn on_a_terminal(columns: u16, colour: bool, events: &[Event], failure: Option<&Error>) -> String {
    let terminal = InMemoryTerm::new(60, columns);
    let page = Page { paint: Paint(colour), width: Some(columns.into()) };
    let live = Box::new(Live::new(terminal.clone(), page, None).since(Duration::from_secs(21)));
    let look = look(Verbosity::Normal, colour);
    let human = Human::on(&look, Box::new(Buffer::default()), Screen::Live(live));
    events.iter().for_each(|event| human.tell(event));
    failure.into_iter().for_each(|error| human.failure(error));
    if !colour {
        return terminal.contents();
    }
    let text = String::from_utf8(terminal.contents_formatted()).unwrap().replace('\u{1b}', "␛");
    // Each row ends in the end of all colour, also where it has none.
    let bare =
        |line: &str| line.strip_suffix("␛[m").map(str::trim_end).is_some_and(|rest| !rest.contains('␛'));
    let lines: Vec<&str> = text
        .lines()
        .map(|line| if bare(line) { line.trim_end_matches("␛[m").trim_end() } else { line })
        .collect();
    lines.join("\n")
}

/// A run half way and at its end, on terminals of both widths, with and without colour.
fn recording(run: &Run) -> String {
    let mut text = String::new();
    for (columns, colour) in [(80, false), (140, false), (80, true), (140, true)] {
        let colours = if colour { "in colour" } else { "without colour" };
        for (at, events, failure) in [
            ("half way", run.events.get(..run.half).unwrap(), None),
            ("at the end", &run.events[..], run.failure.as_ref()),
        ] {
            let shown = on_a_terminal(columns, colour, events, failure);
            text.push_str(&format!("=== {columns} columns, {colours}, {at}\n{shown}\n"));
            let widest = shown.lines().filter(|_| !colour).map(console::measure_text_width).max();
            assert!(widest.is_none_or(|widest| widest <= columns.into()), "{shown}");
        }
    }
    text
}

#[test]
fn a_question_is_broken_between_words_and_leaves_room_for_its_answer() {
    let text = "Create kinesis-stack-reaper, a function that tears down, every 15 minutes, the environments of this \
                account and region that have expired";
    let page = |width| Page { paint: Paint(false), width };
    let question = Question { text: text.to_owned() };
    let shown = asked(&question, page(Some(80)));
    assert!(shown.lines().all(|line| measure_text_width(line) < 78), "{shown}");
    assert_eq!(shown.split_whitespace().collect::<Vec<_>>().join(" "), format!("{text}? [y/N]"));
    assert!(shown.lines().count() > 1 && shown.ends_with("[y/N] "), "{shown}");
    assert_eq!(asked(&question, page(None)), format!("{text}? [y/N] "));
}

#[test]
fn outputs_that_could_not_be_written_are_known_and_a_reader_that_left_misses_none() {
    struct Full(ErrorKind);
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for (kind, is_lost) in [(ErrorKind::StorageFull, true), (ErrorKind::BrokenPipe, false)] {
        let err = Screen::Plain(Box::new(Buffer::default()));
        let human = Human::on(&look(Verbosity::Normal, false), Box::new(Full(kind)), err);
        created().events.iter().for_each(|event| human.tell(event));
        assert_eq!(human.lost().is_some(), is_lost, "{kind}");
    }
}

#[test]
fn a_creation_on_a_terminal() {
    insta::assert_snapshot!(recording(&created()));
}

#[test]
fn an_update_with_replacement_on_a_terminal() {
    insta::assert_snapshot!(recording(&replaced()));
}

#[test]
fn a_failure_on_a_terminal() {
    insta::assert_snapshot!(recording(&failed()));
}

#[test]
fn a_recovery_on_a_terminal() {
    insta::assert_snapshot!(recording(&recovered()));
}

#[test]
fn a_cancel_on_a_terminal() {
    insta::assert_snapshot!(recording(&cancelled()));
}

#[test]
fn down_on_a_terminal() {
    insta::assert_snapshot!(recording(&down()));
}

/// A smoke test of a pipeline whose leg is broken, on a terminal of 80 columns and in a pipe.
fn smoke(broken: Option<Leg>) -> String {
    let (events, failure) = smoke::testing::told(broken);
    let shown = on_a_terminal(80, false, &events, failure.as_ref());
    for line in shown.lines() {
        // A word that is longer than the page, such as a key, is left whole.
        assert!(measure_text_width(line) <= 80, "{shown}");
    }
    format!("=== 80 columns\n{shown}\n=== in a pipe\n{}", in_a_pipe(Verbosity::Normal, &events))
}

#[test]
fn a_smoke_test_that_finds_nothing_broken() {
    insta::assert_snapshot!(smoke(None));
}

#[test]
fn a_smoke_test_that_finds_the_stream_broken() {
    insta::assert_snapshot!(smoke(Some(Leg::Stream)));
}

#[test]
fn a_smoke_test_that_finds_the_delivery_broken() {
    insta::assert_snapshot!(smoke(Some(Leg::Delivery)));
}

#[test]
fn a_smoke_test_that_finds_the_transform_broken() {
    insta::assert_snapshot!(smoke(Some(Leg::Transform)));
}

#[test]
fn a_smoke_test_that_finds_the_bucket_broken() {
    insta::assert_snapshot!(smoke(Some(Leg::Bucket)));
}

#[test]
fn a_smoke_test_that_finds_bad_records_lost() {
    insta::assert_snapshot!(smoke(Some(Leg::Errors)));
}

#[test]
fn up_in_a_pipe_is_plain_lines_with_the_outputs_alone_on_stdout() {
    insta::assert_snapshot!(in_a_pipe(Verbosity::Normal, &created().events));
}

/// `extend`, as its engine tells it.
fn extended() -> Vec<Event> {
    let names = ["Stream", "Bucket", "ProcessorRole", "Delivery"];
    let (stack, operation) = (STACK.to_owned(), Operation::Update);
    let mut events = vec![
        Event::Retagging { stack: stack.clone() },
        Event::OperationStarted { operation, stack: stack.clone(), stack_id: "arn:1".to_owned() },
        resource(STACK, "UPDATE_IN_PROGRESS", None),
    ];
    events.extend(names.map(|name| resource(name, "UPDATE_IN_PROGRESS", None)));
    events.extend(names.map(|name| resource(name, "UPDATE_COMPLETE", Some(2.0))));
    events.push(resource(STACK, "UPDATE_COMPLETE", Some(5.0)));
    events.push(Event::Extended { stack, before: None, expires: Some("2026-11-24T16:00:00Z".to_owned()) });
    events
}

#[test]
fn resources_whose_tags_alone_change_are_one_line_in_a_pipe_and_what_fails_is_seen() {
    insta::assert_snapshot!(in_a_pipe(Verbosity::Normal, &extended()));
    let mut failing = extended();
    failing.insert(6, refused("Bucket", "UPDATE_FAILED", 1.0, "Access denied"));
    let text = in_a_pipe(Verbosity::Normal, &failing);
    assert!(text.contains("UPDATE_FAILED") && text.contains("Access denied"), "{text}");
    // Whoever wants all gets all.
    assert!(in_a_pipe(Verbosity::Verbose, &extended()).lines().count() > 10);
}

#[test]
fn down_in_a_pipe() {
    insta::assert_snapshot!(in_a_pipe(Verbosity::Normal, &down().events));
}

#[test]
fn a_log_is_told_every_ten_seconds_how_far_the_emptying_of_each_bucket_is() {
    let emptying = |tick: u32| Event::Emptying {
        bucket: "b".to_owned(),
        versions: u64::from(tick) * 1_000,
        bytes: 0,
        total: Some(100_000),
        seconds: Some(f64::from(tick) * 0.5),
        versions_per_second: Some(2_000.0),
        seconds_left: Some(30.0),
    };
    let told = in_a_pipe(Verbosity::Normal, &(1..=50).chain(1..=20).map(emptying).collect::<Vec<_>>());
    let line = |versions: u32| {
        format!("Emptying b: {versions} of 100000 objects (0 B), 2000 a second, 30.0s left\n")
    };
    assert_eq!(told, line(20_000) + &line(40_000) + &line(20_000) + "--- stdout ---\n");
}

#[test]
fn a_log_is_told_every_ten_seconds_how_far_a_download_is() {
    let exporting = |tick: u32| Event::Exporting {
        bucket: "b".to_owned(),
        directory: "rows".to_owned(),
        objects: tick.into(),
        bytes: 0,
        seconds: f64::from(tick) * 0.5,
    };
    let told = in_a_pipe(Verbosity::Normal, &(1..=50).map(exporting).collect::<Vec<_>>());
    let line = |objects: u32| format!("Downloading b: {objects} objects (0 B)\n");
    assert_eq!(told, line(20) + &line(40) + "--- stdout ---\n");
}

#[test]
fn quiet_leaves_only_data() {
    assert_eq!(
        in_a_pipe(Verbosity::Quiet, &created().events),
        "--- stdout ---\nStreamName  kinesis-stack-dev\n"
    );
    assert_eq!(in_a_pipe(Verbosity::Quiet, &down().events), "--- stdout ---\n");
}

#[test]
fn quiet_tells_what_a_question_is_about_only_when_it_is_asked() {
    let about = |events: &[Event]| {
        let err = Buffer::default();
        let look = Look { interactive: true, ..look(Verbosity::Quiet, false) };
        let human = Human::on(&look, Box::new(io::sink()), Screen::Plain(Box::new(err.clone())));
        events.iter().for_each(|event| human.tell(event));
        assert_eq!(err.text(), "");
        human.lead_in();
        err.text()
    };
    let run = down();
    assert!(about(&run.events[..1]).starts_with("kinesis-stack-dev will be deleted:\n"));
    assert_eq!(about(&run.events[..4]), "", "it was answered already");
    let run = created();
    assert!(about(&run.events[..3]).starts_with("kinesis-stack-dev will be created:\n"));
}

#[test]
fn next_steps_that_have_no_room_beside_their_commands_stand_below_them() {
    let step = |command: &str, does: &str| NextStep { command: command.to_owned(), does: does.to_owned() };
    let steps = [step("a long command", "says what it does"), step("down", "ends it")];
    let page = |width| Page { paint: Paint(false), width: Some(width) };
    assert_eq!(next(&steps, page(80)), "  a long command  says what it does\n  down            ends it\n");
    assert_eq!(next(&steps, page(30)), "  a long command\n      says what it does\n  down\n      ends it\n");
}

#[test]
fn an_output_that_has_no_room_beside_its_name_stands_below_it() {
    let values = [("BucketName", "b"), ("StreamArn", "arn:aws:kinesis:us-east-1")];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(
        outputs(&values, Paint(false), Some(30)),
        "BucketName  b\nStreamArn\n  arn:aws:kinesis:us-east-1\n"
    );
    assert_eq!(
        outputs(&values, Paint(false), None),
        "BucketName  b\nStreamArn   arn:aws:kinesis:us-east-1\n"
    );
}

#[test]
fn the_usual_time_that_was_told_at_the_beginning_is_told_at_the_end() {
    let ended = match resource("Stream", "CREATE_COMPLETE", Some(31.2)) {
        Event::Resource(event) => Event::Resource(ResourceEvent { usual: None, ..event }),
        event => event,
    };
    let text = in_a_pipe(Verbosity::Normal, &[resource("Stream", "CREATE_IN_PROGRESS", None), ended.clone()]);
    assert!(text.contains("CREATE_COMPLETE  31.2s  usually 15–40s\n"), "{text}");
    assert!(!in_a_pipe(Verbosity::Normal, &[ended]).contains("usually"));
}

#[test]
fn a_resource_past_its_usual_time_stands_out() {
    let events = [resource("ProcessorRole", "CREATE_IN_PROGRESS", None)];
    let shown = on_a_terminal(80, true, &events, None);
    assert!(shown.contains("␛[33m21s␛[m  ␛[33musually 15–20s"), "{shown}");
}

#[test]
fn a_failed_creation_shows_the_reason_where_it_happened() {
    let events = [
        resource("Delivery", "CREATE_IN_PROGRESS", None),
        refused("Delivery", "CREATE_FAILED", 12.0, "Firehose is unable to assume role"),
        resource(STACK, "ROLLBACK_COMPLETE", Some(60.0)),
    ];
    insta::assert_snapshot!(in_a_pipe(Verbosity::Normal, &events));
}

#[test]
fn calls_are_shown_only_when_asked_for() {
    let call = Event::Call {
        service: "S3".to_owned(),
        operation: "HeadObject".to_owned(),
        attempt: 2,
        outcome: "503".to_owned(),
        milliseconds: 12,
    };
    assert_eq!(in_a_pipe(Verbosity::Normal, std::slice::from_ref(&call)), "--- stdout ---\n");
    assert_eq!(
        in_a_pipe(Verbosity::Verbose, &[call]),
        "  S3 HeadObject: 503, 12 ms (attempt 2)\n--- stdout ---\n"
    );
}

#[test]
fn the_producers_sum_says_what_became_of_each_record() {
    for (calls, times) in [
        (1, "its one call took 192 ms"),
        (9, "the longest of 9 calls took 192 ms"),
        (10, "a call took 21 ms, 99 of 100 at most 180 ms, the longest 192 ms"),
    ] {
        let produced = Produced {
            sent: 1_000,
            resent: 37,
            lost: 2,
            bytes: 93_000,
            seconds: 12.5,
            call_milliseconds: Some(Percentiles { p50: 21.4, p99: 180.2, max: 191.7 }),
            calls,
            records_per_second: None,
        };
        let done = Done { command: "produce".to_owned(), produced: Some(produced), ..Done::default() };
        let expected = format!(
            "✓ 1000 records sent (90.82 KiB) in 12.5s, 80/s, 37 refused and sent again, 2 lost\n  {times}\n--- stdout ---\n"
        );
        assert_eq!(in_a_pipe(Verbosity::Normal, &[Event::Done(Box::new(done))]), expected);
    }
}

#[test]
fn other_states_of_a_stack_are_explained_in_passing() {
    let events = [
        Event::OperationInProgress {
            stack: STACK.to_owned(),
            status: StackStatus::parse("UPDATE_IN_PROGRESS"),
        },
        Event::Recovering {
            stack: STACK.to_owned(),
            status: StackStatus::parse("ROLLBACK_COMPLETE"),
            by: Recovery::Delete,
            skipping: Vec::new(),
        },
        Event::Unchanged { stack: STACK.to_owned() },
    ];
    insta::assert_snapshot!(in_a_pipe(Verbosity::Normal, &events));
}

#[test]
fn every_kind_of_failure_says_what_why_and_what_next() {
    let kinds = [
        Kind::Failed,
        Kind::BadInput,
        Kind::Credentials,
        Kind::DeploymentFailed,
        Kind::Refused,
        Kind::NoSuchEnvironment,
        Kind::TimedOut,
        Kind::Leftovers,
        Kind::Interrupted,
        Kind::Terminated,
    ];
    for kind in kinds {
        let error = Error::new(kind, "it did not work").because("first line\nsecond line").remedy("Do this.");
        assert_eq!(
            failure::render(&error, Page::endless(Paint(false))),
            "error: it did not work\n  cause: first line\n         second line\n\n  → Do this.\n"
        );
    }
}
