//! The vocabulary of measured things: signals, units, series. Calls nobody.
//!
//! Inside the program every value is in its base unit (seconds, shares from 0 to 1, per second, bytes,
//! counts); scaling back to what people read happens in `review` and `render`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a series was measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An endpoint, transaction or function.
    Operation,
    /// A database, table or statement.
    Datastore,
    /// A machine, container, queue or load balancer.
    Resource,
}

impl Kind {
    /// Parses the contract's word for a kind.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "operation" => Some(Self::Operation),
            "datastore" => Some(Self::Datastore),
            "resource" => Some(Self::Resource),
            _ => None,
        }
    }

    /// Returns the contract's word for the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Datastore => "datastore",
            Self::Resource => "resource",
        }
    }
}

/// The golden signal that a series belongs to; it decides transform, limit and section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Times: response time, database time, queue time.
    Latency,
    /// Requests or other work per second.
    Traffic,
    /// Shares of failed work.
    Errors,
    /// How full a resource is: shares of a limit.
    Saturation,
    /// Anything else: counts, bytes, connections.
    Other,
}

/// Which way a series gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Polarity {
    /// Smaller is better (latency, errors, utilisation).
    Lower,
    /// Larger is better (cache hit ratio, free memory).
    Higher,
    /// Neither (traffic): judged for having moved, never called worse or better.
    Neutral,
}

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Base unit: seconds.
    Time,
    /// Base unit: a share from 0 to 1.
    Share,
    /// Base unit: per second.
    Rate,
    /// Base unit: bytes.
    Bytes,
    /// Base unit: bytes per second.
    ByteRate,
    /// Base unit: one.
    Count,
}

/// A unit as an input wrote it, with the factor that turns its values into base units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// The input's word, such as `ms`.
    pub symbol: &'static str,
    /// What it measures.
    pub dimension: Dimension,
    /// `base value = factor * written value`.
    pub factor: f64,
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.symbol)
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let symbol = String::deserialize(deserializer)?;
        Self::parse(&symbol).ok_or_else(|| serde::de::Error::custom(format!("there is no unit {symbol:?}")))
    }
}

/// Every unit that an input may name.
pub const UNITS: &[Unit] = &[
    unit("s", Dimension::Time, 1.0),
    unit("ms", Dimension::Time, 1e-3),
    unit("us", Dimension::Time, 1e-6),
    unit("ns", Dimension::Time, 1e-9),
    unit("min", Dimension::Time, 60.0),
    unit("h", Dimension::Time, 3600.0),
    unit("ratio", Dimension::Share, 1.0),
    unit("percent", Dimension::Share, 1e-2),
    unit("%", Dimension::Share, 1e-2),
    unit("requests/s", Dimension::Rate, 1.0),
    unit("requests/min", Dimension::Rate, 1.0 / 60.0),
    unit("count/s", Dimension::Rate, 1.0),
    unit("count/min", Dimension::Rate, 1.0 / 60.0),
    unit("calls/s", Dimension::Rate, 1.0),
    unit("calls/min", Dimension::Rate, 1.0 / 60.0),
    unit("queries/s", Dimension::Rate, 1.0),
    unit("queries/min", Dimension::Rate, 1.0 / 60.0),
    unit("count", Dimension::Count, 1.0),
    unit("bytes", Dimension::Bytes, 1.0),
    unit("KiB", Dimension::Bytes, 1024.0),
    unit("MiB", Dimension::Bytes, 1_048_576.0),
    unit("GiB", Dimension::Bytes, 1_073_741_824.0),
    unit("TiB", Dimension::Bytes, 1_099_511_627_776.0),
    unit("kB", Dimension::Bytes, 1e3),
    unit("MB", Dimension::Bytes, 1e6),
    unit("GB", Dimension::Bytes, 1e9),
    unit("bytes/s", Dimension::ByteRate, 1.0),
    unit("KiB/s", Dimension::ByteRate, 1024.0),
    unit("MiB/s", Dimension::ByteRate, 1_048_576.0),
    unit("kB/s", Dimension::ByteRate, 1e3),
    unit("MB/s", Dimension::ByteRate, 1e6),
];

const fn unit(symbol: &'static str, dimension: Dimension, factor: f64) -> Unit {
    Unit { symbol, dimension, factor }
}

impl Unit {
    /// Finds the unit that an input names; `None` if there is no such unit.
    pub fn parse(symbol: &str) -> Option<Self> {
        UNITS.iter().find(|unit| unit.symbol == symbol).copied()
    }
}

