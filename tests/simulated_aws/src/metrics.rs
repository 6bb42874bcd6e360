//! CloudWatch metrics: what the account counted, minute by minute.

use crate::Account;
use crate::account::unknown;
use crate::wire::{Answer, Call, Refusal, cbor};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// By namespace, metric, and the value of its only dimension: what was counted in each minute.
pub(crate) type Metrics = BTreeMap<(&'static str, &'static str, String), BTreeMap<i64, Minute>>;

/// What was counted in a minute.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Minute {
    count: f64,
    sum: f64,
    least: f64,
    most: f64,
}

impl Minute {
    fn of(value: f64) -> Self {
        Minute { count: 1.0, sum: value, least: value, most: value }
    }

    fn with(self, other: Minute) -> Self {
        Minute {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            least: self.least.min(other.least),
            most: self.most.max(other.most),
        }
    }

    fn as_told(self, statistic: &str) -> Option<f64> {
        Some(match statistic {
            "Sum" => self.sum,
            "SampleCount" => self.count,
            "Average" => self.sum / self.count,
            "Minimum" => self.least,
            "Maximum" => self.most,
            _ => return None,
        })
    }
}

impl Account {
    /// Counts a value of a metric of a stream, a delivery stream or a function.
    pub(crate) fn count(&mut self, namespace: &'static str, metric: &'static str, name: &str, value: f64) {
        let minute = self.clock.milliseconds(self.present()).div_euclid(60_000);
        let minutes = self.metrics.entry((namespace, metric, name.to_owned())).or_default();
        let counted = Minute::of(value);
        minutes.entry(minute).and_modify(|minute| *minute = minute.with(counted)).or_insert(counted);
    }
}

/// Answers one call.
pub(crate) fn serve(account: &mut Account, call: &Call) -> Result<Answer, Refusal> {
    let told = match call.operation.as_str() {
        "GetMetricData" => data(account, call)?,
        _ => return Err(unknown(call)),
    };
    Ok(Answer { status: 200, body: cbor::written(&told).into(), ..Answer::default() })
}

/// Fact: metrics are told in periods of a minute or of several, the newest first, and a minute only one to two minutes
/// after it began; of a metric that was never counted there are no values, and no error.
fn data(account: &Account, call: &Call) -> Result<Value, Refusal> {
    let now = account.clock.milliseconds(account.clock.now());
    let lag = (account.script.metric_lag_seconds * 1_000.0) as i64;
    let time = |name: &str| call.get(name).parse::<f64>().unwrap_or_default() as i64;
    let (from, until) = (time("StartTime"), time("EndTime"));
    if from >= until {
        let message = "The parameter StartTime must be less than the parameter EndTime.";
        return Err(Refusal::new(400, "ValidationError", message));
    }
    let oldest_first = call.get("ScanBy") == "TimestampAscending";
    let mut results = Vec::new();
    for query in 1.. {
        let part = |name: &str| call.get(&format!("MetricDataQueries.member.{query}.{name}"));
        if part("Id").is_empty() {
            break;
        }
        if !part("Expression").is_empty() || !part("MetricStat.Metric.Dimensions.member.2.Name").is_empty() {
            return Err(unknown(call));
        }
        let (namespace, metric) = (part("MetricStat.Metric.Namespace"), part("MetricStat.Metric.MetricName"));
        let name = part("MetricStat.Metric.Dimensions.member.1.Value");
        let period: i64 = part("MetricStat.Period").parse().unwrap_or(60);
        if period % 60 != 0 || period <= 0 {
            return Err(Refusal::new(400, "ValidationError", "The period must be a multiple of 60."));
        }
        let counted = account
            .metrics
            .iter()
            .find(|((space, of, it), _)| (*space, *of, it.as_str()) == (namespace, metric, name));
        let mut periods: BTreeMap<i64, Minute> = BTreeMap::new();
        for (minute, counted) in counted.into_iter().flat_map(|(_, minutes)| minutes) {
            let begins = minute * 60;
            let period = begins.div_euclid(period) * period;
            if period >= from && period < until && (begins + 60) * 1_000 + lag <= now {
                periods.entry(period).and_modify(|it| *it = it.with(*counted)).or_insert(*counted);
            }
        }
        let mut told: Vec<(i64, Minute)> = periods.into_iter().collect();
        if !oldest_first {
            told.reverse();
        }
        let values = told.iter().map(|(_, it)| it.as_told(part("MetricStat.Stat")).map(Value::from));
        let values: Option<Vec<Value>> = values.collect();
        let times: Vec<Value> = told.iter().map(|(period, _)| json!({ cbor::TIME: period })).collect();
        let label = if part("Label").is_empty() { metric } else { part("Label") };
        results.push(json!({
            "Id": part("Id"), "Label": label, "StatusCode": "Complete",
            "Timestamps": times, "Values": values.ok_or_else(|| unknown(call))?,
        }));
    }
    Ok(json!({"MetricDataResults": results, "Messages": []}))
}
