//! How a command is typed, for all that tells people what to type next.

use crate::cli;

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
    pub(super) fn new(common: &cli::Common) -> Self {
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
        self.with(&[("--env", env), ("--region", region)])
    }

    /// The same for another environment, where verbs are again their own: the opposite of [`under`](Self::under).
    #[must_use]
    pub fn beside(&self, verb: &str, env: &str) -> Self {
        let program = self.program.strip_suffix(&format!(" {verb}")).unwrap_or(&self.program).to_owned();
        Invocation { program, ..self.with(&[("--env", env)]) }
    }

    fn with(&self, options: &[(&str, &str)]) -> Self {
        let mut flags = Vec::new();
        let mut given = self.flags.iter();
        while let Some(flag) = given.next() {
            if options.iter().any(|(name, _)| name == flag) {
                given.next();
            } else {
                flags.push(flag.clone());
            }
        }
        flags.extend(options.iter().flat_map(|(name, value)| [quoted(name), quoted(value)]));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_for_another_environment_names_it_and_keeps_the_rest() {
        let flags = ["--local", "--env", "dev", "--region", "us-east-1", "--config", "a.yaml"];
        let flags = flags.map(str::to_owned).into();
        let invocation = Invocation { flags, ..Invocation::default() };
        let other = invocation.of("pr-42", "eu-west-1").command("down");
        assert_eq!(other, "kinesis-stack down --local --config a.yaml --env pr-42 --region eu-west-1");
        let beside = invocation.under("reaper").beside("reaper", "pr-42").command("down");
        assert_eq!(beside, "kinesis-stack down --local --region us-east-1 --config a.yaml --env pr-42");
    }
}
