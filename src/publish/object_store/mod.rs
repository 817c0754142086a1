//! The place kind `object_store`: a bucket in S3 and whatever speaks it, in Google Cloud Storage, or a container in Azure.
//!
//! Requests, signing, retries and conditional writes are those of the crate `object_store`. It does not know profiles and
//! single sign-on, so for S3 the keys come from the same chain as those of the source `cloudwatch` (`aws`). A conditional
//! write whose answer was lost is tried again by the crate and then looks like a conflict with ourselves: before that is
//! called one, the bytes are compared.

#[cfg(feature = "aws")]
mod aws;
mod config;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, RetryConfig, UpdateVersion,
};
use reqwest::Method;

use super::descriptor::{OpenTarget, TargetDescriptor, TargetSettings};
use super::{Parcel, Place, PublishError, Signed, Stored, Version, file_kind};
use crate::config::Config;
use crate::model::diagnostic::without_code;
use crate::model::sanitize;

pub use config::{Cloud, ObjectStoreSettings};

/// What the program has to know of this kind.
pub static DESCRIPTOR: TargetDescriptor = TargetDescriptor {
    kind: "object_store",
    about: "A bucket in S3 and whatever speaks it, Google Cloud Storage or Azure",
    keeps_files: true,
    example: include_str!("example.toml"),
    schema: || schemars::schema_for!(config::RawObjectStore).to_value(),
    settings: |table| Ok(Box::new(ObjectStoreSettings::of(table)?)),
};

/// Longest life of a signed address: what Amazon accepts.
const LONGEST_LINK: u64 = 604_800;
/// What ends a signed address early.
const ENDS_EARLY: &str = "it ends earlier when the credentials that signed it end, often within hours for a role";

impl TargetSettings for ObjectStoreSettings {
    fn url(&self) -> &str {
        &self.url
    }

    fn open(&self, id: &str, _config: &Config) -> Result<OpenTarget, PublishError> {
        Ok(OpenTarget::Place(Box::new(Bucket::open(id, self)?)))
    }
}

/// An opened bucket.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    signer: Arc<dyn Signer>,
    prefix: String,
}

impl Bucket {
    /// Makes the client; keys are looked for at the first request.
    ///
    /// `id`: of the place, for the session name of a role.
    ///
    /// # Errors
    /// A bucket or endpoint that has no meaning, a key of the environment that cannot be read.
    pub fn open(id: &str, settings: &ObjectStoreSettings) -> Result<Self, PublishError> {
        // TLS by the project's own provider; a second call finds it in place, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 5,
            // Keys are not renewed while a request is tried again.
            retry_timeout: Duration::from_secs(60),
        };
        let is_plain = settings.endpoint.starts_with("http://");
        let client = ClientOptions::new()
            .with_allow_http(is_plain)
            .with_connect_timeout(Duration::from_secs(10))
            .with_timeout(Duration::from_secs(60));
        let (store, signer): (Arc<dyn ObjectStore>, Arc<dyn Signer>) = match settings.cloud {
            Cloud::S3 => {
                let store = Arc::new(s3(id, settings, retry, client).map_err(|error| unopened(settings, &error))?);
                (store.clone(), store)
            }
            Cloud::Google => {
                let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(&settings.bucket);
                let store = builder.with_retry(retry).with_client_options(client).build();
                let store = Arc::new(store.map_err(|error| unopened(settings, &error))?);
                (store.clone(), store)
            }
            Cloud::Azure => {
                let builder = MicrosoftAzureBuilder::from_env().with_container_name(&settings.bucket);
                let store = builder.with_retry(retry).with_client_options(client).build();
                let store = Arc::new(store.map_err(|error| unopened(settings, &error))?);
                (store.clone(), store)
            }
        };
        Ok(Self { store, signer, prefix: settings.prefix.clone() })
    }

    fn path(&self, name: &str) -> Path {
        if self.prefix.is_empty() { Path::from(name) } else { Path::from(format!("{}/{name}", self.prefix)) }
    }

    async fn put(&self, parcel: Parcel<'_>, mode: PutMode) -> Result<(), Error> {
        let kind = file_kind(parcel.name);
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, kind.content_type.into());
        attributes.insert(Attribute::CacheControl, kind.cache_control.into());
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let payload = PutPayload::from(parcel.bytes.to_vec());
        self.store.put_opts(&self.path(parcel.name), payload, options).await.map(drop)
    }
}

