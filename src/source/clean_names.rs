//! Names of services, targets and signals without personal data and credentials.
//!
//! Recorded files are read whole at every report, so names that become one are kept apart there with a number:
//! `GET /users/{id}`, `GET /users/{id} #2`. What is collected day by day cannot be: the numbers would move with the names
//! of a day, and two endpoints would change places in the middle of a history. There such series are joined where that is
//! exact, and left out where it is not ([`join`]); a mean of percentiles is no percentile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::batch::counted;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{self, Event};
use crate::model::metric::{Dimension, Kind, Series, SeriesKey, front_of};
use crate::model::scrub::{self, Counts, Field, Scrubber, numbered};

/// Clean names for all names of one reading.
#[derive(Debug, Default)]
pub struct CleanNames {
    /// Only names that change.
    services: HashMap<Arc<str>, Arc<str>>,
    signals: HashMap<Arc<str>, Arc<str>>,
    targets: HashMap<(Arc<str>, Kind, Arc<str>), Arc<str>>,
    counts: Counts,
}

/// Returns what a target is to the scrubber. Machines and load balancers are named by ids, and those stay.
fn field_of(kind: Kind, target: &str) -> Field {
    match kind {
        Kind::Operation if front_of(target) == 0 => Field::Target,
        Kind::Datastore => Field::Statement,
        Kind::Operation | Kind::Resource => Field::Id,
    }
}

impl CleanNames {
    /// Finds what must not be kept in the names of all series. Names that become one within a service get numbers.
    pub fn numbered<'a>(scrubber: &Scrubber, keys: impl Iterator<Item = &'a SeriesKey>) -> Self {
        Self::make(scrubber, keys, |field, names| {
            let clean = numbered(scrubber, field, names.iter().map(|name| &**name));
            clean.into_iter().map(|(name, clean)| (Arc::from(name), Arc::from(clean))).collect()
        })
    }

    /// As [`Self::numbered`], but names that become one are one afterwards.
    fn joined<'a>(scrubber: &Scrubber, keys: impl Iterator<Item = &'a SeriesKey>) -> Self {
        Self::make(scrubber, keys, |field, names| {
            let clean = |name: &Arc<str>| (name.clone(), Arc::from(&*scrubber.scrub(field, name).text));
            names.iter().map(clean).collect()
        })
    }

    fn make<'a>(
        scrubber: &Scrubber,
        keys: impl Iterator<Item = &'a SeriesKey>,
        name: impl Fn(Field, &BTreeSet<Arc<str>>) -> Vec<(Arc<str>, Arc<str>)>,
    ) -> Self {
        let (mut services, mut signals) = (BTreeSet::new(), BTreeSet::new());
        let mut targets: BTreeMap<(Arc<str>, Kind), BTreeSet<Arc<str>>> = BTreeMap::new();
        for key in keys {
            services.insert(key.service.clone());
            signals.insert(key.signal.clone());
            targets.entry((key.service.clone(), key.kind)).or_default().insert(key.target.clone());
        }
        let mut clean = Self::default();
        let mut found = |field: Field, names: &BTreeSet<Arc<str>>| -> Vec<(Arc<str>, Arc<str>)> {
            // Nearly every name is clean already.
            let dirty: BTreeSet<Arc<str>> = names
                .iter()
                .filter(|name| {
                    let found = scrubber.scrub(field, name);
                    clean.counts.add(&found.counts);
                    found.text != ***name
                })
                .cloned()
                .collect();
            if dirty.is_empty() {
                return Vec::new();
            }
            let mut named = name(field, names);
            named.retain(|(name, _)| dirty.contains(name));
            named
        };
        let services = found(Field::Service, &services);
        let signals = found(Field::Tag, &signals);
        let mut all = Vec::new();
        for ((service, kind), names) in &targets {
            let mut by_field: BTreeMap<Field, BTreeSet<Arc<str>>> = BTreeMap::new();
            for name in names {
                by_field.entry(field_of(*kind, name)).or_default().insert(name.clone());
            }
            for (field, names) in &by_field {
                let of = |(name, clean)| ((service.clone(), *kind, name), clean);
                all.extend(found(*field, names).into_iter().map(of));
            }
        }
        clean.services = services.into_iter().collect();
        clean.signals = signals.into_iter().collect();
        clean.targets = all.into_iter().collect();
        clean
    }

    /// Returns what was replaced, name by name.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns whether every name is clean as it is.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.signals.is_empty() && self.targets.is_empty()
    }

    /// Returns the clean name of a service.
    pub fn service(&self, name: &Arc<str>) -> Arc<str> {
        self.services.get(name).unwrap_or(name).clone()
    }

    /// Returns a key with clean names.
    pub fn key(&self, key: &SeriesKey) -> SeriesKey {
        SeriesKey { service: self.service(&key.service), ..self.within(key) }
    }

    /// Returns a key with clean names, but the name of its service as it is: what gives series their services knows that
    /// one.
    pub fn within(&self, key: &SeriesKey) -> SeriesKey {
        let place = (key.service.clone(), key.kind, key.target.clone());
        SeriesKey {
            service: key.service.clone(),
            kind: key.kind,
            target: self.targets.get(&place).unwrap_or(&key.target).clone(),
            signal: self.signals.get(&key.signal).unwrap_or(&key.signal).clone(),
        }
    }

    /// Gives series clean names by `key`, such as [`Self::within`], and sorts them by key again.
    pub fn rename(&self, mut series: Vec<Series>, key: impl Fn(&SeriesKey) -> SeriesKey) -> Vec<Series> {
        if !self.is_empty() {
            series.iter_mut().for_each(|one| one.key = key(&one.key));
            series.sort_by(|a, b| a.key.cmp(&b.key));
        }
        series
    }
}

