//! What is told of a stack: its resources, what is waited for, where the time went.

use serde::Serialize;

/// One line of a stack's history.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ResourceEvent {
    /// The name in the template; the stack's own name for the stack itself.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// CloudFormation's own word.
    pub status: String,
    /// How far that is from the end.
    pub progress: Progress,
    /// CloudFormation's sentence, where it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds since the resource's work began, by the service's own clock, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How long that usually takes, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usual: Option<Usual>,
}

/// How long something usually takes, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Usual {
    /// Hardly ever less.
    pub least: f64,
    /// Mostly not more.
    pub most: f64,
}

/// A resource that is being waited for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaitingFor {
    /// The name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// Seconds since its work began.
    pub seconds: f64,
    /// How long that usually takes, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usual: Option<Usual>,
}

/// One resource on the critical path.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PathStep {
    /// The name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How long nothing on the path happened before it began, in seconds.
    pub idle_seconds: f64,
}

/// How a stuck stack is freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// DeleteStack: it holds nothing that could be lost.
    Delete,
    /// RollbackStack.
    Rollback,
    /// ContinueUpdateRollback.
    ContinueRollback,
}

/// How far a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Being worked on.
    Working,
    /// Ended well.
    Complete,
    /// Ended badly.
    Failed,
}
