//! What CloudFormation's early validation found: told only by DescribeEvents, one event a finding.

use super::Prepared;
use crate::cloud::fault;
use crate::cloud::reason::Reason;
use crate::error::{Error, Kind};
use crate::settings::Invocation;
use crate::stack::Context;
use crate::stack::poll::Ended;
use crate::stack::watch::Failure;
use aws_sdk_cloudformation::operation::describe_events::builders::DescribeEventsFluentBuilder;
use aws_sdk_cloudformation::types::{EventFilter, EventType, HookFailureMode, OperationEvent, OperationType};

/// What a finding is called that says: something of that name is there already.
const NAME_CONFLICT: &str = "NAME_CONFLICT_VALIDATION";
const BUCKET: &str = "AWS::S3::Bucket";

/// Something that a validation found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    /// The name in the template.
    logical_id: String,
    /// For instance `AWS::Kinesis::Stream`.
    resource_type: String,
    /// The property at fault, below the resource.
    path: Option<String>,
    /// What was validated, by CloudFormation's name.
    name: String,
    /// CloudFormation's sentence.
    reason: String,
    /// Whether it keeps the change set from being made; else it only warns.
    blocks: bool,
}

/// The error of a change set that failed with this reason.
pub async fn explain(context: &Context, prepared: &Prepared, reason: &str) -> Error {
    let request = context.clients.cloudformation.describe_events();
    let request = request.stack_name(&prepared.stack_id).change_set_name(&prepared.change_set_id);
    match findings(request).await {
        Ok(findings) => error(&findings, &context.invocation),
        Err(denied) => untold(denied).because(reason),
    }
}

/// Adds to what failed what a validation found that refused the whole operation: the stack's events don't say. True
/// where one did, and found only that the bucket is there.
pub async fn tell(context: &Context, ended: &mut Ended) -> bool {
    let Some(stack) = &ended.stack else { return false };
    if !ended.failures.iter().any(|failure| fault::is_failed_validation(&failure.reason)) {
        return false;
    }
    let request = context.clients.cloudformation.describe_events();
    let request = match last_operation(context, &stack.id).await {
        Some(id) => request.operation_id(id),
        None => request.stack_name(&stack.id),
    };
    // Where nobody tells, the stack's own sentence is all there is.
    let findings = findings(request).await.unwrap_or_default();
    let found: Vec<Failure> =
        findings.into_iter().filter(|finding| finding.blocks).map(Failure::from).collect();
    let is_of_bucket = is_of_bucket(&found);
    ended.failures.extend(found);
    is_of_bucket
}

/// Whether all that failed is that the bucket is there already.
fn is_of_bucket(found: &[Failure]) -> bool {
    let is_taken = |it: &Failure| matches!(Reason::of(&it.reason, BUCKET), Reason::NameTaken { .. });
    !found.is_empty() && found.iter().all(|it| it.resource_type == BUCKET && is_taken(it))
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Self {
        let Finding { logical_id, resource_type, reason, .. } = finding;
        Failure { logical_id, resource_type, reason }
    }
}

/// The stack's last operation but for a roll-back, which is an operation of its own.
async fn last_operation(context: &Context, stack_id: &str) -> Option<String> {
    let answer = context.clients.cloudformation.describe_stacks().stack_name(stack_id).send().await.ok()?;
    let mut operations = answer.stacks().first()?.last_operations().iter();
    let last = operations.find(|it| it.operation_type() != Some(&OperationType::Rollback))?;
    last.operation_id().map(str::to_owned)
}

/// Every finding, from all pages. `Err` where nobody says: whether for lack of a permission.
async fn findings(request: DescribeEventsFluentBuilder) -> Result<Vec<Finding>, bool> {
    let request = request.filters(EventFilter::builder().failed_events(true).build());
    let mut findings = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let answer = request.clone().set_next_token(token.take()).send().await;
        let answer = answer.map_err(|error| fault::is_forbidden(&error))?;
        for finding in answer.operation_events().iter().filter_map(Finding::of) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(findings);
        }
    }
}

