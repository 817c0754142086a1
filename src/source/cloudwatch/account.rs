//! One account of CloudWatch, opened: its regions, what is watched in each, and what comes of asking them.

use std::sync::Arc;

use async_trait::async_trait;
use glob::Pattern;
use tokio::sync::OnceCell;

use super::client::{self, RegionClient};
use super::clock::ServerClock;
use super::config::CloudWatchSettings;
use super::error::CloudWatchError;
use super::list::List;
use super::lists;
use super::parse::{self, Grid};
use super::resources::{self, Listed, Plan, Resource};
use super::tags::{self, Tags};
use super::{checks, events, period, requests, rollouts, versions};
use crate::config::Config;
use crate::model::clock::Clock;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::Event;
use crate::model::metric::Series;
use crate::model::time::Window;
use crate::source::batch::{counted, track};
use crate::source::{
    Checked, Estimate, Estimated, EventBatch, EventSource, SeriesBatch, SeriesSource, SourceCheck, SourceError,
    SourceHealth,
};

/// Price of one metric of GetMetricData and of one call of ListMetrics, US dollars: 0.01 for a thousand in most regions by
/// Amazon's list of 2025. LookupEvents costs nothing.
const USD_PER_METRIC: f64 = 0.01 / 1000.0;

/// Metrics on a page of ListMetrics.
const METRICS_A_PAGE: usize = 500;

/// One account, opened.
pub(super) struct Account {
    id: String,
    settings: CloudWatchSettings,
    lists: Vec<List>,
    patterns: Vec<Pattern>,
    /// How wide the buckets of a day may be follows from its age.
    clock: Clock,
    /// Made at the first question, because credentials are looked for then.
    regions: OnceCell<(aws_config::SdkConfig, Vec<Region>)>,
    server_clock: ServerClock,
}

/// One region, with what was learned of it once: the days of one run share it.
struct Region {
    client: RegionClient,
    /// What ListMetrics said.
    listed: OnceCell<Arc<Vec<Listed>>>,
    /// What GetResources said, or why it said nothing.
    tags: OnceCell<Tags>,
}

impl Region {
    fn new(client: RegionClient) -> Self {
        Self { client, listed: OnceCell::new(), tags: OnceCell::new() }
    }
}

impl std::ops::Deref for Region {
    type Target = RegionClient;

    fn deref(&self) -> &RegionClient {
        &self.client
    }
}

fn failed(id: &str, error: CloudWatchError) -> SourceError {
    let help = error.help();
    SourceError::Vendor { id: id.to_owned(), account: String::new(), source: Box::new(error), help }
}

#[async_trait]
impl SeriesSource for Account {
    async fn series(&self, window: Window) -> Result<SeriesBatch, SourceError> {
        self.ask_series(window).await.map_err(|error| failed(&self.id, error))
    }

    fn clock_ms(&self) -> Option<i64> {
        self.server_clock.now_ms()
    }
}

#[async_trait]
impl EventSource for Account {
    async fn events(&self, window: Window) -> Result<EventBatch, SourceError> {
        self.ask_events(window).await.map_err(|error| failed(&self.id, error))
    }
}

#[async_trait]
impl Estimated for Account {
    async fn estimate(&self, window: Window) -> Result<Estimate, SourceError> {
        self.ask_estimate(window).await.map_err(|error| failed(&self.id, error))
    }
}

#[async_trait]
impl Checked for Account {
    async fn checks(&self, now: i64) -> Vec<SourceCheck> {
        let regions = match self.regions().await {
            Ok(regions) => regions,
            Err(error) => return vec![checks::not_opened(&error)],
        };
        let mut found = Vec::new();
        if let Some((config, _)) = self.regions.get() {
            found.push(checks::credentials(config, !self.settings.role_arn.is_empty()).await);
        }
        if found.iter().any(|check| check.health == SourceHealth::Fail) {
            // Every call would fail at the same thing.
            return found;
        }
        for region in regions {
            let (listed, error) = match self.listed(region).await {
                Ok(listed) => (listed, None),
                Err(error) => (Arc::default(), Some(error)),
            };
            let (resources, tagged) = self.resources(region, &listed).await;
            let plan = resources::plan(&resources);
            let outcome = error.map_or(Ok((resources.as_slice(), &plan)), Err);
            found.extend(checks::region(region, &self.lists, outcome, now).await);
            if !self.settings.service_tag.is_empty() {
                let tags = self.tags(region).await;
                found.push(checks::tags(region, tags, &self.settings.service_tag, tagged, resources.len()));
            }
        }
        found
    }
}

