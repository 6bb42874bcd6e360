//! The Lambda function: [`processor`] behind the Lambda Runtime API, and its log.
//!
//! The log has JSON lines only, at most one a reason and one for the batch, and never
//! holds what is in a record.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Instant, SystemTime},
};

use lambda_runtime::{
    Diagnostic, Error, LambdaEvent, LambdaInvocation, Runtime, service_fn, tower::util::MapRequestLayer,
};
use processor::{ANSWER_LIMIT, Answer, transform_within};
use serde::{Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

fn main() -> Result<(), Error> {
    // One invocation at a time: a second thread would only cost memory and a slower start.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

/// The runtime parses every event into a value before it calls the handler. Ours wants
/// the bytes, so the layer keeps them and leaves a `null` to parse: no second parsing of
/// megabytes, and a body that isn't JSON is refused and logged like any other.
async fn serve() -> Result<(), Error> {
    let request = Rc::new(Cell::new(Default::default()));
    let kept = Rc::clone(&request);
    let keep = move |mut invocation: LambdaInvocation| {
        kept.set(std::mem::replace(&mut invocation.body, "null".into()));
        invocation
    };
    let handler = service_fn(move |event: LambdaEvent<IgnoredAny>| {
        let answer = handle(&request.take(), &event.context.request_id);
        async { answer }
    });
    Runtime::new(handler).layer(MapRequestLayer::new(keep)).run().await
}

fn handle(request: &[u8], request_id: &str) -> Result<Box<RawValue>, Diagnostic> {
    let start = Instant::now();
    let answer = transform_within(request, SystemTime::now(), ANSWER_LIMIT)
        .map_err(|error| refuse("EventError", error.to_string(), request_id))?;
    report(&answer, start, request_id);
    // Checks the answer once more, which costs far less than making it.
    String::from_utf8(answer.body)
        .map_err(|error| error.to_string())
        .and_then(|body| RawValue::from_string(body).map_err(|error| error.to_string()))
        .map_err(|error| refuse("AnswerError", error, request_id))
}

fn report(answer: &Answer, start: Instant, request_id: &str) {
    for failures in &answer.failures {
        log(&Line::Failed {
            level: "WARN",
            message: "records answered ProcessingFailed",
            request_id,
            reason: failures.reason.to_string(),
            records: failures.records,
            first_record_id: &failures.first_record_id,
        });
    }
    log(&Line::Batch {
        level: "INFO",
        message: "batch transformed",
        request_id,
        records: answer.records,
        ok: answer.records - answer.failed(),
        failed: answer.failed(),
        milliseconds: start.elapsed().as_micros() as f64 / 1000.0,
    });
}

/// Logs why the whole batch fails, and tells Firehose.
fn refuse(error_type: &str, error: String, request_id: &str) -> Diagnostic {
    log(&Line::Refused { level: "ERROR", message: "batch refused", request_id, error: &error });
    Diagnostic { error_type: error_type.to_owned(), error_message: error }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Line<'a> {
    Batch {
        level: &'a str,
        message: &'a str,
        request_id: &'a str,
        records: usize,
        ok: usize,
        failed: usize,
        milliseconds: f64,
    },
    Failed {
        level: &'a str,
        message: &'a str,
        request_id: &'a str,
        reason: String,
        records: usize,
        first_record_id: &'a str,
    },
    Refused {
        level: &'a str,
        message: &'a str,
        request_id: &'a str,
        error: &'a str,
    },
}

fn log(line: &Line<'_>) {
    if let Ok(line) = serde_json::to_string(line) {
        println!("{line}");
    }
}