/// What a series is of. Orders by service, kind, target, signal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The service that deploys belong to.
    pub service: Arc<str>,
    /// What it was measured on.
    pub kind: Kind,
    /// `GET /v1/cards/{id}`, `select cards`, `rds:cards-1`. Comes from outside: escape it.
    pub target: Arc<str>,
    /// `latency_p95`, `throughput`, …
    pub signal: Arc<str>,
}

impl SeriesKey {
    /// Tells whether the target stands for its service as a whole: an operation named `*` or as the service.
    pub fn is_whole_service(&self) -> bool {
        self.kind == Kind::Operation && (&*self.target == "*" || self.target == self.service)
    }
}

/// Where requests are counted before they come to the application, by the beginning of the target: the innermost first.
const FRONTS: [&str; 4] = ["lambda:", "tg:", "api:", "alb:"];

/// Returns how far outside of the application a target is measured: [`SeriesKey::front`].
pub fn front_of(target: &str) -> usize {
    FRONTS.iter().position(|start| target.starts_with(start)).map_or(0, |index| index + 1)
}

impl SeriesKey {
    /// Returns how far outside of the application an operation is measured; 0 is the application itself.
    ///
    /// A request that a load balancer, its target group and the application count is one request: what is added up over
    /// a service must come from one of them.
    pub fn front(&self) -> usize {
        front_of(&self.target)
    }
}

/// Waiting that a failed request stands for, seconds: about what it takes to notice it and to try again. One number makes
/// slowness and failures comparable; it orders findings and is no part of any verdict.
pub const FAILED_REQUEST_S: f64 = 30.0;

/// Leaves of each service what is measured nearest to the application, so that no request counts twice: neither at the
/// load balancer nor at the gateway before it. What is measured of the service as a whole stays.
pub fn counted_once<T>(mut all: Vec<T>, key: impl Fn(&T) -> SeriesKey) -> Vec<T> {
    let mut innermost: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for key in all.iter().map(&key).filter(|key| !key.is_whole_service()) {
        let least = innermost.entry(key.service.clone()).or_insert(usize::MAX);
        *least = (*least).min(key.front());
    }
    all.retain(|one| {
        let key = key(one);
        key.is_whole_service() || innermost.get(&key.service).is_none_or(|least| key.front() == *least)
    });
    all
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {} · {}", self.service, self.target, self.signal)
    }
}

/// One series: what was measured, when, in base units.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is of.
    pub key: SeriesKey,
    /// The unit that the input wrote; `values` are in its base unit already.
    pub unit: Unit,
    /// Starts of the intervals, UTC milliseconds since 1970, strictly increasing.
    pub times: Vec<i64>,
    /// Base-unit values, one a time; NaN is missing. Never infinite.
    pub values: Vec<f64>,
}

/// How a signal is judged unless the config says otherwise: `(name, class, direction)`.
///
/// The OpenTelemetry metric that each stands for: `latency_*` is `http.server.request.duration`,
/// `throughput` its count, `error_rate` its share with `error.type`, `cpu_utilization`
/// `system.cpu.utilization`, `memory_utilization` `system.memory.utilization`, `db_time`
/// `db.client.operation.duration` summed over one request.
const SIGNALS: &[(&str, Class, Polarity)] = &[
    ("latency_p50", Class::Latency, Polarity::Lower),
    ("latency_p95", Class::Latency, Polarity::Lower),
    ("latency_p99", Class::Latency, Polarity::Lower),
    ("latency_mean", Class::Latency, Polarity::Lower),
    ("db_time", Class::Latency, Polarity::Lower),
    ("external_time", Class::Latency, Polarity::Lower),
    ("throughput", Class::Traffic, Polarity::Neutral),
    ("db_calls", Class::Traffic, Polarity::Neutral),
    ("external_calls", Class::Traffic, Polarity::Neutral),
    ("task_count", Class::Other, Polarity::Neutral),
    ("error_rate", Class::Errors, Polarity::Lower),
    ("cpu_utilization", Class::Saturation, Polarity::Lower),
    ("memory_utilization", Class::Saturation, Polarity::Lower),
    ("disk_utilization", Class::Saturation, Polarity::Lower),
    ("connections", Class::Other, Polarity::Lower),
    ("queue_length", Class::Other, Polarity::Lower),
    ("cache_hit_ratio", Class::Other, Polarity::Higher),
    // What is left of a thing that runs out: how much of it there was says nothing, so no share of a limit.
    ("burst_balance", Class::Other, Polarity::Higher),
    ("cpu_credits", Class::Other, Polarity::Higher),
    ("free_memory", Class::Other, Polarity::Higher),
    ("free_storage", Class::Other, Polarity::Higher),
    ("free_local_storage", Class::Other, Polarity::Higher),
    // Rates that are no traffic: fewer are better.
    ("evictions", Class::Other, Polarity::Lower),
    ("deadlocks", Class::Other, Polarity::Lower),
    ("throttle_rate", Class::Errors, Polarity::Lower),
    ("cold_start_share", Class::Other, Polarity::Lower),
];

