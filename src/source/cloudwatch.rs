//! The source kind `cloudwatch`: one account of Amazon CloudWatch, in one or several regions.
//!
//! # API
//! `ListMetrics` says what there is, `GetMetricData` the points, CloudTrail's `LookupEvents` what was deployed; by the
//! official SDK, which speaks CBOR (`smithy-rpc-v2-cbor`). What is asked are [`lists`] of metrics, which are data.
//! Math and `SEARCH` are not used: a cut answer of theirs has no next page. Shares and rates are computed here, per bucket.
//!
//! # Credentials
//! The standard chain of the SDK (environment, shared files and `profile`, web identity, container, machine), then
//! `role_arn` with the external id from the variable that the config names. The SDK keeps all of it; here is none.
//! A denied region, or one that fails, is an error of the whole source that names the region: half an account would
//! be kept as all of it. Sources do not disturb each other.
//!
//! # Limits
//! 500 queries and 100,800 requested points a request, 50 requests and 396,000 points a second ([`period`]); throttled
//! requests are tried again by the SDK. Bucket widths follow from the age of the UTC day, because CloudWatch answers
//! nothing, without an error, to who asks finer than it keeps.
//!
//! # Quirks
//! - The same query comes back on every page ([`ask`]); an answer can be whole by HTTP and partial by its status.
//! - Counters of errors have no points where nothing failed; latencies have none where nothing was asked. A list says
//!   which of the two silence means.
//! - `ListMetrics` knows what had a point within two weeks. What was switched off before is not found any more.
//! - A metric appears up to 15 minutes late, and points may come late: the last hours are asked again by whoever keeps them.
//! - A resource is known by its name. Its hash is left out, so a load balancer that was made anew goes on.

mod answer;
mod ask;
mod checks;
mod client;
pub mod error;
mod events;
pub mod lists;
mod period;
mod resources;
mod rollouts;
mod tags;
mod versions;

use std::sync::Arc;

use async_trait::async_trait;
use glob::Pattern;
use tokio::sync::OnceCell;

use crate::config::{CloudWatch, Config, Source as SourceConfig};
use crate::model::clock::Clock;
use crate::model::event::Event;
use crate::model::metric::Series;
use crate::model::time::Window;

use super::registry::{Estimate, Source, SourceCheck, SourceHealth};
use super::{Events, Intake, Note, SourceError, note};
use answer::Grid;
use client::RegionClient;
use error::CloudWatchError;
use lists::List;
use resources::{Listed, Plan, Resource};
use tags::Tags;

/// Price of one metric of GetMetricData and of one call of ListMetrics, US dollars: 0.01 for a thousand in most regions by
/// Amazon's list of 2025. LookupEvents costs nothing.
const USD_PER_METRIC: f64 = 0.01 / 1000.0;

/// Metrics on a page of ListMetrics.
const METRICS_A_PAGE: usize = 500;

/// One account, opened.
struct Account {
    id: String,
    settings: CloudWatch,
    lists: Vec<List>,
    patterns: Vec<Pattern>,
    /// How wide the buckets of a day may be follows from its age.
    clock: Clock,
    /// Made at the first question, because credentials are looked for then.
    regions: OnceCell<(aws_config::SdkConfig, Vec<RegionClient>)>,
}

/// Opens an account.
///
/// # Errors
/// A list of metrics that cannot be used, an external id that is not in the environment.
pub(super) fn open(
    config: &Config,
    source: &SourceConfig,
    settings: &CloudWatch,
    clock: Clock,
) -> Result<Box<dyn Source>, SourceError> {
    let opened = || -> Result<Account, CloudWatchError> {
        let lists = lists::load(config, settings.queries.as_deref())?;
        if !settings.external_id_env.is_empty() {
            client::external_id(&settings.external_id_env)?;
        }
        let patterns = settings.resources.iter().map(|pattern| {
            Pattern::new(pattern).map_err(|source| CloudWatchError::Pattern { pattern: pattern.clone(), source })
        });
        let patterns = patterns.collect::<Result<_, _>>()?;
        let (id, settings) = (source.id.clone(), settings.clone());
        Ok(Account { id, settings, lists, patterns, clock, regions: OnceCell::new() })
    };
    let account = opened().map_err(|error| told(&source.id, error))?;
    Ok(Box::new(account))
}

