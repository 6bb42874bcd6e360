//! The processor's zip: built or taken as given, packed reproducibly, named by its SHA-256, kept in a bucket.

mod build;
mod own;
mod package;
mod sources;
mod store;

pub use sources::{Source, own as own_crate};
pub use store::{Store, Stored, foreign_bucket};

use crate::event::{Event, Reporter};
use crate::settings::ProcessorSource;
use crate::template::Architecture;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A processor that is ready to be deployed.
#[derive(Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The zip.
    pub zip: Vec<u8>,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Artifact {
    /// Unpacks it, as Lambda does, into a directory that is there.
    pub fn unpack(&self, directory: &Path) -> Result<()> {
        package::unpack(&self.zip, directory)
    }

    /// The zip of a binary that Lambda is to run.
    pub fn pack(binary: &[u8]) -> Result<Self> {
        package::pack(binary).map(Artifact::new)
    }

    fn new(zip: Vec<u8>) -> Self {
        let sha256 = sha256(&zip);
        Artifact { zip, sha256 }
    }
}

impl std::fmt::Debug for Artifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Artifact({}, {} bytes)", self.sha256, self.zip.len())
    }
}

/// Where artifacts are made.
#[derive(Debug, Clone)]
pub struct Workshop {
    /// The user's cache directory.
    pub cache: PathBuf,
    /// What to make.
    pub source: ProcessorSource,
    /// What to make it for.
    pub architecture: Architecture,
}

impl Workshop {
    /// Checks what can be checked before anything is called: a processor, or a crate, of the user's own.
    pub fn check(&self) -> Result<()> {
        match &self.source {
            ProcessorSource::File(path) if path.is_dir() => own::check(path),
            ProcessorSource::File(path) => self.read(path).map(|_| ()),
            ProcessorSource::Own => Ok(()),
        }
    }

    /// Makes the artifact, or finds it in the cache. Compiling can take a minute; it runs on a thread of its own.
    pub async fn make(&self, reporter: Arc<dyn Reporter>) -> Result<Artifact> {
        let workshop = self.clone();
        let compiler = build::Compiler::default();
        // Whoever stops waiting stops the compiler, too.
        let _ends_with_us = compiler.ends_with();
        let made = tokio::task::spawn_blocking(move || workshop.make_blocking(&compiler, reporter.as_ref()));
        made.await.context("the build was interrupted")?
    }

    fn make_blocking(&self, compiler: &build::Compiler, reporter: &dyn Reporter) -> Result<Artifact> {
        let began = std::time::Instant::now();
        let (artifact, built) = match (self.at_hand(), &self.source) {
            (Some(artifact), _) => (artifact, false),
            (None, ProcessorSource::File(path)) if !path.is_dir() => (self.read(path)?, false),
            (None, source) => {
                let builder = build::Builder {
                    cache: &self.cache,
                    architecture: self.architecture,
                    compiler,
                    reporter,
                };
                let zip = match source {
                    ProcessorSource::File(directory) => builder.own(directory)?,
                    ProcessorSource::Own => builder.built_in()?,
                };
                (Artifact::new(zip), true)
            }
        };
        reporter.tell(&Event::ProcessorReady {
            sha256: artifact.sha256.clone(),
            bytes: artifact.zip.len() as u64,
            built,
            seconds: began.elapsed().as_secs_f64(),
        });
        Ok(artifact)
    }

    /// The artifact, where it can be had without compiling.
    pub fn at_hand(&self) -> Option<Artifact> {
        let cached = |hash: &str| build::cached(&self.cache, hash, self.architecture).map(Artifact::new);
        match &self.source {
            ProcessorSource::File(path) if path.is_dir() => cached(&own::hash(path).ok()?),
            ProcessorSource::File(path) => self.read(path).ok(),
            ProcessorSource::Own => cached(&sources::built_in_hash()),
        }
    }

    fn read(&self, path: &Path) -> Result<Artifact> {
        package::read(path, self.architecture).map(Artifact::new)
    }
}

/// Lambda tells a zip's SHA-256 in base64; this is the same in hexadecimal. `None` where it is no SHA-256.
pub fn sha256_of_base64(text: &str) -> Option<String> {
    let bytes = aws_smithy_types::base64::decode(text).ok()?;
    (bytes.len() == 32).then(|| hexadecimal(&bytes))
}

/// The SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_base64_and_our_hexadecimal_name_the_same_zip() {
        let artifact = Artifact::new(b"abc".to_vec());
        assert_eq!(artifact.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let base64 = aws_smithy_types::base64::encode(Sha256::digest(b"abc"));
        assert_eq!(sha256_of_base64(&base64), Some(artifact.sha256));
        assert_eq!(sha256_of_base64("no hash"), None);
    }
}
