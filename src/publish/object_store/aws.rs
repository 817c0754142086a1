//! Keys for S3 by the chain that the source `cloudwatch` uses: environment, profile, single sign-on, container, instance.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::{Mutex, OnceCell};

use super::ObjectStoreSettings;
use crate::model::clock::Clock;
use crate::source::cloudwatch::{self, ChainSettings};

/// Keys that end sooner than this are asked for again.
const SPARE: Duration = Duration::from_secs(300);

/// The chain, opened at the first request, and the keys that it gave last.
#[derive(Debug)]
pub(super) struct Chain {
    settings: ChainSettings,
    provider: OnceCell<Option<SharedCredentialsProvider>>,
    last: Mutex<Option<Credentials>>,
}

impl Chain {
    /// Makes a chain. `id`: of the place, for the session name of a role.
    pub(super) fn new(id: &str, settings: &ObjectStoreSettings) -> Self {
        let settings = ChainSettings {
            name: id.to_owned(),
            region: settings.region.clone(),
            profile: settings.profile.clone(),
            role_arn: settings.role_arn.clone(),
        };
        Self { settings, provider: OnceCell::new(), last: Mutex::new(None) }
    }
}

fn is_fresh(credentials: &Credentials) -> bool {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(Clock::System.now()).unwrap_or_default());
    credentials.expiry().is_none_or(|end| end > now + SPARE)
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let provider = self.provider.get_or_init(|| cloudwatch::chain(&self.settings)).await;
        let Some(provider) = provider else {
            let source = "no credentials found: set a profile, or the keys in the environment".into();
            return Err(object_store::Error::Unauthenticated { path: String::new(), source });
        };
        let mut last = self.last.lock().await;
        let credentials = match last.take().filter(is_fresh) {
            Some(credentials) => credentials,
            None => provider.provide_credentials().await.map_err(|error| object_store::Error::Unauthenticated {
                path: String::new(),
                source: Box::new(error),
            })?,
        };
        let keys = AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(str::to_owned),
        };
        *last = Some(credentials);
        Ok(Arc::new(keys))
    }
}
