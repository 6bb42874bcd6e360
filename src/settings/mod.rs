//! What was meant: flag → variable → file → default, settled once, with no network. No rule about input lives
//! below this layer.

mod file;
mod invocation;
mod means;
pub mod value;

pub use invocation::{Invocation, quoted};
pub use means::{ByFile, Means, Ttl};

use crate::cli;
use crate::environment::{Environment, EnvironmentName, Pattern};
use crate::error::{Error, Kind};
use crate::template::{Architecture, Shape};
use anyhow::Result;
use file::SettingsFile;
use std::env::{current_dir, var_os};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What every verb needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Which environment.
    pub environment: Environment,
    /// Which cloud.
    pub place: Place,
    /// How another verb for the same environment is typed.
    pub invocation: Invocation,
    env_is_typed: bool,
    file: SettingsFile,
}

/// Which cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// AWS, or whatever the SDK's own variables point at.
    Aws {
        /// Overrides what the SDK's chain finds.
        region: Option<String>,
        /// Overrides what the SDK's chain finds.
        profile: Option<String>,
    },
    /// The local cloud.
    Local {
        /// Always known: no profile is read for it.
        region: String,
    },
}

/// Which environments are meant, where it isn't one alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Those whose name is like this.
    pub name: Option<Pattern>,
    /// Those whose stack bears all of these tags.
    pub tags: Vec<(String, String)>,
}

impl Choice {
    /// What was typed.
    pub fn new(typed: &cli::Choice) -> Result<Self> {
        let cli::Choice { name, tag } = typed;
        let tags = tag.iter().map(|text| read("--tag", text, value::tag));
        Ok(Choice {
            name: read_optional("--name", name, str::parse::<Pattern>)?,
            tags: tags.collect::<Result<_>>()?,
        })
    }
}

/// Where the processor's code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessorSource {
    /// The one that comes with kinesis-stack, built on this machine.
    Own,
    /// A ready zip or `bootstrap` binary, or the directory of a crate that is built on this machine.
    File(PathBuf),
}

impl Settings {
    /// Settles what every verb needs. Reads environment variables and the settings file, nothing else.
    pub fn new(common: &cli::Common) -> Result<Self> {
        // Whether and how to report (output, color, ci, quiet, verbose) is settled before, by `report`.
        let cli::Common {
            env,
            local,
            region,
            profile,
            config,
            output: _,
            color: _,
            ci: _,
            quiet: _,
            verbose: _,
        } = common;
        let file = match config.clone().or_else(|| variable("KINESIS_STACK_CONFIG")) {
            Some(path) => SettingsFile::read(Path::new(&path))?,
            None => SettingsFile::find(&current_dir()?)?,
        };

        let name = match (env, variable("KINESIS_STACK_ENV"), file.get("env")) {
            (Some(text), _, _) => read("--env", text, name)?,
            (None, Some(text), _) => read("KINESIS_STACK_ENV", &text, name)?,
            (None, None, Some(text)) => read(&format!("{}: env", file.place("env")), text, name)?,
            (None, None, None) => "dev".parse::<EnvironmentName>().map_err(anyhow::Error::msg)?,
        };
        let file = file.of(&name);

        // The SDK's own variables come between flag and file: where they are set, the file has no say.
        let from_sdk = |names: &[&str]| names.iter().any(|name| variable(name).is_some());
        let region = match region {
            Some(text) => Some(read("--region", text, value::region)?),
            // The local cloud has nothing to do with what the SDK's variables say.
            None if *local => from_file(&file, "region", value::region)?,
            None if from_sdk(&["AWS_REGION", "AWS_DEFAULT_REGION"]) => None,
            None => from_file(&file, "region", value::region)?,
        };
        let place = if *local {
            Place::Local { region: region.unwrap_or_else(|| "us-east-1".to_owned()) }
        } else {
            let profile = match profile {
                Some(text) => Some(read("--profile", text, value::profile)?),
                None if from_sdk(&["AWS_PROFILE", "AWS_ACCESS_KEY_ID"]) => None,
                None => from_file(&file, "profile", value::profile)?,
            };
            Place::Aws { region, profile }
        };
        Ok(Settings {
            environment: Environment::new(name),
            place,
            invocation: Invocation::new(common),
            env_is_typed: env.is_some(),
            file,
        })
    }

    /// For a verb that is about all environments: naming one of them would be believed to choose it.
    pub fn refuse_env(&self, verb: &str) -> Result<()> {
        if !self.env_is_typed {
            return Ok(());
        }
        let name = &self.environment.name;
        Err(Error::new(Kind::BadInput, format!("--env `{name}`: `{verb}` is about all environments"))
            .remedy(format!("Choose some with --name, for instance --name {name}."))
            .into())
    }

