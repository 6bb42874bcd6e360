//! Plans in words: what is added, changed, replaced and removed, what that loses, and what it costs.

use super::fit::{Page, middle};
use super::words::{at, count, kind};
use super::{Paint, Table};
use crate::environment::TAG_EXPIRES;
use crate::stack::cost::Cost;
use crate::stack::plan::values::{Difference, differences, shortened};
use crate::stack::plan::{Action, Change, Operation, Plan, PropertyChange};
use std::collections::BTreeSet;

/// How wide a page is taken to be that has no edge.
const WIDE: usize = 160;
/// How many leaves of one property are told.
const LEAVES: usize = 6;
/// Where the lines about a property begin.
const INDENT: usize = 6;
/// The local cloud's account: it costs nothing.
pub(super) const LOCAL_ACCOUNT: &str = "000000000000";

/// A plan: one line a resource, what changes about it, what that loses, and what it all costs.
pub fn plan(plan: &Plan, page: Page) -> String {
    let stack = &plan.stack;
    if !plan.changed {
        // Protection is no part of a change set.
        let rest: Vec<String> = match plan.protects() {
            Some(_) => footer(plan, page.paint).iter().map(|line| format!("  {line}\n")).collect(),
            None => Vec::new(),
        };
        return format!("{stack}: no changes\n{}", rest.concat());
    }
    if let Some(line) = expiry_alone(plan) {
        return format!("{line}\n");
    }
    if plan.changes.is_empty() {
        return format!("{stack} will be changed, but none of its resources\n");
    }
    let mut lines = vec![header(plan), resources(plan, page).trim_end().to_owned()];
    lines.extend(footer(plan, page.paint).iter().map(|line| format!("  {line}")));
    page.wrap(&lines.join("\n")) + "\n"
}

/// A plan that changes nothing but when the environment's time is over: one thing to know, on however many resources.
fn expiry_alone(plan: &Plan) -> Option<String> {
    let says_more = |change: &Change| {
        let mut leaves = change.properties.iter().flat_map(leaves);
        !is_tags(change) || leaves.any(|leaf| !is_expiry(plan, &leaf) && !says_nothing(&leaf))
    };
    let is_all = plan.operation == Operation::Update
        && !plan.changes.is_empty()
        && !plan.changes.iter().filter(|change| !change.only_follows).any(says_more)
        && plan.protects().is_none()
        && plan.was_ephemeral.unwrap_or(false) == plan.means.ephemeral;
    let line = expiry(plan).filter(|_| is_all)?;
    Some(format!("{} will be changed: {line}", plan.stack))
}

/// By its tag's name, or, where CloudFormation tells no more than the tag's place, by its values.
fn is_expiry(plan: &Plan, leaf: &Difference) -> bool {
    leaf.path.contains(TAG_EXPIRES)
        || leaf.after.is_some() && (&leaf.before, &leaf.after) == (&plan.expires_before, &plan.expires)
}

/// What becomes of the environment's time, where anything does.
fn expiry(plan: &Plan) -> Option<String> {
    let told = |moment: &Option<String>| moment.as_deref().map_or("never".to_owned(), at);
    let (before, after) = (told(&plan.expires_before), told(&plan.expires));
    (before != after).then(|| match plan.operation {
        Operation::Create => format!("expires: {after}"),
        _ => format!("expires: {before} → {after}"),
    })
}

/// A change that says no more than that tags differ.
fn is_tags(change: &Change) -> bool {
    let is_tag = |it: &PropertyChange| it.name.split('.').next() == Some("Tags") && !it.set_back;
    change.action == Action::Modify
        && !change.only_follows
        && !change.properties.is_empty()
        && change.properties.iter().all(is_tag)
}

fn header(plan: &Plan) -> String {
    if plan.operation == Operation::Create && plan.changes.iter().all(|it| it.action == Action::Add) {
        return format!("{} will be created:", plan.stack);
    }
    let number = |wanted: &[Action]| {
        plan.changes.iter().filter(|it| wanted.contains(&it.action) && !it.only_follows).count()
    };
    let told = [
        ("added", number(&[Action::Add])),
        ("taken over", number(&[Action::Import])),
        ("changed", number(&[Action::Modify, Action::Other])),
        ("replaced", number(&[Action::Replace])),
        ("perhaps replaced", number(&[Action::MayReplace])),
        ("removed", number(&[Action::Remove])),
        ("looked at anew", number(&[Action::Sync])),
    ];
    let told: Vec<String> =
        told.into_iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{n} {what}")).collect();
    let verb = if plan.operation == Operation::Create { "created" } else { "changed" };
    format!("{} will be {verb}: {}", plan.stack, told.join(", "))
}

