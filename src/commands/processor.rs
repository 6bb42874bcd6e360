//! `init processor` and `processor test`.

use super::Session;
use crate::artifact::Workshop;
use crate::cli;
use crate::error::{Error, Kind};
use crate::event::{Done, Event, NextStep};
use crate::processor::{self, Tested, init};
use crate::report;
use crate::settings::{HOST_ARCHITECTURE, cache_directory, quoted};
use anyhow::Result;
use std::fs::File;
use std::io::{BufReader, Read, Write, stdin};
use std::path::Path;

impl Session {
    pub(super) fn init_processor(&self, typed: &cli::InitProcessor) -> Result<u8> {
        let directory = Path::new(&typed.directory);
        let files = init::write(directory)?;
        // The file is the user's: what to write into it is said, and not done.
        let setting = self.settings.could_name_processor().then(|| init::setting(directory));
        self.printer.reporter().tell(&Event::ProcessorWritten {
            directory: typed.directory.clone(),
            files: files.len() as u64,
            setting,
        });
        let option = format!(" --processor {}", quoted(&typed.directory));
        let transform = quoted(&format!("{}/src/transform.rs", typed.directory));
        let step =
            |command: &str, does: &str| NextStep { command: command.to_owned(), does: does.to_owned() };
        let ours = |verb: &str| self.settings.invocation.command(&format!("{verb}{option}"));
        let next = vec![
            step(&format!("$EDITOR {transform}"), "say what becomes of a record"),
            step(&ours("processor test FILE"), "run it on records of your own, here"),
            step(&ours("up"), "build and deploy it"),
        ];
        self.done(Done { command: "init processor".to_owned(), changed: Some(true), next, ..Done::default() })
    }

    pub(super) async fn processor_test(&self, typed: &cli::ProcessorTest) -> Result<u8> {
        let cli::ProcessorTest { file, processor } = typed;
        let records: Box<dyn Read + Send> = match file.as_str() {
            "-" => Box::new(stdin()),
            path => Box::new(File::open(path).map_err(|error| {
                Error::new(Kind::BadInput, format!("cannot read the records in {path}"))
                    .because(error.to_string())
                    .remedy("FILE holds one record a line; `-` is stdin.")
            })?),
        };
        let cache = cache_directory()?;
        // It runs on this machine, whatever the function runs on.
        let workshop = Workshop {
            cache: cache.clone(),
            source: self.settings.processor(processor),
            architecture: HOST_ARCHITECTURE,
        };
        workshop.check()?;
        let artifact = workshop.make(self.printer.reporter()).await?;
        let (lines, mut stdout) = (self.printer.tested_lines(), report::stdout());
        let tell = |number, becomes| Ok(stdout.write_all(lines.line(number, &becomes).as_bytes())?);
        let tested = processor::test(&artifact, &cache, BufReader::new(records), tell).await;
        stdout.flush()?;
        let Tested { records, rows, dropped, failed, batches, seconds } = tested?;
        self.printer.reporter().tell(&Event::ProcessorTested {
            records,
            rows,
            dropped,
            failed,
            batches,
            seconds,
        });
        Ok(u8::from(failed > 0))
    }
}
