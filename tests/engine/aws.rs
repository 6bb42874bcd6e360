//! A small AWS account that lives in this process and on tokio's time. It answers the calls that the tool makes,
//! keeps what they change, and can be told to misbehave as AWS does. A call that it doesn't know is a panic.

mod cloudformation;
mod other;
mod s3;
mod script;
mod stacks;
mod steps;
mod template;
mod wire;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
pub use s3::{Bucket, Version};
pub use script::{Fault, Kill, Script, When};
pub use stacks::Stack;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
pub use wire::{Call, Refusal, between};

pub const ACCOUNT: &str = "123456789012";
pub const STRANGER: &str = "999999999999";
const LATENCY: Duration = Duration::from_millis(40);

/// What a handler says: a body, or an error of its service.
type Reply = Result<String, Refusal>;

/// The way to an account: a connector for the SDK, and a look inside for tests.
#[derive(Clone)]
pub struct Aws(Arc<Mutex<Account>>);

/// All that there is.
#[derive(Clone)]
pub struct Account {
    pub region: String,
    /// The caller's ARN.
    pub caller: String,
    pub calls: Vec<Call>,
    pub faults: Vec<Fault>,
    pub stacks: Vec<Stack>,
    pub buckets: BTreeMap<String, Bucket>,
    /// Everything that isn't a bucket, by type and name, and when it vanishes by itself.
    pub things: BTreeMap<(String, String), Option<Instant>>,
    pub script: Script,
    pub kill: Option<Kill>,
    began: Instant,
    serial: u64,
}

impl Aws {
    pub fn new(region: &str) -> Self {
        Aws::of(Account {
            region: region.to_owned(),
            caller: format!("arn:aws:iam::{ACCOUNT}:user/somebody"),
            calls: Vec::new(),
            faults: Vec::new(),
            stacks: Vec::new(),
            buckets: BTreeMap::new(),
            things: BTreeMap::new(),
            script: Script::default(),
            kill: None,
            began: Instant::now(),
            serial: 0,
        })
    }

    pub fn of(account: Account) -> Self {
        Aws(Arc::new(Mutex::new(account)))
    }

    pub fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// The account as it is at this moment.
    pub fn now(&self) -> MutexGuard<'_, Account> {
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        account.advance(Instant::now());
        account
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aws")
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(LATENCY).await;
            let answer = aws.now().answer(&request);
            match answer {
                Some(answer) => Ok(answer),
                None => std::future::pending().await,
            }
        })
    }
}

impl Account {
    /// `None` where the caller dies before it hears the answer.
    fn answer(&mut self, request: &HttpRequest) -> Option<HttpResponse> {
        let call = wire::call(request);
        let number = self.calls.len();
        self.calls.push(call.clone());
        let kill = self.kill.clone().filter(|kill| kill.at == number);
        if kill.as_ref().is_none_or(|kill| kill.after_effect) {
            let reply = self.refusal(&call.operation).map_or_else(|| self.serve(&call), Err);
            if kill.is_none() {
                return Some(wire::response(&call, reply));
            }
        }
        if let Some(kill) = kill {
            kill.signal.notify_one();
        }
        None
    }

    fn serve(&mut self, call: &Call) -> Reply {
        match call.service.as_str() {
            "cloudformation" => cloudformation::serve(self, call),
            "s3" => s3::serve(self, call),
            _ => other::serve(self, call),
        }
    }

    fn refusal(&mut self, operation: &str) -> Option<Refusal> {
        let age = self.began.elapsed();
        let fault = self.faults.iter_mut().find(|fault| {
            fault.operation == operation
                && match fault.when {
                    When::Always => true,
                    When::Times(left) => left > 0,
                    When::Between(from, until) => (from..until).contains(&age),
                }
        })?;
        if let When::Times(left) = &mut fault.when {
            *left -= 1;
        }
        Some(fault.refusal.clone())
    }

    /// How old the account is.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// RFC 3339, by the account's own clock.
    fn time(&self, at: Instant) -> String {
        let began = jiff::Timestamp::from_second(1_790_000_000).unwrap_or_default();
        began.checked_add(at - self.began).unwrap_or(began).to_string()
    }

    /// A number that nothing else has.
    fn number(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{ACCOUNT}:{resource}", self.region)
    }

    pub fn exists(&self, kind: &str, name: &str) -> bool {
        match kind {
            "AWS::S3::Bucket" => self.buckets.contains_key(name),
            _ => self.things.contains_key(&(kind.to_owned(), name.to_owned())),
        }
    }

    pub fn make(&mut self, kind: &str, name: &str) {
        match kind {
            "AWS::S3::Bucket" => {
                self.buckets.insert(name.to_owned(), Bucket::of(ACCOUNT));
            }
            _ => {
                self.things.insert((kind.to_owned(), name.to_owned()), None);
            }
        }
    }

    fn unmake(&mut self, kind: &str, name: &str) {
        self.buckets.remove(name).filter(|_| kind == "AWS::S3::Bucket");
        self.things.remove(&(kind.to_owned(), name.to_owned()));
    }
}
