//! An invocation of a function, and what it leaves in log and metrics.

use super::FUNCTION;
use crate::Account;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Fact: a function answers at most 6,291,556 bytes.
const MOST_BYTES: usize = 6_291_556;

type Transform = dyn Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync;
type Told = dyn Fn(&[u8], &[u8]) -> Vec<String> + Send + Sync;

/// What a function does: the bytes of an event in, the bytes of an answer out, or why it failed.
#[derive(Clone)]
pub struct Processor {
    transform: Arc<Transform>,
    told: Arc<Told>,
}

impl Processor {
    /// One that does this and logs nothing.
    pub fn new(transform: impl Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static) -> Self {
        Processor { transform: Arc::new(transform), told: Arc::new(|_, _| Vec::new()) }
    }

    /// The same one, which also logs these lines, made of event and answer.
    #[must_use]
    pub fn logging(self, told: impl Fn(&[u8], &[u8]) -> Vec<String> + Send + Sync + 'static) -> Self {
        Processor { told: Arc::new(told), ..self }
    }
}

impl Default for Processor {
    /// One that answers every record as it came.
    fn default() -> Self {
        Processor::new(|event| {
            let mut event: serde_json::Value =
                serde_json::from_slice(event).map_err(|error| error.to_string())?;
            for record in event["records"].as_array_mut().into_iter().flatten() {
                *record = serde_json::json!({"recordId": record["recordId"], "result": "Ok", "data": record["data"]});
            }
            Ok(serde_json::json!({"records": event["records"]}).to_string().into_bytes())
        })
    }
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Processor")
    }
}

/// Why an invocation failed, as Firehose calls it.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub code: &'static str,
    pub message: String,
}

impl Refused {
    fn new(code: &'static str, message: &str) -> Self {
        Refused { code, message: message.to_owned() }
    }
}

impl Account {
    /// Invokes the function of this ARN.
    pub(crate) fn invoke(&mut self, arn: &str, event: &[u8], now: Instant) -> Result<Vec<u8>, Refused> {
        let name = arn.split(":function:").nth(1).unwrap_or_default().split(':').next().unwrap_or_default();
        if self.script.delivery_denied.contains("lambda:InvokeFunction") {
            let message =
                "Access was denied. Ensure that the access policy allows access to the Lambda function.";
            return Err(Refused::new("Lambda.InvokeAccessDenied", message));
        }
        let Some(function) = self.thing(FUNCTION, name) else {
            let message =
                "The specified Lambda function does not exist. Use a different function that does exist.";
            return Err(Refused::new("Lambda.ResourceNotFound", message));
        };
        let fact = |name: &str| function.facts.get(name).cloned().unwrap_or_default();
        let (reserved, memory, timeout) = (fact("Concurrency"), fact("Memory"), fact("Timeout"));
        // Fact: a function whose reserved concurrency is 0 is throttled always.
        if reserved == "0" || self.script.throttled_function {
            self.count("AWS/Lambda", "Throttles", name, 1.0);
            let message =
                "The Lambda concurrent execution limit is exceeded. Increase the concurrent execution limit.";
            return Err(Refused::new("Lambda.InvokeLimitExceeded", message));
        }
        let processor = self.script.processor.clone().unwrap_or_default();
        let fails = self.script.failing_function.clone();
        let answer = match fails {
            Some(reason) => Err(reason),
            None => (processor.transform)(event),
        };
        let answer = answer.and_then(|answer| match answer.len() {
            ..=MOST_BYTES => Ok(answer),
            _ => Err(format!(
                "Response payload size exceeded maximum allowed payload size ({MOST_BYTES} bytes)."
            )),
        });
        let seconds: f64 = timeout.parse().unwrap_or(3.0);
        let timed_out = self.script.slow_function;
        let taken = if timed_out { seconds } else { 0.002 + event.len() as f64 / 100_000_000.0 };
        let told = match &answer {
            Ok(answer) => (processor.told)(event, answer),
            Err(reason) => vec![reason.clone()],
        };
        let status = match &answer {
            _ if timed_out => "\tStatus: timeout",
            Ok(_) => "",
            Err(_) => "\tStatus: error\tError Type: Unhandled",
        };
        let memory = memory.parse().unwrap_or(128);
        self.logs_invocation(name, now, &told, (taken, memory, status));
        self.count("AWS/Lambda", "Invocations", name, 1.0);
        self.count("AWS/Lambda", "Errors", name, f64::from(u8::from(timed_out || answer.is_err())));
        self.count("AWS/Lambda", "Throttles", name, 0.0);
        self.count("AWS/Lambda", "Duration", name, taken * 1_000.0);
        if timed_out {
            let message =
                "The Lambda function timed out. Increase the Timeout setting in the Lambda function.";
            return Err(Refused::new("Lambda.FunctionTimedOut", message));
        }
        let message = "The Lambda function was successfully invoked but it returned an error result.";
        answer.map_err(|_| Refused::new("Lambda.FunctionError", message))
    }

    /// Fact: each invocation writes START, the function's own lines, END and REPORT into a log stream of its group that
    /// bears the day, the version and a hash; the first one before all INIT_START.
    fn logs_invocation(&mut self, name: &str, now: Instant, told: &[String], done: (f64, u32, &str)) {
        let Some(function) = self.thing(FUNCTION, name) else { return };
        let fact = |name: &str| function.facts.get(name).cloned().unwrap_or_default();
        let (group, role) = (fact("LogGroup"), fact("Role"));
        if self.thing(crate::logs::GROUP, &group).is_none() {
            if !self.may_make_group(name, &group, &role) {
                return;
            }
            self.make_from(crate::logs::GROUP, &group, now, now);
        }
        let at = self.clock.milliseconds(now);
        let day = jiff::Timestamp::from_millisecond(at).unwrap_or_default().strftime("%Y/%m/%d").to_string();
        let hash =
            name.bytes().fold(u128::MAX / 3, |sum, byte| sum.wrapping_mul(31).wrapping_add(u128::from(byte)));
        let stream = format!("{day}/[$LATEST]{hash:032x}");
        let is_cold = !self.log_groups.get(&group).is_some_and(|it| it.streams.contains_key(&stream));
        self.invocations += 1;
        let id = format!(
            "{:08x}-0000-4000-a000-{:012x}",
            self.invocations.wrapping_mul(0x9e37_79b9),
            self.invocations
        );
        let (taken, memory, status) = done;
        let end = at + (taken * 1_000.0) as i64;
        if is_cold {
            let version =
                "provided:al2023.v1\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:example";
            self.log_at(&group, &stream, &format!("INIT_START Runtime Version: {version}\n"), at);
        }
        self.log_at(&group, &stream, &format!("START RequestId: {id} Version: $LATEST\n"), at);
        for line in told {
            self.log_at(&group, &stream, &format!("{line}\n"), at);
        }
        if status.contains("timeout") {
            let line = format!(
                "{} {id} Task timed out after {taken:.2} seconds\n\n",
                self.time(now + Duration::from_secs_f64(taken))
            );
            self.log_at(&group, &stream, &line, end);
        }
        self.log_at(&group, &stream, &format!("END RequestId: {id}\n"), end);
        let (duration, billed) = (taken * 1_000.0, (taken * 1_000.0).ceil());
        let init = if is_cold { "\tInit Duration: 12.40 ms" } else { "" };
        let report = format!(
            "REPORT RequestId: {id}\tDuration: {duration:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: {memory} \
             MB\tMax Memory Used: 24 MB{init}\t{status}\n"
        );
        self.log_at(&group, &stream, &report, end);
    }
}
