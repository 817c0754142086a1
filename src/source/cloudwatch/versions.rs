//! Versions of functions that take traffic for the first time: a deploy that nobody told, seen in the numbers.
//!
//! Calls through an alias carry the version that ran (`ExecutedVersion`). A version that is called inside the window and
//! was not in the day before, while another one of the same alias was, has been deployed. The deploy begins with
//! its first bucket and ends where the version before is called no more, so a weighted alias shows its whole shift.
//! All of it is a guess at what happened, so the ids begin with `inferred:`.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{Buckets, Grid};
use super::resources::{Listed, Query};
use crate::model::event::{Event, INFERRED, Origin};
use crate::model::sanitize::excerpt;
use crate::model::time::{DAY, Window, local};

const DIMENSIONS: [&str; 3] = ["ExecutedVersion", "FunctionName", "Resource"];

/// Finds the queries that tell which version was called; none where no alias has had two versions.
pub fn queries(listed: &[Listed]) -> Vec<Query> {
    let of_lambda = listed.iter().filter(|one| {
        one.namespace == "AWS/Lambda"
            && one.metric == "Invocations"
            && one.dimensions.iter().map(|(name, _)| name.as_str()).eq(DIMENSIONS)
    });
    let mut aliases: BTreeMap<(&str, &str), Vec<&Listed>> = BTreeMap::new();
    for one in of_lambda {
        if let [_, (_, function), (_, alias)] = one.dimensions.as_slice() {
            aliases.entry((function, alias)).or_default().push(one);
        }
    }
    let many = aliases.into_values().filter(|versions| versions.len() > 1).flatten();
    let query = |one: &Listed| Query {
        namespace: one.namespace.clone(),
        metric: one.metric.clone(),
        dimensions: one.dimensions.clone(),
        stat: "Sum".to_owned(),
    };
    many.map(query).collect()
}

/// Returns the window that has to be asked: with the day before, to know what was not there.
pub fn around(window: Window) -> Window {
    Window::new(window.start - DAY, window.end)
}

/// Finds versions that took over inside a window.
///
/// `grid`: of [`around`] the window; `gathered`: one list of buckets a query.
pub fn events(region: &str, queries: &[Query], gathered: &[Buckets], window: Window, grid: Grid) -> Vec<Event> {
    let mut aliases: BTreeMap<(&str, &str), Vec<(&str, &Buckets)>> = BTreeMap::new();
    for (query, buckets) in queries.iter().zip(gathered) {
        if let [(_, version), (_, function), (_, alias)] = query.dimensions.as_slice() {
            aliases.entry((function, alias)).or_default().push((version, buckets));
        }
    }
    let is_called = |value: &&f64| **value > 0.0;
    let time = |bucket: usize| grid.window.start + bucket as i64 * grid.width;
    let mut found: BTreeMap<String, Event> = BTreeMap::new();
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for ((function, _), versions) in aliases {
        for (version, buckets) in &versions {
            let Some(first) = buckets.iter().position(|value| is_called(&value)).map(time) else { continue };
            let others = versions.iter().filter(|(other, _)| other != version);
            let before = others.filter_map(|(_, other)| {
                let called = || {
                    (0_usize..).zip(other.iter()).filter(|(_, value)| is_called(value)).map(|(bucket, _)| time(bucket))
                };
                // The one before was called before, and its last call says when the shift was over.
                called().next().filter(|start| *start < first).and_then(|_| called().last())
            });
            let Some(last) = before.max() else { continue };
            if !window.contains(first) || !seen.insert((function, version)) {
                continue;
            }
            let day = local(first, chrono_tz::UTC).date_naive();
            let id = format!("{INFERRED}cloudwatch:{region}:{}:{}:{day}", excerpt(function), excerpt(version));
            // One that goes on to the end of what is known may go on for long.
            let until = Some(last + grid.width).filter(|until| *until > first && *until < grid.window.end);
            let event = Event {
                until,
                title: format!("version {}", excerpt(version)),
                origin: Origin::Inferred,
                ..Event::new(id.clone(), excerpt(function), first)
            };
            found.insert(id, event);
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::HOUR;

    fn listed(version: &str) -> Listed {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Listed {
            namespace: "AWS/Lambda".into(),
            dimensions: vec![
                pair("ExecutedVersion", version),
                pair("FunctionName", "notify"),
                pair("Resource", "notify:live"),
            ],
            metric: "Invocations".into(),
        }
    }

    /// Versions with the hours at which they were called, of 48.
    fn found(versions: &[(&str, std::ops::Range<usize>)]) -> Vec<(String, i64, Option<i64>)> {
        let window = Window::new(DAY, 2 * DAY);
        let grid = Grid { window: around(window), width: HOUR };
        let listed: Vec<Listed> = versions.iter().map(|(version, _)| listed(version)).collect();
        let queries = queries(&listed);
        let buckets: Vec<Buckets> = versions
            .iter()
            .map(|(_, hours)| (0..48).map(|hour| if hours.contains(&hour) { 3.0 } else { f64::NAN }).collect())
            .collect();
        let events = events("eu-west-1", &queries, &buckets, window, grid);
        events.into_iter().map(|event| (event.id, event.at / HOUR, event.until.map(|until| until / HOUR))).collect()
    }

    #[test]
    fn a_version_that_takes_over_is_a_deploy_from_its_first_call_to_the_last_of_the_one_before() {
        let id = "inferred:cloudwatch:eu-west-1:notify:8:1970-01-02".to_owned();
        assert_eq!(found(&[("7", 0..32), ("8", 30..48)]), [(id, 30, Some(32))]);
        assert_eq!(found(&[("7", 0..48), ("8", 30..48)])[0].2, None, "the shift still goes on");
    }

    #[test]
    fn what_ran_the_day_before_or_alone_is_no_deploy() {
        assert_eq!(found(&[("7", 0..20), ("8", 10..48)]), []);
        assert_eq!(found(&[("8", 30..48)]), [], "a function that is new has nothing to be compared with");
        assert_eq!(found(&[("7", 40..48), ("8", 30..48)]).len(), 1, "7 came back after 8");
    }
}
