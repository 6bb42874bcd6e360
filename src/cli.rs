//! What was typed. What it means is settled in `settings`.

mod data;
mod fleet;
mod processor;

pub use data::{Consume, Download, Format, Load, Logs, Produce, Results, ResultsVerb, Smoke, Watch};
pub use fleet::{Choice, Extend, List, Reap, Reaper, ReaperDown, ReaperUp};
pub use processor::{Init, InitProcessor, ProcessorTest, ProcessorVerb};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// From nothing to a running Kinesis → Firehose → Lambda → S3 pipeline in one CloudFormation stack, and back.
#[derive(Debug, Parser)]
#[command(
    name = "kinesis-stack",
    version,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  kinesis-stack demo                       the whole tour on this machine, without an AWS account
  kinesis-stack up                         bring the environment `dev` up in your AWS account
  kinesis-stack up --env pr-42 --yes       the same for another environment, without a question
  kinesis-stack produce --records 100      send it 100 trades
  kinesis-stack results --wait 100         show the transformed rows as soon as they landed
  kinesis-stack down                       tear it down until nothing is left

Exit codes:
  0 done, also when nothing had to change   5 refused: needs consent, or belongs to somebody else
  1 failed otherwise                        6 no such environment, or no reaper
  2 bad input, nothing was called           7 time ran out, the operation goes on
  3 credentials or permissions              8 gone, but leftovers are named
  4 deployment failed, cause printed        130, 143 ended by SIGINT, SIGTERM
  `plan --exit-code`: 0 nothing to do, 10 changes, 11 changes that lose data"
)]
pub struct Cli {
    /// Options that every verb takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options that every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// The environment [else KINESIS_STACK_ENV, the file's `env`, `dev`]
    #[arg(long, global = true, value_name = "NAME")]
    pub env: Option<String>,
    /// The local cloud on this machine instead of AWS: no account, no credentials
    #[arg(long, global = true)]
    pub local: bool,
    /// The AWS region [else AWS_REGION, the file's `region`, the profile's]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// The AWS profile [else AWS_PROFILE, the file's `profile`]
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "local")]
    pub profile: Option<String>,
    /// The settings file [else KINESIS_STACK_CONFIG, kinesis-stack.yaml where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<String>,
    /// What stdout is for: text for people, json for programs
    #[arg(long, global = true, value_name = "FORM", value_enum, default_value_t = Output::Text, hide_possible_values = true)]
    pub output: Output,
    /// Colour: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, hide_possible_values = true)]
    pub color: Color,
    /// Output for a pipeline: auto (whatever the variables of the runner say), github, gitlab, plain or off
    #[arg(long, global = true, value_name = "KIND", value_enum, default_value_t = Ci::Auto, hide_possible_values = true)]
    pub ci: Ci,
    /// Say nothing but data, questions and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show each call made, and each retry
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// The form of what goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs: one document, or one object a line.
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The pipeline that the output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ci {
    /// GitHub where GITHUB_ACTIONS says so, GitLab where GITLAB_CI does, plain where CI does, else off.
    Auto,
    /// GitHub Actions: groups, annotations, job summary, outputs.
    Github,
    /// GitLab: collapsible sections.
    Gitlab,
    /// Plain lines, never a question, never a moving line.
    Plain,
    /// As for people.
    Off,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Bring an environment up, or up to date
    Up(Up),
    /// Show what `up` would change, and change nothing
    Plan(Plan),
    /// Show an environment: its state, resources, outputs and code
    Status(Status),
    /// Tear an environment down, with its data, until nothing is left
    Down(Down),
    /// List the environments of this account and region: what to look at comes first
    List(List),
    /// Let an environment live longer than its `--ttl` said
    Extend(Extend),
    /// Tear down every environment whose time is up
    Reap(Reap),
    /// Look after the account's own reaper, which does the same by itself
    #[command(subcommand)]
    Reaper(Reaper),
    /// Send trades, or records of your own, to the data stream
    Produce(Produce),
    /// Show what is in the data stream, as it comes
    Consume(Consume),
    /// Show the rows that landed in the bucket
    Results(Results),
    /// Show what the processor and the delivery stream logged
    Logs(Logs),
    /// Send marked records and follow each leg of the pipeline until their rows have landed
    Smoke(Smoke),
    /// Watch the pipeline live in the terminal
    Watch(Watch),
    /// Begin something of your own
    #[command(subcommand)]
    Init(Init),
    /// Try a processor here, without a cloud
    #[command(subcommand, name = "processor")]
    ProcessorVerb(ProcessorVerb),
    /// Print the CloudFormation template (no network, no credentials)
    Render(Render),
    /// Look after the local cloud
    #[command(subcommand)]
    Local(Local),
    /// The whole tour on this machine: up, 100 trades, their rows
    Demo,
}

