//! The processors' zips: those that no environment uses any more go, and with the last environment their bucket.
//!
//! A zip is needed while its environment is made or changed; the function has its own copy. It belongs to an
//! environment as long as a stack has its key for a parameter.

use super::ask::How;
use super::ledger::{Asked, Ledger, Named, Verdict};
use crate::cloud::{Identity, fault};
use crate::environment::{TAG_ENVIRONMENT, artifact_bucket, artifact_sha256};
use crate::error::Error;
use crate::event::Event;
use crate::stack::status::{Known, StackStatus};
use crate::stack::{Context, poll};
use anyhow::Result;
use aws_sdk_cloudformation::types as cfn;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How long a look may be trusted.
const FRESH: Duration = Duration::from_secs(5);
/// How often S3 is asked again for what it stumbled over.
const ATTEMPTS: u32 = 6;
/// Keys in one call.
const KEYS: usize = 1_000;

/// What there is, and who uses it.
pub struct Artifacts {
    looked: Instant,
    /// What lies in the bucket: keys and versions. `None` where there is no bucket of ours, or nobody may look.
    zips: Option<Vec<ObjectIdentifier>>,
    users: Users,
    /// Why nobody knows.
    not_asked: Option<String>,
}

/// Who may use a zip.
#[derive(Debug, Default, PartialEq)]
struct Users {
    /// Whether an environment is left.
    any: bool,
    /// Whether somebody is deploying right now: then a zip may be wanted that no stack names yet.
    deploying: bool,
    /// All values of all stacks' parameters.
    values: BTreeSet<String>,
}

/// Looks at both at once. `stack_id`: the stack that was deleted, which a look may still show.
pub async fn look(
    context: &Context,
    identity: &Identity,
    stack_id: Option<&str>,
    at_most: Duration,
) -> Result<Artifacts> {
    let bucket = artifact_bucket(&identity.account, &context.clients.region);
    let (zips, users) = tokio::join!(
        poll::patiently(context, at_most, || zips(context, identity, &bucket)),
        poll::patiently(context, at_most, || users(context, stack_id))
    );
    let (mut looked, mut not_asked) = ((None, Users::default()), None);
    match zips {
        Ok(zips) => looked.0 = zips,
        Err(error) => not_asked = Some(refusal(error)?),
    }
    match users {
        Ok(users) => looked.1 = users,
        Err(error) => not_asked = Some(refusal(error)?),
    }
    Ok(Artifacts { looked: Instant::now(), zips: looked.0, users: looked.1, not_asked })
}

/// Whoever may not look at other environments leaves the artifacts alone: they are none of the environment's own.
fn refusal(error: anyhow::Error) -> Result<String> {
    let known = Error::of(&error);
    if fault::is_lasting_refusal(&known) { Ok(known.to_string()) } else { Err(error) }
}

/// All that lies in the bucket.
async fn zips(context: &Context, identity: &Identity, bucket: &str) -> Result<Option<Vec<ObjectIdentifier>>> {
    let call = context.clients.s3.list_object_versions().bucket(bucket);
    let call = call.expected_bucket_owner(&identity.account);
    let (mut zips, mut start) = (Vec::new(), (None, None));
    loop {
        let page = call.clone().set_key_marker(start.0).set_version_id_marker(start.1).send().await;
        let page = match page {
            Ok(page) => page,
            Err(error) if fault::is_missing(&error) => return Ok(None),
            // Another account's bucket is nothing of ours.
            Err(error) if fault::is_forbidden(&error) && !fault::names_permission(&error) => return Ok(None),
            Err(error) => return Err(fault::explain(error, &format!("list the artifacts in {bucket}"))),
        };
        let versions = page.versions().iter().map(|it| (it.key(), it.version_id()));
        let markers = page.delete_markers().iter().map(|it| (it.key(), it.version_id()));
        for (key, version) in versions.chain(markers) {
            let zip = ObjectIdentifier::builder().key(key.unwrap_or_default());
            zips.push(zip.set_version_id(version.map(str::to_owned)).build()?);
        }
        if page.is_truncated() != Some(true) {
            return Ok(Some(zips));
        }
        start = (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
    }
}

async fn users(context: &Context, stack_id: Option<&str>) -> Result<Users> {
    let (mut users, mut token) = (Users::default(), None);
    loop {
        let page = context.clients.cloudformation.describe_stacks().set_next_token(token).send().await;
        let page = page.map_err(|error| fault::explain(error, "list the stacks that use artifacts"))?;
        for stack in page.stacks().iter().filter(|stack| stack.stack_id() != stack_id) {
            users.count(stack);
        }
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(users);
        }
    }
}

