//! The tour: the verbs that a person would type, in that order.

use crate::cli::{Cli, Format, Verb};
use anyhow::{Context, Result};
use clap::Parser;

/// The verbs, as a person would type them.
pub const TOUR: &[&str] = &["up --yes", "produce --records 100", "results --wait 100 --timeout 2m", "status"];

/// What one of them means. Rows are shown as a table: a tour is for people, also where it is read from a log.
pub fn parse(line: &str) -> Result<Verb> {
    let words = std::iter::once("kinesis-stack").chain(line.split(' '));
    let mut verb = Cli::try_parse_from(words).context("the tour has a verb that can't be parsed")?.verb;
    if let Verb::Results(results) = &mut verb {
        results.format = Some(Format::Table);
    }
    Ok(verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_of_the_tour_can_be_typed() {
        for line in TOUR {
            parse(line).unwrap();
        }
    }
}
