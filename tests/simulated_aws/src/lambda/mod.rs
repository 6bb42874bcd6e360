//! Lambda: functions, their code, their states, and their invocations.

mod invocation;

use crate::Account;
use crate::account::unknown;
use crate::things::Thing;
use crate::wire::{Call, Refusal, Reply};
use aws_smithy_types::base64;
pub use invocation::Processor;
pub(crate) use invocation::Refused;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

const FUNCTION: &str = "AWS::Lambda::Function";
/// How long new code takes to become active.
const UPDATE_SECONDS: f64 = 4.0;

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    let name = call.get("FunctionName");
    let name = name.rsplit(':').next().unwrap_or_default();
    if ![
        "GetFunctionConfiguration",
        "GetFunctionConcurrency",
        "ListTags",
        "UpdateFunctionCode",
        "DeleteFunction",
    ]
    .contains(&call.operation.as_str())
    {
        return Err(unknown(call));
    }
    if account.thing(FUNCTION, name).is_none() {
        let arn = account.arn("lambda", &format!("function:{name}"));
        return Err(Refusal::new(404, "ResourceNotFoundException", format!("Function not found: {arn}")));
    }
    match call.operation.as_str() {
        "GetFunctionConfiguration" => configuration(account, name),
        // Fact: a function without reserved concurrency tells none.
        "GetFunctionConcurrency" => {
            let reserved = account.thing(FUNCTION, name).and_then(|thing| thing.facts.get("Concurrency"));
            let reserved: Option<u32> = reserved.and_then(|count| count.parse().ok());
            Ok(reserved
                .map_or_else(|| json!({}), |count| json!({"ReservedConcurrentExecutions": count}))
                .to_string())
        }
        "ListTags" => {
            let tags = account.thing(FUNCTION, name).map(|thing| thing.tags.clone());
            Ok(json!({"Tags": tags.unwrap_or_default()}).to_string())
        }
        // Fact: a function is gone as soon as its deletion is answered.
        "DeleteFunction" => {
            account.goes(FUNCTION, name, account.clock.now());
            Ok(String::new())
        }
        "UpdateFunctionCode" => update_code(account, name, call),
        _ => Err(unknown(call)),
    }
}

/// Fact: UpdateFunctionCode is followed by LastUpdateStatus Successful or Failed; CodeSha256 is base64.
fn configuration(account: &Account, name: &str) -> Reply {
    let Some(thing) = account.thing(FUNCTION, name) else { return Ok("{}".to_owned()) };
    let now = account.clock.now();
    let (update, reason) = match &thing.update {
        Some((until, _)) if now < *until => ("InProgress", None),
        Some((_, Some(reason))) => ("Failed", Some(reason.clone())),
        _ => ("Successful", None),
    };
    let fact = |name| thing.facts.get(name).cloned().unwrap_or_default();
    let mut told = json!({
        "FunctionName": name, "FunctionArn": account.arn("lambda", &format!("function:{name}")),
        "Runtime": "provided.al2023", "Handler": "bootstrap", "State": state(thing, now),
        "LastUpdateStatus": update, "CodeSha256": fact("CodeSha256"), "Version": "$LATEST",
        "Architectures": [thing.facts.get("Architecture").map_or("x86_64", String::as_str)],
        "LoggingConfig": {"LogGroup": fact("LogGroup"), "LogFormat": "Text"},
        "MemorySize": fact("Memory").parse().unwrap_or(128), "Timeout": fact("Timeout").parse().unwrap_or(3),
    });
    if let Some(reason) = reason {
        told["LastUpdateStatusReason"] = json!(reason);
    }
    Ok(told.to_string())
}

/// Fact: after EXPRESS a function may still be Pending.
fn state(thing: &Thing, now: Instant) -> &'static str {
    match thing.status(now) {
        "CREATING" => "Pending",
        "DELETING" => "Deleting",
        _ => "Active",
    }
}

fn update_code(account: &mut Account, name: &str, call: &Call) -> Reply {
    let now = account.clock.now();
    let (bucket, key) = (call.get("S3Bucket"), call.get("S3Key"));
    if !account.buckets.get(bucket).is_some_and(|bucket| bucket.holds(key)) {
        let message = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key \
                       does not exist.";
        return Err(Refusal::new(400, "InvalidParameterValueException", message));
    }
    let refused = account.script.refused_code.clone();
    let until = now + Duration::from_secs_f64(UPDATE_SECONDS * account.script.pace);
    let arn = account.arn("lambda", &format!("function:{name}"));
    let Some(thing) = account.things.get_mut(&(FUNCTION.to_owned(), name.to_owned())) else {
        return Ok("{}".to_owned());
    };
    let busy = thing.update.as_ref().is_some_and(|(until, _)| now < *until) || thing.status(now) != "ACTIVE";
    if busy {
        let message = format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        );
        return Err(Refusal::new(409, "ResourceConflictException", message));
    }
    if refused.is_none() {
        thing.facts.insert("CodeSha256", sha256_of_key(key));
        if let Some(architecture) = call.given("Architectures.member.1") {
            thing.facts.insert("Architecture", architecture.to_owned());
        }
    }
    thing.update = Some((until, refused));
    configuration(account, name)
}

/// What CodeSha256 says of the zip at this key. Its content isn't kept: its hash is in its name, in hex digits,
/// and where it isn't, some number of the name takes its place.
pub(crate) fn sha256_of_key(key: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or_default().split('.').next().unwrap_or_default();
    let byte = |place: usize| u8::from_str_radix(name.get(place * 2..place * 2 + 2)?, 16).ok();
    let hash: Option<Vec<u8>> = (0..32).map(byte).collect();
    let hash = hash.filter(|_| name.len() == 64).unwrap_or_else(|| {
        let seed = name.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..32).map(|_| rng.u8(..)).collect()
    });
    base64::encode(hash)
}
