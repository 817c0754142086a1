//! What `doctor` asks: credentials, each permission by a harmless call, what is there and what is not watched.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;

use super::client::RegionClient;
use super::error::CloudWatchError;
use super::list::List;
use super::parse::Grid;
use super::resources::{Listed, Plan, Query, Resource};
use super::tags::{self, Tags};
use super::{events, lists, period, requests};
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::scrub::excerpt;
use crate::model::time::{HOUR, Window};
use crate::source::{SourceCheck, SourceHealth};

/// Pages of all metrics of a region that are looked through: 10,000 metrics.
const MOST_PAGES: usize = 20;

/// Names that a line of a check shows before it only counts.
const SHOWN: usize = 6;

fn check(name: &str, health: SourceHealth, found: String, help: Option<String>) -> SourceCheck {
    SourceCheck { name: name.to_owned(), health, found, help: help.into_iter().collect() }
}

fn failed(name: &str, health: SourceHealth, error: &CloudWatchError) -> SourceCheck {
    let found = Diagnostic::of_error(Stage::Source, name, error).reason();
    check(name, health, found, error.help())
}

/// What kept a source from being opened.
pub fn not_opened(error: &CloudWatchError) -> SourceCheck {
    failed("credentials", SourceHealth::Fail, error)
}

/// Looks for credentials; names the account where the chain knows it.
///
/// `has_role`: a role is assumed with what the standard chain gives.
pub async fn credentials(config: &SdkConfig, has_role: bool) -> SourceCheck {
    let name = "credentials";
    let help = "give credentials the usual way (AWS_PROFILE, AWS_ACCESS_KEY_ID, a role of the machine), and check `profile` and `role_arn`";
    let Some(provider) = config.credentials_provider() else {
        return check(name, SourceHealth::Fail, "no credentials found".to_owned(), Some(help.to_owned()));
    };
    match provider.provide_credentials().await {
        Ok(found) => {
            let account =
                found.account_id().map(|id| format!(" for account {}", excerpt(id.as_str()))).unwrap_or_default();
            check(name, SourceHealth::Ok, format!("found{account}"), None)
        }
        Err(error) => {
            let place = config.region().map(ToString::to_string).unwrap_or_default();
            let action = if has_role { "sts:AssumeRole" } else { "the standard chain" };
            failed(name, SourceHealth::Fail, &CloudWatchError::of_credentials(&place, action, error))
        }
    }
}

