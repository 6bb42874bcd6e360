//! Stack policies: which resources an update may not change.

use super::changes::{Action, Change};
use serde_json::Value;

/// Why a policy denies a change, where it does.
///
/// Fact: a stack policy that denies Update:Replace, Update:Delete or Update:Modify of a resource makes such an
/// update fail; with a policy, what no statement allows is denied.
pub fn denies(policy: &str, change: &Change) -> Option<String> {
    let action = match change.action {
        Action::Remove => "Update:Delete",
        _ if change.replaces => "Update:Replace",
        _ => "Update:Modify",
    };
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = many(&policy["Statement"]);
    let matching = |statement: &&Value| {
        let actions = many(&statement["Action"]);
        let mut actions = actions.iter().filter_map(|it| it.as_str());
        actions.any(|it| it == action || it == "Update:*" || it == "*") && covers(statement, change)
    };
    let place = |wanted: &str| {
        let found = statements.iter().enumerate().filter(|(_, statement)| matching(statement));
        found.filter(|(_, statement)| statement["Effect"] == wanted).map(|(place, _)| place + 1).next()
    };
    let id = &change.resource.logical_id;
    match (place("Deny"), place("Allow")) {
        (Some(place), _) => Some(format!(
            "Action denied by stack policy: Statement [#{place}] does not allow [{action}] for resource [{id}];"
        )),
        (None, None) => Some(format!(
            "Action not allowed by stack policy: no statement allows [{action}] for resource [{id}]"
        )),
        (None, Some(_)) => None,
    }
}

fn covers(statement: &Value, change: &Change) -> bool {
    let named = |list: &Value| {
        let names = many(list);
        let mut names = names.iter().filter_map(|it| it.as_str());
        names.any(|name| match name.strip_prefix("LogicalResourceId/") {
            Some(id) => matches(id, &change.resource.logical_id),
            None => name == "*",
        })
    };
    let resources = match statement.get("NotResource") {
        Some(list) => !named(list),
        None => named(&statement["Resource"]),
    };
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    let mut types = conditions.map(|(_, condition)| many(&condition["ResourceType"]));
    let kind = &change.resource.kind;
    resources
        && types.all(|types| types.iter().filter_map(|it| it.as_str()).any(|wanted| matches(wanted, kind)))
}

/// With a `*` at the end, the beginning.
fn matches(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |beginning| text.starts_with(beginning))
}

/// A list, or the single value that stands for one.
fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        single => vec![single],
    }
}