fn s3(
    id: &str,
    settings: &ObjectStoreSettings,
    retry: RetryConfig,
    client: ClientOptions,
) -> Result<object_store::aws::AmazonS3, Error> {
    let mut builder =
        AmazonS3Builder::from_env().with_bucket_name(&settings.bucket).with_retry(retry).with_client_options(client);
    if !settings.region.is_empty() {
        builder = builder.with_region(&settings.region);
    }
    if !settings.endpoint.is_empty() {
        builder = builder.with_endpoint(&settings.endpoint);
    }
    #[cfg(feature = "aws")]
    {
        builder = builder.with_credentials(Arc::new(aws::Chain::new(id, settings)));
    }
    #[cfg(not(feature = "aws"))]
    let _ = id;
    builder.build()
}

fn unopened(settings: &ObjectStoreSettings, error: &Error) -> PublishError {
    let help = match settings.cloud {
        Cloud::S3 => "check `bucket`, `region` and `endpoint` of the place",
        Cloud::Google => "set GOOGLE_APPLICATION_CREDENTIALS, or run where the metadata server gives credentials",
        Cloud::Azure => "set AZURE_STORAGE_ACCOUNT_NAME, and a key, a token or an identity as Azure's tools read them",
    };
    PublishError::Open { reason: reason_of(error), help: help.to_owned() }
}

/// Says what an error is about, without addresses: what comes after `?` in them may be a key.
fn reason_of(error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let words = without_code(&innermost.to_string());
    let shown: Vec<&str> = words.split_whitespace().filter(|word| !word.contains("://")).collect();
    sanitize::excerpt(&shown.join(" "))
}

fn remote(action: &'static str, name: &str, error: &Error) -> PublishError {
    let help = match error {
        Error::NotFound { .. } => "the bucket is not there: check `bucket`, `region` and `endpoint`",
        Error::PermissionDenied { .. } => {
            "these credentials may not: they need to read, write and list objects below the prefix"
        }
        Error::Unauthenticated { .. } => "the service does not know these credentials: check them and the region",
        Error::Generic { .. } => "check network, region and credentials; then run `fortnight publish` again",
        _ => "",
    };
    PublishError::Remote { action, name: name.to_owned(), reason: reason_of(error), help: help.to_owned() }
}

#[async_trait]
impl Place for Bucket {
    async fn read(&self, name: &str) -> Result<Option<Stored>, PublishError> {
        let result = match self.store.get(&self.path(name)).await {
            Ok(result) => result,
            Err(Error::NotFound { source, .. }) if !is_about_bucket(&*source) => return Ok(None),
            Err(error) => return Err(remote("read", name, &error)),
        };
        let version = Version { tag: result.meta.e_tag.clone(), generation: result.meta.version.clone() };
        let bytes = result.bytes().await.map_err(|error| remote("read", name, &error))?;
        Ok(Some(Stored { bytes: bytes.to_vec(), version }))
    }

    async fn write(&self, parcel: Parcel<'_>) -> Result<(), PublishError> {
        self.put(parcel, PutMode::Overwrite).await.map_err(|error| remote("write", parcel.name, &error))
    }

    async fn replace(&self, parcel: Parcel<'_>, version: Option<&Version>) -> Result<(), PublishError> {
        let mode = match version {
            None => PutMode::Create,
            Some(Version { tag, generation }) => {
                PutMode::Update(UpdateVersion { e_tag: tag.clone(), version: generation.clone() })
            }
        };
        match self.put(parcel, mode).await {
            Ok(()) => Ok(()),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                // An answer that was lost makes the second try meet what the first one wrote.
                let is_ours = self.read(parcel.name).await?.is_some_and(|stored| stored.bytes == parcel.bytes);
                if is_ours { Ok(()) } else { Err(PublishError::Changed { name: parcel.name.to_owned() }) }
            }
            Err(error) => Err(remote("write", parcel.name, &error)),
        }
    }

    async fn signed(&self, name: &str, seconds: u64) -> Result<Signed, PublishError> {
        let seconds = seconds.min(LONGEST_LINK);
        let url = self.signer.signed_url(Method::GET, &self.path(name), Duration::from_secs(seconds)).await;
        let url = url.map_err(|error| remote("sign a link to", name, &error))?;
        Ok(Signed { url: url.to_string(), seconds, caveat: ENDS_EARLY.to_owned() })
    }
}

/// Returns whether a 404 is about the bucket rather than the object: then nothing was ever published there, and never will.
fn is_about_bucket(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let words = error.to_string();
        if ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"].iter().any(|word| words.contains(word)) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_no_address() {
        let source = std::io::Error::other("error sending request for url (https://x.example/a?sig=SECRET) refused");
        let error = Error::Generic { store: "S3", source: Box::new(source) };
        let text = remote("write", "index.json", &error).to_string();
        assert!(text.contains("refused") && !text.contains("SECRET") && !text.contains("example"), "{text}");
    }
}
