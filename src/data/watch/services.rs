//! What services say: CloudWatch of the last hour, the others of their own things.

use super::look::{Look, Targets, Told};
use super::metric::{Metric, Minutes, Owner, PERIOD};
use super::source::{News, ProcessorState, Source, StreamState, Trouble};
use crate::cloud::Clients;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types as cw;
use jiff::Timestamp;

/// A minute that ended so many seconds ago is settled: what is told of a younger one may be a part of it.
const SETTLES: i64 = 60;
/// How many minutes of metrics are kept.
const HOUR: i64 = 60;

/// All metrics of the last hour, in one call.
pub(super) struct Metrics<'a> {
    pub(super) clients: &'a Clients,
    pub(super) targets: &'a Targets,
}

impl Look for Metrics<'_> {
    async fn look(&mut self, now: Timestamp) -> Told {
        vec![(Source::Metrics, self.ask(now).await.map(News::Metrics))]
    }
}

impl Metrics<'_> {
    async fn ask(&self, now: Timestamp) -> Result<Minutes, Trouble> {
        let minute = now.as_second().div_euclid(PERIOD) * PERIOD;
        let (mut minutes, mut token) = (Minutes::new(), None);
        loop {
            let call = self.clients.cloudwatch.get_metric_data();
            let call = call.set_metric_data_queries(Some(self.queries()));
            let call = call.start_time(DateTime::from_secs(minute - HOUR * PERIOD));
            let call = call.end_time(DateTime::from_secs(minute - SETTLES)).set_next_token(token);
            let answer = call.send().await;
            let answer = answer.map_err(|error| Trouble::of(error, "cloudwatch:GetMetricData"))?;
            take(&mut minutes, &answer)?;
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(minutes);
            }
        }
    }

    fn queries(&self) -> Vec<cw::MetricDataQuery> {
        let query = |(number, metric): (usize, Metric)| {
            let (owner, name, statistic) = metric.is_called();
            let (namespace, dimension) = owner.namespace();
            let owned_by = match owner {
                Owner::Stream => &self.targets.stream,
                Owner::Delivery => &self.targets.delivery,
                Owner::Processor => &self.targets.processor,
            };
            let dimension = cw::Dimension::builder().name(dimension).value(owned_by).build();
            let called = cw::Metric::builder().namespace(namespace).metric_name(name).dimensions(dimension);
            let of = cw::MetricStat::builder().metric(called.build()).stat(statistic);
            let of = of.period(i32::try_from(PERIOD).unwrap_or_default()).build();
            cw::MetricDataQuery::builder().id(format!("m{number}")).metric_stat(of).build()
        };
        Metric::ALL.into_iter().enumerate().map(query).collect()
    }
}

/// Adds a page of metrics.
fn take(minutes: &mut Minutes, answer: &GetMetricDataOutput) -> Result<(), Trouble> {
    for result in answer.metric_data_results() {
        if result.status_code() == Some(&cw::StatusCode::Forbidden) {
            return Err(Trouble::Denied("cloudwatch:GetMetricData"));
        }
        let number = result.id().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
        let Some(metric) = number.and_then(|number| Metric::ALL.get(number)) else { continue };
        let told = minutes.entry(*metric).or_default();
        for (time, value) in result.timestamps().iter().zip(result.values()) {
            told.extend(Timestamp::from_second(time.secs()).ok().map(|minute| (minute, *value)));
        }
    }
    Ok(())
}

/// What a service says of one of its things.
pub(super) struct States<'a> {
    pub(super) clients: &'a Clients,
    pub(super) targets: &'a Targets,
    pub(super) source: Source,
}

impl Look for States<'_> {
    async fn look(&mut self, _: Timestamp) -> Told {
        let news = match self.source {
            Source::Stream => self.stream().await,
            Source::Delivery => self.delivery().await,
            _ => self.processor().await,
        };
        vec![(self.source, news)]
    }
}

impl States<'_> {
    async fn stream(&self) -> Result<News, Trouble> {
        use aws_sdk_kinesis::types::StreamMode;
        let call = self.clients.kinesis.describe_stream_summary().stream_name(&self.targets.stream);
        let answer = call.send().await;
        let answer = answer.map_err(|error| Trouble::of(error, "kinesis:DescribeStreamSummary"))?;
        let Some(stream) = answer.stream_description_summary() else { return Err(Trouble::Missing) };
        let mode = stream.stream_mode_details().map(|details| details.stream_mode());
        Ok(News::Stream(StreamState {
            status: stream.stream_status().as_str().to_owned(),
            shards: u32::try_from(stream.open_shard_count()).unwrap_or_default(),
            retention_hours: u32::try_from(stream.retention_period_hours()).unwrap_or_default(),
            on_demand: mode == Some(&StreamMode::OnDemand),
        }))
    }

    async fn delivery(&self) -> Result<News, Trouble> {
        let call = self.clients.firehose.describe_delivery_stream();
        let answer = call.delivery_stream_name(&self.targets.delivery).send().await;
        let answer = answer.map_err(|error| Trouble::of(error, "firehose:DescribeDeliveryStream"))?;
        let described = answer.delivery_stream_description();
        let status = described.map(|it| it.delivery_stream_status().as_str().to_owned());
        status.map(News::Delivery).ok_or(Trouble::Missing)
    }

    async fn processor(&self) -> Result<News, Trouble> {
        use aws_sdk_lambda::types::Architecture;
        let call = self.clients.lambda.get_function_configuration();
        let answer = call.function_name(&self.targets.processor).send().await;
        let answer = answer.map_err(|error| Trouble::of(error, "lambda:GetFunctionConfiguration"))?;
        Ok(News::Processor(ProcessorState {
            status: answer.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
            memory: answer.memory_size().and_then(|memory| u32::try_from(memory).ok()).unwrap_or(128),
            arm: answer.architectures().contains(&Architecture::Arm64),
        }))
    }
}
