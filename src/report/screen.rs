//! The screens of `status` and `list`.

use super::words::{kind, short, time};
use super::{Paint, Table};
use crate::local;
use crate::stack::fleet::Listed;
use crate::stack::inspect::{Code, Inspection};
use crate::stack::status::StackStatus;
use jiff::Timestamp;

/// One screen: the stack, the code, each resource, the outputs.
pub fn status(inspection: &Inspection, now: Timestamp, paint: Paint) -> String {
    let mut head = Table::new(0);
    let mut say = |name: &str, value: String| head.row([paint.strong(name), value]);
    say("environment", inspection.env.clone());
    say("stack", format!("{} in {}", inspection.stack, inspection.region));
    say("state", state(&inspection.status, paint));
    if let Some(reason) = &inspection.reason {
        say("", reason.clone());
    }
    if let Some(created) = &inspection.created {
        let changed = inspection.updated.as_ref().filter(|updated| *updated != created);
        let updated = changed.map(|at| format!(", changed {} ago", age(at, now)));
        say("created", format!("{} ago{}", age(created, now), updated.unwrap_or_default()));
    }
    if let Some(owner) = &inspection.owner {
        say("owner", owner.clone());
    }
    if let Some(version) = &inspection.version {
        say("version", version.clone());
    }
    say("code", code(&inspection.code, paint));

    let mut resources = Table::new(2);
    for resource in &inspection.resources {
        resources.row([
            resource.logical_id.clone(),
            kind(&resource.resource_type).to_owned(),
            colored(&resource.status, paint),
            resource.since.as_ref().map(|since| age(since, now)).unwrap_or_default(),
        ]);
        if let Some(reason) = resource.reason.as_ref().filter(|_| resource.status.ends_with("FAILED")) {
            resources.note(reason.clone());
        }
    }
    let mut outputs = Table::new(2);
    for (name, value) in &inspection.outputs {
        outputs.row([name, value]);
    }
    let section = |title: &str, table: Table| {
        let lines = table.render();
        if lines.is_empty() { String::new() } else { format!("\n{}\n{lines}", paint.strong(title)) }
    };
    head.render() + &section("resources", resources) + &section("outputs", outputs)
}

/// One line an environment.
pub fn list(environments: &[Listed], now: Timestamp, paint: Paint) -> String {
    let mut table = Table::new(0);
    table.row(["ENVIRONMENT", "STATE", "AGE", "VERSION", "OWNER"].map(|title| paint.strong(title)));
    for it in environments {
        table.row([
            it.env.clone(),
            state(&it.status, paint),
            it.created.as_ref().map(|created| age(created, now)).unwrap_or_default(),
            it.version.clone().unwrap_or_default(),
            it.owner.clone().unwrap_or_default(),
        ]);
    }
    table.render()
}

/// The local cloud.
pub fn local(status: &local::Status, paint: Paint) -> String {
    let mut table = Table::new(0);
    let mut say = |name: &str, value: String| table.row([paint.strong(name), value]);
    say(
        "local cloud",
        match status.state {
            local::State::Running => paint.good("running"),
            local::State::Unresponsive => paint.bad("gives no answer"),
            local::State::Stopped => "not running".to_owned(),
        },
    );
    let installed = if status.installed { "installed" } else { "not installed yet" };
    say("version", format!("MiniStack {} ({installed})", status.version));
    if let Some(endpoint) = &status.endpoint {
        say("endpoint", endpoint.clone());
    }
    if let Some(pid) = status.pid {
        say("process", pid.to_string());
    }
    if let Some(since) = &status.since {
        say("since", since.clone());
    }
    say("log", status.log.display().to_string());
    table.render()
}

fn code(code: &Code, paint: Paint) -> String {
    let Some(deployed) = &code.deployed else { return paint.bad("no function is deployed") };
    let verdict = match (code.current, &code.would_deploy) {
        (Some(true), _) => paint.good("what `up` would deploy"),
        (Some(false), Some(other)) => paint.warn(&format!("`up` would deploy {}", short(other))),
        _ => paint.dim("what `up` would deploy is not built on this machine yet"),
    };
    format!("{} ({verdict})", short(deployed))
}

fn state(status: &StackStatus, paint: Paint) -> String {
    match (status.settled(), status.good()) {
        (false, _) => paint.warn(status.name()),
        (true, true) => paint.good(status.name()),
        (true, false) => paint.bad(status.name()),
    }
}

fn colored(status: &str, paint: Paint) -> String {
    if status.ends_with("FAILED") {
        paint.bad(status)
    } else if status.ends_with("COMPLETE") {
        paint.good(status)
    } else {
        paint.warn(status)
    }
}

fn age(since: &str, now: Timestamp) -> String {
    since
        .parse::<Timestamp>()
        .map(|since| time(now.duration_since(since).as_secs_f64().max(0.0)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