/// Which values of a series make sense, in its base unit.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    low: f64,
    high: f64,
    below: &'static str,
}

impl Allowed {
    /// Returns the values that a signal of some dimension may have.
    ///
    /// A share is 1 at most, except of a reservation: a container may use more processor time or memory than it reserved,
    /// and more than one processor.
    pub fn of(dimension: Dimension, signal: &str) -> Self {
        match dimension {
            Dimension::Time => Self { low: 0.0, high: f64::MAX, below: "negative_latency" },
            Dimension::Share => {
                let high = if signal.ends_with("_utilization") { f64::MAX } else { 1.0 };
                Self { low: 0.0, high, below: "negative_share" }
            }
            Dimension::Rate | Dimension::ByteRate => Self { low: 0.0, high: f64::MAX, below: "negative_rate" },
            Dimension::Bytes | Dimension::Count => Self { low: f64::MIN, high: f64::MAX, below: "" },
        }
    }

    /// Tells whether a value is one that the signal may have; a missing one is not.
    pub fn holds(self, value: f64) -> bool {
        (value >= self.low) & (value <= self.high)
    }

    /// Returns the name of the note that says why a value cannot be; `None` for those that are simply missing.
    pub fn reason(self, value: f64) -> Option<&'static str> {
        if !value.is_finite() || self.holds(value) {
            None
        } else if value < self.low {
            Some(self.below)
        } else {
            Some("share_above_one")
        }
    }
}

/// Tells whether a signal's name says how it is judged; others are judged by their unit.
pub fn is_known_signal(signal: &str) -> bool {
    SIGNALS.iter().any(|(name, ..)| *name == signal)
}

/// Returns the class and direction that a signal has when the config is silent.
///
/// Unknown names are judged by their unit: times as latency, rates as traffic, shares as saturation,
/// everything else as `Other`; smaller is better except for rates.
pub fn default_class_and_polarity(signal: &str, unit: Unit) -> (Class, Polarity) {
    if let Some((_, class, direction)) = SIGNALS.iter().find(|(name, ..)| *name == signal) {
        return (*class, *direction);
    }
    match unit.dimension {
        Dimension::Time => (Class::Latency, Polarity::Lower),
        Dimension::Rate | Dimension::ByteRate => (Class::Traffic, Polarity::Neutral),
        Dimension::Share if signal.contains("error") => (Class::Errors, Polarity::Lower),
        Dimension::Share => (Class::Saturation, Polarity::Lower),
        Dimension::Bytes | Dimension::Count => (Class::Other, Polarity::Lower),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_turn_into_base_units() {
        let ms = Unit::parse("ms").expect("known");
        assert!((ms.factor * 250.0 - 0.25).abs() < 1e-12);
        assert!(Unit::parse("msec").is_none());
        let per_minute = Unit::parse("requests/min").expect("known");
        assert!((per_minute.factor * 120.0 - 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_application_is_inside_of_its_load_balancer() {
        let front = |target: &str| {
            SeriesKey { service: "a".into(), kind: Kind::Operation, target: target.into(), signal: "x".into() }.front()
        };
        assert_eq!(front("GET /alb:"), 0);
        assert!(front("lambda:a") < front("tg:a alb:a") && front("tg:a alb:a") < front("alb:a"));
    }

    #[test]
    fn unknown_signals_are_judged_by_unit() {
        let share = Unit::parse("percent").expect("known");
        assert_eq!(default_class_and_polarity("upstream_error_share", share), (Class::Errors, Polarity::Lower));
        assert_eq!(default_class_and_polarity("heap", share), (Class::Saturation, Polarity::Lower));
        assert_eq!(default_class_and_polarity("render_time", Unit::parse("s").expect("known")).0, Class::Latency);
    }
}
