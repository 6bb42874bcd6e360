//! A plan that was written down and looked at, and whether it is still what would happen.

use super::{Action, Change, Operation, Plan, values::shortened};
use crate::error::{Error, Kind};
use crate::settings::{Invocation, Means, Ttl};
use anyhow::Result;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

/// How long a value may be in a sentence.
const VALUE: usize = 40;
/// Longer than any plan, in bytes: a device that never ends must not fill the memory.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

impl Plan {
    /// Reads what `plan --output json` wrote.
    pub fn read(path: &Path) -> Result<Plan> {
        let place = path.display();
        let remedy = "A plan is written by `kinesis-stack plan --output json > FILE`.";
        let wrong = |message: String| Error::new(Kind::BadInput, message).remedy(remedy);
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
        read.map_err(|error| wrong(format!("cannot read the plan {place}")).because(error.to_string()))?;
        if text.len() as u64 == MOST_BYTES {
            return Err(wrong(format!("{place} is too long for a plan")).into());
        }
        let plan: Plan = serde_json::from_str(&text).map_err(|error| {
            let failed = serde_json::from_str::<serde_json::Value>(&text)
                .is_ok_and(|document| document.get("code").is_some_and(|code| code == "failed"));
            if failed {
                return anyhow::Error::from(wrong(format!(
                    "{place} says why there is no plan, it is not one"
                )));
            }
            let line = error.line();
            anyhow::Error::from(
                wrong(format!("{place}, line {line}: that is not a plan")).because(error.to_string()),
            )
        })?;
        if plan.time.parse::<jiff::Timestamp>().is_err() {
            return Err(wrong(format!("{place} doesn't say when it was made")).into());
        }
        Ok(plan)
    }

    /// What of `now` isn't as it was when this plan was made, a sentence each. None: it is the same plan.
    pub fn moved(&self, now: &Plan) -> Vec<String> {
        let mut moved = Vec::new();
        let mut differs = |what: &str, before: &str, now: &str| {
            if before != now {
                moved.push(format!("{what} was {}, now it is {}", shown(before), shown(now)));
            }
        };
        differs("the environment", &self.env, &now.env);
        differs("the account", &self.account, &now.account);
        differs("the region", &self.region, &now.region);
        differs("the stack's name", &self.stack, &now.stack);
        if self.operation != now.operation {
            moved.push(match now.operation {
                Operation::Create => "the stack was there and is no longer".to_owned(),
                _ => "the stack was not there and is now".to_owned(),
            });
        } else if self.stack_id != now.stack_id {
            moved.push("the stack was deleted and made anew".to_owned());
        } else if self.expires_before != now.expires_before {
            let end = |plan: &Plan| plan.expires_before.as_deref().map_or("never".to_owned(), shown);
            moved.push(format!("the end of its time was {}, now it is {}", end(self), end(now)));
        }
        if self.template_sha256 != now.template_sha256 {
            let by = match self.version == now.version {
                true => "settings differ".to_owned(),
                false => {
                    format!(
                        "settings differ, or the version, which was {} and is {}",
                        self.version, now.version
                    )
                }
            };
            moved.push(format!("the template is another one: {by}"));
        }
        let names: BTreeSet<&String> = self.parameters.keys().chain(now.parameters.keys()).collect();
        for name in names {
            let value = |plan: &Plan| plan.parameters.get(name).map_or("not set".to_owned(), |it| shown(it));
            if self.parameters.get(name) != now.parameters.get(name) {
                moved.push(format!("the parameter {name} was {}, now it is {}", value(self), value(now)));
            }
        }
        moved.extend(self.means_moved(now));
        if (self.loses_data, self.code_only) != (now.loses_data, now.code_only) {
            moved.push("what it loses or leaves out is not what it said".to_owned());
        }
        // Between making all of it and changing some of it there is nothing to compare.
        if self.operation == now.operation {
            moved.extend(changes_moved(&self.changes, &now.changes));
        }
        if moved.is_empty() && self.changed != now.changed {
            moved.push(match now.changed {
                true => "there was nothing to do, now there is".to_owned(),
                false => "there is nothing to do any more".to_owned(),
            });
        }
        moved
    }

