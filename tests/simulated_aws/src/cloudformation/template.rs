//! As much of CloudFormation's template language as our template speaks, in YAML's short form and in JSON's long one.

use super::stack::{Deployment, Resource};
use crate::ACCOUNT;
use crate::arn;
use serde_yaml::{Mapping, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// A template with everything filled in.
pub struct Template {
    region: String,
    parameters: BTreeMap<String, String>,
    document: Rc<Value>,
}

/// What becomes of a resource that leaves its stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Delete,
    Retain,
    /// Like Retain, but what a failed operation just created goes nevertheless.
    RetainExceptOnCreate,
}

impl Template {
    pub fn new(deployment: &Deployment, region: &str) -> Self {
        let document = parsed(&deployment.template);
        let mut template =
            Template { region: region.to_owned(), parameters: deployment.parameters.clone(), document };
        for (name, default) in template.defaults() {
            template.parameters.entry(name).or_insert(default);
        }
        template
    }

    pub fn resources(&self) -> Vec<Resource> {
        let logical_ids = self.section("Resources").keys().filter_map(Value::as_str);
        let resource = |logical_id: &str| {
            Resource::new(logical_id, &self.kind(logical_id), &self.physical_id(logical_id))
        };
        logical_ids.map(resource).collect()
    }

    pub fn has(&self, logical_id: &str) -> bool {
        self.section("Resources").contains_key(logical_id)
    }

    pub fn outputs(&self) -> Vec<(String, String)> {
        let outputs = self.section("Outputs").iter();
        outputs
            .filter_map(|(key, output)| Some((key.as_str()?.to_owned(), self.plain(output.get("Value")?))))
            .collect()
    }

    pub fn description(&self) -> String {
        self.document.get("Description").map(|text| self.plain(text)).unwrap_or_default()
    }

    /// Parameters that have neither a value nor a default.
    pub fn missing_parameters(&self) -> Vec<String> {
        let names = self.section("Parameters").keys().filter_map(Value::as_str);
        names.filter(|name| !self.parameters.contains_key(*name)).map(str::to_owned).collect()
    }

    /// Fact: a role with a name of its own needs CAPABILITY_NAMED_IAM.
    pub fn names_roles(&self) -> bool {
        let resources = self.section("Resources").iter();
        let mut properties = resources.filter_map(|(_, resource)| resource.get("Properties"));
        properties.any(|properties| properties.get("RoleName").is_some())
    }

    /// The bucket and key of a function's zip.
    pub fn code(&self, logical_id: &str) -> Option<(String, String)> {
        let code = self.properties(logical_id).get("Code")?.clone();
        let part = |name| code.get(name).map(|value| self.plain(value)).unwrap_or_default();
        Some((part("S3Bucket"), part("S3Key")))
    }

    /// The physical id of the first resource of this type that this one needs.
    pub fn needed(&self, logical_id: &str, kind: &str) -> Option<String> {
        let needed = self.dependencies(logical_id);
        let mut all = self.resources().into_iter();
        all.find(|it| it.kind == kind && needed.contains(&it.logical_id)).map(|it| it.physical_id)
    }

    /// The name of a function's role.
    pub fn role(&self, logical_id: &str) -> Option<String> {
        let role = self.resource(logical_id).get("Properties")?.get("Role")?;
        self.plain(role).rsplit('/').next().map(str::to_owned)
    }

    /// The properties with everything filled in.
    pub fn properties(&self, logical_id: &str) -> Mapping {
        match self.resource(logical_id).get("Properties").map(|properties| self.filled(properties)) {
            Some(Value::Mapping(properties)) => properties,
            _ => Mapping::new(),
        }
    }

    /// `DeletionPolicy` or `UpdateReplacePolicy`.
    pub fn policy(&self, logical_id: &str, attribute: &str) -> Policy {
        match self.resource(logical_id).get(attribute).and_then(Value::as_str) {
            Some("Retain") => Policy::Retain,
            Some("RetainExceptOnCreate") => Policy::RetainExceptOnCreate,
            _ => Policy::Delete,
        }
    }

    /// The resource's name property, and whether its value is written out: neither a reference nor a function.
    pub fn name_property(&self, logical_id: &str) -> Option<(&'static str, bool)> {
        let properties = self.resource(logical_id).get("Properties")?;
        let name = NAMES.iter().find(|name| properties.get(**name).is_some())?;
        Some((name, matches!(properties.get(*name), Some(Value::String(_)))))
    }

