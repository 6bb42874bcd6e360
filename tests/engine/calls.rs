//! How many calls each verb makes, in which order, and which of them at once. `docs/calls.md` is made from this, and
//! says why none can go.

use crate::bench::{BUCKET, Bench, STACK, configuration};
use kinesis_stack::cloud::Clients;
use kinesis_stack::event::{Event, Question, Reporter};
use kinesis_stack::settings::{Choice, Ttl};
use kinesis_stack::stack::{Consent, extend, fleet, inspect, up};
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

/// A round trip: calls that are under way at once, and why it can't go.
type Trip = (&'static [&'static str], &'static str);

/// What a verb does in an account that takes no time: each look that finds something still under way is one more.
struct Way {
    verb: &'static str,
    when: &'static str,
    trips: &'static [Trip],
}

const WHO: &str = "The account's number is part of the artifact bucket's name, the caller's ARN is the owner's tag, \
and the stack's state decides everything else. The processor is read or compiled meanwhile.";
const TOLD: &str = "What it would do is known to CloudFormation alone, once it has made the change set.";
const WITHDRAWN: &str = "A change set that isn't executed leaves no trace.";
const BEGUN: &str = "What came before can't be told from what this begins, unless it was read before. Only with new \
code: whoever made the artifact bucket may have been cut short before it was private.";
const FIRST: &str = "The first look, after 0.02 s: an emulator is done by then. AWS takes a minute, with a look every \
two seconds once the end is near.";
const LAST: &str = "The outputs are known now. The events once more, since a cause can come later than the stack's \
own last event.";

