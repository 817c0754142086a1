//! Which series and events belong to which service.
//!
//! Sources name what they measure by application or resource; deploys and owners belong to services. The store keeps
//! the sources' names, and this map is applied when they are read, so that another line in the config needs nothing
//! collected again. It is made of three rules; the first that fits a name counts:
//!
//! 1. A pattern in `resources` of a `[[service]]`, the first one in the file. For whatever is measured as a whole (a
//!    machine, a database, a load balancer, a function) the target's name counts as well, with and without its prefix
//!    (`rds:cards-db-1`, `cards-db-1`), and so does the prefix with the name alone (`ecs:card-api` of
//!    `ecs:main/card-api`).
//! 2. The name is a service's: it is in the config, somebody recorded a deploy of it, a file says so, or it has
//!    endpoints of its own.
//! 3. The longest service whose name it carries as a whole word, at the beginning, at the end or within:
//!    `card-api-prod`, `prod-card-api-alb`, `app/card-api/50dc6c` belong to `card-api`.
//!
//! Whatever is left is a service of its own. A resource whose name changed, because its tag was set or could not be asked for
//! a while, is one series again where both names lead to one service and its target carries the name that it had.
//!
//! Letters count alike in either case, and a boundary is anything but a letter or digit.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use glob::{MatchOptions, Pattern};

use crate::config::Config;
use crate::format::merge;
use crate::model::event::Event;
use crate::model::metric::{Kind, Series, SeriesKey};

/// Shortest name of a service that others may carry, characters: a service `a` or `db` is in too many names by chance.
const SHORTEST: usize = 3;

/// Longest name that is looked through for others, bytes; a name comes from outside.
const LONGEST_BY: usize = 1024;

/// Names and patterns do not care about case, and a `*` goes across `/`, because load balancers are `app/name/id`.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: false, require_literal_separator: false, require_literal_leading_dot: false };

/// What is known of the names before any is mapped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Names that are services by themselves (rule 2).
    services: BTreeSet<String>,
    /// All names.
    all: BTreeSet<String>,
    /// What measures a name as a whole: `lambda:notify` of `notify`.
    wholes: BTreeMap<String, BTreeSet<SeriesKey>>,
}

impl Names {
    /// Adds names of which a person said that they are services: a file's column, a deploy that somebody recorded.
    pub fn told<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            self.services.insert(name.to_owned());
            self.all.insert(name.to_owned());
        }
    }

    /// Adds the name of a series; one that has endpoints of its own is a service.
    ///
    /// A load balancer or a function is measured as a whole: its operation is called `*` or as itself.
    pub fn seen(&mut self, key: &SeriesKey) {
        if !self.all.contains(&*key.service) {
            self.all.insert(key.service.to_string());
        }
        let has_endpoints = key.kind == Kind::Operation && &*key.target != "*" && !carries(&key.target, &key.service);
        if has_endpoints && !self.services.contains(&*key.service) {
            self.services.insert(key.service.to_string());
        }
        if whole(key).is_some() {
            // One of all its signals is enough.
            let key = SeriesKey { signal: Arc::default(), ..key.clone() };
            self.wholes.entry(key.service.to_string()).or_default().insert(key);
        }
    }

    /// Adds the service of an event; one that was inferred is no word of a person, and neither is one that CloudTrail
    /// recorded: it calls a service by the name of a resource.
    pub fn happened(&mut self, event: &Event) {
        if event.service == "*" {
            return;
        }
        self.all.insert(event.service.clone());
        if event.kind.is_judged() && !event.is_inferred() && !event.id.starts_with("cloudwatch:") {
            self.services.insert(event.service.clone());
        }
    }
}

/// Maps names to services.
#[derive(Debug, Clone, Default)]
pub struct ServiceMap {
    /// Patterns in the order of the file, each with its service.
    patterns: Vec<(Pattern, Arc<str>)>,
    /// Names that differ from their service.
    moved: BTreeMap<String, Arc<str>>,
}

impl ServiceMap {
    /// Makes the map for all names of a history.
    pub fn new(config: &Config, names: &Names) -> Self {
        let patterns = config.services.iter().flat_map(|service| {
            let name: Arc<str> = service.name.as_str().into();
            // Patterns were checked when the config was; one that is none matches nothing.
            let patterns = service.resources.iter().filter_map(|pattern| Pattern::new(pattern).ok());
            patterns.map(move |pattern| (pattern, name.clone()))
        });
        let mut map = Self { patterns: patterns.collect(), moved: BTreeMap::new() };
        let configured = config.services.iter().map(|service| service.name.as_str());
        let services: BTreeSet<&str> = names.services.iter().map(String::as_str).chain(configured).collect();
        let lowered: Vec<(String, &str)> = services
            .iter()
            .filter(|name| name.chars().count() >= SHORTEST)
            .map(|name| (name.to_lowercase(), *name))
            .collect();
        for name in &names.all {
            let owner = match map.by_pattern(&[name.into()]) {
                Some(service) => Some(service),
                None if services.contains(name.as_str()) => None,
                None => map.of_wholes(names.wholes.get(name)).or_else(|| longest_within(name, &lowered).map(Arc::from)),
            };
            if let Some(owner) = owner.filter(|owner| **owner != **name) {
                map.moved.insert(name.clone(), owner);
            }
        }
        map
    }

