//! One shard, read by SubscribeToShard, and the consumer that does so: registered for a run, removed after it.
//!
//! The service speaks HTTP/2 there, which the connector agrees on over TLS; over plain HTTP it is HTTP/1.1.

use super::place::Position;
use super::stream::{Chunk, Patience, Stream};
use crate::cloud::fault;
use crate::cloud::tries::Tries;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::Context;
use anyhow::{Context as _, Result, anyhow};
use aws_sdk_kinesis::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::describe_stream_consumer::{
    DescribeStreamConsumerError, DescribeStreamConsumerOutput,
};
use aws_sdk_kinesis::operation::subscribe_to_shard::{SubscribeToShardError, SubscribeToShardOutput};
use aws_sdk_kinesis::types::{ConsumerStatus, StartingPosition, SubscribeToShardEventStream};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What our consumers' names begin with. The rest tells runs apart.
const PREFIX: &str = "kinesis-stack-consume-";
/// A consumer is ready within seconds; after so long something is wrong.
const READY_WITHIN: Duration = Duration::from_mins(2);
/// How long removing it may take: one that is still being made can't be removed yet.
const REMOVED_WITHIN: Duration = Duration::from_secs(20);
/// A subscription tells something every few seconds, if only that there is nothing.
const SILENCE: Duration = Duration::from_secs(40);
/// The same consumer may subscribe to a shard again only after so long.
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html>
const APART: Duration = Duration::from_secs(5);

/// A consumer with a throughput of its own.
#[derive(Debug)]
pub(super) struct Consumer {
    name: String,
    stream_arn: String,
    /// Known once it is registered.
    arn: Option<String>,
    /// Whether it may be there, known or not: the answer to its registration can get lost.
    may_be_there: bool,
    began: Instant,
}

impl Consumer {
    /// One that is to be registered. Names those that other runs have registered.
    pub(super) async fn new(context: &Context, stream: &str) -> Result<Self> {
        let about = context.clients.kinesis.describe_stream_summary().stream_name(stream).send().await;
        let about = about.map_err(|error| fault::explain(error, &format!("look at stream {stream}")))?;
        let stream_arn =
            about.stream_description_summary().context("the stream isn't told")?.stream_arn().to_owned();
        tell_of_others(context, &stream_arn).await?;
        let name = format!("{PREFIX}{:08x}", fastrand::u32(..));
        Ok(Consumer { name, stream_arn, arn: None, may_be_there: false, began: Instant::now() })
    }

    /// Registers it, and waits until it can be used.
    pub(super) async fn begin(&mut self, context: &Context, stream: &str) -> Result<()> {
        self.began = Instant::now();
        self.register(context, stream).await?;
        self.ready(context).await
    }

    async fn register(&mut self, context: &Context, stream: &str) -> Result<()> {
        let call = context.clients.kinesis.register_stream_consumer();
        let call = call.stream_arn(&self.stream_arn).consumer_name(&self.name);
        self.may_be_there = true;
        let error = match call.send().await {
            Ok(answer) => {
                let consumer = answer.consumer().context("the consumer isn't told")?;
                self.arn = Some(consumer.consumer_arn().to_owned());
                return Ok(());
            }
            Err(error) => error,
        };
        let (code, passes) = (error.code().unwrap_or_default().to_owned(), fault::is_transient(&error));
        let error = fault::explain(error, &format!("register a consumer of {stream}"));
        match code.as_str() {
            // Nobody else has its name: a try before this one did it, and its answer got lost.
            "ResourceInUseException" => {
                let answer = self.look(context).await;
                let arn =
                    answer.ok().and_then(|it| Some(it.consumer_description()?.consumer_arn().to_owned()));
                self.arn = Some(arn.ok_or(error)?);
                Ok(())
            }
            "LimitExceededException" => {
                let remedy = "A stream has at most 20 consumers: remove one, or leave out --fan-out.";
                Err(Error::of(&error).remedy(remedy).into())
            }
            _ => {
                self.may_be_there = passes;
                Err(error)
            }
        }
    }

    async fn look(
        &self,
        context: &Context,
    ) -> Result<DescribeStreamConsumerOutput, SdkError<DescribeStreamConsumerError>> {
        let call = context.clients.kinesis.describe_stream_consumer();
        call.stream_arn(&self.stream_arn).consumer_name(&self.name).send().await
    }