const WAYS: &[Way] = &[
    Way {
        verb: "up",
        when: "that creates, with code that was never uploaded",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["HeadObject", "HeadBucket", "DescribeLimits", "GetAccountSummary"], CHECKED),
            (&["CreateChangeSet"], PLANNED),
            (&["DescribeChangeSet"], TOLD),
            (
                &["PutPublicAccessBlock"],
                "Asked first, since it tells as well whether the artifact bucket is there.",
            ),
            (&["CreateBucket"], "Only once in the life of an account and region."),
            (&["PutPublicAccessBlock"], "The bucket is private before anything lies in it."),
            (&["PutObject"], "Not before the plan is agreed to: a plan that is refused leaves no trace."),
            (&["ExecuteChangeSet"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
        ],
    },
    Way {
        verb: "up",
        when: "that creates, with code that is there already",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["HeadObject", "HeadBucket", "DescribeLimits", "GetAccountSummary"], CHECKED),
            (&["CreateChangeSet"], PLANNED),
            (&["DescribeChangeSet"], TOLD),
            (&["ExecuteChangeSet"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
        ],
    },
    Way {
        verb: "up",
        when: "that updates",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["CreateChangeSet", "HeadObject"], "Whether the code was uploaded already is asked meanwhile."),
            (&["DescribeChangeSet"], TOLD),
            (&["DescribeStackEvents", "PutPublicAccessBlock"], BEGUN),
            (&["PutObject"], "Only with new code, and not before the plan is agreed to."),
            (&["ExecuteChangeSet"], "What it is about."),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
        ],
    },
    Way {
        verb: "up",
        when: "with nothing to change",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (
                &["CreateChangeSet", "HeadObject"],
                "That nothing would change is CloudFormation's word, not ours.",
            ),
            (&["DescribeChangeSet"], TOLD),
            (&["DeleteChangeSet"], WITHDRAWN),
        ],
    },
    Way {
        verb: "up --code-only",
        when: "with new code",
        trips: &[
            (
                &["GetCallerIdentity", "DescribeStacks", "GetFunctionConfiguration"],
                "Only an ephemeral stack is changed past CloudFormation; what the function runs is asked meanwhile.",
            ),
            (&["HeadObject"], "The bucket's name holds the account's number."),
            (&["PutPublicAccessBlock"], "Whoever made the bucket may have been cut short."),
            (
                &["PutObject"],
                "UpdateFunctionCode could carry the zip itself, but then the next `up` would not find it.",
            ),
            (&["UpdateFunctionCode"], "What it is about."),
            (&["GetFunctionConfiguration"], "It returns before the function runs the code."),
        ],
    },
    Way {
        verb: "plan",
        when: "of a creation",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["HeadBucket", "DescribeLimits", "GetAccountSummary"], CHECKED),
            (&["CreateChangeSet"], PLANNED),
            (&["DescribeChangeSet"], TOLD),
            (
                &["DeleteChangeSet", "DescribeStacks"],
                "A change set that isn't executed leaves no trace. Whether the stack is still no more than a name is \
                 asked meanwhile: somebody may have been quicker.",
            ),
            (
                &["DeleteStack"],
                "The change set gave the stack its name; nothing is to be left of that either.",
            ),
        ],
    },
    Way {
        verb: "plan",
        when: "of an update",
        trips: &[
            (&["GetCallerIdentity", "DescribeStacks"], WHO),
            (&["CreateChangeSet"], "A plan is CloudFormation's own."),
            (&["DescribeChangeSet"], TOLD),
            (&["DeleteChangeSet"], WITHDRAWN),
        ],
    },
    Way {
        verb: "status",
        when: "",
        trips: &[(
            &["DescribeStacks", "ListStackResources", "GetFunctionConfiguration"],
            "All three are asked by name.",
        )],
    },
    Way {
        verb: "list",
        when: "",
        trips: &[(
            &["DescribeStacks", "GetResources"],
            "Stacks tell their tags, so that one call a page tells all environments. Buckets whose stack is gone are asked \
             for meanwhile, by their tags.",
        )],
    },
    Way {
        verb: "extend",
        when: "",
        trips: &[
            (
                &["DescribeStacks"],
                "What is left of its time is added to; somebody may be at work on the stack.",
            ),
            (
                &["DescribeStackEvents"],
                "What came before can't be told from what this begins, unless it was read before.",
            ),
            (
                &["UpdateStack"],
                "What it is about. Nothing is planned: the template stays, and one tag changes.",
            ),
            (&["DescribeStackEvents"], FIRST),
            (&["DescribeStacks", "DescribeStackEvents"], LAST),
        ],
    },
    Way {
        verb: "down",
        when: "with --yes, of the account's last environment",
        trips: &[
            (
                &["GetCallerIdentity", "DescribeStacks", "ListStackResources", "DescribeStackEvents"],
                "The account's number is part of the bucket's name. The stack tells whether it is ours and \
                 unprotected; its resources are what is shown before anything is deleted; its events so far are \
                 what this deletion's are told from.",
            ),
            (
                &["DeleteStack"],
                "What it is about. Alone: a stack that can't be deleted after all keeps its data.",
            ),
            (
                &["DescribeStackEvents", "ListObjectVersions"],
                "The first look, after 0.02 s. The bucket is emptied meanwhile.",
            ),
            (
                &["DescribeStacks", "DescribeStackEvents", "ListMultipartUploads"],
                "That it is gone is told by the stack; what was kept, by the events. Unfinished uploads are no objects, \
                 but are billed.",
            ),
            (&["DeleteBucket"], "Last, since a dying delivery stream still writes into it."),
            (
                &[
                    "HeadBucket",
                    "DescribeStreamSummary",
                    "DescribeDeliveryStream",
                    "GetFunctionConfiguration",
                    "GetRole",
                    "GetRole",
                    "DescribeLogGroups",
                    "DescribeLogGroups",
                    "DescribeStacks",
                    "GetResources",
                    "DescribeStacks",
                    "ListObjectVersions",
                ],
                "That nothing is left is asked of each service, by name and by tag: a deleted stack can leave what it \
                 was told to keep and what a function writes after its end. The artifacts, and the stacks that use \
                 them, are listed meanwhile.",
            ),
            (&["DeleteObjects"], "Zips that no environment uses any more. Not where all are in use."),
            (
                &["DeleteBucket"],
                "The artifact bucket goes with the account's last environment, and not before.",
            ),
        ],
    },
];

const CHECKED: &str = "A bucket of that name makes the creation fail after a minute, and an empty one that an earlier \
roll-back left is removed first: both before the change set, which CloudFormation holds against the names that are \
taken, and which would give the stack its name already. Whether the quotas of shards and roles leave room is asked \
meanwhile.";
const PLANNED: &str = "The plan is CloudFormation's own, and nothing is changed before it is agreed to.";

