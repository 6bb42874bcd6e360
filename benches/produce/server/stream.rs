//! The stream: what it takes, and what it says to that.

use super::served::cpu_seconds;
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Instant;

/// A shard takes so many records a second.
const LIMIT: f64 = 1_000.0;

pub struct Stream {
    /// What each shard could take at once at that time; none where it takes everything.
    shards: Vec<(f64, Instant)>,
    taken: u64,
    refused: u64,
    calls: u64,
    /// The answers to calls of which everything is taken, by their number of records.
    answers: BTreeMap<usize, Vec<u8>>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(rename = "PartitionKey", borrow)]
    key: std::borrow::Cow<'a, str>,
}

impl Stream {
    pub fn new(shards: usize) -> Self {
        let shards = vec![(LIMIT, Instant::now()); shards];
        Stream { shards, taken: 0, refused: 0, calls: 0, answers: BTreeMap::new() }
    }

    pub fn put_records(&mut self, body: &[u8]) -> Vec<u8> {
        self.calls += 1;
        if self.shards.is_empty() {
            // Each record has one, and no base64 has it: that is all that has to be known.
            let count = body.windows(15).filter(|it| *it == b"\"PartitionKey\":").count()
                + body.windows(15).filter(|it| *it == b"\"PartitionKey\" ").count();
            self.taken += count as u64;
            return self.answers.entry(count).or_insert_with(|| all_taken(count)).clone();
        }
        let Ok(body) = serde_json::from_slice::<Body<'_>>(body) else { return b"{}".to_vec() };
        let (mut told, mut failed) = (Vec::with_capacity(body.records.len()), 0);
        for record in body.records {
            let digest: [u8; 16] = Md5::digest(record.key.as_bytes()).into();
            let width = u128::MAX / self.shards.len() as u128 + 1;
            let number = (u128::from_be_bytes(digest) / width) as usize;
            let (room, at) = &mut self.shards[number];
            let now = Instant::now();
            (*room, *at) = ((*room + (now - *at).as_secs_f64() * LIMIT).min(LIMIT), now);
            let shard = format!("shardId-{number:012}");
            if *room < 1.0 {
                failed += 1;
                let message = format!("Rate exceeded for shard {shard} in stream trades under account 0.");
                let code = "ProvisionedThroughputExceededException";
                told.push(json!({"ErrorCode": code, "ErrorMessage": message}));
                continue;
            }
            *room -= 1.0;
            self.taken += 1;
            told.push(json!({"SequenceNumber": sequence(self.taken), "ShardId": shard}));
        }
        self.refused += failed;
        json!({"FailedRecordCount": failed, "Records": told}).to_string().into_bytes()
    }

    pub fn state(&self) -> Vec<u8> {
        let Stream { taken, refused, calls, .. } = self;
        json!({"taken": taken, "refused": refused, "calls": calls, "cpu_seconds": cpu_seconds()})
            .to_string()
            .into_bytes()
    }
}

fn sequence(number: u64) -> String {
    format!("496{number:053}")
}

fn all_taken(count: usize) -> Vec<u8> {
    let record = |number: usize| json!({"SequenceNumber": sequence(number as u64), "ShardId": format!("shardId-{:012}", number % 4)});
    let records: Vec<_> = (0..count).map(record).collect();
    json!({"FailedRecordCount": 0, "Records": records}).to_string().into_bytes()
}
