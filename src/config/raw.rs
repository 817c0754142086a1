//! What the configuration file says, as written. Nothing is checked here but names and types.
//!
//! Every key is optional in these structs: a default is given in one place only, where the raw
//! values get their meaning. The doc comments are the descriptions of the JSON Schema that
//! `fortnight schema config` prints, so each names unit, default and an example. No `flatten` and no
//! `untagged`: both make serde forget where in the file it was.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::metric::{Class, Polarity};

/// The configuration of `fortnight`. Only one `[[source]]` is needed; every other key has a default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(title = "fortnight configuration")]
pub struct RawConfig {
    /// Version of this file's format. Default: `1`. Example: `version = 1`
    pub version: Option<i64>,
    /// Heading of the report, such as the team's name. Default: none. Example: `title = "Payments"`
    pub title: Option<String>,
    /// Time zone of the report as an IANA name: dates, midnights and hours of the week follow it.
    /// Default: `"UTC"`. Example: `timezone = "Asia/Tokyo"`
    pub timezone: Option<String>,
    /// Languages of the page; the first is shown first. Default: `["en", "ja"]`. Example: `languages = ["ja", "en"]`
    #[schemars(extend("items" = {"enum": ["en", "ja"], "type": "string"}))]
    pub languages: Option<Vec<String>>,
    /// Memory that series may take before they are read in parts, in MiB. Default: `1024`.
    /// Example: `memory_mb = 512`
    pub memory_mb: Option<i64>,
    /// The grid of periods.
    pub period: Option<RawPeriod>,
    /// What counts as worse, and on how much evidence.
    pub judge: Option<RawJudge>,
    /// How single signals are judged, by the signal's name. Default: none.
    /// Example: `[signal.cache_hit_ratio]` with `better = "higher"`
    pub signal: Option<BTreeMap<String, RawSignal>>,
    /// Where series and deploys come from. At least one is needed.
    pub source: Option<Vec<RawSource>>,
    /// What is known about services. Default: none.
    pub service: Option<Vec<RawService>>,
    /// Days that are not like others.
    pub calendar: Option<RawCalendar>,
    /// Where reports go and in which forms.
    pub output: Option<RawOutput>,
    /// Where collected history is kept.
    pub store: Option<RawStore>,
    /// What is taken out of names besides what is built in (card numbers, e-mail addresses, keys, ids in paths).
    pub scrub: Option<RawScrub>,
    /// Where `fortnight publish` brings reports. Default: nowhere.
    pub publish: Option<Vec<RawPublish>>,
}

/// The grid of periods: counted from an anchor, never from now.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawPeriod {
    /// A local date on which a period began. Default: `2026-01-05`, a Monday. Example: `anchor = 2026-11-09`
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub anchor: Option<toml::Value>,
    /// Length of a period in local days, 1 to 366. Default: `14`. Example: `days = 7`
    #[schemars(range(min = 1, max = 366))]
    pub days: Option<i64>,
}

/// What counts as worse, and on how much evidence.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawJudge {
    /// Share of false ones accepted among the alarms of a report, above 0 and up to 0.5.
    /// Default: `0.05`. Example: `false_discovery = 0.01`
    #[schemars(range(min = 0, max = 0.5))]
    pub false_discovery: Option<f64>,
    /// Days before the period that serve as baseline at most, 1 to 366. Default: `28`. Example: `baseline_days = 21`
    #[schemars(range(min = 1, max = 366))]
    pub baseline_days: Option<i64>,
    /// Deploys of one service closer than this many minutes are judged as one group, 0 to 1440.
    /// Default: `30`. Example: `group_minutes = 60`
    #[schemars(range(min = 0, max = 1440))]
    pub group_minutes: Option<i64>,
    /// Minutes after a deploy that are left out while caches fill, 0 to 1440. Default: `15`.
    /// Example: `settle_minutes = 30`
    #[schemars(range(min = 0, max = 1440))]
    pub settle_minutes: Option<i64>,
    /// Hours of data needed after a deploy before it is judged, above 0 and up to 336. Default: `6`.
    /// Example: `min_after_hours = 24`
    #[schemars(range(min = 0, max = 336))]
    pub min_after_hours: Option<f64>,
    /// Share of the compared hours that must hold data, 0 to 1. Default: `0.5`. Example: `min_coverage = 0.8`
    #[schemars(range(min = 0, max = 1))]
    pub min_coverage: Option<f64>,
    /// The smallest change that matters; relative and absolute must both be exceeded.
    pub limit: Option<RawLimit>,
}

