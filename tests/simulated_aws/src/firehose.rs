//! Firehose: whether a delivery stream is there, in which state, and its deletion.

use crate::Account;
use crate::account::unknown;
use crate::wire::{Call, Refusal, Reply};
use serde_json::json;

const DELIVERY: &str = "AWS::KinesisFirehose::DeliveryStream";

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Reply {
    match call.operation.as_str() {
        "DescribeDeliveryStream" => describe(account, call.get("DeliveryStreamName")),
        "ListTagsForDeliveryStream" => {
            let name = call.get("DeliveryStreamName");
            let thing = account.thing(DELIVERY, name).ok_or_else(|| missing(name))?;
            Ok(json!({"Tags": thing.told_tags(), "HasMoreTags": false}).to_string())
        }
        "DeleteDeliveryStream" => delete(account, call.get("DeliveryStreamName")),
        _ => Err(unknown(call)),
    }
}

fn describe(account: &Account, name: &str) -> Reply {
    let now = account.clock.now();
    let thing = account.thing(DELIVERY, name).ok_or_else(|| missing(name))?;
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

fn missing(name: &str) -> Refusal {
    let message = format!("Firehose {name} under account {} not found.", crate::ACCOUNT);
    Refusal::new(400, "ResourceNotFoundException", message)
}

/// Fact: a delivery stream can't be deleted while it is CREATING, and is DELETING for minutes: asking again while it
/// is does no harm.
fn delete(account: &mut Account, name: &str) -> Reply {
    let now = account.clock.now();
    match account.thing(DELIVERY, name).ok_or_else(|| missing(name))?.status(now) {
        "CREATING" => {
            let message = format!(
                "Firehose {name} under account {} is not in a state in which it can be deleted: CREATING",
                crate::ACCOUNT
            );
            return Err(Refusal::new(400, "ResourceInUseException", message));
        }
        "ACTIVE" => account.remove(DELIVERY, name),
        _ => {}
    }
    Ok("{}".to_owned())
}
