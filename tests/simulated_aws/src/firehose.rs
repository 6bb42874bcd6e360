//! Firehose: whether a delivery stream is there, and in which state.

use crate::Account;
use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply};
use serde_json::json;

/// Answers one call.
pub(crate) fn serve(account: &Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "DescribeDeliveryStream" => describe(account, call.get("DeliveryStreamName")),
        _ => Err(unknown(call)),
    }
}

fn describe(account: &Account, name: &str) -> Reply {
    let now = account.clock.now();
    let Some(thing) = account.thing("AWS::KinesisFirehose::DeliveryStream", name) else {
        let message = format!("Firehose {name} under account {} not found.", crate::ACCOUNT);
        return Err(Refusal::new(400, "ResourceNotFoundException", message));
    };
    let mut stream = json!({
        "DeliveryStreamName": name, "DeliveryStreamType": "KinesisStreamAsSource", "VersionId": "1",
        "DeliveryStreamARN": account.arn("firehose", &format!("deliverystream/{name}")),
        "DeliveryStreamStatus": thing.status(now), "Destinations": [], "HasMoreDestinations": false,
        "CreateTimestamp": account.clock.seconds(thing.made),
    });
    if thing.status(now) != "CREATING" {
        // Fact: records put before DeliveryStartTimestamp are never delivered.
        let start = json!({"DeliveryStartTimestamp": account.clock.seconds(thing.ready)});
        stream["Source"] = json!({"KinesisStreamSourceDescription": start});
    }
    Ok(json!({"DeliveryStreamDescription": stream}).to_string())
}
