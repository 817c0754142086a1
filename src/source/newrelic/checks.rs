//! Looks at an account by harmless calls: may the key read it, what is in it, what would asking take.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::account::Account;
use super::changes;
use super::entities::Found;
use super::error::NewRelicError;
use super::graph::{Reply, documents};
use super::query::Purpose;
use super::query_files;
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::scrub::excerpt;
use crate::model::time::{DAY, HOUR, MINUTE, Window};
use crate::source::{Checked, Estimate, Estimated, SourceCheck, SourceError, SourceHealth};

/// A clock further off than this puts points into wrong buckets.
const CLOCK_OFF: i64 = 2 * MINUTE;
/// Days before the period that a report compares with, when the configuration is silent.
const BASELINE_DAYS: i64 = 28;
/// Days that are looked through for markers.
const MARKER_DAYS: i64 = 14;
/// Requests that a window takes besides those for series: changes, deployments, versions.
const REQUESTS_FOR_EVENTS: u64 = 4;

#[async_trait]
impl Estimated for Account {
    async fn estimate(&self, window: Window) -> Result<Estimate, SourceError> {
        estimate(self, window).await.map_err(|error| self.failed(error))
    }
}

#[async_trait]
impl Checked for Account {
    async fn checks(&self, now: i64) -> Vec<SourceCheck> {
        all(self, now).await
    }
}

/// Counts the requests of a window. Facets are counted over the last day that is asked finely and the last that is asked by
/// the hour, which is harmless; other days may differ.
async fn estimate(account: &Account, window: Window) -> Result<Estimate, NewRelicError> {
    let found = account.found().await?;
    let border = account.fine_since(found.now_ms).clamp(window.start, window.end);
    let mut estimate = Estimate { requests: REQUESTS_FOR_EVENTS, ..Estimate::default() };
    for part in [Window::new(window.start, border), Window::new(border, window.end)] {
        let days = u64::try_from((part.length() + DAY - 1) / DAY).unwrap_or(0);
        if days == 0 {
            continue;
        }
        let last_day = Window::new(part.start.max((part.end - 1).div_euclid(DAY) * DAY), part.end);
        let before = account.graph.http.sent();
        let mut asks = Vec::new();
        for query in account.asked(Purpose::Series) {
            let planned = account.plan(found, query, last_day).await?;
            estimate.requests += planned.len() as u64 * days;
            asks.extend(planned.first().map(|(piece, step_ms)| piece.text(query, Some(*step_ms))));
        }
        // Planning is a part of asking, so its requests come again each day.
        estimate.requests += (account.graph.http.sent() - before) * days;
        estimate.asks = asks;
    }
    estimate.series = series_of_an_hour(account, found, window).await?;
    Ok(estimate)
}

/// Counts the series of the last hour: as many as a report will hear of, but for those that are rare.
async fn series_of_an_hour(account: &Account, found: &Found, window: Window) -> Result<u64, NewRelicError> {
    let hour = Window::new(window.start.max(window.end - 60 * MINUTE), window.end);
    let mut keys = 0;
    for query in account.asked(Purpose::Series) {
        keys += account.points(found, query, hour).await?.len() as u64;
    }
    Ok(keys)
}

/// Looks at everything; a step that nothing comes of ends the look.
async fn all(account: &Account, now: i64) -> Vec<SourceCheck> {
    let document = documents::ACCOUNT;
    let reply =
        match account.graph.ask("look at the account", document, json!({"account": account.graph.account})).await {
            Ok(reply) => reply,
            Err(error) => return vec![failed("key", &error)],
        };
    let mut checks = vec![ok("key", format!("the key in `{}` is accepted", account.graph.key_env))];
    checks.push(clock(&reply, now));
    let name = reply.data.pointer("/actor/account/name").and_then(Value::as_str);
    match name {
        Some(name) => checks.push(ok("account", format!("account {} is `{}`", account.graph.account, excerpt(name)))),
        None => {
            let found = format!("account {} cannot be read with this key", account.graph.account);
            checks.push(with_help(
                SourceHealth::Fail,
                "account",
                found,
                "is `account` right? may the key's owner read it?",
            ));
            return checks;
        }
    }
    checks.push(retention(&reply.data));
    match account.found().await {
        Err(error) => checks.push(failed("applications", &error)),
        Ok(found) => {
            checks.push(applications(found));
            checks.push(markers(account, found, now).await);
            checks.push(queries(account, found, now).await);
        }
    }
    checks
}

fn ok(name: &str, found: String) -> SourceCheck {
    SourceCheck { name: name.to_owned(), health: SourceHealth::Ok, found, help: Vec::new() }
}

fn with_help(health: SourceHealth, name: &str, found: String, help: &str) -> SourceCheck {
    SourceCheck { name: name.to_owned(), health, found, help: vec![help.to_owned()] }
}