/// What iidy takes to create a stack and to delete it.
const IIDY: usize = 17;

/// What is called beyond that, and why.
const MORE: &[Trip] = &[
    (
        &["GetCallerIdentity", "GetCallerIdentity"],
        "Bucket names are global, so that ours hold the account's number; every call on a bucket names the account \
         that has to own it; the stack bears its maker's name.",
    ),
    (&["HeadObject"], "The processor is uploaded once for each version of its code, not with each `up`."),
    (
        &["HeadBucket"],
        "A bucket that stands in the way is told, or removed where it is ours and empty, in a second \
     instead of after a minute and a roll-back.",
    ),
    (
        &["CreateChangeSet", "DescribeChangeSet"],
        "Two more than CreateStack: the plan is shown and agreed to before anything is changed.",
    ),
    (
        &["ListObjectVersions", "ListMultipartUploads", "DeleteBucket"],
        "CloudFormation can't delete a bucket that holds anything, and a dying delivery stream still writes into it.",
    ),
    (
        &[
            "HeadBucket",
            "DescribeStreamSummary",
            "DescribeDeliveryStream",
            "GetFunctionConfiguration",
            "GetRole",
            "GetRole",
            "DescribeLogGroups",
            "DescribeLogGroups",
            "DescribeStacks",
            "GetResources",
        ],
        "That nothing is left, and nothing is billed, is asked and not assumed: one round trip.",
    ),
    (
        &["DescribeStacks", "ListObjectVersions", "DeleteObjects", "DeleteBucket"],
        "The zips that no environment uses any more go, and with the last environment their bucket: iidy has none.",
    ),
];

#[derive(Default)]
struct Listener {
    calls: Mutex<Vec<(Instant, String)>>,
}

impl Reporter for Listener {
    fn tell(&self, event: &Event) {
        if let Event::Call { operation, .. } = event {
            self.calls.lock().unwrap().push((Instant::now(), operation.clone()));
        }
    }

    fn ask(&self, _: &Question) -> Option<bool> {
        None
    }
}

/// The account of a bench, with somebody who notes when each call ends. Each takes 40 ms: those that end together
/// were under way together.
fn listening(bench: &Bench) -> (Bench, Arc<Listener>) {
    let listener = Arc::new(Listener::default());
    let reporter: Arc<dyn Reporter> = listener.clone();
    let mut bench = bench.again();
    bench.conduct.consent = Consent::Given;
    bench.context.clients = Clients::new(&configuration("us-east-1", &bench.aws), &reporter).unwrap();
    let mut account = bench.account();
    // Nothing takes any time but the calls themselves.
    account.script.change_set_seconds = 0.0;
    account.script.pace = 0.0;
    drop(account);
    (bench, listener)
}

/// The round trips so far, each sorted.
fn trips(listener: &Listener) -> Vec<Vec<String>> {
    let mut trips: Vec<(Instant, Vec<String>)> = Vec::new();
    for (ended, operation) in listener.calls.lock().unwrap().drain(..) {
        match trips.last_mut().filter(|(at, _)| *at == ended) {
            Some((_, trip)) => trip.push(operation),
            None => trips.push((ended, vec![operation])),
        }
    }
    let sorted = |(_, mut trip): (Instant, Vec<String>)| {
        trip.sort();
        trip
    };
    trips.into_iter().map(sorted).collect()
}

