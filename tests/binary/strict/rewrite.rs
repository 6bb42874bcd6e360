//! What a request asks for, and what its answer becomes. No network.

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_yaml::Value;

/// By the scope of the signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
pub fn service(request: &HttpRequest) -> &str {
    let authorization = request.headers().get("authorization").unwrap_or_default();
    authorization.split('/').nth(3).unwrap_or_default()
}

/// Bucket and key of a request to S3 with its bucket in the path. Either can be empty.
pub fn place(request: &HttpRequest) -> (String, String) {
    let path = path_and_query(request).split('?').next().unwrap_or_default().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (bucket.to_owned(), key.to_owned())
}

/// Without what the SDK adds for itself.
pub fn query(request: &HttpRequest) -> String {
    let query = path_and_query(request).split_once('?').map_or("", |(_, query)| query);
    let meant: Vec<&str> = query.split('&').filter(|part| !part.starts_with("x-id=")).collect();
    meant.join("&")
}

fn path_and_query(request: &HttpRequest) -> &str {
    let uri = request.uri().trim_start_matches("http://");
    uri.find('/').map_or("/", |at| &uri[at..])
}

/// The same request to another server.
pub fn send_to(request: &mut HttpRequest, upstream: &str) {
    request.set_uri(format!("{upstream}{}", path_and_query(request))).unwrap();
    // The body is here in full, and so comes with its length.
    for name in ["expect", "transfer-encoding", "content-length"] {
        request.headers_mut().remove(name);
    }
}

/// The name or id of the stack that is to be deleted.
pub fn deleted_stack(request: &HttpRequest) -> Option<String> {
    let form = String::from_utf8_lossy(request.body().bytes()?);
    let field = |name: &str| {
        let value = form.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
        // All that names and ids need.
        Some(value.replace("%3A", ":").replace("%2F", "/"))
    };
    field("Action").filter(|action| action == "DeleteStack").and_then(|_| field("StackName"))
}

/// The logical ids of a template's buckets that are deleted with the stack.
pub fn buckets_not_retained(template: &str) -> Vec<String> {
    let template: Value = serde_yaml::from_str(template).unwrap();
    let resources = template["Resources"].as_mapping().unwrap().iter();
    let buckets = resources.filter(|(_, resource)| resource["Type"].as_str() == Some("AWS::S3::Bucket"));
    let retained = ["Retain", "RetainExceptOnCreate"];
    let gone =
        buckets.filter(|(_, it)| !it["DeletionPolicy"].as_str().is_some_and(|it| retained.contains(&it)));
    gone.map(|(id, _)| id.as_str().unwrap().to_owned()).collect()
}

/// Whether a call deletes more than one object: one that is taken out mustn't be all of it.
pub fn has_several_keys(request: &HttpRequest) -> bool {
    String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).matches("<Object>").count() > 1
}

/// Takes the first object out of a DeleteObjects call.
pub fn take_key_out(request: &mut HttpRequest) -> Option<String> {
    let body = String::from_utf8(request.body().bytes()?.to_vec()).ok()?;
    let (before, rest) = body.split_once("<Object>")?;
    let (object, after) = rest.split_once("</Object>")?;
    let without = format!("{before}{after}");
    *request.body_mut() = SdkBody::from(without);
    let checked = |name: &str| name == "content-md5" || name.starts_with("x-amz-checksum-");
    let checks: Vec<String> =
        request.headers().iter().map(|(name, _)| name.to_owned()).filter(|name| checked(name)).collect();
    for name in checks {
        request.headers_mut().remove(name);
    }
    Some(object.to_owned())
}

/// Says in the answer that the object that was taken out is refused.
pub fn put_refused_key_in(answer: &mut HttpResponse, object: &str) {
    const END: &str = "</DeleteResult>";
    let body = String::from_utf8(answer.body().bytes().unwrap().to_vec()).unwrap();
    // Without a result it has no end of its own.
    let body =
        if body.contains(END) { body } else { body.trim_end().trim_end_matches("/>").to_owned() + ">" + END };
    let code =
        "<Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message>";
    let with = body.replace(END, &format!("<Error>{object}{code}</Error>{END}"));
    *answer.body_mut() = SdkBody::from(with);
    answer.headers_mut().remove("content-length");
}

/// A refusal as XML, on its own as S3 sends it, which CloudFormation's clients read as well.
pub fn refusal(status: u16, code: &str, message: &str) -> HttpResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <RequestId>DOUBLE</RequestId></Error>"
    );
    let mut answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
    answer.headers_mut().insert("content-type", "application/xml");
    answer
}