    fn means_moved(&self, now: &Plan) -> Vec<String> {
        let moved = differing(&self.means, &now.means).into_iter();
        moved.map(|(name, before, now)| format!("{name} was {before}, now it is {now}")).collect()
    }

    /// Refuses options beside the plan that aren't its own.
    pub fn check_beside(&self, typed: &Means, invocation: &Invocation) -> Result<()> {
        let differing = differing(&self.means, typed).into_iter();
        let differing: Vec<String> = differing
            .map(|(name, plan, typed)| format!("{name}: {plan} in the plan, {typed} here"))
            .collect();
        if differing.is_empty() {
            return Ok(());
        }
        let message = "options beside --plan have to be the plan's own: nothing was changed";
        Err(Error::new(Kind::BadInput, message)
            .because(differing.join("\n"))
            .remedy(format!(
                "Leave them out, or plan again with them: `{} > plan.json`.",
                invocation.command("plan --output json")
            ))
            .into())
    }
}

/// The means that aren't the same: what each is called, before, and now.
fn differing(before: &Means, now: &Means) -> Vec<(&'static str, String, String)> {
    let asked = |value: bool| if value { "asked for" } else { "not asked for" }.to_owned();
    let role = |role: &Option<String>| role.clone().unwrap_or_else(|| "not named".to_owned());
    let ttl = |ttl: Option<Ttl>| match ttl {
        Some(Ttl::For(seconds)) => format!("{seconds} s"),
        Some(Ttl::Never) => "none".to_owned(),
        None => "not given".to_owned(),
    };
    let protection = |protection: Option<bool>| match protection {
        Some(true) => "asked for".to_owned(),
        Some(false) => "to be taken away".to_owned(),
        None => "to stay as it is".to_owned(),
    };
    [
        ("the role", role(&before.role_arn), role(&now.role_arn)),
        ("protection", protection(before.protection), protection(now.protection)),
        ("--ephemeral", asked(before.ephemeral), asked(now.ephemeral)),
        ("--ttl", ttl(before.ttl), ttl(now.ttl)),
        ("--express", asked(before.express), asked(now.express)),
        ("--heal", asked(before.heal), asked(now.heal)),
        ("--adopt", asked(before.adopt), asked(now.adopt)),
    ]
    .into_iter()
    .filter(|(_, before, now)| before != now)
    .collect()
}

/// Whether nothing is left to do of a plan, since the very same was deployed: by an earlier run that was cut short,
/// or by somebody else.
fn is_carried_out(reviewed: &Plan, now: &Plan) -> bool {
    let aim = |plan: &Plan| {
        let Plan { stack, env, account, region, template_sha256, parameters, means, .. } = plan.clone();
        (stack, env, account, region, template_sha256, parameters, means)
    };
    !now.changed && aim(reviewed) == aim(now)
}

/// Refuses where the reviewed plan isn't the one that would be executed now.
pub fn check(reviewed: &Plan, now: &Plan, invocation: &Invocation) -> Result<()> {
    let moved = reviewed.moved(now);
    if moved.is_empty() || is_carried_out(reviewed, now) {
        return Ok(());
    }
    let message =
        format!("this is no longer the plan that was made at {}: nothing was changed", reviewed.time);
    Err(Error::new(Kind::Refused, message)
        .because(moved.join("\n"))
        .remedy(format!(
            "Plan again, with the same options as `up`: `{} > plan.json`.",
            invocation.command("plan --output json")
        ))
        .into())
}

fn changes_moved(before: &[Change], now: &[Change]) -> Vec<String> {
    let find = |changes: &[Change], id: &str| changes.iter().find(|change| change.logical_id == id).cloned();
    let mut moved = Vec::new();
    for old in before {
        match find(now, &old.logical_id) {
            Some(new) => moved.extend(change_moved(old, &new)),
            None => {
                moved.push(format!("{} would {}, now it stays as it is", old.logical_id, does(old.action)))
            }
        }
    }
    for new in now.iter().filter(|new| find(before, &new.logical_id).is_none()) {
        moved.push(format!("{} would stay as it is, now it would {}", new.logical_id, does(new.action)));
    }
    moved
}

