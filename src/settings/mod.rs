//! What was meant: flag → variable → file → default, settled once, with no network. No rule about input lives
//! below this layer.

mod file;
pub mod value;

use crate::cli;
use crate::environment::{Environment, EnvironmentName, Pattern, tag_value};
use crate::error::{Error, Kind};
use crate::template::{Architecture, Shape};
use anyhow::Result;
use file::SettingsFile;
use serde::{Deserialize, Serialize};
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

/// What this tool is called where it is installed.
const PROGRAM: &str = "kinesis-stack";

/// How this tool was called, so that a remedy can be copied from the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    program: String,
    flags: Vec<String>,
    endpoint: Option<String>,
}

impl Default for Invocation {
    /// As somebody types it who has it installed and means the default environment.
    fn default() -> Self {
        Invocation { program: PROGRAM.to_owned(), flags: Vec::new(), endpoint: None }
    }
}

impl Invocation {
    fn new(common: &cli::Common) -> Self {
        let called = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned());
        let called = called.filter(|name| name.contains('/') && !name.starts_with('/'));
        let program = called.unwrap_or_else(|| PROGRAM.to_owned());
        let mut flags = Vec::new();
        if common.local {
            flags.push("--local".to_owned());
        }
        let options = [
            ("--env", &common.env),
            ("--region", &common.region),
            ("--profile", &common.profile),
            ("--config", &common.config),
        ];
        for (name, value) in options {
            if let Some(value) = value {
                flags.extend([name.to_owned(), quoted(value)]);
            }
        }
        Invocation { program, flags, endpoint: None }
    }

    /// The same for a cloud at this endpoint, which a copied `aws` command must not miss.
    #[must_use]
    pub fn at(&self, endpoint: Option<&str>) -> Self {
        Invocation { endpoint: endpoint.map(str::to_owned), ..self.clone() }
    }

    /// The same where verbs are those of another: `up` is typed `reaper up`.
    #[must_use]
    pub fn under(&self, verb: &str) -> Self {
        Invocation { program: format!("{} {verb}", self.program), ..self.clone() }
    }

    /// The same for another environment, in another region.
    #[must_use]
    pub fn of(&self, env: &str, region: &str) -> Self {
        let mut flags = Vec::new();
        let mut given = self.flags.iter();
        while let Some(flag) = given.next() {
            if matches!(flag.as_str(), "--env" | "--region") {
                given.next();
            } else {
                flags.push(flag.clone());
            }
        }
        flags.extend(["--env", env, "--region", region].map(quoted));
        Invocation { flags, ..self.clone() }
    }

    /// A command line of the aws cli, for the cloud that is meant.
    pub fn aws(&self, arguments: &str) -> String {
        match &self.endpoint {
            Some(endpoint) => format!(
                "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test aws --endpoint-url {endpoint} {arguments}"
            ),
            None => format!("aws {arguments}"),
        }
    }

    /// The command line of a verb for the same environment, with this after the verb.
    pub fn command(&self, verb: &str) -> String {
        let mut words = vec![self.program.as_str(), verb];
        words.extend(self.flags.iter().map(String::as_str));
        words.join(" ")
    }
}

/// As a shell takes it.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
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

/// How long an environment lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Ttl {
    /// Until somebody tears it down.
    Never,
    /// So many seconds from now.
    For(u64),
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

/// How an environment is deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Means {
    /// The role that CloudFormation acts under, else the one that it acted under before, else the caller.
    pub role_arn: Option<String>,
    /// Marked as short-lived.
    pub ephemeral: bool,
    /// To be protected, or no longer; `None`: as it is.
    pub protection: Option<bool>,
    /// CloudFormation's EXPRESS mode.
    pub express: bool,
    /// Sets drift back.
    pub heal: bool,
    /// Takes over the bucket that is there already.
    pub adopt: bool,
    /// How long it lives; `null`: as long as it did.
    #[serde(default)]
    pub ttl: Option<Ttl>,
    /// The pull request whose pipeline makes it, as `environment::TAG_PULL_REQUEST` spells it.
    #[serde(default)]
    pub pull_request: Option<String>,
    /// Which marks of a short life stand in the file and weren't typed.
    #[serde(skip)]
    pub by_file: ByFile,
}

