//! The keys of a `[[publish]]` of kind `object_store`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{ConfigError, EntryTable};

/// A bucket that keeps reports.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawObjectStore {
    /// Service, bucket and prefix: `s3://`, `gs://` or `az://` (account from the environment). Needed.
    /// Example: `bucket = "s3://team-reports/performance"`
    bucket: Option<String>,
    /// The address under which people open that prefix, for links. Default: none, and links are signed on demand.
    /// Example: `url = "https://reports.example.com/performance"`
    url: Option<String>,
    /// `s3://` only: the region. Default: as Amazon's own tools find it. Example: `region = "ap-northeast-1"`
    region: Option<String>,
    /// `s3://` only: address of a service that speaks S3. Default: Amazon's. Example: `endpoint = "https://minio.example.com"`
    endpoint: Option<String>,
    /// `s3://` only: profile of Amazon's configuration. Default: the usual chain. Example: `profile = "reports"`
    profile: Option<String>,
    /// `s3://` only: role to assume for writing. Default: none.
    /// Example: `role_arn = "arn:aws:iam::123456789012:role/fortnight-publish"`
    role_arn: Option<String>,
}

/// Whose storage it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// S3, or what speaks it.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

const SCHEMES: [(&str, Cloud); 3] = [("s3://", Cloud::S3), ("gs://", Cloud::Google), ("az://", Cloud::Azure)];

/// A bucket that keeps reports, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectStoreSettings {
    /// Whose storage it is.
    pub cloud: Cloud,
    /// Bucket or container.
    pub bucket: String,
    /// Where the reports begin in it, without a slash at either end; may be empty.
    pub prefix: String,
    /// Its address, without a slash at the end; empty for none.
    pub url: String,
    /// Region; empty for the chain's.
    pub region: String,
    /// Address of the service; empty for the vendor's.
    pub endpoint: String,
    /// Profile; empty for the usual chain.
    pub profile: String,
    /// Role to assume; empty for none.
    pub role_arn: String,
}

impl ObjectStoreSettings {
    /// Checks the table of a place.
    ///
    /// # Errors
    /// [`ConfigError`] for no bucket, an unknown scheme, a key that goes with S3 only.
    pub fn of(table: &EntryTable) -> Result<Self, ConfigError> {
        let raw: RawObjectStore = table.read()?;
        let address = raw.bucket.unwrap_or_default();
        let help = "write bucket = \"s3://team-reports/performance\"; gs:// and az:// work alike";
        let found = SCHEMES.iter().find_map(|(scheme, cloud)| Some((*cloud, address.strip_prefix(scheme)?)));
        let Some((cloud, rest)) = found else {
            let reason = if address.is_empty() { "is missing" } else { "begins with none of s3://, gs://, az://" };
            return Err(table.wrong("bucket", reason, help));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if bucket.is_empty() || !bucket.chars().all(fits) {
            return Err(table.wrong("bucket", "names no bucket", help));
        }
        let prefix = prefix.trim_matches('/');
        if !prefix
            .split('/')
            .all(|part| prefix.is_empty() || (!["", ".", ".."].contains(&part) && part.chars().all(fits)))
        {
            let help = "use letters, digits, `-`, `_`, `.` and single slashes";
            return Err(table.wrong("bucket", format!("{prefix:?} is no prefix"), help));
        }
        let own = [("region", &raw.region), ("profile", &raw.profile), ("role_arn", &raw.role_arn)];
        for (key, value) in own.into_iter().chain([("endpoint", &raw.endpoint)]) {
            if cloud != Cloud::S3 && value.is_some() {
                return Err(table.wrong(key, "goes with s3:// only", "leave it out"));
            }
            if value.as_deref().is_some_and(|value| value.trim().is_empty()) {
                return Err(table.wrong(key, "is empty", "leave it out"));
            }
        }
        Ok(Self {
            cloud,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            url: table.url("url", raw.url)?,
            region: raw.region.unwrap_or_default(),
            endpoint: table.endpoint("endpoint", raw.endpoint)?.unwrap_or_default(),
            profile: raw.profile.unwrap_or_default(),
            role_arn: raw.role_arn.unwrap_or_default(),
        })
    }
}
