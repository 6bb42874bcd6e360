//! All that there is in an account, and how it answers.

use crate::clock::Clock;
use crate::cloudformation::{self, Detection, Stack};
use crate::others::Deed;
use crate::rate::Rate;
use crate::s3::{self, Bucket};
use crate::script::{Fault, Kill, Script};
use crate::spell::Spell;
use crate::tagging::Remembered;
use crate::things::{Coming, Thing};
use crate::weather::Weather;
use crate::wire::{Answer, Call, Refusal, Reply};
use crate::{ACCOUNT, arn, firehose, iam, kinesis, lambda, logs, metrics, sts, tagging};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// All that there is.
#[derive(Debug, Clone)]
pub struct Account {
    /// The region that every service is in.
    pub region: String,
    /// The caller's ARN.
    pub caller: String,
    /// All calls so far.
    pub calls: Vec<Call>,
    /// Calls that are refused.
    pub faults: Vec<Fault>,
    /// Other trouble for its calls, each kind as the weather has it.
    pub spells: Vec<Spell>,
    /// Those that are there, and those that were.
    pub stacks: Vec<Stack>,
    /// By name.
    pub buckets: BTreeMap<String, Bucket>,
    /// Everything that isn't a bucket, by type and name.
    pub things: BTreeMap<(String, String), Thing>,
    /// How it behaves.
    pub script: Script,
    /// When its caller dies.
    pub kill: Option<Kill>,
    /// What befalls its calls.
    pub weather: Option<Weather>,
    /// What there is in other regions, where a test put something.
    pub regions: BTreeMap<String, Account>,
    pub(crate) clock: Clock,
    /// What streams hold, by name.
    pub(crate) streams: BTreeMap<String, kinesis::Stream>,
    /// What log groups hold, by name.
    pub(crate) log_groups: BTreeMap<String, logs::Group>,
    /// How many lines were ever logged.
    pub(crate) log_lines: u64,
    /// What delivery streams have read and not delivered, by name.
    pub(crate) deliveries: BTreeMap<String, firehose::Delivery>,
    /// How many times functions were invoked.
    pub(crate) invocations: u64,
    /// What was counted.
    pub(crate) metrics: metrics::Metrics,
    /// What somebody does right before the next call of an operation is answered.
    pub(crate) awaited: Vec<(String, Deed)>,
    /// What each bucket, and each operation in a region, was asked in its running second.
    pub(crate) rates: BTreeMap<String, Rate>,
    /// Names of deleted buckets, and until when they stay taken.
    pub(crate) freed: BTreeMap<String, Instant>,
    pub(crate) detections: Vec<Detection>,
    /// What was deleted and is still told of by its tags: until when, its type, its ARN, its tags.
    pub(crate) remembered: Vec<Remembered>,
    pub(crate) coming: Vec<(Instant, Coming)>,
    pub(crate) rng: Rng,
    /// The moment whose steps are just taken.
    stepping: Option<Instant>,
    serial: u64,
}

impl Account {
    /// An empty account on a quiet day.
    pub fn new(region: &str) -> Self {
        Account {
            region: region.to_owned(),
            caller: format!("arn:aws:iam::{ACCOUNT}:user/somebody"),
            calls: Vec::new(),
            faults: Vec::new(),
            spells: Vec::new(),
            stacks: Vec::new(),
            buckets: BTreeMap::new(),
            things: BTreeMap::new(),
            script: Script::default(),
            kill: None,
            weather: None,
            regions: BTreeMap::new(),
            clock: Clock::new(),
            streams: BTreeMap::new(),
            log_groups: BTreeMap::new(),
            log_lines: 0,
            deliveries: BTreeMap::new(),
            invocations: 0,
            metrics: BTreeMap::new(),
            awaited: Vec::new(),
            rates: BTreeMap::new(),
            freed: BTreeMap::new(),
            detections: Vec::new(),
            remembered: Vec::new(),
            coming: Vec::new(),
            rng: Rng::with_seed(0),
            stepping: None,
            serial: 0,
        }
    }

    /// How old the account is.
    pub fn age(&self) -> Duration {
        self.clock.age()
    }

    /// Draws durations and delays from this seed from now on.
    pub fn seed(&mut self, seed: u64) {
        self.rng = Rng::with_seed(seed);
    }

    /// Takes every step that is due, in the order in which they fall due.
    pub fn advance(&mut self, now: Instant) {
        self.regions.values_mut().for_each(|region| region.advance(now));
        loop {
            let stacks = self.stacks.iter().enumerate();
            let due = stacks.filter_map(|(place, stack)| Some((stack.schedule.front()?.0, Some(place))));
            let due = due.chain(self.coming.iter().map(|(at, _)| (*at, None))).filter(|(at, _)| *at <= now);
            match due.min_by_key(|(at, _)| *at) {
                None => break,
                Some((at, Some(place))) => {
                    self.stepping = Some(at);
                    let mut stack = self.stacks.remove(place);
                    if let Some((at, step)) = stack.schedule.pop_front() {
                        self.step(&mut stack, at, step);
                    }
                    self.stacks.insert(place, stack);
                }
                Some((due, None)) => {
                    let place = self.coming.iter().position(|(at, _)| *at == due).unwrap_or_default();
                    let (at, coming) = self.coming.remove(place);
                    self.stepping = Some(at);
                    self.comes(at, coming);
                }
            }
        }
        let gone = self.things.iter().filter_map(|(key, thing)| Some((key.clone(), thing.gone?)));
        let gone: Vec<_> = gone.filter(|(_, gone)| *gone <= now).collect();
        for ((kind, name), gone) in gone {
            self.stepping = Some(gone);
            self.unmake(&kind, &name);
        }
        self.stepping = None;
    }

