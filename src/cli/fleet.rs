//! What was typed about environments that aren't one alone.

use clap::{Args, Subcommand};

/// `list`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack list
  kinesis-stack list --all-regions --name 'pr-*'
  kinesis-stack list --output json | jq -r '.[] | select(.expired) | .env'")]
pub struct List {
    /// In every region of the account
    #[arg(long)]
    pub all_regions: bool,
    /// Which of them.
    #[command(flatten)]
    pub choice: Choice,
}

/// Which environments are meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which environments")]
pub struct Choice {
    /// Those whose name is like this; `*` stands for any characters
    #[arg(long, value_name = "PATTERN")]
    pub name: Option<String>,
    /// Those whose stack bears this tag; given several times, all of them
    #[arg(long, value_name = "KEY=VALUE")]
    pub tag: Vec<String>,
}

/// `extend`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack extend 2h --env pr-42          two hours more than it had
  kinesis-stack extend none --env pr-42        it no longer ends by itself")]
pub struct Extend {
    /// How much longer: 1m to 365d, or none. Run twice, it adds twice; what never ends is refused
    #[arg(value_name = "DURATION")]
    pub by: String,
    /// Stop watching after this long; the operation goes on
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub timeout: String,
}

/// `reap`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack reap --dry-run
  kinesis-stack reap --yes --name 'pr-*'
  kinesis-stack reap --yes --all-regions --output json")]
pub struct Reap {
    /// Show what would be torn down, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Answer every question with yes
    #[arg(short, long)]
    pub yes: bool,
    /// In every region of the account
    #[arg(long)]
    pub all_regions: bool,
    /// How many at once: 1 to 50
    #[arg(long, value_name = "N", default_value = "25")]
    pub at_once: String,
    /// Stop watching each after this long; its deletion goes on
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub timeout: String,
    /// Which of them.
    #[command(flatten)]
    pub choice: Choice,
}

/// `reaper`
#[derive(Debug, Subcommand)]
pub enum Reaper {
    /// Deploy it: a function that runs `reap` on AWS, on a schedule, for this account and region
    Up(ReaperUp),
    /// Show it: its state, its schedule, its last runs
    Status,
    /// Remove it; the environments stay as they are
    Down(ReaperDown),
}

/// `reaper up`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack reaper up
  kinesis-stack reaper up --every 1h --yes")]
pub struct ReaperUp {
    /// How often it runs: 5m to 24h
    #[arg(long, value_name = "DURATION", default_value = "15m")]
    pub every: String,
    /// A kinesis-stack binary for Linux that becomes the function [else this very program, where it is one]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<String>,
    /// The role that CloudFormation acts under [else the file's `role-arn`, the caller]
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Answer every question with yes
    #[arg(short, long)]
    pub yes: bool,
    /// Stop watching after this long; the operation goes on
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub timeout: String,
}

/// `reaper down`
#[derive(Debug, Args)]
pub struct ReaperDown {
    /// Answer every question with yes
    #[arg(short, long)]
    pub yes: bool,
    /// Stop watching after this long; the operation goes on
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub timeout: String,
}
