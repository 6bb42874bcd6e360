//! An account, clients for it, and a small pipeline to deploy.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_cloudformation::operation::create_change_set::CreateChangeSetOutput;
use aws_sdk_cloudformation::operation::create_change_set::builders::CreateChangeSetFluentBuilder;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types as cfn;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use simulated_aws::{Account, Aws, Version};
use std::sync::MutexGuard;
use std::time::Duration;

pub const STACK: &str = "pipeline";
pub const BUCKET: &str = "rows-of-the-pipeline";
pub const CODE: &str = "processors";
/// The SHA-256 of nothing, in hex digits.
pub const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub const TEMPLATE: &str = r#"
Resources:
  Stream:
    Type: AWS::Kinesis::Stream
    Properties: {Name: trades, ShardCount: 1, RetentionPeriodHours: 24}
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: Delete
    Properties: {BucketName: rows-of-the-pipeline}
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: /pipeline/processor, RetentionInDays: 7}
  Role:
    Type: AWS::IAM::Role
    Properties: {RoleName: pipeline}
  Processor:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: processor
      Architectures: [arm64]
      Role: !GetAtt Role.Arn
      Code: {S3Bucket: processors, S3Key: processor/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.zip}
      LoggingConfig: {LogGroup: !Ref Group}
  Delivery:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamName: delivery
      DeliveryStreamType: KinesisStreamAsSource
      KinesisStreamSourceConfiguration: {KinesisStreamARN: !GetAtt Stream.Arn, RoleARN: !GetAtt Role.Arn}
      ExtendedS3DestinationConfiguration: {BucketARN: !GetAtt Bucket.Arn, RoleARN: !GetAtt Role.Arn, Prefix: rows/}
Outputs:
  BucketName: {Value: !Ref Bucket}
  StreamArn: {Value: !GetAtt Stream.Arn}
"#;

pub struct Bench {
    pub aws: Aws,
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    pub firehose: aws_sdk_firehose::Client,
    pub iam: aws_sdk_iam::Client,
    pub kinesis: aws_sdk_kinesis::Client,
    pub lambda: aws_sdk_lambda::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub s3: aws_sdk_s3::Client,
    pub sts: aws_sdk_sts::Client,
    pub tagging: aws_sdk_resourcegroupstagging::Client,
}

impl Bench {
    pub fn new() -> Self {
        Bench::in_region("us-east-1")
    }

    pub fn in_region(region: &str) -> Self {
        let aws = Aws::new(region);
        let config = configuration(region).http_client(aws.http_client()).build();
        Bench::with(aws, &config)
    }

    pub fn with(aws: Aws, config: &SdkConfig) -> Self {
        {
            let mut account = aws.now();
            account.make("AWS::S3::Bucket", CODE);
            account.put(CODE, &format!("processor/{SHA256}.zip"), Version::default());
        }
        Bench {
            aws,
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            firehose: aws_sdk_firehose::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            kinesis: aws_sdk_kinesis::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            s3: aws_sdk_s3::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            tagging: aws_sdk_resourcegroupstagging::Client::new(config),
        }
    }

    pub async fn deployed() -> Self {
        let bench = Bench::new();
        bench.deploy(TEMPLATE).await;
        assert_eq!(bench.status(), "CREATE_COMPLETE");
        bench
    }

    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.aws.now()
    }

    pub fn status(&self) -> String {
        self.account().stacks.last().map(|stack| stack.status.clone()).unwrap_or_default()
    }

    /// The type that fits the stack.
    fn kind(&self) -> cfn::ChangeSetType {
        match self.account().stack(STACK).is_none_or(|stack| stack.status == "REVIEW_IN_PROGRESS") {
            true => cfn::ChangeSetType::Create,
            false => cfn::ChangeSetType::Update,
        }
    }

    pub fn change_set(&self, template: &str) -> CreateChangeSetFluentBuilder {
        let number = self.account().calls.len();
        let request = self.cloudformation.create_change_set().stack_name(STACK).template_body(template);
        let request = request.change_set_name(format!("change-{number}")).change_set_type(self.kind());
        request.capabilities(cfn::Capability::CapabilityNamedIam)
    }

    /// Waits until it is known what it would do.
    pub async fn ready(&self, made: &CreateChangeSetOutput) -> DescribeChangeSetOutput {
        wait(30).await;
        let request = self.cloudformation.describe_change_set().change_set_name(made.id().unwrap());
        request.include_property_values(true).send().await.unwrap()
    }

    pub async fn plan(&self, template: &str) -> DescribeChangeSetOutput {
        let made = self.change_set(template).send().await.unwrap();
        self.ready(&made).await
    }

    pub async fn execute(&self, change_set: &DescribeChangeSetOutput) {
        let request = self.cloudformation.execute_change_set();
        request.change_set_name(change_set.change_set_id().unwrap()).send().await.unwrap();
    }

    /// With roll-back off.
    pub async fn execute_and_keep(&self, change_set: &DescribeChangeSetOutput) {
        let request = self.cloudformation.execute_change_set().disable_rollback(true);
        request.change_set_name(change_set.change_set_id().unwrap()).send().await.unwrap();
    }

    /// Plans, executes, and waits until all is over.
    pub async fn deploy(&self, template: &str) {
        let change_set = self.plan(template).await;
        self.execute(&change_set).await;
        wait(600).await;
    }

    pub async fn delete(&self) {
        self.cloudformation.delete_stack().stack_name(STACK).send().await.unwrap();
    }

    pub async fn stack(&self) -> cfn::Stack {
        let answer = self.cloudformation.describe_stacks().stack_name(STACK).send().await.unwrap();
        answer.stacks()[0].clone()
    }

    /// Newest first.
    pub async fn events(&self) -> Vec<cfn::StackEvent> {
        let id = self.account().stacks.last().unwrap().id.clone();
        let request = self.cloudformation.describe_stack_events().stack_name(id);
        request.into_paginator().items().send().try_collect().await.unwrap()
    }

    /// What was said of one resource, oldest first.
    pub async fn said_of(&self, logical_id: &str) -> Vec<(String, String)> {
        let events = self.events().await.into_iter().rev();
        let events = events.filter(|event| event.logical_resource_id() == Some(logical_id));
        let said = |event: cfn::StackEvent| {
            let reason = event.resource_status_reason().unwrap_or_default().to_owned();
            (event.resource_status().unwrap().as_str().to_owned(), reason)
        };
        events.map(said).collect()
    }
}

/// Without retries: each call is seen as it is answered.
pub fn configuration(region: &str) -> aws_types::sdk_config::Builder {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("test", "test", None)))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SystemTimeSource::new())
        .retry_config(RetryConfig::disabled())
}

pub async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The code and the sentence of an error.
pub fn refusal<T: std::fmt::Debug, E, R: std::fmt::Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> (String, String)
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = answer.unwrap_err();
    let service = error.as_service_error().unwrap_or_else(|| panic!("{error:?}"));
    (service.code().unwrap_or_default().to_owned(), service.message().unwrap_or_default().to_owned())
}
