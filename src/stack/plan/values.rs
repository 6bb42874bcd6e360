//! What differs between two values, as a person would say it: only the leaves, named by their path.

use serde_json::Value;

/// One leaf that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where it stands, for instance `BufferingHints.IntervalInSeconds`.
    pub path: String,
    /// Its value before. `None` where it isn't there, or isn't known.
    pub before: Option<String>,
    /// Its value after, likewise.
    pub after: Option<String>,
}

/// What differs in a property of this name.
pub fn differences(name: &str, before: Option<&str>, after: Option<&str>) -> Vec<Difference> {
    let nested = |text: Option<&str>| {
        let text = text.filter(|text| text.starts_with(['{', '[']))?;
        serde_json::from_str::<Value>(text).ok()
    };
    let mut found = Vec::new();
    match (nested(before), nested(after)) {
        (Some(before), Some(after)) => compare(name, Some(&before), Some(&after), &mut found),
        _ => found.push(Difference {
            path: name.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        }),
    }
    found
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
            for key in keys {
                compare(&format!("{path}.{key}"), old.get(key), new.get(key), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if !old.iter().chain(new).any(is_plain) => {
            match (labelled(old), labelled(new)) {
                (Some(old), Some(new)) => {
                    let find = |items: &[(String, Value)], label: &str| {
                        items.iter().find(|(known, _)| known == label).map(|(_, value)| value.clone())
                    };
                    let labels = old.iter().chain(&new).map(|(label, _)| label.as_str());
                    let mut seen: Vec<&str> = Vec::new();
                    for label in labels {
                        if !seen.contains(&label) {
                            seen.push(label);
                            let (old, new) = (find(&old, label), find(&new, label));
                            compare(&format!("{path}.{label}"), old.as_ref(), new.as_ref(), found);
                        }
                    }
                }
                _ => {
                    for place in 0..old.len().max(new.len()) {
                        compare(&format!("{path}.{place}"), old.get(place), new.get(place), found);
                    }
                }
            }
        }
        _ => found.push(Difference {
            path: path.to_owned(),
            before: before.map(plain),
            after: after.map(plain),
        }),
    }
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

/// Items that have a name of their own, as tags and Firehose's parameters do.
fn labelled(items: &[Value]) -> Option<Vec<(String, Value)>> {
    const NAMES: &[(&str, &str)] = &[("Key", "Value"), ("ParameterName", "ParameterValue")];
    let named = |item: &Value| {
        let (key, value) = NAMES.iter().find(|(key, _)| item.get(key).is_some())?;
        Some((item.get(key)?.as_str()?.to_owned(), item.get(value)?.clone()))
    };
    items.iter().map(named).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value in one line of at most so many characters: hashes cut, and the middle left out.
pub fn shortened(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = cut_hashes(&words.join(" "));
    let length = text.chars().count();
    if length <= most {
        return text;
    }
    let kept = most.saturating_sub(1);
    let tail = kept / 2;
    let head: String = text.chars().take(kept - tail).collect();
    let tail: String = text.chars().skip(length - tail).collect();
    format!("{head}…{tail}")
}

/// A SHA-256 takes a line and tells nobody anything: its first 12 digits do.
fn cut_hashes(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase();
    let mut cut = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_digit) {
        cut.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
        match end {
            64 => cut.extend([&rest[..12], "…"]),
            _ => cut.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    cut + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, before: &str, after: &str) -> Vec<String> {
        let told = |it: Difference| {
            format!("{}: {} → {}", it.path, it.before.unwrap_or_default(), it.after.unwrap_or_default())
        };
        differences(name, Some(before), Some(after)).into_iter().map(told).collect()
    }

    #[test]
    fn plain_values_are_told_as_they_are() {
        assert_eq!(told("ShardCount", "1", "2"), ["ShardCount: 1 → 2"]);
        assert_eq!(told("Description", "[draft", "{final"), ["Description: [draft → {final"]);
    }

    #[test]
    fn of_nested_values_only_the_leaves_that_differ_are_told() {
        let value = |seconds: u32| {
            format!(
                r#"{{"BufferingHints":{{"IntervalInSeconds":{seconds},"SizeInMBs":5}},"Prefix":"rows/"}}"#
            )
        };
        assert_eq!(told("S3", &value(60), &value(0)), ["S3.BufferingHints.IntervalInSeconds: 60 → 0"]);
        assert_eq!(told("S3", &value(60), &value(60)), [""; 0]);
        assert_eq!(told("P", r#"{"A":1}"#, r#"{"B":[1,2]}"#), ["P.A: 1 → ", "P.B:  → [1,2]"]);
    }

    #[test]
    fn items_of_a_list_are_named_by_their_own_names_or_by_their_place() {
        let tags = |version: &str, more: &str| format!(r#"[{{"Key":"v","Value":"{version}"}}{more}]"#);
        let more = r#",{"Key":"team","Value":"x"}"#;
        assert_eq!(told("Tags", &tags("1", more), &tags("2", "")), ["Tags.v: 1 → 2", "Tags.team: x → "]);
        let parameter = |n: u32| format!(r#"[[{{"ParameterName":"Buffer","ParameterValue":"{n}"}}]]"#);
        assert_eq!(told("P", &parameter(1), &parameter(2)), ["P.0.Buffer: 1 → 2"]);
        assert_eq!(told("Actions", r#"["a","b"]"#, r#"["a"]"#), [r#"Actions: ["a","b"] → ["a"]"#]);
    }

    #[test]
    fn long_values_are_shortened_in_the_middle_and_hashes_after_twelve_digits() {
        assert_eq!(shortened("short", 10), "short");
        assert_eq!(shortened("a\n  b", 10), "a b");
        assert_eq!(shortened("0123456789ABCDEF", 9), "0123…CDEF");
        assert_eq!(shortened("ä".repeat(50).as_str(), 10).chars().count(), 10);
        let key = format!("processor/{}.zip", "ab".repeat(32));
        assert_eq!(shortened(&key, 80), "processor/abababababab….zip");
    }
}
