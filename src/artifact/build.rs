//! Compiles a processor: the one that comes with kinesis-stack, whose sources are part of this binary, so that an
//! installed tool needs nothing but cargo; or the user's own crate. What is built once is found again by the sources'
//! hash.

use super::{own, package, sha256, sources};
use crate::error::{Error, Kind};
use crate::event::{Event, Reporter};
use crate::template::Architecture;
use anyhow::{Context, Result};
use rustix::process::Pid;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a processor is compiled on this machine.
#[derive(Debug, PartialEq, Eq)]
struct Recipe {
    /// The subcommand of cargo and the `--target`.
    arguments: [&'static str; 2],
    /// The target's folder in the target directory.
    target: &'static str,
    /// Whether the C library is linked in. Zig links against an old one instead.
    is_static: bool,
}

/// On Linux the compiler at hand makes a program that needs no C library; everything else goes through
/// `cargo zigbuild`, which brings its own linker.
fn recipe(os: &str, machine: &str, architecture: Architecture, has_zigbuild: bool) -> Result<Recipe, Error> {
    let target = match architecture {
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
    };
    if os == "linux" && target.starts_with(machine) {
        return Ok(Recipe { arguments: ["build", target], target, is_static: true });
    }
    if has_zigbuild {
        // Amazon Linux 2023 has glibc 2.34.
        let versioned = match architecture {
            Architecture::X86_64 => "x86_64-unknown-linux-gnu.2.34",
            Architecture::Arm64 => "aarch64-unknown-linux-gnu.2.34",
        };
        return Ok(Recipe { arguments: ["zigbuild", versioned], target, is_static: false });
    }
    Err(Error::new(Kind::Failed, format!("this machine has no compiler for {target}")).remedy(format!(
        "Install cargo-zigbuild and run `rustup target add {target}`, or pass a ready processor with --processor FILE."
    )))
}

/// The zip of an earlier build of the same sources, which `hash` names.
pub fn cached(cache: &Path, hash: &str, architecture: Architecture) -> Option<Vec<u8>> {
    let path = zip_path(cache, hash, architecture);
    let zip = fs::read(&path).ok()?;
    // What was packed here needs no unpacking, which takes most of the time of an `up` that changes nothing.
    if fs::read_to_string(hash_path(&path)).is_ok_and(|hash| hash == sha256(&zip)) {
        return Some(zip);
    }
    // A damaged one counts as absent, and is made again.
    package::read(&path, architecture).ok()
}

/// Whoever builds.
pub struct Builder<'a> {
    /// The user's cache directory.
    pub cache: &'a Path,
    /// What to build for.
    pub architecture: Architecture,
    /// Who compiles.
    pub compiler: &'a Compiler,
    /// Who is told.
    pub reporter: &'a dyn Reporter,
}

impl Builder<'_> {
    /// Compiles and packs the processor that comes with kinesis-stack, and keeps the zip for the next time.
    pub fn built_in(&self) -> Result<Vec<u8>> {
        let build = self.begin()?;
        let hash = sources::built_in_hash();
        if let Some(zip) = cached(self.cache, &hash, self.architecture) {
            return Ok(zip);
        }
        let source = build.directory.join("source");
        sources::write_built_in(&source)
            .with_context(|| format!("cannot write the processor's sources to {}", source.display()))?;
        let zip = self.compile(&build, &source, &build.directory.join("target"))?;
        self.keep(&hash, &zip)?;
        Ok(zip)
    }

    /// The same for a crate of the user's own.
    pub fn own(&self, directory: &Path) -> Result<Vec<u8>> {
        let build = self.begin()?;
        let own = own::Crate::look(directory, &build.tool, self.compiler)?;
        let hash = own::hash(directory)?;
        if let Some(zip) = cached(self.cache, &hash, self.architecture) {
            return Ok(zip);
        }
        // Each crate has a target directory of its own here, so that the next build has less to do.
        let place = &sha256(own.directory.as_os_str().as_encoded_bytes())[..16];
        let zip =
            self.compile(&build, &own.directory, &build.directory.join("own").join(place).join("target"))?;
        // What was changed meanwhile may be in it or not.
        if own::hash(directory)? == hash {
            self.keep(&hash, &zip)?;
        }
        Ok(zip)
    }

    /// Waits for its turn.
    fn begin(&self) -> Result<Build> {
        let tool = Tool::find()?;
        let recipe = recipe(
            std::env::consts::OS,
            std::env::consts::ARCH,
            self.architecture,
            program("cargo-zigbuild").is_some(),
        )?;
        let directory = self.cache.join("processor");
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        // Two builds at once would write to one target directory: the second waits, and finds the first one's zip.
        let lock = File::create(directory.join("build.lock")).context("cannot create the build's lock")?;
        lock.lock().context("cannot lock the build")?;
        Ok(Build { tool, recipe, directory, _lock: lock })
    }

    fn compile(&self, build: &Build, source: &Path, target: &Path) -> Result<Vec<u8>> {
        self.reporter.tell(&Event::ProcessorBuilding { architecture: self.architecture.name().to_owned() });
        let command = build.tool.command(&build.recipe, source, target);
        let output = self.compiler.run(command).context("cannot run cargo")?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(Error::new(Kind::Failed, "the processor could not be compiled")
                .because(format!("cargo said:\n{}", text.trim_end()))
                .remedy("Mend what cargo names, or pass a ready processor with --processor FILE.")
                .into());
        }
        let binary = target.join(build.recipe.target).join("release").join("bootstrap");
        let binary = fs::read(&binary).with_context(|| format!("cargo left no {}", binary.display()))?;
        package::pack(&binary)
    }

    fn keep(&self, hash: &str, zip: &[u8]) -> Result<()> {
        let path = zip_path(self.cache, hash, self.architecture);
        let partial = path.with_extension("partial");
        fs::write(hash_path(&path), sha256(zip))
            .and_then(|()| fs::write(&partial, zip))
            .and_then(|()| fs::rename(&partial, &path))
            .context("cannot keep the processor's zip")
    }
}

