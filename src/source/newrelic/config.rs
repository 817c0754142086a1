//! The keys of a `[[source]]` of kind `newrelic`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{ConfigError, EntryTable};

/// One account of New Relic.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawNewRelic {
    /// The account's number. Needed. Example: `account = "1234567"`
    account: Option<String>,
    /// `"us"` or `"eu"`. Default: `"us"`. Example: `region = "eu"`
    #[schemars(extend("enum" = ["us", "eu", null]))]
    region: Option<String>,
    /// Environment variable that holds the user key. Default: `"NEW_RELIC_API_KEY"`.
    /// Example: `key_env = "NEW_RELIC_KEY_OF_CARDS"`
    key_env: Option<String>,
    /// Patterns of application names. Default: `["*"]`. Example: `applications = ["card-*"]`
    applications: Option<Vec<String>>,
    /// Where requests go instead of the vendor's address. Default: the vendor's.
    /// Example: `endpoint = "http://127.0.0.1:4566"`
    endpoint: Option<String>,
    /// Minutes of a bucket, 1, 5, 15, 30 or 60, while the source has that. Default: `5`. Example: `step_minutes = 1`
    step_minutes: Option<i64>,
    /// Folder with further queries, relative to this file. Default: none. Example: `queries = "queries"`
    queries: Option<String>,
}

/// One account of New Relic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRelicSettings {
    /// Number of the account.
    pub account: String,
    /// Where requests go: the region's address, or another that the file names.
    pub endpoint: String,
    /// Environment variable that holds the user key.
    pub key_env: String,
    /// Patterns of application names; never empty.
    pub applications: Vec<String>,
    /// Width of a bucket while the source has one-minute data, milliseconds.
    pub step_ms: i64,
    /// Folder with further queries, if any.
    pub queries: Option<PathBuf>,
}

impl NewRelicSettings {
    /// Checks the table of a source.
    ///
    /// # Errors
    /// [`ConfigError`] for a key without a meaning.
    pub fn of(table: &EntryTable) -> Result<Self, ConfigError> {
        let raw: RawNewRelic = table.read()?;
        let account = raw.account.unwrap_or_default();
        if account.is_empty() || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            let reason = if account.is_empty() { "is missing".to_owned() } else { format!("{account:?} is no number") };
            return Err(table.wrong("account", reason, "write the account's number, such as account = \"1234567\""));
        }
        let vendor = match raw.region.as_deref().unwrap_or("us") {
            "us" => "https://api.newrelic.com/graphql",
            "eu" => "https://api.eu.newrelic.com/graphql",
            other => return Err(table.wrong("region", format!("unknown region {other:?}"), "choose `us` or `eu`")),
        };
        Ok(Self {
            account,
            endpoint: table.endpoint("endpoint", raw.endpoint)?.unwrap_or_else(|| vendor.to_owned()),
            key_env: table.variable("key_env", raw.key_env)?.unwrap_or_else(|| "NEW_RELIC_API_KEY".to_owned()),
            applications: table.patterns_or_all("applications", raw.applications)?,
            step_ms: table.step_ms("step_minutes", raw.step_minutes)?,
            queries: table.folder("queries", raw.queries)?,
        })
    }
}
