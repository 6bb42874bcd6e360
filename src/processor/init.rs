//! Writes the crate that a processor of one's own begins with.

use crate::artifact::own_crate;
use crate::error::{Error, Kind};
use crate::files::check_directory;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes the crate, and returns its files. Nothing that is there already is touched: where any of them is, none is
/// written.
///
/// # Errors
/// Bad input, where anything stands in the way.
pub fn write(directory: &Path) -> Result<Vec<PathBuf>> {
    if directory.as_os_str().is_empty() {
        return Err(Error::new(Kind::BadInput, "DIR ``: it has no name")
            .because("nothing was written")
            .remedy("For the current directory: kinesis-stack init processor .")
            .into());
    }
    let there = directory.ancestors().find(|path| path.symlink_metadata().is_ok());
    if let Some(path) = there.filter(|path| !path.is_dir()) {
        return Err(Error::new(Kind::BadInput, format!("{} is no directory", path.display()))
            .because("nothing was written, and nothing is ever overwritten")
            .remedy("Choose another one: kinesis-stack init processor DIR")
            .into());
    }
    let files: Vec<_> =
        own_crate().into_iter().map(|(path, content)| (directory.join(path), content)).collect();
    if let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(Error::new(Kind::BadInput, format!("{} is there already", path.display()))
            .because("nothing was written, and nothing is ever overwritten")
            .remedy("Choose another directory: kinesis-stack init processor DIR")
            .into());
    }
    check_directory(directory, "the directory", "kinesis-stack init processor my-processor")?;
    for (path, content) in &files {
        let cannot = || format!("cannot write {}", path.display());
        fs::create_dir_all(path.parent().unwrap_or(directory)).with_context(cannot)?;
        // Never over another's file, not even one that was made a moment ago.
        File::create_new(path).and_then(|mut file| file.write_all(content)).with_context(cannot)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// The line that makes `up` build it, for a settings file that says nothing of a processor yet.
pub fn setting(directory: &Path) -> String {
    format!("processor: {}", directory.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_overwritten_and_nothing_is_half_written() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("mine");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("README.md"), "mine").unwrap();
        let error = Error::of(&write(&directory).unwrap_err());
        assert_eq!(error.kind, Kind::BadInput);
        assert!(error.to_string().contains("mine/README.md is there already"), "{error}");
        let left: Vec<_> = fs::read_dir(&directory).unwrap().collect();
        assert_eq!(
            (left.len(), fs::read_to_string(directory.join("README.md")).unwrap()),
            (1, "mine".to_owned())
        );
    }

    #[test]
    fn a_file_is_no_place_for_a_crate() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("records.jsonl");
        fs::write(&file, "mine").unwrap();
        for directory in [file.clone(), file.join("below")] {
            let error = Error::of(&write(&directory).unwrap_err());
            assert_eq!(error.kind, Kind::BadInput);
            assert!(error.to_string().contains("records.jsonl is no directory"), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_directory_that_can_not_be_made_is_bad_input_with_a_remedy() {
        let error = Error::of(&write(Path::new("/proc/x")).unwrap_err());
        assert_eq!(error.kind, Kind::BadInput);
        assert!(error.to_string().starts_with("cannot write the directory /proc/x: "), "{error}");
        assert!(!error.remedies.is_empty());
    }

    #[test]
    fn a_directory_without_a_name_is_not_the_current_one() {
        assert_eq!(Error::of(&write(Path::new("")).unwrap_err()).kind, Kind::BadInput);
    }

    #[test]
    fn a_crate_is_written_once() {
        let home = tempfile::tempdir().unwrap();
        let files = write(home.path()).unwrap();
        assert!(files.iter().all(|file| file.is_file()));
        assert!(write(home.path()).is_err());
    }
}
