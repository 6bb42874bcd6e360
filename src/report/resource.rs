//! Resources in words: the state of one, those that are waited for, those that took the time.

use super::fit::{Page, middle, pad};
use super::words::{kind, time};
use crate::event::{PathStep, Progress, ResourceEvent, Usual, WaitingFor};
use console::measure_text_width;

/// The width of the names in the template.
const NAME: usize = 17;
/// The width of whole types, and of shortened ones.
const KIND: (usize, usize) = (31, 14);

/// One line of a stack's history.
pub fn line(resource: &ResourceEvent, page: Page) -> String {
    let paint = page.paint;
    let mark = match resource.progress {
        Progress::Working => paint.dim("·"),
        Progress::Complete if kept(&resource.resource_type, &resource.status).is_some() => paint.dim("·"),
        Progress::Complete => paint.good("✓"),
        Progress::Failed => paint.bad("✗"),
    };
    let seconds = resource.seconds.map(|seconds| format!("  {}", time(seconds))).unwrap_or_default();
    let mut line = format!("  {mark} {}{seconds}", columns(resource, page));
    if let Some(usual) = of_use(resource.usual, resource.seconds) {
        let with_usual = format!("{line}  {}", paint.dim(&self::usual(usual)));
        if page.holds(&with_usual) {
            line = with_usual;
        }
    }
    // Reasons of what goes well are noise: "Resource creation Initiated".
    if let (Progress::Failed, Some(reason)) = (resource.progress, &resource.reason) {
        let reason: Vec<String> =
            reason.lines().map(|line| format!("\n      {}", paint.bad(line.trim_end()))).collect();
        line.push_str(&reason.concat());
    }
    line
}

/// What CloudFormation left alone, in words: the environment's bucket goes last, once it is empty.
pub fn kept(resource_type: &str, status: &str) -> Option<&'static str> {
    let is_bucket = resource_type == "AWS::S3::Bucket";
    (status == "DELETE_SKIPPED").then_some(if is_bucket { "kept for now" } else { "kept" })
}

/// The usual time, but for where it tells nothing: beside what took hardly any time (a cloud on this machine).
pub fn of_use(usual: Option<Usual>, seconds: Option<f64>) -> Option<Usual> {
    usual.filter(|usual| seconds.is_none_or(|seconds| seconds >= usual.least / 10.0))
}

/// Name, type and state, in columns. On a narrow page types are shortened, or left out where a state is long.
fn columns(resource: &ResourceEvent, page: Page) -> String {
    let kind = kind(&resource.resource_type);
    let status = kept(&resource.resource_type, &resource.status).unwrap_or(&resource.status);
    if !page.is_narrow() {
        return format!("{} {} {status}", pad(&resource.logical_id, NAME), pad(kind, KIND.0));
    }
    let name = pad(&middle(&resource.logical_id, NAME), NAME);
    if status.len() > "ROLLBACK_IN_PROGRESS".len() {
        return format!("{name} {status}");
    }
    format!("{name} {} {status}", pad(&middle(last(kind), KIND.1), KIND.1))
}

/// What moves while a resource is worked on, but for its clock: on a narrow page that needs the type's room.
pub fn moving(resource: &ResourceEvent, page: Page) -> String {
    if !page.is_narrow() {
        return columns(resource, page);
    }
    format!("{} {}", pad(&middle(&resource.logical_id, NAME), NAME), resource.status)
}

/// The last part of a type: `DeliveryStream`.
pub fn last(kind: &str) -> &str {
    kind.rsplit("::").next().unwrap_or(kind)
}

/// For how long it has been worked on, and how long that usually takes, in so many columns at most. What takes
/// longer than usual stands out.
pub fn clock(seconds: f64, usual: Option<Usual>, room: usize, page: Page) -> String {
    let elapsed =
        if seconds < 60.0 { format!("{:.0}s", seconds.max(0.0).floor()) } else { time(seconds.floor()) };
    let paint = page.paint;
    let Some(usual) = usual else { return elapsed };
    let is_late = seconds > usual.most;
    let shown = if is_late { paint.warn(&elapsed) } else { elapsed.clone() };
    let text = self::usual(usual);
    if measure_text_width(&elapsed) + 2 + measure_text_width(&text) > room {
        return shown;
    }
    format!("{shown}  {}", if is_late { paint.warn(&text) } else { paint.dim(&text) })
}

/// What is being waited for: each with its time, and with its usual time where that is known.
pub fn waiting(resources: &[WaitingFor], page: Page) -> String {
    let each: Vec<String> = resources
        .iter()
        .map(|it| {
            let usual = it.usual.map(|usual| format!(", {}", self::usual(usual))).unwrap_or_default();
            format!("{} ({}{usual})", it.logical_id, time(it.seconds))
        })
        .collect();
    page.paint.dim(&format!("  … waiting for {}", each.join(", ")))
}

