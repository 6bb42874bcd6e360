//! One attempt at one command: a process of its own, as far as the account can tell.

use super::seen::Seen;
use super::story::{Beside, Mishap, Verb, Wish};
use crate::bench::{FIRST_SECOND, clock, configuration};
use kinesis_stack::artifact::Workshop;
use kinesis_stack::cloud::Clients;
use kinesis_stack::environment::{Environment, expiry_of};
use kinesis_stack::error::Error;
use kinesis_stack::event::{Event, Question, Reporter};
use kinesis_stack::settings::{Choice, Invocation, Means, ProcessorSource, Ttl};
use kinesis_stack::signals::{Sender, Signals};
use kinesis_stack::stack::reap::{self, Reaped};
use kinesis_stack::stack::{self, Conduct, Consent, Context};
use kinesis_stack::template::{Architecture, Shape};
use simulated_aws::{Aws, Call, Kill};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

pub const REGION: &str = "us-east-1";
/// `--timeout`, where it isn't short.
pub const TIMEOUT: Duration = Duration::from_secs(3_600);

/// What a command that ended well told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub outputs: BTreeMap<String, String>,
    pub status: Option<String>,
    pub code_is_current: Option<bool>,
    /// When its time is over, by the account's age.
    pub expires: Option<Duration>,
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
    /// What `reap` came to.
    pub reaped: Option<Reaped>,
    /// What another caller ran at the same time, and how that ended, where it did.
    pub beside: Option<(Verb, Option<Result<Told, Error>>)>,
    /// When it was told of log groups, by the account's age.
    pub log_looks: Vec<Duration>,
    pub events: Vec<Event>,
    pub calls: Vec<Call>,
    pub before: Seen,
    pub after: Seen,
}

#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<Event>>,
    /// When log groups were looked for.
    log_looks: Mutex<Vec<Instant>>,
    /// Prints all, with the time since.
    loud: Option<Instant>,
}

