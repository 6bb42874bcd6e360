//! A stack as it stands, as a value.

use super::status::{Known, StackStatus};
use crate::cloud::fault;
use crate::environment::{
    Environment, TAG_ENVIRONMENT, TAG_EPHEMERAL, TAG_EXPIRES, TAG_OWNER, TAG_PULL_REQUEST, TAG_VERSION,
    expiry_of,
};
use crate::error::{Error, Kind};
use anyhow::Result;
use aws_sdk_cloudformation::error::SdkError;
use aws_sdk_cloudformation::operation::describe_stacks::DescribeStacksError;
use aws_sdk_cloudformation::types as cfn;
use std::collections::BTreeMap;

/// A stack as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN: the one thing that still answers when it has been deleted.
    pub id: String,
    /// Its state.
    pub status: StackStatus,
    /// What its template says that it is.
    pub description: Option<String>,
    /// CloudFormation's sentence about it.
    pub reason: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The names of its parameters.
    pub parameters: Vec<String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// When it was last changed, RFC 3339.
    pub updated: Option<String>,
    /// Whether it bears the mark of a short life.
    pub ephemeral: bool,
    /// Whether termination protection is on.
    pub protected: bool,
    /// The role that CloudFormation acts under, where it isn't the caller's.
    pub role_arn: Option<String>,
}

impl Stack {
    /// The value of what DescribeStacks tells.
    pub fn of(stack: &cfn::Stack) -> Self {
        let pair = |key: Option<&str>, value: Option<&str>| {
            Some((key?.to_owned(), value.unwrap_or_default().to_owned()))
        };
        Stack {
            name: stack.stack_name().unwrap_or_default().to_owned(),
            id: stack.stack_id().unwrap_or_default().to_owned(),
            status: StackStatus::parse(
                stack.stack_status().map(cfn::StackStatus::as_str).unwrap_or_default(),
            ),
            description: stack.description().map(str::to_owned),
            reason: stack.stack_status_reason().filter(|reason| !reason.is_empty()).map(fault::in_one_line),
            tags: stack.tags().iter().filter_map(|tag| pair(tag.key(), tag.value())).collect(),
            parameters: stack
                .parameters()
                .iter()
                .filter_map(|parameter| parameter.parameter_key().map(str::to_owned))
                .collect(),
            outputs: stack
                .outputs()
                .iter()
                .filter_map(|out| pair(out.output_key(), out.output_value()))
                .collect(),
            created: stack.creation_time().map(time),
            updated: stack.last_updated_time().map(time),
            ephemeral: stack.tags().iter().any(|tag| tag.key() == Some(TAG_EPHEMERAL)),
            protected: stack.enable_termination_protection() == Some(true),
            role_arn: stack.role_arn().map(str::to_owned),
        }
    }

    /// The environment whose stack it says it is.
    pub fn environment(&self) -> Option<&str> {
        self.tags.get(TAG_ENVIRONMENT).map(String::as_str)
    }

    /// Who made it.
    pub fn owner(&self) -> Option<&str> {
        self.tags.get(TAG_OWNER).map(String::as_str)
    }

    /// The version of this tool that last changed it.
    pub fn version(&self) -> Option<&str> {
        self.tags.get(TAG_VERSION).map(String::as_str)
    }

    /// When its time is up, where it is ever.
    pub fn expires(&self) -> Option<jiff::Timestamp> {
        self.tags.get(TAG_EXPIRES).and_then(|tag| expiry_of(tag))
    }

    /// The pull request whose pipeline made it, as [`TAG_PULL_REQUEST`] spells it.
    pub fn pull_request(&self) -> Option<&str> {
        self.tags.get(TAG_PULL_REQUEST).map(String::as_str)
    }

    /// Refuses a stack that bears our environment's name but not our tag. A stack that never was more than
    /// its name may be anybody's: there is nothing in it.
    pub fn check_ours(&self, environment: &Environment) -> Result<()> {
        if self.environment() == Some(environment.name.as_str()) || self.status.is(Known::ReviewInProgress) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Refused,
            format!(
                "the stack {} is not one of ours: it has no tag {TAG_ENVIRONMENT}={}",
                self.name, environment.name
            ),
        )
        .remedy("Choose another environment with --env.")
        .into())
    }
}

/// The stack of this name or id, where there is one that is not deleted.
pub async fn find(cloudformation: &aws_sdk_cloudformation::Client, name: &str) -> Result<Option<Stack>> {
    let found = look(cloudformation, name).await;
    found.map_err(|error| fault::explain(error, &format!("look at the stack {name}")))
}

/// The environment's stack, where there is one. Somebody else's of that name is refused.
pub async fn find_ours(
    cloudformation: &aws_sdk_cloudformation::Client,
    environment: &Environment,
) -> Result<Option<Stack>> {
    let stack = find(cloudformation, &environment.stack()).await?;
    if let Some(stack) = &stack {
        stack.check_ours(environment)?;
    }
    Ok(stack)
}

/// Like [`find`], for whoever goes on after an error.
pub(super) async fn look(
    cloudformation: &aws_sdk_cloudformation::Client,
    name: &str,
) -> Result<Option<Stack>, SdkError<DescribeStacksError>> {
    match cloudformation.describe_stacks().stack_name(name).send().await {
        Ok(answer) => {
            let stack = answer.stacks().first().map(Stack::of);
            Ok(stack.filter(|stack| !stack.status.is(Known::DeleteComplete)))
        }
        Err(error) if fault::is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// RFC 3339, in seconds.
pub fn time(time: &aws_smithy_types::DateTime) -> String {
    jiff::Timestamp::from_second(time.secs()).map(|time| time.to_string()).unwrap_or_default()
}
