//! Records as one PutRecords call carries them: encoded once, straight into the call's body.
//!
//! The SDK would take each record as a value of its own, copy it for the call and encode it again for each attempt.
//! Here a record is written into the body where it is made, and only one that is refused is ever copied.

use super::base64;
use aws_smithy_types::body::SdkBody;
use serde::Serialize as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// At most so many records go into one call.
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>
pub(in crate::data) const RECORDS_PER_CALL: usize = 500;
/// At most so many bytes of data and keys. AWS takes 10 MiB today, and took 5 for a decade: whatever else answers may
/// still do so.
pub(super) const BYTES_PER_CALL: usize = 5 * 1024 * 1024;
/// At most so many bytes of data and key are in a record, unless the stream was told otherwise.
pub(super) const BYTES_PER_RECORD: usize = 1024 * 1024;

/// A record that waits outside of a call: it was refused, or has to keep its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    json: Box<[u8]>,
    pub(super) mark: Mark,
    /// Whether it was under way already.
    pub(super) attempted: bool,
}

/// What of a record has to be known without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Tells keys apart; two that share one merely wait for each other.
    pub(super) lane: u64,
    /// Bytes of data.
    pub(super) data: u32,
    /// Bytes of data and key, as the limits count them.
    pub(super) size: u32,
}

/// The body of a call in the making.
#[derive(Debug)]
pub(super) struct Batch {
    body: Vec<u8>,
    parts: Vec<Part>,
    size: usize,
}

/// One record's place in the body.
#[derive(Debug, Clone)]
struct Part {
    at: Range<usize>,
    mark: Mark,
}

/// A call's body, as it leaves.
#[derive(Debug)]
pub(super) struct Call {
    body: SdkBody,
    parts: Vec<Part>,
}

impl Batch {
    pub(super) fn new(stream: &str) -> Self {
        let mut body = Vec::with_capacity(96 * 1024);
        body.extend_from_slice(b"{\"StreamName\":");
        write_text(&mut body, stream);
        body.extend_from_slice(b",\"Records\":[");
        Batch { body, parts: Vec::new(), size: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether another record of this size fits.
    pub(super) fn holds(&self, size: usize) -> bool {
        self.parts.is_empty() || self.len() < RECORDS_PER_CALL && self.size + size <= BYTES_PER_CALL
    }

    /// Encodes a record into it.
    pub(super) fn push(&mut self, data: &[u8], key: &str) {
        let at = self.begin();
        write_record(&mut self.body, data, key);
        self.end(at, mark(data, key));
    }

    /// Takes in a record that was encoded before.
    pub(super) fn push_record(&mut self, record: &Record) {
        let at = self.begin();
        self.body.extend_from_slice(&record.json);
        self.end(at, record.mark);
    }

    fn begin(&mut self) -> usize {
        if !self.parts.is_empty() {
            self.body.push(b',');
        }
        self.body.len()
    }

    fn end(&mut self, at: usize, mark: Mark) {
        self.size += mark.size as usize;
        self.parts.push(Part { at: at..self.body.len(), mark });
    }

    pub(super) fn call(mut self) -> Call {
        self.body.extend_from_slice(b"]}");
        Call { body: SdkBody::from(self.body), parts: self.parts }
    }
}

impl Call {
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The body, without a copy of it. `None` would mean that it can be read only once, which it never is.
    pub(super) fn body(&self) -> Option<SdkBody> {
        self.body.try_clone()
    }

    /// Bytes of the body.
    pub(super) fn body_length(&self) -> usize {
        self.body.bytes().map_or(0, <[u8]>::len)
    }

    /// What of its records has to be known, in their order.
    pub(super) fn marks(&self) -> impl Iterator<Item = Mark> + '_ {
        self.parts.iter().map(|part| part.mark)
    }

    /// A record of it, to be sent again.
    pub(super) fn record(&self, place: usize) -> Record {
        let Part { at, mark } = &self.parts[place];
        let json = self.body.bytes().and_then(|bytes| bytes.get(at.clone())).unwrap_or_default();
        Record { json: json.into(), mark: *mark, attempted: true }
    }
}

impl Record {
    pub(super) fn new(data: &[u8], key: &str) -> Self {
        let mut json = Vec::with_capacity(data.len() * 4 / 3 + key.len() + 40);
        write_record(&mut json, data, key);
        Record { json: json.into(), mark: mark(data, key), attempted: false }
    }
}

fn mark(data: &[u8], key: &str) -> Mark {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let short = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    Mark { lane: hasher.finish(), data: short(data.len()), size: short(data.len() + key.len()) }
}

fn write_record(body: &mut Vec<u8>, data: &[u8], key: &str) {
    body.extend_from_slice(b"{\"Data\":\"");
    base64::append(body, data);
    body.extend_from_slice(b"\",\"PartitionKey\":");
    write_text(body, key);
    body.push(b'}');
}

/// Writing into memory can't fail.
fn write_text(body: &mut Vec<u8>, text: &str) {
    let _ = text.serialize(&mut serde_json::Serializer::new(body));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(call: &Call) -> Value {
        serde_json::from_slice(call.body().unwrap().bytes().unwrap()).unwrap()
    }

    #[test]
    fn a_body_is_what_the_service_reads() {
        let mut batch = Batch::new("trades");
        batch.push(b"one", "A");
        batch.push_record(&Record::new(b"two", "say \"B\"\n"));
        let expected = json!({"StreamName": "trades", "Records": [
            {"Data": "b25l", "PartitionKey": "A"},
            {"Data": "dHdv", "PartitionKey": "say \"B\"\n"},
        ]});
        assert_eq!(read(&batch.call()), expected);
    }

    #[test]
    fn a_refused_record_is_sent_again_as_it_was() {
        let mut batch = Batch::new("trades");
        for (data, key) in [("one", "A"), ("two", "B"), ("three", "C")] {
            batch.push(data.as_bytes(), key);
        }
        let refused = batch.call().record(1);
        assert_eq!(refused, Record { attempted: true, ..Record::new(b"two", "B") });
    }

    #[test]
    fn a_call_is_full_by_records_or_by_bytes() {
        let mut batch = Batch::new("trades");
        (0..RECORDS_PER_CALL - 1).for_each(|_| batch.push(b"x", "k"));
        assert!(batch.holds(1));
        batch.push(b"x", "k");
        assert!(!batch.holds(1));

        let mut batch = Batch::new("trades");
        batch.push(&vec![0; BYTES_PER_CALL - 3], "ab");
        assert!(batch.holds(1) && !batch.holds(2));
    }

    proptest! {
        #[test]
        fn any_data_and_any_key_are_carried_as_they_are(records: Vec<(Vec<u8>, String)>) {
            let mut batch = Batch::new("s");
            for (data, key) in &records {
                batch.push(data, key);
            }
            let body = read(&batch.call());
            for (record, (data, key)) in body["Records"].as_array().unwrap().iter().zip(&records) {
                let sent = aws_smithy_types::base64::decode(record["Data"].as_str().unwrap()).unwrap();
                prop_assert_eq!(&sent, data);
                prop_assert_eq!(record["PartitionKey"].as_str().unwrap(), key);
            }
        }
    }
}