fn resources(plan: &Plan, page: Page) -> String {
    let paint = page.paint;
    let mut table = Table::new(2);
    for change in plan.changes.iter().filter(|change| !is_tags(change) && !change.only_follows) {
        table.row([
            mark(change.action, paint),
            change.logical_id.clone(),
            kind(&change.resource_type).to_owned(),
            fate(change, paint),
        ]);
        notes(change, page).into_iter().for_each(|note| table.note(note));
    }
    let mut text = table.render();
    let tagged: Vec<&Change> = plan.changes.iter().filter(|change| is_tags(change)).collect();
    if !tagged.is_empty() {
        let width = page.width.unwrap_or(WIDE);
        text.push_str(&format!("  {}  only tags of {}\n", paint.warn("~"), names(&tagged)));
        let told = tagged.iter().flat_map(|change| &change.properties).flat_map(leaves);
        // The same new tag on ten resources is one thing to know.
        let told = told.filter(|leaf| !is_expiry(plan, leaf));
        let told: BTreeSet<String> = told.map(|leaf| step(&leaf, "", width)).collect();
        for line in told.iter().filter(|line| line.contains('→')).take(LEAVES) {
            text.push_str(&format!("      {}\n", paint.dim(line)));
        }
    }
    let follow: Vec<&Change> = plan.changes.iter().filter(|change| change.only_follows).collect();
    if !follow.is_empty() {
        let line = format!("·  the same afterwards, since what is named there stays: {}", names(&follow));
        text.push_str(&format!("  {}\n", paint.dim(&line)));
    }
    text
}

fn mark(action: Action, paint: Paint) -> String {
    match action {
        Action::Add | Action::Import => paint.good("+"),
        Action::Modify => paint.warn("~"),
        Action::Replace | Action::MayReplace => paint.bad("±"),
        Action::Remove => paint.bad("-"),
        Action::Sync => paint.dim("="),
        Action::Other => paint.warn("?"),
    }
}

/// What becomes of a resource, where its mark doesn't say all.
fn fate(change: &Change, paint: Paint) -> String {
    match change.action {
        Action::Add if change.was_deleted => paint.warn("set back: it was deleted"),
        Action::Add | Action::Modify => String::new(),
        Action::Import => "taken over, with what is in it".to_owned(),
        Action::Replace => paint.bad("replaced"),
        Action::MayReplace => paint.bad("may be replaced"),
        Action::Remove if change.retained => "leaves the stack, and stays".to_owned(),
        Action::Remove => paint.bad("removed"),
        Action::Sync => "stays as it is".to_owned(),
        Action::Other => "only known when it happens".to_owned(),
    }
}

/// The lines below a resource: property, before → after; then what is lost.
pub fn notes(change: &Change, page: Page) -> Vec<String> {
    let paint = page.paint;
    let width = page.width.unwrap_or(WIDE);
    let mut notes = Vec::new();
    for property in &change.properties {
        let of_replacement = matches!(change.action, Action::Replace | Action::MayReplace);
        let why = match (property.set_back, of_replacement && property.replaces) {
            (true, _) => "set back",
            (_, true) => "can't change in place",
            _ => "",
        };
        let all = leaves(property);
        for leaf in all.iter().take(LEAVES) {
            let line = match (&leaf.before, &leaf.after) {
                _ if says_nothing(leaf) => unknown(leaf, property, why),
                _ => step(leaf, why, width),
            };
            notes.push(if property.set_back { paint.warn(&line) } else { paint.dim(&line) });
        }
        if all.len() > LEAVES {
            notes.push(paint.dim(&format!("… and {} more in {}", all.len() - LEAVES, property.name)));
        }
    }
    if change.retained && change.action != Action::Remove {
        notes.push("the old one stays in the account, outside the stack".to_owned());
    }
    notes.extend(change.loss.as_ref().map(|loss| paint.bad(&format!("loses data: {loss}"))));
    notes.extend(change.drops.as_ref().map(|drops| paint.bad(&format!("drops records: {drops}"))));
    notes
}

/// A property whose values aren't told.
fn unknown(leaf: &Difference, property: &PropertyChange, why: &str) -> String {
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    match &property.cause {
        Some(cause) => format!("{}: as {cause}{why}", leaf.path),
        None => format!("{}{why}", leaf.path),
    }
}

/// Whether a change is known, and nothing of what it is.
fn says_nothing(leaf: &Difference) -> bool {
    let is_empty = |value: &Option<String>| value.as_ref().is_none_or(String::is_empty);
    is_empty(&leaf.before) && is_empty(&leaf.after)
}

