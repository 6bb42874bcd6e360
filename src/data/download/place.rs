//! Where an object goes: its key as a path, as far as a key can be one. Nothing goes outside the directory, and no two
//! keys to one file.

use super::manifest::OWN;
use crate::error::{Error, Kind};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// What a name of a file can be long, on nearly every file system.
const LONGEST: usize = 255;

/// Where an object goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    key: String,
    parts: Vec<String>,
}

impl Place {
    /// The place of a key: each part between slashes is a name. What can't be one is written with `%`.
    pub fn of(key: &str) -> Self {
        let mut parts: Vec<String> = key.split('/').map(name).collect();
        if parts[0] == OWN {
            parts[0] = OWN.replacen('.', "%2E", 1);
        }
        Place { key: key.to_owned(), parts }
    }

    /// Whether it is called otherwise than the key.
    pub fn is_renamed(&self) -> bool {
        self.parts.join("/") != self.key
    }

    /// The paths at which it can lie. The second is for a key that is a directory of others.
    pub fn candidates(&self, directory: &Path) -> [PathBuf; 2] {
        let own: PathBuf = self.parts.iter().collect();
        [directory.join(own), directory.join(self.beside())]
    }

    /// The name beside the others of a key whose path is taken: by a directory, or through a file. No part of a key
    /// ends like this.
    fn beside(&self) -> String {
        shortened(format!("{}%", self.parts.join("%2F")))
    }

    /// Moves a file that is whole to its place. Returns the path below the directory.
    pub fn settle(&self, directory: &Path, part: &Path) -> Result<String> {
        let [own, beside] = self.candidates(directory);
        refuse_outside(directory, &own)?;
        let moved = own.parent().is_some_and(|parent| std::fs::create_dir_all(parent).is_ok())
            && own.file_name().is_some()
            && std::fs::rename(part, &own).is_ok();
        let path = match moved {
            true => own,
            false => {
                std::fs::rename(part, &beside)
                    .with_context(|| format!("cannot write {}", beside.display()))?;
                beside
            }
        };
        let below = path.strip_prefix(directory).unwrap_or(&path);
        Ok(below.to_string_lossy().into_owned())
    }
}

/// Refuses a path that a link on its way leads out of the directory.
fn refuse_outside(directory: &Path, path: &Path) -> Result<()> {
    // What isn't there yet can't lead anywhere.
    let there = path.ancestors().skip(1).find(|above| above.exists()).unwrap_or(directory);
    let (inner, outer) = (there.canonicalize()?, directory.canonicalize()?);
    if inner.starts_with(&outer) {
        return Ok(());
    }
    let message = format!("{} leads out of {}", there.display(), directory.display());
    let remedy = "Export into a directory without links.";
    Err(Error::new(Kind::Refused, message).remedy(remedy).into())
}

/// One part of a key as the name of a file. Different parts have different names.
fn name(part: &str) -> String {
    let plain = match part {
        "" => return "%".to_owned(),
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => part.replace('%', "%25").replace('\0', "%00"),
    };
    shortened(plain)
}

/// A name that is too long is told from others by a hash of the whole.
fn shortened(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let hash = crate::artifact::sha256(name.as_bytes());
    let mut end = LONGEST - hash.len() - "%~".len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}%~{hash}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn settled(directory: &Path, key: &str) -> String {
        let part = directory.join("part");
        std::fs::write(&part, key).unwrap();
        Place::of(key).settle(directory, &part).unwrap()
    }

    #[test]
    fn keys_that_are_paths_keep_their_names_and_others_get_one_below_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        for (key, file) in [
            ("rows/2026/11/24/12/a-1", "rows/2026/11/24/12/a-1"),
            ("a b/ü", "a b/ü"),
            ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
            ("/etc/passwd", "%/etc/passwd"),
            ("a//b", "a/%/b"),
            ("./x", "%2E/x"),
            ("folder/", "folder/%"),
            ("nul\0", "nul%00"),
            ("100%", "100%25"),
            (".kinesis-stack-export/manifest.jsonl", "%2Ekinesis-stack-export/manifest.jsonl"),
        ] {
            assert_eq!(settled(directory.path(), key), file, "{key:?}");
            assert_eq!(std::fs::read_to_string(directory.path().join(file)).unwrap(), key);
            assert_eq!(Place::of(key).is_renamed(), key != file);
        }
    }

    #[test]
    fn a_key_that_is_a_directory_of_another_lies_beside_it_whichever_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(settled(directory.path(), "a/b"), "a/b");
        assert_eq!(settled(directory.path(), "a"), "a%");
        assert_eq!(settled(directory.path(), "c"), "c");
        assert_eq!(settled(directory.path(), "c/d"), "c%2Fd%");
        for (file, key) in [("a/b", "a/b"), ("a%", "a"), ("c", "c"), ("c%2Fd%", "c/d")] {
            assert_eq!(std::fs::read_to_string(directory.path().join(file)).unwrap(), key);
        }
    }

    #[test]
    fn a_link_that_leads_out_of_the_directory_is_not_followed() {
        let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), directory.path().join("rows")).unwrap();
        let part = directory.path().join("part");
        std::fs::write(&part, "").unwrap();
        assert!(Place::of("rows/a").settle(directory.path(), &part).is_err());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    proptest! {
        #[test]
        fn no_key_leaves_the_directory_and_no_two_share_a_file(a in "[a%/.\u{0}2EF~]{0,12}", b in "[a%/.\u{0}2EF~]{0,12}") {
            let root = Path::new("/root");
            for path in Place::of(&a).candidates(root) {
                let below = path.strip_prefix(root).unwrap();
                prop_assert!(below.components().all(|it| matches!(it, Component::Normal(_))), "{path:?}");
                prop_assert!(below.components().count() > 0);
                if a != b {
                    prop_assert!(!Place::of(&b).candidates(root).contains(&path), "{path:?}");
                }
            }
        }

        #[test]
        fn no_name_is_too_long(key in "[aü/]{0,2000}") {
            for path in Place::of(&key).candidates(Path::new("/")) {
                prop_assert!(path.components().all(|it| it.as_os_str().len() <= LONGEST));
            }
        }
    }
}