fn told(id: &str, error: CloudWatchError) -> SourceError {
    SourceError::CloudWatch { id: id.to_owned(), source: Box::new(error) }
}

#[async_trait]
impl Source for Account {
    async fn series(&self, window: Window) -> Result<Intake, SourceError> {
        self.ask_series(window).await.map_err(|error| told(&self.id, error))
    }

    async fn events(&self, window: Window) -> Result<Events, SourceError> {
        self.ask_events(window).await.map_err(|error| told(&self.id, error))
    }

    async fn estimate(&self, window: Window) -> Result<Estimate, SourceError> {
        self.ask_estimate(window).await.map_err(|error| told(&self.id, error))
    }

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
            let outcome = error.map_or(Ok((resources.as_slice(), plan.queries.as_slice())), Err);
            found.extend(checks::region(region, &self.lists, outcome, now).await);
            if !self.settings.service_tag.is_empty() {
                let tags = self.tags(region).await;
                found.push(checks::tags(region, tags, &self.settings.service_tag, tagged, resources.len()));
            }
        }
        found
    }

    fn reach_ms(&self) -> i64 {
        period::REACH
    }
}

impl Account {
    async fn regions(&self) -> Result<&[RegionClient], CloudWatchError> {
        let opened = self.regions.get_or_try_init(|| client::open(&self.id, &self.settings)).await?;
        Ok(&opened.1)
    }

    async fn ask_series(&self, window: Window) -> Result<Intake, CloudWatchError> {
        let regions = self.regions().await?;
        let answers =
            futures_util::future::try_join_all(regions.iter().map(|region| self.of_region(region, window))).await?;
        let mut intake = Intake::default();
        for (series, notes) in answers {
            intake.series.extend(series);
            intake.notes.extend(notes);
        }
        // Keys of two regions differ: all but the first have a suffix of their own.
        intake.series.sort_by(|a, b| a.key.cmp(&b.key));
        intake.series.dedup_by(|later, earlier| later.key == earlier.key);
        intake.rows = intake.series.iter().map(|series| series.times.len() as u64).sum();
        Ok(intake)
    }

    async fn of_region(
        &self,
        region: &RegionClient,
        window: Window,
    ) -> Result<(Vec<Series>, Vec<Note>), CloudWatchError> {
        let now = self.clock.now();
        let grid = self.grid(region, window, now)?;
        let listed = self.listed(region).await?;
        let (found, _) = self.resources(region, &listed).await;
        let plan: Plan = resources::plan(&found);
        let (gathered, messages) = ask::data(region, &plan.queries, grid, now).await?;
        let made = answer::series(&plan, &gathered, grid);
        let mut notes: Vec<Note> = messages
            .into_iter()
            .map(|(text, count)| note(&self.id, "message_of_source", count, format!("{}: {text}", region.region)))
            .collect();
        let shared = made.shared.map(|(count, first)| note(&self.id, "resources_of_one_name", count, first));
        notes.extend(shared);
        notes.extend(self.notes_of(self.tags(region).await));
        Ok((made.series, notes))
    }

    /// Asks CloudTrail, and the numbers of functions; the first only warns where it may not be asked.
    async fn ask_events(&self, window: Window) -> Result<Events, CloudWatchError> {
        let mut events = Events::default();
        for region in self.regions().await? {
            let now = self.clock.now();
            let mut of_region = Vec::new();
            if window.end <= now - events::REACH {
                events.notes.push(note(&self.id, "events_forgotten", 1, region.region.clone()));
            } else {
                match events::look_up(region, window).await {
                    Ok(mut found) => {
                        found.events.retain(|event| self.is_wanted(event));
                        self.write_ends(region, &mut found.events, window, now).await?;
                        of_region.extend(found.events);
                        let pending = found.pending;
                        events.notes.extend(pending.map(|(n, what)| note(&self.id, "change_pending", n, what)));
                    }
                    Err(error) if error.is_denied() => {
                        events.notes.push(note(&self.id, "events_not_allowed", 1, error.to_string()));
                    }
                    Err(error) => return Err(error),
                }
            }
            of_region.extend(self.new_versions(region, window, now).await?);
            self.name_events(region, &mut of_region).await?;
            events.events.extend(of_region);
        }
        events.events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(events)
    }

