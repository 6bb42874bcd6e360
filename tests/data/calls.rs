//! How many calls each verb of the data side makes. The end of `docs/stream.md` is made from this, and says why none
//! can go.

use crate::bench::{BUCKET, Bench};
use crate::consume::stream_of;
use crate::pipeline;
use crate::produce::{send, trades};
use crate::results::{land, query, shown};
use kinesis_stack::cli::Format;
use kinesis_stack::data::logs::{self, LogGroup, LogsWish};
use kinesis_stack::data::smoke::{Pipeline, Wish, smoke};
use kinesis_stack::data::watch::{Targets, look};
use kinesis_stack::data::{ConsumeOptions, From, ProduceOptions, Show, View, consume};
use kinesis_stack::stack::inspect;
use simulated_aws::ACCOUNT;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{sleep, timeout};

const MINUTE: Duration = Duration::from_secs(60);
const HEADING: &str = "## The calls of each verb\n";

/// What a verb does, and its calls: each operation, how often, and why it can't go.
type Way = (&'static str, &'static [(&'static str, usize, &'static str)]);

const WAYS: &[Way] = &[
    (
        "`produce --records 1000`",
        &[("PutRecords", 2, "A call takes 500 records. Nothing is asked of the stream but to take them.")],
    ),
    (
        "`produce`, for a minute",
        &[("PutRecords", 60, "A record a second leaves when it is due, and doesn't wait for later ones.")],
    ),
    (
        "`consume`, for a minute in which nothing comes",
        &[
            ("ListShards", 1, "Which shards there are."),
            ("GetShardIterator", 1, "One for each shard."),
            (
                "GetRecords",
                58,
                "One for each shard, a second after the last was answered: of the five that it answers.",
            ),
        ],
    ),
    (
        "`consume --fan-out`, for a minute in which nothing comes",
        &[
            ("DescribeStreamSummary", 1, "A consumer is registered under the stream's ARN."),
            ("ListStreamConsumers", 1, "What a run that was killed has left costs money, and is named."),
            ("RegisterStreamConsumer", 1, "What it is about."),
            ("DescribeStreamConsumer", 9, "Once a second until it can be used: nobody tells."),
            ("ListShards", 1, "Which shards there are."),
            ("SubscribeToShard", 1, "One for each shard, and a new one every five minutes."),
            ("DeregisterStreamConsumer", 1, "Else it costs money by the hour."),
        ],
    ),
    (
        "`results` of three objects",
        &[
            ("ListObjectsV2", 1, "Which objects there are: a call for each 1,000."),
            ("GetObject", 3, "One for each object."),
        ],
    ),
    (
        "`results --follow` of three objects, for a minute",
        &[
            (
                "ListObjectsV2",
                19,
                "S3 tells nobody of new objects: a look after a second at first, after five at most.",
            ),
            ("GetObject", 3, "One for each object, once."),
        ],
    ),
    (
        "`logs`",
        &[(
            "FilterLogEvents",
            3,
            "One for each page of both groups, the processor's and the delivery stream's.",
        )],
    ),
    (
        "`logs --follow`, for a minute",
        &[
            ("StartLiveTail", 1, "One for both groups, and a new one every three hours."),
            (
                "FilterLogEvents",
                9,
                "Each page of both groups: what came before, what came while live tail began, and every half minute \
                 what it left out.",
            ),
        ],
    ),
    (
        "`logs --follow --poll`, for a minute",
        &[(
            "FilterLogEvents",
            45,
            "Each page of both groups: a look after two seconds at first, after five at most, which costs nothing.",
        )],
    ),
    (
        "`smoke`",
        &[
            ("DescribeStreamSummary", 1, "Whether the stream is there, and takes records."),
            ("ListShards", 1, "Each shard gets a record of its own."),
            (
                "DescribeDeliveryStream",
                1,
                "Whether it reads, how long it buffers, and where failed records go.",
            ),
            (
                "GetFunctionConfiguration",
                1,
                "Whether there is a processor, and whether it is the built-in one.",
            ),
            ("HeadBucket", 1, "Whether the bucket is there, and still this account's."),
            ("PutRecords", 1, "The marked records, all at once."),
            (
                "ListObjectsV2",
                76,
                "Rows and failed records, two lists a look: a look after 0.2 seconds at first, after five at most.",
            ),
            ("GetObject", 2, "One for each object that is new."),
            (
                "GetMetricData",
                7,
                "Every 15 seconds: where it breaks, this says so before the buffers' time is over.",
            ),
            ("FilterLogEvents", 18, "The same of both log groups, each page."),
            (
                "HeadObject",
                2,
                "Which version its own rows are, right before they are removed, one for each object.",
            ),
            ("DeleteObjects", 2, "Its own rows and failed records don't stay."),
        ],
    ),
    (
        "`watch`, for a minute",
        &[
            (
                "GetMetricData",
                2,
                "At once, and then once a minute: for all metrics together, since they cost by the metric.",
            ),
            ("DescribeStreamSummary", 1, "State and shards, once a minute."),
            ("DescribeDeliveryStream", 1, "Its state, once a minute."),
            ("GetFunctionConfiguration", 1, "Its state, once a minute."),
            (
                "ListObjectsV2",
                20,
                "What landed, every five seconds (`--every`), and what failed, every half minute, one for each kind of failure.",
            ),
            ("GetObject", 3, "The end of each object that is new, for the newest rows."),
            (
                "FilterLogEvents",
                36,
                "Each page of both log groups, every five seconds (`--every`), which costs nothing.",
            ),
        ],
    ),
];

