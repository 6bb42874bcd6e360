//! Smoke tests in words, and as XML.

use super::*;
use crate::data::smoke::testing::told;
use crate::data::smoke::{Leg, SmokeReport};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::report::Paint;
use crate::settings::Invocation;

fn report(broken: Option<Leg>) -> SmokeReport {
    match told(broken).0.pop() {
        Some(Event::SmokeEnded(report)) => *report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_leg_is_a_test_case_and_a_broken_one_says_what_was_seen_and_what_to_do() {
    insta::assert_snapshot!(junit(&report(Some(Leg::Transform)), "dev").unwrap());
}

#[test]
fn the_xml_reads_back_with_its_sums() {
    for (broken, failures, skipped) in [
        (None, 0, 0),
        (Some(Leg::Stream), 1, 4),
        (Some(Leg::Delivery), 1, 3),
        (Some(Leg::Transform), 1, 2),
        (Some(Leg::Bucket), 1, 3),
        (Some(Leg::Errors), 1, 0),
    ] {
        let xml = junit(&report(broken), "dev").unwrap();
        let read = Report::deserialize_from_str(&xml).unwrap();
        assert_eq!(
            (read.tests, read.failures, read.skipped, read.errors),
            (5, failures, skipped, 0),
            "{xml}"
        );
        let cases: Vec<&str> = read.test_suites[0].test_cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(cases, Leg::ALL.map(Leg::name));
    }
}

#[test]
fn a_test_that_could_not_begin_is_one_error_and_a_leg_without_time_a_failure() {
    let error = Error::new(Kind::NoSuchEnvironment, "there is no environment dev").because("<none>");
    let read = Report::deserialize_from_str(&junit_error(&error, "dev").unwrap()).unwrap();
    assert_eq!((read.tests, read.failures, read.errors), (1, 0, 1));
    let mut report = report(Some(Leg::Delivery));
    report.legs[1].state = LegState::OutOfTime;
    let read = Report::deserialize_from_str(&junit(&report, "dev").unwrap()).unwrap();
    assert_eq!((read.tests, read.failures, read.errors), (5, 1, 0));
    assert!(!said(&report.legs[1]).contains("broken"));
}

#[test]
fn a_leg_that_the_caller_may_not_test_is_an_error_and_not_broken() {
    let mut report = report(Some(Leg::Stream));
    report.legs[0].state = LegState::Denied;
    report.legs[0].denied = Some("call kinesis:PutRecords on kinesis-stack-dev".to_owned());
    let xml = junit(&report, "dev").unwrap();
    let read = Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((read.tests, read.failures, read.errors), (5, 0, 1));
    let failure = report.failure(Kind::Credentials, &Invocation::default()).unwrap();
    let line = leg(&report.legs[0], Page { width: None, paint: Paint(false) });
    for text in [&xml, &line, &failure.message] {
        let may_not = "can't be tested: you may not call kinesis:PutRecords on kinesis-stack-dev";
        let read = text.replace("&apos;", "'");
        assert!(read.contains(may_not) && !read.contains("broken"), "{text}");
    }
    assert!(line.trim_start().starts_with('?'), "{line}");
}

#[test]
fn nothing_that_a_service_says_breaks_the_xml() {
    let mut report = report(Some(Leg::Bucket));
    report.legs[3].seen = vec!["<&\"'> ]]> \u{1b}[2J \u{0} é".to_owned()];
    report.legs[3].meaning = Some("]]><x>".to_owned());
    let read = Report::deserialize_from_str(&junit(&report, "dev").unwrap()).unwrap();
    assert_eq!(read.failures, 1);
}
