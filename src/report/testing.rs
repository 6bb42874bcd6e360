//! What tests of this room share: a buffer to print into, one sample of each event, and whole runs.

mod runs;
mod samples;

pub use runs::{Run, cancelled, created, down, failed, recovered, replaced};
pub use samples::samples;

use crate::event::{Event, Progress, ResourceEvent, Usual};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// The stack of all samples.
pub const STACK: &str = "kinesis-stack-dev";

/// Bytes that were printed.
#[derive(Clone, Default)]
pub struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// As text.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Name, type, and how long a creation usually takes.
type Known = (&'static str, &'static str, Option<(f64, f64)>);

/// The resources of samples.
const RESOURCES: &[Known] = &[
    (STACK, "AWS::CloudFormation::Stack", None),
    ("Stream", "AWS::Kinesis::Stream", Some((15.0, 40.0))),
    ("Bucket", "AWS::S3::Bucket", Some((15.0, 25.0))),
    ("ProcessorRole", "AWS::IAM::Role", Some((15.0, 20.0))),
    ("DeliveryRole", "AWS::IAM::Role", Some((15.0, 20.0))),
    ("ProcessorLogs", "AWS::Logs::LogGroup", Some((2.0, 12.0))),
    ("Processor", "AWS::Lambda::Function", Some((6.0, 25.0))),
    ("Delivery", "AWS::KinesisFirehose::DeliveryStream", Some((60.0, 120.0))),
];

/// A resource enters a state; the state is its last one where it took seconds.
pub fn resource(logical_id: &str, status: &str, seconds: Option<f64>) -> Event {
    let (_, resource_type, usual) = RESOURCES.iter().find(|(name, ..)| *name == logical_id).unwrap();
    let progress = match status {
        _ if status.ends_with("FAILED") || status.ends_with("ROLLBACK_COMPLETE") => Progress::Failed,
        _ if status.ends_with("COMPLETE") || status.ends_with("SKIPPED") => Progress::Complete,
        _ => Progress::Working,
    };
    Event::Resource(ResourceEvent {
        logical_id: logical_id.to_owned(),
        resource_type: (*resource_type).to_owned(),
        status: status.to_owned(),
        progress,
        reason: None,
        seconds,
        usual: usual.map(|(least, most)| Usual { least, most }),
    })
}

/// The same with CloudFormation's sentence.
pub fn refused(logical_id: &str, status: &str, seconds: f64, reason: &str) -> Event {
    match resource(logical_id, status, Some(seconds)) {
        Event::Resource(event) => Event::Resource(ResourceEvent { reason: Some(reason.to_owned()), ..event }),
        event => event,
    }
}
