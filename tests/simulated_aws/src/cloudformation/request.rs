//! What a request asks to deploy, and what makes CloudFormation refuse the request itself.

use super::stack::{Deployment, OnFailure, Stack, Terms};
use super::template::Template;
use crate::Account;
use crate::wire::{Call, Refusal};
use std::collections::BTreeMap;

/// Fact: an inline template has at most 51,200 bytes, one by https S3 URL 1 MiB.
const INLINE_TEMPLATE: usize = 51_200;
const TEMPLATE: usize = 1024 * 1024;
/// Fact: at most 50 stack tags.
const TAGS: usize = 50;
/// Fact: a stack's name has at most 128 characters.
const NAME: usize = 128;

/// What is to be deployed.
pub fn deployment(account: &Account, stack: Option<&Stack>, call: &Call) -> Result<Deployment, Refusal> {
    if call.get("StackName").len() > NAME && !call.get("StackName").starts_with("arn:") {
        return Err(too_long("stackName", NAME));
    }
    let deployed = stack.map(|stack| &stack.deployed);
    let template = match (call.given("TemplateBody"), call.given("TemplateURL")) {
        (Some(body), _) if body.len() > INLINE_TEMPLATE => {
            return Err(too_long("templateBody", INLINE_TEMPLATE));
        }
        (Some(body), _) => body.to_owned(),
        (None, Some(url)) => at(account, url)?,
        (None, None) if call.is("UsePreviousTemplate") => {
            deployed.map(|deployed| deployed.template.clone()).unwrap_or_default()
        }
        (None, None) => {
            return Err(Refusal::validation("Either Template URL or Template Body must be specified."));
        }
    };
    let mut parameters = BTreeMap::new();
    for (key, value) in call.pairs("Parameters", "ParameterKey", "ParameterValue") {
        let previous = deployed.and_then(|deployed| deployed.parameters.get(&key)).cloned();
        // Fact: UsePreviousValue takes the value that the stack has.
        let value = if value.is_empty() { previous.unwrap_or_default() } else { value };
        parameters.insert(key, value);
    }
    let mut tags = call.pairs("Tags", "Key", "Value");
    // Fact: an UpdateStack that says nothing of tags leaves them as they are.
    if call.operation == "UpdateStack"
        && !call.parameters.keys().any(|key| key == "Tags" || key.starts_with("Tags."))
    {
        tags = deployed.map(|deployed| deployed.tags.clone()).unwrap_or_default();
    }
    if tags.len() > TAGS {
        return Err(Refusal::validation(format!("Too many tags: at most {TAGS} are allowed")));
    }
    let deployment = Deployment { template, parameters, tags };
    let template = Template::new(&deployment, &account.region);
    if template.resources().is_empty() {
        return Err(Refusal::validation(
            "Template format error: At least one Resources member must be defined.",
        ));
    }
    let missing = template.missing_parameters();
    if !missing.is_empty() {
        return Err(Refusal::validation(format!("Parameters: [{}] must have values", missing.join(", "))));
    }
    if template.names_roles() && !call.list("Capabilities").iter().any(|it| it == "CAPABILITY_NAMED_IAM") {
        let message = "Requires capabilities : [CAPABILITY_NAMED_IAM]";
        return Err(Refusal::new(400, "InsufficientCapabilitiesException", message));
    }
    Ok(deployment)
}

/// How it is to be deployed.
///
/// Fact: in EXPRESS, roll-back is off unless DisableRollback=false is sent; a DisableRollback, OnFailure or
/// OnStackFailure beside a DeploymentConfig is rejected.
pub fn terms(call: &Call) -> Result<Terms, Refusal> {
    let express = call.get("DeploymentConfig.Mode") == "EXPRESS";
    let has_config = call.parameters.keys().any(|key| key.starts_with("DeploymentConfig."));
    let outside =
        ["DisableRollback", "OnFailure", "OnStackFailure"].iter().find(|name| call.given(name).is_some());
    if let Some(name) = outside.filter(|_| has_config) {
        return Err(beside(name));
    }
    let off = match call.given("DeploymentConfig.DisableRollback").or(call.given("DisableRollback")) {
        Some(off) => off == "true",
        None => express,
    };
    let on_failure = match call.get("OnStackFailure") {
        "DELETE" => OnFailure::Delete,
        "DO_NOTHING" => OnFailure::Keep,
        _ if off => OnFailure::Keep,
        _ => OnFailure::RollBack,
    };
    Ok(Terms { on_failure, express, retain_except_on_create: call.is("RetainExceptOnCreate") })
}

/// What CloudFormation says where two parameters say what happens on failure.
pub fn beside(name: &str) -> Refusal {
    Refusal::validation(format!("You cannot specify {name} together with DeploymentConfig"))
}

/// Whether a stack can take an update on these terms.
pub fn updatable(stack: &Stack, terms: Option<&Terms>) -> Result<(), Refusal> {
    let (id, status) = (&stack.id, stack.status.as_str());
    let express_owed = stack.owes_express && terms.is_some_and(|terms| !terms.express);
    match status {
        // Fact: a failed EXPRESS update demands EXPRESS.
        _ if express_owed => Err(same_config_demanded()),
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_COMPLETE" => Ok(()),
        // Fact: after a failure with roll-back off, an update has to leave it off.
        "CREATE_FAILED" | "UPDATE_FAILED" => match terms {
            Some(terms) if terms.on_failure == OnFailure::RollBack && !terms.express => {
                Err(Refusal::validation(format!(
                    "This stack is currently in a non-terminal [{status}] state. To update the stack from this state, \
                     please use the disable-rollback parameter with update-stack API. To rollback to the last known \
                     good state, use the rollback-stack API"
                )))
            }
            _ => Ok(()),
        },
        _ => Err(Refusal::validation(format!("Stack:{id} is in {status} state and can not be updated."))),
    }
}

/// What a stack says that failed in an EXPRESS update, to everything but EXPRESS.
pub fn same_config_demanded() -> Refusal {
    Refusal::validation(
        "Follow-up operations must use the same DeploymentConfig: the stack's last operation failed in EXPRESS mode",
    )
}

fn too_long(member: &str, most: usize) -> Refusal {
    Refusal::validation(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have length less \
         than or equal to {most}"
    ))
}

/// The template at a URL: `https://BUCKET.s3.REGION.amazonaws.com/KEY`.
fn at(account: &Account, url: &str) -> Result<String, Refusal> {
    let not_ours = || Refusal::validation("TemplateURL must be a supported URL.");
    let (host, key) =
        url.strip_prefix("https://").and_then(|url| url.split_once('/')).ok_or_else(not_ours)?;
    let (bucket, _) = host.split_once(".s3").ok_or_else(not_ours)?;
    let version =
        account.buckets.get(bucket).and_then(|bucket| bucket.latest(key)).map(|(_, version)| version);
    let version = version.ok_or_else(|| Refusal::validation("S3 error: Access Denied"))?;
    if version.content.len() > TEMPLATE {
        return Err(too_long("templateURL", TEMPLATE));
    }
    Ok(String::from_utf8_lossy(&version.content).into_owned())
}
