//! The settings file: a YAML mapping of the names below to values, and one of environments to such mappings, whose
//! values go before the others where that environment is meant.

use crate::environment::{EnvironmentName, Pattern};
use crate::error::{Error, Kind};
use crate::files;
use anyhow::Result;
use serde_yaml::{Mapping, Value};
use std::io;
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
    "ttl",
];

/// The key under which environments have values of their own.
const ENVIRONMENTS: &str = "environments";

/// The name that is looked for where no other is given.
pub const DEFAULT_NAME: &str = "kinesis-stack.yaml";

/// No settings file is longer, in MiB.
const LARGEST: u64 = 1;

/// A settings file that was read, or the absence of one.
#[derive(Debug, Default)]
pub struct SettingsFile {
    path: PathBuf,
    text: String,
    /// What goes before comes first.
    values: Vec<Setting>,
}

/// One value of the file.
#[derive(Debug, Clone)]
struct Setting {
    /// The environments that it is for, where it isn't for all.
    of: Option<Pattern>,
    key: String,
    value: String,
    /// File, line and column.
    place: String,
}

impl SettingsFile {
    /// Reads a file that has to be there.
    pub fn read(path: &Path) -> Result<Self> {
        let text = files::read_at_most(path, LARGEST).and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
        });
        let text = text.map_err(|error| {
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

    /// Whether it was read from this directory.
    pub fn lies_in(&self, directory: &Path) -> bool {
        !self.path.as_os_str().is_empty() && directory.join(&self.path).parent() == Some(directory)
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
            match value {
                Value::Mapping(environments) if key == ENVIRONMENTS => file.environments(environments)?,
                _ if key == ENVIRONMENTS => {
                    let place = file.spot(&[&key]);
                    let message = format!("{place}: `{key}` is not a mapping of environments to settings");
                    return Err(bad(message).into());
                }
                value => file.setting(None, key, &value)?,
            }
        }
        Ok(file)
    }

    /// The values that some environments have of their own.
    fn environments(&mut self, environments: Mapping) -> Result<()> {
        for (name, values) in environments {
            let name = scalar(&name).unwrap_or_default();
            let place = self.spot(&[ENVIRONMENTS, &name]);
            let pattern: Pattern = name.parse().map_err(|rule| bad(format!("{place}: `{name}`: {rule}")))?;
            let Value::Mapping(values) = values else {
                let message = format!("{place}: `{name}` is not a mapping of names to values");
                return Err(bad(message).into());
            };
            for (key, value) in values {
                self.setting(Some((&name, pattern.clone())), scalar(&key).unwrap_or_default(), &value)?;
            }
        }
        Ok(())
    }

    fn setting(&mut self, of: Option<(&str, Pattern)>, key: String, value: &Value) -> Result<()> {
        let place = match &of {
            Some((name, _)) => self.spot(&[ENVIRONMENTS, name, &key]),
            None => self.spot(&[&key]),
        };
        // Which environment is meant can't hang on which environment is meant.
        let known = KEYS.iter().copied().filter(|known| of.is_none() || *known != "env");
        let known: Vec<&str> = known.chain(of.is_none().then_some(ENVIRONMENTS)).collect();
        if !known.contains(&key.as_str()) {
            let remedy = format!("The settings are {}.", known.join(", "));
            return Err(bad(format!("{place}: there is no setting `{key}`")).remedy(remedy).into());
        }
        let Some(value) = scalar(value) else {
            return Err(bad(format!("{place}: `{key}` takes one plain value")).into());
        };
        self.values.push(Setting { of: of.map(|(_, pattern)| pattern), key, value, place });
        Ok(())
    }

    /// The file as it is for one environment: what stands under its name goes first, then what stands under a pattern
    /// that its name is like, the first such pattern before the others, then what is for all.
    #[must_use]
    pub fn of(mut self, environment: &EnvironmentName) -> Self {
        self.values.retain(|it| it.of.as_ref().is_none_or(|pattern| pattern.matches(environment.as_str())));
        self.values.sort_by_key(|it| it.of.as_ref().map_or(2, |pattern| u8::from(!pattern.is_a_name())));
        self
    }

    /// The text of a value, where the file holds it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.setting_of(key).map(|it| it.value.as_str())
    }

    /// Where a value stands: file, line and column.
    pub fn place(&self, key: &str) -> String {
        self.setting_of(key).map_or_else(|| self.path.display().to_string(), |it| it.place.clone())
    }

    fn setting_of(&self, key: &str) -> Option<&Setting> {
        self.values.iter().find(|it| it.key == key)
    }

    /// Where the value of the last of these keys stands, each of which lies in the one before.
    fn spot(&self, keys: &[&str]) -> String {
        let (mut at, mut from) = (None, 0);
        let mut deeper_than = None;
        for key in keys {
            let indent = |line: &str| line.len() - line.trim_start().len();
            let lines = self.text.lines().enumerate().skip(from);
            // Only what lies below the key before, at whatever depth its first line has.
            let inside = lines.take_while(|(_, line)| {
                let is_blank = line.trim().is_empty() || line.trim_start().starts_with('#');
                is_blank || deeper_than.is_none_or(|depth| indent(line) > depth)
            });
            let mut inside = inside.filter(|(_, line)| column(line, key).is_some());
            let block = inside.next();
            // All in one line: `pr-*: { ttl: 4h }`.
            let flow = at.filter(|_| block.is_none()).and_then(|(line, start): (usize, usize)| {
                let text = self.text.lines().nth(line)?;
                let found = flow_column(text.get(start..)?, key)?;
                Some((line, start + found))
            });
            at = match (block, flow) {
                (Some((line, text)), _) => {
                    (from, deeper_than) = (line + 1, Some(indent(text)));
                    column(text, key).map(|column| (line, column))
                }
                (None, Some(spot)) => Some(spot),
                (None, None) => return self.path.display().to_string(),
            };
        }
        let Some((line, column)) = at else { return self.path.display().to_string() };
        format!("{}:{}:{}", self.path.display(), line + 1, column + 1)
    }

    /// A file of this text.
    #[cfg(test)]
    pub fn of_text(text: &str) -> Result<Self> {
        Self::parse(Path::new(DEFAULT_NAME), text.to_owned())
    }

    /// A path in the file is meant from where the file lies.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

