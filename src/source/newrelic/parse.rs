//! Reads the rows of a query: flat, one a facet and bucket, with wrong types told by row and what is missing kept apart
//! from what is nothing. Pure; random input never panics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::NewRelicError;
use super::graph::shape;
use super::query::{Divisor, Query, Signal};
use crate::format::shown_key;
use crate::model::metric::{Allowed, Class, Series, SeriesKey};
use crate::model::time::Window;
use crate::source::http::excerpt;

/// Rows that an answer holds at most. As many as that is too many: there may have been more.
pub(super) const MOST_ROWS: usize = 5_000;
/// Longest target, in signs; a statement may be pages long.
const LONGEST_TARGET: usize = 500;

/// Points by series: time and value, NaN for a gap.
pub(super) type Points = BTreeMap<SeriesKey, (Signal, BTreeMap<i64, f64>)>;

/// The rows of an answer; `Cut` when it says that there are more.
pub(super) fn results<'a>(query: &Query, container: &'a Value, asked: Window) -> Result<&'a [Value], NewRelicError> {
    let Some(rows) = container.get("results").and_then(Value::as_array) else {
        return Err(shape(&query.id, "`results` is no list"));
    };
    if rows.len() >= MOST_ROWS {
        return Err(cut(query, format!("{} rows, and no more than {MOST_ROWS} are given", rows.len())));
    }
    let messages = container.pointer("/metadata/messages").and_then(Value::as_array);
    for message in messages.into_iter().flatten().filter_map(Value::as_str) {
        let lower = message.to_lowercase();
        if LIMITS.iter().any(|word| lower.contains(word)) {
            return Err(cut(query, excerpt(message.as_bytes(), &[])));
        }
        tracing::info!(query = query.id, message = excerpt(message.as_bytes(), &[]), "New Relic says");
    }
    let time = |key: &str| container.pointer(&format!("/metadata/timeWindow/{key}")).and_then(Value::as_i64);
    if let (Some(begin), Some(end)) = (time("begin"), time("end"))
        && (begin, end) != (asked.start, asked.end)
    {
        return Err(cut(query, format!("asked for {} to {}, answered {begin} to {end}", asked.start, asked.end)));
    }
    Ok(rows)
}

/// Words by which a message says that something was left out.
const LIMITS: [&str; 7] = ["limit", "truncat", "partial", "exceed", "incomplete", "maximum", "too many"];

pub(super) fn cut(query: &Query, reason: String) -> NewRelicError {
    NewRelicError::Cut { what: query.id.clone(), reason }
}

/// Reads rows with buckets into points.
///
/// `service`: gives the services of a name in the facet; those that are not wanted are none.
///
/// # Errors
/// A field that is missing or of a wrong type, with the row; buckets that are not those that were asked for.
pub(super) fn points(
    query: &Query,
    rows: &[Value],
    asked: Window,
    step_ms: i64,
    services: &dyn Fn(&str) -> Vec<Arc<str>>,
) -> Result<Points, NewRelicError> {
    let mut points = Points::new();
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for (index, row) in rows.iter().enumerate() {
        let row = Row::new(query, index, row)?;
        let (begin, end) = (row.seconds("beginTimeSeconds")?, row.seconds("endTimeSeconds")?);
        if end - begin != step_ms || (begin - asked.start).rem_euclid(step_ms) != 0 {
            return Err(cut(query, format!("a bucket from {begin} to {end}, where {step_ms} ms were asked for")));
        }
        if begin < asked.start || end > asked.end {
            return Err(cut(query, format!("a bucket from {begin} to {end}, outside of what was asked for")));
        }
        (first, last) = (first.min(begin), last.max(end));
        let target: Arc<str> = row.target()?.into();
        let values = query.signals.iter().map(|signal| row.value(signal, step_ms)).collect::<Result<Vec<_>, _>>()?;
        for service in row.services(services)? {
            for (signal, value) in query.signals.iter().zip(&values) {
                let (service, target, name) = (Arc::clone(&service), Arc::clone(&target), signal.name.as_str().into());
                let key = SeriesKey { service, kind: query.kind, target, signal: name };
                let series = &mut points.entry(key).or_insert_with(|| (signal.clone(), BTreeMap::new())).1;
                keep(series, begin, *value).map_err(|reason| row.wrong(&signal.column, &reason))?;
            }
        }
    }
    if !rows.is_empty() && (first != asked.start || last != asked.end) {
        return Err(cut(query, format!("buckets from {first} to {last}, asked for {} to {}", asked.start, asked.end)));
    }
    Ok(points)
}

