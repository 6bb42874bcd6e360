//! The settings file: a flat YAML mapping of the names below to values.

use crate::error::{Error, Kind};
use anyhow::Result;
use serde_yaml::{Mapping, Value};
use std::path::{Path, PathBuf};

/// The keys that a settings file may hold.
pub const KEYS: &[&str] = &[
    "env",
    "region",
    "profile",
    "shards",
    "stream-retention",
    "buffer-interval",
    "buffer-size",
    "log-retention",
    "architecture",
    "processor",
    "role-arn",
    "ephemeral",
    "protected",
];

/// The name that is looked for where no other is given.
pub const DEFAULT_NAME: &str = "kinesis-stack.yaml";

/// A settings file that was read, or the absence of one.
#[derive(Debug, Default)]
pub struct SettingsFile {
    path: PathBuf,
    text: String,
    values: Vec<(String, String)>,
}

impl SettingsFile {
    /// Reads a file that has to be there.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            bad(format!("cannot read the settings file {}", path.display()))
                .because(error.to_string())
                .remedy("Leave out --config and KINESIS_STACK_CONFIG, or let them name a file that is there.")
        })?;
        Self::parse(path, text)
    }

    /// Reads `kinesis-stack.yaml` in this directory where there is one.
    pub fn find(directory: &Path) -> Result<Self> {
        let path = directory.join(DEFAULT_NAME);
        // Also a link that leads nowhere, or a directory: whoever put it there meant something.
        if path.symlink_metadata().is_ok() { Self::read(&path) } else { Ok(Self::default()) }
    }

    fn parse(path: &Path, text: String) -> Result<Self> {
        let shown = path.display();
        let value: Value = serde_yaml::from_str(&text)
            .map_err(|error| bad(format!("{shown} is not valid YAML")).because(error.to_string()))?;
        let mapping = match value {
            Value::Null => Mapping::new(),
            Value::Mapping(mapping) => mapping,
            _ => return Err(bad(format!("{shown} is not a mapping of names to values")).into()),
        };
        let mut file = SettingsFile { path: path.to_owned(), text, values: Vec::new() };
        for (key, value) in mapping {
            let key = scalar(&key).unwrap_or_default();
            let place = file.place(&key);
            if !KEYS.contains(&key.as_str()) {
                let known = KEYS.join(", ");
                return Err(bad(format!("{place}: there is no setting `{key}`"))
                    .remedy(format!("The settings are {known}."))
                    .into());
            }
            let Some(value) = scalar(&value) else {
                return Err(bad(format!("{place}: `{key}` takes one plain value")).into());
            };
            file.values.push((key, value));
        }
        Ok(file)
    }

    /// The text of a value, where the file holds it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Where a value stands: file, line and column.
    pub fn place(&self, key: &str) -> String {
        let line = self.text.lines().position(|line| {
            let name = line.split(':').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            name == key && line.contains(':')
        });
        match line {
            Some(index) => {
                let line = self.text.lines().nth(index).unwrap_or_default();
                let after = line.find(':').map_or(0, |at| at + 1);
                let column = after + line[after..].len() - line[after..].trim_start().len() + 1;
                format!("{}:{}:{column}", self.path.display(), index + 1)
            }
            None => self.path.display().to_string(),
        }
    }

    /// A path in the file is meant from where the file lies.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn bad(message: String) -> Error {
    Error::new(Kind::BadInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SettingsFile> {
        SettingsFile::parse(Path::new("kinesis-stack.yaml"), text.to_owned())
    }

    #[test]
    fn values_come_with_their_line_and_column() {
        let file = parse("# ours\nenv: dev\nshards:   2\n").unwrap();
        assert_eq!(file.get("shards"), Some("2"));
        assert_eq!(file.place("shards"), "kinesis-stack.yaml:3:11");
        assert_eq!(file.get("region"), None);
    }

    #[test]
    fn unknown_names_lists_and_broken_yaml_are_refused_with_their_place() {
        let error = parse("env: dev\nshard: 2\n").unwrap_err().to_string();
        assert!(error.contains("kinesis-stack.yaml:2:8"), "{error}");
        assert!(parse("env: [a]").unwrap_err().to_string().contains("one plain value"));
        assert!(parse("env: {a").unwrap_err().to_string().contains("not valid YAML"));
        assert!(parse("- env").unwrap_err().to_string().contains("not a mapping"));
        assert!(parse("env: a\nenv: b").unwrap_err().to_string().contains("duplicate"));
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        assert_eq!(parse("# nothing yet\n").unwrap().get("env"), None);
    }
}
