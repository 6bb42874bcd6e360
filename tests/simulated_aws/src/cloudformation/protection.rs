//! What protects a stack: termination protection and its policy.

use super::named;
use crate::Account;
use crate::wire::{Call, Refusal, Reply, text};

/// Fact: change sets take no termination protection: it is switched by a call of its own.
pub fn update(account: &mut Account, call: &Call) -> Reply {
    let protected = call.is("EnableTerminationProtection");
    let stack = named(account, call)?;
    if stack.is_gone() || stack.status == "DELETE_IN_PROGRESS" {
        return Err(Refusal::validation(format!("Stack [{}] is being deleted", stack.name)));
    }
    stack.protected = protected;
    Ok(text("StackId", &stack.id))
}

pub fn set_policy(account: &mut Account, call: &Call) -> Reply {
    let Some(policy) = call.given("StackPolicyBody") else {
        return Err(Refusal::validation("You must specify either a StackPolicyBody or a StackPolicyURL"));
    };
    if serde_json::from_str::<serde_json::Value>(policy).is_err() {
        return Err(Refusal::validation("Error validating stack policy: Invalid stack policy"));
    }
    named(account, call)?.policy = Some(policy.to_owned());
    Ok(String::new())
}

pub fn get_policy(account: &mut Account, call: &Call) -> Reply {
    let policy = named(account, call)?.policy.clone();
    Ok(policy.map(|policy| text("StackPolicyBody", &policy)).unwrap_or_default())
}
