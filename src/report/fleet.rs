//! The screen of `list`.

use super::fit::{Page, middle};
use super::plan::LOCAL_ACCOUNT;
use super::screen::{age, state, until};
use super::words::count;
use super::{Paint, Table};
use crate::stack::fleet::Seen;
use jiff::Timestamp;

/// A column. What is listed first stays longest where there is no room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Environment,
    Region,
    State,
    Expires,
    Age,
    Daily,
    PullRequest,
    Owner,
    SoFar,
    Version,
}

/// In the order of the screen.
const ALL: &[Column] = &[
    Column::Environment,
    Column::Region,
    Column::State,
    Column::Expires,
    Column::Age,
    Column::Daily,
    Column::SoFar,
    Column::Version,
    Column::PullRequest,
    Column::Owner,
];

/// What goes first where there is no room.
const LEAVE: &[Column] = &[Column::Version, Column::SoFar, Column::Owner, Column::PullRequest, Column::Age];

/// One line an environment, and one for all.
pub fn list(environments: &[Seen], all_regions: bool, now: Timestamp, page: Page) -> String {
    let costs = environments.iter().any(|it| !is_local(it) && it.listed.cost_per_day.is_some());
    let mut columns: Vec<Column> = ALL.to_vec();
    columns.retain(|column| match column {
        Column::Region => all_regions,
        Column::Daily | Column::SoFar => costs,
        Column::PullRequest => environments.iter().any(|it| it.listed.pull_request.is_some()),
        _ => true,
    });
    let mut text = table(environments, &columns, now, page.paint, str::to_owned);
    if !fits(&text, page) {
        // Owners lose what is the same for all of them before anything goes.
        let short = |owner: &str| middle(owner.rsplit([':', '/']).next().unwrap_or(owner), 20);
        let mut leave = LEAVE.iter();
        loop {
            text = table(environments, &columns, now, page.paint, short);
            let Some(next) = leave.next().filter(|_| !fits(&text, page)) else { break };
            columns.retain(|column| column != next);
        }
    }
    page.wrap(&(text + &total(environments, costs)))
}

fn fits(text: &str, page: Page) -> bool {
    text.lines().all(|line| page.holds(line))
}

fn total(environments: &[Seen], costs: bool) -> String {
    let daily: f64 = environments.iter().filter_map(|it| it.listed.cost_per_day).sum();
    let unknown = environments.iter().filter(|it| it.listed.cost_per_day.is_none()).count();
    let unknown = match unknown {
        0 => String::new(),
        some => format!(" without {some} of which nothing is known"),
    };
    let cost = match costs {
        true => format!(", about ${daily:.2} a day{unknown}, and traffic (us-east-1 list prices)"),
        false => String::new(),
    };
    format!("\n{}{cost}\n", count(environments.len() as u64, "environment"))
}

fn table(
    environments: &[Seen],
    columns: &[Column],
    now: Timestamp,
    paint: Paint,
    owner: impl Fn(&str) -> String,
) -> String {
    let mut table = Table::new(0);
    table.row(columns.iter().map(|column| paint.strong(title(*column))));
    for it in environments {
        table.row(columns.iter().map(|column| cell(*column, it, now, paint, &owner)));
    }
    table.render()
}

fn title(column: Column) -> &'static str {
    match column {
        Column::Environment => "ENVIRONMENT",
        Column::Region => "REGION",
        Column::State => "STATE",
        Column::Expires => "EXPIRES",
        Column::Age => "AGE",
        Column::Daily => "A DAY",
        Column::SoFar => "SO FAR",
        Column::Version => "VERSION",
        Column::PullRequest => "PULL REQUEST",
        Column::Owner => "OWNER",
    }
}

fn cell(
    column: Column,
    seen: &Seen,
    now: Timestamp,
    paint: Paint,
    owner: &impl Fn(&str) -> String,
) -> String {
    let it = &seen.listed;
    match column {
        Column::Environment => it.env.clone(),
        Column::Region => it.region.clone(),
        Column::State if it.kept => "bucket kept".to_owned(),
        Column::State if it.left_bucket.is_some() => paint.bad("no stack, bucket left"),
        Column::State => state(&it.status, paint),
        Column::Expires if it.protected => "protected".to_owned(),
        Column::Expires => it.expires.as_deref().map_or("never".to_owned(), |at| until(at, now, paint)),
        Column::Age => it.created.as_ref().map(|created| age(created, now)).unwrap_or_default(),
        Column::Daily => it.cost_per_day.filter(|_| !is_local(seen)).map(money).unwrap_or_default(),
        Column::SoFar => seen.cost_so_far.filter(|_| !is_local(seen)).map(money).unwrap_or_default(),
        Column::Version => it.version.clone().unwrap_or_default(),
        Column::PullRequest => it.pull_request.as_deref().map(pull_request).unwrap_or_default(),
        Column::Owner => it.owner.as_deref().map(owner).unwrap_or_default(),
    }
}