    /// Settles the pipeline's shape.
    pub fn shape(&self, typed: &cli::Shape) -> Result<Shape> {
        let cli::Shape {
            shards,
            stream_retention,
            buffer_interval,
            buffer_size,
            log_retention,
            architecture,
        } = typed;
        let file = &self.file;
        Ok(Shape {
            shards: choose(shards, "shards", file, value::shards)?.unwrap_or(1),
            stream_retention_hours: choose(
                stream_retention,
                "stream-retention",
                file,
                value::stream_retention_hours,
            )?
            .unwrap_or(24),
            buffer_seconds: choose(buffer_interval, "buffer-interval", file, value::buffer_seconds)?
                .unwrap_or(60),
            buffer_megabytes: choose(buffer_size, "buffer-size", file, value::buffer_megabytes)?.unwrap_or(5),
            log_retention_days: choose(log_retention, "log-retention", file, value::log_retention_days)?
                .unwrap_or(7),
            architecture: choose(architecture, "architecture", file, self::architecture)?
                .unwrap_or(HOST_ARCHITECTURE),
        })
    }

    /// Settles which role CloudFormation acts under.
    pub fn role_arn(&self, typed: &Option<String>) -> Result<Option<String>> {
        choose(typed, "role-arn", &self.file, value::role_arn)
    }

    /// Whether there is a settings file in the current directory that says nothing of the processor.
    pub fn could_name_processor(&self) -> bool {
        current_dir().is_ok_and(|here| self.file.lies_in(&here)) && self.file.get("processor").is_none()
    }

    /// Settles where the processor's code comes from.
    pub fn processor(&self, typed: &cli::Processor) -> ProcessorSource {
        match (&typed.processor, self.file.get("processor")) {
            (Some(path), _) => ProcessorSource::File(path.into()),
            (None, Some(path)) => ProcessorSource::File(self.file.resolve(path)),
            (None, None) => ProcessorSource::Own,
        }
    }
}

/// The architecture of this machine, which its compiler builds for without further ado.
pub const HOST_ARCHITECTURE: Architecture =
    if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };

/// Reads a value, or says where it stands, what it is, and which rule it breaks.
pub fn read<T, R: Display>(place: &str, text: &str, rule: impl Fn(&str) -> Result<T, R>) -> Result<T> {
    rule(text).map_err(|rule| Error::new(Kind::BadInput, format!("{place} `{text}`: {rule}")).into())
}

/// Reads an optional value.
pub fn read_optional<T, R: Display>(
    place: &str,
    text: &Option<String>,
    rule: impl Fn(&str) -> Result<T, R>,
) -> Result<Option<T>> {
    text.as_deref().map(|text| read(place, text, rule)).transpose()
}

/// Where the user's caches of this tool lie.
pub fn cache_directory() -> Result<PathBuf> {
    let directory = |name: &str| var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = directory("KINESIS_STACK_CACHE_DIR");
    let xdg = || directory("XDG_CACHE_HOME").map(|base| base.join("kinesis-stack"));
    let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let usual =
        || home().map(|home| home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" }));
    let found = own.or_else(xdg).or_else(|| usual().map(|base| base.join("kinesis-stack")));
    let found = found.ok_or_else(|| {
        Error::new(Kind::BadInput, "neither HOME nor KINESIS_STACK_CACHE_DIR says where to keep caches")
            .remedy("Set KINESIS_STACK_CACHE_DIR to a directory of yours.")
    })?;
    Ok(std::path::absolute(found)?)
}

/// A variable that is set to something. What is no text breaks the rule of whatever it is meant for.
fn variable(name: &str) -> Option<String> {
    var_os(name).filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned())
}

fn name(text: &str) -> Result<EnvironmentName, &'static str> {
    text.parse()
}

fn architecture(text: &str) -> Result<Architecture, &'static str> {
    match text {
        "x86_64" => Ok(Architecture::X86_64),
        "arm64" => Ok(Architecture::Arm64),
        _ => Err("an architecture is x86_64 or arm64"),
    }
}

/// Flag, else file.
fn choose<T, R: Display>(
    typed: &Option<String>,
    key: &str,
    file: &SettingsFile,
    rule: impl Fn(&str) -> Result<T, R>,
) -> Result<Option<T>> {
    match typed {
        Some(text) => read(&format!("--{key}"), text, rule).map(Some),
        None => from_file(file, key, rule),
    }
}

fn from_file<T, R: Display>(
    file: &SettingsFile,
    key: &str,
    rule: impl Fn(&str) -> Result<T, R>,
) -> Result<Option<T>> {
    file.get(key).map(|text| read(&format!("{}: {key}", file.place(key)), text, rule)).transpose()
}
