//! Asks each service, by the derived names and by the tag, what there is of an environment. Changes nothing.

use super::thing::{Kind, Thing};
use crate::cloud::bucket::Bucket as Whose;
use crate::cloud::{Identity, fault};
use crate::environment::TAG_ENVIRONMENT;
use crate::error::{Error, Kind as ErrorKind};
use crate::stack::state::{self, Stack};
use crate::stack::status::Known;
use crate::stack::{Context, poll};
use anyhow::Result;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use aws_types::request_id::RequestId;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// How something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By its name, of the service itself.
    Name,
    /// By what its name begins with.
    Prefix,
    /// By our tag, of the Resource Groups Tagging API. Its index lags: what it tells is asked of its own service.
    Tag,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Thing(Thing),
    /// All log groups whose names begin like this.
    LogGroups(String),
    Stack(String),
    /// All that bears our tag with this value.
    Tagged(String),
}

/// A question to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question(Subject);

/// What a service said.
#[derive(Debug, Default)]
pub struct Answer {
    /// What is there.
    pub things: Vec<Thing>,
    /// The stacks that are there: of our name, or with our tag.
    pub stacks: Vec<Stack>,
    /// The ARNs of what bears our tag and is of a kind that we don't know.
    pub strangers: Vec<String>,
    /// Why it wasn't asked.
    pub not_asked: Option<String>,
    /// The service's own number of the answer.
    pub request_id: Option<String>,
}

impl Answer {
    /// Whether nothing is there.
    pub fn is_nothing(&self) -> bool {
        self.things.is_empty() && self.stacks.is_empty() && self.strangers.is_empty()
    }
}

/// How long the index of tags is asked at most: it only completes what each service tells of its own.
const TAG_PATIENCE: Duration = Duration::from_secs(60);

/// The log group that Lambda makes where a function logs after its own group was deleted.
pub fn late_log_group(context: &Context) -> String {
    format!("/aws/lambda/{}", context.environment.processor())
}

/// All questions about an environment.
pub fn questions(context: &Context, identity: &Identity) -> Vec<Question> {
    let (environment, region) = (&context.environment, &context.clients.region);
    let thing = |kind, name| Subject::Thing(Thing::new(kind, name));
    let all = [
        thing(Kind::Bucket, environment.bucket(&identity.account, region)),
        thing(Kind::Stream, environment.stream()),
        thing(Kind::DeliveryStream, environment.delivery_stream()),
        thing(Kind::Function, environment.processor()),
        thing(Kind::Role, environment.processor_role(region)),
        thing(Kind::Role, environment.delivery_role(region)),
        Subject::LogGroups(environment.log_group_prefix()),
        thing(Kind::LogGroup, late_log_group(context)),
        Subject::Stack(environment.stack()),
        Subject::Tagged(environment.name.to_string()),
    ];
    all.into_iter().map(Question).collect()
}

impl Question {
    /// What is asked, in words.
    pub fn service(&self) -> &'static str {
        match &self.0 {
            Subject::Thing(Thing { kind: Kind::LogGroup, .. }) | Subject::LogGroups(_) => "log groups",
            Subject::Thing(thing) => thing.kind.word(),
            Subject::Stack(_) => "stack",
            Subject::Tagged(_) => "tag",
        }
    }

    /// Whether it is about log groups.
    pub fn is_about_log_groups(&self) -> bool {
        matches!(&self.0, Subject::Thing(Thing { kind: Kind::LogGroup, .. }) | Subject::LogGroups(_))
    }

    /// For which name, beginning or tag.
    pub fn name(&self) -> String {
        match &self.0 {
            Subject::Thing(thing) => thing.name.clone(),
            Subject::LogGroups(name) | Subject::Stack(name) => name.clone(),
            Subject::Tagged(name) => format!("{TAG_ENVIRONMENT}={name}"),
        }
    }

    /// How.
    pub fn how(&self) -> How {
        match &self.0 {
            Subject::Thing(_) | Subject::Stack(_) => How::Name,
            Subject::LogGroups(_) => How::Prefix,
            Subject::Tagged(_) => How::Tag,
        }
    }

    /// Service and name.
    pub fn told(&self) -> String {
        format!("{} {}", self.service(), self.name())
    }

    /// Whether a thing is what is asked for by name: then the tags need not tell it.
    pub fn is_about(&self, thing: &Thing) -> bool {
        match &self.0 {
            Subject::Thing(asked) => asked == thing,
            Subject::LogGroups(prefix) => thing.kind == Kind::LogGroup && thing.name.starts_with(prefix),
            Subject::Stack(_) | Subject::Tagged(_) => false,
        }
    }
}

