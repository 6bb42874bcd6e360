//! The services of the local cloud, asked by ourselves.

use crate::sandbox::Sandbox;
use kinesis_stack::cloud::{Clients, configuration};
use kinesis_stack::environment::Environment;
use kinesis_stack::event::{Event, Question, Reporter};
use kinesis_stack::settings::Place;
use serde_json::Value;
use std::sync::Arc;

struct Silent;

impl Reporter for Silent {
    fn tell(&self, _: &Event) {}

    fn ask(&self, _: &Question) -> Option<bool> {
        None
    }
}

/// Where the sandbox's local cloud answers.
pub fn endpoint(sandbox: &Sandbox) -> String {
    let status: Value = serde_json::from_str(&sandbox.ok("local status --output json").stdout).unwrap();
    status["endpoint"].as_str().unwrap().to_owned()
}

/// Clients of our own on the sandbox's local cloud.
pub async fn clients(sandbox: &Sandbox) -> Clients {
    clients_at(&endpoint(sandbox)).await
}

/// The same on whatever answers there.
pub async fn clients_at(endpoint: &str) -> Clients {
    let place = Place::Local { region: "us-east-1".to_owned() };
    let configuration = configuration(&place, Some(endpoint)).await.unwrap();
    let reporter: Arc<dyn Reporter> = Arc::new(Silent);
    Clients::new(&configuration, &reporter).unwrap()
}

/// What of an environment the services still know, each asked by name.
pub async fn left(clients: &Clients, environment: &Environment) -> Vec<&'static str> {
    let (account, region) = ("000000000000", "us-east-1");
    let mut left = Vec::new();
    let mut ask = |what, there: bool| left.extend(there.then_some(what));
    ask(
        "stack",
        clients.cloudformation.describe_stacks().stack_name(environment.stack()).send().await.is_ok(),
    );
    ask("bucket", clients.s3.head_bucket().bucket(environment.bucket(account, region)).send().await.is_ok());
    ask(
        "stream",
        clients.kinesis.describe_stream_summary().stream_name(environment.stream()).send().await.is_ok(),
    );
    let delivery =
        clients.firehose.describe_delivery_stream().delivery_stream_name(environment.delivery_stream());
    ask("delivery stream", delivery.send().await.is_ok());
    ask(
        "function",
        clients.lambda.get_function().function_name(environment.processor()).send().await.is_ok(),
    );
    for role in [environment.processor_role(region), environment.delivery_role(region)] {
        ask("role", clients.iam.get_role().role_name(role).send().await.is_ok());
    }
    let groups = clients.logs.describe_log_groups().log_group_name_prefix(environment.log_group_prefix());
    ask("log groups", !groups.send().await.unwrap().log_groups().is_empty());
    left
}