    fn comes(&mut self, at: Instant, coming: Coming) {
        match coming {
            Coming::LogLine(group) if !self.exists("AWS::Logs::LogGroup", &group) => {
                self.make_from("AWS::Logs::LogGroup", &group, at, at);
            }
            Coming::LogLine(_) => {}
            // Whatever bears its name by now may be another.
            Coming::End(kind, name, made) => {
                if self.thing(&kind, &name).is_some_and(|thing| thing.made == made) {
                    self.goes(&kind, &name, at);
                }
            }
            Coming::Delivers(delivery, made) => self.delivers(&delivery, made, at),
            Coming::Reshards(stream, made, what) => self.reshards(&stream, made, &what, at),
            Coming::Somebody(act) => self.somebody(act),
            Coming::Deed(deed) => self.somebody_does(deed),
        }
    }

    /// What the account says to a call, and does.
    pub(crate) fn reply(&mut self, call: &Call) -> Result<Answer, Refusal> {
        if let Some(refusal) = self.refusal(call) {
            return Err(refusal);
        }
        self.deeds_before(&call.operation);
        if let Some(elsewhere) = self.elsewhere(call) {
            return elsewhere.serve(call);
        }
        self.serve(call)
    }

    fn serve(&mut self, call: &Call) -> Result<Answer, Refusal> {
        if ["GetObject", "HeadObject"].contains(&call.operation.as_str()) {
            return s3::serve_object(self, call);
        }
        match call.operation.as_str() {
            "SubscribeToShard" => return kinesis::subscribe(self, call).map(Answer::of),
            "StartLiveTail" => return logs::live_tail(self, call).map(Answer::of),
            _ if call.service == "monitoring" => return metrics::serve(self, call),
            _ => {}
        }
        let reply: Reply = match call.service.as_str() {
            "cloudformation" => cloudformation::serve(self, call),
            "s3" => s3::serve(self, call),
            "sts" => sts::serve(self, call),
            "iam" => iam::serve(self, call),
            "kinesis" => kinesis::serve(self, call),
            "firehose" => firehose::serve(self, call),
            "lambda" => lambda::serve(self, call),
            "logs" => logs::serve(self, call),
            "tagging" => tagging::serve(self, call),
            _ => Err(unknown(call)),
        };
        reply.map(Answer::from)
    }

    fn refusal(&mut self, call: &Call) -> Option<Refusal> {
        let age = self.age();
        let mut faults = self.faults.iter_mut().filter(|fault| fault.operation == call.operation);
        if let Some(fault) = faults.find_map(|fault| fault.when.hits(age).then(|| fault.refusal.clone())) {
            return Some(fault);
        }
        if self.script.disabled_regions.contains(&call.region) {
            return Some(Refusal::disabled_region(&call.service));
        }
        if let Some(throttled) = self.throttles(call) {
            return Some(throttled);
        }
        let action = call.action();
        let denied = self.script.denied.contains(&action);
        denied.then(|| Refusal::denied(&self.caller, &action, &self.resource_of(call)))
    }

    /// The ARN of what a call is about, as a denial names it.
    pub(crate) fn resource_of(&self, call: &Call) -> String {
        let (kind, name) = match call.service.as_str() {
            "cloudformation" => ("AWS::CloudFormation::Stack", call.get("StackName")),
            "s3" => ("AWS::S3::Bucket", call.get("Bucket")),
            "iam" => ("AWS::IAM::Role", call.get("RoleName")),
            "kinesis" => ("AWS::Kinesis::Stream", call.get("StreamName")),
            "firehose" => ("AWS::KinesisFirehose::DeliveryStream", call.get("DeliveryStreamName")),
            "lambda" => ("AWS::Lambda::Function", call.get("FunctionName")),
            _ => return "*".to_owned(),
        };
        if name.starts_with("arn:") { name.to_owned() } else { arn::of(&self.region, kind, name) }
    }

    /// Now, or the moment whose steps are just taken: whoever looks seldom finds out late, but nothing happens late.
    pub(crate) fn present(&self) -> Instant {
        self.stepping.unwrap_or_else(|| self.clock.now())
    }

    /// RFC 3339, by the account's own clock.
    pub(crate) fn time(&self, at: Instant) -> String {
        self.clock.written(at)
    }

    /// A number that nothing else has.
    pub(crate) fn number(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The first of so many numbers that nothing else has.
    pub(crate) fn serial_for(&mut self, numbers: usize) -> u64 {
        let first = self.serial + 1;
        self.serial += numbers as u64;
        first
    }

    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{ACCOUNT}:{resource}", self.region)
    }
}

/// The answer to a call that nobody taught the account. In process it becomes a panic: a test has gone astray.
pub(crate) fn unknown(call: &Call) -> Refusal {
    let message = format!("the simulated account doesn't know {} {}", call.service, call.operation);
    Refusal::new(501, UNKNOWN, message)
}

/// The code of an answer to an unknown call.
pub(crate) const UNKNOWN: &str = "NotImplemented";
