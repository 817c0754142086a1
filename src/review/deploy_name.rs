//! Picks a deploy by what somebody typed: its id, its revision, its number on the page, its pull request, or `latest`.

use super::Deploy;
use crate::model::event::Event;

/// What a deploy can be called by.
#[derive(Debug, Clone, Copy)]
pub struct DeployNames<'a> {
    /// Its id.
    pub id: &'a str,
    /// The service that it belongs to; `*` means all of them.
    pub service: &'a str,
    /// Commit or version, empty if unknown.
    pub revision: &'a str,
    /// The label that another source gave it, empty if unknown.
    pub version: &'a str,
    /// Where to read more, empty if unknown.
    pub url: &'a str,
    /// When it began, UTC milliseconds.
    pub at: i64,
    /// Number of its group on the page, where there is one.
    pub number: Option<usize>,
}

impl<'a> From<&'a Deploy> for DeployNames<'a> {
    fn from(deploy: &'a Deploy) -> Self {
        let Deploy { id, service, revision, version, url, at, number, .. } = deploy;
        Self { id, service, revision, version, url, at: at.ms(), number: Some(*number) }
    }
}

impl<'a> From<&'a Event> for DeployNames<'a> {
    fn from(event: &'a Event) -> Self {
        let Event { id, service, revision, version, url, at, .. } = event;
        Self { id, service, revision, version, url, at: *at, number: None }
    }
}

/// Why no deploy was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeployMiss {
    /// There is no deploy at all.
    Empty,
    /// No deploy belongs to the service.
    Service {
        /// The nearest service that has one, if one is near.
        near: Option<String>,
    },
    /// No deploy is called so.
    Unknown {
        /// The id or revision that is nearest, if one is near.
        near: Option<String>,
    },
    /// More than one is called so.
    Several {
        /// Their ids, each with its service.
        names: Vec<(String, String)>,
    },
}

/// Shortest beginning of an id or revision that counts as a name: `git` abbreviates to no less.
const SHORTEST: usize = 4;

/// Picks a deploy and returns its id.
///
/// `service`: only its deploys. `latest` is the one that began last. A revision may be shortened to [`SHORTEST`]
/// characters, upper and lower case are the same, `#7` is the number on the page or the end of a pull request's address.
///
/// # Errors
/// [`DeployMiss`] if none or more than one is called so.
pub fn pick_deploy<'a>(deploys: &[DeployNames<'a>], word: &str, service: Option<&str>) -> Result<&'a str, DeployMiss> {
    if deploys.is_empty() {
        return Err(DeployMiss::Empty);
    }
    let is_own = |deploy: &&DeployNames<'a>| service.is_none_or(|service| [service, "*"].contains(&deploy.service));
    let mut own: Vec<DeployNames<'a>> = deploys.iter().filter(is_own).copied().collect();
    if own.is_empty() {
        let near = service.and_then(|service| nearest(service, deploys.iter().map(|deploy| deploy.service)));
        return Err(DeployMiss::Service { near });
    }
    let word = word.trim();
    if word.eq_ignore_ascii_case("latest") {
        let last = own.iter().max_by_key(|deploy| (deploy.at, deploy.id));
        return last.map(|deploy| deploy.id).ok_or(DeployMiss::Empty);
    }
    let number = word.strip_prefix('#').unwrap_or(word);
    let lower = word.to_lowercase();
    let begins = |text: &str| lower.chars().count() >= SHORTEST && text.to_lowercase().starts_with(&lower);
    let is = |text: &str| !lower.is_empty() && text.to_lowercase() == lower;
    let is_called: [&dyn Fn(&DeployNames<'a>) -> bool; 5] = [
        &|deploy| deploy.id == word,
        &|deploy| is(deploy.id) || is(deploy.revision) || is(deploy.version),
        &|deploy| deploy.number.is_some_and(|own| own.to_string() == number),
        &|deploy| word.starts_with('#') && !number.is_empty() && deploy.url.rsplit('/').next() == Some(number),
        &|deploy| begins(deploy.id) || begins(deploy.revision) || begins(deploy.version),
    ];
    // The exact name wins over a looser one.
    for is_called in is_called {
        let mut found: Vec<(&str, &str)> =
            own.iter().filter(|deploy| is_called(deploy)).map(|deploy| (deploy.id, deploy.service)).collect();
        found.sort_unstable();
        let first = found.first().map(|(id, _)| *id);
        match own.iter().find(|deploy| Some(deploy.id) == first) {
            // One deploy of several services is one deploy.
            Some(deploy) if found.iter().all(|(id, _)| *id == deploy.id) => return Ok(deploy.id),
            // A group has one number; its first deploy stands for it.
            Some(deploy) if is_one_group(&own, &found) => return Ok(deploy.id),
            Some(_) => {
                let names = found.iter().map(|(id, service)| ((*id).to_owned(), (*service).to_owned())).collect();
                return Err(DeployMiss::Several { names });
            }
            None => {}
        }
    }
    // Of names that are equally near the latest is meant.
    own.sort_by_key(|deploy| std::cmp::Reverse(deploy.at));
    let names = own.iter().flat_map(|deploy| [deploy.id, deploy.revision, deploy.version]);
    Err(DeployMiss::Unknown { near: nearest(word, names) })
}

