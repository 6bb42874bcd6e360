//! IAM: roles and their policies. That they lag behind their making is told in `things.rs`.

use crate::account::unknown;
use crate::things::Thing;
use crate::wire::{Call, Refusal, Reply, tag, text};
use crate::{ACCOUNT, Account};

const ROLE: &str = "AWS::IAM::Role";

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    if call.operation == "GetAccountSummary" {
        return Ok(summary(account));
    }
    let Some(name) = call.given("RoleName") else { return Err(unknown(call)) };
    let Some(role) = account.things.get_mut(&(ROLE.to_owned(), name.to_owned())) else {
        return Err(missing(format!("The role with name {name} cannot be found.")));
    };
    match call.operation.as_str() {
        "GetRole" => {
            let role = role.clone();
            Ok(described(account, name, &role))
        }
        "ListRolePolicies" => {
            let names: String = role.policies.keys().map(|name| text("member", name)).collect();
            Ok(tag("PolicyNames", &names) + &text("IsTruncated", "false"))
        }
        "DeleteRolePolicy" => {
            let policy = call.get("PolicyName");
            let gone = role.policies.remove(policy).map(|_| String::new());
            gone.ok_or_else(|| missing(format!("The role policy with name {policy} cannot be found.")))
        }
        "ListAttachedRolePolicies" => {
            let attached = role.attached.iter().map(|arn| {
                let name = arn.rsplit('/').next().unwrap_or_default();
                tag("member", &(text("PolicyName", name) + &text("PolicyArn", arn)))
            });
            Ok(tag("AttachedPolicies", &attached.collect::<String>()) + &text("IsTruncated", "false"))
        }
        "DetachRolePolicy" => {
            let arn = call.get("PolicyArn");
            let message = format!("Policy {arn} was not found.");
            role.attached.remove(arn).then(String::new).ok_or_else(|| missing(message))
        }
        "DeleteRole" => delete(account, name),
        _ => Err(unknown(call)),
    }
}

fn missing(message: String) -> Refusal {
    Refusal::new(404, "NoSuchEntity", message)
}

fn described(account: &Account, name: &str, thing: &Thing) -> String {
    let pairs = thing.tags.iter();
    let tags = pairs.map(|(key, value)| tag("member", &(text("Key", key) + &text("Value", value))));
    let role = text("Path", "/")
        + &text("RoleName", name)
        + &text("RoleId", "AROAEXAMPLE")
        + &text("Arn", &format!("arn:aws:iam::{ACCOUNT}:role/{name}"))
        + &text("CreateDate", &account.time(thing.made))
        + &tag("Tags", &tags.collect::<String>());
    tag("Role", &role)
}

/// Fact: a role can't be deleted while it has policies, of its own or attached.
fn delete(account: &mut Account, name: &str) -> Reply {
    let role = account.thing(ROLE, name).cloned();
    let conflict = match role {
        Some(role) if !role.attached.is_empty() => "must detach all policies first",
        Some(role) if !role.policies.is_empty() => "must delete policies first",
        _ => {
            account.goes(ROLE, name, account.clock.now());
            return Ok(String::new());
        }
    };
    Err(Refusal::new(409, "DeleteConflict", format!("Cannot delete entity, {conflict}.")))
}

/// Fact: how many roles there are, and how many there can be.
fn summary(account: &Account) -> String {
    let roles = account.things.keys().filter(|(kind, _)| kind == ROLE).count();
    let entry =
        |key: &str, value: usize| tag("entry", &(text("key", key) + &text("value", &value.to_string())));
    tag("SummaryMap", &(entry("Roles", roles) + &entry("RolesQuota", account.script.role_limit)))
}