/// The smallest change that matters; relative and absolute must both be exceeded.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawLimit {
    /// Relative change as a share: 0.10 is 10 %. Default: `0.10`. Example: `relative = 0.05`
    #[schemars(range(min = 0, max = 5))]
    pub relative: Option<f64>,
    /// Absolute change of a time, in milliseconds. Default: `5`. Example: `latency_ms = 20`
    #[schemars(range(min = 0))]
    pub latency_ms: Option<f64>,
    /// Absolute change of a share of errors, as a share: 0.001 is 0.1 percentage points. Default: `0.001`.
    /// Example: `error_share = 0.005`
    #[schemars(range(min = 0, max = 1))]
    pub error_share: Option<f64>,
    /// Absolute change of a utilisation, in percentage points. Default: `5`. Example: `utilization_points = 10`
    #[schemars(range(min = 0, max = 100))]
    pub utilization_points: Option<f64>,
}

/// How one signal is judged when the default does not fit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawSignal {
    /// Golden signal that it belongs to. Default: from its name, else from its unit. Example: `class = "latency"`
    pub class: Option<Class>,
    /// Which way is better. Default: from its name, else `"lower"` (rates: `"neutral"`). Example: `better = "higher"`
    pub better: Option<Polarity>,
    /// Relative limit for this signal alone, as a share. Default: `judge.limit.relative`. Example: `relative = 0.2`
    #[schemars(range(min = 0, max = 5))]
    pub relative: Option<f64>,
    /// Absolute limit for this signal alone, in `unit`. Default: the one of its class. Example: `absolute = 50`
    #[schemars(range(min = 0))]
    pub absolute: Option<f64>,
    /// Unit of `absolute`; needed with it. Default: none. Example: `unit = "ms"`
    pub unit: Option<String>,
}

/// One source of series and events: the keys that all kinds take. The others are read by the kind itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(expecting = "a table")]
pub struct RawSource {
    /// What it is. Needed. Example: `kind = "files"`
    pub kind: Option<String>,
    /// Its name in messages and in the report. Default: the kind, numbered from the second on. Example: `id = "apm"`
    pub id: Option<String>,
    /// The report goes on without it, and says so. Default: `false`. Example: `optional = true`
    pub optional: Option<bool>,
}

/// What is taken out of names besides what is built in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawScrub {
    /// Regular expressions by name; what one matches becomes `[name]`. Default: none.
    /// Example: `patterns = { staff = "\\bS[0-9]{6}\\b" }`
    pub patterns: Option<BTreeMap<String, String>>,
}

/// One place that reports are brought to: the keys that all kinds take. The others are read by the kind itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(expecting = "a table")]
pub struct RawPublish {
    /// What it is. Needed. Example: `kind = "folder"`
    pub kind: Option<String>,
    /// Its name in messages. Default: the kind, numbered from the second on. Example: `id = "team-channel"`
    pub id: Option<String>,
}

/// What is known about a service.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawService {
    /// Its name as in the series. Needed. Example: `name = "card-api"`
    pub name: Option<String>,
    /// The team that answers for it. Default: nobody yet. Example: `owner = "card-team"`
    pub owner: Option<String>,
    /// AWS or other account that it runs in. Default: unknown. Example: `account = "card-data"`
    pub account: Option<String>,
    /// Where the steps for its alarms stand. Default: nowhere. Example: `runbook = "https://wiki.example/card-api"`
    pub runbook: Option<String>,
    /// Its service level objective, in a line. Default: none. Once one service has it, those without are listed.
    /// Example: `slo = "p95 under 300 ms in 99 % of all minutes"`
    pub slo: Option<String>,
    /// Patterns of applications and resources that belong to it, besides those that carry its name: the name, or the
    /// target with its prefix. Default: `[]`. Example: `resources = ["cards-db-*", "lambda:notify"]`
    pub resources: Option<Vec<String>>,
}

/// Days that are not like others.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawCalendar {
    /// Local dates left out of the statistics: a table of date and name, or a list of dates. Default: none.
    /// Example: `holidays = { 2026-11-23 = "Labour Thanksgiving Day" }`
    #[schemars(with = "serde_json::Value", extend("type" = ["object", "array", "null"]))]
    pub holidays: Option<toml::Value>,
}

/// Where reports go and in which forms.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawOutput {
    /// Folder for the files, relative to this file. Default: `"fortnight-report"`. Example: `dir = "reports"`
    pub dir: Option<String>,
    /// Forms to write. Default: `["html", "json", "md"]`. Example: `formats = ["html"]`
    #[schemars(extend("items" = {"enum": ["html", "json", "md"], "type": "string"}))]
    pub formats: Option<Vec<String>>,
}

/// Where collected history is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RawStore {
    /// Folder of the history, relative to this file. Default: `".fortnight"`. Example: `folder = "history"`
    pub folder: Option<String>,
}
