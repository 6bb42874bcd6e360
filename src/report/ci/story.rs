//! What happened, gathered while it happens, for whoever reads it afterwards.

use super::fates::Fates;
use crate::data::smoke::SmokeReport;
use crate::event::{Event, PathStep, Progress, ResourceEvent, Usual};
use crate::stack::plan::Operation;

/// What happened.
#[derive(Debug, Default)]
pub struct Story {
    /// One entry for each resource, in the order of their beginnings.
    pub resources: Vec<Entry>,
    /// Which resources took the time, and how long the whole took.
    pub critical_path: Option<(Vec<PathStep>, f64)>,
    /// Sentences about turns that the run took.
    pub turns: Vec<String>,
    /// Each leg of the pipeline, where that was tested.
    pub smoke: Option<SmokeReport>,
    /// What became of each environment whose time was over.
    pub fates: Fates,
}

/// A resource and what was done with it last.
#[derive(Debug)]
pub struct Entry {
    /// The name in the template.
    pub logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    pub resource_type: String,
    /// The last state it entered.
    pub status: String,
    /// How far that is from the end.
    pub progress: Progress,
    /// How long it took.
    pub seconds: Option<f64>,
    /// How long that usually takes.
    pub usual: Option<Usual>,
}

impl Story {
    /// Takes an event in. `words` are its own, where it has some.
    pub fn hear(&mut self, event: &Event, words: Option<&str>) {
        match event {
            // It begins with nothing: what an earlier attempt made is gone.
            Event::OperationStarted { operation: Operation::Create, .. } => self.resources.clear(),
            Event::BucketRemoved { .. } => {
                let kept = self.resources.iter_mut().filter(|entry| entry.status == "DELETE_SKIPPED");
                kept.for_each(|entry| "DELETE_COMPLETE".clone_into(&mut entry.status));
            }
            Event::Resource(resource) if resource.resource_type != "AWS::CloudFormation::Stack" => {
                self.resource(resource);
            }
            Event::SmokeEnded(report) => self.smoke = Some(report.as_ref().clone()),
            Event::CriticalPath { steps, seconds } if !steps.is_empty() => {
                self.critical_path = Some((steps.clone(), *seconds));
            }
            Event::Recovering { .. }
            | Event::Retrying { .. }
            | Event::Cancelling { .. }
            | Event::Withdrawing { .. }
            | Event::CodeUpdated { .. }
            | Event::Exported(_)
            | Event::ExportUnsettled { .. }
            | Event::NotOurs { .. }
            | Event::NothingToKeep { .. }
            | Event::BroughtUpAgain { .. }
            | Event::MarksYielded { .. }
            | Event::Expired { .. }
            | Event::Extended { .. }
            | Event::Protected { .. } => self.turns.extend(words.map(str::to_owned)),
            _ => self.fates.hear(event),
        }
    }

    fn resource(&mut self, resource: &ResourceEvent) {
        let deed = |status: &str| status.split('_').next().map(str::to_owned);
        let known = self.resources.iter_mut().find(|entry| entry.logical_id == resource.logical_id);
        let entry = match known {
            // What is deleted after an update is what was replaced; after a failure it is only cleared away.
            Some(entry)
                if resource.status.starts_with("DELETE_")
                    && !entry.status.starts_with("DELETE_")
                    && (entry.status.starts_with("UPDATE_") || entry.progress == Progress::Failed) =>
            {
                return;
            }
            Some(entry) => {
                if deed(&entry.status) != deed(&resource.status) {
                    (entry.seconds, entry.usual) = (None, None);
                }
                entry
            }
            None => {
                self.resources.push(Entry {
                    logical_id: resource.logical_id.clone(),
                    resource_type: resource.resource_type.clone(),
                    status: String::new(),
                    progress: resource.progress,
                    seconds: None,
                    usual: None,
                });
                let Some(entry) = self.resources.last_mut() else { return };
                entry
            }
        };
        entry.status = resource.status.clone();
        entry.progress = resource.progress;
        entry.seconds = resource.seconds.or(entry.seconds);
        entry.usual = resource.usual.or(entry.usual);
    }
}