/// Keeps a point; another value at the same time is an error, a value beside a gap wins.
pub(super) fn keep(series: &mut BTreeMap<i64, f64>, at: i64, value: f64) -> Result<(), String> {
    let old = series.entry(at).or_insert(value);
    if old.is_nan() {
        *old = value;
    } else if !value.is_nan() && old.to_bits() != value.to_bits() {
        return Err(format!("two values at {at}: {old} and {value}; two facets have one name"));
    }
    Ok(())
}

/// One row with what messages need.
pub(super) struct Row<'a> {
    query: &'a Query,
    index: usize,
    fields: &'a Map<String, Value>,
}

impl<'a> Row<'a> {
    pub(super) fn new(query: &'a Query, index: usize, row: &'a Value) -> Result<Self, NewRelicError> {
        match row.as_object() {
            Some(fields) => Ok(Self { query, index, fields }),
            None => Err(shape(&query.id, format!("row {}: is no object", index + 1))),
        }
    }

    fn wrong(&self, field: &str, reason: &str) -> NewRelicError {
        shape(&self.query.id, format!("row {}: `{}` {reason}", self.index + 1, excerpt(field.as_bytes(), &[])))
    }

    /// A field that has to be there; `None` if it is null.
    fn field(&self, name: &str) -> Result<Option<&'a Value>, NewRelicError> {
        match self.fields.get(name) {
            None => Err(self.wrong(name, "is missing")),
            Some(Value::Null) => Ok(None),
            Some(value) => Ok(Some(value)),
        }
    }

    fn not_a(&self, name: &str, value: &Value, wanted: &str) -> NewRelicError {
        self.wrong(name, &format!("is {}, not {wanted}", excerpt(value.to_string().as_bytes(), &[])))
    }

    /// A moment in whole seconds, as milliseconds.
    fn seconds(&self, name: &str) -> Result<i64, NewRelicError> {
        let value = self.field(name)?.unwrap_or(&Value::Null);
        let seconds = value.as_i64().filter(|seconds| (0..=253_402_300_799).contains(seconds));
        seconds.map(|seconds| seconds * 1000).ok_or_else(|| self.not_a(name, value, "whole seconds"))
    }

    /// A moment in milliseconds.
    pub(super) fn millis(&self, name: &str) -> Result<i64, NewRelicError> {
        let value = self.field(name)?.unwrap_or(&Value::Null);
        let millis = value.as_f64().filter(|millis| (0.0..=253_402_300_799_999.0).contains(millis));
        // A whole number of milliseconds far below 2^53 in size.
        millis.map(|millis| millis as i64).ok_or_else(|| self.not_a(name, value, "a time"))
    }

    /// A facet's value: texts as they are, numbers and truths as they are written; `None` if it is null.
    pub(super) fn facet(&self, name: &str) -> Result<Option<String>, NewRelicError> {
        match self.field(name)? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            // Seen in the field: a list with one element.
            Some(Value::Array(list)) => match list.as_slice() {
                [Value::String(text)] => Ok(Some(text.clone())),
                [] | [Value::Null] => Ok(None),
                _ => Err(self.wrong(name, "is a list of several")),
            },
            Some(value @ Value::Object(_)) => Err(self.not_a(name, value, "a facet")),
        }
    }

    pub(super) fn services(&self, wanted: &dyn Fn(&str) -> Vec<Arc<str>>) -> Result<Vec<Arc<str>>, NewRelicError> {
        let name = self.facet(&self.query.service)?.unwrap_or_default();
        let mut services: Vec<Arc<str>> = match &self.query.service_separator {
            None => wanted(&name),
            Some(separator) => name.split(separator.as_str()).flat_map(wanted).collect(),
        };
        services.sort();
        services.dedup();
        Ok(services)
    }

    /// Fills the facets into the target; facets without a value leave no blank behind.
    pub(super) fn target(&self) -> Result<String, NewRelicError> {
        let mut target = String::new();
        let mut rest = self.query.target.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { break };
            target.push_str(before);
            target.push_str(&self.facet(name)?.unwrap_or_default());
            rest = after;
        }
        target.push_str(rest);
        Ok(bounded(&target))
    }

    /// The value of a signal in its base unit, NaN for a gap.
    fn value(&self, signal: &Signal, step_ms: i64) -> Result<f64, NewRelicError> {
        let value = self.number(&signal.column, signal.part)?;
        let divisor = match &signal.divisor {
            Divisor::One => Some(1.0),
            Divisor::Seconds => Some(step_ms as f64 / 1e3),
            Divisor::Column(column) => self.number(column, None)?.filter(|by| *by > 0.0),
        };
        let value = value.or(signal.is_zero_when_absent.then_some(0.0));
        let result = value.zip(divisor).map_or(f64::NAN, |(value, by)| value / by * signal.unit.factor);
        Ok(if result.is_finite() { result } else { f64::NAN })
    }

    /// A number, or the number of a percentile inside an object; `None` if it is null.
    fn number(&self, name: &str, part: Option<f64>) -> Result<Option<f64>, NewRelicError> {
        let Some(value) = self.field(name)? else { return Ok(None) };
        let value = match part {
            None => value,
            Some(part) => {
                let object = value.as_object().ok_or_else(|| self.not_a(name, value, "an object of percentiles"))?;
                // `95` and `95.0` were both seen.
                let fits = |key: &str| key.parse::<f64>().is_ok_and(|number| (number - part).abs() < 1e-9);
                let found = object.iter().find(|(key, _)| fits(key));
                found.ok_or_else(|| self.wrong(name, &format!("has no percentile {part}")))?.1
            }
        };
        match value {
            Value::Null => Ok(None),
            value => value.as_f64().map(Some).ok_or_else(|| self.not_a(name, value, "a number")),
        }
    }
}

