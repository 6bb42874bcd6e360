//! One attempt at one command: a process of its own, as far as the account can tell.

use super::story::{Mishap, Verb, Wish};
use crate::bench::{ARTIFACTS, BUCKET, STACK, clock, configuration};
use kinesis_stack::artifact::Workshop;
use kinesis_stack::cloud::Clients;
use kinesis_stack::environment::Environment;
use kinesis_stack::error::Error;
use kinesis_stack::event::{Event, Question, Reporter};
use kinesis_stack::settings::{Invocation, Means, ProcessorSource};
use kinesis_stack::signals::{Sender, Signals};
use kinesis_stack::stack::{self, Conduct, Consent, Context};
use kinesis_stack::template::{Architecture, Shape};
use simulated_aws::{Account, Aws, Call, Deployment, Kill};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

pub const REGION: &str = "us-east-1";
/// `--timeout`, where it isn't short.
pub const TIMEOUT: Duration = Duration::from_secs(3_600);

/// What a command that ended well told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub outputs: BTreeMap<String, String>,
    pub status: Option<String>,
    pub code_is_current: Option<bool>,
}

/// An attempt as it was seen from outside.
pub struct Attempt {
    pub verb: Verb,
    pub yes: bool,
    pub mishap: Mishap,
    /// The SHA-256 of the processor's zip.
    pub artifact: String,
    /// The template that `up` renders.
    pub template: String,
    /// By the account's age.
    pub began: Duration,
    pub ended: Duration,
    /// `None`: it was killed.
    pub result: Option<Result<Told, Error>>,
    pub events: Vec<Event>,
    pub calls: Vec<Call>,
    pub before: Seen,
    pub after: Seen,
}

/// An account as it is seen from outside.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub stack: Option<SeenStack>,
    pub things: BTreeSet<String>,
    /// The SHA-256 of what the function runs, in base64.
    pub code: Option<String>,
    pub has_bucket: bool,
    pub has_artifacts: bool,
    /// Whether it bears the environment's tag, as one does whose making came to its end.
    pub has_tagged_bucket: bool,
    /// Rows that the story put there.
    pub rows: BTreeSet<String>,
    /// All that lies in the bucket.
    pub objects: usize,
    /// What somebody else has begun so far.
    pub somebody: usize,
}

#[derive(Debug, Clone)]
pub struct SeenStack {
    pub status: String,
    pub deployed: Deployment,
    pub protected: bool,
    pub change_sets: Vec<String>,
    /// Whether somebody else's operation was the last.
    pub is_somebodys: bool,
}

/// How the story's rows are called.
pub fn row(number: u32) -> String {
    format!("rows/story-{number}")
}

impl Seen {
    pub fn of(account: &mut Account) -> Self {
        let stack = account.stack(STACK).map(|stack| SeenStack {
            status: stack.status.clone(),
            deployed: stack.deployed.clone(),
            protected: stack.protected,
            change_sets: stack.change_sets.iter().map(|it| it.name.clone()).collect(),
            is_somebodys: stack.operations.last().is_some_and(|it| it.token == "somebody"),
        });
        let operations = account.stacks.iter().flat_map(|stack| &stack.operations);
        let somebody = operations.filter(|it| it.token == "somebody").count();
        let held = account.buckets.get(BUCKET).map(|bucket| bucket.versions.keys());
        let keys: Vec<&String> = held.into_iter().flatten().map(|(key, _)| key).collect();
        let function = account.thing("AWS::Lambda::Function", "kinesis-stack-dev-processor");
        Seen {
            stack,
            things: account.things.keys().map(|(_, name)| name.clone()).collect(),
            code: function.and_then(|it| it.facts.get("CodeSha256").cloned()),
            has_tagged_bucket: account.buckets.get(BUCKET).is_some_and(|bucket| !bucket.tags.is_empty()),
            has_bucket: account.buckets.contains_key(BUCKET),
            has_artifacts: account.buckets.contains_key(ARTIFACTS),
            rows: keys.iter().filter(|key| key.starts_with("rows/story-")).map(ToString::to_string).collect(),
            objects: keys.len(),
            somebody,
        }
    }

    /// Whether anything of the environment is there.
    pub fn remains(&self) -> Vec<String> {
        let stack = self.stack.iter().map(|stack| format!("the stack, {}", stack.status));
        let bucket = self.has_bucket.then(|| format!("the bucket, with {} objects", self.objects));
        let artifacts = self.has_artifacts.then(|| "the artifact bucket".to_owned());
        stack.chain(self.things.iter().cloned()).chain(bucket).chain(artifacts).collect()
    }
}

#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<Event>>,
    /// Prints all, with the time since.
    loud: Option<tokio::time::Instant>,
}

impl Reporter for Recorder {
    fn tell(&self, event: &Event) {
        if let Some(since) = self.loud {
            println!("{:9.3}   {event:?}", since.elapsed().as_secs_f64());
        }
        if !matches!(event, Event::Call { .. }) {
            self.events.lock().unwrap().push(event.clone());
        }
    }