    async fn ready(&self, context: &Context) -> Result<()> {
        while self.began.elapsed() < READY_WITHIN {
            let answer = match self.look(context).await {
                Ok(answer) => Some(answer),
                // It isn't known everywhere at once.
                Err(error) if fault::is_missing(&error) || fault::is_transient(&error) => None,
                Err(error) => {
                    return Err(fault::explain(error, &format!("look at the consumer {}", self.name)));
                }
            };
            let status =
                answer.as_ref().and_then(|it| it.consumer_description()).map(|it| it.consumer_status());
            if status == Some(&ConsumerStatus::Active) {
                let seconds = self.began.elapsed().as_secs_f64();
                context.reporter.tell(&Event::ConsumerReady { name: self.name.clone(), seconds });
                return Ok(());
            }
            sleep(Duration::from_secs(1)).await;
        }
        let message =
            format!("the consumer {} wasn't ready within {} seconds", self.name, READY_WITHIN.as_secs());
        Err(Error::new(Kind::TimedOut, message).remedy("Leave out --fan-out, or try again.").into())
    }

    /// Removes it, whatever came before.
    pub(super) async fn remove(&self, context: &Context) -> Result<(), Error> {
        let began = Instant::now();
        if !self.may_be_there {
            return Ok(());
        }
        loop {
            let call = context.clients.kinesis.deregister_stream_consumer();
            let call = call.stream_arn(&self.stream_arn).consumer_name(&self.name);
            let error = match timeout(REMOVED_WITHIN, call.send()).await {
                Ok(Ok(_)) => break,
                Ok(Err(error)) if fault::is_missing(&error) && self.arn.is_none() => return Ok(()),
                Ok(Err(error)) if fault::is_missing(&error) => break,
                Ok(Err(error)) => fault::explain(error, &format!("remove the consumer {}", self.name)),
                Err(_) => anyhow!("there was no answer"),
            };
            if began.elapsed() >= REMOVED_WITHIN {
                let may = if self.arn.is_some() { "is" } else { "may be" };
                let message = format!("the consumer {} {may} still registered", self.name);
                return Err(Error::new(Kind::Leftovers, message)
                    .because(Error::of(&error).to_string())
                    .remedy(format!("Remove the consumer: {}", self.removal(context)))
                    .remedy("It goes with its stream, too."));
            }
            sleep(Duration::from_secs(1)).await;
        }
        context.reporter.tell(&Event::ConsumerRemoved { name: self.name.clone() });
        Ok(())
    }

    /// Names it as one that is left.
    pub(super) fn tell_left(&self, context: &Context) {
        let (name, command) = (self.name.clone(), self.removal(context));
        context.reporter.tell(&Event::ConsumerLeft { name, since: None, command });
    }

    fn removal(&self, context: &Context) -> String {
        match &self.arn {
            Some(arn) => removal(context, &format!("--consumer-arn {arn}")),
            None => {
                let (stream, name) = (&self.stream_arn, &self.name);
                removal(context, &format!("--stream-arn {stream} --consumer-name {name}"))
            }
        }
    }
}

fn removal(context: &Context, consumer: &str) -> String {
    let region = &context.clients.region;
    context.invocation.aws(&format!("kinesis deregister-stream-consumer --region {region} {consumer}"))
}

/// Names what other runs have registered. Whether one still goes on can't be told from here.
async fn tell_of_others(context: &Context, stream_arn: &str) -> Result<()> {
    let mut token = None;
    loop {
        let call = context.clients.kinesis.list_stream_consumers().stream_arn(stream_arn);
        let page = call.set_next_token(token).send().await;
        let page = page.map_err(|error| fault::explain(error, "list the stream's consumers"))?;
        let is_one = |it: &&aws_sdk_kinesis::types::Consumer| {
            it.consumer_name().starts_with(PREFIX) && *it.consumer_status() != ConsumerStatus::Deleting
        };
        for consumer in page.consumers().iter().filter(is_one) {
            let since = jiff::Timestamp::from_second(consumer.consumer_creation_timestamp().secs()).ok();
            context.reporter.tell(&Event::ConsumerLeft {
                name: consumer.consumer_name().to_owned(),
                since: since.map(|since| since.to_string()),
                command: removal(context, &format!("--consumer-arn {}", consumer.consumer_arn())),
            });
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(());
        }
    }
}

