//! Credentials that expire while something is under way.

mod profiles;

use crate::bench::{ARTIFACTS, BUCKET, Bench};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use kinesis_stack::cloud::Clients;
use kinesis_stack::cloud::bucket::Bucket;
use kinesis_stack::cloud::credentials::Chain;
use kinesis_stack::error::{Error, Kind};
use kinesis_stack::event::Event;
use simulated_aws::{ACCOUNT, Aws, STRANGER};
use std::time::Duration;
use tokio::time::Instant;

const OLD: &str = "ASIAOLD";
const NEW: &str = "ASIANEW";

/// Lets calls through to the account, but for those with the old key from some moment on.
#[derive(Debug, Clone)]
struct Gate {
    aws: Aws,
    expires: Instant,
}

impl HttpConnector for Gate {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = request.headers().get("authorization").unwrap_or_default().to_owned();
        if !header.contains(OLD) || Instant::now() < self.expires {
            return HttpConnector::call(&self.aws, request);
        }
        let (code, text) = ("ExpiredToken", "The security token included in the request is expired");
        let error = format!("<Error><Code>{code}</Code><Message>{text}</Message></Error>");
        let is_head = request.method() == "HEAD";
        let is_json = request.headers().get("x-amz-target").is_some() || request.uri().contains("lambda");
        let body = match (is_head, is_json, request.uri().contains("s3")) {
            (true, _, _) => String::new(),
            (_, true, _) => format!(r#"{{"__type":"com.amazon#{code}Exception","message":"{text}"}}"#),
            (_, _, true) => error,
            _ => format!("<ErrorResponse>{error}</ErrorResponse>"),
        };
        let response = HttpResponse::new(403.try_into().unwrap(), SdkBody::from(body));
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// What a provider says, by its clock.
type Script = fn(Duration) -> Result<&'static str, &'static str>;

#[derive(Debug)]
struct Scripted(Instant, Script);

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(match (self.1)(self.0.elapsed()) {
            Ok(key) => Ok(Credentials::from_keys(key, "secret", Some("token".to_owned()))),
            Err(text) => Err(CredentialsError::provider_error(text)),
        })
    }
}

/// A bench whose old key expires after so long.
fn bench(expires: Duration, provider: SharedCredentialsProvider) -> Bench {
    let mut bench = Bench::new();
    let gate = Gate { aws: bench.aws.clone(), expires: Instant::now() + expires };
    let connector = SharedHttpConnector::new(gate);
    let client = http_client_fn(move |_, _| connector.clone());
    let config = crate::bench::configuration("us-east-1", &bench.aws);
    let config = config.to_builder().http_client(client).credentials_provider(provider).build();
    bench.context.clients = Clients::new(&config, &bench.context.reporter).unwrap();
    bench
}

fn renewable(script: Script) -> SharedCredentialsProvider {
    let began = Instant::now();
    let anew = move || -> futures_util::future::BoxFuture<'static, Option<SharedCredentialsProvider>> {
        Box::pin(async move { Some(SharedCredentialsProvider::new(Scripted(began, script))) })
    };
    SharedCredentialsProvider::new(Chain::new(None, anew, "default"))
}

fn fixed(key: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::from_keys(key, "secret", None))
}

fn told(bench: &Bench, wanted: fn(&Event) -> bool) -> usize {
    bench.events().iter().filter(|event| wanted(event)).count()
}

fn renewals(bench: &Bench) -> usize {
    told(bench, |event| matches!(event, Event::CredentialsRenewed))
}

fn complaints(bench: &Bench) -> usize {
    told(bench, |event| matches!(event, Event::PollFailed { reason, .. } if reason.contains("expired")))
}

