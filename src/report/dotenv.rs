//! Outputs for the next job of a pipeline: a file of `NAME=value` lines, as GitLab's `artifacts:reports:dotenv` and
//! most shells read it.

use crate::error::{Error, Kind};
use crate::event::Done;
use crate::files;
use anyhow::Result;
use std::path::Path;

/// Before anything is done: whether such a file can be written at all.
pub fn check(path: &Path) -> Result<()> {
    files::check(path, "--dotenv", "--dotenv outputs.env")
}

/// Writes the outputs: whole, or not at all.
pub fn write(path: &Path, done: &Done) -> Result<()> {
    let text = render(done)?;
    let written = files::replace(path, text.as_bytes());
    written.map_err(|error| {
        Error::new(Kind::Failed, format!("cannot write --dotenv {}", path.display()))
            .because(error.to_string())
            .remedy("The environment itself is up: the same command again writes the file.")
            .into()
    })
}

/// One line a value. The format knows no way to write a value of several lines.
fn render(done: &Done) -> Result<String> {
    let own = [("Stack", &done.stack), ("StackId", &done.stack_id), ("Expires", &done.expires)];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let outputs = done.outputs.iter().flatten().map(|(name, value)| (name.as_str(), value));
    let mut text = String::new();
    for (name, value) in own.chain(outputs) {
        if value.contains(['\n', '\r']) {
            return Err(Error::new(
                Kind::Failed,
                format!("the output {name} has several lines, which a dotenv file can't hold"),
            )
            .remedy("Run it without --dotenv, and read the outputs with --output json.")
            .into());
        }
        let name = words(name).join("_").to_ascii_uppercase();
        text.push_str(&format!("KINESIS_STACK_{name}={value}\n"));
    }
    Ok(text)
}

/// The words of an output's name, in lower case: `BucketName` is `bucket` and `name`.
pub fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let ends_a_word = before.is_some_and(|before| !before.is_ascii_uppercase());
        let begins_a_word = chars.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let is_edge = c.is_ascii_uppercase() && (ends_a_word || begins_a_word);
        if (is_edge || !c.is_ascii_alphanumeric()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(value: &str) -> Done {
        Done {
            stack: Some("kinesis-stack-dev".to_owned()),
            expires: Some("2026-11-24T22:10:00Z".to_owned()),
            outputs: Some([("BucketName".to_owned(), value.to_owned())].into()),
            ..Done::default()
        }
    }

    #[test]
    fn names_are_split_into_the_words_that_they_consist_of() {
        let split = |name| words(name).join("-");
        assert_eq!(
            ["BucketName", "StreamARN", "ARNOfStream", "Rows2Prefix", "a.b c", "x"].map(split),
            ["bucket-name", "stream-arn", "arn-of-stream", "rows2-prefix", "a-b-c", "x"]
        );
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outputs.env");
        std::fs::write(&path, "OLD=1\n").unwrap();
        write(&path, &done("a=b c")).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "KINESIS_STACK_STACK=kinesis-stack-dev\nKINESIS_STACK_EXPIRES=2026-11-24T22:10:00Z\nKINESIS_STACK_BUCKET_NAME=a=b c\n"
        );
        let error = write(&path, &done("two\nlines")).unwrap_err();
        assert!(error.to_string().contains("BucketName"), "{error}");
        assert!(std::fs::read_to_string(&path).unwrap().contains("a=b c"), "what was there stays");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