/// Where the value begins in a line that is of this key.
fn column(line: &str, key: &str) -> Option<usize> {
    let at = line.find(':')?;
    let name = line[..at].trim().trim_matches(['"', '\'']);
    (name == key).then(|| at + 1 + line[at + 1..].len() - line[at + 1..].trim_start().len())
}

/// The same within braces.
fn flow_column(text: &str, key: &str) -> Option<usize> {
    let parts = text.split_inclusive(['{', ',']).scan(0, |start, part| {
        let at = *start;
        *start += part.len();
        Some((at, part))
    });
    let mut found = parts.filter_map(|(at, part)| Some(at + column(part, key)?));
    found.next()
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
    fn what_an_environment_has_of_its_own_goes_first_with_its_place() {
        let text = "ttl: 7d\nshards: 1\nenvironments:\n  # short-lived\n  pr-*:\n    ttl: 4h\n    shards: 2\n  \
                    pr-7: { ttl: 1h, region: eu-west-1 }\n  '*-big': {shards: 9}\n";
        let of = |env: &str| parse(text).unwrap().of(&env.parse().unwrap());
        let (dev, pr) = (of("dev"), of("pr-42"));
        assert_eq!((dev.get("ttl"), dev.place("ttl").as_str()), (Some("7d"), "kinesis-stack.yaml:1:6"));
        assert_eq!((pr.get("ttl"), pr.place("ttl").as_str()), (Some("4h"), "kinesis-stack.yaml:6:10"));
        // A name goes before a pattern, and of two patterns the first.
        let seven = of("pr-7");
        assert_eq!((seven.get("ttl"), seven.get("shards")), (Some("1h"), Some("2")));
        assert_eq!(seven.place("ttl"), "kinesis-stack.yaml:8:16");
        assert_eq!(seven.place("region"), "kinesis-stack.yaml:8:28");
        assert_eq!(seven.place("shards"), "kinesis-stack.yaml:7:13");
        assert_eq!(of("pr-big").get("shards"), Some("2"));
        assert_eq!(of("so-big").place("shards"), "kinesis-stack.yaml:9:21");
    }

    #[test]
    fn what_is_wrong_with_an_environment_is_told_with_its_place() {
        let error = |text: &str| parse(text).unwrap_err().to_string();
        for (text, told) in [
            ("environments:\n  pr-*:\n    shard: 2\n", "yaml:3:12: there is no setting `shard`"),
            ("shards: 1\nenvironments:\n  pr-*: {shard: 2}\n", "yaml:3:17: there is no setting `shard`"),
            ("environments:\n  pr-*:\n    env: dev\n", "yaml:3:10: there is no setting `env`"),
            ("environments:\n  PR_*:\n    shards: 2\n", "yaml:2:8: `PR_*`: a pattern of names has"),
            ("environments:\n  dev: 4h\n", "yaml:2:8: `dev` is not a mapping"),
            ("environments: [dev]\n", "yaml:1:15: `environments` is not a mapping"),
            ("environments:\n  dev:\n    ttl: [4h]\n", "yaml:3:10: `ttl` takes one plain value"),
            ("environments:\n  dev:\n    environments: {}\n", "there is no setting `environments`"),
        ] {
            assert!(error(text).contains(told), "{}", error(text));
        }
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        assert_eq!(parse("# nothing yet\n").unwrap().get("env"), None);
    }
}
