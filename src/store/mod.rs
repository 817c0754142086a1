//! Local history of series and events, so that a review can look further back than its sources keep.
//!
//! ```text
//! <folder>/lock              held while a run writes
//!          events.2.jsonl    all events, see event_log.rs
//!          series/<source>/… segments, one a source and UTC day, see segment.rs
//! ```
//!
//! Read `layout`, `digest`, `index`, `encode`, `segment` (one file), then `catalog` (what is there), `append`, `read`,
//! `repair`, `snapshot`, and `coverage` (when a day is complete). Everything is written beside its place and renamed, so
//! that a crash leaves the old state. A day goes only when it is pruned. This room requests nothing from a source.

mod append;
mod aside;
mod catalog;
mod coverage;
mod damaged_line;
mod digest;
mod encode;
mod error;
mod event_log;
mod index;
mod layout;
mod read;
mod repair;
mod segment;
mod snapshot;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::model::time::{DAY, Window};

use layout::SERIES;
use segment::Listing;

pub use append::Appended;
pub use catalog::Catalog;
pub use coverage::{Coverage, SourceDays};
pub use encode::{Answered, DayState};
pub use error::StoreError;
pub use event_log::StoredEvents;
pub use read::{History, StoreView};
pub use repair::Repaired;

/// How often a writer tries to take the lock, and how long it waits in between: ten seconds together.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// All that a store can hold.
const EVER: Window = Window { start: i64::MIN, end: i64::MAX };

/// A history in one folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Makes a store of a folder, which need not be there until something is written.
    ///
    /// # Errors
    /// [`StoreError::Newer`] if a newer program wrote its events.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let store = Self { folder: folder.to_owned() };
        for path in store.entries(folder)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let version = name.strip_prefix("events.").and_then(|rest| rest.strip_suffix(".jsonl")).map(str::parse);
            if let Some(Ok(version)) = version
                && version > encode::VERSION
            {
                return Err(StoreError::Newer { file: store.shown(&path), version });
            }
        }
        Ok(store)
    }

    /// Lists the folder of one source; a folder that is not there holds nothing.
    fn segments(&self, folder: &Path) -> Result<Listing, StoreError> {
        match segment::list(folder) {
            Ok(found) => Ok(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Listing::default()),
            Err(source) => Err(StoreError::Read { folder: self.shown(folder), source }),
        }
    }

    /// Lists a folder, without hidden names; a folder that is not there holds nothing.
    fn entries(&self, folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let failed = |source| StoreError::Read { folder: self.shown(folder), source };
        let listing = match fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut paths = Vec::new();
        for entry in listing {
            let entry = entry.map_err(failed)?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                paths.push(entry.path());
            }
        }
        Ok(paths)
    }

    /// Takes the lock for writing, and removes what a crashed writer left unfinished.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.folder.join("lock");
        let failed = |source| StoreError::Write { file: self.shown(&path), source };
        layout::make_folder(&self.folder).map_err(failed)?;
        let mut options = File::options();
        options.create(true).write(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(failed)?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => {
                    self.remove_unfinished();
                    return Ok(file);
                }
                Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        Err(StoreError::Locked { folder: self.folder.display().to_string() })
    }

    /// Waits until nobody writes. A store that was never written has no lock and needs none.
    fn lock_shared(&self) -> Result<Option<File>, StoreError> {
        let failed = |source| StoreError::Read { folder: self.folder.display().to_string(), source };
        match File::open(self.folder.join("lock")) {
            Ok(file) => file.lock_shared().map(|()| Some(file)).map_err(failed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed(source)),
        }
    }

    /// Removes what a crashed writer left. That it cannot be removed is no reason not to write.
    fn remove_unfinished(&self) {
        let sources = self.entries(&self.folder.join(SERIES)).unwrap_or_default();
        for folder in sources.iter().chain([&self.folder]) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(layout::UNFINISHED) {
                    drop(fs::remove_file(entry.path()));
                }
            }
        }
    }

    /// Names a file in messages.
    fn shown(&self, path: &Path) -> String {
        path.display().to_string()
    }
}

/// Returns the window of a UTC day.
fn whole(day: NaiveDate) -> Window {
    let start = crate::model::time::midnight(day, chrono_tz::UTC);
    Window::new(start, start.saturating_add(DAY))
}
