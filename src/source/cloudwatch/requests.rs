//! The requests: ListMetrics in pages, GetMetricData in full batches and pages.
//!
//! A batch is at most [`MOST_QUERIES`] queries and [`MOST_POINTS`] requested points. The same query comes back on every
//! page; its points are put together here. What the service failed at, or left partial on its last page, is asked
//! again, alone; what is still not whole then is an error, because half of an answer would be kept as all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MessageData, Metric, MetricDataQuery, MetricStat, ScanBy};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::client::RegionClient;
use super::error::CloudWatchError;
use super::fault::bounded;
use super::parse::{Buckets, Grid, PartialResult, QueryStatus};
use super::period::{LIST_GAP, cost};
use super::resources::{Listed, Query};
use crate::model::scrub::excerpt;
use crate::source::http::RealTime;

/// Amazon's limits of one request.
const MOST_QUERIES: usize = 500;
/// As [`MOST_QUERIES`]: requested points, whether they exist or not.
const MOST_POINTS: usize = 100_800;

/// Requests in flight in one region.
const AT_ONCE: usize = 8;

/// How often what failed within an answer is asked, the first time included, and the first wait in between.
const ASKED: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Pages after which a server is not believed to come to an end: 500,000 metrics, or one point a page.
const MOST_PAGES: usize = 1000;

const GET: &str = "cloudwatch:GetMetricData";
const LIST: &str = "cloudwatch:ListMetrics";

/// What the service said besides, each text once with how often.
pub type Messages = BTreeMap<String, u64>;

/// Asks for all metrics of a namespace that had a point within two weeks; `None` for all namespaces, at most
/// `pages` pages of them. Returns whether that was all.
///
/// # Errors
/// A call failed, or pages go on for ever.
pub async fn list(
    region: &RegionClient,
    namespace: Option<&str>,
    pages: Option<usize>,
) -> Result<(Vec<Listed>, bool), CloudWatchError> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    for page in 1.. {
        region.list_limiter.take(LIST_GAP, &RealTime).await;
        // `recently_active` would hide what was silent for three hours.
        let call =
            region.metrics.list_metrics().set_namespace(namespace.map(str::to_owned)).set_next_token(token.clone());
        let answer = region.answer(LIST, call.send()).await?;
        found.extend(answer.metrics().iter().map(listed));
        match next(region, LIST, token, answer.next_token(), page)? {
            None => break,
            Some(_) if pages.is_some_and(|most| page >= most) => return Ok((found, false)),
            more => token = more,
        }
    }
    found.sort();
    found.dedup();
    Ok((found, true))
}

fn listed(metric: &Metric) -> Listed {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let mut dimensions: Vec<(String, String)> =
        metric.dimensions().iter().map(|one| (text(one.name()), text(one.value()))).collect();
    dimensions.sort();
    Listed { namespace: text(metric.namespace()), metric: text(metric.metric_name()), dimensions }
}

/// Returns the next page's token, unless the server goes round in circles.
fn next(
    region: &RegionClient,
    action: &'static str,
    sent: Option<String>,
    came: Option<&str>,
    page: usize,
) -> Result<Option<String>, CloudWatchError> {
    let came = came.filter(|token| !token.is_empty()).map(str::to_owned);
    if came.is_some() && (came == sent || page >= MOST_PAGES) {
        let reason = format!("after {page} pages there is still another one");
        return Err(CloudWatchError::Answer { place: region.place.clone(), action, reason });
    }
    Ok(came)
}

/// Returns how many queries go into one request.
pub fn batch_size(grid: Grid) -> usize {
    (MOST_POINTS / grid.count().max(1)).clamp(1, MOST_QUERIES)
}

/// Asks for the points of queries. Returns one list of buckets a query, and what the service said besides.
///
/// # Errors
/// A call failed, or an answer does not become whole.
pub async fn data(
    region: &RegionClient,
    queries: &[Query],
    grid: Grid,
    now: i64,
) -> Result<(Vec<Buckets>, Messages), CloudWatchError> {
    // Futures do nothing before they are polled, so that all of them may be made at once.
    let batches: Vec<_> = queries.chunks(batch_size(grid)).map(|batch| whole(region, batch, grid, now)).collect();
    let answers: Vec<(Vec<Buckets>, Messages)> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
    let mut all = Vec::with_capacity(queries.len());
    let mut messages = Messages::new();
    for (buckets, said) in answers {
        all.extend(buckets);
        for (text, count) in said {
            *messages.entry(text).or_default() += count;
        }
    }
    Ok((all, messages))
}

