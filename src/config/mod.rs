//! What the configuration means, checked. After [`Config::load`] no other room checks it again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::metric::{Class, Direction, Unit, default_nature};

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
    /// What is known about services: owner, links.
    pub services: Vec<Service>,
    /// Local dates left out of the statistics, with their names.
    pub holidays: BTreeMap<NaiveDate, String>,
    /// Where reports go and in which forms.
    pub output: Output,
    /// How much memory series may take before they are read in parts, bytes.
    pub memory_by: u64,
}

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    En,
    /// Japanese.
    Ja,
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
    pub better: Option<Direction>,
    /// Relative limit for this signal alone.
    pub relative: Option<f64>,
    /// Absolute limit for this signal alone, in its base unit.
    pub absolute: Option<f64>,
}

/// One source of series and events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name in messages and in the report.
    pub id: String,
    /// The report goes on without it.
    pub optional: bool,
    /// What it is.
    pub kind: SourceKind,
}

/// What a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// Recorded series in files; patterns as written, relative to [`Config::folder`].
    Files {
        /// Patterns of Parquet or CSV files.
        series: Vec<String>,
        /// Patterns of JSON-lines or CSV files with deploys and other events.
        deploys: Vec<String>,
    },
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

impl Config {
    /// Returns the class and direction of a signal: the config's word first, then the default.
    pub fn nature(&self, signal: &str, unit: Unit) -> (Class, Direction) {
        let (class, direction) = default_nature(signal, unit);
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