impl Verb {
    /// Whether it is about the environment that was chosen; else about none, or about many.
    pub fn is_of_one_environment(&self) -> bool {
        !matches!(
            self,
            Verb::List(_)
                | Verb::Reap(_)
                | Verb::Reaper(_)
                | Verb::Local(_)
                | Verb::Init(_)
                | Verb::ProcessorVerb(_)
        )
    }

    /// Whether it follows data for whoever looks at it: what it began ends with it. An operation on a stack goes on
    /// without anybody.
    pub fn ends_with_terminal(&self) -> bool {
        matches!(
            self,
            Verb::Produce(_)
                | Verb::Consume(_)
                | Verb::Results(_)
                | Verb::Logs(_)
                | Verb::Smoke(_)
                | Verb::Watch(_)
        )
    }

    /// As it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Up(_) => "up",
            Verb::Plan(_) => "plan",
            Verb::Status(_) => "status",
            Verb::Down(_) => "down",
            Verb::List(_) => "list",
            Verb::Extend(_) => "extend",
            Verb::Reap(_) => "reap",
            Verb::Reaper(Reaper::Up(_)) => "reaper up",
            Verb::Reaper(Reaper::Status) => "reaper status",
            Verb::Reaper(Reaper::Down(_)) => "reaper down",
            Verb::Produce(_) => "produce",
            Verb::Consume(_) => "consume",
            Verb::Results(Results { verb: Some(ResultsVerb::Download(_)), .. }) => "results download",
            Verb::Results(_) => "results",
            Verb::Logs(_) => "logs",
            Verb::Smoke(_) => "smoke",
            Verb::Watch(_) => "watch",
            Verb::Init(Init::Processor(_)) => "init processor",
            Verb::ProcessorVerb(ProcessorVerb::Test(_)) => "processor test",
            Verb::Render(_) => "render",
            Verb::Local(Local::Status) => "local status",
            Verb::Local(Local::Stop) => "local stop",
            Verb::Local(Local::Logs) => "local logs",
            Verb::Demo => "demo",
        }
    }
}

/// What of the pipeline can be chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Pipeline")]
pub struct Shape {
    /// Shards of the data stream: 1 to 500 [else the file's `shards`, 1]
    #[arg(long, value_name = "N")]
    pub shards: Option<String>,
    /// How long the data stream keeps records: 1d to 365d [else the file's, 1d]
    #[arg(long, value_name = "DURATION")]
    pub stream_retention: Option<String>,
    /// How long Firehose gathers rows for an object: 0s to 15m [else the file's, 60s]
    #[arg(long, value_name = "DURATION")]
    pub buffer_interval: Option<String>,
    /// How many MiB Firehose gathers for an object: 1 to 128 [else the file's, 5]
    #[arg(long, value_name = "MIB")]
    pub buffer_size: Option<String>,
    /// How long logs are kept: 1d, 3d, 5d, 7d, 14d, 30d, … [else the file's, 7d]
    #[arg(long, value_name = "DURATION")]
    pub log_retention: Option<String>,
    /// What the processor runs on: x86_64 or arm64 [else the file's, this machine's]
    #[arg(long, value_name = "NAME")]
    pub architecture: Option<String>,
}

/// Where the processor's code comes from.
#[derive(Debug, Clone, Default, Args)]
pub struct Processor {
    /// A crate's directory, or a ready zip or `bootstrap` binary [else the file's, the processor that comes with the tool]
    #[arg(long, value_name = "PATH")]
    pub processor: Option<String>,
}

/// `up`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack up --local
  kinesis-stack up --env pr-42 --shards 2 --yes --output json
  kinesis-stack up --processor target/lambda/bootstrap.zip
  kinesis-stack plan --output json > plan.json && kinesis-stack up --plan plan.json")]
