//! STS: who calls.

use crate::account::unknown;
use crate::wire::{Call, Reply, text};
use crate::{ACCOUNT, Account};

/// Answers one call.
pub(crate) fn serve(account: &Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "GetCallerIdentity" => {
            Ok(text("Account", ACCOUNT) + &text("Arn", &account.caller) + &text("UserId", "AIDAEXAMPLE"))
        }
        _ => Err(unknown(call)),
    }
}
