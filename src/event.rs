//! All that an engine can say: what happened, as data with a stable code. Only `report` turns it into words.
//!
//! In `--output json` each event is one line: `time`, `code`, `env`, and the fields of its variant. Codes and
//! fields are part of the contract: add to them, never change them.

mod data;
mod stack;
mod teardown;

use crate::data::Statistics;
use crate::data::smoke::{Leg, LegReport, SmokeReport, SmokeSent};
use crate::error::Error;
use crate::stack::diagnose::Diagnosis;
use crate::stack::plan::{Operation, Plan};
use crate::stack::status::StackStatus;
pub use data::{ColumnSum, Consumed, FailedRecords, FailuresRead, Percentiles, Produced, RowsRead};
use serde::Serialize;
pub use stack::{PathStep, Progress, Recovery, ResourceEvent, Usual, WaitingFor};
use std::collections::BTreeMap;
pub use teardown::{DataFound, Due, Exported, Reckoning, Removed};

/// Something that happened.
#[allow(missing_docs)] // a variant's fields say what they are; units stand in their names
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Event {
    /// The demonstration is about to run this command line.
    Command { line: String },
    /// The demonstration has ended; this command takes down what it built.
    DemoEnded { command: String },
    /// The local cloud is being installed into the user's cache directory (once).
    LocalInstalling { version: String },
    /// The local cloud is being started.
    LocalStarting { version: String },
    /// The local cloud answers. `started` is false where it was already there.
    LocalReady { endpoint: String, pid: u32, started: bool },
    /// The local cloud was ended, with its children and files.
    LocalStopped,
    /// The processor is being compiled.
    ProcessorBuilding { architecture: String },
    /// The processor's zip is at hand. `built` is false where it lay in the cache or came with `--processor`.
    ProcessorReady { sha256: String, bytes: u64, built: bool, seconds: f64 },
    /// The artifact bucket did not exist and was made.
    ArtifactBucketCreated { bucket: String },
    /// The processor's zip lies in the artifact bucket. `uploaded` is false where it lay there already.
    ArtifactReady { bucket: String, key: String, uploaded: bool },
    /// What a change set would do.
    Plan(Box<Plan>),
    /// Nothing has to change.
    Unchanged { stack: String },
    /// Somebody else's operation runs on the stack; it is watched to its end first.
    OperationInProgress { stack: String, status: StackStatus },
    /// The update that begins now changes tags, and nothing else.
    Retagging { stack: String },
    /// CloudFormation was asked to act.
    OperationStarted { operation: Operation, stack: String, stack_id: String },
    /// A resource, or the stack itself, entered a state.
    Resource(ResourceEvent),
    /// A look at the operation failed (throttled, lost network): it is looked at again.
    PollFailed { reason: String, retry_seconds: f64 },
    /// An object that is followed can't be read to its end, and why: what could be read of it was written.
    ObjectDamaged { object: String, reason: String },
    /// The credentials were no longer good and have been read anew.
    CredentialsRenewed,
    /// This machine slept, or was stopped, for so long; the operation went on.
    Slept { seconds: f64 },
    /// Nothing new for a while: these resources are being waited for.
    Waiting { resources: Vec<WaitingFor> },
    /// Which resources took the time, first to last.
    CriticalPath { steps: Vec<PathStep>, seconds: f64 },
    /// The cause of a failure was found.
    Diagnosed(Diagnosis),
    /// A way out of a stuck state is being taken. `skipping` names resources that are left as they are.
    Recovering { stack: String, status: StackStatus, by: Recovery, skipping: Vec<String> },
    /// A failure that passes by itself: the whole is tried again, once.
    Retrying { because: String },
    /// Told to stop: what was started is being cancelled. A second signal leaves it to itself.
    Cancelling { operation: Operation, stack: String },
    /// Told to stop before anything was changed: what was prepared is withdrawn.
    Withdrawing { stack: String },
    /// The settings file marks as short-lived what is protected: it stays protected, without these marks.
    MarksYielded { stack: String, marks: Vec<String> },
    /// Termination protection and the stack policy were set.
    Protected { stack: String, protected: bool },
    /// The function's code was changed past CloudFormation.
    CodeUpdated { function: String, sha256: String, seconds: f64 },
    /// A leg of the pipeline is ready, so many seconds after CloudFormation was done.
    LegReady { leg: String, name: String, seconds: f64 },
    /// What `down` is about to remove.
    Removal { stack: String, resources: Vec<Removed>, bucket: Option<String>, data: Option<DataFound> },
    /// Objects are being deleted from a bucket: so many versions and bytes so far, and how many there were where that
    /// is known. At most twice a second.
    Emptying {
        bucket: String,
        versions: u64,
        bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        versions_per_second: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds_left: Option<f64>,
    },
    /// The bucket holds nothing any more.
    Emptied { bucket: String, versions: u64, bytes: u64, seconds: f64 },
    /// The environment's bucket, which its stack left behind, was removed.
    BucketRemoved { bucket: String },
    /// Data arrived in the bucket after it was emptied: once more.
    EmptyingAgain { bucket: String, attempt: u32 },
    /// A service was asked whether something of the environment is left.
    Checked { service: String, name: String, left: bool },
    /// Objects are being downloaded into a directory: so many and so many bytes so far, in so many seconds.
    Exporting { bucket: String, directory: String, objects: u64, bytes: u64, seconds: f64 },
    /// All that the bucket holds lies in the directory.
    Exported(Exported),
    /// After so many rounds objects still came into the bucket: what comes now isn't in the directory.
    ExportUnsettled { bucket: String, directory: String, rounds: u32 },
    /// Something that the environment had left behind was removed.
    LeftoverRemoved { service: String, name: String },
    /// Something bears a name of the environment's and isn't its own: it is left alone.
    NotOurs { service: String, name: String, because: String },
    /// `down --keep-data` found no data: there is no such bucket; or it is there and empty, and whether somebody who
    /// deletes the environment emptied it before nobody knows.
    NothingToKeep { bucket: String, is_there: bool },
    /// A function that was deleted may write its last log lines until so many seconds from now, and with them make this
    /// log group anew: it is looked for once more then.
    LastLines { group: String, seconds: f64 },
    /// Somebody brought the environment up again while it was torn down: that is left alone.
    BroughtUpAgain { stack: String, stack_id: String },
    /// Processors' zips that no environment uses any more were removed; with the last environment, their bucket too.
    ArtifactsRemoved { bucket: String, zips: u64, bucket_removed: bool },
    /// How far the producer is.
    Producing(Produced),
    /// The stream has taken no record for so many seconds, for this reason. What it refuses is sent again. Told once it
    /// lasts, and again where the reason changes.
    RecordsRefused { stream: String, reason: String, seconds: f64 },
    /// How far the consumer is.
    Consuming(Consumed),
    /// No read of a shard, or of the stream's list of them, has worked for so many seconds, for this reason. It is read
    /// again and again. Told once it lasts, and again where the reason changes.
    ReadsFailing { what: String, reason: String, seconds: f64 },
    /// They work again.
    ReadsWork { what: String },
    /// What the consumer has counted so far.
    Counted(Box<Statistics>),
    /// A shard was split or merged, and has been read to its end: its children are read from now on.
    ShardEnded { shard: String, children: Vec<String> },
    /// A consumer of our own reads the stream with a throughput of its own, so many seconds after it was registered.
    ConsumerReady { name: String, seconds: f64 },
    /// It was deregistered.
    ConsumerRemoved { name: String },
    /// A run that was killed, or that still goes on, has registered this one. The command removes it.
    ConsumerLeft {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        command: String,
    },
    /// How many rows have landed so far.
    WaitingForRows { rows: u64, wanted: u64 },
    /// A leg of the pipeline is not ready for a smoke test yet: the service's word for it.
    SmokeNotReady { leg: Leg, name: String, status: String },
    /// The stream took the marked records of a smoke test.
    SmokeSent(SmokeSent),
    /// How many of its trades have their rows, so many seconds after they were sent, and when all are due.
    SmokeWaiting { landed: usize, wanted: usize, seconds: f64, due_seconds: f64 },
    /// A leg was proven, is late, or is broken.
    SmokeLeg(LegReport),
    /// A smoke test has come to its end: each leg. It is told whether all of them work or not.
    SmokeEnded(Box<SmokeReport>),
    /// The rows that landed were printed.
    RowsRead(RowsRead),
    /// What lies under the error prefix was printed.
    FailuresRead(FailuresRead),
    /// What was logged since then was printed: so many lines.
    LogsRead { lines: u64, since: String },
    /// A log group isn't there (yet): nothing was ever logged to it, or it was deleted.
    LogGroupMissing { group: String },
    /// What is logged from now on is followed. `live_tail` is false where it is polled instead, and then may tell why.
    LogsFollowed {
        live_tail: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// The time of an environment that is brought up is over: the next `reap` takes it.
    Expired { stack: String, expires: String },
    /// An environment's time was changed. `before`: what it was, `expires`: what it is; `null`: it ends never.
    Extended { stack: String, before: Option<String>, expires: Option<String> },
    /// A region could not be asked for its environments.
    RegionUnread { region: String, error: Error },
    /// What `reap` is about to tear down.
    Due { environments: Vec<Due> },
    /// An environment whose time is over is being torn down. What happens to it is told under its own name.
    Reaping { env: String, region: String, expires: String },
    /// It is gone.
    Reaped { env: String, region: String, seconds: f64 },
    /// It could not be torn down.
    NotReaped { env: String, region: String, error: Error },
    /// Its time is over, but it stays.
    LeftAlone { env: String, region: String, because: String },
    /// The bucket of an environment that is gone is left alone by `reap`: it was kept on purpose (`down --keep-data`).
    BucketKept { env: String, region: String, bucket: String },
    /// A crate with a processor of one's own was written. `setting` is the line of the settings file that has `up` build
    /// it, where there is such a file and none in it.
    ProcessorWritten { directory: String, files: u64, setting: Option<String> },
    /// A processor was run here on somebody's records.
    ProcessorTested { records: u64, rows: u64, dropped: u64, failed: u64, batches: u64, seconds: f64 },
    /// The binary that becomes the reaper's function is at hand, packed.
    ReaperReady { sha256: String, bytes: u64, architecture: String },
    /// A run of the deployed reaper has ended: what became of the environments whose time was over. `interrupted`: for
    /// want of time the next run looks after them. `error`: why the run itself failed, where it did.
    ReaperRan {
        reaped: Vec<String>,
        failed: Vec<String>,
        left_alone: Vec<String>,
        interrupted: Vec<String>,
        seconds: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A call to a service ended (shown with `-v`). `attempt` counts from 1.
    Call { service: String, operation: String, attempt: u32, outcome: String, milliseconds: u64 },
    /// The command reached its end. Always the last line of a command that did.
    Done(Box<Done>),
}

/// How a command ended well. Fields that don't apply to the command are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Done {
    /// The verb: `up`, `down`, `produce`, …
    pub command: String,
    /// False where nothing had to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// The stack's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The stack's ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<String>,
    /// The stack's outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<BTreeMap<String, String>>,
    /// The producer's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub produced: Option<Produced>,
    /// What the consumer has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumed: Option<Consumed>,
    /// What was executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Which resources took the time, first to last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub critical_path: Vec<PathStep>,
    /// When the environment's time is over, RFC 3339. Left out where it never is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// What became of the environments whose time was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reckoning: Option<Reckoning>,
    /// All that was asked for and found gone, as `service name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<Vec<String>>,
    /// What was kept on purpose, as `bucket name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What was downloaded before it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exported: Option<Exported>,
    /// Seconds from the first call to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What a person would type next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<NextStep>,
}

/// A command that a person may want next, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NextStep {
    /// The command line.
    pub command: String,
    /// What it does, in a few words.
    pub does: String,
}

/// A question with a yes or no answer. Without anybody to ask, the answer is `no`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question, without question mark or choices.
    pub text: String,
}

/// Where events go. The engines know nothing else of the world that reads them.
pub trait Reporter: Send + Sync {
    /// Something happened. Must be quick and must not fail.
    fn tell(&self, event: &Event);

    /// The same for one of many environments that a command is at work on: for whoever wants to know all.
    fn tell_of(&self, env: &str, event: &Event) {
        let _ = (env, event);
    }

    /// Asks, and blocks until there is an answer. `None` where nobody is there to answer.
    fn ask(&self, question: &Question) -> Option<bool>;
}