    fn ask(&self, _: &Question) -> Option<bool> {
        None
    }
}

pub fn shape(wish: &Wish) -> Shape {
    Shape {
        shards: wish.shards,
        stream_retention_hours: wish.retention_hours,
        buffer_seconds: 60,
        buffer_megabytes: 5,
        log_retention_days: 7,
        architecture: Architecture::X86_64,
    }
}

pub fn means(wish: &Wish) -> Means {
    Means {
        ephemeral: wish.ephemeral,
        express: wish.express,
        adopt: wish.adopt,
        protection: wish.protection,
        ..Means::default()
    }
}

struct Process {
    context: Context,
    workshop: Workshop,
    conduct: Conduct,
    signal: Sender,
    recorder: Arc<Recorder>,
}

impl Process {
    async fn run(&self, verb: &Verb) -> Result<Told, Error> {
        let told = match verb {
            Verb::Up(wish) => {
                let (shape, means) = (shape(wish), means(wish));
                let wish = stack::up::Wish {
                    shape: &shape,
                    workshop: &self.workshop,
                    means: &means,
                    reviewed: None,
                };
                let done = stack::up::up(&self.context, &wish, self.conduct).await;
                done.map(|done| Told { outputs: done.outputs.unwrap_or_default(), ..Told::default() })
            }
            Verb::Down | Verb::DownKeeping => {
                let keep_data = *verb == Verb::DownKeeping;
                let wish = stack::down::Wish { keep_data, ..stack::down::Wish::new(self.conduct) };
                stack::down::down(&self.context, wish).await.map(|_| Told::default())
            }
            Verb::Status => stack::inspect::inspect(&self.context, &self.workshop).await.map(|it| Told {
                outputs: it.outputs,
                status: Some(it.status.to_string()),
                code_is_current: it.code.current,
            }),
        };
        told.map_err(|error| Error::of(&error))
    }
}

/// Runs a command once. `directory` holds the processor.
pub async fn attempt(
    aws: &Aws,
    directory: &Path,
    (verb, yes): (&Verb, bool),
    mishap: Mishap,
    loud: Option<tokio::time::Instant>,
) -> Attempt {
    if let Verb::Up(wish) = verb {
        std::fs::write(directory.join("bootstrap"), wish.script()).unwrap();
    }
    let recorder = Arc::new(Recorder { loud, ..Recorder::default() });
    let reporter: Arc<dyn Reporter> = recorder.clone();
    let (signal, signals) = Signals::by_hand();
    let environment = Environment::new("dev".parse().unwrap());
    let timeout = if let Mishap::ShortOfTime(timeout) = mishap { timeout } else { TIMEOUT };
    let process = Process {
        context: Context {
            signals,
            environment: environment.clone(),
            clients: Clients::new(&configuration(REGION, aws), &reporter).unwrap(),
            reporter,
            invocation: Invocation::default(),
            clock: clock(aws),
        },
        workshop: Workshop {
            cache: directory.to_owned(),
            source: ProcessorSource::File(directory.join("bootstrap")),
            architecture: Architecture::X86_64,
        },
        conduct: Conduct { consent: if yes { Consent::Given } else { Consent::Ask }, timeout },
        signal,
        recorder,
    };
    let template = match verb {
        Verb::Up(wish) => super::templates::rendered(&environment, &shape(wish)),
        _ => String::new(),
    };
    let (before, began, first) = {
        let account = &mut *aws.now();
        account.kill = None;
        (Seen::of(account), account.age(), account.calls.len())
    };
    let result = befallen(aws, &process, verb, mishap).await;
    let artifact = process.workshop.at_hand().map(|artifact| artifact.sha256).unwrap_or_default();
    let account = &mut *aws.now();
    let events = std::mem::take(&mut *process.recorder.events.lock().unwrap());
    Attempt {
        verb: verb.clone(),
        yes,
        mishap,
        artifact,
        template,
        began,
        ended: account.age(),
        result,
        events,
        calls: account.calls[first..].to_vec(),
        before,
        after: Seen::of(account),
    }
}

async fn befallen(aws: &Aws, process: &Process, verb: &Verb, mishap: Mishap) -> Option<Result<Told, Error>> {
    // On the heap: the futures of a whole command are big.
    let mut work = Box::pin(process.run(verb));
    match mishap {
        Mishap::Nothing | Mishap::ShortOfTime(_) => Some(work.await),
        Mishap::Killed { at, after_effect } => {
            let signal = Arc::new(Notify::new());
            {
                let account = &mut *aws.now();
                account.kill =
                    Some(Kill { at: account.calls.len() + at, after_effect, signal: signal.clone() });
            }
            tokio::select! {
                biased;
                result = &mut work => Some(result),
                () = signal.notified() => None,
            }
        }
        Mishap::ToldToStop { after, with } => {
            tokio::select! {
                biased;
                result = &mut work => return Some(result),
                () = tokio::time::sleep(after) => process.signal.send(with),
            }
            Some(work.await)
        }
    }
}
