//! The tool at work on a fake account: clients, a recording reporter, and the verbs.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SystemTimeSource;
use kinesis_stack::artifact::Workshop;
use kinesis_stack::clock::Clock;
use kinesis_stack::cloud::Clients;
use kinesis_stack::environment::{Environment, artifact_bucket};
use kinesis_stack::error::Error;
use kinesis_stack::event::{Done, Event, Question, Reporter};
use kinesis_stack::settings::{Choice, Invocation, Means, ProcessorSource};
use kinesis_stack::signals::{Sender, Signals};
use kinesis_stack::stack::{self, Conduct, Consent, Context, down, plan::Plan, reap, up::Wish};
use kinesis_stack::template::{Architecture, Shape};
use simulated_aws::{Account, Aws, Call};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

pub const STACK: &str = "kinesis-stack-dev";
pub const BUCKET: &str = "kinesis-stack-123456789012-dev-us-east-1";
pub const ARTIFACTS: &str = "kinesis-stack-artifacts-123456789012-us-east-1";

pub struct Bench {
    pub aws: Aws,
    pub conduct: Conduct,
    pub context: Context,
    pub shape: Shape,
    pub means: Means,
    /// The plan that was reviewed.
    pub reviewed: Option<Plan>,
    /// What the tool is told to stop with.
    pub signal: Sender,
    recorder: Arc<Recorder>,
    pub workshop: Workshop,
    directory: Arc<TempDir>,
}

impl Bench {
    pub fn new() -> Self {
        Bench::in_region("us-east-1")
    }

    pub fn in_region(region: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bench = Bench::at(Aws::new(region), region, Arc::new(directory));
        bench.code("#!/bin/sh\n");
        bench
    }

    /// The same account once more, with a caller who knows nothing yet.
    pub fn branch(&self) -> Self {
        let account = self.account().clone();
        let bench = Bench::at(Aws::of(account), &self.context.clients.region, self.directory.clone());
        Bench { conduct: self.conduct, shape: self.shape.clone(), means: self.means.clone(), ..bench }
    }

    /// The same account, with another run of the tool.
    pub fn again(&self) -> Self {
        let bench = Bench::at(self.aws.clone(), &self.context.clients.region, self.directory.clone());
        Bench { conduct: self.conduct, shape: self.shape.clone(), means: self.means.clone(), ..bench }
    }

    fn at(aws: Aws, region: &str, directory: Arc<TempDir>) -> Self {
        // Waits and tokens are drawn from it: the same each time.
        fastrand::seed(1);
        let recorder = Arc::new(Recorder::default());
        let reporter: Arc<dyn Reporter> = recorder.clone();
        let (signal, signals) = Signals::by_hand();
        let context = Context {
            signals,
            environment: Environment::new("dev".parse().unwrap()),
            clients: Clients::new(&configuration(region, &aws), &reporter).unwrap(),
            reporter,
            invocation: Invocation::default(),
            clock: clock(&aws),
        };
        let workshop = Workshop {
            cache: directory.path().to_owned(),
            source: ProcessorSource::File(directory.path().join("bootstrap")),
            architecture: Architecture::X86_64,
        };
        let conduct = Conduct { consent: Consent::Ask, timeout: Duration::from_secs(3_600) };
        Bench {
            aws,
            conduct,
            context,
            shape: shape(),
            means: Means::default(),
            reviewed: None,
            signal,
            recorder,
            workshop,
            directory,
        }
    }

    /// A bench whose environment is up, with what led there forgotten.
    pub async fn deployed() -> Self {
        let bench = Bench::new();
        bench.up().await.unwrap();
        bench.forget();
        bench
    }

    /// Changes the processor.
    pub fn code(&self, script: &str) {
        std::fs::write(self.directory.path().join("bootstrap"), script).unwrap();
    }

    /// Forgets calls and events so far.
    pub fn forget(&self) {
        self.account().calls.clear();
        self.recorder.events.lock().unwrap().clear();
    }

