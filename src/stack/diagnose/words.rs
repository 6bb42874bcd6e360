//! One reason, in words: what it means in this pipeline, and what to do.

use super::denial::{self, doing};
use super::parts::{aws, command, option, part, part_first};
use super::{Facts, Words, causes, quota};
use crate::cloud::reason::Reason;
use crate::stack::plan::Operation;
use crate::stack::watch::Failure;

/// The words for this reason of this failure.
pub(super) fn of(reason: &Reason, failure: &Failure, facts: &Facts) -> Words {
    let id = failure.logical_id.as_str();
    let again = command(facts, denial::verb(facts.operation));
    let words = |code, property: Option<&str>, meaning: String, remedies: Vec<String>| Words {
        code,
        property: property.map(str::to_owned),
        meaning,
        remedies,
    };
    match reason {
        Reason::IamRace => causes::iam_race(failure, facts),
        Reason::NameTaken { name, by } => causes::taken(name.as_deref(), by, failure, facts),
        Reason::NotAuthorized(denial) => denial::missing(denial, failure, facts),
        Reason::ExplicitDeny(denial) => denial::explicit(denial, failure, facts),
        Reason::Quota { limit, value } => Words {
            code: "quota",
            property: quota::property(*limit),
            meaning: quota::meaning(*limit, *value, facts),
            remedies: quota::remedies(*limit, facts, format!("run {again} again")),
        },
        Reason::StreamsAtOnce => words(
            "streams-at-once",
            None,
            "Kinesis makes and deletes at most 5 streams of an account and region at the same time, and others are under way. This limit can't be raised.".to_owned(),
            vec![format!("Wait a minute until the others are done, then run {again} again.")],
        ),
        Reason::KmsDenied { action, key } => causes::kms(action.as_deref(), key.as_deref(), failure, facts),
        Reason::ConcurrencyOfNewAccount => causes::concurrency(facts),
        Reason::CodeUnreadable => words(
            "bad-code",
            Some("Code"),
            "Lambda cannot open the processor's zip: it is no zip file, is empty, or was damaged on its way.".to_owned(),
            vec![
                format!("Check what `--processor` names: a zip with an executable `bootstrap` in it, or that file itself. Then run {again} again."),
                "Without `--processor` the processor that comes with kinesis-stack is built and packed.".to_owned(),
            ],
        ),
        Reason::CodeTooLarge => words(
            "bad-code",
            Some("Code"),
            "The processor's zip is too large: Lambda takes 250 MB when it is unpacked.".to_owned(),
            vec![format!("Build a smaller `bootstrap` (a release build, with symbols stripped), then run {again} again.")],
        ),
        Reason::RuntimeRefused => words(
            "bad-code",
            Some("Runtime"),
            format!("Lambda in {} refuses the processor's runtime or architecture. The processor is a binary for provided.al2023.", facts.region),
            vec![format!("Choose the other architecture with `--architecture`, or another region with `--region`, then run {again} again.")],
        ),
        Reason::CodeMissing { denied, object } => causes::code_missing(*denied, object.as_deref(), facts),
        Reason::BucketNotEmpty => causes::bucket_not_empty(facts),
        Reason::ObjectLock => words(
            "object-lock",
            None,
            "An object in the bucket is under a lock or a legal hold, so neither it nor the bucket can be deleted yet.".to_owned(),
            vec![format!("Lift the legal hold, or wait until the lock ends, then run {again} again.")],
        ),
        Reason::InvalidProperty { property } => words(
            "invalid-property",
            Some(property),
            format!("{} cannot be {}d as the template has it: AWS refuses {property}.", part_first(id), doing(facts.operation)),
            vec![match option(property) {
                Some(option) => format!("Choose another value with `{option}`, then run {again} again."),
                None => format!("No option sets it, so it is the template of this version of kinesis-stack that is wrong in {}: report it with AWS' sentence, or use a newer version.", facts.region),
            }],
        ),
        Reason::ShardStep => words(
            "shard-step",
            Some("ShardCount"),
            "Kinesis at most doubles or halves the number of a stream's shards in one step.".to_owned(),
            vec![format!("Run {} with at most twice, or at least half, as many `--shards` as there are, and again until it fits.", command(facts, "up"))],
        ),
        Reason::Throttled => words(
            "throttled",
            None,
            format!("AWS is throttling this account: too many calls at once, from all that runs in it. Nothing is wrong with {}.", part(id)),
            vec![format!("Run {again} again in a few minutes, with fewer deployments at the same time.")],
        ),
        Reason::NotStabilized => words(
            "not-stabilized",
            None,
            format!("{} was not {} in the time that CloudFormation waits. AWS accepted the request; the service was slow, or could not finish.", part_first(id), if facts.operation == Operation::Delete { "gone" } else { "ready" }),
            vec![
                format!("Run {again} again."),
                "If it happens again, look at the AWS Health Dashboard for this service and region.".to_owned(),
            ],
        ),
        Reason::ServiceFailure => words(
            "service-failure",
            None,
            format!("The service behind {} failed on AWS' side. Nothing is wrong with the request.", part(id)),
            vec![
                format!("Run {again} again in a few minutes."),
                "If it happens again, look at the AWS Health Dashboard for this service and region.".to_owned(),
            ],
        ),
        Reason::StackPolicyDenied => words(
            "stack-policy",
            None,
            format!("Somebody gave this stack a policy of its own, and that forbids the change to {}. Permissions of the caller don't matter here.", part(id)),
            vec![
                format!("Read the policy: {}.", aws(facts, &format!("cloudformation get-stack-policy --stack-name {}", facts.environment.stack()))),
                format!("Have it changed with `aws cloudformation set-stack-policy` by whoever set it, then run {again} again."),
            ],
        ),
        Reason::InUse => causes::in_use(failure, facts),
        Reason::Busy => causes::busy(failure, facts),
        Reason::Gone => words(
            "gone",
            None,
            format!("{} was deleted outside the stack, or what it needs was, and CloudFormation still counts on it.", part_first(id)),
            vec![match facts.operation {
                Operation::Delete => format!("Run {again} again: it skips what is gone already."),
                _ => format!(
                    "Run {}, which sets back what was changed behind CloudFormation's back. If that doesn't help, save the rows that you need, then run {} and {}.",
                    command(facts, "up --heal"),
                    command(facts, "down"),
                    command(facts, "up")
                ),
            }],
        ),
        Reason::HookRefused => words(
            "hook-refused",
            None,
            format!("A CloudFormation hook, a check that somebody set up in this account, refuses {} as it is.", part(id)),
            vec!["Ask whoever runs the hooks of this account which rule it breaks: AWS' sentence names the hook or the rule.".to_owned()],
        ),
        Reason::AccountNotReady => words(
            "account-not-ready",
            None,
            format!("This account cannot use the service behind {} yet: a new account takes up to 24 hours, and some never finished signing up.", part(id)),
            vec![format!("Check in the AWS console that the account has a payment method and is verified, then run {again} again.")],
        ),
        Reason::CredentialsExpired => words(
            "credentials-expired",
            None,
            "The credentials ran out while CloudFormation was still at work: without a service role it acts with the caller's.".to_owned(),
            vec![format!("Renew the credentials (`aws sso login`), then run {again} again.")],
        ),
        Reason::CredentialsInvalid => words(
            "credentials-invalid",
            None,
            format!("AWS did not know the credentials with which CloudFormation asked for {}. It takes on no role of the stack, so this is not the delay of a new role.", part(id)),
            vec![
                format!("Log in anew (`aws sso login`), then run {again} again."),
                format!("In a region that has to be switched on, check that {} is: `aws account get-region-opt-status --region-name {}`.", facts.region, facts.region),
            ],
        ),
        Reason::Cancelled => words(
            "cancelled",
            None,
            "The operation was called off, and nothing says that anything failed before.".to_owned(),
            vec![format!("Ask whoever else works on {}, then run {again} again.", facts.environment.stack())],
        ),
        Reason::Unknown => words("unknown", None, String::new(), unknown(facts)),
    }
}

fn unknown(facts: &Facts) -> Vec<String> {
    let stack = facts.environment.stack();
    vec![format!(
        "Look at all events with {}, and at the documentation of the service that speaks here.",
        aws(facts, &format!("cloudformation describe-stack-events --stack-name {stack}"))
    )]
}
