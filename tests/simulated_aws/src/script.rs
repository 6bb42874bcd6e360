//! What an account can be told to do: how long things take, what fails, and when its caller dies.

use crate::lambda::Processor;
use crate::wire::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How the account behaves. The default is a quiet day.
#[derive(Debug, Clone)]
pub struct Script {
    /// Multiplies how long CloudFormation takes for a resource.
    pub pace: f64,
    /// How likely a delivery stream takes 20 minutes instead of one, from 0 to 1.
    pub stragglers: f64,
    /// How long a change set is pending.
    pub change_set_seconds: f64,
    /// Why change sets fail, where they do.
    pub refused_template: Option<String>,
    /// Resources with a property that early validation refuses: its path below `Properties`, and the sentence.
    pub invalid: BTreeMap<String, Vec<(String, String)>>,
    /// Whether an execution that is validated is refused for what it was to take over being there. AWS doesn't; what
    /// speaks its interface may.
    pub imports_conflict: bool,
    /// Entries a page, of stacks, events, changes and drifts.
    pub page: usize,
    /// Keys a page, of objects and of uploads.
    pub keys: usize,
    /// How many events of the page before a page repeats.
    pub repeats: usize,
    /// How late an event may be told, at most. Each has a delay of its own.
    pub event_lag_seconds: f64,
    /// How long a look at a stack may still show what was before an execution.
    pub stale_seconds: f64,
    /// Resources that can't be made or changed, and CloudFormation's sentence about it.
    pub failing: BTreeMap<String, String>,
    /// Resources that can't return to what they were before an update, and the sentence.
    pub stuck: BTreeMap<String, String>,
    /// Resources that can't be deleted, and the sentence.
    pub undeletable: BTreeMap<String, String>,
    /// Resources whose failure is told only after the stack's own last event.
    pub late: BTreeSet<String>,
    /// For how long after its making a role can't be assumed: what needs it then fails to be made.
    pub iam_lag_seconds: f64,
    /// How many more creations meet that.
    pub iam_races: u32,
    /// How long a deleted bucket's name stays taken.
    pub bucket_name_seconds: f64,
    /// How long drift detection takes.
    pub drift_seconds: f64,
    /// How many more times rows land in a bucket just before CloudFormation, or a DeleteBucket, deletes it.
    pub arrivals: u32,
    /// How many more delivery streams flush a row into their bucket while they die.
    pub flushes: u32,
    /// How long a delivery stream is DELETING.
    pub delivery_deletion_seconds: f64,
    /// Whether functions write a last log line after they and their log group were deleted.
    pub late_logs: bool,
    /// Whether that line makes `/aws/lambda/NAME` whatever the function's LoggingConfig and its role say.
    pub late_log_group: bool,
    /// How long a deleted thing, and one that lost its tags, is still told by the Resource Groups Tagging API.
    pub tagging_lag_seconds: f64,
    /// Whether that API tells roles.
    pub tagging_tells_roles: bool,
    /// Why new code of a function fails to become active, where it does.
    pub refused_code: Option<String>,
    /// How many more keys DeleteObjects refuses with an InternalError of their own, inside a 200.
    pub key_errors: u32,
    /// How many calls a bucket takes in a second: what is more is a SlowDown.
    pub bucket_calls_per_second: Option<u32>,
    /// How many keys a bucket deletes in a second: what is more is a SlowDown.
    pub bucket_deletions_per_second: Option<u32>,
    /// Regions that the account hasn't enabled.
    pub disabled_regions: BTreeSet<String>,
    /// How many shards all streams of the account can have.
    pub shard_limit: usize,
    /// How many streams can be CREATING at once.
    pub streams_creating: usize,
    /// How many roles the account can have.
    pub role_limit: usize,
    /// How many stacks the account can have.
    pub stack_limit: usize,
    /// The lines in log groups, by group.
    pub log_lines: BTreeMap<String, Vec<String>>,
    /// How many more records PutRecords refuses with an InternalFailure of their own, inside a 200.
    pub record_failures: u32,
    /// How many records a shard takes in a second.
    pub shard_records_per_second: f64,
    /// How many bytes a record can have, where it isn't a mebibyte.
    pub largest_record: Option<usize>,
    /// How long a stream is UPDATING while its shards are changed.
    pub resharding_seconds: f64,
    /// How many more event streams break after their first events.
    pub broken_streams: u32,
    /// How long after it came a log line is told by FilterLogEvents and GetLogEvents.
    pub log_lag_seconds: f64,
    /// How many lines a page of FilterLogEvents has at most.
    pub log_page: usize,
    /// Whether the first page of FilterLogEvents is empty where there are others.
    pub empty_log_page: bool,
    /// How long after its end a minute's metrics are told.
    pub metric_lag_seconds: f64,
    /// What functions do. Where nothing is said, they answer every record as it came.
    pub processor: Option<Processor>,
    /// Why every invocation of a function fails, where it does.
    pub failing_function: Option<String>,
    /// Whether every invocation of a function takes longer than it may.
    pub slow_function: bool,
    /// Whether every invocation of a function is throttled. A template's reserved concurrency of 0 does the same.
    pub throttled_function: bool,
    /// IAM actions that delivery streams lack: to read the stream `kinesis:GetRecords`, or where a key has to be used
    /// for that `kms:Decrypt`; `lambda:InvokeFunction`, `s3:PutObject`, `kms:GenerateDataKey`, `logs:PutLogEvents`.
    pub delivery_denied: BTreeSet<String>,
    /// Whether delivery streams read nothing, whatever their state says.
    pub delivery_never_reads: bool,
    /// How many calls of an operation, by its name, a region takes in a second, whoever makes them: what is more is
    /// throttled.
    pub calls_per_second: BTreeMap<String, u32>,
    /// IAM actions that the caller lacks, such as `cloudformation:DescribeEvents`.
    pub denied: BTreeSet<String>,
}