fn failed(name: &str, error: &NewRelicError) -> SourceCheck {
    let found = Diagnostic::of_error(Stage::Source, name, error).reason();
    let help = error.help().into_iter().collect();
    SourceCheck { name: name.to_owned(), health: SourceHealth::Fail, found, help }
}

fn clock(reply: &Reply, now: i64) -> SourceCheck {
    let Some(theirs) = reply.date_ms else {
        return with_help(
            SourceHealth::Warn,
            "clock",
            "the server does not tell its time".to_owned(),
            "compare by hand",
        );
    };
    let off = now - theirs;
    let found = format!("the clock here is {} s {}", off.abs() / 1000, if off < 0 { "behind" } else { "ahead" });
    if off.abs() <= CLOCK_OFF {
        return ok("clock", found);
    }
    with_help(SourceHealth::Fail, "clock", found, "set the clock (NTP): days would be asked before they are over")
}

/// Holds the retention of events, which percentiles come from, against the baseline.
fn retention(data: &Value) -> SourceCheck {
    let rules = data.pointer("/actor/account/dataManagement/eventRetentionRules").and_then(Value::as_array);
    let Some(rules) = rules else {
        let help = "percentiles are there for as long as events are kept, often 8 days; `collect` daily keeps them";
        return with_help(
            SourceHealth::Warn,
            "retention",
            "the key may not see how long events are kept".to_owned(),
            help,
        );
    };
    let standing = rules.iter().filter(|rule| rule.get("deletedAt").is_none_or(Value::is_null));
    let days = standing.filter_map(|rule| {
        let namespace = rule.get("namespace")?.as_str()?.to_lowercase();
        let is_of_apm = namespace.contains("apm") || namespace.contains("transaction") || namespace.contains("span");
        rule.get("retentionInDays").and_then(Value::as_i64).filter(|_| is_of_apm)
    });
    match days.min() {
        Some(days) if days >= BASELINE_DAYS => ok("retention", format!("events are kept for {days} days")),
        Some(days) => {
            let found = format!("events are kept for {days} days, a baseline takes {BASELINE_DAYS}");
            with_help(SourceHealth::Warn, "retention", found, "run `fortnight collect` daily: what was kept here stays")
        }
        None => {
            let found = "no rule says how long events are kept; 8 days is usual".to_owned();
            with_help(SourceHealth::Warn, "retention", found, "run `fortnight collect` daily: what was kept here stays")
        }
    }
}

fn applications(found: &Found) -> SourceCheck {
    let count = found.entities.len();
    let text = format!("{count} of {} applications and services match `applications`", found.all);
    match (count, found.all) {
        (0, 0) => with_help(
            SourceHealth::Fail,
            "applications",
            text,
            "is `account` the right one, and `region`? does an APM agent or OpenTelemetry report into it?",
        ),
        (0, _) => with_help(
            SourceHealth::Fail,
            "applications",
            text,
            "patterns match whole names: write `card-*`, not `card`",
        ),
        _ => ok("applications", text),
    }
}

/// Names queries that gave nothing in the last whole hour. One of the team's own is wrong then; of the others most are for
/// agents that an account does not use.
async fn queries(account: &Account, found: &Found, now: i64) -> SourceCheck {
    let end = now.div_euclid(HOUR) * HOUR;
    let hour = Window::new(end - HOUR, end);
    let (mut all, mut empty, mut own) = (0, Vec::new(), Vec::new());
    for query in account.asked(Purpose::Series) {
        all += 1;
        match account.points(found, query, hour).await {
            Err(error) => return failed("queries", &error),
            Ok(points) if points.is_empty() => {
                empty.push(excerpt(&query.id));
                own.extend((!query_files::is_built_in(query)).then(|| excerpt(&query.id)));
            }
            Ok(_) => {}
        }
    }
    let mut text = format!("{} of {all} gave series in the last hour", all - empty.len());
    if !empty.is_empty() {
        text.push_str(&format!("; nothing came of {}", empty.join(", ")));
    }
    if own.is_empty() {
        return ok("queries", text);
    }
    let help = format!("paste {} into New Relic's query builder: names there are case-sensitive", own.join(", "));
    with_help(SourceHealth::Warn, "queries", text, &help)
}

async fn markers(account: &Account, found: &Found, now: i64) -> SourceCheck {
    let marked = match changes::markers(&account.graph, found, Window::new(now - MARKER_DAYS * DAY, now)).await {
        Ok(marked) => marked,
        Err(error) => return failed("markers", &error),
    };
    let judged = marked.events.iter().filter(|event| event.kind.is_judged()).count();
    let text = format!("{judged} deploys marked in {MARKER_DAYS} days");
    if judged > 0 {
        return ok("markers", text);
    }
    let help = "record deploys with New Relic's change tracking, or with `fortnight marker add`";
    with_help(SourceHealth::Warn, "markers", text, help)
}
