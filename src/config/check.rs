//! Gives raw values their meaning: fills in defaults, checks ranges, turns units into base units.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::checker::{Checked, Checker};
use super::error::nearest;
use super::place::join;
use super::raw::{RawCalendar, RawConfig, RawJudge, RawOutput, RawPeriod, RawScrub, RawService, RawSignal};
use super::source::{Document, sources, targets};
use super::{Config, Format, Judge, Language, Limit, Output, Period, Service, SignalRule, Store};
use crate::model::metric::{UNITS, Unit};
use crate::model::scrub::Scrubber;
use crate::model::time::{HOUR, MINUTE};

/// Version of the file format that this program writes and reads.
const VERSION: i64 = 1;

/// Checks a whole file.
///
/// `folder`: where relative paths in the file start. The tables of the sources are kept as they are.
///
/// # Errors
/// [`ConfigError::Value`] for the first value without a meaning, in the order of the fields.
pub(super) fn check(raw: RawConfig, folder: &Path, document: &Arc<Document>) -> Checked<Config> {
    let checker = Checker { places: &document.places };
    let version = raw.version.unwrap_or(VERSION);
    if version != VERSION {
        return Err(checker.wrong(
            "version",
            format!("{version} is not a version that this program reads"),
            format!("this is fortnight {}, which reads version {VERSION}", env!("CARGO_PKG_VERSION")),
        ));
    }
    Ok(Config {
        folder: folder.to_owned(),
        title: raw.title.unwrap_or_default(),
        zone: checker.zone(raw.timezone.as_deref().unwrap_or("UTC"))?,
        languages: checker.words("languages", raw.languages, &Language::ALL)?,
        memory_by: checker.whole("memory_mb", raw.memory_mb, 1024, 16, 1 << 20)? * 1024 * 1024,
        period: checker.period(raw.period.unwrap_or_default())?,
        judge: checker.judge(&raw.judge.unwrap_or_default())?,
        signals: checker.signals(raw.signal.unwrap_or_default())?,
        sources: sources(raw.source.unwrap_or_default(), folder, document)?,
        scrub: checker.scrub(raw.scrub.unwrap_or_default())?,
        targets: targets(raw.publish.unwrap_or_default(), folder, document)?,
        services: checker.services(raw.service.unwrap_or_default())?,
        holidays: checker.holidays(raw.calendar.unwrap_or_default())?,
        output: checker.output(raw.output.unwrap_or_default(), folder)?,
        store: Store {
            folder: folder.join(checker.path("store.folder", raw.store.unwrap_or_default().folder, ".fortnight")?),
        },
    })
}

