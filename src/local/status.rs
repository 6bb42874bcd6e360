//! What `local status` tells.

use serde::Serialize;
use std::path::PathBuf;

/// How the local cloud is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It lives and answers.
    Running,
    /// It lives, but doesn't answer: it is starting, busy or stuck.
    Unresponsive,
    /// There is no server.
    Stopped,
}

/// All that `local status` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whether there is a server.
    pub state: State,
    /// Whether the next start needs no network.
    pub installed: bool,
    /// The running server's version of MiniStack, else the one that would be started.
    pub version: String,
    /// The running server's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The running server's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When the running server was started, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Where its output goes.
    pub log: PathBuf,
}
