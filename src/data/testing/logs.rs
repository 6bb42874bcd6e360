//! Log groups that answer FilterLogEvents in pages, and StartLiveTail with what a script says.

use super::{Http, Reply, http_client};
use aws_sdk_cloudwatchlogs::config::{BehaviorVersion, Credentials, Region};
use flate2::Crc;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// What becomes of a call instead of its answer.
#[derive(Clone)]
pub(in crate::data) enum Instead {
    Refuse(&'static str),
    /// An event stream of these sessions' events, that ends then.
    Tail(Vec<Value>),
    /// An empty page, and more to come.
    Nothing,
}

#[derive(Default)]
struct State {
    /// By group: stream, time, message and id of each event.
    groups: BTreeMap<String, Vec<(String, i64, String, usize)>>,
    calls: Vec<(String, Instant)>,
}

pub(in crate::data) struct FakeLogs {
    pub client: aws_sdk_cloudwatchlogs::Client,
    state: Arc<Mutex<State>>,
}

impl FakeLogs {
    /// Pages of at most so many events. Without `tokens` a page is the end, as an emulator has it, and events have no
    /// ids. `script` is given the operation and how many calls of it there were before. Every answer takes 50 ms.
    pub(in crate::data) fn new(
        page: usize,
        tokens: bool,
        script: impl Fn(&str, usize) -> Option<Instead> + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let http = http_client(move |request| {
            let target = request.headers().get("x-amz-target").unwrap();
            let operation = target.split('.').next_back().unwrap().to_owned();
            let mut state = shared.lock().unwrap();
            let before = state.calls.iter().filter(|(called, _)| *called == operation).count();
            state.calls.push((operation.clone(), Instant::now()));
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            let http = match script(&operation, before) {
                Some(Instead::Refuse(code)) => refusal(code),
                Some(Instead::Tail(events)) => tail(&events),
                Some(Instead::Nothing) => {
                    let token = body["nextToken"].as_str().unwrap_or("0");
                    (200, vec![], json!({"events": [], "nextToken": token}).to_string().into_bytes())
                }
                None if operation == "FilterLogEvents" => state.page(&body, page, tokens),
                None => refusal("UnknownOperationException"),
            };
            Reply { after: Duration::from_millis(50), http: Some(http) }
        });
        let config = aws_sdk_cloudwatchlogs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(http);
        FakeLogs { client: aws_sdk_cloudwatchlogs::Client::from_conf(config.build()), state }
    }

    /// Logs something. The group is made where it isn't there.
    pub(in crate::data) fn put(&self, group: &str, stream: &str, time: i64, message: &str) {
        self.put_later(group, stream, time, message);
        self.sort();
    }

    /// The same for many, which [`FakeLogs::sort`] brings in order.
    pub(in crate::data) fn put_later(&self, group: &str, stream: &str, time: i64, message: &str) {
        let mut state = self.state.lock().unwrap();
        let events = state.groups.entry(group.to_owned()).or_default();
        let id = events.len();
        events.push((stream.to_owned(), time, message.to_owned(), id));
    }

    pub(in crate::data) fn sort(&self) {
        self.state.lock().unwrap().groups.values_mut().for_each(|events| events.sort_by_key(|it| it.1));
    }

    /// When each operation was called.
    pub(in crate::data) fn calls(&self) -> Vec<(String, Instant)> {
        self.state.lock().unwrap().calls.clone()
    }
}

impl State {
    fn page(&self, body: &Value, most: usize, tokens: bool) -> Http {
        let Some(events) = self.groups.get(body["logGroupName"].as_str().unwrap()) else {
            return refusal("ResourceNotFoundException");
        };
        let start = body["startTime"].as_i64().unwrap_or_default();
        let most = most.min(usize::try_from(body["limit"].as_u64().unwrap()).unwrap());
        let from: usize = body["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let wanted: Vec<_> = events.iter().filter(|(_, time, ..)| *time >= start).collect();
        let told = |(stream, time, message, id): &&(String, i64, String, usize)| {
            let mut event = json!({"logStreamName": stream, "timestamp": time, "message": message});
            if tokens {
                event["eventId"] = json!(id.to_string());
            }
            event
        };
        let page: Vec<Value> = wanted.iter().skip(from).take(most).map(told).collect();
        let next = from + page.len();
        let mut answer = json!({"events": page});
        if tokens && next < wanted.len() {
            answer["nextToken"] = json!(next.to_string());
        }
        (200, vec![], answer.to_string().into_bytes())
    }
}

fn refusal(code: &str) -> Http {
    let body = json!({"__type": code, "message": "scripted"}).to_string();
    (400, vec![("x-amzn-errortype", code.to_owned())], body.into_bytes())
}

/// An event of a live tail session, as [`Instead::Tail`] takes it.
pub(in crate::data) fn live(group: &str, stream: &str, time: i64, message: &str) -> Value {
    json!({"logGroupIdentifier": format!("123456789012:{group}"), "logStreamName": stream, "timestamp": time,
        "ingestionTime": time, "message": message})
}

fn tail(events: &[Value]) -> Http {
    let update = json!({"sessionMetadata": {"sampled": false}, "sessionResults": events});
    let frames = [
        frame("initial-response", &json!({})),
        frame("sessionStart", &json!({"sessionId": "s", "logGroupIdentifiers": []})),
        frame("sessionUpdate", &update),
    ];
    (200, vec![("content-type", "application/vnd.amazon.eventstream".to_owned())], frames.concat())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html> has the same frames.
fn frame(event: &str, payload: &Value) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":message-type", "event"), (":event-type", event), (":content-type", "application/json")]
    {
        headers.push(name.len() as u8);
        headers.extend(name.as_bytes());
        headers.push(7);
        headers.extend((value.len() as u16).to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let payload = payload.to_string().into_bytes();
    let total = 12 + headers.len() + payload.len() + 4;
    let mut frame = (total as u32).to_be_bytes().to_vec();
    frame.extend((headers.len() as u32).to_be_bytes());
    frame.extend(sum(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload);
    frame.extend(sum(&frame).to_be_bytes());
    frame
}

fn sum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
