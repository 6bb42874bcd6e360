//! How a smoke test goes, without any cloud.

use super::*;
use crate::data::smoke::record::marked;
use crate::error::Error;

const MARKER: &str = "smoke-00c0ffee1234";
const DUE: Due = Due { transformed: 70.0, landed: 140.0 };

fn terms(shards: usize) -> Terms {
    Terms {
        names: ["stream", "delivery", "processor", "bucket", "bucket"].map(str::to_owned),
        bucket: "bucket".to_owned(),
        shards: (0..shards).map(|shard| format!("shardId-{shard:012}")).collect(),
        due: DUE,
        strict: true,
        reading_for: None,
        invocation: Invocation::default(),
    }
}

fn course_of(terms: Terms) -> Course {
    let records = marked(MARKER, terms.shards.len(), true);
    let mut course = Course::new(terms, records);
    course.sent(10.0, false);
    course.see(10.5, Seen::Accepted);
    course
}

fn course() -> Course {
    course_of(terms(1))
}

/// The row that the built-in transform makes of a record.
fn row(course: &Course, number: usize) -> Map<String, Value> {
    let row = processor::transform_record(&course.records()[number].data, std::time::SystemTime::now());
    serde_json::from_slice(&row.unwrap()).unwrap()
}

fn lands(course: &mut Course, now: f64, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        let row = row(course, number);
        course.see(now, Seen::Row { number, key: "rows/2026/11/26/17/a".to_owned(), row });
    }
}

fn refused(number: usize, code: &str, intact: bool) -> Seen {
    let (code, message) = (code.to_owned(), "so it is".to_owned());
    Seen::Failed { number, key: "errors/processing-failed/2026/11/26/17/a".to_owned(), code, message, intact }
}

fn states(course: &Course) -> Vec<LegState> {
    course.legs().iter().map(|leg| leg.state).collect()
}

fn complains(course: &mut Course, leg: Leg, said: &str) {
    course.see(20.0, Seen::Complaint { leg, said: said.to_owned() });
}

fn report(course: &Course, leg: Leg) -> LegReport {
    course.legs().iter().find(|report| report.leg == leg).unwrap().clone()
}

use LegState::{Broken, Denied, Good, Late, NotReached, NotTested, OutOfTime, Waiting};

#[test]
fn every_leg_is_proven_by_records_that_came_through_it() {
    let mut course = course();
    assert_eq!(course.judge(11.0, false), Next::Wait);
    assert_eq!(course.news().iter().map(|leg| leg.leg).collect::<Vec<_>>(), [Leg::Stream]);
    lands(&mut course, 80.0, [0, 1]);
    assert_eq!(course.judge(80.0, false), Next::Wait);
    assert_eq!(course.news(), [], "one is missing");
    lands(&mut course, 81.0, [2]);
    assert_eq!(course.judge(81.0, false), Next::Wait);
    assert_eq!(states(&course), [Good, Good, Good, Good, Waiting]);
    course.see(82.0, refused(3, "Lambda.ProcessingFailedStatus", true));
    course.see(82.0, refused(4, "Lambda.ProcessingFailedStatus", true));
    assert_eq!(course.judge(82.0, false), Next::Passed);
    assert_eq!(states(&course), [Good; 5]);
    assert_eq!(report(&course, Leg::Bucket).seconds, Some(71.0));
    assert_eq!(course.news().len(), 4);
    assert_eq!(course.broken(), None);
}

#[test]
fn copies_of_rows_do_no_harm_unless_one_is_wrong() {
    let mut course = course();
    lands(&mut course, 80.0, [0, 1, 2, 0, 1, 2]);
    assert_eq!(course.judge(80.0, false), Next::Wait);
    assert_eq!(course.landed(), (3, 3));
    course.see(81.0, Seen::Row { number: 1, key: "rows/b".to_owned(), row: Map::new() });
    assert_eq!(course.judge(81.0, false), Next::Broken(Leg::Transform, Kind::Failed));
}

