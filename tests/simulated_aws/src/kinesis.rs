//! Kinesis: whether a stream is there, and in which state.

use crate::Account;
use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply};
use serde_json::json;

/// Answers one call.
pub(crate) fn serve(account: &Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "DescribeStreamSummary" => summary(account, call.get("StreamName")),
        _ => Err(unknown(call)),
    }
}

fn summary(account: &Account, name: &str) -> Reply {
    let now = account.clock.now();
    let Some(thing) = account.thing("AWS::Kinesis::Stream", name) else {
        let message = format!("Stream {name} under account {} not found.", crate::ACCOUNT);
        return Err(Refusal::new(400, "ResourceNotFoundException", message));
    };
    let summary = json!({
        "StreamName": name, "StreamARN": account.arn("kinesis", &format!("stream/{name}")),
        "StreamStatus": thing.status(now), "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": account.clock.seconds(thing.made),
        "EnhancedMonitoring": [], "OpenShardCount": 1,
    });
    Ok(json!({"StreamDescriptionSummary": summary}).to_string())
}
