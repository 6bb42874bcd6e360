//! Firehose: delivery streams, what they deliver, and their deletion.

mod batch;
mod delivery;
mod keys;
mod settings;

use crate::Account;
use crate::account::unknown;
use crate::things::Thing;
use crate::wire::{Call, Refusal, Reply};
pub(crate) use delivery::Delivery;
use serde_json::{Value, json};

pub(crate) const DELIVERY: &str = "AWS::KinesisFirehose::DeliveryStream";

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
        "DeliveryStreamName": name, "DeliveryStreamType": "KinesisStreamAsSource", "VersionId": version(thing),
        "DeliveryStreamARN": account.arn("firehose", &format!("deliverystream/{name}")),
        "DeliveryStreamStatus": thing.status(now), "Destinations": [destination(thing)], "HasMoreDestinations": false,
        "CreateTimestamp": account.clock.seconds(thing.made),
    });
    if thing.status(now) != "CREATING" {
        // Fact: records put before DeliveryStartTimestamp are never delivered.
        let fact = |name: &str| thing.facts.get(name).cloned().unwrap_or_default();
        let start = json!({
            "DeliveryStartTimestamp": account.clock.seconds(thing.ready),
            "KinesisStreamARN": fact("Source"), "RoleARN": fact("SourceRole"),
        });
        stream["Source"] = json!({"KinesisStreamSourceDescription": start});
    }
    Ok(json!({"DeliveryStreamDescription": stream}).to_string())
}

/// Fact: each change of where it delivers to is a new version.
fn version(thing: &Thing) -> String {
    thing.facts.get("Version").cloned().unwrap_or_else(|| "1".to_owned())
}

/// Fact: a destination is told as it was given, with what is so where nothing was said.
fn destination(thing: &Thing) -> Value {
    let given: Value =
        thing.facts.get("Destination").and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
    let hint =
        |name: &str, usual: f64| settings::number(&given["BufferingHints"][name]).unwrap_or(usual) as i64;
    let mut told = json!({
        "RoleARN": "", "BucketARN": "", "Prefix": "", "CompressionFormat": "UNCOMPRESSED", "S3BackupMode": "Disabled",
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
    });
    let fields = given.as_object().into_iter().flatten();
    for (name, value) in fields.filter(|(name, _)| TOLD.contains(&name.as_str())) {
        told[name] = value.clone();
    }
    told["BufferingHints"] =
        json!({"SizeInMBs": hint("SizeInMBs", 5.0), "IntervalInSeconds": hint("IntervalInSeconds", 300.0)});
    json!({"DestinationId": "destinationId-000000000001", "ExtendedS3DestinationDescription": told})
}

/// What is told as it was given.
const TOLD: &[&str] = &[
    "RoleARN",
    "BucketARN",
    "Prefix",
    "ErrorOutputPrefix",
    "CompressionFormat",
    "EncryptionConfiguration",
    "CloudWatchLoggingOptions",
    "ProcessingConfiguration",
    "FileExtension",
    "CustomTimeZone",
];

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