fn change_moved(old: &Change, new: &Change) -> Vec<String> {
    let id = &old.logical_id;
    if old.action != new.action {
        return vec![format!("{id} would {}, now it would {}", does(old.action), does(new.action))];
    }
    if old.physical_id != new.physical_id || old.resource_type != new.resource_type {
        return vec![format!("{id} is another resource than it was")];
    }
    let mut moved = Vec::new();
    let names = old.properties.iter().chain(&new.properties).map(|property| property.name.as_str());
    for name in names.collect::<BTreeSet<&str>>() {
        let find = |change: &Change| change.properties.iter().find(|it| it.name == name).cloned();
        match (find(old), find(new)) {
            (Some(before), Some(now)) if before.before != now.before || before.after != now.after => {
                let step = |property: &super::PropertyChange| {
                    let value = |value: &Option<String>| value.as_deref().map_or("?".to_owned(), shown);
                    format!("{} → {}", value(&property.before), value(&property.after))
                };
                moved.push(format!("{id}: {name} would go {}, now {}", step(&before), step(&now)));
            }
            (Some(_), Some(_)) => {}
            (Some(_), None) => moved.push(format!("{id}: {name} would change, now it stays as it is")),
            (None, _) => moved.push(format!("{id}: {name} would stay as it is, now it would change")),
        }
    }
    // What can't be said any better is still not what was looked at.
    if moved.is_empty() && old != new {
        moved.push(format!("{id} would change for another reason, or with another loss"));
    }
    moved
}

fn does(action: Action) -> &'static str {
    match action {
        Action::Add => "be added",
        Action::Modify => "be changed",
        Action::Replace => "be replaced",
        Action::MayReplace => "perhaps be replaced",
        Action::Remove => "be removed",
        Action::Import => "be taken over",
        Action::Sync => "be looked at anew",
        Action::Other => "be changed as CloudFormation sees fit",
    }
}

