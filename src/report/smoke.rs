//! A smoke test in words, and as JUnit XML.

use super::fit::Page;
use super::words::{count, time};
use crate::data::smoke::{LegReport, LegState, SmokeReport, SmokeSent};
use crate::error::Error;
use anyhow::Result;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// The longest name of a leg.
const WIDEST: usize = "transform".len();

/// What was sent.
pub fn sent(sent: &SmokeSent, page: Page) -> String {
    let SmokeSent { stream, marker, good, bad, shards, due_seconds, again } = sent;
    let bad = if *bad > 0 { format!(" and {}", count(*bad as u64, "bad record")) } else { String::new() };
    let (good, shards) = (count(*good as u64, "marked trade"), count(*shards as u64, "shard"));
    let due = time(*due_seconds);
    page.wrap(&match again {
        false => format!("Sent {good}{bad} ({marker}) to {shards} of {stream}; the rows are due within {due}"),
        true => format!(
            "Sent {good}{bad} once more: the delivery stream is young, and may not have read before. The rows are due within {due}"
        ),
    })
}

/// How far it is.
pub fn waiting(landed: usize, wanted: usize, seconds: f64, due_seconds: f64) -> String {
    let (waited, due) = (time(seconds), time(due_seconds));
    format!("{landed} of {wanted} trades have their rows after {waited} (due within {due})")
}

/// A leg in a line, or two.
pub fn leg(leg: &LegReport, page: Page) -> String {
    let paint = page.paint;
    let mark = match leg.state {
        LegState::Good => paint.good("✓"),
        LegState::Broken => paint.bad("✗"),
        LegState::Late => paint.warn("!"),
        LegState::Waiting | LegState::OutOfTime | LegState::Denied => paint.warn("?"),
        LegState::NotReached | LegState::NotTested => paint.dim("-"),
    };
    let seconds = leg.seconds.map(time).unwrap_or_default();
    page.wrap(&format!("  {mark} {:<WIDEST$}  {seconds:>6}  {}", leg.leg.name(), said(leg)))
}

/// What is to be said of a leg where there is room for a line.
pub fn said(leg: &LegReport) -> String {
    let seen = || leg.seen.join("; ");
    match leg.state {
        LegState::Good | LegState::NotTested => seen(),
        // What was seen of it stands in the error that follows.
        LegState::Broken => format!("{} is broken", leg.name),
        LegState::Late => format!("late: {}", seen()),
        LegState::OutOfTime => "not known: time ran out".to_owned(),
        LegState::Denied => leg.why_not_tested(),
        LegState::NotReached => "not reached".to_owned(),
        LegState::Waiting => "not known: nothing came so far as to show it".to_owned(),
    }
}

/// What of the test stays in the bucket. Nothing is said where nothing does.
pub fn ended(report: &SmokeReport, page: Page) -> Option<String> {
    let left = report.left.iter().map(|left| page.wrap(&page.paint.warn(&format!("  left: {left}"))));
    Some(left.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
}

/// The whole as JUnit XML: a test case a leg.
///
/// # Errors
/// Never: XML can be written into memory.
pub fn junit(report: &SmokeReport, env: &str) -> Result<String> {
    let name = format!("kinesis-stack smoke {env}");
    let mut suite = TestSuite::new(name.clone());
    suite.set_time(seconds(report.seconds));
    suite.add_property(("marker", report.marker.as_str()));
    suite.add_property(("trades", report.good.to_string().as_str()));
    suite.add_property(("bad records", report.bad.to_string().as_str()));
    for leg in &report.legs {
        let mut case = TestCase::new(leg.leg.name(), status(leg));
        case.set_classname(name.clone());
        case.set_time(seconds(leg.seconds.unwrap_or_default()));
        if !leg.seen.is_empty() {
            case.set_system_out(leg.seen.join("\n"));
        }
        suite.add_test_case(case);
    }
    if !report.left.is_empty() {
        suite.set_system_err(report.left.join("\n"));
    }
    let mut whole = Report::new(name);
    whole.set_time(seconds(report.seconds));
    whole.add_test_suite(suite);
    Ok(whole.to_string()?)
}

/// The whole where the test could not end: one test case, an error.
///
/// # Errors
/// Never: XML can be written into memory.
pub fn junit_error(error: &Error, env: &str) -> Result<String> {
    let name = format!("kinesis-stack smoke {env}");
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    let more = error.cause.iter().chain(&error.meaning).chain(&error.remedies);
    status
        .set_message(error.message.as_str())
        .set_type("not-tested")
        .set_description(more.cloned().collect::<Vec<_>>().join("\n"));
    let mut case = TestCase::new("smoke", status);
    case.set_classname(name.clone());
    let mut suite = TestSuite::new(name.clone());
    suite.add_test_case(case);
    let mut whole = Report::new(name);
    whole.add_test_suite(suite);
    Ok(whole.to_string()?)
}

fn status(leg: &LegReport) -> TestCaseStatus {
    let mut status = match leg.state {
        LegState::Good => return TestCaseStatus::success(),
        LegState::Broken | LegState::Late | LegState::OutOfTime => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        LegState::Denied => TestCaseStatus::non_success(NonSuccessKind::Error),
        LegState::Waiting | LegState::NotReached | LegState::NotTested => TestCaseStatus::skipped(),
    };
    let more = leg.meaning.iter().chain(&leg.remedies).chain(&leg.seen).cloned().collect::<Vec<_>>();
    status.set_message(said(leg));
    let kind = match leg.state {
        LegState::Broken => Some("broken"),
        LegState::OutOfTime => Some("out-of-time"),
        LegState::Denied => Some("denied"),
        _ => None,
    };
    if let Some(kind) = kind {
        status.set_type(kind).set_description(more.join("\n"));
    }
    status
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests;