impl Default for Script {
    fn default() -> Self {
        Script {
            pace: 1.0,
            stragglers: 0.0,
            change_set_seconds: 2.0,
            refused_template: None,
            invalid: BTreeMap::new(),
            imports_conflict: false,
            page: 100,
            keys: 1_000,
            repeats: 0,
            event_lag_seconds: 0.0,
            stale_seconds: 0.0,
            failing: BTreeMap::new(),
            stuck: BTreeMap::new(),
            undeletable: BTreeMap::new(),
            late: BTreeSet::new(),
            iam_lag_seconds: 0.0,
            iam_races: u32::MAX,
            bucket_name_seconds: 0.0,
            drift_seconds: 15.0,
            arrivals: 0,
            flushes: 0,
            delivery_deletion_seconds: 30.0,
            late_logs: false,
            late_log_group: false,
            tagging_lag_seconds: 20.0,
            tagging_tells_roles: false,
            refused_code: None,
            key_errors: 0,
            bucket_calls_per_second: None,
            bucket_deletions_per_second: None,
            disabled_regions: BTreeSet::new(),
            shard_limit: 500,
            streams_creating: 5,
            role_limit: 1_000,
            stack_limit: 2_000,
            log_lines: BTreeMap::new(),
            record_failures: 0,
            shard_records_per_second: 1_000.0,
            largest_record: None,
            resharding_seconds: 30.0,
            broken_streams: 0,
            log_lag_seconds: 2.0,
            log_page: 1_000,
            empty_log_page: true,
            metric_lag_seconds: 60.0,
            processor: None,
            failing_function: None,
            slow_function: false,
            throttled_function: false,
            delivery_denied: BTreeSet::new(),
            delivery_never_reads: false,
            calls_per_second: BTreeMap::new(),
            denied: BTreeSet::new(),
        }
    }
}

/// Calls of an operation that are refused.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The operation's name.
    pub operation: &'static str,
    /// Which of its calls.
    pub when: When,
    /// The answer.
    pub refusal: Refusal,
}

/// Which calls a fault hits.
#[derive(Debug, Clone)]
pub enum When {
    /// All.
    Always,
    /// The next so many.
    Times(u32),
    /// The next one, and all within so long after it.
    For(Duration),
    /// Those between two moments, counted from the account's beginning.
    Between(Duration, Duration),
}

impl When {
    /// Whether it hits a call at this age of the account.
    pub(crate) fn hits(&mut self, age: Duration) -> bool {
        match self {
            When::Always => true,
            When::Times(left) => {
                let hits = *left > 0;
                *left = left.saturating_sub(1);
                hits
            }
            When::For(long) => {
                *self = When::Between(age, age + *long);
                true
            }
            When::Between(from, until) => (*from..*until).contains(&age),
        }
    }
}

/// The end of whoever makes a call: its answer never arrives.
#[derive(Debug, Clone)]
pub struct Kill {
    /// The number of the call, from 0 on.
    pub at: usize,
    /// Whether the call takes effect nevertheless.
    pub after_effect: bool,
    /// Notified at that call.
    pub signal: Arc<Notify>,
}
