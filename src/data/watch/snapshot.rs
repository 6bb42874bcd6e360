//! A board as one JSON object, for programs.

use super::board::{Board, Failure};
use super::figure::{Reading, Unit, Value};
use super::metric::PERIOD;
use super::source::Source;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

/// What was in the snapshots so far: rows, failures and lines stand in one of them each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshots {
    rows: u64,
    failures: u64,
    lines: u64,
    not_fully_read: u64,
}

/// The board at a moment, with the rows, failures and lines that came since the snapshot before.
pub fn snapshot(board: &Board, now: Timestamp, before: &mut Snapshots) -> Json {
    let subject = &board.subject;
    let legs: Map<String, Json> = board
        .legs(now)
        .into_iter()
        .map(|leg| {
            let mut told = Map::new();
            told.insert("state".to_owned(), json!(leg.state));
            told.extend(leg.readings.iter().map(|it| (it.name.to_owned(), reading(board, it, now))));
            (leg.name.to_owned(), Json::Object(told))
        })
        .collect();
    let sources: Map<String, Json> = board
        .sources
        .iter()
        .map(|(source, health)| {
            let error = health.trouble.as_ref().map(|(_, trouble)| trouble.to_string());
            let told = json!({"time": health.told.map(spelt), "age_seconds": health.told.map(|at| age(at, now)), "error": error});
            (source.name().replace(' ', "-"), told)
        })
        .collect();
    let rows: Vec<Json> = board
        .rows
        .since(before.rows)
        .map(|row| {
            // A row as what it is, where it is JSON.
            let fields = serde_json::from_str(&row.text).unwrap_or_else(|_| json!(row.text));
            json!({"time": spelt(row.time), "row": fields})
        })
        .collect();
    let failures: Vec<Json> = board
        .failures
        .since(before.failures)
        .map(|failure| match failure {
            Failure::Record(row) => json!({"time": spelt(row.time), "found": "errors", "message": row.text}),
            Failure::Logged(entry) => {
                json!({"time": spelt(entry.time), "found": "logs", "message": entry.message})
            }
        })
        .collect();
    let lines: Vec<_> = board.lines.since(before.lines).collect();
    let told = json!({
        "time": spelt(now),
        "env": subject.env,
        "region": subject.region,
        "stack": subject.stack,
        "status": subject.status,
        "legs": legs,
        "sources": sources,
        "cost_per_hour": board.cost(now),
        "rows": rows,
        "objects_not_fully_read": board.not_fully_read - before.not_fully_read,
        "failures": failures,
        "lines": lines,
    });
    *before = Snapshots {
        rows: board.rows.count(),
        failures: board.failures.count(),
        lines: board.lines.count(),
        not_fully_read: board.not_fully_read,
    };
    told
}

fn age(at: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(at).as_secs().max(0)
}

fn spelt(at: Timestamp) -> String {
    at.round(jiff::Unit::Millisecond).unwrap_or(at).to_string()
}

fn reading(board: &Board, reading: &Reading, now: Timestamp) -> Json {
    match &reading.value {
        Value::Known { at, source, .. } if reading.unit == Unit::Moment => {
            json!({"value": spelt(*at), "time": spelt(*at), "age_seconds": age(*at, now), "source": source})
        }
        Value::Known { value, at, source, about } => {
            let mut told = json!({
                "value": (value * 1e3).round() / 1e3, "time": spelt(*at), "age_seconds": age(*at, now), "source": source,
            });
            if *source == Source::Objects {
                told["window_seconds"] = json!(board.window(now));
            }
            if *about {
                told["about"] = json!(true);
            }
            told
        }
        Value::NotYet => json!({"value": null, "why": "not asked yet"}),
        Value::Nowhere => json!({"value": null, "why": "CloudWatch has no metrics of this pipeline"}),
        Value::Silent { since } => {
            let why = format!("nothing was told of the last minutes (periods of {PERIOD} s)");
            json!({"value": null, "why": why, "time": since.map(spelt)})
        }
        Value::Untold(source) => {
            let trouble = board.sources.get(source).and_then(|health| health.trouble.as_ref());
            let why = trouble.map(|(_, trouble)| trouble.to_string());
            json!({"value": null, "why": why, "source": source})
        }
    }
}