    /// The resources that have to be there before this one: referenced, or named in DependsOn.
    pub fn dependencies(&self, logical_id: &str) -> BTreeSet<String> {
        let resource = self.resource(logical_id);
        let mut names = BTreeSet::new();
        references(resource, &mut names);
        match resource.get("DependsOn") {
            Some(Value::String(name)) => drop(names.insert(name.clone())),
            Some(Value::Sequence(list)) => {
                names.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
        names.retain(|name| name != logical_id && self.has(name));
        names
    }

    fn section(&self, name: &str) -> &Mapping {
        static EMPTY: std::sync::LazyLock<Mapping> = std::sync::LazyLock::new(Mapping::new);
        self.document.get(name).and_then(Value::as_mapping).unwrap_or(&EMPTY)
    }

    fn resource(&self, logical_id: &str) -> &Value {
        self.section("Resources").get(logical_id).unwrap_or(&Value::Null)
    }

    fn defaults(&self) -> Vec<(String, String)> {
        let parameters = self.section("Parameters").iter();
        parameters
            .filter_map(|(name, it)| Some((name.as_str()?.to_owned(), self.plain(it.get("Default")?))))
            .collect()
    }

    fn kind(&self, logical_id: &str) -> String {
        self.resource(logical_id).get("Type").map(|kind| self.plain(kind)).unwrap_or_default()
    }

    fn physical_id(&self, logical_id: &str) -> String {
        let properties = self.resource(logical_id).get("Properties").unwrap_or(&Value::Null);
        let property = NAMES.iter().find_map(|name| properties.get(name));
        property.map_or_else(|| logical_id.to_owned(), |value| self.plain(value))
    }

    fn filled(&self, value: &Value) -> Value {
        match value {
            function if self::function(function).is_some() => self.plain(function).into(),
            Value::Mapping(mapping) => {
                Value::Mapping(mapping.iter().map(|(key, value)| (key.clone(), self.filled(value))).collect())
            }
            Value::Sequence(items) => items.iter().map(|item| self.filled(item)).collect(),
            scalar => scalar.clone(),
        }
    }

    /// A value as text.
    pub fn plain(&self, value: &Value) -> String {
        if let Some((name, argument)) = function(value) {
            let text = match argument {
                Value::Sequence(parts) => {
                    parts.iter().map(|part| self.plain(part)).collect::<Vec<_>>().join(".")
                }
                other => other.as_str().unwrap_or_default().to_owned(),
            };
            return match name {
                "Ref" => self.referred(&text),
                "GetAtt" => self.attribute(&text),
                _ => self.substituted(&text),
            };
        }
        match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => serde_yaml::to_string(other).unwrap_or_default().trim().to_owned(),
        }
    }

    fn referred(&self, name: &str) -> String {
        match name {
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Region" => self.region.clone(),
            "AWS::Partition" => "aws".to_owned(),
            _ => self.parameters.get(name).cloned().unwrap_or_else(|| self.physical_id(name)),
        }
    }

    /// `Stream.Arn`, and `Stream` without a dot too.
    fn attribute(&self, text: &str) -> String {
        match text.split_once('.') {
            Some((name, "Arn")) => arn::of(&self.region, &self.kind(name), &self.physical_id(name)),
            _ => self.referred(text),
        }
    }

    fn substituted(&self, text: &str) -> String {
        let mut parts = text.split("${");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            filled += &self.attribute(name);
            filled += rest;
        }
        filled
    }
}

/// `!Ref X` and `{"Ref": "X"}`: the function's name without `Fn::`, and its argument.
fn function(value: &Value) -> Option<(&str, &Value)> {
    match value {
        Value::Tagged(tagged) => {
            // The tag's own text can't be borrowed.
            let name = tagged.tag.to_string();
            let known =
                ["Ref", "GetAtt", "Sub"].into_iter().find(|known| *known == name.trim_start_matches('!'));
            Some((known.unwrap_or("Sub"), &tagged.value))
        }
        Value::Mapping(mapping) if mapping.len() == 1 => {
            let (name, argument) = mapping.iter().next()?;
            let name = name.as_str()?;
            (name == "Ref").then_some(name).or(name.strip_prefix("Fn::")).map(|name| (name, argument))
        }
        _ => None,
    }
}

/// How many parsed templates a thread remembers: every look at a stack needs one, and a fleet's are about at a time.
const REMEMBERED: usize = 64;

thread_local! {
    static PARSED: RefCell<VecDeque<(String, Rc<Value>)>> = const { RefCell::new(VecDeque::new()) };
}

/// The template of this text. One that can't be read is empty.
fn parsed(text: &str) -> Rc<Value> {
    PARSED.with_borrow_mut(|parsed| {
        let place = parsed.iter().position(|(known, _)| known == text);
        let found = place.and_then(|place| parsed.remove(place));
        let found = found
            .unwrap_or_else(|| (text.to_owned(), Rc::new(serde_yaml::from_str(text).unwrap_or_default())));
        let document = found.1.clone();
        // The one that was needed last is found first.
        parsed.push_front(found);
        parsed.truncate(REMEMBERED);
        document
    })
}

/// The names in a value that may be resources.
fn references(value: &Value, names: &mut BTreeSet<String>) {
    if let Some((name, argument)) = function(value) {
        let mut add = |text: &str| {
            names.insert(text.split('.').next().unwrap_or_default().to_owned());
        };
        match (name, argument) {
            ("Ref" | "GetAtt", Value::String(text)) => add(text),
            ("GetAtt", Value::Sequence(parts)) => {
                parts.iter().take(1).filter_map(Value::as_str).for_each(add)
            }
            (_, Value::String(text)) => {
                text.split("${").skip(1).for_each(|part| add(part.split('}').next().unwrap_or_default()));
            }
            (_, other) => references(other, names),
        }
        return;
    }
    match value {
        Value::Mapping(mapping) => mapping.iter().for_each(|(_, value)| references(value, names)),
        Value::Sequence(items) => items.iter().for_each(|item| references(item, names)),
        _ => {}
    }
}

/// The properties that give a resource its name: a new value means a new resource.
pub const NAMES: &[&str] = &[
    "BucketName",
    "RoleName",
    "FunctionName",
    "DeliveryStreamName",
    "LogStreamName",
    "LogGroupName",
    "Name",
];