impl Finding {
    fn of(event: &OperationEvent) -> Option<Finding> {
        let (name, reason, mode) = match event.event_type()? {
            EventType::ValidationError => {
                (event.validation_name(), event.validation_status_reason(), event.validation_failure_mode())
            }
            EventType::HookInvocationError => {
                (event.hook_type(), event.hook_status_reason(), event.hook_failure_mode())
            }
            _ => return None,
        };
        let logical_id = event.logical_resource_id().unwrap_or_default().to_owned();
        let path =
            event.validation_path().map(|path| below(path, &logical_id)).filter(|path| !path.is_empty());
        Some(Finding {
            logical_id,
            resource_type: event.resource_type().unwrap_or_default().to_owned(),
            path,
            name: name.unwrap_or_default().to_owned(),
            reason: reason.or(event.resource_status_reason()).unwrap_or("no reason was given").to_owned(),
            blocks: mode != Some(&HookFailureMode::Warn),
        })
    }

    fn line(&self) -> String {
        let Finding { logical_id, resource_type, path, reason, blocks, .. } = self;
        let path = path.as_ref().map(|path| format!(", {path}")).unwrap_or_default();
        let weight = if *blocks { "" } else { "warning, blocks nothing: " };
        format!("{logical_id} ({resource_type}){path}: {weight}{reason}")
    }
}

/// `/Resources/Stream/Properties/ShardCount` → `ShardCount`.
fn below(path: &str, logical_id: &str) -> String {
    let path = path.trim_start_matches('/');
    let path = path.strip_prefix("Resources/").unwrap_or(path);
    let path = path.strip_prefix(logical_id).unwrap_or(path).trim_start_matches('/');
    let path = path.strip_prefix("Properties").map_or(path, |path| path.trim_start_matches('/'));
    path.replace('/', ".")
}

/// Whether what keeps the change set from being made is only that names are taken: then something is there that
/// isn't the stack's, which is refused; anything else is wrong with what was asked for.
fn error(findings: &[Finding], invocation: &Invocation) -> Error {
    let blocking = || findings.iter().filter(|finding| finding.blocks);
    let conflicts = blocking().filter(|finding| finding.name == NAME_CONFLICT).count();
    let is_conflict = conflicts > 0 && conflicts == blocking().count();
    let error = match (findings, is_conflict) {
        ([], _) => return Error::new(Kind::DeploymentFailed, REFUSED),
        (_, true) => {
            let taken: Vec<&str> = blocking().map(|finding| finding.logical_id.as_str()).collect();
            let what = if conflicts == 1 { "a name is" } else { "names are" };
            let message = format!("{what} taken already, outside the stack: {}", taken.join(", "));
            Error::new(Kind::Refused, message)
        }
        _ => Error::new(Kind::DeploymentFailed, REFUSED),
    };
    // What blocks comes first.
    let lines: Vec<String> =
        blocking().chain(findings.iter().filter(|finding| !finding.blocks)).map(Finding::line).collect();
    let error = error.because(lines.join("\n"));
    if !is_conflict {
        return error;
    }
    let bucket = blocking().any(|finding| finding.resource_type == BUCKET);
    let adopt = format!(
        "Where the bucket is an earlier environment's, `{}` takes it over, with what is in it.",
        invocation.command("up --adopt")
    );
    let down = format!(
        "What an earlier environment of that name left behind is removed, or named, by `{}`.",
        invocation.command("down")
    );
    let error = if bucket { error.remedy(adopt) } else { error };
    error.remedy(down).remedy("What is somebody else's stays: choose another environment with --env.")
}

const REFUSED: &str = "CloudFormation's early validation refuses the change set";

