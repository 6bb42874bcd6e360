//! What was downloaded, one JSON object a line: which key lies in which file, and what tells whether it is still the
//! same.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

/// The directory of our own, below the one that is written to.
pub const OWN: &str = ".kinesis-stack-export";

/// An object that was downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The bucket that it was in.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its file, below the directory.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// What S3 told of its content.
    pub etag: String,
    /// The MD5 of the file.
    pub md5: String,
}

/// The list.
pub struct Manifest {
    file: File,
    /// Of objects whose ETag is no MD5: their ETag, and the MD5 of their file.
    known: HashMap<String, (String, String)>,
    /// The files that were written, with the bucket that each is from.
    files: HashSet<(String, String)>,
}

impl Manifest {
    /// Reads the one that is there, and goes on with it. A line that was cut short is none.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = directory.join("manifest.jsonl");
        let (mut known, mut files) = (HashMap::new(), HashSet::new());
        let mut is_cut = false;
        if let Ok(file) = File::open(&path) {
            for line in BufReader::new(file).split(b'\n') {
                let line = line.with_context(|| format!("cannot read {}", path.display()))?;
                match serde_json::from_slice::<Entry>(&line) {
                    Ok(entry) => {
                        files.insert((entry.bucket, entry.file));
                        if entry.etag != entry.md5 {
                            known.insert(entry.key, (entry.etag, entry.md5));
                        }
                        is_cut = false;
                    }
                    Err(_) => is_cut = true,
                }
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
        if is_cut {
            writeln!(file)?;
        }
        Ok(Manifest { file, known, files })
    }

    /// The MD5 of the file of an object that is no MD5 by its ETag, where it was downloaded.
    pub fn sum_of(&self, key: &str, etag: &str) -> Option<String> {
        self.known.get(key).filter(|(of, _)| of == etag).map(|(_, md5)| md5.clone())
    }

    /// Whether an export of this bucket has written this file, below the directory.
    pub fn wrote(&self, bucket: &str, file: &str) -> bool {
        self.files.contains(&(bucket.to_owned(), file.to_owned()))
    }

    /// Adds one.
    pub fn add(&mut self, entry: &Entry) -> Result<()> {
        let line = serde_json::to_string(entry)? + "\n";
        self.file.write_all(line.as_bytes()).context("cannot write the manifest")?;
        self.files.insert((entry.bucket.clone(), entry.file.clone()));
        if entry.etag != entry.md5 {
            self.known.insert(entry.key.clone(), (entry.etag.clone(), entry.md5.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_was_cut_short_is_none_and_those_after_it_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let entry = |key: &str, etag: &str| Entry {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            file: key.to_owned(),
            bytes: 1,
            etag: etag.to_owned(),
            md5: "m".to_owned(),
        };
        Manifest::open(directory.path()).unwrap().add(&entry("a", "e-2")).unwrap();
        let path = directory.path().join("manifest.jsonl");
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, whole.clone() + &whole[..20]).unwrap();
        Manifest::open(directory.path()).unwrap().add(&entry("b", "f-2")).unwrap();
        let manifest = Manifest::open(directory.path()).unwrap();
        assert_eq!(manifest.sum_of("a", "e-2").as_deref(), Some("m"));
        assert_eq!(manifest.sum_of("b", "f-2").as_deref(), Some("m"));
        assert_eq!(manifest.sum_of("a", "other"), None);
    }
}