fn leaves(property: &PropertyChange) -> Vec<Difference> {
    differences(&property.name, property.before.as_deref(), property.after.as_deref())
}

/// `path: before → after`, in one line of this width.
fn step(leaf: &Difference, note: &str, width: usize) -> String {
    let note = match note {
        "" => String::new(),
        note => format!(" ({note})"),
    };
    if says_nothing(leaf) {
        return format!("{}{note}", leaf.path);
    }
    let value = |value: &Option<String>, most| match value.as_deref() {
        Some("") => "nothing".to_owned(),
        Some(value) => shortened(value, most),
        None => String::new(),
    };
    let length = |text: &str| text.chars().count();
    let (before, after) = (value(&leaf.before, usize::MAX), value(&leaf.after, usize::MAX));
    let taken = INDENT + length(":  → ") + length(&note);
    let path_room = width.saturating_sub(taken + length(&before) + length(&after)).max(width / 2 - INDENT);
    let path = middle(&leaf.path, path_room);
    // What one value doesn't need, the other may have.
    let room = width.saturating_sub(taken + length(&path));
    let most = |other: &str| (room / 2).max(room.saturating_sub(length(other)));
    let (before, after) = (value(&leaf.before, most(&after)), value(&leaf.after, most(&before)));
    match (&leaf.before, &leaf.after) {
        (None, Some(_)) => format!("{path}: → {after}{note}"),
        (Some(_), None) => format!("{path}: {before} →{note}"),
        _ => format!("{path}: {before} → {after}{note}"),
    }
}

fn names(changes: &[&Change]) -> String {
    const TOLD: usize = 3;
    let named: Vec<&str> = changes.iter().take(TOLD).map(|change| change.logical_id.as_str()).collect();
    match changes.len().checked_sub(TOLD) {
        Some(more) if more > 0 => {
            format!("{} and {}", named.join(", "), count(more as u64, "other resource"))
        }
        _ => named.join(", "),
    }
}

/// What concerns the whole.
pub fn footer(plan: &Plan, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if plan.code_only {
        lines.push("Only the processor's code changes.".to_owned());
    }
    lines.extend(expiry(plan).map(|line| line.replacen('e', "E", 1)));
    match plan.protects() {
        Some(true) => lines.push("Afterwards it is protected.".to_owned()),
        Some(false) => lines.push(paint.warn("Afterwards it is no longer protected.")),
        None => {}
    }
    match (plan.was_ephemeral, plan.means.ephemeral) {
        (Some(true), false) => lines.push("Afterwards it is no longer marked as ephemeral.".to_owned()),
        (Some(false) | None, true) => lines.push("Afterwards it is marked as ephemeral.".to_owned()),
        _ => {}
    }
    lines.extend(plan.means.role_arn.as_ref().map(|role| format!("CloudFormation acts under {role}.")));
    if plan.account != LOCAL_ACCOUNT {
        lines.extend(cost(&plan.cost, plan.operation));
    }
    lines
}

fn cost(cost: &Cost, operation: Operation) -> Vec<String> {
    const LIST: &str = "us-east-1 list prices";
    let Some(after) = cost.monthly_after.map(money) else { return Vec::new() };
    let mut lines = Vec::new();
    match (operation, cost.difference) {
        (Operation::Create, _) => {
            lines.push(format!("Costs about {after} a month ({LIST}), and by traffic:"));
            let example = (cost.monthly_example.unwrap_or_default() * 20.0).round() / 20.0;
            lines.push(format!(
                "about {} for 1 record a second of 93 bytes (Firehose bills each as 5 KB).",
                money(example)
            ));
        }
        (_, Some(0.0)) => lines.push(format!("Costs the same: about {after} a month, and traffic ({LIST}).")),
        (_, Some(difference)) => {
            let more = if difference > 0.0 { "more" } else { "less" };
            let by = money(difference.abs());
            lines.push(format!("Costs about {by} a month {more}: {after}, and traffic ({LIST})."));
        }
        (_, None) => {
            lines.push(format!("Costs about {after} a month, and traffic ({LIST}); before: unknown."));
        }
    }
    let stored = |price| format!("Records older than a week: ${price} a GB and month in the stream.");
    lines.extend(cost.stored_gb_month.map(stored));
    lines
}

/// Cents only where they aren't lost in the rest.
fn money(amount: f64) -> String {
    if amount < 100.0 { format!("${amount:.2}") } else { format!("${amount:.0}") }
}

#[cfg(test)]
mod tests;