/// For instance `usually 15–30s`.
pub fn usual(usual: Usual) -> String {
    format!("usually {}", span(usual))
}

/// For instance `15–30s`, or `4–10m` where it takes minutes.
pub fn span(usual: Usual) -> String {
    let (least, most, unit) = if usual.most < 180.0 {
        (usual.least.round(), usual.most.round(), "s")
    } else {
        ((usual.least / 60.0).floor(), (usual.most / 60.0).ceil(), "m")
    };
    if least == most { format!("{most:.0}{unit}") } else { format!("{least:.0}–{most:.0}{unit}") }
}

/// Which resources took the time.
pub fn critical_path(steps: &[PathStep], seconds: f64, page: Page) -> String {
    format!("{} {} of {}", page.paint.dim("The time went to"), path(steps), time(seconds))
}

/// The resources of a critical path, first to last, each with its time. Pauses between them are named where they
/// weigh.
pub fn path(steps: &[PathStep]) -> String {
    let steps: Vec<String> = steps
        .iter()
        .map(|step| {
            let pause = (step.idle_seconds >= 1.0).then(|| format!("pause {} → ", time(step.idle_seconds)));
            format!("{}{} {}", pause.unwrap_or_default(), step.logical_id, time(step.seconds))
        })
        .collect();
    steps.join(" → ")
}

#[cfg(test)]
mod tests {
    use super::super::Paint;
    use super::*;

    const USUAL: Usual = Usual { least: 15.0, most: 30.0 };

    fn page(width: usize, colour: bool) -> Page {
        Page { paint: Paint(colour), width: Some(width) }
    }

    #[test]
    fn a_clock_shows_the_usual_time_where_there_is_room_and_warns_past_it() {
        assert_eq!(clock(12.7, Some(USUAL), 40, page(80, false)), "12s  usually 15–30s");
        assert_eq!(clock(12.7, Some(USUAL), 12, page(80, false)), "12s");
        assert_eq!(clock(62.9, None, 40, page(80, false)), "1m 02s");
        assert_eq!(clock(31.0, Some(USUAL), 5, page(80, true)), "\u{1b}[33m31s\u{1b}[0m");
        assert!(clock(29.0, Some(USUAL), 40, page(80, true)).starts_with("29s  \u{1b}[2m"));
    }

    #[test]
    fn usual_times_are_told_in_the_unit_that_people_count_in() {
        let told = [(15.0, 30.0), (5.2, 4.9), (45.0, 120.0), (250.0, 600.0)]
            .map(|(least, most)| span(Usual { least, most }));
        assert_eq!(told, ["15–30s", "5s", "45–120s", "4–10m"]);
    }

    #[test]
    fn what_is_left_alone_is_no_deletion_and_a_moments_work_has_no_usual_time() {
        let of = |resource_type: &str, status: &str, seconds| {
            let resource = ResourceEvent {
                logical_id: "It".to_owned(),
                resource_type: resource_type.to_owned(),
                status: status.to_owned(),
                progress: Progress::Complete,
                reason: None,
                seconds: Some(seconds),
                usual: Some(USUAL),
            };
            let line = line(&resource, page(80, false));
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("AWS::S3::Bucket", "DELETE_SKIPPED", 0.0), "· It Bucket kept for now 0.0s");
        assert_eq!(of("AWS::IAM::Role", "DELETE_SKIPPED", 0.0), "· It Role kept 0.0s");
        assert_eq!(of("AWS::IAM::Role", "CREATE_COMPLETE", 1.4), "✓ It Role CREATE_COMPLETE 1.4s");
        assert_eq!(
            of("AWS::IAM::Role", "CREATE_COMPLETE", 1.6),
            "✓ It Role CREATE_COMPLETE 1.6s usually 15–30s"
        );
    }

    #[test]
    fn every_state_of_a_resource_fits_a_terminal_of_80_columns() {
        for status in ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"] {
            let resource = ResourceEvent {
                logical_id: "kinesis-stack-abcdefghijklmnopqrst".to_owned(),
                resource_type: "AWS::KinesisFirehose::DeliveryStream".to_owned(),
                status: status.to_owned(),
                progress: Progress::Complete,
                reason: None,
                seconds: Some(84.0),
                usual: Some(USUAL),
            };
            let line = line(&resource, page(80, false));
            assert!(measure_text_width(&line) <= 80, "{line}");
        }
    }
}