impl Checker<'_> {
    fn zone(&self, name: &str) -> Checked<Tz> {
        name.parse().map_err(|_| self.wrong("timezone", format!("{name:?} is not an IANA time zone"), zone_help(name)))
    }

    fn period(&self, raw: RawPeriod) -> Checked<Period> {
        let anchor = match raw.anchor {
            Some(value) => self.date("period.anchor", &value)?,
            None => default_anchor(),
        };
        // The cast cannot lose anything: the range ends at 366.
        Ok(Period { anchor, days: self.whole("period.days", raw.days, 14, 1, 366)? as u32 })
    }

    /// Reads a TOML date, or the same as a string.
    fn date(&self, path: &str, value: &toml::Value) -> Checked<NaiveDate> {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Datetime(date) => date.to_string(),
            other => {
                return Err(self.wrong(
                    path,
                    format!("expected a date, found {}", other.type_str()),
                    "write it as 2026-11-09",
                ));
            }
        };
        text.parse().map_err(|_| self.wrong(path, format!("{text:?} is not a date"), "write it as 2026-11-09"))
    }

    fn judge(&self, raw: &RawJudge) -> Checked<Judge> {
        let share = "a share: 0.05 is 5 %";
        let false_discovery = self.number("judge.false_discovery", raw.false_discovery, 0.05, 0.0, 0.5, share)?;
        if false_discovery <= 0.0 {
            return Err(self.wrong("judge.false_discovery", "0 would forbid every alarm", share));
        }
        let minutes = |key: &str, value, default| {
            let path = join("judge", key);
            self.whole(&path, value, default, 0, 1440).map(|minutes| minutes as i64 * MINUTE)
        };
        let min_after_hours = self.number("judge.min_after_hours", raw.min_after_hours, 6.0, 0.0, 336.0, "in hours")?;
        Ok(Judge {
            false_discovery,
            limit: self.limit(raw)?,
            baseline_days: self.whole("judge.baseline_days", raw.baseline_days, 28, 1, 366)? as u32,
            group_ms: minutes("group_minutes", raw.group_minutes, 30)?,
            settle_ms: minutes("settle_minutes", raw.settle_minutes, 15)?,
            min_after_ms: (min_after_hours * HOUR as f64).round() as i64,
            min_coverage: self.number("judge.min_coverage", raw.min_coverage, 0.5, 0.0, 1.0, "a share: 0.5 is half")?,
        })
    }

    fn limit(&self, raw: &RawJudge) -> Checked<Limit> {
        let empty = super::raw::RawLimit::default();
        let raw = raw.limit.as_ref().unwrap_or(&empty);
        let number = |key: &str, value, default, high, help| {
            self.number(&format!("judge.limit.{key}"), value, default, 0.0, high, help)
        };
        let points = number("utilization_points", raw.utilization_points, 5.0, 100.0, "in percentage points")?;
        Ok(Limit {
            relative: number("relative", raw.relative, 0.10, 5.0, "a share: 0.10 is 10 %")?,
            latency_s: number("latency_ms", raw.latency_ms, 5.0, f64::MAX, "in milliseconds")? / 1e3,
            error_share: number("error_share", raw.error_share, 0.001, 1.0, "a share: 0.001 is 0.1 %")?,
            utilization: points / 100.0,
        })
    }

    fn signals(&self, raw: BTreeMap<String, RawSignal>) -> Checked<BTreeMap<String, SignalRule>> {
        raw.into_iter().map(|(name, raw)| self.signal(&name, &raw).map(|rule| (name, rule))).collect()
    }

    fn signal(&self, name: &str, raw: &RawSignal) -> Checked<SignalRule> {
        let path = join("signal", name);
        let at = |key: &str| join(&path, key);
        let relative = match raw.relative {
            Some(_) => Some(self.number(&at("relative"), raw.relative, 0.0, 0.0, 5.0, "a share: 0.10 is 10 %")?),
            None => None,
        };
        let absolute = match (raw.absolute, raw.unit.as_deref()) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(self.wrong(
                    &at("unit"),
                    "a unit without `absolute`",
                    "give `absolute`, or leave `unit` out",
                ));
            }
            (Some(_), None) => {
                return Err(self.wrong(
                    &at("absolute"),
                    "a limit without its unit",
                    "add `unit`, such as unit = \"ms\"",
                ));
            }
            (Some(_), Some(symbol)) => {
                let value = self.number(&at("absolute"), raw.absolute, 0.0, 0.0, f64::MAX, "in `unit`")?;
                let unit = Unit::parse(symbol)
                    .ok_or_else(|| self.wrong(&at("unit"), format!("unknown unit {symbol:?}"), unit_help(symbol)))?;
                Some(value * unit.factor)
            }
        };
        Ok(SignalRule { class: raw.class, better: raw.better, relative, absolute })
    }

    fn services(&self, raw: Vec<RawService>) -> Checked<Vec<Service>> {
        let mut services: Vec<Service> = Vec::new();
        for (index, raw) in raw.into_iter().enumerate() {
            let path = format!("service[{index}].name");
            let name = raw.name.unwrap_or_default();
            if name.trim().is_empty() {
                return Err(self.wrong(&path, "is missing", "name the service as the series do"));
            }
            if services.iter().any(|other| other.name == name) {
                return Err(self.wrong(&path, format!("{name:?} is described twice"), "join the two [[service]]"));
            }
            services.push(Service {
                name,
                owner: raw.owner.unwrap_or_default(),
                account: raw.account.unwrap_or_default(),
                runbook: raw.runbook.unwrap_or_default(),
                slo: raw.slo.map(|slo| slo.trim().to_owned()).unwrap_or_default(),
                resources: self.patterns(&format!("service[{index}].resources"), raw.resources, false)?,
            });
        }
        Ok(services)
    }

    fn scrub(&self, raw: RawScrub) -> Checked<BTreeMap<String, String>> {
        let patterns = raw.patterns.unwrap_or_default();
        for (name, pattern) in &patterns {
            if let Err(error) = Scrubber::new([(name.as_str(), pattern.as_str())]) {
                let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                // The parser's error has several lines with a mark below the pattern.
                let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
                let help = "the syntax is that of https://docs.rs/regex; test it with a name that it has to find";
                return Err(self.wrong(&join("scrub.patterns", name), reason, help));
            }
        }
        Ok(patterns)
    }

    fn holidays(&self, raw: RawCalendar) -> Checked<BTreeMap<NaiveDate, String>> {
        let path = "calendar.holidays";
        match raw.holidays {
            None => Ok(BTreeMap::new()),
            Some(toml::Value::Array(list)) => list
                .iter()
                .enumerate()
                .map(|(index, value)| Ok((self.date(&format!("{path}[{index}]"), value)?, String::new())))
                .collect(),
            Some(toml::Value::Table(table)) => table
                .into_iter()
                .map(|(date, name)| {
                    let path = join(path, &date);
                    match name {
                        toml::Value::String(name) => Ok((self.date(&path, &toml::Value::String(date))?, name)),
                        other => {
                            let reason = format!("expected the holiday's name, found {}", other.type_str());
                            Err(self.wrong(&path, reason, "write 2026-11-23 = \"Labour Thanksgiving Day\""))
                        }
                    }
                })
                .collect(),
            Some(other) => Err(self.wrong(
                path,
                format!("expected a table or a list, found {}", other.type_str()),
                "write holidays = { 2026-11-23 = \"Labour Thanksgiving Day\" }",
            )),
        }
    }

    fn output(&self, raw: RawOutput, folder: &Path) -> Checked<Output> {
        Ok(Output {
            folder: folder.join(self.path("output.dir", raw.dir, "fortnight-report")?),
            formats: self.words("output.formats", raw.formats, &Format::ALL)?,
        })
    }
}

/// The Monday on which periods are counted when the file names no other.
fn default_anchor() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 5).unwrap_or_default()
}

/// Returns what to do about a name that is no time zone.
pub(crate) fn zone_help(name: &str) -> String {
    match nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())) {
        Some(zone) => format!("did you mean `{zone}`?"),
        None => "use an IANA name such as `Asia/Tokyo` or `UTC`".to_owned(),
    }
}

fn unit_help(symbol: &str) -> String {
    let all = UNITS.iter().map(|unit| unit.symbol).collect::<Vec<_>>().join(", ");
    match nearest(symbol, UNITS.iter().map(|unit| unit.symbol)) {
        Some(unit) => format!("did you mean `{unit}`? known: {all}"),
        None => format!("known: {all}"),
    }
}
