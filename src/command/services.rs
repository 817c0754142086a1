//! Gives what was read its services, where the config or the sources leave that open.

use super::Failure;
use crate::config::Config;
use crate::format::Part;
use crate::model::event::Event;
use crate::model::metric::Series;
use crate::model::time::Window;
use crate::source::service_map::{Names, ServiceMap};
use crate::source::{self, registry};
use crate::store::Store;

/// Makes the map of a history; it moves nothing where all that is read says its service itself.
///
/// # Errors
/// The store cannot be read.
pub(super) fn map(
    config: &Config,
    history: Window,
    parts: usize,
    store: &Store,
    events: &[Event],
) -> Result<ServiceMap, Failure> {
    let has_patterns = config.services.iter().any(|service| !service.resources.is_empty());
    if !has_patterns && config.sources.iter().all(registry::is_recorded) {
        return Ok(ServiceMap::default());
    }
    let mut names = Names::default();
    events.iter().for_each(|event| names.happened(event));
    for index in 0..parts.max(1) {
        let part = Part { index, count: parts.max(1) };
        let files = source::collect(config, history, part);
        names.told(files.series.iter().map(|series| &*series.key.service));
        for series in files.series.iter().chain(&store.read(history, part)?.series) {
            names.seen(&series.key);
        }
    }
    Ok(ServiceMap::new(config, &names))
}

/// Returns the series of one part under the names of their services.
///
/// `own`: what was read for this part, by the sources' names. `read`: reads another part. A name and its service may
/// fall into different parts, so with several of them each is looked through; that is slow, and never wrong.
///
/// # Errors
/// Whatever `read` fails with.
pub(super) fn of_part(
    map: &ServiceMap,
    own: Vec<Series>,
    part: Part,
    mut read: impl FnMut(Part) -> Result<Vec<Series>, Failure>,
) -> Result<Vec<Series>, Failure> {
    if map.is_plain() || part.count <= 1 {
        return Ok(map.map_series(own));
    }
    let is_here = |series: &Series| part.holds(&map.of_series(&series.key));
    let mut here: Vec<Series> = own.into_iter().filter(is_here).collect();
    for index in (0..part.count).filter(|index| *index != part.index) {
        here.extend(read(Part { index, count: part.count })?.into_iter().filter(is_here));
    }
    Ok(map.map_series(here))
}
