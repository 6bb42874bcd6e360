//! What has to be known before anything is sent: whether each leg is there and ready, and how long its buffers take.

use super::course::{Due, Seen};
use super::denied::Denied;
use super::look::Place;
use super::report::Leg;
use super::{Backoff, Wish};
use crate::artifact::{Workshop, sha256_of_base64};
use crate::cloud::bucket::Bucket;
use crate::cloud::fault;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::stack::ready::{Readiness, of_function};
use crate::stack::{Context, architecture_of};
use anyhow::Result;
use aws_sdk_firehose::types::{
    DeliveryStreamDescription, DeliveryStreamStatus, ExtendedS3DestinationDescription,
    ProcessorParameterName, ProcessorType,
};
use aws_sdk_kinesis::types::StreamStatus;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Firehose's own intervals where none is told, in seconds:
/// <https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html>.
const USUAL_PROCESSOR_BUFFER: f64 = 60.0;
const USUAL_BUFFER: f64 = 300.0;
/// What each of the two steps may take beside its buffer, in seconds: a read of each shard a second, the function, and
/// the write.
const AROUND: f64 = 15.0;

/// A shard that takes records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) id: String,
    /// A hash key that is its own.
    pub(super) hash_key: String,
}

/// All that is there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) shards: Vec<Shard>,
    pub(super) due: Due,
    pub(super) strict: bool,
    pub(super) reading_for: Option<f64>,
    pub(super) places: [Place; 2],
}

/// When rows are due, by the intervals of the two buffers.
pub(super) fn due(processor_seconds: f64, bucket_seconds: f64) -> Due {
    let transformed = processor_seconds + AROUND;
    Due { transformed, landed: transformed + bucket_seconds + AROUND }
}

/// How far a leg is.
enum Asked<T> {
    Ready(T),
    NotYet(String),
    Never(Seen),
}

/// Waits until each leg is ready, but no longer than to the deadline. What is broken already is the inner error.
pub(super) async fn before(context: &Context, wish: &Wish, deadline: Instant) -> Result<Result<Found, Seen>> {
    macro_rules! ready {
        ($leg:expr, $name:expr, $ask:expr) => {
            match until_ready(context, $leg, $name, deadline, async || $ask.await).await? {
                Ok(ready) => ready,
                Err(seen) => return Ok(Err(seen)),
            }
        };
    }
    let pipeline = &wish.pipeline;
    let shards = ready!(Leg::Stream, &pipeline.stream, stream(context, &pipeline.stream));
    let delivery = ready!(Leg::Delivery, &pipeline.delivery, delivery(context, &pipeline.delivery));
    let strict =
        ready!(Leg::Transform, &pipeline.processor, function(context, &pipeline.processor, &wish.workshop));
    ready!(Leg::Bucket, &pipeline.bucket, bucket(context, wish));
    let destination = delivery.destinations().iter().find_map(|it| it.extended_s3_destination_description());
    let [rows, errors] = destination.map(prefixes).unwrap_or_default();
    Ok(Ok(Found {
        shards,
        due: destination.map_or_else(|| due(USUAL_PROCESSOR_BUFFER, USUAL_BUFFER), due_of),
        strict,
        reading_for: reads_since(&delivery).map(|since| context.clock.now().as_second() as f64 - since),
        places: [
            Place::new(rows.as_deref(), &pipeline.rows_prefix),
            Place::new(errors.as_deref(), &pipeline.errors_prefix),
        ],
    }))
}