pub struct Up {
    /// Where the processor's code comes from.
    #[command(flatten)]
    pub processor: Processor,
    /// Execute exactly this plan (of `plan --output json`; name its --env again), with its options, or refuse if the world has moved
    #[arg(long, value_name = "FILE")]
    pub plan: Option<String>,
    /// Change the function's code and nothing else, without CloudFormation (ephemeral environments)
    #[arg(long, conflicts_with_all = ["plan", "heal", "adopt", "express"])]
    pub code_only: bool,
    /// Also write the outputs to this file, one NAME=value a line (GitLab: artifacts:reports:dotenv)
    #[arg(long, value_name = "FILE")]
    pub dotenv: Option<String>,
    /// How it is deployed.
    #[command(flatten)]
    pub means: Means,
    /// Then send marked records through it and wait for their rows, as `smoke` does [on in a pipeline]
    #[arg(long, conflicts_with = "no_smoke")]
    pub smoke: bool,
    /// Don't, in a pipeline
    #[arg(long)]
    pub no_smoke: bool,
    /// Answer every question with yes
    #[arg(short, long)]
    pub yes: bool,
    /// Stop watching after this long; the operation goes on
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub timeout: String,
    /// What of the pipeline is chosen.
    #[command(flatten)]
    pub shape: Shape,
}

/// How an environment is deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Deployment")]
pub struct Means {
    /// The role that CloudFormation acts under; the stack keeps it [else the file's `role-arn`, the caller]
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Mark it as short-lived: a change of code alone goes past CloudFormation [else the file's `ephemeral`]
    #[arg(long)]
    pub ephemeral: bool,
    /// How long it lives: 30m to 365d from now, or none; then `reap` tears it down [else the file's `ttl`, as it is]
    #[arg(long, value_name = "DURATION")]
    pub ttl: Option<String>,
    /// Protect it: `down` refuses, stream and bucket can't be replaced [else the file's `protected`, as it is]
    #[arg(long, conflicts_with_all = ["no_protect", "ephemeral"])]
    pub protect: bool,
    /// Take the protection away
    #[arg(long)]
    pub no_protect: bool,
    /// Updates in CloudFormation's EXPRESS mode, with a check of every leg after it (ephemeral environments)
    #[arg(long)]
    pub express: bool,
    /// Also set back what was changed behind CloudFormation's back (REVERT_DRIFT)
    #[arg(long)]
    pub heal: bool,
    /// Take the bucket over that an earlier environment of this name left behind
    #[arg(long)]
    pub adopt: bool,
}

impl Means {
    /// Whether anything was typed that concerns more than the function's code.
    pub fn changes_more_than_code(&self) -> bool {
        *self != Means { ephemeral: self.ephemeral, ..Means::default() }
    }
}

/// `plan`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack plan --shards 2
  kinesis-stack plan --exit-code             0 nothing to do, 10 changes, 11 changes that lose data
  kinesis-stack plan --output json > plan.json && kinesis-stack up --plan plan.json")]
pub struct Plan {
    /// Where the processor's code comes from.
    #[command(flatten)]
    pub processor: Processor,
    /// Exit with 10 where something would change, with 11 where that loses data
    #[arg(long)]
    pub exit_code: bool,
    /// How it is deployed.
    #[command(flatten)]
    pub means: Means,
    /// What of the pipeline is chosen.
    #[command(flatten)]
    pub shape: Shape,
}

/// `status`
#[derive(Debug, Args)]
pub struct Status {
    /// Where the processor's code comes from.
    #[command(flatten)]
    pub processor: Processor,
    /// Have CloudFormation compare the resources with the template (takes up to a minute)
    #[arg(long)]
    pub drift: bool,
}

/// `down`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack down --local
  kinesis-stack down --env pr-42 --yes --proof nothing-left.json
  kinesis-stack down --env dev --export rows/    download the bucket first
  kinesis-stack down --env dev --keep-data       leave the bucket; `up --adopt` takes it over again")]
pub struct Down {
    /// Answer every question with yes; without it and without a terminal, data is never deleted
    #[arg(short, long)]
    pub yes: bool,
    /// Stop watching after this long; the deletion goes on
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub timeout: String,
    /// The role that CloudFormation acts under [else the file's `role-arn`, the stack's]
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Leave the bucket with all that it holds; `up --adopt` takes it over again
    #[arg(long)]
    pub keep_data: bool,
    /// Download what the bucket holds into this directory first, each object verified
    #[arg(long, value_name = "DIR")]
    pub export: Option<String>,
    /// Write what was asked and answered at the end to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub proof: Option<String>,
}

/// `render`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack render --env dev > template.yaml
  aws cloudformation deploy --template-file template.yaml --stack-name kinesis-stack-dev \\
    --parameter-overrides ProcessorBucket=… ProcessorKey=… --capabilities CAPABILITY_NAMED_IAM \\
    --tags kinesis-stack:environment=dev")]
pub struct Render {
    /// What of the pipeline is chosen.
    #[command(flatten)]
    pub shape: Shape,
}

/// `local`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Local {
    /// Whether it runs and answers, its version and address, and where its log is
    Status,
    /// End it, with everything in it
    Stop,
    /// Print its log
    Logs,
}