#[test]
fn a_good_trade_under_the_error_prefix_breaks_the_transform_at_once() {
    let mut course = course();
    course.see(75.0, refused(1, "Lambda.FunctionError", true));
    assert_eq!(course.judge(75.0, false), Next::Broken(Leg::Transform, Kind::Failed));
    assert_eq!(states(&course), [Good, Good, Broken, NotReached, NotReached]);
    let transform = report(&course, Leg::Transform);
    assert!(transform.seen[0].contains("Lambda.FunctionError"), "{transform:?}");
    assert!(transform.seen[1].contains("s3://bucket/errors/processing-failed/"), "{transform:?}");
    assert!(course.is_evidence("errors/processing-failed/2026/11/26/17/a"));
    assert!(!course.is_evidence("rows/2026/11/26/17/a"));
}

#[test]
fn a_row_that_is_another_one_breaks_the_transform_where_the_processor_is_known() {
    let wrong = Seen::Row { number: 1, key: "rows/a".to_owned(), row: Map::new() };
    let mut course = course();
    course.see(75.0, wrong.clone());
    assert_eq!(course.judge(75.0, false), Next::Broken(Leg::Transform, Kind::Failed));

    let mut own = course_of(Terms { strict: false, ..terms(1) });
    lands(&mut own, 75.0, [0, 2]);
    own.see(75.0, wrong);
    own.see(75.0, refused(3, "x", true));
    own.see(75.0, Seen::Row { number: 4, key: "rows/a".to_owned(), row: Map::new() });
    assert_eq!(own.judge(75.0, false), Next::Passed, "its marker is what counts");
    assert_eq!(states(&own), [Good, Good, Good, Good, NotTested]);
    assert!(report(&own, Leg::Transform).seen[0].contains("1 of them differ"));
}

#[test]
fn what_is_no_trade_must_not_become_a_row_nor_change_on_its_way() {
    let mut took = course();
    took.see(75.0, Seen::Row { number: 3, key: "rows/a".to_owned(), row: Map::new() });
    assert_eq!(took.judge(75.0, false), Next::Broken(Leg::Transform, Kind::Failed));
    assert!(report(&took, Leg::Transform).seen[0].contains("became a row"));

    let mut changed = course();
    lands(&mut changed, 75.0, 0..3);
    changed.see(75.0, refused(3, "x", false));
    assert_eq!(changed.judge(75.0, false), Next::Broken(Leg::Errors, Kind::Failed));
    assert_eq!(states(&changed), [Good, Good, Good, Good, Broken]);
}

#[test]
fn a_complaint_breaks_its_leg_only_when_the_buffers_time_is_over() {
    for (leg, said, early, due) in [
        (Leg::Delivery, "Kinesis.AccessDenied: no", 79.0, 81.0),
        (Leg::Transform, "Lambda.InvokeLimitExceeded: no", 149.0, 151.0),
        (Leg::Bucket, "S3.AccessDenied: no", 149.0, 151.0),
    ] {
        let mut course = course();
        complains(&mut course, leg, said);
        assert_eq!(course.judge(early, false), Next::Wait, "rights take a while to be known everywhere");
        let mut passed = course.clone();
        assert_eq!(course.judge(due, false), Next::Broken(leg, Kind::Failed), "{leg}");
        assert_eq!(report(&course, leg).seen[0], said);
        lands(&mut passed, early, 0..3);
        (3..5).for_each(|number| passed.see(early, refused(number, "x", true)));
        assert_eq!(passed.judge(due, false), Next::Passed, "it has passed: {leg}");
    }
}

#[test]
fn the_first_broken_leg_is_the_one_that_is_named() {
    let mut course = course();
    complains(&mut course, Leg::Bucket, "S3.AccessDenied: no");
    complains(&mut course, Leg::Transform, "Lambda.FunctionError: no");
    assert_eq!(course.judge(151.0, false), Next::Broken(Leg::Transform, Kind::Failed));
}

