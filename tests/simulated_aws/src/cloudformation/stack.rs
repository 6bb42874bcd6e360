//! Stacks, and all that CloudFormation remembers of them.

use super::changes::Change;
use super::steps::Step;
use super::validation::Finding;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::time::Instant;

/// A stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Its ARN.
    pub id: String,
    /// Its name, which another may bear when it is gone.
    pub name: String,
    /// Its state.
    pub status: String,
    /// CloudFormation's sentence about it.
    pub reason: String,
    /// What it was made from last, or is being made from.
    pub deployed: Deployment,
    /// What it holds, and what it held.
    pub resources: Vec<Resource>,
    /// Oldest first.
    pub events: Vec<Event>,
    /// Those that wait to be executed.
    pub change_sets: Vec<ChangeSet>,
    /// The one that was executed last.
    pub executed: Option<ChangeSet>,
    /// Oldest first.
    pub operations: Vec<Operation>,
    /// Whether the last event of the last operation was read.
    pub end_told: bool,
    /// Termination protection.
    pub protected: bool,
    /// The stack policy, as JSON.
    pub policy: Option<String>,
    /// The role that CloudFormation assumes for it.
    pub role: Option<String>,
    /// How it was deployed last.
    pub terms: Terms,
    /// Fact: a failed EXPRESS update demands EXPRESS until *_COMPLETE.
    pub owes_express: bool,
    /// Properties that somebody changed outside CloudFormation: logical id, path, value.
    pub drifted: BTreeMap<String, BTreeMap<String, String>>,
    /// What the last drift detection found, and when.
    pub found: Option<(Instant, Vec<Drift>)>,
    /// When it got its name.
    pub made: Instant,
    /// When it was updated last.
    pub updated: Option<Instant>,
    /// When it went.
    pub deleted: Option<Instant>,
    /// Until when a look at it may show this state and not its newest operation.
    pub stale: Option<(Instant, String)>,
    /// What an update that fails returns to.
    pub(crate) before: Deployment,
    /// What it held when the update began.
    pub(crate) held: Vec<Resource>,
    /// What the running operation has changed so far.
    pub(crate) touched: BTreeSet<String>,
    /// What the running operation has made so far.
    pub(crate) created: Vec<Resource>,
    pub(crate) schedule: VecDeque<(Instant, Step)>,
    /// The operation that was refused before it began with a resource, and for what.
    pub(crate) refused: Option<(String, Vec<Finding>)>,
}

/// What a stack is made from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deployment {
    /// The template's text.
    pub template: String,
    /// By name.
    pub parameters: BTreeMap<String, String>,
    /// By key.
    pub tags: BTreeMap<String, String>,
}

/// How a stack is deployed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    /// What happens when a resource fails.
    pub on_failure: OnFailure,
    /// Whether resources need only be configured, not ready.
    pub express: bool,
    /// Whether what just was created goes in spite of its DeletionPolicy.
    pub retain_except_on_create: bool,
}

/// What happens when a resource fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The stack returns to what it was.
    #[default]
    RollBack,
    /// The stack stays as it is.
    Keep,
    /// The stack goes.
    Delete,
}

/// One resource of a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its key in the template.
    pub logical_id: String,
    /// Its type, such as `AWS::S3::Bucket`.
    pub kind: String,
    /// Its name.
    pub physical_id: String,
    /// Its state.
    pub status: String,
}

/// A change set that wasn't executed.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The token of the request that made it.
    pub token: String,
    /// Its operation.
    pub operation: String,
    /// When it was asked for.
    pub made: Instant,
    /// When it is known what it would do.
    pub ready: Instant,
    /// What it would deploy.
    pub deployment: Deployment,
    /// How.
    pub terms: Terms,
    /// Whether it says itself what happens on failure: then its execution may not.
    pub says_on_failure: bool,
    /// The role that it brings.
    pub role: Option<String>,
    /// What it would do, or why it failed.
    pub(crate) outcome: Result<Vec<Change>, String>,
    pub(crate) findings: Vec<Finding>,
    /// As it was sent.
    pub(crate) request: crate::wire::Call,
}

