//! The sources that are part of this binary: the processor that comes with kinesis-stack, and what a processor of one's
//! own begins with.

use super::hexadecimal;
use include_dir::{Dir, DirEntry, include_dir};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lambda");

/// The versions that were tested. Cargo drops from it what the processor alone doesn't need.
const LOCK: &str = include_str!("../../Cargo.lock");

/// The workspace that the sources are built in. A profile only counts at its root.
const WORKSPACE: &str = r#"[workspace]
members = ["lambda"]
resolver = "3"

[profile.release]
opt-level = 3
lto = "fat"
codegen-units = 1
strip = true
"#;

/// A file, and where it is written to.
pub type Source = (PathBuf, &'static [u8]);

fn all() -> Vec<Source> {
    fn collect(directory: &'static Dir<'static>, files: &mut Vec<Source>) {
        for entry in directory.entries() {
            match entry {
                DirEntry::Dir(directory) => collect(directory, files),
                DirEntry::File(file) => files.push((file.path().to_owned(), file.contents())),
            }
        }
    }
    let mut files = Vec::new();
    collect(&SOURCES, &mut files);
    files.sort();
    files
}

/// Every file of the workspace that the processor that comes with kinesis-stack is built in, sorted by path.
pub fn built_in() -> Vec<Source> {
    // Tests and benchmarks don't decide what is built.
    let elsewhere = ["tests", "benches", "own"];
    let mut files: Vec<Source> = all()
        .into_iter()
        .filter(|(path, _)| !elsewhere.iter().any(|directory| path.starts_with(directory)))
        .map(|(path, content)| (Path::new("lambda").join(path), content))
        .collect();
    files.push((PathBuf::from("Cargo.toml"), WORKSPACE.as_bytes()));
    files.push((PathBuf::from("Cargo.lock"), LOCK.as_bytes()));
    files.sort();
    files
}

/// Every file of the crate that a processor of one's own begins with, sorted by path: what is its own, and what every
/// processor does.
pub fn own() -> Vec<Source> {
    let mut files: Vec<Source> = all()
        .into_iter()
        .filter_map(|(path, content)| match path.strip_prefix("own") {
            Ok(inner) => Some((inner.to_owned(), content)),
            Err(_) => path.starts_with("src/firehose").then_some((path, content)),
        })
        .collect();
    files.sort();
    files
}

/// The SHA-256 over all that decides what is built.
pub fn hash<'a>(files: impl IntoIterator<Item = (&'a Path, &'a [u8])>) -> String {
    let mut hash = Sha256::new();
    for (path, content) in files {
        hash.update(path.to_string_lossy().as_bytes());
        hash.update([0]);
        hash.update(u64::try_from(content.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(content);
    }
    hexadecimal(&hash.finalize())
}

/// The hash of the sources that are built in.
pub fn built_in_hash() -> String {
    let files = built_in();
    hash(files.iter().map(|(path, content)| (path.as_path(), *content)))
}

/// Writes the workspace anew.
pub fn write_built_in(directory: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for (path, content) in built_in() {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: Vec<Source>) -> Vec<String> {
        files.into_iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_sources_that_are_built_in_are_complete_and_nothing_else() {
        let names = names(built_in());
        assert!(names.contains(&"lambda/Cargo.toml".to_owned()) && names.contains(&"Cargo.lock".to_owned()));
        assert!(names.contains(&"lambda/src/firehose/mod.rs".to_owned()));
        assert!(!names.iter().any(|name| name.contains("/tests/") || name.contains("/own/")), "{names:?}");
    }

    #[test]
    fn a_crate_of_ones_own_has_all_that_it_needs() {
        let names = names(own());
        for name in ["Cargo.toml", "Cargo.lock", "README.md", ".gitignore", "src/main.rs", "src/lib.rs"] {
            assert!(names.contains(&name.to_owned()), "{name} is missing: {names:?}");
        }
        assert!(
            names.contains(&"src/transform.rs".to_owned()) && names.contains(&"tests/golden.rs".to_owned())
        );
        assert!(names.contains(&"src/firehose/runtime.rs".to_owned()));
    }

    #[test]
    fn a_crate_of_ones_own_begins_with_the_versions_that_were_tested() {
        let versions = |lock: &str| -> Vec<(String, String)> {
            let value = |block: &str, key: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")))?;
                Some(line.trim_matches('"').to_owned())
            };
            let packages = lock.split("[[package]]");
            packages.filter_map(|block| Some((value(block, "name")?, value(block, "version")?))).collect()
        };
        let tested = versions(LOCK);
        let (_, lock) = own().into_iter().find(|(path, _)| path == Path::new("Cargo.lock")).unwrap();
        let ours = versions(std::str::from_utf8(lock).unwrap());
        assert!(ours.len() > 5, "{ours:?}");
        for package in ours.iter().filter(|(name, _)| name != "processor") {
            assert!(tested.contains(package), "{package:?} was not tested: write lambda/own/Cargo.lock anew");
        }
    }
}