impl Account {
    /// Opens an account.
    ///
    /// # Errors
    /// A list of metrics that cannot be used, an external id that is not in the environment.
    pub(super) fn open(
        id: &str,
        settings: &CloudWatchSettings,
        config: &Config,
        clock: Clock,
    ) -> Result<Self, SourceError> {
        Self::opened(id, settings, config, clock).map_err(|error| failed(id, error))
    }

    fn opened(id: &str, settings: &CloudWatchSettings, config: &Config, clock: Clock) -> Result<Self, CloudWatchError> {
        let lists = lists::load(config, settings.queries.as_deref())?;
        if !settings.external_id_env.is_empty() {
            client::external_id(&settings.external_id_env)?;
        }
        let patterns = settings.resources.iter().map(|pattern| {
            Pattern::new(pattern).map_err(|source| CloudWatchError::Pattern { pattern: pattern.clone(), source })
        });
        let patterns = patterns.collect::<Result<_, _>>()?;
        Ok(Self {
            id: id.to_owned(),
            settings: settings.clone(),
            lists,
            patterns,
            clock,
            server_clock: ServerClock::default(),
            regions: OnceCell::new(),
        })
    }

    async fn regions(&self) -> Result<&[Region], CloudWatchError> {
        let open = || async {
            let (config, clients) = client::open(&self.id, &self.settings, &self.server_clock).await?;
            Ok::<_, CloudWatchError>((config, clients.into_iter().map(Region::new).collect()))
        };
        let opened = self.regions.get_or_try_init(open).await?;
        Ok(&opened.1)
    }

    async fn ask_series(&self, window: Window) -> Result<SeriesBatch, CloudWatchError> {
        let regions = self.regions().await?;
        let answers =
            futures_util::future::try_join_all(regions.iter().map(|region| self.of_region(region, window))).await?;
        let mut intake = SeriesBatch::default();
        for (series, diagnostics) in answers {
            intake.series.extend(series);
            intake.diagnostics.extend(diagnostics);
        }
        // Keys of two regions differ: all but the first have a suffix of their own.
        intake.series.sort_by(|a, b| a.key.cmp(&b.key));
        intake.series.dedup_by(|later, earlier| later.key == earlier.key);
        intake.rows = intake.series.iter().map(|series| series.times.len() as u64).sum();
        Ok(intake)
    }

    async fn of_region(
        &self,
        region: &Region,
        window: Window,
    ) -> Result<(Vec<Series>, Vec<Diagnostic>), CloudWatchError> {
        let now = self.clock.now();
        let grid = self.grid(region, window, now)?;
        let listed = self.listed(region).await?;
        let (found, _) = self.resources(region, &listed).await;
        let plan: Plan = resources::plan(&found);
        let (gathered, messages) = requests::data(region, &plan.queries, grid, now).await?;
        let made = parse::series(&plan, &gathered, grid);
        let mut diagnostics: Vec<Diagnostic> = messages
            .into_iter()
            .map(|(text, count)| counted(&self.id, "message_of_source", count, format!("{}: {text}", region.region)))
            .collect();
        let shared = made.shared.map(|(count, first)| counted(&self.id, "resources_of_one_name", count, first));
        diagnostics.extend(shared);
        diagnostics.extend(self.diagnostics_of(self.tags(region).await));
        Ok((made.series, diagnostics))
    }