#[test]
fn a_leg_is_called_late_once_the_buffers_time_is_over_and_broken_only_at_the_deadline() {
    let mut course = course();
    course.news();
    assert_eq!(course.judge(149.0, false), Next::Wait);
    assert_eq!(course.news(), []);
    assert_eq!(course.judge(151.0, false), Next::Wait);
    assert_eq!(
        course.news().iter().map(|leg| (leg.leg, leg.state)).collect::<Vec<_>>(),
        [(Leg::Delivery, Late)]
    );
    assert_eq!(course.judge(160.0, false), Next::Wait);
    assert_eq!(course.news(), [], "it is told once");
    course.see(161.0, Seen::Passed { leg: Leg::Delivery, said: "metric x: 3".to_owned() });
    assert_eq!(course.judge(161.0, false), Next::Wait);
    assert_eq!(
        course.news().iter().map(|leg| (leg.leg, leg.state)).collect::<Vec<_>>(),
        [(Leg::Transform, Late)]
    );
    course.see(162.0, Seen::Passed { leg: Leg::Transform, said: "metric y: 1".to_owned() });
    assert_eq!(course.judge(600.0, true), Next::Broken(Leg::Bucket, Kind::TimedOut));
    assert_eq!(states(&course), [Good, Waiting, Waiting, Broken, NotReached], "metrics prove nothing");
    let seen = report(&course, Leg::Bucket).seen;
    assert!(seen.contains(&"metric y: 1 (anybody's records)".to_owned()), "{seen:?}");
}

#[test]
fn late_rows_are_as_good_as_early_ones() {
    let mut course = course();
    assert_eq!(course.judge(200.0, false), Next::Wait);
    lands(&mut course, 290.0, 0..3);
    (3..5).for_each(|number| course.see(290.0, refused(number, "x", true)));
    assert_eq!(course.judge(290.0, false), Next::Passed);
    assert_eq!(states(&course), [Good; 5]);
}

#[test]
fn bad_records_that_turn_up_nowhere_break_their_leg_at_the_deadline() {
    let mut course = course();
    lands(&mut course, 80.0, 0..3);
    assert_eq!(course.judge(151.0, false), Next::Wait);
    assert_eq!(states(&course), [Good, Good, Good, Good, Late]);
    assert_eq!(course.judge(600.0, true), Next::Broken(Leg::Errors, Kind::TimedOut));
    assert!(report(&course, Leg::Errors).seen[0].contains("0 of 2 bad records"));

    let mut none = Course::new(terms(1), marked(MARKER, 1, false));
    none.sent(10.0, false);
    none.see(10.0, Seen::Accepted);
    lands(&mut none, 11.0, 0..3);
    assert_eq!(none.judge(11.0, false), Next::Passed, "none was sent");
    assert_eq!(states(&none)[4], NotTested);

    let mut own = course_of(Terms { strict: false, ..terms(1) });
    lands(&mut own, 80.0, 0..3);
    assert_eq!(own.judge(149.0, false), Next::Wait);
    assert_eq!(own.judge(151.0, false), Next::Passed, "a processor of one's own may drop them");
}

#[test]
fn a_shard_of_which_nothing_comes_is_named() {
    let mut course = course_of(terms(3));
    lands(&mut course, 80.0, [0, 2]);
    course.see(81.0, Seen::Passed { leg: Leg::Transform, said: "metric y: 1".to_owned() });
    (3..5).filter(|number| number % 3 != 1).for_each(|number| course.see(82.0, refused(number, "x", true)));
    assert_eq!(course.judge(600.0, true), Next::Broken(Leg::Delivery, Kind::TimedOut));
    let seen = report(&course, Leg::Delivery).seen;
    assert!(seen.contains(&"nothing came of shardId-000000000001".to_owned()), "{seen:?}");
}

#[test]
fn before_the_buffers_time_is_over_a_deadline_says_that_it_was_too_short() {
    let mut course = course();
    assert_eq!(course.judge(60.0, true), Next::Broken(Leg::Delivery, Kind::TimedOut));
    let delivery = report(&course, Leg::Delivery);
    assert!(delivery.seen.contains(&"the buffers alone take up to 140s".to_owned()), "{delivery:?}");
    assert!(delivery.remedies[0].contains("--timeout"), "{delivery:?}");
    assert_eq!(states(&course), [Good, OutOfTime, NotReached, NotReached, NotReached]);
}

