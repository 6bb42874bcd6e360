//! IAM: roles. That they lag behind their making is told in `things.rs`.

use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply, tag, text};
use crate::{ACCOUNT, Account};

/// Answers one call.
pub(crate) fn serve(account: &Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "GetRole" => role(account, call.get("RoleName")),
        _ => Err(unknown(call)),
    }
}

fn role(account: &Account, name: &str) -> Reply {
    let Some(thing) = account.thing("AWS::IAM::Role", name) else {
        let message = format!("The role with name {name} cannot be found.");
        return Err(Refusal::new(404, "NoSuchEntity", message));
    };
    let role = text("Path", "/")
        + &text("RoleName", name)
        + &text("RoleId", "AROAEXAMPLE")
        + &text("Arn", &format!("arn:aws:iam::{ACCOUNT}:role/{name}"))
        + &text("CreateDate", &account.time(thing.made));
    Ok(tag("Role", &role))
}
