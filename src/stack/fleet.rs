//! The environments of an account and region.

use super::state::Stack;
use super::status::{Known, StackStatus};
use crate::cloud::{Clients, fault};
use anyhow::Result;
use serde::Serialize;

/// One environment, as its stack tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// The environment's name.
    pub env: String,
    /// The stack's name.
    pub stack: String,
    /// The stack's state.
    pub status: StackStatus,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// When it was last changed, RFC 3339.
    pub updated: Option<String>,
    /// Who made it.
    pub owner: Option<String>,
    /// The version of this tool that last changed it.
    pub version: Option<String>,
}

/// All environments, sorted by name: the stacks that bear our tag.
pub async fn list(clients: &Clients) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let answer = clients.cloudformation.describe_stacks().set_next_token(token).send().await;
        let answer = answer.map_err(|error| fault::explain(error, "list the stacks"))?;
        found.extend(answer.stacks().iter().map(Stack::of).filter_map(listed));
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    found.sort_by(|a, b| a.env.cmp(&b.env));
    Ok(found)
}

fn listed(stack: Stack) -> Option<Listed> {
    let env = stack.environment()?.to_owned();
    (!stack.status.is(Known::DeleteComplete)).then(|| Listed {
        env,
        owner: stack.owner().map(str::to_owned),
        version: stack.version().map(str::to_owned),
        stack: stack.name,
        status: stack.status,
        created: stack.created,
        updated: stack.updated,
    })
}