    /// Writes when the deploys of ECS services were over, where Container Insights counts them.
    async fn write_ends(
        &self,
        region: &RegionClient,
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
        let (gathered, _) = ask::data(region, &queries, grid, now).await?;
        rollouts::write_ends(events, &queries, &gathered, grid);
        Ok(())
    }

    /// Gives events the services of their resources' tags, so that they stay with the series.
    async fn name_events(&self, region: &RegionClient, events: &mut [Event]) -> Result<(), CloudWatchError> {
        if self.settings.service_tag.is_empty() || events.is_empty() {
            return Ok(());
        }
        let listed = self.listed(region).await?;
        let (resources, _) = self.resources(region, &listed).await;
        let of = |event: &Event| events::service_of(event);
        tags::name_events(events.iter_mut().map(|event| (of(event), event)), &resources);
        Ok(())
    }

    async fn new_versions(
        &self,
        region: &RegionClient,
        window: Window,
        now: i64,
    ) -> Result<Vec<Event>, CloudWatchError> {
        let around = versions::around(window);
        // The day before may be too old for the buckets of this one.
        let Some(width) = period::width(around, self.settings.step_ms, now) else { return Ok(Vec::new()) };
        let grid = Grid { window: around, width };
        let queries = versions::queries(&self.listed(region).await?);
        let (gathered, _) = ask::data(region, &queries, grid, now).await?;
        let found = versions::events(&region.region, &queries, &gathered, window, grid);
        Ok(found.into_iter().filter(|event| self.is_wanted(event)).collect())
    }

    /// Tells whether an event is of a resource that a pattern fits.
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
            let mut batches = versions.len().div_ceil(ask::batch_size(self.grid(region, window, now)?));
            let mut width = self.settings.step_ms;
            for day in window.days() {
                let grid = self.grid(region, day, now)?;
                batches += plan.queries.len().div_ceil(ask::batch_size(grid));
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
            let of_tag = |key: &String| format!("{}: {} {}", region.region, tags::GET, crate::format::shown(key));
            estimate.asks.extend(self.settings.service_tag.iter().map(of_tag));
        }
        estimate.cost_usd = Some(billed as f64 * USD_PER_METRIC);
        Ok(estimate)
    }

    fn grid(&self, region: &RegionClient, window: Window, now: i64) -> Result<Grid, CloudWatchError> {
        let width = period::width(window, self.settings.step_ms, now).ok_or_else(|| {
            let day = crate::model::time::local(window.start, chrono_tz::UTC).date_naive().to_string();
            CloudWatchError::Forgotten { place: region.place.clone(), day }
        })?;
        Ok(Grid { window, width })
    }

    /// Returns what a region has in the namespaces of the lists.
    async fn listed(&self, region: &RegionClient) -> Result<Arc<Vec<Listed>>, CloudWatchError> {
        let ask = || async {
            let asked = self.namespaces().into_iter().map(|namespace| ask::list(region, Some(namespace), None));
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
    async fn resources<'a>(&'a self, region: &RegionClient, listed: &'a [Listed]) -> (Vec<Resource<'a>>, usize) {
        let mut found = resources::resources(&self.lists, listed, &self.patterns, &region.suffix);
        let tagged = self.tags(region).await.apply(&mut found);
        (found, tagged)
    }

    /// Returns what the tags of a region say; nothing, and no request, unless the config names a tag.
    async fn tags<'a>(&self, region: &'a RegionClient) -> &'a Tags {
        region.tags.get_or_init(|| tags::ask(region, &self.lists, &self.settings.service_tag)).await
    }

    fn notes_of(&self, tags: &Tags) -> Vec<Note> {
        let failed = tags.failure.as_ref().map(|error| {
            let help = error.help().map_or(String::new(), |help| format!("; {help}"));
            note(&self.id, "tags_not_known", 1, format!("{error}{help}"))
        });
        let unusable = &tags.unusable;
        let unusable = unusable.as_ref().map(|(count, first)| note(&self.id, "tag_no_name", *count, first.clone()));
        failed.into_iter().chain(unusable).collect()
    }
}
