//! What reports, placebos and checks are made from: every point that can be read, decoded once.
//!
//! Recorded files and the store go through one [`Reader`]. Names come from the files' keys and the store's catalog, and
//! the series are handed out in shards of whole services. What the store has kept is taken along; where a file still has
//! the same point, the file's counts.

use std::collections::{BTreeMap, BTreeSet};

use super::progress::progress;
use super::{Failure, Ui, outcome, period, services, stored};
use crate::config::Config;
use crate::detect;
use crate::format::{Duplicates, InputId, LeftOut, Reader, RecordError, merge};
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::event::{Event, deduplicate};
use crate::model::metric::{Series, SeriesKey};
use crate::model::scrub::Scrubber;
use crate::model::time::{DAY, Window};
use crate::source::clean_names::{CleanNames, told};
use crate::source::service_map::ServiceMap;
use crate::source::{self, CollectedEvents, RecordedSeries, SourceState};
use crate::store::{Catalog, Store, StoreError};

/// All points inside a window, decoded once and handed out by shards of whole services.
pub(super) struct Rows {
    reader: Reader,
    recorded: RecordedSeries,
    stored: Option<InputId>,
    /// The store's sources by number.
    stored_sources: Vec<String>,
    /// Of each of the store's sources the keys of the series that it gave, under the names of their services.
    stored_keys: BTreeMap<String, BTreeSet<SeriesKey>>,
    /// Series of the store in the shards that were taken.
    pub(super) stored_series: usize,
    pub(super) services: ServiceMap,
    pub(super) shards: usize,
    /// Names without what must not be shown; what is read may be older than the rule that finds it.
    names: CleanNames,
    scrubber: Scrubber,
}

impl Rows {
    /// Decodes everything inside a window. A source of files that fails is left out, and its state says why.
    ///
    /// `catalog`: what the store holds on the days that touch the window; nobody may write to the store meanwhile.
    ///
    /// # Errors
    /// The store's segments cannot be decoded; points that do not fit into memory cannot be put elsewhere.
    pub(super) fn decode(
        config: &Config,
        window: Window,
        catalog: Option<&Catalog>,
        events: &[Event],
        ui: &Ui,
    ) -> Result<Self, Failure> {
        let bar = progress(1, ui);
        bar.set_message("reading");
        let mut reader = Reader::new(config.memory_by);
        let recorded = RecordedSeries::decode(config, window, &mut reader);
        let (files, origins, stored_sources) = catalog.map(Catalog::files).unwrap_or_default();
        let stored = match catalog {
            Some(_) => Some(reader.add(files, origins, window, Duplicates::LaterWins).map_err(of_store)?),
            None => None,
        };
        let kept = catalog.into_iter().flat_map(Catalog::keys);
        let services = services::map(config, events, || recorded.keys(&reader), kept);
        let stored_names = stored.into_iter().flat_map(|input| reader.keys(input)).map(|(key, _)| key);
        let scrubber = config.scrubber();
        let names = CleanNames::numbered(&scrubber, recorded.keys(&reader).chain(stored_names));
        let shards = reader.plan(|key| services.of_series(key)).map_err(of_store)?;
        tracing::info!(decoded_rows = reader.decoded_rows(), shards, spilled_by = reader.spilled_by(), "read");
        bar.finish_and_clear();
        Ok(Self {
            reader,
            recorded,
            stored,
            stored_sources,
            stored_keys: BTreeMap::new(),
            stored_series: 0,
            services,
            shards,
            names,
            scrubber,
        })
    }

    /// Returns the key of every series, as the sources name them.
    pub(super) fn keys(&self) -> impl Iterator<Item = SeriesKey> {
        let stored = self.stored.into_iter().flat_map(|input| self.reader.keys(input)).map(|(key, _)| key);
        self.recorded.keys(&self.reader).chain(stored).map(|key| self.names.key(key))
    }