/// What each way really does, in the order of `WAYS`.
async fn really() -> Vec<Vec<Vec<String>>> {
    let mut really = Vec::new();
    let nothing = Bench::new();

    let (bench, listener) = listening(&nothing);
    bench.plan().await.unwrap();
    let plan_of_a_creation = trips(&listener);
    bench.up().await.unwrap();
    really.push(trips(&listener));
    // Another environment of the same code: it isn't uploaded again.
    bench.account().settled_like(STACK, &[("dev", "other")], &[]);
    bench.down().await.unwrap();
    trips(&listener);
    bench.up().await.unwrap();
    {
        let mut account = bench.account();
        account.stacks.retain(|stack| stack.name == STACK);
        account.buckets.retain(|name, _| !name.contains("-other-"));
        account.things.retain(|(_, name), _| !name.contains("other"));
    }
    really.push(trips(&listener));

    bench.code("#!/bin/sh\nexit\n");
    bench.up().await.unwrap();
    really.push(trips(&listener));
    bench.up().await.unwrap();
    really.push(trips(&listener));

    let mut ephemeral = listening(&bench);
    ephemeral.0.means.ephemeral = true;
    ephemeral.0.up().await.unwrap();
    bench.code("#!/bin/sh\nexit 1\n");
    trips(&ephemeral.1);
    up::code_only(&ephemeral.0.context, &ephemeral.0.workshop, ephemeral.0.conduct).await.unwrap();
    really.push(trips(&ephemeral.1));

    really.push(plan_of_a_creation);
    bench.plan().await.unwrap();
    really.push(trips(&listener));
    inspect::inspect(&bench.context, &bench.workshop).await.unwrap();
    really.push(trips(&listener));
    // Nor a bucket without a stack.
    bench.account().buckets.remove(&BUCKET.replace("-dev-", "-other-"));
    let contexts = std::slice::from_ref(&bench.context);
    fleet::survey(contexts, &Choice::default(), fleet::PATIENCE).await.unwrap();
    really.push(trips(&listener));
    extend::extend(&bench.context, Ttl::For(3_600), bench.conduct.timeout).await.unwrap();
    really.push(trips(&listener));
    assert!(bench.account().buckets.contains_key(BUCKET));
    bench.down().await.unwrap();
    really.push(trips(&listener));
    really
}

fn calls(way: &Way) -> usize {
    way.trips.iter().map(|(calls, _)| calls.len()).sum()
}

fn title(way: &Way) -> String {
    format!("`{}` {}", way.verb, way.when).trim_end().to_owned()
}

fn page() -> String {
    let mut page = String::from(include_str!("pages/calls.md"));
    page += "\n| | calls | round trips |\n|---|---|---|\n";
    for way in WAYS {
        writeln!(page, "| {} | {} | {} |", title(way), calls(way), way.trips.len()).unwrap();
    }
    for way in WAYS {
        writeln!(page, "\n## {}\n\n| | at once | why it can't go |\n|---|---|---|", title(way)).unwrap();
        for (number, (calls, why)) in way.trips.iter().enumerate() {
            writeln!(page, "| {} | {} | {why} |", number + 1, calls.join(", ")).unwrap();
        }
    }
    page += include_str!("pages/iidy.md");
    let (created, deleted) = (calls(&WAYS[1]), calls(&WAYS[WAYS.len() - 1]));
    let more: usize = MORE.iter().map(|(calls, _)| calls.len()).sum();
    let rest = created + deleted - more;
    assert!(rest <= IIDY, "{rest}");
    writeln!(
        page,
        "\n`up` and `down` make {created} + {deleted}. Of these {more} are for what iidy doesn't do:\n"
    )
    .unwrap();
    page += "| calls | | why |\n|---|---|---|\n";
    for (calls, why) in MORE {
        let mut names = calls.to_vec();
        names.dedup();
        writeln!(page, "| {} | {} | {why} |", calls.len(), names.join(", ")).unwrap();
    }
    writeln!(page, "\nThe other {rest} do what iidy does with {IIDY}.").unwrap();
    page
}

#[tokio::test(start_paused = true)]
async fn each_verb_makes_the_calls_that_the_documentation_names_and_no_other() {
    let really = really().await;
    assert_eq!(really.len(), WAYS.len());
    for (way, really) in WAYS.iter().zip(&really) {
        let written: Vec<Vec<String>> = way
            .trips
            .iter()
            .map(|(calls, _)| {
                let mut calls: Vec<String> = calls.iter().map(|call| (*call).to_owned()).collect();
                calls.sort();
                calls
            })
            .collect();
        assert_eq!(*really, written, "{}: {really:#?}", title(way));
    }
}

#[test]
fn the_documentation_of_the_calls_is_made_from_the_test() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/calls.md");
    let page = page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page, "INSTA_UPDATE=always makes it anew");
}
