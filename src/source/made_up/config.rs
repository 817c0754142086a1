//! The keys of a `[[source]]` of kind `made_up`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{ConfigError, SourceTable};

/// Made-up endpoints.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawMadeUp {
    /// Names of services. Default: `["shop"]`. Example: `services = ["shop", "cart"]`
    services: Option<Vec<String>>,
}

/// Which services are made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeUpSettings {
    /// Names of services; never empty.
    pub services: Vec<String>,
}

impl MadeUpSettings {
    /// Checks the table of a source.
    ///
    /// # Errors
    /// [`ConfigError`] for a list without a service.
    pub fn of(table: &SourceTable) -> Result<Self, ConfigError> {
        let raw: RawMadeUp = table.read()?;
        let services = raw.services.unwrap_or_else(|| vec!["shop".to_owned()]);
        if services.is_empty() || services.iter().any(|service| service.trim().is_empty()) {
            return Err(table.wrong("services", "names no service", "write services = [\"shop\"]"));
        }
        Ok(Self { services })
    }
}
