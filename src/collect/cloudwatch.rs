//! The source kind `cloudwatch`.

mod lists;

use crate::config::{CloudWatch, Config, Source as SourceConfig};

use super::SourceError;
use super::source::Source;

/// Opens an account.
pub(super) fn open(
    config: &Config,
    source: &SourceConfig,
    settings: &CloudWatch,
) -> Result<Box<dyn Source>, SourceError> {
    let _ = lists::load(config, settings.queries.as_deref());
    Err(SourceError::NotBuiltIn { id: source.id.clone(), feature: "cloudwatch" })
}