async fn until_ready<T>(
    context: &Context,
    leg: Leg,
    name: &str,
    deadline: Instant,
    ask: impl AsyncFn() -> Result<Asked<T>>,
) -> Result<Result<T, Seen>> {
    let mut pauses = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
    let mut told = None;
    loop {
        let status = match ask().await? {
            Asked::Ready(ready) => return Ok(Ok(ready)),
            Asked::Never(seen) => return Ok(Err(seen)),
            Asked::NotYet(status) => status,
        };
        if Instant::now() >= deadline {
            let said = format!("{name} is not ready: {status}");
            return Ok(Err(Seen::Broken { leg, said, kind: Kind::TimedOut }));
        }
        if told.as_ref() != Some(&status) {
            let name = name.to_owned();
            context.reporter.tell(&Event::SmokeNotReady { leg, name, status: status.clone() });
            told = Some(status);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        sleep(pauses.equal_jitter().min(left)).await;
    }
}

/// What a call that failed says of its leg: it isn't there, it can't be asked for now, or the caller may not ask, for
/// which this action has to be allowed.
fn failed<T, E>(error: SdkError<E, HttpResponse>, leg: Leg, name: &str, action: &str) -> Result<Asked<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if fault::is_missing(&error) {
        let said = format!("{name} is not there");
        return Ok(Asked::Never(Seen::Broken { leg, said, kind: Kind::Failed }));
    }
    let passes = fault::is_transient(&error);
    let is_forbidden = fault::is_forbidden(&error);
    let error = fault::explain(error, &format!("look at {name}"));
    let told = Error::of(&error);
    match () {
        () if passes => Ok(Asked::NotYet(told.cause.unwrap_or(told.message))),
        () if is_forbidden => Ok(Asked::Never(Denied::of(leg, &told, action, name).into())),
        () => Err(error),
    }
}

fn never<T>(leg: Leg, said: String) -> Result<Asked<T>> {
    Ok(Asked::Never(Seen::Broken { leg, said, kind: Kind::Failed }))
}

/// The shards that take records.
async fn stream(context: &Context, name: &str) -> Result<Asked<Vec<Shard>>> {
    let kinesis = &context.clients.kinesis;
    let summary = match kinesis.describe_stream_summary().stream_name(name).send().await {
        Ok(answer) => answer,
        Err(error) => return failed(error, Leg::Stream, name, "kinesis:DescribeStreamSummary"),
    };
    match summary.stream_description_summary().map(|it| it.stream_status().clone()) {
        Some(StreamStatus::Active | StreamStatus::Updating) => {}
        Some(status @ StreamStatus::Deleting) => return never(Leg::Stream, format!("{name} is {status}")),
        status => return Ok(Asked::NotYet(status.map_or("nothing told".to_owned(), |it| it.to_string()))),
    }
    let mut shards = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let call = kinesis.list_shards();
        // A page's token stands for the stream, and must not come with its name.
        let call = match token {
            Some(token) => call.next_token(token),
            None => call.stream_name(name),
        };
        let page = match call.send().await {
            Ok(page) => page,
            Err(error) => return failed(error, Leg::Stream, name, "kinesis:ListShards"),
        };
        let open = page.shards().iter().filter(|shard| {
            shard.sequence_number_range().is_none_or(|range| range.ending_sequence_number().is_none())
        });
        shards.extend(open.map(|shard| Shard {
            id: shard.shard_id().to_owned(),
            hash_key: shard.hash_key_range().map(|it| it.starting_hash_key().to_owned()).unwrap_or_default(),
        }));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    if shards.is_empty() {
        return Ok(Asked::NotYet("it has no open shard".to_owned()));
    }
    Ok(Asked::Ready(shards))
}

