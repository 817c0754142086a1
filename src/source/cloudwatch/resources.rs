//! From what ListMetrics says to what is asked: resources, their names, and each query once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use glob::{MatchOptions, Pattern};

use super::list::{Ask, List, Metric};
use crate::model::metric::{SeriesKey, Unit};

/// Patterns do not care about case, and a `*` goes across `/`, because load balancers are `app/name/id`.
pub const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: false, require_literal_separator: false, require_literal_leading_dot: false };

/// One metric that CloudWatch has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub namespace: String,
    /// Name and value, sorted by name.
    pub dimensions: Vec<(String, String)>,
    pub metric: String,
}

/// One thing that is measured, with the metrics that CloudWatch has of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource<'a> {
    pub list: &'a List,
    pub dimensions: Vec<(String, String)>,
    /// Its name for the service map, by its dimensions.
    pub own: Arc<str>,
    /// As `own`, or what its tag says.
    pub service: Arc<str>,
    pub target: Arc<str>,
    pub metrics: BTreeSet<&'a str>,
}

/// One metric of one resource with one statistic: what GetMetricData bills.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Query {
    pub namespace: String,
    pub metric: String,
    pub dimensions: Vec<(String, String)>,
    pub stat: String,
}

/// One series, as numbers of queries.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesSpec<'a> {
    pub key: SeriesKey,
    pub unit: Unit,
    pub metric: &'a Metric,
    pub of: Vec<usize>,
    pub over: Vec<usize>,
    pub beside: Vec<usize>,
}

/// What is asked of a region.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan<'a> {
    /// Each once.
    pub queries: Vec<Query>,
    /// Several may be of one key: a load balancer that was made anew under its old name.
    pub series: Vec<SeriesSpec<'a>>,
}

/// Number of a list, and the dimensions of a resource.
type Place<'a> = (usize, &'a [(String, String)]);

/// Finds the resources that a list and a pattern fit, in the order of lists and dimensions.
///
/// `suffix`: what their targets carry at the end.
pub fn resources<'a>(lists: &'a [List], listed: &'a [Listed], patterns: &[Pattern], suffix: &str) -> Vec<Resource<'a>> {
    let mut found: BTreeMap<Place<'_>, Resource<'a>> = BTreeMap::new();
    for metric in listed {
        for (number, list) in lists.iter().enumerate().filter(|(_, list)| fits(list, metric)) {
            let resource = found.entry((number, &metric.dimensions)).or_insert_with(|| make(list, metric, suffix));
            resource.metrics.insert(&metric.metric);
        }
    }
    found.into_values().filter(|resource| is_wanted(resource, patterns)).collect()
}

/// Returns whether a metric has exactly the dimensions of a list, each with a value.
fn fits(list: &List, metric: &Listed) -> bool {
    metric.namespace == list.namespace
        && metric.dimensions.len() == list.dimensions.len()
        && metric
            .dimensions
            .iter()
            .zip(&list.dimensions)
            .all(|((name, value), wanted)| name == wanted && !value.is_empty())
}

fn make<'a>(list: &'a List, metric: &Listed, suffix: &str) -> Resource<'a> {
    let value =
        |name: &str| metric.dimensions.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let own: Arc<str> = list.service.fill(value).into();
    Resource {
        list,
        dimensions: metric.dimensions.clone(),
        own: own.clone(),
        service: own,
        target: (list.target.fill(value) + suffix).into(),
        metrics: BTreeSet::new(),
    }
}

/// Holds the patterns against the names of a resource and the values that they come from.
fn is_wanted(resource: &Resource, patterns: &[Pattern]) -> bool {
    let values = resource.dimensions.iter().map(|(_, value)| value.as_str());
    let names: Vec<&str> = values.chain([&*resource.own, &*resource.target]).collect();
    patterns.iter().any(|pattern| names.iter().any(|name| pattern.matches_with(name, MATCHING)))
}

/// Makes the queries of resources.
///
/// A metric that CloudWatch does not list has had no point for two weeks and is not asked, except a counter whose
/// silence means zero and that stands beside one that is listed.
pub fn plan<'a>(resources: &[Resource<'a>]) -> Plan<'a> {
    let mut plan = Plan::default();
    let mut numbers: BTreeMap<Query, usize> = BTreeMap::new();
    for resource in resources {
        for metric in resource.list.metrics.iter().filter(|metric| is_measured(metric, &resource.metrics)) {
            let mut number = |asks: &[Ask]| -> Vec<usize> {
                let one = |ask: &Ask| {
                    let query = Query {
                        namespace: resource.list.namespace.clone(),
                        metric: ask.metric.clone(),
                        dimensions: resource.dimensions.clone(),
                        stat: ask.stat.clone(),
                    };
                    let next = numbers.len();
                    *numbers.entry(query).or_insert(next)
                };
                asks.iter().map(one).collect()
            };
            let (of, over, beside) = (number(&metric.of), number(&metric.over), number(&metric.beside));
            let key = SeriesKey {
                service: resource.service.clone(),
                kind: resource.list.kind,
                target: resource.target.clone(),
                signal: metric.signal.as_str().into(),
            };
            plan.series.push(SeriesSpec { key, unit: metric.unit, metric, of, over, beside });
        }
    }
    let mut queries: Vec<(usize, Query)> = numbers.into_iter().map(|(query, number)| (number, query)).collect();
    queries.sort();
    plan.queries = queries.into_iter().map(|(_, query)| query).collect();
    plan
}

fn is_measured(metric: &Metric, listed: &BTreeSet<&str>) -> bool {
    let has = |ask: &Ask| listed.contains(ask.metric.as_str());
    match metric.zero_beside {
        true => metric.asks().any(has),
        false => metric.asks().all(has),
    }
}

impl Query {
    /// Names it in a message or an estimate.
    pub fn shown(&self) -> String {
        use crate::model::scrub::excerpt;
        let dimensions: Vec<String> =
            self.dimensions.iter().map(|(name, value)| format!("{}={}", excerpt(name), excerpt(value))).collect();
        format!("{} {} {}, {}", excerpt(&self.namespace), excerpt(&self.metric), self.stat, dimensions.join(", "))
    }
}