#[tokio::test(start_paused = true)]
async fn credentials_that_expire_during_a_deployment_are_read_anew_and_it_goes_on() {
    // Whatever call comes first after that moment, the deployment goes on.
    for seconds in [1, 2, 3, 5, 30, 60] {
        let mut bench = bench(
            Duration::from_secs(seconds),
            renewable(|age| match age.as_millis() {
                0 => Ok(OLD),
                _ => Ok(NEW),
            }),
        );
        bench.conduct.timeout = Duration::from_secs(600);
        bench.up().await.unwrap_or_else(|error| panic!("after {seconds}s: {error}"));
        assert_eq!(renewals(&bench), 1, "after {seconds}s");
        assert_eq!(complaints(&bench), 0, "after {seconds}s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_takes_minutes_is_waited_for_and_asked_for_once() {
    let bench =
        bench(Duration::from_secs(20), renewable(|age| if age.as_secs() < 300 { Ok(OLD) } else { Ok(NEW) }));
    bench.up().await.unwrap();
    assert_eq!((renewals(&bench), complaints(&bench)), (1, 1));
    assert!(bench.account().age() > Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_yields_nothing_for_minutes_is_asked_again() {
    let bench = bench(
        Duration::from_secs(20),
        renewable(|age| match age.as_secs() {
            0..20 => Ok(OLD),
            20..300 => Err("the SSO token has expired"),
            _ => Ok(NEW),
        }),
    );
    bench.up().await.unwrap();
    assert_eq!((renewals(&bench), complaints(&bench)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn many_calls_at_once_wait_for_one_renewal() {
    let bench =
        bench(Duration::from_secs(200), renewable(|age| if age.as_secs() < 400 { Ok(OLD) } else { Ok(NEW) }));
    bench.up().await.unwrap();
    tokio::time::sleep(Duration::from_secs(200)).await;
    bench.down().await.unwrap();
    assert_eq!((renewals(&bench), complaints(&bench)), (1, 1));
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_renewed_end_it_at_once_with_what_to_do() {
    let bench = bench(Duration::from_secs(20), fixed(OLD));
    let error = bench.up().await.unwrap_err();
    assert_eq!((error.kind, error.kind.exit_code()), (Kind::Credentials, 3));
    assert!(error.cause.unwrap().contains("Expired"));
    assert!(!error.remedies.is_empty());
    assert!(bench.account().age() < Duration::from_secs(60), "{:?}", bench.account().age());
    assert_eq!(renewals(&bench), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_from_the_beginning_is_told_at_once() {
    let bench = bench(Duration::ZERO, renewable(|_| Ok(OLD)));
    let error = bench.up().await.unwrap_err();
    assert_eq!(error.kind, Kind::Credentials);
    assert!(bench.account().age() < Duration::from_secs(5), "{:?}", bench.account().age());
    assert_eq!(complaints(&bench), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_who_renews_them_is_waited_for_for_ever() {
    let bench = bench(Duration::from_secs(20), renewable(|_| Ok(OLD)));
    let error = bench.up().await.unwrap_err();
    assert_eq!(error.kind, Kind::Credentials);
    let waited = bench.account().age();
    assert!((300..1_000).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!((renewals(&bench), complaints(&bench)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_never_taken_for_somebody_elses_bucket() {
    let look = async |bench: &Bench, bucket: &str| {
        bench.context.clients.whose(bucket, ACCOUNT).await.map_err(|error| Error::of(&error).kind)
    };
    let good = bench(Duration::from_secs(1_000), fixed(OLD));
    let mut theirs = simulated_aws::Bucket::default();
    STRANGER.clone_into(&mut theirs.owner);
    good.account().buckets.insert(BUCKET.to_owned(), theirs);
    assert_eq!(look(&good, BUCKET).await, Ok(Bucket::Foreign));
    assert_eq!(look(&good, ARTIFACTS).await, Ok(Bucket::Missing));

    let expired = bench(Duration::ZERO, fixed(OLD));
    assert_eq!(look(&expired, BUCKET).await, Err(Kind::Credentials));

    // Renewed while STS was asked: the bucket is looked at once more.
    let renewed =
        bench(Duration::from_secs(5), renewable(|age| if age.as_secs() < 9 { Ok(OLD) } else { Ok(NEW) }));
    assert_eq!(look(&renewed, BUCKET).await, Ok(Bucket::Missing));
    renewed.account().make("AWS::S3::Bucket", BUCKET);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(look(&renewed, BUCKET).await, Ok(Bucket::Ours));
    assert_eq!(renewals(&renewed), 1);
}