/// Returns one diagnostic for each kind of what was replaced. None shows what it was; those of patterns of one's own name
/// the pattern.
pub fn told(source: &str, scrubber: &Scrubber, counts: &Counts) -> Vec<Diagnostic> {
    let one = |(kind, count)| match kind {
        scrub::Kind::Own(_) => counted(source, "scrubbed_own", count, scrubber.word(kind)),
        _ => counted(source, &format!("scrubbed_{}", scrubber.word(kind)), count, ""),
    };
    counts.iter().map(one).collect()
}

/// Scrubs events before anything keeps or shows them; see [`told`].
pub fn scrub_events(source: &str, scrubber: &Scrubber, events: &mut [Event]) -> Vec<Diagnostic> {
    told(source, scrubber, &event::scrub(events, scrubber))
}

/// Cleans the names of collected series. Series whose names become one are joined: counts and rates are added; shares and
/// means are weighted by the requests of each, where those are known at the same times. Others (percentiles, maxima,
/// means without requests) are left out and counted.
pub fn join(source: &str, scrubber: &Scrubber, series: Vec<Series>) -> (Vec<Series>, Vec<Diagnostic>) {
    let names = CleanNames::joined(scrubber, series.iter().map(|one| &one.key));
    if names.is_empty() {
        return (series, Vec::new());
    }
    let mut diagnostics = told(source, scrubber, names.counts());
    let mut groups: BTreeMap<SeriesKey, Vec<Series>> = BTreeMap::new();
    for one in series {
        groups.entry(names.key(&one.key)).or_default().push(one);
    }
    let requests: HashMap<(Arc<str>, Kind, Arc<str>), Series> = groups
        .values()
        .filter(|group| group.len() > 1)
        .flatten()
        .filter(|one| ["throughput", "db_calls"].contains(&&*one.key.signal))
        .map(|one| ((one.key.service.clone(), one.key.kind, one.key.target.clone()), one.clone()))
        .collect();
    let (mut clean, mut left_out, mut example) = (Vec::with_capacity(groups.len()), 0, String::new());
    for (key, mut group) in groups {
        let count = group.len();
        let joined = match group.pop() {
            Some(only) if group.is_empty() => Some(Series { key: key.clone(), ..only }),
            Some(last) => {
                group.push(last);
                joined(&key, &group, &requests)
            }
            None => None,
        };
        match joined {
            Some(one) => clean.push(one),
            None => {
                left_out += count as u64;
                example = key.to_string();
            }
        }
    }
    if left_out > 0 {
        diagnostics.push(counted(source, "scrubbed_together", left_out, example));
    }
    (clean, diagnostics)
}