fn is_one_group(own: &[DeployNames<'_>], found: &[(&str, &str)]) -> bool {
    let number = |id: &str| own.iter().find(|deploy| deploy.id == id).and_then(|deploy| deploy.number);
    let Some(first) = found.first().and_then(|(id, _)| number(id)) else { return false };
    found.iter().all(|(id, _)| number(id) == Some(first))
}

/// Returns the name that differs in a third of its characters at most.
fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    let far = |name: &str| strsim::damerau_levenshtein(&word, &name.to_lowercase());
    names
        .filter(|name| !name.is_empty())
        .map(|name| (far(name), name))
        .filter(|(distance, name)| *distance <= name.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPLOYS: [DeployNames<'static>; 4] = [
        DeployNames {
            id: "card-1",
            service: "card-api",
            revision: "4f2c9e1aa",
            version: "",
            url: "https://example.invalid/pull/1842",
            at: 10,
            number: Some(1),
        },
        DeployNames {
            id: "card-2",
            service: "card-api",
            revision: "4f2caaaaa",
            version: "",
            url: "",
            at: 20,
            number: Some(2),
        },
        DeployNames { id: "card-3", service: "card-api", revision: "", version: "", url: "", at: 21, number: Some(2) },
        DeployNames {
            id: "user-1",
            service: "user-api",
            revision: "v1.2.3",
            version: "",
            url: "",
            at: 30,
            number: Some(3),
        },
    ];

    fn picked(word: &str, service: Option<&str>) -> Result<&'static str, DeployMiss> {
        pick_deploy(&DEPLOYS, word, service)
    }

    #[test]
    fn a_deploy_has_many_names() {
        for (word, id) in [
            ("card-1", "card-1"),
            ("CARD-1", "card-1"),
            ("4f2c9", "card-1"),
            ("4F2C9E1AA", "card-1"),
            ("#1842", "card-1"),
            ("1", "card-1"),
            // Its group's first deploy.
            ("#2", "card-2"),
            ("v1.2.3", "user-1"),
            ("latest", "user-1"),
        ] {
            assert_eq!(picked(word, None), Ok(id), "{word}");
        }
        assert_eq!(picked("latest", Some("card-api")), Ok("card-3"));
    }

    #[test]
    fn an_unknown_name_gives_the_nearest_and_never_another_deploy() {
        let near = |word: &str, service| match picked(word, service) {
            Err(DeployMiss::Unknown { near } | DeployMiss::Service { near }) => near,
            other => panic!("{word}: {other:?}"),
        };
        assert_eq!(near("card-4", None).as_deref(), Some("card-3"));
        assert_eq!(near("4f2c9e1ab", None).as_deref(), Some("4f2c9e1aa"));
        assert_eq!(near("latest", Some("card_api")).as_deref(), Some("card-api"));
        for word in ["", "#", "4f2", "nothing-like-it", "\u{1b}[2J", "99"] {
            assert_eq!(near(word, None), None, "{word:?}");
        }
        assert_eq!(pick_deploy(&[], "latest", None), Err(DeployMiss::Empty));
    }

    #[test]
    fn a_name_of_several_deploys_lists_them() {
        let names = |names: &[(&str, &str)]| names.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        let several = DeployMiss::Several { names: names(&[("card-1", "card-api"), ("card-2", "card-api")]) };
        assert_eq!(picked("4f2c", None), Err(several));
    }

    #[test]
    fn one_deploy_of_several_services_is_one_deploy() {
        let all = ["a", "b"].map(|service| DeployNames { service, ..DEPLOYS[0] });
        assert_eq!(pick_deploy(&all, "card-1", None), Ok("card-1"));
        assert_eq!(pick_deploy(&all, "card-1", Some("b")), Ok("card-1"));
    }
}
