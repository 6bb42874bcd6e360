//! Requests, as the SDK writes them.

use super::Call;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a PutObject brings is kept up to this size: a template may be read again, a zip never is.
const KEPT: usize = 1024 * 1024;

/// The call that a request means.
pub fn call(request: &HttpRequest) -> Call {
    let uri = request.uri().split_once("://").map_or(request.uri(), |(_, rest)| rest);
    let (host, rest) = uri.split_once('/').unwrap_or((uri, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let content = request.body().bytes().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let (service, region) = scope(request).unwrap_or_else(|| (labels[0].to_owned(), String::new()));
    if service == "s3" {
        // The bucket is a label of the host, or, where the host has no place for it, the first part of the path.
        let (bucket, key) = match labels.get(1) {
            Some(&"s3") => (labels[0], path),
            _ => path.split_once('/').unwrap_or((path, "")),
        };
        return Call { region, ..s3(request, bucket, key, query, content) };
    }
    let body = String::from_utf8_lossy(content);
    let call = |operation: String, parameters| Call {
        service: service.clone(),
        region: region.clone(),
        operation,
        parameters,
        content: Arc::default(),
    };
    if let Some(operation) = path.split_once("/operation/").map(|(_, operation)| operation)
        && request.headers().get("smithy-protocol").is_some()
    {
        let mut flat = BTreeMap::new();
        flatten(String::new(), &super::cbor::read(content), &mut flat);
        return call(operation.to_owned(), flat);
    }
    if let Some(target) = request.headers().get("x-amz-target") {
        let operation = target.split_once('.').map_or(target, |(_, operation)| operation);
        if operation == "PutRecords" {
            // Of its many records none is a parameter.
            let value: Value = serde_json::from_str(&body).unwrap_or_default();
            let text = |name: &str| Some((name.to_owned(), value.get(name)?.as_str()?.to_owned()));
            let parameters = ["StreamName", "StreamARN"].into_iter().filter_map(text).collect();
            return Call { content: content.into(), ..call(operation.to_owned(), parameters) };
        }
        return call(operation.to_owned(), json(&body));
    }
    if service == "lambda" {
        if let Some(arn) = path.strip_prefix("2017-03-31/tags/").filter(|_| request.method() == "GET") {
            return call("ListTags".to_owned(), [("FunctionName".to_owned(), decoded(arn))].into());
        }
        // `FUNCTION`, or `FUNCTION/WHAT`.
        let rest = path.strip_prefix("2015-03-31/functions/").or(path.strip_prefix("2019-09-30/functions/"));
        let rest = rest.unwrap_or_default();
        let (name, what) = rest.split_once('/').unwrap_or((rest, ""));
        let mut parameters = json(&body);
        parameters.insert("FunctionName".to_owned(), decoded(name));
        let operation = match (request.method(), what) {
            ("GET", "configuration") => "GetFunctionConfiguration".to_owned(),
            ("GET", "concurrency") => "GetFunctionConcurrency".to_owned(),
            ("PUT", "code") => "UpdateFunctionCode".to_owned(),
            ("DELETE", "") => "DeleteFunction".to_owned(),
            (method, _) => format!("{method} /{path}"),
        };
        return call(operation, parameters);
    }
    let mut parameters = form(&body);
    let operation = parameters.remove("Action").unwrap_or_else(|| format!("{} {uri}", request.method()));
    call(operation, parameters)
}

/// The service and the region in the credential scope: `KEY/20261124/REGION/SERVICE/aws4_request`.
fn scope(request: &HttpRequest) -> Option<(String, String)> {
    let (_, scope) = request.headers().get("authorization")?.split_once("Credential=")?;
    let mut parts = scope.split(',').next()?.split('/').skip(2);
    let (region, service) = (parts.next()?, parts.next()?);
    Some((service.to_owned(), region.to_owned()))
}

/// What S3's requests say in headers.
const HEADERS: &[(&str, &str)] = &[
    ("x-amz-expected-bucket-owner", "ExpectedBucketOwner"),
    ("x-amz-checksum-mode", "ChecksumMode"),
    ("range", "Range"),
    ("if-match", "IfMatch"),
];

fn s3(request: &HttpRequest, bucket: &str, key: &str, query: &str, content: &[u8]) -> Call {
    let header = |name: &str| request.headers().get(name).map(str::to_owned);
    let mut parameters = form(query);
    let operation = s3_operation(request.method(), key, &parameters);
    parameters.insert("Bucket".to_owned(), decoded(bucket));
    parameters.insert("Key".to_owned(), decoded(key));
    for (name, parameter) in HEADERS {
        parameters.extend(header(name).map(|value| ((*parameter).to_owned(), value)));
    }
    let mut kept: Arc<[u8]> = Arc::default();
    if operation == "PutObject" {
        let chunked = header("content-encoding").is_some_and(|encoding| encoding.contains("aws-chunked"));
        let content = if chunked { unchunked(content) } else { content.to_vec() };
        parameters.insert("ContentLength".to_owned(), content.len().to_string());
        if content.len() <= KEPT {
            kept = content.into();
        }
    } else {
        parameters.insert("Body".to_owned(), String::from_utf8_lossy(content).into_owned());
    }
    Call { service: "s3".to_owned(), region: String::new(), operation, parameters, content: kept }
}

fn s3_operation(method: &str, key: &str, query: &BTreeMap<String, String>) -> String {
    let has = |name| query.contains_key(name);
    let plain = query.keys().all(|name| name == "x-id");
    let of_version = query.keys().all(|name| name == "x-id" || name == "versionId");
    let name = match (method, key.is_empty()) {
        ("HEAD", true) => "HeadBucket",
        ("HEAD", false) => "HeadObject",
        ("GET", true) if has("versions") => "ListObjectVersions",
        ("GET", true) if has("uploads") => "ListMultipartUploads",
        ("GET", true) if query.get("list-type").is_some_and(|it| it == "2") => "ListObjectsV2",
        ("GET", true) if query.get("x-id").is_some_and(|it| it == "ListBuckets") => "ListBuckets",
        ("GET", true) if has("tagging") => "GetBucketTagging",
        ("GET", true) if has("location") => "GetBucketLocation",
        ("GET", false) if of_version => "GetObject",
        ("PUT", true) if has("tagging") => "PutBucketTagging",
        ("PUT", true) if has("publicAccessBlock") => "PutPublicAccessBlock",
        ("PUT", true) if plain => "CreateBucket",
        ("DELETE", true) if plain => "DeleteBucket",
        ("PUT", false) if plain => "PutObject",
        ("POST", true) if has("delete") => "DeleteObjects",
        ("DELETE", false) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", false) => "DeleteObject",
        _ => return format!("{method} /{key} {query:?}"),
    };
    name.to_owned()
}

/// The content of `aws-chunked`: `SIZE;chunk-signature=…` lines, each before so many bytes.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let line = String::from_utf8_lossy(&rest[..end]);
        let size = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16).unwrap_or_default();
        rest = &rest[end + 2..];
        if size == 0 || size > rest.len() {
            break;
        }
        content.extend_from_slice(&rest[..size]);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
    content
}

/// A JSON body, flat.
fn json(body: &str) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    if let Ok(value) = serde_json::from_str(body) {
        flatten(String::new(), &value, &mut flat);
    }
    flat
}

fn flatten(name: String, value: &Value, flat: &mut BTreeMap<String, String>) {
    let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| flatten(below(key), value, flat)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(place, item)| flatten(below(&format!("member.{}", place + 1)), item, flat)),
        Value::String(text) => drop(flat.insert(name, text.clone())),
        Value::Null => {}
        other => drop(flat.insert(name, other.to_string())),
    }
}

fn form(text: &str) -> BTreeMap<String, String> {
    let fields = text.split('&').filter(|field| !field.is_empty());
    let fields = fields.map(|field| field.split_once('=').unwrap_or((field, "")));
    fields.map(|(key, value)| (decoded(key), decoded(value))).collect()
}

pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit =
                    || rest.next().and_then(|byte| char::from(byte).to_digit(16)).unwrap_or_default();
                u8::try_from(digit() * 16 + digit()).unwrap_or(b'?')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