/// Something that CloudFormation does with a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Unique.
    pub id: String,
    /// `CREATE_STACK`, `ROLLBACK` and so on.
    pub kind: &'static str,
    /// The ClientRequestToken of the request, empty where none was sent.
    pub token: String,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Unique.
    pub id: String,
    /// What it happened to, in the state that it entered.
    pub resource: Resource,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Instant,
    /// From when on it is told.
    pub told: Instant,
    /// Told only after the stack's own last event.
    pub late: bool,
    /// Its operation's id.
    pub operation: String,
    /// Its operation's token.
    pub token: String,
}

/// A resource that is no longer what its stack made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Which.
    pub logical_id: String,
    /// Whether it isn't there any more.
    pub deleted: bool,
    /// Where it isn't as it should be.
    pub differences: Vec<Difference>,
}

/// A property that isn't as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Such as `/RetentionPeriodHours`.
    pub path: String,
    /// What the template says.
    pub expected: String,
    /// What it is.
    pub actual: String,
}

impl Resource {
    /// In no state yet.
    pub fn new(logical_id: &str, kind: &str, physical_id: &str) -> Self {
        Resource {
            logical_id: logical_id.to_owned(),
            kind: kind.to_owned(),
            physical_id: physical_id.to_owned(),
            status: String::new(),
        }
    }
}

impl Stack {
    /// A stack that is no more than its name.
    pub fn new(id: String, name: String, made: Instant) -> Self {
        Stack {
            id,
            name,
            status: "REVIEW_IN_PROGRESS".to_owned(),
            reason: String::new(),
            deployed: Deployment::default(),
            resources: Vec::new(),
            events: Vec::new(),
            change_sets: Vec::new(),
            executed: None,
            operations: Vec::new(),
            end_told: false,
            protected: false,
            policy: None,
            role: None,
            terms: Terms::default(),
            owes_express: false,
            drifted: BTreeMap::new(),
            found: None,
            made,
            updated: None,
            deleted: None,
            stale: None,
            before: Deployment::default(),
            held: Vec::new(),
            touched: BTreeSet::new(),
            created: Vec::new(),
            schedule: VecDeque::new(),
            refused: None,
        }
    }

    /// Whether it was deleted: it answers to its id only.
    pub fn is_gone(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    /// Whether something is going on.
    pub fn is_busy(&self) -> bool {
        !self.schedule.is_empty()
    }

    /// What changes are counted from. `None` where there is nothing yet.
    pub(crate) fn base(&self) -> Option<&Deployment> {
        match self.status.as_str() {
            "REVIEW_IN_PROGRESS" | "CREATE_FAILED" => None,
            "UPDATE_FAILED" => Some(&self.before),
            _ => Some(&self.deployed),
        }
    }

    pub(crate) fn status_of(&self, logical_id: &str) -> Option<&str> {
        self.resources.iter().find(|it| it.logical_id == logical_id).map(|it| it.status.as_str())
    }

    pub(crate) fn physical_id(&self, logical_id: &str) -> Option<&str> {
        self.resources.iter().find(|it| it.logical_id == logical_id).map(|it| it.physical_id.as_str())
    }

    /// Resources that were made and not deleted since.
    pub(crate) fn live(&self) -> Vec<Resource> {
        let is_gone = |it: &Resource| ["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&it.status.as_str());
        self.resources.iter().filter(|it| !is_gone(it) && !it.physical_id.is_empty()).cloned().collect()
    }

    /// The stack as one of its own resources, as events tell it.
    pub(crate) fn as_resource(&self) -> Resource {
        let resource = Resource::new(&self.name, "AWS::CloudFormation::Stack", &self.id);
        Resource { status: self.status.clone(), ..resource }
    }

    /// Puts a step where it belongs in time.
    pub(crate) fn later(&mut self, at: Instant, step: Step) {
        let place = self.schedule.partition_point(|(other, _)| *other <= at);
        self.schedule.insert(place, (at, step));
    }
}
