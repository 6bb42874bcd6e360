//! What one stack costs without a tool: a change set, its execution, a deletion, by the bare SDK.
//!
//! `bare cycle STACK TEMPLATE BUCKET KEY` makes a stack and deletes it again; `bare make …` only makes it;
//! `bare unchanged …` asks for a change set, hears that nothing changes, and withdraws it; `bare delete STACK`.
//! The endpoint and the credentials are what the SDK finds in the environment.

use anyhow::{Context, Result, bail};
use aws_config::{BehaviorVersion, Region};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{Capability, ChangeSetStatus, ChangeSetType, Parameter, StackStatus};
use aws_smithy_http_client::{Builder, Connector};
use std::time::Duration;

/// As short as the tool's first wait.
const PAUSE: Duration = Duration::from_millis(20);

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Without certificates: nothing here goes off this machine.
    let http = Builder::new().build_with_connector_fn(|settings, _| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.build_http()
    });
    let region = std::env::var("AWS_REGION").unwrap_or_else(|_| "us-east-1".to_owned());
    let config =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http).region(Region::new(region));
    let client = Client::new(&config.load().await);
    match arguments[..] {
        ["cycle", stack, template, bucket, key] => {
            make(&client, stack, template, bucket, key).await?;
            delete(&client, stack).await
        }
        ["make", stack, template, bucket, key] => make(&client, stack, template, bucket, key).await,
        ["unchanged", stack, template, bucket, key] => unchanged(&client, stack, template, bucket, key).await,
        ["delete", stack] => delete(&client, stack).await,
        _ => bail!("bare cycle|make|unchanged STACK TEMPLATE BUCKET KEY, or bare delete STACK"),
    }
}

/// A change set, and what it came to.
async fn change_set(
    client: &Client,
    (kind, stack): (ChangeSetType, &str),
    (template, bucket, key): (&str, &str, &str),
) -> Result<(String, ChangeSetStatus)> {
    let parameter = |key, value| Parameter::builder().parameter_key(key).parameter_value(value).build();
    let made = client
        .create_change_set()
        .stack_name(stack)
        .change_set_type(kind)
        // A change set that was executed keeps its name.
        .change_set_name(format!("bare-{}", std::process::id()))
        .template_body(std::fs::read_to_string(template)?)
        .capabilities(Capability::CapabilityNamedIam)
        .parameters(parameter("ProcessorBucket", bucket))
        .parameters(parameter("ProcessorKey", key))
        .send()
        .await?;
    let id = made.id().context("a change set without an id")?;
    loop {
        let told = client.describe_change_set().change_set_name(id).send().await?;
        match told.status() {
            Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => {
                tokio::time::sleep(PAUSE).await;
            }
            Some(status) => return Ok((id.to_owned(), status.clone())),
            None => bail!("a change set without a state"),
        }
    }
}

async fn make(client: &Client, stack: &str, template: &str, bucket: &str, key: &str) -> Result<()> {
    let (id, _) = change_set(client, (ChangeSetType::Create, stack), (template, bucket, key)).await?;
    client.execute_change_set().change_set_name(id).send().await?;
    loop {
        let told = client.describe_stacks().stack_name(stack).send().await?;
        match told.stacks()[0].stack_status() {
            Some(StackStatus::CreateComplete) => return Ok(()),
            Some(StackStatus::CreateInProgress | StackStatus::ReviewInProgress) => {
                tokio::time::sleep(PAUSE).await;
            }
            status => bail!("{stack} is {status:?}"),
        }
    }
}

async fn unchanged(client: &Client, stack: &str, template: &str, bucket: &str, key: &str) -> Result<()> {
    let (id, status) = change_set(client, (ChangeSetType::Update, stack), (template, bucket, key)).await?;
    client.delete_change_set().change_set_name(id).send().await?;
    if status != ChangeSetStatus::Failed {
        bail!("{stack} would change: the change set is {status}");
    }
    Ok(())
}

async fn delete(client: &Client, stack: &str) -> Result<()> {
    client.delete_stack().stack_name(stack).send().await?;
    loop {
        match client.describe_stacks().stack_name(stack).send().await {
            Ok(told) if told.stacks()[0].stack_status() == Some(&StackStatus::DeleteComplete) => {
                return Ok(());
            }
            Ok(_) => tokio::time::sleep(PAUSE).await,
            Err(error) if error.code() == Some("ValidationError") => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
