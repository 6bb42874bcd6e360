//! Lambda's Runtime API, as far as one function needs it: the next event, and its answer.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
//!
//! Spoken over the HTTP client that the SDK brings. The crate `lambda_runtime` does the same, but brings a second
//! client, a server's framework and several hundred KB for a program that everybody downloads and one function runs.

use crate::error::Error;
use anyhow::{Context as _, Result, bail};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The way to the service that has this process run.
#[derive(Debug)]
pub struct Runtime {
    /// Host and port.
    api: String,
    connector: Connector,
}

/// What the function was called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The call's own id.
    pub request_id: String,
    /// When the function is stopped, ready or not.
    pub deadline: Timestamp,
    /// The event, as it came.
    pub event: Vec<u8>,
}

impl Runtime {
    /// The service that these variables name; `None` where this process is no function. One that was started with
    /// arguments is none, wherever it runs, nor is one in whose shell somebody has set one of the variables alone.
    pub fn of(arguments: usize, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let api = set("AWS_LAMBDA_RUNTIME_API").filter(|_| arguments == 0)?;
        set("_HANDLER").or_else(|| set("AWS_LAMBDA_FUNCTION_NAME"))?;
        // Without any time-out: the next event may be hours away, and the process sleeps until then.
        Some(Runtime { api, connector: Connector::builder().build_http() })
    }

    /// Waits for the next event.
    pub async fn next(&self) -> Result<Call> {
        let response = self.send("GET", "invocation/next", Vec::new(), None).await?;
        let header = |name: &str| response.headers().get(name).unwrap_or_default().to_owned();
        let (request_id, deadline) =
            (header("lambda-runtime-aws-request-id"), header("lambda-runtime-deadline-ms"));
        let deadline = deadline.parse().ok().and_then(|time| Timestamp::from_millisecond(time).ok());
        let deadline = deadline.context("the Runtime API tells no deadline")?;
        let event = body(response).await.context("cannot read the event")?;
        Ok(Call { request_id, deadline, event })
    }

    /// Answers an event.
    pub async fn answer(&self, call: &Call, answer: &Value) -> Result<()> {
        let path = format!("invocation/{}/response", call.request_id);
        self.send("POST", &path, answer.to_string().into_bytes(), None).await.map(|_| ())
    }

    /// Says that the event could not be answered.
    pub async fn fail(&self, call: &Call, error: &Error) -> Result<()> {
        self.tell(&format!("invocation/{}/error", call.request_id), error).await
    }

    async fn tell(&self, path: &str, error: &Error) -> Result<()> {
        let kind = serde_json::to_value(error.kind)?;
        let kind = kind.as_str().unwrap_or("failed");
        let text =
            json!({ "errorType": kind, "errorMessage": error.to_string(), "stackTrace": error.remedies });
        self.send("POST", path, text.to_string().into_bytes(), Some(kind)).await.map(|_| ())
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        content: Vec<u8>,
        error: Option<&str>,
    ) -> Result<HttpResponse> {
        let mut request = HttpRequest::new(SdkBody::from(content));
        request.set_method(method)?;
        request.set_uri(format!("http://{}/2018-06-01/runtime/{path}", self.api))?;
        request.headers_mut().insert("content-type", "application/json");
        if let Some(error) = error {
            request.headers_mut().insert("lambda-runtime-function-error-type", error.to_owned());
        }
        let doing = || format!("{method} {path} of Lambda's Runtime API");
        let response = self.connector.call(request).await.with_context(doing)?;
        if !response.status().is_success() {
            let status = response.status();
            let text = body(response).await.unwrap_or_default();
            bail!("{} answers {status}: {}", doing(), String::from_utf8_lossy(&text));
        }
        Ok(response)
    }
}

async fn body(response: HttpResponse) -> Result<Vec<u8>> {
    Ok(ByteStream::new(response.into_body()).collect().await?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_a_function_only_where_lambda_says_so_twice() {
        let address = || Some("127.0.0.1:1".to_owned());
        let runtime = |set: &[&str]| Runtime::of(0, |name| address().filter(|_| set.contains(&name)));
        assert!(runtime(&["AWS_LAMBDA_RUNTIME_API", "_HANDLER"]).is_some());
        assert!(runtime(&["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME"]).is_some());
        for one in ["AWS_LAMBDA_RUNTIME_API", "_HANDLER", "AWS_LAMBDA_FUNCTION_NAME"] {
            assert!(runtime(&[one]).is_none(), "{one}");
        }
        assert!(Runtime::of(0, |_| Some(String::new())).is_none());
        // `kinesis-stack up` inside somebody's function.
        assert!(Runtime::of(1, |_| address()).is_none());
    }
}
