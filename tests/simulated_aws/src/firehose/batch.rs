//! What a function makes of a batch of records.

use super::delivery::{Delivery, Work};
use crate::Account;
use crate::lambda::Refused;
use aws_smithy_types::base64;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::time::Instant;

/// Fact: a function takes 6,291,456 bytes.
const MOST_BYTES: usize = 6_291_456;
/// What a record brings along beside its data and its key, in an event; and an event beside its records.
const ENVELOPE: usize = 420;

/// A record that was read.
#[derive(Debug, Clone)]
pub(super) struct Came {
    pub id: String,
    pub sequence: String,
    pub shard: String,
    pub key: String,
    pub data: Bytes,
    pub arrived: Instant,
    pub read: Instant,
}

/// Records that are transformed together.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub records: Vec<Came>,
    pub tries: u32,
}

impl Came {
    fn in_event(&self) -> usize {
        self.data.len().div_ceil(3) * 4 + self.key.len() + ENVELOPE
    }
}

impl Account {
    /// Cuts batches and has them transformed, as far as that goes.
    pub(super) fn transform(&mut self, work: &Work, delivery: &mut Delivery) {
        let Some(processor) = work.settings.processor.clone() else {
            for record in std::mem::take(&mut delivery.came) {
                self.row(work, delivery, &record.data, record.arrived);
            }
            return;
        };
        // Fact: a batch is complete when it is as large or as old as the processor's buffer says, or when a function
        // couldn't take more.
        loop {
            let (mut bytes, mut event, mut records) = (0, ENVELOPE, 0);
            let mut is_full = false;
            for record in &delivery.came {
                if event + record.in_event() > MOST_BYTES {
                    is_full = true;
                    break;
                }
                (bytes, event, records) = (bytes + record.data.len(), event + record.in_event(), records + 1);
                if bytes >= processor.size {
                    is_full = true;
                    break;
                }
            }
            let oldest = delivery.came.front().map(|record| record.read);
            let is_old = oldest.is_some_and(|read| work.now >= read + processor.interval);
            if records == 0 || !(is_full || is_old || work.last) {
                break;
            }
            let records = delivery.came.drain(..records).collect();
            delivery.batches.push_back(Batch { records, tries: 0 });
        }
        while let Some(mut batch) = delivery.batches.pop_front() {
            let event = self.event(work, &batch, delivery);
            batch.tries += 1;
            match self.invoke(&processor.arn, &event, work.now) {
                Ok(answer) => self.answered(work, delivery, batch, &answer),
                Err(refused) => {
                    self.count("AWS/Firehose", "ExecuteProcessing.Success", &work.name, 0.0);
                    self.log_trouble(work, refused.code, &refused.message, Some(&processor.arn));
                    // Fact: a failed invocation is tried 3 more times, then the whole batch fails.
                    if batch.tries <= processor.retries && !work.last {
                        delivery.batches.push_front(batch);
                        break;
                    }
                    for record in &batch.records {
                        self.fails(work, delivery, record, batch.tries, &refused);
                    }
                }
            }
        }
    }

    /// The event that a function is invoked with.
    fn event(&self, work: &Work, batch: &Batch, delivery: &mut Delivery) -> Vec<u8> {
        let records = batch.records.iter().map(|record| {
            let arrived = self.clock.milliseconds(record.arrived);
            json!({
                "recordId": record.id, "approximateArrivalTimestamp": arrived, "data": base64::encode(&record.data),
                "kinesisRecordMetadata": {
                    "sequenceNumber": record.sequence, "subsequenceNumber": 0, "partitionKey": record.key,
                    "shardId": record.shard, "approximateArrivalTimestamp": arrived,
                },
            })
        });
        let source = self.thing(super::DELIVERY, &work.name).and_then(|thing| thing.facts.get("Source"));
        let event = json!({
            "invocationId": super::keys::uuid(&mut delivery.rng),
            "sourceKinesisStreamArn": source,
            "deliveryStreamArn": self.arn("firehose", &format!("deliverystream/{}", work.name)),
            "region": self.region, "records": records.collect::<Vec<_>>(),
        });
        event.to_string().into_bytes()
    }

