//! The Lambda function: the transform behind what every processor does.

use std::process::ExitCode;

use processor::firehose::{self, Becomes};
use processor::transform::transform;

fn main() -> ExitCode {
    firehose::serve(|now| {
        move |record: &[u8], row: &mut Vec<u8>| match transform(record, now)? {
            Some(transformed) => {
                *row = transformed;
                Ok(Becomes::Row)
            }
            None => Ok(Becomes::Nothing),
        }
    })
}
