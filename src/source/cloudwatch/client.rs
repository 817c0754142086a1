//! Credentials and clients: the standard chain, a role if one is named, one client a region.

use std::future::Future;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;

use super::clock::ServerClock;
use super::config::CloudWatchSettings;
use super::credentials::Announced;
use super::error::CloudWatchError;
use super::retry::{HonoursRetryAfter, LONGEST_WAIT};
use crate::model::secret::is_placeholder;
use crate::source::http::RateLimiter;
use crate::source::waiting::announced;

/// Tries of a request, the first included. Waits between them double from [`FIRST_WAIT`] on, each shortened by chance, so
/// that all of them together take about ten seconds; a token bucket of the SDK bounds them over all requests.
const TRIES: u32 = 7;
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Longest for a connection, for silence in an answer, and for one try as a whole.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);
const ONE_TRY: Duration = Duration::from_secs(120);
/// Longest for credentials, all tries together. The SDK's five seconds are over before the first try of a role is; a
/// server that hangs is reported within a minute.
const CREDENTIALS: Duration = Duration::from_secs(45);

/// One region of one account.
pub struct RegionClient {
    /// Its name.
    pub region: String,
    /// Region and account, for messages.
    pub place: String,
    /// What targets of this region carry at their end; empty in the first region of the config, so that adding a region
    /// renames nothing.
    pub suffix: String,
    pub metrics: aws_sdk_cloudwatch::Client,
    pub trail: aws_sdk_cloudtrail::Client,
    pub tagging: aws_sdk_resourcegroupstagging::Client,
    pub list_limiter: RateLimiter,
    pub data_limiter: RateLimiter,
    pub lookup_limiter: RateLimiter,
    pub tag_limiter: RateLimiter,
}

impl RegionClient {
    /// Waits for the answer to a call, and says so while it is late.
    ///
    /// # Errors
    /// The call failed, whatever was tried.
    pub async fn answer<T, E>(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, CloudWatchError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let what = format!("{}: {action}", self.place);
        announced(&what, call).await.map_err(|error| CloudWatchError::of_call(&self.place, action, &error))
    }
}

/// Opens all regions of a source. No request is made before the first question.
///
/// `source`: the source's id, which the role's sessions are called after.
///
/// # Errors
/// The external id is not in the environment.
pub async fn open(
    source: &str,
    settings: &CloudWatchSettings,
    clock: &ServerClock,
) -> Result<(SdkConfig, Vec<RegionClient>), CloudWatchError> {
    let config = configure(source, settings).await?;
    // The limits are Amazon's; a server that stands in for it has its own.
    let is_amazon = settings.endpoint.is_empty() || settings.endpoint.contains("amazonaws.com");
    let limiter = || if is_amazon { RateLimiter::new(1) } else { RateLimiter::unlimited() };
    let account = account_of(settings);
    let regions = settings.regions.iter().enumerate().map(|(index, region)| {
        let metrics = aws_sdk_cloudwatch::config::Builder::from(&config)
            .region(Region::new(region.clone()))
            .interceptor(clock.clone())
            .retry_classifier(HonoursRetryAfter)
            .build();
        let trail = aws_sdk_cloudtrail::config::Builder::from(&config)
            .region(Region::new(region.clone()))
            .interceptor(clock.clone())
            .retry_classifier(HonoursRetryAfter)
            .build();
        let tagging = aws_sdk_resourcegroupstagging::config::Builder::from(&config)
            .region(Region::new(region.clone()))
            .retry_classifier(HonoursRetryAfter)
            .build();
        RegionClient {
            place: if account.is_empty() { region.clone() } else { format!("{region} of account {account}") },
            suffix: if index == 0 { String::new() } else { format!(" @{region}") },
            region: region.clone(),
            metrics: aws_sdk_cloudwatch::Client::from_conf(metrics),
            trail: aws_sdk_cloudtrail::Client::from_conf(trail),
            tagging: aws_sdk_resourcegroupstagging::Client::from_conf(tagging),
            list_limiter: limiter(),
            data_limiter: limiter(),
            lookup_limiter: limiter(),
            tag_limiter: limiter(),
        }
    });
    let regions = regions.collect();
    Ok((config, regions))
}

/// Returns the name of the account in messages: the config's word, else the number in the role.
fn account_of(settings: &CloudWatchSettings) -> &str {
    let of_role = settings.role_arn.split(':').nth(4).unwrap_or_default();
    if settings.account.is_empty() { of_role } else { &settings.account }
}

