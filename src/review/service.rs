//! What is known about each service: its owner, whether its deploys and its traffic are recorded, and its golden signals.
//!
//! A gap here is no finding, but a place where one can be missed: a service without deploys is compared with itself
//! only, and one without traffic is not weighed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::Change;
use crate::config::Config;
use crate::model::event::Event;
use crate::model::metric::{Class, Kind, Polarity, SeriesKey, Unit};
use crate::model::time::Window;

/// One service of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// What is known about it.
    #[serde(flatten)]
    pub known: ServiceCoverage,
    /// Account that it runs in by the config; empty if it names none.
    pub account: String,
    /// Where the steps for its alarms are; empty for nowhere. From outside: check before linking.
    pub runbook: String,
    /// Share of the period's points that were there, averaged over its series.
    pub coverage: Option<f64>,
    /// Share of each local day's hours that had data, over its series.
    pub days: Vec<f64>,
    /// Index of the series that represents its response time: of the service as a whole, or of its busiest endpoint.
    pub latency: Option<usize>,
    /// Its traffic, added up over its endpoints.
    pub traffic: Option<Pooled>,
    /// Its share of errors, weighted by requests.
    pub errors: Option<Pooled>,
}

impl Service {
    /// Returns whether anything is known of its golden signals.
    pub fn has_golden(&self) -> bool {
        self.latency.is_some() || self.traffic.is_some() || self.errors.is_some()
    }
}

/// A golden signal of a service, pooled over its endpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pooled {
    /// Series behind it.
    pub series: usize,
    /// Unit of its values.
    #[schemars(with = "String")]
    pub unit: Unit,
    /// Which way it gets better.
    pub better: Polarity,
    /// Typical level in the period.
    pub level: Option<f64>,
    /// Change against the period before; only one series alone has an interval.
    pub change: Option<Change>,
    /// The period in 56 equal steps.
    pub line: Vec<Option<f64>>,
}

/// What is known about one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceCoverage {
    /// Its name. Comes from outside: escape it.
    pub service: String,
    /// The team that answers for it; empty for nobody yet.
    pub owner: String,
    /// Series of it.
    pub series: usize,
    /// Deploys of it in the period, inferred ones among them.
    pub deploys: usize,
    /// Deploys among them that no source reported.
    pub inferred: usize,
    /// How many requests it gets is recorded.
    pub has_traffic: bool,
    /// Its service level objective, empty for none; absent where no service of the config has one. Comes from outside:
    /// escape it.
    pub slo: Option<String>,
    /// Nothing but resources is measured, under a name that is no known service's.
    pub is_loose: bool,
}

impl ServiceCoverage {
    /// Returns whether something is missing that people can give: an owner, a deploy, its traffic, an objective where others
    /// have one.
    pub fn has_gap(&self) -> bool {
        self.owner.is_empty() || self.deploys == 0 || !self.has_traffic || self.slo.as_deref() == Some("")
    }
}

/// Looks at every service that has series. Returns them by name.
///
/// `series`: keys with their classes. `events`: all events; those that began in the period count.
pub fn coverage<'a>(
    series: impl IntoIterator<Item = (&'a SeriesKey, Class)>,
    events: &[Event],
    config: &Config,
    period: Window,
) -> Vec<ServiceCoverage> {
    let mut services: BTreeMap<&str, ServiceCoverage> = BTreeMap::new();
    for (key, class) in series {
        let entry = services.entry(&key.service).or_insert_with(|| blank(&key.service, config));
        entry.series += 1;
        entry.is_loose &= key.kind == Kind::Resource;
        entry.has_traffic |= class == Class::Traffic && key.kind != Kind::Datastore;
    }
    for event in events.iter().filter(|event| event.kind.is_judged() && period.contains(event.at)) {
        for entry in services.values_mut().filter(|entry| event.concerns(&entry.service)) {
            entry.deploys += 1;
            entry.inferred += usize::from(event.is_inferred());
            entry.is_loose = false;
        }
    }
    services.into_values().collect()
}

fn blank(name: &str, config: &Config) -> ServiceCoverage {
    let known = config.services.iter().find(|service| service.name == name);
    let slo = known.map(|service| &service.slo);
    ServiceCoverage {
        service: name.to_owned(),
        owner: known.map(|service| service.owner.clone()).unwrap_or_default(),
        series: 0,
        deploys: 0,
        inferred: 0,
        has_traffic: false,
        slo: config.services.iter().any(|service| !service.slo.is_empty()).then(|| slo.cloned().unwrap_or_default()),
        is_loose: known.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn key(service: &str, kind: Kind, signal: &str) -> SeriesKey {
        SeriesKey { service: service.into(), kind, target: "t".into(), signal: signal.into() }
    }

    #[test]
    fn what_lacks_is_seen_service_by_service() {
        let text = "[[service]]\nname = \"api\"\nowner = \"cards\"\n[[source]]\nkind = \"files\"\nseries = [\"a\"]\n";
        let config = Config::parse(text, Path::new("x.toml")).expect("valid");
        let series = [
            (key("api", Kind::Operation, "latency_p95"), Class::Latency),
            (key("api", Kind::Operation, "throughput"), Class::Traffic),
            (key("web", Kind::Operation, "latency_p95"), Class::Latency),
            (key("web", Kind::Datastore, "db_calls"), Class::Traffic),
            (key("redis-main", Kind::Resource, "cpu_utilization"), Class::Saturation),
        ];
        let events = [Event::new("inferred:1", "api", 50), Event::new("late", "web", 100)];
        let period = Window::new(0, 100);
        let found = coverage(series.iter().map(|(key, class)| (key, *class)), &events, &config, period);
        let [api, redis, web] = found.as_slice() else { panic!("three services") };
        assert_eq!((api.series, api.deploys, api.inferred, api.has_gap()), (2, 1, 1, false));
        assert!(redis.is_loose && redis.has_gap());
        // Calls to a database are no requests, and the deploy came after the period.
        assert_eq!((web.has_traffic, web.deploys, web.is_loose), (false, 0, false));
        assert!(found.iter().all(|one| one.slo.is_none()), "nobody asks for objectives where nobody has one");
    }

    #[test]
    fn an_objective_lacks_where_others_have_one() {
        let text = "[[service]]\nname = \"api\"\nowner = \"cards\"\nslo = \" p95 < 300 ms \"\n\
                    [[service]]\nname = \"web\"\nowner = \"cards\"\n[[source]]\nkind = \"files\"\nseries = [\"a\"]\n";
        let config = Config::parse(text, Path::new("x.toml")).expect("valid");
        let series = ["api", "web"].map(|name| key(name, Kind::Operation, "throughput"));
        let events = [Event::new("1", "api", 50), Event::new("2", "web", 50)];
        let found = coverage(series.iter().map(|key| (key, Class::Traffic)), &events, &config, Window::new(0, 100));
        let told: Vec<_> = found.iter().map(|one| (one.slo.as_deref(), one.has_gap())).collect();
        assert_eq!(told, [(Some("p95 < 300 ms"), false), (Some(""), true)]);
    }
}
