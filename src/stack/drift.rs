//! Drift: what was changed behind CloudFormation's back, by its own comparison.

use super::Context;
use super::cadence::Cadence;
use crate::cloud::fault;
use crate::error::Error;
use anyhow::Result;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types as cfn;
use serde::Serialize;
use std::time::Duration;

/// What CloudFormation says of a stack's resources, compared with its template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// `IN_SYNC`, `DRIFTED`, or `UNKNOWN` where it can't be told.
    pub status: String,
    /// Why it can't be told, or not of all resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The resources that were compared.
    pub resources: Vec<ResourceDrift>,
}

/// What CloudFormation says of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceDrift {
    /// The name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// `IN_SYNC`, `MODIFIED`, `DELETED`, `NOT_CHECKED`, …
    pub status: String,
    /// The properties that differ.
    pub differences: Vec<Difference>,
}

/// A property that isn't as the template has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// For instance `/RetentionPeriodHours`.
    pub path: String,
    /// What the template says.
    pub expected: String,
    /// What is so.
    pub actual: String,
    /// `ADD`, `REMOVE` or `NOT_EQUAL`.
    pub kind: String,
}

impl Drift {
    fn unknown(reason: impl Into<String>) -> Self {
        Drift { status: UNKNOWN.to_owned(), reason: Some(reason.into()), resources: Vec::new() }
    }
}

impl ResourceDrift {
    /// Whether it isn't as the template has it.
    pub fn differs(&self) -> bool {
        [cfn::StackResourceDriftStatus::Modified, cfn::StackResourceDriftStatus::Deleted]
            .iter()
            .any(|status| status.as_str() == self.status)
    }

    fn of(drift: &cfn::StackResourceDrift) -> Self {
        let status = drift.stack_resource_drift_status().map(cfn::StackResourceDriftStatus::as_str);
        ResourceDrift {
            logical_id: drift.logical_resource_id().unwrap_or_default().to_owned(),
            resource_type: drift.resource_type().unwrap_or_default().to_owned(),
            status: status.unwrap_or(UNKNOWN).to_owned(),
            differences: drift.property_differences().iter().map(Difference::of).collect(),
        }
    }
}

impl Difference {
    fn of(difference: &cfn::PropertyDifference) -> Self {
        Difference {
            path: difference.property_path().unwrap_or_default().to_owned(),
            expected: difference.expected_value().unwrap_or_default().to_owned(),
            actual: difference.actual_value().unwrap_or_default().to_owned(),
            kind: difference
                .difference_type()
                .map(cfn::DifferenceType::as_str)
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

const UNKNOWN: &str = "UNKNOWN";

/// How long to wait for a comparison. It mostly takes less than a minute.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Why a step can't be done: not now, or never for this stack and caller.
enum Hindered {
    ForNow,
    ForGood(anyhow::Error),
}

impl Hindered {
    fn of<E>(error: SdkError<E>, doing: &str) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        // Somebody's detection is under way: theirs ends, then ours begins.
        let busy = error.message().is_some_and(|text| text.contains("already in progress"));
        if busy || fault::is_transient(&error) {
            return Hindered::ForNow;
        }
        Hindered::ForGood(fault::explain(error, doing))
    }
}

/// Has CloudFormation compare the stack with its template. That it can't is an answer too, not a failure:
/// emulators have no drift, a permission may be missing, a failed stack isn't compared.
pub async fn detect(context: &Context, stack_id: &str, timeout: Duration) -> Result<Drift> {
    match tokio::time::timeout(timeout, detect_on(context, stack_id)).await {
        Ok(Ok(drift)) => Ok(drift),
        Ok(Err(error)) => {
            let error = Error::of(&error);
            let lasting = fault::is_lasting_refusal(&error);
            if lasting { Ok(Drift::unknown(error.cause.unwrap_or(error.message))) } else { Err(error.into()) }
        }
        Err(_) => Ok(Drift::unknown(format!("CloudFormation has not told after {}s", timeout.as_secs()))),
    }
}

async fn detect_on(context: &Context, stack_id: &str) -> Result<Drift> {
    let cloudformation = &context.clients.cloudformation;
    let detection = patiently(async || {
        let answer = cloudformation.detect_stack_drift().stack_name(stack_id).send().await;
        let answer = answer.map_err(|error| Hindered::of(error, "compare the stack with its template"))?;
        Ok(answer.stack_drift_detection_id().unwrap_or_default().to_owned())
    })
    .await?;
    let (status, reason) = ended(context, &detection).await?;
    let mut resources = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = patiently(async || {
            let request = cloudformation.describe_stack_resource_drifts().stack_name(stack_id);
            let answer = request.set_next_token(token.clone()).send().await;
            answer.map_err(|error| Hindered::of(error, "read the resources' drift"))
        })
        .await?;
        resources.extend(page.stack_resource_drifts().iter().map(ResourceDrift::of));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(Drift { status, reason, resources });
        }
    }
}

/// Waits until the detection has ended: the stack's status, and what hindered it.
async fn ended(context: &Context, detection: &str) -> Result<(String, Option<String>)> {
    let mut cadence = Cadence::default();
    loop {
        let answer = patiently(async || {
            let request = context.clients.cloudformation.describe_stack_drift_detection_status();
            let answer = request.stack_drift_detection_id(detection).send().await;
            answer.map_err(|error| Hindered::of(error, "wait for the comparison"))
        })
        .await?;
        let reason = answer.detection_status_reason().filter(|reason| !reason.is_empty()).map(str::to_owned);
        let drifted = answer.stack_drift_status().map_or(UNKNOWN, cfn::StackDriftStatus::as_str).to_owned();
        match answer.detection_status() {
            Some(cfn::StackDriftDetectionStatus::DetectionInProgress) => {}
            Some(cfn::StackDriftDetectionStatus::DetectionComplete) => return Ok((drifted, reason)),
            // What could be compared was: the rest has its reason.
            _ if drifted == cfn::StackDriftStatus::Drifted.as_str() => return Ok((drifted, reason)),
            _ => return Ok((UNKNOWN.to_owned(), reason.or_else(|| Some("the detection failed".to_owned())))),
        }
        tokio::time::sleep(Duration::from_secs_f64(cadence.after_look(0.0, fastrand::f64()))).await;
    }
}

/// Does it again for as long as it is hindered for now; the caller's deadline ends it.
async fn patiently<T>(step: impl AsyncFn() -> Result<T, Hindered>) -> Result<T> {
    let mut cadence = Cadence::joined();
    loop {
        match step().await {
            Ok(value) => return Ok(value),
            Err(Hindered::ForGood(error)) => return Err(error),
            Err(Hindered::ForNow) => {
                let wait = cadence.after_failure(fastrand::f64());
                tokio::time::sleep(Duration::from_secs_f64(wait)).await;
            }
        }
    }
}