async fn configure(source: &str, settings: &CloudWatchSettings) -> Result<SdkConfig, CloudWatchError> {
    let first = settings.regions.first().cloned().unwrap_or_default();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(first.clone()))
        .http_client(http_client())
        .identity_cache(IdentityCache::lazy().load_timeout(CREDENTIALS).build())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(TRIES)
                .with_initial_backoff(FIRST_WAIT)
                .with_max_backoff(LONGEST_WAIT),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT)
                .read_timeout(SILENCE)
                .operation_attempt_timeout(ONE_TRY)
                .build(),
        );
    if let Ok(name) = AppName::new("fortnight") {
        loader = loader.app_name(name);
    }
    if !settings.profile.is_empty() {
        loader = loader.profile_name(&settings.profile);
    }
    if !settings.endpoint.is_empty() {
        loader = loader.endpoint_url(&settings.endpoint);
    }
    let config = loader.load().await;
    if settings.role_arn.is_empty() {
        let named = |provider| Announced::new("credentials of the standard AWS chain".to_owned(), provider);
        return Ok(match config.credentials_provider() {
            Some(provider) => {
                config.into_builder().credentials_provider(SharedCredentialsProvider::new(named(provider))).build()
            }
            None => config,
        });
    }
    let mut role = aws_config::sts::AssumeRoleProvider::builder(&settings.role_arn)
        .session_name(session_name(source))
        .region(Region::new(first))
        .configure(&config);
    if !settings.external_id_env.is_empty() {
        role = role.external_id(external_id(&settings.external_id_env)?);
    }
    let what = format!("credentials by sts:AssumeRole of {}", settings.role_arn);
    let provider = Announced::new(what, SharedCredentialsProvider::new(role.build().await));
    let provider = SharedCredentialsProvider::new(provider);
    Ok(config.into_builder().credentials_provider(provider).build())
}

/// Reads the external id from the environment; it is handed on and kept nowhere here.
///
/// # Errors
/// The variable is not set, or holds what Amazon does not take.
pub fn external_id(variable: &str) -> Result<String, CloudWatchError> {
    let wrong = |reason| CloudWatchError::ExternalId { variable: variable.to_owned(), reason };
    let value = std::env::var(variable).map_err(|_| wrong("is not set"))?;
    let value = value.trim();
    // Amazon's own rule: 2 to 1224 of these.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@:/-_".contains(&byte);
    if !(2..=1224).contains(&value.len()) || !value.bytes().all(fits) {
        return Err(wrong("holds signs that no external id has"));
    }
    if is_placeholder(value) {
        return Err(wrong("holds a placeholder"));
    }
    Ok(value.to_owned())
}

/// Makes the name under which the role's sessions stand in the account's own logs.
fn session_name(source: &str) -> String {
    /// Amazon's limit.
    const LONGEST: usize = 64;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let word: String = source.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    format!("fortnight-{word}").chars().take(LONGEST).collect()
}

/// Where keys are looked for outside of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainSettings {
    /// Who asks, for the session name of a role.
    pub name: String,
    /// Region; empty for the chain's.
    pub region: String,
    /// Profile; empty for the usual chain.
    pub profile: String,
    /// Role to assume; empty for none.
    pub role_arn: String,
}

/// Opens the chain by which a source finds its keys, for others that need some; `None` if the chain is empty.
pub async fn chain(settings: &ChainSettings) -> Option<SharedCredentialsProvider> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client());
    if !settings.region.is_empty() {
        loader = loader.region(Region::new(settings.region.clone()));
    }
    if !settings.profile.is_empty() {
        loader = loader.profile_name(&settings.profile);
    }
    let config = loader.load().await;
    if settings.role_arn.is_empty() {
        return config.credentials_provider();
    }
    let role = aws_config::sts::AssumeRoleProvider::builder(&settings.role_arn)
        .session_name(session_name(&settings.name))
        .configure(&config);
    Some(SharedCredentialsProvider::new(role.build().await))
}

/// TLS by ring with the system's roots, through the proxy that the environment names.
fn http_client() -> SharedHttpClient {
    // The client's own short cut takes no proxy, so the connector is made by hand, as the SDK makes it.
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
        if let Some(settings) = settings {
            connector = connector.connector_settings(settings.clone());
        }
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names_are_what_amazon_takes() {
        assert_eq!(session_name("aws-card"), "fortnight-aws-card");
        assert_eq!(session_name("カード/1"), "fortnight-----1");
        assert_eq!(session_name(&"x".repeat(100)).len(), 64);
    }

    #[test]
    fn an_external_id_that_is_not_there_is_named_by_its_variable() {
        let error = external_id("FORTNIGHT_TEST_NOT_SET_ANYWHERE").expect_err("not set");
        assert!(error.to_string().contains("`FORTNIGHT_TEST_NOT_SET_ANYWHERE`"), "{error}");
        assert!(error.to_string().ends_with("is not set"));
    }
}
