//! Drift: what somebody changed outside CloudFormation.

use super::stack::{Drift, Stack};
use super::{named, page, with_named};
use crate::Account;
use crate::wire::{Call, Refusal, Reply, tag, text};
use std::time::Duration;
use tokio::time::Instant;

/// A search for drifts, which takes a while.
#[derive(Debug, Clone)]
pub(crate) struct Detection {
    id: String,
    stack: String,
    ready: Instant,
}

impl Account {
    /// What of a stack isn't as its template says.
    pub(crate) fn drifts(&self, stack: &Stack) -> Vec<Drift> {
        let live = stack.live().into_iter().filter(|it| self.keeps(&it.kind));
        let drift = live.map(|resource| Drift {
            deleted: !self.exists(&resource.kind, &resource.physical_id),
            differences: self.differences(stack, &resource.logical_id),
            logical_id: resource.logical_id,
        });
        drift.filter(|drift| drift.deleted || !drift.differences.is_empty()).collect()
    }
}

pub fn detect(account: &mut Account, call: &Call) -> Reply {
    let ready = account.clock.now() + Duration::from_secs_f64(account.script.drift_seconds);
    let id = format!("b78ac9b0-0000-4000-8000-{:012x}", account.number());
    let stack = named(account, call)?;
    let settled = stack.status.ends_with("_COMPLETE") || stack.status.ends_with("_FAILED");
    if !settled || stack.is_gone() {
        return Err(Refusal::validation(format!(
            "Drift detection can not be performed on stack {} in {} state",
            stack.id, stack.status
        )));
    }
    let stack = stack.id.clone();
    account.detections.push(Detection { id: id.clone(), stack, ready });
    Ok(text("StackDriftDetectionId", &id))
}

pub fn detection_status(account: &mut Account, call: &Call) -> Reply {
    let (wanted, now) = (call.get("StackDriftDetectionId"), account.clock.now());
    let Some(detection) = account.detections.iter().find(|it| it.id == wanted).cloned() else {
        return Err(Refusal::validation(format!("DriftDetectionId {wanted} does not exist")));
    };
    let head = text("StackId", &detection.stack)
        + &text("StackDriftDetectionId", wanted)
        + &text("Timestamp", &account.time(now));
    if now < detection.ready {
        return Ok(head + &text("DetectionStatus", "DETECTION_IN_PROGRESS"));
    }
    let found = account.with_stack(&detection.stack, |account, stack| {
        if stack.found.as_ref().is_none_or(|(at, _)| *at < detection.ready) {
            stack.found = Some((detection.ready, account.drifts(stack)));
        }
        stack.found.as_ref().map(|(_, drifts)| drifts.len()).unwrap_or_default()
    });
    let found = found.unwrap_or_default();
    Ok(head
        + &text("DetectionStatus", "DETECTION_COMPLETE")
        + &text("StackDriftStatus", if found == 0 { "IN_SYNC" } else { "DRIFTED" })
        + &text("DriftedStackResourceCount", &found.to_string()))
}

pub fn resource_drifts(account: &mut Account, call: &Call) -> Reply {
    let (wanted, size) = (call.list("StackResourceDriftStatusFilters"), account.script.page);
    let members = with_named(account, call, |account, stack| {
        let checked = stack.found.as_ref().map_or(stack.made, |(at, _)| *at);
        let members = stack.live().into_iter().filter_map(|resource| {
            let found = stack.found.as_ref().map(|(_, drifts)| drifts);
            let drift =
                found.and_then(|drifts| drifts.iter().find(|it| it.logical_id == resource.logical_id));
            let status = match (found, drift) {
                (None, _) => "NOT_CHECKED",
                (_, None) => "IN_SYNC",
                (_, Some(drift)) if drift.deleted => "DELETED",
                _ => "MODIFIED",
            };
            if !wanted.is_empty() && !wanted.iter().any(|it| it == status) {
                return None;
            }
            let differences = drift.into_iter().flat_map(|drift| &drift.differences).map(|it| {
                let difference = text("PropertyPath", &it.path)
                    + &text("ExpectedValue", &it.expected)
                    + &text("ActualValue", &it.actual)
                    + &text("DifferenceType", "NOT_EQUAL");
                tag("member", &difference)
            });
            let differences = tag("PropertyDifferences", &differences.collect::<String>());
            let member = text("StackId", &stack.id)
                + &text("LogicalResourceId", &resource.logical_id)
                + &text("PhysicalResourceId", &resource.physical_id)
                + &text("ResourceType", &resource.kind)
                + &text("StackResourceDriftStatus", status)
                + &text("Timestamp", &account.time(checked));
            Some(member + &differences)
        });
        Ok(members.collect())
    })?;
    Ok(page("StackResourceDrifts", members, call, size))
}