impl Users {
    fn count(&mut self, stack: &cfn::Stack) {
        let status = StackStatus::parse(stack.stack_status().map(|it| it.as_str()).unwrap_or_default());
        if status.is(Known::DeleteComplete) {
            return;
        }
        self.values
            .extend(stack.parameters().iter().filter_map(|it| it.parameter_value()).map(str::to_owned));
        // One that is no more than a name bears no tags yet.
        let is_named = stack.stack_name().unwrap_or_default().starts_with("kinesis-stack-");
        let is_tagged = stack.tags().iter().any(|tag| tag.key() == Some(TAG_ENVIRONMENT));
        if is_named || is_tagged {
            self.any = true;
            self.deploying |= !status.settled() || status.is(Known::ReviewInProgress);
        }
    }

    fn use_(&self, key: &str) -> bool {
        self.values.contains(key)
    }
}

/// Removes what nobody uses. Can be repeated at any point.
pub async fn remove_unused(
    context: &Context,
    identity: &Identity,
    ledger: &Ledger,
    stack_id: Option<&str>,
    mut artifacts: Artifacts,
    at_most: Duration,
) -> Result<()> {
    if artifacts.looked.elapsed() > FRESH {
        artifacts = look(context, identity, stack_id, at_most).await?;
    }
    let bucket = artifact_bucket(&identity.account, &context.clients.region);
    let Artifacts { zips, users, not_asked, .. } = artifacts;
    let note = |answer, because: Option<String>| {
        ledger.note(Asked {
            service: "artifacts".to_owned(),
            name: bucket.clone(),
            how: How::Name,
            answer,
            because,
            at: ledger.now(),
            request_id: None,
            looks: 1,
        });
    };
    if let Some(because) = not_asked {
        note(Verdict::NotAsked, Some(because));
        return Ok(());
    }
    let Some(zips) = zips else {
        note(Verdict::Gone, None);
        return Ok(());
    };
    if users.deploying {
        note(Verdict::Kept, Some("somebody is deploying".to_owned()));
        ledger.kept(Named::new("artifact bucket", &bucket));
        return Ok(());
    }
    let is_zip = |it: &ObjectIdentifier| artifact_sha256(it.key()).is_some();
    let in_use = zips.iter().any(|zip| users.use_(zip.key()));
    let last = !users.any && !in_use;
    let unused: Vec<ObjectIdentifier> =
        zips.into_iter().filter(|it| last || is_zip(it) && !users.use_(it.key())).collect();
    let remove = || delete(context, identity, &bucket, unused.clone());
    poll::patiently(context, at_most, remove).await?;
    for zip in &unused {
        ledger.removed(Named::new("artifact", zip.key()));
    }
    let bucket_removed = match last {
        true => poll::patiently(context, at_most, || delete_bucket(context, identity, &bucket)).await?,
        false => false,
    };
    match bucket_removed {
        true => {
            ledger.removed(Named::new("artifact bucket", &bucket));
            note(Verdict::Gone, None);
        }
        false => {
            ledger.kept(Named::new("artifact bucket", &bucket));
            note(Verdict::Kept, Some("others use it".to_owned()));
        }
    }
    if bucket_removed || !unused.is_empty() {
        let zips = unused.len() as u64;
        context.reporter.tell(&Event::ArtifactsRemoved { bucket, zips, bucket_removed });
    }
    Ok(())
}

/// Removes one zip that nobody uses any more. The next `down` does the same for whoever may not, or was killed before.
pub async fn remove_one_unused(
    context: &Context,
    identity: &Identity,
    key: &str,
    at_most: Duration,
) -> Result<()> {
    let Artifacts { zips, users, not_asked, .. } = look(context, identity, None, at_most).await?;
    let zips: Vec<ObjectIdentifier> = zips.into_iter().flatten().filter(|zip| zip.key() == key).collect();
    if not_asked.is_some() || users.deploying || users.use_(key) || zips.is_empty() {
        return Ok(());
    }
    let bucket = artifact_bucket(&identity.account, &context.clients.region);
    match poll::patiently(context, at_most, || delete(context, identity, &bucket, zips.clone())).await {
        Ok(()) => {
            let zips = zips.len() as u64;
            context.reporter.tell(&Event::ArtifactsRemoved { bucket, zips, bucket_removed: false });
            Ok(())
        }
        Err(error) => refusal(error).map(drop),
    }
}

