//! What a processor's zip has to be, and how one is made: `bootstrap`, executable, for the right machine.
//!
//! Lambda documents the layout at <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>.

use crate::error::{Error, Kind};
use crate::files;
use crate::template::Architecture;
use anyhow::Result;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// What Lambda unpacks at most, in bytes.
const UNZIPPED_LIMIT: u64 = UNZIPPED_LIMIT_MIB * 1024 * 1024;
const UNZIPPED_LIMIT_MIB: u64 = 250;
const ENTRY: &str = "bootstrap";

/// Packs a binary: the same bytes for the same binary, on every machine and at every time.
pub fn pack(binary: &[u8]) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(ENTRY, options)?;
    zip.write_all(binary)?;
    Ok(zip.finish()?.into_inner())
}

/// Unpacks a zip into a directory that is there.
pub fn unpack(zip: &[u8], directory: &Path) -> Result<()> {
    Ok(ZipArchive::new(Cursor::new(zip))?.extract(directory)?)
}

/// Reads a zip or a bare `bootstrap` binary of the user's, and checks that Lambda could run it.
pub fn read(path: &Path, architecture: Architecture) -> Result<Vec<u8>> {
    let shown = path.display();
    let bad = |message: String| {
        Error::new(Kind::BadInput, message).remedy(
            "A processor is a zip with an executable `bootstrap` at its top, or that binary itself, built for Amazon Linux 2023.",
        )
    };
    let bytes = files::read_at_most(path, UNZIPPED_LIMIT_MIB)
        .map_err(|error| bad(format!("cannot read the processor {shown}")).because(error.to_string()))?;
    if bytes.starts_with(b"PK\x03\x04") {
        check_zip(&bytes, architecture).map_err(|rule| bad(format!("the processor {shown} {rule}")))?;
        return Ok(bytes);
    }
    check_program(&bytes, architecture).map_err(|rule| bad(format!("the processor {shown} {rule}")))?;
    pack(&bytes)
}

fn check_zip(bytes: &[u8], architecture: Architecture) -> Result<(), String> {
    let broken = |error: zip::result::ZipError| format!("is no readable zip: {error}");
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut unzipped = 0_u64;
    for index in 0..zip.len() {
        unzipped = unzipped.saturating_add(zip.by_index_raw(index).map_err(broken)?.size());
    }
    if unzipped > UNZIPPED_LIMIT {
        return Err(format!("unpacks to {unzipped} bytes; Lambda takes {UNZIPPED_LIMIT}"));
    }
    let Ok(entry) = zip.by_name(ENTRY) else {
        return Err(format!("has no `{ENTRY}` at its top"));
    };
    if entry.unix_mode().is_none_or(|mode| mode & 0o111 == 0) {
        return Err(format!("holds a `{ENTRY}` that is not executable: chmod +x it before zipping"));
    }
    let mut program = Vec::new();
    entry
        .take(UNZIPPED_LIMIT)
        .read_to_end(&mut program)
        .map_err(|error| format!("is no readable zip: {error}"))?;
    check_program(&program, architecture)
}

/// A script says its interpreter itself; an ELF file says its machine.
fn check_program(bytes: &[u8], architecture: Architecture) -> Result<(), String> {
    if bytes.starts_with(b"#!") {
        return Ok(());
    }
    // ELF: magic, class (2: 64 bit), byte order (1: little); then the machine at offset 18.
    if bytes.len() < 64 || !bytes.starts_with(b"\x7fELF") {
        return Err("is neither a zip nor a Linux program".to_owned());
    }
    let machine = u16::from_le_bytes([bytes[18], bytes[19]]);
    let found = match (bytes[4], bytes[5], machine) {
        (2, 1, 62) => "x86_64",
        (2, 1, 183) => "arm64",
        _ => "something else",
    };
    if found == architecture.name() {
        Ok(())
    } else {
        Err(format!(
            "is built for {found}, but the function runs on {}: see --architecture",
            architecture.name()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18] = machine;
        bytes
    }

    fn zip(name: &str, mode: u32, content: &[u8]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        zip.write_all(content).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn check(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("it");
        std::fs::write(&path, bytes).unwrap();
        read(&path, Architecture::X86_64).map_err(|error| error.to_string())
    }

    #[test]
    fn packing_the_same_binary_twice_gives_the_same_zip() {
        assert_eq!(pack(&elf(62)).unwrap(), pack(&elf(62)).unwrap());
    }

    #[test]
    fn what_we_pack_passes_our_own_check() {
        assert_eq!(check(&pack(&elf(62)).unwrap()), Ok(pack(&elf(62)).unwrap()));
        assert_eq!(check(&elf(62)), Ok(pack(&elf(62)).unwrap()));
        assert!(check(b"#!/bin/sh\n").is_ok());
    }

    #[test]
    fn a_processor_that_lambda_could_not_run_is_refused_with_the_reason() {
        for (bytes, reason) in [
            (b"hello".to_vec(), "neither a zip nor a Linux program"),
            (elf(183), "built for arm64"),
            (zip("main", 0o755, &elf(62)), "no `bootstrap` at its top"),
            (zip("bootstrap", 0o644, &elf(62)), "not executable"),
            (zip("bootstrap", 0o755, &elf(183)), "built for arm64"),
            (zip("bootstrap", 0o755, b"text"), "neither a zip nor a Linux program"),
            (zip("bootstrap", 0o755, &elf(62))[..60].to_vec(), "no readable zip"),
        ] {
            let error = check(&bytes).unwrap_err();
            assert!(error.contains(reason), "{error} does not say {reason}");
        }
        assert!(read(Path::new("/nonexistent"), Architecture::X86_64).is_err());
    }
}
