//! The stages of a run: what of a log belongs together.

use crate::event::Event;
use crate::stack::plan::Operation;

/// Where the lines of an event belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// In a fold of this title.
    In(String),
    /// In the fold of the deployment that is under way.
    Deployment,
    /// Where everybody sees it.
    Outside,
    /// Wherever the lines before went: it says little or nothing itself.
    Same,
}

/// Where an event belongs. Whatever ends a run, or makes it take another way, is never folded away.
pub fn stage(event: &Event) -> Stage {
    let within = |title: &str| Stage::In(title.to_owned());
    match event {
        Event::LocalInstalling { .. }
        | Event::LocalStarting { .. }
        | Event::LocalReady { started: true, .. } => within("Local cloud"),
        Event::ProcessorBuilding { .. } | Event::ProcessorReady { .. } => within("Processor"),
        Event::ReaperReady { .. } => within("Reaper"),
        Event::Plan(_) | Event::Removal { .. } => within("Plan"),
        Event::SmokeNotReady { .. }
        | Event::SmokeSent(_)
        | Event::SmokeWaiting { .. }
        | Event::SmokeLeg(_) => within("Smoke test"),
        Event::ArtifactBucketCreated { .. } | Event::ArtifactReady { uploaded: true, .. } => within("Upload"),
        Event::Emptied { versions: 1.., bucket, .. } => Stage::In(format!("Emptying {bucket}")),
        Event::OperationInProgress { stack, .. } => Stage::In(format!("Watching {stack}")),
        Event::OperationStarted { operation, stack, .. } => {
            let verb = match operation {
                Operation::Create => "Creating",
                Operation::Update => "Updating",
                Operation::Delete => "Deleting",
            };
            Stage::In(format!("{verb} {stack}"))
        }
        Event::Resource(_) | Event::Waiting { .. } | Event::LegReady { .. } | Event::BucketRemoved { .. } => {
            Stage::Deployment
        }
        Event::Command { .. }
        | Event::DemoEnded { .. }
        | Event::LocalStopped
        | Event::Unchanged { .. }
        | Event::CriticalPath { .. }
        | Event::Diagnosed(_)
        | Event::Recovering { .. }
        | Event::Retrying { .. }
        | Event::MarksYielded { .. }
        | Event::Expired { .. }
        | Event::Extended { .. }
        | Event::RegionUnread { .. }
        | Event::Due { .. }
        | Event::Reaping { .. }
        | Event::Reaped { .. }
        | Event::NotReaped { .. }
        | Event::LeftAlone { .. }
        | Event::BucketKept { .. }
        | Event::Cancelling { .. }
        | Event::Withdrawing { .. }
        | Event::CodeUpdated { .. }
        | Event::Checked { left: true, .. }
        | Event::Exported(_)
        | Event::LeftoverRemoved { .. }
        | Event::NotOurs { .. }
        | Event::NothingToKeep { .. }
        | Event::LastLines { .. }
        | Event::BroughtUpAgain { .. }
        | Event::Producing(_)
        | Event::RecordsRefused { .. }
        | Event::Consuming(_)
        | Event::ReadsFailing { .. }
        | Event::ReadsWork { .. }
        | Event::Counted(_)
        | Event::ShardEnded { .. }
        | Event::ConsumerReady { .. }
        | Event::ConsumerRemoved { .. }
        | Event::ConsumerLeft { .. }
        | Event::WaitingForRows { .. }
        | Event::RowsRead(_)
        | Event::SmokeEnded(_)
        | Event::FailuresRead(_)
        | Event::LogsRead { .. }
        | Event::LogGroupMissing { .. }
        | Event::LogsFollowed { .. }
        | Event::ExportUnsettled { .. }
        | Event::ProcessorWritten { .. }
        | Event::ProcessorTested { .. }
        | Event::ReaperRan { .. }
        | Event::Done(_) => Stage::Outside,
        Event::LocalReady { .. }
        | Event::ArtifactReady { .. }
        | Event::PollFailed { .. }
        | Event::ObjectDamaged { .. }
        | Event::CredentialsRenewed
        | Event::Slept { .. }
        | Event::Retagging { .. }
        | Event::Protected { .. }
        | Event::Emptying { .. }
        | Event::Emptied { .. }
        | Event::EmptyingAgain { .. }
        | Event::Exporting { .. }
        | Event::ArtifactsRemoved { .. }
        | Event::Checked { .. }
        | Event::Call { .. } => Stage::Same,
    }
}