    /// Asks CloudTrail, and the numbers of functions; the first only warns where it may not be asked.
    async fn ask_events(&self, window: Window) -> Result<EventBatch, CloudWatchError> {
        let mut events = EventBatch::default();
        for region in self.regions().await? {
            let now = self.clock.now();
            let mut of_region = Vec::new();
            if window.end <= now - events::RETENTION_MS {
                events.diagnostics.push(counted(&self.id, "events_forgotten", 1, region.region.clone()));
            } else {
                match events::look_up(region, window).await {
                    Ok(mut found) => {
                        found.events.retain(|event| self.is_wanted(event));
                        self.write_ends(region, &mut found.events, window, now).await?;
                        of_region.extend(found.events);
                        let pending = found.pending;
                        events
                            .diagnostics
                            .extend(pending.map(|(n, what)| counted(&self.id, "change_pending", n, what)));
                    }
                    Err(error) if error.is_denied() => {
                        let help = error.help().into_iter().collect();
                        let denied = counted(&self.id, "events_not_allowed", 1, error.to_string());
                        events.diagnostics.push(Diagnostic { help, ..denied });
                    }
                    Err(error) => return Err(error),
                }
            }
            of_region.extend(self.new_versions(region, window, now).await?);
            self.name_events(region, &mut of_region).await?;
            events.events.extend(of_region);
        }
        events.events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        track(&mut events.events, &self.id);
        Ok(events)
    }

    /// Writes when the deploys of ECS services were over, where Container Insights counts them.
    async fn write_ends(
        &self,
        region: &Region,
        events: &mut [Event],
        window: Window,
        now: i64,
    ) -> Result<(), CloudWatchError> {
        let around = rollouts::around(window, now);
        let Some(width) = period::width(around, self.settings.step_ms, now) else { return Ok(()) };
        let grid = Grid { window: around, width };
        if events.is_empty() {
            return Ok(());
        }
        let queries = rollouts::queries(&self.listed(region).await?);
        let (gathered, _) = requests::data(region, &queries, grid, now).await?;
        rollouts::write_ends(events, &queries, &gathered, grid);
        Ok(())
    }

    /// Gives events the services of their resources' tags, so that they stay with the series.
    async fn name_events(&self, region: &Region, events: &mut [Event]) -> Result<(), CloudWatchError> {
        if self.settings.service_tag.is_empty() || events.is_empty() {
            return Ok(());
        }
        let listed = self.listed(region).await?;
        let (resources, _) = self.resources(region, &listed).await;
        let of = |event: &Event| events::service_of(event);
        tags::name_events(events.iter_mut().map(|event| (of(event), event)), &resources);
        Ok(())
    }

    async fn new_versions(&self, region: &Region, window: Window, now: i64) -> Result<Vec<Event>, CloudWatchError> {
        let around = versions::around(window);
        // The day before may be too old for the buckets of this one.
        let Some(width) = period::width(around, self.settings.step_ms, now) else { return Ok(Vec::new()) };
        let grid = Grid { window: around, width };
        let queries = versions::queries(&self.listed(region).await?);
        let (gathered, _) = requests::data(region, &queries, grid, now).await?;
        let found = versions::events(&region.region, &queries, &gathered, window, grid);
        Ok(found.into_iter().filter(|event| self.is_wanted(event)).collect())
    }

