//! One account of New Relic, opened: which queries are asked for which applications, and what comes of them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use super::config::NewRelicSettings;
use super::entities::{self, Found, service_of};
use super::error::NewRelicError;
use super::graph::Graph;
use super::parse::{self, Points};
use super::partitioning::{Piece, QueryRunner};
use super::query::{Applications, Purpose, Query};
use super::query_files;
use super::{changes, versions};
use crate::format;
use crate::model::secret::Secret;
use crate::model::time::{DAY, HOUR, Window};
use crate::source::batch::{counted, track};
use crate::source::http::{Http, Limits, RealTime, Sleep};
use crate::source::{EventBatch, EventSource, SeriesBatch, SeriesSource, SourceError};

/// Days for which all minutes of a day are there, counted in whole UTC days before today.
const FINE_DAYS: i64 = 7;
/// How far back whole hours of timeslices go, milliseconds.
pub(super) const RETENTION_MS: i64 = 90 * DAY;
/// Queries under way at once; the client bounds the requests.
const QUERIES_AT_ONCE: usize = 3;

/// Opens an account: the key is read, the queries are loaded, nothing is asked.
///
/// # Errors
/// No key in the environment, a query file without a meaning.
pub(super) fn open(id: &str, settings: &NewRelicSettings) -> Result<Account, SourceError> {
    let no_key = |source| SourceError::Secret { id: id.to_owned(), source };
    let key = Secret::from_env(&settings.key_env).map_err(no_key)?;
    // Accounts collected at the same moment do not wait in step.
    let limits = Limits { seed: settings.account.parse().unwrap_or_default(), ..Limits::default() };
    Account::open(id, settings, key, limits, Arc::new(RealTime))
}

/// One account.
pub struct Account {
    pub(super) id: String,
    pub(super) graph: Graph,
    pub(super) queries: Vec<Query>,
    pub(super) patterns: Vec<glob::Pattern>,
    pub(super) step_ms: i64,
    pub(super) found: OnceCell<Found>,
}

fn failed(id: &str, account: &str, error: NewRelicError) -> SourceError {
    let help = error.help();
    SourceError::Vendor { id: id.to_owned(), account: account.to_owned(), source: Box::new(error), help }
}

impl Account {
    /// Opens an account with a key that was read already; tests bring their own limits and time.
    pub fn open(
        id: &str,
        settings: &NewRelicSettings,
        key: Secret,
        limits: Limits,
        sleep: Arc<dyn Sleep>,
    ) -> Result<Self, SourceError> {
        let failed = |error| failed(id, &settings.account, error);
        let http = Http::new(limits, sleep).map_err(|error| failed(NewRelicError::Http(error)))?;
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
            queries: query_files::load(settings.queries.as_deref()).map_err(|error| query_files::failed(id, error))?,
            // The configuration checked the patterns.
            patterns: settings.applications.iter().filter_map(|text| glob::Pattern::new(text).ok()).collect(),
            step_ms: settings.step_ms,
            found: OnceCell::new(),
        })
    }

    pub(super) fn failed(&self, source: NewRelicError) -> SourceError {
        failed(&self.id, &self.graph.account.to_string(), source)
    }

    /// Finds the applications, once.
    pub(super) async fn found(&self) -> Result<&Found, NewRelicError> {
        self.found.get_or_try_init(|| entities::find(&self.graph, &self.patterns)).await
    }

    /// Returns the width of a bucket for the day in which a window lies.
    fn step_of(&self, query: &Query, window: Window, now_ms: Option<i64>) -> i64 {
        let is_old = window.start < self.fine_since(now_ms);
        if is_old || query.is_hourly { HOUR } else { self.step_ms }
    }

    /// Returns the first day that is asked by minutes, UTC milliseconds; all are if the server's clock is not known.
    pub(super) fn fine_since(&self, now_ms: Option<i64>) -> i64 {
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

    pub(super) fn asked(&self, purpose: Purpose) -> impl Iterator<Item = &Query> {
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
    pub(super) async fn points(&self, found: &Found, query: &Query, window: Window) -> Result<Points, NewRelicError> {
        let Some(names) = self.names(found, query) else { return Ok(Points::new()) };
        let services = self.services(found, query);
        let step_ms = self.step_of(query, window, found.now_ms);
        QueryRunner { graph: &self.graph, query, step_ms, services: &services }.points(window, &names).await
    }

    /// Plans one query for a window.
    pub(super) async fn plan(
        &self,
        found: &Found,
        query: &Query,
        window: Window,
    ) -> Result<Vec<(Piece, i64)>, NewRelicError> {
        let Some(names) = self.names(found, query) else { return Ok(Vec::new()) };
        let services = self.services(found, query);
        let step_ms = self.step_of(query, window, found.now_ms);
        let asking = QueryRunner { graph: &self.graph, query, step_ms, services: &services };
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
impl SeriesSource for Account {
    async fn series(&self, window: Window) -> Result<SeriesBatch, SourceError> {
        let points = self.all_points(window).await.map_err(|error| self.failed(error))?;
        let (series, left_out) = parse::series(points);
        let rows = series.iter().map(|series| series.times.len() as u64).sum();
        let diagnostics =
            left_out.into_iter().map(|(reason, (count, place))| counted(&self.id, reason, count, place)).collect();
        Ok(SeriesBatch { series, rows, diagnostics })
    }

    fn clock_ms(&self) -> Option<i64> {
        self.graph.http.clock_ms()
    }
}

#[async_trait]
impl EventSource for Account {
    async fn events(&self, window: Window) -> Result<EventBatch, SourceError> {
        let found = self.found().await.map_err(|error| self.failed(error))?;
        // Markers a little outside still tell that a version has one.
        let wide = Window::new(window.start - versions::NEAR, window.end + versions::NEAR);
        let marked = changes::markers(&self.graph, found, wide).await.map_err(|error| self.failed(error))?;
        let mut events = marked.events;
        for query in self.asked(Purpose::Versions) {
            let Some(names) = self.names(found, query) else { continue };
            let services = self.services(found, query);
            let asking = QueryRunner { graph: &self.graph, query, step_ms: HOUR, services: &services };
            let sights = asking.sights(Window::new(window.start - versions::BEFORE, window.end), &names).await;
            let sights = sights.map_err(|error| self.failed(error))?;
            let inferred = versions::inferred(self.graph.account, &sights, &events, window);
            events.extend(inferred);
        }
        events.retain(|event| window.contains(event.at));
        format::events::sort(&mut events);
        track(&mut events, &self.id);
        let diagnostics =
            marked.other.map(|(count, example)| counted(&self.id, "event_of_other_category", count, example));
        Ok(EventBatch { events, diagnostics: diagnostics.into_iter().collect() })
    }
}
