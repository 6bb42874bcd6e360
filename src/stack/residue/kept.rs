//! A bucket that is kept on purpose when its stack goes.

use crate::cloud::bucket::{Unread, tags};
use crate::cloud::{Identity, fault};
use crate::environment::{TAG_ENVIRONMENT, TAG_EXPIRES, TAG_KEPT};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::state::Stack;
use crate::stack::{Context, poll};
use anyhow::Result;
use aws_sdk_s3::types::{Tag, Tagging};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Takes the end of its environment's time from the environment's bucket, and marks it as kept: or `list` and the next
/// `reap` would take for a leftover what somebody wanted to have. Can be repeated.
///
/// All other tags are sent as they are, those of CloudFormation too: S3 refuses to lose them.
///
/// False where there is no bucket of the environment's.
pub async fn keep(context: &Context, identity: &Identity, at_most: Duration) -> Result<bool> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let (s3, owner) = (&context.clients.s3, &identity.account);
    let doing = format!("mark the bucket {bucket} as kept");
    let mark = || async {
        let mut tags = match tags(s3, &bucket, owner, &doing).await {
            Ok(Some(tags)) => tags,
            // Another's bucket is not ours to keep.
            Ok(None) | Err(Unread::Foreign(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let environment = context.environment.name.as_str();
        let Some(name) = tags.get(TAG_ENVIRONMENT) else { return Ok(true) };
        if name != environment || tags.contains_key(TAG_KEPT) && !tags.contains_key(TAG_EXPIRES) {
            return Ok(name == environment);
        }
        tags.remove(TAG_EXPIRES);
        tags.insert(TAG_KEPT.to_owned(), "true".to_owned());
        let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tagging = Tagging::builder().set_tag_set(Some(tags.collect::<Result<_, _>>()?)).build()?;
        let request = s3.put_bucket_tagging().bucket(&bucket).expected_bucket_owner(owner).tagging(tagging);
        request.send().await.map(|_| true).map_err(|error| fault::explain(error, &doing))
    };
    poll::patiently(context, at_most, mark).await
}

/// What a `down` makes of the mark on its bucket: somebody else's `down --keep-data` can come at any moment.
pub struct Heed<'a> {
    context: &'a Context,
    identity: &'a Identity,
    at_most: Duration,
    /// Whether a mark counts. One that was there when nothing else was is what it was told to delete.
    counts: bool,
    keeps: AtomicBool,
}

impl<'a> Heed<'a> {
    /// `counts`: whether a mark counts. `keeps`: whether the bucket stays in any case.
    pub fn new(
        context: &'a Context,
        identity: &'a Identity,
        counts: bool,
        keeps: bool,
        at_most: Duration,
    ) -> Self {
        Heed { context, identity, at_most, counts, keeps: keeps.into() }
    }

    /// Whether the bucket stays, by all that is known.
    pub fn keeps(&self) -> bool {
        self.keeps.load(Ordering::Relaxed)
    }

    /// The same, looked at once more: asked right before anything in the bucket is deleted.
    pub async fn look(&self) -> Result<bool> {
        if self.keeps() || !self.counts {
            return Ok(self.keeps());
        }
        let is_kept = is_kept(self.context, self.identity, self.at_most).await?;
        if is_kept && !self.keeps.swap(true, Ordering::Relaxed) {
            let (environment, region) = (&self.context.environment, self.context.clients.region.clone());
            let bucket = environment.bucket(&self.identity.account, &region);
            let env = environment.name.to_string();
            self.context.reporter.tell(&Event::BucketKept { env, region, bucket });
        }
        Ok(is_kept)
    }
}

/// Refuses where the stack's own template lets the bucket go with it: then nothing keeps its data. The template of this
/// tool leaves it; one that was made by hand may not.
pub async fn refuse_unless_left(
    context: &Context,
    stack: &Stack,
    logical_id: &str,
    at_most: Duration,
) -> Result<()> {
    let look = || async {
        let request = context.clients.cloudformation.get_template().stack_name(&stack.id);
        let answer = request.send().await;
        answer.map_err(|error| fault::explain(error, &format!("read the template of {}", stack.name)))
    };
    let answer = poll::patiently(context, at_most, look).await?;
    if leaves(answer.template_body().unwrap_or_default(), logical_id) {
        return Ok(());
    }
    let message = format!(
        "{}'s template has no DeletionPolicy that keeps {logical_id}, and its bucket would go with it: nothing was deleted",
        stack.name
    );
    let (up, export) = (context.invocation.command("up"), context.invocation.command("down --export DIR"));
    Err(Error::new(Kind::Refused, message)
        .remedy(format!(
            "Give it this tool's template first (`{up}`), or save the data instead (`{export}`)."
        ))
        .into())
}

/// Whether a template leaves a resource behind when its stack is deleted. One that can't be read promises nothing.
fn leaves(template: &str, logical_id: &str) -> bool {
    let template: serde_yaml::Value = serde_yaml::from_str(template).unwrap_or_default();
    let resource = template.get("Resources").and_then(|resources| resources.get(logical_id));
    let policy = resource.and_then(|resource| resource.get("DeletionPolicy")).and_then(|it| it.as_str());
    matches!(policy, Some("Retain" | "RetainExceptOnCreate"))
}

/// Whether the environment's bucket was kept on purpose. One that isn't there, or isn't ours, was not.
pub async fn is_kept(context: &Context, identity: &Identity, at_most: Duration) -> Result<bool> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let doing = format!("look at the bucket {bucket}");
    let look = || async {
        match tags(&context.clients.s3, &bucket, &identity.account, &doing).await {
            Ok(tags) => Ok(tags.is_some_and(|tags| tags.contains_key(TAG_KEPT))),
            // A permission that is missing is another matter: what can't be read may say that it is kept.
            Err(Unread::Foreign(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    };
    poll::patiently(context, at_most, look).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::template;

    #[test]
    fn the_bucket_of_this_tools_template_is_left_and_one_without_a_policy_or_in_an_unreadable_template_is_not()
     {
        let environment = Environment::new("dev".parse().unwrap());
        let ours = template::render(&environment, &template::tests::shape()).unwrap();
        assert!(leaves(&ours, "Bucket") && !leaves(&ours, "Stream") && !leaves(&ours, "Nothing"));
        let json = r#"{"Resources": {"Bucket": {"DeletionPolicy": "Retain"}}}"#;
        assert!(leaves(json, "Bucket"));
        for text in [&json.replace("Retain", "Delete"), &json.replace("DeletionPolicy", "Type"), "{", ""] {
            assert!(!leaves(text, "Bucket"), "{text}");
        }
    }
}
