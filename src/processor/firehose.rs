//! What Firehose does around a function: batches of records in, and a judgement of what is answered.
//! <https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html>

use super::api::ANSWER_LIMIT;
use aws_smithy_types::base64;
use serde::Deserialize;
use std::collections::HashMap;

/// How many bytes of records Firehose gathers for an invocation, as `templates/delivery.yaml` says: 1 MiB.
const BATCH_BYTES: usize = 1024 * 1024;
/// What Lambda takes as an event at most, in bytes.
const EVENT_LIMIT: usize = 6_291_456;

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Becomes {
    /// This row.
    Row(Vec<u8>),
    /// Nothing, on purpose.
    Dropped,
    /// An object under the error prefix, for this reason.
    Failed(String),
}

/// A record that is to be transformed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The line that it stands in, from 1.
    pub line: usize,
    /// The line.
    pub data: Vec<u8>,
}

impl Record {
    /// As Firehose names records: 56 digits.
    pub fn id(&self) -> String {
        format!("{:056}", self.line)
    }
}

/// Gathers records into batches.
#[derive(Debug, Default)]
pub struct Gathered {
    records: Vec<Record>,
    bytes: usize,
}

impl Gathered {
    /// Takes a record. Where the batch has no room for it, that batch is returned, and the record begins the next.
    pub fn add(&mut self, record: Record) -> Option<Vec<Record>> {
        let full = !self.records.is_empty() && self.bytes + record.data.len() > BATCH_BYTES
            // The envelope of very small records would be too large.
            || self.records.len() * 600 + self.bytes * 4 / 3 > EVENT_LIMIT - 1024;
        let batch = full.then(|| self.take());
        self.bytes += record.data.len();
        self.records.push(record);
        batch
    }

    /// Takes what is left.
    pub fn take(&mut self) -> Vec<Record> {
        self.bytes = 0;
        std::mem::take(&mut self.records)
    }
}

/// The event for a batch; `None` where Lambda wouldn't take it.
pub fn event(records: &[Record], now: jiff::Timestamp) -> Option<Vec<u8>> {
    let now = now.as_millisecond();
    let mut event = String::from(
        r#"{"invocationId":"test","deliveryStreamArn":"arn:aws:firehose:us-east-1:000000000000:deliverystream/test","sourceKinesisStreamArn":"arn:aws:kinesis:us-east-1:000000000000:stream/test","region":"us-east-1","records":["#,
    );
    for (place, record) in records.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let (id, data) = (record.id(), base64::encode(&record.data));
        event.push_str(&format!(
            r#"{comma}{{"recordId":"{id}","approximateArrivalTimestamp":{now},"data":"{data}","kinesisRecordMetadata":{{"sequenceNumber":"{id}","subsequenceNumber":0,"partitionKey":"test","shardId":"shardId-000000000000","approximateArrivalTimestamp":{now}}}}}"#
        ));
    }
    event.push_str("]}");
    (event.len() <= EVENT_LIMIT).then_some(event.into_bytes())
}

#[derive(Deserialize)]
struct Answer {
    records: Vec<Answered>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    record_id: String,
    result: String,
    data: Option<String>,
}

/// What becomes of a batch's records by this answer. A record that the function fails without a word is looked up in
/// `reasons`, by its id.
pub fn judge(records: &[Record], answer: &[u8], reasons: &HashMap<String, String>) -> Vec<Becomes> {
    let all = |reason: String| records.iter().map(|_| Becomes::Failed(reason.clone())).collect();
    if answer.len() > ANSWER_LIMIT {
        return all(format!(
            "the answer has {} bytes, and Lambda takes {ANSWER_LIMIT}: the whole batch fails",
            answer.len()
        ));
    }
    let answer: Answer = match serde_json::from_slice(answer) {
        Ok(answer) => answer,
        Err(error) => return all(format!("the answer is none that Firehose reads: {error}")),
    };
    let mut answered: HashMap<&str, Vec<&Answered>> = HashMap::new();
    for it in &answer.records {
        answered.entry(&it.record_id).or_default().push(it);
    }
    let one = |record: &Record| match answered.get(record.id().as_str()).map(Vec::as_slice) {
        None => Becomes::Failed("not answered".to_owned()),
        Some([it]) => becomes(it, reasons),
        Some(_) => Becomes::Failed("answered more than once".to_owned()),
    };
    records.iter().map(one).collect()
}

