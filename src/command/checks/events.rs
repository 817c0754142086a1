//! What `doctor` says of deploys and services: which have none, which names do not fit, which resources are of no service.

use std::collections::BTreeSet;

use super::CheckContext;
use super::text::{counted, listed, short};
use crate::model::event::Event;
use crate::model::time::{DAY, local};
use crate::render::doctor::Check;
use crate::review::notice::near;
use crate::review::service::{ServiceCoverage, coverage};

pub(super) fn deploys(context: &CheckContext<'_>) -> Vec<Check> {
    let CheckContext { events, period, series, .. } = context;
    // Resources of no service have a line of their own, and nobody deploys them.
    let known = coverage(series.iter().map(|series| (&series.key, series.class)), events, context.config, *period);
    let all: BTreeSet<&str> = known.iter().map(|one| one.service.as_str()).collect();
    let services: BTreeSet<&str> = known.iter().filter(|one| !one.is_loose).map(|one| one.service.as_str()).collect();
    let judged: Vec<&Event> =
        events.iter().filter(|event| event.kind.is_judged() && period.contains(event.at)).collect();
    let deployed: BTreeSet<&str> =
        services.iter().copied().filter(|service| judged.iter().any(|event| event.concerns(service))).collect();
    let inferred = judged.iter().filter(|event| event.is_inferred()).count();
    let inferred = if inferred > 0 { format!(" ({inferred} seen in the data only)") } else { String::new() };
    let others = events.iter().filter(|event| !event.kind.is_judged() && event.window().overlaps(*period)).count();
    let mut checks = Vec::new();
    let found = format!(
        "{} in the period{inferred} for {} of {}, {} to leave out",
        counted(judged.len(), "deploy"),
        deployed.len(),
        counted(services.len(), "service"),
        counted(others, "incident, campaign or drill")
    );
    if judged.is_empty() {
        let help = "record them with `fortnight marker add` in your pipeline, or name files in `deploys` of a source; \
                    without one, periods are compared and nothing is held against a change of yours";
        checks.push(Check::warn("deploys", "", found, help));
    } else {
        checks.push(Check::ok("deploys", "", found));
    }
    let quiet: Vec<String> = services.difference(&deployed).map(|service| (*service).to_owned()).collect();
    if !quiet.is_empty() && !judged.is_empty() {
        let found = format!("{} without a deploy in the period: {}", counted(quiet.len(), "service"), listed(&quiet));
        checks.push(Check::warn(
            "markers",
            "",
            found,
            "right if nothing was deployed; else check the deploys' `service`",
        ));
    }
    let strange: BTreeSet<&str> = events
        .iter()
        .map(|event| event.service.as_str())
        .filter(|service| *service != "*" && !all.contains(service))
        .collect();
    if !strange.is_empty() {
        checks.push(no_series("names", "deploys", &strange, &all));
    }
    checks.extend(future(context));
    checks
}

/// Names deploys that have not happened yet: a slip of the pen, or a clock that is wrong.
fn future(context: &CheckContext<'_>) -> Option<Check> {
    let is_ahead = |event: &&Event| event.kind.is_judged() && event.at > context.now + DAY;
    let ahead: Vec<String> = (context.events.iter().filter(is_ahead))
        .map(|event| {
            format!("{} at {}", short(&event.id), local(event.at, context.config.zone).format("%Y-%m-%d %H:%M"))
        })
        .collect();
    (!ahead.is_empty()).then(|| {
        let found = format!("{} in the future: {}", counted(ahead.len(), "deploy"), listed(&ahead));
        Check::warn("dates", "", found, "check the year, the time zone, and the clock of what writes them")
    })
}

/// Names services of the config that no series has.
pub(super) fn owners(context: &CheckContext<'_>) -> Option<Check> {
    let services: BTreeSet<&str> = context.series.iter().map(|series| &*series.key.service).collect();
    let strange: BTreeSet<&str> = context
        .config
        .services
        .iter()
        .map(|service| service.name.as_str())
        .filter(|name| !services.contains(name))
        .collect();
    (!strange.is_empty() && !services.is_empty()).then(|| no_series("owners", "`[[service]]`", &strange, &services))
}

fn no_series(check: &'static str, whose: &str, strange: &BTreeSet<&str>, services: &BTreeSet<&str>) -> Check {
    let names: Vec<String> = strange.iter().map(|name| (*name).to_owned()).collect();
    let found = format!("{} of {whose} without a series: {}", counted(names.len(), "service"), listed(&names));
    let meant = strange.iter().find_map(|name| Some((name, near(name, services.iter().copied())?)));
    let help = match meant {
        Some((name, near)) => {
            format!("is `{}` the `{}` of the series? both must be spelled alike", short(name), short(near))
        }
        None => "they must be spelled as in the series".to_owned(),
    };
    Check::warn(check, "", found, help)
}

/// Says how many deploys came from more than one source.
///
/// `all`, `left`: how many events there were, and how many are left.
pub(in crate::command) fn duplicates(all: usize, left: usize) -> Option<Check> {
    (left < all).then(|| {
        let found = format!("{} reported by more than one source; each counts once", counted(all - left, "deploy"));
        Check::ok("united", "", found)
    })
}

/// Names resources that belong to no service.
pub(in crate::command) fn loose(services: &[ServiceCoverage]) -> Option<Check> {
    let names: Vec<String> = services.iter().filter(|one| one.is_loose).map(|one| one.service.clone()).collect();
    (!names.is_empty()).then(|| {
        let found = format!("{} of no service: {}", counted(names.len(), "resource"), listed(&names));
        let help = "name them in `resources` of a `[[service]]`, so that a deploy of it is held against them";
        Check::warn("services", "", found, help)
    })
}