/// Joins series of one name; `None` where there is no exact way.
fn joined(key: &SeriesKey, group: &[Series], requests: &HashMap<(Arc<str>, Kind, Arc<str>), Series>) -> Option<Series> {
    let unit = group.first()?.unit;
    if group.iter().any(|one| one.unit.dimension != unit.dimension) {
        return None;
    }
    let is_added = matches!(unit.dimension, Dimension::Rate | Dimension::ByteRate)
        || unit.dimension == Dimension::Count && !key.signal.contains("length");
    let is_weighted = ["error_rate", "latency_mean", "db_time", "external_time"].contains(&&*key.signal);
    let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for one in group {
        let place = (one.key.service.clone(), one.key.kind, one.key.target.clone());
        let weights = match (is_added, is_weighted) {
            (true, _) => None,
            (false, true) => Some(requests.get(&place)?),
            (false, false) => return None,
        };
        for (at, value) in one.times.iter().zip(&one.values).filter(|(_, value)| !value.is_nan()) {
            let weight = match weights {
                None => 1.0,
                Some(weights) => {
                    let index = weights.times.binary_search(at).ok()?;
                    *weights.values.get(index).filter(|weight| weight.is_finite())?
                }
            };
            let (sum, total) = sums.entry(*at).or_default();
            *sum += value * weight;
            *total += weight;
        }
    }
    let value = |(sum, total): &(f64, f64)| match is_added {
        true => *sum,
        // Where nobody asked, nothing was measured.
        false if *total > 0.0 => sum / total,
        false => f64::NAN,
    };
    let (times, values) = (sums.keys().copied().collect(), sums.values().map(value).collect());
    Some(Series { key: key.clone(), unit, times, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::Unit;

    fn series(target: &str, signal: &str, unit: &str, values: &[f64]) -> Series {
        let key =
            SeriesKey { service: "api".into(), kind: Kind::Operation, target: target.into(), signal: signal.into() };
        let times = (0..).map(|index| index * 60_000).take(values.len()).collect();
        Series { key, unit: Unit::parse(unit).expect("known"), times, values: values.to_vec() }
    }

    /// Endpoints of two users, and one that is clean.
    fn users() -> Vec<Series> {
        let (a, b) = ("GET /users/8123456789", "GET /users/8123456790");
        vec![
            series(a, "latency_mean", "s", &[0.1, 0.1, 0.1]),
            series(a, "latency_p95", "s", &[0.2, 0.2, 0.2]),
            series(a, "throughput", "requests/s", &[1.0, 3.0, 0.0]),
            series(b, "latency_mean", "s", &[0.3, 0.3, 0.3]),
            series(b, "latency_p95", "s", &[0.6, 0.6, 0.6]),
            series(b, "throughput", "requests/s", &[1.0, 1.0, 0.0]),
            series("GET /users", "latency_p95", "s", &[0.5, 0.5, 0.5]),
        ]
    }

    fn find<'a>(all: &'a [Series], target: &str, signal: &str) -> Option<&'a Series> {
        all.iter().find(|one| &*one.key.target == target && &*one.key.signal == signal)
    }

    #[test]
    fn collected_series_of_one_name_are_added_weighted_or_left_out() {
        let (all, diagnostics) = join("apm", &Scrubber::default(), users());
        let one = "GET /users/{id}";
        assert_eq!(find(&all, one, "throughput").expect("added").values, [2.0, 4.0, 0.0]);
        let mean = &find(&all, one, "latency_mean").expect("weighted").values;
        assert!((mean[0] - 0.2).abs() < 1e-12 && (mean[1] - 0.15).abs() < 1e-12 && mean[2].is_nan(), "{mean:?}");
        assert!(find(&all, one, "latency_p95").is_none(), "a percentile of two endpoints is none");
        assert!(find(&all, "GET /users", "latency_p95").is_some());
        let codes: Vec<(&str, u64)> = diagnostics.iter().map(|one| (one.code.as_str(), one.count)).collect();
        assert_eq!(codes, [("scrubbed_id", 2), ("scrubbed_together", 2)]);
        assert!(diagnostics.iter().all(|one| !one.example.contains("8123456")), "{diagnostics:?}");
        assert!(all.is_sorted_by(|a, b| a.key < b.key));
        assert_eq!(join("apm", &Scrubber::default(), all.clone()).0.len(), all.len(), "once is enough");
    }

    #[test]
    fn means_without_requests_are_left_out() {
        let mut all = users();
        all.retain(|one| &*one.key.signal != "throughput");
        let (all, _) = join("apm", &Scrubber::default(), all);
        assert!(find(&all, "GET /users/{id}", "latency_mean").is_none());
    }

    #[test]
    fn names_of_one_reading_stay_apart_with_numbers_and_order_plays_no_role() {
        let all = users();
        let names = CleanNames::numbered(&Scrubber::default(), all.iter().map(|one| &one.key));
        let renamed = names.rename(all.clone(), |key| names.key(key));
        assert_eq!(renamed.len(), all.len());
        let second = find(&renamed, "GET /users/{id} #2", "latency_p95").expect("apart");
        assert_eq!(second.values, [0.6, 0.6, 0.6]);
        let back: Vec<Series> = all.iter().rev().cloned().collect();
        let names = CleanNames::numbered(&Scrubber::default(), back.iter().map(|one| &one.key));
        assert_eq!(names.rename(back, |key| names.key(key)), renamed);
    }

    #[test]
    fn machines_keep_the_ids_that_name_them_but_no_secrets() {
        let key = |kind, target: &str| SeriesKey { kind, target: target.into(), ..series("", "x", "s", &[]).key };
        let mail = format!("host-taro{}example.jp", '@');
        let keys = [
            key(Kind::Resource, "alb:app/card-api/50dc6c495c0c9188"),
            key(Kind::Resource, "ecs:main/0123456789abcdef0123456789abcdef"),
            key(Kind::Operation, "tg:card-api/73e2d6bc24d8a067"),
            key(Kind::Resource, &mail),
        ];
        let names = CleanNames::numbered(&Scrubber::default(), keys.iter());
        for same in keys.iter().take(3) {
            assert_eq!(names.key(same), *same);
        }
        assert_eq!(&*names.key(&keys[3]).target, "[email]");
    }
}
