//! The way to an account: a connector for the SDK, and a look inside for tests.

use crate::Account;
use crate::account::UNKNOWN;
use crate::clock::Clock;
use crate::record;
use crate::spell::LATENCY;
use crate::streaming::{Pushed, Source};
use crate::weather::{Fate, Weather};
use crate::wire::{self, Call, Refusal};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The way to an account.
#[derive(Clone)]
pub struct Aws(Arc<Mutex<Account>>);

/// What becomes of a call.
pub(crate) enum Outcome {
    /// It is answered.
    Answered(HttpResponse),
    /// It is answered, but the connection breaks half way.
    Cut(HttpResponse),
    /// The connection breaks before any answer.
    Reset,
    /// Its caller is dead.
    Killed,
}

impl Aws {
    /// An empty account in a region, on a quiet day.
    pub fn new(region: &str) -> Self {
        Aws::of(Account::new(region))
    }

    /// This very account.
    pub fn of(account: Account) -> Self {
        Aws(Arc::new(Mutex::new(account)))
    }

    /// The account in the weather of a seed.
    #[must_use]
    pub fn with_weather(self, seed: u64) -> Self {
        self.now().meet(Weather::from_seed(seed));
        self
    }

    /// The account on another clock: to be called before anything else, since a clock begins anew.
    #[must_use]
    pub fn on_clock(self, clock: Clock) -> Self {
        self.now().clock = clock;
        self
    }

    /// An HTTP client for the SDK's configuration, at whose other end the account is.
    pub fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// The account as it is at this moment.
    pub fn now(&self) -> MutexGuard<'_, Account> {
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = account.clock.now();
        account.advance(now);
        account
    }

    /// Takes a call through the weather.
    pub(crate) async fn handle(&self, request: &HttpRequest) -> Outcome {
        record::note(request);
        let call = wire::call(request);
        let (fate, clock) = {
            let mut account = self.now();
            (account.fate_of(&call), account.clock)
        };
        clock.sleep(fate.as_ref().map_or(LATENCY, |fate| fate.latency())).await;
        let region = call.region.clone();
        let (mut outcome, source) = self.now().meet_fate(call, fate);
        if let (Outcome::Answered(answer) | Outcome::Cut(answer), Some(source)) = (&mut outcome, source) {
            let pushed = Pushed::new(self.clone(), &region, source);
            *answer.body_mut() = SdkBody::from_body_1_x(pushed);
        }
        outcome
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
            match aws.handle(&request).await {
                Outcome::Answered(answer) => {
                    let unknown = answer.status().as_u16() == 501;
                    assert!(
                        !unknown,
                        "{}",
                        String::from_utf8_lossy(answer.body().bytes().unwrap_or_default())
                    );
                    Ok(answer)
                }
                Outcome::Cut(answer) => Ok(wire::cut(answer)),
                Outcome::Reset => {
                    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                    Err(ConnectorError::io(reset.into()))
                }
                Outcome::Killed => std::future::pending().await,
            }
        })
    }
}

impl Account {
    /// Puts the account into a weather.
    pub fn meet(&mut self, mut weather: Weather) {
        weather.began = self.age();
        weather.prepare(&mut self.script);
        self.seed(weather.seed);
        let now = self.clock.now();
        self.coming.extend(
            weather.others.iter().map(|(after, act)| (now + *after, crate::things::Coming::Somebody(*act))),
        );
        self.weather = Some(weather);
    }

    fn fate_of(&mut self, call: &Call) -> Option<Fate> {
        let (age, resource) = (self.age(), self.resource_of(call));
        let caller = self.caller.clone();
        if let Some(spell) = self.spells.iter_mut().find_map(|it| it.befalls(call, age).then_some(it.trouble))
        {
            return Some(spell.fate(call, &caller, &resource));
        }
        let weather = self.weather.as_mut();
        weather.map(|it| it.fate(age.saturating_sub(it.began), call, &caller, &resource))
    }

    fn meet_fate(&mut self, call: Call, fate: Option<Fate>) -> (Outcome, Option<Source>) {
        let number = self.calls.len();
        self.calls.push(call.clone());
        if let Some(kill) = self.kill.clone().filter(|kill| kill.at == number) {
            if kill.after_effect {
                let _ = self.reply(&call);
            }
            kill.signal.notify_one();
            return (Outcome::Killed, None);
        }
        let outcome = match fate {
            Some(Fate::ResetBefore { .. }) => Outcome::Reset,
            Some(Fate::ResetAfter { .. }) => {
                let _ = self.reply(&call);
                Outcome::Reset
            }
            Some(Fate::Refused { refusal, .. }) => Outcome::Answered(wire::response(&call, Err(refusal))),
            Some(Fate::Cut { .. }) => {
                let (answer, source) = self.respond(&call);
                return (Outcome::Cut(answer), source);
            }
            Some(Fate::Served { .. }) | None => {
                let (answer, source) = self.respond(&call);
                return (Outcome::Answered(answer), source);
            }
        };
        (outcome, None)
    }

    fn respond(&mut self, call: &Call) -> (HttpResponse, Option<Source>) {
        let mut reply = self.reply(call);
        let source = reply.as_mut().ok().and_then(|answer| answer.source.take());
        // A test's script may refuse with 501 too; only the account's own one is a call that it doesn't know.
        let reply = reply.map_err(|refusal| match refusal.code.as_str() {
            UNKNOWN => refusal,
            _ if refusal.status == 501 => Refusal { status: 500, ..refusal },
            _ => refusal,
        });
        let mut response = wire::response(call, reply);
        // Each answer has a number, by which AWS finds it again.
        let header = if call.service == "s3" { "x-amz-request-id" } else { "x-amzn-requestid" };
        response.headers_mut().insert(header, format!("request-{}", self.calls.len()));
        (response, source)
    }
}