impl Reporter for Recorder {
    fn tell(&self, event: &Event) {
        if let Some(since) = self.loud {
            println!("{:9.3}   {event:?}", since.elapsed().as_secs_f64());
        }
        match event {
            Event::Call { operation, outcome, .. }
                if operation == "DescribeLogGroups" && outcome == "200" =>
            {
                self.log_looks.lock().unwrap().push(Instant::now());
            }
            Event::Call { .. } => {}
            event => self.events.lock().unwrap().push(event.clone()),
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
        ttl: wish.ttl.map(Ttl::For),
        ..Means::default()
    }
}

struct Process {
    context: Context,
    workshop: Workshop,
    conduct: Conduct,
    signal: Sender,
    recorder: Arc<Recorder>,
    reaped: Mutex<Option<Reaped>>,
}

impl Process {
    fn new(aws: &Aws, directory: &Path, conduct: Conduct, loud: Option<Instant>) -> Self {
        let recorder = Arc::new(Recorder { loud, ..Recorder::default() });
        let reporter: Arc<dyn Reporter> = recorder.clone();
        let (signal, signals) = Signals::by_hand();
        Process {
            context: Context {
                signals,
                environment: Environment::new("dev".parse().unwrap()),
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
            conduct,
            signal,
            recorder,
            reaped: Mutex::default(),
        }
    }

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
            Verb::Extend(seconds) => {
                let done =
                    stack::extend::extend(&self.context, Ttl::For(*seconds), self.conduct.timeout).await;
                done.map(|done| Told { expires: done.expires.as_deref().and_then(age_of), ..Told::default() })
            }
            Verb::Reap(at_once) => {
                let wish = reap::Wish {
                    choice: Choice::default(),
                    at_once: *at_once,
                    timeout: self.conduct.timeout,
                    dry_run: false,
                    consent: Consent::Ask,
                };
                match reap::reap(std::slice::from_ref(&self.context), &wish).await {
                    Ok(reaped) => {
                        let error = reaped.error();
                        *self.reaped.lock().unwrap() = Some(reaped);
                        error.map_or(Ok(Told::default()), |error| Err(error.into()))
                    }
                    Err(error) => Err(error),
                }
            }
            Verb::Status => stack::inspect::inspect(&self.context, &self.workshop).await.map(|it| Told {
                outputs: it.outputs,
                status: Some(it.status.to_string()),
                code_is_current: it.code.current,
                expires: None,
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
    beside: Option<&Beside>,
    loud: Option<Instant>,
) -> Attempt {
    for verb in [Some(verb), beside.map(|beside| &beside.verb)].into_iter().flatten() {
        if let Verb::Up(wish) = verb {
            std::fs::write(directory.join("bootstrap"), wish.script()).unwrap();
        }
    }
    let timeout = if let Mishap::ShortOfTime(timeout) = mishap { timeout } else { TIMEOUT };
    let consent = if yes { Consent::Given } else { Consent::Ask };
    let process = Process::new(aws, directory, Conduct { consent, timeout }, loud);
    let template = match verb {
        Verb::Up(wish) => super::templates::rendered(&process.context.environment, &shape(wish)),
        _ => String::new(),
    };
    let (before, began, first) = {
        let account = &mut *aws.now();
        account.kill = None;
        (Seen::of(account), account.age(), account.calls.len())
    };
    let started = Instant::now();
    let other = beside.map(|beside| {
        let conduct = Conduct { consent, timeout: TIMEOUT };
        (Process::new(aws, directory, conduct, loud), beside)
    });
    let (result, other_result) = befallen(aws, &process, verb, mishap, other.as_ref()).await;
    let artifact = process.workshop.at_hand().map(|artifact| artifact.sha256).unwrap_or_default();
    let account = &mut *aws.now();
    let events = std::mem::take(&mut *process.recorder.events.lock().unwrap());
    let looks = process.recorder.log_looks.lock().unwrap();
    Attempt {
        verb: verb.clone(),
        yes,
        mishap,
        artifact,
        template,
        began,
        ended: account.age(),
        result,
        reaped: process.reaped.lock().unwrap().take(),
        beside: beside.map(|beside| (beside.verb.clone(), other_result)),
        log_looks: looks.iter().map(|at| began + at.duration_since(started)).collect(),
        events,
        calls: account.calls[first..].to_vec(),
        before,
        after: Seen::of(account),
    }
}

type Ended = Option<Result<Told, Error>>;

/// How it ended, and how the other caller's command did.
async fn befallen(
    aws: &Aws,
    process: &Process,
    verb: &Verb,
    mishap: Mishap,
    other: Option<&(Process, &Beside)>,
) -> (Ended, Ended) {
    let beside = async {
        let (process, beside) = other?;
        tokio::time::sleep(beside.after).await;
        Some(process.run(&beside.verb).await)
    };
    // On the heap: the futures of a whole command are big.
    let mut work = Box::pin(async { tokio::join!(async { Some(process.run(verb).await) }, beside) });
    match mishap {
        Mishap::Nothing | Mishap::ShortOfTime(_) => work.await,
        Mishap::Killed { at, after_effect } => {
            let signal = Arc::new(Notify::new());
            {
                let account = &mut *aws.now();
                account.kill =
                    Some(Kill { at: account.calls.len() + at, after_effect, signal: signal.clone() });
            }
            // Whoever else is at it goes with the same power cut.
            tokio::select! {
                biased;
                results = &mut work => results,
                () = signal.notified() => (None, None),
            }
        }
        Mishap::ToldToStop { after, with } => {
            tokio::select! {
                biased;
                results = &mut work => return results,
                () = tokio::time::sleep(after) => process.signal.send(with),
            }
            work.await
        }
    }
}

/// How old the account is at a moment.
pub fn age_of(timestamp: &str) -> Option<Duration> {
    let since = expiry_of(timestamp)?.as_second() - FIRST_SECOND;
    // What was over before the account began is over from its beginning.
    Some(Duration::from_secs(since.max(0).unsigned_abs()))
}
