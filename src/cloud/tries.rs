//! What becomes of calls while they are still being tried. A client tries a call eight times before it tells an error:
//! that takes half a minute, and somebody waits for a word.

use super::fault;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What has failed for so long is worth a word.
const LASTS: Duration = Duration::from_secs(3);
/// A try that has had no answer for so long counts as one that fails.
const SILENCE: Duration = Duration::from_secs(20);
/// Another reason is told so long after the one before.
const APART: Duration = Duration::from_secs(30);

/// How the calls for one thing go. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Tries(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    failing: Option<Failing>,
    /// Since when there has been no answer at all.
    asked: Option<Instant>,
    /// The reason that was told, and when.
    told: Option<(String, Instant)>,
}

/// Calls that fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// When the first of them did.
    pub since: Instant,
    /// Why the last one did.
    pub reason: String,
}

impl Failing {
    /// Whether it is more than a hiccup.
    pub fn lasts(&self) -> bool {
        self.since.elapsed() >= LASTS
    }
}

/// What there is to tell.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// Calls have failed for a while, or fail for another reason.
    Failing(Failing),
    /// What was told to fail no longer does.
    Over,
}

impl Tries {
    /// What a call of the operation whose error is `E` gets, so that its tries are noted here.
    pub fn notes<E>(&self) -> Notes<E> {
        Notes(self.clone(), PhantomData)
    }

    /// A try failed, or what came of it is as good as that.
    pub fn failed(&self, reason: String) {
        let mut state = self.lock();
        let since = state.failing.as_ref().map_or_else(Instant::now, |failing| failing.since);
        state.failing = Some(Failing { since, reason });
    }

    /// It works.
    pub fn succeeded(&self) {
        self.lock().failing = None;
    }

    /// Whether it fails at this moment.
    pub fn failing(&self) -> Option<Failing> {
        let state = self.lock();
        let silent = state.asked.filter(|asked| asked.elapsed() >= SILENCE);
        let silent = silent.map(|since| Failing { since, reason: "no answer".to_owned() });
        state.failing.clone().or(silent)
    }

    /// What has not been told yet.
    pub fn news(&self) -> Option<News> {
        let failing = self.failing();
        let mut state = self.lock();
        let Some(failing) = failing else { return state.told.take().map(|_| News::Over) };
        let is_new = match &state.told {
            None => failing.lasts(),
            Some((told, at)) => at.elapsed() >= APART && code(told) != code(&failing.reason),
        };
        is_new.then(|| {
            state.told = Some((failing.reason.clone(), Instant::now()));
            News::Failing(failing)
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells reasons apart: the rest may name another request each time.
fn code(reason: &str) -> &str {
    reason.split(':').next().unwrap_or_default()
}

/// Notes each try of a call.
pub struct Notes<E>(Tries, PhantomData<fn() -> E>);

impl<E> fmt::Debug for Notes<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notes")
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl<E> Intercept for Notes<E>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        "Notes"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.lock().asked.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.lock().asked = None;
        if let Some(Err(error)) = context.output_or_error() {
            self.0.failed(fault::said_by_a_try::<E>(error, context.response()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_told_once_it_lasts_once_for_each_reason_and_when_it_is_over() {
        let tries = Tries::default();
        tries.failed("Throttling: a".to_owned());
        assert_eq!(tries.news(), None, "a hiccup");
        advance(LASTS).await;
        assert!(matches!(tries.news(), Some(News::Failing(it)) if it.reason == "Throttling: a"));
        advance(APART).await;
        tries.failed("Throttling: b".to_owned());
        assert_eq!(tries.news(), None, "the same reason");
        tries.failed("InternalFailure (HTTP 500)".to_owned());
        assert!(matches!(tries.news(), Some(News::Failing(it)) if it.since.elapsed() == LASTS + APART));
        tries.succeeded();
        assert_eq!((tries.news(), tries.news()), (Some(News::Over), None));
    }
}
