//! What the configuration means, checked. After [`Config::load`] no other room checks it again.
//!
//! The file is read in two steps: [`raw`] holds what it says, this module what it means. A key that
//! does not exist, a wrong unit or an empty list is an error with the key's path, file and line.

mod check;
mod error;
mod place;
pub mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use chrono_tz::Tz;

pub(crate) use check::zone_help;
pub use error::ConfigError;
pub(crate) use error::nearest;

use crate::model::metric::{Class, Direction, Unit, default_nature};

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
    /// Where collected history is kept.
    pub store: Store,
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
    /// One account of New Relic.
    NewRelic(NewRelic),
    /// One account of Amazon CloudWatch, in one or several regions.
    CloudWatch(CloudWatch),
}

impl SourceKind {
    /// Every kind's word in the configuration.
    pub const NAMES: [&'static str; 3] = ["files", "newrelic", "cloudwatch"];

    /// Returns the kind's word in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Files { .. } => "files",
            Self::NewRelic(_) => "newrelic",
            Self::CloudWatch(_) => "cloudwatch",
        }
    }

    /// Tells whether it is read where it is, at every report; the others are asked and kept in the store.
    pub fn is_files(&self) -> bool {
        matches!(self, Self::Files { .. })
    }

    /// Returns the account that it speaks for; empty for files.
    pub fn account(&self) -> &str {
        match self {
            Self::Files { .. } => "",
            Self::NewRelic(settings) => &settings.account,
            Self::CloudWatch(settings) => &settings.account,
        }
    }
}

/// One account of New Relic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRelic {
    /// Number of the account.
    pub account: String,
    /// Where requests go: the region's address, or another that the file names.
    pub endpoint: String,
    /// Environment variable that holds the user key.
    pub key_env: String,
    /// Patterns of application names; never empty.
    pub applications: Vec<String>,
    /// Width of a bucket while the source has one-minute data, milliseconds.
    pub step_ms: i64,
    /// Folder with further queries, if any.
    pub queries: Option<PathBuf>,
}

/// One account of Amazon CloudWatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudWatch {
    /// Number or name of the account, for messages and `--account`; empty if unknown.
    pub account: String,
    /// Regions; never empty.
    pub regions: Vec<String>,
    /// Role to assume, empty to go with the credentials of the environment.
    pub role_arn: String,
    /// Environment variable that holds the role's external id, empty for none.
    pub external_id_env: String,
    /// Profile of the shared AWS files, empty for the environment's.
    pub profile: String,
    /// Where requests go instead of Amazon, empty for Amazon.
    pub endpoint: String,
    /// Patterns of resource names; never empty.
    pub resources: Vec<String>,
    /// Tags whose value is the service of a resource, tried in order; empty to go by names.
    pub service_tag: Vec<String>,
    /// Width of a bucket while the source has one-minute data, milliseconds.
    pub step_ms: i64,
    /// Folder with further lists of metrics, if any.
    pub queries: Option<PathBuf>,
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

/// The commented configuration with every key and its default.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

impl Config {
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
        let raw: raw::RawConfig = toml::from_str(text).map_err(|error| explain(&error, &places))?;
        check::check(raw, path.parent().unwrap_or(Path::new("")), &places)
    }

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

/// Turns serde's words into a message with path, line and a suggestion.
fn explain(error: &toml::de::Error, places: &place::Places) -> ConfigError {
    // What serde calls a sequence is a list to the one who wrote the file.
    let message = error.message().trim_end().replace('\n', ", ").replace("a sequence", "a list");
    let offset = error.span().map_or(0, |span| span.start);
    let place = places.at(offset);
    let Some(key) = places.path_at(offset).map(str::to_owned) else {
        return ConfigError::Syntax { place, reason: message };
    };
    // serde: unknown field `relatve`, expected one of `relative`, `latency_ms`
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return ConfigError::Value { place, key, reason: message, help: String::new() };
    };
    let mut words = rest.split('`').step_by(2);
    let word = words.next().unwrap_or_default();
    let known: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let help = match error::nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    ConfigError::UnknownKey { place, key, help }
}