    /// What a person answers from now on. `None` where nobody is there, as in the beginning.
    pub fn answer(&self, answer: Option<bool>) {
        *self.recorder.answer.lock().unwrap() = answer;
    }

    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.aws.now()
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            shape: &self.shape,
            workshop: &self.workshop,
            means: &self.means,
            reviewed: self.reviewed.as_ref(),
        }
    }

    pub async fn up(&self) -> Result<Done, Error> {
        let done = stack::up::up(&self.context, &self.wish(), self.conduct).await;
        done.map_err(|error| Error::of(&error))
    }

    pub async fn down(&self) -> Result<Done, Error> {
        self.down_so(|wish| wish).await
    }

    /// The same with something that is wished for besides.
    pub async fn down_so(&self, so: impl FnOnce(down::Wish) -> down::Wish) -> Result<Done, Error> {
        let done = down::down(&self.context, so(down::Wish::new(self.conduct))).await;
        done.map_err(|error| Error::of(&error))
    }

    /// A `reap` of all whose time is over.
    pub fn reaping(&self) -> reap::Wish {
        let Conduct { consent, timeout } = self.conduct;
        reap::Wish { choice: Choice::default(), at_once: 25, timeout, dry_run: false, consent }
    }

    /// The same, run, with something that is wished for besides.
    pub async fn reap_so(&self, so: impl FnOnce(reap::Wish) -> reap::Wish) -> Result<reap::Reaped, Error> {
        let contexts = std::slice::from_ref(&self.context);
        reap::reap(contexts, &so(self.reaping())).await.map_err(|error| Error::of(&error))
    }

    pub async fn plan(&self) -> Result<Plan, Error> {
        let plan = stack::up::plan(&self.context, &self.wish()).await;
        plan.map_err(|error| Error::of(&error))
    }

    /// What was told, but for single calls.
    pub fn events(&self) -> Vec<Event> {
        let events = self.recorder.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|event| !matches!(event, Event::Call { .. })).cloned().collect()
    }

    pub fn questions(&self) -> Vec<String> {
        self.recorder.questions.lock().unwrap().clone()
    }

    /// The operations that were called, in order.
    pub fn called(&self) -> Vec<String> {
        self.account().calls.iter().map(|call| call.operation.clone()).collect()
    }

    /// The operations that were called and can change something, in order.
    pub fn changes(&self) -> Vec<String> {
        let account = self.account();
        account.calls.iter().filter(|call| call.changes()).map(|call| call.operation.clone()).collect()
    }

    /// Each call of one operation.
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        self.account().calls.iter().filter(|call| call.operation == operation).cloned().collect()
    }

    pub fn status(&self) -> Option<String> {
        self.account().stack(STACK).map(|stack| stack.status.clone())
    }

    /// When the stack's last event was.
    pub fn end(&self) -> Instant {
        let mut account = self.account();
        let stack = account.stack(&self.context.environment.stack());
        stack.and_then(|stack| stack.events.last().map(|event| event.at)).unwrap()
    }

    /// The environment's remains: everything but the artifact bucket and deleted stacks.
    pub fn remains(&self) -> Vec<String> {
        let account = self.account();
        let kept = artifact_bucket(simulated_aws::ACCOUNT, &account.region);
        let buckets = account.buckets.keys().filter(|name| **name != kept).cloned();
        let things = account.things.keys().map(|(_, name)| name.clone());
        let stacks = account.stacks.iter().filter(|stack| !stack.is_gone()).map(|stack| stack.name.clone());
        buckets.chain(things).chain(stacks).collect()
    }
}

/// Waits until the account was called so.
pub async fn until_called(aws: &Aws, operation: &str) {
    while !aws.now().calls.iter().any(|call| call.operation == operation) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// When an account begins.
pub const FIRST_SECOND: i64 = 1_790_000_000;

/// The account's own clock.
pub fn clock(aws: &Aws) -> Clock {
    let aws = aws.clone();
    Clock::new(move || jiff::Timestamp::from_second(FIRST_SECOND).unwrap() + aws.now().age())
}

/// As `cloud` builds it, but for where calls go and whose they are.
pub fn configuration(region: &str, aws: &Aws) -> SdkConfig {
    let credentials = Credentials::from_keys("test", "test", None);
    let retries = RetryConfig::standard().with_max_attempts(8).with_max_backoff(Duration::from_secs(10));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws.http_client())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SystemTimeSource::new())
        .retry_config(retries)
        .timeout_config(TimeoutConfig::builder().read_timeout(Duration::from_secs(120)).build())
        .build()
}

/// The settings of somebody who set nothing.
fn shape() -> Shape {
    Shape {
        shards: 1,
        stream_retention_hours: 24,
        buffer_seconds: 60,
        buffer_megabytes: 5,
        log_retention_days: 7,
        architecture: Architecture::X86_64,
    }
}

#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<Event>>,
    questions: Mutex<Vec<String>>,
    answer: Mutex<Option<bool>>,
}

impl Reporter for Recorder {
    fn tell(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
    }

    fn ask(&self, question: &Question) -> Option<bool> {
        self.questions.lock().unwrap().push(question.text.clone());
        *self.answer.lock().unwrap()
    }
}
