//! Gives raw values their meaning: fills in defaults, checks ranges, turns units into base units.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::error::{ConfigError, nearest};
use super::place::{Places, join};
use super::raw::{RawCalendar, RawConfig, RawJudge, RawOutput, RawPeriod, RawService, RawSignal, RawSource};
use super::{
    CloudWatch, Config, Format, Judge, Language, Limit, NewRelic, Output, Period, Service, SignalRule, Source,
    SourceKind, Store,
};
use crate::model::metric::{UNITS, Unit};
use crate::model::time::{HOUR, MINUTE};

type Checked<T> = Result<T, ConfigError>;

/// Version of the file format that this program writes and reads.
const VERSION: i64 = 1;

/// Checks a whole file.
///
/// `folder`: where relative paths in the file start.
///
/// # Errors
/// [`ConfigError::Value`] for the first value without a meaning, in the order of the fields.
pub(super) fn check(raw: RawConfig, folder: &Path, places: &Places) -> Checked<Config> {
    let checker = Checker { places, folder };
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
        sources: checker.sources(raw.source.unwrap_or_default())?,
        services: checker.services(raw.service.unwrap_or_default())?,
        holidays: checker.holidays(raw.calendar.unwrap_or_default())?,
        output: checker.output(raw.output.unwrap_or_default(), folder)?,
        store: Store {
            folder: folder.join(checker.path("store.folder", raw.store.unwrap_or_default().folder, ".fortnight")?),
        },
    })
}

struct Checker<'a> {
    places: &'a Places,
    folder: &'a Path,
}

