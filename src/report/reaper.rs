//! The screen of `reaper status`.

use super::fit::Page;
use super::words::{self, count, time};
use super::{Paint, Table};
use crate::reaper::status::{Run, Status};
use jiff::Timestamp;

/// The stack, the schedule, the last runs.
pub fn status(status: &Status, now: Timestamp, page: Page) -> String {
    let paint = page.paint;
    let mut head = Table::new(0);
    let mut say = |name: &str, value: String| head.row([paint.strong(name), value]);
    say("stack", format!("{} in {}", status.stack, status.region));
    let state = status.status.to_string();
    say("state", if status.status.good() { paint.good(&state) } else { paint.bad(&state) });
    if let Some(reason) = &status.reason {
        say("", reason.clone());
    }
    if let Some(schedule) = &status.schedule {
        say("runs every", schedule.trim_start_matches("rate(").trim_end_matches(')').to_owned());
    }
    if let Some(created) = &status.created {
        say("created", ago(created, now));
    }
    let rest = [
        ("owner", status.owner.clone()),
        ("version", status.version.clone()),
        ("code", status.code.as_deref().map(|code| words::short(code).to_owned())),
        ("log", Some(status.log_group.clone())),
    ];
    for (name, value) in rest {
        if let Some(value) = value {
            say(name, value);
        }
    }
    let mut runs = Table::new(2);
    for run in &status.runs {
        runs.row([ago(&run.time, now), time(run.seconds), in_words(run, paint)]);
    }
    let runs = match (&status.runs_unread, status.runs.is_empty()) {
        (Some(error), _) => format!("  {}\n", paint.warn(&error.to_string().replace('\n', " "))),
        (None, true) => "  none yet, by its log\n".to_owned(),
        (None, false) => runs.render(),
    };
    page.wrap(&format!("{}\n{}\n{runs}", head.render(), paint.strong("last runs")))
}

fn in_words(run: &Run, paint: Paint) -> String {
    let text = match &run.error {
        Some(error) => format!("failed: {error}"),
        None => came_to(&run.reaped, &run.failed),
    };
    if run.error.is_some() || !run.failed.is_empty() { paint.bad(&text) } else { text }
}

/// What a run came to.
pub fn came_to(reaped: &[String], failed: &[String]) -> String {
    let named = |what: &str, names: &[String]| {
        let many = count(u64::try_from(names.len()).unwrap_or_default(), "environment");
        format!("{many} {what} ({})", names.join(", "))
    };
    match (reaped, failed) {
        ([], []) => "nothing had expired".to_owned(),
        (reaped, []) => named("torn down", reaped),
        ([], failed) => named("not torn down", failed),
        (reaped, failed) => format!("{}, {}", named("torn down", reaped), named("not torn down", failed)),
    }
}

fn ago(time: &str, now: Timestamp) -> String {
    let Ok(then) = time.parse::<Timestamp>() else { return time.to_owned() };
    format!("{} ago", words::time(now.duration_since(then).as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::status::StackStatus;

    fn run(time: &str, reaped: &[&str], failed: &[&str], error: Option<&str>) -> Run {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Run {
            time: time.to_owned(),
            reaped: all(reaped),
            failed: all(failed),
            seconds: 94.2,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn the_screen_shows_when_it_runs_and_what_its_last_runs_came_to() {
        let shown = Status {
            region: "us-east-1".to_owned(),
            stack: "kinesis-stack-reaper".to_owned(),
            stack_id: "arn:1".to_owned(),
            status: StackStatus::parse("UPDATE_COMPLETE"),
            reason: None,
            created: Some("2026-11-24T12:00:00Z".to_owned()),
            updated: None,
            owner: Some("arn:aws:iam::123456789012:user/ada".to_owned()),
            version: Some("0.1.0".to_owned()),
            code: Some("60b0843ec608867069da".to_owned()),
            schedule: Some("rate(15 minutes)".to_owned()),
            log_group: "/kinesis-stack-reaper".to_owned(),
            runs: vec![
                run("2026-11-26T11:50:00Z", &[], &[], None),
                run("2026-11-26T11:35:00Z", &["pr-1", "pr-2"], &["pr-3"], None),
                run("2026-11-26T11:20:00Z", &[], &[], Some("cannot list the stacks: AccessDenied: no")),
            ],
            runs_unread: None,
        };
        let now = "2026-11-26T12:00:00Z".parse().unwrap();
        let page = Page::endless(Paint(false));
        let never = Status { runs: Vec::new(), ..shown.clone() };
        insta::assert_snapshot!(format!("{}\n{}", status(&shown, now, page), status(&never, now, page)));
    }
}