/// Marks of a short life that only the settings file has. They are a default for many environments: where one of them
/// is protected, they yield to that, while a typed flag is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByFile {
    /// `ephemeral`.
    pub ephemeral: bool,
    /// `ttl`.
    pub ttl: bool,
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

    /// Settles how an environment is deployed.
    pub fn means(&self, typed: &cli::Means) -> Result<Means> {
        let cli::Means { role_arn, ephemeral, ttl, protect, no_protect, express, heal, adopt } = typed;
        let file = &self.file;
        let by_file = ByFile { ephemeral: !*ephemeral, ttl: ttl.is_none() };
        let ephemeral =
            *ephemeral || !*protect && from_file(file, "ephemeral", value::yes_or_no)?.unwrap_or(false);
        let protection = match (protect, no_protect) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            // A file that says false doesn't take a protection away: that has to be said each time.
            _ if typed.ephemeral || typed.ttl.as_ref().is_some_and(|ttl| ttl != "none") => None,
            _ => from_file(file, "protected", value::yes_or_no)?.filter(|protected| *protected),
        };
        // As with the mark: what was typed goes before the file.
        let ttl = match (ttl, protect) {
            (None, true) => None,
            _ => choose(ttl, "ttl", file, value::ttl)?,
        };
        if matches!(ttl, Some(Ttl::For(_))) && protection == Some(true) {
            let place = if *protect { "--protect".to_owned() } else { file.place("protected") };
            let message = format!("{place}: what is protected doesn't end by itself");
            return Err(Error::new(Kind::BadInput, message)
                .remedy("Leave one of the two out, or say `ttl: none` for this environment.")
                .into());
        }
        if ephemeral && protection == Some(true) {
            let message =
                format!("{}: an environment is either ephemeral or protected", file.place("protected"));
            return Err(Error::new(Kind::BadInput, message).remedy("Leave one of the two out.").into());
        }
        if *express && !ephemeral {
            return Err(Error::new(Kind::BadInput, "--express is for ephemeral environments")
                .remedy("Add --ephemeral, or `ephemeral: true` to the settings file.")
                .into());
        }
        Ok(Means {
            role_arn: self.role_arn(role_arn)?,
            ephemeral,
            protection,
            express: *express,
            heal: *heal,
            adopt: *adopt,
            ttl,
            pull_request: pull_request(variable),
            by_file,
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

/// The pull request that a pipeline runs for, as its forge's addresses name it: GitHub, then GitLab.
/// <https://docs.github.com/actions/reference/workflows-and-actions/variables>,
/// <https://docs.gitlab.com/ci/variables/predefined_variables/>.
fn pull_request(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let github = || {
        let number = variable("GITHUB_REF")?;
        let number = number.strip_prefix("refs/pull/")?.split('/').next()?;
        is_number(number).then_some(format!("{}/pull/{number}", variable("GITHUB_REPOSITORY")?))
    };
    let gitlab = || {
        let number = variable("CI_MERGE_REQUEST_IID").filter(|number| is_number(number))?;
        Some(format!("{}/-/merge_requests/{number}", variable("CI_PROJECT_PATH")?))
    };
    github().or_else(gitlab).map(|name| tag_value(&name))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str, env: &str) -> Settings {
        let name: EnvironmentName = env.parse().unwrap();
        let file = SettingsFile::of_text(text).unwrap().of(&name);
        let place = Place::Local { region: "us-east-1".to_owned() };
        Settings {
            environment: Environment::new(name),
            place,
            invocation: Invocation::default(),
            env_is_typed: false,
            file,
        }
    }

    fn means(text: &str, env: &str, typed: &cli::Means) -> Result<Means, Error> {
        settings(text, env).means(typed).map_err(|error| Error::of(&error))
    }

    #[test]
    fn a_lifetime_is_typed_or_stands_in_the_file_for_one_environment_or_for_all() {
        let file = "ttl: 7d\nenvironments:\n  pr-*: { ttl: 4h }\n  prod: { ttl: none }\n";
        let ttl = |env| means(file, env, &cli::Means::default()).unwrap().ttl;
        assert_eq!(ttl("pr-42"), Some(Ttl::For(14_400)));
        assert_eq!((ttl("prod"), ttl("dev")), (Some(Ttl::Never), Some(Ttl::For(604_800))));
        let typed = cli::Means { ttl: Some("30m".to_owned()), ..cli::Means::default() };
        assert_eq!(means(file, "pr-42", &typed).unwrap().ttl, Some(Ttl::For(1_800)));
        assert_eq!(means("", "dev", &cli::Means::default()).unwrap().ttl, None);
        let error =
            means("environments:\n  pr-*:\n    ttl: 5m\n", "pr-1", &cli::Means::default()).unwrap_err();
        assert!(error.message.starts_with("kinesis-stack.yaml:3:10: ttl `5m`"), "{error}");
    }

    #[test]
    fn what_marks_as_short_lived_is_known_to_be_typed_or_the_files() {
        let by_file = |text: &str, typed: &cli::Means| means(text, "dev", typed).unwrap().by_file;
        let file = "ephemeral: true\nttl: 4h\n";
        let both = ByFile { ephemeral: true, ttl: true };
        assert_eq!(by_file(file, &cli::Means::default()), both);
        let typed = cli::Means { ephemeral: true, ..cli::Means::default() };
        assert_eq!(by_file(file, &typed), ByFile { ephemeral: false, ..both });
        let typed = cli::Means { ttl: Some("4h".to_owned()), ..cli::Means::default() };
        assert_eq!(by_file(file, &typed), ByFile { ttl: false, ..both });
    }

    #[test]
    fn what_is_protected_has_no_lifetime_and_what_is_typed_goes_before_the_file() {
        let both = "ttl: 4h\nprotected: true\n";
        assert_eq!(means(both, "dev", &cli::Means::default()).unwrap_err().kind, Kind::BadInput);
        let ttl = |text: &str| cli::Means { ttl: Some(text.to_owned()), ..cli::Means::default() };
        let protect = cli::Means { protect: true, ..cli::Means::default() };
        let twice = cli::Means { protect: true, ..ttl("4h") };
        assert_eq!(means("", "dev", &twice).unwrap_err().kind, Kind::BadInput);
        let means = |text: &str, typed: &cli::Means| {
            let means = means(text, "dev", typed).unwrap();
            (means.protection, means.ttl)
        };
        assert_eq!(means(both, &protect), (Some(true), None));
        assert_eq!(means("protected: true", &ttl("4h")), (None, Some(Ttl::For(14_400))));
        assert_eq!(means("protected: true", &ttl("none")), (Some(true), Some(Ttl::Never)));
    }

    #[test]
    fn the_command_for_another_environment_names_it_and_keeps_the_rest() {
        let flags = ["--local", "--env", "dev", "--region", "us-east-1", "--config", "a.yaml"];
        let flags = flags.map(str::to_owned).into();
        let invocation = Invocation { flags, ..Invocation::default() };
        let other = invocation.of("pr-42", "eu-west-1").command("down");
        assert_eq!(other, "kinesis-stack down --local --config a.yaml --env pr-42 --region eu-west-1");
    }

    #[test]
    fn the_pull_request_of_a_pipeline_is_named_as_its_forge_does() {
        let of = |set: &[(&str, &str)]| {
            pull_request(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let github = [("GITHUB_REF", "refs/pull/42/merge"), ("GITHUB_REPOSITORY", "ada/trades")];
        assert_eq!(of(&github).as_deref(), Some("ada/trades/pull/42"));
        let gitlab = [("CI_MERGE_REQUEST_IID", "7"), ("CI_PROJECT_PATH", "group/sub/trades")];
        assert_eq!(of(&gitlab).as_deref(), Some("group/sub/trades/-/merge_requests/7"));
        for set in [
            &[("GITHUB_REF", "refs/heads/main"), ("GITHUB_REPOSITORY", "ada/trades")][..],
            &[("GITHUB_REF", "refs/pull/x/merge"), ("GITHUB_REPOSITORY", "ada/trades")],
            &[("GITHUB_REF", "refs/pull/42/merge")],
            &[("CI_MERGE_REQUEST_IID", "7")],
            &[],
        ] {
            assert_eq!(of(set), None, "{set:?}");
        }
    }
}
