//! The screens of `status` and `local status`.

use super::fit::Page;
use super::fleet::pull_request;
use super::words::{at, kind, short, time};
use super::{Paint, Table, human, resource};
use crate::local;
use crate::stack::drift::Drift;
use crate::stack::inspect::{Code, Inspection};
use crate::stack::status::StackStatus;
use jiff::Timestamp;

/// One screen: the stack, the code, each resource, the outputs.
pub fn status(inspection: &Inspection, now: Timestamp, page: Page) -> String {
    let paint = page.paint;
    let mut head = Table::new(0);
    let mut say = |name: &str, value: String| named(&mut head, name, &value, page);
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
    if let Some(expires) = &inspection.expires {
        say("expires", format!("{} ({})", until(expires, now, paint), at(expires)));
    }
    if let Some(name) = &inspection.pull_request {
        say("pull request", pull_request(name));
    }
    let marks = [("protected", inspection.protected), ("ephemeral", inspection.ephemeral)];
    let marks: Vec<&str> = marks.into_iter().filter_map(|(mark, is)| is.then_some(mark)).collect();
    if !marks.is_empty() {
        say("marked", marks.join(", "));
    }
    if let Some(role) = &inspection.role_arn {
        say("role", role.clone());
    }
    say("code", code(&inspection.code, paint));
    if inspection.code.past_stack {
        say("", paint.warn("changed past CloudFormation: the next full `up` settles the stack"));
    }
    if let Some(drift) = &inspection.drift {
        say("drift", drift_in_words(drift, paint));
    }

    let mut resources = Table::new(2);
    for resource in &inspection.resources {
        resources.row([
            resource.logical_id.clone(),
            shown_kind(&resource.resource_type, page).to_owned(),
            colored(&resource.status, paint),
            resource.since.as_ref().map(|since| age(since, now)).unwrap_or_default(),
        ]);
        if let Some(reason) = resource.reason.as_ref().filter(|_| resource.status.ends_with("FAILED")) {
            resources.note(reason.clone());
        }
    }
    let section = |title: &str, lines: String| {
        if lines.is_empty() { String::new() } else { format!("\n{}\n{lines}", paint.strong(title)) }
    };
    let drifted = inspection.drift.as_ref().map(|it| drifted(it, page).render()).unwrap_or_default();
    let outputs = human::outputs(&inspection.outputs, Paint(false), page.width.map(|width| width - 2));
    let outputs: String = outputs.lines().map(|line| format!("  {line}\n")).collect();
    let text = head.render()
        + &section("resources", resources.render())
        + &section("drifted", drifted)
        + &section("outputs", outputs);
    page.wrap(&text)
}

/// A value beside its name. What has no room in one line goes on below itself.
fn named(table: &mut Table, name: &str, value: &str, page: Page) {
    const NAMES: usize = "pull request  ".len();
    let column = Page { width: page.width.map(|width| width.saturating_sub(NAMES)), ..page };
    for (at, line) in column.wrap(value).lines().enumerate() {
        table.row([page.paint.strong(if at == 0 { name } else { "" }), line.to_owned()]);
    }
}

/// A type, as long as there is room for.
fn shown_kind(resource_type: &str, page: Page) -> &str {
    if page.is_narrow() { resource::last(kind(resource_type)) } else { kind(resource_type) }
}

/// The local cloud.
pub fn local(status: &local::Status, page: Page) -> String {
    let paint = page.paint;
    let mut table = Table::new(0);
    let mut say = |name: &str, value: String| named(&mut table, name, &value, page);
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
    page.wrap(&table.render())
}

fn drift_in_words(drift: &Drift, paint: Paint) -> String {
    let differ = drift.resources.iter().filter(|resource| resource.differs()).count();
    let because = drift.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match (drift.status.as_str(), differ) {
        ("IN_SYNC", _) => paint.good("none: every resource is as the template has it") + &because,
        ("DRIFTED", 1) => {
            paint.warn("1 resource isn't as the template has it; `up --heal` sets it back") + &because
        }
        ("DRIFTED", _) => {
            let text =
                format!("{differ} resources aren't as the template has them; `up --heal` sets them back");
            paint.warn(&text) + &because
        }
        _ => paint.dim("can't be told") + &because,
    }
}

/// Each resource that differs, and how.
fn drifted(drift: &Drift, page: Page) -> Table {
    let mut table = Table::new(2);
    for resource in drift.resources.iter().filter(|resource| resource.differs()) {
        table.row([
            resource.logical_id.clone(),
            shown_kind(&resource.resource_type, page).to_owned(),
            resource.status.clone(),
        ]);
        for it in &resource.differences {
            let path = it.path.trim_start_matches('/').replace('/', ".");
            table.note(match it.kind.as_str() {
                "ADD" => format!("{path}: {} was added", it.actual),
                "REMOVE" => format!("{path}: {} was removed", it.expected),
                _ => format!("{path}: {} instead of {}", it.actual, it.expected),
            });
        }
    }
    table
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

/// A state, in its colour.
pub fn state(status: &StackStatus, paint: Paint) -> String {
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

/// How far off a moment is that is to come, or how long it is over.
pub fn until(moment: &str, now: Timestamp, paint: Paint) -> String {
    let Ok(moment) = moment.parse::<Timestamp>() else { return moment.to_owned() };
    let seconds = moment.duration_since(now).as_secs_f64();
    match seconds > 0.0 {
        true if seconds < 3_600.0 => paint.warn(&format!("in {}", time(seconds))),
        true => format!("in {}", time(seconds)),
        false => paint.bad(&format!("{} ago", time(-seconds))),
    }
}

/// How long ago a moment was.
pub fn age(since: &str, now: Timestamp) -> String {
    since
        .parse::<Timestamp>()
        .map(|since| time(now.duration_since(since).as_secs_f64().max(0.0)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