/// Deletes these. What S3 stumbled over is asked for again; what it refuses is an error.
async fn delete(
    context: &Context,
    identity: &Identity,
    bucket: &str,
    mut zips: Vec<ObjectIdentifier>,
) -> Result<()> {
    for attempt in 1..=ATTEMPTS {
        let mut again = Vec::new();
        for keys in zips.chunks(KEYS) {
            let delete = Delete::builder().set_objects(Some(keys.to_vec())).quiet(true).build()?;
            let call = context.clients.s3.delete_objects().bucket(bucket).delete(delete);
            let answer = match call.expected_bucket_owner(&identity.account).send().await {
                Ok(answer) => answer,
                Err(error) if fault::is_missing(&error) => return Ok(()),
                Err(error) => return Err(fault::explain(error, &format!("remove artifacts from {bucket}"))),
            };
            for error in answer.errors() {
                if attempt == ATTEMPTS || error.code() == Some("AccessDenied") {
                    let (code, message) =
                        (error.code().unwrap_or_default(), error.message().unwrap_or_default());
                    let refused =
                        format!("S3 refused to remove {} from {bucket}", error.key().unwrap_or_default());
                    return Err(Error::new(crate::error::Kind::Leftovers, refused)
                        .because(format!("{code}: {message}"))
                        .remedy(context.invocation.aws(&format!("s3 rb s3://{bucket} --force")))
                        .into());
                }
                let version = error.version_id().filter(|version| !version.is_empty());
                let is_it = |it: &&ObjectIdentifier| {
                    Some(it.key()) == error.key() && (version.is_none() || it.version_id() == version)
                };
                again.extend(keys.iter().filter(is_it).cloned());
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        zips = again;
        tokio::time::sleep(Duration::from_millis(250 << attempt)).await;
    }
    Ok(())
}

/// False where it isn't empty: then somebody has just put a zip into it.
async fn delete_bucket(context: &Context, identity: &Identity, bucket: &str) -> Result<bool> {
    for attempt in 1..=ATTEMPTS {
        let call = context.clients.s3.delete_bucket().bucket(bucket);
        match call.expected_bucket_owner(&identity.account).send().await {
            Ok(_) => return Ok(true),
            Err(error) if fault::is_missing(&error) => return Ok(true),
            Err(error) if error.code() == Some("BucketNotEmpty") => return Ok(false),
            // Somebody else is at it right now.
            Err(error) if error.code() == Some("OperationAborted") && attempt < ATTEMPTS => {
                tokio::time::sleep(Duration::from_millis(250 << attempt)).await;
            }
            Err(error) => {
                return Err(fault::explain(error, &format!("remove the artifact bucket {bucket}")));
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::artifact_key;
    use aws_sdk_cloudformation::types::{Parameter, Stack, StackStatus as Status, Tag};

    fn stack(name: &str, status: &str, tag: &str, parameter: &str) -> Stack {
        Stack::builder()
            .stack_name(name)
            .creation_time(aws_smithy_types::DateTime::from_secs(0))
            .stack_status(Status::from(status))
            .tags(Tag::builder().key(tag).value("x").build())
            .parameters(Parameter::builder().parameter_key("ProcessorKey").parameter_value(parameter).build())
            .build()
    }

    #[test]
    fn a_zip_is_in_use_while_any_stack_has_its_key_and_whoever_deploys_may_want_one_that_none_has() {
        let key = artifact_key("ab");
        let users = |stack: Stack| {
            let mut users = Users::default();
            users.count(&stack);
            users
        };
        let other = users(stack("kinesis-stack-a", "CREATE_COMPLETE", TAG_ENVIRONMENT, &key));
        assert!(other.any && !other.deploying && other.use_(&key));
        // The reaper's stack is no environment, but its zip lies there as well.
        let strange = users(stack("something", "UPDATE_COMPLETE", "kinesis-stack:reaper", &key));
        assert!(!strange.any && strange.use_(&key));
        for status in ["REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"] {
            assert!(users(stack("kinesis-stack-a", status, "", "")).deploying, "{status}");
        }
        assert_eq!(
            users(stack("kinesis-stack-a", "DELETE_COMPLETE", TAG_ENVIRONMENT, &key)),
            Users::default()
        );
    }
}
