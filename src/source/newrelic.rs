//! The source kind `newrelic`: one account, asked by NerdGraph.
//!
//! # API
//! `POST https://api.newrelic.com/graphql` (EU: `api.eu.newrelic.com`) with the header `API-Key: <user key>`. Series come
//! from NRQL, whose texts are `queries/newrelic/*.nrql`; GraphQL documents are `queries/newrelic/*.graphql`. REST v2 is
//! not used. Values and ids go as variables; names inside NRQL are quoted ([`query::nrql`](crate::source::query::nrql)).
//!
//! # What comes from where
//! Percentiles from events, because timeslices have none; requests, means, errors, databases and external calls from
//! timeslices, because events are sampled. Services that speak OpenTelemetry are found by `service.name`.
//!
//! # Limits
//! 366 buckets and 5,000 rows an answer, one-minute timeslices for 8 days and hours for 90, 25 requests at once a user
//! (5 here) and 3,000 queries a minute an account. `pieces` cuts below them; `rows` finds out when an answer was cut all
//! the same.
//!
//! # Width of a bucket
//! A UTC day is asked in the configured width while all of its minutes are younger than 8 days, that is until seven
//! days after it, and in whole hours afterwards. So every request for one day made on one day has the same width,
//! whatever part of the day it is for. "Today" is the server's.
//!
//! # Quirks
//! - Errors come inside HTTP 200, also beside data: all of it is refused then. `TIMEOUT` makes the piece smaller,
//!   `TOO_MANY_REQUESTS` and server errors are asked again.
//! - Buckets are laid back from the end, so ends are whole hours; a first bucket that is cut is left out by the vendor
//!   and found here.
//! - Empty buckets have count 0 and percentile null. A rate of 0 is kept only while something else of its service was
//!   seen, because an agent that is away counts 0 too.
//! - `async: true` needs an option that an account may lack; it is left out after the first refusal.
//! - `otherResult` is not read: it is the sum of the facets that an answer left out.
//! - The statements that take most time are chosen anew for each window; a statement may come and go.

mod changes;
mod checks;
mod entities;
mod error;
mod graph;
mod pieces;
mod rows;
#[cfg(test)]
mod tests;
mod versions;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use super::http::{Http, Limits, Pause, RealTime};
use super::registry::{Estimate, Source, SourceCheck};
use super::{Events, Intake, SourceError, note};
use crate::config::{Config, NewRelic, Source as SourceConfig};
use crate::format;
use crate::model::secret::Secret;
use crate::model::time::{DAY, HOUR, Window};
use crate::source::query::{self, Applications, Purpose, Query};

pub use error::NewRelicError;

use entities::Found;
use graph::Graph;
use pieces::{Asking, Piece};
use rows::Points;

/// Days for which all minutes of a day are there, counted in whole UTC days before today.
const FINE_DAYS: i64 = 7;
/// How far back whole hours of timeslices go, milliseconds.
const REACH: i64 = 90 * DAY;
/// Queries under way at once; the client bounds the requests.
const QUERIES_AT_ONCE: usize = 3;

/// Opens an account: the key is read, the queries are loaded, nothing is asked.
///
/// # Errors
/// No key in the environment, a query file without a meaning.
pub(super) fn open(
    _config: &Config,
    source: &SourceConfig,
    settings: &NewRelic,
) -> Result<Box<dyn Source>, SourceError> {
    let id = || source.id.clone();
    let key = Secret::from_env(&settings.key_env).map_err(|source| SourceError::Secret { id: id(), source })?;
    // Accounts collected at the same moment do not wait in step.
    let limits = Limits { seed: settings.account.parse().unwrap_or_default(), ..Limits::default() };
    let opened = Account::open(&source.id, settings, key, limits, Arc::new(RealTime))?;
    Ok(Box::new(opened))
}

/// One account.
pub struct Account {
    id: String,
    graph: Graph,
    queries: Vec<Query>,
    patterns: Vec<glob::Pattern>,
    step_ms: i64,
    found: OnceCell<Found>,
}

/// Returns the service that an application stands for: its name. The one place that says so.
pub fn service_of(application: &str) -> Arc<str> {
    application.into()
}

impl Account {
    /// Opens an account with a key that was read already; tests bring their own limits and time.
    pub fn open(
        id: &str,
        settings: &NewRelic,
        key: Secret,
        limits: Limits,
        pause: Arc<dyn Pause>,
    ) -> Result<Self, SourceError> {
        let failed = |source: NewRelicError| SourceError::NewRelic {
            id: id.to_owned(),
            account: settings.account.clone(),
            source: Box::new(source),
        };
        let no_query = |source| SourceError::Query { id: id.to_owned(), source };
        let http = Http::new(limits, pause).map_err(|error| failed(NewRelicError::Http(error)))?;
        let reason = "is larger than any account's number".to_owned();
        let too_large = |_| failed(NewRelicError::Shape { what: "account".to_owned(), reason });
        let account = settings.account.parse::<i32>().map_err(too_large)?;
        Ok(Self {
            id: id.to_owned(),
            graph: Graph {
                http,
                endpoint: settings.endpoint.clone(),
                key,
                key_env: settings.key_env.clone(),
                account: i64::from(account),
                without_async: AtomicBool::new(false),
            },
            queries: query::newrelic(settings.queries.as_deref()).map_err(no_query)?,
            // The configuration checked the patterns.
            patterns: settings.applications.iter().filter_map(|text| glob::Pattern::new(text).ok()).collect(),
            step_ms: settings.step_ms,
            found: OnceCell::new(),
        })
    }

    fn failed(&self, source: NewRelicError) -> SourceError {
        SourceError::NewRelic { id: self.id.clone(), account: self.graph.account.to_string(), source: Box::new(source) }
    }

