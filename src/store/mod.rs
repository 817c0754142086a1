//! Local history of series and events, so that a review can look further back than its sources keep.
//!
//! ```text
//! <folder>/lock                 held while somebody writes
//!          events.1.jsonl       all events, in the contract's form; 1 is the format version
//!          series/<source>/…    segments, see segment.rs
//!          told/<source>.jsonl  which events a source told, see told.rs
//! ```
//!
//! Everything is written beside its place and renamed, so that a crash leaves the old state. Folders are
//! for their owner alone. What is read has the same form as what sources give: one list of series sorted
//! by key. A day goes only when it is pruned.

mod segment;
mod snapshot;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::format::{self, Duplicates, LeftOut, Part, RecordError, RecordedFile, Wanted};
use crate::model::event::Event;
use crate::model::metric::{Series, SeriesKey};
use crate::model::time::{DAY, Window};

use segment::Segment;

pub use crate::format::merge;

/// Name of the events' file; the number is the format version.
const EVENTS: &str = "events.1.jsonl";
/// How often a writer asks for the lock, and how long it waits in between: ten seconds together.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// A history in one folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// What a store holds.
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

/// What was written.
#[derive(Debug, Default)]
pub struct Appended {
    /// Segments written; days that brought nothing new are not written again.
    pub segments: usize,
    /// Points in them, those of before included.
    pub points: u64,
    /// Segments of the same days that could not be read. They were left where they are.
    pub refused: Vec<StoreError>,
}