/// What became of a question.
#[derive(Debug)]
pub struct Answered {
    /// What was asked.
    pub question: Question,
    /// What was said, or why nobody knows.
    pub answer: Result<Answer, Error>,
    /// When.
    pub at: Timestamp,
}

/// Asks all of them at once, each as long as it takes.
pub async fn ask(
    context: &Context,
    identity: &Identity,
    questions: Vec<Question>,
    at_most: Duration,
) -> Vec<Answered> {
    let answers = questions.into_iter().map(|question| async move {
        let answer = match &question.0 {
            Subject::Thing(thing) => {
                poll::patiently(context, at_most, || is_there(context, identity, thing)).await
            }
            Subject::LogGroups(prefix) => {
                poll::patiently(context, at_most, || log_groups(context, prefix, true)).await
            }
            Subject::Stack(name) => poll::patiently(context, at_most, || stack(context, name)).await,
            Subject::Tagged(name) => tagged(context, identity, name, at_most).await,
        };
        let answer = answer.map_err(|error| Error::of(&error));
        Answered { question, answer, at: context.clock.now() }
    });
    join_all(answers).await
}

/// Whether a thing is there.
async fn is_there(context: &Context, identity: &Identity, thing: &Thing) -> Result<Answer> {
    let (clients, name) = (&context.clients, &thing.name);
    let doing = format!("ask whether the {} {name} is left", thing.kind.word());
    // The same verdict on each service's answer: it is there, it isn't, or nobody knows.
    macro_rules! asked {
        ($call:expr) => {
            match $call.send().await {
                Ok(answer) => Ok((true, answer.request_id().map(str::to_owned))),
                Err(error) if fault::is_missing(&error) => Ok((false, error.request_id().map(str::to_owned))),
                Err(error) => Err(fault::explain(error, &doing)),
            }
        };
    }
    let asked = match thing.kind {
        Kind::Bucket => return bucket(context, identity, thing, &doing).await,
        Kind::LogGroup => return log_groups(context, name, false).await,
        Kind::Stream => asked!(clients.kinesis.describe_stream_summary().stream_name(name)),
        Kind::DeliveryStream => {
            asked!(clients.firehose.describe_delivery_stream().delivery_stream_name(name))
        }
        Kind::Function => asked!(clients.lambda.get_function_configuration().function_name(name)),
        Kind::Role => asked!(clients.iam.get_role().role_name(name)),
    };
    let (is_there, request_id) = asked?;
    let things = is_there.then(|| thing.clone()).into_iter().collect();
    Ok(Answer { things, request_id, ..Answer::default() })
}

/// Somebody else's bucket is nothing of ours.
async fn bucket(context: &Context, identity: &Identity, thing: &Thing, doing: &str) -> Result<Answer> {
    let (name, account) = (&thing.name, &identity.account);
    let ours = |request_id: Option<&str>| Answer {
        things: vec![thing.clone()],
        request_id: request_id.map(str::to_owned),
        ..Answer::default()
    };
    match context.clients.s3.head_bucket().bucket(name).expected_bucket_owner(account).send().await {
        Ok(answer) => Ok(ours(answer.request_id())),
        Err(error) if fault::is_missing(&error) => {
            Ok(Answer { request_id: error.request_id().map(str::to_owned), ..Answer::default() })
        }
        Err(error) if fault::is_silent_refusal(&error) => {
            let request_id = error.request_id().map(str::to_owned);
            Ok(match context.clients.whose(name, account).await? {
                Whose::Ours => ours(request_id.as_deref()),
                Whose::Missing | Whose::Foreign => Answer { request_id, ..Answer::default() },
            })
        }
        Err(error) => Err(fault::explain(error, doing)),
    }
}