fn becomes(answered: &Answered, reasons: &HashMap<String, String>) -> Becomes {
    match answered.result.as_str() {
        "Ok" => match answered.data.as_deref().map(base64::decode) {
            Some(Ok(row)) => Becomes::Row(row),
            Some(Err(_)) => Becomes::Failed("answered Ok with data that is not base64".to_owned()),
            None => Becomes::Failed("answered Ok without data".to_owned()),
        },
        "Dropped" => Becomes::Dropped,
        "ProcessingFailed" => {
            let reason = reasons.get(&answered.record_id).cloned();
            Becomes::Failed(reason.unwrap_or_else(|| "ProcessingFailed".to_owned()))
        }
        other => Becomes::Failed(format!("answered {other:?}, which Firehose doesn't know")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn records(count: usize) -> Vec<Record> {
        (1..=count).map(|line| Record { line, data: b"x".to_vec() }).collect()
    }

    #[test]
    fn each_record_is_judged_as_firehose_judges_it() {
        let records = records(8);
        let id = |place: usize| records[place].id();
        let answer = json!({ "records": [
            { "recordId": id(0), "result": "Ok", "data": "cm93" },
            { "recordId": id(1), "result": "Dropped" },
            { "recordId": id(2), "result": "ProcessingFailed", "data": "eA==" },
            { "recordId": id(3), "result": "ProcessingFailed" },
            { "recordId": id(4), "result": "Ok" },
            { "recordId": id(5), "result": "Ok", "data": "?" },
            { "recordId": id(6), "result": "Ok", "data": "" }, { "recordId": id(6), "result": "Dropped" },
        ]});
        let reasons = HashMap::from([(id(2), "not JSON".to_owned())]);
        let failed = |reason: &str| Becomes::Failed(reason.to_owned());
        assert_eq!(
            judge(&records, answer.to_string().as_bytes(), &reasons),
            [
                Becomes::Row(b"row".to_vec()),
                Becomes::Dropped,
                failed("not JSON"),
                failed("ProcessingFailed"),
                failed("answered Ok without data"),
                failed("answered Ok with data that is not base64"),
                failed("answered more than once"),
                failed("not answered"),
            ]
        );
    }

    #[test]
    fn an_answer_that_lambda_or_firehose_would_not_take_fails_the_whole_batch() {
        for (answer, reason) in
            [(b"{}".to_vec(), "none that Firehose reads"), (vec![b' '; ANSWER_LIMIT + 1], "Lambda takes")]
        {
            let judged = judge(&records(2), &answer, &HashMap::new());
            assert_eq!(judged.len(), 2);
            for it in judged {
                assert!(matches!(&it, Becomes::Failed(said) if said.contains(reason)), "{it:?}");
            }
        }
    }

    #[test]
    fn batches_stay_within_what_firehose_gathers_and_lambda_takes() {
        for (size, count) in [(1, 20_000), (93, 30_000), (400_000, 10)] {
            let mut gathered = Gathered::default();
            let mut batches: Vec<_> = (1..=count)
                .filter_map(|line| gathered.add(Record { line, data: vec![b'x'; size] }))
                .collect();
            batches.push(gathered.take());
            assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), count, "none is lost");
            for batch in batches {
                assert!(batch.iter().map(|record| record.data.len()).sum::<usize>() <= BATCH_BYTES);
                assert!(
                    event(&batch, jiff::Timestamp::UNIX_EPOCH).is_some(),
                    "{} records of {size}",
                    batch.len()
                );
            }
        }
    }

    #[test]
    fn a_record_that_no_event_has_room_for_is_told() {
        let record = Record { line: 1, data: vec![b'x'; 5_000_000] };
        assert_eq!(event(&[record], jiff::Timestamp::UNIX_EPOCH), None);
    }
}