/// A file's text may hold anything: none of it may move the cursor, or stand on a line of its own.
fn shown(value: &str) -> String {
    shortened(&value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>(), VALUE)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{change, plan, property};
    use super::*;

    fn shards(after: &str) -> Plan {
        let properties = vec![property("ShardCount", "1", after)];
        plan(vec![Change { properties, ..change(Action::Modify, "Stream", "AWS::Kinesis::Stream") }])
    }

    #[test]
    fn the_same_plan_has_not_moved_whenever_and_in_whatever_order_it_was_made() {
        let stream = change(Action::Modify, "Stream", "AWS::Kinesis::Stream");
        let bucket = change(Action::Modify, "Bucket", "AWS::S3::Bucket");
        let before = plan(vec![stream.clone(), bucket.clone()]);
        let now = Plan { time: "2026-12-24T18:10:00Z".to_owned(), ..plan(vec![bucket, stream]) };
        assert_eq!(before.moved(&now), [""; 0]);
    }

    #[test]
    fn every_difference_is_a_sentence_of_its_own() {
        let before = shards("2");
        let mut now = shards("3");
        now.env = "prod".to_owned();
        now.account = "999999999999".to_owned();
        now.region = "eu-central-1".to_owned();
        now.stack = "kinesis-stack-prod".to_owned();
        now.stack_id = Some("arn:2".to_owned());
        now.template_sha256 = "other".to_owned();
        now.parameters.insert("ProcessorKey".to_owned(), format!("processor/{}.zip", "ab".repeat(32)));
        now.means.role_arn = Some("arn:aws:iam::123456789012:role/deploy".to_owned());
        now.means.heal = true;
        now.means.protection = Some(true);
        now.changes.push(change(Action::Remove, "Bucket", "AWS::S3::Bucket"));
        insta::assert_snapshot!(before.moved(&now).join("\n"), @r"
        the environment was dev, now it is prod
        the account was 123456789012, now it is 999999999999
        the region was us-east-1, now it is eu-central-1
        the stack's name was kinesis-stack-dev, now it is kinesis-stack-prod
        the stack was deleted and made anew
        the template is another one: settings differ
        the parameter ProcessorKey was not set, now it is processor/abababababab….zip
        the role was not named, now it is arn:aws:iam::123456789012:role/deploy
        protection was to stay as it is, now it is asked for
        --heal was not asked for, now it is asked for
        Stream: ShardCount would go 1 → 2, now 1 → 3
        Bucket would stay as it is, now it would be removed
        ");
    }

    #[test]
    fn a_stack_that_came_or_went_is_told() {
        let update = shards("2");
        let create = Plan { operation: Operation::Create, stack_id: None, ..shards("2") };
        assert_eq!(update.moved(&create), ["the stack was there and is no longer"]);
        assert_eq!(create.moved(&update), ["the stack was not there and is now"]);
    }

    #[test]
    fn an_end_that_somebody_moved_is_told() {
        let before = Plan { expires_before: Some("2026-11-26T22:10:00Z".to_owned()), ..shards("2") };
        let later = Plan { expires_before: Some("2026-11-27T08:10:00Z".to_owned()), ..shards("2") };
        let never = Plan { expires_before: None, ..shards("2") };
        let end = "the end of its time was 2026-11-26T22:10:00Z, now it is";
        assert_eq!(before.moved(&later), [format!("{end} 2026-11-27T08:10:00Z")]);
        assert_eq!(before.moved(&never), [format!("{end} never")]);
    }

    #[test]
    fn a_change_that_is_done_comes_to_be_or_differs_is_told() {
        let none = plan(Vec::new());
        assert_eq!(shards("2").moved(&none), ["Stream would be changed, now it stays as it is"]);
        assert_eq!(none.moved(&shards("2")), ["Stream would stay as it is, now it would be changed"]);
        let mut replaced = shards("2");
        replaced.changes[0].action = Action::Replace;
        assert_eq!(shards("2").moved(&replaced), ["Stream would be changed, now it would be replaced"]);
        let mut losing = shards("2");
        losing.changes[0].loss = Some("all".to_owned());
        assert_eq!(shards("2").moved(&losing).len(), 1);
        let mut other = shards("2");
        other.changes[0].properties = vec![property("RetentionPeriodHours", "24", "48")];
        assert_eq!(shards("2").moved(&other).len(), 2);
        let executed = Plan { changed: true, ..none.clone() };
        assert_eq!(none.moved(&executed), ["there was nothing to do, now there is"]);
    }

    #[test]
    fn the_world_having_moved_is_a_refusal_that_says_how_to_plan_again() {
        check(&shards("2"), &shards("2"), &Invocation::default()).unwrap();
        let error = Error::of(&check(&shards("2"), &shards("3"), &Invocation::default()).unwrap_err());
        assert_eq!(error.kind, Kind::Refused);
        assert_eq!(error.cause.as_deref(), Some("Stream: ShardCount would go 1 → 2, now 1 → 3"));
        assert!(error.remedies[0].contains("plan --output json"), "{error:?}");
    }

    #[test]
    fn an_option_beside_a_plan_is_refused_where_it_is_not_the_plans_own() {
        let plan = shards("2");
        plan.check_beside(&plan.means, &Invocation::default()).unwrap();
        let typed = Means { protection: Some(true), ..plan.means.clone() };
        let error = Error::of(&plan.check_beside(&typed, &Invocation::default()).unwrap_err());
        assert_eq!(error.kind, Kind::BadInput);
        assert!(error.message.contains("beside --plan"), "{error}");
        let cause = "protection: to stay as it is in the plan, asked for here";
        assert_eq!(error.cause.as_deref(), Some(cause));
    }

    #[test]
    fn a_file_that_is_no_plan_is_bad_input_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plan.json");
        let read = || Error::of(&Plan::read(&path).unwrap_err());
        let missing = read();
        assert_eq!(missing.kind, Kind::BadInput);
        assert!(missing.message.contains("plan.json"), "{missing}");

        std::fs::write(&path, "kinesis-stack-dev will be changed:\n").unwrap();
        assert!(read().message.ends_with("plan.json, line 1: that is not a plan"), "{}", read());
        std::fs::write(&path, "{\n  \"operation\": \"update\",\n  \"stack\": 7\n}\n").unwrap();
        assert!(read().message.ends_with("line 3: that is not a plan"), "{}", read());
        std::fs::write(&path, r#"{"code":"failed","exit":4}"#).unwrap();
        assert!(read().message.contains("why there is no plan"), "{}", read());
        assert_eq!(read().kind, Kind::BadInput);

        let plan = shards("2");
        std::fs::write(&path, serde_json::to_string_pretty(&plan).unwrap()).unwrap();
        assert_eq!(Plan::read(&path).unwrap(), plan);
    }
}