/// Tries the permissions of one region.
///
/// `found`: the resources that are watched, or why nothing can be listed.
pub async fn region(
    region: &RegionClient,
    lists: &[List],
    found: Result<(&[Resource<'_>], &Plan<'_>), CloudWatchError>,
    now: i64,
) -> Vec<SourceCheck> {
    let mut checks = Vec::new();
    let of = |name: &str| format!("{name} {}", region.region);
    match found {
        Err(error) => checks.push(failed(&of("cloudwatch:ListMetrics"), SourceHealth::Fail, &error)),
        Ok((resources, plan)) => {
            checks.push(check(&of("cloudwatch:ListMetrics"), SourceHealth::Ok, "allowed".to_owned(), None));
            checks.push(watched(&of("resources"), resources));
            let hour = Window::new((now / HOUR - 2) * HOUR, (now / HOUR - 1) * HOUR);
            let grid = Grid { window: hour, width: HOUR };
            checks.push(data(&of("cloudwatch:GetMetricData"), region, &plan.queries, grid, now).await);
            checks.push(barren(&of("lists"), lists, plan));
            checks.extend(unwatched(&of("metrics"), region, lists).await);
        }
    }
    checks.push(match events::try_out(region, now).await {
        Ok(()) => check(&of("cloudtrail:LookupEvents"), SourceHealth::Ok, "allowed".to_owned(), None),
        // Without it, deploys have to be told; everything else stays.
        Err(error) => failed(&of("cloudtrail:LookupEvents"), SourceHealth::Warn, &error),
    });
    checks
}

/// Tells what the tags of a region say, and of how many resources.
pub fn tags(region: &RegionClient, tags: &Tags, keys: &[String], tagged: usize, resources: usize) -> SourceCheck {
    let name = format!("{} {}", tags::GET, region.region);
    if let Some(error) = &tags.failure {
        // Names go on to count; everything else stays.
        return failed(&name, SourceHealth::Warn, error);
    }
    let keys: Vec<String> = keys.iter().map(|key| format!("`{}`", excerpt(key))).collect();
    let keys = keys.join(", ");
    if let Some((count, first)) = &tags.unusable {
        let help = format!("give it another value: at most {} printable characters, not `*`", tags::LONGEST);
        let found = format!("{count} values of {keys} are no name of a service: {first}");
        return check(&name, SourceHealth::Warn, found, Some(help));
    }
    let found = format!("allowed; {tagged} of {resources} watched resources have {keys}");
    let help = "keys of tags care about case; Auto Scaling groups and REST APIs cannot be found by a tag";
    match tagged {
        0 if resources > 0 => check(&name, SourceHealth::Warn, found, Some(help.to_owned())),
        _ => check(&name, SourceHealth::Ok, found, None),
    }
}

/// Asks for one hour of one metric: one that is there, else one that no account has.
async fn data(name: &str, region: &RegionClient, queries: &[Query], grid: Grid, now: i64) -> SourceCheck {
    let made_up = Query {
        namespace: "Fortnight".to_owned(),
        metric: "Probe".to_owned(),
        dimensions: Vec::new(),
        stat: "Sum".to_owned(),
    };
    let one = std::slice::from_ref(queries.first().unwrap_or(&made_up));
    match requests::data(region, one, grid, now).await {
        Ok(_) => check(name, SourceHealth::Ok, format!("allowed; buckets from {} s on", period::FINEST / 1000), None),
        Err(error) => failed(name, SourceHealth::Fail, &error),
    }
}

fn watched(name: &str, resources: &[Resource]) -> SourceCheck {
    if resources.is_empty() {
        let help =
            "check `regions` and `resources` of the source; CloudWatch lists what measured something within two weeks";
        return check(name, SourceHealth::Warn, "none fits".to_owned(), Some(help.to_owned()));
    }
    let targets: BTreeSet<&str> = resources.iter().map(|resource| &*resource.target).collect();
    check(name, SourceHealth::Ok, some(targets.iter().map(|name| excerpt(name)), targets.len()), None)
}

/// Names metrics that are there and in no list: those of namespaces that a list has, and namespaces without one.
async fn unwatched(name: &str, region: &RegionClient, lists: &[List]) -> Option<SourceCheck> {
    let (listed, is_all) = match requests::list(region, None, Some(MOST_PAGES)).await {
        Ok(found) => found,
        Err(error) => return Some(failed(name, SourceHealth::Warn, &error)),
    };
    let is_watched = |one: &Listed| {
        lists.iter().any(|list| {
            list.namespace == one.namespace
                && list.dimensions.iter().eq(one.dimensions.iter().map(|(name, _)| name))
                && list.metrics.iter().flat_map(|metric| metric.asks()).any(|ask| ask.metric == one.metric)
        })
    };
    let namespaces: BTreeSet<&str> = lists.iter().map(|list| list.namespace.as_str()).collect();
    let rest: Vec<&Listed> = listed.iter().filter(|one| !is_watched(one)).collect();
    let (known, strange): (Vec<&Listed>, Vec<&Listed>) =
        rest.iter().copied().partition(|one| namespaces.contains(one.namespace.as_str()));
    let strange: BTreeSet<String> = strange.iter().map(|one| excerpt(&one.namespace)).collect();
    // Each once, however many resources have it.
    let known: BTreeSet<String> = known.iter().map(|one| kind_of(one)).collect();
    let more = if is_all { "" } else { " at least" };
    let mut found = format!("{} of{more} {} are in a list", listed.len() - rest.len(), listed.len());
    for (what, names) in [("in none", known), ("namespaces without one", strange)] {
        if !names.is_empty() {
            found.push_str(&format!("; {what}: {}", some(names.iter().cloned(), names.len())));
        }
    }
    let help = "to watch more of them, add a list to the folder that `queries` of the source names";
    Some(check(name, SourceHealth::Ok, found, (!rest.is_empty()).then(|| help.to_owned())))
}

/// Names a metric with its dimensions, without the resource: `AWS/ECS CPUReservation by ClusterName`.
fn kind_of(one: &Listed) -> String {
    let names: Vec<String> = one.dimensions.iter().map(|(name, _)| excerpt(name)).collect();
    let by = if names.is_empty() { String::new() } else { format!(" by {}", names.join("+")) };
    format!("{} {}{by}", excerpt(&one.namespace), excerpt(&one.metric))
}

/// Names lists of which nothing is collected. One of the team's own is wrong then; of the others most are for services
/// that an account does not use.
fn barren(name: &str, lists: &[List], plan: &Plan<'_>) -> SourceCheck {
    let has_series =
        |list: &List| plan.series.iter().any(|one| list.metrics.iter().any(|metric| std::ptr::eq(metric, one.metric)));
    let empty: Vec<&List> = lists.iter().filter(|list| !has_series(list)).collect();
    let mut found = format!("{} of {} give a series", lists.len() - empty.len(), lists.len());
    if !empty.is_empty() {
        let names: Vec<String> = empty.iter().map(|list| excerpt(&list.id)).collect();
        found.push_str(&format!("; nothing comes of {}", names.join(", ")));
    }
    let own: Vec<String> =
        empty.iter().filter(|list| !lists::is_built_in(list)).map(|list| excerpt(&list.id)).collect();
    if own.is_empty() {
        return check(name, SourceHealth::Ok, found, None);
    }
    let help = format!(
        "compare namespace, dimensions and names of metrics of {} with CloudWatch's, to the letter, and look at \
         `resources` of the source",
        own.join(", ")
    );
    check(name, SourceHealth::Warn, found, Some(help))
}

fn some(names: impl Iterator<Item = String>, count: usize) -> String {
    let shown: Vec<String> = names.take(SHOWN).collect();
    let more = count.saturating_sub(shown.len());
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    shown.join(", ") + &rest
}
