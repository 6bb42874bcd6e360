//! Lets every call survive that its credentials expire meanwhile: whoever needs an identity waits until there is a
//! new one, and the refused call is made again with it.
//!
//! Only credentials that can be renewed are waited for, and only where some have worked before: what has expired
//! from the beginning is told at once.

use super::credentials::Renewable;
use super::fault;
use crate::event::{Event, Reporter};
use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::AsyncSleep;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::{
    Identity, IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::ErrorKind;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long somebody has to renew the credentials.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a refused key is held back before it is tried once more. A call has eight attempts, so this times
/// eight is about the patience.
const HELD_BACK: Duration = Duration::from_secs(80);
/// How often the chain is read anew, in seconds: a process that yields credentials may open a browser each time.
const SHORTEST_PAUSE: f64 = 2.0;
const LONGEST_PAUSE: f64 = 30.0;

/// What the clients of one configuration know of their credentials.
#[derive(Clone)]
pub struct Renewal(Arc<Shared>);

struct Shared {
    reporter: Arc<dyn Reporter>,
    cache: Mutex<SharedIdentityCache>,
    /// One waits for all.
    turn: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The access key that was given out last.
    current: Option<String>,
    /// Whether it can be renewed.
    renewable: bool,
    /// Whether any has ever been accepted.
    worked: bool,
    /// The access key that is no longer good.
    refused: Option<String>,
    /// Since when there are no good credentials.
    since: Option<Instant>,
    /// Whether that was told.
    told: bool,
}

impl Memory {
    /// Whether it makes sense to wait for others.
    fn hopes(&self) -> bool {
        self.renewable && self.worked && self.since.is_none_or(|since| since.elapsed() < PATIENCE)
    }

    fn settle(&mut self) {
        self.refused = None;
        self.since = None;
        self.told = false;
    }
}

impl Renewal {
    /// Tells this reporter.
    pub fn new(reporter: Arc<dyn Reporter>) -> Self {
        Renewal(Arc::new(Shared {
            reporter,
            cache: Mutex::new(IdentityCache::lazy().build()),
            turn: tokio::sync::Mutex::default(),
            memory: Mutex::default(),
        }))
    }

    /// A call with this access key was answered: it is good.
    pub fn accepted(&self, key: &str) {
        let mut memory = self.memory();
        memory.worked = true;
        if memory.refused.as_deref() == Some(key) {
            memory.settle();
        }
    }

    /// A call with this access key was told that it is no longer good.
    pub fn refused(&self, key: &str) {
        let mut memory = self.memory();
        // A late answer to an older key says nothing of the one that is used now.
        if memory.hopes() && memory.current.as_deref() == Some(key) {
            memory.refused = Some(key.to_owned());
            memory.since.get_or_insert_with(Instant::now);
            self.forget();
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, SharedIdentityCache> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self) {
        *self.cache() = IdentityCache::lazy().build();
    }

    async fn identity(
        &self,
        resolver: SharedIdentityResolver,
        components: &RuntimeComponents,
        bag: &ConfigBag,
    ) -> Result<Identity, BoxError> {
        let cached = async || {
            let cache = self.cache().clone();
            cache.resolve_cached_identity(resolver.clone(), components, bag).await
        };
        let found = cached().await;
        if !self.is_to_be_waited_for(&found) {
            return self.given_out(found);
        }
        let _turn = self.0.turn.lock().await;
        let (began, mut pause) = (Instant::now(), SHORTEST_PAUSE);
        loop {
            let found = cached().await;
            let held_back = found.is_err() || began.elapsed() < HELD_BACK;
            if !self.is_to_be_waited_for(&found) || !held_back {
                return self.given_out(found);
            }
            self.tell_once(pause);
            let Some(sleep) = components.sleep_impl() else { return self.given_out(found) };
            sleep.sleep(Duration::from_secs_f64(pause)).await;
            pause = (pause * 1.6).min(LONGEST_PAUSE);
            self.forget();
        }
    }

    fn is_to_be_waited_for(&self, found: &Result<Identity, BoxError>) -> bool {
        let mut memory = self.memory();
        let bad = match found {
            Ok(identity) => memory.refused.is_some() && access_key(identity) == memory.refused.as_deref(),
            Err(_) => true,
        };
        let waits = bad && memory.hopes();
        if waits {
            memory.since.get_or_insert_with(Instant::now);
        }
        waits
    }

    fn tell_once(&self, pause: f64) {
        if !std::mem::replace(&mut self.memory().told, true) {
            let reason = "the credentials have expired: renew them, they are read again".to_owned();
            self.0.reporter.tell(&Event::PollFailed { reason, retry_seconds: pause });
        }
    }

    fn given_out(&self, found: Result<Identity, BoxError>) -> Result<Identity, BoxError> {
        let identity = found?;
        let mut memory = self.memory();
        let key = access_key(&identity).map(str::to_owned);
        let renewed = memory.since.is_some() && key != memory.refused;
        if renewed {
            memory.settle();
        }
        memory.renewable = credentials(&identity).is_some_and(|it| it.get_property::<Renewable>().is_some());
        memory.current = key;
        drop(memory);
        if renewed {
            self.0.reporter.tell(&Event::CredentialsRenewed);
        }
        Ok(identity)
    }
}

fn credentials(identity: &Identity) -> Option<&Credentials> {
    identity.data::<Credentials>()
}

fn access_key(identity: &Identity) -> Option<&str> {
    credentials(identity).map(Credentials::access_key_id)
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal")
    }
}

impl ResolveCachedIdentity for Renewal {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        bag: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        IdentityFuture::new(self.identity(resolver, components, bag))
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.cache().validate_base_client_config(components, bag)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, bag: &ConfigBag) -> Result<(), BoxError> {
        self.cache().validate_final_config(components, bag)
    }
}

/// A call that was refused because of its credentials is made again, where new ones may come.
impl ClassifyRetry for Renewal {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(response) if fault::says_expired(response) && self.memory().hopes() => {
                RetryAction::retryable_error(ErrorKind::ClientError)
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Renewal"
    }
}
