//! Files that are written whole or not at all, and places that are tried before anything is done.

use crate::error::{Error, Kind};
use anyhow::Result;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Before anything is done: whether such a file can be written at all. `option` is the one that names it, `example` a
/// good use of it.
///
/// # Errors
/// Bad input, where it can't.
pub fn check(path: &Path, option: &str, example: &str) -> Result<()> {
    let bad = |cause: String| Err(cannot_write(path, option, example, cause).into());
    if path.file_name().is_none() || path.is_dir() || !directory(path).is_dir() {
        return bad("it has to be a file in a directory that is there".to_owned());
    }
    if is_special(path) {
        // Nobody may be there to read it, and the writer would wait for ever. Those of the system itself are open.
        let is_open = path.starts_with("/dev") || path.starts_with("/proc");
        return if is_open || !is_pipe(path) { Ok(()) } else { bad("it is a pipe".to_owned()) };
    }
    tried(&beside(&resolved(path))).or_else(|error| bad(error.to_string()))
}

/// The same for a directory, which is made where it isn't there.
///
/// # Errors
/// Bad input, where nothing can be written to it.
pub fn check_directory(path: &Path, option: &str, example: &str) -> Result<()> {
    let bad = |cause: String| Err(cannot_write(path, option, example, cause).into());
    if path.as_os_str().is_empty() {
        return bad("it has no name".to_owned());
    }
    if path.exists() && !path.is_dir() {
        return bad("it is not a directory".to_owned());
    }
    let made = std::fs::create_dir_all(path).and_then(|()| tried(&beside(&path.join("try"))));
    made.or_else(|error| bad(error.to_string()))
}

fn cannot_write(path: &Path, option: &str, example: &str, cause: String) -> Error {
    Error::new(Kind::BadInput, format!("cannot write {option} {}", path.display()))
        .because(cause)
        .remedy(format!("For instance: {example}"))
}

/// Makes a file, and removes it again.
fn tried(path: &Path) -> io::Result<()> {
    std::fs::File::create_new(path).and_then(|_| std::fs::remove_file(path))
}

/// Writes a file: whole, or not at all.
///
/// # Errors
/// What the system says; then what was there is there still.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    if is_special(path) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(content);
    }
    let path = resolved(path);
    let beside = beside(&path);
    let written = std::fs::File::create_new(&beside)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Reads a file that holds no more than so many MiB: an endless one ends, too.
///
/// # Errors
/// What the system says, or [`InvalidData`](io::ErrorKind::InvalidData) where it is longer.
pub fn read_at_most(path: &Path, mebibytes: u64) -> io::Result<Vec<u8>> {
    let (limit, mut content) = (mebibytes * 1024 * 1024, Vec::new());
    std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        let message = format!("it is longer than {mebibytes} MiB");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(content)
}

/// A device or a pipe: there is nothing to replace, so that it is written to.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// Where a link leads to; the path itself where it is none.
fn resolved(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A name of our own in the same directory.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    directory(path).join(format!(".{name}.{}-{:08x}", std::process::id(), fastrand::u32(..)))
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_and_devices_stay_what_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("real.env"), directory.path().join("link.env"));
        std::fs::write(&target, "OLD=1\n").unwrap();
        std::os::unix::fs::symlink("real.env", &link).unwrap();
        replace(&link, b"NEW=1\n").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "NEW=1\n");
        let null = directory.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        check(&null, "--proof", "").unwrap();
        replace(&null, b"x").unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn no_more_is_read_than_is_allowed_of_what_never_ends() {
        let error = read_at_most(Path::new("/dev/zero"), 1).unwrap_err();
        assert_eq!(error.to_string(), "it is longer than 1 MiB");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("full");
        std::fs::write(&path, vec![b'x'; 1024 * 1024]).unwrap();
        assert_eq!(read_at_most(&path, 1).unwrap().len(), 1024 * 1024);
    }

    #[test]
    fn what_can_not_be_written_is_bad_input_before_anything_is_done() {
        let directory = tempfile::tempdir().unwrap();
        check(&directory.path().join("new.env"), "--proof", "").unwrap();
        check(Path::new("outputs.env"), "--proof", "").unwrap();
        for bad in [directory.path().to_owned(), directory.path().join("nowhere/outputs.env")] {
            assert_eq!(Error::of(&check(&bad, "--proof", "").unwrap_err()).kind, Kind::BadInput);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(Error::of(&check(&pipe, "--proof", "").unwrap_err()).kind, Kind::BadInput);
    }

    #[test]
    fn a_directory_is_made_where_it_is_missing_and_a_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        check_directory(&directory.path().join("a/b"), "--export", "").unwrap();
        assert!(directory.path().join("a/b").is_dir());
        std::fs::write(directory.path().join("file"), "").unwrap();
        let unnamed = check_directory(Path::new(""), "--export", "--export rows/").unwrap_err();
        assert_eq!(Error::of(&unnamed).kind, Kind::BadInput, "not the current one");
        for bad in ["file", "file/below"] {
            let error =
                check_directory(&directory.path().join(bad), "--export", "--export rows/").unwrap_err();
            let error = Error::of(&error);
            assert_eq!(error.kind, Kind::BadInput, "{error}");
            assert!(error.message.contains(bad) && error.remedies[0].contains("--export rows/"), "{error:?}");
        }
    }
}
