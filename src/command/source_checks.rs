//! What `doctor` asks of sources that answer over the network: variables, permissions, reach, price.

use std::time::Duration;

use futures_util::future::join_all;

use crate::config::Source;
use crate::model::diagnostic::Diagnostic;
use crate::model::scrub::{Field, Scrubber};
use crate::model::time::{DAY, Window};
use crate::render::doctor::{Check, Health};
use crate::source::descriptor::{SourceSettings, Variable};
use crate::source::{CollectedSource, Estimate, SourceCheck, SourceHealth, registry};

/// Longest that one source may take for one question, so that `doctor` ends whatever a server does.
pub(super) const PATIENCE: Duration = Duration::from_secs(50);

/// Days of a month, for a price that people can hold against a bill.
const MONTH: f64 = 30.0;

/// How an environment variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has a value.
    Set,
    /// It has what examples show in the place of a value.
    Placeholder,
    /// It has none.
    Missing,
}

/// What is to be known before anything is asked.
pub(super) struct Question {
    /// UTC milliseconds.
    pub now: i64,
    /// How far back a report looks, milliseconds.
    pub wanted_ms: i64,
    pub patience: Duration,
    /// Ask nothing over the network.
    pub offline: bool,
    /// Takes personal data and credentials out of what the sources say.
    pub scrubber: Scrubber,
}

/// Checks the sources that are no files, all at once; the checks are in the order of the config.
///
/// `look`: says how an environment variable is. The value itself is not looked at here.
/// `open`: makes a source of what the config says.
pub(super) async fn all(
    question: &Question,
    sources: &[&Source],
    look: impl Fn(&str) -> Presence,
    open: impl Fn(&Source) -> Result<Option<CollectedSource>, crate::source::SourceError>,
) -> Vec<Check> {
    let all = sources.iter().filter(|source| !registry::is_recorded(source)).map(|source| {
        // The config was checked when it was loaded.
        let settings = registry::settings(source).ok();
        let settings = settings.as_deref();
        let if_empty = settings.map_or("", SourceSettings::help_if_empty);
        let (mut checks, has_variables) = variables(source, settings, &look);
        let folder = queries(source, settings);
        let examples = placeholders(source, settings);
        let is_complete =
            has_variables && examples.is_empty() && folder.as_ref().is_none_or(|check| check.health == Health::Ok);
        checks.extend(folder);
        let opened = match is_complete && !question.offline {
            true => Some(open(source)),
            false => None,
        };
        async move {
            match opened {
                None if is_complete => checks.push(Check::ok("source", &source.id, "not asked (`--offline`)")),
                // What is missing has its own line.
                None => {}
                Some(Ok(None)) => {}
                Some(Ok(Some(asked))) => checks.extend(ask(question, source, &asked, if_empty).await),
                Some(Err(error)) => checks.push(failed("source", source, error.diagnostic())),
            }
            let mut checks = softened(checks, source);
            checks.extend(examples);
            checks
        }
    });
    join_all(all).await.into_iter().flatten().collect()
}

/// Looks for the environment variables that a source names; returns whether all are there.
fn variables(
    source: &Source,
    settings: Option<&dyn SourceSettings>,
    look: impl Fn(&str) -> Presence,
) -> (Vec<Check>, bool) {
    let needed = settings.map(SourceSettings::variables).unwrap_or_default();
    let is_complete = needed.iter().all(|variable| look(&variable.name) == Presence::Set);
    let checks = needed.into_iter().map(|Variable { name, holds }| {
        let found = match look(&name) {
            Presence::Set => return Check::ok("variable", &source.id, format!("{name} is set")),
            Presence::Placeholder => "holds a placeholder",
            Presence::Missing => "is not set",
        };
        let help = format!("put {holds} into the environment: export {name}=...");
        Check::fail("variable", &source.id, format!("{name} {found}"), vec![help])
    });
    (checks.collect(), is_complete)
}

/// Names keys that still hold what `init` wrote. They fail for an optional source as well: it is to be filled in, or to go.
fn placeholders(source: &Source, settings: Option<&dyn SourceSettings>) -> Vec<Check> {
    let kept = settings.map(SourceSettings::placeholders).unwrap_or_default();
    let check = |(key, value): (&str, String)| {
        let help = format!("put your own value into `{key}`, or remove the source `{}` from the config", source.id);
        Check::fail("placeholder", &source.id, format!("`{key}` is still the example's: {value}"), vec![help])
    };
    kept.into_iter().map(check).collect()
}

/// Looks whether the folder with queries of the team's own can be read; what stands in it is checked by opening the source.
fn queries(source: &Source, settings: Option<&dyn SourceSettings>) -> Option<Check> {
    let folder = settings?.queries()?;
    let shown = folder.display();
    Some(match std::fs::read_dir(folder) {
        Ok(_) => Check::ok("queries", &source.id, format!("{shown}")),
        Err(error) => {
            let help = vec!["make the folder, or leave `queries` of the source out".to_owned()];
            Check::fail("queries", &source.id, format!("{shown}: cannot be listed: {error}"), help)
        }
    })
}