/// The error where the findings can't be read.
fn untold(denied: bool) -> Error {
    let error = Error::new(Kind::DeploymentFailed, REFUSED);
    if !denied {
        return error;
    }
    error.remedy("To be told what exactly is wrong, get the permission cloudformation:DescribeEvents.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, path: &str, reason: &str, mode: HookFailureMode) -> OperationEvent {
        OperationEvent::builder()
            .event_type(EventType::ValidationError)
            .logical_resource_id("Stream")
            .resource_type("AWS::Kinesis::Stream")
            .validation_name(name)
            .validation_path(path)
            .validation_status_reason(reason)
            .validation_failure_mode(mode)
            .build()
    }

    fn told(events: &[OperationEvent]) -> Error {
        let findings: Vec<Finding> = events.iter().filter_map(Finding::of).collect();
        error(&findings, &Invocation::default())
    }

    #[test]
    fn every_finding_is_told_with_resource_property_and_reason_and_what_blocks_comes_first() {
        let wrong = |reason| {
            event(
                "PROPERTY_VALIDATION",
                "/Resources/Stream/Properties/ShardCount",
                reason,
                HookFailureMode::Fail,
            )
        };
        let warning =
            event("BUCKET_EMPTINESS_VALIDATION", "/Resources/Stream", "not empty", HookFailureMode::Warn);
        let error = told(&[warning, wrong("expected an integer"), wrong("0 is too few")]);
        assert_eq!(error.kind, Kind::DeploymentFailed);
        assert_eq!(
            error.cause.unwrap().lines().collect::<Vec<_>>(),
            [
                "Stream (AWS::Kinesis::Stream), ShardCount: expected an integer",
                "Stream (AWS::Kinesis::Stream), ShardCount: 0 is too few",
                "Stream (AWS::Kinesis::Stream): warning, blocks nothing: not empty",
            ]
        );
    }

    #[test]
    fn a_taken_name_is_a_refusal_unless_something_else_is_wrong_too() {
        let taken = event(NAME_CONFLICT, "/Resources/Stream", "it already exists", HookFailureMode::Fail);
        let error = told(std::slice::from_ref(&taken));
        assert_eq!(error.kind, Kind::Refused);
        assert_eq!(error.message, "a name is taken already, outside the stack: Stream");
        assert!(error.remedies.iter().any(|remedy| remedy.contains("down")), "{error:?}");
        assert!(!error.remedies.iter().any(|remedy| remedy.contains("--adopt")), "only buckets are adopted");
        let wrong = event("PROPERTY_VALIDATION", "/Resources/Stream", "wrong", HookFailureMode::Fail);
        assert_eq!(told(&[taken, wrong]).kind, Kind::DeploymentFailed);
    }

    #[test]
    fn a_taken_bucket_may_be_adopted() {
        let mut taken = event(NAME_CONFLICT, "/Resources/Bucket", "it already exists", HookFailureMode::Fail);
        taken.resource_type = Some("AWS::S3::Bucket".to_owned());
        assert!(told(&[taken]).remedies[0].contains("up --adopt"));
    }

    #[test]
    fn a_hook_that_failed_is_a_finding_and_progress_is_none() {
        let hook = OperationEvent::builder()
            .event_type(EventType::HookInvocationError)
            .logical_resource_id("Bucket")
            .resource_type("AWS::S3::Bucket")
            .hook_type("Acme::Policy")
            .hook_status_reason("no public buckets")
            .build();
        let progress = OperationEvent::builder().event_type(EventType::ProgressEvent).build();
        let error = told(&[hook, progress]);
        assert_eq!(error.cause.as_deref(), Some("Bucket (AWS::S3::Bucket): no public buckets"));
    }

    #[test]
    fn without_the_permission_the_missing_one_is_named() {
        assert!(untold(true).remedies[0].contains("cloudformation:DescribeEvents"));
        assert_eq!(untold(false).remedies, [""; 0]);
        assert_eq!(told(&[]).cause, None, "then the change set's own reason is told");
    }

    #[test]
    fn a_path_is_told_below_the_resource() {
        assert_eq!(below("/Resources/Stream/Properties/Tags/0/Key", "Stream"), "Tags.0.Key");
        assert_eq!(below("/Resources/BadPolicy/Properties", "BadPolicy"), "");
        assert_eq!(below("/Resources/Stream", "Stream"), "");
        assert_eq!(below("ShardCount", "Stream"), "ShardCount");
    }

    #[test]
    fn a_bucket_that_is_there_is_told_from_everything_else_that_keeps_an_operation_from_beginning() {
        let failure = |resource_type: &str, reason: &str| Failure {
            logical_id: "Bucket".to_owned(),
            resource_type: resource_type.to_owned(),
            reason: reason.to_owned(),
        };
        let there = "Resource of type 'AWS::S3::Bucket' with identifier 'rows' already exists.";
        assert!(is_of_bucket(&[failure(BUCKET, there)]));
        let role = failure("AWS::IAM::Role", there);
        let invalid =
            failure(BUCKET, "Model validation failed (#: extraneous key [BucketNam] is not permitted)");
        for others in [vec![], vec![failure(BUCKET, there), role], vec![invalid]] {
            assert!(!is_of_bucket(&others), "{others:?}");
        }
    }
}
