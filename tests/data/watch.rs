//! What a board learns of a pipeline at work, from an account that counts, logs and delivers as AWS does.

mod terminal;

use crate::bench::{BUCKET, Bench};
use crate::pipeline::deployed;
use kinesis_stack::data::logs::Says;
use kinesis_stack::data::watch::{
    Board, Failure, Leg, Metric, News, Observation, Snapshots, Source, Subject, Targets, Trouble, Unit,
    Value, begin, look, snapshot,
};
use simulated_aws::{ACCOUNT, Fault, Refusal, Version, When};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{MissedTickBehavior, interval, sleep};

const EVERY: u64 = 5;
/// The trade that is sent again and again: a line of 93 bytes, as the workshop's are on average.
const TRADE: &str =
    r#"{"tickerSymbol": "AAPL", "tradeType": "BUY", "price": 119.72, "quantity": 2891, "id": 100000}"#;

/// Looks for so long while something is done, and hands every observation to `each`.
async fn look_while(
    bench: &Bench,
    doing: impl Future<Output = ()>,
    seconds: u64,
    mut each: impl FnMut(&Observation),
) -> Board {
    let context = &bench.context;
    let targets = Targets::new(&context.environment, &Default::default(), ACCOUNT, "us-east-1");
    let (sender, mut told) = unbounded_channel();
    let mut board = Board::new(Subject { every: EVERY, ..Subject::default() });
    let every = Duration::from_secs(EVERY);
    let mut take = |observation: Observation| {
        each(&observation);
        board.take(observation);
    };
    let doing = async {
        doing.await;
        std::future::pending::<()>().await;
    };
    let looking = look(&context.clients, &context.clock, &targets, every, sender);
    let end = sleep(Duration::from_secs(seconds));
    tokio::pin!(doing, looking, end);
    loop {
        tokio::select! {
            () = &mut end => break,
            () = &mut doing => {}
            () = &mut looking => panic!("it stopped looking"),
            Some(observation) = told.recv() => take(observation),
        }
    }
    board
}

/// Sends so many records each second, of which each hundredth is none, for ever.
async fn produce(bench: &Bench, records: usize, bad: bool) {
    use aws_sdk_kinesis::primitives::Blob;
    use aws_sdk_kinesis::types::PutRecordsRequestEntry;
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        second.tick().await;
        let entry = |number: usize| {
            let data = if bad && number == 0 { "no trade" } else { TRADE };
            let entry = PutRecordsRequestEntry::builder().data(Blob::new(data));
            entry.partition_key(number.to_string()).build().unwrap()
        };
        let entries = (0..records).map(entry).collect();
        let call = bench.context.clients.kinesis.put_records().stream_name("kinesis-stack-dev");
        let answer = call.set_records(Some(entries)).send().await.unwrap();
        assert_eq!(answer.failed_record_count(), Some(0));
    }
}