#[test]
fn what_others_records_do_proves_no_leg() {
    for now in [12.0, 600.0] {
        let mut course = course();
        course
            .see(11.0, Seen::Passed { leg: Leg::Delivery, said: "log of the processor: called".to_owned() });
        course.see(11.0, Seen::Passed { leg: Leg::Transform, said: "metric x: 3".to_owned() });
        let Next::Broken(leg, Kind::TimedOut) = course.judge(now, true) else { panic!("{course:?}") };
        assert_eq!(
            leg,
            if now < 100.0 { Leg::Delivery } else { Leg::Bucket },
            "where it hangs, once it does"
        );
        assert!(course.legs().iter().skip(1).all(|leg| leg.state != Good), "{:?}", course.legs());
    }
    // One of the test's own does.
    let mut course = course();
    lands(&mut course, 80.0, [0]);
    course.judge(600.0, true);
    assert_eq!(states(&course), [Good, Good, Good, Broken, NotReached]);
}

#[test]
fn what_a_young_delivery_stream_did_not_read_is_sent_once_more_and_only_then() {
    let young = Terms { reading_for: Some(5.0), ..terms(1) };
    let mut course = course_of(young.clone());
    assert_eq!(course.judge(149.0, false), Next::Wait);
    assert_eq!(course.judge(151.0, false), Next::SendAgain);
    assert_eq!(course.missing(), [0, 1, 2, 3, 4]);
    course.sent(152.0, true);
    assert_eq!(course.judge(153.0, false), Next::Wait);
    assert_eq!(course.judge(300.0, false), Next::Wait, "not a third time");
    assert_eq!(states(&course)[1], Late);

    let mut old = course_of(Terms { reading_for: Some(3_600.0), ..terms(1) });
    assert_eq!(
        old.judge(151.0, false),
        Next::Wait,
        "a delivery stream that has been reading must not lose any"
    );
    let mut denied = course_of(young);
    complains(&mut denied, Leg::Delivery, "Kinesis.AccessDenied: no");
    assert_eq!(denied.judge(151.0, false), Next::Broken(Leg::Delivery, Kind::Failed));
}

#[test]
fn the_newest_word_on_a_thing_replaces_the_older() {
    let mut course = course();
    for said in ["metric Throttles: 1", "metric Throttles: 9"] {
        course.see(20.0, Seen::Note { leg: Leg::Transform, said: said.to_owned() });
    }
    complains(&mut course, Leg::Transform, "Lambda.InvokeLimitExceeded: no");
    assert_eq!(course.judge(151.0, false), Next::Broken(Leg::Transform, Kind::Failed));
    let seen = report(&course, Leg::Transform).seen;
    assert_eq!(seen[..2], ["Lambda.InvokeLimitExceeded: no", "metric Throttles: 9"]);
}

#[test]
fn what_cannot_mend_itself_ends_it_at_once() {
    let mut course = Course::new(terms(1), Vec::new());
    let said = "AccessDeniedException: no".to_owned();
    let mut broken = course.clone();
    broken.see(1.0, Seen::Broken { leg: Leg::Stream, said: said.clone(), kind: Kind::Failed });
    assert_eq!(broken.judge(1.0, false), Next::Broken(Leg::Stream, Kind::Failed));
    assert_eq!(states(&broken), [Broken, NotReached, NotReached, NotReached, NotReached]);

    let error = Error::new(Kind::Credentials, "cannot").because(said);
    course.see(1.0, super::Denied::of(Leg::Stream, &error, "kinesis:PutRecords", "stream").into());
    assert_eq!(course.judge(1.0, false), Next::Broken(Leg::Stream, Kind::Credentials));
    assert_eq!(states(&course), [Denied, NotReached, NotReached, NotReached, NotReached]);
}