impl Checker<'_> {
    fn wrong(&self, path: &str, reason: impl Into<String>, help: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            place: self.places.of(path),
            key: path.to_owned(),
            reason: reason.into(),
            help: help.into(),
        }
    }

    /// Checks a number; NaN and infinities, which TOML can write, are never in range.
    fn number(&self, path: &str, value: Option<f64>, default: f64, low: f64, high: f64, help: &str) -> Checked<f64> {
        let value = value.unwrap_or(default);
        if low <= value && value <= high {
            return Ok(value);
        }
        let range =
            if high.is_finite() { format!("from {low} to {high}") } else { format!("a number of at least {low}") };
        Err(self.wrong(path, format!("{value} is not {range}"), help))
    }

    fn whole(&self, path: &str, value: Option<i64>, default: u32, low: u32, high: u32) -> Checked<u64> {
        let value = value.unwrap_or(i64::from(default));
        match u64::try_from(value) {
            Ok(whole) if (u64::from(low)..=u64::from(high)).contains(&whole) => Ok(whole),
            _ => Err(self.wrong(path, format!("{value} is not from {low} to {high}"), "")),
        }
    }

    /// Checks a list of known words: not empty, nothing twice.
    fn words<T: Copy + PartialEq>(
        &self,
        path: &str,
        list: Option<Vec<String>>,
        known: &[(&'static str, T)],
    ) -> Checked<Vec<T>> {
        let Some(list) = list else { return Ok(known.iter().map(|(_, value)| *value).collect()) };
        let all = || known.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        if list.is_empty() {
            return Err(self.wrong(path, "the list is empty", format!("name at least one of {}", all())));
        }
        let mut values = Vec::new();
        for (index, word) in list.iter().enumerate() {
            let place = format!("{path}[{index}]");
            let Some((_, value)) = known.iter().find(|(name, _)| name == word) else {
                return Err(self.wrong(&place, format!("unknown word {word:?}"), format!("choose from {}", all())));
            };
            if values.contains(value) {
                return Err(self.wrong(&place, format!("{word:?} stands in the list twice"), ""));
            }
            values.push(*value);
        }
        Ok(values)
    }

    fn path(&self, path: &str, value: Option<String>, default: &str) -> Checked<String> {
        match value {
            Some(value) if value.trim().is_empty() => Err(self.wrong(path, "the path is empty", "")),
            Some(value) => Ok(value),
            None => Ok(default.to_owned()),
        }
    }

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

    fn sources(&self, raw: Vec<RawSource>) -> Checked<Vec<Source>> {
        let example = "add [[source]] with kind = \"files\" and series = [\"series.parquet\"]";
        if raw.is_empty() {
            return Err(self.wrong("source", "there is no source to read", example));
        }
        let mut sources: Vec<Source> = Vec::new();
        for (index, raw) in raw.into_iter().enumerate() {
            let path = format!("source[{index}]");
            let source = self.source(&path, raw, &sources)?;
            if sources.iter().any(|other| other.id == source.id) {
                let reason = format!("{:?} is the id of an earlier source", source.id);
                return Err(self.wrong(&join(&path, "id"), reason, "give each source an id of its own"));
            }
            sources.push(source);
        }
        Ok(sources)
    }

    fn source(&self, path: &str, raw: RawSource, earlier: &[Source]) -> Checked<Source> {
        let at = |key: &str| join(path, key);
        let kind = raw.kind.clone().unwrap_or_default();
        self.foreign_keys(path, &kind, &raw)?;
        let (given, optional) = (raw.id.clone(), raw.optional.unwrap_or(false));
        let id = match given {
            Some(id) if id.trim().is_empty() => return Err(self.wrong(&at("id"), "is empty", "")),
            Some(id) => id,
            None if earlier.iter().any(|source| source.id == kind) => format!("{kind}-{}", earlier.len() + 1),
            None => kind.clone(),
        };
        let kind = match kind.as_str() {
            "files" => SourceKind::Files {
                series: self.patterns(&at("series"), raw.series, true)?,
                deploys: self.patterns(&at("deploys"), raw.deploys, false)?,
            },
            "newrelic" => SourceKind::NewRelic(self.newrelic(path, raw)?),
            "cloudwatch" => SourceKind::CloudWatch(self.cloudwatch(path, raw)?),
            "" => return Err(self.wrong(&at("kind"), "is missing", "add kind = \"files\"")),
            other => {
                let known = SourceKind::NAMES.map(|name| format!("`{name}`")).join(", ");
                let reason = format!("unknown kind of source {other:?}");
                return Err(self.wrong(&at("kind"), reason, format!("choose from {known}")));
            }
        };
        Ok(Source { id, optional, kind })
    }

    /// Refuses keys that the kind of source does not take: they would be believed to do something.
    fn foreign_keys(&self, path: &str, kind: &str, raw: &RawSource) -> Checked<()> {
        let given = [
            ("series", raw.series.is_some(), "files"),
            ("deploys", raw.deploys.is_some(), "files"),
            ("account", raw.account.is_some(), "newrelic cloudwatch"),
            ("region", raw.region.is_some(), "newrelic"),
            ("key_env", raw.key_env.is_some(), "newrelic"),
            ("applications", raw.applications.is_some(), "newrelic"),
            ("regions", raw.regions.is_some(), "cloudwatch"),
            ("role_arn", raw.role_arn.is_some(), "cloudwatch"),
            ("external_id_env", raw.external_id_env.is_some(), "cloudwatch"),
            ("profile", raw.profile.is_some(), "cloudwatch"),
            ("resources", raw.resources.is_some(), "cloudwatch"),
            ("service_tag", raw.service_tag.is_some(), "cloudwatch"),
            ("endpoint", raw.endpoint.is_some(), "newrelic cloudwatch"),
            ("step_minutes", raw.step_minutes.is_some(), "newrelic cloudwatch"),
            ("queries", raw.queries.is_some(), "newrelic cloudwatch"),
        ];
        if !SourceKind::NAMES.contains(&kind) {
            return Ok(());
        }
        match given.iter().find(|(_, is_given, kinds)| *is_given && !kinds.split(' ').any(|one| one == kind)) {
            None => Ok(()),
            Some((key, _, kinds)) => {
                let help = format!("it goes with {}; leave it out", kinds.replace(' ', " and "));
                Err(self.wrong(&join(path, key), format!("a source of kind {kind:?} has no such key"), help))
            }
        }
    }

    fn newrelic(&self, path: &str, raw: RawSource) -> Checked<NewRelic> {
        let at = |key: &str| join(path, key);
        let account = raw.account.unwrap_or_default();
        if account.is_empty() || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            let reason = if account.is_empty() { "is missing".to_owned() } else { format!("{account:?} is no number") };
            return Err(self.wrong(
                &at("account"),
                reason,
                "write the account's number, such as account = \"1234567\"",
            ));
        }
        let vendor = match raw.region.as_deref().unwrap_or("us") {
            "us" => "https://api.newrelic.com/graphql",
            "eu" => "https://api.eu.newrelic.com/graphql",
            other => return Err(self.wrong(&at("region"), format!("unknown region {other:?}"), "choose `us` or `eu`")),
        };
        Ok(NewRelic {
            account,
            endpoint: self.endpoint(&at("endpoint"), raw.endpoint)?.unwrap_or_else(|| vendor.to_owned()),
            key_env: self.variable(&at("key_env"), raw.key_env)?.unwrap_or_else(|| "NEW_RELIC_API_KEY".to_owned()),
            applications: self.all_or(&at("applications"), raw.applications)?,
            step_ms: self.step(&at("step_minutes"), raw.step_minutes)?,
            queries: self.folder_of(&at("queries"), raw.queries)?,
        })
    }

    fn cloudwatch(&self, path: &str, raw: RawSource) -> Checked<CloudWatch> {
        let at = |key: &str| join(path, key);
        let regions = raw.regions.unwrap_or_default();
        if regions.is_empty() || regions.iter().any(|region| region.trim().is_empty()) {
            return Err(self.wrong(&at("regions"), "names no region", "write regions = [\"ap-northeast-1\"]"));
        }
        let role_arn = raw.role_arn.unwrap_or_default();
        if !role_arn.is_empty() && !role_arn.starts_with("arn:") {
            let help = "write role_arn = \"arn:aws:iam::111122223333:role/NAME\"";
            return Err(self.wrong(&at("role_arn"), format!("{role_arn:?} is no ARN"), help));
        }
        Ok(CloudWatch {
            account: raw.account.unwrap_or_default(),
            regions,
            role_arn,
            external_id_env: self.variable(&at("external_id_env"), raw.external_id_env)?.unwrap_or_default(),
            profile: raw.profile.unwrap_or_default(),
            endpoint: self.endpoint(&at("endpoint"), raw.endpoint)?.unwrap_or_default(),
            resources: self.all_or(&at("resources"), raw.resources)?,
            service_tag: self.tags(&at("service_tag"), raw.service_tag)?,
            step_ms: self.step(&at("step_minutes"), raw.step_minutes)?,
            queries: self.folder_of(&at("queries"), raw.queries)?,
        })
    }

    /// Reads the key of a tag, or a list of such keys.
    fn tags(&self, path: &str, value: Option<toml::Value>) -> Checked<Vec<String>> {
        /// Amazon's limit of a key, characters.
        const LONGEST: usize = 128;
        /// Each key is asked for by itself.
        const MOST: usize = 10;
        let help = "write the tag's key, such as service_tag = \"Service\", or leave it out";
        let (list, is_list) = match value {
            None => return Ok(Vec::new()),
            Some(toml::Value::Array(list)) => (list, true),
            Some(one) => (vec![one], false),
        };
        if list.is_empty() || list.len() > MOST {
            return Err(self.wrong(path, format!("{} tags are not from 1 to {MOST}", list.len()), help));
        }
        let mut keys: Vec<String> = Vec::new();
        for (index, value) in list.into_iter().enumerate() {
            let place = if is_list { format!("{path}[{index}]") } else { path.to_owned() };
            let reason = match value {
                toml::Value::String(key) if key.trim().is_empty() => "the tag is empty".to_owned(),
                toml::Value::String(key) if key.chars().any(char::is_control) || key.chars().count() > LONGEST => {
                    format!("a tag has at most {LONGEST} characters, all of them printable")
                }
                toml::Value::String(key) if keys.contains(&key) => format!("{key:?} stands in the list twice"),
                toml::Value::String(key) => {
                    keys.push(key);
                    continue;
                }
                other => format!("expected a tag, found {}", other.type_str()),
            };
            return Err(self.wrong(&place, reason, help));
        }
        Ok(keys)
    }

    /// Checks an address: plain HTTP only to the machine itself, because a key goes with every request.
    fn endpoint(&self, path: &str, value: Option<String>) -> Checked<Option<String>> {
        let Some(value) = value else { return Ok(None) };
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let is_local = local.iter().any(|start| {
            value
                .strip_prefix(start)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':') || rest.starts_with('/'))
        });
        if value.starts_with("https://") || is_local {
            return Ok(Some(value));
        }
        Err(self.wrong(path, format!("{value:?} is no address"), "write https://…; http:// only to 127.0.0.1"))
    }

    /// Checks the name of an environment variable; the value itself never stands in the file.
    fn variable(&self, path: &str, value: Option<String>) -> Checked<Option<String>> {
        let Some(value) = value else { return Ok(None) };
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if value.is_empty() || !value.bytes().all(fits) {
            // What stands here may be the secret itself, so it is not repeated.
            let help = "write the variable's name in capitals, and put the secret into the environment";
            return Err(self.wrong(path, "is not the name of an environment variable", help));
        }
        Ok(Some(value))
    }

    fn all_or(&self, path: &str, list: Option<Vec<String>>) -> Checked<Vec<String>> {
        match self.patterns(path, list, false)? {
            list if list.is_empty() => Ok(vec!["*".to_owned()]),
            list => Ok(list),
        }
    }

    fn step(&self, path: &str, minutes: Option<i64>) -> Checked<i64> {
        match minutes.unwrap_or(5) {
            minutes @ (1 | 5 | 15 | 30 | 60) => Ok(minutes * MINUTE),
            other => Err(self.wrong(path, format!("{other} is none of the widths"), "choose from 1, 5, 15, 30, 60")),
        }
    }

    fn folder_of(&self, path: &str, value: Option<String>) -> Checked<Option<PathBuf>> {
        match value {
            Some(value) => Ok(Some(self.folder.join(self.path(path, Some(value), "")?))),
            None => Ok(None),
        }
    }

    fn patterns(&self, path: &str, list: Option<Vec<String>>, needed: bool) -> Checked<Vec<String>> {
        let list = list.unwrap_or_default();
        if needed && list.is_empty() {
            let help = "name at least one file or pattern, such as \"series.parquet\"";
            return Err(self.wrong(path, "names no file", help));
        }
        for (index, pattern) in list.iter().enumerate() {
            let place = format!("{path}[{index}]");
            if pattern.trim().is_empty() {
                return Err(self.wrong(&place, "the pattern is empty", ""));
            }
            if let Err(error) = glob::Pattern::new(pattern) {
                return Err(self.wrong(&place, format!("{pattern:?} is not a pattern: {}", error.msg), ""));
            }
        }
        Ok(list)
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
