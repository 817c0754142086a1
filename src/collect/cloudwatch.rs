//! The source kind `cloudwatch`.

use crate::config::{CloudWatch, Config, Source as SourceConfig};

use super::SourceError;
use super::source::Source;

/// Opens an account.
pub(super) fn open(
    _config: &Config,
    source: &SourceConfig,
    _settings: &CloudWatch,
) -> Result<Box<dyn Source>, SourceError> {
    Err(SourceError::NotBuiltIn { id: source.id.clone(), feature: "cloudwatch" })
}