/// Asks for one batch until every query of it is answered whole.
async fn whole(
    region: &RegionClient,
    batch: &[Query],
    grid: Grid,
    now: i64,
) -> Result<(Vec<Buckets>, Messages), CloudWatchError> {
    let mut done: Vec<Option<Buckets>> = vec![None; batch.len()];
    let mut messages = Messages::new();
    let mut open: Vec<usize> = (0..batch.len()).collect();
    let mut last = QueryStatus::Silent;
    for attempt in 0..ASKED {
        if attempt > 0 {
            tokio::time::sleep(FIRST_WAIT * 2_u32.pow(attempt)).await;
        }
        let asked: Vec<(usize, &Query)> =
            open.iter().filter_map(|number| Some((*number, batch.get(*number)?))).collect();
        let gathered = pages(region, &asked, grid, now, &mut messages).await?;
        open.clear();
        for (number, one) in gathered {
            match one.standing {
                QueryStatus::Complete => {
                    if let Some(slot) = done.get_mut(number) {
                        *slot = Some(one.buckets);
                    }
                }
                QueryStatus::Forbidden => return Err(forbidden(region, batch.get(number))),
                other => {
                    open.push(number);
                    last = other;
                }
            }
        }
        if open.is_empty() {
            break;
        }
    }
    if let Some(query) = open.first().and_then(|number| batch.get(*number)) {
        let state = match last {
            QueryStatus::Silent => "no answer came",
            QueryStatus::Partial => "only a part of the answer came",
            _ => "the service failed (InternalError)",
        };
        let reason = format!("{}: {state}, {ASKED} times", query.shown());
        return Err(CloudWatchError::Answer { place: region.place.clone(), action: GET, reason });
    }
    Ok((done.into_iter().flatten().collect(), messages))
}

fn forbidden(region: &RegionClient, query: Option<&Query>) -> CloudWatchError {
    let reason = format!("Forbidden for {}", query.map(Query::shown).unwrap_or_default());
    CloudWatchError::Answer { place: region.place.clone(), action: GET, reason }
}

/// Asks once, page by page.
async fn pages(
    region: &RegionClient,
    asked: &[(usize, &Query)],
    grid: Grid,
    now: i64,
    messages: &mut Messages,
) -> Result<BTreeMap<usize, PartialResult>, CloudWatchError> {
    let broken = |reason| CloudWatchError::Answer { place: region.place.clone(), action: GET, reason };
    let queries: Vec<MetricDataQuery> = asked.iter().map(|(number, query)| request(*number, query, grid)).collect();
    let mut gathered: BTreeMap<usize, PartialResult> =
        asked.iter().map(|(number, _)| (*number, PartialResult::new(grid))).collect();
    let mut token: Option<String> = None;
    for page in 1.. {
        region.data_limiter.take(cost(asked.len() * grid.count(), grid.window, now), &RealTime).await;
        let call = region
            .metrics
            .get_metric_data()
            .set_metric_data_queries(Some(queries.clone()))
            .start_time(DateTime::from_millis(grid.window.start))
            .end_time(DateTime::from_millis(grid.window.end))
            .scan_by(ScanBy::TimestampAscending)
            .set_next_token(token.clone());
        let answer = region.answer(GET, call.send()).await?;
        note(messages, answer.messages());
        for result in answer.metric_data_results() {
            note(messages, result.messages());
            let id = result.id().unwrap_or_default();
            let one =
                id.strip_prefix('q').and_then(|number| number.parse().ok()).and_then(|n: usize| gathered.get_mut(&n));
            let one = one.ok_or_else(|| broken(format!("nobody asked for the id {:?}", excerpt(id))))?;
            one.take(grid, result)
                .map_err(|reason| broken(format!("{}: {reason}", excerpt(result.label().unwrap_or(id)))))?;
        }
        token = next(region, GET, token, answer.next_token(), page)?;
        if token.is_none() {
            break;
        }
    }
    Ok(gathered)
}

fn request(number: usize, query: &Query, grid: Grid) -> MetricDataQuery {
    let dimensions = query.dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let metric = Metric::builder()
        .namespace(&query.namespace)
        .metric_name(&query.metric)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    // A unit would leave out, without a word, what was sent in another one.
    let period = i32::try_from(grid.width / 1000).unwrap_or(i32::MAX);
    let stat = MetricStat::builder().metric(metric).period(period).stat(&query.stat).build();
    MetricDataQuery::builder().id(format!("q{number}")).metric_stat(stat).return_data(true).build()
}

fn note(messages: &mut Messages, said: &[MessageData]) {
    for message in said {
        let text =
            format!("{}: {}", excerpt(message.code().unwrap_or("?")), bounded(message.value().unwrap_or_default()));
        *messages.entry(text).or_default() += 1;
    }
}
