//! Asks each service, by the derived names, whether anything of an environment is left.

use crate::cloud::bucket::Bucket as Whose;
use crate::cloud::{Identity, fault};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::{Context, poll, state};
use anyhow::Result;
use futures_util::future::{BoxFuture, FutureExt, join_all};
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

/// Asks for everything, all at once. Returns what was asked for; an error names what is left, and what nobody was
/// allowed to ask for.
pub async fn check(context: &Context, identity: &Identity, at_most: Duration) -> Result<Vec<String>> {
    let suspects = suspects(context, identity);
    let mut left = suspects.clone();
    let mut unknown = Vec::new();
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(Duration::from_millis(250 << look)).await;
        }
        let ask = |suspect| poll::patiently(context, at_most, move || is_there(context, identity, suspect));
        let answers = join_all(left.iter().map(ask)).await;
        let mut still_there = Vec::new();
        for (suspect, answer) in left.into_iter().zip(answers) {
            match answer {
                Ok(true) => still_there.push(suspect),
                Ok(false) => {}
                Err(error) => unknown.push((suspect, Error::of(&error))),
            }
        }
        left = still_there;
        if left.is_empty() {
            break;
        }
    }
    let is_known = |suspect: &&Suspect| unknown.iter().all(|(other, _)| other != *suspect);
    for suspect in suspects.iter().filter(is_known) {
        let left = left.contains(suspect);
        let (service, name) = (suspect.service.to_owned(), suspect.name.clone());
        context.reporter.tell(&Event::Checked { service, name, left });
    }
    if left.is_empty() && unknown.is_empty() {
        return Ok(suspects.iter().map(Suspect::told).collect());
    }
    let name = &context.environment.name;
    let unasked: Vec<String> = unknown.iter().map(|(suspect, _)| suspect.told()).collect();
    let unasked = format!("nobody knows whether this is left, too: {}", unasked.join(", "));
    let mut remedies: Vec<String> = left.iter().map(|suspect| suspect.remove.clone()).collect();
    for remedy in unknown.iter().flat_map(|(_, error)| &error.remedies) {
        if !remedies.contains(remedy) {
            remedies.push(remedy.clone());
        }
    }
    let because = unknown.first().and_then(|(_, error)| error.cause.clone());
    let error = match (left.is_empty(), because) {
        (true, because) => {
            let kind = unknown.first().map_or(Kind::Failed, |(_, error)| error.kind);
            let message = format!("{name} has no stack any more, but {unasked}").replace(", too:", ":");
            Error::new(kind, message).because(because.unwrap_or_default())
        }
        (false, because) => {
            let names: Vec<String> = left.iter().map(Suspect::told).collect();
            let message = format!("{name} has no stack, but left behind: {}", names.join(", "));
            let error = Error::new(Kind::Leftovers, message);
            match because {
                Some(because) => error.because(format!("{unasked}: {because}")),
                None => error,
            }
        }
    };
    let error = remedies.into_iter().fold(error, Error::remedy);
    Err(match unknown.is_empty() {
        true => error,
        false => error.remedy(format!("Then `{}` asks again.", context.invocation.command("down"))),
    }
    .into())
}

impl Suspect {
    fn told(&self) -> String {
        format!("{} {}", self.service, self.name)
    }
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
        // Somebody else's bucket is nothing of ours.
        "bucket" => async move { Ok(clients.whose(name, &identity.account).await? == Whose::Ours) }.boxed(),
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
