//! The keys of a `[[source]]` of kind `cloudwatch`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{ConfigError, EntryTable};

/// One account of Amazon CloudWatch, in one or several regions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawCloudWatch {
    /// Its number or a name for it, for messages and `--account`, and where the service of a resource names no account.
    /// Default: none. Example: `account = "card-data"`
    account: Option<String>,
    /// Regions. Needed. Example: `regions = ["ap-northeast-1"]`
    regions: Option<Vec<String>>,
    /// Role to assume. Default: the credentials of the environment.
    /// Example: `role_arn = "arn:aws:iam::111122223333:role/fortnight-read"`
    role_arn: Option<String>,
    /// Environment variable that holds the role's external id. Default: none.
    /// Example: `external_id_env = "FORTNIGHT_EXTERNAL_ID"`
    external_id_env: Option<String>,
    /// Profile of the shared AWS files. Default: the environment's. Example: `profile = "audit"`
    profile: Option<String>,
    /// Patterns of resource names. Default: `["*"]`. Example: `resources = ["card-*"]`
    resources: Option<Vec<String>>,
    /// Tag whose value is the service that a resource belongs to, or a list of tags of which the first
    /// that a resource has counts. Needs the permission `tag:GetResources`. Default: none, resources go by their names.
    /// Example: `service_tag = "Service"`
    #[schemars(with = "serde_json::Value", extend("type" = ["string", "array", "null"]))]
    service_tag: Option<toml::Value>,
    /// Where requests go instead of the vendor's address. Default: the vendor's.
    /// Example: `endpoint = "http://127.0.0.1:4566"`
    endpoint: Option<String>,
    /// Minutes of a bucket, 1, 5, 15, 30 or 60, while the source has that. Default: `5`. Example: `step_minutes = 1`
    step_minutes: Option<i64>,
    /// Folder with further queries, relative to this file. Default: none. Example: `queries = "queries"`
    queries: Option<String>,
}

/// One account of Amazon CloudWatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudWatchSettings {
    /// Number or name of the account, for messages and `--account`; empty if unknown.
    pub account: String,
    /// Regions; never empty.
    pub regions: Vec<String>,
    /// Role to assume, empty to go with the credentials of the environment.
    pub role_arn: String,
    /// Environment variable that holds the role's external id, empty for none.
    pub external_id_env: String,
    /// Profile of the shared AWS files, empty for the environment's.
    pub profile: String,
    /// Where requests go instead of Amazon, empty for Amazon.
    pub endpoint: String,
    /// Patterns of resource names; never empty.
    pub resources: Vec<String>,
    /// Tags whose value is the service of a resource, tried in order; empty to go by names.
    pub service_tag: Vec<String>,
    /// Width of a bucket while the source has one-minute data, milliseconds.
    pub step_ms: i64,
    /// Folder with further lists of metrics, if any.
    pub queries: Option<PathBuf>,
}

impl CloudWatchSettings {
    /// Checks the table of a source.
    ///
    /// # Errors
    /// [`ConfigError`] for a key without a meaning.
    pub fn of(table: &EntryTable) -> Result<Self, ConfigError> {
        let raw: RawCloudWatch = table.read()?;
        let regions = raw.regions.unwrap_or_default();
        if regions.is_empty() || regions.iter().any(|region| region.trim().is_empty()) {
            return Err(table.wrong("regions", "names no region", "write regions = [\"ap-northeast-1\"]"));
        }
        let role_arn = raw.role_arn.unwrap_or_default();
        if !role_arn.is_empty() && !role_arn.starts_with("arn:") {
            let help = "write role_arn = \"arn:aws:iam::111122223333:role/NAME\"";
            return Err(table.wrong("role_arn", format!("{role_arn:?} is no ARN"), help));
        }
        Ok(Self {
            account: raw.account.unwrap_or_default(),
            regions,
            role_arn,
            external_id_env: table.variable("external_id_env", raw.external_id_env)?.unwrap_or_default(),
            profile: raw.profile.unwrap_or_default(),
            endpoint: table.endpoint("endpoint", raw.endpoint)?.unwrap_or_default(),
            resources: table.patterns_or_all("resources", raw.resources)?,
            service_tag: tags(table, "service_tag", raw.service_tag)?,
            step_ms: table.step_ms("step_minutes", raw.step_minutes)?,
            queries: table.folder("queries", raw.queries)?,
        })
    }
}

/// Reads the key of a tag, or a list of such keys.
fn tags(table: &EntryTable, key: &str, value: Option<toml::Value>) -> Result<Vec<String>, ConfigError> {
    /// Amazon's limit of a key, characters.
    const LONGEST: usize = 128;
    /// Each key is asked for by itself.
    const MOST: usize = 10;
    let help = "write the tag's key, such as service_tag = \"Service\", or leave it out";
    let (list, is_list) = match value {
        None => return Ok(Vec::new()),
        Some(toml::Value::Array(list)) => (list, true),
        Some(one) => (vec![one], false),
    };
    if list.is_empty() || list.len() > MOST {
        return Err(table.wrong(key, format!("{} tags are not from 1 to {MOST}", list.len()), help));
    }
    let mut keys: Vec<String> = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let place = if is_list { format!("{key}[{index}]") } else { key.to_owned() };
        let reason = match value {
            toml::Value::String(tag) if tag.trim().is_empty() => "the tag is empty".to_owned(),
            toml::Value::String(tag) if tag.chars().any(char::is_control) || tag.chars().count() > LONGEST => {
                format!("a tag has at most {LONGEST} characters, all of them printable")
            }
            toml::Value::String(tag) if keys.contains(&tag) => format!("{tag:?} is listed twice"),
            toml::Value::String(tag) => {
                keys.push(tag);
                continue;
            }
            other => format!("expected a tag, found {}", other.type_str()),
        };
        return Err(table.wrong(&place, reason, help));
    }
    Ok(keys)
}
