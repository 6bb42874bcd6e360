//! Which binary of this program can run as the function: one for Linux on a machine that Lambda has, that needs no
//! newer C library than Amazon Linux 2023 brings.

use crate::artifact::Artifact;
use crate::error::{Error, Kind};
use crate::template::Architecture;
use anyhow::Result;
use std::path::Path;

/// The minor version of glibc 2 on `provided.al2023`.
const GLIBC: u32 = 34;
/// What Lambda unpacks at most, in bytes.
const UNZIPPED_LIMIT: usize = 250 * 1024 * 1024;

/// A binary that can run as the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What it is made for.
    pub architecture: Architecture,
    /// Its zip.
    pub artifact: Artifact,
}

impl Program {
    /// Reads, checks and packs a binary: the file's, or this very program. Takes a second or two.
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let path = match file {
            Some(path) => path.to_owned(),
            None => std::env::current_exe().map_err(|error| unusable("this program", &error.to_string()))?,
        };
        let shown = match file {
            Some(path) => path.display().to_string(),
            None => format!("this program ({})", path.display()),
        };
        let bytes = std::fs::read(&path).map_err(|error| {
            Error::new(Kind::BadInput, format!("cannot read {shown}")).because(error.to_string())
        })?;
        let architecture = check(&bytes).map_err(|reason| unusable(&shown, &reason))?;
        Ok(Program { architecture, artifact: Artifact::pack(&bytes)? })
    }
}

fn unusable(shown: &str, reason: &str) -> Error {
    Error::new(Kind::BadInput, format!("{shown} can't run as a function on AWS: {reason}"))
        .remedy(
            "Build one that can (`cargo zigbuild --release --target x86_64-unknown-linux-gnu.2.34`) and pass it with \
             --binary FILE.",
        )
        .remedy("One for a musl target needs no C library at all, and will do as well.")
}

/// What a binary is made for, or why it can't run as the function.
pub fn check(bytes: &[u8]) -> Result<Architecture, String> {
    // ELF: magic, class (2: 64 bit), byte order (1: little); then type and machine.
    if bytes.len() < 64 || !bytes.starts_with(b"\x7fELF") {
        return Err("it is no Linux program".to_owned());
    }
    let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    // Types: 2 with a fixed address, 3 without one.
    let architecture = match (bytes[4], bytes[5], number(16), number(18)) {
        (2, 1, 2 | 3, 62) => Architecture::X86_64,
        (2, 1, 2 | 3, 183) => Architecture::Arm64,
        (.., machine) => {
            return Err(format!("it is made for a machine that Lambda lacks (ELF machine {machine})"));
        }
    };
    if bytes.len() > UNZIPPED_LIMIT {
        return Err(format!("it has {} bytes, and Lambda takes {UNZIPPED_LIMIT}", bytes.len()));
    }
    if interpreter(bytes).is_some_and(|path| path.starts_with(b"/lib/ld-musl-")) {
        return Err("it wants musl's C library at run time: link it statically".to_owned());
    }
    match newest_glibc(bytes) {
        Some(minor) if minor > GLIBC => {
            Err(format!("it needs glibc 2.{minor}, and Amazon Linux 2023 has 2.{GLIBC}"))
        }
        _ => Ok(architecture),
    }
}

/// The program that loads it, where it isn't linked statically: the segment of type 3.
fn interpreter(bytes: &[u8]) -> Option<&[u8]> {
    let number = |at: usize, length: usize| {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        usize::try_from(bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))).ok()
    };
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let mut headers = (0..count).filter_map(|index| table.checked_add(index * size));
    let header = headers.find(|at| number(*at, 4) == Some(3))?;
    let (from, length) = (number(header + 8, 8)?, number(header + 32, 8)?);
    bytes.get(from..from.checked_add(length)?)
}

/// The newest version of glibc 2 that a binary asks for. Versions stand by name among the strings for the dynamic
/// linker, each between two zero bytes, as nothing in the program's own texts does.
fn newest_glibc(bytes: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"GLIBC_2.";
    let places = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'G').map(|(at, _)| at);
    let names = places.filter(|at| *at > 0 && bytes[at - 1] == 0 && bytes[*at..].starts_with(NAME));
    let minor = |at: usize| {
        let rest = &bytes[at + NAME.len()..];
        let end = rest
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .filter(|end| [0, b'.'].contains(&rest[*end]))?;
        std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
    };
    names.filter_map(minor).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u8, strings: &str) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (bytes[16], bytes[18]) = (3, machine);
        bytes.extend_from_slice(strings.as_bytes());
        bytes
    }

    /// With one segment, which names what loads it.
    fn loaded_by(interpreter: &str) -> Vec<u8> {
        let mut bytes = elf(62, "");
        (bytes[32], bytes[54], bytes[56]) = (64, 56, 1);
        let mut header = [0; 56];
        (header[0], header[8], header[32]) = (3, 120, u8::try_from(interpreter.len()).unwrap());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(interpreter.as_bytes());
        bytes
    }

    #[test]
    fn a_program_for_amazon_linux_2023_is_told_with_its_architecture() {
        assert_eq!(check(&elf(62, "\0GLIBC_2.2.5\0GLIBC_2.34\0")), Ok(Architecture::X86_64));
        assert_eq!(check(&elf(183, "\0GLIBC_2.17\0")), Ok(Architecture::Arm64));
        assert_eq!(check(&loaded_by("/lib64/ld-linux-x86-64.so.2")), Ok(Architecture::X86_64));
        // What its own texts say is no need of it.
        for text in ["it needs GLIBC_2.39\0", "\0GLIBC_2.39 is needed", "\0/lib/ld-musl-", "\0GLIBC_2."] {
            assert_eq!(check(&elf(62, text)), Ok(Architecture::X86_64), "{text}");
        }
    }

    #[test]
    fn one_that_lambda_could_not_run_is_refused_with_the_reason() {
        for (bytes, reason) in [
            (b"#!/bin/sh\n".to_vec(), "no Linux program"),
            (b"\xcf\xfa\xed\xfe".repeat(32), "no Linux program"),
            (elf(40, ""), "machine 40"),
            (elf(62, "\0GLIBC_2.4\0GLIBC_2.39\0GLIBC_2.34\0"), "glibc 2.39"),
            (loaded_by("/lib/ld-musl-x86_64.so.1"), "statically"),
        ] {
            let refused = check(&bytes).unwrap_err();
            assert!(refused.contains(reason), "{refused} does not say {reason}");
        }
        let error = Program::read(Some(Path::new("/nonexistent"))).unwrap_err();
        assert_eq!(Error::of(&error).kind, Kind::BadInput);
    }

    #[test]
    fn a_program_that_lambda_could_not_unpack_is_refused() {
        let mut large = elf(62, "");
        large.resize(UNZIPPED_LIMIT + 1, 1);
        assert!(check(&large).unwrap_err().contains("Lambda takes"));
    }

    #[test]
    fn the_error_says_how_to_make_one_that_can() {
        let error = unusable("it", "it needs glibc 2.39");
        assert!(error.remedies[0].contains("cargo zigbuild") && error.remedies[0].contains("--binary"));
    }
}
