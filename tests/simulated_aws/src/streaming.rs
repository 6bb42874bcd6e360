//! Answers that go on: event streams, pushed while time passes.

use crate::kinesis::Subscription;
use crate::logs::Tail;
use crate::{Account, Aws};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use serde_json::Value;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// Where an event stream comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A shard, pushed to a consumer.
    Shard(Subscription),
    /// Log lines as they come.
    Tail(Tail),
}

/// An event or an exception of an event stream.
#[derive(Debug, Clone)]
pub(crate) struct Event(Message);

/// What comes next.
#[derive(Debug, Clone)]
pub(crate) enum Next {
    /// These, and then, after so long, more.
    Events(Vec<Event>, Duration),
    /// These, and nothing more.
    End(Vec<Event>),
}

impl Event {
    /// An event of this type.
    pub fn new(kind: &'static str, payload: &Value) -> Self {
        Event::with(("event", ":event-type"), kind, payload)
    }

    /// An exception of this type, after which nothing comes.
    pub fn exception(kind: &'static str, message: &str) -> Self {
        Event::with(("exception", ":exception-type"), kind, &serde_json::json!({"message": message}))
    }

    fn with((message, name): (&'static str, &'static str), kind: &'static str, payload: &Value) -> Self {
        let text = |text: &'static str| HeaderValue::String(text.into());
        let message = Message::new(payload.to_string())
            .add_header(Header::new(":message-type", text(message)))
            .add_header(Header::new(name, text(kind)))
            .add_header(Header::new(":content-type", text("application/json")));
        Event(message)
    }
}

impl Source {
    fn next(&mut self, account: &mut Account) -> Next {
        match self {
            Source::Shard(subscription) => subscription.next(account),
            Source::Tail(tail) => tail.next(account),
        }
    }
}

/// The body of an answer that goes on.
pub(crate) struct Pushed {
    aws: Aws,
    region: String,
    source: Option<Source>,
    until: Pin<Box<Sleep>>,
    begun: bool,
}

impl Pushed {
    /// What a source pushes from now on, in a region of the account.
    pub fn new(aws: Aws, region: &str, source: Source) -> Self {
        let until = Box::pin(tokio::time::sleep(Duration::ZERO));
        Pushed { aws, region: region.to_owned(), source: Some(source), until, begun: false }
    }
}

impl Body for Pushed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if self.source.is_none() {
                return Poll::Ready(None);
            }
            if self.until.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let this = &mut *self;
            let mut account = this.aws.now();
            let clock = account.clock;
            let of = if this.region.is_empty() { account.region.clone() } else { this.region.clone() };
            if this.begun && account.script.broken_streams > 0 {
                account.script.broken_streams -= 1;
                this.source = None;
                let broken = io::Error::new(io::ErrorKind::UnexpectedEof, "the connection broke");
                return Poll::Ready(Some(Err(broken)));
            }
            let Some(source) = &mut this.source else { return Poll::Ready(None) };
            let next = source.next(account.in_region(&of));
            drop(account);
            let events = match next {
                Next::Events(events, after) => {
                    this.until = Box::pin(tokio::time::sleep(clock.real(after)));
                    events
                }
                Next::End(events) => {
                    this.source = None;
                    events
                }
            };
            let mut bytes = BytesMut::new();
            for Event(message) in &events {
                write_message_to(message, &mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
            }
            if !bytes.is_empty() {
                this.begun = true;
                return Poll::Ready(Some(Ok(Frame::data(bytes.freeze()))));
            }
        }
    }
}
