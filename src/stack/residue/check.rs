//! Asks each service, by the derived names, whether anything of an environment is left.

use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::{Context, state};
use anyhow::Result;
use futures_util::future::{BoxFuture, FutureExt, try_join_all};
use std::time::Duration;

/// Deleted things can still be seen for a moment: what is left is looked at again before it is named.
const LOOKS: u32 = 5;

/// A thing that may be left, and the command that removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Suspect {
    service: &'static str,
    name: String,
    remove: String,
}

/// Asks for everything, all at once. Returns what was asked for; an error names what is left.
pub async fn check(context: &Context, identity: &Identity) -> Result<Vec<String>> {
    let suspects = suspects(context, identity);
    let mut left = suspects.clone();
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(Duration::from_millis(250 << look)).await;
        }
        let answers = try_join_all(left.iter().map(|suspect| is_there(context, identity, suspect))).await?;
        left =
            left.into_iter().zip(answers).filter_map(|(suspect, there)| there.then_some(suspect)).collect();
        if left.is_empty() {
            break;
        }
    }
    for suspect in &suspects {
        let left = left.contains(suspect);
        let (service, name) = (suspect.service.to_owned(), suspect.name.clone());
        context.reporter.tell(&Event::Checked { service, name, left });
    }
    if left.is_empty() {
        return Ok(suspects.iter().map(|suspect| format!("{} {}", suspect.service, suspect.name)).collect());
    }
    let names: Vec<String> =
        left.iter().map(|suspect| format!("{} {}", suspect.service, suspect.name)).collect();
    let message = format!("{} has no stack, but left behind: {}", context.environment.name, names.join(", "));
    let error = Error::new(Kind::Leftovers, message);
    Err(left.iter().fold(error, |error, suspect| error.remedy(suspect.remove.clone())).into())
}

fn suspects(context: &Context, identity: &Identity) -> Vec<Suspect> {
    let environment = &context.environment;
    let region = &context.clients.region;
    let bucket = environment.bucket(&identity.account, region);
    let role = |name: String| Suspect {
        service: "role",
        remove: format!("iam delete-role --role-name {name}   (after its inline policies)"),
        name,
    };
    let suspect = |service, name: String, remove: String| Suspect { service, name, remove };
    let (stream, delivery) = (environment.stream(), environment.delivery_stream());
    let function = environment.processor();
    let groups = environment.log_group_prefix();
    let late_group = format!("/aws/lambda/{function}");
    let mut suspects = vec![
        suspect("bucket", bucket.clone(), format!("s3 rb s3://{bucket} --force")),
        suspect(
            "stream",
            stream.clone(),
            format!("kinesis delete-stream --stream-name {stream} --region {region}"),
        ),
        suspect(
            "delivery stream",
            delivery.clone(),
            format!("firehose delete-delivery-stream --delivery-stream-name {delivery} --region {region}"),
        ),
        suspect(
            "function",
            function.clone(),
            format!("lambda delete-function --function-name {function} --region {region}"),
        ),
        role(environment.processor_role(region)),
        role(environment.delivery_role(region)),
        suspect(
            "log groups",
            groups.clone(),
            format!(
                "logs describe-log-groups --log-group-name-prefix {groups} --region {region}   (then delete-log-group)"
            ),
        ),
        suspect(
            "log groups",
            late_group.clone(),
            format!("logs delete-log-group --log-group-name {late_group} --region {region}"),
        ),
        suspect(
            "stack",
            environment.stack(),
            format!("cloudformation delete-stack --stack-name {} --region {region}", environment.stack()),
        ),
    ];
    for suspect in &mut suspects {
        suspect.remove = context.invocation.aws(&suspect.remove);
    }
    suspects
}

fn is_there<'a>(
    context: &'a Context,
    identity: &'a Identity,
    suspect: &'a Suspect,
) -> BoxFuture<'a, Result<bool>> {
    let clients = &context.clients;
    let name = &suspect.name;
    let doing = format!("ask whether the {} {name} is left", suspect.service);
    // The same verdict on each service's answer: it is there, it isn't, or nobody knows.
    macro_rules! asked {
        ($call:expr) => {
            async move {
                match $call.send().await {
                    Ok(_) => Ok(true),
                    Err(error) if fault::is_missing(&error) => Ok(false),
                    Err(error) => Err(fault::explain(error, &doing)),
                }
            }
            .boxed()
        };
    }
    match suspect.service {
        "bucket" => async move {
            let request = clients.s3.head_bucket().bucket(name).expected_bucket_owner(&identity.account);
            match request.send().await {
                Ok(_) => Ok(true),
                // Somebody else's bucket is nothing of ours.
                Err(error) if fault::is_missing(&error) || fault::is_forbidden(&error) => Ok(false),
                Err(error) => Err(fault::explain(error, &doing)),
            }
        }
        .boxed(),
        "stream" => asked!(clients.kinesis.describe_stream_summary().stream_name(name)),
        "delivery stream" => asked!(clients.firehose.describe_delivery_stream().delivery_stream_name(name)),
        "function" => asked!(clients.lambda.get_function_configuration().function_name(name)),
        "role" => asked!(clients.iam.get_role().role_name(name)),
        "log groups" => async move {
            let answer = clients.logs.describe_log_groups().log_group_name_prefix(name).send().await;
            let answer = answer.map_err(|error| fault::explain(error, &doing))?;
            // Without a slash at its end it is one group's whole name, and may begin another environment's.
            let is_ours = |group: &str| name.ends_with('/') || group == name;
            Ok(answer.log_groups().iter().filter_map(|group| group.log_group_name()).any(is_ours))
        }
        .boxed(),
        _ => async move { Ok(state::find(&clients.cloudformation, name).await?.is_some()) }.boxed(),
    }
}