    /// Returns whether no name differs from its service.
    pub fn is_plain(&self) -> bool {
        self.moved.is_empty() && self.patterns.is_empty()
    }

    /// Returns the service of a name.
    pub fn service<'a>(&'a self, name: &'a str) -> &'a str {
        self.moved.get(name).map_or(name, |service| service)
    }

    /// Returns the names that belong to another service, each with it.
    pub fn moved(&self) -> impl Iterator<Item = (&str, &str)> {
        self.moved.iter().map(|(name, service)| (name.as_str(), &**service))
    }

    /// Returns the service of a series.
    pub fn of_series(&self, key: &SeriesKey) -> Arc<str> {
        let by_pattern = if self.patterns.is_empty() { None } else { self.by_pattern(&known_as(key)) };
        by_pattern.unwrap_or_else(|| self.moved.get(&*key.service).unwrap_or(&key.service).clone())
    }

    /// Returns the service to which patterns give everything that measures a name as a whole, if it is one.
    ///
    /// What happened to a name has no target: a deploy of the function `notify` belongs to whom `lambda:notify` does.
    fn of_wholes(&self, wholes: Option<&BTreeSet<SeriesKey>>) -> Option<Arc<str>> {
        let mut owners = wholes?.iter().map(|key| self.by_pattern(&known_as(key)));
        let first = owners.next()??;
        owners.all(|owner| owner.as_ref() == Some(&first)).then_some(first)
    }

    /// Gives each series its service. Returns them sorted by key; keys are unique.
    ///
    /// `series`: every series of each service that is among them, as the sources named them. Where two names bring
    /// the same target to a service, the target is qualified by the name; so is one that stood for all of its name. What
    /// is the same resource under the name that it had before its tag was known goes on as one.
    pub fn map_series(&self, series: Vec<Series>) -> Vec<Series> {
        if self.is_plain() {
            return series;
        }
        let mut stay = Vec::with_capacity(series.len());
        let mut moved: BTreeMap<Place, BTreeMap<Arc<str>, Vec<Series>>> = BTreeMap::new();
        for mut one in series {
            let service = self.of_series(&one.key);
            if service == one.key.service {
                stay.push(one);
                continue;
            }
            let place = (service.clone(), one.key.kind, one.key.target.clone());
            let name = std::mem::replace(&mut one.key.service, service);
            moved.entry(place).or_default().entry(name).or_default().push(one);
        }
        stay.sort_by(|a, b| a.key.cmp(&b.key));
        let places: BTreeSet<Place> = stay.iter().map(|one| place_of(&one.key)).collect();
        let mut others = Vec::new();
        for (place, names) in moved {
            let is_shared = names.len() > 1 || places.contains(&place);
            for (name, mut group) in names {
                if places.contains(&place) && carries(&place.2, &name) && group.iter().all(|one| agrees(&stay, one)) {
                    others.extend(group.into_iter().filter_map(|one| go_on(&mut stay, one)));
                    continue;
                }
                for one in &mut group {
                    if one.key.kind == Kind::Operation && &*one.key.target == "*" {
                        one.key.target = name.clone();
                    } else if is_shared {
                        one.key.target = format!("{name} {}", one.key.target).into();
                    }
                }
                others.extend(group);
            }
        }
        stay.extend(others);
        stay.sort_by(|a, b| a.key.cmp(&b.key));
        apart(stay)
    }

    /// Gives each event its service.
    pub fn map_events(&self, mut events: Vec<Event>) -> Vec<Event> {
        for event in &mut events {
            if let Some(service) = self.moved.get(&event.service) {
                event.service = service.to_string();
            }
        }
        events
    }

    /// Returns the service whose pattern comes first among those that one of the names fits.
    fn by_pattern(&self, names: &[Cow<'_, str>]) -> Option<Arc<str>> {
        let fits = |pattern: &Pattern| {
            names.iter().any(|name| name.len() <= LONGEST_BY && pattern.matches_with(name, MATCHING))
        };
        self.patterns.iter().find(|(pattern, _)| fits(pattern)).map(|(_, service)| service.clone())
    }
}

/// Returns the names by which patterns know a series; see rule 1.
fn known_as(key: &SeriesKey) -> Vec<Cow<'_, str>> {
    let mut names: Vec<Cow<'_, str>> = vec![(&*key.service).into()];
    let whole = whole(key);
    if key.kind == Kind::Resource || whole.is_some() {
        let bare = key.target.split_once(':').map_or(&*key.target, |(_, bare)| bare);
        names.extend([(&*key.target).into(), bare.into()]);
    }
    names.extend(whole.map(|prefix| format!("{prefix}:{}", key.service).into()));
    names
}

