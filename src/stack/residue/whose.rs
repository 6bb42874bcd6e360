//! Whose a thing is that bears a name of ours: its tags tell.

use super::thing::{Kind, Thing};
use crate::cloud::{Identity, bucket, fault};
use crate::environment::TAG_ENVIRONMENT;
use crate::stack::Context;
use anyhow::Result;
use std::collections::BTreeMap;

/// Whose a thing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// It bears our tag, or none that says otherwise.
    Ours,
    /// It bears the tag with another environment's name.
    Anothers(String),
    /// It isn't there any more.
    Nobodys,
}

/// Whose a thing is that has a derived name, or was found by its tag.
pub async fn whose(context: &Context, identity: &Identity, thing: &Thing) -> Result<Whose> {
    let Some(mut tags) = tags(context, identity, thing).await? else { return Ok(Whose::Nobodys) };
    Ok(match tags.remove(TAG_ENVIRONMENT) {
        Some(name) if name != context.environment.name.as_str() => Whose::Anothers(name),
        _ => Whose::Ours,
    })
}

/// The tags of a thing; `None` where it isn't there.
async fn tags(
    context: &Context,
    identity: &Identity,
    thing: &Thing,
) -> Result<Option<BTreeMap<String, String>>> {
    let (clients, name) = (&context.clients, &thing.name);
    let partition = identity.arn.split(':').nth(1).unwrap_or("aws");
    let arn = |service: &str, resource: &str| {
        format!("arn:{partition}:{service}:{}:{}:{resource}:{name}", clients.region, identity.account)
    };
    let doing = format!("read the tags of the {}", thing.told());
    let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.unwrap_or_default().to_owned());
    macro_rules! asked {
        ($call:expr, $answer:ident => $pairs:expr) => {
            match $call.send().await {
                Ok($answer) => Ok(Some($pairs.collect())),
                Err(error) if fault::is_missing(&error) => Ok(None),
                Err(error) => Err(fault::explain(error, &doing)),
            }
        };
    }
    match thing.kind {
        Kind::Stream => asked!(
            clients.kinesis.list_tags_for_stream().stream_name(name),
            answer => answer.tags().iter().map(|tag| pair(tag.key(), tag.value()))
        ),
        Kind::DeliveryStream => asked!(
            clients.firehose.list_tags_for_delivery_stream().delivery_stream_name(name),
            answer => answer.tags().iter().map(|tag| pair(tag.key(), tag.value()))
        ),
        Kind::Function => asked!(
            clients.lambda.list_tags().resource(arn("lambda", "function")),
            answer => answer.tags().into_iter().flatten().map(|(key, value)| pair(key, Some(value)))
        ),
        Kind::Role => asked!(
            clients.iam.get_role().role_name(name),
            answer => answer.role().into_iter().flat_map(|role| role.tags()).map(|tag| {
                pair(tag.key(), Some(tag.value()))
            })
        ),
        Kind::LogGroup => asked!(
            clients.logs.list_tags_for_resource().resource_arn(arn("logs", "log-group")),
            answer => answer.tags().into_iter().flatten().map(|(key, value)| pair(key, Some(value)))
        ),
        Kind::Bucket => Ok(bucket::tags(&clients.s3, name, &identity.account, &doing).await?),
    }
}
