//! How SDK clients are built: region, profile, endpoint, retries, time-outs. Nothing here knows what they are
//! used for, and nothing above knows which cloud they talk to.

pub mod bucket;
pub mod calls;
pub mod credentials;
pub mod fault;
pub mod paced;
pub mod reason;
pub mod regions;
pub mod renewal;
pub mod tries;

use crate::error::{Error, Kind};
use crate::event::Reporter;
use crate::settings::Place;
use anyhow::Result;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use calls::Calls;
use credentials::{Chain, DEFAULT_PROFILE, Together};
use futures_util::future::BoxFuture;
use renewal::Renewal;
use std::sync::Arc;
use std::time::Duration;

/// One client a service, all built alike.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The region that they talk to.
    pub region: String,
    /// Whether CloudWatch Logs is asked at an endpoint of the user's own. Live tail is out of reach there: its calls
    /// go to the endpoint's name with `stream-` before it, which nobody but AWS has.
    pub has_own_logs_endpoint: bool,
    /// CloudFormation.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// CloudWatch metrics.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// Firehose.
    pub firehose: aws_sdk_firehose::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// Kinesis Data Streams.
    pub kinesis: aws_sdk_kinesis::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
    /// Resource Groups Tagging.
    pub tagging: aws_sdk_resourcegroupstagging::Client,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The twelve digits of the account.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}

macro_rules! client {
    ($service:ident, $config:expr, $calls:expr, $renewal:expr) => {{
        let builder = $service::config::Builder::from($config);
        let builder = builder.interceptor($calls.clone()).retry_classifier($renewal.clone());
        let builder = builder.retry_partition(partition());
        $service::Client::from_conf(builder.build())
    }};
}

impl Clients {
    /// Clients on this configuration. Each call is told to the reporter, and survives that its credentials
    /// expire where they can be renewed.
    pub fn new(config: &SdkConfig, reporter: &Arc<dyn Reporter>) -> Result<Self> {
        let region = config.region().map(|region| region.as_ref().to_owned()).ok_or_else(no_region)?;
        let renewal = Renewal::new(reporter.clone());
        let calls = Calls::new(reporter.clone(), renewal.clone());
        let config = &config.to_builder().identity_cache(renewal.clone()).build();
        // An endpoint of the user's own rarely has a DNS name for each bucket.
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(
                config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some(),
            )
            .interceptor(calls.clone())
            .retry_classifier(renewal.clone())
            .retry_partition(partition())
            .build();
        Ok(Clients {
            region,
            has_own_logs_endpoint: has_own_logs_endpoint(config),
            cloudformation: client!(aws_sdk_cloudformation, config, calls, renewal),
            cloudwatch: client!(aws_sdk_cloudwatch, config, calls, renewal),
            logs: client!(aws_sdk_cloudwatchlogs, config, calls, renewal),
            firehose: client!(aws_sdk_firehose, config, calls, renewal),
            iam: client!(aws_sdk_iam, config, calls, renewal),
            kinesis: client!(aws_sdk_kinesis, config, calls, renewal),
            lambda: client!(aws_sdk_lambda, config, calls, renewal),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sts: client!(aws_sdk_sts, config, calls, renewal),
            tagging: client!(aws_sdk_resourcegroupstagging, config, calls, renewal),
        })
    }

    /// Who calls, by STS.
    pub async fn identity(&self) -> Result<Identity> {
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| fault::explain(error, "find out which AWS account this is"))?;
        Ok(Identity {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        })
    }
}

/// As the SDK finds it: the configuration's endpoint, or one for this service alone.
fn has_own_logs_endpoint(config: &SdkConfig) -> bool {
    let key = ServiceConfigKey::builder().service_id("CloudWatch Logs");
    let key = key.env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let found = key.ok().zip(config.service_config()).and_then(|(key, service)| service.load_config(key));
    config.endpoint_url().is_some() || found.is_some()
}

/// The same for other regions, each to be used at once with the others. Clients of each have a memory of their own of
/// whether its credentials are good: a region that isn't enabled refuses what is good elsewhere.
pub fn everywhere(config: &SdkConfig, regions: &[String]) -> Vec<SdkConfig> {
    let provider = config.credentials_provider();
    let together = provider.map(|provider| SharedCredentialsProvider::new(Together::new(provider)));
    let in_region = |region: &String| {
        let mut builder = config.to_builder().region(Region::new(region.clone()));
        builder.set_credentials_provider(together.clone());
        builder.build()
    };
    regions.iter().map(in_region).collect()
}

/// The configuration for a place. `endpoint` is the local cloud's, where it is meant.
pub async fn configuration(place: &Place, endpoint: Option<&str>) -> Result<SdkConfig> {
    match place {
        Place::Local { region } => Ok(local(region, endpoint.unwrap_or_default())),
        Place::Aws { region, profile } => aws(region.as_deref(), profile.as_deref()).await,
    }
}