/// Returns the prefix of a target that says what the series' name is: `lambda` of `lambda:notify`.
///
/// An endpoint or a table is no such target: a pattern that fits `GET /v1/cards` must not take it from its application.
fn whole(key: &SeriesKey) -> Option<&str> {
    let (prefix, bare) = key.target.split_once(':')?;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!prefix.is_empty() && prefix.bytes().all(is_plain) && carries(bare, &key.service)).then_some(prefix)
}

/// Service, kind and target.
type Place = (Arc<str>, Kind, Arc<str>);

fn place_of(key: &SeriesKey) -> Place {
    (key.service.clone(), key.kind, key.target.clone())
}

/// Returns whether a series and the one of its key can be the same thing under two names: at no time do they differ.
///
/// `sorted`: by key.
fn agrees(sorted: &[Series], one: &Series) -> bool {
    let Ok(number) = sorted.binary_search_by(|known| known.key.cmp(&one.key)) else { return true };
    let Some(known) = sorted.get(number) else { return true };
    let mut rest = known.times.iter().zip(&known.values).peekable();
    known.unit.dimension == one.unit.dimension
        && one.times.iter().zip(&one.values).all(|(time, value)| {
            while rest.next_if(|(other, _)| *other < time).is_some() {}
            rest.next_if(|(other, _)| *other == time).is_none_or(|(_, other)| other.to_bits() == value.to_bits())
        })
}

/// Joins a series into the one of its key; returns it if there is none.
///
/// `sorted`: by key.
fn go_on(sorted: &mut [Series], one: Series) -> Option<Series> {
    let number = sorted.binary_search_by(|known| known.key.cmp(&one.key));
    let Some(known) = number.ok().and_then(|number| sorted.get_mut(number)) else { return Some(one) };
    if let Some(joined) = merge(vec![known.clone()], vec![one]).pop() {
        *known = joined;
    }
    None
}

/// Numbers the targets of series that still have the same key: names from outside may spell out anything.
fn apart(series: Vec<Series>) -> Vec<Series> {
    if series.windows(2).all(|pair| pair.first().map(|one| &one.key) != pair.last().map(|one| &one.key)) {
        return series;
    }
    let mut taken: BTreeSet<SeriesKey> = BTreeSet::new();
    let mut all = Vec::with_capacity(series.len());
    for mut one in series {
        let target = one.key.target.clone();
        for number in 2.. {
            if taken.insert(one.key.clone()) {
                break;
            }
            one.key.target = format!("{target} ({number})").into();
        }
        all.push(one);
    }
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

/// Returns the patterns in `resources` that no name of a history fits, each with its service.
pub fn unused_patterns<'a>(config: &'a Config, keys: &BTreeSet<SeriesKey>) -> Vec<(&'a str, &'a str)> {
    let fits =
        |pattern: &Pattern, key: &SeriesKey| known_as(key).iter().any(|name| pattern.matches_with(name, MATCHING));
    let all = config
        .services
        .iter()
        .flat_map(|service| service.resources.iter().map(move |pattern| (pattern.as_str(), service.name.as_str())));
    all.filter(|(pattern, _)| Pattern::new(pattern).is_ok_and(|pattern| !keys.iter().any(|key| fits(&pattern, key))))
        .collect()
}

/// Returns the longest service that a name carries; of two that are as long, the one that comes first in it.
fn longest_within<'a>(name: &str, services: &[(String, &'a str)]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let name = if name.len() > LONGEST_BY { return None } else { name };
    let found = services.iter().filter_map(|(lowered, service)| Some((lowered, place(&name, lowered)?, service)));
    let best =
        found.min_by_key(|(lowered, place, service)| (std::cmp::Reverse(lowered.chars().count()), *place, **service));
    best.map(|(_, _, service)| *service)
}

fn carries(name: &str, service: &str) -> bool {
    place(&name.to_lowercase(), &service.to_lowercase()).is_some()
}

/// Returns where a name holds another one between boundaries of words, bytes.
fn place(name: &str, service: &str) -> Option<usize> {
    if service.is_empty() {
        return None;
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    name.match_indices(service).map(|(at, _)| at).find(|at| {
        let before = name.get(..*at).and_then(|text| text.chars().next_back());
        let after = name.get(at + service.len()..).and_then(|text| text.chars().next());
        !is_word(before) && !is_word(after)
    })
}

#[cfg(test)]
mod tests;