fn leg<'a>(legs: &'a [Leg; 4], name: &str) -> &'a Leg {
    legs.iter().find(|leg| leg.name == name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn its_figures_are_those_of_what_the_pipeline_did() {
    let bench = deployed().await;
    let board = look_while(&bench, produce(&bench, 20, false), 600, |_| {}).await;
    assert_eq!(board.troubles().collect::<Vec<_>>(), []);
    let now = bench.context.clock.now();
    let legs = board.legs(now);
    let per_second = |name: &str| leg(&legs, name).value("records_per_second").unwrap();
    assert_eq!(per_second("stream"), 20.0);
    assert_eq!(leg(&legs, "stream").value("bytes_per_second"), Some((20 * TRADE.len()) as f64));
    assert_eq!(leg(&legs, "stream").value("refused_per_minute"), Some(0.0));
    // A minute's reads and writes needn't be exactly a minute's puts: they come in batches.
    for name in ["delivery", "processor", "bucket"] {
        assert!((18.0..=22.0).contains(&per_second(name)), "{name}: {}", per_second(name));
    }
    let calls = leg(&legs, "processor").value("calls_per_minute").unwrap();
    assert!((1.0..=3.0).contains(&calls), "{calls}");
    assert_eq!(leg(&legs, "processor").value("errors_per_minute"), Some(0.0));
    let freshness = leg(&legs, "bucket").value("freshness_seconds").unwrap();
    assert!((60.0..=180.0).contains(&freshness), "{freshness}");
    assert_eq!(leg(&legs, "stream").state.as_deref(), Some("1 shard"));
    assert!(legs.iter().all(|leg| leg.works));
    // 20 records a second of a shard that costs $0.015: most of what flows is Firehose's.
    let cost = board.cost(now);
    assert!(cost.stream == Some(0.015) && (0.005..0.02).contains(&cost.traffic.unwrap()), "{cost:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_told_first_does_not_wait_for_a_source_that_is_slow() {
    let bench = deployed().await;
    let context = &bench.context;
    let targets = Targets::new(&context.environment, &Default::default(), ACCOUNT, "us-east-1");
    for (every, at_most) in [(1, 1.0), (60, 10.0)] {
        let (sender, mut told) = unbounded_channel();
        let mut board = Board::new(Subject::default());
        let every = Duration::from_secs(every);
        let looking = async {
            // A source that never answers at all.
            let (silent, mut others) = unbounded_channel();
            let looking = look(&context.clients, &context.clock, &targets, every, silent);
            let passing = async {
                while let Some(observation) = others.recv().await {
                    if observation.source != Source::Metrics {
                        sender.send(observation).unwrap();
                    }
                }
            };
            tokio::join!(looking, passing);
        };
        let began = tokio::time::Instant::now();
        tokio::select! {
            () = begin(&mut board, &mut told, every) => {}
            () = looking => panic!("it stopped looking"),
        }
        assert_eq!(began.elapsed().as_secs_f64().round(), at_most);
        let told = snapshot(&board, context.clock.now(), &mut Snapshots::default());
        assert_eq!(told["legs"]["stream"]["state"], "1 shard", "what there is is told: {told}");
        assert_eq!(told["legs"]["stream"]["records_per_second"]["why"], "not asked yet");
    }
}

#[tokio::test(start_paused = true)]
async fn each_figure_says_how_old_it_is_and_none_is_older_than_metrics_are_late() {
    let bench = deployed().await;
    let board = look_while(&bench, produce(&bench, 5, false), 420, |_| {}).await;
    let now = bench.context.clock.now();
    for leg in board.legs(now) {
        for reading in leg.readings {
            let Value::Known { at, source, .. } = reading.value else { continue };
            let age = now.duration_since(at).as_secs();
            let most = match (source, reading.unit) {
                (_, Unit::Moment) => 120,
                // A minute, one to settle, one until it is asked for, and what is written once a minute.
                (Source::Metrics, _) => 260,
                _ => 2 * EVERY as i64,
            };
            assert!((0..=most).contains(&age), "{} {}: {age} s", leg.name, reading.name);
        }
    }
    for (source, health) in &board.sources {
        let age = now.duration_since(health.told.unwrap()).as_secs();
        assert!(age <= 61, "{source:?}: {age} s");
    }
}

#[tokio::test(start_paused = true)]
async fn every_row_is_seen_once_also_across_an_hours_end() {
    let bench = deployed().await;
    // The account begins 27 minutes before an hour's end.
    let sending = async {
        let _ = tokio::time::timeout(Duration::from_secs(2_400), produce(&bench, 2, false)).await;
    };
    let mut rows = 0;
    let board = look_while(&bench, sending, 2_700, |observation| {
        if let Ok(News::Rows(new)) = &observation.news {
            rows += new.len();
        }
    })
    .await;
    let account = bench.account();
    let objects = &account.buckets[BUCKET].versions;
    let hours: BTreeSet<&str> = objects.keys().map(|(key, _)| &key["rows/".len()..][..13]).collect();
    assert_eq!(hours.len(), 2, "{hours:?}");
    let lines = |version: &Version| version.body().iter().filter(|byte| **byte == b'\n').count();
    let landed: usize = objects.values().map(lines).sum();
    assert!(landed >= 4_700, "{landed}");
    assert_eq!(rows, landed);
    assert!(board.rows.iter().all(|row| row.text.contains(r#""stockId""#)));
}

#[tokio::test(start_paused = true)]
async fn records_that_fail_are_told_with_the_reason_and_so_is_what_both_logs_say() {
    let bench = deployed().await;
    let board = look_while(&bench, produce(&bench, 10, true), 300, |_| {}).await;
    let records: Vec<&str> = board
        .failures
        .iter()
        .filter_map(|failure| match failure {
            Failure::Record(row) => Some(row.text.as_str()),
            Failure::Logged(_) => None,
        })
        .collect();
    assert!(records.len() >= 60 && records.iter().all(|text| text.starts_with("Lambda.")), "{records:?}");
    assert!(board.lines.iter().any(|line| matches!(line.says, Says::Report(_))));

    bench.account().script.delivery_denied.insert("s3:PutObject".to_owned());
    let board = look_while(&bench, produce(&bench, 10, false), 300, |_| {}).await;
    let denied = board.failures.iter().any(|failure| {
        let Failure::Logged(entry) = failure else { return false };
        matches!(&entry.says, Says::Failure(it) if it.error_code == "S3.AccessDenied")
    });
    assert!(denied, "{:?}", board.failures);
    let now = bench.context.clock.now();
    let [.., bucket] = board.legs(now);
    assert!(bucket.value("objects_per_minute").unwrap() < 1.0, "nothing lands any more");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_denied_says_which_permission_is_missing_and_the_others_go_on() {
    for (action, sources) in [
        ("cloudwatch:GetMetricData", &[Source::Metrics][..]),
        ("kinesis:DescribeStreamSummary", &[Source::Stream]),
        ("firehose:DescribeDeliveryStream", &[Source::Delivery]),
        ("lambda:GetFunctionConfiguration", &[Source::Processor]),
        ("s3:ListBucket", &[Source::Objects, Source::Errors]),
        ("s3:GetObject", &[Source::Rows]),
        ("logs:FilterLogEvents", &[Source::ProcessorLog, Source::DeliveryLog]),
    ] {
        let bench = deployed().await;
        bench.account().script.denied.insert(action.to_owned());
        let board = look_while(&bench, produce(&bench, 1, false), 240, |_| {}).await;
        let troubles: Vec<_> = board.troubles().collect();
        let denied: Vec<Source> = troubles.iter().map(|(source, ..)| *source).collect();
        assert_eq!(denied, sources, "{action}");
        for (_, _, trouble) in troubles {
            assert_eq!(trouble.to_string(), format!("not allowed: {action}"));
        }
        for source in Source::ALL.iter().filter(|source| !sources.contains(source)) {
            let told = board.sources.get(source).and_then(|health| health.told);
            // What can't be listed can't be read.
            assert!(
                told.is_some() || action == "s3:ListBucket" && *source == Source::Rows,
                "{action}: {source:?}"
            );
        }
        bench.account().script.denied.clear();
        let board = look_while(&bench, std::future::pending(), 120, |_| {}).await;
        assert_eq!(board.troubles().count(), 0, "{action}: it is allowed again");
    }
}

#[tokio::test(start_paused = true)]
async fn where_it_is_throttled_it_asks_less_and_less_and_goes_on_when_that_is_over() {
    let bench = deployed().await;
    bench.forget();
    let refusal = Refusal::throttled("logs");
    bench.account().faults.push(Fault { operation: "FilterLogEvents", when: When::Always, refusal });
    let mut told = Vec::new();
    let board = look_while(&bench, produce(&bench, 1, false), 900, |observation| {
        if observation.source == Source::DeliveryLog {
            told.push(observation.news.clone());
        }
    })
    .await;
    assert!(told.iter().all(|news| *news == Err(Trouble::Throttled)) && told.len() > 5, "{told:?}");
    // Two log groups, two attempts each, and pauses that grow to two minutes.
    let calls = bench.calls("FilterLogEvents").len();
    assert!(calls <= 2 * 2 * 20, "{calls} calls in a quarter of an hour");
    assert!(board.sources[&Source::Objects].trouble.is_none());
    bench.account().faults.clear();
    let board = look_while(&bench, std::future::pending(), 60, |_| {}).await;
    assert_eq!(board.troubles().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_stays_within_what_services_take_and_never_reads_the_stream() {
    let bench = deployed().await;
    bench.forget();
    look_while(&bench, produce(&bench, 5, false), 600, |_| {}).await;
    let calls = |operation| bench.calls(operation).len();
    assert_eq!(
        calls("GetRecords") + calls("GetShardIterator"),
        0,
        "a shard's five reads a second are others'"
    );
    assert!((10..=12).contains(&calls("GetMetricData")), "{}", calls("GetMetricData"));
    // Each of them has its price: a thousand cost a cent.
    for call in bench.calls("GetMetricData") {
        let metrics = Metric::ALL.len();
        assert!(!call.get(&format!("MetricDataQueries.member.{metrics}.Id")).is_empty());
        assert!(call.get(&format!("MetricDataQueries.member.{}.Id", metrics + 1)).is_empty());
    }
    for operation in ["DescribeDeliveryStream", "DescribeStreamSummary", "GetFunctionConfiguration"] {
        assert!(calls(operation) <= 11, "{operation}: {}", calls(operation));
    }
    let lists = calls("ListObjectsV2");
    assert!(lists <= 600 / EVERY as usize + 600 / 30 * 2 + 10, "{lists} lists");
    let filters = calls("FilterLogEvents");
    assert!(filters <= 2 * 2 * 600 / EVERY as usize, "{filters}");
    assert_eq!(bench.changes(), vec!["PutRecords"; calls("PutRecords")], "it changes nothing");
}

#[tokio::test(start_paused = true)]
async fn in_a_bucket_of_many_old_objects_the_newest_are_found_in_a_few_calls() {
    let bench = deployed().await;
    let now = bench.context.clock.now();
    {
        let mut account = bench.account();
        for minute in 0..5_000_i64 {
            let at = now - jiff::SignedDuration::from_mins(5_000 - minute);
            let key = format!(
                "rows/{}kinesis-stack-dev-1-{}-00000000-0000-0000-0000-{minute:012}",
                at.strftime("%Y/%m/%d/%H/"),
                at.strftime("%Y-%m-%d-%H-%M-%S")
            );
            account.put(BUCKET, &key, Version::of(format!("{{\"id\":{minute}}}\n").into_bytes()));
        }
    }
    bench.forget();
    let board = look_while(&bench, std::future::pending(), 3, |_| {}).await;
    let lists = bench.calls("ListObjectsV2").len();
    assert!(lists <= 12, "{lists} lists of a bucket with 5,000 objects");
    let newest = board.rows.iter().next_back().expect("a row");
    assert_eq!(newest.text, r#"{"id":4999}"#);
    // Those of the last ten minutes.
    assert!(bench.calls("GetObject").len() <= 12);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_xml_cannot_tell_hides_no_row() {
    let bench = deployed().await;
    let hour = bench.context.clock.now().strftime("%Y/%m/%d/%H/").to_string();
    for key in ["odd\u{1}", "plain"] {
        let row = format!("{}\n", serde_json::json!({ "key": key }));
        bench.account().put(BUCKET, &format!("rows/{hour}{key}"), Version::of(row.into_bytes()));
    }
    let board = look_while(&bench, std::future::pending(), 30, |_| {}).await;
    let troubles: Vec<_> = board.troubles().filter(|(source, ..)| *source == Source::Objects).collect();
    assert!(troubles.is_empty(), "{troubles:?}");
    assert!(board.rows.iter().any(|row| row.text.contains("plain")), "{:?}", board.rows);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_said_to_be_not_there() {
    let bench = Bench::new();
    let board = look_while(&bench, std::future::pending(), 30, |_| {}).await;
    let missing: Vec<Source> =
        board.troubles().filter(|(.., trouble)| **trouble == Trouble::Missing).map(|it| it.0).collect();
    assert_eq!(
        missing,
        [
            Source::Stream,
            Source::Delivery,
            Source::Processor,
            Source::Objects,
            Source::Errors,
            Source::ProcessorLog,
            Source::DeliveryLog
        ]
    );
    let [stream, ..] = board.legs(bench.context.clock.now());
    assert_eq!(stream.readings[0].value, Value::Nowhere, "of what isn't there CloudWatch tells nothing");
}
