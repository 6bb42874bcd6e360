//! A stream that takes PutRecords calls and does with them what a test's script says.

use super::{Reply, http_client};
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// What the stream does with one call.
pub(in crate::data) enum Answer {
    /// A 200 that refuses the records for which this is true, by their place in the call.
    Refuse(fn(usize) -> bool),
    /// An error of the whole call, by status and code.
    Error(u16, &'static str),
    /// No answer, and nothing taken.
    Reset,
    /// No answer, but everything taken.
    TakeAndReset,
    /// Everything taken, after so long.
    Slow(Duration),
}

pub(in crate::data) const ACCEPT: Answer = Answer::Refuse(|_| false);

/// One call as it arrived.
pub(in crate::data) struct Call {
    pub at: Instant,
    pub ids: Vec<u64>,
    pub body: Value,
}

pub(in crate::data) struct FakeStream {
    pub client: aws_sdk_kinesis::Client,
    log: Arc<Mutex<(Vec<Call>, Vec<u64>)>>,
}

impl FakeStream {
    /// `script` is given the number of the call, from 0 on. Every answer takes 100 ms unless it says otherwise.
    pub(in crate::data) fn new(script: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let log = Arc::new(Mutex::new((Vec::new(), Vec::new())));
        let shared = Arc::clone(&log);
        let http = http_client(move |request| {
            assert_eq!(request.headers().get("x-amz-target"), Some("Kinesis_20131202.PutRecords"));
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            let ids: Vec<u64> = body["Records"].as_array().unwrap().iter().map(id).collect();
            let (calls, accepted) = &mut *shared.lock().unwrap();
            let answer = script(calls.len());
            calls.push(Call { at: Instant::now(), ids: ids.clone(), body });
            reply(answer, &ids, accepted)
        });
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(http);
        FakeStream { client: aws_sdk_kinesis::Client::from_conf(config.build()), log }
    }

    /// The ids of all records accepted, in order of arrival.
    pub(in crate::data) fn accepted(&self) -> Vec<u64> {
        self.log.lock().unwrap().1.clone()
    }

    /// Hands every call made so far to `look`.
    pub(in crate::data) fn calls<T>(&self, look: impl Fn(&Call) -> T) -> Vec<T> {
        self.log.lock().unwrap().0.iter().map(look).collect()
    }
}

fn id(record: &Value) -> u64 {
    let data = aws_smithy_types::base64::decode(record["Data"].as_str().unwrap()).unwrap();
    let trade: Value = serde_json::from_slice(&data).unwrap();
    assert_eq!(trade["tickerSymbol"], record["PartitionKey"]);
    trade["id"].as_u64().unwrap()
}

fn reply(answer: Answer, ids: &[u64], accepted: &mut Vec<u64>) -> Reply {
    let (mut after, mut refuse): (_, fn(usize) -> bool) = (Duration::from_millis(100), |_| false);
    match answer {
        Answer::Refuse(script) => refuse = script,
        Answer::Slow(latency) => after = latency,
        Answer::Reset => return Reply { after, http: None },
        Answer::TakeAndReset => {
            accepted.extend(ids);
            return Reply { after, http: None };
        }
        Answer::Error(status, code) => {
            let body = json!({"__type": code, "message": "so the script says"});
            return Reply { after, http: Some((status, vec![], body.to_string().into_bytes())) };
        }
    }
    let results: Vec<Value> = (ids.iter().enumerate())
        .map(|(place, id)| {
            if refuse(place) {
                return json!({"ErrorCode": "ProvisionedThroughputExceededException",
                              "ErrorMessage": "Rate exceeded for shard shardId-000000000000"});
            }
            accepted.push(*id);
            json!({"SequenceNumber": id.to_string(), "ShardId": "shardId-000000000000"})
        })
        .collect();
    let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
    let body = json!({"FailedRecordCount": failed, "Records": results});
    Reply { after, http: Some((200, vec![], body.to_string().into_bytes())) }
}