/// Why a store cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else is writing.
    #[error("store {folder}: another run is writing to it")]
    Locked {
        /// The store's folder.
        folder: String,
    },
    /// The folder cannot be listed.
    #[error("store {folder}: cannot be read")]
    Read {
        /// The folder.
        folder: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{file}: cannot be written")]
    Write {
        /// The file.
        file: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Written by a newer program.
    #[error("{file}: has store format {version}, this program knows up to {}", segment::VERSION)]
    Newer {
        /// The file.
        file: String,
        /// Its format version.
        version: u32,
    },
    /// Not one of the store's files.
    #[error("{file}: not written by fortnight")]
    Foreign {
        /// The file.
        file: String,
    },
    /// It could not be read when its day was written again.
    #[error("{file}: was damaged and set aside")]
    SetAside {
        /// The file.
        file: String,
    },
    /// A snapshot cannot be read or holds something else.
    #[error("{file}: {reason}")]
    Snapshot {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A segment or the events are damaged.
    #[error("store")]
    Segment(#[source] RecordError),
}

impl StoreError {
    /// Returns what to do next, for a `help:` line.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::Locked { .. } => "wait until it is done",
            Self::Read { .. } | Self::Write { .. } => "check the folder's owner and the space on the disk",
            Self::Newer { .. } => "use the newer fortnight that wrote it, or another store folder",
            Self::Foreign { .. } => "move the file out of the store",
            Self::SetAside { .. } => "collect its day again with `--again`, then move the file out of the store",
            Self::Snapshot { .. } => "export it again and carry the whole file over; nothing was changed here",
            Self::Segment(_) => "move the file out of the store, then collect its day again",
        };
        Some(text.to_owned())
    }
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
                && version > segment::VERSION
            {
                return Err(StoreError::Newer { file: store.shown(&path), version });
            }
        }
        Ok(store)
    }

    /// Adds the series of a source: one segment for each UTC day that has something new.
    ///
    /// `series`: sorted by key, times strictly increasing. Where a point is there already, the new one
    /// replaces it, also by a missing value. `sealed`: days that these series hold whole; they stay sealed, and the seal
    /// comes with the points in one rename.
    ///
    /// # Errors
    /// [`StoreError::Locked`] after ten seconds; what cannot be written; a segment by a newer program.
    pub fn append(&self, source: &str, series: &[Series], sealed: &[NaiveDate]) -> Result<Appended, StoreError> {
        self.append_to(&segment::folder_name(source), series, sealed)
    }

    /// As [`Self::append`], to a source by the name of its folder.
    fn append_to(&self, name: &str, series: &[Series], sealed: &[NaiveDate]) -> Result<Appended, StoreError> {
        let _lock = self.lock()?;
        let folder = self.folder.join("series").join(name);
        let segments = self.segments(&folder)?.0;
        let mut appended = Appended::default();
        for day in days(series).into_iter().chain(sealed.iter().copied()).collect::<BTreeSet<_>>() {
            let older: Vec<&Segment> = segments.iter().filter(|segment| segment.day == day).collect();
            let newer = Newer { series: of_day(series, day), is_sealed: sealed.contains(&day) };
            self.append_day(&folder, day, &older, newer, &mut appended)?;
        }
        Ok(appended)
    }

    /// Returns the days that a source has, and of each whether it is sealed. Damaged days are not there.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn days(&self, source: &str) -> Result<BTreeMap<NaiveDate, bool>, StoreError> {
        let _lock = self.lock_shared()?;
        let folder = self.folder.join("series").join(segment::folder_name(source));
        let opened = |segment: Segment| {
            let file = segment::open(&segment.path, "").ok()?;
            Some((segment.day, segment::is_sealed(&file)))
        };
        Ok(self.segments(&folder)?.0.into_iter().filter_map(opened).collect())
    }

    /// Returns the ids of all sources that have a segment, sorted.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn sources(&self) -> Result<BTreeSet<String>, StoreError> {
        let _lock = self.lock_shared()?;
        let mut sources = BTreeSet::new();
        for folder in self.entries(&self.folder.join("series"))?.iter().filter(|folder| folder.is_dir()) {
            sources.extend(self.segments(folder)?.0.first().map(|segment| source_of(&segment.path)));
        }
        Ok(sources)
    }

    /// Returns how many points a source has on the days that touch a window, and how many series on the last of them.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn held(&self, source: &str, window: Window) -> Result<(u64, usize), StoreError> {
        let _lock = self.lock_shared()?;
        let folder = self.folder.join("series").join(segment::folder_name(source));
        let segments = self.segments(&folder)?.0;
        let touching: Vec<Segment> =
            segments.into_iter().filter(|segment| whole(segment.day).overlaps(window)).collect();
        let rows = |segment: &Segment| segment::open(&segment.path, "").map_or(0, |file| file.rows_estimate());
        let last = touching.iter().rev().find(|segment| rows(segment) > 0);
        let mut history = History::default();
        self.read_segments(last.into_iter(), Window::new(i64::MIN, i64::MAX), Part::WHOLE, &mut history)?;
        Ok((touching.iter().map(rows).sum(), history.series.len()))
    }

    /// Removes what is older than a day: segments, and events that were over before it. Returns how many segments went.
    ///
    /// # Errors
    /// As [`Self::append`]; what cannot be removed.
    pub fn prune(&self, before: NaiveDate) -> Result<usize, StoreError> {
        let _lock = self.lock()?;
        let mut removed = 0;
        for source in self.entries(&self.folder.join("series"))?.iter().filter(|source| source.is_dir()) {
            for segment in self.segments(source)?.0.into_iter().filter(|segment| segment.day < before) {
                let failed = |source| StoreError::Write { file: self.shown(&segment.path), source };
                fs::remove_file(&segment.path).map_err(failed)?;
                removed += 1;
            }
        }
        let kept: Vec<Event> = self.read_events()?;
        let left: Vec<Event> = kept.iter().filter(|event| event.window().end >= whole(before).start).cloned().collect();
        if left.len() < kept.len() {
            self.keep_told(&left)?;
            self.write_events(left)?;
        }
        Ok(removed)
    }

    fn append_day(
        &self,
        folder: &Path,
        day: NaiveDate,
        older: &[&Segment],
        newer: Newer,
        appended: &mut Appended,
    ) -> Result<(), StoreError> {
        let mut known = History::default();
        let damaged = self.read_segments(older.iter().copied(), whole(day), Part::WHOLE, &mut known)?;
        let was_sealed =
            older.iter().any(|segment| segment::open(&segment.path, "").is_ok_and(|file| segment::is_sealed(&file)));
        let is_sealed = newer.is_sealed || was_sealed;
        let merged = merge(newer.series, known.series.clone());
        let name = segment::name(day);
        let is_there = older.iter().map(|segment| &segment.path).eq([&folder.join(&name)]);
        if damaged.is_empty() && is_there && is_sealed == was_sealed && same(&merged, &known.series) {
            return Ok(());
        }
        // What could not be read stays for its owner to look at.
        for path in &damaged {
            let failed = |source| StoreError::Write { file: self.shown(path), source };
            fs::rename(path, segment::damaged_name(folder, day)).map_err(failed)?;
        }
        segment::write(folder, &name, &merged, is_sealed)?;
        appended.segments += 1;
        appended.points += merged.iter().map(|series| series.times.len() as u64).sum::<u64>();
        appended.refused.append(&mut known.refused);
        // The new file holds all of those with numbers.
        let numbered = older.iter().filter(|segment| segment.path.file_name() != Some(name.as_ref()));
        for segment in numbered.filter(|segment| !damaged.contains(&segment.path)) {
            let failed = |source| StoreError::Write { file: self.shown(&segment.path), source };
            fs::remove_file(&segment.path).map_err(failed)?;
        }
        Ok(())
    }

    /// Reads the points of one part inside a window, of all sources.
    ///
    /// Where two sources have the same series and time, the one whose id comes first in the alphabet wins.
    ///
    /// # Errors
    /// A folder that cannot be listed, a segment by a newer program. Damaged and foreign files do not stop
    /// the rest: they are in [`History::refused`].
    pub fn read(&self, window: Window, part: Part) -> Result<History, StoreError> {
        let _lock = self.lock_shared()?;
        let mut history = History::default();
        let mut sources = self.entries(&self.folder.join("series"))?;
        sources.sort();
        let mut segments = Vec::new();
        // Later files win, so the first source comes last.
        for source in sources.iter().rev() {
            if !source.is_dir() {
                history.refused.push(StoreError::Foreign { file: self.shown(source) });
                continue;
            }
            let (found, foreign) = self.segments(source)?;
            segments.extend(found.into_iter().filter(|segment| whole(segment.day).overlaps(window)));
            history.refused.extend(foreign.iter().map(|path| {
                let file = self.shown(path);
                if segment::is_damaged_name(path) {
                    StoreError::SetAside { file }
                } else {
                    StoreError::Foreign { file }
                }
            }));
        }
        self.read_segments(segments.iter(), window, part, &mut history)?;
        Ok(history)
    }

    /// Returns the number of points in the segments that touch a window, for planning.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn rows_estimate(&self, window: Window) -> Result<u64, StoreError> {
        let mut rows = 0;
        for source in self.entries(&self.folder.join("series"))?.iter().filter(|source| source.is_dir()) {
            let segments = self.segments(source)?.0;
            let touching = segments.iter().filter(|segment| whole(segment.day).overlaps(window));
            rows += touching
                .filter_map(|segment| segment::open(&segment.path, "").ok())
                .map(|file| file.rows_estimate())
                .sum::<u64>();
        }
        Ok(rows)
    }

    /// Adds events; an event whose id is there already is replaced. Returns how many were new or different.
    ///
    /// # Errors
    /// As [`Self::append`]; also damaged events, which are never overwritten.
    pub fn append_events(&self, events: &[Event]) -> Result<usize, StoreError> {
        let _lock = self.lock()?;
        self.add_events(events)
    }

    fn add_events(&self, events: &[Event]) -> Result<usize, StoreError> {
        let mut known: BTreeMap<String, Event> =
            self.read_events()?.into_iter().map(|event| (event.id.clone(), event)).collect();
        let mut changed = 0;
        for event in events {
            if known.get(&event.id) != Some(event) {
                known.insert(event.id.clone(), event.clone());
                changed += 1;
            }
        }
        if changed > 0 {
            self.write_events(known.into_values().collect())?;
        }
        Ok(changed)
    }

    fn write_events(&self, mut all: Vec<Event>) -> Result<(), StoreError> {
        format::events::sort(&mut all);
        let text: String = all.iter().map(|event| format::events::to_line(event) + "\n").collect();
        segment::write_whole(&self.folder, EVENTS, |file| file.write_all(text.as_bytes()))
            .map_err(|source| StoreError::Write { file: self.shown(&self.folder.join(EVENTS)), source })
    }

    /// Reads all events, sorted by time, then id.
    ///
    /// # Errors
    /// Damaged events.
    pub fn events(&self) -> Result<Vec<Event>, StoreError> {
        let _lock = self.lock_shared()?;
        self.read_events()
    }

    fn read_events(&self) -> Result<Vec<Event>, StoreError> {
        let path = self.folder.join(EVENTS);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let name = self.shown(&path);
        Ok(format::events::read(&[(path, name)]).map_err(StoreError::Segment)?.events)
    }

    /// Reads segments in order, later ones winning; those that cannot be read are left out and returned.
    fn read_segments<'a>(
        &self,
        segments: impl Iterator<Item = &'a Segment>,
        window: Window,
        part: Part,
        history: &mut History,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let (mut files, mut damaged): (Vec<RecordedFile>, Vec<PathBuf>) = Default::default();
        for segment in segments {
            match segment::open(&segment.path, &self.shown(&segment.path)) {
                Ok(file) => files.push(file),
                Err(error @ StoreError::Newer { .. }) => return Err(error),
                Err(error) => {
                    history.refused.push(error);
                    damaged.push(segment.path.clone());
                }
            }
        }
        loop {
            let error = match format::read(&files, Wanted { window, part }, Duplicates::LaterWins) {
                Ok(read) => {
                    let sources: Vec<String> = files.iter().map(|file| source_of(Path::new(&file.name))).collect();
                    for (series, files) in read.series.iter().zip(&read.files) {
                        let own: BTreeSet<&String> = files.iter().filter_map(|file| sources.get(*file)).collect();
                        for source in own {
                            history.sources.entry(source.clone()).or_default().insert(series.key.clone());
                        }
                    }
                    history.series = read.series;
                    history.left_out = read.left_out;
                    // A day on which a source had nothing is kept as such; only somebody's file is odd without rows.
                    history.left_out.retain(|left| left.reason != "no_rows");
                    return Ok(damaged);
                }
                Err(error) => error,
            };
            // A footer may be whole while the pages are not. Such a file is left out and the rest read again.
            let before = files.len();
            files.retain(|file| Some(file.name.as_str()) != error.file());
            damaged.extend(error.file().map(PathBuf::from));
            if files.len() == before {
                return Err(StoreError::Segment(error));
            }
            history.refused.push(StoreError::Segment(error));
        }
    }

    fn segments(&self, folder: &Path) -> Result<(Vec<Segment>, Vec<PathBuf>), StoreError> {
        match segment::list(folder) {
            Ok(found) => Ok(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Default::default()),
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
        segment::make_folder(&self.folder).map_err(failed)?;
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
        let sources = self.entries(&self.folder.join("series")).unwrap_or_default();
        for folder in sources.iter().chain([&self.folder, &self.folder.join(told::FOLDER)]) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(segment::UNFINISHED) {
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

/// Returns the id of the source that a segment is of, by the folder that it is in.
fn source_of(segment: &Path) -> String {
    let folder = segment.parent().and_then(Path::file_name).unwrap_or_default();
    segment::source_of(&folder.to_string_lossy())
}

/// What comes to one day of one source.
struct Newer {
    series: Vec<Series>,
    is_sealed: bool,
}

/// Returns the window of a UTC day.
fn whole(day: NaiveDate) -> Window {
    let start = crate::model::time::midnight(day, chrono_tz::UTC);
    Window::new(start, start.saturating_add(DAY))
}

/// Returns the UTC days that series have points on; points outside of what dates can say are passed over.
fn days(series: &[Series]) -> BTreeSet<NaiveDate> {
    let mut days = BTreeSet::new();
    for one in series {
        let mut rest = one.times.as_slice();
        while let Some(first) = rest.first() {
            let day = first.div_euclid(DAY);
            if let Some(date) = chrono::DateTime::from_timestamp_millis(*first) {
                days.insert(date.date_naive());
            }
            let end = rest.partition_point(|time| time.div_euclid(DAY) <= day);
            rest = rest.get(end..).unwrap_or_default();
        }
    }
    days
}

/// Cuts one day out of series.
fn of_day(series: &[Series], day: NaiveDate) -> Vec<Series> {
    let window = whole(day);
    let cut = series.iter().filter_map(|one| {
        let start = one.times.partition_point(|time| *time < window.start);
        let end = one.times.partition_point(|time| *time < window.end);
        let times = one.times.get(start..end)?.to_vec();
        let values = one.values.get(start..end)?.to_vec();
        (!times.is_empty()).then(|| Series { key: one.key.clone(), unit: one.unit, times, values })
    });
    cut.collect()
}

/// Tells whether two lists hold the same points; a missing value equals a missing value.
fn same(one: &[Series], other: &[Series]) -> bool {
    let same_values = |one: &[f64], other: &[f64]| {
        one.len() == other.len()
            && one.iter().zip(other).all(|(a, b)| a.total_cmp(b).is_eq() || (a.is_nan() && b.is_nan()))
    };
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.key == other.key
                && one.unit == other.unit
                && one.times == other.times
                && same_values(&one.values, &other.values)
        })
}
