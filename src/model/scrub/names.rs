//! Names that become one when ids leave them.
//!
//! `GET /users/123456` and `GET /users/123457` are both `GET /users/{id}`. What to do with their series depends on the
//! signal, so it is decided where series are read. The rule to use there:
//!
//! | signal | what to do |
//! | --- | --- |
//! | counts: `throughput`, `connections`, bytes | add them |
//! | `error_rate` and other shares | mean, weighted by the requests of each; without requests, keep apart |
//! | `latency_mean`, `db_time` | mean, weighted by the calls of each; without calls, keep apart |
//! | percentiles, maxima of a share, utilisation | keep apart with [`numbered`]: a mean of percentiles is no percentile |
//!
//! Sources that can group by a route template should do so: then nothing has to be joined.

use std::collections::{BTreeMap, BTreeSet};

use super::{Field, Scrubber};

/// Returns the scrubbed names that more than one of the given names become, each with those names.
///
/// The names given are what must not be kept: use them to join series and drop them.
pub fn fall_together<'a>(
    scrubber: &Scrubber,
    field: Field,
    names: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<String, BTreeSet<&'a str>> {
    let mut groups = groups(scrubber, field, names);
    groups.retain(|_, names| names.len() > 1);
    groups
}

/// Returns a name of its own for each of the given names: scrubbed, and with a number if several become one.
///
/// `GET /users/{id}`, `GET /users/{id} #2`, … The numbers depend on the set of names alone, not on their order. A name
/// that is clean already keeps itself. Numbers can move when a later set has other names, so a number is a way to keep
/// two series of one report apart and not a name for years.
pub fn numbered<'a>(
    scrubber: &Scrubber,
    field: Field,
    names: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<&'a str, String> {
    let groups = groups(scrubber, field, names);
    let clean: BTreeSet<&str> =
        groups.iter().flat_map(|(scrubbed, names)| names.get(scrubbed.as_str())).copied().collect();
    let mut named = BTreeMap::new();
    for (scrubbed, names) in &groups {
        let mut number = 1;
        for name in names {
            if clean.contains(name) {
                named.insert(*name, scrubbed.clone());
                continue;
            }
            let own = loop {
                let own = if number == 1 { scrubbed.clone() } else { format!("{scrubbed} #{number}") };
                number += 1;
                if !clean.contains(own.as_str()) {
                    break own;
                }
            };
            named.insert(*name, own);
        }
    }
    named
}

fn groups<'a>(
    scrubber: &Scrubber,
    field: Field,
    names: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<String, BTreeSet<&'a str>> {
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for name in names {
        groups.entry(scrubber.scrub(field, name).text.into_owned()).or_default().insert(name);
    }
    groups
}

/// Splits a number that [`numbered`] gave from a name, so that it survives a second scrubbing: ` #2` to ` #9999`.
pub(super) fn split_number(field: Field, name: &str) -> (&str, &str) {
    let is_name = matches!(field, Field::Service | Field::Target | Field::Statement);
    match name.rfind(" #") {
        Some(at) if is_name => {
            let (base, number) = name.split_at(at);
            let digits = number.get(2..).unwrap_or_default();
            let is_number = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { (base, number) } else { (name, "") }
        }
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["GET /users/123456", "GET /users/99999", "GET /cards", "GET /users/{id} #2"];

    #[test]
    fn names_that_become_one_are_reported_together() {
        let together = fall_together(&Scrubber::default(), Field::Target, NAMES);
        assert_eq!(together.len(), 1);
        assert_eq!(together["GET /users/{id}"], BTreeSet::from(["GET /users/123456", "GET /users/99999"]));
    }

    #[test]
    fn numbers_do_not_depend_on_the_order_and_avoid_names_that_exist() {
        let scrubber = Scrubber::default();
        let names = numbered(&scrubber, Field::Target, NAMES);
        assert_eq!(names, numbered(&scrubber, Field::Target, NAMES.into_iter().rev()));
        assert_eq!(names["GET /users/123456"], "GET /users/{id}");
        assert_eq!(names["GET /users/99999"], "GET /users/{id} #3");
        assert_eq!(names["GET /users/{id} #2"], "GET /users/{id} #2");
        let again = numbered(&scrubber, Field::Target, names.values().map(String::as_str));
        assert!(again.iter().all(|(before, after)| before == after), "{again:?}");
        assert_eq!(BTreeSet::from_iter(names.values()).len(), NAMES.len());
    }
}
