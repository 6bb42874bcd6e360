//! Writes down what was sent, for whoever wants to hold it against AWS's own models (`scripts/validate.sh`).

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::base64;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Names the directory that they are written to, one file a process.
const VARIABLE: &str = "SIMULATED_AWS_RECORD";

struct Record {
    file: File,
    /// Tests send the same thing many thousand times.
    seen: HashSet<u64>,
}

static RECORD: LazyLock<Option<Mutex<Record>>> = LazyLock::new(|| {
    let directory = std::env::var_os(VARIABLE)?;
    let path = Path::new(&directory).join(format!("simulated-{}.jsonl", std::process::id()));
    let file = File::create(&path).unwrap_or_else(|error| panic!("{VARIABLE}: {}: {error}", path.display()));
    Some(Mutex::new(Record { file, seen: HashSet::new() }))
});

/// Notes a request, where that was asked for.
pub(crate) fn note(request: &HttpRequest) {
    let Some(record) = RECORD.as_ref() else { return };
    // Of a body that is streamed nobody knows more than that it is one.
    let body = request.body().bytes().unwrap_or_default();
    let uri = request.uri().split_once("://").map_or(request.uri(), |(_, rest)| rest);
    let (host, path) = uri.split_at(uri.find('/').unwrap_or(uri.len()));
    // The bucket is in the path, wherever it was.
    let path = match host.split_once(".s3.") {
        Some((bucket, _)) => format!("/{bucket}{}", path.strip_suffix('/').unwrap_or(path)),
        None => path.to_owned(),
    };
    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hasher = DefaultHasher::new();
    (request.method(), &path, body, request.headers().get("x-amz-target")).hash(&mut hasher);
    if !record.seen.insert(hasher.finish()) {
        return;
    }
    let mut headers: Map<String, Value> =
        request.headers().iter().map(|(name, value)| (name.to_lowercase(), Value::from(value))).collect();
    // Whose call it is, not its signature: `us-east-1/kinesis/aws4_request`.
    let credential = request.headers().get("authorization").and_then(|it| it.split_once("Credential="));
    let scope = credential.and_then(|(_, rest)| rest.split(',').next()?.splitn(3, '/').nth(2));
    headers.insert("authorization".to_owned(), scope.unwrap_or_default().into());
    headers.remove("x-amz-security-token");
    let line = json!({
        "from": "tests",
        "method": request.method(),
        "path": path,
        "headers": headers,
        "body": base64::encode(body),
    });
    let _ = writeln!(record.file, "{line}");
}
