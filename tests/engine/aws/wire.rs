//! From bytes to calls, and from replies to bytes, in each service's own format.

use super::Reply;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One call as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub service: String,
    pub operation: String,
    pub parameters: BTreeMap<String, String>,
}

impl Call {
    /// A parameter, empty where it is missing.
    pub fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether it can change anything.
    pub fn changes(&self) -> bool {
        !["Describe", "List", "Get", "Head"].iter().any(|verb| self.operation.starts_with(verb))
    }

    /// The values of a list of structures, such as `Tags.member.1.Key`.
    pub fn pairs(&self, list: &str, key: &str, value: &str) -> BTreeMap<String, String> {
        let names = (1..).map(|n| (format!("{list}.member.{n}.{key}"), format!("{list}.member.{n}.{value}")));
        names
            .map_while(|(key, value)| Some((self.parameters.get(&key)?.clone(), self.get(&value).to_owned())))
            .collect()
    }
}

/// An error of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl Refusal {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Refusal { status, code: code.to_owned(), message: message.into() }
    }
}

pub fn call(request: &HttpRequest) -> Call {
    let uri = request.uri().split_once("://").map_or(request.uri(), |(_, rest)| rest);
    let (host, rest) = uri.split_once('/').unwrap_or((uri, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
    let labels: Vec<&str> = host.split('.').collect();
    let header = |name: &str| request.headers().get(name).map(str::to_owned);

    if labels.get(1) == Some(&"s3") {
        let mut parameters = form(query);
        parameters.insert("Bucket".to_owned(), labels[0].to_owned());
        parameters.insert("Key".to_owned(), decoded(path));
        let operation = s3_operation(request.method(), path, &parameters);
        // A zip is no text, and nobody asks for it.
        if operation != "PutObject" {
            parameters.insert("Body".to_owned(), body);
        }
        if let Some(owner) = header("x-amz-expected-bucket-owner") {
            parameters.insert("ExpectedBucketOwner".to_owned(), owner);
        }
        return Call { service: "s3".to_owned(), operation, parameters };
    }
    let service = labels[0].to_owned();
    if let Some(target) = header("x-amz-target") {
        let operation = target.split_once('.').map_or(target.as_str(), |(_, operation)| operation).to_owned();
        let json: Value = serde_json::from_str(&body).unwrap_or_default();
        let strings = json.as_object().into_iter().flatten();
        let strings = strings.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        return Call { service, operation, parameters: strings.collect() };
    }
    if service == "lambda" {
        let name =
            path.strip_prefix("2015-03-31/functions/").and_then(|path| path.strip_suffix("/configuration"));
        let operation = match (request.method(), name) {
            ("GET", Some(_)) => "GetFunctionConfiguration".to_owned(),
            (method, _) => format!("{method} {path}"),
        };
        let parameters = name.map(|name| ("FunctionName".to_owned(), decoded(name))).into_iter().collect();
        return Call { service, operation, parameters };
    }
    let mut parameters = form(&body);
    let operation = parameters.remove("Action").unwrap_or_else(|| format!("{} {uri}", request.method()));
    Call { service, operation, parameters }
}

fn s3_operation(method: &str, path: &str, query: &BTreeMap<String, String>) -> String {
    let has = |name| query.contains_key(name);
    let name = match (method, path.is_empty()) {
        ("HEAD", true) => "HeadBucket",
        ("HEAD", false) => "HeadObject",
        ("GET", true) if has("versions") => "ListObjectVersions",
        ("GET", true) if has("uploads") => "ListMultipartUploads",
        ("PUT", true) if has("publicAccessBlock") => "PutPublicAccessBlock",
        ("PUT", true) => "CreateBucket",
        ("PUT", false) => "PutObject",
        ("POST", true) if has("delete") => "DeleteObjects",
        ("DELETE", false) if has("uploadId") => "AbortMultipartUpload",
        _ => return format!("{method} /{path} {query:?}"),
    };
    name.to_owned()
}

pub fn response(call: &Call, reply: Reply) -> HttpResponse {
    let is_query = ["cloudformation", "iam", "sts"].contains(&call.service.as_str());
    let operation = &call.operation;
    let status = reply.as_ref().err().map_or(200, |refusal| refusal.status);
    let code = reply.as_ref().err().map(|refusal| refusal.code.clone());
    let body = match reply {
        _ if operation.starts_with("Head") => String::new(),
        Ok(result) if is_query => {
            tag(&format!("{operation}Response"), &tag(&format!("{operation}Result"), &result))
        }
        Ok(body) => body,
        Err(Refusal { code, message, .. }) if is_query => {
            let error = text("Type", "Sender") + &text("Code", &code) + &text("Message", &message);
            tag("ErrorResponse", &tag("Error", &error))
        }
        Err(Refusal { code, message, .. }) if call.service == "s3" => {
            tag("Error", &(text("Code", &code) + &text("Message", &message)))
        }
        Err(Refusal { code, message, .. }) => json!({"__type": code, "message": message}).to_string(),
    };
    // 500 where a test's script asks for a status that doesn't exist.
    let status = status.try_into().unwrap_or_else(|_| 500_u16.try_into().expect("a status"));
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    if let Some(code) = code.filter(|_| call.service != "s3" && !is_query) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// An XML element.
pub fn tag(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

/// An XML element that holds text.
pub fn text(name: &str, content: &str) -> String {
    tag(name, &content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

/// What lies between `<name>` and `</name>`, each time.
pub fn between<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split_once(&close).map(|(inside, _)| inside)).collect()
}

fn form(text: &str) -> BTreeMap<String, String> {
    let fields = text.split('&').filter(|field| !field.is_empty());
    let fields = fields.map(|field| field.split_once('=').unwrap_or((field, "")));
    fields.map(|(key, value)| (decoded(key), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
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