/// How often each operation was called since it was asked last. For its stack each verb asks before.
fn taken(bench: &Bench) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for operation in bench.called().into_iter().filter(|operation| operation != "DescribeStacks") {
        *counts.entry(operation).or_default() += 1;
    }
    bench.forget();
    counts
}

/// What each way really does, in the order of `WAYS`.
async fn really() -> Vec<BTreeMap<String, usize>> {
    let mut really = Vec::new();
    let bench = pipeline::deployed().await;
    let context = &bench.context;
    let stack = inspect::require(context).await.unwrap();
    let stream = stream_of(&bench).await;
    taken(&bench);

    send(&bench, trades(1_000)).await;
    really.push(taken(&bench));
    let each_second = ProduceOptions { records: None, rate: Some(1.0), duration: Some(MINUTE), ..trades(0) };
    send(&bench, each_second).await;
    really.push(taken(&bench));

    for fan_out in [false, true] {
        let (from, duration) = (From::parse("latest").unwrap(), Some(MINUTE));
        let options = ConsumeOptions { from, records: None, duration, show: Show::Json, fan_out };
        consume(context, &stream, &options, &mut Vec::new()).await.unwrap();
        really.push(taken(&bench));
    }

    bench.account().buckets.get_mut(BUCKET).unwrap().versions.clear();
    (0..3).for_each(|id| land(&bench, id, 60));
    for follows in [false, true] {
        shown(&bench, &query("rows/"), &View::all(Format::Jsonl), follows, 60).await.1.unwrap();
        really.push(taken(&bench));
    }

    let groups = LogGroup::of(&stack).unwrap();
    for (follows, live_tail) in [(false, false), (true, true), (true, false)] {
        let since = logs::since(context.clock.now(), Duration::from_secs(600));
        let wish = LogsWish { since, follows, live_tail, grep: None, errors: false, together: true };
        let reporter = context.reporter.as_ref();
        let mut each = |_: &logs::LogEntry| Ok(());
        logs::read(&context.clients.logs, &groups, &wish, reporter, &mut each, sleep(MINUTE)).await.unwrap();
        really.push(taken(&bench));
    }

    let pipeline = Pipeline::of(&stack, ACCOUNT).unwrap();
    let wish = Wish { pipeline, timeout: None, bad_records: true, workshop: bench.workshop.clone() };
    assert_eq!(smoke(context, &wish).await.unwrap().failure, None);
    really.push(taken(&bench));

    let targets = Targets::new(&context.environment, &stack.outputs, ACCOUNT, "us-east-1");
    let (sender, _told) = unbounded_channel();
    let every = Duration::from_secs(5);
    let looking = look(&context.clients, &context.clock, &targets, every, sender);
    timeout(MINUTE, looking).await.unwrap_err();
    really.push(taken(&bench));
    really
}

/// The end of the page.
fn section() -> String {
    let mut text = format!(
        "{HEADING}
Made by `tests/data/calls.rs` (`INSTA_UPDATE=always cargo test --test data calls`), which runs each verb against the
simulated account, on one shard, and counts: pauses are drawn at random, so that another run may make a few more or less.
Before these calls each verb asks for its stack (DescribeStacks), whose outputs
name all else; `results`, `smoke` and `watch` ask meanwhile who calls (GetCallerIdentity), since each call on a bucket
names the account that has to own it.
"
    );
    for (title, calls) in WAYS {
        writeln!(text, "\n### {title}\n\n| call | how often | why none can go |\n|---|---|---|").unwrap();
        for (operation, count, why) in *calls {
            writeln!(text, "| {operation} | {count} | {why} |").unwrap();
        }
    }
    text
}

#[tokio::test(start_paused = true)]
async fn each_verb_makes_the_calls_that_the_documentation_names_and_no_other() {
    let really = really().await;
    assert_eq!(really.len(), WAYS.len());
    let written: Vec<_> = WAYS
        .iter()
        .map(|(_, calls)| calls.iter().map(|(name, count, _)| ((*name).to_owned(), *count)).collect())
        .collect();
    assert_eq!(really, written, "really, and as it is written");
}

#[test]
fn the_documentation_of_the_calls_is_made_from_the_test() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/stream.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, after) = page.split_once(HEADING).unwrap();
    let made = format!("{before}{}", section());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &made).unwrap();
        return;
    }
    assert_eq!(format!("{HEADING}{after}"), section(), "INSTA_UPDATE=always makes it anew");
}
