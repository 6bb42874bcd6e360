//! As much of CloudFormation's template language as our template speaks.

use super::ACCOUNT;
use super::stacks::{Deployment, Resource};
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;

/// A template with everything filled in.
pub struct Template {
    region: String,
    parameters: BTreeMap<String, String>,
    document: Value,
}

/// What a change set says of one resource.
pub struct Change {
    pub action: &'static str,
    pub resource: Resource,
    /// Property, value before, value after.
    pub properties: Vec<(String, String, String)>,
    pub replaces: bool,
}

impl Template {
    pub fn new(deployment: &Deployment, region: &str) -> Self {
        Template {
            region: region.to_owned(),
            parameters: deployment.parameters.clone(),
            document: serde_yaml::from_str(&deployment.template).unwrap_or_default(),
        }
    }

    pub fn resources(&self) -> Vec<Resource> {
        let logical_ids = self.section("Resources").keys().filter_map(Value::as_str);
        logical_ids
            .map(|logical_id| Resource {
                logical_id: logical_id.to_owned(),
                kind: self.kind(logical_id),
                physical_id: self.physical_id(logical_id),
                status: String::new(),
            })
            .collect()
    }

    pub fn outputs(&self) -> Vec<(String, String)> {
        let outputs = self.section("Outputs").iter();
        outputs
            .filter_map(|(key, output)| Some((key.as_str()?.to_owned(), self.plain(output.get("Value")?))))
            .collect()
    }

    /// The bucket and key of a function's zip.
    pub fn code(&self, logical_id: &str) -> Option<(String, String)> {
        let code = self.properties(logical_id).get("Code")?.clone();
        Some((self.plain(&code["S3Bucket"]), self.plain(&code["S3Key"])))
    }

    fn section(&self, name: &str) -> &Mapping {
        static EMPTY: std::sync::LazyLock<Mapping> = std::sync::LazyLock::new(Mapping::new);
        self.document.get(name).and_then(Value::as_mapping).unwrap_or(&EMPTY)
    }

    fn kind(&self, logical_id: &str) -> String {
        self.plain(&self.document["Resources"][logical_id]["Type"])
    }

    /// The properties with everything filled in.
    fn properties(&self, logical_id: &str) -> Mapping {
        match self.filled(&self.document["Resources"][logical_id]["Properties"]) {
            Value::Mapping(properties) => properties,
            _ => Mapping::new(),
        }
    }

    fn physical_id(&self, logical_id: &str) -> String {
        let properties = &self.document["Resources"][logical_id]["Properties"];
        let property = NAMES.iter().find_map(|name| properties.get(name));
        property.map_or_else(|| logical_id.to_owned(), |value| self.plain(value))
    }

    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::Mapping(mapping) => {
                Value::Mapping(mapping.iter().map(|(key, value)| (key.clone(), self.filled(value))).collect())
            }
            Value::Sequence(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Tagged(_) => self.plain(value).into(),
            scalar => scalar.clone(),
        }
    }

    fn plain(&self, value: &Value) -> String {
        match value {
            Value::Tagged(tagged) => {
                let text = tagged.value.as_str().unwrap_or_default();
                match tagged.tag.to_string().trim_start_matches('!') {
                    "Ref" => self.referred(text),
                    "GetAtt" => format!("arn:{}", self.referred(text.trim_end_matches(".Arn"))),
                    _ => self.substituted(text),
                }
            }
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

    fn substituted(&self, text: &str) -> String {
        let mut parts = text.split("${");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            filled += &self.referred(name.trim_end_matches(".Arn"));
            filled += rest;
        }
        filled
    }
}

/// The properties that give a resource its name: a new value means a new resource.
const NAMES: &[&str] = &[
    "BucketName",
    "RoleName",
    "FunctionName",
    "DeliveryStreamName",
    "LogStreamName",
    "LogGroupName",
    "Name",
];

/// What leads from one deployment to another. `None` as the first means: from nothing.
pub fn changes(before: Option<&Deployment>, after: &Deployment, region: &str) -> Vec<Change> {
    let new = Template::new(after, region);
    let Some(before) = before else {
        let added = |resource| Change { action: "Add", resource, properties: Vec::new(), replaces: false };
        return new.resources().into_iter().map(added).collect();
    };
    let old = Template::new(before, region);
    let old_resources = old.resources();
    let was = |resource: &Resource| old_resources.iter().find(|old| old.logical_id == resource.logical_id);
    let mut changes = Vec::new();
    for resource in new.resources() {
        let Some(old_resource) = was(&resource) else {
            changes.push(Change { action: "Add", resource, properties: Vec::new(), replaces: false });
            continue;
        };
        let (from, to) = (old.properties(&resource.logical_id), new.properties(&resource.logical_id));
        let names = from.keys().chain(to.keys().filter(|key| !from.contains_key(*key)));
        let differing = names.filter(|name| from.get(*name) != to.get(*name)).filter_map(Value::as_str);
        let shown = |value: Option<&Value>| value.map(|value| new.plain(value)).unwrap_or_default();
        let properties: Vec<_> =
            differing.map(|name| (name.to_owned(), shown(from.get(name)), shown(to.get(name)))).collect();
        let replaces = properties.iter().any(|(name, _, _)| NAMES.contains(&name.as_str()));
        // Stack tags are passed on to every resource.
        if !properties.is_empty() || before.tags != after.tags {
            let resource = Resource { physical_id: old_resource.physical_id.clone(), ..resource };
            changes.push(Change { action: "Modify", resource, properties, replaces });
        }
    }
    let kept = new.resources();
    for resource in old_resources {
        if !kept.iter().any(|new| new.logical_id == resource.logical_id) {
            changes.push(Change { action: "Remove", resource, properties: Vec::new(), replaces: false });
        }
    }
    changes
}
