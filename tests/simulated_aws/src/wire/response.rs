//! Responses, as each service writes them.

use super::xml::{tag, text};
use super::{Answer, Call, Refusal};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame};
use serde_json::json;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The response that says it.
pub fn response(call: &Call, reply: Result<Answer, Refusal>) -> HttpResponse {
    let is_query = ["cloudformation", "iam", "sts"].contains(&call.service.as_str());
    let operation = &call.operation;
    let status = reply.as_ref().map_or_else(|refusal| refusal.status, |answer| answer.status);
    let headers = reply.as_ref().map(|answer| answer.headers.clone()).unwrap_or_default();
    let code = reply.as_ref().err().map(|refusal| refusal.code.clone());
    let body = match reply {
        // Fact: a HEAD has no body, so no code either.
        _ if operation.starts_with("Head") => Bytes::new(),
        // Whoever stands in between knows nothing of a service's forms.
        Err(Refusal { code, message, .. }) if code.is_empty() => message.into(),
        Ok(answer) if is_query => {
            let result = String::from_utf8_lossy(&answer.body);
            tag(&format!("{operation}Response"), &tag(&format!("{operation}Result"), &result)).into()
        }
        Ok(answer) => answer.body,
        Err(Refusal { code, message, .. }) if is_query => {
            let error = text("Type", "Sender") + &text("Code", &code) + &text("Message", &message);
            tag("ErrorResponse", &tag("Error", &error)).into()
        }
        Err(Refusal { code, message, .. }) if call.service == "s3" => {
            tag("Error", &(text("Code", &code) + &text("Message", &message))).into()
        }
        Err(Refusal { code, message, .. }) if call.service == "monitoring" => {
            super::cbor::written(&json!({"__type": code, "message": message})).into()
        }
        Err(Refusal { code, message, .. }) => json!({"__type": code, "message": message}).to_string().into(),
    };
    let mut response = HttpResponse::new(status_of(status), SdkBody::from(body));
    if call.service == "s3" || is_query {
        response.headers_mut().insert("content-type", "application/xml");
    } else if let Some(code) = code.filter(|code| !code.is_empty()) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    if call.service == "monitoring" {
        response.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
    }
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    response
}

/// What arrives of an answer whose connection breaks half way: less than its length said, which whoever reads it
/// is told.
pub fn cut(response: HttpResponse) -> HttpResponse {
    let body = response.body().bytes().unwrap_or_default();
    let half = Half(Some(Bytes::copy_from_slice(&body[..body.len() / 2])));
    HttpResponse::new(response.status(), SdkBody::from_body_1_x(half))
}

/// Half of a body, then an error.
struct Half(Option<Bytes>);

impl Body for Half {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "the connection broke half way");
        Poll::Ready(Some(self.0.take().map(Frame::data).ok_or_else(broken)))
    }
}

/// 500 where a test's script asks for a status that doesn't exist.
fn status_of(status: u16) -> StatusCode {
    match (StatusCode::try_from(status), StatusCode::try_from(500)) {
        (Ok(status), _) | (_, Ok(status)) => status,
        _ => unreachable!("500 is a status"),
    }
}