    /// Returns whether an event is of a resource that a pattern fits.
    fn is_wanted(&self, event: &Event) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches_with(&event.service, resources::MATCHING))
    }

    /// Counts requests and what they cost; asks for the lists of metrics, which costs one request a page.
    ///
    /// Series are asked day by day, and each day is billed; the versions of deploys are asked once.
    async fn ask_estimate(&self, window: Window) -> Result<Estimate, CloudWatchError> {
        let mut estimate = Estimate::default();
        let mut billed = 0;
        for region in self.regions().await? {
            let now = self.clock.now();
            let listed = self.listed(region).await?;
            let (found, _) = self.resources(region, &listed).await;
            let plan = resources::plan(&found);
            let mut versions = versions::queries(&listed);
            versions.extend(rollouts::queries(&listed));
            let pages = listed.len().div_ceil(METRICS_A_PAGE).max(self.namespaces().len());
            let mut batches = versions.len().div_ceil(requests::batch_size(self.grid(region, window, now)?));
            let mut width = self.settings.step_ms;
            for day in window.days() {
                let grid = self.grid(region, day, now)?;
                batches += plan.queries.len().div_ceil(requests::batch_size(grid));
                billed += plan.queries.len();
                width = grid.width;
            }
            let tags = self.tags(region).await;
            estimate.requests += (pages + batches + events::CALLS.len()) as u64 + tags.requests;
            let keys: std::collections::BTreeSet<_> = plan.series.iter().map(|series| &series.key).collect();
            estimate.series += keys.len() as u64;
            billed += versions.len() + pages;
            let asks = plan.queries.iter().chain(&versions);
            let line =
                |query: &resources::Query| format!("{}: {} every {} s", region.region, query.shown(), width / 1000);
            estimate.asks.extend(asks.map(line));
            let of_tag =
                |key: &String| format!("{}: {} {}", region.region, tags::GET, crate::model::scrub::excerpt(key));
            estimate.asks.extend(self.settings.service_tag.iter().map(of_tag));
        }
        estimate.cost_usd = Some(billed as f64 * USD_PER_METRIC);
        Ok(estimate)
    }

    fn grid(&self, region: &Region, window: Window, now: i64) -> Result<Grid, CloudWatchError> {
        let width = period::width(window, self.settings.step_ms, now).ok_or_else(|| {
            let day = crate::model::time::local(window.start, chrono_tz::UTC).date_naive().to_string();
            CloudWatchError::Forgotten { place: region.place.clone(), day }
        })?;
        Ok(Grid { window, width })
    }

    /// Returns what a region has in the namespaces of the lists.
    async fn listed(&self, region: &Region) -> Result<Arc<Vec<Listed>>, CloudWatchError> {
        let ask = || async {
            let asked = self.namespaces().into_iter().map(|namespace| requests::list(region, Some(namespace), None));
            let answers = futures_util::future::try_join_all(asked).await?;
            Ok(Arc::new(answers.into_iter().flat_map(|(listed, _)| listed).collect()))
        };
        region.listed.get_or_try_init(ask).await.cloned()
    }

    /// Returns the namespaces of the lists, each once.
    fn namespaces(&self) -> std::collections::BTreeSet<&str> {
        self.lists.iter().map(|list| list.namespace.as_str()).collect()
    }

    /// Returns the resources that are watched, under the services of their tags, and how many have one.
    ///
    /// Tags decide about names alone: what is watched follows from `resources`, whether tags can be asked or not.
    async fn resources<'a>(&'a self, region: &Region, listed: &'a [Listed]) -> (Vec<Resource<'a>>, usize) {
        let mut found = resources::resources(&self.lists, listed, &self.patterns, &region.suffix);
        let tagged = self.tags(region).await.apply(&mut found);
        (found, tagged)
    }

    /// Returns what the tags of a region say; nothing, and no request, unless the config names a tag.
    async fn tags<'a>(&self, region: &'a Region) -> &'a Tags {
        region.tags.get_or_init(|| tags::ask(region, &self.lists, &self.settings.service_tag)).await
    }

    fn diagnostics_of(&self, tags: &Tags) -> Vec<Diagnostic> {
        let failed = tags.failure.as_ref().map(|error| {
            let help: Vec<String> = error.help().into_iter().collect();
            let example = std::iter::once(error.to_string()).chain(help.clone()).collect::<Vec<_>>().join("; ");
            Diagnostic { help, ..counted(&self.id, "tags_not_known", 1, example) }
        });
        let unusable = &tags.unusable;
        let unusable = unusable.as_ref().map(|(count, first)| counted(&self.id, "tag_no_name", *count, first.clone()));
        failed.into_iter().chain(unusable).collect()
    }
}