async fn delivery(context: &Context, name: &str) -> Result<Asked<DeliveryStreamDescription>> {
    let answer =
        match context.clients.firehose.describe_delivery_stream().delivery_stream_name(name).send().await {
            Ok(answer) => answer,
            Err(error) => return failed(error, Leg::Delivery, name, "firehose:DescribeDeliveryStream"),
        };
    let Some(delivery) = answer.delivery_stream_description else {
        return Ok(Asked::NotYet("nothing told".to_owned()));
    };
    match delivery.delivery_stream_status() {
        DeliveryStreamStatus::Active => {}
        status @ DeliveryStreamStatus::Creating => return Ok(Asked::NotYet(status.to_string())),
        status => {
            let why = delivery.failure_description().map(|failure| format!(": {}", failure.details()));
            return never(Leg::Delivery, format!("{name} is {status}{}", why.unwrap_or_default()));
        }
    }
    // What was put before it reads is never delivered: it begins at LATEST.
    match reads_since(&delivery) {
        Some(since) if since > context.clock.now().as_second() as f64 + 1.0 => {
            Ok(Asked::NotYet("it doesn't read yet".to_owned()))
        }
        _ => Ok(Asked::Ready(delivery)),
    }
}

/// Since when it reads the data stream, in seconds since 1970.
fn reads_since(delivery: &DeliveryStreamDescription) -> Option<f64> {
    let source = delivery.source()?.kinesis_stream_source_description()?;
    source.delivery_start_timestamp().map(|time| time.as_secs_f64())
}

fn due_of(destination: &ExtendedS3DestinationDescription) -> Due {
    let interval = destination.buffering_hints().and_then(|hints| hints.interval_in_seconds());
    let processing = destination.processing_configuration().filter(|it| it.enabled() != Some(false));
    let lambda =
        processing.and_then(|it| it.processors().iter().find(|it| *it.r#type() == ProcessorType::Lambda));
    let of_processor = lambda.map(|lambda| {
        let interval = lambda
            .parameters()
            .iter()
            .find(|parameter| *parameter.parameter_name() == ProcessorParameterName::BufferIntervalInSeconds);
        interval.and_then(|it| it.parameter_value().parse().ok()).unwrap_or(USUAL_PROCESSOR_BUFFER)
    });
    due(of_processor.unwrap_or_default(), interval.map_or(USUAL_BUFFER, f64::from))
}

fn prefixes(destination: &ExtendedS3DestinationDescription) -> [Option<String>; 2] {
    [destination.prefix(), destination.error_output_prefix()].map(|it| it.map(str::to_owned))
}

/// Whether the function runs the processor that comes with this tool.
async fn function(context: &Context, name: &str, workshop: &Workshop) -> Result<Asked<bool>> {
    let answer = match context.clients.lambda.get_function_configuration().function_name(name).send().await {
        Ok(answer) => answer,
        Err(error) => return failed(error, Leg::Transform, name, "lambda:GetFunctionConfiguration"),
    };
    match of_function(&answer) {
        Readiness::Ready => {}
        Readiness::NotYet(status) => return Ok(Asked::NotYet(status)),
        Readiness::Failed(reason) => return never(Leg::Transform, format!("{name} has failed: {reason}")),
    }
    let architecture = answer.architectures().first().and_then(|it| architecture_of(it.as_str()));
    let ours = Workshop { architecture: architecture.unwrap_or(workshop.architecture), ..workshop.clone() };
    let deployed = answer.code_sha256().and_then(sha256_of_base64);
    Ok(Asked::Ready(deployed.is_some() && deployed == ours.at_hand().map(|artifact| artifact.sha256)))
}

async fn bucket(context: &Context, wish: &Wish) -> Result<Asked<()>> {
    let name = &wish.pipeline.bucket;
    match context.clients.whose(name, &wish.pipeline.account).await {
        Ok(Bucket::Ours) => Ok(Asked::Ready(())),
        Ok(Bucket::Missing) => never(Leg::Bucket, format!("{name} is not there")),
        Ok(Bucket::Foreign) => never(Leg::Bucket, format!("{name} belongs to another account")),
        Err(error) if fault::passes(&error) => Ok(Asked::NotYet(Error::of(&error).to_string())),
        Err(error) if Error::of(&error).kind == Kind::Credentials => {
            let denied = Denied::of(Leg::Bucket, &Error::of(&error), "s3:ListBucket", name);
            Ok(Asked::Never(denied.into()))
        }
        Err(error) => Err(error),
    }
}
