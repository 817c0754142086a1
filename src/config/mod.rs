//! What the config file means, checked: the types that every other room reads.
//!
//! Read `raw` (what the file says), then this file (what it means), then `check` (how the one becomes the other), with
//! `checker` and `place` for errors that name key, file and line. `source` keeps the table of a `[[source]]` or `[[publish]]`
//! as it is written, because this room must not know which kinds there are: the command that loads a config lets the
//! registries check those tables (`source::registry::check`, `publish::registry::check`). After that no room checks again.
//!
//! This room must not read anything but the config file, and must not ask the environment.

mod check;
mod checker;
mod error;
mod place;
pub mod raw;
pub mod schema;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;

pub(crate) use check::zone_help;
pub use error::ConfigError;
pub(crate) use error::nearest;
pub use source::{EntryTable, PublishTarget, Source};

use crate::model::metric::{Class, Polarity, Unit, default_class_and_polarity};
use crate::model::scrub::Scrubber;

/// The whole configuration, with every default filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the file stands; relative paths in it start here.
    pub folder: PathBuf,
    /// Heading of the report, such as the team's name; empty for none.
    pub title: String,
    /// The report's time zone: hours of the week, dates, midnights.
    pub zone: Tz,
    /// Languages of the page; the first is shown first. Never empty.
    pub languages: Vec<Language>,
    /// The grid of periods.
    pub period: Period,
    /// What counts as worse.
    pub judge: Judge,
    /// Overrides by signal name.
    pub signals: BTreeMap<String, SignalRule>,
    /// Where series and deploys come from. Never empty.
    pub sources: Vec<Source>,
    /// Patterns of one's own for what must not be kept, by name. Checked: see [`Config::scrubber`].
    pub scrub: BTreeMap<String, String>,
    /// Where reports are brought.
    pub targets: Vec<PublishTarget>,
    /// What is known about services: owner, links.
    pub services: Vec<Service>,
    /// Local dates left out of the statistics, with their names.
    pub holidays: BTreeMap<NaiveDate, String>,
    /// Where reports go and in which forms.
    pub output: Output,
    /// Where collected history is kept.
    pub store: Store,
    /// How much memory series may take before they are read in parts, bytes.
    pub memory_by: u64,
}

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// Japanese.
    Ja,
}

impl Language {
    /// Every language with its tag, in the default order.
    pub const ALL: [(&'static str, Self); 2] = [("en", Self::En), ("ja", Self::Ja)];
}

/// The grid of periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// A local date on which a period began.
    pub anchor: NaiveDate,
    /// Length in local days.
    pub days: u32,
}

/// What counts as worse, and on how much evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judge {
    /// Share of false ones accepted among the alarms of a report.
    pub false_discovery: f64,
    /// Smallest change that matters.
    pub limit: Limit,
    /// How many days before the period are used as baseline at most.
    pub baseline_days: u32,
    /// Deploys closer than this are judged as one group, milliseconds.
    pub group_ms: i64,
    /// Left out after a deploy while caches fill, milliseconds.
    pub settle_ms: i64,
    /// Data needed after a deploy before it is judged, milliseconds.
    pub min_after_ms: i64,
    /// Share of the compared hours that must hold data.
    pub min_coverage: f64,
}

/// The smallest change that matters: relative and absolute must both be exceeded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Relative change, 0.10 for 10 %.
    pub relative: f64,
    /// Absolute change of a latency, seconds.
    pub latency_s: f64,
    /// Absolute change of a share of errors, 0.001 for 0.1 percentage points.
    pub error_share: f64,
    /// Absolute change of a utilisation, as a share: 0.05 for 5 percentage points.
    pub utilization: f64,
}

/// How one signal is judged when the default does not fit; `None` keeps the default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SignalRule {
    /// Class of the signal.
    pub class: Option<Class>,
    /// Which way it gets worse.
    pub better: Option<Polarity>,
    /// Relative limit for this signal alone.
    pub relative: Option<f64>,
    /// Absolute limit for this signal alone, in its base unit.
    pub absolute: Option<f64>,
}

/// What is known about a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Name as in the series.
    pub name: String,
    /// The team that answers for it, empty for nobody yet.
    pub owner: String,
    /// AWS or other account that it runs in, empty if unknown.
    pub account: String,
    /// Where the steps for its alarms stand, empty for nowhere.
    pub runbook: String,
    /// Its service level objective, in words; empty for none.
    pub slo: String,
    /// Patterns of applications and resources that belong to it, besides those that carry its name.
    pub resources: Vec<String>,
}

/// Where reports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Folder for the files.
    pub folder: PathBuf,
    /// Forms to write. Never empty.
    pub formats: Vec<Format>,
}

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `report.html`.
    Html,
    /// `report.json`.
    Json,
    /// `report.md`.
    Markdown,
}

impl Format {
    /// Every form with its word, in the default order.
    pub const ALL: [(&'static str, Self); 3] = [("html", Self::Html), ("json", Self::Json), ("md", Self::Markdown)];

    /// Returns the name of the file in the output folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Json => "report.json",
            Self::Markdown => "report.md",
        }
    }
}

/// Where collected history is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Folder of the history.
    pub folder: PathBuf,
}

impl Config {
    /// Returns what takes personal data and credentials out of names.
    pub fn scrubber(&self) -> Scrubber {
        let own = self.scrub.iter().map(|(name, pattern)| (name.as_str(), pattern.as_str()));
        // The patterns were checked when the file was read.
        Scrubber::new(own).unwrap_or_default()
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`] with file, line and key path.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Checks the text of a file; `path` names it in messages, and relative paths start in its folder.
    ///
    /// # Errors
    /// [`ConfigError`] with file, line and key path.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let places = place::Places::new(path, text);
        let raw: raw::RawConfig = toml::from_str(text).map_err(|error| error::explain(&error, &places))?;
        let document = Arc::new(source::Document { text: text.to_owned(), places });
        check::check(raw, path.parent().unwrap_or(Path::new("")), &document)
    }

    /// Returns the class and direction of a signal: the config's word first, then the default.
    pub fn class_and_polarity(&self, signal: &str, unit: Unit) -> (Class, Polarity) {
        let (class, direction) = default_class_and_polarity(signal, unit);
        match self.signals.get(signal) {
            Some(rule) => (rule.class.unwrap_or(class), rule.better.unwrap_or(direction)),
            None => (class, direction),
        }
    }

    /// Returns the relative and absolute limit of a signal, in its base unit.
    ///
    /// Classes without an absolute limit of their own give 0: there the relative limit decides alone.
    pub fn limit(&self, signal: &str, class: Class) -> (f64, f64) {
        let limit = self.judge.limit;
        let absolute = match class {
            Class::Latency => limit.latency_s,
            Class::Errors => limit.error_share,
            Class::Saturation => limit.utilization,
            Class::Traffic | Class::Other => 0.0,
        };
        let rule = self.signals.get(signal).copied().unwrap_or_default();
        (rule.relative.unwrap_or(limit.relative), rule.absolute.unwrap_or(absolute))
    }
}
