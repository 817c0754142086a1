//! The source kind `newrelic`.

use crate::config::{Config, NewRelic, Source as SourceConfig};

use super::SourceError;
use super::source::Source;

/// Opens an account.
pub(super) fn open(
    _config: &Config,
    source: &SourceConfig,
    _settings: &NewRelic,
) -> Result<Box<dyn Source>, SourceError> {
    Err(SourceError::NotBuiltIn { id: source.id.clone(), feature: "newrelic" })
}
