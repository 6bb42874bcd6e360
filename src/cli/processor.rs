//! What was typed for processors of one's own: `init processor` and `processor test`.

use clap::{Args, Subcommand};

/// `init`
#[derive(Debug, Subcommand)]
pub enum Init {
    /// Write a crate with a transform to change and its tests; `--processor DIR` has `up` build it
    Processor(InitProcessor),
}

/// `init processor`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack init processor
  kinesis-stack up --processor processor     or `processor: processor` in kinesis-stack.yaml

Nothing that is there already is overwritten. docs/processor.md says how to write one's own.")]
pub struct InitProcessor {
    /// Where to
    #[arg(value_name = "DIR", default_value = "processor")]
    pub directory: String,
}

/// `processor`
#[derive(Debug, Subcommand)]
pub enum ProcessorVerb {
    /// Run the processor that `up` would deploy on the lines of a file, here, and show what becomes of each
    Test(ProcessorTest),
}

/// `processor test`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack processor test records.jsonl
  kinesis-stack processor test records.jsonl --processor processor/
  kinesis-stack processor test - --output json < records.jsonl

Each line that isn't empty is a record, sent in batches as Firehose sends them; what is shown for
it is its row, or `Dropped`, or `Failed` with the reason. Exits with 1 where any record failed, or
where the processor ended; records that it drops on purpose don't count.")]
pub struct ProcessorTest {
    /// One record a line; `-` is stdin
    #[arg(value_name = "FILE")]
    pub file: String,
    /// Where the processor's code comes from.
    #[command(flatten)]
    pub processor: crate::cli::Processor,
}
