//! What logs and metrics tell of the pipeline while records of the test are missing. They tell of everybody's records,
//! so they prove nothing: they say where it hangs.

use super::Pipeline;
use super::cause::leg_of;
use super::course::{Seen, count};
use super::report::Leg;
use crate::cloud::fault;
use crate::stack::Context;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use jiff::Timestamp;
use serde_json::Value;

/// The first look is taken so many seconds after the sending, the others so many after each other: a look is a handful
/// of calls, and logs and metrics come late.
const EVERY: f64 = 15.0;
/// A minute is what metrics are told in.
const PERIOD: i32 = 60;
/// So many lines a page, and so many pages of a log, are read at a look.
const LINES: i32 = 500;
const PAGES: usize = 5;
/// The longest line that is shown of a log, in characters.
const LONGEST: usize = 400;

/// A metric that tells something of a leg.
struct Told {
    namespace: &'static str,
    dimension: &'static str,
    name: &'static str,
    leg: Leg,
    /// What it says where it isn't zero.
    says: Says,
}

enum Says {
    /// Something got on: anybody's.
    Passed,
    /// Something is wrong.
    Complaint,
    /// Neither.
    Nothing,
}

const FIREHOSE: (&str, &str) = ("AWS/Firehose", "DeliveryStreamName");
const LAMBDA: (&str, &str) = ("AWS/Lambda", "FunctionName");
const KINESIS: (&str, &str) = ("AWS/Kinesis", "StreamName");
/// What the delivery stream read, and what there was to read.
const READ: &str = "DataReadFromKinesisStream.Records";
const CAME: &str = "IncomingRecords";
/// Metrics are told a minute or two late: after so many seconds more than the buffers take, those that tell of the
/// reading would be there if those of the stream are.
const METRICS_LAG: f64 = 60.0;

/// <https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html>,
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>.
const METRICS: &[Told] = &[
    told(KINESIS, CAME, Leg::Stream, Says::Nothing),
    told(FIREHOSE, READ, Leg::Delivery, Says::Passed),
    told(FIREHOSE, "ThrottledGetRecords", Leg::Delivery, Says::Nothing),
    told(FIREHOSE, "SucceedProcessing.Records", Leg::Transform, Says::Passed),
    told(LAMBDA, "Invocations", Leg::Transform, Says::Nothing),
    told(LAMBDA, "Errors", Leg::Transform, Says::Complaint),
    told(LAMBDA, "Throttles", Leg::Transform, Says::Complaint),
    told(FIREHOSE, "DeliveryToS3.Records", Leg::Bucket, Says::Nothing),
];

const fn told(of: (&'static str, &'static str), name: &'static str, leg: Leg, says: Says) -> Told {
    Told { namespace: of.0, dimension: of.1, name, leg, says }
}

/// Gathers it.
pub(super) struct Evidence<'a> {
    context: &'a Context,
    pipeline: &'a Pipeline,
    since: Timestamp,
    rounds: Rounds,
}

/// When to look: seconds after the sending.
#[derive(Debug, Clone, Copy)]
struct Rounds(f64);

impl Rounds {
    fn is_due(&mut self, waited: f64) -> bool {
        let is_due = waited >= self.0;
        if is_due {
            self.0 = waited + EVERY;
        }
        is_due
    }
}

impl<'a> Evidence<'a> {
    pub(super) fn new(context: &'a Context, pipeline: &'a Pipeline, since: Timestamp) -> Self {
        Evidence { context, pipeline, since, rounds: Rounds(EVERY) }
    }

    /// Whether it is time for a look, so many seconds after the sending.
    pub(super) fn is_due(&mut self, waited: f64) -> bool {
        self.rounds.is_due(waited)
    }

    /// All that is told now. What can't be asked is a note: nothing else depends on it.
    /// `overdue`: so many seconds are over since the buffers' time was.
    pub(super) async fn gather(&self, overdue: f64) -> Vec<Seen> {
        let [delivery, processor] = &self.pipeline.log_groups;
        let (delivery, processor, metrics) =
            tokio::join!(self.lines(delivery), self.lines(processor), self.metrics(overdue));
        let note = |leg| move |said| vec![Seen::Note { leg, said }];
        let mut seen = delivery.map_or_else(note(Leg::Delivery), |lines| of_delivery(&lines));
        seen.extend(processor.map_or_else(note(Leg::Transform), |lines| of_processor(&lines)));
        seen.extend(metrics.unwrap_or_else(note(Leg::Delivery)));
        seen
    }

