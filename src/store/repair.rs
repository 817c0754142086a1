//! Putting a store in order before it is written to: damaged parts are set aside, old formats are written anew.

use std::path::Path;

use super::catalog::{Catalog, Found};
use super::segment::{self, Opened, Segment};
use super::{EVER, Store, StoreError, aside, layout};

/// What was done to a store.
#[derive(Debug, Default)]
pub struct Repaired {
    /// What is there now.
    pub catalog: Catalog,
    /// What was damaged; it is set aside by now, and its days are open.
    pub damaged: Vec<StoreError>,
    /// Some events were lost or cannot be read, and not all sources were requested for them again.
    pub lacks_events: bool,
    /// Segments that were brought into the current format.
    pub migrated: usize,
}

impl Store {
    /// Compares every file with its digest, sets aside what is damaged, and writes anew what has an old format.
    ///
    /// A store that is not there stays so.
    ///
    /// # Errors
    /// [`StoreError::Locked`] after ten seconds; what cannot be read or written; a segment by a newer program.
    pub fn repair(&self) -> Result<Repaired, StoreError> {
        if !self.folder.exists() {
            return Ok(Repaired::default());
        }
        let _lock = self.lock()?;
        let damaged = self.repair_events()?;
        let lacks_events = !damaged.is_empty() || self.lacks_events();
        let mut repaired = Repaired { lacks_events, damaged, ..Repaired::default() };
        let (found, strange) = self.find(EVER)?;
        if found.iter().all(|found| matches!(&found.opened, Ok(opened) if !opened.is_old)) {
            repaired.catalog = Catalog::of(found, strange)?;
            return Ok(repaired);
        }
        // The last of several segments of a day comes first: it holds all that the others do.
        for Found { segment, opened, .. } in found.into_iter().rev() {
            let folder = segment.path.parent().unwrap_or(&self.folder);
            let failed = |source| StoreError::Write { file: self.shown(&segment.path), source };
            match opened {
                Err(error) if !error.is_damage() => return Err(error),
                Err(error) => {
                    aside::set_aside(folder, &segment, &error).map_err(failed)?;
                    repaired.damaged.push(error);
                }
                Ok(opened) if opened.is_old => {
                    self.migrate(folder, &segment, &opened)?;
                    repaired.migrated += 1;
                }
                Ok(_) => {}
            }
        }
        repaired.catalog = self.catalog_locked(EVER)?;
        Ok(repaired)
    }

    /// Writes a segment of format 1 anew, under a name without a number.
    fn migrate(&self, folder: &Path, segment: &Segment, opened: &Opened) -> Result<(), StoreError> {
        let name = layout::name(segment.day);
        let has_newer = segment.path.file_name() != Some(name.as_ref()) && folder.join(&name).exists();
        if !has_newer {
            let series = segment::decode(std::slice::from_ref(&opened.file), super::whole(segment.day))?;
            segment::write(folder, &name, &series, opened.state)?;
        }
        if segment.path.file_name() != Some(name.as_ref()) {
            let failed = |source| StoreError::Write { file: self.shown(&segment.path), source };
            std::fs::remove_file(&segment.path).map_err(failed)?;
        }
        Ok(())
    }
}
