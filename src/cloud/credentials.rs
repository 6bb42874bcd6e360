//! Where credentials come from: the SDK's own chain, built anew each time that new ones are wanted, so that a
//! profile, an SSO token or a web identity that somebody renews meanwhile is read again.

use aws_config::profile::{self, Profile};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::os_shim_internal::{Env, Fs};
use futures_util::future::BoxFuture;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Marks credentials that somebody can renew while this process runs. Variables of the environment can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewable;

/// A chain of providers that is built anew for each new credentials.
pub struct Chain {
    first: Mutex<Option<SharedCredentialsProvider>>,
    anew: Box<Anew>,
    profile: String,
}

type Anew = dyn Fn() -> BoxFuture<'static, Option<SharedCredentialsProvider>> + Send + Sync;

impl Chain {
    /// Asks `first` once, and then what `anew` builds. The profile is named where it gives no credentials.
    pub fn new(
        first: Option<SharedCredentialsProvider>,
        anew: impl Fn() -> BoxFuture<'static, Option<SharedCredentialsProvider>> + Send + Sync + 'static,
        profile: &str,
    ) -> Self {
        Chain { first: Mutex::new(first), anew: Box::new(anew), profile: profile.to_owned() }
    }

    async fn load(&self) -> provider::Result {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let provider = match first {
            Some(provider) => Some(provider),
            None => (self.anew)().await,
        };
        let Some(provider) = provider else {
            return Err(CredentialsError::not_loaded("there is nowhere to look for credentials"));
        };
        match provider.provide_credentials().await {
            Ok(mut credentials) => {
                credentials.set_property(Renewable);
                Ok(credentials)
            }
            Err(error) => Err(self.with_profile(error).await),
        }
    }

    /// The SDK's errors name neither profile nor MFA: what the profile says of itself goes with them.
    async fn with_profile(&self, error: CredentialsError) -> CredentialsError {
        let name = self.profile.clone();
        #[allow(deprecated)] // the type has moved to a crate that isn't for users
        let files = profile::profile_file::ProfileFiles::default();
        let profiles = profile::load(&Fs::real(), &Env::real(), &files, Some(name.clone().into())).await;
        let Ok(profiles) = profiles else { return error };
        let Some(found) = profiles.get_profile(&name) else {
            let defined: Vec<String> = profiles.profiles().map(str::to_owned).collect();
            // Without any profile there is none to blame.
            if name == DEFAULT_PROFILE {
                return error;
            }
            return CredentialsError::provider_error(ProfileError {
                defined: Some(defined),
                ..ProfileError::of(name, error)
            });
        };
        let get = |key: &str| found.get(key).map(str::to_owned);
        CredentialsError::provider_error(ProfileError {
            mfa_serial: get("mfa_serial"),
            role_arn: get("role_arn"),
            sso: is_sso(found),
            ..ProfileError::of(name, error)
        })
    }
}

/// Asked by the clients of many regions at once, asks once: some ways to credentials open a browser each time.
#[derive(Debug)]
pub struct Together {
    inner: SharedCredentialsProvider,
    last: tokio::sync::Mutex<Option<(Instant, Credentials)>>,
}

impl Together {
    /// How long the same are handed out. Whoever waits for others asks again, less often than that.
    const SAME: Duration = Duration::from_secs(10);

    /// Asks this one.
    pub fn new(inner: SharedCredentialsProvider) -> Self {
        Together { inner, last: tokio::sync::Mutex::default() }
    }

    async fn load(&self) -> provider::Result {
        let mut last = self.last.lock().await;
        if let Some((_, same)) = last.as_ref().filter(|(at, _)| at.elapsed() < Self::SAME) {
            return Ok(same.clone());
        }
        let found = self.inner.provide_credentials().await?;
        *last = Some((Instant::now(), found.clone()));
        Ok(found)
    }
}

impl ProvideCredentials for Together {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

/// The profile that is meant where none is named.
pub const DEFAULT_PROFILE: &str = "default";

fn is_sso(profile: &Profile) -> bool {
    ["sso_session", "sso_start_url", "sso_account_id"].iter().any(|key| profile.get(key).is_some())
}

/// A profile gave no credentials.
#[derive(Debug)]
pub struct ProfileError {
    /// Its name.
    pub profile: String,
    /// The profiles that there are, where this one isn't among them.
    pub defined: Option<Vec<String>>,
    /// The MFA device that it wants, for which this SDK can't ask.
    pub mfa_serial: Option<String>,
    /// The role that it assumes.
    pub role_arn: Option<String>,
    /// Whether it logs in by IAM Identity Center.
    pub sso: bool,
    source: CredentialsError,
}

impl ProfileError {
    fn of(profile: String, source: CredentialsError) -> Self {
        ProfileError { profile, defined: None, mfa_serial: None, role_arn: None, sso: false, source }
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the profile `{}` gives no credentials", self.profile)
    }
}

impl StdError for ProfileError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({})", self.profile)
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        None
    }
}