    /// The lines of a log group since the sending.
    async fn lines(&self, group: &str) -> Result<Vec<String>, String> {
        let (mut lines, mut token) = (Vec::new(), None);
        // A page can be empty and others come after it all the same.
        for _ in 0..PAGES {
            let call = self.context.clients.logs.filter_log_events().log_group_name(group).limit(LINES);
            let call = call.start_time(self.since.as_millisecond()).set_next_token(token);
            let page = call.send().await;
            let page = page
                .map_err(|error| format!("log {group}: {}", in_short(&fault::explain(error, "read it"))))?;
            lines.extend(page.events().iter().filter_map(|event| event.message().map(str::to_owned)));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(lines)
    }

    async fn metrics(&self, overdue: f64) -> Result<Vec<Seen>, String> {
        let minute = self.since.as_second() / i64::from(PERIOD) * i64::from(PERIOD);
        let queries = METRICS.iter().enumerate().map(|(number, told)| {
            let name = match told.namespace {
                it if it == LAMBDA.0 => &self.pipeline.processor,
                it if it == KINESIS.0 => &self.pipeline.stream,
                _ => &self.pipeline.delivery,
            };
            let dimension = Dimension::builder().name(told.dimension).value(name).build();
            let metric =
                Metric::builder().namespace(told.namespace).metric_name(told.name).dimensions(dimension);
            let stat = MetricStat::builder().metric(metric.build()).period(PERIOD).stat("Sum").build();
            MetricDataQuery::builder().id(format!("m{number}")).metric_stat(stat).build()
        });
        let call = self
            .context
            .clients
            .cloudwatch
            .get_metric_data()
            .set_metric_data_queries(Some(queries.collect()));
        let call = call.start_time(DateTime::from_secs(minute));
        let call =
            call.end_time(DateTime::from_secs(self.context.clock.now().as_second() + i64::from(PERIOD)));
        let answer = call.send().await;
        let answer =
            answer.map_err(|error| format!("metrics: {}", in_short(&fault::explain(error, "read them"))))?;
        let sum = |number: usize| {
            let id = format!("m{number}");
            let result = answer.metric_data_results().iter().find(|result| result.id() == Some(&id))?;
            (!result.values().is_empty()).then(|| result.values().iter().sum())
        };
        let sums: Vec<Option<f64>> = (0..METRICS.len()).map(sum).collect();
        Ok(of_metrics(&sums, overdue))
    }
}

/// What metrics tell, each by its place among [`METRICS`].
fn of_metrics(sums: &[Option<f64>], overdue: f64) -> Vec<Seen> {
    // A cloud that has no metrics at all says nothing with that.
    if sums.iter().all(Option::is_none) {
        return Vec::new();
    }
    let of =
        |name: &str| METRICS.iter().zip(sums).find(|(told, _)| told.name == name).and_then(|(_, sum)| *sum);
    let (came, read) = (of(CAME).unwrap_or_default(), of(READ).unwrap_or_default());
    let mut seen: Vec<Seen> = METRICS.iter().zip(sums).map(|(told, sum)| of_metric(told, *sum)).collect();
    if came > 0.0 && read == 0.0 && overdue >= METRICS_LAG {
        let said = format!("metric {READ}: none, while {CAME} of the data stream tells {came}");
        seen.retain(|it| !matches!(it, Seen::Note { leg: Leg::Delivery, said } if said.contains(READ)));
        seen.push(Seen::Complaint { leg: Leg::Delivery, said });
    }
    seen
}

fn of_metric(told: &Told, sum: Option<f64>) -> Seen {
    let value = sum.map_or("nothing told yet".to_owned(), |sum| sum.to_string());
    let said = format!("metric {}: {value}", told.name);
    let leg = told.leg;
    match told.says {
        Says::Passed if sum.is_some_and(|sum| sum > 0.0) => Seen::Passed { leg, said },
        Says::Complaint if sum.is_some_and(|sum| sum > 0.0) => Seen::Complaint { leg, said },
        _ => Seen::Note { leg, said },
    }
}

/// The delivery stream logs what fails, and nothing else.
fn of_delivery(lines: &[String]) -> Vec<Seen> {
    let said = lines.iter().map(|line| {
        let fields: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        let (code, message) = (text("errorCode"), text("message"));
        let leg = leg_of(&code);
        let said = if code.is_empty() { line.trim().to_owned() } else { format!("{code}: {message}") };
        let said = short(&said);
        match leg {
            Some(leg) => Seen::Complaint { leg, said },
            None => Seen::Note { leg: Leg::Delivery, said },
        }
    });
    said.collect()
}

/// A function that was called has been given records, of whomever; what it says of failures is a hint only, too.
fn of_processor(lines: &[String]) -> Vec<Seen> {
    const SAYS_OF_FAILURE: &[&str] = &["ERROR", "errorType", "Task timed out", "Runtime exited", "panicked"];
    let mut seen = Vec::new();
    let calls = lines.iter().filter(|line| line.starts_with("START ")).count();
    if calls > 0 {
        let said = format!("log of the processor: called {} since then", count(calls, "time"));
        seen.push(Seen::Passed { leg: Leg::Delivery, said });
    }
    let mut failures = lines.iter().filter(|line| SAYS_OF_FAILURE.iter().any(|words| line.contains(words)));
    if let Some(line) = failures.next_back() {
        seen.push(Seen::Note {
            leg: Leg::Transform,
            said: format!("log of the processor says: {}", short(line.trim())),
        });
    }
    seen
}

fn short(text: &str) -> String {
    let text = fault::in_one_line(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn in_short(error: &anyhow::Error) -> String {
    short(&crate::error::Error::of(error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_delivery_stream_logs_is_a_complaint_about_the_leg_that_its_code_names() {
        let line = |code: &str| {
            format!("{{\"errorCode\":\"{code}\",\"message\":\"so it is\",\"destination\":\"x\"}}")
        };
        for (code, leg) in [
            ("S3.AccessDenied", Leg::Bucket),
            ("Lambda.FunctionError", Leg::Transform),
            ("Kinesis.AccessDenied", Leg::Delivery),
        ] {
            let said = format!("{code}: so it is");
            assert_eq!(of_delivery(&[line(code)]), [Seen::Complaint { leg, said }]);
        }
        let said = "something else".to_owned();
        assert_eq!(of_delivery(&[format!("{said}\n")]), [Seen::Note { leg: Leg::Delivery, said }]);
    }

    #[test]
    fn a_processor_that_was_called_hints_that_records_are_read() {
        let lines = [
            "START RequestId: 1 Version: $LATEST\n",
            "Task timed out after 3.00 seconds",
            "END RequestId: 1",
        ];
        let seen = of_processor(&lines.map(str::to_owned));
        let [Seen::Passed { leg: Leg::Delivery, .. }, Seen::Note { leg: Leg::Transform, said }] = &seen[..]
        else {
            panic!("{seen:?}")
        };
        assert!(said.ends_with("Task timed out after 3.00 seconds"));
        assert_eq!(of_processor(&[]), []);
    }

    #[test]
    fn a_metric_tells_what_got_on_and_what_went_wrong() {
        let by = |name: &str| METRICS.iter().find(|told| told.name == name).unwrap();
        let read = by("DataReadFromKinesisStream.Records");
        assert!(matches!(of_metric(read, Some(3.0)), Seen::Passed { leg: Leg::Delivery, .. }));
        assert!(matches!(of_metric(read, Some(0.0)), Seen::Note { .. }));
        let said = "metric Throttles: 2".to_owned();
        assert_eq!(of_metric(by("Throttles"), Some(2.0)), Seen::Complaint { leg: Leg::Transform, said });
        assert!(matches!(of_metric(by("Throttles"), None), Seen::Note { .. }));
    }

    #[test]
    fn what_came_and_was_not_read_is_a_complaint_once_metrics_must_have_told_of_it() {
        let sums = |read: Option<f64>| -> Vec<Option<f64>> {
            METRICS
                .iter()
                .map(|told| if told.name == CAME { Some(5.0) } else { read.filter(|_| told.name == READ) })
                .collect()
        };
        let complains = |read, overdue| {
            of_metrics(&sums(read), overdue)
                .iter()
                .any(|seen| matches!(seen, Seen::Complaint { leg: Leg::Delivery, .. }))
        };
        assert!(complains(None, 61.0) && complains(Some(0.0), 61.0));
        assert!(!complains(None, 59.0), "it may be told yet");
        assert!(!complains(Some(5.0), 600.0));
        assert_eq!(of_metrics(&vec![None; METRICS.len()], 600.0), [], "a cloud without metrics");
    }

    #[test]
    fn looks_are_apart() {
        let mut rounds = Rounds(EVERY);
        assert_eq!(
            [1.0, 15.0, 16.0, 29.0, 31.0].map(|waited| rounds.is_due(waited)),
            [false, true, false, false, true]
        );
    }

    #[test]
    fn a_long_line_is_cut() {
        assert_eq!(short(&"é".repeat(500)).chars().count(), LONGEST + 1);
        assert_eq!(short("a\u{1b}[2J b\n"), "a [2J b");
    }
}