/// Puts a text on one line and cuts it, with a number that keeps two long texts apart.
fn bounded(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return "(no name)".to_owned();
    }
    if line.chars().count() <= LONGEST_TARGET {
        return line;
    }
    // FNV-1a (Fowler, Noll, Vo; 64 bits): the same on every machine.
    let hash = line
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let start: String = line.chars().take(LONGEST_TARGET).collect();
    format!("{start}… {hash:016x}")
}

/// Turns points into series, sorted by key, with what was left out as `(reason, count, first place)`.
///
/// The vendor fills the counts of empty buckets with 0, also while nothing reported at all: a rate of 0 stands only
/// where something else of its service was seen in the same bucket. Values that cannot be are gaps, as in recorded
/// files. A series without any value is left out: it is only a name.
pub(super) fn series(points: Points) -> (Vec<Series>, BTreeMap<&'static str, (u64, String)>) {
    let mut seen: BTreeMap<Arc<str>, BTreeSet<i64>> = BTreeMap::new();
    for (key, (_, values)) in &points {
        let times = values.iter().filter(|(_, value)| **value > 0.0).map(|(time, _)| *time);
        seen.entry(Arc::clone(&key.service)).or_default().extend(times);
    }
    let mut left_out: BTreeMap<&'static str, (u64, String)> = BTreeMap::new();
    let mut series = Vec::new();
    for (key, (signal, values)) in points {
        let seen = seen.get(&key.service);
        let allowed = Allowed::of(signal.unit.dimension, &key.signal);
        let (mut times, mut kept) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for (time, mut value) in values {
            if let Some(reason) = allowed.reason(value) {
                let place = || format!("{} at {time}", shown_key(&key));
                left_out.entry(reason).or_insert_with(|| (0, place())).0 += 1;
                value = f64::NAN;
            }
            if signal.class == Class::Traffic && value <= 0.0 && !seen.is_some_and(|seen| seen.contains(&time)) {
                value = f64::NAN;
            }
            times.push(time);
            kept.push(value);
        }
        if kept.iter().any(|value| !value.is_nan()) {
            series.push(Series { key, unit: signal.unit, times, values: kept });
        }
    }
    (series, left_out)
}