/// One build, whose turn it is.
struct Build {
    tool: Tool,
    recipe: Recipe,
    /// Where processors are in the cache.
    directory: PathBuf,
    _lock: File,
}

/// The compiler at work, with all its children in a process group of their own.
#[derive(Debug, Clone, Default)]
pub struct Compiler(Arc<Mutex<Option<Pid>>>);

/// Ends the compiler when it is dropped.
pub struct EndsWith(Compiler);

impl Compiler {
    /// What ends the compiler when it is dropped.
    pub fn ends_with(&self) -> EndsWith {
        EndsWith(self.clone())
    }

    /// Runs a command to its end.
    pub fn run(&self, mut command: Command) -> std::io::Result<Output> {
        let command = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn()?;
        *self.group() = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let output = child.wait_with_output();
        *self.group() = None;
        output
    }

    fn group(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for EndsWith {
    fn drop(&mut self) {
        if let Some(group) = self.0.group().take() {
            // It is gone already, or it goes now.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        }
    }
}

/// The cargo that is used, and where it keeps the sources of dependencies.
pub struct Tool {
    cargo: PathBuf,
    home: Option<PathBuf>,
}

impl Tool {
    fn find() -> Result<Self> {
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
        let beside = home.as_ref().map(|home| home.join("bin/cargo")).filter(|path| path.is_file());
        let Some(cargo) = program("cargo").or(beside) else {
            return Err(Error::new(
                Kind::Failed,
                "the processor cannot be compiled: there is no cargo on this machine",
            )
            .remedy("Install Rust from https://rustup.rs, or pass a ready processor with --processor FILE.")
            .into());
        };
        Ok(Tool { cargo, home })
    }

    /// A command of cargo in a directory.
    pub fn cargo(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(directory).env("CARGO_TERM_COLOR", "never").stdin(Stdio::null());
        command
    }

    /// What decides the bytes of the binary is fixed here, not taken from the user's environment; paths of
    /// this machine are kept out of it, so that two machines with one compiler make the same zip.
    fn command(&self, recipe: &Recipe, source: &Path, target: &Path) -> Command {
        let mut flags: Vec<OsString> = Vec::new();
        if recipe.is_static {
            flags.extend(["-C".into(), "target-feature=+crt-static".into()]);
        }
        let mut remap = |from: &Path, to: &str| {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(from);
            flag.push("=");
            flag.push(to);
            flags.push(flag);
        };
        remap(source, "/kinesis-stack");
        if let Some(home) = &self.home {
            remap(home, "/cargo");
        }
        let mut command = self.cargo(source);
        let [subcommand, triple] = recipe.arguments;
        command
            .args([subcommand, "--quiet", "--release", "--bin", "bootstrap", "--target", triple])
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join(std::ffi::OsStr::new("\x1f")))
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("CARGO_BUILD_RUSTFLAGS");
        // Profiles may be overridden by variables; ours may not.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PROFILE_"))
        {
            command.env_remove(name);
        }
        command
    }
}

/// Where a program lies on the PATH.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|candidate| candidate.is_file())
}

fn zip_path(cache: &Path, hash: &str, architecture: Architecture) -> PathBuf {
    cache.join("processor").join(format!("{}-{}.zip", &hash[..16], architecture.name()))
}

/// Where the hash of a zip is kept that was packed here.
fn hash_path(zip: &Path) -> PathBuf {
    zip.with_extension("sha256")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_native_compiler_is_used_where_it_can_be_and_zig_elsewhere() {
        let native = recipe("linux", "x86_64", Architecture::X86_64, false).unwrap();
        assert_eq!(native.arguments, ["build", "x86_64-unknown-linux-gnu"]);
        assert!(native.is_static);
        let cross = recipe("linux", "x86_64", Architecture::Arm64, true).unwrap();
        assert_eq!(cross.arguments, ["zigbuild", "aarch64-unknown-linux-gnu.2.34"]);
        assert!(recipe("macos", "aarch64", Architecture::Arm64, true).is_ok());
    }

    #[test]
    fn without_a_compiler_for_the_target_the_error_says_what_to_install() {
        let error = recipe("macos", "aarch64", Architecture::Arm64, false).unwrap_err();
        assert!(error.remedies[0].contains("cargo-zigbuild") && error.remedies[0].contains("--processor"));
    }

    const HASH: &str = "0123456789abcdef0123";

    #[test]
    fn a_damaged_zip_in_the_cache_counts_as_absent() {
        let cache = tempfile::tempdir().unwrap();
        let path = zip_path(cache.path(), HASH, Architecture::X86_64);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let whole = package::pack(b"#!/bin/sh\n").unwrap();
        fs::write(&path, &whole).unwrap();
        assert_eq!(cached(cache.path(), HASH, Architecture::X86_64), Some(whole.clone()));
        let mut flipped = whole.clone();
        let content = 30 + "bootstrap".len() + 2;
        flipped[content] ^= 1;
        for damaged in [&whole[..0], &whole[..whole.len() / 2], &flipped] {
            for hash in [None, Some(sha256(&whole))] {
                fs::write(&path, damaged).unwrap();
                hash.into_iter().for_each(|hash| fs::write(hash_path(&path), hash).unwrap());
                assert_eq!(cached(cache.path(), HASH, Architecture::X86_64), None);
            }
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(cached(cache.path(), HASH, Architecture::X86_64), Some(whole));
    }
}