    /// Fact: each recordId is answered once, as Ok, Dropped or ProcessingFailed. Missing, doubled, or Ok without data
    /// fails that record; an answer that can't be read fails them all, and isn't retried.
    fn answered(&mut self, work: &Work, delivery: &mut Delivery, batch: Batch, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let records = answer.get("records").and_then(Value::as_array);
        self.count(
            "AWS/Firehose",
            "ExecuteProcessing.Success",
            &work.name,
            f64::from(u8::from(records.is_some())),
        );
        let mut told: HashMap<&str, (&Value, usize)> = HashMap::new();
        for record in records.into_iter().flatten() {
            let id = record.get("recordId").and_then(Value::as_str).unwrap_or_default();
            told.entry(id).and_modify(|(_, times)| *times += 1).or_insert((record, 1));
        }
        let (mut rows, mut bytes) = (0, 0);
        for record in &batch.records {
            let found = told.get(record.id.as_str());
            let result = found.and_then(|(told, _)| told.get("result")).and_then(Value::as_str);
            let data = found.and_then(|(told, _)| told.get("data")).and_then(Value::as_str);
            let data = data.and_then(|data| base64::decode(data).ok());
            let failed = match (found, result, data) {
                _ if records.is_none() => UNREADABLE,
                (None, ..) => MISSING,
                (Some((_, 2..)), ..) => DOUBLED,
                (_, Some("Ok"), Some(data)) => {
                    (rows, bytes) = (rows + 1, bytes + data.len());
                    self.row(work, delivery, &data, record.arrived);
                    continue;
                }
                (_, Some("Dropped"), _) => continue,
                (_, Some("ProcessingFailed"), _) => FAILED,
                _ => UNREADABLE,
            };
            let refused = Refused { code: failed.0, message: failed.1.to_owned() };
            self.fails(work, delivery, record, batch.tries, &refused);
        }
        if records.is_none()
            && let Some(processor) = &work.settings.processor
        {
            self.log_trouble(work, UNREADABLE.0, UNREADABLE.1, Some(&processor.arn));
        }
        self.count("AWS/Firehose", "SucceedProcessing.Records", &work.name, f64::from(rows));
        self.count("AWS/Firehose", "SucceedProcessing.Bytes", &work.name, bytes as f64);
    }

    /// Fact: a delimiter comes after each record.
    fn row(&mut self, work: &Work, delivery: &mut Delivery, data: &[u8], arrived: Instant) {
        let row = [data, &work.settings.delimiter].concat();
        delivery.rows.add(&row, arrived, work.now);
    }

    /// Fact: what failed lands under the error prefix as a line of JSON with the raw data.
    fn fails(&mut self, work: &Work, delivery: &mut Delivery, record: &Came, tries: u32, refused: &Refused) {
        let processor = work.settings.processor.as_ref().map(|it| it.arn.as_str()).unwrap_or_default();
        let line = json!({
            "attemptsMade": tries, "arrivalTimestamp": self.clock.milliseconds(record.arrived),
            "errorCode": refused.code, "errorMessage": refused.message,
            "attemptEndingTimestamp": self.clock.milliseconds(work.now),
            "rawData": base64::encode(&record.data), "lambdaArn": processor,
        });
        delivery.failed.add(format!("{line}\n").as_bytes(), record.arrived, work.now);
    }
}

const MISSING: (&str, &str) = (
    "Lambda.MissingRecordId",
    "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
);
const DOUBLED: (&str, &str) = (
    "Lambda.DuplicatedRecordId",
    "Multiple records were returned with the same record Id. Ensure that the Lambda function returns unique record Ids \
     for each record.",
);
const UNREADABLE: (&str, &str) = (
    "Lambda.JsonProcessingException",
    "There was an error parsing returned records from the Lambda function. Ensure that the returned records follow the \
     status model required by Firehose.",
);
const FAILED: (&str, &str) = ("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record");
