//! A bucket that answers ListObjectsV2 and GetObject, in pages and with faults.

use super::{Http, Reply, http_client};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(in crate::data) const ACCOUNT: &str = "123456789012";
const PAGE: usize = 3;

/// What goes wrong with one request.
#[derive(Clone, Copy)]
pub(in crate::data) enum Fault {
    SlowDown,
    AccessDenied,
    NoSuchKey,
    /// The body breaks off after so many bytes.
    Cut(usize),
}

#[derive(Default)]
struct State {
    /// Content and time by key.
    objects: BTreeMap<String, (Vec<u8>, i64)>,
    /// `list`, or the key and the range of a GET.
    requests: Vec<String>,
}

pub(in crate::data) struct FakeBucket {
    pub client: aws_sdk_s3::Client,
    state: Arc<Mutex<State>>,
}

impl FakeBucket {
    /// `script` is given the request (`list`, or a key and the range asked for) and how many like it there
    /// were before. Every answer takes 50 ms.
    pub(in crate::data) fn new(
        script: impl Fn(&str, usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let http = http_client(move |request| {
            assert_eq!(request.headers().get("x-amz-expected-bucket-owner"), Some(ACCOUNT));
            let mut state = shared.lock().unwrap();
            let what = what(request);
            let before = state.requests.iter().filter(|earlier| **earlier == what).count();
            let fault = script(&what, before);
            state.requests.push(what);
            Reply { after: Duration::from_millis(50), http: Some(state.answer(request, fault)) }
        });
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            // It judges by the system's clock, but sleeps on tokio's.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .force_path_style(true)
            .http_client(http);
        FakeBucket { client: aws_sdk_s3::Client::from_conf(config.build()), state }
    }

    /// Puts an object that was last modified so many seconds after 2026 began.
    pub(in crate::data) fn put(&self, key: &str, second: i64, body: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().objects.insert(key.to_owned(), (body.into(), second));
    }

    /// Every request so far: `list`, or a key with the range asked for.
    pub(in crate::data) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

fn what(request: &HttpRequest) -> String {
    let path =
        request.uri().split('?').next().unwrap().split_once("/bucket").unwrap().1.trim_start_matches('/');
    match request.headers().get("range") {
        _ if path.is_empty() => "list".to_owned(),
        Some(range) => format!("{path} {range}"),
        None => path.to_owned(),
    }
}

impl State {
    fn answer(&self, request: &HttpRequest, fault: Option<Fault>) -> Http {
        let (what, mut cut) = (what(request), usize::MAX);
        match fault {
            Some(Fault::SlowDown) => return error(503, "SlowDown"),
            Some(Fault::AccessDenied) => return error(403, "AccessDenied"),
            Some(Fault::NoSuchKey) => return error(404, "NoSuchKey"),
            Some(Fault::Cut(at)) => cut = at,
            None if what == "list" => {
                return (200, vec![], self.page(request.uri().split_once('?').unwrap().1));
            }
            None => {}
        }
        let key = what.split(' ').next().unwrap();
        let (body, second) = &self.objects[key];
        if let Some(expected) = request.headers().get("if-match") {
            assert_eq!(expected, etag(body, *second));
        }
        let from = request
            .headers()
            .get("range")
            .map_or(0, |range| range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap());
        let body_left = &body[from..];
        let headers = vec![("content-length", body_left.len().to_string()), ("etag", etag(body, *second))];
        (if from > 0 { 206 } else { 200 }, headers, body_left[..cut.min(body_left.len())].to_vec())
    }

    fn page(&self, query: &str) -> Vec<u8> {
        let parameter = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            value.map(|value| value.replace("%2F", "/"))
        };
        let (prefix, after) =
            (parameter("prefix").unwrap(), parameter("continuation-token").unwrap_or_default());
        let mut found = self
            .objects
            .range::<str, _>((Excluded(after.as_str()), Unbounded))
            .filter(|(key, _)| key.starts_with(&prefix));
        let mut xml = "<ListBucketResult>".to_owned();
        let mut last = String::new();
        for (key, (body, second)) in found.by_ref().take(PAGE) {
            let modified = jiff::Timestamp::from_second(1_767_225_600 + second).unwrap();
            let (etag, size) = (etag(body, *second), body.len());
            write!(xml, "<Contents><Key>{key}</Key><LastModified>{modified}</LastModified>").unwrap();
            write!(xml, "<ETag>{etag}</ETag><Size>{size}</Size></Contents>").unwrap();
            last.clone_from(key);
        }
        match found.next() {
            Some(_) => write!(
                xml,
                "<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>"
            ),
            None => write!(xml, "<IsTruncated>false</IsTruncated>"),
        }
        .unwrap();
        (xml + "</ListBucketResult>").into_bytes()
    }
}

fn etag(body: &[u8], second: i64) -> String {
    format!("\"{}-{second}\"", body.len())
}

fn error(status: u16, code: &str) -> Http {
    (status, vec![], format!("<Error><Code>{code}</Code><Message>scripted</Message></Error>").into_bytes())
}
