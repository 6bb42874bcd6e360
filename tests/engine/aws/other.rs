//! STS, IAM, Kinesis, Firehose, Lambda and CloudWatch Logs: as much of each as is asked.

use super::wire::{tag, text};
use super::{ACCOUNT, Account, Call, Refusal, Reply};
use serde_json::{Value, json};

pub fn serve(account: &mut Account, call: &Call) -> Reply {
    match (call.service.as_str(), call.operation.as_str()) {
        ("sts", "GetCallerIdentity") => Ok(text("Account", ACCOUNT) + &text("Arn", &account.caller)),
        ("iam", "GetRole") => role(account, call.get("RoleName")),
        ("kinesis", "DescribeStreamSummary") => {
            let name = call.get("StreamName");
            let stream = json!({
                "StreamName": name, "StreamARN": account.arn("kinesis", &format!("stream/{name}")),
                "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1_790_000_000,
                "EnhancedMonitoring": [], "OpenShardCount": 1,
            });
            found(account, "AWS::Kinesis::Stream", name, json!({"StreamDescriptionSummary": stream}))
        }
        ("firehose", "DescribeDeliveryStream") => {
            let name = call.get("DeliveryStreamName");
            let stream = json!({
                "DeliveryStreamName": name, "DeliveryStreamType": "KinesisStreamAsSource", "VersionId": "1",
                "DeliveryStreamARN": account.arn("firehose", &format!("deliverystream/{name}")),
                "DeliveryStreamStatus": "ACTIVE", "Destinations": [], "HasMoreDestinations": false,
            });
            let body = json!({"DeliveryStreamDescription": stream});
            found(account, "AWS::KinesisFirehose::DeliveryStream", name, body)
        }
        ("lambda", "GetFunctionConfiguration") => {
            let name = call.get("FunctionName");
            found(account, "AWS::Lambda::Function", name, json!({"FunctionName": name}))
        }
        ("logs", "DescribeLogGroups") => {
            let prefix = call.get("logGroupNamePrefix");
            let groups = account
                .things
                .keys()
                .filter(|(kind, name)| kind == "AWS::Logs::LogGroup" && name.starts_with(prefix));
            let groups: Vec<Value> = groups.map(|(_, name)| json!({"logGroupName": name})).collect();
            Ok(json!({"logGroups": groups}).to_string())
        }
        (service, operation) => panic!("the fake account doesn't know {service} {operation}"),
    }
}

fn found(account: &Account, kind: &str, name: &str, body: Value) -> Reply {
    match account.exists(kind, name) {
        true => Ok(body.to_string()),
        false => Err(Refusal::new(404, "ResourceNotFoundException", format!("{name} not found"))),
    }
}

fn role(account: &Account, name: &str) -> Reply {
    if !account.exists("AWS::IAM::Role", name) {
        let message = format!("The role with name {name} cannot be found.");
        return Err(Refusal::new(404, "NoSuchEntity", message));
    }
    let role = text("Path", "/")
        + &text("RoleName", name)
        + &text("RoleId", "AROAEXAMPLE")
        + &text("Arn", &format!("arn:aws:iam::{ACCOUNT}:role/{name}"))
        + &text("CreateDate", "2026-11-24T12:00:00Z");
    Ok(tag("Role", &role))
}
