//! Fakes under the real SDK clients: an in-process connector answers each HTTP request, on tokio's time.

pub(super) mod kinesis;
pub(super) mod logs;
pub(super) mod packed;
pub(super) mod s3;

use crate::event::{Event, Question, Reporter};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// What a fake service does with one request.
pub(in crate::data) struct Reply {
    pub after: Duration,
    /// `None` resets the connection instead.
    pub http: Option<Http>,
}

/// Status, headers and body.
pub(in crate::data) type Http = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// An HTTP client whose every request goes to `answer`.
pub(in crate::data) fn http_client(
    answer: impl Fn(&HttpRequest) -> Reply + Send + Sync + 'static,
) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Fake(Arc::new(answer)));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Clone)]
struct Fake<F>(Arc<F>);

impl<F> fmt::Debug for Fake<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

impl<F: Fn(&HttpRequest) -> Reply + Send + Sync + 'static> HttpConnector for Fake<F> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Reply { after, http } = (self.0)(&request);
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(after).await;
            let Some((status, headers, body)) = http else {
                return Err(ConnectorError::io("connection reset by peer".into()));
            };
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            for (name, value) in headers {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        })
    }
}

/// Keeps every event with its time.
#[derive(Default)]
pub(in crate::data) struct Recorder(Mutex<Vec<(Instant, Event)>>);

impl Recorder {
    pub(in crate::data) fn events(&self) -> Vec<(Instant, Event)> {
        self.0.lock().unwrap().clone()
    }
}

impl Reporter for Recorder {
    fn tell(&self, event: &Event) {
        self.0.lock().unwrap().push((Instant::now(), event.clone()));
    }

    fn ask(&self, _: &Question) -> Option<bool> {
        None
    }
}