/// AWS, found as every SDK finds it. Three things the Rust SDK doesn't do by itself: read AWS_CA_BUNDLE and the
/// proxy variables, let a profile that is named win over keys in the environment, and read credentials again.
async fn aws(region: Option<&str>, profile: Option<&str>) -> Result<SdkConfig> {
    let bundle = std::env::var("AWS_CA_BUNDLE").ok().filter(|path| !path.is_empty());
    let found = found(region, profile, https_client(bundle)?).await;
    let has_keys = std::env::var_os("AWS_ACCESS_KEY_ID").is_some_and(|key| !key.is_empty());
    let Some(first) = found.credentials_provider().filter(|_| profile.is_some() || !has_keys) else {
        return Ok(found);
    };
    let named = std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
    let named = profile.map(str::to_owned).or(named).unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    let (region, profile) = (region.map(str::to_owned), profile.map(str::to_owned));
    let http = found.http_client();
    let anew = move || -> BoxFuture<'static, Option<SharedCredentialsProvider>> {
        let (region, profile, http) = (region.clone(), profile.clone(), http.clone());
        Box::pin(async move {
            self::found(region.as_deref(), profile.as_deref(), http?).await.credentials_provider()
        })
    };
    let chain = Chain::new(Some(first), anew, &named);
    Ok(found.to_builder().credentials_provider(SharedCredentialsProvider::new(chain)).build())
}

/// What the SDK finds in variables and files.
async fn found(region: Option<&str>, profile: Option<&str>, http: SharedHttpClient) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(retries())
        .timeout_config(timeouts());
    if let Ok(name) = AppName::new(APP_NAME) {
        loader = loader.app_name(name);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let Some(profile) = profile else { return loader.load().await };
    let found = loader.profile_name(profile).load().await;
    let provider = ProviderConfig::without_region().with_http_client(http);
    let provider = provider.with_region(found.region().cloned());
    let provider = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(profile);
    found.to_builder().credentials_provider(SharedCredentialsProvider::new(provider.build())).build()
}

/// The local cloud: test credentials, and neither the environment's variables nor any file is read.
fn local(region: &str, endpoint: &str) -> SdkConfig {
    let http = Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build_http()
    });
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("test", "test", None)))
        .http_client(http)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SystemTimeSource::new())
        .retry_config(retries())
        .timeout_config(timeouts())
        .build()
}

fn https_client(ca_bundle: Option<String>) -> Result<SharedHttpClient> {
    let mut tls = TlsContext::builder();
    if let Some(path) = ca_bundle {
        let bad = |cause: String| {
            Error::new(Kind::BadInput, format!("cannot use the certificates of AWS_CA_BUNDLE `{path}`"))
                .because(cause)
                .remedy("Let AWS_CA_BUNDLE name a file of PEM certificates, or unset it.")
        };
        let pem = std::fs::read(&path).map_err(|error| bad(error.to_string()))?;
        // The SDK panics on a bundle that holds no certificate.
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(bad("it holds no PEM certificate".to_owned()).into());
        }
        tls = tls.with_trust_store(TrustStore::empty().with_pem_certificate(pem));
    }
    let tls = tls.build()?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.clone())
            .build()
    }))
}

const APP_NAME: &str = concat!("kinesis-stack-", env!("CARGO_PKG_VERSION"));

/// Enough to ride out half a minute of throttling; whoever polls goes on after that.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(8).with_max_backoff(Duration::from_secs(10))
}

/// The SDK's own quota of retries is the whole process': once a storm has used it up, no call survives a hiccup any
/// more, nor that its credentials expire. How often a call is made again is bounded here without it.
fn partition() -> RetryPartition {
    RetryPartition::custom(APP_NAME).token_bucket(TokenBucket::unlimited()).build()
}

/// The read time-out is long, since an emulator may transform 500 records inside one PutRecords.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(120))
        .build()
}

fn no_region() -> Error {
    Error::new(Kind::BadInput, "no AWS region is set")
        .remedy("Name one, for instance --region eu-central-1, or set AWS_REGION.")
        .remedy("Or use --local: the local cloud needs neither region nor account.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::service_config::LoadServiceConfig;

    #[test]
    fn an_endpoint_of_ones_own_for_logs_is_known_also_where_it_is_for_them_alone() {
        #[derive(Debug)]
        struct ForLogsAlone;
        impl LoadServiceConfig for ForLogsAlone {
            fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
                (key.service_id() == "CloudWatch Logs" && key.env() == "AWS_ENDPOINT_URL")
                    .then(|| "http://127.0.0.1:1".to_owned())
            }
        }
        let own = local("us-east-1", "http://127.0.0.1:1");
        assert!(has_own_logs_endpoint(&own));
        let mut aws = own.to_builder();
        aws.set_endpoint_url(None);
        let aws = aws.build();
        assert!(!has_own_logs_endpoint(&aws));
        assert!(has_own_logs_endpoint(&aws.to_builder().service_config(ForLogsAlone).build()));
    }
}
