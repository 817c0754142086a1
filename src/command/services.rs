//! Gives what was read its services, where the config or the sources leave that open.

use crate::config::Config;
use crate::model::event::Event;
use crate::model::metric::SeriesKey;
use crate::source::registry;
use crate::source::service_map::{Names, ServiceMap};

/// Makes the map of a history; it moves nothing where all that is read says its service itself.
///
/// `files`: keys of recorded files, whose column `service` was written by a person. `stored`: keys of the store.
pub(super) fn map<'a, F: Iterator<Item = &'a SeriesKey>>(
    config: &Config,
    events: &[Event],
    files: impl Fn() -> F,
    stored: impl Iterator<Item = &'a SeriesKey>,
) -> ServiceMap {
    let has_patterns = config.services.iter().any(|service| !service.resources.is_empty());
    if !has_patterns && config.sources.iter().all(registry::is_recorded) {
        return ServiceMap::default();
    }
    let mut names = Names::default();
    events.iter().for_each(|event| names.happened(event));
    names.told(files().map(|key| &*key.service));
    files().chain(stored).for_each(|key| names.seen(key));
    ServiceMap::new(config, &names)
}