/// Asks one source everything.
///
/// `if_empty`: what to do when it has no series.
async fn ask(question: &Question, source: &Source, asked: &CollectedSource, if_empty: &str) -> Vec<Check> {
    let today = question.now.div_euclid(DAY) * DAY;
    let (looked, estimate) = futures_util::future::join(
        tokio::time::timeout(question.patience, asked.checks(question.now)),
        tokio::time::timeout(question.patience, asked.estimate(Window::new(today - DAY, today))),
    )
    .await;
    let mut checks: Vec<Check> = match looked {
        Ok(found) => found.into_iter().map(|check| access(question, source, check)).collect(),
        Err(_) => vec![silent("access", source, "its permissions were tried", question.patience)],
    };
    let is_broken = checks.iter().any(|check| check.health == Health::Fail);
    match estimate {
        Ok(Ok(estimate)) => checks.push(price(source, &estimate, if_empty)),
        // A permission that is missing has a line above; that it makes the estimate fail as well is no news.
        Ok(Err(_)) | Err(_) if is_broken => {}
        Ok(Err(error)) => checks.push(failed("estimate", source, error.diagnostic())),
        Err(_) => checks.push(silent("estimate", source, "its series were counted", question.patience)),
    }
    checks.push(retention(source, asked.retention_ms, question.wanted_ms));
    checks
}

fn access(question: &Question, source: &Source, check: SourceCheck) -> Check {
    let health = match check.health {
        SourceHealth::Ok => Health::Ok,
        SourceHealth::Warn => Health::Warn,
        SourceHealth::Fail => Health::Fail,
    };
    // Names that a source has are not yet what the store makes of them.
    let found = question.scrubber.scrub(Field::Text, &check.found).text;
    let found = format!("{}: {found}", check.name);
    let mut help = check.help;
    if health != Health::Ok && help.is_empty() {
        help.push(format!("see docs/collect.md for what the source `{}` needs", source.id));
    }
    Check { health, help, ..Check::ok("access", &source.id, found) }
}

/// Says what collecting a day takes.
fn price(source: &Source, estimate: &Estimate, if_empty: &str) -> Check {
    let cost = match estimate.cost_usd {
        Some(cost) => {
            let day = if cost < 0.005 { "less than US$ 0.01".to_owned() } else { format!("about US$ {cost:.2}") };
            let month = cost * MONTH;
            let month = if month < 10.0 { format!("{month:.2}") } else { format!("{month:.0}") };
            format!(", {day} a day by the vendor's list, {month} a month")
        }
        None => String::new(),
    };
    let found = format!("{} series, {} requests a day{cost}", estimate.series, estimate.requests);
    if estimate.series > 0 {
        return Check::ok("estimate", &source.id, found);
    }
    Check::warn("estimate", &source.id, found, if_empty)
}

/// Holds how far back a source answers against what a report looks at.
fn retention(source: &Source, retention_ms: i64, wanted_ms: i64) -> Check {
    let (days, wanted) = (retention_ms / DAY, wanted_ms / DAY);
    if retention_ms >= wanted_ms {
        return Check::ok("reach", &source.id, format!("answers {days} days back, a report looks {wanted} days back"));
    }
    let found = format!("answers {days} days back; a report looks {wanted} days back and finds the rest in the store");
    let check = Check::ok("reach", &source.id, found);
    let help = "run `fortnight collect` every day from today on; the first report with a whole baseline comes \
                when the store holds as many days";
    Check { help: vec![help.to_owned()], ..check }
}

fn failed(check: &'static str, source: &Source, mut diagnostic: Diagnostic) -> Check {
    if diagnostic.help.is_empty() {
        diagnostic.help.push(format!("check the keys of the source `{}` in the config", source.id));
    }
    Check::fail(check, &source.id, diagnostic.reason_alone(), diagnostic.help)
}

fn silent(check: &'static str, source: &Source, what: &str, patience: Duration) -> Check {
    let help =
        vec!["check the network, the proxy (HTTPS_PROXY) and `endpoint` of the source, then try again".to_owned()];
    Check::fail(check, &source.id, format!("no answer within {} s while {what}", patience.as_secs()), help)
}

/// Lets a source fail that the report can do without.
fn softened(mut checks: Vec<Check>, source: &Source) -> Vec<Check> {
    for check in checks.iter_mut().filter(|check| source.optional && check.health == Health::Fail) {
        check.health = Health::Warn;
        check.help.push("the report goes on without it (`optional = true`), and says so".to_owned());
    }
    checks
}

#[cfg(test)]
mod tests;
