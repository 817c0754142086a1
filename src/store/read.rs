//! Reading points.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use crate::format::{Duplicates, LeftOut, Reader};
use crate::model::metric::{Series, SeriesKey};
use crate::model::time::Window;

use super::catalog::Catalog;
use super::{Store, StoreError};

/// The points of a store in one window.
#[derive(Debug, Default)]
pub struct History {
    /// Sorted by key; unique keys.
    pub series: Vec<Series>,
    /// Of each source the keys of the series that it gave points of, as it named them.
    pub sources: BTreeMap<String, BTreeSet<SeriesKey>>,
    /// Points that were left out, such as those whose signal measures something else by now.
    pub left_out: Vec<LeftOut>,
    /// Segments that could not be read. They were left where they are, and everything else was read.
    pub refused: Vec<StoreError>,
}

/// A store that nobody writes to until this is dropped, with its catalog.
#[derive(Debug)]
pub struct StoreView {
    /// What is there.
    pub catalog: Catalog,
    _lock: Option<File>,
}

impl Store {
    /// Opens the store for reading, without its points. Writers wait until the view is dropped.
    ///
    /// # Errors
    /// As [`Store::catalog`].
    pub fn view(&self, window: Window) -> Result<StoreView, StoreError> {
        let lock = self.lock_shared()?;
        Ok(StoreView { catalog: self.catalog_locked(window)?, _lock: lock })
    }

    /// Reads the points inside a window, of all sources.
    ///
    /// Where two sources have the same series and time, the one whose id comes first in the alphabet wins.
    ///
    /// # Errors
    /// A folder that cannot be listed, a segment by a newer program. Damaged and foreign files do not stop the rest:
    /// they are in [`History::refused`].
    pub fn read(&self, window: Window) -> Result<History, StoreError> {
        let view = self.view(window)?;
        let (files, origins, names) = view.catalog.files();
        let mut reader = Reader::new(u64::MAX);
        let input = reader.add(files, origins, window, Duplicates::LaterWins).map_err(StoreError::Segment)?;
        reader.plan(|key| key.service.clone()).map_err(StoreError::Segment)?;
        let read = reader.take(input, 0).map_err(StoreError::Segment)?;
        let mut sources: BTreeMap<String, BTreeSet<SeriesKey>> = BTreeMap::new();
        for (series, origins) in read.series.iter().zip(&read.origins) {
            for source in origins.iter().filter_map(|origin| names.get(*origin as usize)) {
                sources.entry(source.clone()).or_default().insert(series.key.clone());
            }
        }
        let left_out = reader.left_out(input).map_err(StoreError::Segment)?;
        Ok(History { series: read.series, sources, left_out, refused: view.catalog.refused })
    }
}
