//! A processor of the user's own: a crate in a directory, which holds all that decides what is built.

use super::build::{Compiler, Tool};
use super::sources;
use crate::error::{Error, Kind};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate that can be built.
#[derive(Debug)]
pub struct Crate {
    /// Its directory, without links.
    pub directory: PathBuf,
}

/// Before anything is called: whether there is a crate at all.
///
/// # Errors
/// Bad input, where there is none.
pub fn check(directory: &Path) -> Result<()> {
    if directory.join("Cargo.toml").is_file() {
        return Ok(());
    }
    Err(bad(directory, "has no Cargo.toml")
        .remedy("`kinesis-stack init processor DIR` writes a crate to begin with.")
        .into())
}

fn bad(directory: &Path, rule: &str) -> Error {
    Error::new(Kind::BadInput, format!("the processor {} {rule}", directory.display()))
}

/// The hash of all files of a crate.
pub fn hash(directory: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(directory, Path::new(""), &mut files)
        .with_context(|| format!("cannot read the processor's sources in {}", directory.display()))?;
    files.sort();
    Ok(sources::hash(files.iter().map(|(path, content)| (path.as_path(), content.as_slice()))))
}

fn collect(root: &Path, inner: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> std::io::Result<()> {
    for entry in fs::read_dir(root.join(inner))? {
        let name = entry?.file_name();
        let path = inner.join(&name);
        // What cargo makes, and what git keeps.
        if inner.as_os_str().is_empty() && (name == "target" || name == ".git") {
            continue;
        }
        let full = root.join(&path);
        if full.is_dir() {
            collect(root, &path, files)?;
        } else {
            files.push((path, fs::read(full)?));
        }
    }
    Ok(())
}

impl Crate {
    /// Asks cargo what the crate is. Writes its Cargo.lock where there is none.
    ///
    /// # Errors
    /// Bad input, where no processor can come of it: without a program `bootstrap`, or with anything outside of its
    /// directory, whose changes nobody would see.
    pub fn look(directory: &Path, tool: &Tool, compiler: &Compiler) -> Result<Self> {
        let mut command = tool.cargo(directory);
        command.args(["metadata", "--format-version", "1"]);
        let output = compiler.run(command).context("cannot run cargo")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(bad(directory, "is no crate that cargo can read")
                .because(format!("cargo said:\n{}", said.trim_end()))
                .remedy("Mend what cargo names.")
                .into());
        }
        let metadata = serde_json::from_slice(&output.stdout).context("cannot read what cargo says")?;
        let whole = fs::canonicalize(directory)
            .with_context(|| format!("cannot find the processor {}", directory.display()))?;
        judge(directory, &whole, &metadata)?;
        Ok(Crate { directory: whole })
    }
}

/// Whether all of it lies in its directory, and `bootstrap` comes of it.
fn judge(shown: &Path, whole: &Path, metadata: &Value) -> Result<(), Error> {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    if Path::new(root) != whole {
        return Err(bad(shown, &format!("is part of the workspace {root}, whose changes nobody would see"))
            .remedy("Add a line `[workspace]` to its Cargo.toml: then it is one of its own."));
    }
    let packages = || metadata["packages"].as_array().into_iter().flatten();
    for package in packages().filter(|package| package["source"].is_null()) {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        if !manifest.starts_with(whole) {
            let place = manifest.parent().unwrap_or(manifest).display();
            return Err(bad(shown, &format!("depends on {place}, whose changes nobody would see"))
                .remedy("Move that crate into the processor's directory."));
        }
    }
    let is_bootstrap = |target: &Value| {
        let kinds = target["kind"].as_array().into_iter().flatten();
        target["name"] == "bootstrap" && kinds.into_iter().any(|kind| kind == "bin")
    };
    let mut targets = packages()
        .filter(|package| package["source"].is_null())
        .flat_map(|package| package["targets"].as_array().into_iter().flatten());
    if !targets.any(is_bootstrap) {
        return Err(bad(shown, "has no program `bootstrap`, which Lambda runs")
            .remedy("Add to its Cargo.toml: [[bin]] with name = \"bootstrap\" and path = \"src/main.rs\"."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(root: &str, manifest: &str, program: &str) -> Value {
        let own = json!({ "source": null, "manifest_path": "/crate/Cargo.toml",
            "targets": [{ "name": program, "kind": ["bin"] }] });
        let other = json!({ "source": null, "manifest_path": manifest, "targets": [] });
        let registry = json!({ "source": "registry", "manifest_path": "/cargo/x/Cargo.toml", "targets": [] });
        json!({ "workspace_root": root, "packages": [own, other, registry] })
    }

    fn judged(metadata: &Value) -> Result<(), Error> {
        judge(Path::new("it"), Path::new("/crate"), metadata)
    }

    #[test]
    fn what_could_not_be_built_again_or_run_by_lambda_is_refused_with_the_rule_and_the_remedy() {
        assert!(judged(&metadata("/crate", "/crate/inner/Cargo.toml", "bootstrap")).is_ok());
        for (metadata, rule, remedy) in [
            (
                metadata("/all", "/crate/a/Cargo.toml", "bootstrap"),
                "part of the workspace /all",
                "[workspace]",
            ),
            (metadata("/crate", "/shared/Cargo.toml", "bootstrap"), "depends on /shared", "Move"),
            (metadata("/crate", "/crate/a/Cargo.toml", "main"), "no program `bootstrap`", "[[bin]]"),
        ] {
            let error = judged(&metadata).unwrap_err();
            assert_eq!(error.kind, Kind::BadInput);
            assert!(error.to_string().contains(rule), "{error}");
            assert!(error.remedies[0].contains(remedy), "{:?}", error.remedies);
        }
    }

    #[test]
    fn every_file_counts_but_what_cargo_and_git_keep() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let hash = || hash(directory.path()).unwrap();
        write("src/main.rs", "1");
        let first = hash();
        for name in ["target/debug/x", ".git/index"] {
            write(name, "x");
            assert_eq!(hash(), first, "{name}");
        }
        for (name, content) in [("src/main.rs", "2"), (".cargo/config.toml", ""), ("src/target/x.rs", "")] {
            let before = hash();
            write(name, content);
            assert_ne!(hash(), before, "{name}");
        }
    }

    #[test]
    fn a_directory_without_a_crate_is_refused_before_anything_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let error = Error::of(&check(directory.path()).unwrap_err());
        assert_eq!(error.kind, Kind::BadInput);
        assert!(error.to_string().contains("has no Cargo.toml"), "{error}");
    }
}