/// A shard that is subscribed to.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) shard: String,
    consumer: String,
    position: Position,
    answer: Option<SubscribeToShardOutput>,
    /// When it may be subscribed to.
    due: Instant,
    patience: Patience,
}

impl Subscription {
    pub(super) fn new(consumer: &Consumer, shard: String, position: Position, tries: Tries) -> Self {
        Subscription {
            shard,
            consumer: consumer.arn.clone().unwrap_or_default(),
            position,
            answer: None,
            due: Instant::now(),
            patience: Patience::new(tries),
        }
    }

    fn what(&self) -> String {
        format!("shard {}", self.shard)
    }

    /// The next that is told, which may be nothing new. A subscription lives for five minutes, and is renewed.
    pub(super) async fn step(mut self, stream: Stream<'_>) -> Result<(Self, Chunk)> {
        loop {
            let mut answer = match self.answer.take() {
                Some(answer) => answer,
                None => match self.subscribe(stream).await? {
                    Some(answer) => answer,
                    None => continue,
                },
            };
            match timeout(SILENCE, answer.event_stream.recv()).await {
                Ok(Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)))) => {
                    self.patience.restore();
                    let last = event.records().last().map(|record| record.sequence_number());
                    let on = Some(event.continuation_sequence_number()).filter(|it| !it.is_empty());
                    if let Some(number) = on.or(last) {
                        self.position = Position::After(number.to_owned());
                    }
                    let ended = match event.child_shards() {
                        [] if on.is_some() => None,
                        children => Some(stream.children(&self.shard, children).await?),
                    };
                    self.answer = Some(answer);
                    let behind = u64::try_from(event.millis_behind_latest()).ok();
                    return Ok((self, Chunk { records: event.records, behind_milliseconds: behind, ended }));
                }
                // Something that this program doesn't know.
                Ok(Ok(Some(_))) => self.answer = Some(answer),
                // Its five minutes are over.
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    let is_final =
                        ["ResourceNotFoundException", "KMSAccessDeniedException", "KMSDisabledException"];
                    let code = error.as_service_error().and_then(|error| error.code()).unwrap_or_default();
                    let why = anyhow!("{}", DisplayErrorContext(&error));
                    let why = why.context(format!("the subscription to shard {} broke", self.shard));
                    if is_final.contains(&code) {
                        return Err(why);
                    }
                    self.patience.wait(&self.what(), why).await?;
                }
                Err(_) => {
                    let why = anyhow!("the subscription to shard {} fell silent", self.shard);
                    self.patience.wait(&self.what(), why).await?;
                }
            }
        }
    }

    /// `None` where it has to be tried again.
    async fn subscribe(&mut self, stream: Stream<'_>) -> Result<Option<SubscribeToShardOutput>> {
        sleep_until(self.due).await;
        let start = StartingPosition::builder()
            .r#type(self.position.kind())
            .set_sequence_number(self.position.number())
            .set_timestamp(self.position.timestamp())
            .build()?;
        let call = stream.kinesis.subscribe_to_shard().consumer_arn(&self.consumer).shard_id(&self.shard);
        let call = call.starting_position(start).customize();
        let answer = call.interceptor(self.patience.tries.notes::<SubscribeToShardError>()).send().await;
        self.due = Instant::now() + APART;
        match answer {
            Ok(answer) => {
                // Asked anew, the newest would be newer.
                if self.position == Position::Latest {
                    self.position = Position::At(stream.clock.now());
                }
                Ok(Some(answer))
            }
            Err(error) => {
                let again = ["ResourceInUseException", "LimitExceededException"];
                let passes =
                    fault::is_transient(&error) || error.code().is_some_and(|it| again.contains(&it));
                let error = fault::explain(error, &format!("subscribe to shard {}", self.shard));
                if !passes {
                    return Err(error);
                }
                self.patience.wait(&self.what(), error).await?;
                Ok(None)
            }
        }
    }
}
