//! Tells each call that a client makes, and each retry; and notes whether its credentials are still good.

use super::fault;
use super::renewal::Renewal;
use crate::event::{Event, Reporter};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use std::sync::Arc;
use std::time::Instant;

/// The interceptor that tells.
#[derive(Clone)]
pub struct Calls {
    reporter: Arc<dyn Reporter>,
    renewal: Renewal,
}

#[derive(Debug)]
struct Began(Instant);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

/// The access key that an attempt was signed with.
#[derive(Debug)]
struct SignedWith(String);

impl Storable for SignedWith {
    type Storer = StoreReplace<Self>;
}

impl Calls {
    /// Tells this reporter, and notes there what becomes of the credentials.
    pub fn new(reporter: Arc<dyn Reporter>, renewal: Renewal) -> Self {
        Calls { reporter, renewal }
    }
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Calls")
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(Began(Instant::now()));
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let header = context.request().headers().get("authorization");
        let scope = header.and_then(|header| header.split_once("Credential="));
        if let Some((key, _)) = scope.and_then(|(_, scope)| scope.split_once('/')) {
            bag.interceptor_state().store_put(SignedWith(key.to_owned()));
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let outcome = match (context.response(), context.output_or_error()) {
            (Some(response), _) => response.status().as_u16().to_string(),
            (None, Some(Err(_))) => "no answer".to_owned(),
            (None, _) => "not sent".to_owned(),
        };
        if let (Some(response), Some(SignedWith(key))) = (context.response(), bag.load::<SignedWith>()) {
            // That something isn't there is told only to those whom the service knows.
            if response.status().is_success() || response.status().as_u16() == 404 {
                self.renewal.accepted(key);
            } else if fault::says_expired(response) {
                self.renewal.refused(key);
            }
        }
        let metadata = bag.load::<Metadata>();
        self.reporter.tell(&Event::Call {
            service: metadata.map(|m| m.service().to_owned()).unwrap_or_default(),
            operation: metadata.map(|m| m.name().to_owned()).unwrap_or_default(),
            attempt: bag.load::<RequestAttempts>().map_or(1, |attempts| attempts.attempts()),
            outcome,
            milliseconds: bag
                .load::<Began>()
                .map_or(0, |began| u64::try_from(began.0.elapsed().as_millis()).unwrap_or(u64::MAX)),
        });
        Ok(())
    }
}