/// The log groups of a name, or of all names that begin so.
async fn log_groups(context: &Context, name: &str, is_prefix: bool) -> Result<Answer> {
    let call = context.clients.logs.describe_log_groups().log_group_name_prefix(name);
    let mut found = Answer::default();
    let mut token = None;
    loop {
        let answer = call.clone().set_next_token(token).send().await;
        let answer = answer
            .map_err(|error| fault::explain(error, &format!("ask whether log groups {name} are left")))?;
        let names = answer.log_groups().iter().filter_map(|group| group.log_group_name());
        // A whole name may be the beginning of another environment's.
        let names = names.filter(|group| is_prefix || *group == name);
        found.things.extend(names.map(|name| Thing::new(Kind::LogGroup, name)));
        found.request_id = answer.request_id().map(str::to_owned);
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

async fn stack(context: &Context, name: &str) -> Result<Answer> {
    match context.clients.cloudformation.describe_stacks().stack_name(name).send().await {
        Ok(answer) => {
            let request_id = answer.request_id().map(str::to_owned);
            let stacks = answer.stacks().iter().map(Stack::of);
            let stacks = stacks.filter(|stack| !stack.status.is(Known::DeleteComplete)).collect();
            Ok(Answer { stacks, request_id, ..Answer::default() })
        }
        Err(error) if fault::is_missing(&error) => {
            Ok(Answer { request_id: error.request_id().map(str::to_owned), ..Answer::default() })
        }
        Err(error) => Err(fault::explain(error, &format!("ask whether the stack {name} is left"))),
    }
}

/// What bears our tag and isn't asked for by name. Where the index can't be asked, each service's own word remains;
/// credentials that are over say nothing of the index, which the next command can ask.
async fn tagged(context: &Context, identity: &Identity, name: &str, at_most: Duration) -> Result<Answer> {
    let by_name = questions(context, identity);
    let at_most = at_most.min(TAG_PATIENCE);
    let (arns, request_id) = match poll::patiently(context, at_most, || arns(context, name)).await {
        Ok(answer) => answer,
        Err(error) => {
            let error = Error::of(&error);
            if error.kind == ErrorKind::Credentials && !fault::is_lasting_refusal(&error) {
                return Err(error.into());
            }
            return Ok(Answer { not_asked: Some(error.to_string()), ..Answer::default() });
        }
    };
    let mut found = Answer { request_id, ..Answer::default() };
    let mut things = Vec::new();
    for arn in arns {
        match Thing::of_arn(&arn) {
            // Roles belong to no region, so that this may be another region's environment of the same name.
            Some(thing) if thing.kind == Kind::Role => {}
            Some(thing) if by_name.iter().any(|question| question.is_about(&thing)) => {}
            Some(thing) => things.push(thing),
            // That of our name is asked for by its name, and the index may still tell of those that were.
            None if stack_of(&arn).is_some_and(|name| name == context.environment.stack()) => {}
            None if stack_of(&arn).is_some() => {
                let look = || state::find(&context.clients.cloudformation, &arn);
                found.stacks.extend(poll::patiently(context, at_most, look).await?);
            }
            None => found.strangers.push(arn),
        }
    }
    let verified = things.iter().map(|thing| is_there(context, identity, thing));
    for answer in join_all(verified).await {
        found.things.extend(answer?.things);
    }
    Ok(found)
}

/// The name of the stack that an ARN is of.
fn stack_of(arn: &str) -> Option<&str> {
    let resource = arn.splitn(6, ':').skip(2).collect::<Vec<&str>>();
    let (service, resource) = (*resource.first()?, *resource.get(3)?);
    resource.strip_prefix("stack/").filter(|_| service == "cloudformation")?.split('/').next()
}

async fn arns(context: &Context, name: &str) -> Result<(Vec<String>, Option<String>)> {
    let filter = TagFilter::builder().key(TAG_ENVIRONMENT).values(name).build();
    let call = context.clients.tagging.get_resources().tag_filters(filter).resources_per_page(100);
    let (mut arns, mut token) = (Vec::new(), None);
    loop {
        let answer = call.clone().set_pagination_token(token).send().await;
        let answer = answer.map_err(|error| fault::explain(error, "ask what bears the environment's tag"))?;
        let found = answer.resource_tag_mapping_list().iter().filter_map(|found| found.resource_arn());
        arns.extend(found.map(str::to_owned));
        let request_id = answer.request_id().map(str::to_owned);
        token = answer.pagination_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok((arns, request_id));
        }
    }
}
