//! Protected environments: termination protection against `down`, and a stack policy against an update that
//! replaces or deletes what holds data.

use super::plan::{Action, Plan};
use super::state::Stack;
use super::{Context, poll};
use crate::cloud::fault;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::settings::{Invocation, Means, Ttl};
use crate::template;
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

/// The resources that hold data, by their names in the template.
const HOLD_DATA: &[&str] = &["Stream", template::BUCKET];

/// Protects a stack, or takes its protection away. Can be repeated at any point; says nothing where all is so
/// already.
pub async fn protect(context: &Context, stack: &Stack, on: bool, at_most: Duration) -> Result<()> {
    let cloudformation = &context.clients.cloudformation;
    let name = &stack.name;
    let wanted = policy(on);
    let read = || async {
        let answer = cloudformation.get_stack_policy().stack_name(&stack.id).send().await;
        answer.map_err(|error| fault::explain(error, &format!("read the stack policy of {name}")))
    };
    let answer = poll::patiently(context, at_most, read).await?;
    let found = answer.stack_policy_body().filter(|body| !body.is_empty());
    let found: Option<Value> = found.map(|body| serde_json::from_str(body).unwrap_or_default());
    // A policy can't be taken away, only widened: a stack that never had one needs none that allows everything.
    let policy_is_so = match &found {
        Some(found) => *found == wanted,
        None => !on,
    };
    if policy_is_so && stack.protected == on {
        return Ok(());
    }
    if !policy_is_so {
        let set = || async {
            let request = cloudformation.set_stack_policy().stack_name(&stack.id);
            let set = request.stack_policy_body(wanted.to_string()).send().await;
            set.map_err(|error| fault::explain(error, &format!("set the stack policy of {name}")))
        };
        poll::patiently(context, at_most, set).await?;
    }
    if stack.protected != on {
        let doing = if on { "protect" } else { "take the protection off" };
        let set = || async {
            let request = cloudformation.update_termination_protection().stack_name(name);
            let set = request.enable_termination_protection(on).send().await;
            set.map_err(|error| fault::explain(error, &format!("{doing} {name}")))
        };
        poll::patiently(context, at_most, set).await?;
    }
    context.reporter.tell(&Event::Protected { stack: name.clone(), protected: on });
    Ok(())
}

/// Refuses to delete a protected stack, whatever was agreed to.
pub fn refuse_deletion(stack: &Stack, invocation: &Invocation) -> Result<()> {
    if !stack.protected {
        return Ok(());
    }
    let message = format!("{} is protected: nothing was deleted", stack.name);
    Err(Error::new(Kind::Refused, message)
        .remedy(format!(
            "Take the protection away, then run `{}`: `{}` with the options that it was brought up with, or `{}`.",
            invocation.command("down"),
            invocation.command("up --no-protect"),
            invocation.aws(&format!(
                "cloudformation update-termination-protection --no-enable-termination-protection --stack-name {}",
                stack.name
            ))
        ))
        .into())
}

/// Refuses to give a protected stack an end.
pub fn refuse_extension(stack: &Stack, invocation: &Invocation) -> Result<()> {
    if !stack.protected {
        return Ok(());
    }
    let message = format!("{} is protected: what is protected doesn't end by itself", stack.name);
    Err(Error::new(Kind::Refused, message)
        .remedy(format!(
            "Take the protection away first: `{}` with the options that it was brought up with.",
            invocation.command("up --no-protect")
        ))
        .into())
}

/// What is asked for of a stack, without the file's marks of a short life where it is protected: whoever protected one
/// of many meant it, and the file means all.
pub fn unmarked(context: &Context, stack: Option<&Stack>, means: &Means) -> Means {
    let Some(stack) = stack.filter(|stack| stack.protected && means.protection.is_none()) else {
        return means.clone();
    };
    let (mut means, mut marks) = (means.clone(), Vec::new());
    // EXPRESS was typed, and is for what is short-lived.
    if means.ephemeral && means.by_file.ephemeral && !means.express {
        means.ephemeral = false;
        marks.push("`ephemeral`".to_owned());
    }
    if matches!(means.ttl, Some(Ttl::For(_))) && means.by_file.ttl {
        means.ttl = None;
        marks.push("`ttl`".to_owned());
    }
    if !marks.is_empty() {
        context.reporter.tell(&Event::MarksYielded { stack: stack.name.clone(), marks });
    }
    means
}

/// Refuses to mark as short-lived what is protected: its code would be changed past CloudFormation.
pub fn refuse_ephemeral(stack: &Stack, means: &Means, invocation: &Invocation) -> Result<()> {
    if !stack.protected || !means.ephemeral || means.protection == Some(false) {
        return Ok(());
    }
    let message = format!("{} is protected: an environment is either ephemeral or protected", stack.name);
    Err(Error::new(Kind::Refused, message)
        .remedy(format!(
            "Take the protection away as well: `{}`.",
            invocation.command("up --ephemeral --no-protect")
        ))
        .into())
}

/// Refuses a plan that replaces or removes what holds data, on a stack that is protected or is to be. Consent
/// isn't enough: the stack policy would stop it halfway. `protection` is what was asked for, if anything was.
pub fn refuse_replacement(
    stack: &Stack,
    plan: &Plan,
    protection: Option<bool>,
    invocation: &Invocation,
) -> Result<()> {
    if !protection.unwrap_or(stack.protected) {
        return Ok(());
    }
    let goes = |action| matches!(action, Action::Replace | Action::MayReplace | Action::Remove);
    let holds_data = |name: &str| HOLD_DATA.contains(&name);
    let mut changes = plan.changes.iter();
    let Some(change) = changes.find(|change| goes(change.action) && holds_data(&change.logical_id)) else {
        return Ok(());
    };
    let what = if change.action == Action::Remove { "remove" } else { "replace" };
    let message = format!(
        "{} is protected, and this would {what} its {}: nothing was changed",
        stack.name, change.logical_id
    );
    Err(Error::new(Kind::Refused, message)
        .remedy(format!("Take the protection away first: `{} --no-protect`.", invocation.command("up")))
        .into())
}

/// The stack policy. A stack policy that denies nothing is the only way to have none.
fn policy(on: bool) -> Value {
    let statement = |effect: &str, action: Value, resource: Value| json!({"Effect": effect, "Principal": "*", "Action": action, "Resource": resource});
    let resources: Vec<String> = HOLD_DATA.iter().map(|name| format!("LogicalResourceId/{name}")).collect();
    let mut statements = vec![statement("Allow", json!("Update:*"), json!("*"))];
    if on {
        statements.push(statement("Deny", json!(["Update:Replace", "Update:Delete"]), json!(resources)));
    }
    json!({"Statement": statements})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_denies_replacing_what_the_template_calls_stream_and_bucket_and_nothing_else() {
        let template = include_str!("../../templates/stream.yaml").to_owned()
            + include_str!("../../templates/bucket.yaml");
        for name in HOLD_DATA {
            assert!(template.contains(&format!("\n  {name}:\n    Type: ")), "{name}");
        }
        let policy = policy(true).to_string();
        assert_eq!(policy.matches("Deny").count(), 1);
        assert!(policy.contains(r#"["LogicalResourceId/Stream","LogicalResourceId/Bucket"]"#), "{policy}");
        assert!(!super::policy(false).to_string().contains("Deny"));
    }
}
