//! What was typed for the data side: `produce`, `consume`, `results`, `logs`, `smoke` and `watch`.

use clap::{Args, Subcommand, ValueEnum};

/// `produce`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack produce                          one trade a second until Ctrl-C
  kinesis-stack produce --records 100            100 trades, as fast as the stream takes them
  kinesis-stack produce --rate 50 --duration 10m")]
pub struct Produce {
    /// How many records to send [until Ctrl-C]
    #[arg(long, value_name = "N")]
    pub records: Option<String>,
    /// Records a second [with --records as fast as the stream takes them, else 1]
    #[arg(long, value_name = "R")]
    pub rate: Option<String>,
    /// How long to send
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<String>,
    /// Makes the same trades again [different ones each time]
    #[arg(long, value_name = "S")]
    pub seed: Option<String>,
    /// How the rate runs: steady, ramp (up to it and down again) or burst (ten times it, a tenth of the time)
    #[arg(long, value_name = "SHAPE", value_enum, default_value_t = Load::Steady, hide_possible_values = true)]
    pub shape: Load,
    /// Send the JSON lines of this file instead of trades; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub from: Option<String>,
    /// The field whose value is the partition key [tickerSymbol; with --from, none: spread over all shards]
    #[arg(long, value_name = "FIELD")]
    pub key: Option<String>,
    /// Keep the order of records within a key: one call at a time for each key
    #[arg(long)]
    pub ordered: bool,
}

/// How a rate runs over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// The same all the time.
    Steady,
    /// From nothing up to twice the rate and down again; the rate is the mean.
    Ramp,
    /// Ten times the rate in every tenth second, nothing in between.
    Burst,
}

/// `consume`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack consume                          what comes from now on, until Ctrl-C
  kinesis-stack consume --from trim-horizon --records 100
  kinesis-stack consume --stats                  who is bought and sold most, live
  kinesis-stack consume --output json | jq .data.price")]
pub struct Consume {
    /// Where to begin: latest, trim-horizon, a time (2026-11-26T09:00:00Z, or 10m for ten minutes ago) or a sequence
    /// number
    #[arg(long, value_name = "PLACE", default_value = "latest")]
    pub from: String,
    /// End after so many records [until Ctrl-C]
    #[arg(long, value_name = "N")]
    pub records: Option<String>,
    /// End after so long
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<String>,
    /// Show statistics instead of records: counts a ticker and type, the most popular, sums
    #[arg(long, conflicts_with = "template")]
    pub stats: bool,
    /// Print each record so, for instance '{shard} {time} {data.tickerSymbol}'
    #[arg(long, value_name = "TEXT")]
    pub template: Option<String>,
    /// Read as a registered consumer with a throughput of its own, removed afterwards
    #[arg(long)]
    pub fan_out: bool,
}

/// `logs`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack logs                             the last ten minutes
  kinesis-stack logs --follow --errors
  kinesis-stack logs --since 2h --grep ProcessingFailed
  kinesis-stack logs --output json | jq 'select(.kind == \"report\").duration_ms'

Times are UTC. --follow uses CloudWatch's live tail where there is one, which costs
$0.01 a minute; --poll asks every few seconds instead, for nothing.")]
pub struct Logs {
    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub since: String,
    /// Go on with what is logged from now on, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Follow without live tail, which costs $0.01 a minute
    #[arg(long, requires = "follow")]
    pub poll: bool,
    /// Only lines that contain this text
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,
    /// Only what tells of a failure
    #[arg(long)]
    pub errors: bool,
}

/// `results`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  kinesis-stack results --wait 100
  kinesis-stack results --format csv > trades.csv
  kinesis-stack results --where stockId=AAPL --columns id,price --sum
  kinesis-stack results --errors                 what could not be transformed, and why
  kinesis-stack results download rows/

An object that can't be read to its end is an error (exit code 1), once all that can be
read is printed."
)]
pub struct Results {
    /// What to do besides.
    #[command(subcommand)]
    pub verb: Option<ResultsVerb>,
    /// How to print rows: table, jsonl or csv [table on a terminal, jsonl in a pipe]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub format: Option<Format>,
    /// Wait until this many rows are in the bucket; older ones count, and those that --where leaves out
    #[arg(long, value_name = "N")]
    pub wait: Option<String>,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", default_value = "10m", requires = "wait")]
    pub timeout: String,
    /// Only these fields, in this order
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Only rows like this, also with != < <= > >=; may be given several times, all have to hold
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub filters: Vec<String>,
    /// Also the sum, mean, least and most of each number, at the end, on stderr
    #[arg(long, conflicts_with = "errors")]
    pub sum: bool,
    /// What landed under the error prefix instead: the raw record, and why it failed
    #[arg(long)]
    pub errors: bool,
    /// Go on with what lands from now on, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
}

/// What to do with results besides showing them.
#[derive(Debug, Subcommand)]
pub enum ResultsVerb {
    /// Download all objects into a directory, each verified
    Download(Download),
}

/// `results download`
#[derive(Debug, Args)]
pub struct Download {
    /// Where to; it is made where it isn't there. What lies there already and is the same is kept
    #[arg(value_name = "DIR")]
    pub directory: String,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// One JSON object a line, as it lies in the bucket.
    Jsonl,
    /// Comma-separated, with a header.
    Csv,
}

/// `smoke`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kinesis-stack smoke
  kinesis-stack smoke --env pr-42 --timeout 5m --junit smoke.xml")]
pub struct Smoke {
    /// How long to take at most [10m, or the buffers' time and 5m where that is more]
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Also write the result to this file as JUnit XML, a test case a leg
    #[arg(long, value_name = "FILE")]
    pub junit: Option<String>,
}

/// `watch`
#[derive(Debug, Args)]
#[command(after_help = "\
Keys: q quit, p pause, / filter, Tab choose a pane, Enter open it, ? help with the age of every source.

Examples:
  kinesis-stack watch
  kinesis-stack watch --every 30s
  kinesis-stack watch --output json | jq .legs.delivery.behind_ms

Metrics are asked for once a minute, for about a cent an hour. Lists of the bucket, every
5 seconds, cost half a cent an hour, and less with a longer --every.")]
pub struct Watch {
    /// How often to look at the bucket and the logs; with --output json also how often a line is printed
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub every: String,
}

#[cfg(test)]
mod tests {
    use crate::cli::Cli;
    use clap::Parser;
    use clap::error::ErrorKind;

    #[test]
    fn results_waits_no_time_where_it_waits_for_no_rows() {
        let parsed = |words: &[&str]| Cli::try_parse_from([&["kinesis-stack", "results"], words].concat());
        assert!(parsed(&["--wait", "1", "--timeout", "3s"]).is_ok() && parsed(&[]).is_ok());
        let error = parsed(&["--timeout", "3s"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
        assert!(error.to_string().contains("--wait"), "{error}");
    }
}
