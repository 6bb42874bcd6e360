//! The Lambda function: [`processor`] behind Lambda's Runtime API.

use std::process::ExitCode;

fn main() -> ExitCode {
    processor::firehose::serve(processor::transform_at)
}