    /// Takes the series of a shard under the names of their services, sorted by key.
    ///
    /// With several shards each can be taken again.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(super) fn take(&mut self, shard: usize) -> Result<Vec<Series>, Failure> {
        let series = self.recorded.take(&mut self.reader, shard);
        let Some(input) = self.stored else { return Ok(self.named(series)) };
        let kept = self.reader.take(input, shard).map_err(of_store)?;
        self.stored_series += kept.series.len();
        for (series, origins) in kept.series.iter().zip(&kept.origins) {
            let key = self.key(&series.key);
            for source in origins.iter().filter_map(|origin| self.stored_sources.get(*origin as usize)) {
                self.stored_keys.entry(source.clone()).or_default().insert(key.clone());
            }
        }
        Ok(self.named(merge(series, kept.series)))
    }

    /// Gives series their services and clean names, in the order of their keys.
    fn named(&self, series: Vec<Series>) -> Vec<Series> {
        let within = self.names.rename(series, |key| self.names.within(key));
        let own = |key: &SeriesKey| SeriesKey { service: self.names.service(&key.service), ..key.clone() };
        self.names.rename(self.services.map_series(within), own)
    }

    /// As [`Self::named`], of a key.
    fn key(&self, key: &SeriesKey) -> SeriesKey {
        let key = self.names.within(key);
        SeriesKey { service: self.names.service(&self.services.of_series(&key)), ..key }
    }

    /// Returns how the sources of files fared, once all shards were taken.
    pub(super) fn states(&self) -> Vec<SourceState> {
        let mut states = self.recorded.states(&self.reader);
        for state in &mut states {
            if !self.names.is_empty() {
                let own = CleanNames::numbered(&self.scrubber, state.keys.iter());
                state.diagnostics.extend(told(&state.id, &self.scrubber, own.counts()));
            }
            state.keys = state.keys.iter().map(|key| self.key(key)).collect();
        }
        states
    }

    /// Returns what was left out of the store's points.
    pub(super) fn stored_left_out(&self) -> Result<Vec<LeftOut>, Failure> {
        self.stored.map_or(Ok(Vec::new()), |input| self.reader.left_out(input)).map_err(of_store)
    }
}

fn of_store(error: RecordError) -> Failure {
    Failure::from(StoreError::Segment(error))
}

/// The history of a period.
pub(super) struct History<'a> {
    config: &'a Config,
    period: Window,
    history: Window,
    pub(super) events: Vec<Event>,
    pub(super) sources: Vec<SourceState>,
    /// Parts of the store that could not be read.
    refused: Vec<Diagnostic>,
    rows: Rows,
    was_read: bool,
}

impl<'a> History<'a> {
    /// Reads the events, and decodes all points.
    ///
    /// # Errors
    /// A source that is needed failed; the store cannot be read.
    pub(super) fn open(config: &'a Config, period: Window, ui: &Ui) -> Result<Self, Failure> {
        let history = Window::new(period.start - i64::from(config.judge.baseline_days) * DAY, period.end);
        let CollectedEvents { events, states: mut sources } = source::events(config);
        outcome::refuse_failed(config, &sources)?;
        let store = Store::open(&config.store.folder)?;
        let view = store.view(history)?;
        let kept = store.events()?;
        sources.extend(stored::states(config, &view.catalog, &kept, [period, history], outcome::clock()?.now()));
        let recorded = events.len();
        let events = with_kept(events, kept.events);
        let rows = Rows::decode(config, history, Some(&view.catalog), &events, ui)?;
        let refused = view.catalog.refused.iter().chain(&kept.refused).map(StoreError::diagnostic).collect();
        // All of the store was decoded, so collectors may write again.
        drop(view);
        let events = rows.services.map_events(events);
        // A file says itself which of its deploys are the same; duplicates only occur where several sources report them.
        let events = if events.len() > recorded { deduplicate(events).events } else { events };
        let history = Self { config, period, history, events, sources, refused, rows, was_read: false };
        history.refuse_failed()?;
        Ok(history)
    }

