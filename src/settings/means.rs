//! How an environment is deployed.

use super::{Settings, choose, from_file, value, variable};
use crate::cli;
use crate::environment::tag_value;
use crate::error::{Error, Kind};
use anyhow::Result;
use serde::{Deserialize, Serialize};

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

impl Settings {
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
}

impl Means {
    /// A plan's means with what was typed beside it: what wasn't is as the plan has it. `own`: what was typed comes to
    /// without the plan.
    pub fn beside(&self, typed: &cli::Means, own: Means) -> Means {
        let protects = typed.protect || typed.no_protect;
        Means {
            role_arn: if typed.role_arn.is_some() { own.role_arn } else { self.role_arn.clone() },
            ephemeral: typed.ephemeral || self.ephemeral,
            protection: if protects { own.protection } else { self.protection },
            express: typed.express || self.express,
            heal: typed.heal || self.heal,
            adopt: typed.adopt || self.adopt,
            ttl: if typed.ttl.is_some() { own.ttl } else { self.ttl },
            pull_request: self.pull_request.clone(),
            by_file: self.by_file,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Environment, EnvironmentName};
    use crate::settings::file::SettingsFile;
    use crate::settings::{Invocation, Place};

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