    /// Finds the applications, once.
    async fn found(&self) -> Result<&Found, NewRelicError> {
        self.found.get_or_try_init(|| entities::find(&self.graph, &self.patterns)).await
    }

    /// Returns the width of a bucket for the day in which a window lies.
    fn step_of(&self, query: &Query, window: Window, now_ms: Option<i64>) -> i64 {
        let is_old = window.start < self.fine_since(now_ms);
        if is_old || query.is_hourly { HOUR } else { self.step_ms }
    }

    /// Returns the first day that is asked by minutes, UTC milliseconds; all are if the server's clock is not known.
    fn fine_since(&self, now_ms: Option<i64>) -> i64 {
        now_ms.map_or(i64::MIN, |now| (now.div_euclid(DAY) - FINE_DAYS) * DAY)
    }

    /// Returns the names that a query's `{applications}` holds; `None` if it asks of none that are there.
    fn names(&self, found: &Found, query: &Query) -> Option<Vec<String>> {
        let names = match query.applications {
            Applications::Apm => found.names(false),
            Applications::Otel => found.names(true),
            Applications::None => return Some(Vec::new()),
        };
        (!names.is_empty()).then_some(names)
    }

    fn asked(&self, purpose: Purpose) -> impl Iterator<Item = &Query> {
        self.queries.iter().filter(move |query| query.purpose == purpose)
    }

    /// Tells which services a facet's value stands for: those that the configuration asks for.
    fn services(&self, found: &Found, query: &Query) -> impl Fn(&str) -> Vec<Arc<str>> + Send + Sync + use<> {
        let names: Option<Vec<String>> = self.names(found, query).filter(|names| !names.is_empty());
        let patterns = self.patterns.clone();
        move |name: &str| {
            let is_wanted = match &names {
                Some(names) => names.binary_search_by(|known| known.as_str().cmp(name)).is_ok(),
                None => !name.trim().is_empty() && patterns.iter().any(|pattern| pattern.matches(name)),
            };
            if is_wanted { vec![service_of(name)] } else { Vec::new() }
        }
    }

    /// Asks one query for all of a window.
    async fn points(&self, found: &Found, query: &Query, window: Window) -> Result<Points, NewRelicError> {
        let Some(names) = self.names(found, query) else { return Ok(Points::new()) };
        let services = self.services(found, query);
        let step_ms = self.step_of(query, window, found.now_ms);
        Asking { graph: &self.graph, query, step_ms, services: &services }.points(window, &names).await
    }

    /// Plans one query for a window.
    async fn plan(&self, found: &Found, query: &Query, window: Window) -> Result<Vec<(Piece, i64)>, NewRelicError> {
        let Some(names) = self.names(found, query) else { return Ok(Vec::new()) };
        let services = self.services(found, query);
        let step_ms = self.step_of(query, window, found.now_ms);
        let asking = Asking { graph: &self.graph, query, step_ms, services: &services };
        Ok(asking.plan(window, &names).await?.into_iter().map(|piece| (piece, step_ms)).collect())
    }

    async fn all_points(&self, window: Window) -> Result<Points, NewRelicError> {
        let found = self.found().await?;
        let mut asks = Vec::new();
        for query in self.asked(Purpose::Series) {
            asks.push(self.points(found, query, window));
        }
        let answers = stream::iter(asks).buffered(QUERIES_AT_ONCE);
        let fold = |mut points: Points, more: Points| async {
            for (key, values) in more {
                // The earlier query wins: the list is ordered by how exact they are.
                points.entry(key).or_insert(values);
            }
            Ok(points)
        };
        answers.try_fold(Points::new(), fold).await
    }
}

#[async_trait]
impl Source for Account {
    async fn series(&self, window: Window) -> Result<Intake, SourceError> {
        let points = self.all_points(window).await.map_err(|error| self.failed(error))?;
        let (series, left_out) = rows::series(points);
        let rows = series.iter().map(|series| series.times.len() as u64).sum();
        let notes = left_out.into_iter().map(|(reason, (count, place))| note(&self.id, reason, count, place)).collect();
        Ok(Intake { series, rows, notes })
    }

    async fn events(&self, window: Window) -> Result<Events, SourceError> {
        let found = self.found().await.map_err(|error| self.failed(error))?;
        // Markers a little outside still tell that a version has one.
        let wide = Window::new(window.start - versions::NEAR, window.end + versions::NEAR);
        let marked = changes::markers(&self.graph, found, wide).await.map_err(|error| self.failed(error))?;
        let mut events = marked.events;
        for query in self.asked(Purpose::Versions) {
            let Some(names) = self.names(found, query) else { continue };
            let services = self.services(found, query);
            let asking = Asking { graph: &self.graph, query, step_ms: HOUR, services: &services };
            let sights = asking.sights(Window::new(window.start - versions::BEFORE, window.end), &names).await;
            let sights = sights.map_err(|error| self.failed(error))?;
            let inferred = versions::inferred(self.graph.account, &sights, &events, window);
            events.extend(inferred);
        }
        events.retain(|event| window.contains(event.at));
        format::events::sort(&mut events);
        let notes = marked.other.map(|(count, example)| note(&self.id, "event_of_other_category", count, example));
        Ok(Events { events, notes: notes.into_iter().collect() })
    }

    async fn estimate(&self, window: Window) -> Result<Estimate, SourceError> {
        checks::estimate(self, window).await.map_err(|error| self.failed(error))
    }

    async fn checks(&self, now: i64) -> Vec<SourceCheck> {
        checks::all(self, now).await
    }

    fn reach_ms(&self) -> i64 {
        REACH
    }
}
