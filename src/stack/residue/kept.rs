//! A bucket that is kept on purpose when its stack goes.

use crate::cloud::{Identity, fault};
use crate::environment::{TAG_ENVIRONMENT, TAG_EXPIRES, TAG_KEPT};
use crate::error::{Error, Kind};
use crate::stack::state::Stack;
use crate::stack::{Context, poll};
use anyhow::Result;
use aws_sdk_s3::types::{Tag, Tagging};
use std::time::Duration;

/// Takes the end of its environment's time from the environment's bucket, and marks it as kept: or `list` and the next
/// `reap` would take for a leftover what somebody wanted to have. Can be repeated.
///
/// All other tags are sent as they are, those of CloudFormation too: S3 refuses to lose them.
pub async fn keep(context: &Context, identity: &Identity, at_most: Duration) -> Result<()> {
    let bucket = context.environment.bucket(&identity.account, &context.clients.region);
    let (s3, owner) = (&context.clients.s3, &identity.account);
    let doing = format!("mark the bucket {bucket} as kept");
    let mark = || async {
        let answer = match s3.get_bucket_tagging().bucket(&bucket).expected_bucket_owner(owner).send().await {
            Ok(answer) => answer,
            Err(error) if fault::is_missing(&error) || fault::has_no_tags(&error) => return Ok(()),
            // Another's bucket is not ours to keep.
            Err(error) if fault::is_forbidden(&error) => return Ok(()),
            Err(error) => return Err(fault::explain(error, &doing)),
        };
        let environment = context.environment.name.as_str();
        let is_ours = answer.tag_set.iter().any(|tag| tag.key == TAG_ENVIRONMENT && tag.value == environment);
        let bears = |key: &str| answer.tag_set.iter().any(|tag| tag.key == key);
        if !is_ours || bears(TAG_KEPT) && !bears(TAG_EXPIRES) {
            return Ok(());
        }
        let mine = |tag: &Tag| tag.key == TAG_EXPIRES || tag.key == TAG_KEPT;
        let others = answer.tag_set.into_iter().filter(|tag| !mine(tag));
        let tags = others.chain([Tag::builder().key(TAG_KEPT).value("true").build()?]);
        let tagging = Tagging::builder().set_tag_set(Some(tags.collect())).build()?;
        let request = s3.put_bucket_tagging().bucket(&bucket).expected_bucket_owner(owner).tagging(tagging);
        request.send().await.map(drop).map_err(|error| fault::explain(error, &doing))
    };
    poll::patiently(context, at_most, mark).await
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
    let look = || async {
        let request = context.clients.s3.get_bucket_tagging().bucket(&bucket);
        match request.expected_bucket_owner(&identity.account).send().await {
            Ok(answer) => Ok(answer.tag_set.iter().any(|tag| tag.key == TAG_KEPT)),
            Err(error) if fault::is_missing(&error) || fault::has_no_tags(&error) => Ok(false),
            // Another's bucket. A permission that is missing is another matter: what can't be read may say that it is kept.
            Err(error) if fault::is_forbidden(&error) && !fault::names_permission(&error) => Ok(false),
            Err(error) => Err(fault::explain(error, &format!("look at the bucket {bucket}"))),
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