    pub(super) fn context(&self) -> detect::Context<'a> {
        detect::Context { config: self.config, period: self.period, history: self.history }
    }

    /// Returns into how many shards the series are divided.
    pub(super) fn shards(&self) -> usize {
        self.rows.shards
    }

    /// Hands the series to `take`, whole services at a time. With several shards they can be read again.
    ///
    /// # Errors
    /// A source that is needed failed; no series has a point in the period.
    pub(super) fn read(
        &mut self,
        ui: &Ui,
        mut take: impl FnMut(Vec<Series>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let bar = progress(self.rows.shards, ui);
        bar.set_message("working");
        let mut has_data = false;
        for shard in 0..self.rows.shards {
            let series = self.rows.take(shard)?;
            self.refuse_failed()?;
            has_data |= series.iter().any(|series| reaches(series, self.period));
            take(series)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        if !self.was_read {
            self.was_read = true;
            self.add_states()?;
        }
        if has_data { Ok(()) } else { Err(nothing_in(self.config, self.period)) }
    }

    fn refuse_failed(&self) -> Result<(), Failure> {
        match self.rows.recorded.has_failed() {
            true => outcome::refuse_failed(self.config, &self.rows.recorded.states(&self.rows.reader)),
            false => Ok(()),
        }
    }

    /// Adds how the sources fared, once all shards were taken.
    fn add_states(&mut self) -> Result<(), Failure> {
        source::add_states(&mut self.sources, self.rows.states());
        for state in &mut self.sources {
            state.keys.extend(self.rows.stored_keys.remove(&state.id).unwrap_or_default());
        }
        let left_out = self.rows.stored_left_out()?;
        let counts = left_out
            .iter()
            .map(|left| Diagnostic::counted(Stage::Store, "store", left.reason, left.count, &left.example));
        let diagnostics: Vec<Diagnostic> = self.refused.drain(..).chain(counts).collect();
        if !diagnostics.is_empty() {
            let series = self.rows.stored_series;
            let state = SourceState { series, diagnostics, ..SourceState::kept("store".to_owned()) };
            source::add_states(&mut self.sources, vec![state]);
        }
        Ok(())
    }
}

/// Adds the events that only the store has, by time, then id.
pub(super) fn with_kept(mut events: Vec<Event>, kept: Vec<Event>) -> Vec<Event> {
    let known: BTreeSet<String> = events.iter().map(|event| event.id.clone()).collect();
    events.extend(kept.into_iter().filter(|event| !known.contains(&event.id)));
    events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    events
}

fn reaches(series: &Series, period: Window) -> bool {
    series.times.iter().zip(&series.values).any(|(at, value)| period.contains(*at) && !value.is_nan())
}

/// Decodes the files of the config alone and hands their series to `take`, shard by shard. Returns how they fared.
///
/// # Errors
/// Whatever `take` fails with; points that do not fit into memory cannot be put elsewhere.
pub(super) fn each_recorded(
    config: &Config,
    window: Window,
    mut take: impl FnMut(Vec<Series>) -> Result<(), Failure>,
) -> Result<Vec<SourceState>, Failure> {
    let mut reader = Reader::new(config.memory_by);
    let mut recorded = RecordedSeries::decode(config, window, &mut reader);
    let shards = reader.plan(|key| key.service.clone()).map_err(of_store)?;
    for shard in 0..shards {
        take(recorded.take(&mut reader, shard))?;
    }
    Ok(recorded.states(&reader))
}

/// Explains a period without a single point by the span that the files do cover.
fn nothing_in(config: &Config, period: Window) -> Failure {
    let (mut first, mut last, mut step) = (i64::MAX, i64::MIN, i64::MAX);
    // The error that brought us here is the better one, so this one would only hide it.
    let _ = each_recorded(config, period::EVER, |all| {
        for series in &all {
            if let (Some(start), Some(end)) = (series.times.first(), series.times.last()) {
                first = first.min(*start);
                last = last.max(*end);
            }
            step = series.times.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).fold(step, i64::min);
        }
        Ok(())
    });
    let step = if step == i64::MAX { 0 } else { step };
    outcome::no_data(config, period, (first <= last).then(|| Window::new(first, last + step)))
}

#[cfg(test)]
mod tests;