/// The local cloud's cost nothing.
fn is_local(seen: &Seen) -> bool {
    seen.listed.stack_id.split(':').nth(4) == Some(LOCAL_ACCOUNT)
}

fn money(amount: f64) -> String {
    format!("${amount:.2}")
}

/// As people write it: `owner/repository#42`, `group/project!42`.
pub fn pull_request(name: &str) -> String {
    if let Some((project, number)) = name.rsplit_once("/-/merge_requests/") {
        return format!("{project}!{number}");
    }
    match name.rsplit_once("/pull/") {
        Some((repository, number)) => format!("{repository}#{number}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::fleet::Listed;
    use crate::stack::status::StackStatus;
    use console::measure_text_width;
    use std::collections::BTreeMap;

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn page(width: Option<usize>) -> Page {
        Page { paint: Paint(false), width }
    }

    fn listed(env: &str, status: &str, expires: Option<&str>) -> Listed {
        let stack_id = format!("arn:aws:cloudformation:eu-west-1:123456789012:stack/kinesis-stack-{env}/1");
        Listed {
            env: env.to_owned(),
            region: "eu-west-1".to_owned(),
            stack: format!("kinesis-stack-{env}"),
            stack_id,
            status: StackStatus::parse(status),
            reason: None,
            created: Some("2026-11-22T09:00:00Z".to_owned()),
            updated: None,
            expires: expires.map(str::to_owned),
            owner: Some("arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions".to_owned()),
            version: Some("0.1.0".to_owned()),
            pull_request: None,
            protected: false,
            ephemeral: false,
            cost_per_day: Some(0.36),
            left_bucket: None,
            kept: false,
            tags: BTreeMap::new(),
        }
    }

    fn fleet() -> Vec<Seen> {
        let github = Some("ada/trades/pull/42".to_owned());
        let gitlab = Some("group/trades/-/merge_requests/7".to_owned());
        [
            Listed {
                pull_request: github,
                ..listed("pr-42", "CREATE_COMPLETE", Some("2026-11-24T09:00:00Z"))
            },
            Listed { cost_per_day: None, ..listed("stuck", "UPDATE_ROLLBACK_FAILED", None) },
            Listed {
                left_bucket: Some("b".to_owned()),
                cost_per_day: None,
                created: None,
                ..listed("left", "DELETE_COMPLETE", None)
            },
            Listed {
                pull_request: gitlab,
                ..listed("mr-7", "UPDATE_IN_PROGRESS", Some("2026-11-24T14:00:00Z"))
            },
            Listed { region: "ap-southeast-2".to_owned(), ..listed("dev", "UPDATE_COMPLETE", None) },
            Listed { protected: true, cost_per_day: Some(1.68), ..listed("prod", "UPDATE_COMPLETE", None) },
        ]
        .map(|it| it.at(now()))
        .into()
    }

    fn at(width: usize, all_regions: bool) -> String {
        let text = list(&fleet(), all_regions, now(), page(Some(width)));
        assert!(text.lines().all(|line| measure_text_width(line) <= width), "{text}");
        text
    }

    #[test]
    fn list_is_a_line_an_environment() {
        insta::assert_snapshot!(list(&fleet(), true, now(), page(None)));
    }

    #[test]
    fn list_fits_140_columns_and_80_and_leaves_out_what_is_missed_least() {
        insta::assert_snapshot!("list_at_140_columns", at(140, true));
        insta::assert_snapshot!("list_at_80_columns", at(80, false));
        insta::assert_snapshot!("list_at_80_columns_of_all_regions", at(80, true));
    }

    #[test]
    fn what_is_local_costs_nothing() {
        let stack_id = "arn:aws:cloudformation:us-east-1:000000000000:stack/kinesis-stack-dev/1".to_owned();
        let it = Listed { stack_id, ..listed("dev", "CREATE_COMPLETE", None) };
        let text = list(&[it.at(now())], false, now(), page(None));
        assert!(!text.contains('$') && text.ends_with("\n1 environment\n"), "{text}");
    }

    #[test]
    fn where_no_cost_is_known_none_is_told() {
        let left = Listed {
            left_bucket: Some("b".to_owned()),
            cost_per_day: None,
            ..listed("left", "DELETE_COMPLETE", None)
        };
        let text = list(&[left.at(now())], false, now(), page(None));
        assert!(!text.contains('$') && text.ends_with("\n1 environment\n"), "{text}");
    }

    #[test]
    fn a_pull_request_is_shown_as_people_write_it() {
        assert_eq!(pull_request("ada/trades/pull/42"), "ada/trades#42");
        assert_eq!(pull_request("group/sub/trades/-/merge_requests/7"), "group/sub/trades!7");
        assert_eq!(pull_request("something"), "something");
    }
}
